"""Submits of no take: what they hold and what the ledger charged for them is in every sum of their batch."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.money.test_costs import costs_of, rows_of, story
from tests.reporting.states import BEGIN, CREDITS, MADE_AT
from tests.runner.shared import PRICE, restore, told
from tests.worlds import World, batch_of
from wanbatch.money.costs import Figure
from wanbatch.money.ledger import Verdict
from wanbatch.reporting.files import write_reports
from wanbatch.state.file import StateFile
from wanbatch.state.progress_reader import read_figures, read_overview
from wanbatch.state.reader import StateReader
from wanbatch.state.tables import Stray

pytestmark = pytest.mark.usefixtures("quick_clips")


def strayed(folder: Path, *holds: int | None) -> Path:
    """The story of six takes, and submits of no take that hold this."""
    story(folder)
    with StateReader.open(folder) as reader:
        identity = reader.identity()
    with StateFile.create_or_open(folder, identity) as state:
        for number, held in enumerate(holds):
            state.note_stray(Stray(f"wb1:n:r:{70 + number}.1", f"G{number}", held, BEGIN, "the provider's log"))
    return folder


def test_what_the_ledger_charges_for_a_submit_of_no_take_is_in_the_total(tmp_path: Path) -> None:
    world = World(tmp_path / "out")
    world.run(batch_of(1))
    copy = world.output.with_name("backup.sqlite")
    shutil.copy(world.output / "state.sqlite", copy)
    world.run(batch_of(2))
    restore(world, copy)
    found = told(world)
    assert sorted(line.verdict for line in found.ledger) == [Verdict.CONFIRMED, Verdict.ORPHAN]
    assert (found.credits_charged, sum(line.charged or 0 for line in found.ledger)) == (2 * PRICE, 2 * PRICE)
    seen = [line.charged for line in found.ledger if line.charged is not None and not line.is_recorded]
    assert read_figures(world.output).with_charges_seen(seen).charged == Figure(2 * PRICE, 0)


@pytest.mark.parametrize(("holds", "unknown"), [((CREDITS,), 0), ((CREDITS, None), 1)])
def test_costs_and_figures_count_what_belongs_to_no_take(
    tmp_path: Path, holds: tuple[int | None, ...], unknown: int
) -> None:
    plain, folder = story(tmp_path / "plain"), strayed(tmp_path / "strayed", *holds)
    before, after = (rows_of(costs_of(each), "batch")["film"] for each in (plain, folder))
    more = {name: after[name] - before[name] for name in ("committed_known_credits", "takes_of_unknown_cost", "takes")}
    assert more == {"committed_known_credits": CREDITS, "takes_of_unknown_cost": unknown, "takes": 0}
    assert (after["submits_of_no_take"], after["charges_not_seen"] - before["charges_not_seen"]) == (len(holds),) * 2
    figures = read_figures(folder)
    assert figures.held == read_figures(plain).held + Figure(CREDITS, unknown)
    assert figures.charged == read_figures(plain).charged + Figure(0, len(holds))


@pytest.mark.parametrize("level", ["sequence", "scene", "cost_code"])
def test_the_groups_of_a_level_add_up_to_the_batch(tmp_path: Path, level: str) -> None:
    costs = costs_of(strayed(tmp_path, CREDITS, None))
    (whole,) = rows_of(costs, "batch").values()
    for name in ("takes", "committed_known_credits", "charged_known_credits", "submits_of_no_take", "charges_not_seen"):
        assert sum(row[name] or 0 for row in rows_of(costs, level).values()) == (whole[name] or 0)
    assert rows_of(costs, level)["(no take)"]["submits_of_no_take"] == 2


@pytest.mark.long
def test_the_files_say_what_status_says_where_submits_belong_to_no_take(tmp_path: Path) -> None:
    strayed(tmp_path, CREDITS, None)
    with StateReader.open(tmp_path) as reader:
        files = write_reports(reader, made_at=MADE_AT)
    summary = json.loads(files.summary_json.read_text())["credits"]
    costs = json.loads((files.costs.parent / "costs.json").read_text())
    progress, figures = read_overview(tmp_path).progress, read_figures(tmp_path)
    whole = costs["levels"][0]
    assert (summary["committed_known"], summary["unknown_takes"], summary["charges_not_seen"]) == (
        progress.credits_committed,
        progress.uncosted,
        progress.charges_not_seen,
    )
    assert whole["committed_known_credits"] == progress.credits_committed
    assert (whole["takes_of_unknown_cost"], whole["charges_not_seen"]) == (progress.uncosted, progress.charges_not_seen)
    assert costs["figures"][0]["held"]["known_credits"] == figures.held.known
    assert "“(no take)”" in files.report.read_text()
