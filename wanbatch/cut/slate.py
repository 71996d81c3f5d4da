"""The slate of a hole: a picture that says which shot is missing from a cut, how long it is, and why."""

from __future__ import annotations

import colorsys
import hashlib
from dataclasses import dataclass

from PIL import Image, ImageDraw

from wanbatch.clip.letters import Lettering, letter

_BACK, _PLATE, _INK, _DIM, _ALERT = (24, 25, 28), (36, 38, 43), (238, 238, 240), (150, 153, 160), (240, 180, 70)
_SMALLEST_PX = 9

Picture = Image.Image


@dataclass(frozen=True)
class Card:
    """The text on a slate. `why` may be long: it is cut to fit."""

    project: str
    scene: str
    shot: str
    take: str
    length: str
    why: str


def draw_card(card: Card, width: int, height: int) -> Picture:
    """Draw a slate of this size. The same card gives the same picture on one machine."""
    unit = min(width, height) / 100
    image = Image.new("RGB", (width, height), _BACK)
    pen = ImageDraw.Draw(image)
    edge = round(6 * unit)
    pen.rectangle((edge, edge, width - edge, height - edge), fill=_PLATE)
    _draw_stripes(image, (edge, edge, width - edge, round(14 * unit)), unit, colour_of(card.scene))
    left, room = round(12 * unit), width - round(24 * unit)
    rows = (
        (20, 5.0, _DIM, card.project),
        (28, 5.0, _DIM, f"scene {card.scene}" if card.scene else ""),
        (38, 13.0, _INK, card.shot),
        (58, 8.0, _ALERT, card.take),
        (71, 5.0, _INK, card.length),
    )
    for top, size, colour, text in rows:
        shown, font = _fitting(text, size * unit, room)
        font.draw(pen, (left, round(top * height / 100)), shown, colour)
    _draw_reason(pen, card.why, (left, round(80 * height / 100), room, 2), 3.6 * unit)
    return image


def colour_of(scene: str) -> tuple[int, int, int]:
    """Return the colour of a scene, the same on every slate of it; white for shots without a scene."""
    if not scene:
        return _INK
    hue = hashlib.sha256(scene.encode()).digest()[0] / 256
    red, green, blue = colorsys.hsv_to_rgb(hue, 0.45, 0.95)
    return round(red * 255), round(green * 255), round(blue * 255)


def _draw_stripes(
    image: Image.Image, box: tuple[int, int, int, int], unit: float, colour: tuple[int, int, int]
) -> None:
    """Draw the clapper's stripes across the top of the plate, in the colour of the scene."""
    left, top, right, bottom = box
    strip = Image.new("RGB", (right - left, bottom - top), colour)
    pen = ImageDraw.Draw(strip)
    step, tall = max(4, round(12 * unit)), bottom - top
    for begin in range(-tall, right - left, 2 * step):
        pen.polygon(((begin, tall), (begin + tall, 0), (begin + tall + step, 0), (begin + step, tall)), fill=_BACK)
    image.paste(strip, (left, top))
    ImageDraw.Draw(image).line((left, bottom, right, bottom), fill=_BACK, width=max(1, round(unit)))


def _draw_reason(pen: ImageDraw.ImageDraw, text: str, box: tuple[int, int, int, int], size_px: float) -> None:
    """Draw a text in lines: left, top, width in pixels, and the largest number of lines."""
    left, top, room, most = box
    shown, font = letter(text, max(_SMALLEST_PX, round(size_px)))
    lines: list[str] = []
    for word in shown.split():
        longer = f"{lines[-1]} {word}" if lines else word
        if lines and font.getlength(longer) <= room:
            lines[-1] = longer
        else:
            lines.append(word)
    if len(lines) > most:
        lines = [*lines[: most - 1], f"{lines[most - 1]} …"]
    for number, line in enumerate(lines):
        clipped = line
        while len(clipped) > 1 and font.getlength(clipped) > room:
            clipped = clipped[:-2].rstrip() + "…"
        font.draw(pen, (left, top + number * round(size_px * 1.35)), clipped, _DIM)


def _fitting(text: str, size_px: float, room_px: int) -> tuple[str, Lettering]:
    """Choose a size in which a text fits on one line; returns the text as it can be drawn."""
    text = " ".join(text.split())
    while True:
        shown, font = letter(text, max(_SMALLEST_PX, round(size_px)))
        if size_px <= _SMALLEST_PX or font.getlength(shown) <= room_px:
            return shown, font
        size_px = max(_SMALLEST_PX, size_px * 0.9)
