"""An invoice is held line by line against the charges that a batch recorded."""

from __future__ import annotations

import csv
import json
from decimal import Decimal
from pathlib import Path

import pytest

from tests.money.test_costs import story
from tests.reporting.states import CREDITS
from wanbatch.cli import call
from wanbatch.money.currency import Currency
from wanbatch.money.invoice import Charged, Match, match_invoice
from wanbatch.money.invoice_table import read_amount, read_invoice

OURS = {
    "g1": Charged("a_t1", 3_150_000),
    "g2": Charged("b_t1", 1_050_000),
    "g3": Charged("c_t1", None),
    "g4": Charged("d_t1", 1_050_000),
}


def matched(*rows: str, ours: dict[str, Charged] = OURS) -> list[tuple[Match, int | None, str]]:
    table = list(csv.reader(rows))
    found = match_invoice(read_invoice(table, ours), ours)
    return [(line.match, line.number, line.take) for line in found]


def test_each_line_and_each_charge_is_matched() -> None:
    assert matched(
        "date,generation,amount usd", "d,g1,1.575", "d,g2,0.60", "d,x9,1.00", "", "d,g3,0.525", "d,g2,n/a"
    ) == [
        (Match.MATCHED, 2, "a_t1"),
        (Match.DIFFERS, 3, "b_t1"),
        (Match.NOT_OURS, 4, ""),
        (Match.NOT_CHARGED, 6, "c_t1"),
        (Match.UNREADABLE, 7, "b_t1"),
        (Match.NOT_ON_INVOICE, None, "d_t1"),
    ]


@pytest.mark.parametrize(
    ("head", "amount", "match"),
    [
        ("usd", "1.575", Match.MATCHED),
        ("Amount (USD)", "$1.58", Match.MATCHED),  # rounded half up to the cent, as written
        ("usd", "1.57", Match.DIFFERS),
        ("usd", "1.5750", Match.MATCHED),
        ("usd", "2", Match.MATCHED),
        ("credits", "3150000", Match.MATCHED),
        ("Credits used", "3,150,000.0", Match.MATCHED),
        ("credits", "3150001", Match.DIFFERS),
        ("usd", "1,575", Match.UNREADABLE),  # a decimal comma, or thousands: nobody knows
    ],
)
def test_an_amount_is_compared_to_the_places_that_are_written(head: str, amount: str, match: Match) -> None:
    ours = {"g1": OURS["g1"]}
    assert matched(f'id,"{head}"', f'g1,"{amount}"', ours=ours)[0][0] is match


def test_several_lines_of_one_generation() -> None:
    ours = {"g1": OURS["g1"]}
    assert matched("id,usd", "g1,1.575", "g1,1.575", ours=ours) == [
        (Match.MATCHED, 2, "a_t1"),
        (Match.TWICE, 3, "a_t1"),
    ]
    paid_back = matched("id,usd", "g1,2.575", "g1,-1.000", ours=ours)
    assert [match for match, _, _ in paid_back] == [Match.MATCHED] * 2


def test_the_charge_of_a_generation_with_several_lines_is_counted_once() -> None:
    ours = {"g1": OURS["g1"]}
    table = [["id", "usd"], ["g1", "2.575"], ["g1", "-1.000"]]
    found = match_invoice(read_invoice(table, ours), ours)
    assert [(line.charged, line.difference) for line in found] == [(3_150_000, None), (None, None)]


_TWO = ("id,text,usd", "g1,clip,1.58", "g2,clip,0.53")
_OF_TWO = {"g1": OURS["g1"], "g2": OURS["g2"]}


@pytest.mark.parametrize(
    ("rows", "matches"),
    [
        ([",Total,2.11"], [Match.TOTAL]),
        ([",,2.11"], [Match.TOTAL]),  # it says nothing, and adds up what is above it
        (["Gesamtbetrag,,2.11"], [Match.TOTAL]),
        (["TOTAL:,,2.10"], [Match.TOTAL]),  # 1.575 and 0.525 before they were rounded
        ([",Sum,2.50"], [Match.TOTAL_DIFFERS]),
        ([",Subtotal,2.11", ",VAT 19%,0.40", ",Grand Total,2.51"], [Match.TOTAL, Match.NO_ID, Match.TOTAL]),
        ([",monthly fee,5.00"], [Match.NO_ID]),
        ([",Total,see below"], [Match.UNREADABLE]),
        ([",thank you,"], []),
        (["x9,Total recall,2.11"], [Match.NOT_OURS]),  # it has an id
    ],
)
def test_a_row_without_a_generation_is_a_total_or_named(rows: list[str], matches: list[Match]) -> None:
    assert [match for match, _, _ in matched(*_TWO, *rows, ours=_OF_TWO)] == [Match.MATCHED] * 2 + matches


def test_a_subtotal_adds_up_the_lines_since_the_one_before() -> None:
    rows = ("id,text,usd", "g1,clip,1.575", ",Subtotal,1.575", "g2,clip,0.525", ",Subtotal,0.525", ",Total,2.10")
    found = [match for match, _, _ in matched(*rows, ours=_OF_TWO)]
    assert found == [Match.MATCHED] * 2 + [Match.TOTAL] * 3


@pytest.mark.parametrize(
    "rows",
    [
        ("id,Amount EUR", "g1,1.449"),
        ("id,currency,amount", "g1,EUR,1.449"),
        ("id,Betrag (\u20ac)", "g1,1.45"),
        ("id,amount", "g1,1.45 EUR"),
        ("id,amount", "g1,\u20ac1.45"),
    ],
)
def test_another_currency_is_never_read_as_usd(rows: tuple[str, ...]) -> None:
    ours, euro = {"g1": OURS["g1"]}, Currency("EUR", Decimal("0.92"))
    table = list(csv.reader(rows))
    if "Betrag" not in rows[0]:  # no header of an amount otherwise
        with pytest.raises(ValueError, match="in EUR, and those of the ledger in USD: add --currency EUR=RATE"):
            read_invoice(table, ours)
    assert [line.match for line in match_invoice(read_invoice(table, ours, euro), ours)] == [Match.MATCHED]


@pytest.mark.parametrize(
    ("rows", "currency", "words"),
    [
        (("id,currency,amount", "g1,EUR,1", "g2,USD,1"), None, "in EUR and USD: put the lines of each currency in"),
        (("id,usd", "g1,1"), "EUR", "in USD, as those of the ledger are: leave --currency out"),
        (("id,amount", "g1,$1"), "EUR", "in USD, as those of the ledger are: leave --currency out"),
        (("id,amount CHF", "g1,1"), "EUR", "in CHF, and those of the ledger in USD: add --currency CHF=RATE"),
        (("id,currency,amount", "g1,XAF,1"), None, "in XAF, and those of the ledger"),
    ],
)
def test_currencies_that_do_not_fit_are_refused(rows: tuple[str, ...], currency: str | None, words: str) -> None:
    given = None if currency is None else Currency(currency, Decimal("0.92"))
    with pytest.raises(ValueError, match=words):
        read_invoice(list(csv.reader(rows)), OURS, given)


@pytest.mark.parametrize(("amount", "match"), [("1.45", Match.MATCHED), ("1.44", Match.DIFFERS)])
def test_a_converted_amount_is_compared_within_rounding(amount: str, match: Match) -> None:
    ours, euro = {"g1": OURS["g1"]}, Currency("EUR", Decimal("0.92"))
    found = match_invoice(read_invoice([["id", "amount"], ["g1", amount]], ours, euro), ours)
    assert [line.match for line in found] == [match]


def test_a_dollar_sign_may_be_that_of_another_dollar() -> None:
    table = [["id", "Amount CAD"], ["g1", "$2.13"]]
    assert read_invoice(table, OURS, Currency("CAD", Decimal("1.35"))).unit.code == "CAD"


def test_spending_that_is_listed_below_0_is_spending() -> None:
    assert matched("id,usd", "g1,-1.575", ours={"g1": OURS["g1"]})[0][0] is Match.MATCHED


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        (["id,usd"], "no line below its header"),
        (["name,usd", "x,1"], "no column holds a generation of this batch"),
        (["id,when", "g1,today"], "no column has a header that names an amount"),
    ],
)
def test_a_table_without_ids_or_amounts_is_refused_with_what_to_name(rows: list[str], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        matched(*rows)


@pytest.mark.parametrize(
    ("text", "amount"),
    [("1.575", "1.575"), ("$ 1.58", "1.58"), ("1,234.50 USD", "1234.50"), ("-3", "-3"), ("", None), ("1.2.3", None),
     ("1,5", None), ("NaN", None), ("1e9", None)],
)  # fmt: skip
def test_amounts_are_read_exactly_or_not_at_all(text: str, amount: str | None) -> None:
    assert read_amount(text) == (None if amount is None else Decimal(amount))


def test_the_command_compares_writes_a_table_and_ends_with_3_if_something_is_left(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    folder = story(tmp_path / "film")
    invoice = tmp_path / "invoice.csv"
    invoice.write_text("\ufeffgeneration_id;usd\ngen-1;0.525\ngen-3;0.53\n", encoding="utf-8")
    assert call(["reconcile", str(folder), "--against", "invoice.csv"]) == 3
    told = " ".join(capsys.readouterr().out.split())
    assert (
        "not on the invoice \u2013 \u2013 0.5250025 charged in the ledger, but missing from the invoice: 1 charge"
        in told
    )
    assert "total 2 1.055 1.5750025" in told
    assert "those that match add up to 1.055 USD, and their charges to 1.05 USD" in told
    assert "not on the invoice: s5_t1" in told
    with (folder / "reports" / "against.csv").open(encoding="utf-8-sig", newline="") as stream:
        rows = [(row["match"], row["line"], row["charged_credits"]) for row in csv.DictReader(stream)]
    assert rows == [
        ("matched", "2", str(CREDITS)),
        ("matched", "3", str(CREDITS)),
        ("not on the invoice", "", str(CREDITS + 5)),
    ]
    invoice.write_text("generation_id\tcredits\ngen-1\t1050000\ngen-3\t1050000\ngen-6\t1050005\n")
    assert call(["--json", "reconcile", str(folder), "--against", "invoice.csv"]) == 0
    assert json.loads(capsys.readouterr().out)["counts"] == {"matched": 3}


@pytest.mark.parametrize(("name", "text"), [("none.csv", None), ("bad.csv", "a,b\n1,2\n")])
def test_a_file_that_is_missing_or_has_no_ids_ends_with_2(
    tmp_path: Path, name: str, text: str | None, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = story(tmp_path / "film")
    if text is not None:
        (tmp_path / name).write_text(text)
    assert call(["reconcile", str(folder), "--against", str(tmp_path / name)]) == 2
    assert name in capsys.readouterr().err


def test_the_command_shows_a_total_and_a_conversion(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    folder, invoice = story(tmp_path / "film"), tmp_path / "invoice.csv"
    invoice.write_text("id,text,Amount EUR\ngen-1,clip,0.483\ngen-3,clip,0.483\ngen-6,clip,0.483\n,Total,1.449\n")
    assert call(["reconcile", str(folder), "--against", str(invoice)]) == 2
    assert "add --currency EUR=RATE" in capsys.readouterr().err
    assert call(["reconcile", str(folder), "--against", str(invoice), "--currency", "EUR=0.92"]) == 0
    told = " ".join(capsys.readouterr().out.split())
    assert "EUR EUR against the invoice lines billed charged matched 3 1.449 1.449" in told
    assert "total 3 1.449 1.449" in told
    assert "total of the invoice line 5 1.449 \u2013 the invoice's own total: it agrees with its lines" in told
    assert "charges are converted at 1 USD = 0.92 EUR" in told
    with (folder / "reports" / "against.csv").open(encoding="utf-8-sig", newline="") as stream:
        rows = [(row["billed"], row["unit"], row["units_per_usd"]) for row in csv.DictReader(stream)]
    assert rows == [("0.483", "EUR", "0.92")] * 3 + [("1.449", "EUR", "0.92")]


def test_a_currency_without_an_invoice_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["reconcile", str(story(tmp_path / "film")), "--currency", "EUR=0.92"]) == 2
    assert "add --against FILE.csv" in capsys.readouterr().err
