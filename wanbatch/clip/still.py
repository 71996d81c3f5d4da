"""A still: a picture that a shot is given, checked by its content, turned upright, and without metadata.

EXIF, XMP, comments and texts stay at home: they say where a picture was taken, by whom and with what. Colours stay as
they are. PNGs keep each pixel; JPEGs keep their quantization.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator
from typing import Any

from PIL import Image, ImageOps, UnidentifiedImageError

from wanbatch.clip.bounds import PIXELS_MAX
from wanbatch.clip.given import GivenBytes
from wanbatch.errors import MediaInvalid

SIDE_PX_MAX = 8192  # of a picture that is sent: more than any model of 2026 takes
_FORMATS = ("PNG", "JPEG", "WEBP", "BMP")
_MIMES = {"PNG": "image/png", "JPEG": "image/jpeg"}
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
# What a picture is made of, and how its colours are meant. All else in a PNG is metadata.
_PNG_KEPT = frozenset({b"IHDR", b"PLTE", b"IDAT", b"IEND", b"tRNS", b"iCCP", b"sRGB", b"gAMA", b"cHRM", b"sBIT"})
_UPRIGHT = 1
_ORIENTATION = 0x0112
_PLAIN = frozenset({"L", "RGB", "RGBA", "I;16", "1", "LA", "P"})  # modes that a PNG holds as they are


def read_still(source: bytes) -> GivenBytes:
    """Check a picture to its last pixel, and return what is sent for it. Slow: run it off the event loop.

    Raises MediaInvalid with the reason, worded to follow the name of the file.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)  # our own bound is checked below
            with Image.open(io.BytesIO(source), formats=_FORMATS) as picture:
                return _read(picture, source)
    except MediaInvalid:
        raise
    except MemoryError:
        raise
    except Image.DecompressionBombError as error:
        raise MediaInvalid(_too_large("more", "")) from error
    except UnidentifiedImageError as error:
        raise MediaInvalid("is not a PNG, JPEG, WebP or BMP file (judged by its content, not its name)") from error
    except (OSError, SyntaxError, ValueError, EOFError, IndexError, KeyError, TypeError, OverflowError) as error:
        raise MediaInvalid(f"is damaged: its picture cannot be decoded ({str(error)[:120]})") from error


def _read(picture: Image.Image, source: bytes) -> GivenBytes:
    width, height = picture.size
    if width * height > PIXELS_MAX or max(width, height) > SIDE_PX_MAX:
        raise MediaInvalid(_too_large(str(width), str(height)))
    form = "JPEG" if picture.format in ("JPEG", "MPO") else str(picture.format)
    if form != "JPEG" and getattr(picture, "n_frames", 1) > 1:
        raise MediaInvalid("is an animation; save the one frame that you want, as a PNG or JPEG")
    picture.load()
    is_turned = picture.getexif().get(_ORIENTATION, _UPRIGHT) != _UPRIGHT
    upright = ImageOps.exif_transpose(picture) if is_turned else picture
    has_alpha = upright.has_transparency_data and _is_seen_through(upright)
    sent, mime = _sent(upright, source, form, is_turned=is_turned)
    return GivenBytes(form=form, mime=mime, sent=sent, width=upright.width, height=upright.height, has_alpha=has_alpha)


def _too_large(width: str, height: str) -> str:
    size = f"is {width}x{height} pixels" if height else "has far too many pixels"
    return f"{size}; wanbatch sends at most {SIDE_PX_MAX} a side and {PIXELS_MAX // 100_000 / 10} million in all"


def _is_seen_through(picture: Image.Image) -> bool:
    """Say whether any pixel is less than opaque."""
    least = picture.convert("RGBA").getchannel("A").getextrema()[0]
    return isinstance(least, int | float) and least < 255


def _sent(picture: Image.Image, source: bytes, form: str, *, is_turned: bool) -> tuple[bytes, str]:
    """Return the bytes that are sent, and their type: lossless, but for JPEGs."""
    if form == "PNG" and not is_turned:
        return _without_metadata(source), _MIMES["PNG"]
    told: dict[str, Any] = {"icc_profile": picture.info.get("icc_profile")}
    made = io.BytesIO()
    if form == "JPEG":
        picture.info.pop("comment", None)
        quality: Any = "keep" if picture.format == "JPEG" else 95
        picture.save(made, "JPEG", quality=quality, **told)
        return made.getvalue(), _MIMES["JPEG"]
    plain = picture if picture.mode in _PLAIN else picture.convert("RGB")
    plain.info = {name: value for name, value in plain.info.items() if name == "transparency"}
    plain.save(made, "PNG", **told)
    return made.getvalue(), _MIMES["PNG"]


def _without_metadata(png: bytes) -> bytes:
    """Return a PNG, which was decoded without an error, without the chunks that do not make its picture."""
    return _SIGNATURE + b"".join(chunk for name, chunk in _chunks(png) if name in _PNG_KEPT)


def _chunks(png: bytes) -> Iterator[tuple[bytes, bytes]]:
    at = len(_SIGNATURE)
    while at + 8 <= len(png):
        end = at + 12 + int.from_bytes(png[at : at + 4])
        name = png[at + 4 : at + 8]
        yield name, png[at:end]
        if name == b"IEND":
            return
        at = end
