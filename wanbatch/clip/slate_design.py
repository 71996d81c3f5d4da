"""The design of slates, those of a cut and of the sandbox: a colour for each scene, stripes in it, lines that fit."""

from __future__ import annotations

import colorsys
import hashlib

from PIL import Image, ImageDraw

from wanbatch.clip.letters import Colour, Lettering, letter

SMALLEST_PX = 9
NO_SCENE: Colour = (238, 238, 240)

Box = tuple[int, int, int, int]


def hue_of(scene: str) -> float:
    """Return the hue of a scene, from 0 to 1: the same on every slate of it."""
    return hashlib.sha256(scene.encode()).digest()[0] / 256


def colour_of(scene: str) -> Colour:
    """Return the colour of a scene, the same on every slate of it; white for shots without a scene."""
    if not scene:
        return NO_SCENE
    red, green, blue = colorsys.hsv_to_rgb(hue_of(scene), 0.45, 0.95)
    return round(red * 255), round(green * 255), round(blue * 255)


def draw_stripes(image: Image.Image, box: Box, unit: float, colours: tuple[Colour, Colour]) -> None:
    """Draw the stripes of a clapper: those of the first colour on the second."""
    left, top, right, bottom = box
    colour, ground = colours
    strip = Image.new("RGB", (right - left, bottom - top), colour)
    pen = ImageDraw.Draw(strip)
    step, tall = max(4, round(12 * unit)), bottom - top
    for begin in range(-tall, right - left, 2 * step):
        pen.polygon(((begin, tall), (begin + tall, 0), (begin + tall + step, 0), (begin + step, tall)), fill=ground)
    image.paste(strip, (left, top))
    ImageDraw.Draw(image).line((left, bottom, right, bottom), fill=ground, width=max(1, round(unit)))


def fitted(text: str, size_px: float, room_px: int) -> tuple[str, Lettering]:
    """Choose a size in which a text fits on one line; returns the text as it can be drawn.

    One that is too long for the smallest size loses its end.
    """
    text = " ".join(text.split())
    while True:
        shown, font = letter(text, max(SMALLEST_PX, round(size_px)))
        if font.getlength(shown) <= room_px:
            return shown, font
        if size_px <= SMALLEST_PX:
            return clipped(shown, font, room_px), font
        size_px = max(SMALLEST_PX, size_px * 0.9)


def clipped(text: str, font: Lettering, room_px: int) -> str:
    """Return as much of a text as fits into a line, with an ellipsis if something is missing."""
    while len(text) > 1 and font.getlength(text) > room_px:
        text = text[:-2].rstrip() + "…"
    return text
