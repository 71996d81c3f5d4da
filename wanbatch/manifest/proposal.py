"""A proposal of a column map: what each column of a table is probably meant to be, by its name and its cells."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import accumulate
from pathlib import Path
from typing import Any

from wanbatch.batch.names import fault_of_name
from wanbatch.batch.registry import registry
from wanbatch.batch.shots import DEFAULT_MODEL
from wanbatch.manifest.cells import Row, delimiter_of, read_rows
from wanbatch.manifest.column_map import FILL_DOWN, IGNORE, KEEP, NO_MAP, WITHIN_SCENE
from wanbatch.manifest.fields import columns_of_shots, kinds_of
from wanbatch.manifest.file_text import NOWHERE, TABLES, Located, check_file, text_of
from wanbatch.manifest.formats import JSON_LINES, MAPPED, WORKBOOK
from wanbatch.manifest.header import row_of_header
from wanbatch.manifest.schemas import MANIFEST, fields_of_shots, schema
from wanbatch.manifest.synonyms import field_meant, field_told, folded, is_own
from wanbatch.manifest.tree import Listing, Node, Problems, Scalar, Table
from wanbatch.manifest.words import one_of, shown

APPEND = "append to prompt"
_SEEN = re.compile(
    r"(?:^|_)(?:camera|kamera|cámara|caméra|move|movement|motion|lens|angle|framing|lighting|light|mood|style|look|setting"
    r"|atmosphere|composition|colou?rs?|palette|action|运镜|镜头运动|景别|光线|风格)(?:_|$)"
)
_SORTS = re.compile(r"(?:^|_)(?:levels?|tags?|categor(?:y|ies)|class|score|rating|status|type_id|count)(?:_|$)")
_SHOT_SIZES = ("shot_type", "shot_size", "framing")
_PROSE_LETTERS = 15.0  # on average: shorter texts are names and notes
_WORD_LETTERS = 4.0  # CU and WS are signs for people; a model reads words
_FITTING = 0.5
_PLAIN_KEY = re.compile(r"[A-Za-z][\w ()/.-]*[\w)]|[A-Za-z]")
_ROWS_READ = 5000
_SCRIPTS = (".fdx", ".pdf", ".celtx", ".fadein", ".docx", ".doc", ".rtf", ".odt")


@dataclass(frozen=True)
class Column:
    """A column: its name, and the texts of its cells, in the order of the rows.

    `holds` says what they are in JSON, if not texts: lists or tables.
    """

    name: str
    cells: tuple[str, ...]
    holds: str = ""

    @property
    def filled(self) -> list[str]:
        """The cells that are not empty."""
        return [cell for cell in self.cells if cell]

    @property
    def letters(self) -> float:
        """How many characters a cell has on average; 0 for a column of empty cells."""
        return sum(map(len, self.filled)) / len(self.filled) if self.filled else 0.0


@dataclass(frozen=True)
class Proposed:
    """What a column is proposed to be read as, and why, where that is not plain from its name."""

    column: str
    use: str
    why: str = ""


def propose(columns: Sequence[Column]) -> list[Proposed]:
    """Propose what each column is read as. A column whose cells do not fit a field is kept, and it is said why."""
    made = {column.name: _by_name(column) for column in columns}
    by_name = {column.name: column for column in columns}
    _choose_prompt(made, by_name)
    for field in {each.use for each in made.values()} & columns_of_shots(is_part=False):
        named = [each for each in made.values() if each.use == field]
        for other in named[1:]:
            made[other.column] = replace(other, use=KEEP, why=f"{named[0].column} is already read as {field}")
    _check_ids(made, by_name)
    return list(made.values())


def _by_name(column: Column) -> Proposed:
    name = folded(column.name)
    if column.holds == "tables":
        return Proposed(column.name, IGNORE, "it contains tables, which are not read")
    if not column.filled:
        return Proposed(column.name, IGNORE, "it has no cells")
    if is_own(name):
        return Proposed(column.name, KEEP)
    bare = re.sub(r"[\W_]+", "_", name).strip("_")
    fields = columns_of_shots(is_part=False)
    field = name if name in fields else field_told(column.name) or field_meant(column.name, fields_of_shots())
    field = field if field in fields else ""  # a table of its own has no cast to name
    if column.holds == "lists" and "array" not in kinds_of(field):
        return Proposed(column.name, "tags", "it contains lists")
    misfit = _misfit(field, column) if field and field not in ("prompt", "id") else ""
    is_seen = (_SEEN.search(bare) is not None or bare in _SHOT_SIZES) and _SORTS.search(bare) is None
    if (not field or misfit) and is_seen and column.letters >= _WORD_LETTERS:
        return Proposed(column.name, APPEND, "it describes what is seen")
    if field and not misfit:
        return Proposed(column.name, field)
    return Proposed(column.name, KEEP, misfit)


def _misfit(field: str, column: Column) -> str:
    """Say why most cells of a column cannot be read as a field; nothing if they can."""
    shape = _shape_of(field)
    values = shape.get("enum")
    fits: Callable[[str], bool] | None = None
    if values is not None:
        known = {str(value).casefold() for value in values}
        fits = lambda cell: cell.casefold().removesuffix(".0") in known  # noqa: E731
    elif "integer" in kinds_of(field) and "string" not in kinds_of(field):
        fits = lambda cell: re.fullmatch(r"\d+(?:[.,]0+)?", cell) is not None  # noqa: E731
    elif kinds_of(field) == {"boolean"}:
        fits = lambda cell: cell.casefold() in ("true", "false", "yes", "no", "1", "0")  # noqa: E731
    if fits is None:
        return ""
    fitting = sum(map(fits, column.filled))
    if fitting >= _FITTING * len(column.filled):
        return ""
    takes = f": {field} takes {one_of(values)}" if values is not None else f": {field} takes whole numbers"
    return f"{fitting} of {len(column.filled)} cells fit{takes if kinds_of(field) != {'boolean'} else ''}"


def _shape_of(field: str) -> Mapping[str, Any]:
    model = registry().get(DEFAULT_MODEL)
    shape: Mapping[str, Any] = (model.parameters if model is not None else {}).get(field, {})
    return shape or schema(MANIFEST)["$defs"]["shot"]["properties"].get(field, {})


def _choose_prompt(made: dict[str, Proposed], columns: Mapping[str, Column]) -> None:
    """Let one column be the prompt: of those with such a name the one with most to read, else the one with prose."""
    named = [name for name, each in made.items() if each.use == "prompt"]
    if not named:
        free = [each for each in columns.values() if made[each.name].use in (KEEP, APPEND)]
        prose = [each for each in free if each.letters >= _PROSE_LETTERS]
        named = [each.name for each in sorted(prose, key=lambda each: -each.letters)[:1]]
        for name in named:
            made[name] = Proposed(name, "prompt", "its cells have the most text")
    chosen = max(named, key=lambda name: columns[name].letters, default=None)
    for name in named:
        if name != chosen:
            made[name] = Proposed(name, APPEND, f"{chosen} has more text")


def _check_ids(made: dict[str, Proposed], columns: Mapping[str, Column]) -> None:
    """Keep a column of ids that cannot name files, or are there twice; number shots within scenes if that helps."""
    ids = next((each for each in made.values() if each.use == "id"), None)
    if ids is None:
        return
    cells = columns[ids.column].cells
    filled = [cell for cell in cells if cell]
    scene = next((each for each in made.values() if each.use == "scene"), None)
    scenes = columns[scene.column].cells if scene is not None else ()
    is_sparse = "" in scenes and any(scenes[:1])
    scenes = tuple(accumulate(scenes, lambda above, cell: cell or above)) if is_sparse else scenes
    within = [f"{one}_{two}" for one, two in zip(scenes, cells, strict=False) if one and two]
    unfit = next((cell for cell in filled if fault_of_name(cell) is not None), "")
    if unfit:
        words = f"{shown(unfit)} {fault_of_name(unfit)}; ids are made from the prompts"
        made[ids.column] = Proposed(ids.column, KEEP, words)
    elif len({cell.casefold() for cell in filled}) == len(filled):
        return
    elif len({each.casefold() for each in within}) == len(filled) and not any(map(fault_of_name, within)):
        made[ids.column] = Proposed(ids.column, WITHIN_SCENE, "its numbers begin again in each scene")
        if is_sparse and scene is not None:
            made[scene.column] = Proposed(
                scene.column, f"scene, {FILL_DOWN}", "it is only in the first row of each scene"
            )
    else:
        made[ids.column] = Proposed(ids.column, KEEP, "an id occurs twice; ids are made from the prompts")


def columns_of(found: Located, problems: Problems) -> list[Column]:
    """Return the columns of a table by its header, with the cells of its first thousands of rows.

    Raises ReadingStopped for what is not a table. `problems` gets the sheet of a workbook.
    """
    path, ending = found.file, found.file.suffix.lower()
    if ending in _SCRIPTS:
        words = (
            f"wanbatch reads a screenplay only as Fountain: export it from your writing program as {path.stem}.fountain"
        )
        raise problems.stop(NOWHERE, words)
    if ending not in MAPPED:
        raise problems.stop(NOWHERE, f"a map is for tables, which end in {one_of(MAPPED)}")
    check_file(path, problems)
    if ending in (".json", *JSON_LINES):
        return _columns_of_list(path, problems)
    if ending == WORKBOOK:
        from wanbatch.manifest.workbook import rows_of_sheet

        rows = rows_of_sheet(found, problems)
    else:
        assert ending in TABLES
        text = text_of(path, problems)
        delimiter, reported = delimiter_of(text)
        rows = read_rows(text, delimiter, problems)[reported:]
    at = row_of_header(rows, NO_MAP)
    if at is None:
        raise problems.stop(NOWHERE, "this table is empty")
    return _columns_below(rows, at)


def _columns_below(rows: Sequence[Row], at: int) -> list[Column]:
    below = [row.cells for row in rows[at + 1 : at + 1 + _ROWS_READ] if not row.is_empty]
    return [
        Column(name, tuple(cells[number] if number < len(cells) else "" for cells in below))
        for number, name in enumerate(rows[at].cells)
        if name
    ]


def _columns_of_list(path: Path, problems: Problems) -> list[Column]:
    from wanbatch.manifest.json_file import read_json, read_jsonl

    text = text_of(path, problems)
    root = read_jsonl(text, problems) if path.suffix.lower() in JSON_LINES else read_json(text, problems)
    tables = [each for each in root.items if isinstance(each, Table)] if isinstance(root, Listing) else []
    if not tables:
        raise problems.stop(root.at, "this is not a list of shots, so it needs no map")
    names = dict.fromkeys(name for table in tables for name in table.items)
    columns = []
    for name in names:
        nodes = [table.items.get(name) for table in tables[:_ROWS_READ]]
        if any(isinstance(node, Table) for node in nodes):
            columns.append(Column(name, (), holds="tables"))
        else:
            is_listed = any(isinstance(node, Listing) for node in nodes)
            columns.append(Column(name, tuple(map(_text_of, nodes)), holds="lists" if is_listed else ""))
    return columns


def _text_of(node: Node | None) -> str:
    if isinstance(node, Listing):
        return "; ".join(map(_text_of, node.items))
    return node.text if isinstance(node, Scalar) and node.value is not None else ""


def map_text(table: str, sheet: str, proposed: Sequence[Proposed]) -> str:
    """Return the text of the map: each column, and as a comment why it is read so."""
    lines = [
        f"# How wanbatch reads {table}: proposed by `wanbatch init --from {table}`. Correct what is wrong.",
        f"# Each column is a field of a shot, or: {APPEND}; {WITHIN_SCENE}; {KEEP} (yours, never sent); {IGNORE}.",
    ]
    if sheet:
        lines.append(f"sheet: {_key(sheet)}")
    lines.append("columns:")
    for each in proposed:
        why = f"  # {' '.join(each.why.split())}" if each.why else ""
        lines.append(f"  {_key(each.column)}: {each.use}{why}")
    return "\n".join(lines) + "\n"


def _key(name: str) -> str:
    is_plain = _PLAIN_KEY.fullmatch(name) is not None and name.casefold() not in ("true", "false", "null")
    return name if is_plain else json.dumps(name, ensure_ascii=False)
