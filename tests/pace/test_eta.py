"""The estimate of how long a batch still takes."""

from __future__ import annotations

from wanbatch.pace.eta import eta_s


def test_eta_counts_rounds_and_rates() -> None:
    assert [
        eta_s(0, [], (10, 60), None),
        eta_s(0, [100.0], (10, 60), 200.0),
        eta_s(0, [300.0], (10, 60), 200.0),
        eta_s(30, [], (10, 60), 200.0),
        eta_s(100, [], (100, 60), 200.0),
    ] == [None, 100.0, 10.0, 600.0, 300.0]
