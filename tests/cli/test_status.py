"""`status`: what it says of a batch's money."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from wanbatch.cli import call


def test_status_gives_each_sum_in_usd_and_credits(
    left_by: Callable[..., int], capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    assert left_by("a capped run", "--yes", "--max-usd", "40") == 0
    assert call(["status"]) == 0
    assert (
        "committed 0.38 USD (756,000 credits); charged 0.38 USD (756,000 credits); cap 40.00 USD (80,000,000 credits)"
    ) in capfd.readouterr().out
