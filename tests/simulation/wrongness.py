"""What can be wrong in a world beside faults and crashes: clocks, promises, books, prices. Each is off by default.

Times are seconds of the world, which are the true ones; how far a clock is ahead is in seconds, and negative where it
is behind. Jobs are the submits of this batch that made something, counted from 1 over all runs.
"""

from __future__ import annotations

from dataclasses import dataclass

ALIASES = ("wan2.1-t2v-turbo", "alibaba/wan-2-1-turbo", "alibaba-cloud/wan2.1-t2v-turbo", "")
"""Other names that a log or a ledger has for the models of this batch, or none."""

OTHER_STATUSES = ("cancelled", "refunded", "pending", "timeout", "partially_succeeded", "", None, 7)
"""Statuses of other programs' rows that no documentation names."""


@dataclass(frozen=True)
class Dial:
    """A clock: how far ahead it is at first, how much it gains a second, and its jumps (from when, by how much)."""

    ahead_s: float = 0.0
    drift: float = 0.0
    jumps: tuple[tuple[float, float], ...] = ()

    def off_s(self, now_s: float) -> float:
        """Return how far ahead it is at a time."""
        return self.ahead_s + self.drift * now_s + sum(by_s for since_s, by_s in self.jumps if since_s <= now_s)


RIGHT = Dial()


@dataclass(frozen=True)
class Clocks:
    """Four clocks. `ours` is how far ahead ours is in each run, the last value in all that follow.

    `strays` are single answers with a wrong `Date` of their own: (number of the answer, how far ahead).
    """

    ours: tuple[float, ...] = ()
    date: Dial = RIGHT
    strays: tuple[tuple[int, float], ...] = ()
    log: Dial = RIGHT
    ledger: Dial = RIGHT

    def ours_s(self, run: int) -> float:
        """Return how far ahead our clock is in a run."""
        return self.ours[min(run, len(self.ours) - 1)] if self.ours else 0.0

    @property
    def kinds(self) -> list[str]:
        """Name what is wrong."""
        year = 300 * 86_400.0
        ours = [each for each in self.ours if each]
        told = (
            ("ours is wrong at first only", bool(ours) and bool(self.ours[0]) and not any(self.ours[1:])),
            ("ours changes between runs", len(set(self.ours)) > 1),
            ("ours is wrong all along", bool(ours) and len(set(self.ours)) == 1),
            ("ours is years off", any(abs(each) > year for each in ours)),
            *(
                (f"{name} {what}", bool(has))
                for name, dial in (("Date", self.date), ("log", self.log), ("ledger", self.ledger))
                for what, has in (("is ahead or behind", dial.ahead_s), ("drifts", dial.drift), ("jumps", dial.jumps))
            ),
            ("a single Date is wrong", bool(self.strays)),
            ("a single Date is years off", any(abs(by_s) > year for _, by_s in self.strays)),
        )
        return [name for name, holds in told if holds]


@dataclass(frozen=True)
class Lies:
    """Promises that the provider breaks.

    `refused`: (job, HTTP status): it answers in its envelope that it refuses, and makes it all the same (against P1).
    `gateway`: (job, whether its own row ever shows): a row under another id says that it failed at no cost, and it
    completes (against P2). `failed`: (job, number of the poll, for how long): polls say that it failed and it
    completes (against P3); for 0 seconds: that one poll alone. `cheap` are jobs whose answers hold half of what is
    charged. `shadows` are failed jobs that are charged all the same, under an id that belongs to no take.
    """

    refused: tuple[tuple[int, int], ...] = ()
    gateway: tuple[tuple[int, bool], ...] = ()
    failed: tuple[tuple[int, int, float], ...] = ()
    cheap: tuple[int, ...] = ()
    shadows: tuple[int, ...] = ()


@dataclass(frozen=True)
class Mess:
    """Books in disorder. `late_s`: log and ledger rows come up to so much later than the lag, in any order.

    `twice` is the share of log rows that stand there twice; `others` are rows of other programs under our key: (when,
    which kind); `moving` are the log's answers, by number, whose total is one too high; `holes` are jobs whose row the
    log counts and does not show for a time: (job, how long); `slow` are jobs whose rows come so much later than others,
    in log and ledger: (job, how long); `charged_twice` are jobs with two equal ledger rows;
    `nameless` are jobs that the log never shows, though the ledger charges them; `page` is how many rows of the log
    come at once, however many are asked for, `ledger_page` how many of the ledger; `odd` are jobs whose row says for a
    time that they are being processed, at no cost, and that are charged when it is over: (job, how long); with `has_no_costs` a gateway's rows tell no cost, and
    `gateway_after_s` is by how much later they are dated; `shifted` are the log's answers, by number, that begin one row
    too early: what stood on the page before stands there again, and the last row is missed; `unkept` are jobs whose row lacks our request id;
    `second_after_s` is by how much later the second of two ledger rows comes, `twin_after_s` by how much later the
    second of two generations of one submit ends.
    """

    has_aliases: bool = False
    late_s: float = 0.0
    twice: float = 0.0
    others: tuple[tuple[float, int], ...] = ()
    moving: tuple[int, ...] = ()
    holes: tuple[tuple[int, float], ...] = ()
    slow: tuple[tuple[int, float], ...] = ()
    charged_twice: tuple[int, ...] = ()
    nameless: tuple[int, ...] = ()
    page: int = 100
    ledger_page: int = 100
    odd: tuple[tuple[int, float], ...] = ()
    has_no_costs: bool = False
    gateway_after_s: float = 0.0
    shifted: tuple[int, ...] = ()
    unkept: tuple[int, ...] = ()
    second_after_s: float = 0.0
    twin_after_s: float = 0.0


@dataclass(frozen=True)
class Jump:
    """From the n-th job on everything costs so many times as much."""

    job: int
    factor: int


RIGHT_CLOCKS, KEPT, TIDY = Clocks(), Lies(), Mess()
"""Clocks that are right, promises that are kept, books in order."""
