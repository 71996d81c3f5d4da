"""The slate: a clip that shows what the provider knows about a generation, with a running timecode and a tone."""

from __future__ import annotations

import colorsys
import hashlib
from bisect import bisect_right
from collections.abc import Iterator, Mapping
from itertools import repeat
from pathlib import Path
from typing import Any

import av
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from wanbatch.clip.encoding import ClipSpec, encode_clip
from wanbatch.clip.letters import Lettering, letter
from wanbatch.clip.slate_design import Box, colour_of, draw_stripes, fitted, hue_of
from wanbatch.sandbox.given_pictures import BARE, Shown, dissolved
from wanbatch.sandbox.labels import Label
from wanbatch.sandbox.models import FPS, Made

_INK, _DIM = (236, 236, 240), (150, 152, 160)
_PANEL = (18, 18, 18)  # neutral, so that digits on it change brightness only
_DIGITS = "0123456789:"
LABEL_HEIGHT = 150  # at 720 lines
TAKE_SHARE = 0.18  # of the width
_SHOWN_APART = ("model", "prompt", "resolution", "aspect_ratio", "duration", "seed")

Font = ImageFont.FreeTypeFont | ImageFont.ImageFont


def render(generation_id: str, body: Mapping[str, Any], made: Made, target: Path, shown: Shown = BARE) -> None:
    """Write the clip of a generation: the size, length, frame rate and sound ordered. Slow; deterministic.

    It begins and ends with the pictures that were ordered, if any were.
    """
    spec = ClipSpec(made.width, made.height, FPS, made.duration_s, made.has_audio)
    tone_hz = tone_of(share_of(generation_id))
    slate = draw_slate(generation_id, body, made, shown.label)
    shown.draw_references(body, slate)
    first, last = (None if each is None else yuv_of(each) for each in shown.ends(body, (made.width, made.height)))
    encode_clip(spec, dissolved(frames_of(spec, yuv_of(slate).copy()), spec.frames, first, last), tone_hz, target)


def share_of(generation_id: str) -> float:
    """Return a number from 0 to 1 that is a generation's own: what its clip has of its own where pictures are equal."""
    return int(hashlib.sha256(generation_id.encode()).hexdigest()[:13], 16) / 16**13


def tone_of(share: float) -> float:
    """Return the pitch of a clip's tone in Hz: within an octave."""
    return float(220 * 2**share)


def render_spoilt(do: str, generation_id: str, picture: Image.Image, made: Made, target: Path) -> None:
    """Write a whole clip with a defect: `black`, `frozen`, or `silent` with a track that holds no sound."""
    spec = ClipSpec(made.width, made.height, FPS, made.duration_s, made.has_audio)
    slate = yuv_of(picture).copy()
    if do == "silent":
        encode_clip(spec, frames_of(spec, slate), 0.0, target)
        return
    if do == "black":
        slate[: spec.height], slate[spec.height :] = 16, 128
    encode_clip(spec, repeat(slate, spec.frames), tone_of(share_of(generation_id)), target)


def draw_slate(generation_id: str, body: Mapping[str, Any], made: Made, label: Label | None = None) -> Image.Image:
    """Draw the part of a slate that does not move.

    With a label it shows scene, shot and take, in the colour of the scene: grey without one.
    """
    width, height = made.width, made.height
    unit = min(width, height) / 720
    named = generation_id if label is None else label.scene
    tint = colorsys.hls_to_rgb(hue_of(named), 0.17, 0.45 if named else 0.0)
    image = _background(width, height, tint)
    pen = ImageDraw.Draw(image)
    edge = round(44 * unit)
    small, tiny = _font(round(26 * unit)), _font(round(21 * unit))
    pen.rectangle((0, 0, round(10 * unit), height), fill=_bright(tint))
    _draw_mark(pen, (edge, round(30 * unit)), tiny, _bright(tint))
    model = str(body["model"]).split("/")[-1]
    pen.text((width - edge, round(43 * unit)), model, font=small, fill=_DIM, anchor="rm")
    top = round(92 * unit)
    if label is not None:
        _draw_label(image, label, (edge, top, width - edge, top + round(LABEL_HEIGHT * unit)), unit)
        top += round((LABEL_HEIGHT + 16) * unit)
    panel_top = height - round(196 * unit)
    _draw_prompt(pen, str(body.get("prompt", "")), (edge, top, width - edge, panel_top - round(20 * unit)), unit)
    pen.rectangle((round(10 * unit), panel_top, width, height), fill=_PANEL)
    facts = f"{made.resolution}   {made.aspect_ratio}   {made.duration_s} s   {made.width}x{made.height}"
    pen.text((edge, panel_top + round(18 * unit)), facts, font=small, fill=_INK)
    seed = f"seed {body.get('seed', 'not given')}" + ("   sound" if made.has_audio else "   silent")
    pen.text((edge, panel_top + round(54 * unit)), seed, font=tiny, fill=_DIM)
    others = "   ".join(f"{name}={value}" for name, value in sorted(body.items()) if name not in _SHOWN_APART)
    others, lettering = letter(others, round(21 * unit))
    lettering.draw(pen, (edge, panel_top + round(84 * unit)), _clipped(others, lettering, width - 2 * edge), _DIM)
    pen.text((edge, panel_top + round(114 * unit)), generation_id, font=tiny, fill=_DIM)
    return image


def _draw_label(image: Image.Image, label: Label, box: Box, unit: float) -> None:
    """Draw a clapper's stripes, and under them the scene over the shot at the left, the take at the right."""
    left, top, right, _ = box
    colour = colour_of(label.scene)
    draw_stripes(image, (left, top, right, top + round(22 * unit)), 2 * unit, (colour, _PANEL))
    pen, split = ImageDraw.Draw(image), right - round((right - left) * TAKE_SHARE)
    cells = (
        (left, split - round(16 * unit) - left, f"SCENE {label.scene}" if label.scene else "SHOT", label.shot),
        (split, right - split, "TAKE", f"{label.take}"),
    )
    for begin, room, caption, value in cells:
        for size, at, text, ink in ((26, 34, caption, colour), (68, 68, value, _INK)):
            shown, font = fitted(text, size * unit, room)
            # Smaller letters stand on the same line as large ones.
            font.draw(pen, (begin, top + round(at * unit) + round(size * unit) - font.size_px), shown, ink)


def _draw_mark(pen: ImageDraw.ImageDraw, at: tuple[int, int], font: Font, colour: tuple[int, int, int]) -> None:
    """Draw the word that distinguishes a slate from a real clip, on a plate."""
    left, top, right, bottom = pen.textbbox(at, "SANDBOX", font=font)
    room = (bottom - top) * 0.7
    plate = (at[0], top - room, right + (at[0] - left) + 2 * room, bottom + room)
    pen.rounded_rectangle(plate, radius=room * 0.6, fill=colour)
    pen.text((at[0] + room, at[1]), "SANDBOX", font=font, fill=_PANEL)


def frames_of(spec: ClipSpec, picture: NDArray[np.uint8]) -> Iterator[NDArray[np.uint8]]:
    """Yield the frames: one array, in which only the timecode and the progress bar change, in brightness alone."""
    unit = min(spec.width, spec.height) / 720
    atlas = _atlas(round(40 * unit))
    start = spec.width - round(44 * unit) - sum(atlas[char].shape[1] for char in "00:00:00:00")
    top = spec.height - round(196 * unit) + round(16 * unit)
    bar = slice(spec.height - round(34 * unit), spec.height - round(24 * unit))
    bar_left, bar_right = round(44 * unit), spec.width - round(44 * unit)
    picture[bar, bar_left:bar_right] = 50
    for number in range(spec.frames):
        seconds, frame = divmod(number, spec.fps)
        text = f"{seconds // 3600:02d}:{seconds // 60 % 60:02d}:{seconds % 60:02d}:{frame:02d}"
        left = start
        for char in text:
            glyph = atlas[char]
            picture[top : top + glyph.shape[0], left : left + glyph.shape[1]] = glyph
            left += glyph.shape[1]
        picture[bar, bar_left : bar_left + (bar_right - bar_left) * (number + 1) // spec.frames] = 200
        yield picture


def yuv_of(image: Image.Image) -> NDArray[np.uint8]:
    """Return a picture as the encoder takes it: brightness above, colours below."""
    frame = av.VideoFrame.from_image(image).reformat(format="yuv420p")  # type: ignore[no-untyped-call]
    array: NDArray[np.uint8] = frame.to_ndarray()
    return array


def _atlas(size_px: int) -> dict[str, NDArray[np.uint8]]:
    """Draw each digit once, as brightness on the panel's grey; sizes are even, and the same for all digits."""
    font = _font(size_px)
    height = round(size_px * 1.25 / 2) * 2
    atlas = {}
    for char in _DIGITS:
        width = round(font.getlength("0") * (0.6 if char == ":" else 1.04) / 2) * 2
        image = Image.new("RGB", (width, height), _PANEL)
        ImageDraw.Draw(image).text((width / 2, height / 2), char, font=font, fill=_INK, anchor="mm")
        atlas[char] = yuv_of(image)[:height, :width].copy()
    return atlas


def _bright(tint: tuple[float, float, float]) -> tuple[int, int, int]:
    hue, _, saturation = colorsys.rgb_to_hls(*tint)
    red, green, blue = colorsys.hls_to_rgb(hue, 0.68, saturation)
    return round(red * 255), round(green * 255), round(blue * 255)


def _background(width: int, height: int, tint: tuple[float, float, float]) -> Image.Image:
    """A background in the colour of the scene or the generation, darker towards the bottom."""
    shade = np.linspace(1.0, 0.45, height)[:, None, None]
    colour = np.array(tint)[None, None, :] * 255
    return Image.fromarray(np.broadcast_to(shade * colour, (height, width, 3)).astype(np.uint8))


def _font(size_px: int) -> Font:
    return ImageFont.load_default(size=size_px)


def _draw_prompt(pen: ImageDraw.ImageDraw, prompt: str, box: tuple[int, int, int, int], unit: float) -> None:
    """Fill a box with the prompt, as large as possible; a text too long for the smallest size ends in an ellipsis."""
    left, top, right, bottom = box
    for size in (52, 46, 40, 34, 29, 25, 22):
        shown, font = letter(prompt, round(size * unit))
        lines = _wrapped(shown, font, right - left)
        line_px = round(size * unit * 1.3)
        room = max(1, (bottom - top) // line_px)
        if len(lines) <= room:
            break
    if len(lines) > room:
        lines = [*lines[: room - 1], _clipped(lines[room - 1] + " …", font, right - left, must_clip=True)]
    at = top + max(0, (bottom - top - len(lines) * line_px) // 2)
    for line in lines:
        font.draw(pen, (left, at), line, _INK)
        at += line_px


def _wrapped(text: str, font: Lettering, width_px: int) -> list[str]:
    """Break a text into lines. Widths of words are added up: measuring every line again costs a second for each
    slate.
    """
    lines: list[str] = [""]
    blank_px, line_px = font.getlength(" "), 0.0
    for word in text.split():
        word_px = font.getlength(word)
        if lines[-1] and line_px + blank_px + word_px > width_px:
            lines.append("")
        if word_px > width_px:  # some scripts have no spaces
            line_px = _spread(word, font, width_px, lines)
        elif lines[-1]:
            lines[-1] += f" {word}"
            line_px += blank_px + word_px
        else:
            lines[-1], line_px = word, word_px
    return lines


def _spread(word: str, font: Lettering, width_px: int, lines: list[str]) -> float:
    """Break a word that is wider than a line; returns the width of what is on the last line."""
    line_px = 0.0
    for char in word:
        char_px = font.getlength(char)
        if line_px + char_px > width_px:
            lines.append("")
            line_px = 0.0
        lines[-1] += char
        line_px += char_px
    return line_px


def _clipped(text: str, font: Lettering, width_px: int, *, must_clip: bool = False) -> str:
    """Return as much of a text as fits, with an ellipsis if something is missing."""
    if not must_clip and font.getlength(text) <= width_px:
        return text
    text = text.rstrip(" …")

    def width_of(length: int) -> int:
        return round(font.getlength(f"{text[:length]} …"))

    fitting = bisect_right(range(len(text) + 1), width_px, key=width_of)
    return f"{text[: max(0, fitting - 1)].rstrip()} …"
