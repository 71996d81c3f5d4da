"""Any value in any field, in every format: a batch that can be ordered, or problems that can be printed."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wanbatch.batch.shots import Batch
from wanbatch.errors import ManifestInvalid
from wanbatch.manifest import load_manifest
from wanbatch.manifest.schemas import MANIFEST, schema

FIELDS = [*schema(MANIFEST)["$defs"]["shot"]["properties"], "tempo", ""]
HEADS = ["name", "version", "limits", "budget", "defaults", "shots", "output"]
INNER = ["submit_rate", "in_flight", "poll_rate", "downloads", "max_attempts", "max_credits", "max_usd", "x"]
# Texts of values as a JSON file may write them; most are YAML too.
ODD = [
    *(
        "null",
        "true",
        "false",
        "0",
        "1",
        "-0",
        "-1",
        "2.0",
        "5",
        "5.0",
        "1.5",
        "1e2",
        "1e400",
        "-1e400",
        "1e-9",
        "0.00001",
    ),
    *("99999999999999999999", "0.0", '""', '" "', '"0/min"', '"60/min"', '"9999999999/s"', '"10/s\\n"', '"007"', '"5"'),
    *(
        '"yes"',
        '"no"',
        '"null"',
        '"a"',
        '"A"',
        '"a\\n"',
        '"a."',
        '"CON"',
        '"\\ud800"',
        '"\\u0000"',
        '"\\u0085"',
        '"\\u2028"',
    ),
    *('"\\u00e9"', '"720p"', '"16:9"', '"https://a.b/c"', '"https://a b"', '"http://a.b/c"', '"alibaba/wan-2-6-t2v"'),
    *('"alibaba/wan-2-6-r2v"', '"alibaba/wan2.1-t2v-turbo"', '"manifest"', "[]", "[[]]", "{}", "[null]", '["a"]'),
    *(
        '[1, "\\ud800"]',
        '["https://a.b/c"]',
        '{"a": 1}',
        '[{"id": "a"}]',
        '{"max_usd": 1e400}',
        '{"submit_rate": "0/min"}',
    ),
]
QUIET = settings(max_examples=120, suppress_health_check=list(HealthCheck))

values = st.sampled_from(ODD)
shots = st.lists(st.dictionaries(st.sampled_from(FIELDS), values, max_size=4), max_size=3)
heads = st.dictionaries(st.sampled_from(HEADS), values, max_size=2)
inners = st.dictionaries(st.sampled_from(INNER), values, max_size=3)


def table(given_items: dict[str, str]) -> str:
    return "{" + ", ".join(f"{json.dumps(name)}: {value}" for name, value in given_items.items()) + "}"


def made_of(path: Path, data: bytes) -> Any:
    path.write_bytes(data)
    try:
        return load_manifest(path)
    except ManifestInvalid as error:
        return error


def is_ordered_or_told(path: Path, data: bytes) -> bool:
    """Say whether a batch is fit to order (canonical recipes, encodable text), or its problems are fit to print."""
    made = made_of(path, data)
    if isinstance(made, ManifestInvalid):
        lines = str(made).encode().decode().split("\n")
        return len(lines) == len(made.problems) > 0 and all(
            problem.line > 0 and problem.column > 0 for problem in made.problems
        )
    told = [(shot.id, shot.scene, shot.sequence, shot.notes, shot.cost_code, *shot.tags) for shot in made.shots]
    return (
        isinstance(made, Batch)
        and all(recipe.sha256 for shot in made.shots for recipe in shot.recipes)
        and all(text == text.encode().decode() for texts in told for text in texts)
        and (made.max_credits is None or 0 <= made.max_credits < 2**63)
    )


@pytest.mark.sampled(8)
@pytest.mark.parametrize("field", FIELDS)
def test_each_odd_value_alone_in_a_shot(tmp_path: Path, field: str) -> None:
    failed = []
    for value in ODD:
        shot = table({"id": '"a"', "prompt": '"p"', field: value})
        text = table({"version": "1", "shots": f'[{{"id": "b", "prompt": "p", "notes": "n"}}, {shot}]'})
        names = (f"one{ending}" for ending in (".json", ".yaml"))
        failed += [(name, text) for name in names if not is_ordered_or_told(tmp_path / name, text.encode())]
    assert failed == []


@pytest.mark.sampled(3)
@pytest.mark.parametrize("field", INNER)
@pytest.mark.parametrize("part", ["limits", "budget"])
def test_each_odd_value_alone_in_the_head(tmp_path: Path, part: str, field: str) -> None:
    shots = '[{"id": "b", "prompt": "p"}]'
    texts = [table({"version": "1", part: table({field: value}), "shots": shots}) for value in ODD]
    assert [text for text in texts if not is_ordered_or_told(tmp_path / "head.json", text.encode())] == []


@pytest.mark.parametrize("field", HEADS)
def test_each_odd_value_as_a_part_of_the_manifest(tmp_path: Path, field: str) -> None:
    texts = [table({"version": "1", "shots": '[{"id": "b", "prompt": "p"}]', field: value}) for value in ODD]
    assert [text for text in texts if not is_ordered_or_told(tmp_path / "part.json", text.encode())] == []


@given(st.permutations(["id", "prompt", "model", "duration", "takes", "seed", "tags"]), st.booleans())
@QUIET
def test_the_order_of_names_changes_no_recipe(
    tmp_path_factory: pytest.TempPathFactory, names: list[str], shots_first: bool
) -> None:
    values = {"id": '"a"', "prompt": '"p"', "model": '"alibaba/wan-2-6-t2v"', "duration": "5", "takes": "2"}
    shot = {name: {**values, "seed": "7", "tags": '["x"]'}[name] for name in names}
    body = {"version": "1", "shots": f"[{table(shot)}]"}
    body = dict(reversed(body.items())) if shots_first else body
    batch = made_of(tmp_path_factory.getbasetemp() / "order.json", table(body).encode())
    assert [recipe.canonical for recipe in batch.shots[0].recipes] == [
        f'{{"duration":5,"model":"alibaba/wan-2-6-t2v","prompt":"p","seed":{seed}}}' for seed in (7, 8)
    ]


@pytest.mark.parametrize("ending", [".yaml", ".json"])
@given(heads, inners, inners, shots)
@QUIET
def test_any_value_in_any_field(
    tmp_path_factory: pytest.TempPathFactory,
    ending: str,
    head: dict[str, str],
    limits: dict[str, str],
    budget: dict[str, str],
    listed: list[dict[str, str]],
) -> None:
    given_shots = [{"id": f'"s{n}"', "prompt": '"p"', **shot} for n, shot in enumerate(listed)]
    items = {"version": "1", "shots": "[" + ", ".join(map(table, given_shots)) + "]"}
    if limits:
        items["limits"] = table(limits)
    if budget:
        items["budget"] = table(budget)
    data = table({**items, **head}).encode("utf-8", "surrogatepass")
    assert is_ordered_or_told(tmp_path_factory.getbasetemp() / f"odd{ending}", data)


@pytest.mark.long
@given(shots)
@QUIET
def test_defaults_of_any_value(tmp_path_factory: pytest.TempPathFactory, listed: list[dict[str, str]]) -> None:
    defaults, rest = (listed[0], listed[1:]) if listed else ({}, [])
    given_shots = [{"id": f'"s{n}"', "prompt": '"p"', **shot} for n, shot in enumerate(rest)]
    body = {"version": "1", "defaults": table(defaults), "shots": "[" + ", ".join(map(table, given_shots)) + "]"}
    assert is_ordered_or_told(tmp_path_factory.getbasetemp() / "defaults.json", table(body).encode())


cells = st.lists(
    st.sampled_from(['"', '""', ",", ";", "\n", "\r", "\r\n", "\t", "\u2028", "\x85", "5", "a", " ", "é", '5"']),
    max_size=12,
)


@given(
    st.sampled_from(["id,prompt,scene", "id;prompt;tags", "id\tprompt", '"id",prompt,seed']),
    st.lists(cells, max_size=4),
)
@QUIET
def test_any_cells_in_a_csv(tmp_path_factory: pytest.TempPathFactory, header: str, rows: list[list[str]]) -> None:
    text = "\n".join([header, *(f"s{n},{''.join(row)}" for n, row in enumerate(rows))])
    assert is_ordered_or_told(tmp_path_factory.getbasetemp() / "cells.csv", text.encode())
