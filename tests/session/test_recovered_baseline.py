"""The baseline outlasts its state file: it is read from the old one or the reports, or known to be lost."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.session.test_recovery import lose, recovered, world_in
from tests.worlds import World, batch_of
from wanbatch.money.baseline import BaselineLine, why_none
from wanbatch.reporting.files import write_reports
from wanbatch.session.lost_baseline import baseline_in_reports
from wanbatch.state.baseline import BASELINE_LOST_NOTE
from wanbatch.state.file import StateFile
from wanbatch.state.progress_reader import read_overview
from wanbatch.state.reader import STATE_NAME, StateReader

pytestmark = pytest.mark.usefixtures("quick_clips")
AT = datetime(2026, 3, 1, 20, tzinfo=UTC)
LINES = [
    BaselineLine("sh000", 1, 378_000, recipe="recipe"),
    BaselineLine("sh001", 1, 400_000),
    BaselineLine("zz", 2, 0, 2),
    BaselineLine("zy", 2, 7, 1),
]
IN_REPORTS = [BaselineLine("sh000", 1, 378_000), *LINES[1:]]  # they hold no recipes


def run_once(output: Path) -> World:
    """Run two shots and keep a baseline with two more, in the state file and in the reports."""
    world = world_in(output)
    world.run(batch_of(2))
    with opened(world) as state:
        state.keep_baseline(LINES, AT)
        write_reports(state, made_at=AT)
    return world


def opened(world: World) -> closing[StateFile]:
    with StateReader.open(world.output) as reader:
        identity = reader.identity()
    return closing(StateFile.create_or_open(world.output, identity))


def kept(output: Path) -> tuple[datetime | None, list[BaselineLine], bool]:
    with StateReader.open(output) as reader:
        return reader.baseline_kept_at(), reader.baseline_lines(), reader.noted(BASELINE_LOST_NOTE) is not None


def test_a_file_that_can_be_read_gives_it_whole(tmp_path: Path) -> None:
    world = run_once(tmp_path / "out")
    with closing(sqlite3.connect(world.output / STATE_NAME)) as connection, connection:
        connection.execute("DELETE FROM facts WHERE seq = (SELECT max(seq) FROM facts)")  # a damaged file
    found = recovered(world, batch_of(2))
    assert found is not None
    assert (found.baseline, kept(tmp_path / "out")) == (f"as in the old {STATE_NAME}", (AT, LINES, False))


def test_without_the_file_the_reports_give_it(tmp_path: Path) -> None:
    world = run_once(tmp_path / "out")
    lose(tmp_path / "out", "state.sqlite*")
    found = recovered(world, batch_of(2))
    assert found is not None
    assert (found.baseline, kept(tmp_path / "out")) == ("from the reports", (AT, IN_REPORTS, False))


@pytest.mark.long
def test_where_nothing_holds_it_the_new_file_says_so(tmp_path: Path) -> None:
    world = run_once(tmp_path / "out")
    lose(tmp_path / "out", "state.sqlite*", "reports")
    found = recovered(world, batch_of(2))
    assert found is not None
    assert found.baseline.startswith("lost: ")
    assert kept(tmp_path / "out") == (None, [], True)
    assert read_overview(tmp_path / "out").no_baseline == why_none(was_sent=True, was_lost=True)


def _of_another_batch(folder: Path) -> None:
    path = folder / "attempts.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("wb1:", "wb1:x"), encoding="utf-8")


def _edited(folder: Path) -> None:
    path = folder / "variance.csv"
    path.write_text(path.read_text(encoding="utf-8").replace("378000", "1"), encoding="utf-8")


def _of_two_batches(folder: Path) -> None:
    told = json.loads((folder / "costs.json").read_text(encoding="utf-8"))
    (folder / "costs.json").write_text(json.dumps({**told, "baselines": told["baselines"] * 2}), encoding="utf-8")


def _nonsense(folder: Path) -> None:
    (folder / "costs.json").write_text("[" * 100_000, encoding="utf-8")


@pytest.mark.sampled(3)
@pytest.mark.parametrize("change", [_of_another_batch, _edited, _of_two_batches, _nonsense, lambda _: None])
def test_reports_that_do_not_fit_together_are_not_used(tmp_path: Path, change) -> None:  # type: ignore[no-untyped-def]
    run_once(tmp_path / "out")
    with StateReader.open(tmp_path / "out") as reader:
        nonce = reader.identity().nonce
    is_whole = change.__name__ == "<lambda>"
    change(tmp_path / "out" / "reports")
    found = baseline_in_reports(tmp_path / "out", nonce)
    assert found == ((AT, IN_REPORTS) if is_whole else None)
