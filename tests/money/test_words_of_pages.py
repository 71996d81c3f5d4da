"""The words of the cost report: each says what it counts, and all its places use the same ones."""

from __future__ import annotations

import html
import re
from pathlib import Path

import pytest

from tests.money.test_costs import story
from tests.reporting.states import MADE_AT, begin, shot
from tests.reporting.test_workbook import IS_THERE, sheets
from wanbatch.batch.lifecycle import State
from wanbatch.batch.shots import Batch
from wanbatch.reporting.cost_files import write_combined
from wanbatch.reporting.files import write_reports
from wanbatch.state.reader import StateReader


def text_of(page: Path) -> str:
    return " ".join(html.unescape(re.sub(r"<[^>]+>", " ", page.read_text())).split())


def report_of(folder: Path) -> str:
    with StateReader.open(folder) as reader:
        return text_of(write_reports(reader, made_at=MADE_AT).report)


def test_the_page_of_several_batches_begins_its_costs_with_the_sum_of_all(tmp_path: Path) -> None:
    page, _ = write_combined([story(tmp_path / name) for name in ("one", "two")], tmp_path / "all", MADE_AT)
    words = text_of(page)
    places = [words.index(each) for each in ("All batches together : final cost", "Estimated by wanbatch")]
    assert (places, words.count("All batches together")) == (sorted(places), 1)


@pytest.mark.skipif(not IS_THERE, reason="XlsxWriter is not installed")
def test_the_workbook_has_the_same_rows_for_all_batches_as_for_each(tmp_path: Path) -> None:
    folders = [story(tmp_path / name) for name in ("one", "two")]
    page, _ = write_combined(folders, tmp_path / "all", MADE_AT, has_workbook=True)
    cells = sheets(page.parent / "costs.xlsx")["summary"][0]
    labels = [str(text) for at, (_, _, text) in cells.items() if at.startswith("A")]
    begins = ("at risk: it may still be charged", "committed", "still to be sent: ", "to complete")
    assert [sum(label.startswith(each) for label in labels if "USD" not in label) for each in begins] == [3, 3, 3, 0]


def test_the_page_says_of_which_takes_it_counts(tmp_path: Path) -> None:
    assert re.search(
        r"verified \d of \d of the takes that the manifest asks for\. All takes ever: ", report_of(story(tmp_path))
    )


def test_the_word_list_explains_the_words_of_the_page(tmp_path: Path) -> None:
    pen = begin(tmp_path, Batch("film", (shot("s0", 0),)))
    pen.lead(1, State.COMPLETED)
    pen.state.close()
    assert "made (not fetched yet) Made, but not fetched yet." in report_of(tmp_path)


def test_what_is_unknown_of_an_amount_is_below_it_in_its_card(tmp_path: Path) -> None:
    with StateReader.open(story(tmp_path)) as reader:
        page = write_reports(reader, made_at=MADE_AT).report.read_text()
    assert re.search(r"<b>1\.5750025 USD<small> \+ unknown \(1 ", page)
