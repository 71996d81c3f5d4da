"""The command that rebuilds a lost state file: recover."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

import click

from wanbatch.cli import Global
from wanbatch.cli.run_flags import OUTPUT
from wanbatch.cli.screen import console_of, is_interactive, print_json
from wanbatch.errors import ExitCode, UsageInvalid
from wanbatch.manifest.cache import Manifest
from wanbatch.money.credits import usd_text
from wanbatch.session.options import RunOptions, Watch
from wanbatch.session.recovery import Recovery
from wanbatch.session.session import session_of
from wanbatch.units import agreeing

_SHOWN = 8
_UNKNOWN_FRAMES = (
    "made from a frame of another shot, but no record says from which clip: wanbatch keeps them|it and sends nothing"
    " again on its own; `wanbatch retake` makes a new take"
)


@click.command(
    "recover",
    epilog="\b\nExamples:\n  wanbatch recover shots.yaml\n  wanbatch recover shots.yaml -o outputs/final --yes",
)
@click.argument("manifest", type=click.Path(path_type=Path))
@OUTPUT
@click.option("--yes", is_flag=True, help="Do not ask before the new state file is written.")
@click.pass_obj
def recover_command(options: Global, /, manifest: Path, output: Path | None, yes: bool) -> int:  # noqa: FBT001
    """Rebuild the state file in the output folder of MANIFEST if it is lost, damaged or out of date.

    wanbatch uses what is left of the old one, run.log, the clips and their sidecars, and the provider's log.
    Nothing is bought: clips on disk are verified again, the next `run` fetches known generations, and everything
    that cannot be matched is listed. The old file is kept beside the new one.
    """

    def confirm(found: Recovery) -> bool:
        _show(options, found)
        if yes:
            return True
        if not is_interactive():
            raise UsageInvalid(
                "no new state file was written: there is no terminal to ask on, so confirm it with --yes"
            )
        return click.confirm("Write this new state file?", default=False, err=True)

    def tell(text: str) -> None:
        if options.verbosity >= 0:
            click.echo(f"wanbatch: {text}", err=True)

    session = session_of(RunOptions(output=output), Watch(notice=tell), options.env_file)
    found = asyncio.run(session.recover(Manifest(manifest), confirm))
    if options.is_json:
        reported = None if found is None else {**asdict(found), "output": str(found.output)}
        print_json({"recovered": None if reported is None else _plain(reported)})
    elif found is None:
        click.echo("no new state file was written")
    elif not found.is_needed:
        click.echo(f"{found.output}: its state file is intact and up to date; nothing was changed")
    elif options.verbosity >= 0:
        kept = f" ({found.kept_as})" if found.kept_as else ""
        click.echo(f"the new state file is in place{kept}. Continue with `wanbatch run {manifest} -o {found.output}`")
    return int(ExitCode.INTERRUPTED if found is None else ExitCode.OK)


def _plain(reported: dict[str, object]) -> dict[str, object]:
    strays = reported["strays"]
    assert isinstance(strays, Sequence)
    return {**reported, "strays": [{**each, "at": each["at"].isoformat()} for each in strays]}


def _show(options: Global, found: Recovery) -> None:
    if options.is_json or options.verbosity < 0:
        return
    console = console_of(options, stderr=True)
    for line in _lines(found):
        console.print(line, markup=False, highlight=False)


def _lines(found: Recovery) -> list[str]:
    lines = [f"{found.batch} → {found.output}", f"  {found.trouble}", f"  known from: {', '.join(found.sources)}"]
    if found.log_trouble:
        lines.append(f"  the provider's log could not be read ({found.log_trouble}): the next run reads it")
    named = [f"{label} ({generation_id})" for label, generation_id in found.fetched]
    doubles = [f"{label} ({generation_ids})" for label, generation_ids in found.doubles]
    for labels, words in (
        (found.verified, "verified: the clips|clip are|is on disk, with the recorded bytes"),
        (
            found.missing,
            "verified before, but the clips|clip are|is missing now; `wanbatch verify --fetch` fetches them|it again",
        ),
        (named, "bought, or still being made: the next run fetches them|it"),
        (found.sought, "without a known answer: the next run looks them|it up before it sends anything"),
        (found.failed, "failed"),
        (doubles, "DOUBLE: more than one generation was made; contact the provider's support about the others"),
        (found.unknown_frames, _UNKNOWN_FRAMES),
    ):
        if labels:
            lines.append(f"  {len(labels)} {agreeing(len(labels), words)}: {_few(labels)}")
    for stray in found.strays[:_SHOWN]:
        made = stray.generation_id or "unknown"
        cost = "unknown" if stray.credits_held is None else usd_text(stray.credits_held)
        lines.append(
            f"  stray: {stray.request_id} in {stray.source} belongs to no take; generation: {made}; cost: {cost}"
        )
    if len(found.strays) > _SHOWN:
        lines.append(
            f"  ... and {len(found.strays) - _SHOWN} more that belong to no take; `wanbatch status` lists them all"
        )
    lines.append(f"  the baseline, which is what the first confirmed plan was expected to cost: {found.baseline}")
    lines.append(f"  still to be sent by the next run: {found.to_send}; nothing is sent now")
    if not found.is_witnessed:
        lines.append(
            f"  {found.doubt}. The provider's log may be up to a day late, and shows only what was sent with this key:"
            " for a day `run` sends nothing, unless you add --trust-state"
        )
    lines.append("  A cap that you set with a flag is kept only if the old file could be read: set it again.")
    return lines


def _few(labels: Sequence[str]) -> str:
    more = f" and {len(labels) - _SHOWN} more" if len(labels) > _SHOWN else ""
    return ", ".join(labels[:_SHOWN]) + more
