"""Files inside of requests: `data:` URLs, decoded strictly, and what the sandbox keeps of them.

A reader of its own: it shares no code with the client that writes them. The provider documents Base64 for some fields
and its envelope for errors; which pictures it refuses is not documented, so this refuses what no model could read.
"""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from PIL import Image, ImageOps
from starlette.requests import Request

from wanbatch.sandbox.sounds import seconds_of

BODY_CAP_BYTES = 64 * 1024 * 1024
_TEXT_CAP = 1024 * 1024  # of a body that is kept as it came
_FILE_CAP_BYTES = 20_000_000
_PIXELS_CAP = 40_000_000
_SIDE_CAP = 1920  # of what is kept for drawing
_URL = re.compile(r"data:([a-z]+/[a-z0-9.+-]+);base64,([A-Za-z0-9+/]+={0,2})")
_BASE64 = re.compile(r"base64|data[ -]ur[il]", re.IGNORECASE)
_FORMS = {"image/png": "PNG", "image/jpeg": "JPEG", "image/webp": "WEBP", "image/bmp": "BMP"}
_SOUNDS = frozenset({"audio/wav", "audio/mpeg"})
_TEXTS = ("prompt", "negative_prompt")


async def body_of(request: Request) -> bytes:
    """Read a body up to just over the cap."""
    pieces, size_bytes = [], 0
    async for piece in request.stream():
        pieces.append(piece)
        size_bytes += len(piece)
        if size_bytes > BODY_CAP_BYTES:
            break
    return b"".join(pieces)


@dataclass
class GivenBody:
    """A body with names in place of files: `value` is its JSON, None if it is none, and `text` what is kept of it.

    It may have a mebibyte, and 64 with files in it.

    `pictures` are small JPEGs by name; `faults` says what is wrong with its files, in the provider's words.
    """

    text: str
    value: Any = None
    is_json: bool = True
    is_too_large: bool = False
    pictures: dict[str, bytes] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)


def given_in(raw: bytes, models: Mapping[str, Any]) -> GivenBody:
    """Take the files out of a body. `models` are those that are served: their schemas say which fields take Base64."""
    text = raw[:_TEXT_CAP].decode("utf-8", "replace")
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError):
        return GivenBody(text, is_json=False, is_too_large=len(raw) > _TEXT_CAP)
    if b"data:" not in raw or not isinstance(value, dict):
        return GivenBody(text, value, is_too_large=len(raw) > _TEXT_CAP)
    found = GivenBody("", {}, is_too_large=len(raw) > BODY_CAP_BYTES)
    model = models.get(str(value.get("model")))
    shapes = {} if model is None else model.parameters
    for name, each in value.items():
        shape = shapes.get(name, {})
        takes = _BASE64.search(" ".join(_descriptions(shape))) is not None
        found.value[name] = each if name in _TEXTS else _without_files(each, name, found, takes=takes)
    found.text = json.dumps(found.value, ensure_ascii=False)
    return found


def _descriptions(shape: Mapping[str, Any]) -> Iterator[str]:
    yield str(shape.get("description", ""))
    for each in (shape.get("items", {}), *shape.get("anyOf", ()), *shape.get("properties", {}).values()):
        if each:
            yield from _descriptions(each)


def _without_files(value: Any, path: str, found: GivenBody, *, takes: bool) -> Any:
    if isinstance(value, list):
        return [_without_files(each, f"{path}.{n}", found, takes=takes) for n, each in enumerate(value)]
    if isinstance(value, dict):
        return {name: _without_files(each, f"{path}.{name}", found, takes=takes) for name, each in value.items()}
    if not isinstance(value, str) or not value.startswith("data:"):
        return value
    if not takes:
        found.faults.append(f"{path}: Invalid url")
        return "data:,"
    try:
        name, picture = _file_in(value)
    except ValueError as error:
        found.faults.append(f"{path}: {error}")
        return "data:,"
    if picture is not None:
        found.pictures[name] = picture
    return name


def _file_in(url: str) -> tuple[str, bytes | None]:
    """Return the name that a file is kept under, and a small picture of it; None for a sound. Raises ValueError."""
    match = _URL.fullmatch(url)
    if match is None or len(match[2]) % 4:
        raise ValueError("Invalid url")
    mime, data = match[1], base64.b64decode(match[2], validate=True)
    if mime not in _FORMS and mime not in _SOUNDS:
        raise ValueError(f"Unsupported media type {mime}")
    if len(data) > _FILE_CAP_BYTES:
        raise ValueError("File is too large")
    name = f"data:{mime};sha256,{hashlib.sha256(data).hexdigest()}"
    if mime in _SOUNDS:
        seconds_of(data, mime)
        return name, None
    return name, _small(data, mime)


def _small(data: bytes, mime: str) -> bytes:
    """Decode a picture of this type, and return it as a JPEG that is large enough to draw with. Raises ValueError."""
    unreadable = f"The image cannot be decoded as {mime}"
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            picture = Image.open(io.BytesIO(data), formats=[_FORMS[mime]])
    except Exception as error:  # whatever its bytes do to the library
        raise ValueError(unreadable) from error
    if picture.width * picture.height > _PIXELS_CAP:
        raise ValueError("The image has too many pixels")
    try:
        plain = ImageOps.exif_transpose(picture).convert("RGB")
    except Exception as error:
        raise ValueError(unreadable) from error
    plain.thumbnail((_SIDE_CAP, _SIDE_CAP))
    made = io.BytesIO()
    plain.save(made, "JPEG", quality=92, subsampling=0)
    return made.getvalue()
