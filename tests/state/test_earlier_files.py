"""A state file that was written before models were read from their schemas: the same takes, and nothing bought again."""

from __future__ import annotations

import sqlite3
from pathlib import Path

import pytest

from tests.reporting.states import MADE_AT
from wanbatch.batch.lifecycle import State
from wanbatch.batch.plan import make_plan
from wanbatch.manifest import load_manifest
from wanbatch.money.seen_prices import seen_prices
from wanbatch.reporting.files import write_reports
from wanbatch.state.reader import STATE_NAME, StateReader

EARLIER = Path(__file__).parent / "earlier"


@pytest.fixture
def output(tmp_path: Path) -> Path:
    """Return an output folder with the earlier state file: thirteen shots of ten models, eight takes made."""
    connection = sqlite3.connect(tmp_path / STATE_NAME)
    connection.executescript((EARLIER / "thirteen.sql").read_text(encoding="utf-8"))
    connection.close()
    return tmp_path


def test_the_same_manifest_plans_nothing_new(output: Path) -> None:
    batch = load_manifest(EARLIER / "thirteen.yaml")
    with StateReader.open(output) as reader:
        takes = reader.takes()
        plan = make_plan(batch, takes, reader.shots())
    assert (plan.changes, plan.counts, plan.kept) == ((), {"new": 6, "done": 8}, ())
    assert [each.recipe.canonical for each in plan.wanted] == [
        each.take.recipe_json for each in plan.wanted if each.take is not None
    ]


def test_what_was_charged_is_counted_as_it_was_and_prices_what_is_to_come(output: Path) -> None:
    with StateReader.open(output) as reader:
        inventory, takes = reader.inventory(), reader.takes()
        charged = sum(take.credits_charged or 0 for take in takes)
    seen = {str(each): price for each, price in seen_prices(take for take, _ in inventory.kinds).items()}
    assert (charged, inventory.committed, seen["wan-2-6-t2v 720p 10 s"]) == (11_588_000, 11_588_000, 2_100_000)
    assert seen["wan-2-6-t2v 720p 5 s, generate_audio false"] == 1_050_000
    assert len(inventory.due) == 6


def test_its_reports_are_written(output: Path) -> None:
    with StateReader.open(output) as reader:
        text = write_reports(reader, made_at=MADE_AT).takes.read_text(encoding="utf-8-sig")
        states = [take.state for take in reader.takes()]
    assert (text.count(",verified,"), states.count(State.PLANNED)) == (8, 6)
