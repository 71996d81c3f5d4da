"""A shot's own words: what of its prompt is not a description that many shots share. Pure.

Prompts are divided by sentences; then clauses, then words that many prompts begin or end with are taken away. Sentences
and clauses are known by their signs in many scripts; words only where spaces are between them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

SHARED_FROM = 3  # shots: what two have in common may be the same moment twice
WORDS_FROM, CHARACTERS_FROM = 5, 24  # a shorter beginning is how many sentences begin: "The dragon in the"
_SENTENCE = re.compile(
    "(?<=[.!?;\u2026\u0589\u061f\u06d4\u0964\u104b\u1362\u17d4])\\s+"  # also Armenian, Arabic, Urdu, Hindi, Burmese
    "|(?<=[.!?\u2026][\"'\u201d\u2019\xbb)])\\s+"
    "|(?<=[\u3002\uff01\uff1f\uff1b\uff61])(?![\u300d\u300f\u201d\u2019\uff09])\\s*(?=\\S)"  # without a space after it
    "|(?<=[\u3002\uff01\uff1f][\u300d\u300f\u201d\u2019\uff09])\\s*(?=\\S)"
    "|\\n+"
)
_CLAUSE = re.compile("(?<=[,:\u060c\u2013\u2014])\\s+|(?<=[\uff0c\u3001\uff1a])\\s*(?=\\S)")
_WIDE = "\u3002\uff01\uff1f\uff1b\uff61\uff0c\u3001\uff1a\u300d\u300f\uff09"
_ENDS = " .,;:!?\u2026" + _WIDE


class Words(NamedTuple):
    """The words of a prompt: those of the shot itself, and those that it shares with others; empty if none."""

    own: str
    shared: str = ""


def own_words(prompts: Sequence[str]) -> list[Words]:
    """Divide each prompt into its own words and those it shares. One that has nothing of its own is shown whole."""
    found = _without_sentences(prompts)
    found = _without_ends(found)
    found = _without_words(found, at_end=False)
    return _without_words(found, at_end=True)


def _without_sentences(prompts: Sequence[str]) -> list[Words]:
    """Take away the sentences that many prompts have, wherever they stand."""
    parts = [_parts(_SENTENCE, prompt) for prompt in prompts]
    counts = Counter(key for mine in parts for key in {_key(each) for each in mine})
    divided = []
    for prompt, mine in zip(prompts, parts, strict=True):
        own = [each for each in mine if counts[_key(each)] < SHARED_FROM]
        shared = [each for each in mine if counts[_key(each)] >= SHARED_FROM]
        divided.append(Words(_joined(own), _joined(shared)) if own and shared else Words(prompt))
    return divided


def _without_ends(found: Sequence[Words]) -> list[Words]:
    """Take away the clauses that many prompts have, from the beginning and from the end of what is left."""
    parts = [_parts(_CLAUSE, each.own) for each in found]
    counts = Counter(key for mine in parts for key in {_key(each) for each in mine})
    divided = []
    for words, mine in zip(found, parts, strict=True):
        is_own = [counts[_key(each)] < SHARED_FROM for each in mine]
        begin, end = (is_own.index(True), len(mine) - is_own[::-1].index(True)) if any(is_own) else (0, len(mine))
        shared = [*mine[:begin], *mine[end:]]
        if not shared:
            divided.append(words)
            continue
        own = _joined(mine[begin:end]).rstrip(",:\u060c\uff0c\u3001\uff1a")
        divided.append(Words(own, _joined([part for part in (words.shared, *shared) if part])))
    return divided


def _without_words(found: Sequence[Words], *, at_end: bool) -> list[Words]:
    """Take away the words that many prompts begin with, or end with, where there are enough of them."""
    step = -1 if at_end else 1
    texts = [each.own.split()[::step] for each in found]
    order = sorted(range(len(texts)), key=lambda place: texts[place])
    longest = dict.fromkeys(order, 0)
    for first in range(len(order) - SHARED_FROM + 1):
        window = order[first : first + SHARED_FROM]
        common = _common(texts[window[0]], texts[window[-1]])
        for place in window:
            longest[place] = max(longest[place], common)
    divided = []
    for place, (words, text) in enumerate(zip(found, texts, strict=True)):
        count = longest[place]
        same, rest = (" ".join(part[::step]) for part in (text[:count], text[count:]))
        if count < WORDS_FROM or len(same) < CHARACTERS_FROM or not rest.strip(_ENDS):
            divided.append(words)
            continue
        own, taken = (f"{rest} \u2026", f"\u2026 {same}") if at_end else (f"\u2026 {rest}", f"{same} \u2026")
        divided.append(Words(own, _joined([part for part in (words.shared, taken) if part])))
    return divided


def _common(one: Sequence[str], other: Sequence[str]) -> int:
    pairs = zip(one, other, strict=False)
    return next((place for place, (a, b) in enumerate(pairs) if a != b), min(len(one), len(other)))


def _parts(between: re.Pattern[str], text: str) -> list[str]:
    return [each.strip() for each in between.split(text) if each.strip()]


def _key(part: str) -> str:
    """Return what is compared: the same words with another sign at their end are the same."""
    return part.strip(_ENDS).casefold()


def _joined(parts: Sequence[str]) -> str:
    return "".join(part if part.endswith(tuple(_WIDE)) else f"{part} " for part in parts).strip()
