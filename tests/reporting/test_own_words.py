"""The cards of the sheet show a shot's own words, and fold away the description that many shots share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.reporting.states import MADE_AT, begin, shot
from tests.reporting.test_pages import read
from wanbatch.batch.shots import Batch
from wanbatch.reporting.files import write_reports
from wanbatch.reporting.own_words import Words, own_words

HERO = "A knight in red armour with a broken sword."
STYLE = "35 mm film, soft light."


@pytest.mark.parametrize(
    ("prompts", "words"),
    [
        ([], []),
        (["One.", "Two."], [Words("One."), Words("Two.")]),
        (
            [f"{HERO} He {deed}. {STYLE}" for deed in ("runs", "falls", "sleeps")],
            [Words(f"He {deed}.", f"{HERO} {STYLE}") for deed in ("runs", "falls", "sleeps")],
        ),
        ([f"{HERO} He runs.", f"{HERO} He falls."], [Words(f"{HERO} He runs."), Words(f"{HERO} He falls.")]),
        ([HERO] * 3, [Words(HERO)] * 3),  # nothing of their own
        ([f"{HERO} {HERO}", "x", "y"], [Words(f"{HERO} {HERO}"), Words("x"), Words("y")]),  # twice in one shot
        ([f"{n}\n\n{STYLE}" for n in "abc"], [Words(n, STYLE) for n in "abc"]),
    ],
)
def test_what_three_shots_share_is_apart(prompts: list[str], words: list[Words]) -> None:
    assert own_words(prompts) == words


def test_a_card_shows_its_own_words_and_folds_the_others(tmp_path: Path) -> None:
    shots = tuple(shot(f"s{n}", n, prompt=f"{HERO} He waits {n} hours.") for n in range(3))
    pen = begin(tmp_path, Batch("b", shots))
    page = write_reports(pen.state, made_at=MADE_AT).storyboard
    pen.state.close()
    text = page.read_text(encoding="utf-8")
    assert text.count('<p class="prompt">He waits ') == 3
    assert text.count(f"<summary>words that other shots share</summary><p>{HERO}</p>") == 3
    assert HERO in read(page).words
