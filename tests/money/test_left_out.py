"""Clips of shots that are left out are named as such, and every place counts them alike."""

from __future__ import annotations

import csv
import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.money.test_baseline import HEAD
from tests.reporting.states import CREDITS, begin, shot
from tests.reporting.test_pages import read, reported
from tests.reporting.test_workbook import IS_THERE, sheets
from wanbatch.batch.lifecycle import State
from wanbatch.batch.plan import make_plan
from wanbatch.batch.retakes import Retake, plan_retakes
from wanbatch.batch.shots import Batch
from wanbatch.cli.spending import spending_lines
from wanbatch.money.spending import left_out_words, replaced_words
from wanbatch.state.progress_reader import read_overview

RUN = ("-q", "run", "film.yaml", "--sandbox", "--speed", "900", "--yes")
PRICE = 1_050_000
WORDS = "2 of the verified takes belong to shots that are left out: omitted, or no longer in the manifest"


@pytest.fixture
def told(said: Any) -> tuple[str, Path, Any]:
    """What status says after a shot was omitted and another removed, the folder of the reports, and the JSON."""
    Path("film.yaml").write_text(HEAD + "".join(f"  - {{id: s{n}, prompt: Shot {n}.}}\n" for n in range(4)))
    said(*RUN)
    shots = [f"  - {{id: s{n}, prompt: Shot {n}.{', omit: true' if n == 2 else ''}}}\n" for n in range(3)]
    Path("film.yaml").write_text(HEAD + "".join(shots))
    said(*RUN)
    said("report", "--xlsx") if IS_THERE else None
    return said("status"), Path("outputs/film/reports"), json.loads(said("--json", "status"))


def test_clips_of_shots_left_out_are_named_on_the_screen_and_the_page(told: tuple[str, Path, Any]) -> None:
    status, reports, facts = told
    assert f"  {WORDS}\n" in status
    assert "outside it 1.05 USD (verified, shot left out 1.05)" in status
    assert re.search(r"omitted shots +1\n", status)
    page = " ".join(re.sub(r"<[^>]+>", " ", (reports / "report.html").read_text()).split())
    assert (
        f"verified 2 of 2 of the takes that the manifest asks for. All takes ever: 4 verified, 1 shot omitted. {WORDS}"
        in page
    )
    assert "shot left out" in page
    assert "omitted" in (reports.parent / "storyboard.html").read_text()
    assert facts["spending"]["left_out_takes"] == 2


def test_every_file_counts_them_alike(told: tuple[str, Path, Any]) -> None:
    _, reports, _ = told
    found = []
    for name, column in (("costs.csv", "left_out_takes"), ("summary.csv", "left_out")):
        with (reports / name).open(encoding="utf-8-sig", newline="") as stream:
            row = next(row for row in csv.DictReader(stream) if row["level"] == "batch")
        found.append((row["takes"], row["verified"], row[column]))
    assert found == [("4", "4", "2")] * 2
    costs = json.loads((reports / "costs.json").read_text())
    whole, (progress,) = costs["levels"][0], costs["progress"]
    assert (whole["left_out_credits"], whole["unchosen_credits"], whole["in_cut_credits"]) == (2 * PRICE, 0, 2 * PRICE)
    assert (progress["takes"], progress["verified"], progress["left_out"]) == (2, 2, 2)
    assert json.loads((reports / "summary.json").read_text())["left_out_takes"] == 2
    if IS_THERE:
        cells, _ = sheets(reports / "costs.xlsx")["summary (play money)"]
        row = next(at[1:] for at, (*_, text) in cells.items() if text == "outside the cut: verified, shot left out")
        assert [cells[f"{column}{row}"][2] for column in "BC"] == ["1.05", f"{2 * PRICE}"]


@pytest.mark.parametrize("state", [State.HELD, State.GENERATING])
def test_a_take_of_a_shot_left_out_that_is_not_finished_is_counted_alike_by_tile_and_progress(
    state: State, tmp_path: Path
) -> None:
    pen = begin(tmp_path, Batch("b", (shot("s1", 0), shot("s2", 1))))
    for take, one in zip(pen.state.takes(), (state, State.VERIFIED), strict=True):
        pen.lead(take.take_id, one, label=take.label, charged=CREDITS)
    takes, shots, past = pen.state.takes(), pen.state.shots(), pen.state.past()
    pen.state.adopt(make_plan(Batch("b", (shot("s2", 1),)), takes, shots, past), pen.now, "")
    pen.state.close()
    page = read(reported(tmp_path).report).words
    (progress,) = json.loads((tmp_path / "reports" / "costs.json").read_text())["progress"]
    found = [progress[name] for name in ("takes", "verified", "waiting_for_you", "on_their_way")]
    assert (found, progress["left_out"], progress["left_out_unfinished"]) == ([1, 1, 0, 0], 0, 1)
    assert f"verified {progress['verified']} of {progress['takes']} 1 {state}, 1 verified" in page


def test_failed_takes_that_were_replaced_are_named_beside_a_good_end(tmp_path: Path) -> None:
    pen = begin(tmp_path, Batch("b", (shot("s1", 0), shot("s2", 1))))
    for take, state in zip(pen.state.takes(), (State.FAILED, State.VERIFIED), strict=True):
        pen.lead(take.take_id, state, label=take.label)
    shots, takes, past = pen.state.shots(), pen.state.takes(), pen.state.past()
    pen.state.adopt(plan_retakes(shots, takes, Retake(("s1",)), past), pen.now, "")
    pen.state.close()
    words = "1 of the superseded takes failed: another take replaced it, or the manifest no longer asks for it"
    found = read_overview(tmp_path)
    assert (found.problems, spending_lines(found.spending)) == ((), [words])
    assert words in read(reported(tmp_path).report).words


def test_no_replaced_take_is_not_named() -> None:
    assert replaced_words(0) == ""


def test_one_is_said_in_the_singular() -> None:
    assert (
        left_out_words(1)
        == "1 of the verified takes belongs to a shot that is left out: omitted, or no longer in the manifest"
    )
