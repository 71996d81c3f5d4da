"""What the programs of a tried page load first: their sandbox draws one clip of each size and length, and sends copies.

Only a program that serves the sandbox is changed. The clips are kept in the folder that KEPT_CLIPS names.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

if "sandbox" in sys.orig_argv and "KEPT_CLIPS" in os.environ:
    from filelock import FileLock

    from wanbatch.sandbox import clips

    KEPT = Path(os.environ["KEPT_CLIPS"])

    def kept(draw: Callable[..., bytes]) -> Callable[..., bytes]:
        """Draw a clip once; the copies differ in a box at their end, which names the generation."""

        def copy(generation: Any, *do: str) -> bytes:
            made = generation.made
            name = "_".join(map(str, (made.width, made.height, made.duration_s, made.has_audio, *do)))
            path, part = KEPT / f"{name}.mp4", KEPT / f"{name}.part"
            with FileLock(KEPT / f"{name}.lock"):  # two threads, and several sandboxes, may want the first one
                if not path.exists():
                    part.write_bytes(draw(generation, *do))
                    part.replace(path)
            mark = generation.generation_id.encode()
            return path.read_bytes() + (8 + len(mark)).to_bytes(4) + b"free" + mark

        return copy

    clips.draw, clips.draw_spoilt = kept(clips.draw), kept(clips.draw_spoilt)
