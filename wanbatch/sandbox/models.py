"""The models that the sandbox serves: their published parameters, and what they make and cost here.

Parameters and defaults are those of the provider's OpenAPI files (2026-08-21). Prices are in credits (2,000,000 are
1 USD): published are 3,150,000 for 10 s of Wan 2.6 at 1080p and 3,900,000 for the same of Wan 2.7; the rest is the
sandbox's own.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from wanbatch.sandbox.books import usd

SEED_CAP = 2**31 - 1
FPS = 30
FIXED_S = 5  # the length of a clip of the models without a choice of length

_RATIOS = ("16:9", "9:16", "1:1", "4:3", "3:4")
_SIZES = {
    "480p": {"16:9": (832, 480), "9:16": (480, 832), "1:1": (624, 624), "4:3": (720, 544), "3:4": (544, 720)},
    "720p": {"16:9": (1280, 720), "9:16": (720, 1280), "1:1": (960, 960), "4:3": (1088, 832), "3:4": (832, 1088)},
    "1080p": {
        "16:9": (1920, 1080),
        "9:16": (1080, 1920),
        "1:1": (1440, 1440),
        "4:3": (1632, 1248),
        "3:4": (1248, 1632),
    },
}


@dataclass(frozen=True)
class Parameter:
    """One field of a request body: its JSON type, the values it may have, its longest text, whether it may be blank."""

    kind: str
    choices: tuple[Any, ...] = ()
    cap: int | None = None
    default: Any = None
    is_filled: bool = False


@dataclass(frozen=True)
class Model:
    """One model: its fields, its credits a second by resolution, how long it takes, whether it has sound."""

    name: str
    parameters: Mapping[str, Parameter]
    credits_per_s: Mapping[str, int]
    pace: float
    has_sound: bool

    def made_of(self, body: Mapping[str, Any]) -> Made:
        """Say what a valid body orders, defaults filled in."""

        def value(name: str, otherwise: Any) -> Any:
            parameter = self.parameters.get(name)
            return body.get(name, parameter.default if parameter is not None else otherwise)

        resolution, ratio = str(value("resolution", "720p")), str(value("aspect_ratio", "16:9"))
        width, height = _SIZES[resolution.lower()][ratio]
        duration_s = int(value("duration", FIXED_S))
        sound = bool(value("generate_audio", self.has_sound)) or "audio_url" in body
        credit_count = self.credits_per_s[resolution.lower()] * duration_s
        return Made(resolution, ratio, width, height, duration_s, sound, credit_count)


@dataclass(frozen=True)
class Made:
    """What a request makes: pixels, seconds, and its price in credits."""

    resolution: str
    aspect_ratio: str
    width: int
    height: int
    duration_s: int
    has_audio: bool
    credits: int

    @property
    def weight(self) -> float:
        """How long it takes, as a share of 10 s at 1080p: the sandbox's own guess."""
        return {"480p": 0.4, "720p": 0.7}.get(self.resolution.lower(), 1.0) * (0.4 + 0.6 * self.duration_s / 10)


def _model(name: str, version: str, resolutions: tuple[str, ...], credits_per_s: Mapping[str, int]) -> Model:
    modern = version in ("2.6", "2.7")
    parameters = {
        "model": Parameter("string", (name,)),
        "prompt": Parameter("string", cap=1500 if version == "2.6" else None, is_filled=True),
        "aspect_ratio": Parameter("string", _RATIOS[:3] if version == "2.5" else _RATIOS, default="16:9"),
        "resolution": Parameter("string", resolutions, default=resolutions[-1]),
        "negative_prompt": Parameter("string"),
        "seed": Parameter("integer"),
        "enhance_prompt": Parameter("boolean", default=True),
    }
    if modern:
        parameters["audio_url"] = Parameter("url")
        parameters["shot_type"] = Parameter("string", ("single", "multi"), default="single")
        parameters["generate_audio"] = Parameter("boolean", default=True)
    if modern or version == "2.5":
        parameters["duration"] = Parameter("integer", (5, 10, 15) if modern else (5, 10), default=10)
    else:
        parameters["watermark"] = Parameter("boolean", default=False)
    pace = {"2.7": 2.5, "2.6": 1.0, "2.5": 0.9}.get(version, 0.6)
    return Model(
        name, MappingProxyType(parameters), MappingProxyType(dict(credits_per_s)), pace, modern or version == "2.5"
    )


MODELS: Mapping[str, Model] = MappingProxyType(
    {
        model.name: model
        for model in (
            _model("alibaba/wan-2-6-t2v", "2.6", ("720p", "1080p"), {"720p": 210_000, "1080p": 315_000}),
            _model("alibaba/wan-2-7-t2v", "2.7", ("720p", "1080p"), {"720p": 260_000, "1080p": 390_000}),
            _model(
                "alibaba/wan2.5-t2v-preview",
                "2.5",
                ("480p", "720p", "1080p"),
                {"480p": 105_000, "720p": 210_000, "1080p": 315_000},
            ),
            _model("alibaba/wan2.2-t2v-plus", "2.2", ("480P", "1080P"), {"480p": 42_000, "1080p": 210_000}),
            _model("alibaba/wan2.1-t2v-plus", "2.1", ("720P",), {"720p": 210_000}),
            _model("alibaba/wan2.1-t2v-turbo", "2.1", ("480P", "720P"), {"480p": 75_600, "720p": 75_600}),
        )
    }
)

# On the provider's list, but they need pictures or clips, which the sandbox does not fetch.
UNSERVED = frozenset(
    f"alibaba/{name}"
    for name in (
        "wan2.2-i2v-plus",
        "wan2.5-i2v-preview",
        "wan-2-6-i2v",
        "wan-2-6-image-to-video-flash",
        "wan-2-6-r2v",
        "wan-2-7-i2v",
        "wan-2-7-r2v",
    )
)

UNQUOTED = frozenset({"alibaba/wan2.1-t2v-plus"})  # only the answer to a submit shows its price


def faults_in(body: Mapping[str, Any]) -> list[str]:
    """Return what is wrong with a request body, as the provider words it; the model must be one that is served."""
    model = MODELS[str(body["model"])]
    found = [f"{name}: Required" for name in ("prompt",) if name not in body]
    for name, value in body.items():
        parameter = model.parameters.get(name)
        if parameter is None:
            found.append(f"Unrecognized key in object: '{name}'")
        else:
            hint = _hint(parameter, value)
            if hint:
                found.append(f"{name}: {hint}")
    return found


def _hint(parameter: Parameter, value: Any) -> str:
    expected = {"url": "string"}.get(parameter.kind, parameter.kind)
    got = _kind(value)
    if got != expected:
        return f"Expected {expected}, received {got}"
    if parameter.choices and value not in parameter.choices:
        allowed = " | ".join(repr(choice) for choice in parameter.choices)
        return f"Invalid enum value. Expected {allowed}, received {value!r}"
    if parameter.kind == "integer" and not parameter.choices and not 0 <= value <= SEED_CAP:
        return f"Number must be from 0 to {SEED_CAP}, received {value}"
    if parameter.kind == "url" and not str(value).startswith(("https://", "http://")):
        return "Invalid url"
    if parameter.is_filled and not str(value).strip():
        return "String must contain at least 1 character(s)"
    if parameter.kind in ("string", "url") and any(0xD800 <= ord(char) < 0xE000 for char in value):
        return "Expected text, received half a character"
    if parameter.cap is not None and len(value) > parameter.cap:
        return f"String must contain at most {parameter.cap} character(s), received {len(value)}"
    return ""


def _kind(value: Any) -> str:
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int):
        return "integer"
    for kind, name in ((float, "number"), (str, "string"), (list, "array"), (dict, "object")):
        if isinstance(value, kind):
            return name
    return "null"


def pricing_of(model: Model) -> dict[str, Any]:
    """Return a model's price list in the documented rows; which model has which kind is the sandbox's own choice.

    By the second if the length can be chosen, else by the clip: one rate for each resolution (`variants`), or one
    rate (`fixed`). One model is `variable`, which cannot be quoted ahead.
    """
    if model.name in UNQUOTED:
        return {"kind": "variable", "currency": "USD"}
    unit, seconds = ("second", 1) if "duration" in model.parameters else ("video", FIXED_S)
    rates = {
        name: usd(model.credits_per_s[str(name).lower()] * seconds) for name in model.parameters["resolution"].choices
    }
    if len(set(rates.values())) == 1:
        price = next(iter(rates.values()))
        return {
            "kind": "fixed",
            "currency": "USD",
            "units": [{"name": unit, "measure": "output", "price": price, "per": 1}],
        }
    rows = [{"when": {"resolution": name}, "price": price, "unit": unit, "per": 1} for name, price in rates.items()]
    return {"kind": "variants", "currency": "USD", "dimensions": ["resolution"], "variants": rows}
