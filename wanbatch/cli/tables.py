"""Commands about the formats of manifests: convert, and the proposal of `init --from`."""

from __future__ import annotations

import shlex
from pathlib import Path

import click

from wanbatch.cli import Global
from wanbatch.cli.streams import echo, json_text
from wanbatch.session.conversion import Conversion, convert
from wanbatch.session.screenplay import ENDING, write_manifest_of
from wanbatch.session.table_proposal import TableProposal, propose_map
from wanbatch.units import count_text

ROWS_SHOWN = 3
PROMPT_SHOWN = 100


@click.command(
    "convert",
    epilog="\b\nExamples:\n  wanbatch convert shots.csv shots.yaml\n  wanbatch convert film.yaml film.xlsx"
    "\n  wanbatch convert 'board.xlsx#Act 1' act1.yaml",
)
@click.argument("source", type=click.Path(path_type=Path))
@click.argument("target", type=click.Path(path_type=Path, dir_okay=False))
@click.pass_obj
def convert_command(options: Global, /, source: Path, target: Path) -> int:
    """Write the manifest SOURCE as TARGET, in the format of its ending: .yaml, .json, .jsonl, .csv, .tsv, .xlsx, .txt.

    wanbatch reads the result before it saves it. If a shot would not keep its id, recipes, scene or your own
    columns, it writes nothing. In a table, every row contains the defaults, and the resolved values of its scene, cast
    and variants; `name`, `names`, `limits` and `budget` go into a map beside it. YAML to YAML keeps comments.
    """
    done = convert(source, target)
    files = [done.path, *([done.map_path] if done.map_path is not None else [])]
    if options.is_json:
        names = {"files": [str(each) for each in files], "shots": len(done.batch.shots), "comments_kept": done.is_copy}
        names["left_out"] = list(done.lost)
        click.echo(json_text(names))
    elif options.verbosity >= 0:
        for line in _lines(source, done):
            echo(line)
    return 0


def _lines(source: Path, done: Conversion) -> list[str]:
    lines = [f"wrote {done.path}: {count_text(len(done.batch.shots), 'shot')} with the recipes of {source}"]
    if done.map_path is not None:
        lines.append(f"wrote {done.map_path}, which says what a table cannot: keep it beside {done.path.name}")
    if done.is_flat:
        lines.append(
            f"its scenes, cast and variants are resolved: in {done.path.name} each shot has all its values written out"
        )
    if done.is_gathered:
        lines.append(
            f"the shots of the files that {source} names are written into {done.path.name}, which needs no other file"
        )
    if done.lost:
        lines.append(f"not in {done.path.name}: {'; '.join(done.lost)}")
    return lines


def tell_source(options: Global, source: Path) -> int:
    """Do what `init --from` does with this file: propose a map for a table, write the manifest of a screenplay."""
    if source.suffix.lower() != ENDING:
        return tell_proposal(options, propose_map(source))
    done = write_manifest_of(source)
    found = done.found
    if options.is_json:
        names = {
            "scenes": len(found.all_scenes),
            "shots": found.shots,
            "cast": [*found.cast],
            "locations": [*found.locations],
            "heard": [*found.heard],
        }
        click.echo(json_text({"manifest": str(done.path), **names}))
    elif options.verbosity >= 0:
        what = f"{count_text(len(found.all_scenes), 'scene')}, {count_text(found.shots, 'shot')}"
        what += f", {count_text(len(found.locations), 'location')}, {count_text(len(found.cast), 'speaking character')}"
        command = shlex.join(("wanbatch", "validate", str(done.path)))
        if found.heard:
            what += f"; heard but never seen, so not in the cast: {', '.join(found.heard)}"
        echo(f"wrote {done.path}: {what}. Replace each TODO in it; {command} shows what is left")
    return 0


def tell_proposal(options: Global, told: TableProposal) -> int:
    """Write a proposed map; show it, three rows as they would be read, and what is left to change."""
    told.write()
    command = shlex.join(("wanbatch", "plan", str(told.table.file), "--sandbox"))
    if options.is_json:
        click.echo(
            json_text(
                {
                    "map": str(told.path),
                    "columns": {each.column: each.use for each in told.columns},
                    "shots": None if told.batch is None else len(told.batch.shots),
                    "problems": [vars(each) for each in told.problems],
                }
            )
        )
    elif options.verbosity >= 0:
        for line in _proposal_lines(told):
            echo(line)
        echo(f"wrote {told.path}: correct what is wrong, then: {command}")
    return 0


def _proposal_lines(told: TableProposal) -> list[str]:
    width = max((len(each.column) for each in told.columns), default=0)
    lines = [f"the columns of {told.table.file}, as they would be read:"]
    lines += [f"  {each.column:{width}}  {each.use}{f'  ({each.why})' if each.why else ''}" for each in told.columns]
    if told.batch is not None:
        shots = told.batch.shots
        lines.append(f"the first {min(ROWS_SHOWN, len(shots))} of {count_text(len(shots), 'shot')}:")
        for shot in shots[:ROWS_SHOWN]:
            given = [f"{name} {value}" for name, value in shot.request.items() if name not in ("model", "prompt")]
            own = [f"{name} {cell}" for name, cell in shot.own.items() if cell]
            scene = [f"scene {shot.scene}"] if shot.scene else []
            lines += [f"  {shot.id}: {', '.join([*scene, *given, *own])}".rstrip(": "), f"    {_short(shot.prompt)}"]
    if told.problems:
        count = len(told.problems)
        lines.append(
            f"{count_text(count, 'problem')} left in the table, such as:" if count > ROWS_SHOWN else "left to change:"
        )
        lines += [f"  {each}" for each in told.problems[:ROWS_SHOWN]]
    return lines


def _short(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= PROMPT_SHOWN else line[: PROMPT_SHOWN - 1] + "…"
