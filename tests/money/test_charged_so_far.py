"""What is said of the charges so far: they are compared with the baseline, never with an estimate that follows them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.money.test_baseline import HEAD
from wanbatch.reporting.amounts import charged_so_far

PRICE = 1_050_000


def told(charged: int, *, planned: int | None = 6 * PRICE, unseen: int = 0, left: int = 0, unpriced: int = 0) -> str:
    baselines = [] if planned is None else [{"batch": "b", "known_credits": planned, "unpriced_takes": unpriced}]
    costs = {"baselines": baselines, "progress": [{"batch": "b", "remaining": {"takes": left}}]}
    return charged_so_far({"batch": "b", "charged": {"known_credits": charged, "unknown_takes": unseen}}, costs)


@pytest.mark.parametrize(
    ("words", "of"),
    [
        ("all charges have been seen: equal to the baseline, to the credit", told(6 * PRICE)),
        ("all charges have been seen: 0.525 USD above the baseline", told(7 * PRICE)),
        ("all charges have been seen: 0.525 USD below the baseline", told(5 * PRICE)),
        ("all charges have been seen", told(5 * PRICE, planned=None)),
        ("all charges have been seen", told(5 * PRICE, unpriced=1)),
        ("2 possible charges not in the provider's ledger yet", told(6 * PRICE, unseen=2)),
        ("all charges for what was sent have been seen; 1 take still to be sent", told(6 * PRICE, left=1)),
    ],
)
def test_the_charges_are_compared_with_the_baseline_once_all_is_sent(words: str, of: str) -> None:
    assert of == words


@pytest.mark.long
def test_a_refused_take_that_was_edited_is_no_as_estimated(said: Any) -> None:
    rule = {"on": "submit", "do": "fail", "nth": [2], "message": "Content policy violation"}
    Path("faults.json").write_text(json.dumps([rule]))
    run = ("-q", "run", "film.yaml", "--sandbox", "--speed", "900", "--yes")
    Path("film.yaml").write_text(HEAD + "  - {id: s0, prompt: Rain., takes: 3}\n")
    said(*run, "--faults", "faults.json")
    Path("film.yaml").write_text(HEAD + "  - {id: s0, prompt: Snow., takes: 3}\n")
    said(*run)
    page = Path("outputs/film/reports/report.html").read_text()
    cell = re.search(r'data-name="are all charges seen\?">([^<]*)</td></tr>', page)
    assert cell is not None
    assert cell[1] == "all charges have been seen: 1.05 USD above the baseline"
    assert "3 takes of edited shots +1.575, 1 take refused -0.525" in said("status")
