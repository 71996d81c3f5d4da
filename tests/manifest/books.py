"""Workbooks that tests write: rows as a list, or the parts of the package as Excel and others write them."""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest

openpyxl = pytest.importorskip("openpyxl", reason="workbooks are read by openpyxl, of the extra wanbatch[xlsx]")
Rows = Sequence[Sequence[Any]]


def write_book(path: Path, change: Callable[[Any], None] | None = None, **sheets: Rows) -> Path:
    """Write a workbook with these sheets; `change` may do more to it before it is saved."""
    book = openpyxl.Workbook()
    book.remove(book.active)
    for title, rows in sheets.items():
        sheet = book.create_sheet(title)
        for row in rows:
            sheet.append(row)
    if change is not None:
        change(book)
    book.save(path)
    return path


def rewrite(
    path: Path, parts: dict[str, Callable[[bytes], bytes]] | None = None, more: dict[str, bytes] | None = None
) -> None:
    """Write the package of a workbook again, with these of its parts changed and these added."""
    with zipfile.ZipFile(path) as old:
        held = {name: old.read(name) for name in old.namelist()}
    for name, changed in (parts or {}).items():
        held[name] = changed(held[name])
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for name, data in (held | (more or {})).items():
            new.writestr(name, data)
