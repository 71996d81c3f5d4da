"""What a run starts as processes, in the process of the tests: the embedded sandbox in a thread, and no workers.

A process of wanbatch costs half a second before it does anything. Tests of processes, signals and streams start them all
the same; tests of what a command prints and leaves behind use the fixture `near`.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Queue
from threading import RLock, Thread
from typing import Any

import pytest

from wanbatch.cli.sandbox import options_of, sandbox_command
from wanbatch.clip.inspection import Here
from wanbatch.clip.trial import Trial, assert_media_works
from wanbatch.clip.worker_pool import WorkerPool
from wanbatch.disk import own_folder, unshare
from wanbatch.errors import LocalFault
from wanbatch.sandbox import SandboxOptions, slate
from wanbatch.sandbox.server import serving
from wanbatch.session import embedded

START_LIMIT_S = 60.0
SAME = ("a-generation", {"model": "a-model", "prompt": "a prompt"})  # what every drawn clip shows
_MADE: dict[tuple[Any, ...], bytes] = {}
_KEPT: list[Path] = []  # the folder of drawn clips that the workers of a test run share; empty outside of one
_DRAWING = RLock()  # a test may lay one such render over another
_SEEN: dict[tuple[str, bytes], Any] = {}


def bring_near(patch: pytest.MonkeyPatch) -> None:
    """Let runs of this process start no others, draw one clip of each size and length, and open each once."""
    table = [
        (embedded, "embedded_sandbox", sandbox_beside),
        (WorkerPool, "begin", lambda _, clips: None),
        (WorkerPool, "assert_works", _tried),
        *((WorkerPool, name, _once(name)) for name in ("check", "look", "poster")),
    ]
    for owner, name, instead in table:
        patch.setattr(owner, name, instead)
    draw_once(patch)


def keep_clips_in(folder: Path) -> None:
    """Share the drawn clips with the other workers: encoding one costs more than all its copies."""
    folder.mkdir(exist_ok=True)
    _KEPT[:] = [folder]


def draw_once(patch: pytest.MonkeyPatch) -> None:
    """Draw one real clip of each size and length, and hand out copies that differ in a box at their end."""
    real = slate.render

    def render(generation_id: str, body: Any, made: Any, target: Path, _: Any = None) -> None:
        key = (made.width, made.height, made.duration_s, made.has_audio, made.resolution, made.aspect_ratio)
        with _DRAWING:
            if key not in _MADE:  # each process draws the same, whatever it is asked for first
                _MADE[key] = _drawn(lambda: real(*SAME, made, target), target, "_".join(map(str, key)))
        mark = generation_id.encode()
        target.write_bytes(_MADE[key] + (8 + len(mark)).to_bytes(4) + b"free" + mark)

    patch.setattr(slate, "render", render)


def _drawn(draw: Callable[[], None], target: Path, name: str) -> bytes:
    """Return a clip that one of the workers drew, or draw it to `target` and keep it for the others."""
    kept = _KEPT[0] / f"{name.replace(':', '-')}.mp4" if _KEPT else None
    if kept is not None and kept.exists():
        return kept.read_bytes()
    draw()
    clip = target.read_bytes()
    if kept is not None:
        part = kept.with_suffix(f".{os.getpid()}")
        part.write_bytes(clip)
        part.replace(kept)
    return clip


def _tried(_: WorkerPool) -> Trial:
    return assert_media_works()


def _once(name: str) -> Callable[[WorkerPool, Path], Any]:
    """Open a clip in this process, and not again if its copy was opened: the box at its end names the generation."""

    def ask(_: WorkerPool, clip: Path) -> Any:
        content = (name, clip.read_bytes().rpartition(b"free")[0])
        if not content[1]:
            return getattr(Here(), name)(clip)
        if content not in _SEEN:
            _SEEN[content] = getattr(Here(), name)(clip)
        return _SEEN[content]

    return ask


class _Loop(asyncio.SelectorEventLoop):
    """A loop beside the main thread, where no signal arrives: what one would do, `end` does."""

    end: Callable[..., object]

    def add_signal_handler(self, sig: int, callback: Callable[..., object], *args: Any) -> None:
        self.end = callback


@contextmanager
def sandbox_beside(output: Path, speed: float, extra: tuple[str, ...] = ()) -> Iterator[str]:
    """Serve the sandbox of an output folder as `embedded_sandbox` does, in a thread; yields its base URL."""
    data = own_folder(output, embedded.FOLDER)
    served = embedded.served_models(output)
    for each in filter(Path.is_file, data.glob("*")):
        unshare(each)
    words = ["--data", str(data), "--speed", str(speed), *served, *extra]
    flags = sandbox_command.make_context("sandbox", words).params
    loop, told = _Loop(), Queue[str | BaseException]()
    beside = Thread(target=_serve_in, args=(loop, options_of(flags), told), daemon=True)
    beside.start()
    url = told.get(timeout=START_LIMIT_S)
    if isinstance(url, BaseException):
        beside.join()
        raise LocalFault("the embedded sandbox did not start; `wanbatch sandbox` shows why") from url
    try:
        yield url
    finally:
        loop.call_soon_threadsafe(loop.end)
        beside.join(START_LIMIT_S)


def _serve_in(loop: _Loop, options: SandboxOptions, told: Queue[str | BaseException]) -> None:
    try:
        loop.run_until_complete(serving(options, told.put, stop_on_stdin_eof=False))
    except Exception as error:
        told.put(error)
    finally:
        loop.close()
