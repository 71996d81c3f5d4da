"""Baseline and variance by batch, sequence, scene and shot are those of `variance.csv`, and unknown where a part is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest

from tests.money.test_causes import one_of_each
from tests.money.test_costs import costs_of, story
from tests.reporting.test_book import a_bit_of_everything
from wanbatch.reporting.costs import Costs


def added(table: pd.DataFrame, column: str) -> dict[str, tuple[int | None, int | None]]:
    """Baseline and variance by a column of `variance.csv`, None where a row of it has an unknown part."""
    found = {}
    for key, rows in table.groupby(table[column].fillna("")):
        is_baseline = rows["reason"] == "baseline"
        parts = (rows[is_baseline], rows[~is_baseline])
        unknown = [bool((part["takes_of_unknown_cost"] > 0).any()) for part in parts]
        found[str(key)] = tuple(
            None if is_unknown else int(part["credits"].sum()) for part, is_unknown in zip(parts, unknown, strict=True)
        )
    return found  # type: ignore[return-value]


def of_level(costs: Costs, level: str) -> dict[str, tuple[int | None, int | None]]:
    frame = costs.shots.rename(columns={"shot_id": "key"}) if level == "shot" else costs.costs
    rows = frame if level == "shot" else frame[frame["level"] == level]
    pairs = rows[["baseline_credits", "variance_credits"]].astype(object).where(lambda cell: cell.notna(), None)
    return dict(zip(rows["key"], pairs.itertuples(index=False, name=None), strict=True))


@pytest.mark.parametrize("begun", [one_of_each, a_bit_of_everything])
@pytest.mark.parametrize(("level", "column"), [("batch", "batch"), ("scene", "scene"), ("shot", "shot_id")])
def test_baseline_and_variance_of_a_group_are_those_of_its_shots(
    tmp_path: Path, begun: Callable[[Path], object], level: str, column: str
) -> None:
    begun(tmp_path)
    costs = costs_of(tmp_path)
    expected, found = added(costs.variance, column), of_level(costs, level)
    if found:  # a batch without scenes has none
        assert {key: found[key] for key in expected if key in found} == {
            key: value for key, value in expected.items() if key in found
        }
        assert level == "shot" or set(expected) - set(found) <= {"(no take)", ""}  # shots without takes have no row
        assert {value for key, value in found.items() if key not in expected} <= {(0, 0)}


def test_levels_that_the_baseline_does_not_know_have_none(tmp_path: Path) -> None:
    one_of_each(tmp_path)
    assert set(of_level(costs_of(tmp_path), "model").values()) == {(None, None)}


def test_a_batch_without_a_baseline_has_neither(tmp_path: Path) -> None:
    found = costs_of(story(tmp_path))
    assert set(of_level(found, "scene").values()) == {(None, None)}
