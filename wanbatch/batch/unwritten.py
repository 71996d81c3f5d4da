"""What a request leaves to the defaults of its model, and the smaller clip that could be asked for instead. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from wanbatch.batch.models import PriceClass, defaults_of
from wanbatch.batch.registry import registry
from wanbatch.batch.shots import Recipe

SMALL_LINES, SMALL_DURATION_S = 720, 5  # what a first try of a prompt needs; a third of the price of 1080p 10 s
RESOLUTION, DURATION = "resolution", "duration"
_LINES = re.compile(r"([0-9]{3,4})p", re.IGNORECASE)


def unwritten(model: str, resolution: object, duration: object) -> tuple[str, ...]:
    """Return which of the two a request does not say and its model is known to fill in; None means not said."""
    known = defaults_of(model)
    pairs = ((RESOLUTION, resolution, known.resolution), (DURATION, duration, known.duration_s))
    return tuple(name for name, said, default in pairs if said is None and default is not None)


def unwritten_in(recipe: Recipe) -> tuple[str, ...]:
    """Return which of the two a recipe leaves to its model."""
    return unwritten(recipe.model, recipe.body.get(RESOLUTION), recipe.body.get(DURATION))


def smaller(price_class: PriceClass, names: tuple[str, ...]) -> PriceClass | None:
    """Return the class with 720p and 5 s in place of larger defaults, where the model has them; None if it is the
    same.
    """
    model = registry().get(price_class.model)
    if model is None:
        return None
    found = price_class
    if RESOLUTION in names and _lines(price_class.resolution) > SMALL_LINES:
        small = [each for each in _choices(model.parameters, RESOLUTION) if _lines(each) == SMALL_LINES]
        found = replace(found, resolution=small[0]) if small else found
    is_long = (price_class.duration_s or 0) > SMALL_DURATION_S
    if DURATION in names and is_long and _allows(model.parameters.get(DURATION, {})):
        found = replace(found, duration_s=SMALL_DURATION_S)
    return None if found == price_class else found


def _lines(resolution: object) -> int:
    found = _LINES.fullmatch(str(resolution))
    return int(found[1]) if found else 0


def _choices(parameters: Mapping[str, Any], name: str) -> list[str]:
    return [str(each) for each in parameters.get(name, {}).get("enum", ())]


def _allows(duration: Mapping[str, Any]) -> bool:
    if "enum" in duration:
        return str(SMALL_DURATION_S) in map(str, duration["enum"])
    low, high = duration.get("minimum", 1), duration.get("maximum", SMALL_DURATION_S)
    return bool(low <= SMALL_DURATION_S <= high)
