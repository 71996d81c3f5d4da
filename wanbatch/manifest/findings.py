"""The findings of schemas: what a validator found, in plain words at the place of the value."""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from wanbatch.batch.registry import Model
from wanbatch.manifest.names import close_name
from wanbatch.manifest.shapes import amount_wanted, shape_wanted
from wanbatch.manifest.tree import Place, Problems, Scalar, Table, follow
from wanbatch.manifest.words import fault_words, shown, spelling_hint

Finding = ValidationError
Validator = Draft202012Validator


def validator_for(schema: Mapping[str, Any]) -> Validator:
    """Return the validator of a schema."""
    return Validator(schema)


@lru_cache(maxsize=256)
def validator_of(model: Model) -> Validator:
    """Return the validator of a model's request, built once."""
    return Validator(model.schema)


def errors_of(validator: Validator, value: Any) -> list[Finding]:
    """Return what is wrong, without errors that follow from a wrong type at the same place."""
    errors = list(validator.iter_errors(value))
    mistyped = {tuple(error.absolute_path) for error in errors if error.validator == "type"}
    return [error for error in errors if error.validator == "type" or tuple(error.absolute_path) not in mistyped]


class Teller:
    """Reports findings about one file."""

    def __init__(self, problems: Problems, source: str) -> None:
        self._problems = problems
        self._source = source

    def tell(self, error: Finding, table: Table, model: str, at: Place | None = None, hint: str = "") -> None:
        """Report a finding in plain words; `at` is where, if not at the value, and `hint` what to do about it."""
        path = list(error.absolute_path)
        if error.validator == "additionalProperties":
            self._tell_unknown(error, follow(table, path))
            return
        node = follow(table, path)
        at = at or node.at
        name = ".".join(str(part) for part in path if not isinstance(part, int)) or "this"
        if not model and error.validator in ("maxProperties", "not"):
            self._problems.add(at, f"{name} has both max_credits and max_usd; keep one of them")
        elif error.validator == "minProperties":
            self._problems.add(at, f"{name} is empty; write max_usd or max_credits")
        elif error.validator == "required":
            needed: Any = error.validator_value
            present: Any = error.instance
            missing = [each for each in needed if each not in present]
            self._problems.add(at, f"{name} lacks {' and '.join(missing)}; {model} needs it")
        else:
            keyword, limit = str(error.validator), error.validator_value
            is_quoted = isinstance(node, Scalar) and node.is_quoted
            words = fault_words(name, error.instance, keyword, limit, model)
            if limit == "object" and not model:
                shape = shape_wanted(path, error.instance, self._source)
                words = f"{name} is {shown(error.instance)}; {shape}" if shape else words
            hint = hint or amount_wanted(name, error.instance)
            self._problems.add(at, words + spelling_hint(error.instance, keyword, limit, is_quoted=is_quoted) + hint)

    def _tell_unknown(self, error: Finding, inner: Any) -> None:
        known = list(error.schema.get("properties", {})) if isinstance(error.schema, Mapping) else []
        if isinstance(inner, Table):
            for name, place in inner.keys.items():
                if name not in known:
                    where = ".".join(map(str, error.absolute_path))
                    self._problems.add(place, f"{shown(name)} is not a field of {where}{close_name(name, known)}")
