"""A manifest written in another format: the same shots, each with what its defaults say, and the same recipes."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path
from typing import Any

from wanbatch.batch.registry import registry
from wanbatch.batch.shots import DEFAULT_MODEL, Batch
from wanbatch.errors import UsageInvalid
from wanbatch.manifest.fields import kinds_of
from wanbatch.manifest.formats import JSON_LINES, WORKBOOK, YAML
from wanbatch.manifest.frames import cell_text, is_frame
from wanbatch.manifest.lint import Group
from wanbatch.manifest.schemas import HEAD, MANIFEST, schema
from wanbatch.manifest.tree import Filled, Listing, Node, Scalar, Table
from wanbatch.manifest.values import head_value, value_of
from wanbatch.manifest.yaml_file import yaml_text

_NAMED_SHOWN = 4
_FIRST = (
    "id",
    "sequence",
    "scene",
    "prompt",
    "negative_prompt",
    "model",
    "models",
    "duration",
    "resolution",
    "aspect_ratio",
)
WRITTEN = (*YAML, ".json", *JSON_LINES, ".csv", ".tsv", WORKBOOK, ".txt")


@dataclass(frozen=True)
class Content:
    """What a manifest says: its head, its defaults, and each shot with the values of its own or with all of them.

    `is_whole` says that all of it is in one file, `is_structured` that it says more than shots: scenes, cast, variants.
    Then `document` has it as it is written, if it is whole; empty otherwise. `planning` names what only the structure
    says, such as the notes of a scene.
    """

    head: Mapping[str, Any]
    defaults: Mapping[str, Any]
    shots: Sequence[Mapping[str, Any]]
    whole_shots: Sequence[Mapping[str, Any]]
    is_whole: bool = True
    is_structured: bool = False
    document: Mapping[str, Any] = field(default_factory=dict)
    planning: Sequence[str] = ()


def content_of(own: Table, root: Table, groups: Sequence[Group], *, is_whole: bool) -> Content:
    """Return what a manifest that was checked says, in plain values: `own` are its nodes, `root` its flat form."""
    shapes = schema(MANIFEST)["$defs"]["shot"]["properties"]
    told = root.items.get("defaults")
    usual = told if isinstance(told, Table) else Table(root.at)
    defaults = _values(usual, {**shapes, **_parameters_of(usual, usual)})
    listing = root.items["shots"]
    assert isinstance(listing, Listing)
    tables = [each for each in listing.items if isinstance(each, Table)]
    shots = [_values(each, {**shapes, **_parameters_of(each, usual)}) for each in tables]
    whole = []
    for shot in shots:
        named = {"model", "models"} & shot.keys()
        left = {name: value for name, value in defaults.items() if not (named and name in ("model", "models"))}
        whole.append({name: value for name, value in {**left, **shot}.items() if value is not None})
    head = {name: head_value(root.items[name], name) for name in HEAD if name in root.items}
    is_structured = any(each.owners is not None for each in tables)
    return Content(
        {name: value for name, value in head.items() if value is not None},
        defaults,
        shots,
        whole,
        is_whole,
        is_structured,
        _plain(own) if is_structured and is_whole else {},
        tuple(_planning_of(groups, tables)),
    )


def _planning_of(groups: Sequence[Group], shots: Sequence[Table]) -> Iterator[str]:
    """Yield what only the structure of a manifest says, in words: it is of no recipe."""
    for word, text in (("notes", "the notes of"), ("target", "the target of")):
        named = [f"{group.kind} {group.name}" for group in groups if word in group.table.items]
        if named:
            kept = named if len(named) <= _NAMED_SHOWN else [*named[:_NAMED_SHOWN], f"{len(named) - _NAMED_SHOWN} more"]
            yield f"{text} {' and '.join(filter(None, (', '.join(kept[:-1]), kept[-1])))}"
    prompts = [prompt for shot in shots if isinstance(prompt := shot.items.get("prompt"), Filled)]
    owners = {part.owner.partition(".")[0] for prompt in prompts for part in prompt.parts}
    for word, text in (("cast", "which cast members are in each shot"), ("locations", "the location of each shot")):
        if word in owners:
            yield f"{text} (their descriptions are in the prompts)"


def _plain(node: Node) -> Any:
    """Return a node as JSON writes it: a number or a truth only where that gives the same text again."""
    if isinstance(node, Table):
        return {name: _plain(each) for name, each in node.items.items()}
    if isinstance(node, Listing):
        return [_plain(each) for each in node.items]
    is_same = not node.is_quoted and (node.value is None or json.dumps(node.value) == node.text)
    return node.value if is_same else node.text


def _parameters_of(shot: Table, usual: Table) -> Mapping[str, Any]:
    """Return the parameters of a shot's model, which say what its values are; none if it has several models."""
    named = shot.items.get("model") or usual.items.get("model")
    if "models" in shot.items or ("models" in usual.items and "model" not in shot.items):
        return {}
    model = registry().get(named.text if isinstance(named, Scalar) and named.value is not None else DEFAULT_MODEL)
    return {} if model is None else {name: shape for name, shape in model.parameters.items() if name != "model"}


def _values(table: Table, shapes: Mapping[str, Any]) -> dict[str, Any]:
    return {name: _value(name, node, shapes) for name, node in table.items.items()}


def _value(name: str, node: Node, shapes: Mapping[str, Any]) -> Any:
    if name in shapes:
        return value_of(node, shapes[name])
    return node.text if isinstance(node, Scalar) and node.value is not None else None  # a column of one's own


def written(content: Content, batch: Batch, path: Path) -> tuple[bytes, str]:
    """Return a manifest in the format that a path's ending names, and the text of the map beside it; empty without one.

    Raises UsageInvalid for what the format cannot hold.
    """
    ending = path.suffix.lower()
    if ending in YAML:
        return f"{yaml_text(_document(content))}".encode(), ""
    if ending == ".json":
        return f"{json.dumps(_document(content), ensure_ascii=False, indent=2)}\n".encode(), ""
    head = yaml_text(dict(content.head)) if content.head else ""
    if ending in JSON_LINES:
        lines = [json.dumps(shot, ensure_ascii=False) for shot in content.whole_shots]
        return ("\n".join(lines) + "\n").encode(), head
    if ending == ".txt":
        return ("\n".join(shot.prompt for shot in batch.shots) + "\n").encode(), ""
    rows = [_cells(shot) for shot in content.whole_shots]
    names = _columns(rows)
    if ending == WORKBOOK:
        return _workbook(names, rows), head
    return _csv(names, rows, "\t" if ending == ".tsv" else ","), head


def keeps_structure(content: Content, path: Path) -> bool:
    """Say whether a manifest keeps its scenes, cast and variants in the format that a path's ending names."""
    return bool(content.document) and path.suffix.lower() in (*YAML, ".json")


def _document(content: Content) -> dict[str, Any]:
    if content.document:
        return dict(content.document)
    defaults = {"defaults": dict(content.defaults)} if content.defaults else {}
    return {"version": 1, **content.head, **defaults, "shots": [dict(shot) for shot in content.shots]}


def _columns(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return the names of the columns in use: those that people look for first, then the others in their order."""
    used = {name: None for row in rows for name in row}
    return [*(name for name in _FIRST if name in used), *(name for name in used if name not in _FIRST)]


def _cells(shot: Mapping[str, Any]) -> dict[str, Any]:
    """Return the cells of a shot: numbers, texts and truths. Raises UsageInvalid for what a cell cannot hold."""
    cells: dict[str, Any] = {}
    for name, value in shot.items():
        if is_frame(value):
            cells[name] = value if isinstance(value, str) else cell_text(value)
        elif isinstance(value, Mapping):
            cells |= {f"{name}.{inner}": each for inner, each in _cells(value).items()}
        elif isinstance(value, list):
            sign = ";" if name == "tags" else " "
            parts = [cell_text(each) if isinstance(each, Mapping) and is_frame(each) else each for each in value]
            if any(not isinstance(each, str) or sign in each for each in parts):
                raise UsageInvalid(
                    f"shot {shot.get('id', '')} has a list of {name} that a cell of a table cannot hold. Nothing was"
                    " written: choose .yaml, .json or .jsonl"
                )
            cells[name] = sign.join(parts)
        else:
            cells[name] = value
    return cells


def _csv(names: Sequence[str], rows: Sequence[Mapping[str, Any]], delimiter: str) -> bytes:
    stream = io.StringIO()
    writer = csv.writer(stream, delimiter=delimiter, lineterminator="\n")
    writer.writerow(names)
    for row in rows:
        writer.writerow([_text(row.get(name)) for name in names])
    return stream.getvalue().encode(
        "utf-8-sig"
    )  # without the mark Excel reads the letters as those of an old code page


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)


def _workbook(names: Sequence[str], rows: Sequence[Mapping[str, Any]]) -> bytes:
    """Return a workbook with one sheet. Texts are texts there, also those that look like numbers or formulas."""
    try:
        openpyxl, cells_of = import_module("openpyxl"), import_module("openpyxl.cell")
    except ImportError as error:
        raise UsageInvalid("a workbook needs openpyxl, which is not installed: pip install 'wanbatch[xlsx]'") from error
    book = openpyxl.Workbook(write_only=True)
    sheet = book.create_sheet("Shots")
    for values in (names, *([row.get(name) for name in names] for row in rows)):
        cells = []
        for name, value in zip(names, values, strict=True):
            is_number = isinstance(value, int | float) and not isinstance(value, bool) and bool(kinds_of(name))
            cell = cells_of.WriteOnlyCell(sheet, value if is_number else None)
            if not is_number and value is not None:
                cell.value = _text(value).replace("_x", "_x005F_x")
                cell.data_type, cell.number_format = "s", "@"
            cells.append(cell)
        sheet.append(cells)
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()
