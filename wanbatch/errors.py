"""Errors, named for who can act on them, and the exit codes they lead to.

WanbatchError
  UsageInvalid           2    a flag, setting or folder that cannot be what was meant
  ManifestInvalid        2    every problem of a manifest, with file, line and column
  AccountStopped         4    the key is refused or the credits are spent
  BudgetReached          5    the user's cap is reached
  OutputLocked           6    another run holds the output folder
  LocalFault             7    disk, permissions, or a state file that cannot be trusted
    StateInvalid         7    the state file is corrupt, foreign or contradicts itself
  ProviderUnreachable    8    no answer from the provider, or none that can be read
  MediaInvalid           -    a file that is no whole clip; becomes a held take, never an exit by itself
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum


class ExitCode(IntEnum):
    """What a script may rely on; `most_urgent` says which wins."""

    OK = 0
    TAKES_FAILED = 1
    USAGE = 2
    DECISION_NEEDED = 3
    ACCOUNT_STOPPED = 4
    BUDGET_REACHED = 5
    OUTPUT_LOCKED = 6
    LOCAL_FAULT = 7
    PROVIDER_UNREACHABLE = 8
    INTERRUPTED = 130
    TERMINATED = 143


_URGENCY = (
    ExitCode.INTERRUPTED,
    ExitCode.TERMINATED,
    ExitCode.USAGE,
    ExitCode.LOCAL_FAULT,
    ExitCode.OUTPUT_LOCKED,
    ExitCode.ACCOUNT_STOPPED,
    ExitCode.BUDGET_REACHED,
    ExitCode.PROVIDER_UNREACHABLE,
    ExitCode.DECISION_NEEDED,
    ExitCode.TAKES_FAILED,
    ExitCode.OK,
)


def most_urgent(codes: Iterable[ExitCode]) -> ExitCode:
    """Return the code that a run with several troubles ends with; OK where there is none."""
    return min(codes, key=_URGENCY.index, default=ExitCode.OK)


class WanbatchError(Exception):
    """Any error that wanbatch raises on purpose; its text is for the user."""

    exit_code = ExitCode.LOCAL_FAULT


class UsageInvalid(WanbatchError):
    """A flag, a setting or a folder that cannot be what was meant."""

    exit_code = ExitCode.USAGE


@dataclass(frozen=True, order=True)
class Problem:
    """One thing wrong in a manifest, or a warning. `line` and `column` count from 1; 0 for the whole file."""

    file: str
    line: int
    column: int
    message: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column} {self.message}"


class ManifestInvalid(WanbatchError):
    """Every problem found in a manifest, in the order of the file, and its warnings."""

    exit_code = ExitCode.USAGE

    def __init__(self, problems: Sequence[Problem], warnings: Sequence[Problem] = ()) -> None:
        self.problems = tuple(sorted(problems))
        self.warnings = tuple(sorted(warnings))
        super().__init__("\n".join(map(str, self.problems)))


class AccountStopped(WanbatchError):
    """The provider refuses the key, or the account is out of credits."""

    exit_code = ExitCode.ACCOUNT_STOPPED


class BudgetReached(WanbatchError):
    """The next submit could pass the cap."""

    exit_code = ExitCode.BUDGET_REACHED


class OutputLocked(WanbatchError):
    """Another run holds this output folder."""

    exit_code = ExitCode.OUTPUT_LOCKED


class LocalFault(WanbatchError):
    """The disk, a permission or a file on this machine."""

    exit_code = ExitCode.LOCAL_FAULT


class StateInvalid(LocalFault):
    """The state file is corrupt, of another run or provider, or contradicts itself."""


class ProviderUnreachable(WanbatchError):
    """No answer from the provider, or none that can be read."""

    exit_code = ExitCode.PROVIDER_UNREACHABLE


class MediaInvalid(WanbatchError):
    """A downloaded file that is no whole, decodable clip."""
