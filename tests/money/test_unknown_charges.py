"""A sum of charges with an unknown part is empty in each file and null in each JSON, with its known part beside it."""

from __future__ import annotations

import csv
import json
import re
from decimal import Decimal
from pathlib import Path

import pytest

from tests.money.test_costs import write_run
from tests.money.test_one_run import given_up_and_charged_late
from tests.reporting.states import CREDITS, MADE_AT, begin, shot
from tests.reporting.test_workbook import IS_THERE, sheets
from wanbatch.batch.lifecycle import State
from wanbatch.batch.shots import Batch
from wanbatch.cli import call
from wanbatch.money.currency import Currency
from wanbatch.reporting.files import write_reports
from wanbatch.state.reader import StateReader


def charged_in(folder: Path, capsys: pytest.CaptureFixture[str]) -> dict[str, tuple[object, object]]:
    """What each file and JSON says was charged for the batch: the sum, and its known part."""
    with StateReader.open(folder) as reader:
        files = write_reports(reader, made_at=MADE_AT, has_workbook=IS_THERE)
    reports = files.costs.parent
    assert call(["--json", "status", str(folder)]) == 0
    status = json.loads(capsys.readouterr().out)["credits"]
    told = json.loads((reports / "costs.json").read_text())
    facts = json.loads(files.summary_json.read_text())
    level, figure, whole = told["levels"][0], told["figures"][0]["charged"], facts["summary"][0]
    found = {
        "status --json": (status["charged"], status["charged_known"]),
        "costs.json: levels": (level["charged_credits"], level["charged_known_credits"]),
        "costs.json: figures": (figure["credits"], figure["known_credits"]),
        "summary.json": (facts["credits"]["charged"], facts["credits"]["charged_known"]),
        "summary.json: summary": (whole["credits_charged"], whole["credits_charged_known"]),
    }
    for name, columns in (
        ("costs.csv", ("charged_credits", "charged_known_credits")),
        ("summary.csv", ("credits_charged", "credits_charged_known")),
    ):
        with (reports / name).open(encoding="utf-8-sig", newline="") as stream:
            row = next(row for row in csv.DictReader(stream) if row["level"] == "batch")
        found[name] = tuple(int(row[column]) if row[column] else None for column in columns)  # type: ignore[assignment]
    if IS_THERE:
        cells = sheets(reports / "costs.xlsx")["batch"][0]
        heads = {text: at[:-1] for at, (_, _, text) in cells.items() if re.fullmatch("[A-Z]+1", at)}
        parts = [
            cells.get(f"{heads[head]}2", ("", None, None))[2] for head in ("charged USD", "charged, known part USD")
        ]
        found["costs.xlsx"] = tuple(None if each is None else round(float(each) * 2_000_000) for each in parts)  # type: ignore[assignment]
    return found


def test_a_sum_of_charges_with_an_unknown_part_is_empty_in_each_file_and_its_known_part_beside_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    found = charged_in(given_up_and_charged_late(tmp_path), capsys)
    assert {each for each in found.items() if each[1] != (None, CREDITS)} == set()


def test_a_sum_of_charges_that_is_known_is_the_same_in_both_columns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pen = begin(tmp_path, Batch("film", (shot("s0", 0, scene="sc1"),)))
    pen.lead(1, State.VERIFIED, estimated=CREDITS, held=CREDITS, charged=CREDITS, label="s0_t1")
    write_run(pen, None)
    pen.state.close()
    found = charged_in(tmp_path, capsys)
    assert {each for each in found.items() if each[1] != (CREDITS, CREDITS)} == set()


def test_a_converted_sum_with_an_unknown_part_is_marked(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = given_up_and_charged_late(tmp_path)
    with StateReader.open(folder) as reader:
        files = write_reports(reader, made_at=MADE_AT, currency=Currency("EUR", Decimal("0.92")))
    row = json.loads((files.costs.parent / "costs.json").read_text())["converted"]["rows"][0]
    assert call(["status", "--currency", "EUR=0.92", str(folder)]) == 0
    shown = capsys.readouterr().out
    assert row["charged"] == "0.48+?"
    assert "charged 0.48 EUR + unknown; final cost 1.45 EUR" in " ".join(shown.split())
