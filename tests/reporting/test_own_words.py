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


@pytest.mark.parametrize(
    ("lead", "deeds", "tail", "own"),
    [
        (  # one sentence, with commas
            "35 mm film, a knight in red armour,",
            ("he climbs the steps", "he falls", "he sleeps, dreaming"),
            ", soft light, no text.",
            ("he climbs the steps", "he falls", "he sleeps, dreaming"),
        ),
        (  # one sentence, without a sign
            "A slow aerial shot of a lonely grey wolf",
            ("crossing the ice", "drinking", "howling at the moon"),
            " in the soft blue light of early winter",
            ("\u2026 crossing the ice \u2026", "\u2026 drinking \u2026", "\u2026 howling at the moon \u2026"),
        ),
        (
            "Ein Ritter in roter R\u00fcstung. Neben ihm ein Wolf.",
            ("\u00bbHalt!\u00ab ruft er.", "Er schl\u00e4ft.", "Blende f/2.8, er l\u00e4uft."),
            " Weiches Licht. Ohne Schrift.",
            ("\u00bbHalt!\u00ab ruft er.", "Er schl\u00e4ft.", "Blende f/2.8, er l\u00e4uft."),
        ),
        ("Un chevalier\u2026 ", ("Il court !", "Il dort ?", "Il tombe."), " Lumi\u00e8re douce.", ("Il court !", "Il dort ?", "Il tombe.")),
        (
            "\u8d64\u3044\u93a7\u306e\u9a0e\u58eb\u3002",
            ("\u300c\u6b62\u307e\u308c\u3002\u300d\u3068\u8a00\u3046\u3002", "\u7720\u308b\u3002", "\u8d70\u308b\u3002"),
            "\u67d4\u3089\u304b\u3044\u5149\u3002",
            ("\u300c\u6b62\u307e\u308c\u3002\u300d\u3068\u8a00\u3046\u3002", "\u7720\u308b\u3002", "\u8d70\u308b\u3002"),
        ),
        (
            "\u7535\u5f71\u611f\uff0c\u7ea2\u7532\u9a91\u58eb\uff0c",
            ("\u4ed6\u8dd1", "\u4ed6\u7761", "\u4ed6\u6454\u5012"),
            "\uff0c\u67d4\u5149\uff0c\u65e0\u6587\u5b57\u3002",
            ("\u4ed6\u8dd1", "\u4ed6\u7761", "\u4ed6\u6454\u5012"),
        ),
        (
            "\u0932\u093e\u0932 \u0915\u0935\u091a \u092e\u0947\u0902 \u092f\u094b\u0926\u094d\u0927\u093e\u0964",
            ("\u0935\u0939 \u0926\u094c\u0921\u093c\u0924\u093e \u0939\u0948\u0964", "\u0935\u0939 \u0938\u094b\u0924\u093e \u0939\u0948\u0964", "\u0935\u0939 \u0917\u093f\u0930\u0924\u093e \u0939\u0948\u0964"),
            " \u0928\u0930\u092e \u0930\u094b\u0936\u0928\u0940\u0964",
            ("\u0935\u0939 \u0926\u094c\u0921\u093c\u0924\u093e \u0939\u0948\u0964", "\u0935\u0939 \u0938\u094b\u0924\u093e \u0939\u0948\u0964", "\u0935\u0939 \u0917\u093f\u0930\u0924\u093e \u0939\u0948\u0964"),
        ),
        (
            "\u0641\u0627\u0631\u0633 \u0628\u062f\u0631\u0639 \u0623\u062d\u0645\u0631\u060c",
            ("\u064a\u0631\u0643\u0636", "\u064a\u0646\u0627\u0645", "\u064a\u0633\u0642\u0637"),
            "\u060c \u0636\u0648\u0621 \u0646\u0627\u0639\u0645.",
            ("\u064a\u0631\u0643\u0636", "\u064a\u0646\u0627\u0645", "\u064a\u0633\u0642\u0637"),
        ),
    ],
    ids=("commas", "words", "German", "French", "Japanese", "Chinese", "Hindi", "Arabic"),
)  # fmt: skip
def test_a_long_lead_and_tail_are_apart_in_any_language(
    lead: str, deeds: tuple[str, ...], tail: str, own: tuple[str, ...]
) -> None:
    blank = "" if lead[-1] in "\u3002\uff0c" else " "
    found = own_words([f"{lead.strip()}{blank}{deed}{tail}" for deed in deeds])
    assert tuple(each.own for each in found) == own
    assert all(part.strip(" ,.\u060c\uff0c\u3002") in each.shared for each in found for part in (lead, tail))


def test_the_words_of_one_shot_keep_their_numbers_and_their_order() -> None:
    prompts = [f"{HERO} At 2.5 m, f/1.4. He {deed}, the wolf runs, he {deed}." for deed in ("waits", "runs", "falls")]
    assert own_words(prompts)[0] == Words("He waits, the wolf runs, he waits.", f"{HERO} At 2.5 m, f/1.4.")


def test_a_few_equal_words_at_the_beginning_are_no_shared_description() -> None:
    prompts = [f"The dragon in the {place} sleeps" for place in ("gorge", "fog", "fire")]
    assert [each.shared for each in own_words(prompts)] == [""] * 3


def test_a_card_shows_its_own_words_and_folds_the_others(tmp_path: Path) -> None:
    shots = tuple(shot(f"s{n}", n, prompt=f"{HERO} He waits {n} hours.") for n in range(3))
    pen = begin(tmp_path, Batch("b", shots))
    page = write_reports(pen.state, made_at=MADE_AT).storyboard
    pen.state.close()
    text = page.read_text(encoding="utf-8")
    assert text.count('<p class="prompt">He waits ') == 3
    assert text.count(f"<summary>wording shared with other shots</summary><p>{HERO}</p>") == 3
    assert HERO in read(page).words
