"""An inspection: what is done with the bytes of a download before it is a clip, and of a file before it is sent."""

from __future__ import annotations

from pathlib import Path
from typing import Protocol

from wanbatch.clip.defects import Look
from wanbatch.clip.frame_measures import Ends
from wanbatch.clip.given import OpenedFile
from wanbatch.clip.probe import Probe


class Inspection(Protocol):
    """What opens clips that came from the network. All of it is slow: call it off the event loop.

    Each raises MediaInvalid with the reason if the clip is bad, ProgramFault for an error of the program or of its
    libraries, LocalFault if this machine is out of memory, OSError if the file cannot be read.
    """

    def check(self, clip: Path) -> Probe:
        """Prove that a file is a whole, playable MP4 and return its probe."""
        ...

    def look(self, clip: Path) -> Look:
        """Look at a whole clip from beginning to end."""
        ...

    def poster(self, clip: Path) -> bytes:
        """Return one frame of a whole clip as a small JPEG."""
        ...

    def frame(self, clip: Path, moment: str) -> bytes:
        """Return the exact frame of a whole clip at a moment (`first`, `last`, `2500ms`) as a PNG."""
        ...

    def ends(self, clip: Path, given: Path | None, closing: Path | None = None) -> Ends:
        """Measure the first and the last frame of a whole clip, and how they meet the PNGs that it was given."""
        ...

    def given(self, path: Path, kind: str, *, with_data: bool) -> OpenedFile:
        """Open a picture or a sound that a shot is given; `with_data` returns what is sent for it, too."""
        ...


class Here:
    """Opens clips in this process, limited only by their own bounds. For tests, and for the worker processes."""

    def check(self, clip: Path) -> Probe:
        """See `Inspection`."""
        from wanbatch.clip.check import check_clip

        return check_clip(clip)

    def look(self, clip: Path) -> Look:
        """See `Inspection`."""
        from wanbatch.clip.measuring import look_at

        return look_at(clip)

    def poster(self, clip: Path) -> bytes:
        """See `Inspection`."""
        from wanbatch.clip.frames import draw_poster, jpeg_of

        return jpeg_of(draw_poster(clip))

    def frame(self, clip: Path, moment: str) -> bytes:
        """See `Inspection`."""
        from wanbatch.clip.frames import draw_frame

        return draw_frame(clip, moment)

    def ends(self, clip: Path, given: Path | None, closing: Path | None = None) -> Ends:
        """See `Inspection`."""
        from wanbatch.clip.ends import measure_ends

        return measure_ends(clip, given, closing)

    def given(self, path: Path, kind: str, *, with_data: bool) -> OpenedFile:
        """See `Inspection`."""
        from wanbatch.clip.opening import open_given

        return open_given(path, kind, with_data=with_data)
