"""Choosing: which take of a shot goes into the cut. The circled one, else the newest verified one, else a hole."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.plan import ShotRow
from wanbatch.batch.shots import likeness
from wanbatch.batch.take import Take
from wanbatch.errors import UsageInvalid

OLDER = "made from an older recipe"
FALLBACK_S = 5  # what Wan makes if neither the request nor the documentation gives a length


@dataclass(frozen=True)
class Pick:
    """The user's choice: this take of this shot."""

    shot_id: str
    number: int


@dataclass(frozen=True)
class Choice:
    """What a shot adds to the cut: a take with a clip, or a hole. `note` says why it is a hole, or what is unusual.

    `ordered_s` is the ordered length of the shot; a hole has this length. `own` are the shot's cells in columns of the
    user's own, by name.
    """

    shot: ShotRow
    take: Take | None
    ordered_s: int
    note: str = ""
    own: Mapping[str, str] = field(default_factory=dict)


def choices(shots: Iterable[ShotRow], takes: Iterable[Take]) -> tuple[Choice, ...]:
    """Choose a take for every shot of the story, in its order. Omitted and removed shots are left out."""
    by_shot = _by_shot(takes)
    story = sorted((shot for shot in shots if not shot.omit and not shot.removed), key=lambda shot: shot.ordinal)
    return tuple(_choose(shot, by_shot.get(shot.shot_id, [])) for shot in story)


class Candidate(Protocol):
    """What decides whether a take is chosen."""

    @property
    def state(self) -> State:
        """Where the take is in its lifecycle: without a circle, only a verified take is chosen."""

    @property
    def superseded(self) -> bool:
        """A newer recipe or a retake replaced it."""

    @property
    def circled(self) -> bool:
        """The user circled it for the cut."""


C = TypeVar("C", bound=Candidate)


def chosen(takes: Sequence[C]) -> C | None:
    """Choose among the takes of one shot, by number: the circled one, else the newest verified one; None if none is."""
    good = [take for take in takes if take.circled]
    good = good or [take for take in takes if take.state is State.VERIFIED and not take.superseded]
    return good[-1] if good else None


def why_superseded(take: Take, takes: Iterable[Take]) -> str:
    """Say of a superseded take whether it is of an older recipe, or which take of its recipe stands in for it."""
    mine, recipe = sorted(takes, key=lambda each: each.number), likeness(take.recipe_json)[0]
    same = [each for each in mine if not each.superseded and likeness(each.recipe_json)[0] == recipe]
    return f"replaced by take {same[-1].number}" if same else OLDER


def _by_shot(takes: Iterable[Take]) -> dict[str, list[Take]]:
    by_shot: dict[str, list[Take]] = {}
    for take in sorted(takes, key=lambda take: take.number):
        by_shot.setdefault(take.shot_id, []).append(take)
    return by_shot


def _choose(shot: ShotRow, takes: Sequence[Take]) -> Choice:
    current = [take for take in takes if not take.superseded]
    take = chosen(takes)
    if take is not None:
        note = f"circled, but {why_superseded(take, takes)}" if take.superseded else ""
        return Choice(shot, take, _ordered_s(take), note)
    ordered_s = _ordered_s((current or takes)[-1]) if takes else FALLBACK_S
    return Choice(shot, None, ordered_s, _why_missing(takes, current))


def _ordered_s(take: Take) -> int:
    return FALLBACK_S if take.order.duration_s is None else take.order.duration_s


def _why_missing(takes: Sequence[Take], current: Sequence[Take]) -> str:
    if not takes:
        return "never planned"
    stale = [take for take in takes if take.superseded and take.state is State.VERIFIED]
    if current:
        newest = current[-1]
        words = {State.PLANNED: "not made yet", State.VERIFIED: "", State.HELD: "held"}
        why = words.get(newest.state, newest.state.value)
        why += f": {newest.error}" if newest.error and newest.state in (State.FAILED, State.HELD) else ""
    else:
        why = "no take has the manifest's recipe"
    if not stale:
        return why
    is_older = why_superseded(stale[-1], current) == OLDER
    named = f"take {stale[-1].number} has an older recipe" if is_older else f"take {stale[-1].number} has a clip"
    return f"{why}; {named}: circle it to use it"


def circle(takes: Iterable[Take], picks: Sequence[Pick]) -> list[tuple[Take, Fact]]:
    """Return the facts that make these the circled takes of their shots; none for takes that are already circled.

    Raises UsageInvalid, for all of them at once, if a take does not exist or has no clip, or a shot is named twice.
    """
    by_shot = _by_shot(takes)
    facts: list[tuple[Take, Fact]] = []
    problems = [f"{pick.shot_id}: only one take can be circled" for pick in _doubled(picks)]
    for pick in picks:
        mine = by_shot.get(pick.shot_id, [])
        take = next((take for take in mine if take.number == pick.number), None)
        if take is None:
            problems.append(_no_such(pick, mine))
        elif take.state is not State.VERIFIED:
            problems.append(f"{take.label} is {take.state}: only a verified take has a clip to circle")
        elif not take.circled:
            facts += [(other, Fact.UNCIRCLED) for other in mine if other.circled]
            facts.append((take, Fact.CIRCLED))
    if problems:
        raise UsageInvalid("; ".join(dict.fromkeys(problems)))
    return facts


def _doubled(picks: Sequence[Pick]) -> list[Pick]:
    return [pick for pick in set(picks) if len({each.number for each in picks if each.shot_id == pick.shot_id}) > 1]


def _no_such(pick: Pick, mine: Sequence[Take]) -> str:
    if not mine:
        return f"there is no shot '{pick.shot_id}' with takes"
    return f"{pick.shot_id} has no take {pick.number}; its takes are: {', '.join(str(take.number) for take in mine)}"


def uncircle(takes: Iterable[Take], shot_ids: Sequence[str]) -> list[tuple[Take, Fact]]:
    """Return the facts that remove the circles of these shots. Raises UsageInvalid for a shot without takes."""
    by_shot = _by_shot(takes)
    unknown = [shot_id for shot_id in shot_ids if shot_id not in by_shot]
    if unknown:
        raise UsageInvalid("; ".join(f"there is no shot '{shot_id}' with takes" for shot_id in unknown))
    found = [take for shot_id in dict.fromkeys(shot_ids) for take in by_shot[shot_id]]
    return [(take, Fact.UNCIRCLED) for take in found if take.circled]
