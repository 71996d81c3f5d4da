"""The provider's models: their documented defaults, frame sizes and prices.

Defaults are read from the schemas of the models, which follow the provider's OpenAPI files; prices are from its model
pages, version of 2026-08-21, frame sizes from Alibaba's own documentation of Wan. Nothing here is needed to submit: a
model that is not listed is simply less well known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from types import MappingProxyType
from typing import Any

from wanbatch.batch.shots import DEFAULT_MODEL, Recipe
from wanbatch.resources import model_names, parameters_of


@dataclass(frozen=True)
class ModelDefaults:
    """What the provider does if a request says nothing; None if the documentation does not say."""

    resolution: str | None
    aspect_ratio: str | None
    duration_s: int | None
    has_audio: bool | None


NO_DEFAULTS = ModelDefaults(None, None, None, None)


@cache
def defaults_of(model: str) -> ModelDefaults:
    """Return the defaults that a model's schema names; of a model without a schema none is known."""
    if model not in model_names():
        return NO_DEFAULTS
    reported = {name: parameter.get("default") for name, parameter in parameters_of(model).items()}
    return ModelDefaults(
        resolution=reported.get("resolution"),
        aspect_ratio=reported.get("aspect_ratio"),
        duration_s=reported.get("duration"),
        has_audio=reported.get("generate_audio"),
    )


# Alibaba documents these for Wan 2.6; off 16:9 they are not "short side = 720 or 1080".
FRAME_SIZES: Mapping[tuple[str, str], tuple[int, int]] = MappingProxyType(
    {
        ("720p", "16:9"): (1280, 720),
        ("720p", "9:16"): (720, 1280),
        ("720p", "1:1"): (960, 960),
        ("720p", "4:3"): (1088, 832),
        ("720p", "3:4"): (832, 1088),
        ("1080p", "16:9"): (1920, 1080),
        ("1080p", "9:16"): (1080, 1920),
        ("1080p", "1:1"): (1440, 1440),
        ("1080p", "4:3"): (1632, 1248),
        ("1080p", "3:4"): (1248, 1632),
    }
)
_SIZED_MODELS = frozenset({"alibaba/wan-2-6-t2v", "alibaba/wan-2-7-t2v"})

# Credits in the documentation's own sample answers, each for the model's default settings.
DOCUMENTED_CREDITS: Mapping[tuple[str, str, int], int] = MappingProxyType(
    {
        ("alibaba/wan-2-6-t2v", "1080p", 10): 3_150_000,
        ("alibaba/wan-2-6-r2v", "1080p", 10): 3_150_000,
        ("alibaba/wan-2-7-t2v", "1080p", 10): 3_900_000,
    }
)


@dataclass(frozen=True)
class Order:
    """What a recipe asks for once the documented defaults are filled in; None if that is not known."""

    model: str
    resolution: str | None
    aspect_ratio: str | None
    duration_s: int | None
    has_audio: bool | None

    @property
    def price_class(self) -> PriceClass:
        """What the price depends on."""
        return PriceClass(self.model, self.resolution, self.duration_s)

    @property
    def frame_size(self) -> tuple[int, int] | None:
        """Width and height in pixels, where documented for this model."""
        if self.model not in _SIZED_MODELS or self.resolution is None or self.aspect_ratio is None:
            return None
        return FRAME_SIZES.get((self.resolution, self.aspect_ratio))


@dataclass(frozen=True, order=True)
class PriceClass:
    """Takes of one class cost the same and take about as long."""

    model: str
    resolution: str | None
    duration_s: int | None

    def __str__(self) -> str:
        parts = [self.model.split("/")[-1], self.resolution or "", f"{self.duration_s} s" if self.duration_s else ""]
        return " ".join(part for part in parts if part)

    @property
    def weight(self) -> float:
        """How long the generation may take, relative to others: longest first shortens a mixed night."""
        lines = {"480p": 0.5, "720p": 1.0, "1080p": 2.0}.get((self.resolution or "1080p").lower(), 1.0)
        return lines * (self.duration_s or 5) * (2.5 if "wan-2-7" in self.model else 1.0)


def class_of(model: str | None, resolution: str | None, duration: Any) -> PriceClass:
    """Return the price class of a request that says this, None if it says nothing: then the documented default."""
    model = DEFAULT_MODEL if model is None else model
    known = defaults_of(model)
    duration_s = known.duration_s if duration is None else int(duration)
    return PriceClass(model, known.resolution if resolution is None else resolution, duration_s)


def order_of(recipe: Recipe) -> Order:
    """Read what a recipe asks for, with the documented defaults of its model."""
    body: Mapping[str, Any] = recipe.body
    known = defaults_of(recipe.model)
    priced = class_of(recipe.model, body.get("resolution"), body.get("duration"))
    audio = True if "audio_url" in body else body.get("generate_audio", known.has_audio)
    return Order(
        model=recipe.model,
        resolution=priced.resolution,
        aspect_ratio=body.get("aspect_ratio", known.aspect_ratio),
        duration_s=priced.duration_s,
        has_audio=audio,
    )
