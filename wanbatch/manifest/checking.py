"""The check of a manifest: from its nodes to a batch, or to every problem with its place."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache
from pathlib import PurePath
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import ValidationError

from wanbatch.batch.names import fault_of_name, is_in_quotation_marks, name_of_stem, twin_key
from wanbatch.batch.shots import DEFAULT_MODEL, Batch, Shot
from wanbatch.manifest.budget import cap_of, check_scenes, limits_of, scene_caps
from wanbatch.manifest.doubts import doubts_of, tell_nothing, tell_numbers, tell_twins
from wanbatch.manifest.fields import BOOLEAN_FIELDS, FREE_TEXT_FIELDS, INTEGER_FIELDS, LIST_FIELDS, PLANNING_FIELDS
from wanbatch.manifest.names import close_name, foreign_parameter, is_sentence, meant_shots, unknown_name
from wanbatch.manifest.schemas import MANIFEST, fields_of_shots, schema, schema_names
from wanbatch.manifest.shapes import amount_wanted, place_of, shape_wanted, version_to_write
from wanbatch.manifest.spreadsheet_ids import tell_equal_numbers
from wanbatch.manifest.synonyms import is_own
from wanbatch.manifest.tree import Listing, Node, Place, Problems, Scalar, Table, follow
from wanbatch.manifest.words import fault_words, meant, one_of, shown, spelling_hint

SHORT_PROMPT = 500  # no model's cap is lower: below it a prompt's length cannot be wrong
OWN_NAME = re.compile(r"x_.{1,62}")
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")
_BARE = INTEGER_FIELDS | BOOLEAN_FIELDS
_HEAD = ("version", "name", "limits", "budget")


class Checker:
    """Checks one manifest. `has_head` says whether the format can hold version, name, limits and budget."""

    def __init__(self, problems: Problems, source: str, *, has_head: bool) -> None:
        self._problems = problems
        self._source = source
        self._has_head = has_head
        self._is_text = source.lower().endswith(".txt")  # where every character of a prompt has its own column
        self._passed: dict[Any, Any] = {}
        self._places: dict[str, Place] = {}
        self._shots = Draft202012Validator({**schema(MANIFEST), "$ref": "#/$defs/defaults", **_BODYLESS})

    def batch(self, root: Node | None) -> Batch | None:
        """Return the batch, or None if there was any problem."""
        if not isinstance(root, Table):
            at = root.at if root is not None else Place(1, 1)
            what = "is empty" if root is None or _is_null(root) else "is not a manifest"
            what = "is a list" if isinstance(root, Listing) else what
            words = f"this file {what}; a manifest begins with version: 1 and has shots:"
            is_of_texts = isinstance(root, Listing) and any(isinstance(each, Scalar) for each in root.items)
            if is_of_texts or (isinstance(root, Scalar) and not _is_null(root)):
                words += " (for only prompts, one a line, use a .txt file)"
            self._problems.add(at, words)
            return None
        known = set(schema(MANIFEST)["properties"])
        for key, at in root.keys.items():
            if key not in known:
                is_of_shots = key in fields_of_shots() and key != "id"
                cure = f"; put {key} under defaults:" if is_of_shots else place_of(key) or meant(key, known)
                self._problems.add(at, f"{shown(key)} is not a field of a manifest{cure}")
        head = self._head(root)
        defaults = self._table(root, "defaults")
        if defaults is not None:
            self._names(defaults, is_shot=False)
        shots = self._all_shots(root, defaults)
        if not self._problems.found:
            tell_twins(shots, self._places, self._problems)
            tell_numbers(shots, self._places, self._problems)
            tell_equal_numbers((shot.id for shot in shots), self._places, self._problems)
        if scene_caps(root.items.get("budget")):
            check_scenes(root, {shot.scene for shot in shots}, self._problems)
        if self._problems.found:
            return None
        return Batch(shots=shots, source=self._source, **head)

    # --- head

    def _head(self, root: Table) -> dict[str, Any]:
        head: dict[str, Any] = {"name": name_of_stem(PurePath(self._source).stem)}
        name = root.items.get("name")
        if name is not None and not _is_null(name):
            if isinstance(name, Scalar):
                self._safe("name", name.text, name.at)
                head["name"] = name.text
            else:
                self._problems.add(name.at, f"name is {shown(_plain(name, ''))}; expected text")
        if self._has_head and "version" not in root.items:
            self._problems.add(root.at, f"version is missing; {version_to_write(self._source)}")
        plain = {key: _plain(root.items[key], key) for key in _HEAD if key in root.items and key != "name"}
        validator = Draft202012Validator({**schema(MANIFEST), "required": []})
        for error in _telling(list(validator.iter_errors({**plain, "shots": [{"id": "x"}]}))):
            self._tell(error, root, "")
        if not self._problems.found:
            head["limits"] = limits_of(plain.get("limits") or {}, root, self._problems)
            budget = root.items.get("budget")
            head["max_credits"] = cap_of(budget)
            caps = {scene: cap_of(node) for scene, node in scene_caps(budget).items()}
            head["scene_caps"] = {scene: cap for scene, cap in caps.items() if cap is not None}
        return head

    def _table(self, root: Table, name: str) -> Table | None:
        node = root.items.get(name)
        if node is None or (isinstance(node, Scalar) and node.value is None):
            return None
        if not isinstance(node, Table):
            self._problems.add(node.at, f"{name} is {shown(_plain(node, name))}; expected a table of names and values")
            return None
        return node

    # --- shots

    def _all_shots(self, root: Table, defaults: Table | None) -> tuple[Shot, ...]:
        listing = root.items.get("shots")
        if listing is None:
            self._problems.add(root.at, f"shots is missing{meant_shots(root)}; write shots: and list them below")
            return ()
        if not isinstance(listing, Listing):
            cure = "put them between [ and ]" if self._source.endswith(".json") else "begin each shot with a dash"
            self._problems.add(listing.at, f"shots must be a list: {cure}")
            return ()
        if not listing.items and not self._problems.found:
            self._problems.add(listing.at, "shots is empty; list at least one shot")
        made = []
        taken: dict[str, tuple[str, Place]] = {}
        for ordinal, node in enumerate(listing.items):
            if not isinstance(node, Table):
                words = f"a shot is {shown(_plain(node, ''))}; expected a table with id and prompt"
                self._problems.add(node.at, f"{words}; for only prompts, one a line, use a .txt file")
                continue
            if len(node.keys) == 1 and is_sentence(node):
                words = f"a shot has only {shown(next(iter(node.keys)))}, which is not a field"
                cure = "put a text with ': ' in quotes, and give the shot an id and a prompt"
                self._problems.add(node.at, f"{words}; {cure}")
                continue
            self._names(node, is_shot=True)
            self._id(node, taken)
            shot = self._shot(node, defaults, ordinal)
            if shot is not None:
                made.append(shot)
        return tuple(made)

    def _id(self, shot: Table, taken: dict[str, tuple[str, Place]]) -> None:
        node = shot.items.get("id")
        if node is None or _is_null(node):
            self._problems.add(shot.at, "id is missing; give the shot a name that will not change, such as sc010_sh020")
            return
        if not isinstance(node, Scalar):
            self._problems.add(node.at, f"id is {shown(_plain(node, ''))}; expected text")
            return
        text = node.text
        self._safe("id", text, node.at)
        if is_in_quotation_marks(text):
            words = "has quotation marks, which would be in the names of its files; remove them"
            self._problems.warn(node.at, f"id {shown(text)} {words}")
        key = twin_key(text)
        if key in taken:
            other, at = taken[key]
            if other == text:
                self._problems.add(node.at, f"id {shown(text)} is already used on line {at.line}; choose another")
            else:
                both = f"id {shown(text)} and {shown(other)} on line {at.line}"
                self._problems.add(node.at, f"{both} would be one file on a disk that ignores case; choose another")
        else:
            taken[key] = (text, node.at)

    def _safe(self, what: str, text: str, at: Place) -> None:
        """Check that an id or a name can be a file name on any system."""
        fault = fault_of_name(text)
        if fault is not None:
            self._problems.add(at, f"{what} {shown(text)} {fault}")

    def _names(self, table: Table, *, is_shot: bool) -> None:
        """Refuse fields that neither planning nor any model knows."""
        known = fields_of_shots()
        for name, at in table.keys.items():
            if name == "id" and not is_shot:
                self._problems.add(at, "id cannot be a default: every shot has its own")
            elif name in known:
                continue
            elif is_own(name):
                self._own_cell(name, at, table.items[name])
            else:
                self._problems.add(at, unknown_name(name, table))

    def _own_cell(self, name: str, at: Place, node: Node) -> None:
        """Check a cell in a column of the user's own: any text or number; it is never sent."""
        if not OWN_NAME.fullmatch(name) or not name.isprintable():
            self._problems.add(
                at, f"{shown(name)} cannot name a column of your own; expected x_ and 1 to 62 characters"
            )
        if not isinstance(node, Scalar):
            self._problems.add(node.at, f"{name} is {shown(_plain(node, name))}; expected text")
        elif node.value is not None:
            self._check_text(name, node.text, node)

    def _shot(self, table: Table, defaults: Table | None, ordinal: int) -> Shot | None:
        merged = {**(defaults.items if defaults is not None else {}), **table.items}
        plain = {name: _plain(node, name) for name, node in merged.items() if name in fields_of_shots()}
        given = {name: value for name, value in plain.items() if value is not None and name != "id"}
        before = len(self._problems.found)
        request = {"model": DEFAULT_MODEL, **{k: v for k, v in given.items() if k not in PLANNING_FIELDS}}
        if isinstance(given.get("prompt"), str):
            request["prompt"] = given["prompt"] = given["prompt"].strip()
        _trim(given)
        self._check_planning(given, merged)
        self._check_request(request, table, merged)
        for name, value in given.items():
            self._check_text(name, value, merged[name])
        tell_nothing(given, {name: node.at for name, node in merged.items()}, self._problems)
        for doubt in doubts_of(given):
            at = merged[doubt.field].at
            self._problems.warn(Place(at.line, at.column + doubt.at) if self._is_text else at, doubt.words)
        if len(self._problems.found) > before or plain.get("id") is None:
            return None
        self._places[str(plain["id"])] = table.at
        return Shot(
            id=str(plain["id"]),
            ordinal=ordinal,
            request=request,
            sequence=given.get("sequence", ""),
            scene=given.get("scene", ""),
            takes=given.get("takes", 1),
            seed=given.get("seed"),
            tags=tuple(given.get("tags", ())),
            cost_code=given.get("cost_code", ""),
            notes=given.get("notes", ""),
            omit=given.get("omit", False),
            own=_own_cells(merged),
            line=table.at.line,
        )

    def _check_planning(self, given: Mapping[str, Any], nodes: Mapping[str, Node]) -> None:
        planning = {name: value for name, value in given.items() if name in PLANNING_FIELDS}
        for error in self._once("planning", planning, self._shots):
            self._tell(error, Table(Place(1, 1), dict(nodes)), "")

    def _check_request(self, request: Mapping[str, Any], table: Table, nodes: Mapping[str, Node]) -> None:
        model = request["model"]
        if model not in schema_names() or model == MANIFEST:
            at = nodes["model"].at
            models = [name for name in schema_names() if name != MANIFEST]
            hint = meant(str(model), models) or f"; use {one_of(models)}"
            self._problems.add(at, f"model is {shown(model)}, which is not known{hint}")
            return
        for error in self._once(model, request, model_validator(model)):
            if error.validator == "required":
                for name in _sequence(error.validator_value):
                    if name not in request and name != "model":
                        self._problems.add(table.at, _missing(name, model))
            elif error.validator == "additionalProperties":
                for name in request:
                    if name not in schema(model)["properties"]:
                        blamed, hint = _blamed(name, table)
                        place = blamed or table.keys.get(name) or nodes[name].at
                        self._problems.add(place, foreign_parameter(name, model) + hint)
            else:
                blamed, hint = _blamed(str(error.absolute_path[0]), table)
                self._tell(error, Table(table.at, dict(nodes)), model, blamed, hint)

    def _once(self, kind: str, values: Mapping[str, Any], validator: Draft202012Validator) -> list[ValidationError]:
        """Validate. Values that differ from valid ones only in free text are valid, too, if their text is plain."""
        rest = tuple((name, _frozen(value)) for name, value in values.items() if name not in FREE_TEXT_FIELDS)
        prompt = values.get("prompt")
        is_plain = prompt is None or (isinstance(prompt, str) and 0 < len(prompt) <= SHORT_PROMPT)
        key = (kind, rest, tuple(type(values.get(name)) for name in FREE_TEXT_FIELDS))
        if is_plain and self._passed.get(key):
            return []
        errors = _telling(list(validator.iter_errors(dict(values))))
        if is_plain and not errors:
            self._passed[key] = True
        return errors

    def _check_text(self, name: str, value: Any, node: Node) -> None:
        """Refuse text that cannot be sent, stored or shown unchanged."""
        if isinstance(value, list) and isinstance(node, Listing):
            for each, inner in zip(value, node.items, strict=True):
                self._check_text(name, each, inner)
        match = _CONTROL.search(value) if isinstance(value, str) else None
        if match is not None:
            code = f"U+{ord(match[0]):04X}"
            what = f"the control character {code}; write it as plain text"
            if "\ud800" <= match[0] <= "\udfff":
                what = f"half of a character ({code}); write the whole character"
            self._problems.add(node.at, f"{name} holds {what}")

    def _tell(self, error: ValidationError, table: Table, model: str, at: Place | None = None, hint: str = "") -> None:
        """Report a schema's finding in plain words, at the place of the value."""
        if error.validator == "additionalProperties":
            inner = follow(table, list(error.absolute_path))
            known = list(error.schema.get("properties", {})) if isinstance(error.schema, Mapping) else []
            if isinstance(inner, Table):
                for name, place in inner.keys.items():
                    if name not in known:
                        where = ".".join(map(str, error.absolute_path))
                        self._problems.add(place, f"{shown(name)} is not a field of {where}{close_name(name, known)}")
            return
        path = list(error.absolute_path)
        node = follow(table, path)
        at = at or node.at
        name = ".".join(str(part) for part in path if not isinstance(part, int)) or "this"
        if error.validator in ("maxProperties", "not"):
            self._problems.add(at, f"{name} has both max_credits and max_usd; keep one of them")
        elif error.validator == "minProperties":
            self._problems.add(at, f"{name} is empty; write max_usd or max_credits")
        else:
            keyword, limit = str(error.validator), error.validator_value
            is_quoted = isinstance(node, Scalar) and node.is_quoted
            words = fault_words(name, error.instance, keyword, limit, model)
            if limit == "object" and not model:
                shape = shape_wanted(path, error.instance, self._source)
                words = f"{name} is {shown(error.instance)}; {shape}" if shape else words
            hint = hint or amount_wanted(name, error.instance)
            self._problems.add(at, words + spelling_hint(error.instance, keyword, limit, is_quoted=is_quoted) + hint)


def _own_cells(nodes: Mapping[str, Node]) -> dict[str, str]:
    """Return the cells of the user's own columns as written, trimmed."""
    own = [(name, node) for name, node in nodes.items() if name not in fields_of_shots() and is_own(name)]
    return {name: node.text.strip() for name, node in own if isinstance(node, Scalar) and node.value is not None}


def _trim(given: dict[str, Any]) -> None:
    """Remove blanks around planning texts: a scene with one would be another scene, without a cap."""
    for name in ("scene", "sequence", "cost_code", "notes"):
        if isinstance(given.get(name), str):
            given[name] = given[name].strip()
    if isinstance(given.get("tags"), list):
        given["tags"] = [each.strip() if isinstance(each, str) else each for each in given["tags"]]


_BODYLESS = {"type": "object", "required": [], "properties": {}, "additionalProperties": True}


@cache
def model_validator(model: str) -> Draft202012Validator:
    """Return the validator of a model's request, built once."""
    return Draft202012Validator(schema(model))


def _telling(errors: list[ValidationError]) -> list[ValidationError]:
    """Leave out errors that follow from a wrong type at the same place."""
    mistyped = {tuple(error.absolute_path) for error in errors if error.validator == "type"}
    return [error for error in errors if error.validator == "type" or tuple(error.absolute_path) not in mistyped]


def _sequence(value: Any) -> list[str]:
    return list(value) if isinstance(value, list | dict) else []


def _missing(name: str, model: str) -> str:
    what = "say what the clip shows" if name == "prompt" else f"{model} needs it"
    return f"{name} is missing; {what}"


def _blamed(name: str, table: Table) -> tuple[Place | None, str]:
    """If a default does not suit a shot's model, return the place of the model and what to do about it."""
    if name in table.keys or "model" not in table.keys:
        return None, ""
    return table.items["model"].at, f"; it comes from defaults: write {name}: null in this shot to leave it out"


def _is_null(node: Node) -> bool:
    return isinstance(node, Scalar) and node.value is None


def _plain(node: Node, name: str) -> Any:
    """Return a node's value: text fields keep the text as written, so that `scene: 007` stays 007."""
    if isinstance(node, Listing):
        return [_plain(item, name) for item in node.items]
    if isinstance(node, Table):
        return {key: _plain(item, key) for key, item in node.items.items()}
    if isinstance(node.value, float) and node.value.is_integer() and name in _BARE | _NUMERIC_HEAD:
        return int(node.value)  # for a schema, 5.0 is a whole number
    if node.value is None or name in _BARE or name in _NUMERIC_HEAD or node.is_quoted:
        return node.value
    return node.text


_NUMERIC_HEAD = frozenset(
    ("version", "in_flight", "downloads", "max_attempts", "max_credits", "max_usd", "submit_rate", "poll_rate")
)
assert not _BARE & LIST_FIELDS


def _frozen(value: Any) -> Any:
    return tuple(map(_frozen, value)) if isinstance(value, list) else (type(value), str(value))
