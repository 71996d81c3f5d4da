"""The sandbox's price lists, in the documented rows; which model has which kind is its own choice.

By the second, by a thousand seconds or by the clip: one rate (`fixed`), or one for each combination of what the price
depends on (`variants`). Some models are `variable`, and some charge by tokens: those cannot be quoted ahead.
"""

from __future__ import annotations

import re
from itertools import product
from typing import Any

from wanbatch.sandbox.books import usd
from wanbatch.sandbox.models import FIXED_S, MIRROR, Model, kind_of

_PRICED = ("resolution", "max_resolution", "mode", "generate_audio", "provider")
_NAMED_MACHINE = re.compile(r"`([a-z]+)`")
_TOKENS_PER_S = 20_000


def pricing_of(model: Model) -> dict[str, Any]:
    """Return what the list says of a model's price."""
    kind = kind_of(model)
    if kind == "variable":
        return {"kind": "variable", "currency": "USD"}
    if kind == "tokens":
        price = usd(round(model.rate_of({}) * 1_000_000 / _TOKENS_PER_S))
        return _fixed({"name": "token", "measure": "output", "price": price, "per": 1_000_000})
    has_length = bool({"duration", "num_frames"} & set(model.parameters))
    is_by_clip = kind == "clips" and len(_choices(model, "duration")) > 1
    names = [*_named(model), *(["duration"] if is_by_clip else [])]
    unit, per = ("second", 1000 if kind == "thousands" else 1) if has_length and not is_by_clip else ("video", 1)
    combinations = product(*([(name, value) for value in _choices(model, name)] for name in names))
    rates = {}
    for when in combinations:
        seconds = dict(when)["duration"] if is_by_clip else 1 if has_length else FIXED_S
        rates[when] = usd(round(model.rate_of(dict(when)) * seconds * per))
    if len(set(rates.values())) == 1:
        return _fixed({"name": unit, "measure": "output", "price": next(iter(rates.values())), "per": per})
    rows = [{"when": dict(when), "price": price, "unit": unit, "per": per} for when, price in rates.items()]
    return {"kind": "variants", "currency": "USD", "dimensions": names, "variants": rows}


def _fixed(unit: dict[str, Any]) -> dict[str, Any]:
    return {"kind": "fixed", "currency": "USD", "units": [unit]}


def _named(model: Model) -> list[str]:
    """Return what a model's price depends on."""
    names = _PRICED[:1] if "credits_per_s" in model.own else _PRICED
    return [name for name in names if name in model.parameters and len(_choices(model, name)) > 1]


def _choices(model: Model, name: str) -> tuple[Any, ...]:
    shape = model.parameters.get(name, {})
    if name == "provider" and "enum" not in shape:
        named = _NAMED_MACHINE.search(shape.get("description", ""))
        return "auto", named[1] if named is not None else model.name.split("/")[0], MIRROR
    return (True, False) if shape.get("type") == "boolean" else tuple(shape.get("enum", ()))
