"""The slate: a clip of what the provider knows of a generation, with a running timecode and a tone."""

from __future__ import annotations

import colorsys
import hashlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from wanbatch.media import ClipSpec, encode_clip
from wanbatch.sandbox.models import FPS, Made

_INK, _DIM = (236, 236, 240), (150, 152, 160)
_PANEL = (18, 18, 18)  # neutral, so that digits on it change brightness only
_DIGITS = "0123456789:"
_WIDE_FONTS = (
    "NotoSansCJK-Regular.ttc",
    "NotoSansCJKsc-Regular.otf",
    "PingFang.ttc",
    "Arial Unicode.ttf",
    "DejaVuSans.ttf",
)
_SHOWN_APART = ("model", "prompt", "resolution", "aspect_ratio", "duration", "seed")

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def render(generation_id: str, body: Mapping[str, Any], made: Made, target: Path) -> None:
    """Write the clip of a generation: the size, length, frame rate and sound ordered. Slow; deterministic."""
    spec = ClipSpec(made.width, made.height, FPS, made.duration_s, made.has_audio)
    tone_hz = 220 * 2 ** (int(hashlib.sha256(generation_id.encode()).hexdigest(), 16) % 12 / 12)
    encode_clip(spec, _frames(spec, _yuv(draw_slate(generation_id, body, made)).copy()), tone_hz, target)


def draw_slate(generation_id: str, body: Mapping[str, Any], made: Made) -> Image.Image:
    """Draw all of a slate that does not move."""
    width, height = made.width, made.height
    unit = min(width, height) / 720
    tint = _tint(generation_id)
    image = _background(width, height, tint)
    pen = ImageDraw.Draw(image)
    edge = round(44 * unit)
    small, tiny = _font(round(26 * unit)), _font(round(21 * unit))
    pen.rectangle((0, 0, round(10 * unit), height), fill=_bright(tint))
    pen.text((edge, round(34 * unit)), "SANDBOX", font=small, fill=_bright(tint))
    model = str(body["model"]).split("/")[-1]
    pen.text((width - edge, round(34 * unit)), model, font=small, fill=_DIM, anchor="ra")
    panel_top = height - round(196 * unit)
    _draw_prompt(pen, str(body["prompt"]), (edge, round(92 * unit), width - edge, panel_top - round(20 * unit)), unit)
    pen.rectangle((round(10 * unit), panel_top, width, height), fill=_PANEL)
    facts = f"{made.resolution}   {made.aspect_ratio}   {made.duration_s} s   {made.width}x{made.height}"
    pen.text((edge, panel_top + round(18 * unit)), facts, font=small, fill=_INK)
    seed = f"seed {body.get('seed', 'not given')}" + ("   sound" if made.has_audio else "   silent")
    pen.text((edge, panel_top + round(54 * unit)), seed, font=tiny, fill=_DIM)
    others = "   ".join(f"{name}={value}" for name, value in sorted(body.items()) if name not in _SHOWN_APART)
    pen.text((edge, panel_top + round(84 * unit)), _clipped(others, tiny, width - 2 * edge), font=tiny, fill=_DIM)
    pen.text((edge, panel_top + round(114 * unit)), generation_id, font=tiny, fill=_DIM)
    return image


def _frames(spec: ClipSpec, picture: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """Yield the frames: one array, in which only the timecode and the progress bar change, in brightness alone."""
    unit = min(spec.width, spec.height) / 720
    atlas = _atlas(round(46 * unit))
    glyph_height, glyph_width = next(iter(atlas.values())).shape
    left = spec.width - round(44 * unit) - 11 * glyph_width
    top = spec.height - round(196 * unit) + round(100 * unit)
    bar = slice(spec.height - round(34 * unit), spec.height - round(24 * unit))
    bar_left, bar_right = round(44 * unit), spec.width - round(44 * unit)
    picture[bar, bar_left:bar_right] = 50
    for number in range(spec.frames):
        seconds, frame = divmod(number, spec.fps)
        text = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}:{frame:02d}"
        for place, char in enumerate(text):
            at = left + place * glyph_width
            picture[top : top + glyph_height, at : at + glyph_width] = atlas[char]
        picture[bar, bar_left : bar_left + (bar_right - bar_left) * (number + 1) // spec.frames] = 200
        yield picture


def _yuv(image: Image.Image) -> NDArray[np.uint8]:
    frame = av.VideoFrame.from_image(image).reformat(format="yuv420p")  # type: ignore[no-untyped-call]
    array: NDArray[np.uint8] = frame.to_ndarray()
    return array


def _atlas(size_px: int) -> dict[str, NDArray[np.uint8]]:
    """Draw each digit once, as brightness on the panel's grey; all of one size, even in both directions."""
    font = _font(size_px)
    width = max(round(font.getlength(char)) for char in _DIGITS) + 2
    height = round(size_px * 1.25)
    width, height = width + width % 2, height + height % 2
    atlas = {}
    for char in _DIGITS:
        image = Image.new("RGB", (width, height), _PANEL)
        ImageDraw.Draw(image).text((width / 2, height / 2), char, font=font, fill=_INK, anchor="mm")
        atlas[char] = _yuv(image)[:height, :width].copy()
    return atlas


def _tint(generation_id: str) -> tuple[float, float, float]:
    hue = hashlib.sha256(generation_id.encode()).digest()[0] / 255
    return colorsys.hls_to_rgb(hue, 0.17, 0.45)


def _bright(tint: tuple[float, float, float]) -> tuple[int, int, int]:
    hue, _, saturation = colorsys.rgb_to_hls(*tint)
    red, green, blue = colorsys.hls_to_rgb(hue, 0.68, saturation)
    return round(red * 255), round(green * 255), round(blue * 255)


def _background(width: int, height: int, tint: tuple[float, float, float]) -> Image.Image:
    """A colour of the generation's own that darkens downwards."""
    shade = np.linspace(1.0, 0.45, height)[:, None, None]
    colour = np.array(tint)[None, None, :] * 255
    return Image.fromarray(np.broadcast_to(shade * colour, (height, width, 3)).astype(np.uint8))


def _font(size_px: int, text: str = "") -> Font:
    if any(ord(char) > 0x24F for char in text):
        for name in _WIDE_FONTS:
            try:
                return ImageFont.truetype(name, size_px)
            except OSError:
                continue
    return ImageFont.load_default(size=size_px)


def _draw_prompt(pen: ImageDraw.ImageDraw, prompt: str, box: tuple[int, int, int, int], unit: float) -> None:
    """Fill a box with the prompt, as large as it fits; what does not fit at the smallest size ends in an ellipsis."""
    left, top, right, bottom = box
    shown = "".join(char if char.isprintable() else " " for char in prompt)
    for size in (52, 46, 40, 34, 29, 25, 22):
        font = _font(round(size * unit), shown)
        lines = _wrapped(shown, font, right - left)
        line_px = round(size * unit * 1.3)
        room = max(1, (bottom - top) // line_px)
        if len(lines) <= room:
            break
    if len(lines) > room:
        lines = [*lines[: room - 1], _clipped(lines[room - 1] + " …", font, right - left, must_clip=True)]
    at = top + max(0, (bottom - top - len(lines) * line_px) // 2)
    for line in lines:
        pen.text((left, at), line, font=font, fill=_INK)
        at += line_px


def _wrapped(text: str, font: Font, width_px: int) -> list[str]:
    lines: list[str] = [""]
    for word in text.split():
        longer = f"{lines[-1]} {word}".strip()
        if font.getlength(longer) <= width_px:
            lines[-1] = longer
            continue
        if lines[-1]:
            lines.append("")
        for char in word:  # a word may be wider than the line, and some scripts have no spaces
            if font.getlength(lines[-1] + char) > width_px:
                lines.append("")
            lines[-1] += char
    return lines


def _clipped(text: str, font: Font, width_px: int, *, must_clip: bool = False) -> str:
    if font.getlength(text) <= width_px and not must_clip:
        return text
    kept = text.rstrip(" …")
    while kept and font.getlength(f"{kept} …") > width_px:
        kept = kept[:-1]
    return f"{kept} …"
