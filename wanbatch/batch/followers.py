"""Followers: shots that a manifest wants made again whenever the frame that they continue from is another one. Pure.

A follower gets one new take for a new frame, also for one that is still to be made: the plan holds all takes that will
follow. If a clip of it was made from exactly these frames, that clip is taken again, and nothing is bought. What fails,
and what the user circled, is left to the user: no run buys another try of it on its own.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from wanbatch.batch.chained_takes import ChainedTakes, Join
from wanbatch.batch.chains import Chains
from wanbatch.batch.changes import Change, Create, Past, Reinstate, Replan, Supersede
from wanbatch.batch.chosen_frames import ChosenFrame
from wanbatch.batch.lifecycle import State
from wanbatch.batch.names import twin_key
from wanbatch.batch.plan import Plan
from wanbatch.batch.shot_plan import Wanted
from wanbatch.batch.shots import Recipe, Shot, retake_seed
from wanbatch.batch.take import Take


def with_followers(plan: Plan, shots: Sequence[Shot], frames: Mapping[int, Sequence[ChosenFrame]], past: Past) -> Plan:
    """Return a plan that also makes a take of each follower whose frame is another one once the plan is carried out.

    `frames` are those that were sent with takes, by take id.
    """
    changed = {change.shot_id for change in plan.changes if isinstance(change, Create)}
    replanned = {change.take_id for change in plan.changes if isinstance(change, Replan)}
    changed |= {take.shot_id for take in plan.takes if take.take_id in replanned}
    by_id = {shot.id: shot for shot in shots}
    ordered = [by_id[each] for each in Chains.of_shots(shots).order if each in by_id]
    succession = _Succession(_takes_after(plan), frames, past.highest(plan.takes), past.followers)
    for shot in ordered:
        if shot.following and not shot.omit and shot.id not in changed:
            succession.follow(shot)
    found = succession.additions
    return replace(
        plan,
        changes=(*_without(plan.changes, found.left), *_superseded(plan.takes, found.left), *found.created),
        wanted=(*(each for each in plan.wanted if not _is_one_of(each.take, found.left)), *found.wanted),
        kept=(*plan.kept, *(each for each in plan.takes if each.take_id in found.left and each not in plan.kept)),
        awaits=found.awaits,
    )


@dataclass(frozen=True)
class _Additions:
    """What followers add to a plan: the takes that it also makes, and those it leaves, by id, as a clip of an earlier
    frame is taken again in their place.

    `awaits` names the shots of which a follower needs a take of the same run, by its shot and number.
    """

    created: list[Create] = field(default_factory=list)
    wanted: list[Wanted] = field(default_factory=list)
    left: set[int] = field(default_factory=set)
    awaits: dict[tuple[str, int], tuple[str, ...]] = field(default_factory=dict)


@dataclass(frozen=True)
class _Succession:
    """What follows from the takes of a plan, shot by shot, each behind those that it continues from.

    `highest` are the numbers that the takes of shots have reached, `followers` the takes, by id, that an earlier plan
    added.
    """

    takes: dict[str, list[Take]]
    frames: Mapping[int, Sequence[ChosenFrame]]
    highest: dict[str, int]
    followers: frozenset[int]
    additions: _Additions = field(default_factory=_Additions)

    def follow(self, shot: Shot) -> None:
        """Add the take that a shot needs, or take the clip again that was made from these frames."""
        added, chained = self.additions, ChainedTakes(self.takes, self.frames)
        current = sorted((each for each in self.takes.get(shot.id, ()) if not each.superseded), key=_number)
        same = next((each for each in reversed(current) if chained.is_made_from_these(each)), None)
        later = [each for each in current if same is not None and each.number > same.number]
        if (
            later
            and all(self._may_be_left(each, shot, chained) for each in later)
            and not any(each.circled for each in current)
        ):
            added.left.update(each.take_id for each in later)
            self._change(shot.id, lambda each: replace(each, superseded=True) if each in later else each)
            return
        clips = [each for each in current if each.state is State.VERIFIED]
        for each in current:
            if each.take_id in self.followers and each.state is State.PLANNED and clips:
                added.awaits[shot.id, each.number] = _awaited(clips[-1], chained)
        label = _new_source(shot, chained)
        if label:
            key = twin_key(shot.id)
            number = self.highest[key] = self.highest.get(key, 0) + 1
            recipe = _recipe_of(shot, number)
            added.created.append(Create(shot.id, number, recipe, f"follows {label}", label))
            if clips:
                added.awaits[shot.id, number] = _awaited(clips[-1], chained)
            added.wanted.append(Wanted(shot, recipe, None))
            new = Take(-1 - len(added.created), shot.id, number, recipe.canonical, is_retake=True)
            self.takes[shot.id] = [*self.takes[shot.id], new]

    def _may_be_left(self, take: Take, shot: Shot, chained: ChainedTakes) -> bool:
        """Say whether another clip may stand in for a take: it is of an earlier frame, or to be made for no new one."""
        if take.state is State.VERIFIED:
            return any(each.is_stale and each.frame.text in shot.following for each in chained.joins(take))
        return take.state is State.PLANNED and take.take_id in self.followers

    def _change(self, shot_id: str, change: Callable[[Take], Take]) -> None:
        self.takes[shot_id] = [change(each) for each in self.takes[shot_id]]


def _number(take: Take) -> int:
    return take.number


def _awaited(take: Take, chained: ChainedTakes) -> tuple[str, ...]:
    """Return the shots of which a take has to be sent for a frame other than those of a clip; none if one is there.

    Also none if one comes whatever is sent.
    """
    without = chained.joins(take, lambda _: False)
    if any(each.given is None or each.is_stale or each.source.is_coming for each in without):
        return ()
    return tuple(dict.fromkeys(each.frame.shot_id for each in chained.joins(take) if each.source.is_coming))


def _is_one_of(take: Take | None, ids: set[int]) -> bool:
    return take is not None and take.take_id in ids


def _without(changes: Sequence[Change], left: set[int]) -> list[Change]:
    return [each for each in changes if not (isinstance(each, Reinstate | Replan) and each.take_id in left)]


def _superseded(takes: Sequence[Take], left: set[int]) -> list[Supersede]:
    return [Supersede(each.take_id) for each in takes if each.take_id in left and not each.superseded]


def _takes_after(plan: Plan) -> dict[str, list[Take]]:
    """Return the takes by shot as they are asked for once the plan is carried out, with those that it makes."""
    by_shot: dict[str, list[Take]] = {}
    for take in plan.takes_after:
        by_shot.setdefault(take.shot_id, []).append(take)
    new = [each for each in plan.changes if isinstance(each, Create)]
    for place, each in enumerate(new):
        take = Take(-1_000_000 - place, each.shot_id, each.number, each.recipe.canonical)
        by_shot.setdefault(each.shot_id, []).append(take)
    return by_shot


def _new_source(shot: Shot, chained: ChainedTakes) -> str:
    """Return the label of the take that gives a follower a frame that its newest take does not have; empty for none."""
    take = chained.made(shot.id)
    if take is None or any(each.number > take.number for each in chained.takes[shot.id] if not each.superseded):
        return ""
    return next(filter(None, (_label(each) for each in chained.joins(take) if each.frame.text in shot.following)), "")


def _label(join: Join) -> str:
    """Return the label of the take that gives a frame instead of the one before, or will once it is made."""
    if join.given is None:
        return ""
    source = join.source.take if join.is_stale else join.source.cause if join.source.is_coming else None
    return "" if source is None else source.label


def _recipe_of(shot: Shot, number: int) -> Recipe:
    seed = {"seed": retake_seed(shot.id, number)} if shot.has_seed else {}
    return Recipe.of({**shot.request, **seed})
