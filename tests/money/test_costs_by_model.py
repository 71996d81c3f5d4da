"""Money stands under the model that a submit went to, also where its take went on with another."""

from __future__ import annotations

import csv
import json
from pathlib import Path
from typing import Any

import pytest

from tests.reporting.states import begin, shot
from tests.two_models import FIRST, OTHER_PRICE, PRICE, SECOND, SHOTS
from wanbatch.batch.lifecycle import Fact
from wanbatch.batch.shots import Batch, Recipe
from wanbatch.cli import call
from wanbatch.reporting.book import book_of
from wanbatch.reporting.costs import make_costs
from wanbatch.reporting.csv_tables import frames
from wanbatch.reporting.record import read_record
from wanbatch.state.reader import StateReader

pytestmark = pytest.mark.usefixtures("near")
RUN = ("-q", "run", "shots.yaml", "--sandbox", "--speed", "300", "-o", "out", "--yes", "--max-attempts", "1")


def rows(name: str, *columns: str) -> list[tuple[str, ...]]:
    with Path(f"out/reports/{name}").open(encoding="utf-8-sig", newline="") as stream:
        return [tuple(row[each] for each in columns) for row in csv.DictReader(stream)]


def models() -> dict[str, tuple[str, ...]]:
    columns = ("takes", "estimated_credits", "held_credits", "charged_credits", "final_credits")
    told = rows("costs.csv", "level", "key", *columns)
    return {row[1]: row[2:] for row in told if row[0] in ("batch", "model")}


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AIMLAPI_BASE_URL", raising=False)
    Path("shots.yaml").write_text(SHOTS)


def fault(**rule: Any) -> str:
    Path("faults.json").write_text(json.dumps([{"on": "submit", "nth": [1], **rule}]))
    return "faults.json"


@pytest.mark.long
def test_what_the_first_model_held_is_not_under_the_price_of_its_fallback() -> None:
    assert call([*RUN, "--faults", fault(do="fail")]) == 0
    names = ("price_class", "held_low_credits", "held_high_credits", "charged_low_credits", "charged_high_credits")
    assert (rows("prices.csv", *names), rows("attempts.csv", "shot_id", "model", "credits_held")) == (
        [
            ("wan2.1-t2v-turbo 480P", *[str(PRICE)] * 4),
            ("wan2.2-t2v-plus 480P", *[str(OTHER_PRICE)] * 4),
        ],
        [
            ("gull", FIRST, str(PRICE)),
            ("gull", SECOND, str(OTHER_PRICE)),
            ("crane", FIRST, str(PRICE)),
        ],
    )


@pytest.mark.long
def test_what_a_take_was_to_cost_is_under_its_first_model_and_what_it_cost_under_the_other() -> None:
    call([*RUN, "--faults", fault(do="fail")])
    assert models() == {
        "shots": ("2", str(2 * PRICE), *[str(PRICE + OTHER_PRICE)] * 3),
        FIRST: ("1", str(2 * PRICE), *[str(PRICE)] * 3),
        SECOND: ("1", "0", *[str(OTHER_PRICE)] * 3),
    }


def test_what_a_take_was_to_cost_before_an_edit_stays_with_its_model_then(tmp_path: Path) -> None:
    pen = begin(tmp_path / "edited", Batch("b", (shot("s", 0, request={"model": FIRST}),)))
    first = pen.state.take(1).recipe
    second = Recipe.of({**first.body, "model": SECOND})
    words = {"body_sha256": "d" * 64, "key_fingerprint": "k"}
    for number, recipe, price in ((1, first, PRICE), (2, second, OTHER_PRICE)):
        request_id = f"wb1:nonce:{recipe.short_hash}:1.{number}"
        pen.tell(1, Fact.SUBMIT_STARTED, attempt=number, request_id=request_id, credits_estimated=price, **words)
        if number == 1:
            pen.tell(1, Fact.TURNED_AWAY, error="not now", http_status=403)
            pen.tell(1, Fact.REPLANNED, recipe_json=second.canonical)
    pen.tell(1, Fact.ACCEPTED, generation_id="g", credits_held=OTHER_PRICE)
    pen.state.close()
    with StateReader.open(tmp_path / "edited") as reader:
        book = book_of(read_record(reader))
    costs = make_costs([book]).costs
    told = costs[costs["level"] == "model"].set_index("key")[["estimated_credits", "held_credits", "final_credits"]]
    assert (list(book.attempt_orders["model"]), told.T.to_dict("list")) == (
        [FIRST, SECOND],
        {FIRST: [PRICE, 0, 0], SECOND: [0, OTHER_PRICE, OTHER_PRICE]},
    )


def first_takes() -> dict[str, tuple[str, ...]]:
    told = rows("costs.csv", "level", "key", "first_takes", "first_takes_good")
    return {row[1]: row[2:] for row in told if row[0] in ("batch", "model")}


def test_models_that_make_the_same_shots_have_first_takes_each() -> None:
    text = f"version: 1\ndefaults: {{models: [{FIRST}, {SECOND}], resolution: 480p}}\nshots:\n  - {{id: gull, prompt: A gull.}}\n"
    Path("shots.yaml").write_text(text)
    assert call([*RUN]) == 0
    assert first_takes() == {"shots": ("2", "2"), FIRST: ("1", "1"), SECOND: ("1", "1")}


@pytest.mark.long
def test_a_take_that_its_fallback_made_was_not_made_at_the_first_try() -> None:
    assert call([*RUN, "--faults", fault(do="fail")]) == 0
    assert first_takes() == {"shots": ("2", "1"), FIRST: ("2", "1"), SECOND: ("0", "0")}


@pytest.mark.long
def test_what_was_charged_is_in_the_cut_or_outside_it() -> None:
    Path("shots.yaml").write_text(SHOTS.replace("A crane lands.}", "A crane lands., takes: 2}"))
    assert call([*RUN]) == 0
    names = ("charged_credits", "in_cut_credits", "outside_cut_credits", "unchosen_credits")
    told = rows("costs.csv", "level", *names)
    assert [row[1:] for row in told if row[0] == "batch"] == [(str(3 * PRICE), str(2 * PRICE), str(PRICE), str(PRICE))]


def test_a_charged_failure_before_an_edit_is_under_the_model_that_charged_it(tmp_path: Path) -> None:
    pen = begin(tmp_path / "edited", Batch("b", (shot("s", 0, request={"model": FIRST}),)))
    first = pen.state.take(1).recipe
    second = Recipe.of({**first.body, "model": SECOND})
    words = {"body_sha256": "d" * 64, "key_fingerprint": "k"}
    for number, recipe, price in ((1, first, PRICE), (2, second, OTHER_PRICE)):
        request_id = f"wb1:nonce:{recipe.short_hash}:1.{number}"
        pen.tell(1, Fact.SUBMIT_STARTED, attempt=number, request_id=request_id, credits_estimated=price, **words)
        pen.tell(1, Fact.ACCEPTED, generation_id=f"g{number}", credits_held=price)
        if number == 1:
            pen.tell(1, Fact.GENERATION_FAILED, error="Internal")
            pen.tell(1, Fact.CHARGED, credits_charged=price, generation_id="g1")
            pen.tell(1, Fact.RETRY_PLANNED, by="user")
            pen.tell(1, Fact.REPLANNED, recipe_json=second.canonical)
    pen.state.close()
    with StateReader.open(tmp_path / "edited") as reader:
        summary = frames(reader).summary
    names = ["takes", "credits_held", "credits_charged_known", "credits_outside_cut"]
    told = summary[summary["level"] == "model"].set_index("key")[names]
    assert told.T.to_dict("list") == {SECOND: [1, OTHER_PRICE, 0, 0], FIRST: [0, 0, PRICE, PRICE]}


def test_the_column_of_resolutions_has_one_spelling(tmp_path: Path) -> None:
    requests = ({"model": FIRST, "resolution": "480P"}, {"resolution": "1080p"})
    pen = begin(tmp_path / "two", Batch("b", tuple(shot(f"s{n}", n, request=each) for n, each in enumerate(requests))))
    pen.state.close()
    with StateReader.open(tmp_path / "two") as reader:
        tables = frames(reader)
    spelled = [row["key"] for row in tables.summary.to_dict("records") if row["level"] == "resolution"]
    assert list(tables.takes["resolution"]) == spelled == ["480p", "1080p"]
