"""A shot's own words: what of its prompt is not a description that many shots share. Pure."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

SHARED_FROM = 3  # shots: what two have in common may be the same moment twice
_BETWEEN = re.compile(r"(?<=[.!?;\u3002\uff01\uff1f])\s*(?=\S)|\n+")


class Words(NamedTuple):
    """The words of a prompt: those of the shot itself, and those that it shares with others; empty if none."""

    own: str
    shared: str = ""


def own_words(prompts: Sequence[str]) -> list[Words]:
    """Divide each prompt, sentence by sentence. One that has nothing of its own is shown whole."""
    parts = [[each.strip() for each in _BETWEEN.split(prompt) if each.strip()] for prompt in prompts]
    counts = Counter(sentence for each in parts for sentence in set(each))
    return [_divided(prompt, mine, counts) for prompt, mine in zip(prompts, parts, strict=True)]


def _divided(prompt: str, sentences: Sequence[str], counts: Counter[str]) -> Words:
    own = [each for each in sentences if counts[each] < SHARED_FROM]
    shared = [each for each in sentences if counts[each] >= SHARED_FROM]
    return Words(prompt) if not own or not shared else Words(" ".join(own), " ".join(shared))
