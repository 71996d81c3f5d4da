"""A still: a picture that a shot is given, checked by its content, turned upright, and without metadata.

EXIF, XMP, comments and texts stay at home: they say where a picture was taken, by whom and with what. Colours stay as
they are. PNGs keep each pixel; JPEGs keep their quantization and the resolution of their colours, also when they are
turned.
"""

from __future__ import annotations

import io
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from PIL import Image, ImageOps, JpegImagePlugin, UnidentifiedImageError

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
_LIES_FROM = 5  # orientations from 5 on swap width and height
_FULL, _HALF_WIDTH = 0, 1  # how Pillow calls 4:4:4 and 4:2:2
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
    orientation = picture.getexif().get(_ORIENTATION, _UPRIGHT)
    is_turned = orientation != _UPRIGHT
    coding = _coding(picture, is_lying=orientation >= _LIES_FROM) if form == "JPEG" else {}
    upright = ImageOps.exif_transpose(picture) if is_turned else picture
    has_alpha = upright.has_transparency_data and _is_seen_through(upright)
    if form == "PNG" and not is_turned:
        sent, mime = _without_metadata(source), _MIMES["PNG"]
    else:
        sent, mime = _saved(upright, coding)
    return GivenBytes(form=form, mime=mime, sent=sent, width=upright.width, height=upright.height, has_alpha=has_alpha)


def _too_large(width: str, height: str) -> str:
    size = f"is {width}x{height} pixels" if height else "has far too many pixels"
    return f"{size}; wanbatch sends at most {SIDE_PX_MAX} a side and {PIXELS_MAX // 100_000 / 10} million in all"


def _is_seen_through(picture: Image.Image) -> bool:
    """Say whether any pixel is less than opaque."""
    least = picture.convert("RGBA").getchannel("A").getextrema()[0]
    return isinstance(least, int | float) and least < 255


def _coding(picture: Image.Image, *, is_lying: bool) -> dict[str, Any]:
    """Return how a JPEG is to be saved so that it is coded as it was; `is_lying` if it is to be turned by a quarter."""
    assert isinstance(picture, JpegImagePlugin.JpegImageFile)
    tables = [picture.quantization[number] for number in sorted(picture.quantization)]
    sampling = JpegImagePlugin.get_sampling(picture)
    if is_lying:
        tables = [[table[8 * column + row] for row in range(8) for column in range(8)] for table in tables]
    # Pillow writes no 4:4:0, into which a quarter turns 4:2:2: no colours are lost in 4:4:4
    is_kept = sampling > _HALF_WIDTH or (sampling == _HALF_WIDTH and not is_lying)
    return {"qtables": tables, "subsampling": sampling if is_kept else _FULL}


def _saved(picture: Image.Image, coding: Mapping[str, Any]) -> tuple[bytes, str]:
    """Return the bytes that are sent, and their type: lossless, but for JPEGs, which have a `coding`."""
    told: dict[str, Any] = {"icc_profile": picture.info.get("icc_profile")}
    made = io.BytesIO()
    if coding:
        picture.info.pop("comment", None)
        picture.save(made, "JPEG", **coding, **told)
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
