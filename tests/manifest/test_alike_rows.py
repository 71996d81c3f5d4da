"""Rows of a table that differ only in their own texts are read as one by one: the same shots, problems and places."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wanbatch.errors import ManifestInvalid
from wanbatch.manifest import Keeps, _load

HEADER = [
    "id",
    "prompt",
    "duration",
    "scene",
    "negative_prompt",
    "takes",
    "omit",
    "allow",
    "notes",
    "x_by",
    "model",
    "seed",
    "seeds",
]
PROMPTS = [
    "A fox asleep",
    "A TODO",
    "n/a",
    "",
    "Shot 1: snow",
    "snow 5s",
    "a\u200bb",
    "x" * 600,
    "x" * 1600,
    "bell \x07",
]
CELLS = {
    "prompt": PROMPTS,
    "duration": ["5", "10", "7", ""],
    "scene": ["sc1", "SC1", "nan", ""],
    "negative_prompt": ["", "blur", "TBD", "nan"],
    "takes": ["1", "2", "0"],
    "omit": ["", "true"],
    "allow": ["", "placeholder"],
    "notes": ["", "later", "bell \x07"],
    "x_by": ["", "Ana", "bell \x07"],
    "model": ["", "alibaba/wan-2-6-t2v", "alibaba/wan-3-0-video", "unknown/model"],
    "seed": ["", "7", "-1", "2147483648", "x"],
    "seeds": ["", "7;8"],
}
rows = st.lists(
    st.tuples(*(st.sampled_from([cells[0]] * 3 + cells) for cells in CELLS.values())), min_size=2, max_size=12
)


def outcome(path: Path, keeps: Keeps) -> Any:
    """Return the shots and warnings of a manifest, or its problems."""
    try:
        batch = _load(path, None, strict=False, keeps=keeps).batch
    except ManifestInvalid as error:
        return error.problems, error.warnings
    return batch.shots, [shot.recipes for shot in batch.shots], [shot.line for shot in batch.shots], batch.warnings


@pytest.mark.long
@pytest.mark.parametrize("head", ["", "defaults: {scene: sc9, notes: all, x_of: y}\n"])
@given(rows)
@settings(max_examples=150, suppress_health_check=list(HealthCheck))
def test_rows_are_read_as_one_by_one(
    tmp_path_factory: pytest.TempPathFactory, head: str, cells: list[tuple[str, ...]]
) -> None:
    folder = tmp_path_factory.getbasetemp() / f"alike{bool(head)}"
    folder.mkdir(exist_ok=True)
    (folder / "shots.map.yaml").write_text(head or "columns: {}\n")
    path = folder / "shots.csv"
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([HEADER, *((f"s{n}", *each) for n, each in enumerate(cells))])
    assert outcome(path, Keeps()) == outcome(path, Keeps(nodes=True))
