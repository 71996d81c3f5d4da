"""How one invocation ended."""

from __future__ import annotations

from dataclasses import dataclass

from wanbatch.errors import ExitCode


@dataclass
class End:
    """`code` is None if it was killed; `codes` are those of all that a run reported."""

    code: ExitCode | None
    messages: tuple[str, ...] = ()
    refused: str = ""
    has_run: bool = True
    is_disks_fault: bool = False
    codes: frozenset[ExitCode] = frozenset()
