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
from wanbatch.money.invoice import Charged, Match, match_invoice, read_amount, read_invoice

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
    assert "not on the invoice 1 0.00 0.525" in told
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
