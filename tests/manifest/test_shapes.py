"""The head of a manifest: a budget without a unit, limits without a name, no version: what to write is said."""

from __future__ import annotations

from pathlib import Path

import pytest

from wanbatch.errors import ManifestInvalid
from wanbatch.manifest import load_manifest

CREDITS = "or max_credits instead of max_usd; 1 USD is 2,000,000 credits"


def told(folder: Path, name: str, text: str) -> list[str]:
    (folder / name).write_text(text, encoding="utf-8")
    with pytest.raises(ManifestInvalid) as caught:
        load_manifest(folder / name)
    return [f"{each.line}:{each.column} {each.message}" for each in caught.value.problems]


@pytest.mark.parametrize(
    ("head", "message"),
    [
        ("budget: 60", f"2:9 budget is '60'; name the unit of a budget: write budget: {{max_usd: 60}}, {CREDITS}"),
        ("budget: 42.50 USD", f"2:9 budget is '42.50 USD'; name the unit of a budget: write budget: {{max_usd: 42.50}}, {CREDITS}"),
        ("budget: '60,50'", f"2:9 budget is '60,50'; name the unit of a budget: write budget: {{max_usd: 60.50}}, {CREDITS}"),
        ("budget: unlimited", "2:9 budget is 'unlimited'; give a budget in USD or in credits: write one such as budget: {max_usd: 60}, or remove it to have no cap"),
        ("budget: $7", f"2:9 budget is '$7'; name the unit of a budget: write budget: {{max_usd: 7}}, {CREDITS}"),
        ("budget: 60 EUR", f"2:9 budget is '60 EUR'; give a budget in USD or in credits: write budget: {{max_usd: 60}}, {CREDITS}"),
        ("budget: {max_usd: $60}", "2:19 budget.max_usd is '$60'; expected a number; write 60, in USD and without a sign"),
        ("budget: {max_usd: 60 EUR}", "2:19 budget.max_usd is '60 EUR'; expected a number; the amount is in USD"),
        ("budget: {scenes: 5}", "2:18 budget.scenes is '5'; write scenes: {sc010: {max_usd: 20}}"),
        ("budget: {scenes: {s: 5}}", f"2:22 budget.scenes.s is '5'; name the unit of a budget: write s: {{max_usd: 5}}, {CREDITS}"),
        ("limits: 60/min", "2:9 limits is '60/min'; write limits: {submit_rate: 60/min, in_flight: 20}"),
        ("max_usd: 6", "2:1 'max_usd' is not a field of a manifest; put max_usd under budget:"),
        ("in_flight: 6", "2:1 'in_flight' is not a field of a manifest; put in_flight under limits:"),
    ],
)  # fmt: skip
def test_a_head_of_the_wrong_shape_is_told_what_to_write(tmp_path: Path, head: str, message: str) -> None:
    assert told(tmp_path, "x.yaml", f"version: 1\n{head}\nshots:\n  - {{id: a, prompt: Snow, scene: s}}\n") == [message]


def test_json_is_told_in_json(tmp_path: Path) -> None:
    text = '{"budget": 60, "limits": 5, "shots": [{"id": "a", "prompt": "Snow"}]}'
    assert told(tmp_path, "x.json", text) == [
        '1:1 version is missing; write "version": 1, before "shots"',
        f'1:12 budget is \'60\'; name the unit of a budget: write "budget": {{"max_usd": 60}}, {CREDITS}',
        '1:26 limits is \'5\'; write "limits": {"submit_rate": "60/min", "in_flight": 20}',
    ]


def test_yaml_without_a_version_is_told_where_it_goes(tmp_path: Path) -> None:
    text = "shots:\n  - {id: a, prompt: Snow}\n"
    assert told(tmp_path, "x.yaml", text) == ["1:1 version is missing; write version: 1 in the first line"]
