"""Files that a manifest takes in: other manifests (`include`), and texts with a prompt a line (`prompts_from`).

They are in the folder of the manifest or below it, so that the folder as a whole can be moved or handed over.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from wanbatch.manifest.expansion.sources import Sources
from wanbatch.manifest.formats import located
from wanbatch.manifest.names import close_name
from wanbatch.manifest.schemas import MANIFEST, schema
from wanbatch.manifest.tree import Listing, Node, Place, Problems, ReadingStopped, Scalar, Table, moved
from wanbatch.manifest.values import head_value, is_null
from wanbatch.manifest.words import shown

DEPTH_CAP = 4
FILES_CAP = 500
_OF_THE_WHOLE = ("budget", "limits", "names")
Reader = Callable[[Path, Problems], tuple[str, Node | None]]  # the text of a file, and what it holds


@dataclass
class Included:
    """Reads what a manifest takes in; each file once. `found` are the files, in the order in which they were read."""

    path: Path
    read: Reader
    problems: Problems
    sources: Sources
    take_texts: Callable[[Table], None]
    found: dict[Path, str] = field(default_factory=dict)
    _within: list[Path] = field(default_factory=list)

    def manifests(self, table: Table) -> Iterator[Table]:
        """Yield the manifests that a table includes, one at a time: each may include others while it is looked at."""
        node = table.items.get("include")
        for each in [] if node is None or is_null(node) else node.items if isinstance(node, Listing) else [node]:
            root = self._root(each, "include")
            if root is None:
                continue
            if len(self._within) >= DEPTH_CAP:
                self.problems.add(each.at, f"manifests include each other more than {DEPTH_CAP} levels deep")
                continue
            self._check_head(root)
            self.take_texts(root)
            self._within.append(self._path_of(each.text))  # type: ignore[union-attr]
            yield root
            self._within.pop()

    def prompts(self, node: Node) -> list[Table]:
        """Return a shot for each line of a text file, with id and prompt."""
        root = self._root(node, "prompts_from")
        shots = root.items.get("shots") if root is not None else None
        if root is not None and not root.is_made:
            self.problems.add(node.at, "prompts_from names a file that is a manifest; use include for it")
            return []
        return [each for each in shots.items if isinstance(each, Table)] if isinstance(shots, Listing) else []

    def _path_of(self, name: str) -> Path:
        return (self.path.parent / name).resolve()

    def _root(self, node: Node, word: str) -> Table | None:
        name = node.text if isinstance(node, Scalar) and node.value is not None else ""
        if not name:
            self.problems.add(node.at, f"{word} is {shown(head_value(node, word))}; expected the name of a file")
            return None
        try:
            path, home = self._path_of(name), self.path.parent.resolve()
            is_below = path.is_relative_to(home)
        except (OSError, RuntimeError, ValueError):
            self.problems.add(node.at, f"{word} names {shown(name)}, which cannot be read; check the name")
            return None
        if not is_below or Path(name).is_absolute():
            self.problems.add(
                node.at, f"{word} names {shown(name)}, which is outside the manifest's folder; move it there"
            )
            return None
        if path in (self.path.resolve(), *self._within):
            self.problems.add(
                node.at, f"{word} names {shown(name)}, which includes this file in turn; remove one of the two"
            )
            return None
        if path in self.found and word == "include":
            self.problems.add(
                node.at, f"{word} names {shown(name)} a second time; its shots would be in the film twice"
            )
            return None
        if len(self.found) >= FILES_CAP:
            self.problems.add(node.at, f"a manifest of more than {FILES_CAP} files")
            return None
        return self._table_in(path, str(self.path.parent / name), node.at)

    def _table_in(self, path: Path, file: str, at: Place) -> Table | None:
        file = str(located(Path(file)).file)
        self.found[path] = file
        told = Problems(file, is_part=True)
        try:
            text, root = self.read(path, told)
        except ReadingStopped:
            text, root = "", None
        if any(each.line == 0 for each in told.found):  # the file as a whole: the cure is where it is named
            why = next(each.message for each in told.found if each.line == 0)
            self.problems.add(at, f"{shown(Path(file).name)}: {why}")
            return None
        self.problems.adopt(told)
        self.sources.texts[file] = text
        if root is not None and not isinstance(root, Table):
            self.problems.add(at, f"{shown(Path(file).name)} is not a manifest")
            return None
        made = None if root is None else moved(root, file, told.sheet)
        return made if isinstance(made, Table) else None

    def _check_head(self, root: Table) -> None:
        known = list(schema(MANIFEST)["properties"])
        for name, at in root.keys.items():
            if name in _OF_THE_WHOLE:
                self.problems.add(at, f"{name} is for the whole film; move it into {self.path.name}")
            elif name not in known:
                self.problems.add(at, f"{shown(name)} is not a field of a manifest{close_name(name, known)}")
