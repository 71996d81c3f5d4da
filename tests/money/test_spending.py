"""Where the money went, on the screen: what was charged for the cut and outside it, and what each scene cost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.money.test_causes import one_of_each
from tests.money.test_costs import story
from tests.reporting.test_book import a_bit_of_everything
from wanbatch.cli.spending import spending_lines
from wanbatch.money.spending import OUTSIDE_WORDS, SceneSpend, Spending
from wanbatch.reporting.book import book_of
from wanbatch.reporting.costs import make_costs
from wanbatch.reporting.record import read_record
from wanbatch.state.reader import StateReader
from wanbatch.state.spending import read_spending

HEAD = "version: 1\nname: film\ndefaults: {resolution: 720p, duration: 5}\nshots:\n"
RUN = ("run", "film.yaml", "--sandbox", "--speed", "900", "--no-report")


@pytest.mark.long
def test_the_end_of_a_run_and_status_say_what_each_scene_cost(said: Callable[..., str]) -> None:
    shots = "  - {id: a, scene: sc1, takes: 2, prompt: A ship.}\n  - {id: b, scene: sc2, prompt: A storm.}\n"
    Path("film.yaml").write_text(HEAD + shots)
    lines = (
        "  charged for the cut 1.05 USD, outside it 0.525 USD (verified, not chosen 0.525)",
        "  committed by scene, in USD: sc1 1.05, sc2 0.525",
    )
    assert [line in said(*RUN) for line in lines] == [True, True]
    assert [line in said("status") for line in lines] == [True, True]


def test_nothing_outside_the_cut_is_no_line() -> None:
    assert spending_lines(Spending(5, {"failed": 0}, ())) == []


def test_one_scene_is_no_list(said: Callable[..., str]) -> None:
    Path("film.yaml").write_text(HEAD + "  - {id: a, scene: sc1, prompt: A ship.}\n")
    said(*RUN)
    assert "by scene" not in said("status")


def test_many_scenes_are_shown_in_part_and_summed_whole_and_unknown_is_marked() -> None:
    scenes = tuple(SceneSpend(f"sc{n}", 1_000_000 * n, int(n == 8)) for n in range(1, 10))
    assert spending_lines(Spending(0, {}, scenes)) == [
        "committed by scene, in USD: sc1 0.50, sc2 1.00, sc3 1.50, sc4 2.00, sc5 2.50, sc6 3.00, 3 more 12.00+?"
    ]


@pytest.mark.parametrize("make", [a_bit_of_everything, one_of_each, story])
def test_the_screen_and_the_tables_know_the_same_parts(tmp_path: Path, make: Callable[[Path], object]) -> None:
    make(tmp_path)
    with StateReader.open(tmp_path) as reader:
        found, tables = read_spending(reader), make_costs([book_of(read_record(reader))])
    whole = tables.costs[tables.costs["level"] == "batch"].iloc[0]
    parts = {"in_cut": found.in_cut, **{name: found.outside.get(name, 0) for name in OUTSIDE_WORDS}}
    assert parts == {name: whole[f"{name}_credits"] for name in parts}
    assert sum(amount > 0 for amount in parts.values()) > 1
    assert (found.charged, found.outside_cut) == (whole["charged_known_credits"], whole["outside_cut_credits"])
