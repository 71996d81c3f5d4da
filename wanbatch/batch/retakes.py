"""Retakes: new takes that the user asks for in addition to the manifest, each with a number and a seed of its own."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from wanbatch.batch.chained_takes import ChainedTakes, repeated
from wanbatch.batch.chains import shots_before, with_new_ids
from wanbatch.batch.changes import Create, Past, Supersede
from wanbatch.batch.lifecycle import State
from wanbatch.batch.names import twin_key
from wanbatch.batch.plan import Plan, ShotRow
from wanbatch.batch.shot_plan import Wanted
from wanbatch.batch.shots import SEED_MAX, Recipe, Shot, retake_seed
from wanbatch.batch.take import Take
from wanbatch.errors import UsageInvalid


@dataclass(frozen=True)
class Retake:
    """A request for this number of new takes of each of these shots. `seed` is that of the first; each further one
    adds 1. `with_successors` adds the shots that continue from them, including indirect ones, if they have clips.
    """

    shot_ids: tuple[str, ...]
    takes: int = 1
    seed: int | None = None
    note: str = ""
    with_successors: bool = False

    def completed(self, chained: ChainedTakes) -> Retake:
        """Return the request for all shots that it means.

        Raises UsageInvalid if one that others continue from has a circled take: they would be made from that again.
        """
        if not self.with_successors:
            return self
        shots = chained.with_successors(self.shot_ids)
        for shot_id in shots:
            circled = chained.circle_before(shot_id)
            if circled is not None:
                behind = ", ".join(chained.successors(shot_id))
                raise UsageInvalid(
                    f"{circled.label} is circled, so {behind} would be made from it again and not from the"
                    f" new take: remove the circle from {shot_id} first (`wanbatch circle RUN --clear {shot_id}`), or"
                    " retake without --with-successors"
                )
        return replace(self, shot_ids=shots, with_successors=False)


def plan_retakes(shots: Sequence[ShotRow], takes: Iterable[Take], asked: Retake, past: Past | None = None) -> Plan:
    """Plan new takes from the recipe of each shot's circled take, else of its newest, and keep the existing takes.

    Each stands in for one failed take of the shot, if there is one: that is superseded, and not tried again.
    The plan wants nothing but the shots named: what is planned of them and not sent yet is part of it. A retake that is
    planned or under way already counts as one of those asked for: the same command, given again, continues.
    Raises UsageInvalid, for all shots at once, if one has no take, is omitted or removed, or already has the seed.
    """
    by_id = {shot.shot_id: shot for shot in shots}
    past, all_takes = Past() if past is None else past, list(takes)
    highest = past.highest(all_takes)
    names = past.names_of_gone({shot.shot_id for shot in shots if not shot.removed})
    wanted: list[Wanted] = []
    changes: list[Create | Supersede] = []
    problems: list[str] = []
    for shot_id in dict.fromkeys(asked.shot_ids):
        mine = sorted((take for take in all_takes if take.shot_id == shot_id), key=lambda take: take.number)
        shot = by_id.get(shot_id)
        if shot is None or shot.removed:
            problems.append(f"there is no shot '{shot_id}' in the manifest of this folder")
            continue
        try:
            sent = (
                [replace(take, recipe_json=with_new_ids(take.recipe_json, names)) for take in mine] if names else mine
            )
            created = _retakes_of(shot, sent, asked, highest.get(twin_key(shot_id), 0))
        except UsageInvalid as error:
            problems.append(str(error))
            continue
        failed = [take for take in mine if take.state is State.FAILED and not take.superseded]
        changes += [Supersede(take.take_id) for take in failed[: len(created)]]
        changes += created
        sendable = [take for take in mine if take.state is State.PLANNED and not take.superseded]
        wanted += [Wanted(_shot_of(by_id[shot_id], take.recipe), take.recipe, take) for take in sendable]
        wanted += [Wanted(_shot_of(by_id[shot_id], each.recipe), each.recipe, None) for each in created]
    if problems:
        raise UsageInvalid("; ".join(problems))
    return Plan(tuple(shots), tuple(wanted), tuple(changes), kept=(), omitted=0, removed=0, takes=all_takes)


def _retakes_of(shot: ShotRow, mine: Sequence[Take], asked: Retake, highest: int) -> list[Create]:
    shot_id = shot.shot_id
    if shot.omit or not mine:
        raise UsageInvalid(f"{shot_id} is omitted: change its `omit` in the manifest and run that")
    model = repeated(mine)
    if asked.seed is not None and "seed" not in model.recipe.body:
        raise UsageInvalid(f"{model.recipe.model}, which makes {shot_id}, takes no seed: leave out --seed")
    used = {take.recipe_json: take for take in mine if take.attempts or not take.superseded or take.is_retake}
    open_ones = (take for take in mine if take.is_retake and not take.superseded)
    coming = [take for take in open_ones if take.state not in (State.VERIFIED, State.FAILED)]
    created: list[Create] = []
    for extra in range(asked.takes - (len(coming) if asked.seed is None else 0)):
        number = highest + 1 + len(created)
        if "seed" not in model.recipe.body:
            created.append(Create(shot_id, number, model.recipe, asked.note))
            continue
        seed = retake_seed(shot_id, number) if asked.seed is None else (asked.seed + extra) & SEED_MAX
        recipe = Recipe.of({**model.recipe.body, "seed": seed})
        same = used.get(recipe.canonical)
        if same is not None and same in coming:
            continue
        if same is not None and not shots_before(recipe.canonical):  # another frame makes another clip
            raise UsageInvalid(f"{same.label} already has seed {seed}{_made_words(same)}: choose another --seed")
        created.append(Create(shot_id, number, recipe, asked.note))
    return created


def _made_words(same: Take) -> str:
    """Say how a take stands that has the seed already, and how it is sent."""
    if same.state is State.FAILED:
        return " (it failed; `wanbatch retry` tries it again)"
    return " (the next run sends it)" if same.state is State.PLANNED else ""


def _shot_of(row: ShotRow, recipe: Recipe) -> Shot:
    request = {name: value for name, value in recipe.body.items() if name != "seed"}
    has_seed = "seed" in recipe.body
    return Shot(row.shot_id, row.ordinal, request, sequence=row.sequence, scene=row.scene, has_seed=has_seed)
