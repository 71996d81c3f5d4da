"""The command preview: a page of what a manifest will show, kept up to date while it is edited."""

from __future__ import annotations

import time
from pathlib import Path

import click

from wanbatch.cli import Global
from wanbatch.cli.problems import warning_text
from wanbatch.cli.streams import echo, json_text
from wanbatch.errors import ExitCode
from wanbatch.folders import OUTPUTS
from wanbatch.manifest.formats import stem_of
from wanbatch.session.animatic import Written, follow, write_animatic
from wanbatch.session.kept_prices import kept_prices
from wanbatch.units import count_text

LOOK_S = 0.3


@click.command(
    "preview", epilog="\b\nExamples:\n  wanbatch preview shots.yaml\n  wanbatch preview board.xlsx --once -o board.html"
)
@click.argument("manifest", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    "page",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The page.  [default: in outputs/, named after the manifest]",
)
@click.option("--once", "is_once", is_flag=True, help="Write the page once; do not wait for the file to be saved.")
@click.pass_obj
def preview_command(options: Global, /, manifest: Path, page: Path | None, is_once: bool) -> int:  # noqa: FBT001
    """Show MANIFEST as a page of slates, without making a clip: the prompt of each shot, its length, where it begins,
    and its cost, based on what was paid before, the provider's last list or its documentation.

    Each time you save the manifest, its table or its map, wanbatch writes the page again, and the browser reloads it;
    Ctrl-C ends this.
    """
    name = stem_of(str(manifest))
    page = page if page is not None else Path(OUTPUTS) / f"{name}.preview.html"
    price_of = kept_prices(options.env_file, Path(OUTPUTS) / name)
    if is_once or options.is_json:
        done = write_animatic(manifest, page, price_of)
        _tell(options, done)
        return int(ExitCode.OK if done.batch is not None else ExitCode.USAGE)

    def wait() -> bool:
        time.sleep(LOOK_S)
        return True

    if options.verbosity >= 0:
        echo(
            f"each time you save {manifest}, its table or its map, {page} is written again; Ctrl-C ends this", err=True
        )
    try:
        follow((manifest, page), price_of, lambda done: _tell(options, done), wait)
    except KeyboardInterrupt:
        return int(ExitCode.OK)
    return int(ExitCode.OK)


def _tell(options: Global, done: Written) -> None:
    if options.is_json:
        shots = None if done.batch is None else len(done.batch.shots)
        click.echo(
            json_text({"page": str(done.page), "shots": shots, "problems": [vars(each) for each in done.problems]})
        )
        return
    for each in done.problems:
        echo(str(each))
    if done.batch is not None and options.verbosity >= 0:
        for warning in done.batch.warnings:
            echo(warning_text(warning))
        echo(f"{done.page}: {count_text(len(done.batch.shots), 'shot')}")
