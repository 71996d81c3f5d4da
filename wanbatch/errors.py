"""Errors, named for who can act on them, and the exit codes they lead to.

WanbatchError
  UsageInvalid           2    a flag, setting or folder that cannot be what was meant
  ManifestInvalid        2    every problem of a manifest, with file, line and column
  AccountStopped         4    the key is refused or the credits are spent
  BudgetReached          5    the user's cap is reached
  OutputLocked           6    another run holds the output folder
  LocalFault             7    disk, permissions, or a state file that cannot be trusted
    StateInvalid         7    the state file is corrupt, foreign or contradicts itself
    ProgramFault         7    an error in wanbatch or a library under it, whatever it was reading at the time
  ProviderUnreachable    8    no answer from the provider, or none that can be read
  MediaInvalid           -    a file that is not a whole clip; becomes a held take, never an exit on its own
"""

from __future__ import annotations

import errno
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import IntEnum


class ExitCode(IntEnum):
    """The exit codes, which a script may rely on; `most_urgent` says which one wins."""

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


@dataclass(frozen=True)
class Meaning:
    """What a code says about a run in a few words, and what the list of codes adds to them."""

    words: str
    more: str = ""

    @property
    def sentences(self) -> str:
        """Both, as the list of codes has them."""
        return f"{self.words[0].upper()}{self.words[1:]}.{f' {self.more}' if self.more else ''}"


MEANINGS = {
    ExitCode.OK: Meaning("everything that this command asked for is done", "There may have been nothing to do."),
    ExitCode.TAKES_FAILED: Meaning("some takes failed", "Or shots are missing from a cut or an export."),
    ExitCode.USAGE: Meaning(
        "the command line, a setting or the manifest is wrong, or there was no terminal to ask a question on"
    ),
    ExitCode.DECISION_NEEDED: Meaning(
        "something needs your decision",
        "Some takes are unknown or held, one was made twice, or a charge belongs to no take.",
    ),
    ExitCode.ACCOUNT_STOPPED: Meaning("the provider refused the key, or the account is out of credits"),
    ExitCode.BUDGET_REACHED: Meaning(
        "the cap has been reached, or a price rose and you did not agree to it", "Raise the cap and run again."
    ),
    ExitCode.OUTPUT_LOCKED: Meaning("another run was using the output folder"),
    ExitCode.LOCAL_FAULT: Meaning(
        "a fault on this machine stopped the command",
        "The cause is the state file, the disk, permissions, or an installation that cannot read clips.",
    ),
    ExitCode.PROVIDER_UNREACHABLE: Meaning("the provider did not answer, or wanbatch could not read its answers"),
    ExitCode.INTERRUPTED: Meaning("you interrupted it (Ctrl-C)", "The same command resumes."),
    ExitCode.TERMINATED: Meaning("the system or another program ended it (SIGTERM)", "The same command resumes."),
}
"""What each code says about a run."""

_URGENCY = (
    ExitCode.INTERRUPTED,
    ExitCode.TERMINATED,
    ExitCode.USAGE,
    ExitCode.LOCAL_FAULT,
    ExitCode.OUTPUT_LOCKED,
    ExitCode.DECISION_NEEDED,  # above what the next run reports again: a double troubles one run only
    ExitCode.ACCOUNT_STOPPED,
    ExitCode.BUDGET_REACHED,
    ExitCode.PROVIDER_UNREACHABLE,
    ExitCode.TAKES_FAILED,
    ExitCode.OK,
)


def most_urgent(codes: Iterable[ExitCode]) -> ExitCode:
    """Return the code that a run with several troubles ends with; OK if there is none."""
    return min(codes, key=_URGENCY.index, default=ExitCode.OK)


class WanbatchError(Exception):
    """Any error that wanbatch raises on purpose; its text is for the user."""

    exit_code = ExitCode.LOCAL_FAULT


class UsageInvalid(WanbatchError):
    """A flag, a setting or a folder that cannot be used as it was given."""

    exit_code = ExitCode.USAGE


@dataclass(frozen=True, order=True)
class Problem:
    """One thing wrong in a manifest, or a warning. `line` and `column` count from 1; 0 for the whole file.

    In a workbook they are the row and the column of a cell, and `sheet` is the name of its sheet; else that is empty.
    """

    file: str
    line: int
    column: int
    message: str
    sheet: str = ""

    @property
    def place(self) -> str:
        """`FILE:LINE:COLUMN`, in a workbook `FILE#SHEET:CELL`, or the file alone if the problem has no line."""
        file = f"{self.file}#{self.sheet}" if self.sheet else self.file
        if not self.line:
            return file
        return f"{file}:{cell_text(self.line, self.column)}" if self.sheet else f"{file}:{self.line}:{self.column}"

    def __str__(self) -> str:
        return f"{self.place}{'' if self.line else ':'} {self.message}"


def cell_text(row: int, column: int) -> str:
    """Return the name of a cell of a workbook: row 7 and column 2 are B7."""
    return f"{column_text(column)}{row}"


def column_text(column: int) -> str:
    """Return the letters of a column of a workbook: A for 1, AA for 27."""
    letters = ""
    while column:
        column, last = divmod(column - 1, 26)
        letters = chr(ord("A") + last) + letters
    return letters


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
    """The next submit could exceed the cap."""

    exit_code = ExitCode.BUDGET_REACHED


class OutputLocked(WanbatchError):
    """Another run is using this output folder."""

    exit_code = ExitCode.OUTPUT_LOCKED


class LocalFault(WanbatchError):
    """A fault of the disk, a permission or a file on this machine."""

    exit_code = ExitCode.LOCAL_FAULT


class StateInvalid(LocalFault):
    """The state file is corrupt, belongs to another run or provider, or contradicts itself."""


class ProgramFault(LocalFault):
    """An error in wanbatch, in a library under it or in how they are installed. Never the fault of a clip."""


class ProviderUnreachable(WanbatchError):
    """No answer from the provider, or none that can be read."""

    exit_code = ExitCode.PROVIDER_UNREACHABLE


class MediaInvalid(WanbatchError):
    """A downloaded file that is not a whole, decodable clip."""


_MENDS = {
    errno.ENOSPC: "The disk is full: make room, then run the same command again",
    errno.EDQUOT: "Your quota is used up: make room, then run the same command again",
    errno.EACCES: "Change its permissions so that you can read and write it, or use another place",
    errno.EPERM: "Change its permissions so that you can read and write it, or use another place",
    errno.EROFS: "This disk is read-only: use another place",
    errno.EMFILE: "Too many files are open: raise the limit, such as with `ulimit -n 4096`",
    errno.ENFILE: "Too many files are open on this machine: close other programs",
    errno.ENOTDIR: "There is a file where a folder should be: move it away, or use another place",
    errno.EISDIR: "There is a folder where a file should be: move it away, or use another name",
    errno.EEXIST: "Something else has this name: move it away, or use another name",
    errno.ENAMETOOLONG: "Use a shorter name",
    errno.ELOOP: "Links form a loop: remove them, or use another place",
    errno.ENOENT: "It does not exist: check the name",
    errno.EIO: "The disk has a fault: check it before you continue",
    errno.EFBIG: "The file is too large for this disk",
    errno.ENOMEM: "Out of memory: close other programs",
    errno.EBUSY: "Another program is using it: close that program, then run the same command again",
}


def fault_text(error: OSError) -> str:
    """Say in one line which file the machine refuses, why, and what the user can do."""
    names = [str(name) for name in (error.filename, error.filename2) if name is not None and not isinstance(name, int)]
    reason = error.strerror or str(error) or type(error).__name__
    where = " and ".join(names)
    mend = _MENDS.get(error.errno if error.errno is not None else 0, "")
    line = ": ".join(part for part in (where, reason) if part) + (f". {mend}" if mend else "")
    return " ".join(line.split())
