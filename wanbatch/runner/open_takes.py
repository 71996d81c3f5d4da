"""The open takes of a run: what something is open about is kept in memory, the rest stays in the state file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from wanbatch.batch.inventory import Inventory, is_open
from wanbatch.batch.spend import Spend
from wanbatch.batch.take import Take
from wanbatch.errors import StateInvalid
from wanbatch.state.reader import StateReader


class OpenTakes:
    """Finds a take by its id, and counts them by state. Holds as many takes as are open, however large the batch.

    `counts` by shown state; `awaiting` is how many verified takes the ledger has not shown a charge of.
    """

    def __init__(self, state: StateReader) -> None:
        self._state = state
        self._open: dict[int, Take] = {}
        self.counts: Counter[str] = Counter()
        self.awaiting = 0

    def take_up(self, inventory: Inventory) -> None:
        """Begin with what the state file holds."""
        self._open = {take.take_id: take for take in inventory.open_takes}
        for take, count in inventory.kinds:
            self._count(take, count)

    def _count(self, take: Spend, count: int) -> None:
        self.counts[take.shown_state] += count
        self.awaiting += count * take.awaits_charge

    def __getitem__(self, take_id: int) -> Take:
        """Return a take as it was recorded last. Raises StateInvalid if no take has that id."""
        take = self._open.get(take_id)
        return self._state.take(take_id) if take is None else take

    def get(self, take_id: int) -> Take | None:
        """Return a take as it was recorded last; None if no take has that id."""
        try:
            return self[take_id]
        except StateInvalid:
            return None

    def __iter__(self) -> Iterator[Take]:
        """Yield the takes that something is open about, as they were when this began, in the order of their plan."""
        return iter([self._open[take_id] for take_id in sorted(self._open)])

    def follow(self, before: Take, after: Take) -> None:
        """Count a take as it is now in the place of what it was."""
        self._count(before, -1)
        self._count(after, 1)
        if is_open(after):
            self._open[after.take_id] = after
        else:
            self._open.pop(after.take_id, None)
