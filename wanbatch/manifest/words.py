"""What is wrong with a value, in plain words: found, expected, and what was probably meant."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from difflib import get_close_matches
from typing import Any

_KINDS = {
    "integer": "a whole number",
    "number": "a number",
    "string": "text",
    "boolean": "true or false",
    "array": "a list",
    "object": "a table of names and values",
}
SHOWN_CAP = 40
_BOUNDS = {"const": "{}", "minimum": "{} or more", "maximum": "{} at most"}
_SIZES = {
    "maxLength": ("characters", "at most"),
    "minItems": ("entries", "at least"),
    "maxItems": ("entries", "at most"),
}


def shown(value: Any) -> str:
    """Return a value as a user may recognise it, short."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if value is None:
        return "empty"
    if isinstance(value, list):
        return "a list"
    if isinstance(value, dict):
        return "a table"
    text = "".join(char if char.isprintable() else "\ufffd" for char in str(value))
    text = text if len(text) <= SHOWN_CAP else text[:SHOWN_CAP] + "…"
    return f"'{text}'" if isinstance(value, str) else text


def one_of(values: Sequence[Any]) -> str:
    """Return `5, 10 or 15`."""
    texts = [str(value) for value in values]
    return texts[0] if len(texts) == 1 else f"{', '.join(texts[:-1])} or {texts[-1]}"


def meant(name: str, known: Iterable[str]) -> str:
    """Return ` (did you mean X?)`, or nothing."""
    folded = {each.casefold(): each for each in known}
    close = get_close_matches(name.casefold(), folded, n=1, cutoff=0.6)
    return f"; did you mean {folded[close[0]]}?" if close else ""


def fault_words(name: str, value: Any, keyword: str, limit: Any, taker: str) -> str:
    """Say what is wrong with the value of a field, by the schema keyword that it breaks.

    `limit` is what the schema says there; `taker` is who sets it: `this model` by name, or empty.
    """
    who = f"; {taker} takes " if taker else "; expected "
    is_address = keyword == "pattern" and str(limit).startswith("^https")
    if keyword == "type":
        return f"{name} is {shown(value)}{who}{_KINDS.get(str(limit), str(limit))}{_quote_hint(value, str(limit))}"
    if keyword == "enum":
        hint = meant(value, map(str, limit)) if isinstance(value, str) else ""
        return f"{name} is {shown(value)}{who}{one_of(limit)}{hint}"
    if keyword in _BOUNDS:
        return f"{name} is {shown(value)}{who}{_BOUNDS[keyword].format(limit)}"
    if keyword in _SIZES:
        unit, bound = _SIZES[keyword]
        return f"{name} has {len(value)} {unit}{who}{limit} {bound}"
    if keyword == "minLength":
        return f"{name} is empty; write something, or leave {name} out"
    if is_address:
        return f"{name} is {shown(value)}; expected an address that begins with https://"
    return f"{name} is {shown(value)}; expected a rate such as 60/min or 10/s"


def _quote_hint(value: Any, kind: str) -> str:
    if (
        isinstance(value, str)
        and kind in ("integer", "number")
        and value.strip().lstrip("-").replace(".", "", 1).isdigit()
    ):
        return "; write it without quotes" if not value.startswith("0") or value == "0" else ""
    if isinstance(value, str) and kind == "boolean" and value.casefold() in ("yes", "no", "on", "off", "true", "false"):
        return f"; write {'true' if value.casefold() in ('yes', 'on', 'true') else 'false'} without quotes"
    return ""
