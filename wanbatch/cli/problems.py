"""The problems and warnings of a manifest, as lines and as JSON values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from wanbatch.errors import ManifestInvalid, Problem
from wanbatch.manifest import PROBLEMS_SHOWN


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
