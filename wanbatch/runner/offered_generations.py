"""Offered generations: those of a take that are shown to the user: those that it can have, and those that are too many.

Facts and attempts hold each of them; the message on the screen is made of them, and is never read back, but for facts
of older versions that have nothing else. Pure.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from wanbatch.batch.attempts import Attempt
from wanbatch.batch.lifecycle import Fact
from wanbatch.batch.take import Entry
from wanbatch.money.credits import usd_text

OUT_OF_DATE = "this state file is out of date"
_DOUBLE = "DOUBLE"
_ADOPTED = re.compile(r"--adopt ([^\s`]+)`")


@dataclass(frozen=True)
class Offer:
    """A generation that a take can have, and what it costs in credits; None if that is not known."""

    generation_id: str
    credits: int | None

    def __str__(self) -> str:
        return self.generation_id + (f" ({usd_text(self.credits)})" if self.credits else "")


def offer_of(facts: Iterable[Entry], request_id: str) -> Offer | None:
    """Return the first generation that was offered of a submit, by its take's facts; None if none was named."""
    return next((made for each, made in _found(facts) if each.data["request_id"] == request_id), None)


def offers_of(facts: Iterable[Entry], attempts: Sequence[Attempt]) -> list[Offer]:
    """Return the generations that a take can have: those offered before, and those that its attempts are known to have
    made and that did not fail. By its facts and its attempts.
    """
    failed = {each.generation_id for each in attempts if each.has_failed}
    made = [Offer(each.generation_id, each.credits_held) for each in attempts if each.generation_id is not None]
    every = [*(offer for _, offer in _found(facts)), *made]
    return list({each.generation_id: each for each in reversed(every) if each.generation_id not in failed}.values())[
        ::-1
    ]


def told_in(fact: Entry) -> set[str]:
    """Return the generations that the message of a FOUND_UNRECORDED fact offers."""
    told = fact.data.get("offers")
    return set(told) if told is not None else {each for each in [_in_text(fact)] if each is not None}


def _found(facts: Iterable[Entry]) -> list[tuple[Entry, Offer]]:
    found = []
    for each in facts:
        if each.fact is Fact.FOUND_UNRECORDED:
            made = each.data["made"] if "made" in each.data else _in_text(each)
            found += [(each, Offer(made, each.data.get("credits_held")))] if made is not None else []
    return found


def _in_text(fact: Entry) -> str | None:
    """Read the generation from the message of an older version, which kept it nowhere else."""
    found = _ADOPTED.search(fact.data["error"])
    return None if found is None or found[1] == "ID" else found[1]


def offer_text(label: str, why: str, offers: Sequence[Offer]) -> str:
    """Say why a take is held, and how each generation can be had."""
    name = offers[0].generation_id if offers else "ID"
    command = f"`wanbatch resolve {label} --adopt {name}`"
    if len(offers) < 2:
        return f"{why}. {command} adopts it"
    return (
        f"{why}. There are {len(offers)} generations of it: {', '.join(map(str, offers))}. {command} adopts"
        " the first; give another id to adopt that one. What the others may cost still counts toward the cap"
    )


def double_text(text: str) -> str:
    """Mark a warning as that of a double, for people; the fact's `doubles` hold what was named."""
    return f"{_DOUBLE}: {text}"


def named_in(facts: Iterable[Entry]) -> set[str]:
    """Return the generations of a take that warnings named as doubles.

    A warning lists them beside its text; one of an older version has its text alone.
    """
    named: set[str] = set()
    made: set[str] = set()
    texts: list[str] = []
    for each in facts:
        if each.fact is Fact.WARNED and "doubles" in each.data:
            named |= set(each.data["doubles"])
        elif each.fact is Fact.WARNED and _DOUBLE in each.data["warning"]:
            texts.append(each.data["warning"])
        if isinstance(each.data.get("generation_id"), str):
            made.add(each.data["generation_id"])
    return named | {each for each in made if any(each in text for text in texts)}


def left_in(facts: Iterable[Entry]) -> set[str]:
    """Return the generations of a take that the user let go of by name: to send it again, or to give it up."""
    left: set[str] = set()
    followed: str | None = None
    for each in facts:
        if each.fact in (Fact.SUBMIT_STARTED, Fact.FOUND_UNRECORDED):
            followed = None
        elif each.fact in (Fact.ACCEPTED, Fact.ADOPTED):
            followed = each.data["generation_id"]
        elif each.fact in (Fact.RESUBMIT_ALLOWED, Fact.ABANDONED) and followed is not None:
            left.add(followed)
    return left
