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
    None without one; `committed` is what counts against it already, None while a part of it is unknown. `failed` counts
    takes that failed and that no run sends again on its own: `failed_known` and `failed_unpriced` are of another try.
    """

    takes: int
    known: int
    unpriced: int
    cap: int | None
    committed: int | None
    failed: int = 0
    failed_known: int = 0
    failed_unpriced: int = 0

    @property
    def room(self) -> int | None:
        """What may still be committed under the cap; None without a cap, or while it is not known."""
        return None if self.cap is None or self.committed is None else max(0, self.cap - self.committed)

    @property
    def needed_cap(self) -> int | None:
        """The least cap under which what is known of them fits; None if they fit, or if nothing can be said."""
        return self._cap_for(self.known)

    @property
    def cap_for_failed(self) -> int | None:
        """The least cap under which another try of what failed fits as well; None as for `needed_cap`."""
        return self._cap_for(self.known + self.failed_known)

    def _cap_for(self, price: int) -> int | None:
        if self.room is None or self.committed is None or price <= self.room:
            return None
        return self.committed + price

    @property
    def words(self) -> str:
        """`4 takes for 2.10 USD; the cap of 4.60 USD has 0.40 USD left: to send all takes a cap of 6.30 USD`."""
        cost = partly_known(self.known, self.unpriced)
        what = f"{count_text(self.takes, 'take')} for {cost}" if self.takes else "no take"
        if self.cap is None or not self.takes:
            return what
        if self.room is None:
            return f"{what}; the cap is {usd_text(self.cap)}, and how much of it is left is unknown"
        left = f"{what}; the cap of {usd_text(self.cap)} has {usd_text(self.room)} left"
        if self.needed_cap is None:
            return left
        return f"{left}: sending {'it' if self.takes == 1 else 'them all'} needs a cap of {usd_text(self.needed_cap)}"

    @property
    def failed_words(self) -> str:
        """Say what another try of the failed takes costs, which is in no sum; empty if none failed."""
        if not self.failed:
            return ""
        cost = partly_known(self.failed_known, self.failed_unpriced)
        line = (
            f"{count_text(self.failed, 'take')} failed; another try would cost {cost}, which is not in the final cost"
        )
        if self.cap_for_failed is None:
            return line
        return f"{line}, and needs a cap of {usd_text(self.cap_for_failed)}"


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
    asked = [(kind, count) for kind, count in every if not kind.superseded]
    progress = BatchProgress.of(every, strays)
    takes, known, unpriced = _priced(((k, n) for k, n in asked if k.state is State.PLANNED), prices)
    failed, failed_known, failed_unpriced = _priced(((k, n) for k, n in asked if k.state is State.FAILED), prices)
    return Remaining(
        takes=takes,
        known=known,
        unpriced=unpriced,
        cap=cap,
        committed=None if progress.uncosted else progress.credits_committed,
        failed=failed,
        failed_known=failed_known,
        failed_unpriced=failed_unpriced,
    )


def _priced(kinds: Iterable[tuple[Kind, int]], prices: Mapping[PriceClass, int]) -> tuple[int, int, int]:
    """Return how many takes these are, what those with a price cost, and how many have none."""
    every = [(prices.get(kind.price_class), count) for kind, count in kinds]
    known = sum(count * price for price, count in every if price is not None)
    return sum(n for _, n in every), known, sum(count for price, count in every if price is None)


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
        "failed_takes": remaining.failed,
        "failed_known_credits": remaining.failed_known,
        "failed_unpriced_takes": remaining.failed_unpriced,
        "failed_words": remaining.failed_words,
    }
