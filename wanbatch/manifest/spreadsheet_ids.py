"""Ids that a spreadsheet changed: numbers that lost their zeros, texts that it read as a date or a large number."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

from wanbatch.manifest.tree import Place, Problems, Scalar, Table
from wanbatch.manifest.words import one_of, shown

_MONTH = (
    "jan|feb|mar|mär|mrz|apr|may|mai|jun|jul|aug|sep|sept|oct|okt|nov|dec|dez|janv|févr|fév|avr|juin|juil|août|déc"
    "|ene|abr|ago|dic|gen|mag|giu|lug|set|ott|january|february|march|april|june|july|august|september|october|november"
    "|december|januar|februar|märz|juni|juli|oktober|dezember"
)
_DATE = re.compile(
    rf"\d{{1,4}}[. -]{{1,2}}(?:{_MONTH})\.?(?:[ -]\d{{2,4}})?|(?:{_MONTH})\.?[ -]\d{{1,4}}"
    r"|\d{4}-\d\d-\d\d(?:[ T]\d\d:\d\d(?::\d\d)?(?:\.\d+)?)?"
    r"|\d{1,2}([/.])\d{1,2}\1(?:\d{4}|\d\d)(?: \d\d:\d\d(?::\d\d)?)?",
    re.IGNORECASE,
)
_SHORTENED = re.compile(r"\d(?:[.,]\d+)?E[+-]?\d{1,3}", re.IGNORECASE)
_NUMBER = re.compile(r"0*(\d+)(?:[.,]0+)?")
_CURE = "format the column as text there, write it again, and save the table"


def change_of(text: str) -> str:
    """Say how a spreadsheet probably changed an id; nothing if it looks unchanged."""
    if _DATE.fullmatch(text):
        return f"looks like a date: a spreadsheet may have changed it; {_CURE}"
    if _SHORTENED.fullmatch(text):
        return f"looks like a large number that a spreadsheet shortened; {_CURE}"
    return ""


def cure_of_twin(shot: Table, problems: Problems) -> str:
    """Return what to do about an id that a shot before it has: in a table, its number may be one within its scene."""
    shot_id, scene = shot.items.get("id"), shot.items.get("scene")
    is_number = isinstance(shot_id, Scalar) and _NUMBER.match(shot_id.text) is not None
    if is_number and isinstance(scene, Scalar) and scene.text.strip() and problems.is_in_table(shot.at):
        return "if the numbers begin again in each scene, map the column as `id within scene`; otherwise choose another"
    return "choose another"


def tell_equal_numbers(ids: Iterable[str], places: Mapping[str, Place], problems: Problems) -> None:
    """Warn of ids that are one number written in several ways, such as 001, 1 and 1.0."""
    by_number: dict[str, list[str]] = {}
    for each in ids:
        match = _NUMBER.fullmatch(each)
        if match is not None:
            by_number.setdefault(match[1], []).append(each)
    for same in by_number.values():
        if len(same) > 1:
            first, others = same[0], same[1:]
            lines = one_of([f"{shown(each)} {problems.where(places[each])}" for each in others]).replace(
                " or ", " and "
            )
            words = f"id {shown(first)} is the same number as {lines}: did a spreadsheet change one of them?"
            problems.warn(places[first], f"{words} They are different shots, and each would be bought")
