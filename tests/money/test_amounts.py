"""USD as people read it: to the credit and never rounded, by one function; so parts add up, whatever they are put into."""

from __future__ import annotations

import csv
import re
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import wanbatch
from tests.reporting.states import MADE_AT
from tests.reporting.test_book import a_bit_of_everything
from wanbatch.money.credits import CREDITS_PER_USD, amount_text, exact_usd, money_text, usd, usd_text
from wanbatch.money.currency import read_currency
from wanbatch.reporting.amounts import WENT_INTO, amount_of, levels_of, price_of
from wanbatch.reporting.files import write_reports
from wanbatch.state.reader import StateReader

PACKAGE = Path(wanbatch.__file__).parent
CREDITS = st.integers(-(10**12), 10**12)


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        ("0", "0.00"),
        ("40", "40.00"),
        ("0.004", "0.004"),
        ("1.575", "1.575"),
        ("0.7875", "0.7875"),
        ("-0.005", "-0.005"),
        ("0.0000005", "0.0000005"),
        ("-0.00000001", "0.00"),
        ("98.42500005", "98.4250001"),
        ("999999.995", "999,999.995"),
        ("1e30", "1,000,000,000,000,000,000,000,000,000,000.00"),
    ],
)
def test_an_amount_has_every_digit_down_to_a_credit(amount: str, text: str) -> None:
    assert amount_text(Decimal(amount)) == text


@pytest.mark.long
@given(CREDITS)
def test_the_same_credits_are_the_same_text_everywhere(credit_count: int) -> None:
    text = amount_text(usd(credit_count))
    told = {
        usd_text(credit_count).removesuffix(" USD"),
        money_text(credit_count).partition(" USD")[0],
        amount_of(credit_count).usd,
        price_of(credit_count).usd,
        f"{Decimal(exact_usd(credit_count)):,}",
    }
    assert told == {text}


@given(st.lists(CREDITS, max_size=9))
def test_what_is_shown_adds_up(parts: list[int]) -> None:
    shown = [amount_text(usd(each)).replace(",", "") for each in parts]
    assert amount_text(sum(map(Decimal, shown), Decimal(0))) == amount_text(usd(sum(parts)))


def test_a_clip_of_nineteen_cents_is_the_same_beside_whatever_it_stands() -> None:
    clip, columns = 378_000, ("estimated", "held", "charged", "at_risk", "committed", "to_complete", "final")
    columns += (*WENT_INTO, "outside_cut", "budget", "baseline", "variance", "budget_less_final")
    rows = [{"level": "scene", "key": f"sc{n}", **{f"{name}_credits": clip * n for name in columns}} for n in (1, 6, 7)]
    shown = {
        row["key"]: {amount.usd for amount in row["shown"].values()} for _, mine in levels_of(rows) for row in mine
    }
    assert shown == {"sc1": {"0.189"}, "sc6": {"1.134"}, "sc7": {"1.323"}}


@pytest.mark.parametrize(("amount", "text"), [("0.005", "0.01"), ("0.025", "0.03"), ("-0.025", "-0.03"), ("1", "1.00")])
def test_only_what_is_converted_is_rounded_to_cents(amount: str, text: str) -> None:
    assert read_currency("EUR=1").amount(int(Decimal(amount) * CREDITS_PER_USD)) == text


def test_no_other_code_rounds_an_amount_to_cents() -> None:
    found = [
        path.name
        for path in sorted(PACKAGE.rglob("*.py"))
        if re.search(r":z?,?\.2f\}", path.read_text(encoding="utf-8"))
    ]
    assert found == ["currency.py"]


def test_every_sum_in_every_file_is_its_credits_to_the_digit(tmp_path: Path) -> None:
    a_bit_of_everything(tmp_path)
    with StateReader.open(tmp_path) as reader:
        folder = write_reports(reader, made_at=MADE_AT).takes.parent
    wrong, seen = list[tuple[str, str, str, str]](), 0
    for file in sorted(folder.glob("*.csv")):
        for row in csv.DictReader(file.read_text(encoding="utf-8-sig").splitlines()):
            for name in (each for each in row if "credits" in each and "_per_" not in each):
                told = row[name.replace("credits", "usd")]
                seen += bool(row[name])
                if told != (exact_usd(int(row[name])) if row[name] else ""):
                    wrong.append((file.name, name, row[name], told))
    assert (wrong, seen > 400) == ([], True)
