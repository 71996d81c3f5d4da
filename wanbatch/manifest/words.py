"""Messages about a value: what was found, what is expected, and what was probably meant."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from functools import lru_cache
from typing import Any

_KINDS = {
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "boolean": "true or false",
    "array": "a list",
    "object": "fields, each with a name and a value",
}
SHOWN_CAP = 40
SOME = 3
CHOICES_CAP = 12
_SWITCHES = {
    **dict.fromkeys(
        ("yes", "on", "true", "y", "x", "ja", "oui", "si", "sí", "wahr", "vrai", "verdadero", "vero"), "true"
    ),
    **dict.fromkeys(("no", "off", "false", "n", "nein", "non", "falsch", "faux", "falso"), "false"),
}
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?")
_ZEROS = re.compile(r"0[0-9]{1,18}")
_GROUPED = re.compile("[0-9]{1,3}(?:[ ,.'\u2019\u00a0\u202f][0-9]{3})+")
_WITH_UNIT = re.compile("([0-9]{1,9}) ?(?:s|sec|secs|seconds?|sek|sekunden|seg|秒|x)\\.?", re.IGNORECASE)
_WITH_FRACTION = re.compile("([0-9]{1,18})[.,]0*")
_SHORTENED = re.compile("[0-9](?:[.,][0-9]+)?E[+]?[0-9]+")
_RATIO = re.compile("([0-9]{1,5}) ?[:x\u00d7*/-] ?([0-9]{1,5})(?::00)?(?: ?[AP]M)?", re.IGNORECASE)
WITHOUT_QUOTES = "; write it without quotes"
_RUNS_SHOWN = 6
_LINES = re.compile(r"([0-9]{3,4})[pP]?")  # a size by its lines
_BOUNDS = {"const": "{}", "minimum": "{} or more", "maximum": "{} at most"}
_NAMED_SIZES = {"sd": "480p", "hd": "720p", "full hd": "1080p", "fullhd": "1080p", "fhd": "1080p"}
_SIZES = {
    "maxLength": ("characters", "at most"),
    "minItems": ("entries", "at least"),
    "maxItems": ("entries", "at most"),
}


def shown(value: Any) -> str:
    """Return a value as a user would recognise it, short."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "empty"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, dict):
        return "a group of fields"
    text = "".join(char if char.isprintable() else "\ufffd" for char in str(value))
    text = text if len(text) <= SHOWN_CAP else text[:SHOWN_CAP] + "…"
    return f"'{text}'" if isinstance(value, str) else text


def rows_text(lines: Sequence[int]) -> str:
    """Name rows by their numbers, in order: row 3, rows 3 and 7, rows 3 to 9 and 12."""
    runs: list[list[int]] = []
    for line in sorted(set(lines)):
        if runs and line == runs[-1][-1] + 1:
            runs[-1].append(line)
        else:
            runs.append([line])
    parts = [part for run in runs for part in ([f"{run[0]} to {run[-1]}"] if len(run) > 2 else map(str, run))]
    kept = parts if len(parts) <= _RUNS_SHOWN else [*parts[:_RUNS_SHOWN], "more"]
    named = kept[0] if len(kept) == 1 else f"{', '.join(kept[:-1])} and {kept[-1]}"
    return f"row{'s' if len(set(lines)) > 1 else ''} {named}"


def one_of(values: Sequence[Any]) -> str:
    """Return `5, 10 or 15`."""
    texts = [str(value) for value in values]
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} or {texts[-1]}"


def some_of(name: str, known: Sequence[str]) -> str:
    """Return the few of many names that are nearest to one: `a, b, c or one of 30 more`."""
    if len(known) <= SOME + 1:
        return one_of(known)
    near = get_close_matches(name.casefold(), known, n=SOME, cutoff=0.0)
    return f"{', '.join(near)} or one of {len(known) - len(near)} more"


def meant(name: str, known: Iterable[str]) -> str:
    """Return ` (did you mean X?)`, or nothing."""
    return _meant(name[:SHOWN_CAP], frozenset(known))


@lru_cache(maxsize=1024)  # the same slip is often in every shot
def _meant(name: str, known: frozenset[str]) -> str:
    folded = {each.casefold(): each for each in sorted(known)}
    close = get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
    return f"; did you mean {folded[close[0]]}?" if close else ""


def fault_words(name: str, value: Any, keyword: str, limit: Any, taker: str) -> str:
    """Say what is wrong with the value of a field, by the schema keyword that it breaks.

    `limit` is the schema's value for the keyword; `taker` names the model that sets it, or is empty.
    """
    who = f"; {taker} accepts " if taker else "; expected "
    is_address = keyword == "format" or (keyword == "pattern" and "https://" in str(limit))
    if keyword == "type":
        more = _as_list(value) if limit == "array" and not taker else ""
        return f"{name} is {shown(value)}{who}{_kinds_text(limit)}{more}"
    if keyword in ("anyOf", "oneOf") and taker:
        return f"{name} is {shown(value)}{who}{_kinds_text([each.get('type') for each in limit])}"
    if keyword == "enum":
        hint = _choice_meant(name, value, [str(each) for each in limit]) if isinstance(value, str) else ""
        choices = one_of(limit) if len(limit) <= CHOICES_CAP else some_of(str(value), [str(each) for each in limit])
        return f"{name} is {shown(value)}{who}{choices}{hint}"
    if keyword in _BOUNDS:
        return f"{name} is {shown(value)}{who}{_BOUNDS[keyword].format(limit)}"
    if keyword in _SIZES:
        unit, bound = _SIZES[keyword]
        return f"{name} has {len(value)} {unit}{who}{limit} {bound}"
    if keyword == "minLength":
        return f"{name} is empty; write something, or leave {name} out"
    if is_address:
        what = "or a data: address" if keyword == "format" or "data:" in str(limit) else "address"
        return f"{name} is {shown(value)}; expected an https:// {what} without spaces{_secure(value)}"
    return f"{name} is {shown(value)}; expected a rate such as 60/min or 10/s"


def _as_list(value: object) -> str:
    is_plain = isinstance(value, str) and re.fullmatch(r"[\w ,./-]{1,40}", value) is not None
    return f", such as [{value}]" if is_plain else ""


def _secure(value: object) -> str:
    is_open = isinstance(value, str) and re.fullmatch(r"(?i)http://\S+", value) is not None
    return "; write https:// instead of http://, if that address works, too" if is_open else ""


def _kinds_text(limit: Any) -> str:
    """Name the kinds of values that a schema takes."""
    kinds = dict.fromkeys(str(each) for each in (limit if isinstance(limit, list) else [limit]))
    return one_of([_KINDS.get(kind, kind) for kind in kinds])


def _choice_meant(name: str, value: str, limit: Sequence[str]) -> str:
    """Return which value was probably meant. Ratios and sizes match only if they say the same in another way."""
    match = _RATIO.fullmatch(value)
    if match is not None:
        width, height = int(match[1]), int(match[2])
        same = (each for each in limit if _says(each, width, height))
        close = next(same, "")
        return f"; did you mean {close}?" if close else ""
    if name == "resolution" and _NAMED_SIZES.get(value.casefold()) in limit:
        return f"; did you mean {_NAMED_SIZES[value.casefold()]}?"
    lines = _LINES.fullmatch(value)
    if lines is not None:
        close = next((each for each in limit if each.rstrip("pP") == lines[1]), "")
        return f"; did you mean {close}?" if close else ""
    hint = meant(value, limit) if any(char.isalpha() for char in value) or value + "p" in limit else ""
    if name == "shot_type" and not hint:
        return "; for the framing of a shot, use a column of your own such as x_shot_type"
    return hint


def _says(choice: str, width: int, height: int) -> bool:
    """Say whether a picture of this width and height has this ratio (16:9) or size (720p)."""
    if choice.lower().endswith("p"):
        return choice[:-1] == str(min(width, height))
    first, _, second = choice.partition(":")
    return second != "" and height > 0 and int(first) * height == int(second) * width


def spelling_hint(value: Any, keyword: str, limit: Any, *, is_quoted: bool) -> str:
    """Return how to write a value of which only the spelling is wrong, or nothing."""
    if not isinstance(value, str):
        return ""
    without = " without quotes" if is_quoted else ""
    if keyword == "type" and limit == "boolean" and value.casefold() in _SWITCHES:
        return f"; write {_SWITCHES[value.casefold()]}{without}"
    is_number = keyword == "const" or limit in ("integer", "number")
    if is_quoted and is_number and _NUMBER.fullmatch(value) is not None:
        return WITHOUT_QUOTES
    return _number_hint(value) if is_number else ""


def _number_hint(value: str) -> str:
    """Return how to write a whole number that a person or a spreadsheet wrote differently."""
    if _ZEROS.fullmatch(value) is not None:
        return f"; write {int(value)}"
    if _SHORTENED.fullmatch(value) is not None:
        return "; a spreadsheet has shortened it: format the column as whole numbers there and save again"
    if _GROUPED.fullmatch(value) is not None:
        return f"; write it without separators between the digits: {re.sub('[^0-9]', '', value)}"
    plain = _WITH_UNIT.fullmatch(value) or _WITH_FRACTION.fullmatch(value)
    return "" if plain is None else f"; write {int(plain[1])}"
