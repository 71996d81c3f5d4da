"""CSV files that a spreadsheet opens as they are meant: units, quotes, and no cell that runs as a formula."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any

from wanbatch.batch.shots import OWN
from wanbatch.reporting.sidecar import iso

if TYPE_CHECKING:
    import pandas as pd


FREE_TEXT = frozenset(
    {
        "prompt",
        "notes",
        "take_note",
        "error",
        "warning",
        "scene",
        "sequence",
        "tags",
        "cost_code",
        "key",
        "model",
        "resolution",
        "aspect_ratio",
        "batch",
        "price_class",
    }
)


BYTE_ORDER_MARK = "\ufeff"


_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def csv_text(frame: pd.DataFrame) -> str:
    """Write a table as CSV: RFC 4180 quoting, LF line ends, empty cells for unknown, no cell that is a formula.

    It begins with a byte order mark: without it Excel reads UTF-8 as the letters of an old code page. pandas skips it,
    Python's csv needs `encoding="utf-8-sig"`.
    """
    import pandas as pd

    columns = [[None if pd.isna(value) else value for value in frame[name].tolist()] for name in frame.columns]
    return csv_rows(list(frame.columns), zip(*columns, strict=True))


def csv_rows(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Write rows as CSV under these column names, like `csv_text`; None is an empty cell."""
    stream = io.StringIO()
    stream.write(BYTE_ORDER_MARK)
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow(names)
    writer.writerows([_cell(name, value) for name, value in zip(names, row, strict=True)] for row in rows)
    return stream.getvalue()


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, datetime):
        return iso(value) or ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return f"{value:.6f}".rstrip("0").rstrip(".")
    text = str(value)
    if (name in FREE_TEXT or name.startswith(OWN)) and text.startswith(_FORMULA_STARTS):
        text = f"'{text}"
    return text.replace("\r\n", "\n").replace("\r", "\n")  # a bare CR is not quoted, and ends a row for many readers
