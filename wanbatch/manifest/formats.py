"""The formats of manifests: which reader a file has, by its ending."""

from __future__ import annotations

from pathlib import Path

from wanbatch.batch.names import composed
from wanbatch.manifest.column_map import ColumnMap, with_map
from wanbatch.manifest.file_text import MAP_ENDING, NOWHERE, TABLES, Located, check_file, text_of
from wanbatch.manifest.map_file import TableMap, map_beside
from wanbatch.manifest.tree import Listing, Node, Problems, Table, in_one_form
from wanbatch.manifest.words import one_of

WORKBOOK = ".xlsx"
JSON_LINES = (".jsonl", ".ndjson")
YAML = (".yaml", ".yml")
_OTHER_WORKBOOKS = (".xls", ".xlsm", ".xlsb", ".ods", ".numbers")
_DOCUMENTS = (".md", ".markdown", ".doc", ".docx", ".odt", ".rtf", ".pdf", ".pages", ".html", ".fdx")
MAPPED = (*TABLES, WORKBOOK, ".json", *JSON_LINES)


def located(path: Path) -> Located:
    """Return the workbook and the sheet that `shots.xlsx#Act 2` names; any other path is a file."""
    name, sign, sheet = path.name.partition(f"{WORKBOOK}#")
    if not sign or path.exists():
        before, sign, sheet = path.name.lower().partition(f"{WORKBOOK}#")
        if not sign or path.exists():
            return Located(path)
        name, sheet = path.name[: len(before)], path.name[len(before) + len(sign) :]
    return Located(path.with_name(path.name[: len(name) + len(WORKBOOK)]), sheet.strip())


def stem_of(source: str) -> str:
    """Return the file's name without its ending; with the sheet that is named, since each is a batch of its own."""
    found = located(Path(source))
    return f"{found.file.stem}-{found.sheet}" if found.sheet else found.file.stem


def read_root(path: Path, problems: Problems) -> Node | None:
    """Read a manifest's file into its nodes, around a bare list a manifest. Raises ReadingStopped."""
    found = located(path)
    ending = found.file.suffix.lower()
    check_file(found.file, problems)
    _check_ending(ending, found.file.name, problems)
    told = map_beside(found.file, problems) if ending in MAPPED else TableMap()
    chosen = found if found.sheet else Located(found.file, told.sheet, told.sheet_at)
    root = read_shots(chosen, told.columns, problems)
    if isinstance(root, Table) and root.is_made:
        root.items |= told.head.items
        root.keys |= told.head.keys
    return root


def read_shots(found: Located, columns: ColumnMap, problems: Problems) -> Node | None:
    """Read a file, the columns of a table under the names that its map gives them, all texts in one Unicode form.

    Raises ReadingStopped.
    """
    path, ending = found.file, found.file.suffix.lower()
    if ending in TABLES:
        from wanbatch.manifest.table_file import read_csv

        text = text_of(path, problems)
        made = read_csv(text, problems, columns)
        return made if composed(text) is text else in_one_form(made, problems)
    if ending == WORKBOOK:
        from wanbatch.manifest.workbook import read_workbook

        root: Node | None = read_workbook(found, columns, problems)
    else:
        root = _read_text(path, columns, problems)
    return root if root is None else in_one_form(root, problems)


def _read_text(path: Path, columns: ColumnMap, problems: Problems) -> Node | None:
    text, ending = text_of(path, problems), path.suffix.lower()
    if ending in YAML:
        from wanbatch.manifest.yaml_file import read_yaml

        return read_yaml(text, problems)
    if ending == ".txt":
        from wanbatch.manifest.text_file import read_txt

        return read_txt(text, problems)
    from wanbatch.manifest.bare_list import manifest_in
    from wanbatch.manifest.json_file import read_json, read_jsonl

    root = read_jsonl(text, problems) if ending in JSON_LINES else read_json(text, problems)
    if isinstance(root, Listing):
        with_map(root, columns, path.name, problems)
    return manifest_in(root, problems)


def _check_ending(ending: str, name: str, problems: Problems) -> None:
    """Raise ReadingStopped for a file that is not a manifest by its ending."""
    if name.lower().endswith(MAP_ENDING):
        words = "this is the map of a table, not a manifest: run the table beside it"
        raise problems.stop(NOWHERE, words)
    known = [*YAML, ".json", ".jsonl", *TABLES, WORKBOOK, ".txt"]
    if ending in (*known, *JSON_LINES):
        return
    found = f"ends in {ending}" if ending else "has no ending"
    cure = ""
    if ending in _OTHER_WORKBOOKS:
        cure = "; save the sheet as .xlsx or as CSV"
        cure = "; it may run macros, so save it as .xlsx, which has none" if ending == ".xlsm" else cure
    elif ending == ".fountain":
        cure = f"; for a manifest with its scenes: wanbatch init --from {name}"
    elif ending in _DOCUMENTS:
        cure = "; save only the prompts as plain text (.txt), one per line"
    raise problems.stop(NOWHERE, f"this file {found}; a manifest ends in {one_of(known)}{cure}")
