"""The command about models: what the provider serves now, and schemas of it for a project."""

from __future__ import annotations

import asyncio
import os
from dataclasses import asdict
from pathlib import Path

import click

from wanbatch.cli import Global
from wanbatch.cli.grid import Grid
from wanbatch.cli.parameters import manifest_folder
from wanbatch.cli.screen import console_of, print_json
from wanbatch.cli.streams import echo
from wanbatch.errors import UsageInvalid
from wanbatch.provider.endpoint import load_settings
from wanbatch.session.access import Access
from wanbatch.session.models import AddedModel, add_models, added_names, served_models


@click.command(
    "models",
    epilog="\b\nExamples:\n  wanbatch models\n  wanbatch models add pixverse/v5.5/text-to-video"
    "\n  wanbatch models update",
)
@click.argument("action", required=False, default="list", type=click.Choice(["list", "add", "update"]))
@click.argument("names", nargs=-1, metavar="[MODEL]...")
@manifest_folder("The folder of the manifest.")
@click.option("--sandbox", is_flag=True, help="Ask the embedded sandbox.")
@click.pass_obj
def models_command(options: Global, /, action: str, names: tuple[str, ...], folder: Path, sandbox: bool) -> int:  # noqa: FBT001
    """List the video models that the provider serves now; add MODELs to a project; or update those in it.

    `add` writes the provider's own schema of each MODEL into the folder `models` beside the manifest, where a manifest
    finds it. `update` does so again and shows what changed. Costs nothing, and needs no key.
    """
    access = Access(load_settings(os.environ, options.env_file, Path.cwd()), sandbox)
    if action == "list":
        return _list(options, access, folder, names)
    wanted = list(dict.fromkeys(names)) or (added_names(folder) if action == "update" else [])
    if not wanted:
        what = "no model was added to this folder yet" if action == "update" else "name the models to add"
        raise UsageInvalid(f"{what}: `wanbatch models add MODEL`")
    added = asyncio.run(add_models(access, folder, wanted))
    if options.is_json:
        print_json([asdict(each) for each in added])
    else:
        echo("\n".join(line for each in added for line in _lines(each)))
    return 0


def _list(options: Global, access: Access, folder: Path, names: tuple[str, ...]) -> int:
    found = asyncio.run(served_models(access, folder))
    rows = [each for each in found if not names or any(name in each.name for name in names)]
    if options.is_json:
        print_json([asdict(each) for each in rows])
        return 0
    grid = Grid(("model", "makes video from", "price", "schema", "retirement"), left=(0, 1, 4))
    for each in rows:
        grid.add(each.name, ", ".join(each.kinds), each.price, "yes" if each.has_schema else "add", each.end)
    grid.show(console_of(options))
    return 0


def _lines(added: AddedModel) -> list[str]:
    if added.is_new:
        return [f"{added.name}: added as {added.path}"]
    if not added.changes:
        return [f"{added.name}: unchanged"]
    return [f"{added.name}: changed", *(f"  {each}" for each in added.changes)]
