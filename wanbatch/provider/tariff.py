"""The tariff: the provider's price rows, read for one class of takes. Pure; trusts no field.

`price` is the charge in USD for `per` units, and `unit` (or `name` and `measure` of a `fixed` price) says which.
Anything that does not clearly fit is an unknown price with its reason, never 0.
Source: the provider's page "Complete Model List", section on reading prices, 2026-08-19; OpenAPI `models`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

from wanbatch.batch.models import PriceClass
from wanbatch.batch.registry import ANY_MACHINE, MACHINE, registry
from wanbatch.money.credits import CREDITS_PER_USD, usd
from wanbatch.money.prices import PRICE_LIST, Quote, unknown_quote
from wanbatch.units import CREDITS_MAX

WORD_CAP = 40
_PER_SECOND = frozenset({"second", "seconds"})
_PER_CLIP = frozenset({"video", "videos", "generation", "generations", "request", "requests", "clip", "clips"})
_MADE = frozenset({"", "output", "generated"})  # what `measure` may say beside a known unit
_LINES = re.compile(r"([0-9]{3,4})p?")
_MACHINES = {"klingai": "kling"}  # documented as one machine under two names
_SECONDS = re.compile(r"([0-9]{1,4}(?:\.[0-9]{1,3})?) ?(?:s|sec|seconds?)?")


class _Unpriced(Exception):
    """The list gives no certain price; the text says why."""


def listed_quote(pricing: object, price_class: PriceClass) -> Quote:
    """Read the `pricing` object of one model for one class; if it gives no certain price, `why` gives the reason.

    A fraction of a credit is rounded up, so that a cap is never exceeded by rounding. `others` are the prices of the
    machines that the provider may fall back to.
    """
    try:
        credit_count, *others = _credits(pricing, price_class)
        return Quote(credit_count, PRICE_LIST, tuple(others), is_live=True)
    except _Unpriced as error:
        return unknown_quote(str(error))


def _credits(pricing: object, price_class: PriceClass) -> list[int]:
    """Return the price, and after it those of other machines that may make the clip."""
    if pricing is None:
        raise _Unpriced("the provider's list names no price for this model")
    if not isinstance(pricing, Mapping):
        raise _Unpriced(f"the provider's list has {_word(pricing)} in place of this model's prices")
    _assert_usd(pricing, "the provider's list")
    match pricing.get("kind"):
        case "fixed":
            return [_fixed(pricing, price_class)]
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


def _variant(pricing: Mapping[str, Any], price_class: PriceClass) -> list[int]:
    names = pricing.get("dimensions")
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise _Unpriced("the provider's list does not say what its rates depend on")
    asked, choices = price_class.asked, _choices(price_class.model)
    fitting = [
        (_charge(row, number, _text(row.get("unit")), price_class), open_names)
        for number, row in _conditional(pricing)
        if (open_names := _undecided(row, names, asked, choices)) is not None
    ]
    if not fitting:
        listed = [name for name in dict.fromkeys(("resolution", "duration", *names)) if name in asked]
        raise _Unpriced(f"the provider's list has no rate for {_listed(asked, listed) or 'this request'}")
    is_left_open = asked.get(MACHINE) == ANY_MACHINE
    decided = [charge for charge, open_names in fitting if not open_names]
    fallbacks = [charge for charge, open_names in fitting if open_names == {MACHINE} and is_left_open]
    if decided and len(decided) + len(fallbacks) == len(fitting):
        return [_only_price(decided), *sorted({*fallbacks} - {*decided})]
    charges, undecided = [charge for charge, _ in fitting], set().union(*(open_names for _, open_names in fitting))
    low, high = min(charges), max(charges)
    if low == high and len(charges) > 1:
        return [low]
    span = f"{usd(low):f}" if low == high else f"{usd(low):f} to {usd(high):f}"
    if undecided == {MACHINE} and is_left_open:
        raise _Unpriced(f"the provider chooses the machine (provider: auto), and each has a price ({span} USD a clip)")
    reported = ", ".join(sorted(map(_word, undecided)))
    raise _Unpriced(f"the price also depends on {reported} ({span} USD a clip)")


def _only_price(charges: Sequence[int]) -> int:
    low, high = min(charges), max(charges)
    if low != high:
        raise _Unpriced(f"the provider's list has several prices for this request ({usd(low):f}, {usd(high):f} USD)")
    return low


def _listed(asked: Mapping[str, Any], names: Iterable[str]) -> str:
    return ", ".join(f"{name} {_said(asked[name])}" for name in names)


def _said(value: object) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def _rows(pricing: Mapping[str, Any], name: str) -> Sequence[Any]:
    rows = pricing.get(name)
    if not isinstance(rows, list) or not rows:
        raise _Unpriced(f"the provider's list has no rates ('{name}') for this model")
    return rows


def _conditional(pricing: Mapping[str, Any]) -> Iterator[tuple[int, Mapping[str, Any]]]:
    """Yield the rows that say when they apply, with their numbers."""
    for number, row in enumerate(_rows(pricing, "variants"), 1):
        if not isinstance(row, Mapping) or not isinstance(row.get("when"), Mapping):
            raise _Unpriced(f"row {number} of the provider's list does not say when it applies")
        yield number, row


def _choices(model: str) -> Mapping[str, frozenset[str]]:
    """Return the choices of each parameter of a model, where its schema lists them."""
    found = registry().get(model)
    shapes = {} if found is None else found.parameters
    return {name: frozenset(map(_text, shape["enum"])) for name, shape in shapes.items() if "enum" in shape}


def _undecided(
    row: Mapping[str, Any], names: Sequence[str], asked: Mapping[str, Any], choices: Mapping[str, frozenset[str]]
) -> set[str] | None:
    """Return the conditions of a row that cannot be decided for a request; None if one of them does not hold."""
    when = row["when"]
    verdicts = {}
    for name in {*names, *map(str, when)}:
        verdict = _agrees(name, when.get(name), asked.get(name))
        told = {_text(when.get(name)), _text(asked.get(name))}
        is_another_choice = len(told) > 1 and told <= choices.get(name, frozenset())
        verdicts[name] = False if verdict is None and is_another_choice and name != MACHINE else verdict
    if False in verdicts.values():
        return None
    return {name for name, verdict in verdicts.items() if verdict is None}


def _agrees(name: str, reported: object, ours: object) -> bool | None:
    """Say whether a condition holds for what a request says; None if that cannot be decided."""
    if ours is None or reported is None:
        return None
    if name == "duration":
        seconds = _seconds(reported)
        return None if seconds is None else seconds == ours
    if not isinstance(reported, str | int | float) or isinstance(ours, bool) != _is_boolean(reported):
        return None
    if isinstance(ours, int | float) and not isinstance(ours, bool) and not isinstance(reported, str):
        return reported == ours
    theirs, mine = _text(_said(reported)), _text(_said(ours))
    if name == MACHINE:
        theirs, mine = _MACHINES.get(theirs, theirs), _MACHINES.get(mine, mine)
        return None if mine == ANY_MACHINE != theirs else theirs == mine
    their_lines, my_lines = _LINES.fullmatch(theirs), _LINES.fullmatch(mine)
    if their_lines is not None and my_lines is not None:
        return their_lines[1] == my_lines[1]
    is_one_language = (their_lines is None) == (my_lines is None)  # fhd may mean 1080p; that is not documented
    return theirs == mine if is_one_language else None


def _is_boolean(reported: object) -> bool:
    return isinstance(reported, bool) or _text(reported) in ("true", "false")


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
