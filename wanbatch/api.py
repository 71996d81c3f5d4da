"""What a program calls: the same as the command line, with values instead of screens."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wanbatch.batch.shots import Batch
from wanbatch.clock import system_now
from wanbatch.errors import UsageInvalid
from wanbatch.manifest import load_manifest
from wanbatch.manifest.cache import Manifest
from wanbatch.runner.events import Event
from wanbatch.session.options import RunOptions, RunResult, Watch
from wanbatch.session.preview import Preview
from wanbatch.session.session import session_of
from wanbatch.state.reader import StateReader

if TYPE_CHECKING:
    from wanbatch.reporting.files import ReportFiles
    from wanbatch.reporting.frames import Frames


def plan(manifest: Batch | Path | str, options: RunOptions | None = None, *, offline: bool = False) -> Preview:
    """Say what a run of a manifest would do and cost. Sends nothing paid and writes nothing.

    Asks the provider for prices, and for the balance where a key is set, unless `offline`. Raises ManifestInvalid for a
    manifest with problems, and other WanbatchErrors.
    """
    session = session_of(options or RunOptions(), Watch())
    preview: Preview = _wait(session.preview(_batch(manifest), offline=offline))
    return preview


def run(
    manifest: Batch | Path | str,
    options: RunOptions | None = None,
    *,
    confirm: Callable[[Preview], bool],
    on_event: Callable[[Event], None] = lambda _: None,
) -> RunResult:
    """Plan, confirm, run and report a manifest. The same call resumes; of a finished batch only the log is read.

    `confirm` sees the plan before anything is paid and says whether to go on: `lambda preview: True` agrees in
    advance. `on_event` is called in the loop's thread for each fact. How the batch ended is in the result's
    `exit_code`, as for the command; an exception means that nothing could be run. Ctrl-C drains, as for the command.
    """
    session = session_of(options or RunOptions(), Watch(confirm=confirm, on_event=on_event))
    source = Manifest(Path(manifest.source), manifest) if isinstance(manifest, Batch) else Manifest(Path(manifest))
    result: RunResult = _wait(session.run(source))
    return result


def report(output: Path | str) -> ReportFiles:
    """Rebuild the reports of an output folder from its state file alone, and say where they are."""
    from wanbatch.reporting.files import write_reports

    with StateReader.open(Path(output)) as reader:
        return write_reports(reader, made_at=system_now())


def frames(output: Path | str) -> Frames:
    """Return the takes, attempts and summary of an output folder as pandas tables with nullable types."""
    from wanbatch.reporting.frames import frames as frames_of

    with StateReader.open(Path(output)) as reader:
        return frames_of(reader)


def _batch(manifest: Batch | Path | str) -> Batch:
    return manifest if isinstance(manifest, Batch) else load_manifest(manifest)


def _wait(work: Any) -> Any:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return asyncio.run(work)
    work.close()
    raise UsageInvalid("called from a running event loop: call it in a thread of its own (asyncio.to_thread)")
