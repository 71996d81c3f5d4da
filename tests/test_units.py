"""Sizes and counts as people read them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

import wanbatch
from wanbatch.units import agreeing, count_text, size_text

PACKAGE = Path(wanbatch.__file__).parent


@pytest.mark.parametrize(
    ("size_bytes", "text"),
    [
        (0, "0 bytes"),
        (1, "1 byte"),
        (1023, "1,023 bytes"),
        (1024, "1 KiB"),
        (300 * 1024, "300 KiB"),
        (2**20 - 1, "1 MiB"),
        (1.5 * 2**20, "1.5 MiB"),
        (32 * 2**20, "32 MiB"),
        (1000 * 2**20, "1,000 MiB"),
        (6.3 * 2**30, "6.3 GiB"),
        (250 * 2**30, "250 GiB"),
        (3 * 2**40, "3 TiB"),
        (5000 * 2**40, "5,000 TiB"),
    ],
)
def test_a_size_is_told_in_the_unit_that_fits_it(size_bytes: float, text: str) -> None:
    assert size_text(size_bytes) == text


def test_no_other_code_writes_a_unit_behind_a_figure_it_divided() -> None:
    texts = {path.name: path.read_text(encoding="utf-8") for path in PACKAGE.rglob("*.py")}
    assert [name for name, text in texts.items() if re.search(r"\} [KMGT]i?B", text)] == []


@pytest.mark.parametrize(("count", "text"), [(0, "0 takes"), (1, "1 take"), (2, "2 takes"), (1200, "1,200 takes")])
def test_a_count_agrees_with_its_noun(count: int, text: str) -> None:
    assert count_text(count, "take") == text


@pytest.mark.parametrize(("count", "said"), [(1, "waits for it"), (2, "wait for them"), (0, "wait for them")])
def test_words_agree_with_how_many_they_are_about(count: int, said: str) -> None:
    assert agreeing(count, "wait|waits for them|it") == said
