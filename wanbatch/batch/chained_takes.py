"""Chained takes: the takes of shots that continue from each other, what each was made from, and what has changed since.

Pure. A take is stale if its frame is not of the clip that would give it now. It keeps its clip all the
same: only the user, or a manifest that says so, has it made again.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

from wanbatch.batch.chains import Chains, shots_before
from wanbatch.batch.chosen_frames import ChosenFrame, Source, source_of
from wanbatch.batch.frames import FrameOf, frames_in
from wanbatch.batch.lifecycle import IN_FLIGHT_STATES, State
from wanbatch.batch.models import PriceClass
from wanbatch.batch.take import Take

_MADE_OF_NOTHING = (State.PLANNED, State.FAILED)
_COMES = IN_FLIGHT_STATES | {State.PLANNED, State.UNKNOWN, State.COMPLETED, State.DOWNLOADED}


@dataclass(frozen=True)
class Join:
    """A frame of a take: what it was given, None if it was not sent yet or that is not known, and what gives it now."""

    take: Take
    frame: FrameOf
    given: ChosenFrame | None
    source: Source

    @property
    def is_stale(self) -> bool:
        """Say whether another clip would give the frame now."""
        return self.given is not None and self.source.take is not None and not self.given.is_of(self.source.take)

    @property
    def is_of_now(self) -> bool:
        """Say whether it was taken from the clip that gives the frame now."""
        return self.given is not None and self.source.take is not None and self.given.is_of(self.source.take)

    @property
    def waiting(self) -> Waiting:
        """Why a take waits for the frame."""
        return Waiting(self.why_missing, self.frame.shot_id if self.source.has_no_such_take else None)

    @property
    def why_missing(self) -> str:
        """Say, of a frame that is not there, what it waits for and what became of that."""
        cause = self.source.cause
        if cause is None:
            return f"{self.frame.shot_id}, which {self.source.why}"
        return f"{cause.label}, which {'is itself waiting' if cause.state is State.PLANNED else self.source.why}"


@dataclass(frozen=True)
class Waiting:
    """Why a take waits: `why` says what for and what became of that.

    `shot_without_take` is the shot that lacks the take that it names, None for any other cause.
    """

    why: str
    shot_without_take: str | None = None


@dataclass(frozen=True)
class News:
    """A shot that has a new take, or gets one: `take` is its label, empty for one that is not made yet. It `is_circled`
    if the user chose that take.

    `direct` are the shots with a clip that continues from the one before, to be made again; `shots` are these and all
    that are made again with them, and `orders` what that orders. The next run of the manifest makes those in
    `followers`, which follow the new take, and `run_orders` is what it orders for them. Of the shots in `picks` a clip
    of the new take is there, with its number: it only has to be circled. What continues from those in `kept` cannot be
    made again before the circles of `circles` are taken off. If the new take failed, those in `waiting` would follow
    it, and nothing else is said.
    """

    shot_id: str
    take: str
    direct: tuple[str, ...]
    shots: tuple[str, ...]
    orders: tuple[PriceClass, ...]
    is_circled: bool = False
    picks: tuple[tuple[str, int], ...] = ()
    kept: tuple[str, ...] = ()
    circles: tuple[Take, ...] = ()
    followers: tuple[str, ...] = ()
    run_orders: tuple[PriceClass, ...] = ()
    waiting: tuple[str, ...] = ()

    @property
    def classes(self) -> tuple[PriceClass, ...]:
        """Everything that has to be priced."""
        return (*self.orders, *self.run_orders)

    @property
    def touched(self) -> frozenset[str]:
        """Every shot of which it says something."""
        return frozenset(
            {
                self.shot_id,
                *self.shots,
                *self.kept,
                *self.followers,
                *self.waiting,
                *(shot_id for shot_id, _ in self.picks),
            }
        )


@dataclass(frozen=True)
class ChainedTakes:
    """The takes of all shots of chains, by shot, and the frames that were sent with each, by take id.

    `left_out` are the shots that are omitted or no longer in the manifest: no takes of them are made again.
    `following` are, by shot, the frames of which another one has the shot made again by the next run.
    """

    takes: Mapping[str, Sequence[Take]] = field(default_factory=dict)
    frames: Mapping[int, Sequence[ChosenFrame]] = field(default_factory=dict)
    left_out: frozenset[str] = frozenset()
    following: Mapping[str, Collection[str]] = field(default_factory=dict)

    def as_planned(self, takes: Iterable[Take]) -> ChainedTakes:
        """Return them as they are asked for once a plan is carried out: `takes` are those after it."""
        left = {take.take_id: take.superseded for take in takes}
        after = {
            shot_id: [replace(take, superseded=left.get(take.take_id, take.superseded)) for take in mine]
            for shot_id, mine in self.takes.items()
        }
        return replace(self, takes=after)

    @cached_property
    def chains(self) -> Chains:
        """The chains, as the takes that count ask for them."""
        current = ((shot_id, take) for shot_id, mine in self.takes.items() for take in mine if not take.superseded)
        return Chains.of((shot_id, shots_before(take.recipe_json)) for shot_id, take in current)

    def standing(self, shot_id: str) -> Take | None:
        """Return the take that stands for a shot: the circled one, else the newest that may come to a clip."""
        mine = sorted(self.takes.get(shot_id, ()), key=lambda take: take.number)
        circled = [take for take in mine if take.circled]
        current = [take for take in mine if not take.superseded]
        alive = [take for take in current if take.state is not State.FAILED]
        return next(reversed(circled or alive or current), None)

    def joins(self, take: Take, may_send: Callable[[Take], bool] = lambda _: True) -> list[Join]:
        """Return the frames of a take; `may_send` says which planned takes will be sent."""
        given = {each.reference: each for each in self.frames.get(take.take_id, ())}
        return [
            Join(take, frame, given.get(frame.text), source_of(frame, self.takes.get(frame.shot_id, ()), may_send))
            for frame in frames_in(take.recipe.body)
        ]

    def made(self, shot_id: str) -> Take | None:
        """Return the take that stands for a shot, if it is made or under way; None if it is still to be sent."""
        take = self.standing(shot_id)
        return None if take is None or take.state in _MADE_OF_NOTHING else take

    def successors(self, shot_id: str) -> tuple[str, ...]:
        """Return the shots with clips that continue from the chosen take of a shot, and not from a pinned one."""
        behind = [each for each in self.chains.after.get(shot_id, ()) if each not in self.left_out]
        made = {each: take for each in behind if (take := self.made(each)) is not None}
        return tuple(
            each
            for each, take in made.items()
            if any(frame.shot_id == shot_id and frame.take is None for frame in frames_in(take.recipe.body))
        )

    def with_successors(self, shot_ids: Iterable[str]) -> tuple[str, ...]:
        """Return shots and all that are made again with them: their successors, and the successors of these."""
        found = dict.fromkeys(shot_ids)
        left = list(found)
        for shot_id in left:  # it grows
            for each in self.successors(shot_id):
                if each not in found:
                    found[each] = None
                    left.append(each)
        return tuple(found)

    def circle_before(self, shot_id: str) -> Take | None:
        """Return the circled take of a shot that others would be made from again, instead of a new take."""
        circled = next((take for take in self.takes.get(shot_id, ()) if take.circled), None)
        return circled if self.successors(shot_id) else None

    def is_made_from_these(self, take: Take) -> bool:
        """Say whether a take has a clip that was made from exactly the frames that would be given now."""
        joins = self.joins(take) if take.state is State.VERIFIED else []
        return bool(joins) and all(each.is_of_now for each in joins)

    def waiting(self) -> list[Join]:
        """Return the frames for want of which takes are not sent, if nothing that is planned or runs will give them.

        What waits for a take that waits itself is among them, behind it.
        """
        found: dict[int, Join] = {}
        for shot_id in self.chains.order:
            for take in self.takes.get(shot_id, ()):
                if take.state is State.PLANNED and not take.superseded:
                    joins = self.joins(take, lambda other: other.take_id not in found)
                    missing = [each for each in joins if each.source.take is None and not each.source.is_coming]
                    if missing:
                        found[take.take_id] = missing[0]
        return list(found.values())

    def news(self, to_be_made: Collection[str] = ()) -> list[News]:
        """Return the shots that have a take chosen other than the one their successors were made from.

        `to_be_made` are the shots of which a run makes takes. What it makes again, too, does not count.
        """
        found: dict[str, tuple[str, list[str]]] = {}
        for shot_id in self.chains.order:
            take = None if shot_id in to_be_made or shot_id in self.left_out else self.made(shot_id)
            for join in () if take is None or self._comes(take) else self.joins(take):
                label = self._new_take(join, to_be_made)
                if label is not None:
                    found.setdefault(join.frame.shot_id, (label, []))[1].append(shot_id)
        news = [self._news(shot_id, label, direct) for shot_id, (label, direct) in found.items()]
        return [*news, *(each for each in self._failures() if each.shot_id not in to_be_made)]

    def _failures(self) -> list[News]:
        """Return the shots whose newest take failed, with the shots that would follow it."""
        found: list[News] = []
        for shot_id in self.chains.order:
            mine = sorted(
                (each for each in self.takes.get(shot_id, ()) if not each.superseded), key=lambda take: take.number
            )
            if mine and mine[-1].state is State.FAILED and not any(each.circled for each in mine):
                behind = [each for each in self.successors(shot_id) if self._follows(each, shot_id)]
                if behind:
                    found.append(News(shot_id, mine[-1].label, (), (), (), waiting=tuple(behind)))
        return found

    def _follows(self, shot_id: str, other: str) -> bool:
        """Say whether the next run makes a shot again because of a new take of another one."""
        take, frames = self.made(shot_id), self.following.get(shot_id, ())
        if take is None or shot_id in self.left_out:
            return False
        is_newest = all(each.number <= take.number or each.superseded for each in self.takes[shot_id])
        return is_newest and any(each.shot_id == other and each.text in frames for each in frames_in(take.recipe.body))

    def _followers(self, shot_id: str, direct: Sequence[str]) -> tuple[str, ...]:
        """Return these shots that follow another one, and all that follow them in turn."""
        ways = [(shot_id, each) for each in direct]
        for _, each in ways:  # it grows
            ways += [
                way
                for behind in self.chains.after.get(each, ())
                if self._follows(behind, each) and (way := (each, behind)) not in ways
            ]
        return tuple(dict.fromkeys(each for _, each in ways))

    def _new_take(self, join: Join, to_be_made: Collection[str]) -> str | None:
        """Return the label of the take that a frame would be of now, empty for one to come; None if it is the same."""
        other = join.frame.shot_id
        if join.is_stale and join.source.take is not None:
            return join.source.take.label
        is_fixed = join.frame.take is not None or any(take.circled for take in self.takes.get(other, ()))
        return "" if other in to_be_made and not is_fixed and join.given is not None else None

    def _comes(self, take: Take) -> bool:
        """Say whether a newer take than the circled one is on its way: what it is made from is the frame of now."""
        later = [each for each in self.takes[take.shot_id] if each.number > take.number and not each.superseded]
        coming = [each for each in later if each.state in _COMES]
        return take.circled and any(not any(join.is_stale for join in self.joins(each)) for each in coming)

    def _news(self, shot_id: str, label: str, stale: Sequence[str]) -> News:
        picks: list[tuple[str, int]] = []
        direct: list[str] = []
        following: list[str] = []
        kept: list[str] = []
        circles: dict[int, Take] = {}
        for each in dict.fromkeys(stale):
            same = [take for take in self.takes[each] if not take.superseded and self.is_made_from_these(take)]
            before = [circled for every in self.with_successors([each]) if (circled := self.circle_before(every))]
            if label and same:
                picks.append((each, max(take.number for take in same)))
            elif self._follows(each, shot_id):
                following.append(each)
            elif before:
                kept.append(each)
                circles |= {take.take_id: take for take in before}
            else:
                direct.append(each)
        shots = tuple(dict.fromkeys(each for start in direct for each in self.with_successors([start])))
        orders = tuple(take.price_class for each in shots for take in ordered_again(self.takes[each]))
        followers = self._followers(shot_id, following)
        is_circled = any(take.circled and take.label == label for take in self.takes.get(shot_id, ()))
        return News(
            shot_id,
            label,
            tuple(direct),
            shots,
            orders,
            is_circled,
            tuple(picks),
            tuple(kept),
            tuple(circles.values()),
            followers,
            tuple(repeated(self.takes[each]).price_class for each in followers),
        )


def repeated(takes: Sequence[Take]) -> Take:
    """Return the take of a shot whose recipe a retake repeats: the circled one, else the newest."""
    mine = sorted(takes, key=lambda take: take.number)
    current = [take for take in mine if not take.superseded]
    return next((take for take in current if take.circled), (current or mine)[-1])


def ordered_again(takes: Sequence[Take]) -> list[Take]:
    """Return what a retake of a shot orders, as takes of the same recipes: the new one, and those planned before it."""
    return [repeated(takes), *(take for take in takes if take.state is State.PLANNED and not take.superseded)]


NOTHING_CHAINED = ChainedTakes()
