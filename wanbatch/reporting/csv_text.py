"""CSV files that spreadsheets read correctly: units, quotes, and no cell that runs as a formula."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from functools import partial
from typing import TYPE_CHECKING, Any

from wanbatch.batch.shots import OWN
from wanbatch.money.credits import CREDITS_PER_USD, exact_usd
from wanbatch.reporting.sidecar import iso

if TYPE_CHECKING:
    import pandas as pd
    from pandas.api.extensions import ExtensionArray

ROWS_AT_ONCE = 5_000  # rows as text: some 3 MB
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
        "provider",
    }
)


_USD = re.compile(r"^usd$|^usd_(?!per_)|_usd$")  # sums in USD; what a second costs is none
BYTE_ORDER_MARK = "\ufeff"


_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20")


def csv_parts(frame: pd.DataFrame) -> Iterator[str]:
    """Write a table as CSV: RFC 4180 quoting, LF line ends, empty cells for unknown, no cell that is a formula.

    In parts of ROWS_AT_ONCE rows: a large table is never held as text. It begins with a byte order mark: without it
    Excel reads UTF-8 as the letters of an old code page. pandas skips it, Python's csv needs `encoding="utf-8-sig"`.
    """
    names = list(frame.columns)
    yield csv_rows(names, [])
    for begin in range(0, len(frame), ROWS_AT_ONCE):
        part = frame.iloc[begin : begin + ROWS_AT_ONCE]
        yield _lines(zip(*(_cells(str(name), column.array) for name, column in part.items()), strict=True))


def csv_rows(names: Sequence[str], rows: Iterable[Sequence[Any]]) -> str:
    """Write rows as CSV under these column names, like `csv_parts`; None is an empty cell."""
    cells = ([_cell(name, value) for name, value in zip(names, row, strict=True)] for row in rows)
    return BYTE_ORDER_MARK + _lines([names, *cells])


def _lines(rows: Iterable[Sequence[str]]) -> str:
    stream = io.StringIO()
    csv.writer(stream, lineterminator="\n").writerows(rows)
    return stream.getvalue()


def _cells(name: str, column: ExtensionArray) -> list[str]:
    """Write a column, which has one of the types of our tables, cell by cell."""
    import pandas as pd

    if isinstance(column.dtype, pd.StringDtype):
        return _texts(name, column.to_numpy(dtype=object, na_value="").tolist())
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return _times(pd.Series(column))
    write = _WRITERS.get(str(column.dtype), partial(_cell, name))
    if _USD.search(name):
        write = _usd
    pairs = zip(column.tolist(), column.isna().tolist(), strict=True)
    return ["" if is_missing else write(value) for value, is_missing in pairs]


def _texts(name: str, texts: list[str]) -> list[str]:
    written = {text: _cell(name, text) for text in set(texts)}
    return [written[text] for text in texts]


def _times(column: pd.Series[Any]) -> list[str]:
    """Write times as `iso` does, a column at once."""
    import numpy as np

    times = np.datetime_as_string(column.dt.tz_convert(None).to_numpy(dtype="datetime64[ms]"), timezone="UTC")
    return ["" if text == "NaT" else text for text in times.tolist()]


def _cell(name: str, value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return _text(value, is_free=name in FREE_TEXT or name.startswith(OWN))
    if isinstance(value, datetime):
        return iso(value) or ""
    if isinstance(value, bool):
        return _truth(value)
    return _number(value) if isinstance(value, float) else str(value)


def _text(text: str, *, is_free: bool) -> str:
    if is_free and text.startswith(_FORMULA_STARTS):
        text = f"'{text}"
    if "\r" in text:  # a bare CR is not quoted, and ends a row for many readers
        text = text.replace("\r\n", "\n").replace("\r", "\n")
    return text


def _number(value: float) -> str:
    return f"{value:.6f}".rstrip("0").rstrip(".")


def _usd(value: float) -> str:
    return exact_usd(round(value * CREDITS_PER_USD))


def _truth(value: bool) -> str:  # noqa: FBT001
    return "true" if value else "false"


_WRITERS: dict[str, Callable[[Any], str]] = {"Int64": str, "Float64": _number, "boolean": _truth}
