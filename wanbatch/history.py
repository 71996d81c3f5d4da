"""What this project's own batches paid so far, and how long they waited: by class, from their state files."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from wanbatch.batch.models import PriceClass
from wanbatch.batch.take import Take
from wanbatch.errors import WanbatchError
from wanbatch.pace.hazard import Hazard, Seen
from wanbatch.state import STATE_NAME, StateReader
from wanbatch.tables import QuotedPrice

TAKES_TIMED = 200  # tell a distribution well enough
BATCHES_READ = 20  # the newest tell the price of today; reading hundreds would slow every plan


def seen_prices(takes: Iterable[Take]) -> dict[PriceClass, int]:
    """Return what the newest answer or charge of each class said; a hold never speaks for less than was expected."""
    seen: dict[PriceClass, int] = {}
    for take in sorted(takes, key=_sent_at):
        price = _price_seen(take)
        if price is not None:
            seen[take.order.price_class] = price
    return seen


def held_prices(takes: Iterable[Take]) -> dict[PriceClass, int]:
    """Return what the newest answer of each class held, whatever was expected."""
    return {take.order.price_class: take.credits_held for take in sorted(takes, key=_sent_at) if take.credits_held}


def prices_now(takes: Iterable[Take], quotes: Iterable[QuotedPrice]) -> dict[PriceClass, int]:
    """Return what a take of each class costs now: as this batch saw, else as its newest run was quoted."""
    quoted = {
        PriceClass(each.model, each.resolution, each.duration_s): each.credits
        for each in quotes
        if each.credits is not None
    }
    return {**quoted, **seen_prices(takes)}


def charged_price(take: Take) -> int | None:
    """Return what the ledger charged for the one generation of a take; None where it did not tell of one alone.

    A charge of 0 names no price: no generation is free.
    """
    return (take.credits_charged or None) if take.is_charge_seen and take.attempts == 1 else None


def _price_seen(take: Take) -> int | None:
    if take.is_charge_seen and take.attempts == 1:
        return charged_price(take)
    if take.attempts == 1 and take.credits_charged:
        return take.credits_charged  # of the one submit, which its take went on without
    if take.credits_held is None:
        return None
    return max(take.credits_held, take.credits_estimated or 0)


def _sent_at(take: Take) -> float:
    return take.submitted_at.timestamp() if take.submitted_at is not None else 0.0


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
    for take in sorted(watched, key=_sent_at)[-TAKES_TIMED:]:
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


def newest_beside(output: Path, homes: Iterable[Path] = ()) -> list[Path]:
    """Return the state files in the other folders beside an output folder, those that changed last first.

    `homes` are further folders to look in.
    """
    own = output.resolve()
    with suppress(OSError):
        places = dict.fromkeys([own.parent, *(home.resolve() for home in homes)])
        found = [path for place in places for path in place.glob(f"*/{STATE_NAME}") if path.parent != own]
        known = {path: path.stat().st_mtime for path in found if path.is_file()}
        return sorted(known, key=known.__getitem__, reverse=True)[:BATCHES_READ]
    return []
