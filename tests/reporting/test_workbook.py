"""The workbook: a sheet per grouping, numbers as numbers, a frozen header, and totals that never count unknown as 0."""

from __future__ import annotations

import csv
import json
import re
import zipfile
from importlib.util import find_spec
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tests.money.test_costs import story
from tests.reporting.states import CREDITS, MADE_AT, every_state
from tests.reporting.test_book import a_bit_of_everything
from wanbatch.cli import call
from wanbatch.errors import UsageInvalid
from wanbatch.money.currency import read_currency
from wanbatch.reporting.cost_files import write_combined
from wanbatch.reporting.files import write_reports
from wanbatch.reporting.meanings import MONEY
from wanbatch.state.reader import StateReader

IS_THERE = find_spec("xlsxwriter") is not None
needs_writer = pytest.mark.skipif(not IS_THERE, reason="XlsxWriter is not installed")
SPACE = {"m": "http://schemas.openxmlformats.org/spreadsheetml/2006/main"}
PROSE = ("summary", "about")  # sheets that are no tables
Cells = dict[str, tuple[str, str | None, str | None]]  # kind, formula and value of each cell, by its name


def sheets(path: Path) -> dict[str, tuple[Cells, ElementTree.Element]]:
    """Read a workbook as a spreadsheet does: the cells of each sheet, and its XML."""
    with zipfile.ZipFile(path) as book:
        texts = [
            "".join(each.itertext())
            for each in ElementTree.fromstring(book.read("xl/sharedStrings.xml")).findall("m:si", SPACE)
        ]
        names = ElementTree.fromstring(book.read("xl/workbook.xml")).findall("m:sheets/m:sheet", SPACE)
        found = {}
        for number, name in enumerate(names, start=1):
            sheet = ElementTree.fromstring(book.read(f"xl/worksheets/sheet{number}.xml"))
            cells: Cells = {}
            for cell in sheet.iter(f"{{{SPACE['m']}}}c"):
                value, formula = cell.find("m:v", SPACE), cell.find("m:f", SPACE)
                kind, text = cell.get("t", "n"), None if value is None else value.text
                shown = texts[int(text)] if kind == "s" and text is not None else text
                cells[str(cell.get("r"))] = (kind, None if formula is None else formula.text, shown)
            found[str(name.get("name"))] = (cells, sheet)
    return found


def column(cells: Cells, name: str) -> str:
    return next(re.sub(r"\d", "", at) for at, (_, _, text) in cells.items() if text == name and at.endswith("1"))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return story(tmp_path / "film")


@pytest.mark.long
@needs_writer
def test_each_grouping_has_a_sheet_with_a_frozen_header_and_a_filter(folder: Path) -> None:
    with StateReader.open(folder) as reader:
        files = write_reports(reader, made_at=MADE_AT, has_workbook=True)
    book = sheets(files.costs.parent / "costs.xlsx")
    assert list(book) == [
        "summary",
        "batch",
        "sequence",
        "scene",
        "model",
        "tag",
        "cost_code",
        "shots",
        "prices",
        "spend",
        *(f"{each} details" for each in ("batch", "sequence", "scene", "model", "tag", "cost_code")),
        "about",
    ]
    for name, (_, sheet) in book.items():
        pane = sheet.find("m:sheetViews/m:sheetView/m:pane", SPACE)
        is_frozen = pane is not None and (pane.get("state"), pane.get("ySplit")) == ("frozen", "1")
        assert (name, is_frozen, sheet.find("m:autoFilter", SPACE) is not None) == (
            name,
            name not in PROSE,
            name not in PROSE,
        )


@needs_writer
def test_amounts_are_numbers_and_totals_are_formulas_that_know_what_is_unknown(folder: Path) -> None:
    with StateReader.open(folder) as reader:
        files = write_reports(reader, made_at=MADE_AT, has_workbook=True)
    book = sheets(files.costs.parent / "costs.xlsx")
    cells, _ = book["scene"]
    charged, final = column(cells, "charged, known part USD"), column(cells, "final cost USD")
    assert [cells[f"{charged}{row}"] for row in (2, 3, 4)] == [
        ("n", None, "0.525"),
        ("n", None, "0.525"),
        ("n", None, str((CREDITS + 5) / 2_000_000)),
    ]
    total = cells[f"{charged}5"]
    assert total[1] == f'IF(COUNTBLANK({charged}2:{charged}4)>0,"unknown",SUM({charged}2:{charged}4))'
    assert (cells["A5"][2], float(total[2] or "nan")) == ("total", pytest.approx((3 * CREDITS + 5) / 2_000_000))
    assert cells[f"{final}5"][2] == "unknown"  # one take was sent at a price that nobody knows
    assert cells[f"{column(cells, 'charged USD')}5"][2] == "unknown"  # and what it was charged is not seen
    budget, tags = column(cells, "cap USD"), book["tag"][0]
    assert (f"{budget}5" in cells, any(text == "total" for _, _, text in tags.values())) == (False, False)


@pytest.mark.long
@needs_writer
def test_the_totals_of_the_spend_count_submits_and_charges_each_in_rows_of_their_own(folder: Path) -> None:
    with StateReader.open(folder) as reader:
        files = write_reports(reader, made_at=MADE_AT, has_workbook=True)
    cells, _ = sheets(files.costs.parent / "costs.xlsx")["spend"]
    rows = max(int(name.lstrip("ABCDEFGHIJKLMNOPQRSTUVWXYZ")) for name in cells)
    event, charged = column(cells, "event"), column(cells, "charged USD")
    of_charges = [row for row in range(2, rows) if cells[f"{event}{row}"][2] == "charged"]
    total = cells[f"{charged}{rows}"]
    sums = sum(float(cells[f"{charged}{row}"][2] or "nan") for row in of_charges)
    assert (float(total[2] or "nan"), 0 < len(of_charges) < rows - 2) == (pytest.approx(sums), True)
    blanks = f'SUMPRODUCT(({event}2:{event}{rows - 1}="charged")*({charged}2:{charged}{rows - 1}=""))'
    assert total[1] == f'IF({blanks}>0,"unknown",SUM({charged}2:{charged}{rows - 1}))'


@needs_writer
def test_another_currency_is_a_formula_of_the_rate(folder: Path, tmp_path: Path) -> None:
    page, _ = write_combined([folder], tmp_path / "all", MADE_AT, read_currency("EUR=0.5"), has_workbook=True)
    book = sheets(page.parent / "costs.xlsx")
    about, (cells, _) = book["about"][0], book["scene"]
    usd, eur = column(cells, "charged USD"), column(cells, "charged EUR")
    assert (about["A5"][2], about["B5"][2]) == ("1 USD in EUR", "0.5")
    assert cells[f"{eur}2"][:2] == ("n", f"{usd}2*about!$B$5")


@needs_writer
def test_the_sheet_of_a_grouping_has_what_is_read_first_and_its_details_have_all(folder: Path) -> None:
    with StateReader.open(folder) as reader:
        files = write_reports(reader, made_at=MADE_AT, has_workbook=True)
    book = sheets(files.costs.parent / "costs.xlsx")
    rows = list(csv.DictReader(files.costs.read_text(encoding="utf-8-sig").splitlines()))
    for name in ("batch", "scene", "tag"):
        (front, _), (every, _) = book[name], book[f"{name} details"]
        heads, others = (
            [text for at, (_, _, text) in one.items() if re.fullmatch("[A-Z]+1", at)] for one in (front, every)
        )
        assert (len(heads) <= 16, set(heads) - set(others), len(others)) == (True, set(), len(rows[0]) - 1)
        shown = {
            head: [front.get(f"{column(front, head)}{row}", ("", "", ""))[2] for row in range(2, 6)] for head in heads
        }
        told = {
            head: [every.get(f"{column(every, head)}{row}", ("", "", ""))[2] for row in range(2, 6)] for head in heads
        }
        assert shown == told  # totals among them


@needs_writer
def test_no_text_of_a_manifest_becomes_a_formula(tmp_path: Path) -> None:
    page, _ = write_combined([story(tmp_path / "film", "=1+1")], tmp_path / "all", MADE_AT, has_workbook=True)
    cells, _ = sheets(page.parent / "costs.xlsx")["batch"]
    assert cells["A2"] == ("s", None, "=1+1")


@needs_writer
def test_play_money_is_marked_on_each_sheet(tmp_path: Path) -> None:
    every_state(tmp_path, base_url="sandbox", sandbox=True)
    with StateReader.open(tmp_path) as reader:
        files = write_reports(reader, made_at=MADE_AT, has_workbook=True)
    book = sheets(files.costs.parent / "costs.xlsx")
    assert [name for name in book if not name.endswith(" (play money)")] == ["about"]
    assert all("play money" in "".join(sheet.itertext()) for name, (_, sheet) in book.items() if name != "about")
    assert book["about"][0]["B1"][2] == "SANDBOX: play money. Costs of every-state"


@pytest.mark.long
@needs_writer
def test_the_last_sheet_says_what_the_words_mean(folder: Path) -> None:
    with StateReader.open(folder) as reader:
        files = write_reports(reader, made_at=MADE_AT, has_workbook=True)
    cells = {text for _, _, text in sheets(files.costs.parent / "costs.xlsx")["about"][0].values()}
    assert {*MONEY, *MONEY.values()} <= cells


@pytest.mark.long
@needs_writer
def test_the_takes_of_a_baseline_are_not_added_to_those_that_came_later(tmp_path: Path) -> None:
    a_bit_of_everything(tmp_path)
    with StateReader.open(tmp_path) as reader:
        files = write_reports(reader, made_at=MADE_AT, has_workbook=True)
    cells, _ = sheets(files.costs.parent / "costs.xlsx")["variance"]
    total = next(re.sub(r"\D", "", at) for at, (_, _, text) in cells.items() if text == "final cost")
    assert [f"{column(cells, name)}{total}" in cells for name in ("takes", "USD")] == [False, True]


@pytest.mark.long
@needs_writer
def test_a_workbook_that_is_there_is_written_again_and_linked(folder: Path) -> None:
    path = folder / "reports" / "costs.xlsx"
    for before, is_there in ((None, False), (b"of an earlier run", True)):
        if before is not None:
            path.write_bytes(before)
        with StateReader.open(folder) as reader:
            files = write_reports(reader, made_at=MADE_AT)
        page = files.report.read_text(encoding="utf-8")
        assert (path.is_file(), "costs.xlsx" in page) == (is_there, is_there)
    assert "summary" in sheets(path)


@pytest.mark.long
@needs_writer
def test_the_command_names_the_workbook(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["--json", "report", str(folder), "--xlsx"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (Path(told["workbook"]).name, Path(told["workbook"]).is_file()) == ("costs.xlsx", True)
    assert call(["report", str(folder), "--combined", "-o", str(folder.parent / "all"), "--xlsx"]) == 0
    assert (folder.parent / "all" / "costs.xlsx").is_file()


@pytest.mark.skipif(IS_THERE, reason="XlsxWriter is installed")
def test_without_its_library_the_error_says_how_to_install_it(folder: Path) -> None:
    with StateReader.open(folder) as reader, pytest.raises(UsageInvalid, match=r"pip install 'wanbatch\[xlsx\]'"):
        write_reports(reader, made_at=MADE_AT, has_workbook=True)


@pytest.mark.long
@needs_writer
def test_what_a_row_is_stays_in_sight_and_every_column_is_explained(tmp_path: Path) -> None:
    a_bit_of_everything(tmp_path)
    with StateReader.open(tmp_path) as reader:
        write_reports(reader, made_at=MADE_AT, has_workbook=True)
    found = sheets(tmp_path / "reports" / "costs.xlsx")
    panes = {name: sheet.find(".//m:pane", SPACE) for name, (_, sheet) in found.items() if name not in PROSE}
    frozen = {name: (pane.get("ySplit"), pane.get("topLeftCell")) for name, pane in panes.items() if pane is not None}
    assert frozen == {
        "batch": ("1", "C2"), "sequence": ("1", "C2"), "scene": ("1", "C2"), "model": ("1", "C2"), "tag": ("1", "C2"),
        "cost_code": ("1", "C2"), "shots": ("1", "E2"), "variance": ("1", "D2"), "prices": ("1", "C2"),
        "spend": ("1", "D2"), "batch details": ("1", "C2"), "sequence details": ("1", "C2"),
        "scene details": ("1", "C2"), "model details": ("1", "C2"), "tag details": ("1", "C2"),
        "cost_code details": ("1", "C2"),
    }  # fmt: skip
    words = {text for at, (_, _, text) in found["about"][0].items() if at.startswith("A") and text}
    explained = {each.partition(": ")[2] for each in words}
    heads = {
        text
        for name, (cells, _) in found.items()
        if name not in PROSE
        for at, (_, _, text) in cells.items()
        if re.fullmatch("[A-Z]+1", at)
    }
    assert heads - explained == set()
