"""Sums in another currency: at the rate that the user states, and marked as converted."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from tests.money.test_costs import story
from tests.money.test_payment_question import forty_four
from tests.reporting.states import CREDITS, MADE_AT
from wanbatch.cli import call
from wanbatch.cli.payment_question import converted_estimate
from wanbatch.money.currency import Currency, read_currency
from wanbatch.reporting.cost_files import kept_currency
from wanbatch.reporting.files import write_reports
from wanbatch.state.reader import StateReader

EUR = Currency("EUR", Decimal("0.92"))


@pytest.mark.parametrize("text", ["EUR=0.92", " eur = 0.920 ", "EUR=92e-2"])
def test_a_currency_is_its_code_and_what_a_usd_is_in_it(text: str) -> None:
    assert read_currency(text) == EUR


@pytest.mark.parametrize(
    "text",
    ["EUR", "EUR=", "=0.92", "EUR=0", "EUR=-1", "EUR=NaN", "EUR=Infinity", "EURO=1", "E1R=1", "EUR=1e9", "USD=1"],
)
def test_anything_else_is_refused_with_what_to_write(text: str) -> None:
    with pytest.raises(ValueError, match=r"EUR=0\.92"):
        read_currency(text)


def test_amounts_are_rounded_half_up_once_they_are_converted() -> None:
    assert (EUR.text(2_000_000), EUR.text(3_150_000), EUR.amount(None)) == ("0.92 EUR", "1.45 EUR", "–")
    assert EUR.note == "converted at 1 USD = 0.92 EUR"


def test_a_plan_is_converted_and_says_so() -> None:
    assert converted_estimate(forty_four(cap_credits=80_000_000), EUR) == (
        "converted at 1 USD = 0.92 EUR: expected 40.48 EUR; worst 80.96 EUR; cap 36.80 EUR"
    )


@pytest.mark.long
def test_status_and_reports_are_converted_and_say_so(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    folder = story(tmp_path / "film")
    assert call(["status", str(folder), "--currency", "EUR=0.92"]) == 0
    charged = EUR.text(3 * CREDITS + 5)
    told = " ".join(capsys.readouterr().out.split())
    assert f"converted at 1 USD = 0.92 EUR: committed {charged} + unknown; charged {charged} + unknown;" in told
    assert "final cost 1.93 EUR + unknown; cap 4.83 EUR" in told
    assert call(["report", str(folder), "--currency", "EUR=0.92"]) == 0
    page = (folder / "reports" / "report.html").read_text(encoding="utf-8")
    assert [text in page for text in ("In EUR", "converted at 1 USD = 0.92 EUR", "Converted to EUR")] == [True] * 3
    found = json.loads((folder / "reports" / "costs.json").read_text())["converted"]
    assert (found["code"], found["rate"], found["rows"][0]) == (
        "EUR",
        "0.92",
        {"level": "batch", "batch": "film", "key": "film", "budget": "4.83", "estimated": "2.42+?", "charged": "1.45+?",
         "committed": "1.45+?", "final": "1.93+?"},
    )  # fmt: skip
    assert call(["report", str(folder)]) == 0
    assert "EUR" not in (folder / "reports" / "report.html").read_text(encoding="utf-8")


def test_reports_that_are_written_again_keep_their_currency(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    folder = story(tmp_path / "film")
    assert call(["report", str(folder), "--currency", "EUR=0.92"]) == 0
    with StateReader.open(folder) as reader:
        write_reports(reader, made_at=MADE_AT)
    found = json.loads((folder / "reports" / "costs.json").read_text())["converted"]
    page = (folder / "reports" / "report.html").read_text(encoding="utf-8")
    assert (found["code"], found["rate"], "Converted to EUR" in page) == ("EUR", "0.92", True)


def test_no_currency_is_kept_of_a_report_that_cannot_be_read(tmp_path: Path) -> None:
    assert kept_currency(tmp_path) is None
    (tmp_path / "costs.json").write_text('{"converted": {"code": "EUR"')
    assert kept_currency(tmp_path) is None


def test_a_rate_that_cannot_be_read_ends_with_2(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["status", "--currency", "EUR"]) == 2
    assert "write EUR=0.92 if one USD is 0.92 EUR" in capsys.readouterr().err
