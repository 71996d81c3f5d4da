"""An error as a command reports it: lines on the screen, or with `--json` one document, and the exit code."""

from __future__ import annotations

from dataclasses import dataclass

import click

from wanbatch.cli.problems import warning_text, warnings_json
from wanbatch.cli.streams import echo, json_text
from wanbatch.errors import ExitCode, ManifestInvalid, WanbatchError, fault_text

JSON_FLAG = "--json"
_NEVER_SEND = frozenset({"plan", "validate", "diff", "convert", "preview", "schema", "init"})


@dataclass(frozen=True)
class Failure:
    """Why a command ended without its answer. `error` is what a person reads of it on the screen."""

    exit_code: ExitCode
    message: str
    error: BaseException

    def tell(self, *, is_json: bool) -> int:
        """Print it, and return its exit code."""
        if is_json:
            click.echo(json_text(self.document))
        elif isinstance(self.error, click.ClickException):
            self.error.show()
        elif isinstance(self.error, ManifestInvalid):
            echo("\n".join([*map(str, self.error.problems), *map(warning_text, self.error.warnings)]))
            echo(self.message, err=True)
        elif self.exit_code is ExitCode.INTERRUPTED:
            echo(self.message, err=True)
        else:
            # What begins with the program's name, such as "wanbatch stopped", needs no second one before it.
            echo(self.message if self.message.startswith("wanbatch ") else f"wanbatch: {self.message}", err=True)
        return int(self.exit_code)

    @property
    def document(self) -> dict[str, object]:
        """The one shape of every error in JSON; `problems` and `warnings` are those of a manifest."""
        told = self.error if isinstance(self.error, ManifestInvalid) else ManifestInvalid(())
        return {
            "event": "error",
            "exit_code": int(self.exit_code),
            "kind": self.exit_code.name.lower(),
            "message": self.message,
            "problems": [vars(each) for each in told.problems],
            **warnings_json(told.warnings, len(told.warnings)),
        }


def failure_of(error: BaseException, words: list[str]) -> Failure | None:
    """Say what an error means for the user who wrote these words; None for a bug in wanbatch."""
    match error:
        case click.exceptions.Abort():
            return Failure(ExitCode.INTERRUPTED, "interrupted", error)
        case KeyboardInterrupt():
            return Failure(ExitCode.INTERRUPTED, "interrupted; run the same command to resume", error)
        case click.ClickException():
            told = _with_hint(error, words)
            return Failure(ExitCode.USAGE, told.format_message(), told)
        case ManifestInvalid():
            count = len(error.problems)
            sent = "" if _NEVER_SEND.intersection(words) and "run" not in words else "; nothing was sent"
            return Failure(error.exit_code, f"{count} problem{'s' * (count != 1)}{sent}", error)
        case WanbatchError():
            return Failure(error.exit_code, str(error), error)
    refusal = _refusal_of(error)
    return None if refusal is None else Failure(refusal[1], refusal[0], error)


def _with_hint(error: click.ClickException, words: list[str]) -> click.ClickException:
    """Say where to write --json, if it was given after the command."""
    if not isinstance(error, click.NoSuchOption) or error.option_name != JSON_FLAG:
        return error
    command = next((word for word in words if not word.startswith("-")), "COMMAND")
    return click.UsageError(f"write {JSON_FLAG} before the command: wanbatch {JSON_FLAG} {command}", error.ctx)


def _refusal_of(error: BaseException) -> tuple[str, ExitCode] | None:
    """Say what this machine refuses, and the exit code for it; None for a bug in wanbatch."""
    if isinstance(error, OSError):
        return fault_text(error), ExitCode.LOCAL_FAULT
    if isinstance(error, UnicodeEncodeError) and error.reason == "surrogates not allowed":
        return "the name of a folder here is not valid UTF-8: rename it, then try again", ExitCode.USAGE
    if str(error).startswith("Symlink loop"):  # how older Pythons report ELOOP
        return f"{error}: remove the links, or use another place", ExitCode.LOCAL_FAULT
    return None
