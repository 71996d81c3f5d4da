"""What is still to be sent: how many takes, what they are expected to cost, and whether the cap has room. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from wanbatch.batch.lifecycle import State
from wanbatch.batch.models import PriceClass
from wanbatch.batch.progress import BatchProgress
from wanbatch.batch.spend import Kind
from wanbatch.money.credits import partly_known, usd_text
from wanbatch.units import count_text


@dataclass(frozen=True)
class Remaining:
    """The takes that are still to be sent, and the money they need, in credits.

    `known` is what those of them cost that have a price, `unpriced` counts the others. `cap` is that of the newest run,
    None without one; `committed` is what counts against it already, None while a part of it is unknown.
    """

    takes: int
    known: int
    unpriced: int
    cap: int | None
    committed: int | None

    @property
    def room(self) -> int | None:
        """What may still be committed under the cap; None without a cap, or while it is not known."""
        return None if self.cap is None or self.committed is None else max(0, self.cap - self.committed)

    @property
    def needed_cap(self) -> int | None:
        """The least cap under which what is known of them fits; None if they fit, or if nothing can be said."""
        if self.room is None or self.committed is None or self.known <= self.room:
            return None
        return self.committed + self.known

    @property
    def words(self) -> str:
        """`4 takes for 2.10 USD; the cap of 4.60 USD has 0.40 USD left: all of them need one of at least 6.30 USD`."""
        cost = partly_known(self.known, self.unpriced)
        what = f"{count_text(self.takes, 'take')} for {cost}" if self.takes else "no take"
        if self.cap is None or not self.takes:
            return what
        if self.room is None:
            return f"{what}; the cap is {usd_text(self.cap)}, and how much of it is left is unknown"
        left = f"{what}; the cap of {usd_text(self.cap)} has {usd_text(self.room)} left"
        if self.needed_cap is None:
            return left
        who = "it needs" if self.takes == 1 else "all of them need"
        return f"{left}: {who} one of at least {usd_text(self.needed_cap)}"


NOTHING_REMAINS = Remaining(0, 0, 0, None, 0)


def remaining_of(
    kinds: Iterable[tuple[Kind, int]],
    prices: Mapping[PriceClass, int],
    strays: Iterable[int | None],
    cap: int | None,
) -> Remaining:
    """Count what is still to be sent. `kinds` are of all takes, `prices` what a take costs now, `strays` what submits
    of no take hold.
    """
    every = list(kinds)
    waiting = [(kind, count) for kind, count in every if kind.state is State.PLANNED and not kind.superseded]
    progress = BatchProgress.of(every, strays)
    return Remaining(
        takes=sum(count for _, count in waiting),
        known=sum(count * prices.get(kind.price_class, 0) for kind, count in waiting),
        unpriced=sum(count for kind, count in waiting if kind.price_class not in prices),
        cap=cap,
        committed=None if progress.uncosted else progress.credits_committed,
    )


def remaining_json(remaining: Remaining) -> dict[str, int | str | None]:
    """Return what is still to be sent as JSON values: null while a part of a sum is unknown, its known part beside."""
    return {
        "takes": remaining.takes,
        "credits": None if remaining.unpriced else remaining.known,
        "known_credits": remaining.known,
        "unpriced_takes": remaining.unpriced,
        "cap": remaining.cap,
        "cap_left": remaining.room,
        "cap_needed": remaining.needed_cap,
        "words": remaining.words,
    }
