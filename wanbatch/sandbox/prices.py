"""The sandbox's price lists, in the documented rows; which model has which kind is its own choice.

By the second if the length can be chosen, else by the clip: one rate (`fixed`), or one for each combination of what the
price depends on (`variants`). Some models are `variable`, which cannot be quoted ahead.
"""

from __future__ import annotations

from itertools import product
from typing import Any

from wanbatch.sandbox.books import usd
from wanbatch.sandbox.models import FIXED_S, MIRROR, Model, kind_of

_PRICED = ("resolution", "max_resolution", "mode", "generate_audio", "provider")


def pricing_of(model: Model) -> dict[str, Any]:
    """Return what the list says of a model's price."""
    if kind_of(model) == "variable":
        return {"kind": "variable", "currency": "USD"}
    unit, seconds = ("second", 1) if {"duration", "num_frames"} & set(model.parameters) else ("video", FIXED_S)
    combinations = product(*([(name, value) for value in _choices(model, name)] for name in _named(model)))
    rates = {when: usd(round(model.rate_of(dict(when)) * seconds)) for when in combinations}
    if len(set(rates.values())) == 1:
        price = next(iter(rates.values()))
        units = [{"name": unit, "measure": "output", "price": price, "per": 1}]
        return {"kind": "fixed", "currency": "USD", "units": units}
    rows = [{"when": dict(when), "price": price, "unit": unit, "per": 1} for when, price in rates.items()]
    return {"kind": "variants", "currency": "USD", "dimensions": list(_named(model)), "variants": rows}


def _named(model: Model) -> list[str]:
    """Return what a model's price depends on."""
    names = _PRICED[:1] if "credits_per_s" in model.own else _PRICED
    return [name for name in names if name in model.parameters and len(_choices(model, name)) > 1]


def _choices(model: Model, name: str) -> tuple[Any, ...]:
    if name == "provider":
        return model.name.split("/")[0], MIRROR
    shape = model.parameters[name]
    return (True, False) if shape.get("type") == "boolean" else tuple(shape.get("enum", ()))
