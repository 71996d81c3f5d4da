"""Commands that choose and cut: circle, cut, export."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wanbatch.batch.choice import Pick, why_superseded
from wanbatch.batch.lifecycle import Fact
from wanbatch.batch.remedies import in_folder
from wanbatch.batch.take import Take
from wanbatch.cli import Global
from wanbatch.cli.grid import say
from wanbatch.cli.parameters import EXCEPT, ONLY, completed_runs, completed_shots, explaining_run, split_run, wanted_by
from wanbatch.cli.screen import can_redraw, console_of, print_json
from wanbatch.cli.streams import echo
from wanbatch.cli.which import output_meant
from wanbatch.errors import ExitCode, UsageInvalid
from wanbatch.money.credits import usd_text
from wanbatch.session.circles_and_retakes import mark
from wanbatch.state.progress_reader import read_overview
from wanbatch.state.reader import StateReader
from wanbatch.text import visible
from wanbatch.units import count_text, duration_text

if TYPE_CHECKING:
    from wanbatch.cut.film import OnFrames
    from wanbatch.cut.timeline import Piece, Timeline
    from wanbatch.money.spending import Spending

_PAIR = re.compile(r"(?P<shot>[^:/\\]+):t?(?P<take>[1-9][0-9]*)")
_NUMBER = re.compile(r"t?[1-9][0-9]*")


@click.command(
    "circle",
    epilog="\b\nExamples:\n  wanbatch circle sc010_sh020 2\n  wanbatch circle outputs/dragon-pass sc010_sh010:1"
    " sc010_sh020:2\n  wanbatch circle --clear sc010_sh020",
)
@click.argument(
    "names", nargs=-1, required=True, metavar="[RUN] SHOT TAKE | SHOT:TAKE...", shell_complete=completed_shots
)
@click.option("--clear", is_flag=True, help="Remove the circles of these SHOTs.")
@click.pass_obj
@explaining_run
def circle_command(options: Global, /, names: tuple[str, ...], clear: bool) -> int:  # noqa: FBT001
    """Choose the TAKE of a SHOT that goes into the cut. If you choose none, the newest verified one is used."""
    run, picks, cleared = _asked(names, is_clearing=clear)
    output = output_meant(options, run)
    before = read_overview(output).spending
    facts = mark(output, picks, cleared)
    if options.is_json:
        changed = [{"shot": take.shot_id, "take": take.number, "circled": fact is Fact.CIRCLED} for take, fact in facts]
        print_json({"output": str(output), "changed": changed})
    elif options.verbosity >= 0:
        for line in _told(output, facts):
            echo(line)
        if not facts:
            echo("nothing to change: the circles are already set that way")
            return 0
        _tell_money(output, before)
    return 0


def _told(output: Path, facts: Sequence[tuple[Take, Fact]]) -> list[str]:
    """Say of each take that it is circled, or is not any more."""
    with StateReader.open(output) as reader:
        mine = {take.shot_id: reader.takes_of_shots([take.shot_id]) for take, _ in facts if take.superseded}
    stale = {take.take_id: f", {why_superseded(take, mine[take.shot_id])}" for take, _ in facts if take.superseded}
    return [
        f"{take.label} {'is circled' + stale.get(take.take_id, '') if fact is Fact.CIRCLED else 'is no longer circled'}"
        for take, fact in facts
    ]


def _tell_money(output: Path, before: Spending) -> None:
    """Say what the choice changes in money, in the cut and outside it, and which shots were made from other takes."""
    found = read_overview(output)
    pairs = ((found.spending.in_cut, before.in_cut), (found.spending.outside_cut, before.outside_cut))
    inside, outside = (
        f"{usd_text(now)} ({'as before' if now == then else f'before: {usd_text(then)}'})" for now, then in pairs
    )
    echo(f"  charged for the cut {inside}, outside it {outside}")
    for each in found.successions:
        echo(f"  {each.text(str(output))}")


def _asked(names: tuple[str, ...], *, is_clearing: bool) -> tuple[Path | None, list[Pick], tuple[str, ...]]:
    """Read `[RUN] SHOT TAKE`, `[RUN] SHOT:TAKE...`, or with --clear `[RUN] SHOT...`."""
    run, words = split_run(names)
    if is_clearing:
        if not words:
            raise UsageInvalid("name at least one shot")
        return run, [], words
    pairs = [_PAIR.fullmatch(word) for word in words]
    if words and all(pairs):
        return run, [Pick(pair["shot"], int(pair["take"])) for pair in pairs if pair is not None], ()
    if len(words) == 2 and not any(pairs) and _NUMBER.fullmatch(words[1]):
        return run, [Pick(words[0], int(words[1].removeprefix("t")))], ()
    raise UsageInvalid("write SHOT TAKE, or one or more SHOT:TAKE, such as sc010_sh020:2")


_RUN = click.argument(
    "run", required=False, type=click.Path(path_type=Path, file_okay=False), shell_complete=completed_runs
)


@click.command(
    "cut",
    epilog="\b\nExamples:\n  wanbatch cut\n  wanbatch cut outputs/dragon-pass --only 'sc020_*' -o scene20.mp4"
    "\n  wanbatch cut --reencode              (clips of several sizes or models)",
)
@_RUN
@click.option("-o", "--output", "target", type=click.Path(path_type=Path), help="[default: cut.mp4 in RUN]")
@click.option("--reencode", is_flag=True, help="Re-encode all frames, in the format that most clips have.")
@click.option(
    "--slates/--no-slates",
    default=True,
    help="Show slates in place of missing shots, or leave them out.  [default: slates]",
)
@ONLY
@EXCEPT
@click.pass_obj
@explaining_run
def cut_command(options: Global, /, run: Path | None, target: Path | None, **flags: Any) -> int:
    """Join the chosen takes of RUN in story order: chapters by scene, slates for what is missing.

    Frames are copied unchanged if all clips have the same format; sound is encoded once, so every join is in sync.
    Exit code 1 means that shots are missing from the cut.
    """
    from wanbatch.cut.film import CUT_NAME, CutOptions, make_cut

    output = output_meant(options, run)
    wish = CutOptions(target, wanted_by(flags), reencode=flags["reencode"], slates=flags["slates"])
    timeline = make_cut(output, wish, _progress(options, is_slow=wish.reencode))
    written = target if target is not None else output / CUT_NAME
    if options.is_json:
        print_json({"file": str(written), "reencoded": wish.reencode, **_reported(timeline)})
    elif options.verbosity >= 0:
        _print_cut(options, output, written, timeline)
    return _exit_code(timeline)


def _exit_code(timeline: Timeline) -> int:
    return int(ExitCode.TAKES_FAILED if timeline.missing else ExitCode.OK)


def _progress(options: Global, *, is_slow: bool) -> OnFrames:
    """Show how much of a cut is written: on one line of a terminal; elsewhere a line each tenth, if it is slow."""
    is_live = can_redraw(console_of(options, stderr=True))
    shown = -1

    def tell(piece: Piece, frames: int, timeline: Timeline) -> None:
        nonlocal shown
        share = (piece.begin + frames) * 100 // timeline.frames
        if is_live:
            is_end = piece is timeline.pieces[-1] and frames == piece.frames
            click.echo(f"\r  {share:3} %  {visible(piece.label)}\x1b[K", nl=is_end, err=True)
        elif is_slow and share // 10 > shown:
            shown = share // 10
            echo(f"  {share:3} %  {piece.label}", err=True)

    return tell if options.verbosity >= 0 and not options.is_json else lambda *_: None


def _reported(timeline: Timeline) -> dict[str, Any]:
    """Return what is in a cut as JSON values; frames count from 0."""
    fps = timeline.format.fps
    return {
        "frames": timeline.frames,
        "duration_s": round(float(timeline.duration_s), 3),
        "fps": f"{fps.numerator}/{fps.denominator}",
        "width": timeline.format.width,
        "height": timeline.format.height,
        "has_audio": timeline.rate_hz is not None,
        "scenes": [vars(scene) for scene in timeline.scenes],
        "pieces": [
            {
                "shot": piece.choice.shot.shot_id,
                "take": None if piece.choice.take is None else piece.choice.take.number,
                "begin": piece.begin,
                "frames": piece.frames,
                "note": piece.choice.note,
                "join": None if piece.join is None else asdict(piece.join),
            }
            for piece in timeline.pieces
        ],
        "missing": [{"shot": choice.shot.shot_id, "note": choice.note} for choice in timeline.missing],
    }


def _print_cut(options: Global, output: Path, written: Path, timeline: Timeline) -> None:
    console = console_of(options)
    like = timeline.format
    clips = len(timeline.pieces) - len(timeline.holes)
    console.print(str(written), style="bold", markup=False)
    sound = "sound" if timeline.rate_hz is not None else "silent"
    length = duration_text(float(timeline.duration_s))
    slates = f" and {count_text(len(timeline.holes), 'slate')}" if timeline.holes else ""
    where = f" in {count_text(timeline.scene_count, 'scene')}" if timeline.scene_count else ""
    say(
        console,
        f"  {count_text(clips, 'clip')}{slates}{where};"
        f" {length}, {count_text(timeline.frames, 'frame')}; {like.size}, {float(like.fps):.5g} fps, {sound}",
    )
    for piece in timeline.joins:
        assert piece.join is not None
        console.print(f"  {piece.label} {piece.join.text}", style="dim", markup=False, highlight=False)
    _print_notes(options, timeline, output)


def _print_notes(options: Global, timeline: Timeline, output: Path) -> None:
    console = console_of(options)
    for choice in timeline.missing:
        note = in_folder(choice.note, str(output))
        console.print(f"  missing: {choice.shot.shot_id}, {note}", style="yellow", markup=False)
    for piece in timeline.pieces:
        if piece.clip is not None and piece.choice.note:
            console.print(f"  {piece.label}: {piece.choice.note}", style="yellow", markup=False)


@click.command(
    "export",
    epilog="\b\nExamples:\n  wanbatch export --format otio\n  wanbatch export outputs/dragon-pass --format edl"
    " --only 'sc020_*' -o scene20.edl\n  wanbatch export --format edl --style premiere"
    "\n  wanbatch export --format mp4          (copies that say how they were made)",
)
@_RUN
@click.option(
    "--format",
    "how",
    type=click.Choice(["otio", "edl", "mp4"]),
    required=True,
    help="otio: OpenTimelineIO; edl: CMX 3600; mp4: tagged copies of the clips.",
)
@click.option(
    "-o",
    "--output",
    "target",
    type=click.Path(path_type=Path),
    help="[default: edit/cut.FORMAT, or the folder edit/tagged, in RUN]",
)
@ONLY
@EXCEPT
@click.option(
    "--style",
    type=click.Choice(["avid", "nucoda", "premiere"]),
    help="How an EDL names its clips: for Avid and Resolve, for Nucoda, or for Premiere.  [default: avid]",
)
@click.pass_obj
@explaining_run
def export_command(options: Global, /, run: Path | None, how: str, **flags: Any) -> int:
    """Write the cut of RUN for an editing program: clips, how each was made, markers, and gaps for missing shots.

    Links to clips are relative to the file: move the output folder as a whole. An EDL holds the picture only; gaps are
    black. mp4 copies the clips unchanged and adds title, prompt, model, seed and ids as metadata.
    Exit code 1 means that shots are missing from the cut.
    """
    from wanbatch.cut.export import EditFormat, EdlStyle, export
    from wanbatch.cut.tags import tag_clips

    target, wanted, style = flags["target"], wanted_by(flags), flags["style"]
    if style is not None and how != "edl":
        raise UsageInvalid("--style is for an EDL: add --format edl, or leave it out")
    output = output_meant(options, run)
    if how == "mp4":
        written, timeline = tag_clips(output, target, wanted)
    else:
        written, timeline = export(output, EditFormat(how), target, wanted, EdlStyle(style or "avid"))
    if options.is_json:
        print_json({"file": str(written), **_reported(timeline)})
    elif options.verbosity >= 0 and how == "mp4":
        console = console_of(options)
        console.print(str(written), style="bold", markup=False)
        copies = len(timeline.pieces) - len(timeline.holes)
        how_made = "how it was made" if copies == 1 else "how each was made"
        console.print(f"  {count_text(copies, 'clip')} copied, with metadata on {how_made}")
        _print_notes(options, timeline, output)
    elif options.verbosity >= 0:
        _print_cut(options, output, written, timeline)
    return _exit_code(timeline)
