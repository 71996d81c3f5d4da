"""The check of a manifest: from its nodes to a batch, or to every problem with its place."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from wanbatch.batch.names import fault_of_name, is_in_quotation_marks, name_of_stem, twin_key
from wanbatch.batch.registry import registry
from wanbatch.batch.shots import DEFAULT_MODEL, Batch, Fallback, Shot, Version
from wanbatch.manifest.alike import First, FirstRows, has_loose, texts_of
from wanbatch.manifest.budget import cap_of, check_scenes, limits_of, scene_caps
from wanbatch.manifest.chain_checks import ChainChecker
from wanbatch.manifest.clip_names import check_names
from wanbatch.manifest.doubts import tell_numbers, tell_twins
from wanbatch.manifest.fallbacks import fallback_in
from wanbatch.manifest.fields import PLANNING_FIELDS
from wanbatch.manifest.findings import Teller, errors_of, validator_for
from wanbatch.manifest.formats import stem_of
from wanbatch.manifest.frames import Link
from wanbatch.manifest.given_files import GivenFiles
from wanbatch.manifest.lint import DUPLICATE, Group, Listed, lint
from wanbatch.manifest.members import given_of, with_cast
from wanbatch.manifest.names import is_sentence, meant_shots, unknown_name
from wanbatch.manifest.origins import origins_of
from wanbatch.manifest.requests import RequestChecker, unknown_model
from wanbatch.manifest.roles import in_own_names
from wanbatch.manifest.schemas import MANIFEST, fields_of_shots, schema
from wanbatch.manifest.seeds import seeds_of
from wanbatch.manifest.several_models import (
    LISTED,
    as_of,
    check_defaults,
    models_of,
    with_model,
)
from wanbatch.manifest.shapes import place_of, version_to_write
from wanbatch.manifest.spreadsheet_ids import cure_of_twin, tell_equal_numbers
from wanbatch.manifest.synonyms import is_own
from wanbatch.manifest.texts import TextChecker
from wanbatch.manifest.tree import Listing, Node, Place, Scalar, Table
from wanbatch.manifest.values import Shape, head_value, is_null
from wanbatch.manifest.words import meant, shown

OWN_NAME = re.compile(r"x_.{1,62}")
_HEAD = ("version", "name", "limits", "budget")
_USED = Scalar("", None, Place(0, 0))  # in place of the nodes of a shot that is made


class Checker:
    """Checks one manifest. `files` finds the files that it gives to shots. `has_head` says whether the format can hold
    version, name, limits and budget; `keeps_origins`, whether each shot is to say where its values come from.

    `is_frugal` gives up the nodes of each shot once it is made: of a large table, both would fill the memory.
    """

    def __init__(
        self, files: GivenFiles, source: str, *, has_head: bool, keeps_origins: bool = False, is_frugal: bool = False
    ) -> None:
        self._files, self._problems = files, files.problems
        self._source, self._has_head = source, has_head
        self._keeps_origins = keeps_origins
        self._is_frugal = is_frugal
        self._texts = TextChecker(files.problems, is_text=source.lower().endswith(".txt"))
        self._teller = Teller(files.problems, source)
        self._requests = RequestChecker(files.problems, self._teller)
        self._shapes: Mapping[str, Any] = schema(MANIFEST)["$defs"]["shot"]["properties"]
        self._shapes_of: dict[str | None, Mapping[str, Shape]] = {}
        self._places: dict[str, Place] = {}
        self._allowed: dict[str, frozenset[str]] = {}
        self._groups: Sequence[Group] = ()
        self._firsts = FirstRows()
        self._links: dict[str, list[Link]] = {}

    def batch(self, root: Node | None, groups: Sequence[Group] = (), names: str = "") -> Batch | None:
        """Return the batch, or None if there was any problem. `groups` are the sequences and scenes of its manifest,
        `names` is the pattern of the names of its clips.
        """
        self._groups = groups
        if not isinstance(root, Table):
            at = root.at if root is not None else Place(1, 1)
            what = "is empty" if root is None or is_null(root) else "is not a manifest"
            what = "is a list" if isinstance(root, Listing) else what
            words = f"this file {what}; a manifest begins with version: 1 and has shots:"
            is_of_texts = isinstance(root, Listing) and any(isinstance(each, Scalar) for each in root.items)
            if is_of_texts or (isinstance(root, Scalar) and not is_null(root)):
                words += " (for a plain list of prompts, one per line, use a .txt file)"
            self._problems.add(at, words)
            return None
        known = set(schema(MANIFEST)["properties"])
        for key, at in root.keys.items():
            if key not in known:
                is_of_shots = key in fields_of_shots() and key != "id"
                place = place_of(key) or (f"; put {key} under defaults:" if is_of_shots else "")
                cure = place or meant(key, known)
                self._problems.add(at, f"{shown(key)} is not a field of a manifest{cure}")
        head = self._head(root)
        defaults = self._table(root, "defaults")
        if defaults is not None:
            self._names(defaults, is_shot=False)
            check_defaults(defaults, self._problems)
        taken: dict[str, tuple[str, Place]] = {}
        shots = self._all_shots(root, defaults, taken)
        self._check_chains(shots, [name for name, _ in taken.values()])
        if not self._problems.found:
            listed = [Listed(shot, self._places[shot.id], self._allowed.get(shot.id, frozenset())) for shot in shots]
            tell_twins(listed, self._problems)
            lint(listed, self._groups, self._problems)
            if names:
                check_names(names, root.items["names"], listed, self._problems)
            tell_numbers(shots, self._places, self._problems)
            tell_equal_numbers((shot.id for shot in shots), self._places, self._problems)
        if scene_caps(root.items.get("budget")):
            check_scenes(root, {shot.scene for shot in shots}, self._problems)
        if self._problems.found:
            return None
        repeats = frozenset(shot_id for shot_id, allowed in self._allowed.items() if DUPLICATE in allowed)
        return Batch(shots=shots, source=self._source, names=names, files=self._files.found, repeats=repeats, **head)

    def _check_chains(self, shots: Sequence[Shot], names: Sequence[str]) -> None:
        if self._links:
            ChainChecker(shots, self._files.found, self._problems).check(self._links, names)

    # --- head

    def _head(self, root: Table) -> dict[str, Any]:
        head: dict[str, Any] = {"name": name_of_stem(stem_of(self._source))}
        name = root.items.get("name")
        if name is not None and not is_null(name):
            if isinstance(name, Scalar):
                self._safe("name", name.text, name.at)
                head["name"] = name.text
            else:
                self._problems.add(name.at, f"name is {shown(head_value(name, ''))}; expected text")
        if self._has_head and "version" not in root.items:
            self._problems.add(root.at, f"version is missing; {version_to_write(self._source)}")
        plain = {key: head_value(root.items[key], key) for key in _HEAD if key in root.items and key != "name"}
        validator = validator_for({**schema(MANIFEST), "required": []})
        for error in errors_of(validator, {**plain, "shots": [{"id": "x"}]}):
            self._teller.tell(error, root, "")
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
            found = shown(head_value(node, name))
            self._problems.add(node.at, f"{name} is {found}; expected fields: one name and value on each line")
            return None
        return node

    # --- shots

    def _all_shots(self, root: Table, defaults: Table | None, taken: dict[str, tuple[str, Place]]) -> tuple[Shot, ...]:
        """Return the shots without problems; `taken` gets every id."""
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
        for ordinal, node in enumerate(listing.items):
            if not isinstance(node, Table):
                words = f"a shot is {shown(head_value(node, ''))}; expected fields, such as id: sh010"
                words += " and prompt: A gull lands"
                self._problems.add(node.at, f"{words}; for a plain list of prompts, one per line, use a .txt file")
                continue
            if len(node.keys) == 1 and is_sentence(node):
                words = f"a shot has only {shown(next(iter(node.keys)))}, which is not a field"
                cure = "put text with ': ' in quotes, and give the shot an id and a prompt"
                self._problems.add(node.at, f"{words}; {cure}")
                continue
            first = self._firsts.of(node)
            if first is None:
                self._names(node, is_shot=True)
            self._id(node, taken)
            shot = self._shot(node, defaults, ordinal) if first is None else self._like(first, node, ordinal)
            if shot is not None:
                made.append(shot)
            if self._is_frugal:
                listing.items[ordinal] = _USED
        return tuple(made)

    def _id(self, shot: Table, taken: dict[str, tuple[str, Place]]) -> None:
        node = shot.items.get("id")
        if node is None or is_null(node):
            self._problems.add(shot.at, "id is missing; give the shot a name that will not change, such as sc010_sh020")
            return
        if not isinstance(node, Scalar):
            self._problems.add(node.at, f"id is {shown(head_value(node, ''))}; expected text")
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
                cure = cure_of_twin(shot, self._problems)
                self._problems.add(node.at, f"id {shown(text)} is already used {self._problems.where(at)}; {cure}")
            else:
                both = f"id {shown(text)} and {shown(other)} {self._problems.where(at)}"
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
            self._problems.add(node.at, f"{name} is {shown(head_value(node, name))}; expected text")
        elif node.value is not None:
            self._texts.check_text(name, node.text, node)

    def _shot(self, table: Table, defaults: Table | None, ordinal: int) -> Shot | None:
        merged = {**(defaults.items if defaults is not None else {}), **table.items}
        merged.pop(LISTED, None)
        before, warned = len(self._problems.found), len(self._problems.warnings)
        versions = []
        for number, model in enumerate(models_of(table, defaults, self._problems)):
            nodes = merged if model is None else {**merged, "model": model}
            given = self._given(nodes)
            if not number:
                planning, first = given, nodes
                self._requests.check_planning(given, nodes)
            versions.append(self._version(as_of(table, model), nodes, given))
        fallback = self._fallback(table, merged, [version.model for version in versions])
        allowed = frozenset(map(str, planning.get("allow", ())))
        self._texts.check_words(planning, first, allowed)
        seeds = seeds_of(table, planning, self._problems)
        links = self._files.links_taken()
        if links and planning.get("id") is not None:
            self._links[str(planning["id"])] = links
        if len(self._problems.found) > before or planning.get("id") is None:
            return None
        self._places[str(planning["id"])] = table.at
        if allowed:
            self._allowed[str(planning["id"])] = allowed
        told = origins_of(table, merged, self._source) if table.owners is not None or self._keeps_origins else {}
        shot = Shot(
            id=str(planning["id"]),
            ordinal=ordinal,
            request=versions[0].request,
            sequence=planning.get("sequence", ""),
            scene=planning.get("scene", ""),
            takes=len(seeds) or planning.get("takes", 1),
            seed=seeds[0] if seeds else planning.get("seed"),
            seeds=seeds,
            tags=tuple(planning.get("tags", ())),
            cost_code=planning.get("cost_code", ""),
            notes=planning.get("notes", ""),
            omit=planning.get("omit", False),
            own=_own_cells(merged),
            has_seed=versions[0].has_seed,
            beside=tuple(versions[1:]),
            fallback=fallback,
            line=table.at.line,
            following=tuple(dict.fromkeys(link.frame.text for link in links if link.is_followed)),
            origins=told | given_of(versions, fallback, self._files.found),
        )
        if self._is_frugal and not self._keeps_origins and not allowed and not has_loose(defaults):
            warnings = self._problems.warnings[warned:]
            self._firsts.keep(table, shot, self._requests.short_for(shot.model), warnings)
        return shot

    def _like(self, first: First, table: Table, ordinal: int) -> Shot | None:
        """Return the shot of a row that differs from the first of its kind only in texts, which are checked."""
        before, texts, items = len(self._problems.found), texts_of(table), table.items
        for name in first.shot.own:
            self._own_cell(name, table.keys[name], items[name])
        self._texts.check_words(texts, items, frozenset())
        if len(self._problems.found) > before or "id" not in texts:
            return None
        self._places[texts["id"]] = table.at
        if first.shot.id in self._links:
            self._links[texts["id"]] = self._links[first.shot.id]
        return first.shot_of(table, texts, _cells_of(first.shot.own, items), ordinal)

    def _given(self, nodes: Mapping[str, Node]) -> dict[str, Any]:
        """Return the values of a shot's fields, as its model takes them; none of fields that say nothing."""
        shapes = self._shapes_for(nodes.get("model"))
        plain = {name: shapes[name].value(node) for name, node in nodes.items() if name in self._shapes}
        given = {name: value for name, value in plain.items() if value is not None}
        if isinstance(given.get("prompt"), str):
            given["prompt"] = given["prompt"].strip()
        _trim(given)
        return given

    def _shapes_for(self, model: Node | None) -> Mapping[str, Shape]:
        """Return what a shot's fields may hold, of this model; made once for each model that is named."""
        name = model.text if isinstance(model, Scalar) else None
        if name not in self._shapes_of:
            self._shapes_of[name] = {
                name: Shape(shape) for name, shape in {**self._shapes, **_parameters_of(model)}.items()
            }
        return self._shapes_of[name]

    def _version(self, table: Table, nodes: dict[str, Node], given: Mapping[str, Any]) -> Version:
        """Return a shot as one model makes it, with its request held against that model."""
        sent = {name: value for name, value in given.items() if name not in PLANNING_FIELDS}
        told = in_own_names({"model": DEFAULT_MODEL, **sent}, nodes, table)
        for role, words in told.lacking.items():
            self._requests.tell_lacking(role, words, table, nodes)
        cast = with_cast(told.request, told.nodes, table.members, table.at)
        request, checked = self._files.given(cast.request, cast.nodes)
        return Version(request, self._requests.check_request(checked, told.table, cast.nodes), cast.told)

    def _fallback(self, table: Table, nodes: Mapping[str, Node], models: Sequence[str]) -> Fallback | None:
        """Return the fallback of a shot, with its request held against that model; None without one.

        What that model does not take is a problem of the fallback, at its place: the shot suits its own model.
        """
        node = nodes.get("fallback")
        told = None if node is None or is_null(node) else fallback_in(node, self._problems)
        if told is None:
            return None
        name, at = told.model, told.node.at
        if registry().get(name) is None:
            self._problems.add(at, f"fallback is {shown(name)}, a model that is not known{unknown_model(name)}")
            return None
        if name in models:
            self._problems.add(at, f"fallback is {shown(name)}, which already makes the shot; name another")
            return None
        named, before = {**nodes, "model": told.node}, len(self._problems.found)
        version = self._version(with_model(table, told.node), named, self._given(named))
        self._problems.retell(before, at, "the fallback does not suit this shot: ")
        return Fallback(version, told.on)


def _parameters_of(node: Node | None) -> Mapping[str, Any]:
    """Return what a shot's model says of its fields; nothing if that model is not known."""
    model = registry().get(node.text if isinstance(node, Scalar) else DEFAULT_MODEL)
    return {} if model is None else {name: each for name, each in model.parameters.items() if name != "model"}


def _own_cells(nodes: Mapping[str, Node]) -> dict[str, str]:
    """Return the cells of the user's own columns as written, trimmed."""
    return _cells_of((name for name in nodes if is_own(name) and name not in fields_of_shots()), nodes)


def _cells_of(names: Iterable[str], nodes: Mapping[str, Node]) -> dict[str, str]:
    found = ((name, nodes[name]) for name in names)
    return {name: node.text.strip() for name, node in found if isinstance(node, Scalar) and node.value is not None}


def _trim(given: dict[str, Any]) -> None:
    """Remove spaces around planning texts: a scene with one would be another scene, without a cap."""
    for name in ("scene", "sequence", "cost_code", "notes"):
        if isinstance(given.get(name), str):
            given[name] = given[name].strip()
    if isinstance(given.get("tags"), list):
        given["tags"] = [each.strip() if isinstance(each, str) else each for each in given["tags"]]
