"""Pictures and sounds for tests: stills of two colours, sounds of one tone, and a model that takes all of them."""

from __future__ import annotations

import io
import json
import wave
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from wanbatch.batch.request_schemas import HTTPS_PATTERN
from wanbatch.clip.inspection import Here
from wanbatch.manifest import load_manifest
from wanbatch.runner.settings import RunSettings

LEFT, RIGHT = (200, 60, 30), (30, 90, 200)
I2V, R2V, T2V = "alibaba/wan-2-6-i2v", "alibaba/wan-2-7-r2v", "alibaba/wan-2-6-t2v"
LENS = "studio/lens-1"  # takes files in every role


def still(width: int = 640, height: int = 360, left: Any = LEFT, right: Any = RIGHT) -> Image.Image:
    """Two halves, each of one colour."""
    pixels = np.zeros((height, width, 3), np.uint8)
    pixels[:, : width // 2], pixels[:, width // 2 :] = left, right
    return Image.fromarray(pixels)


def rocks() -> Image.Image:
    """A picture with details of every size."""
    rng = np.random.default_rng(18)
    sizes = [(720 // each, 1280 // each) for each in (2, 8, 60)]
    noise = [np.clip(rng.normal(128, 40, size), 0, 255).astype(np.uint8) for size in sizes]
    layers = [Image.fromarray(each).resize((1280, 720)) for each in noise]
    bands = [Image.blend(layers[0], layer, 0.5) for layer in (*layers[1:], layers[1])]
    return Image.merge("RGB", bands)


def save(path: Path, picture: Image.Image | None = None, **options: Any) -> Path:
    """Save a picture in the format of its name."""
    path.parent.mkdir(parents=True, exist_ok=True)
    (still() if picture is None else picture).save(path, **options)
    return path


def bytes_of(picture: Image.Image, form: str, **options: Any) -> bytes:
    """Return a picture as a file of a format."""
    made = io.BytesIO()
    picture.save(made, form, **options)
    return made.getvalue()


def tone(path: Path, seconds: float = 1.0, rate: int = 8000) -> Path:
    """Save a sound as WAV."""
    path.parent.mkdir(parents=True, exist_ok=True)
    samples = (8000 * np.sin(np.arange(int(seconds * rate)) / 10)).astype("<i2")
    with wave.open(str(path), "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(rate)
        file.writeframes(samples.tobytes())
    return path


def add_lens(folder: Path, **more: Any) -> None:
    """Put a model beside a manifest that takes files as first and last frame, as references and as sound."""
    address = {"type": "string", "format": "uri", "pattern": HTTPS_PATTERN}
    told = {"description": "A direct link, or a Base64-encoded local file."}
    schema = {
        "type": "object",
        "additionalProperties": False,
        "required": ["model", "prompt"],
        "properties": {
            "model": {"const": LENS},
            "prompt": {"type": "string", "maxLength": 400},
            "duration": {"type": "integer", "enum": [5, 10], "default": 5},
            "image_url": {**address, **told},
            "last_image_url": {**address, **told},
            "reference_image_urls": {"type": "array", "items": address, "maxItems": 3, **told},
            "audio_url": {**address, **told},
        },
        **more,
    }
    (folder / "models").mkdir(exist_ok=True)
    (folder / "models" / "studio__lens-1.schema.json").write_text(json.dumps(schema))


def manifest(folder: Path, *shots: dict[str, Any], name: str = "shots.json", **head: Any) -> Path:
    """Write a manifest; shots get ids, prompts and the model that begins from a picture if they say nothing else."""
    made = [{"id": f"sh{n:03d}", "prompt": "She turns.", "model": I2V, **shot} for n, shot in enumerate(shots)]
    path = folder / name
    path.write_text(json.dumps({"version": 1, **head, "shots": made}))
    return path


def request_of(path: Path, number: int = 0) -> dict[str, Any]:
    """Return what one shot of a manifest asks for."""
    return dict(load_manifest(path).shots[number].request)


def opening_in(folder: Path, settings: RunSettings | None = None) -> RunSettings:
    """Return settings of a run whose files are in a folder."""
    asked = RunSettings() if settings is None else settings
    return replace(asked, open_given=lambda file: Here().given(folder / file.name, file.kind.value, with_data=True))
