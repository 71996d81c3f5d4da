"""The shapes of a manifest's head: how its version, budget and limits are written, in YAML and in JSON."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any

from wanbatch.manifest.fields import OF_VARIANTS
from wanbatch.manifest.schemas import MANIFEST, schema
from wanbatch.manifest.words import one_of
from wanbatch.money.credits import CREDITS_PER_USD

_JSON = (".json", ".jsonl", ".ndjson")
_AMOUNT = re.compile(r"([^\d.,-]*)(\d{1,9}(?:\.\d{1,6})?)([^\d.,]*)")
_USD = frozenset({"", "$", "usd", "us$", "dollar", "dollars", "us dollars"})
_EXAMPLES = {"limits": "{submit_rate: 60/min, in_flight: 20}", "scenes": "{sc010: {max_usd: 20}}"}


def version_to_write(source: str) -> str:
    """Say how to add the missing version to a file."""
    if source.lower().endswith(_JSON):
        return 'write "version": 1, before "shots"'
    return "write version: 1 in the first line"


def shape_wanted(path: Sequence[Any], value: Any, source: str) -> str:
    """Say how to write the table at a path of the head, with the value that was found; or nothing."""
    names = [str(part) for part in path]
    if not names or names[0] not in ("budget", "limits"):
        return ""
    name, is_json = names[-1], source.lower().endswith(_JSON)
    if name in _EXAMPLES:
        return f"write {_written(name, _EXAMPLES[name], is_json=is_json)}"
    amount = _AMOUNT.fullmatch(re.sub(r"(?<=\d),(?=\d\d?\b)", ".", str(value)))
    is_of_usd = amount is not None and _unit_of(amount) in _USD
    written = _written(name, f"{{max_usd: {amount[2] if amount is not None and is_of_usd else 60}}}", is_json=is_json)
    what = "name the unit of a budget" if is_of_usd else "give a budget in USD or in credits"
    if amount is None:
        return f"{what}: write one such as {written}, or remove it to have no cap"
    return f"{what}: write {written}, or max_credits instead of max_usd; 1 USD is {CREDITS_PER_USD:,} credits"


def amount_wanted(name: str, value: Any) -> str:
    """Say how to write an amount of money that has a sign or a word; nothing if it is not in USD."""
    amount = _AMOUNT.fullmatch(value) if isinstance(value, str) else None
    if amount is None or not name.endswith("max_usd"):
        return ""
    unit = _unit_of(amount)
    if unit not in _USD:
        return "; the amount is in USD"
    return f"; write {amount[2]}, in USD and without a sign" if unit else ""


def place_of(key: str) -> str:
    """Say to which table of the head a name at the top level belongs; or nothing."""
    if key in OF_VARIANTS:
        return f"; write it in a shot: shots: [{{{key}: {'prompts.txt' if key == 'prompts_from' else '{...}'}}}]"
    tables = schema(MANIFEST)["properties"]
    under = [f"{each}:" for each in ("budget", "limits") if key in tables[each]["properties"]]
    return f"; put {key} under {one_of(under)}" if under else ""


def _unit_of(amount: re.Match[str]) -> str:
    return (amount[1] + amount[3]).strip().casefold()


def _written(name: str, example: str, *, is_json: bool) -> str:
    if not is_json:
        return f"{name}: {example}"
    quoted = re.sub(r"([A-Za-z_]\w*)(?=:)", r'"\1"', example)
    return f'"{name}": ' + re.sub(r"(?<=: )(\d+/\w+)", r'"\1"', quoted)
