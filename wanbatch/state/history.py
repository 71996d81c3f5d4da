"""What this project's own batches paid so far, and how long they waited: by class, from their state files."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from wanbatch.batch.models import PriceClass
from wanbatch.batch.take import Take
from wanbatch.errors import WanbatchError
from wanbatch.money.seen_prices import charged_price, seen_prices, sent_at
from wanbatch.pace.polling import Hazard, Seen
from wanbatch.state.reader import STATE_NAME, StateReader

TAKES_TIMED = 200  # tell a distribution well enough
BATCHES_READ = 20  # the newest tell the price of today; reading hundreds would slow every plan


def earlier_prices(output: Path, base_url: str) -> dict[PriceClass, int]:
    """Return the newest charge of each class in the other output folders beside this one, of the same provider.

    A folder that cannot be read tells nothing.
    """
    takes: list[Take] = []
    for path in newest_beside(output):
        with suppress(WanbatchError, OSError), StateReader.open(path.parent) as reader:
            if reader.identity().base_url == base_url:
                takes += [take for take in reader.takes() if charged_price(take) is not None]
    return seen_prices(takes)


def times_seen(takes: Iterable[Take]) -> dict[PriceClass, Seen]:
    """Return how long generations of each class took, by the polls that watched them, newest takes only."""
    learnt: dict[PriceClass, Hazard] = {}
    watched = [take for take in takes if take.completed_at is not None and take.last_running_at is not None]
    for take in sorted(watched, key=sent_at)[-TAKES_TIMED:]:
        begun, last, end = take.started_at or take.accepted_at, take.last_running_at, take.completed_at
        if begun is not None and last is not None and end is not None and begun <= last <= end:
            last_s = (last - begun).total_seconds()
            hazard = learnt.setdefault(take.order.price_class, Hazard())
            hazard.add_watched(0.0, last_s)
            hazard.add_end(last_s, (end - begun).total_seconds())
    return {each: hazard.seen() for each, hazard in learnt.items()}


def earlier_times(output: Path, base_url: str) -> dict[PriceClass, Seen]:
    """Return how long generations took in the other output folders beside this one, of the same provider."""
    takes: list[Take] = []
    for path in newest_beside(output):
        with suppress(WanbatchError, OSError), StateReader.open(path.parent) as reader:
            if reader.identity().base_url == base_url:
                takes += reader.newest_completed(TAKES_TIMED)
    return times_seen(takes)


def newest_beside(
    output: Path, homes: Iterable[Path] = (), folders: Iterable[Path] = (), at_most: int | None = BATCHES_READ
) -> list[Path]:
    """Return the state files in the other folders beside an output folder, those that changed last first.

    `homes` are further folders to look in, `folders` output folders that are elsewhere; `at_most` None returns all of
    them. What cannot be looked at, or is gone, is left out.
    """
    own, found = output.resolve(), list[Path]()
    with suppress(OSError):
        places = dict.fromkeys([own.parent, *(home.resolve() for home in (output.absolute().parent, *homes))])
        found = [path for place in places for path in place.glob(f"*/{STATE_NAME}")]
    there = {own, *(path.parent.resolve() for path in found)}
    found = [path for path in found if path.parent != own]
    for folder in folders:
        with suppress(OSError, ValueError):
            real = Path(os.path.realpath(folder))  # links that lead in a circle raise nothing
            if real not in there:
                found.append(real / STATE_NAME)
    changed: dict[Path, float] = {}
    for path in found:
        with suppress(OSError, ValueError):
            if path.is_file():
                changed[path] = path.stat().st_mtime
    return sorted(changed, key=changed.__getitem__, reverse=True)[:at_most]
