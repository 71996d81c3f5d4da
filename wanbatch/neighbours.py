"""The neighbours: output folders beside one's own, and which of the takes to be bought are there already."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from wanbatch.batch import likeness
from wanbatch.errors import WanbatchError
from wanbatch.history import newest_beside
from wanbatch.state import StateReader
from wanbatch.takeover import Order

TAKES_READ = 20_000  # of each neighbour, the newest: a quarter of a second
READ_LIMIT_S = 2.0  # of all together: a plan must not wait for the whole disk


@dataclass(frozen=True)
class Neighbour:
    """A folder in which recipes are there: each of the takes to be bought, with the label of the take there."""

    output: Path
    found: tuple[tuple[Order, str], ...]

    @property
    def has_other_ids(self) -> bool:
        """Say whether a take is called otherwise there."""
        return any(label.rpartition("_t")[0] != order.shot_id for order, label in self.found)


def find_beside(
    output: Path, base_url: str, orders: Sequence[Order], now: Callable[[], float] = time.monotonic
) -> list[Neighbour]:
    """Find takes in the folders beside an output folder, of the same provider, that are what would be bought here.

    The newest folders are read, each in part where it is large, and no longer than a moment; one that cannot be read
    tells nothing. Each take to be bought is found once, in the newest folder that has it.
    """
    by_text: dict[str, list[Order]] = {}
    for order in orders:
        by_text.setdefault(order.text, []).append(order)
    neighbours: list[Neighbour] = []
    deadline = now() + READ_LIMIT_S
    for path in newest_beside(output) if by_text else ():
        if now() > deadline:
            break
        with suppress(WanbatchError, OSError), StateReader.open(path.parent) as reader:
            if reader.identity().base_url == base_url:
                found = _found_in(reader, by_text)
                if found:
                    shown = output.parent / path.parent.name
                    neighbours.append(Neighbour(shown if shown.exists() else path.parent, tuple(found)))
    return neighbours


def _found_in(reader: StateReader, by_text: dict[str, list[Order]]) -> list[tuple[Order, str]]:
    found = []
    for label, recipe_json in reader.recipes_there(TAKES_READ):
        text, seed = likeness(recipe_json)
        waiting = by_text.get(text, [])
        order = next((order for order in waiting if order.is_met_by(seed)), None)
        if order is not None:
            waiting.remove(order)
            found.append((order, label))
    return found
