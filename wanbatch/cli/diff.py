"""The command diff: what an edit changes, shot by shot."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from difflib import SequenceMatcher
from pathlib import Path
from typing import Any

import click

from wanbatch.batch.differences import Kind, ShotDifference
from wanbatch.batch.given_files import GivenFile, with_names
from wanbatch.cli import Global
from wanbatch.cli.run_flags import OUTPUT
from wanbatch.cli.streams import echo, json_text
from wanbatch.manifest import load_manifest
from wanbatch.money.credits import partly_known, usd_text
from wanbatch.session.comparison import Comparison, compare
from wanbatch.session.kept_prices import SOURCE, Cost, PriceOf, cost_of, kept_prices, sandbox_prices
from wanbatch.session.options import RunOptions, output_of
from wanbatch.units import agreeing, count_text

_AROUND = 3  # words before and after a change of a text
_SHOWN_CAP = 160


@click.command(
    "diff",
    epilog="\b\nExamples:\n  wanbatch diff shots-monday.yaml shots.yaml\n  wanbatch diff shots.yaml",
)
@click.argument("before", metavar="[BEFORE]", type=click.Path(path_type=Path))
@click.argument("after", metavar="MANIFEST", required=False, type=click.Path(path_type=Path))
@OUTPUT
@click.option(
    "--sandbox", "is_sandbox", is_flag=True, help="Use the prices of the embedded sandbox, which are play money."
)
@click.pass_obj
def diff_command(
    options: Global,
    /,
    before: Path,
    after: Path | None,
    output: Path | None,
    is_sandbox: bool,  # noqa: FBT001
) -> int:
    """Show what MANIFEST asks for that BEFORE does not, shot by shot, with the cost of the new takes.

    Without BEFORE, it compares MANIFEST with the takes in its output folder. A take is expected to cost what similar
    takes cost before, or else what the provider's last list or its documentation says; `plan` asks the provider for
    today's prices.
    """
    new = load_manifest(before if after is None else after)
    folder = output_of(new.head, RunOptions(output=output))
    found = compare(load_manifest(before) if after is not None else folder, new)
    price_of = sandbox_prices() if is_sandbox else kept_prices(options.env_file, folder)
    if options.is_json:
        click.echo(
            json_text(
                {
                    "shots": [_json(each, price_of) for each in found.shots],
                    "same": found.same,
                    "not_sent": found.unsent,
                    **_cost_json(cost_of(found.recipes, price_of)),
                }
            )
        )
        return 0
    for each in found.shots:
        echo(_line(each, price_of))
        for name, one, two in _rows(each):
            echo(f"    {name}: {_change(*(with_names(side, found.files, _with_hash) for side in (one, two)))}")
    if options.verbosity >= 0:
        source = "the sandbox's list: play money" if is_sandbox else SOURCE
        echo(_sum(found, cost_of(found.recipes, price_of), source))
    return 0


def _json(each: ShotDifference, price_of: PriceOf) -> dict[str, Any]:
    fields = [{"field": name, "before": one, "after": two} for name, one, two in each.fields]
    was = {"was": each.was} if each.was else {}
    return {
        "shot": each.shot_id,
        "change": each.kind.value,
        **was,
        "fields": fields,
        **_cost_json(cost_of(each.recipes, price_of)),
    }


def _cost_json(cost: Cost) -> dict[str, Any]:
    """Return a cost as JSON values: `credits` is null if the price of a take is not known."""
    return {"takes": cost.takes, "credits": None if cost.unpriced else cost.credits}


def _line(each: ShotDifference, price_of: PriceOf) -> str:
    what = f"renamed from {each.was}" if each.kind is Kind.RENAMED else each.kind.value
    return f"  {each.shot_id}  {what}{_cost_text(cost_of(each.recipes, price_of), '  ')}"


def _cost_text(cost: Cost, before: str) -> str:
    if not cost.takes:
        return ""
    text = partly_known(cost.credits, cost.unpriced) if cost.unpriced else usd_text(cost.credits)
    return f"{before}{count_text(cost.takes, 'take')} to make, {text}"


def _rows(each: ShotDifference) -> Iterator[tuple[str, Any, Any]]:
    """Yield the fields that differ, each column of one's own and each part of a table as one of them."""
    for name, one, two in each.fields:
        if not (isinstance(one, Mapping) or isinstance(two, Mapping)):
            yield name, one, two
            continue
        old, new = (side if isinstance(side, Mapping) else {} for side in (one, two))
        for inner in dict.fromkeys([*old, *new]):
            if old.get(inner) != new.get(inner):
                yield inner if name == "own" else f"{name}.{inner}", old.get(inner), new.get(inner)


def _sum(found: Comparison, cost: Cost, source: str) -> str:
    unsent = (
        f"; {count_text(found.unsent, 'take')} in the output folder"
        f" {agreeing(found.unsent, 'have|has')} not been sent yet"
        if found.unsent
        else ""
    )
    if not found.shots:
        return f"no differences in {count_text(found.same, 'shot')}{unsent}"
    differ = f"{count_text(len(found.shots), 'shot')} differ{'s' * (len(found.shots) == 1)}, {found.same} the same"
    if not cost.takes:
        return f"{differ}; nothing to make{unsent}"
    cure = "; `wanbatch plan` asks the provider for the missing prices" if cost.unpriced else ""
    return f"{differ}{_cost_text(cost, '; ')}, based on {source}{cure}{unsent}"


def _with_hash(file: GivenFile) -> str:
    return file.with_hash


def _change(one: Any, two: Any) -> str:
    if not (isinstance(one, str) and isinstance(two, str)):
        return f"{_shown(one)} -> {_shown(two)}"
    old, new = one.split(), two.split()
    parts = []
    for tag, a, b, c, d in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        if tag == "equal":
            kept = old[a:b]
            parts += kept if len(kept) <= 2 * _AROUND else [*kept[:_AROUND], "...", *kept[-_AROUND:]]
        else:
            parts += [f"[-{' '.join(old[a:b])}-]"] * (b > a) + [f"[+{' '.join(new[c:d])}+]"] * (d > c)
    text = " ".join(parts)
    return text if len(text) <= _SHOWN_CAP else text[: _SHOWN_CAP - 1] + "…"


def _shown(value: Any) -> str:
    if isinstance(value, list) and all(isinstance(each, str) for each in value):
        return ", ".join(value)
    return "none" if value is None else value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
