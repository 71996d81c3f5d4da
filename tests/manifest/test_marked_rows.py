"""Rows that a workbook hides or has struck out are shots, and are named."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.manifest.books import Rows, openpyxl, write_book
from wanbatch.manifest import load_manifest

ROWS: Rows = [["id", "prompt", "allow", "omit"], *([f"s{n}", f"Snow {n}", None, None] for n in range(2, 13))]
HOW = "delete them, or write true in an `omit` column"


def warned(path: Path) -> list[str]:
    return [str(each).replace(f"{path.parent}/", "") for each in load_manifest(path).warnings]


def hide(book: Any) -> None:
    for row in (3, 4, 5, 9):
        book["S"].row_dimensions[row].hidden = True


def strike(book: Any) -> None:
    for cell in ("B4", "A6"):
        book["S"][cell].font = openpyxl.styles.Font(strike=True)


@pytest.mark.parametrize(
    ("change", "rule", "words"),
    [
        (hide, "hidden", f"x.xlsx#S:A3 rows 3 to 5 and 9 are hidden, but still count: {HOW}"),
        (strike, "struck", f"x.xlsx#S:A4 rows 4 and 6 have struck-out text, but still count: {HOW}"),
    ],
)
def test_rows_that_do_not_look_like_shots_are_named(tmp_path: Path, change: Any, rule: str, words: str) -> None:
    rows = [ROWS[0], *([*row[:2], rule, None] for row in ROWS[1:])]
    omitted = [ROWS[0], *([*row[:2], None, True] for row in ROWS[1:])]
    plain = warned(write_book(tmp_path / "x.xlsx", change, S=ROWS))
    assert plain == [f"{words}; if this is intended, put {rule} in an `allow` column"]
    assert [warned(write_book(tmp_path / "x.xlsx", change, S=each)) for each in (rows, omitted)] == [[], []]


@pytest.mark.parametrize("taken", ["table", "include"])
def test_hidden_rows_of_a_workbook_that_a_manifest_takes_in_are_named(tmp_path: Path, taken: str) -> None:
    write_book(tmp_path / "x.xlsx", hide, S=ROWS)
    (tmp_path / "film.yaml").write_text(f"version: 1\n{taken}: x.xlsx\n", encoding="utf-8")
    words = f"x.xlsx#S:A3 rows 3 to 5 and 9 are hidden, but still count: {HOW}"
    assert warned(tmp_path / "film.yaml") == [f"{words}; if this is intended, put hidden in an `allow` column"]
