"""Every word of money and every state that a page shows has its meaning on that page."""

from __future__ import annotations

import re
from pathlib import Path

from tests.reporting.states import CREDITS, MADE_AT, begin, every_state, shot, write_run
from tests.reporting.test_pages import read, reported
from wanbatch.batch.lifecycle import State
from wanbatch.batch.shots import Batch
from wanbatch.reporting.cost_files import write_combined
from wanbatch.reporting.meanings import MONEY, STATES, heading_of, meanings
from wanbatch.reporting.progress import _GROUPS


def test_every_state_has_a_meaning() -> None:
    assert set(STATES) == {*(state.value for state in State), "superseded", "omitted"}


def test_a_page_explains_the_states_of_its_own_takes_alone() -> None:
    assert list(meanings(["verified", "held"], has_money=False)) == ["verified", "held"]
    assert list(meanings(["verified", "held"])) == ["verified", "held", *MONEY]


def test_held_is_a_take_that_waits_and_no_money() -> None:
    glossary = (Path(__file__).parents[2] / "docs" / "glossary.md").read_text(encoding="utf-8")
    words = re.findall(r"^\| \*\*(.+?)\*\* \|", glossary, re.MULTILINE)
    assert [word for word in words if word.startswith("Held")] == ["Held"]
    assert [word for word in words if word.startswith("Estimate")] == ["Estimated"]
    assert set(STATES) & set(MONEY) == set()
    assert heading_of("held_known_usd") == "set aside, known part USD"


def test_the_columns_of_the_money_are_explained_on_the_report(tmp_path: Path) -> None:
    every_state(tmp_path)
    files = reported(tmp_path)
    page = files.report.read_text(encoding="utf-8")
    heads = set(
        re.findall(
            r'<th scope="col" class="n">([^<]+)</th>',
            page.partition('id="costs"')[2].partition("The price of a second")[0],
        )
    )
    explained = set(re.findall(r"<dt>([^<]+)</dt>", page))
    compared = {"budget less final", "estimate less final", "USD", "superseded", "failed"}
    assert heads - explained - compared == set()
    assert "Still to be sent, or to be sent again." in read(files.storyboard).words


def test_the_report_says_what_is_left_and_what_it_will_cost(tmp_path: Path) -> None:
    every_state(tmp_path)
    words = read(reported(tmp_path).report).words
    assert "still to be sent 1 take 0.525 USD" in words
    assert re.search(
        r"final cost [\d.]+ USD \+ unknown \(3 takes\) [\d,]+ credits: what is committed, and what is", words
    )


def test_the_page_of_several_batches_says_what_is_left_of_each_and_why_its_run_ended(tmp_path: Path) -> None:
    pen = begin(tmp_path / "one", Batch("one", (shot("a", 0), shot("b", 1))), base_url="sandbox", sandbox=True)
    pen.lead(1, State.VERIFIED, charged=CREDITS, label="a_t1")
    write_run(pen, message="the budget of 0.60 USD is reached")
    pen.state.close()
    every_state(tmp_path / "two", base_url="sandbox", sandbox=True)
    page, facts = write_combined([tmp_path / "one", tmp_path / "two"], tmp_path / "all", MADE_AT)
    words = read(page).words
    assert (
        "one 2 1 1 0 0 0 The last run ended at 2026-03-01 20:00 UTC with exit code 0: the budget of 0.60 USD is reached"
        in words
    )
    assert "Still to be sent: 1 take for 0.525 USD" in words
    assert ["play money. No account was charged" in words, "What the words mean" in words] == [True, True]
    assert [sum(row[name] for name in _GROUPS) for row in facts["progress"]] == [
        row["takes"] for row in facts["progress"]
    ]
