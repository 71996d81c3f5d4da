"""The inventory of a batch: its takes in short, so that a hundred thousand of them are never all looked at. Pure.

Takes with equal state and money are counted, those that a run would send are listed by name, and only those
with something open are kept whole.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

from wanbatch.batch.chains import pins_in, shots_before
from wanbatch.batch.lifecycle import State
from wanbatch.batch.plan import Due, ShotRow, cause_of, due_group, group_of, in_table_order
from wanbatch.batch.spend import Kind
from wanbatch.batch.take import Take
from wanbatch.batch.unwritten import unwritten_in
from wanbatch.units import count_text

Counted = tuple[Take | Kind, int]
"""Takes that are alike in state, money and price class, or a single one, and how many they are."""

Selected = Callable[[Due], bool]
"""Says whether a run is meant for a take."""


@dataclass(frozen=True)
class Inventory:
    """The takes of a batch. `scenes` are in story order; `omitted` counts shots.

    `strays` are the credits held for submits that belong to no take; None if that is unknown. `clips` are the shots
    that have a clip, or soon will, and their takes that do, if any take that is due continues from another shot.
    """

    kinds: Sequence[Counted] = ()
    due: Sequence[Due] = ()
    open_takes: Sequence[Take] = ()
    scenes: Sequence[str] = ()
    omitted: int = 0
    strays: Sequence[int | None] = ()
    clips: frozenset[str | tuple[str, int]] = frozenset()

    @classmethod
    def of(cls, takes: Iterable[Take], shots: Sequence[ShotRow] = ()) -> Inventory:
        """Take inventory of takes that are there as a whole."""
        every, by_id = list(takes), {row.shot_id: row for row in shots}
        edited = {take.shot_id for take in every if take.superseded}

        def due_of(take: Take) -> Due:
            row = by_id.get(take.shot_id)
            ordinal, scene = (0, "") if row is None else (row.ordinal, row.scene)
            cause = cause_of(take.is_retake, take.attempts > 0, take.shot_id in edited)
            return Due(
                take.take_id,
                take.shot_id,
                take.number,
                ordinal,
                scene,
                take.order.price_class,
                cause,
                unwritten_in(take.recipe),
                take.tries,
                shots_before(take.recipe_json),
                pins=pins_in(take.recipe_json),
            )

        return cls(
            kinds=[(take, 1) for take in every],
            due=[due_of(take) for take in every if take.state is State.PLANNED and not take.superseded],
            open_takes=[take for take in every if is_open(take)],
            scenes=tuple(dict.fromkeys(row.scene for row in shots)),
            omitted=sum(row.omit for row in shots),
            clips=clips_of(every),
        )

    def planned_again(self, failed: Sequence[Take], shots: Sequence[ShotRow]) -> Inventory:
        """Return the inventory as it is once these failed takes are planned again."""
        again = Inventory.of([replace(take, state=State.PLANNED, tries=0) for take in failed], shots)
        return replace(self, due=[*self.due, *again.due])

    @property
    def was_sent(self) -> bool:
        """Say whether any take was ever sent."""
        return any(take.attempts for take, _ in self.kinds)

    @property
    def counts(self) -> dict[str, int]:
        """Takes by what a run of the unchanged manifest would do with them, for a plan's table."""
        groups = Counter({"omitted": self.omitted})
        groups.update(due_group(each.cause) for each in self.due)
        for take, count in self.kinds:
            if take.superseded or take.state is not State.PLANNED:
                groups[group_of(take)] += count
        return in_table_order(groups)

    @property
    def committed(self) -> int | None:
        """What was charged and what may be, for submits of no take, too; None if a part of it is unknown."""
        known = 0
        for take, count in self.kinds:
            if take.credits_committed is None:
                return None
            known += take.credits_committed * count
        for held in self.strays:
            if held is None:
                return None
            known += held
        return known

    def is_finished(self, is_selected: Selected) -> bool:
        """Say whether a run would have nothing to ask the provider: all takes done, all charges seen."""
        if any(map(is_selected, self.due)) or any(map(_is_unsettled, self.open_takes)):
            return False
        return not any(take.awaits_charge for take, _ in self.kinds)


def clips_of(takes: Iterable[Take]) -> frozenset[str | tuple[str, int]]:
    """Return the shots with a clip to continue from, or soon with one, and such takes, as shots and numbers."""
    found = set[str | tuple[str, int]]()
    for take in takes:
        if _may_have_clip(take):
            found.add((take.shot_id, take.number))
            if take.circled or not take.superseded:
                found.add(take.shot_id)
    return frozenset(found)


def _may_have_clip(take: Take) -> bool:
    """Say whether a take has a clip, or may get one that was paid for: the next run looks again at some held ones."""
    if take.state is State.HELD:
        return take.can_be_looked_at
    return take.state not in (State.PLANNED, State.FAILED)


def finish_text(inventory: Inventory) -> str:
    """Say how the takes of a batch stand of which nothing is to be sent."""
    counts = inventory.counts
    done, failed, held = (counts.get(name, 0) for name in ("done", "failed", "held"))
    left = sum(counts.get(name, 0) for name in ("new", "retake", "again"))
    if not (failed or held or left):
        return "nothing to do: every take is done"
    parts = [f"{count_text(done, 'take')} {'is' if done == 1 else 'are'} done"]
    parts += [f"{failed} failed (`wanbatch status` says what to do, such as `wanbatch retry`)"] if failed else []
    parts += [f"{held} {'is' if held == 1 else 'are'} held (`wanbatch status` says what you can do)"] if held else []
    parts += [f"{left} not sent, because this command leaves {'it' if left == 1 else 'them'} out"] if left else []
    return f"nothing to send: {', '.join(parts)}"


def is_open(take: Take) -> bool:
    """Say whether something is open about a take that was sent: how it ends, or what an earlier attempt may cost."""
    return take.state not in (State.PLANNED, State.VERIFIED, State.FAILED) or take.credits_at_risk != 0


def _is_unsettled(take: Take) -> bool:
    if take.state is State.HELD:
        return take.can_be_looked_at or take.can_be_searched
    return take.state not in (State.PLANNED, State.VERIFIED, State.FAILED)
