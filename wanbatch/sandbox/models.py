"""The models that the sandbox serves: read from the schemas of models, by a reader of its own.

What a model makes and costs here: published are frame sizes of Wan 2.6 and the prices that `schemas/model-facts.json`
calls documented; the rest is the sandbox's own choice. Prices are in credits (2,000,000 are 1 USD).
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

from wanbatch.resources import facts_path, folder_of

FPS = 30
FIXED_S = 5  # the length of a clip of the models without a choice of length
LENGTH_CAP_S = 60

_SIZES = {
    480: {"16:9": (832, 480), "9:16": (480, 832), "1:1": (624, 624), "4:3": (720, 544), "3:4": (544, 720)},
    720: {"16:9": (1280, 720), "9:16": (720, 1280), "1:1": (960, 960), "4:3": (1088, 832), "3:4": (832, 1088)},
    1080: {
        "16:9": (1920, 1080),
        "9:16": (1080, 1920),
        "1:1": (1440, 1440),
        "4:3": (1632, 1248),
        "3:4": (1248, 1632),
    },
}
_NAMED_LINES = {"hd": 720, "fhd": 1080, "2k": 1440, "4k": 2160}
_PER_LINE_S = 300  # credits a second for each line of the picture: near what Wan 2.6 costs
_LINES_CAP = 2160


@dataclass(frozen=True, eq=False)
class Model:
    """One model: the schema of its requests, its other names, and the sandbox's choices for it."""

    name: str
    schema: Mapping[str, Any]
    aliases: tuple[str, ...] = ()
    own: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def parameters(self) -> Mapping[str, Any]:
        """What the schema says of each field."""
        parameters: Mapping[str, Any] = self.schema["properties"]
        return parameters

    @property
    def inputs(self) -> tuple[str, ...]:
        """What it makes video from, as the list of models names it."""
        kinds = {"text": "prompt", "image": "image", "video": "video_url", "audio": "audio_url"}
        return tuple(kind for kind, part in kinds.items() if any(part in name for name in self.parameters))

    @property
    def pace(self) -> float:
        """How long a generation takes, next to one of Wan 2.6."""
        return float(self.own.get("pace", 1.0))

    @property
    def ends(self) -> str:
        """What the provider says of its end; empty for nothing."""
        return str(self.own.get("ends", ""))

    @property
    def is_served(self) -> bool:
        """Whether it takes requests."""
        return self.ends != "withdrawn"

    def value_in(self, body: Mapping[str, Any], *names: str) -> Any:
        """Return what a body says in one of these fields, else the default of the one that the model has."""
        for name in names:
            if name in self.parameters:
                return body.get(name, self.parameters[name].get("default"))
        return None

    def made_of(self, body: Mapping[str, Any]) -> Made:
        """Say what a valid body orders, defaults filled in."""
        resolution = self.value_in(body, "resolution", "max_resolution")
        ratio = str(self.value_in(body, "aspect_ratio", "ratio") or "16:9")
        width, height = _size_of(self.value_in(body, "frame_size"), lines_of(resolution), ratio)
        duration_s = self._seconds(body)
        sound = self.value_in(body, "generate_audio", "generate_audio_switch")
        has_sound = bool(self.own.get("has_sound", False) if sound is None else sound) or "audio_url" in body
        credit_count = round(self.rate_of(body) * duration_s)
        named = str(resolution) if resolution is not None else f"{min(width, height)}p"
        return Made(named, ratio, width, height, duration_s, has_sound, credit_count)

    def rate_of(self, body: Mapping[str, Any]) -> float:
        """Return the credits for one second of what a body orders."""
        lines = lines_of(self.value_in(body, "resolution", "max_resolution"))
        reported = self.own.get("credits_per_s")
        if reported is not None:
            return float(reported[f"{lines}p"])
        rate = float(_PER_LINE_S * lines)
        if "generate_audio" in self.parameters and self.value_in(body, "generate_audio"):
            rate *= 1.5
        if str(self.value_in(body, "mode") or "").casefold() == "pro":
            rate *= 2
        if str(self.value_in(body, "provider") or "").casefold() == MIRROR:
            rate *= 1.25
        return rate

    def _seconds(self, body: Mapping[str, Any]) -> int:
        told: Any = self.value_in(body, "duration")
        frames: Any = self.value_in(body, "num_frames")
        if told is None and frames is not None:
            told = frames / (self.value_in(body, "frames_per_second", "fps") or 16)
        return min(LENGTH_CAP_S, max(1, round(float(told)))) if told is not None else FIXED_S


MIRROR = "fal"  # the second machine of models that have a choice of provider


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


def lines_of(resolution: Any) -> int:
    """Return how many lines a word for a picture's size means."""
    text = str(resolution or "720p").casefold()
    match = re.fullmatch(r"([0-9]{3,4})p?", text)
    return min(_LINES_CAP, int(match[1]) if match is not None else _NAMED_LINES.get(text, 720))


def _size_of(frame_size: Any, lines: int, ratio: str) -> tuple[int, int]:
    """Return width and height in pixels: as ordered outright, as published, else with the short side as ordered."""
    exact = re.fullmatch(r"([0-9]{3,4})[:x*]([0-9]{3,4})", str(frame_size or ""))
    if exact is not None:
        return _even(int(exact[1])), _even(int(exact[2]))
    if ratio in _SIZES.get(lines, {}):
        return _SIZES[lines][ratio]
    told = re.fullmatch(r"([0-9]{1,2}):([0-9]{1,2})", ratio)
    across, down = (int(told[1]), int(told[2])) if told is not None else (16, 9)
    long_side, short_side = round(lines * max(across, down) / min(across, down) / 2) * 2, _even(lines)
    return (long_side, short_side) if across >= down else (short_side, long_side)


def _even(pixels: int) -> int:
    """Return a side as the clip has it: its colours are kept for two pixels by two, so one of an odd length is cut."""
    return pixels // 2 * 2


def models_in(*folders: Path) -> Mapping[str, Model]:
    """Return the models of these folders of schemas, by name and in order; a later folder wins."""
    told = json.loads(facts_path().read_text(encoding="utf-8"))["models"]
    found: dict[str, Model] = {}
    for folder in folders:
        for path in sorted(folder.glob("*.schema.json")):
            schema = json.loads(path.read_text(encoding="utf-8"))
            named = schema["properties"]["model"]
            name = str(named["const"] if "const" in named else named["enum"][0])
            short = name.rsplit("/", maxsplit=1)[-1]
            aliases = () if short == name else (short,)
            found[name] = Model(name, schema, aliases, told.get(name, {}).get("sandbox", {}))
    return MappingProxyType(dict(sorted(found.items())))


def models_served(added: Path | None = None) -> Mapping[str, Model]:
    """Return all models: those that come with wanbatch, and those of a folder of a project."""
    if added is None or not added.is_dir():
        return _shipped()
    return MappingProxyType(dict(sorted({**_shipped(), **models_in(added)}.items())))


@cache
def _shipped() -> Mapping[str, Model]:
    return models_in(folder_of("schemas") / "models")


_KINDS = {0: "variable", 1: "tokens", 2: "thousands", 3: "clips"}  # of eight models one each; the rest are "rates"


def kind_of(model: Model) -> str:
    """Return the kind of price that a model's list has."""
    if "kind" in model.own or "credits_per_s" in model.own:
        return str(model.own.get("kind", "rates"))
    return _KINDS.get(hashlib.sha256(model.name.encode()).digest()[0] % 8, "rates")
