"""What facts say about money that somebody has to see."""

from __future__ import annotations

from typing import Any

import pytest

from tests.batch.takes import AT
from wanbatch.batch.alarms import alarm_in, standing_alarms
from wanbatch.batch.lifecycle import Fact
from wanbatch.batch.take import Entry

UNOWNED = {"warning": "charges two", "unowned": ["a", "b"]}


@pytest.mark.parametrize(
    ("fact", "data", "text"),
    [
        (Fact.WARNED, {"warning": "DOUBLE", "doubles": ["g"]}, "DOUBLE"),
        (Fact.WARNED, UNOWNED, "charges two"),
        (Fact.WARNED, {"warning": "no id", "nameless": "r"}, "no id"),
        (Fact.WARNED, {"warning": "charged a failure", "breaches": ["g"]}, "charged a failure"),
        (Fact.WARNED, {"warning": "it is dark"}, ""),
        (Fact.FOUND_LATE, {"warning": "made after all"}, "made after all"),
        (Fact.VERIFIED, {"warning": "DOUBLE", "doubles": ["g"]}, ""),
    ],
)
def test_a_fact_is_an_alarm_if_it_names_what_may_cost_money(fact: Fact, data: dict[str, Any], text: str) -> None:
    assert alarm_in(Entry(fact, AT, data)) == text


@pytest.mark.parametrize(("answered", "stands"), [(set(), True), ({"a"}, True), ({"a", "b"}, False)])
def test_an_alarm_stands_once_and_until_all_its_charges_are_answered_for(answered: set[str], *, stands: bool) -> None:
    entries = [(1, Entry(Fact.WARNED, AT, UNOWNED))] * 2
    assert standing_alarms(entries, answered) == [(1, "charges two")] * stands
