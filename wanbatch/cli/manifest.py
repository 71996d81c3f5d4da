"""The manifest of a command: it is read, its warnings are shown before anything is paid for, its problems as asked."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import click

from wanbatch.cli import Global
from wanbatch.cli.problems import warning_text
from wanbatch.cli.streams import echo
from wanbatch.errors import ManifestInvalid, Problem
from wanbatch.manifest.cache import Manifest
from wanbatch.manifest.leftovers import is_to_do

WARNINGS_SHOWN = 5

STRICT = click.option("--strict", is_flag=True, help="Treat warnings about the manifest as problems: exit with 2.")


def read_manifest(options: Global, path: Path, *, strict: bool) -> Manifest:
    """Read a manifest; show its warnings on stderr, the first few and how many more. Raises ManifestInvalid, also for
    prompts that are still to be written.

    With --json the warnings are in the document of the plan.
    """
    manifest = Manifest(path)
    warnings, count = manifest.warnings()
    if strict and count:
        raise ManifestInvalid(warnings)
    unwritten = [each for each in warnings if is_to_do(each.message)]
    if unwritten:
        raise ManifestInvalid(unwritten, [each for each in warnings if each not in unwritten])
    if not options.is_json and options.verbosity >= 0:
        for line in warning_lines(warnings, count, path):
            echo(line, err=True)
    return manifest


def warning_lines(warnings: Sequence[Problem], count: int, path: Path) -> list[str]:
    """Return the first warnings, one per line, and how many more there are."""
    lines = [warning_text(each) for each in warnings[:WARNINGS_SHOWN]]
    if count > WARNINGS_SHOWN:
        lines.append(f"... and {count - WARNINGS_SHOWN:,} more warnings; list them with: wanbatch validate {path}")
    return lines
