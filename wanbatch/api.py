"""What a program calls: the same as the command line, with values instead of screens."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from concurrent.futures import Future
from pathlib import Path
from threading import Thread
from typing import TYPE_CHECKING, Any, TypeVar

from wanbatch.batch.choice import Pick
from wanbatch.batch.retakes import Retake
from wanbatch.batch.selection import EVERY_SHOT, Selection
from wanbatch.batch.shots import Batch
from wanbatch.clock import system_now
from wanbatch.errors import UsageInvalid
from wanbatch.manifest import load_manifest
from wanbatch.manifest.cache import Manifest
from wanbatch.runner.events import Event
from wanbatch.session.circles_and_retakes import mark
from wanbatch.session.options import RunOptions, RunResult, Watch
from wanbatch.session.preview import Preview
from wanbatch.session.session import session_of
from wanbatch.state.reader import StateReader

if TYPE_CHECKING:
    from wanbatch.reporting.csv_tables import Frames
    from wanbatch.reporting.files import ReportFiles

T = TypeVar("T")
OnEvent = Callable[[Event], None]
_log = logging.getLogger("wanbatch")


def plan(manifest: Batch | Path | str, options: RunOptions | None = None, *, offline: bool = False) -> Preview:
    """Say what a run of a manifest would do and cost. Sends nothing paid and writes nothing.

    Asks the provider for prices, and for the balance if a key is set, unless `offline`. If a price is unknown,
    `preview.estimate.usd` is None. Raises ManifestInvalid for a manifest with problems, and other WanbatchErrors.
    """
    session = session_of(options or RunOptions(), Watch())
    return _wait(session.preview(_batch(manifest), offline=offline))


def run(
    manifest: Batch | Path | str,
    options: RunOptions | None = None,
    *,
    confirm: Callable[[Preview], bool],
    on_event: Callable[[Event], None] = lambda _: None,
) -> RunResult:
    """Plan a manifest, confirm, make its clips and report. The same call resumes; for a finished batch it only reads
    the provider's log.

    `confirm` sees the plan before anything is paid and says whether to go on: `lambda preview: True` agrees in
    advance. `on_event` is called in the loop's thread for each fact; an error in it is logged at once, does not end
    the run, and is raised at its end. How the batch ended is in the result's `exit_code`, as for the command; any other
    exception means that wanbatch could not run. After Ctrl-C it sends nothing more and finishes what is still running,
    as the command does. In a notebook, where a loop runs already, it works in a thread of its own.
    """
    followed = _Followed(on_event)
    session = session_of(options or RunOptions(), Watch(confirm=confirm, on_event=followed))
    return followed.ended(_wait(session.run(_source(manifest))))


async def run_async(
    manifest: Batch | Path | str,
    options: RunOptions | None = None,
    *,
    confirm: Callable[[Preview], bool],
    on_event: Callable[[Event], None] = lambda _: None,
) -> RunResult:
    """Do what `run` does, in the running event loop. If you cancel the task, wanbatch sends nothing more, fetches and
    reports what is paid for, and then the task ends as cancelled. A second cancel stops at once.
    """
    followed = _Followed(on_event)
    session = session_of(options or RunOptions(), Watch(confirm=confirm, on_event=followed))
    result = await session.run(_source(manifest))
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
    return followed.ended(result)


def retake(
    output: Path | str,
    shots: Retake | Sequence[str],
    options: RunOptions | None = None,
    *,
    confirm: Callable[[Preview], bool],
) -> RunResult:
    """Make new takes of some shots of an output folder from their newest recipes, but with new seeds; keep the others.

    `shots` are their ids; a `Retake` also says how many takes and which seed, and gives a reason (`note`).
    """
    asked = shots if isinstance(shots, Retake) else Retake(tuple(shots))
    session = session_of(options or RunOptions(), Watch(confirm=confirm))
    return _wait(session.retake(Path(output), asked))


def circle(output: Path | str, shot: str, take: int | None) -> None:
    """Choose the take of a shot that goes into the cut; None removes the choice. The reports are rebuilt."""
    if take is None:
        mark(Path(output), cleared=[shot])
    else:
        mark(Path(output), picks=[Pick(shot, take)])


def make_cut(
    output: Path | str,
    target: Path | str | None = None,
    *,
    wanted: Selection = EVERY_SHOT,
    reencode: bool = False,
    slates: bool = True,
) -> Path:
    """Join the chosen takes into one film and return its path: `cut.mp4` in the folder unless `target` names another.

    `wanted` chooses shots, as `--only` and `--except` do.
    """
    from wanbatch.cut.film import CUT_NAME, CutOptions
    from wanbatch.cut.film import make_cut as written

    place = Path(output) / CUT_NAME if target is None else Path(target)
    written(Path(output), CutOptions(place, wanted, reencode=reencode, slates=slates))
    return place


def export(
    output: Path | str, how: str = "otio", target: Path | str | None = None, *, wanted: Selection = EVERY_SHOT
) -> Path:
    """Write the cut for an editing program and return its path; `how` is `otio`, `edl` or `mp4`."""
    from wanbatch.cut.export import EditFormat
    from wanbatch.cut.export import export as written
    from wanbatch.cut.tags import tag_clips

    place = None if target is None else Path(target)
    if how == "mp4":
        return tag_clips(Path(output), place, wanted)[0]
    if how not in list(EditFormat):
        raise UsageInvalid(f"there is no format {how!r}: name otio, edl or mp4")
    return written(Path(output), EditFormat(how), place, wanted)[0]


def report(output: Path | str) -> ReportFiles:
    """Rebuild the reports of an output folder from its state file alone, and return their paths."""
    from wanbatch.reporting.files import write_reports

    with StateReader.open(Path(output)) as reader:
        return write_reports(reader, made_at=system_now())


def frames(output: Path | str) -> Frames:
    """Return the takes, attempts and summary of an output folder as pandas tables with nullable types."""
    from wanbatch.reporting.csv_tables import frames as frames_of

    with StateReader.open(Path(output)) as reader:
        return frames_of(reader)


def _batch(manifest: Batch | Path | str) -> Batch:
    return manifest if isinstance(manifest, Batch) else load_manifest(manifest)


def _source(manifest: Batch | Path | str) -> Manifest:
    return Manifest(Path(manifest.source), manifest) if isinstance(manifest, Batch) else Manifest(Path(manifest))


class _Followed:
    """A caller's function that follows a run: its first error is logged at once, and raised when the run has ended."""

    def __init__(self, on_event: OnEvent) -> None:
        self._on_event = on_event
        self._error: Exception | None = None

    def __call__(self, event: Event) -> None:
        try:
            self._on_event(event)
        except Exception as error:
            self._error = error
            _log.exception("on_event failed; the run goes on without it, and raises this at its end")
            raise

    def ended(self, result: RunResult) -> RunResult:
        """Return the result, unless the function failed: then raise its error, which says how the run ended."""
        if self._error is None:
            return result
        self._error.add_note(f"The run went on to its end: exit code {int(result.exit_code)}, in {result.output}")
        raise self._error


def _wait(work: Coroutine[Any, Any, T]) -> T:
    """Do some work to its end, in a thread of its own where a loop runs in this one, as in a notebook."""
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    return _wait_beside(work)


def _wait_beside(work: Coroutine[Any, Any, T]) -> T:
    """Do some work in a thread of its own. Ctrl-C here cancels it there, which drains a run."""
    done: Future[T] = Future()
    tasks: list[tuple[asyncio.AbstractEventLoop, asyncio.Task[T]]] = []

    async def followed() -> T:
        task = asyncio.ensure_future(work)
        tasks.append((asyncio.get_running_loop(), task))
        return await task

    def labour() -> None:
        try:
            done.set_result(asyncio.run(followed()))
        except BaseException as error:  # noqa: BLE001  it is raised where the caller waits
            done.set_exception(error)

    Thread(target=labour, name="wanbatch", daemon=True).start()
    while True:
        try:
            return done.result()
        except asyncio.CancelledError as error:  # before anything was sent
            raise KeyboardInterrupt from error
        except KeyboardInterrupt:
            if done.done():
                raise
            for loop, task in tasks:
                loop.call_soon_threadsafe(task.cancel)
