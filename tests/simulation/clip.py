"""The clips of a simulation: each says how long it is, and whose."""

from __future__ import annotations

import hashlib
import io
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

from PIL import Image

from tests.simulation.disk import CLIPS
from wanbatch.clip.defects import Look
from wanbatch.clip.frame_measures import Ends, FrameMeasures
from wanbatch.clip.probe import Probe
from wanbatch.errors import MediaInvalid
from wanbatch.sandbox.account import Generation


def clip_bytes(generation_id: str) -> bytes:
    """A clip of this simulation: it says how long it is, and whose."""
    body = generation_id.encode() * 40
    return b"CLIP" + len(body).to_bytes(4) + body


def check_clip(path: Path) -> Probe:
    """Stand in for the media check: whole or not."""
    data = path.read_bytes()
    if data[:4] != b"CLIP" or len(data) != 8 + int.from_bytes(data[4:8]):
        raise MediaInvalid("no whole clip")
    return Probe(5.0, 832, 480, 30.0, 150, has_audio=False)


class Blank:
    """Inspects the clips of a simulation, which have no pictures. `drawing` tells the frames of one run from another's.

    The same frame, drawn by another version of the program or of its libraries, may have other bytes. It `measures`
    clips by their bytes alone, or cannot measure any.
    """

    def __init__(self, drawing: int = 0, *, measures: bool = False) -> None:
        self._drawing = drawing
        self._measures = measures
        self.drawn: dict[str, tuple[str, str]] = {}  # by the hash of a frame: that of its clip, and which one it is
        self.pngs: dict[str, bytes] = {}  # by the same hash

    def check(self, clip: Path) -> Probe:
        """Stand in for the media check."""
        return check_clip(clip)

    def look(self, _: Path) -> Look:
        """See nothing that nobody ordered."""
        return Look(5.0)

    def frame(self, clip: Path, moment: str) -> bytes:
        """Draw a frame: it is of one colour, which says of which clip and which moment it is."""
        data = clip.read_bytes()
        png = frame_bytes(data, moment, self._drawing)
        sha256 = hashlib.sha256(png).hexdigest()
        self.drawn[sha256], self.pngs[sha256] = (hashlib.sha256(data).hexdigest(), moment), png
        return png

    def ends(self, clip: Path, given: Path | None, closing: Path | None = None) -> Ends:
        """Measure a clip that has no pixels: what is said of it follows from its bytes, and from those of its frame."""
        if not self._measures:
            raise MediaInvalid(f"a clip of a simulation has no frames to measure: {clip}, {given}")
        ends = ends_of(clip.read_bytes(), None if given is None else given.read_bytes())
        return replace(ends, closing_psnr_db=None if closing is None else 40.0)

    def poster(self, clip: Path) -> bytes:
        """Fail: a simulation makes no posters."""
        raise NotImplementedError(f"a clip of a simulation has no poster: {clip}")


@lru_cache(256)
def frame_bytes(clip: bytes, moment: str, drawing: int = 0) -> bytes:
    """The frame of a clip of this simulation: a picture in a colour of its own."""
    colour = hashlib.sha256(b"%s %s %d" % (clip, moment.encode(), drawing)).digest()
    drawn = io.BytesIO()
    Image.new("RGB", (400, 400), (colour[0], colour[1], colour[2])).save(drawn, "PNG", compress_level=1)
    return drawn.getvalue()


def ends_of(clip: bytes, given: bytes | None) -> Ends:
    """What is measured of a clip of this simulation; one join in some is a jump."""
    first, last = _measures_of(clip, b"first"), _measures_of(clip, b"last")
    if given is None:
        return Ends(first, last)
    psnr_db = 15.0 + hashlib.sha256(clip + given).digest()[0] % 40
    return Ends(first, last, _measures_of(given, b"given"), psnr_db)


def _measures_of(data: bytes, which: bytes) -> FrameMeasures:
    drawn = hashlib.sha256(which + data).digest()
    return FrameMeasures(200.0 + drawn[0], 40.0 + drawn[1] / 16, 120.0 + drawn[2] / 16, 120.0 + drawn[3] / 16)


def render(generation: Generation) -> bytes:
    """Make the bytes of a generation."""
    return clip_bytes(generation.generation_id)


def half_clips(output: Path) -> list[str]:
    """Return final names that stand for no whole clip: never, not even right after a crash."""
    found = []
    clips = output / CLIPS
    for path in sorted(clips.glob("*.mp4")) if clips.is_dir() else []:
        try:
            check_clip(path)
        except MediaInvalid:
            found.append(f"{path.name} has its final name and is not a whole clip")
    return found
