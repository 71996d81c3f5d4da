"""The trial of the media path: before anything is bought, a tiny clip made in memory goes through all checks."""

from __future__ import annotations

import io
import time
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from typing import Any

from wanbatch.errors import LocalFault, MediaInvalid, ProgramFault

REPAIR = (
    "install wanbatch into a fresh virtual environment (it works with PyAV 16 to 19);"
    " `wanbatch doctor` tries this again"
)


@dataclass(frozen=True)
class Trial:
    """What was tried with which library, and how long it lasted."""

    library: str
    tried: str
    took_s: float


@cache
def assert_media_works() -> Trial:
    """Make a clip of 12 frames, check it, look at it and make its poster, once a process. Lasts about a tenth of a
    second.

    Raises ProgramFault if that fails: then no bought clip could be checked either.
    """
    library, step = "PyAV", "loading PyAV, NumPy and Pillow"
    try:
        import numpy as np

        from wanbatch.clip import check, encoding, frames, measuring

        began, library = time.perf_counter(), check.library()
        spec = encoding.ClipSpec(width=64, height=48, fps=12, duration_s=1, has_audio=True)

        def pictures() -> Iterator[Any]:
            for number in range(spec.frames):
                picture = np.full((spec.height * 3 // 2, spec.width), 128, np.uint8)
                picture[: spec.height, : 4 + 4 * number] = 235
                yield picture

        step, made = "encoding a clip", io.BytesIO()
        encoding.encode_clip(spec, pictures(), 440.0, made)
        step = "checking it"
        probe = check.check_clip(_rewound(made))
        step = "looking at it"
        look = measuring.look_at(_rewound(made))
        step = "drawing its poster"
        poster = frames.jpeg_of(frames.draw_poster(_rewound(made)))
    except Exception as error:
        raise _fault(library, step, error) from error
    found = (probe.width, probe.height, probe.frames, probe.has_audio, look.black, look.damaged_s, poster[:2])
    if found != (spec.width, spec.height, spec.frames, True, (), None, b"\xff\xd8"):
        raise _fault(library, "comparing what came out", ValueError(str(found)))
    return Trial(
        library,
        "wanbatch encoded a small clip, checked it, looked at it and made its poster",
        time.perf_counter() - began,
    )


def _rewound(made: io.BytesIO) -> io.BytesIO:
    made.seek(0)
    return made


def _fault(library: str, step: str, error: Exception) -> ProgramFault:
    said = str(error) if isinstance(error, LocalFault | MediaInvalid) else f"{type(error).__name__}: {error}"
    return ProgramFault(
        f"this machine cannot handle clips, so wanbatch sends nothing: with {library}, {step} failed ({said[:300]})."
        f" To fix it: {REPAIR}"
    )
