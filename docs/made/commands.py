"""The commands and their options, as the program defines them."""

from __future__ import annotations

import inspect
import re

import click

from docs.made.table import block, code, table
from wanbatch.cli import cli

_RANGE = re.compile(r"(INTEGER|FLOAT)( RANGE)?$")


def commands() -> str:
    """Return a section for each command, the options that stand before any command first."""
    root = click.Context(cli, info_name="wanbatch")
    parts = ["## wanbatch", *_section(cli, root)]
    for name in cli.list_commands(root):
        command = cli.get_command(root, name)
        assert command is not None
        parts += [f"## {name}", *_section(command, click.Context(command, info_name=name, parent=root))]
    return "\n\n".join(parts)


def _section(command: click.Command, context: click.Context) -> list[str]:
    usage = " ".join([context.command_path, *command.collect_usage_pieces(context)])
    parts = [_text(command.help or ""), block("text", usage)]
    records = [record for each in command.get_params(context) if (record := each.get_help_record(context)) is not None]
    parts.append(table(("option", "meaning"), [(_option(name), words) for name, words in records if words]))
    examples = example_lines(command)
    if examples:
        parts.append(block("sh", "\n".join(examples)))
    return parts


def _text(help_text: str) -> str:
    return inspect.cleandoc(help_text).replace("\b\n", "")


def _option(written: str) -> str:
    """Write `-o, --output DIRECTORY` as code, name by name; a number is N, whatever its range."""
    return ", ".join(code(_RANGE.sub("N", each)) for each in written.split(", "))


def example_lines(command: click.Command) -> list[str]:
    """Return the examples in a command's help, one command line each."""
    lines = inspect.cleandoc(command.epilog or "").replace("\b\n", "").splitlines()
    return [line.strip() for line in lines if line.startswith("  ")]
