"""Commands about manifests: init, validate, schema."""

from __future__ import annotations

import re
import shlex
import tempfile
from pathlib import Path

import click

from wanbatch.batch.names import composed, name_of_stem
from wanbatch.batch.registry import reading
from wanbatch.cli import Global
from wanbatch.cli.given_files import file_lines, files_json, sum_text
from wanbatch.cli.manifest import STRICT
from wanbatch.cli.new_film import Answers, asked_answers, film_text
from wanbatch.cli.parameters import manifest_folder
from wanbatch.cli.problems import invalid_json, warning_text, warnings_json
from wanbatch.cli.screen import is_interactive
from wanbatch.cli.streams import ascii_json, echo, json_text
from wanbatch.errors import LocalFault, ManifestInvalid, UsageInvalid, fault_text
from wanbatch.manifest import PROBLEMS_SHOWN, load_manifest
from wanbatch.manifest.added import models_beside
from wanbatch.manifest.schemas import schema_names, schema_text

_ENV_EXAMPLE = """# Copy to .env and put your key here. Never commit .env.
AIMLAPI_API_KEY=
# Only for a proxy or a sandbox of your own:
# AIMLAPI_BASE_URL=http://127.0.0.1:8765
"""
_GITIGNORE = ".env\noutputs/\n"


@click.command(
    "validate", epilog="\b\nExamples:\n  wanbatch validate shots.yaml\n  wanbatch --json validate manifests/*.yaml"
)
@click.argument("manifests", nargs=-1, required=True, type=click.Path(path_type=Path))
@STRICT
@click.pass_obj
def validate_command(options: Global, /, manifests: tuple[Path, ...], strict: bool) -> int:  # noqa: FBT001
    """Check MANIFESTS: print every problem and warning as FILE:LINE:COLUMN MESSAGE; exit with 2 if there is a
    problem.
    """
    rows, code = [], 0
    for path in manifests:
        try:
            batch = load_manifest(path, strict=strict)
        except ManifestInvalid as error:
            code = int(error.exit_code)
            rows.append({"manifest": str(path), "valid": False, **invalid_json(error)})
            if not options.is_json:
                echo("\n".join([*map(str, error.problems), *map(warning_text, error.warnings)]))
            continue
        takes = sum(len(shot.recipes) for shot in batch.shots if not shot.omit)
        reported = warnings_json(batch.warnings, len(batch.warnings))
        rows.append(
            {
                "manifest": str(path),
                "valid": True,
                "shots": len(batch.shots),
                "takes": takes,
                "problems": [],
                **reported,
                **files_json(batch.files),
            }
        )
        if not options.is_json:
            for warning in batch.warnings[:PROBLEMS_SHOWN]:
                echo(warning_text(warning))
            if len(batch.warnings) > PROBLEMS_SHOWN:
                echo(f"... and {len(batch.warnings) - PROBLEMS_SHOWN:,} more warnings")
        if not options.is_json and options.verbosity >= 0:
            count = len(batch.warnings)
            warned = f", {count} warning{'s' * (count != 1)}" if count else ""
            shots = len(batch.shots)
            said = f"{shots} shot{'s' * (shots != 1)}, {takes} take{'s' * (takes != 1)}"
            files = f", {sum_text(batch.files)}" if batch.files else ""
            echo(f"{path}: {said}{files}, no problems{warned}")
            for line in file_lines(batch.files):
                echo(f"  {line}")
    if options.is_json:
        click.echo(json_text(rows))
    return code


def _completed_names(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:  # noqa: ARG001
    return [name for name in schema_names() if name.startswith(incomplete)]


@click.command(
    "schema",
    epilog="\b\nExamples:\n  wanbatch schema > manifest.schema.json\n  wanbatch schema --list"
    "\n  wanbatch schema --install",
)
@click.argument("name", required=False, default="manifest", shell_complete=_completed_names)
@click.option("--list", "is_listing", is_flag=True, help="List the names.")
@click.option(
    "--install",
    "is_installing",
    is_flag=True,
    help="Write the schemas of manifests and maps into the folder, with a setting that makes VS Code use them there.",
)
@manifest_folder("The folder of your manifest: models that you added there are known, too.")
@click.pass_obj
def schema_command(options: Global, /, name: str, folder: Path, **flags: bool) -> int:
    """Print the JSON Schema of manifests. If you give NAME: that of column maps (map), or of the requests of a model
    such as alibaba/wan-2-6-t2v.
    """
    models, problems = models_beside(folder)
    if problems:
        raise ManifestInvalid(problems)
    with reading(models):
        return _install(options, folder) if flags["is_installing"] else _schema(options, name, flags["is_listing"])


def _install(options: Global, folder: Path) -> int:
    from wanbatch.session.editor import install_schema

    files = install_schema(folder)
    if options.is_json:
        click.echo(json_text({"files": [str(each) for each in files]}))
    elif options.verbosity >= 0:
        echo(
            f"wrote {', '.join(map(str, files))}: VS Code's YAML extension completes and checks manifests and maps"
            " here. It treats every .yaml file in this folder as a manifest (subfolders are left alone)"
        )
    return 0


def _schema(options: Global, name: str, is_listing: bool) -> int:  # noqa: FBT001
    names = schema_names()
    if is_listing:
        click.echo(json_text(names) if options.is_json else "\n".join(names))
        return 0
    if name not in names:
        raise UsageInvalid(f"there is no schema '{name}'; choose one of: {', '.join(names)}")
    click.echo(ascii_json(schema_text(name)), nl=False)
    return 0


@click.command(
    "init",
    epilog="\b\nExamples:\n  wanbatch init my-film --yes\n  cd my-film && wanbatch run my-film.yaml --sandbox"
    "\n  wanbatch init --from shots.xlsx\n  wanbatch init --from film.fountain",
)
@click.argument("folder", required=False, default=None, type=click.Path(path_type=Path, file_okay=False))
@click.option(
    "--from",
    "source",
    type=click.Path(path_type=Path),
    help="Write a proposed column map beside this table, and show how its first rows would be read; or write a manifest"
    " from this Fountain screenplay.",
)
@click.option("--yes", "is_agreed", is_flag=True, help="Ask nothing.")
@click.pass_obj
def init_command(options: Global, /, folder: Path | None, source: Path | None, is_agreed: bool) -> int:  # noqa: FBT001
    """Write an example film, named after the folder, into FOLDER for you to edit: a manifest of two scenes with a
    cast and a style, its schema, the same shots as CSV, .env.example, and .gitignore.

    On a terminal it asks for the aspect ratio and the look of the film; press Enter to accept the proposal.
    """
    if source is not None:
        if folder is not None:
            raise UsageInvalid("--from writes the file beside the source: leave out the folder. Nothing was written")
        from wanbatch.cli.tables import tell_source

        return tell_source(options, source)
    folder = Path() if folder is None else folder
    name = _project_name(folder)
    manifest = f"{name}.yaml"
    is_asked = is_interactive() and not is_agreed and not options.is_json
    film = film_text(name, asked_answers() if is_asked else Answers())
    files = {
        manifest: film,
        f"{name}-shots.csv": _csv_of(_shots_in(film)),
        "manifest.schema.json": schema_text("manifest"),
        ".env.example": _ENV_EXAMPLE,
        ".gitignore": _GITIGNORE,
    }
    taken = [name for name in files if (folder / name).exists() and name != ".gitignore"]
    if taken:
        raise UsageInvalid(
            f"{folder} already has {', '.join(taken)}: name another folder, or move them away. Nothing was written"
        )
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, text in files.items():
            if name != ".gitignore" or not (folder / name).exists():
                (folder / name).write_text(text, encoding="utf-8")
    except OSError as error:
        raise LocalFault(f"cannot write into {folder}: {fault_text(error)}") from error
    if options.is_json:
        click.echo(json_text({"folder": str(folder), "files": sorted(files)}))
    elif options.verbosity >= 0:
        echo(f"wrote {', '.join(files)} into {folder}")
        there = [] if folder.resolve() == Path.cwd() else [f"cd {shlex.quote(str(folder))}"]
        echo(f"next: {' && '.join([*there, shlex.join(('wanbatch', 'run', manifest, '--sandbox'))])}")
    return 0


def _project_name(folder: Path) -> str:
    """Return the name of a project in a folder: letters, digits, points and dashes of the folder's own name."""
    plain = re.sub(r"[^\w.-]+", "-", composed(folder.resolve().name)).strip("-.")
    return name_of_stem(plain) if plain else "film"


def _shots_in(film: str) -> object:
    """Return the shots of a manifest that is not written yet."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "film.yaml"
        path.write_text(film, encoding="utf-8")
        return load_manifest(path).shots


def _csv_of(shots: object) -> str:
    """Write shots as a CSV manifest: one row each, only the columns in use."""
    import csv
    import io

    from wanbatch.batch.shots import Shot

    assert isinstance(shots, tuple)
    rows = []
    for shot in shots:
        assert isinstance(shot, Shot)
        row = {"id": shot.id, "scene": shot.scene, "prompt": shot.prompt, "takes": shot.takes, "seed": shot.seed}
        rows.append({**row, **{key: value for key, value in shot.request.items() if key not in ("prompt", "model")}})
    names = list(dict.fromkeys(name for row in rows for name in row if any(each.get(name) for each in rows)))
    stream = io.StringIO()
    stream.write("\ufeff")  # a byte order mark: without it Excel reads the letters as those of an old code page
    writer = csv.DictWriter(stream, names, extrasaction="ignore", lineterminator="\n")
    writer.writeheader()
    for row in rows:
        cells = {name: "" if row.get(name) is None else row[name] for name in names}
        writer.writerow(
            {name: str(value).lower() if isinstance(value, bool) else value for name, value in cells.items()}
        )
    return stream.getvalue()
