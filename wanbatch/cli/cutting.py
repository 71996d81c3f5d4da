"""Commands that choose and cut: circle."""

from __future__ import annotations

import re
from pathlib import Path

import click

from wanbatch.choosing import Pick
from wanbatch.cli import Global
from wanbatch.cli.screen import print_json
from wanbatch.cli.values import split_run
from wanbatch.errors import UsageInvalid
from wanbatch.lifecycle import Fact
from wanbatch.marking import mark

_PAIR = re.compile(r"(?P<shot>[^:/\\]+):t?(?P<take>[1-9][0-9]*)")
_NUMBER = re.compile(r"t?[1-9][0-9]*")


@click.command(
    "circle",
    epilog="\b\nExamples:\n  wanbatch circle sc010_sh020 2\n  wanbatch circle outputs/dragon-pass sc010_sh010:1"
    " sc010_sh020:2\n  wanbatch circle --clear sc010_sh020",
)
@click.argument("names", nargs=-1, required=True, metavar="[RUN] SHOT TAKE | SHOT:TAKE...")
@click.option("--clear", is_flag=True, help="Take the circles of these SHOTs away.")
@click.pass_obj
def circle_command(options: Global, /, names: tuple[str, ...], clear: bool) -> int:  # noqa: FBT001
    """Choose the TAKE of a SHOT that goes into the cut. Without a choice it is the newest good one."""
    output, picks, cleared = _asked(names, is_clearing=clear)
    facts = mark(output, picks, cleared)
    if options.is_json:
        changed = [{"shot": take.shot_id, "take": take.number, "circled": fact is Fact.CIRCLED} for take, fact in facts]
        print_json({"output": str(output), "changed": changed})
    elif options.verbosity >= 0:
        for take, fact in facts:
            stale = ", made from an older recipe" if take.superseded else ""
            click.echo(f"{take.label} {'is circled' + stale if fact is Fact.CIRCLED else 'is circled no more'}")
        if not facts:
            click.echo("nothing changed: it was so already")
    return 0


def _asked(names: tuple[str, ...], *, is_clearing: bool) -> tuple[Path, list[Pick], tuple[str, ...]]:
    """Read `[RUN] SHOT TAKE`, `[RUN] SHOT:TAKE...`, or with --clear `[RUN] SHOT...`."""
    output, words = split_run(names)
    if is_clearing:
        if not words:
            raise UsageInvalid("name at least one shot")
        return output, [], words
    pairs = [_PAIR.fullmatch(word) for word in words]
    if words and all(pairs):
        return output, [Pick(pair["shot"], int(pair["take"])) for pair in pairs if pair is not None], ()
    if len(words) == 2 and not any(pairs) and _NUMBER.fullmatch(words[1]):
        return output, [Pick(words[0], int(words[1].removeprefix("t")))], ()
    raise UsageInvalid("write SHOT TAKE, or SHOT:TAKE as often as you like, such as sc010_sh020:2")
