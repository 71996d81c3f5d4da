"""Which output folder a command means that names none: the most recently used one, or a question."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from wanbatch.errors import UsageInvalid, WanbatchError
from wanbatch.folders import OUTPUTS
from wanbatch.state.progress_reader import RUN_AT_NOTE
from wanbatch.state.reader import STATE_NAME, StateReader

LAST_DAY = timedelta(days=1)


@dataclass(frozen=True)
class Candidate:
    """An output folder that a command may mean, the name of its batch, and when that was run last."""

    output: Path
    run_at: datetime
    batch: str = ""
    is_sandbox: bool = False


def candidates(root: Path = Path(OUTPUTS)) -> list[Candidate]:
    """Return the output folders under `root`, that of the batch run last first, whatever was only looked at since.

    Raises UsageInvalid if there is none.
    """
    found = [_candidate(path) for path in root.glob(f"*/{STATE_NAME}") if path.is_file()]
    if not found:
        raise UsageInvalid(f"there is no output folder under {root}/ yet: name one, or run a manifest first")
    return sorted(found, key=lambda each: (each.run_at, each.output), reverse=True)


def newest_output(root: Path = Path(OUTPUTS)) -> Path:
    """Return the output folder under `root` whose batch was run last. Raises UsageInvalid if there is none."""
    return candidates(root)[0].output


def of_last_day(found: list[Candidate], now: datetime) -> list[Candidate]:
    """Return those that a command may mean: all whose batches were run in the last 24 hours, else the newest."""
    return [each for each in found if now - each.run_at <= LAST_DAY] or found[:1]


def _candidate(path: Path) -> Candidate:
    """Read when the batch of a folder was run; of one that does not say, or cannot be read, when it was written."""
    output, written_at = path.parent, _written_at(path)
    with suppress(WanbatchError), StateReader.open(output) as reader:
        noted, batch, is_sandbox = reader.noted(RUN_AT_NOTE), reader.batch(), reader.identity().sandbox
        with suppress(ValueError, TypeError):
            return Candidate(output, datetime.fromisoformat(noted or "").astimezone(UTC), batch, is_sandbox)
        return Candidate(output, written_at, batch, is_sandbox)
    return Candidate(output, written_at)


def _written_at(path: Path) -> datetime:
    """Return when a state file, or the log beside it, was written last: a reader leaves an index and an empty log."""
    times = [path.stat().st_mtime]
    with suppress(OSError):
        log = path.with_name(f"{path.name}-wal").stat()
        times += [log.st_mtime] if log.st_size else []
    return datetime.fromtimestamp(max(times), UTC)
