"""The slate of a hole: a picture that says which shot is missing from a cut, how long it is, and why."""

from __future__ import annotations

from dataclasses import dataclass

from PIL import Image, ImageDraw

from wanbatch.clip.letters import letter
from wanbatch.clip.slate_design import SMALLEST_PX, clipped, colour_of, draw_stripes, fitted

_BACK, _PLATE, _INK, _DIM, _ALERT = (24, 25, 28), (36, 38, 43), (238, 238, 240), (150, 153, 160), (240, 180, 70)

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
    draw_stripes(image, (edge, edge, width - edge, round(14 * unit)), unit, (colour_of(card.scene), _BACK))
    left, room = round(12 * unit), width - round(24 * unit)
    rows = (
        (20, 5.0, _DIM, card.project),
        (28, 5.0, _DIM, f"scene {card.scene}" if card.scene else ""),
        (38, 13.0, _INK, card.shot),
        (58, 8.0, _ALERT, card.take),
        (71, 5.0, _INK, card.length),
    )
    for top, size, colour, text in rows:
        shown, font = fitted(text, size * unit, room)
        font.draw(pen, (left, round(top * height / 100)), shown, colour)
    _draw_reason(pen, card.why, (left, round(80 * height / 100), room, 2), 3.6 * unit)
    return image


def _draw_reason(pen: ImageDraw.ImageDraw, text: str, box: tuple[int, int, int, int], size_px: float) -> None:
    """Draw a text in lines: left, top, width in pixels, and the largest number of lines."""
    left, top, room, most = box
    shown, font = letter(text, max(SMALLEST_PX, round(size_px)))
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
        font.draw(pen, (left, top + number * round(size_px * 1.35)), clipped(line, font, room), _DIM)
