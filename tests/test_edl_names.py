"""Names in an EDL: readable ASCII, and never two alike."""

from __future__ import annotations

import pytest

from wanbatch.cut.export import _plain_word


@pytest.mark.parametrize(
    ("name", "told"),
    [("sh010", "sh010"), ("caf\u00e9_2", "cafe_2"), ("what?", "what?")],
)
def test_what_ascii_can_hold_is_kept(name: str, told: str) -> None:
    assert _plain_word(name, "shot") == told


@pytest.mark.parametrize(("name", "start"), [("\u5c71010", "010-"), ("\u5c71", "shot-"), ("sc\u5c71_2", "sc-_2-")])
def test_what_it_cannot_hold_is_marked_and_has_no_question_mark(name: str, start: str) -> None:
    told = _plain_word(name, "shot")
    assert (told.startswith(start), "?" in told, len(told)) == (True, False, len(start) + 8)


def test_two_names_that_keep_the_same_are_told_apart() -> None:
    assert _plain_word("\u5c71010", "shot") != _plain_word("\u5ddd010", "shot")
