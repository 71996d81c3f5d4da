"""The flat form of a manifest: `defaults` and a list of shots, as it is checked, hashed and run."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from wanbatch.manifest.expansion.drafts import Draft
from wanbatch.manifest.expansion.included import Included, Reader
from wanbatch.manifest.expansion.named_texts import GROUPS, NamedTexts
from wanbatch.manifest.expansion.prompts import TEXT_FIELDS, Prompts
from wanbatch.manifest.expansion.scenes import OF_ONE_SHOT, SCENES, SEQUENCES, SHOTS, Walk, refuse_of_one_shot
from wanbatch.manifest.expansion.sources import Sources
from wanbatch.manifest.expansion.variants import MATRIX, ZIP, variants_of
from wanbatch.manifest.lint import Group
from wanbatch.manifest.made_id import SCENE_SLUG, SLUG_CAP, MadeIds
from wanbatch.manifest.tree import Listing, Node, Problems, Scalar, Table
from wanbatch.manifest.values import is_null

PROMPTS_FROM, INCLUDE = "prompts_from", "include"
_HEAD_WORDS = frozenset({*GROUPS, SEQUENCES, SCENES, INCLUDE})
_SHOT_WORDS = frozenset({*TEXT_FIELDS, *OF_ONE_SHOT})
_TEXT_WORDS = frozenset({*TEXT_FIELDS, MATRIX, ZIP})


@dataclass(frozen=True)
class Expanded:
    """The flat form of a manifest, the further files that it consists of, and its sequences and scenes."""

    root: Node | None
    parts: tuple[str, ...] = ()
    groups: tuple[Group, ...] = ()


def expanded(root: Node | None, path: Path, text: str, read: Reader, problems: Problems) -> Expanded:
    """Return the flat form of a manifest.

    A manifest that is flat already comes back as it is: none of its prompts is a template. `text` is that of its file,
    `read` reads another one.
    """
    if not isinstance(root, Table) or not _is_structured(root):
        return Expanded(root)
    return _Expansion(root, path, text, read, problems).flat()


def _is_structured(root: Table) -> bool:
    if not _HEAD_WORDS.isdisjoint(root.items):
        return True
    shots = root.items.get(SHOTS)
    tables = [root.items.get("defaults"), *(shots.items if isinstance(shots, Listing) else ())]
    return any(isinstance(each, Table) and not _SHOT_WORDS.isdisjoint(each.items) for each in tables)


class _Expansion:
    """The expansion of one manifest."""

    def __init__(self, root: Table, path: Path, text: str, read: Reader, problems: Problems) -> None:
        self._root, self._problems = root, problems
        sources = Sources({"": text})
        self._texts = NamedTexts(problems, sources)
        self._included = Included(path, read, problems, sources, self._texts.read)
        self._ids: dict[str, MadeIds] = {}

    def flat(self) -> Expanded:
        """Return the flat form."""
        root, problems = self._root, self._problems
        self._texts.read(root)
        walk = Walk(problems, self._included.manifests)
        drafts = [each for draft in walk.drafts(root) for each in self._variants(draft)]
        defaults = self._defaults()
        if self._has_templates(drafts, defaults):
            prompts = Prompts(self._texts, defaults, problems)
            for draft in drafts:
                prompts.fill(draft)
            prompts.tell_unheard()
            self._texts.tell_unused()
        items = {name: node for name, node in root.items.items() if name not in _HEAD_WORDS}
        if "defaults" in items and isinstance(items["defaults"], Table):
            items["defaults"] = _without(defaults, (*TEXT_FIELDS, *OF_ONE_SHOT))
        at = next((root.items[name].at for name in (SHOTS, SCENES, SEQUENCES, INCLUDE) if name in root.items), None)
        if at is not None and not (isinstance(root.items.get(SHOTS), Scalar) and not drafts):
            items[SHOTS] = Listing(at, [draft.table() for draft in drafts])
        flat = Table(root.at, items, root.keys, root.is_made)
        return Expanded(flat, tuple(self._included.found.values()), tuple(walk.groups))

    def _defaults(self) -> Table:
        """Return the defaults of the whole; what only a shot may say is refused there."""
        node = self._root.items.get("defaults")
        if not isinstance(node, Table):
            return Table(self._root.at)
        refuse_of_one_shot(node, self._problems)
        return node

    def _has_templates(self, drafts: list[Draft], defaults: Table) -> bool:
        """Say whether the braces of this manifest are names: only if it uses a word that gives them a meaning."""
        if self._texts.found or any(name in self._root.items for name in GROUPS):
            return True
        tables = (defaults.items, *(draft.items for draft in drafts))
        return any(not _TEXT_WORDS.isdisjoint(each) for each in tables) or any(draft.variables for draft in drafts)

    def _variants(self, draft: Draft) -> Iterator[Draft]:
        for each in self._lines(draft):
            yield from variants_of(each, self._problems)

    def _lines(self, draft: Draft) -> Iterator[Draft]:
        """Yield a draft for each line of the file of prompts that a shot names; the draft itself if it names none."""
        node = draft.items.get(PROMPTS_FROM)
        if node is None:
            yield draft
            return
        at = draft.keys[PROMPTS_FROM]
        draft.drop(PROMPTS_FROM)
        if "prompt" in draft.items and draft.owners["prompt"] == "shot":
            self._problems.add(draft.keys["prompt"], "this shot has both prompt and prompts_from; keep one of them")
            return
        given = draft.items.get("id")
        begin = (
            given
            if isinstance(given, Scalar) and not is_null(given)
            else draft.items.get("scene")
            if draft.is_in_scene
            else None
        )
        prefix = f"{begin.text}_" if isinstance(begin, Scalar) else ""
        ids = self._ids.setdefault(prefix, MadeIds(SCENE_SLUG if prefix else SLUG_CAP))
        seen: dict[str, int] = {}
        for line in self._included.prompts(node):
            made, prompt = draft.copy(), line.items["prompt"]
            made.at = line.at
            assert isinstance(prompt, Scalar)
            first = seen.setdefault(prompt.text, line.at.line)
            if first != line.at.line:
                self._problems.warn(line.at, f"this line is the same as line {first}; both are one shot")
                continue
            name = prefix + ids.next_of(prompt.text)
            made.put("prompt", prompt, prompt.at, "line")
            made.put("id", Scalar(name, name, line.at, is_quoted=True), at, "made of the prompt")
            yield made


def _without(table: Table, names: tuple[str, ...]) -> Table:
    items = {name: node for name, node in table.items.items() if name not in names}
    keys = {name: at for name, at in table.keys.items() if name not in names}
    return Table(table.at, items, keys)
