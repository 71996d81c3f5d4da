"""The findings of schemas: what a validator found, in plain words at the place of the value."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Mapping
from functools import lru_cache
from typing import Any

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError

from wanbatch.batch.registry import Model
from wanbatch.batch.request_schemas import HTTPS_OR_DATA_PATTERN
from wanbatch.manifest.names import close_name
from wanbatch.manifest.shapes import amount_wanted, shape_wanted
from wanbatch.manifest.tree import Place, Problems, Scalar, Table, follow
from wanbatch.manifest.words import WITHOUT_QUOTES, fault_words, one_of, shown, spelling_hint

Finding = ValidationError
Validator = Draft202012Validator
_FORMATS = FormatChecker(formats=())


@_FORMATS.checks("uri")
def _is_address(value: object) -> bool:
    """Say whether a value can be an address as a schema wants it: one on the web, or the data itself."""
    return not isinstance(value, str) or re.match(HTTPS_OR_DATA_PATTERN, value) is not None


def validator_for(schema: Mapping[str, Any]) -> Validator:
    """Return the validator of a schema."""
    return Validator(schema)


@lru_cache(maxsize=256)
def validator_of(model: Model) -> Validator:
    """Return the validator of a model's request, built once."""
    return Validator(model.schema, format_checker=_FORMATS)


def errors_of(validator: Validator, value: Any) -> list[Finding]:
    """Return what is wrong, without errors that follow from a wrong type or pattern at the same place."""
    errors = [each for error in validator.iter_errors(value) for each in _within(error)]
    wrong = {name: {tuple(each.absolute_path) for each in errors if each.validator == name} for name in _CAUSES}
    return [each for each in errors if not _follows(each, wrong)]


_CAUSES = ("type", "pattern")


def _follows(error: Finding, wrong: Mapping[str, set[tuple[str | int, ...]]]) -> bool:
    at = tuple(error.absolute_path)
    is_mistyped = at in wrong["type"] and error.validator != "type"
    return is_mistyped or (at in wrong["pattern"] and error.validator == "format")


def _within(error: Finding) -> list[Finding]:
    """Return what is wrong with a value by the one of several shapes that is of its type; else the error itself."""
    by_shape: dict[Any, list[Finding]] = {}
    for each in error.context or () if error.validator in ("anyOf", "oneOf") else ():
        by_shape.setdefault(each.schema_path[0], []).append(each)
    fitting = [mine for mine in by_shape.values() if not any(_is_mistyped(each) for each in mine)]
    return fitting[0] if len(fitting) == 1 else [error]


def _is_mistyped(error: Finding) -> bool:
    return error.validator == "type" and not error.relative_path


def renamed(error: Finding, name: str) -> Finding:
    """Return a finding about a field under the name that the manifest has for it."""
    path = list(error.absolute_path)
    if path[:1] == [name]:
        return error
    made = Finding.create_from(error)
    made.parent = None
    made.path = made.relative_path = deque([name, *path[1:]])
    return made


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
            spelling = spelling_hint(error.instance, keyword, limit, is_quoted=is_quoted)
            choices = error.schema.get("enum", ()) if isinstance(error.schema, Mapping) and keyword == "type" else ()
            if model and choices and limit == "integer":
                words = f"{name} is {shown(error.instance)}; {model} accepts {one_of(choices)}"
                is_choice = spelling.removeprefix("; write ") in map(str, choices)
                spelling = spelling if is_choice or spelling == WITHOUT_QUOTES else ""
            if limit == "object" and not model:
                shape = shape_wanted(path, error.instance, self._source)
                words = f"{name} is {shown(error.instance)}; {shape}" if shape else words
            hint = hint or amount_wanted(name, error.instance)
            self._problems.add(at, words + spelling + hint)

    def _tell_unknown(self, error: Finding, inner: Any) -> None:
        known = list(error.schema.get("properties", {})) if isinstance(error.schema, Mapping) else []
        if isinstance(inner, Table):
            for name, place in inner.keys.items():
                if name not in known:
                    where = ".".join(map(str, error.absolute_path))
                    self._problems.add(place, f"{shown(name)} is not a field of {where}{close_name(name, known)}")
