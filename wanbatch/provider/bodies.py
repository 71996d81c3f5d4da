"""The bodies of answers: JSON objects, strictly decoded, and server texts made safe to show. Pure."""

from __future__ import annotations

import json
from typing import Any

from wanbatch.text import shown


class AnswerInvalid(ValueError):
    """A body that is not a JSON object, or lacks what it must have."""


def _refuse_repeated(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    made = dict(pairs)
    if len(made) != len(pairs):
        raise AnswerInvalid("an object has a key twice")
    return made


def _refuse_constant(name: str) -> Any:
    raise AnswerInvalid(f"{name} is not valid JSON")


def read_object(body: bytes) -> dict[str, Any]:
    """Decode a JSON object. Raises AnswerInvalid for anything else."""
    try:
        value = json.loads(body.decode("utf-8"), object_pairs_hook=_refuse_repeated, parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise AnswerInvalid(f"not JSON: {shown(error)}") from error
    if not isinstance(value, dict):
        raise AnswerInvalid(f"a JSON {type(value).__name__} instead of an object")
    return value
