"""The command completion: the script that lets a shell complete commands, options, shots, scenes and runs."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from wanbatch.cli import COMPLETION, Global
from wanbatch.cli.streams import json_text


@click.command(
    "completion",
    epilog="\b\nExamples:\n  wanbatch completion bash > ~/.local/share/bash-completion/completions/wanbatch"
    "\n  wanbatch completion zsh > ~/.zsh/completions/_wanbatch        (a folder of your fpath)"
    "\n  wanbatch completion fish > ~/.config/fish/completions/wanbatch.fish",
)
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion_command(ctx: click.Context, /, shell: str) -> int:
    """Print the script that lets SHELL complete commands, options, output folders, shots, scenes and tags.

    Names come from the manifest on the line, else from the output folder that was run last.
    """
    options: Global = ctx.obj
    kind = get_completion_class(shell)
    assert kind is not None
    complete = kind(ctx.find_root().command, {}, "wanbatch", COMPLETION)
    script = complete.source_template % complete.source_vars()
    click.echo(json_text({"shell": shell, "script": script}) if options.is_json else script)
    return 0
