"""An error of the forecast stops nothing: it is logged once, and the time left is unknown from then on."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import Any

import pytest

from tests.money.test_ledger import take
from wanbatch.batch.forecast import Forecast, Sending
from wanbatch.batch.guarded_forecast import GuardedForecast
from wanbatch.batch.lifecycle import Fact, State

NOW = datetime(2026, 11, 1, tzinfo=UTC)
CALLS: dict[str, tuple[Any, ...]] = {
    "take_up": ([],),
    "follow": (take(State.QUEUED), take(State.QUEUED), Fact.ACCEPTED),
    "seen_running": (1, NOW),
    "fetch_began": (1, NOW),
    "fetch_ended": (take(State.VERIFIED), NOW),
    "learn": ([],),
    "eta_s": ([], NOW, Sending([], 1.0, 1)),
}


def broken(*_: object) -> Any:
    raise ZeroDivisionError("no such pace")


def broken_in(name: str) -> type[Forecast]:
    """A forecast that one of its calls breaks."""
    return type("BrokenForecast", (Forecast,), {name: broken})


def test_every_call_of_a_forecast_is_guarded() -> None:
    public = {name for name in vars(Forecast) if not name.startswith("_")}
    assert public == CALLS.keys() == {name for name in vars(GuardedForecast) if not name.startswith("_")}


@pytest.mark.parametrize("name", CALLS)
def test_an_error_is_logged_once_and_nothing_is_said_from_then_on(name: str, caplog: pytest.LogCaptureFixture) -> None:
    forecast = GuardedForecast(NOW, {}, broken_in(name))
    with caplog.at_level(logging.ERROR, logger="wanbatch"):
        getattr(forecast, name)(*CALLS[name])
        told = [getattr(forecast, each)(*CALLS[each]) for each in CALLS]
    assert (told, len(caplog.records)) == ([None] * len(CALLS), 1)
    assert "the run continues without an estimate" in caplog.text


def test_a_forecast_that_cannot_even_begin_is_unknown() -> None:
    assert GuardedForecast(NOW, {}, broken).eta_s([], NOW, Sending([], 1.0, 1)) is None
