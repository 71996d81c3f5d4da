"""A forecast whose errors stop nothing: what a batch buys and fetches must not depend on saying how long it takes."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import TypeVar

from wanbatch.batch.forecast import Forecast, Sending
from wanbatch.batch.lifecycle import Fact
from wanbatch.batch.models import PriceClass
from wanbatch.batch.plan import Due
from wanbatch.batch.take import Take
from wanbatch.pace.polling import Seen

T = TypeVar("T")
_log = logging.getLogger("wanbatch")


class GuardedForecast:
    """Does what a `Forecast` does. Its first error is logged, and from then on the time left is unknown."""

    def __init__(
        self,
        began_at: datetime,
        before: Mapping[PriceClass, Seen],
        make: Callable[[datetime, Mapping[PriceClass, Seen]], Forecast] = Forecast,
    ) -> None:
        self._forecast: Forecast | None = None
        self._forecast = self._tried(lambda: make(began_at, before))

    def _tried(self, work: Callable[[], T]) -> T | None:
        try:
            return work()
        except Exception:  # noqa: BLE001  whatever it is, what is paid for goes on
            self._forecast = None
            _log.exception(
                "wanbatch could not work out how long the batch will still take; the run continues without an estimate"
            )
            return None

    def take_up(self, due: Iterable[Due]) -> None:
        """Learn of which classes the takes are that may be sent."""
        if (forecast := self._forecast) is not None:
            self._tried(lambda: forecast.take_up(due))

    def follow(self, before: Take, after: Take, fact: Fact) -> None:
        """Learn from what was just recorded."""
        if (forecast := self._forecast) is not None:
            self._tried(lambda: forecast.follow(before, after, fact))

    def seen_running(self, take_id: int, at: datetime) -> None:
        """An answer said that a take runs yet."""
        if (forecast := self._forecast) is not None:
            self._tried(lambda: forecast.seen_running(take_id, at))

    def fetch_began(self, take_id: int, at: datetime) -> None:
        """A download begins with a take's clip."""
        if (forecast := self._forecast) is not None:
            self._tried(lambda: forecast.fetch_began(take_id, at))

    def fetch_ended(self, take: Take, at: datetime) -> None:
        """Learn how long a clip kept a download busy."""
        if (forecast := self._forecast) is not None:
            self._tried(lambda: forecast.fetch_ended(take, at))

    def learn(self, takes: Sequence[Take]) -> None:
        """Learn from takes that were made before."""
        if (forecast := self._forecast) is not None:
            self._tried(lambda: forecast.learn(takes))

    def eta_s(self, takes: Iterable[Take], now: datetime, sending: Sending) -> float | None:
        """Return the seconds until the last clip is verified; None if nothing is left, or it is unknown."""
        if (forecast := self._forecast) is None:
            return None
        return self._tried(lambda: forecast.eta_s(takes, now, sending))
