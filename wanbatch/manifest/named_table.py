"""A table that a manifest names: its rows are the shots, and the manifest says the rest."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath

from wanbatch.manifest.column_map import NO_MAP, ColumnMap, column_map_of
from wanbatch.manifest.file_text import Located, check_file
from wanbatch.manifest.formats import MAPPED, located, read_shots
from wanbatch.manifest.map_file import map_beside
from wanbatch.manifest.tree import Node, Problems, ReadingStopped, Scalar, Table, moved
from wanbatch.manifest.words import meant, one_of, shown

TABLE = "table"
_FIELDS = ("file", "sheet", "columns")


def with_table(root: Node | None, manifest: Path, problems: Problems) -> tuple[Node | None, tuple[str, ...]]:
    """Return a manifest with the rows of the table that it names as its shots, and the table's file.

    Any other node comes back as it is, without a file. Raises ReadingStopped if the table cannot be read.
    """
    if not isinstance(root, Table) or TABLE not in root.items:
        return root, ()
    node, at = root.items[TABLE], root.keys[TABLE]
    if "shots" in root.keys:
        raise problems.stop(at, "this manifest has both table and shots; keep one of them")
    found, columns = _named(node, manifest, problems)
    told = Problems(str(found.file), found.sheet, is_part=True)
    try:
        check_file(found.file, told)
        beside = map_beside(found.file, told) if not columns.uses else None
        if beside is not None:
            columns = beside.columns
            found = found if found.sheet else replace(found, sheet=beside.sheet, sheet_at=beside.sheet_at)
        read = read_shots(found, columns, told)
    finally:
        problems.adopt(told)
    if not isinstance(read, Table) or not read.is_made:
        raise problems.stop(node.at, f"{found.file.name} is a complete manifest, not a table: run it on its own")
    shots = moved(read.items["shots"], str(found.file), told.sheet)
    items = {name: item for name, item in root.items.items() if name != TABLE}
    keys = {name: place for name, place in root.keys.items() if name != TABLE}
    return Table(root.at, {**items, "shots": shots}, {**keys, "shots": at}), (str(found.file),)


def _named(node: Node, manifest: Path, problems: Problems) -> tuple[Located, ColumnMap]:
    """Return the file and the sheet that a manifest names, and its column map. Raises ReadingStopped."""
    columns, file, sheet = NO_MAP, node, None
    if isinstance(node, Table):
        for name, at in node.keys.items():
            if name not in _FIELDS:
                problems.add(at, f"{shown(name)} is not a field of table{meant(name, _FIELDS)}")
        file, sheet = node.items.get("file", node), node.items.get("sheet")
        if "columns" in node.items:
            columns = column_map_of(node.items["columns"], problems)
        if problems.found:
            raise ReadingStopped
    found = _found(node, file, manifest, problems)
    if isinstance(sheet, Scalar) and sheet.text.strip():
        found = replace(found, sheet=sheet.text.strip(), sheet_at=sheet.at._replace(file=problems.file))
    return found, columns


def _found(node: Node, file: Node, manifest: Path, problems: Problems) -> Located:
    """Return where the table is that `file` names. Raises ReadingStopped for any other file."""
    if not isinstance(file, Scalar) or not file.text.strip():
        words = "table must name a file, such as table: shots.xlsx, or table: {file: shots.xlsx, columns: {...}}"
        raise problems.stop(node.at, words)
    found = located(manifest.parent / _below(file, problems))
    home = manifest.parent.resolve()
    if not found.file.resolve().is_relative_to(home):
        raise problems.stop(
            file.at, f"{shown(file.text)} is a link that leads out of the manifest's folder; copy the file into it"
        )
    if not found.file.is_file():
        raise problems.stop(file.at, f"there is no file {shown(file.text)} beside the manifest: check the name")
    ending = found.file.suffix.lower()
    if ending not in MAPPED:
        words = f"{shown(file.text)} is not a table: it must end in {one_of(MAPPED)}"
        raise problems.stop(file.at, words)
    return found


def _below(file: Scalar, problems: Problems) -> str:
    """Return a path that stays in the folder of the manifest. Raises ReadingStopped for any other."""
    path = PurePosixPath(file.text.strip())
    if path.is_absolute() or ".." in path.parts or "\\" in file.text or ":" in path.parts[0]:
        words = (
            "is not in the manifest's folder or below; put the table there, and write its path from that folder, with /"
        )
        raise problems.stop(file.at, f"{shown(file.text)} {words}")
    return str(path)
