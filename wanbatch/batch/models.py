"""The orders of the provider's models: what a recipe asks for, its price class and its frame size.

Defaults are read from the schemas of the models (`registry.py`); frame sizes and documented prices are from
`schemas/model-facts.json`. Nothing here is needed to submit: a model that is not listed is simply less well known.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from wanbatch.batch.registry import ANY_MACHINE, MACHINE, Model, Registry, model_facts, registry
from wanbatch.batch.shots import DEFAULT_MODEL, Recipe

_LINES = re.compile(r"([0-9]{3,4})[pP]")
_SIZE = re.compile(r"([0-9]{2,4})[:x*]([0-9]{2,4})")
_WIDE = ("16:9", "9:16")


@dataclass(frozen=True)
class ModelDefaults:
    """What the provider does if a request says nothing; None if the documentation does not say."""

    resolution: str | None
    aspect_ratio: str | None
    duration_s: int | None
    has_audio: bool | None


USUAL_LINES, USUAL_S = 1080, 5
NO_DEFAULTS = ModelDefaults(None, None, None, None)


def defaults_of(name: str) -> ModelDefaults:
    """Return the defaults that a model's schema names; of a model without a schema none is known."""
    model = registry().get(name)
    if model is None:
        return NO_DEFAULTS
    return ModelDefaults(
        resolution=model.default_of("resolution"),
        aspect_ratio=model.default_of("aspect_ratio"),
        duration_s=model.default_of("duration"),
        has_audio=model.default_of("generate_audio"),
    )


@lru_cache(maxsize=256)
def frame_sizes_of(model: Model) -> Mapping[tuple[str, str], tuple[int, int]]:
    """Return width and height by resolution and aspect ratio, where they are documented for a model; else nothing."""
    named = model_facts()["frame_sizes"].get(model.facts.get("frame_sizes"), {})
    return {
        (resolution, ratio): (width, height)
        for resolution, sizes in named.items()
        for ratio, (width, height) in sizes.items()
    }


def documented_prices() -> Mapping[PriceClass, int]:
    """Return the credits in the documentation's own sample answers, by what they were charged for."""
    return _documented_prices(registry())


@lru_cache(maxsize=16)
def _documented_prices(models: Registry) -> Mapping[PriceClass, int]:
    return {
        PriceClass(model.name, row["resolution"], row["duration"]): row["credits"]
        for model in models
        for row in model.facts.get("documented_prices", ())
    }


@dataclass(frozen=True)
class Order:
    """What a recipe asks for once the documented defaults are filled in; None if that is not known.

    `frame` is the size of the picture where the order names one, such as `1280:720`; `inputs` are the parameters with
    images and videos in them.
    """

    model: str
    resolution: str | None
    aspect_ratio: str | None
    duration_s: int | None
    has_audio: bool | None
    settings: tuple[tuple[str, str], ...] = ()
    frame: str | None = None
    inputs: tuple[str, ...] = ()

    @property
    def price_class(self) -> PriceClass:
        """What the price depends on."""
        return PriceClass(self.model, self.resolution, self.duration_s, self.settings)

    @property
    def machine(self) -> str | None:
        """Who is to make the clip: a name, or `auto` where the provider chooses; None for models without a choice."""
        told = self.price_class.asked.get(MACHINE)
        return told if isinstance(told, str) else None

    @property
    def frame_size(self) -> tuple[int, int] | None:
        """Width and height in pixels, where the order names them, or they are documented for this model."""
        exact = _SIZE.fullmatch(self.frame or "")
        if exact is not None:
            return int(exact[1]), int(exact[2])
        model = registry().get(self.model)
        if model is None or self.resolution is None or self.aspect_ratio is None:
            return None
        return frame_sizes_of(model).get((self.resolution, self.aspect_ratio))

    @property
    def lines(self) -> int | None:
        """How many pixels the short side has, where the order fixes that and no more.

        A resolution such as 1080p is the short side where that is documented, and of 16:9 and 9:16, which the clip
        of an image or a video need not have. If the frame size is documented, that is what counts.
        """
        model, found = registry().get(self.model), _LINES.fullmatch(str(self.resolution or ""))
        if model is None or found is None or self.frame_size is not None:
            return None
        is_wide = self.aspect_ratio in _WIDE and not self.inputs
        return int(found[1]) if is_wide or _is_short_side(model) else None

    @property
    def length_s(self) -> int | None:
        """How long the clip has to be; None if that is not known, or follows a video that is changed."""
        return None if "video_url" in self.inputs else self.duration_s


def _is_short_side(model: Model) -> bool:
    """Say whether it is documented that a resolution is the short side, whatever the shape of the picture."""
    told = model.parameters.get("resolution", {}).get("description", "")
    return bool(model.facts.get("resolution_is_short_side")) or "number refers to the short side" in told


@dataclass(frozen=True, order=True)
class PriceClass:
    """Takes of one class cost the same and take about as long.

    `settings` are the other parameters that a price may depend on, by name, each as JSON says it: only those in which
    a request differs from its model's defaults.
    """

    model: str
    resolution: str | None
    duration_s: int | None
    settings: tuple[tuple[str, str], ...] = ()

    def __str__(self) -> str:
        parts = [_short(self.model), self.resolution or "", f"{self.duration_s} s" if self.duration_s else ""]
        named = [
            f"{name} {json.loads(value)}".replace("True", "true").replace("False", "false")
            for name, value in self.settings
        ]
        return ", ".join([" ".join(part for part in parts if part), *named])

    @property
    def size(self) -> float:
        """How much a clip of the class holds, in squares of lines times seconds; usual ones where it does not say."""
        lines = (self.resolution or "").lower().removesuffix("p")
        return float(lines if lines.isdecimal() and int(lines) else USUAL_LINES) ** 2 * (self.duration_s or USUAL_S)

    @property
    def asked(self) -> Mapping[str, Any]:
        """What a request of this class says to each parameter that a price may depend on, defaults filled in.

        What is not known is left out.
        """
        model = registry().get(self.model)
        defaults = {} if model is None else {name: model.default_of(name) for name in model.settings}
        told = {"resolution": self.resolution, "duration": self.duration_s, **defaults}
        told |= {name: json.loads(value) for name, value in self.settings}
        return {name: value for name, value in told.items() if value is not None}

    @property
    def weight(self) -> float:
        """How long the generation may take, relative to others: longest first shortens a mixed night."""
        lines = {"480p": 0.5, "720p": 1.0, "1080p": 2.0}.get((self.resolution or "1080p").lower(), 1.0)
        model = registry().get(self.model)
        return lines * (self.duration_s or 5) * (model.pace if model is not None else 1.0)


_VERSIONED = re.compile(r"[^/]+/([^/]*[0-9][^/]*)")


def _short(model: str) -> str:
    """Return a model's name without its vendor, if what is left names a version: no other vendor has that name."""
    found = _VERSIONED.fullmatch(model)
    return found[1] if found is not None else model


def priced_names() -> tuple[str, ...]:
    """Return the parameters that the price class of a request is made of."""
    return ("model", "resolution", "duration", *registry().settings)


def class_of(told: Mapping[str, Any]) -> PriceClass:
    """Return the price class of a request; what it does not say is the documented default.

    Of `told` only `priced_names` are looked at; one that is None counts as not said.
    """
    name = str(DEFAULT_MODEL if told.get("model") is None else told["model"])
    known, resolution, duration = defaults_of(name), told.get("resolution"), told.get("duration")
    return PriceClass(
        model=name,
        resolution=known.resolution if resolution is None else resolution,
        duration_s=_seconds(known.duration_s if duration is None else duration),
        settings=tuple(_settings_in(told, registry().get(name))),
    )


def _settings_in(told: Mapping[str, Any], model: Model | None) -> Iterable[tuple[str, str]]:
    """Yield the settings in which a request differs from its model's defaults; of an unknown model, all that it has."""
    for name in registry().settings if model is None else model.settings:
        value = told.get(name)
        if name == MACHINE and isinstance(value, str):
            value = value.strip().casefold()  # documented: it may be written in any case
        default = model.default_of(name) if model is not None else ANY_MACHINE if name == MACHINE else None
        is_simple = isinstance(value, str | int | float)
        if is_simple and not (value == default and isinstance(value, bool) == isinstance(default, bool)):
            yield name, json.dumps(value, ensure_ascii=False)


def _seconds(told: Any) -> int | None:
    """Return a length in whole seconds; None for anything else, such as a word or -1 for whatever suits."""
    try:
        return int(told) if float(told) == int(told) and int(told) > 0 else None
    except (TypeError, ValueError, OverflowError):
        return None


def order_of(recipe: Recipe) -> Order:
    """Read what a recipe asks for, with the documented defaults of its model."""
    body: Mapping[str, Any] = recipe.body
    priced = class_of({**body, "model": recipe.model})
    model, frame = registry().get(recipe.model), _told(body, "frame_size")
    audio = True if "audio_url" in body else _told(body, "generate_audio", "generate_audio_switch")
    return Order(
        model=recipe.model,
        resolution=priced.resolution,
        aspect_ratio=_told(body, "aspect_ratio", "ratio"),
        duration_s=priced.duration_s,
        has_audio=audio if isinstance(audio, bool) else None,
        settings=priced.settings,
        frame=frame if isinstance(frame, str) else None,
        inputs=() if model is None else tuple(name for name in model.inputs if name in body),
    )


def _told(body: Mapping[str, Any], *names: str) -> Any:
    """Return what a request says under the first of these names that its model has, else that model's default."""
    model = registry().get(str(body.get("model", DEFAULT_MODEL)))
    for name in names:
        if name in body:
            return body[name]
        if model is not None and name in model.parameters:
            return model.default_of(name)
    return None
