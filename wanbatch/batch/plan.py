"""The plan: what a run would do with a batch and its takes. New, done, stale, failed, unknown; the order.

Unchanged shots are never bought again, changed ones get a new take beside the old one, removed ones are kept.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from enum import StrEnum
from operator import attrgetter
from typing import NamedTuple

from wanbatch.batch.chains import Chains, pins_in, shots_before
from wanbatch.batch.changes import Change, Create, Past, Reinstate, Supersede
from wanbatch.batch.edits import WITHOUT_CLIP
from wanbatch.batch.given_files import Files
from wanbatch.batch.lifecycle import State
from wanbatch.batch.models import PriceClass, order_of
from wanbatch.batch.names import composed, twin_key
from wanbatch.batch.shot_plan import Wanted, plan_shot
from wanbatch.batch.shots import Batch, Fallback, Shot
from wanbatch.batch.spend import Spend
from wanbatch.batch.take import Take
from wanbatch.batch.unwritten import unwritten_in


class First(StrEnum):
    """Which takes are sent first.

    Longest first ends a run of mixed lengths sooner, since nothing long begins last; the story's order shows its
    beginning sooner. With one length they are the same.
    """

    LONGEST = "longest"
    STORY = "story"


@dataclass(frozen=True)
class ShotRow:
    """A shot as the state file keeps it, so that reports need no manifest."""

    shot_id: str
    ordinal: int
    sequence: str
    scene: str
    tags: tuple[str, ...]
    cost_code: str
    notes: str
    prompt: str
    wanted: int
    omit: bool
    removed: bool


class Cause(StrEnum):
    """Why a take is to be sent."""

    NEW = "new"
    EDITED = "edited"  # its shot had another recipe before
    RETAKE = "retake"  # the user asked for it beside those there are
    AGAIN = "again"  # it was sent before, and failed or was turned away


def cause_of(is_retake: bool, was_sent: bool, is_edited: bool) -> Cause:  # noqa: FBT001  three marks of one row
    """Say why a take is to be sent: `is_edited` where its shot has a take of an older recipe."""
    if is_retake:
        return Cause.RETAKE
    if was_sent:
        return Cause.AGAIN
    return Cause.EDITED if is_edited else Cause.NEW


class Due(NamedTuple):
    """A take that a run would send. `take_id` is 0 for one that is not written yet; `ordinal` is its shot's place.

    `unwritten` names what its price depends on and its request leaves to the default of the model; `tries` counts those
    of `--max-attempts` that it used before. `predecessors` are the shots that it continues from; `awaits` are those of
    which one gets a new take first, as it is made again for a new frame. `pins` are single takes that it continues
    from, as shots and numbers.
    """

    take_id: int
    shot_id: str
    number: int
    ordinal: int
    scene: str
    price_class: PriceClass
    cause: Cause = Cause.NEW
    unwritten: tuple[str, ...] = ()
    tries: int = 0
    predecessors: tuple[str, ...] = ()
    awaits: tuple[str, ...] = ()
    pins: tuple[tuple[str, int], ...] = ()

    @property
    def label(self) -> str:
        """The name of the take: `sc010_sh020_t1`."""
        return f"{self.shot_id}_t{self.number}"

    def tries_left(self, max_attempts: int) -> int:
        """Return how often a run may buy it yet: once at least, as it is sent."""
        return max(1, max_attempts - self.tries)


@dataclass(frozen=True)
class Plan:
    """What a run would do.

    `wanted` lists every take asked for, in story order; `changes` is what to write before the run; `kept` are takes
    that the manifest no longer asks for (stale or removed) and that are never bought again but still fetched; `moved`
    are takes that were adopted from other shots, by id. `own` are the cells of the user's own columns by shot, of
    those that have some, `fallbacks` their fallbacks, `origins` where their values come from, and `clip_names` the
    pattern of the clips' further names, `files` those that shots are given; None if no manifest was read. `takes` are
    those that were there before. `following` are, by shot, the frames of which another one has it made again, and
    `awaits` are the shots of which one gets a new take before such a take is sent, by its shot and number.
    """

    shots: tuple[ShotRow, ...]
    wanted: tuple[Wanted, ...]
    changes: tuple[Change, ...]
    kept: tuple[Take, ...]
    omitted: int
    removed: int
    moved: frozenset[int] = frozenset()
    own: Mapping[str, Mapping[str, str]] | None = None
    fallbacks: Mapping[str, Fallback] | None = None
    origins: Mapping[str, Mapping[str, tuple[str, ...]]] | None = None
    clip_names: str | None = None
    files: Files | None = None
    takes: Sequence[Take] = ()
    following: Mapping[str, tuple[str, ...]] | None = None
    awaits: Mapping[tuple[str, int], tuple[str, ...]] = field(default_factory=dict)

    @property
    def to_submit(self) -> tuple[Wanted, ...]:
        """Takes that would be paid for: new ones and those planned before."""
        return tuple(each for each in self.wanted if each.take is None or each.take.state is State.PLANNED)

    @property
    def due(self) -> tuple[Due, ...]:
        """The takes that would be paid for, as a run sees them."""
        created = (change for change in self.changes if isinstance(change, Create))
        edited = {take.shot_id for take in self.kept if take.attempts or take.superseded}
        due = (_due(each, next(created) if each.take is None else None, edited) for each in self.to_submit)
        if not self.awaits:
            return tuple(due)
        return tuple(each._replace(awaits=self.awaits.get((each.shot_id, each.number), ())) for each in due)

    @property
    def takes_after(self) -> list[Take]:
        """The takes that were there before as they are asked for once the plan is carried out."""
        told = {
            each.take_id: isinstance(each, Supersede)
            for each in self.changes
            if isinstance(each, Supersede | Reinstate)
        }
        return [replace(take, superseded=told.get(take.take_id, take.superseded)) for take in self.takes]

    @property
    def followed(self) -> Mapping[tuple[str, int], str]:
        """What each new take follows, by shot and number, such as `b_t2 (follows a_t2)`."""
        noted = [each for each in self.changes if isinstance(each, Create) and each.follows]
        return {(each.shot_id, each.number): f"{each.shot_id}_t{each.number} ({each.note})" for each in noted}

    @property
    def is_lasting(self) -> bool:
        """Say whether the same manifest will need no new plan, whatever comes of these takes.

        Not if a take that is kept might be wanted again, or sent, once another state is reached.
        """
        if self.following:
            return False
        left = {change.take_id for change in self.changes if isinstance(change, Supersede)}
        wanted: dict[str, set[str]] = {}
        for each in self.wanted:
            wanted.setdefault(each.shot.id, set()).add(composed(each.recipe.canonical))
        return all(
            (take.superseded or take.take_id in left)
            and composed(take.recipe_json) not in wanted.get(take.shot_id, ())
            and take.take_id not in self.moved
            for take in self.kept
        )

    @property
    def counts(self) -> dict[str, int]:
        """Takes by what a run would do with them, for the plan's table; only groups that occur."""
        groups = Counter(due_group(each.cause) for each in self.due)
        settled = (each.take for each in self.wanted if each.take is not None)
        groups.update(group_of(replace(take, superseded=False)) for take in settled if take.state is not State.PLANNED)
        left = {change.take_id for change in self.changes if isinstance(change, Supersede)}
        kept = (replace(take, superseded=take.superseded or take.take_id in left) for take in self.kept)
        groups.update(group_of(take) for take in kept if take.superseded or take.state is not State.PLANNED)
        groups["omitted"] = self.omitted
        return in_table_order(groups)


def _due(wanted: Wanted, created: Create | None, edited: set[str]) -> Due:
    take, shot, recipe = wanted.take, wanted.shot, wanted.recipe
    is_edited = take is not None and take.recipe_json != recipe.canonical
    is_retake = created.note is not None if created is not None else take is not None and take.is_retake
    return Due(
        take_id=take.take_id if take is not None else 0,
        shot_id=shot.id,
        number=created.number if created is not None else 0 if take is None else take.number,
        ordinal=shot.ordinal,
        scene=shot.scene,
        price_class=order_of(recipe).price_class,
        cause=cause_of(is_retake, take is not None and take.attempts > 0, shot.id in edited),
        unwritten=unwritten_in(recipe),
        tries=0 if take is None or is_edited else take.tries,
        predecessors=shots_before(recipe.canonical),
        pins=pins_in(recipe.canonical),
    )


def in_table_order(groups: Mapping[str, int]) -> dict[str, int]:
    """Return the groups of a plan's table that occur, in its order."""
    order = ("new", "retake", "again", "in progress", "done", "failed", "held", "stale", "omitted")
    return {name: groups[name] for name in order if groups.get(name)}


def due_group(cause: Cause) -> str:
    """Return how a plan's table counts a take that is to be sent: an edited shot's is new."""
    return Cause.NEW.value if cause is Cause.EDITED else cause.value


def group_of(take: Spend) -> str:
    """Return how a plan's table counts a take that is not to be sent: as superseded where `status` does so, too."""
    if take.shown_state == "superseded":
        return "stale"
    match take.state:
        case State.VERIFIED:
            return "done"
        case State.FAILED:
            return "failed"
        case State.HELD | State.UNKNOWN:
            return "held"
        case _:
            return "in progress"


def make_plan(batch: Batch, takes: Sequence[Take], known: Sequence[ShotRow] = (), past: Past | None = None) -> Plan:
    """Compare a batch with the takes there are.

    `known` are the shots of earlier plans; those that the manifest lost are marked removed.
    """
    past = Past() if past is None else past
    by_shot: dict[str, list[Take]] = {}
    for take in takes:
        by_shot.setdefault(take.shot_id, []).append(take)
    highest = past.highest(takes)
    wanted: list[Wanted] = []
    changes: list[Change] = []
    kept: list[Take] = []
    for shot in batch.shots:
        next_number = highest.get(twin_key(shot.id), 0) + 1
        planned = plan_shot(shot, by_shot.pop(shot.id, []), past.moved, next_number, past.first_recipes)
        wanted += planned.wanted
        changes += planned.changes
        kept += planned.left
    for orphans in by_shot.values():
        changes += [Supersede(take.take_id) for take in orphans if take.state in WITHOUT_CLIP and not take.superseded]
        kept += orphans
    listed = {shot.id for shot in batch.shots}
    rows = [_row(shot) for shot in batch.shots]
    gone = [_removed(row) for row in known if row.shot_id not in listed]
    return Plan(
        shots=(*rows, *gone),
        wanted=tuple(wanted),
        changes=tuple(changes),
        kept=tuple(kept),
        omitted=sum(shot.omit for shot in batch.shots),
        following={shot.id: shot.following for shot in batch.shots if shot.following and not shot.omit},
        removed=len(gone),
        moved=past.moved,
        own={shot.id: shot.own for shot in batch.shots if shot.own},
        fallbacks={shot.id: shot.fallback for shot in batch.shots if shot.fallback is not None},
        clip_names=batch.names,
        origins={shot.id: shot.origins for shot in batch.shots if shot.origins},
        files=batch.files,
        takes=takes,
    )


def _row(shot: Shot) -> ShotRow:
    wanted = 0 if shot.omit else len(shot.recipes)
    return ShotRow(
        shot_id=shot.id,
        ordinal=shot.ordinal,
        sequence=shot.sequence,
        scene=shot.scene,
        tags=shot.tags,
        cost_code=shot.cost_code,
        notes=shot.notes,
        prompt=shot.prompt,
        wanted=wanted,
        omit=shot.omit,
        removed=False,
    )


def _removed(row: ShotRow) -> ShotRow:
    return replace(row, wanted=0, removed=True)


def submit_order(due: Iterable[Due], first: First = First.LONGEST) -> list[Due]:
    """Order planned takes for submission: longest expected first and then in story order, or in story order alone.

    What others continue from counts with the longest chain behind it, and is always before them.
    """
    every = sorted(due, key=attrgetter("ordinal", "number"))
    if any(each.predecessors for each in every):
        return _chained_order(every, first)
    if first is First.STORY:
        return every
    weights = {each: each.weight for each in {each.price_class for each in every}}
    by_weight: dict[float, list[Due]] = {weight: [] for weight in sorted(weights.values(), reverse=True)}
    for each in every:
        by_weight[weights[each.price_class]].append(each)
    return [each for group in by_weight.values() for each in group]


def _chained_order(every: Sequence[Due], first: First) -> list[Due]:
    """Order takes, which are in story order, of which some continue from others."""
    weights: dict[str, float] = {}
    for each in every:
        weights[each.shot_id] = max(weights.get(each.shot_id, 0.0), each.price_class.weight)
    chains = Chains.of((each.shot_id, each.predecessors) for each in every)
    if first is First.LONGEST:
        lengths = chains.lengths(lambda shot_id: weights.get(shot_id, 0.0))
        return sorted(every, key=lambda each: -lengths.get(each.shot_id, each.price_class.weight))
    ordinals, begins = {each.shot_id: each.ordinal for each in every}, dict[str, tuple[int, int]]()
    for place, shot_id in enumerate(chains.order):
        before = (begins[each][0] for each in chains.before.get(shot_id, ()))
        begins[shot_id] = max(ordinals.get(shot_id, 0), *before, 0), place
    return sorted(every, key=lambda each: begins.get(each.shot_id, (each.ordinal, 0)))
