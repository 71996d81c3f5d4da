"""What takes in the cut and beside it cost: by shot, by scene and in all, and what a second costs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from pandas.testing import assert_frame_equal

from tests.money.test_costs import costs_of, rows_of, story, write_run
from tests.reporting.states import CREDITS, begin, shot
from tests.reporting.test_book import a_bit_of_everything
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.shots import Batch
from wanbatch.reporting.csv_tables import frames
from wanbatch.state.reader import StateReader


def test_of_two_good_takes_the_newer_is_in_the_cut(tmp_path: Path) -> None:
    pen = begin(tmp_path, Batch("b", (shot("a", 0, takes=2),)))
    pen.lead(1, State.VERIFIED, charged=CREDITS, label="a_t1", clip_s=5.0)
    pen.lead(2, State.VERIFIED, charged=CREDITS, label="a_t2", clip_s=7.5)
    write_run(pen, None)
    pen.state.close()
    row = rows_of(costs_of(tmp_path), "batch")["b"]
    assert (row["usable_s"], row["in_cut_s"], row["usd_per_second_in_cut"], row["unchosen_credits"]) == (
        12.5,
        7.5,
        0.14,
        CREDITS,
    )


def test_a_circled_take_is_in_the_cut_before_a_newer_one(tmp_path: Path) -> None:
    pen = begin(tmp_path, Batch("b", (shot("a", 0, takes=2),)))
    pen.lead(1, State.VERIFIED, charged=CREDITS, label="a_t1", clip_s=5.0)
    pen.lead(2, State.VERIFIED, charged=CREDITS, label="a_t2", clip_s=7.5)
    pen.tell(1, Fact.CIRCLED)
    write_run(pen, None)
    pen.state.close()
    assert rows_of(costs_of(tmp_path), "batch")["b"]["in_cut_s"] == 5


def test_a_circled_take_of_an_older_recipe_is_in_the_cut_and_the_newer_one_is_not(tmp_path: Path) -> None:
    pen = begin(tmp_path, Batch("b", (shot("a", 0, takes=2),)))
    pen.lead(1, State.VERIFIED, charged=CREDITS, label="a_t1", clip_s=5.0)
    pen.lead(2, State.VERIFIED, charged=CREDITS + 1, label="a_t2", clip_s=7.5)
    pen.tell(1, Fact.CIRCLED)
    pen.tell(1, Fact.SUPERSEDED)
    write_run(pen, None)
    pen.state.close()
    costs = costs_of(tmp_path)
    row = rows_of(costs, "batch")["b"]
    names = ("in_cut", "unchosen", "superseded")
    assert [row[f"{name}_credits"] for name in names] == [CREDITS, CREDITS + 1, 0]
    assert (row["in_cut_s"], row["usable_s"]) == (5, 12.5)
    assert [costs.shots.loc[0, f"{name}_credits"] for name in names] == [CREDITS, CREDITS + 1, 0]


def test_shots_add_up_to_the_batch(tmp_path: Path) -> None:
    costs = costs_of(story(tmp_path))
    row = rows_of(costs, "batch")["film"]
    names = [name for name in costs.shots if name.endswith(("_usd", "_credits", "_s")) and row[name] is not None]
    assert {name: costs.shots[name].sum() for name in names} == {name: pytest.approx(row[name]) for name in names}
    assert costs.shots["takes"].sum() == row["takes"]


def edited(folder: Path) -> None:
    """Two shots all charged: one with a clip that an edit replaced, one with two verified takes."""
    pen = begin(folder, Batch("b", (shot("a", 0, takes=2, scene="sc1"), shot("b", 1, takes=2, scene="sc2"))))
    for take_id, label in enumerate(("a_t1", "a_t2", "b_t1", "b_t2"), start=1):
        pen.lead(take_id, State.VERIFIED, charged=CREDITS, label=label, clip_s=5.0 + take_id)
    pen.tell(1, Fact.SUPERSEDED)
    write_run(pen, None)
    pen.state.close()


@pytest.mark.parametrize("begun", [edited, story, a_bit_of_everything])
def test_the_summary_has_the_seconds_and_the_money_outside_the_cut_of_the_costs(
    tmp_path: Path, begun: Callable[[Path], object]
) -> None:
    begun(tmp_path)
    names = ["usable_s", "per_usable_second", "outside_cut"]
    of_costs = ["usable_s", "usd_per_usable_second", "outside_cut_credits"]
    of_summary = ["usable_s", "usd_per_usable_second", "credits_outside_cut"]
    costs = costs_of(tmp_path).costs.set_index(["level", "key"])[of_costs].set_axis(names, axis=1)
    with StateReader.open(tmp_path) as reader:
        summary = frames(reader).summary.set_index(["level", "key"])[of_summary].set_axis(names, axis=1)
    both = costs.index.intersection(summary.index)
    known = summary.loc[both].notna()
    assert len(both) > 2
    assert_frame_equal(summary.loc[both], costs.loc[both].where(known), check_dtype=False)


@pytest.mark.parametrize("begun", [edited, story, a_bit_of_everything])
def test_the_counts_of_takes_add_up_and_so_do_the_estimates(tmp_path: Path, begun: Callable[[Path], object]) -> None:
    begun(tmp_path)
    with StateReader.open(tmp_path) as reader:
        made = frames(reader)
    costs, summary = costs_of(tmp_path).costs, made.summary
    in_costs = costs[["verified", "failed", "held_takes", "superseded_takes", "open_takes"]].sum(axis=1)
    in_summary = summary[["verified", "failed", "held", "superseded", "open"]].sum(axis=1)
    whole = costs[costs["level"] == "batch"].iloc[0]
    estimated = whole["estimated_known_credits"]
    assert (in_costs.tolist(), in_summary.tolist()) == (costs["takes"].tolist(), summary["takes"].tolist())
    assert made.takes["credits_estimated"].sum() == estimated
