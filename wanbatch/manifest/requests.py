"""The request of a shot, held against the schemas: that of planning, and that of its model."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from wanbatch.batch.registry import Model, registry
from wanbatch.batch.request_schemas import is_model_name
from wanbatch.manifest.fields import FREE_TEXT_FIELDS, NAMING_FIELDS, PLANNING_FIELDS, is_seed
from wanbatch.manifest.findings import Finding, Teller, Validator, errors_of, renamed, validator_for, validator_of
from wanbatch.manifest.names import foreign_parameter
from wanbatch.manifest.roles import role_of, takers_text, written_name
from wanbatch.manifest.schemas import MANIFEST, schema
from wanbatch.manifest.tree import Node, Place, Problems, Table
from wanbatch.manifest.values import is_null
from wanbatch.manifest.words import meant, shown, some_of

PLANNING = "planning"
_PLANNED = PLANNING_FIELDS - {"fallback", "id"}  # which are checked for themselves
SHORT_PROMPT = 500  # few models have a lower cap
_BODYLESS = {"type": "object", "required": [], "properties": {}, "additionalProperties": True, "anyOf": [{}]}


def unknown_model(name: object) -> str:
    """Say what to do about a name that is not a model's, as the end of a sentence: names near it, and the cure."""
    hint = meant(str(name), registry().names) or f"; use {some_of(str(name), registry().names)}"
    is_addable = is_model_name(name) and "/" in str(name)
    return hint + (f"; if the provider serves it, `wanbatch models add {name}` adds it" if is_addable else "")


class RequestChecker:
    """Checks the requests of one manifest."""

    def __init__(self, problems: Problems, teller: Teller) -> None:
        self._problems = problems
        self._teller = teller
        self._passed: dict[Any, Any] = {}
        self._planning = validator_for({**schema(MANIFEST), "$ref": "#/$defs/defaults", **_BODYLESS})

    def check_planning(self, given: Mapping[str, Any], nodes: Mapping[str, Node]) -> None:
        """Check what is not sent: scene, takes, seed and the like."""
        planning = {name: value for name, value in given.items() if name in _PLANNED}
        for error in self._once(PLANNING, planning, self._planning, SHORT_PROMPT):
            self._teller.tell(error, Table(Place(1, 1), dict(nodes)), "")

    def check_request(self, request: Mapping[str, Any], table: Table, nodes: Mapping[str, Node]) -> bool:
        """Check what is sent; `table` is the shot as written, `nodes` are its fields with the defaults.

        Returns whether the model takes a seed.
        """
        name = request["model"]
        model = registry().get(name) if isinstance(name, str) else None
        if model is None:
            self._problems.add(nodes["model"].at, f"model is {shown(name)}, which is not known{unknown_model(name)}")
            return True
        for error in self._once(model.name, request, validator_of(model), self.short_for(model.name)):
            self._tell(error, request, model, table, nodes)
        has_seed = "seed" in model.parameters
        if not has_seed and "seed" in nodes and not is_null(nodes["seed"]):
            self._tell_foreign("seed", model, table, nodes)
        return has_seed

    def short_for(self, model: str) -> int:
        """Return a length of prompts that nothing forbids."""
        known = registry().get(model)
        prompt = {} if known is None else known.parameters.get("prompt", {})
        return int(min(SHORT_PROMPT, prompt.get("maxLength", SHORT_PROMPT)))

    def _tell(
        self,
        error: Finding,
        request: Mapping[str, Any],
        model: Model,
        table: Table,
        nodes: Mapping[str, Node],
    ) -> None:
        if error.absolute_path:
            blamed, hint = _blamed(str(error.absolute_path[0]), table)
            if error.validator == "enum" and len(error.absolute_path) == 1:
                hint = takers_text(model, str(error.absolute_path[0]), error.instance) + hint
            error = renamed(error, written_name(str(error.absolute_path[0]), nodes))
            self._teller.tell(error, Table(table.at, dict(nodes)), model.name, blamed, hint)
        elif error.validator == "additionalProperties":
            for name in (name for name in request if name not in model.parameters):
                self._tell_foreign(name, model, table, nodes)
        else:
            for name, words in _of_the_whole(error, request, model, nodes):
                self._problems.add(nodes[name].at if name in nodes else table.at, words)

    def _tell_foreign(self, name: str, model: Model, table: Table, nodes: Mapping[str, Node]) -> None:
        blamed, hint = _blamed(name, table)
        place = blamed or table.keys.get(name) or nodes[name].at
        self._problems.add(place, foreign_parameter(name, model.name) + hint)

    def tell_lacking(self, role: str, words: str, table: Table, nodes: Mapping[str, Node]) -> None:
        """Say that a model has no field for a role."""
        blamed, hint = _blamed(role, table)
        self._problems.add(blamed or table.keys.get(role) or nodes[role].at, words + hint)

    def _once(self, kind: str, values: Mapping[str, Any], validator: Validator, short: int) -> list[Finding]:
        """Validate. Values that differ from valid ones only in free text are valid, too, if their text is plain.

        `short` is a length of prompts that nothing forbids.
        """
        free = FREE_TEXT_FIELDS | NAMING_FIELDS if kind == PLANNING else FREE_TEXT_FIELDS
        seeds = {"seed"} if kind == PLANNING and is_seed(values.get("seed")) else set()
        rest = tuple((name, _frozen(value)) for name, value in values.items() if name not in free | seeds)
        prompt = values.get("prompt")
        is_plain = prompt is None or (isinstance(prompt, str) and 0 < len(prompt) <= short)
        key = (kind, rest, tuple(type(values.get(name)) for name in free))
        if is_plain and self._passed.get(key):
            return []
        errors = errors_of(validator, dict(values))
        if is_plain and not errors:
            self._passed[key] = True
        return errors


def _of_the_whole(
    error: Finding, request: Mapping[str, Any], model: Model, nodes: Mapping[str, Node]
) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with a request as a whole: the field to blame, empty for none, and the words."""
    told: Any = error.validator_value
    match error.validator:
        case "required":
            for name in told:
                if name not in request and name != "model":
                    what = "say what the clip shows" if name == "prompt" else f"{model.name} needs it"
                    role = role_of(model, name)
                    yield "", f"{name if role is None else f'{role} ({name})'} is missing; {what}"
        case "dependentRequired":
            for name in told:
                for needed in told[name]:
                    if name in request and needed not in request:
                        own = written_name(name, nodes)
                        other = needed if own == name else role_of(model, needed) or needed
                        yield name, f"{own} is given without {other}; {model.name} needs both"
        case "not" if isinstance(told, Mapping) and "required" in told:
            both = list(told["required"])
            named = " and ".join(written_name(name, nodes) for name in both)
            yield both[-1], f"this shot has both {named}; {model.name} takes only one of them"
        case _:
            yield "", f"{model.name} does not take these fields together"


def _blamed(name: str, table: Table) -> tuple[Place | None, str]:
    """If a default does not suit a shot's model, return the place of the model and what to do about it."""
    if name in table.keys or "model" not in table.keys:
        return None, ""
    return table.items["model"].at, f"; it comes from defaults: write {name}: null in this shot to leave it out"


def _frozen(value: Any) -> Any:
    if isinstance(value, list):
        return tuple(map(_frozen, value))
    if isinstance(value, dict):
        return tuple((name, _frozen(each)) for name, each in value.items())
    return (type(value), str(value))
