"""The manifest of a command: it is read, its warnings are shown before anything is paid for, its problems as asked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import click

from wanbatch.cli import Global
from wanbatch.cli.streams import echo
from wanbatch.errors import ManifestInvalid, Problem
from wanbatch.manifest import PROBLEMS_SHOWN
from wanbatch.manifest.cache import Manifest

WARNINGS_SHOWN = 5

STRICT = click.option("--strict", is_flag=True, help="Treat warnings about the manifest as problems: exit with 2.")


def read_manifest(options: Global, path: Path, *, strict: bool) -> Manifest:
    """Read a manifest; show its warnings on stderr, the first few and how many more. Raises ManifestInvalid.

    With --json the problems are printed first, as one document; the warnings are in the document of the plan.
    """
    manifest = Manifest(path)
    try:
        warnings, count = _warnings_of(manifest, strict=strict)
    except ManifestInvalid as error:
        if options.is_json:
            click.echo(document_of({"event": "invalid", **invalid_json(error)}))
            raise click.exceptions.Exit(int(error.exit_code)) from error
        raise
    if not options.is_json and options.verbosity >= 0:
        for line in warning_lines(warnings, count, path):
            echo(line, err=True)
    return manifest


def _warnings_of(manifest: Manifest, *, strict: bool) -> tuple[list[Problem], int]:
    warnings, count = manifest.warnings()
    if strict and count:
        raise ManifestInvalid(warnings)
    return warnings, count


def warning_lines(warnings: Sequence[Problem], count: int, path: Path) -> list[str]:
    """Return the first warnings, one a line, and how many more there are."""
    lines = [warning_text(each) for each in warnings[:WARNINGS_SHOWN]]
    if count > WARNINGS_SHOWN:
        lines.append(f"... and {count - WARNINGS_SHOWN:,} more warnings; list them with: wanbatch validate {path}")
    return lines


def warning_text(warning: Problem) -> str:
    """Return a warning as a line, marked with the word `warning`; a problem has no such mark."""
    return f"{warning.place}{'' if warning.line else ':'} warning: {warning.message}"


def warnings_json(warnings: Sequence[Problem], count: int) -> dict[str, Any]:
    """Return warnings as JSON values, up to a limit, and how many there are in all."""
    return {"warnings": [vars(each) for each in warnings[:PROBLEMS_SHOWN]], "warning_count": count}


def invalid_json(error: ManifestInvalid) -> dict[str, Any]:
    """Return the problems and warnings of a manifest as JSON values."""
    return {
        "problems": [vars(each) for each in error.problems],
        **warnings_json(error.warnings, len(error.warnings)),
        "exit_code": int(error.exit_code),
    }


def document_of(value: Any) -> str:
    """Return a JSON document on one line."""
    import json

    return json.dumps(value, ensure_ascii=False)
