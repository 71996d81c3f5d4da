"""State files that tests open; `tests/state/conftest.py` closes what a test left open."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

from tests.worlds import batch_of
from wanbatch.batch.plan import make_plan
from wanbatch.state.file import StateFile
from wanbatch.state.tables import new_identity

AT = datetime(2026, 11, 1, 20, tzinfo=UTC)
MADE: list[StateFile] = []


def identity(batch: str = "world", *, sandbox: bool = True, url: str = "sandbox") -> object:
    return new_identity(batch, url, "k", AT, sandbox=sandbox)


def opened(folder: Path, **how: object) -> StateFile:
    state = StateFile.create_or_open(folder, identity(**how))  # type: ignore[arg-type]
    MADE.append(state)
    return state


def planned(folder: Path, count: int = 2) -> StateFile:
    state = opened(folder)
    state.adopt(make_plan(batch_of(count), state.takes(), state.shots()), AT)
    return state
