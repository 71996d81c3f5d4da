"""The command that writes a frame of a clip as a still: extract."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from wanbatch.batch.frames import Edge, FrameOf
from wanbatch.cli import Global
from wanbatch.cli.parameters import completed_shots, explaining_run, split_run
from wanbatch.cli.screen import print_json
from wanbatch.cli.streams import echo
from wanbatch.cli.which import output_meant
from wanbatch.errors import UsageInvalid
from wanbatch.manifest.frames import milliseconds_in
from wanbatch.session.extraction import extract


@click.command(
    "extract",
    epilog="\b\nExamples:\n  wanbatch extract sc010_sh020\n  wanbatch extract outputs/dragon-pass sc010_sh020 --at 2.5s"
    "\n  wanbatch extract sc010_sh020 --frame first --take 2 -o stills/mara.png",
)
@click.argument("names", nargs=-1, required=True, metavar="[RUN] SHOT", shell_complete=completed_shots)
@click.option("--frame", "edge", type=click.Choice([each.value for each in Edge]), help="[default: last]")
@click.option("--at", metavar="TIME", help="The frame that the clip shows at this time, such as 2.5s.")
@click.option("--take", type=click.IntRange(min=1), help="[default: the circled take, else the newest verified one]")
@click.option(
    "-o",
    "--output",
    "target",
    type=click.Path(path_type=Path),
    help="[default: a name made of shot, take and frame, in this folder]",
)
@click.pass_obj
@explaining_run
def extract_command(options: Global, /, names: tuple[str, ...], target: Path | None, **flags: Any) -> int:
    """Write one exact frame of the clip of SHOT as a lossless PNG. A file that exists is never overwritten."""
    run, shot_ids = split_run(names)
    if len(shot_ids) != 1:
        raise UsageInvalid("name one shot")
    edge, at = flags["edge"], flags["at"]
    if edge is not None and at is not None:
        raise UsageInvalid("give either --frame or --at, not both")
    at_ms = None if at is None else _milliseconds(at)
    frame = FrameOf(shot_ids[0], Edge(edge or Edge.LAST.value), at_ms, flags["take"])
    still = extract(output_meant(options, run), frame, target)
    if options.is_json:
        print_json(
            {"file": str(still.file), "shot": still.take.shot_id, "take": still.take.number, "frame": frame.moment}
        )
    elif options.verbosity >= 0:
        echo(f"{still.file}: {FrameOf(still.take.shot_id, frame.edge, frame.at_ms, still.take.number)}")
    return 0


def _milliseconds(text: str) -> int:
    at_ms = milliseconds_in(text)
    if at_ms is None:
        raise UsageInvalid(f"--at is '{text}'; expected seconds into the clip, such as 2.5s")
    return at_ms
