"""Manifests: YAML, JSON, tables and plain text in, a batch or every problem with its place out."""

from __future__ import annotations

import codecs
import stat
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

from wanbatch.batch.registry import learn, reading
from wanbatch.batch.shots import Batch
from wanbatch.errors import LocalFault, ManifestInvalid, Problem, fault_text
from wanbatch.manifest.tree import (
    FILE_CAP_BYTES,
    Node,
    Place,
    Problems,
    ReadingStopped,
    Table,
    in_one_form,
    start_of_file,
)
from wanbatch.manifest.words import one_of
from wanbatch.units import size_text

PROBLEMS_SHOWN = 200
_NOWHERE = Place(0, 0)
_WORKBOOKS = (".xlsx", ".xls", ".xlsm", ".ods", ".numbers")
_DOCUMENTS = (".md", ".markdown", ".doc", ".docx", ".odt", ".rtf", ".pdf", ".pages", ".html", ".fountain", ".fdx")
_TABLES = (".csv", ".tsv")
_JSON_LINES = (".jsonl", ".ndjson")
_WIDE = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)


def load_manifest(path: Path | str, *, strict: bool = False, keeps_origins: bool = False) -> Batch:
    """Read a manifest: .yaml, .yml, .json, .jsonl, .csv, .tsv, or .txt with one prompt per line.

    What was probably a mistake is in the batch's `warnings`; with `strict`, each is a problem. With `keeps_origins`,
    each shot says where its values come from. Raises ManifestInvalid with every problem found, each with file, line and
    column.
    """
    problems = Problems(str(path))
    batch = None
    try:
        batch = _read(Path(path), problems, keeps_origins=keeps_origins)
    except ReadingStopped:
        pass
    except (RecursionError, MemoryError) as error:  # pragma: no cover - the readers bound depth and size
        problems.add(start_of_file(), f"this file is too large to read ({type(error).__name__})")
    if strict:
        problems.found += problems.warnings
        problems.warnings = []
    warnings = tuple(sorted(problems.warnings))
    if problems.found or batch is None:
        raise ManifestInvalid(first_ones(sorted(problems.found), "problems"), first_ones(warnings, "warnings"))
    return replace(batch, warnings=warnings)


def first_ones(found: Sequence[Problem], noun: str) -> list[Problem]:
    """Return as many as a person can read; the last one counts the rest."""
    if len(found) <= PROBLEMS_SHOWN:
        return list(found)
    last = found[PROBLEMS_SHOWN - 1]
    more = Problem(last.file, last.line, last.column + 1, f"... and {len(found) - PROBLEMS_SHOWN:,} more {noun}")
    return [*found[:PROBLEMS_SHOWN], more]


def _read(path: Path, problems: Problems, *, keeps_origins: bool) -> Batch | None:
    from wanbatch.manifest.added import models_beside

    size_bytes = _size_of(path, problems)
    reader = _reader_of(path, problems)
    if size_bytes > FILE_CAP_BYTES:
        raise problems.stop(start_of_file(), f"this file is larger than {size_text(FILE_CAP_BYTES)}")
    models, wrong = models_beside(path.parent)
    problems.found += wrong
    with reading(models):
        batch = _checked(path, reader, problems, keeps_origins=keeps_origins)
    learn(models)
    return batch


def _checked(
    path: Path, reader: Callable[[str, Problems], Node | None], problems: Problems, *, keeps_origins: bool
) -> Batch | None:
    from wanbatch.manifest.checking import Checker
    from wanbatch.manifest.expansion import expanded

    text, root = _root_of(path, reader, problems)
    has_head = isinstance(root, Table) and not root.is_made
    made = expanded(root, path, text, _read_part, problems)
    batch = Checker(problems, problems.file, has_head=has_head, keeps_origins=keeps_origins).batch(
        made.root, made.groups
    )
    return batch if batch is None or not made.parts else replace(batch, parts=made.parts)


def _read_part(path: Path, problems: Problems) -> tuple[str, Node | None]:
    """Read another file of a manifest. Raises ReadingStopped."""
    size_bytes = _size_of(path, problems)
    reader = _reader_of(path, problems)
    if size_bytes > FILE_CAP_BYTES:
        raise problems.stop(_NOWHERE, f"this file is larger than {size_text(FILE_CAP_BYTES)}")
    return _root_of(path, reader, problems)


def _root_of(path: Path, reader: Callable[[str, Problems], Node | None], problems: Problems) -> tuple[str, Node | None]:
    """Return the text of a file, and what it holds."""
    text = _text_of(path, problems)
    root = reader(text, problems)
    if path.suffix.lower() in (".json", *_JSON_LINES):
        from wanbatch.manifest.bare_list import manifest_in

        root = manifest_in(root, problems)
    return text, None if root is None else in_one_form(root, problems)


def _reader_of(path: Path, problems: Problems) -> Callable[[str, Problems], Node | None]:
    ending = path.suffix.lower()
    if ending in (".yaml", ".yml"):
        from wanbatch.manifest.yaml_file import read_yaml

        return read_yaml
    if ending == ".json":
        from wanbatch.manifest.json_file import read_json

        return read_json
    if ending in _JSON_LINES:
        from wanbatch.manifest.json_file import read_jsonl

        return read_jsonl
    if ending in _TABLES:
        from wanbatch.manifest.table_file import read_csv

        return read_csv
    if ending == ".txt":
        from wanbatch.manifest.text_file import read_txt

        return read_txt
    known = one_of([".yaml", ".yml", ".json", ".jsonl", *_TABLES, ".txt"])
    found = f"ends in {ending}" if ending else "has no ending"
    cure = "; save the sheet as CSV" if ending in _WORKBOOKS else ""
    cure = "; save only the prompts as plain text (.txt), one per line" if ending in _DOCUMENTS else cure
    raise problems.stop(_NOWHERE, f"this file {found}; a manifest ends in {known}{cure}")


def _size_of(path: Path, problems: Problems) -> int:
    try:
        info = path.stat()
    except FileNotFoundError as error:
        raise problems.stop(_NOWHERE, "there is no such file: check the name") from error
    except (OSError, ValueError) as error:
        raise problems.stop(_NOWHERE, f"this file cannot be read: {_reason(error)}") from error
    if stat.S_ISDIR(info.st_mode):
        raise problems.stop(_NOWHERE, "this is a folder; name the manifest inside it")
    if not stat.S_ISREG(info.st_mode):
        raise problems.stop(_NOWHERE, "this is not an ordinary file")
    return info.st_size


def _text_of(path: Path, problems: Problems) -> str:
    try:
        raw = path.read_bytes()
    except OSError as error:  # the machine's fault, not the manifest's
        raise LocalFault(fault_text(error)) from error
    if path.suffix.lower() in (*_TABLES, ".txt"):
        raw = _as_utf8(raw)
    return _decoded(raw, problems)


def _as_utf8(raw: bytes) -> bytes:
    """Return UTF-16, which spreadsheets call Unicode text, as UTF-8; return anything else, or broken text,
    unchanged.
    """
    if raw.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)) and not raw.startswith(codecs.BOM_UTF32_LE):
        with suppress(UnicodeDecodeError):
            return raw.decode("utf-16").encode()
    return raw


def _reason(error: OSError | ValueError) -> str:
    return getattr(error, "strerror", None) or str(error)


def _decoded(raw: bytes, problems: Problems) -> str:
    for mark, name in _WIDE:
        if raw.startswith(mark):
            raise problems.stop(start_of_file(), f"this file is {name}; save it as UTF-8")
    if raw.startswith((b"PK\x03\x04", b"\xd0\xcf\x11\xe0")):
        raise problems.stop(start_of_file(), "this is a workbook or an archive, not text; save the sheet as CSV")
    if len(raw) >= 4 and (raw[0] == raw[2] == 0 < raw[1] or raw[1] == raw[3] == 0 < raw[0]):
        raise problems.stop(start_of_file(), "this file is UTF-16 or UTF-32; save it as UTF-8")  # without a mark
    while raw.startswith(codecs.BOM_UTF8):
        raw = raw.removeprefix(codecs.BOM_UTF8)
    try:
        text = raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        begin = raw.rfind(b"\n", 0, error.start) + 1
        column = len(raw[begin : error.start].decode("utf-8", "replace")) + 1
        byte = raw[error.start]
        how = " (in Excel: CSV UTF-8)" if problems.file.lower().endswith(".csv") else ""
        words = f"byte 0x{byte:02X} is not valid UTF-8; save the file as UTF-8{how}"
        raise problems.stop(Place(line, column), words) from error
    nul = text.find("\0")
    if nul >= 0:
        place = Place(text.count("\n", 0, nul) + 1, nul - text.rfind("\n", 0, nul))
        raise problems.stop(place, "a NUL character; this is not a text file")
    if not text.strip():
        raise problems.stop(start_of_file(), "this file is empty")
    text = text.replace("\r\n", "\n")
    return text if "\n" in text else text.replace("\r", "\n")  # lines of an old Mac
