"""Values on the command line: durations, rates and money. Errors say how to write them."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

import click

from wanbatch.batch.names import composed
from wanbatch.batch.selection import Selection
from wanbatch.money.currency import Currency, read_currency
from wanbatch.units import parse_duration_s, parse_rate_per_min

FAULT_PLANS = "a JSON file, or a built-in plan: none, flaky, lost-answers, failures, hostile, bad-media, drift"
"""What may be given as faults, in words. The names are written out: to import them would load all of the sandbox."""


class _Unit(click.ParamType[float]):
    """A duration or a rate, as the interface writes them."""

    def __init__(self, name: str, parse: Callable[[str], float]) -> None:
        self.name = name
        self._parse = parse

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        try:
            return self._parse(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class _Usd(click.ParamType[Decimal]):
    """An amount of USD, exact."""

    name = "USD"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Decimal:
        try:
            amount = Decimal(str(value))
        except InvalidOperation:
            self.fail(f"'{value}' is not an amount of USD: write a number such as 40 or 12.50", param, ctx)
        if not amount.is_finite() or amount < 0:
            self.fail("an amount of USD must be 0 or more", param, ctx)
        return amount


class _Currency(click.ParamType[Currency]):
    """A currency with its rate."""

    name = "CODE=RATE"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Currency:
        if isinstance(value, Currency):
            return value
        try:
            return read_currency(str(value))
        except ValueError as error:
            self.fail(str(error), param, ctx)


class _Rename(click.ParamType[tuple[str, str]]):
    """An old id and a new one."""

    name = "OLD=NEW"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, str]:
        if isinstance(value, tuple):
            return value
        old, is_pair, new = str(value).partition("=")
        if not (old and is_pair and new):
            self.fail(f"'{value}' is not OLD=NEW, the id in the folder and the id in the manifest", param, ctx)
        return old, new


def wanted_by(flags: Mapping[str, Any]) -> Selection:
    """Return the shots that --only and --except name."""
    return Selection(flags["only"], flags["excepted"])


def split_run(names: tuple[str, ...]) -> tuple[Path | None, tuple[str, ...]]:
    """Separate the output folder from the names after it: `[RUN] NAME...`. None if there is no folder.

    The first argument is a folder if it holds a state file or is written as a path. Names are in NFC, as those of
    shots are, whichever form the terminal sends.
    """
    from wanbatch.state.reader import STATE_NAME

    first, names = names[0], tuple(map(composed, names))
    if (Path(first) / STATE_NAME).is_file() or set(first) & set("/\\") or first in (".", ".."):
        return Path(first), names[1:]
    return None, names


def explaining_run(command: Callable[..., Any]) -> Callable[..., Any]:
    """Say in the help of a command what its RUN is."""
    told = "RUN is an output folder, such as outputs/storm (default: the one most recently run)."
    command.__doc__ = f"{inspect.cleandoc(command.__doc__ or '')}\n\n{told}"
    return command


def manifest_folder(help_text: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Make the option that names the folder of a manifest, where models may have been added; this folder by default."""
    folder = click.Path(path_type=Path, file_okay=False, exists=True)
    return click.option("--folder", default=".", show_default=True, type=folder, help=help_text)


def completed_runs(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001
    """Return the output folders that a shell may complete."""
    from wanbatch.session.completion import runs

    return runs(incomplete)


def completed_shots(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return what a shell may complete after `[RUN] SHOT...`: a folder first, then shots and their takes."""
    from wanbatch.session.completion import run_in, runs, shots

    names = tuple(map(str, ctx.params.get(param.name or "") or ()))
    found = shots(incomplete, run_in(names), with_takes=ctx.info_name == "circle")
    return found if names else [*found, *runs(incomplete)]


def completed_choices(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001
    """Return what a shell may complete after --only and --except."""
    from wanbatch.session.completion import choices

    named = ctx.params.get("manifest") or next(iter(ctx.args), None)  # an option without its value ends the reading
    return choices(incomplete, None if named is None else Path(named))


def completed_ids(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return the ids of shots that a shell may complete after --explain."""
    return [each for each in completed_choices(ctx, param, incomplete) if ":" not in each]


def completed_renames(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Return what a shell may complete after --rename: an id of the folder and =, then one of the manifest."""
    from wanbatch.session.completion import shots

    old, is_pair, new = incomplete.partition("=")
    if is_pair:
        return [f"{old}={each}" for each in completed_ids(ctx, param, new)]
    return [f"{each}=" for each in shots(old)]


ONLY = click.option(
    "--only",
    multiple=True,
    metavar="GLOB",
    shell_complete=completed_choices,
    help="Only shots whose id matches GLOB, such as 'sc010_*'; tag:hero or scene:sc010 selects the shots with that tag"
    " or in that scene. Repeatable.",
)
EXCEPT = click.option(
    "--except",
    "excepted",
    multiple=True,
    metavar="GLOB",
    shell_complete=completed_choices,
    help="Leave out the shots that match GLOB, which is written as for --only.",
)
CURRENCY_RATE = _Currency()
CURRENCY = click.option(
    "--currency",
    type=CURRENCY_RATE,
    help="Show amounts in this currency, too, at your rate, such as EUR=0.92; they are marked as converted.",
)
USD = _Usd()
RENAME = _Rename()
RATE = _Unit("RATE", parse_rate_per_min)
DURATION = _Unit("DURATION", parse_duration_s)
