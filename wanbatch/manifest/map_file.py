"""The `.map.yaml` beside a table: its column map, the sheet that holds the shots, and what a table cannot say."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from wanbatch.manifest.column_map import NO_MAP, ColumnMap, column_map_of
from wanbatch.manifest.file_text import NOWHERE, check_file, map_path, text_of
from wanbatch.manifest.findings import Teller, errors_of, validator_for
from wanbatch.manifest.schemas import HEAD, MAP, schema
from wanbatch.manifest.tree import Node, Place, Problems, ReadingStopped, Scalar, Table, moved, start_of_file
from wanbatch.manifest.values import head_value
from wanbatch.manifest.words import meant, one_of, shown
from wanbatch.manifest.yaml_file import read_yaml

_OWN = ("version", "sheet")  # which nothing else checks


@dataclass(frozen=True)
class TableMap:
    """How a table is read: its columns, its sheet (empty if not said), and what is said of the whole batch.

    `head` has the nodes of HEAD and of defaults, with places in the map's file.
    """

    columns: ColumnMap = NO_MAP
    sheet: str = ""
    sheet_at: Place = NOWHERE
    head: Table = field(default_factory=lambda: Table(start_of_file()))


def map_beside(table: Path, problems: Problems) -> TableMap:
    """Read the map beside a table; an empty one if there is none. What is wrong with it is a problem of its file.

    Raises ReadingStopped if anything is: what would follow of it in the table is left out.
    """
    path = map_path(table)
    if not path.is_file():
        return TableMap()
    told = Problems(str(path))
    try:
        check_file(path, told)
        node = read_yaml(text_of(path, told), told)
    finally:
        problems.adopt(told)
    before = len(problems.found)
    found = table_map_of(moved(node, str(path)) if node is not None else Table(start_of_file()), problems)
    if len(problems.found) > before:
        raise ReadingStopped
    return found


def table_map_of(node: Node, problems: Problems) -> TableMap:
    """Read a map from its nodes, whose places name the file that they are in."""
    if not isinstance(node, Table):
        problems.add(node.at, "a map holds fields, one name and value on each line: begin it with columns:")
        return TableMap()
    fields = [name for name in schema(MAP)["properties"] if name != "version"]
    for name, at in node.keys.items():
        if name not in (*fields, "version"):
            problems.add(at, f"{shown(name)} is not a field of a map, which has {one_of(fields)}{meant(name, fields)}")
    own = {name: head_value(node.items[name], name) for name in _OWN if name in node.items}
    for error in errors_of(validator_for(schema(MAP)), own):
        Teller(problems, node.at.file).tell(error, node, "")
    columns, sheet = node.items.get("columns"), node.items.get("sheet")
    said = [name for name in ("defaults", *HEAD) if name in node.items]
    head = Table(node.at, {name: node.items[name] for name in said}, {name: node.keys[name] for name in said})
    return TableMap(
        NO_MAP if columns is None else column_map_of(columns, problems),
        sheet.text.strip() if isinstance(sheet, Scalar) else "",
        NOWHERE if sheet is None else sheet.at,
        head,
    )
