"""The command line: arguments in, text and exit codes out. No other part of wanbatch imports it."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import click

from wanbatch.cli.streams import Stream, echo, encodable, open_streams
from wanbatch.errors import ExitCode, UsageInvalid, WanbatchError, fault_text
from wanbatch.interrupts import hang_up_like_ctrl_c
from wanbatch.version import __version__

# Commands are imported when they run: --help and validate stay quick.
_COMMANDS = {
    "init": ("init", "Write an example project into a folder."),
    "convert": ("tables", "Write a manifest in another format; its recipes do not change."),
    "validate": ("init", "Check manifests: every problem with its line."),
    "preview": ("preview", "Show a manifest as a page of slates while you edit it."),
    "diff": ("diff", "Show what an edit of a manifest changes, and its cost."),
    "plan": ("run", "Show what a run would do and cost."),
    "run": ("run", "Turn a manifest into verified clips; the same command resumes."),
    "demo": ("run", "Make the quick-start clips on the sandbox, without a key."),
    "status": ("status", "Show the state of a batch, even while it is running."),
    "why": ("why", "Say why a shot waits, failed or continues from an older take."),
    "retry": ("retry", "Run failed takes again."),
    "retake": ("retry", "Make a new take of a shot and keep the ones it has."),
    "circle": ("cut", "Choose the take of a shot that goes into the cut."),
    "cut": ("cut", "Join the chosen takes into one film."),
    "extract": ("extract", "Write a frame of a clip as a still."),
    "export": ("cut", "Write the cut for an editing program: OpenTimelineIO or EDL."),
    "reconcile": ("reconcile", "Look up lost answers; compare with the provider's ledger."),
    "resolve": ("reconcile", "Decide what to do with a held take."),
    "recover": ("recovery", "Rebuild a lost or damaged state file from all that is known."),
    "balance": ("reconcile", "Show the balance of the account."),
    "report": ("report", "Rebuild the reports from the state file."),
    "open": ("report", "Open the storyboard page."),
    "verify": ("checks", "Compare the clips with their recorded hashes."),
    "sandbox": ("sandbox", "Serve a stand-in for the provider on this machine."),
    "models": ("models", "List the provider's video models; add one to a project."),
    "schema": ("init", "Print a JSON Schema of the manifest or a model."),
    "completion": ("completion", "Print the script that lets a shell complete names."),
    "doctor": ("checks", "Check this machine and the settings."),
}
COMPLETION = "_WANBATCH_COMPLETE"  # a shell that asks what it may complete sets it
# Their exit code says what happened to the money, so a fault of the screen must not change it.
_PAYING = frozenset({"run", "demo", "retry", "retake"})
# What ends a command in words; anything else is a bug in wanbatch and ends in a traceback.
_TOLD = (WanbatchError, click.ClickException, KeyboardInterrupt, OSError, UnicodeEncodeError, RuntimeError)


@dataclass(frozen=True)
class Global:
    """The options of every command: how to print, and where the settings are."""

    is_json: bool
    verbosity: int
    color: str
    env_file: Path | None


class _Lazy(click.Group):
    """A group that imports the module of a command only when it is called; `called` is that command's name."""

    called = ""

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name, command, rest = super().resolve_command(ctx, args)
        self.called = name or ""
        return name, command, rest

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        if cmd_name not in _COMMANDS:
            return None
        module = import_module(f"wanbatch.cli.{_COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, f"{cmd_name}_command")
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        with formatter.section("Commands"):
            formatter.write_dl([(name, text) for name, (_, text) in _COMMANDS.items()])


_EPILOG = """\b
Examples:
  wanbatch demo                                   six clips on the sandbox, no key
  wanbatch validate shots.yaml
  wanbatch run shots.yaml --max-usd 40            plan, ask, run, report
  wanbatch run shots.yaml --sandbox --speed 60    the same, free of charge
  wanbatch status --watch                         from another terminal

\b
Exit codes: 0 all verified; 1 some failed; 2 wrong command line or manifest; 3 your decision is needed;
4 the provider refused the key, or credits ran out; 5 budget cap; 6 folder in use by another run;
7 fault on this machine; 8 provider out of reach; 130, 143 interrupted.
"""


@click.group(
    cls=_Lazy, epilog=_EPILOG, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110}
)
@click.option("--json", "is_json", is_flag=True, help="Print one JSON document (JSON lines for events), nothing else.")
@click.option("-q", "--quiet", is_flag=True, help="Print only what needs your attention.")
@click.option("-v", "--verbose", is_flag=True, help="Print every event.")
@click.option("--color", type=click.Choice(["auto", "always", "never"]), default="auto", show_default=True)
@click.option(
    "--env-file", type=click.Path(path_type=Path, dir_okay=False), help="Read the key from this file instead of .env."
)
@click.version_option(__version__, prog_name="wanbatch")
@click.pass_context
def cli(ctx: click.Context, /, **options: Any) -> None:
    """Turn a manifest of prompts into a folder of verified clips, and account for every credit."""
    verbosity = int(options["verbose"]) - int(options["quiet"])
    ctx.obj = Global(options["is_json"], verbosity, options["color"], options["env_file"])


def main(arguments: list[str] | None = None) -> None:
    """Run the program and exit with its code."""
    if COMPLETION in os.environ:
        cli.main(prog_name="wanbatch")  # writes what a shell asks for, in bytes, and exits
    out, _ = open_streams()
    hang_up_like_ctrl_c()
    code = call(arguments)
    sys.exit(int(_reported(out, code)))


def _reported(out: Stream, code: int) -> int:
    """Return the exit code, once all output is flushed: a failed write counts, unless the reader is gone."""
    out.flush()
    if out.trouble is None or out.is_gone:
        return code
    echo(f"wanbatch: standard output: {fault_text(out.trouble)}", err=True)
    return ExitCode.LOCAL_FAULT if code == ExitCode.OK and cli.called not in _PAYING else code


def call(arguments: list[str] | None = None) -> int:
    """Run the program; return its exit code. No error of wanbatch, of the user or of this machine ends in a
    traceback.
    """
    words = sys.argv[1:] if arguments is None else arguments
    try:
        _assert_readable(words)
        code = cli.main(args=arguments, prog_name="wanbatch", standalone_mode=False)
    except click.exceptions.Exit as done:
        return done.exit_code
    except _TOLD as error:
        from wanbatch.cli.failures import failure_of

        failure = failure_of(error, words)
        if failure is None:
            raise
        return failure.tell(is_json="--json" in words)
    return int(code) if isinstance(code, int) else ExitCode.OK


def _assert_readable(words: list[str]) -> None:
    """Raise UsageInvalid for an argument that is not valid text: no report or page could show it."""
    for word in words:
        if encodable(word, "utf-8") != word:
            raw = (f"\\x{ord(char) - 0xDC00:02x}" if 0xDC80 <= ord(char) <= 0xDCFF else char for char in word)
            shown = "".join(raw)
            raise UsageInvalid(
                f"'{shown}' is not valid UTF-8, so no report could name it. Nothing was sent: rename the file or"
                " folder, or use another name"
            )
