"""The tariff: the provider's price rows, read for one class of takes. Pure; trusts no field.

`price` is the charge in USD for `per` units, and `unit` (or `name` and `measure` of a `fixed` price) says which.
Anything that does not clearly fit is an unknown price with its reason, never 0.
Source: the provider's page "Complete Model List", section on reading prices, 2026-08-19; OpenAPI `models`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

from wanbatch.batch.models import PriceClass
from wanbatch.money.credits import CREDITS_PER_USD, usd
from wanbatch.money.prices import PRICE_LIST, Quote, unknown_quote
from wanbatch.units import CREDITS_MAX

WORD_CAP = 40
_PER_SECOND = frozenset({"second", "seconds"})
_PER_CLIP = frozenset({"video", "videos", "generation", "generations", "request", "requests", "clip", "clips"})
_MADE = frozenset({"", "output", "generated"})  # what `measure` may say beside a known unit
_LINES = re.compile(r"([0-9]{3,4})p?")
_SECONDS = re.compile(r"([0-9]{1,4}(?:\.[0-9]{1,3})?) ?(?:s|sec|seconds?)?")


class _Unpriced(Exception):
    """The list gives no certain price; the text says why."""


def listed_quote(pricing: object, price_class: PriceClass) -> Quote:
    """Read the `pricing` object of one model for one class; if it gives no certain price, `why` gives the reason.

    A fraction of a credit is rounded up, so that a cap is never passed by rounding.
    """
    try:
        return Quote(_credits(pricing, price_class), PRICE_LIST, is_live=True)
    except _Unpriced as error:
        return unknown_quote(str(error))


def _credits(pricing: object, price_class: PriceClass) -> int:
    if pricing is None:
        raise _Unpriced("the provider's list names no price for this model")
    if not isinstance(pricing, Mapping):
        raise _Unpriced(f"the provider's list has {_word(pricing)} in place of this model's prices")
    _assert_usd(pricing, "the provider's list")
    match pricing.get("kind"):
        case "fixed":
            return _fixed(pricing, price_class)
        case "variants":
            return _variant(pricing, price_class)
        case "variable":
            raise _Unpriced(
                "the provider sets the price of this model only after the request (its list says 'variable')"
            )
        case other:
            raise _Unpriced(f"the provider's list has a kind of price that wanbatch does not know: {_word(other)}")


def _fixed(pricing: Mapping[str, Any], price_class: PriceClass) -> int:
    rows = _rows(pricing, "units")
    if len(rows) > 1:
        raise _Unpriced(
            f"the provider's list adds up {len(rows)} rates, whose amounts are known only after the request"
        )
    row = rows[0]
    if not isinstance(row, Mapping):
        raise _Unpriced(f"row 1 of the provider's list is {_word(row)}, not a rate")
    name, measure = _text(row.get("name")), _text(row.get("measure"))
    unit = name if measure in _MADE else f"{name} ({measure})"
    if not name and measure in _PER_SECOND | _PER_CLIP:
        unit = measure
    return _charge(row, 1, unit, price_class)


def _variant(pricing: Mapping[str, Any], price_class: PriceClass) -> int:
    names = pricing.get("dimensions")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise _Unpriced("the provider's list does not say what its rates depend on")
    charges: list[int] = []
    undecided: set[str] = set()
    for number, row in enumerate(_rows(pricing, "variants"), 1):
        open_names = _undecided(row, number, names, price_class)
        if open_names is not None:
            charges.append(_charge(row, number, _text(row.get("unit")), price_class))
            undecided |= open_names
    if not charges:
        asked = ", ".join(f"{name} {value}" for name, value in _asked(price_class).items() if value is not None)
        raise _Unpriced(f"the provider's list has no rate for {asked or 'this request'}")
    low, high = min(charges), max(charges)
    if undecided and (low != high or len(charges) == 1):
        reported = ", ".join(sorted(map(_word, undecided)))
        span = f"{usd(low):f}" if low == high else f"{usd(low):f} to {usd(high):f}"
        raise _Unpriced(f"the price also depends on {reported} ({span} USD a clip)")
    if low != high:
        raise _Unpriced(f"the provider's list has several prices for this request ({usd(low):f}, {usd(high):f} USD)")
    return low


def _rows(pricing: Mapping[str, Any], name: str) -> Sequence[Any]:
    rows = pricing.get(name)
    if not isinstance(rows, list) or not rows:
        raise _Unpriced(f"the provider's list has no rates ('{name}') for this model")
    return rows


def _undecided(row: Any, number: int, names: Sequence[str], price_class: PriceClass) -> set[str] | None:
    """Return the conditions of a row that cannot be decided for this class; None if one of them does not hold."""
    when = row.get("when") if isinstance(row, Mapping) else None
    if not isinstance(when, Mapping):
        raise _Unpriced(f"row {number} of the provider's list does not say when it applies")
    asked = _asked(price_class)
    verdicts = {name: _agrees(name, when.get(name), asked.get(name)) for name in {*names, *map(str, when)}}
    if False in verdicts.values():
        return None
    return {name for name, verdict in verdicts.items() if verdict is None}


def _asked(price_class: PriceClass) -> dict[str, str | int | None]:
    return {"resolution": price_class.resolution, "duration": price_class.duration_s}


def _agrees(name: str, reported: object, ours: str | int | None) -> bool | None:
    """Say whether a condition holds for this class; None if that cannot be decided."""
    if ours is None or reported is None:
        return None
    if name == "duration":
        seconds = _seconds(reported)
        return None if seconds is None else seconds == ours
    if not isinstance(reported, str | int) or isinstance(reported, bool):
        return None
    theirs, mine = _text(str(reported)), _text(str(ours))
    their_lines, my_lines = _LINES.fullmatch(theirs), _LINES.fullmatch(mine)
    if their_lines is not None and my_lines is not None:
        return their_lines[1] == my_lines[1]
    is_one_language = (their_lines is None) == (my_lines is None)  # fhd may mean 1080p; that is not documented
    return theirs == mine if is_one_language else None


def _seconds(reported: object) -> Fraction | None:
    if isinstance(reported, str):
        match = _SECONDS.fullmatch(_text(reported))
        return Fraction(match[1]) if match is not None else None
    return _number(reported)


def _charge(row: Mapping[str, Any], number: int, unit: str, price_class: PriceClass) -> int:
    """Return the credits of one clip by a row, rounded up."""
    where = f"row {number} of the provider's list"
    _assert_usd(row, where)
    price, per = _number(row.get("price")), _number(row.get("per"))
    if price is None or price <= 0:
        raise _Unpriced(f"{where} has no price that can be read: {_word(row.get('price'))}")
    if per is None or per <= 0:
        raise _Unpriced(f"{where} does not say for how many units its price is: {_word(row.get('per'))}")
    if unit in _PER_SECOND:
        if price_class.duration_s is None:
            raise _Unpriced("the provider charges by the second, and the length of these clips is not known")
        price *= price_class.duration_s
    elif unit not in _PER_CLIP:
        raise _Unpriced(f"the provider charges by {_word(unit)}, which does not give the price of a clip")
    credit_count = price * CREDITS_PER_USD / per
    if not 1 <= credit_count <= CREDITS_MAX:
        raise _Unpriced(f"{where} has an impossible price: {_word(row.get('price'))}")
    return math.ceil(credit_count)


def _number(value: object) -> Fraction | None:
    """Return a JSON number exactly as written; None for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | float | Decimal):
        return None
    if isinstance(value, int):
        return Fraction(value)
    return Fraction(str(value)) if math.isfinite(value) else None


def _assert_usd(fields: Mapping[str, Any], where: str) -> None:
    currency = fields.get("currency", "USD")
    if currency != "USD":
        raise _Unpriced(f"{where} is in {_word(currency)} and not in USD")


def _text(value: object) -> str:
    """Return a word in one spelling; empty for None, and a mark that matches nothing for anything but text."""
    if value is None:
        return ""
    return " ".join(value.split()).casefold() if isinstance(value, str) else f"[{type(value).__name__}]"


def _word(value: object) -> str:
    """Return a server's word fit for a screen."""
    if value is None:
        return "nothing"
    if isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    try:
        flat = "".join(char for char in " ".join(str(value).split()) if char.isprintable())
    except ValueError:  # a number of thousands of digits
        return "an infinite number"
    shown = flat if len(flat) <= WORD_CAP else flat[: WORD_CAP - 1] + "…"
    return f"'{shown}'" if isinstance(value, str) else shown
