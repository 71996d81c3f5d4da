"""The text of a manifest's file: what is not a file, not text or not UTF-8 is reported with its place."""

from __future__ import annotations

import codecs
import stat
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from wanbatch.errors import LocalFault, fault_text
from wanbatch.manifest.tree import FILE_CAP_BYTES, Place, Problems, start_of_file
from wanbatch.units import size_text

NOWHERE = Place(0, 0)
TABLES = (".csv", ".tsv")
MAP_ENDING = ".map.yaml"
_WIDE = (
    (codecs.BOM_UTF32_LE, "UTF-32"),
    (codecs.BOM_UTF32_BE, "UTF-32"),
    (codecs.BOM_UTF16_LE, "UTF-16"),
    (codecs.BOM_UTF16_BE, "UTF-16"),
)


@dataclass(frozen=True)
class Located:
    """A file, and the sheet of it that `FILE#SHEET` names; empty if it names none.

    `sheet_at` is where a manifest or a map names that sheet.
    """

    file: Path
    sheet: str = ""
    sheet_at: Place = NOWHERE


def map_path(table: Path) -> Path:
    """Return where the map of a table is: `shots.map.yaml` beside `shots.xlsx`."""
    return table.with_name(table.stem + MAP_ENDING)


def check_file(path: Path, problems: Problems) -> None:
    """Raise ReadingStopped for what is not a file, cannot be read, or is larger than a manifest may be."""
    try:
        info = path.stat()
    except FileNotFoundError as error:
        raise problems.stop(NOWHERE, "there is no such file: check the name") from error
    except (OSError, ValueError) as error:
        raise problems.stop(NOWHERE, f"this file cannot be read: {_reason(error)}") from error
    if stat.S_ISDIR(info.st_mode):
        raise problems.stop(NOWHERE, "this is a folder; name the manifest inside it")
    if not stat.S_ISREG(info.st_mode):
        raise problems.stop(NOWHERE, "this is not an ordinary file")
    if info.st_size > FILE_CAP_BYTES:
        raise problems.stop(start_of_file(), f"this file is larger than {size_text(FILE_CAP_BYTES)}")


def bytes_of(path: Path) -> bytes:
    """Return the bytes of a file. Raises LocalFault if this machine cannot read it."""
    try:
        return path.read_bytes()
    except OSError as error:  # the machine's fault, not the manifest's
        raise LocalFault(fault_text(error)) from error


def text_of(path: Path, problems: Problems) -> str:
    """Return the text of a file, its lines ended by a line feed. Raises ReadingStopped for what is not text."""
    raw = bytes_of(path)
    if path.suffix.lower() in (*TABLES, ".txt"):
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
