"""Alarms: what facts say about money that the user has to see, whatever became of their takes. Pure."""

from __future__ import annotations

from collections.abc import Container, Iterable

from wanbatch.batch.lifecycle import Fact
from wanbatch.batch.take import Entry

ALARM_FACTS = (Fact.WARNED, Fact.FOUND_LATE)
_LISTS = ("doubles", "unowned", "nameless", "breaches", "mixed_up")  # what a warning about money holds beside its text


def alarm_in(entry: Entry) -> str:
    """Return what a fact says about money that the user has to see; empty for all others."""
    is_alarm = entry.fact is Fact.FOUND_LATE or (entry.fact is Fact.WARNED and any(map(entry.data.get, _LISTS)))
    return str(entry.data.get("warning", "")) if is_alarm else ""


def standing_alarms(entries: Iterable[tuple[int, Entry]], answered: Container[str]) -> list[tuple[int, str]]:
    """Return the alarms of facts by take id, each once, oldest first, without charges that the user answered for.

    `answered` are the generations whose charges do not belong to this batch, as the user said.
    """
    found: dict[tuple[int, str], None] = {}
    for take_id, entry in entries:
        text, unowned = alarm_in(entry), entry.data.get("unowned")
        is_answered = bool(unowned) and all(each in answered for each in unowned or ())
        if text and not is_answered:
            found[take_id, text] = None
    return list(found)
