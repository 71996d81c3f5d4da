"""Sequences and scenes: the structure of a film, walked in the order of the manifest into drafts of shots."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from wanbatch.batch.names import fault_of_name, twin_key
from wanbatch.manifest.expansion.drafts import Draft, Level
from wanbatch.manifest.lint import Group
from wanbatch.manifest.made_id import SCENE_SLUG, MadeIds
from wanbatch.manifest.names import close_name
from wanbatch.manifest.schemas import fields_of_shots
from wanbatch.manifest.synonyms import is_own
from wanbatch.manifest.tree import Listing, Node, Place, Problems, Scalar, Table
from wanbatch.manifest.values import head_value, is_null
from wanbatch.manifest.words import meant, shown

SEQUENCES, SCENES, SHOTS = "sequences", "scenes", "shots"
STRUCTURE = (SEQUENCES, SCENES, SHOTS)
OF_ONE_SHOT = ("matrix", "zip", "prompts_from")
_OF_LEVEL = ("cast", "location", "allow")  # values that a scene may have without defaults
_FIELDS = {
    "sequence": ("id", *_OF_LEVEL, "notes", "target", "defaults", SCENES, "include"),
    "scene": ("id", *_OF_LEVEL, "notes", "target", "defaults", SHOTS, "include"),
}


@dataclass
class Walk:
    """One walk through the structure of a manifest. `include` gives the manifests that a table includes."""

    problems: Problems
    include: Callable[[Table], Iterator[Table]]
    groups: list[Group] = field(default_factory=list)
    _taken: dict[tuple[str, str], Place] = field(default_factory=dict)
    _ids: dict[str, MadeIds] = field(default_factory=dict)

    def drafts(self, root: Table) -> Iterator[Draft]:
        """Yield the shots of a manifest in story order, each with the values of its sequence and its scene."""
        yield from self._within(root, Draft(root.at))

    def _within(self, root: Table, above: Draft) -> Iterator[Draft]:
        """Yield the shots of a table that may hold sequences, scenes, shots and included manifests."""
        for name, node in root.items.items():
            if name == "include":
                for each in self.include(root):
                    inner = above.copy()
                    self._take_defaults(each, inner, f"defaults of {each.at.file}")
                    yield from self._within(each, inner)
            elif name == SHOTS:
                yield from self._shots(node, above)
            elif name in (SEQUENCES, SCENES):
                yield from self._groups(name[:-1], node, above)

    def _groups(self, kind: str, node: Node, above: Draft) -> Iterator[Draft]:
        if is_null(node):
            return
        if not isinstance(node, Listing):
            self.problems.add(node.at, f"{kind}s is {shown(head_value(node, kind))}; begin each {kind} with a dash")
            return
        for each in node.items:
            if not isinstance(each, Table):
                words = f"a {kind} is {shown(head_value(each, kind))}; expected fields: id and "
                self.problems.add(each.at, words + ("shots" if kind == "scene" else "scenes"))
                continue
            yield from self._group(kind, each, above)

    def _group(self, kind: str, table: Table, above: Draft) -> Iterator[Draft]:
        for name, at in table.keys.items():
            if name not in _FIELDS[kind]:
                self.problems.add(at, self._unknown(kind, name))
        name, node = self._name_of(kind, table), table.items.get("id")
        draft = above.copy()
        owner = f"{kind} {name}".strip()
        if node is not None:
            self._tell_outer(kind, draft, name)
            draft.put(kind, Scalar(name, name, node.at, is_quoted=True), node.at, owner)
        draft.is_in_scene = draft.is_in_scene or kind == "scene"
        self._take_defaults(table, draft, f"defaults of {owner}")
        own = Table(table.at, {each: table.items[each] for each in _OF_LEVEL if each in table.items}, table.keys)
        draft.take(Level(own, owner))
        self.groups.append(Group(kind, name, table))
        held = Table(table.at, {each: inner for each, inner in table.items.items() if each in (*STRUCTURE, "include")})
        yield from self._within(held, draft)

    def _unknown(self, kind: str, name: str) -> str:
        if (name in fields_of_shots() or is_own(name)) and name not in (kind, "sequence", "scene"):
            return f"{shown(name)} is not a field of a {kind}; put {name} under its defaults:"
        if name in (SHOTS, SCENES):
            return f"a {kind} has no {name}; " + (
                "put them into its scenes" if kind == "sequence" else "list its shots"
            )
        known = list(_FIELDS[kind])
        hint = f"; did you mean {name}s?" if f"{name}s" in known else close_name(name, known) or meant(name, known)
        return f"{shown(name)} is not a field of a {kind}{hint}"

    def _name_of(self, kind: str, table: Table) -> str:
        node = table.items.get("id")
        if not isinstance(node, Scalar) or node.value is None:
            at = table.at if node is None else node.at
            self.problems.add(
                at, f"a {kind} has no id; give it a name, such as {'sc010' if kind == 'scene' else 'sq01'}"
            )
            return ""
        fault = fault_of_name(node.text)
        if fault is not None:
            self.problems.add(node.at, f"{kind} {shown(node.text)} {fault}")
        before = self._taken.setdefault((kind, twin_key(node.text)), node.at)
        if before is not node.at:
            where = f"line {before.line}" + (f" of {before.file}" if before.file else "")
            self.problems.add(
                node.at, f"{kind} {shown(node.text)} is already on {where}; put its shots together, or rename it"
            )
        return node.text

    def _tell_outer(self, kind: str, draft: Draft, name: str) -> None:
        outer = draft.items.get(kind)
        if isinstance(outer, Scalar) and outer.value is not None and outer.text != name:
            self.problems.add(
                outer.at, f"{kind} is {shown(outer.text)} here, but the shots are in {kind} {name}; remove it"
            )

    def _take_defaults(self, table: Table, draft: Draft, owner: str) -> None:
        node = table.items.get("defaults")
        if node is None or is_null(node):
            return
        if not isinstance(node, Table):
            found = shown(head_value(node, "defaults"))
            self.problems.add(node.at, f"defaults is {found}; expected fields: one name and value on each line")
            return
        if "id" in node.keys:
            self.problems.add(node.keys["id"], "id cannot be a default: every shot has its own")
        refuse_of_one_shot(node, self.problems)
        for name in _OF_LEVEL:
            if name in node.items and name in table.items:
                words = f"{name} is given here and beside defaults; keep one of them"
                self.problems.add(node.keys[name], words)
        draft.take(Level(node, owner), without=("id", *OF_ONE_SHOT))

    def _shots(self, node: Node, above: Draft) -> Iterator[Draft]:
        if is_null(node):
            return
        if not isinstance(node, Listing):
            self.problems.add(node.at, "shots must be a list: begin each shot with a dash")
            return
        for each in node.items:
            draft = replace(above.copy(), at=each.at)
            if isinstance(each, Table):
                self._check_group(each, above)
                draft.take(Level(each, "shot"))
                self._name_draft(draft, above)
            else:
                words = f"a shot is {shown(head_value(each, ''))}; expected fields, such as id: sh010"
                words += " and prompt: A gull lands"
                self.problems.add(each.at, f"{words}; for a plain list of prompts, one per line, use a .txt file")
                continue
            yield draft

    def _check_group(self, shot: Table, above: Draft) -> None:
        """Refuse a scene of a shot that is not the one that lists it."""
        for kind in ("scene", "sequence"):
            mine, outer = shot.items.get(kind), above.items.get(kind)
            is_given = isinstance(mine, Scalar) and isinstance(outer, Scalar) and above.owners[kind].startswith(kind)
            if is_given and mine.text.strip() != outer.text:  # type: ignore[union-attr]
                words = f"{kind} is {shown(mine.text)}, but the shot is in {kind} {outer.text}"  # type: ignore[union-attr]
                self.problems.add(mine.at, f"{words}; remove it, or move the shot")  # type: ignore[union-attr]

    def _name_draft(self, draft: Draft, above: Draft) -> None:
        """Give a shot of a scene an id where it has none: of the scene's id and its own prompt.

        It does not count shots: a shot that is put between two others would rename, and buy again, all after it.
        """
        scene, prompt, given = (draft.items.get(name) for name in ("scene", "prompt", "id"))
        if not draft.is_in_scene or not isinstance(scene, Scalar) or not isinstance(prompt, Scalar):
            return
        if "prompts_from" in draft.items or (given is not None and not is_null(given)) or "prompt" in above.items:
            return
        ids = self._ids.setdefault(scene.text, MadeIds(SCENE_SLUG))
        made = f"{scene.text}_{ids.next_of(prompt.text.strip())}"
        draft.put("id", Scalar(made, made, draft.at), draft.at, "made of scene and prompt")


def refuse_of_one_shot(defaults: Table, problems: Problems) -> None:
    """Refuse defaults that make many shots of each."""
    for name in OF_ONE_SHOT:
        if name in defaults.keys:
            words = f"{name} cannot be a default; write it in the shot that it should multiply"
            problems.add(defaults.keys[name], words)
