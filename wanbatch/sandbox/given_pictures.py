"""The pictures of a request, as its clip shows them: the first frame, the last one, and references, small."""

from __future__ import annotations

import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps

from wanbatch.sandbox.labels import Label

HOLD, FADE = 6, 24  # frames: as it was given, and then dissolving into the slate
_FIRST = ("first_frame_image", "image_url", "image")
_LAST = ("last_image_url", "tail_image_url", "last_frame_image")
_INSETS, _INSET_PX = 4, 120  # how many references are drawn, and how high at 720 lines


@dataclass(frozen=True)
class Shown:
    """What a clip shows beside its slate: its take's label, and the pictures of its request by name."""

    label: Label | None = None
    pictures: Mapping[str, bytes] = field(default_factory=dict)

    def ends(self, body: Mapping[str, Any], size: tuple[int, int]) -> tuple[Image.Image | None, Image.Image | None]:
        """Return the first and the last frame that were ordered, as large as the clip; None without one."""
        return self._frame(body, _FIRST, size), self._frame(body, _LAST, size)

    def _frame(self, body: Mapping[str, Any], names: Sequence[str], size: tuple[int, int]) -> Image.Image | None:
        given = (self.pictures[str(body[name])] for name in names if str(body.get(name)) in self.pictures)
        found = next(given, None)
        return None if found is None else ImageOps.fit(Image.open(io.BytesIO(found)), size)

    def draw_references(self, body: Mapping[str, Any], slate: Image.Image) -> None:
        """Draw the pictures of all other fields small into a slate."""
        unit = min(slate.size) / 720
        edge, height = round(20 * unit), round(_INSET_PX * unit)
        right = slate.width - edge
        others = [value for name, value in body.items() if name not in (*_FIRST, *_LAST)]
        for name in [each for value in others for each in _names(value, self.pictures)][:_INSETS]:
            picture = Image.open(io.BytesIO(self.pictures[name]))
            small = picture.resize((max(1, round(picture.width * height / picture.height)), height))
            right -= small.width
            slate.paste(small, (right, slate.height - round(220 * unit) - height))
            right -= edge // 2


BARE = Shown()


def _names(value: Any, pictures: Mapping[str, bytes]) -> Iterator[str]:
    for each in value if isinstance(value, list) else value.values() if isinstance(value, dict) else ():
        yield from _names(each, pictures)
    if isinstance(value, str) and value in pictures:
        yield value


def dissolved(
    frames: Iterator[NDArray[np.uint8]], count: int, first: NDArray[np.uint8] | None, last: NDArray[np.uint8] | None
) -> Iterator[NDArray[np.uint8]]:
    """Yield the frames of a slate, with one picture before it and another after it; `count` is their number."""
    for number, frame in enumerate(frames):
        shown = frame
        for picture, distance in ((first, number), (last, count - 1 - number)):
            share = min(1.0, max(0.0, 1 - (distance - HOLD) / FADE))
            if picture is not None and share > 0:
                shown = (picture * share + shown * (1 - share)).round().astype(np.uint8)
        yield shown
