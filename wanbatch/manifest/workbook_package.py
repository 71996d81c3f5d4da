"""The package of a workbook: a zip archive, checked before any part of it is read as XML.

What could exhaust this machine, run a program or reach for another file is refused: archives that unpack to far more
than they hold, macros, links to other workbooks, document types (which XML of a workbook never has, and bombs need).
"""

from __future__ import annotations

import re
import zipfile
import zlib
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from wanbatch.manifest.file_text import NOWHERE
from wanbatch.manifest.tree import Problems
from wanbatch.units import size_text

PARTS_CAP = 2000
UNPACKED_CAP_BYTES = 256 * 1024 * 1024
RATIO_CAP = 200  # sheets of equal rows pack 60 to 1; a bomb 1000 to 1
RATIO_FROM_BYTES = 1024 * 1024
_CHUNK_BYTES = 1024 * 1024
_OVERLAP_BYTES = 32 * 1024  # more than the longest formula
_OLD = b"\xd0\xcf\x11\xe0"
_DOCUMENT_TYPES = re.compile(rb"<!(?:DOCTYPE|ENTITY)|<\0!\0[DE]\0[ON]\0|\0<\0!\0[DE]\0[ON]")
_MERGED = re.compile(
    rb"<(?:\w+:)?mergeCell\s+ref\s*=\s*[\"']\$?([A-Z]{1,3})\$?([0-9]{1,7}):\$?([A-Z]{1,3})\$?([0-9]{1,7})[\"']"
)
# A cell that holds a formula and no value behind it.
_FORMULA = re.compile(
    rb"<(?:\w+:)?c\s([^<>]*)>\s*<(?:\w+:)?f(?:\s[^<>]*)?(?:/>|>[^<]*</(?:\w+:)?f>)\s*"
    rb"(?:<(?:\w+:)?v\s*(?:/>|></(?:\w+:)?v>)\s*)?</(?:\w+:)?c>"
)
_ROW = re.compile(rb"<(?:\w+:)?row\s([^<>]*\bhidden=[\"'](?:1|true)[\"'][^<>]*)>")
_ROW_NUMBER = re.compile(rb"(?<!\w)r=[\"']([0-9]{1,7})[\"']")
_CELL = re.compile(rb"\br=[\"']([A-Z]{1,3})([0-9]{1,7})[\"']")
_IS_TEXT = re.compile(rb"\bt=[\"']str[\"']")  # of these an empty value is a value
BROKEN = (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, OSError, ValueError)


def check_package(path: Path, raw_begin: bytes, problems: Problems) -> None:
    """Raise ReadingStopped for a file that is not a workbook, or that is not safe to read.

    `raw_begin` are its first bytes.
    """
    if raw_begin.startswith(_OLD):
        words = (
            "this workbook has a password, or was saved by an old version of Excel: save it as .xlsx without a password"
        )
        raise problems.stop(NOWHERE, words)
    if not raw_begin.startswith(b"PK"):
        raise problems.stop(
            NOWHERE, "this is not a workbook; if it is text with commas or tabs, give it a name that ends in .csv"
        )
    try:
        with zipfile.ZipFile(path) as archive:
            fault = _fault_of(archive) or _bad_part(archive)
    except BROKEN as error:
        raise problems.stop(NOWHERE, "this workbook is damaged: open it in Excel and save it again") from error
    if fault:
        raise problems.stop(NOWHERE, fault)


def _fault_of(archive: zipfile.ZipFile) -> str:
    """Say what speaks against reading an archive by its list of parts alone; nothing if it can be read."""
    parts = archive.infolist()
    names = [part.filename.replace("\\", "/").casefold() for part in parts]
    if "[content_types].xml" not in names:
        return "this is a zip archive, but not a workbook: save the sheet as .xlsx or as CSV"
    if len(parts) > PARTS_CAP or len(set(names)) < len(names):
        return "this workbook has parts that Excel does not write: open it in Excel and save it again"
    if any(part.flag_bits & 1 for part in parts):
        return "this workbook has a password: save it without one"
    unpacked = sum(part.file_size for part in parts)
    large = [part for part in parts if part.file_size >= RATIO_FROM_BYTES]
    if unpacked > UNPACKED_CAP_BYTES or any(part.file_size > RATIO_CAP * part.compress_size for part in large):
        return (
            f"this workbook would unpack to {size_text(unpacked)}, as a zip bomb does, so it was not opened; save the"
            " sheet with the shots as CSV"
        )
    if any(name.endswith("vbaproject.bin") or "/macrosheets/" in name for name in names):
        return "this workbook contains macros, so it was not opened: save it as .xlsx, which has none"
    if any("/externallinks/" in f"/{name}" for name in names):
        return (
            "this workbook takes values from other workbooks, which could be out of date: in Excel choose Data > Edit"
            " Links > Break Link, and save it"
        )
    return ""


def _bad_part(archive: zipfile.ZipFile) -> str:
    """Read every part once, no further than its declared size; say whether one declares a type of document."""
    for part in archive.infolist():
        if PurePosixPath(part.filename).suffix.lower() in (".svg", ".png", ".jpeg", ".jpg", ".emf", ".wmf"):
            continue
        with archive.open(part) as stream:
            kept = b""
            while chunk := stream.read(_CHUNK_BYTES):
                if _DOCUMENT_TYPES.search(kept + chunk):
                    return f"{part.filename} in this workbook contains a DOCTYPE declaration, which Excel never writes"
                kept = chunk[-_OVERLAP_BYTES:]
    return ""


@dataclass(frozen=True)
class SheetScan:
    """What the library leaves out of a sheet: its merged cells (first row, first column, last row, last column), and
    the cells (row, column) whose formula has no value; and the rows that are hidden, by hand or by a filter.
    """

    merged: tuple[tuple[int, int, int, int], ...]
    bare_formulas: tuple[tuple[int, int], ...]
    hidden: frozenset[int]


def scan_sheet(path: Path, part: str) -> SheetScan:
    """Look through the part of a workbook that holds a sheet. The package was checked."""
    merged: list[tuple[int, int, int, int]] = []
    bare: list[tuple[int, int]] = []
    hidden: set[int] = set()
    kept = b""
    with zipfile.ZipFile(path) as archive, archive.open(part) as stream:
        while chunk := stream.read(_CHUNK_BYTES):
            text, end = kept + chunk, 0
            for match in _MERGED.finditer(text):
                left, top, right, bottom = match.groups()
                merged.append((int(top), _number(left), int(bottom), _number(right)))
                end = match.end()
            for match in _FORMULA.finditer(text):
                cell = _CELL.search(match[1])
                if cell is not None and _IS_TEXT.search(match[1]) is None:
                    bare.append((int(cell[2]), _number(cell[1])))
                end = max(end, match.end())
            for match in _ROW.finditer(text):
                number = _ROW_NUMBER.search(match[1])
                hidden |= {int(number[1])} if number is not None else set()
            kept = text[max(end, len(text) - _OVERLAP_BYTES) :]
    return SheetScan(tuple(merged), tuple(bare), frozenset(hidden))


def _number(letters: bytes) -> int:
    """Return the number of a column: 1 for A, 27 for AA."""
    number = 0
    for letter in letters:
        number = number * 26 + letter - ord("A") + 1
    return number
