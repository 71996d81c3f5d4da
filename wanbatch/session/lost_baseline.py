"""The baseline of a lost state file, as the reports in its folder still hold it.

`variance.csv` has it by shot, `costs.json` its sums and its time, and `attempts.csv` shows whose reports they are. What
does not fit together is not used: a wrong budget line is worse than none.
"""

from __future__ import annotations

import csv
import json
import stat
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

from wanbatch.money.baseline import BaselineLine
from wanbatch.state.baseline import BASELINE_LOST_NOTE
from wanbatch.state.file import StateFile
from wanbatch.state.reader import STATE_NAME
from wanbatch.state.tables import WHOLE_MAX

CAP_BYTES = 256 * 1024 * 1024  # the tables of 100,000 shots are 20 MB
_NONSENSE = (OSError, ValueError, TypeError, LookupError, AttributeError, RecursionError, csv.Error)
Kept = tuple[datetime, list[BaselineLine]]


def known_baseline(in_file: Kept | None, output: Path, nonce: str) -> tuple[Kept | None, str]:
    """Return the baseline of a batch as its old file has it, else as its reports do, and where it comes from."""
    if in_file is not None:
        return in_file, f"as in the old {STATE_NAME}"
    found = baseline_in_reports(output, nonce)
    return (
        found,
        "from the reports" if found is not None else "lost: neither the old file nor the reports contain all of it",
    )


def restore_baseline(state: StateFile, found: Kept | None, at: datetime) -> None:
    """Keep what is known of the baseline in a new state file, else that it was lost."""
    if found is None:
        state.note(BASELINE_LOST_NOTE, at.isoformat(timespec="seconds"))
    else:
        state.keep_baseline(found[1], found[0])


def baseline_in_reports(output: Path, nonce: str) -> Kept | None:
    """Return when the baseline of this batch was kept and its lines; None if the reports do not hold it whole."""
    folder = output / "reports"
    try:
        if folder.is_symlink() or not any(
            row["request_id"].startswith(f"wb1:{nonce}:") for row in _rows(folder / "attempts.csv")
        ):
            return None
        (told,) = json.loads(_text(folder / "costs.json"))["baselines"]
        rows = [row for row in _rows(folder / "variance.csv") if row["reason"] == "baseline"]
        lines = [_line_in(row) for row in rows]
        at = datetime.fromisoformat(told["kept_at"])
    except _NONSENSE:
        return None
    sums = (sum(each.takes for each in lines), sum(each.known for each in lines))
    is_whole = at.tzinfo is not None and sums == (told["takes"], told["known_credits"])
    return (at, lines) if is_whole and len({each.shot_id for each in lines}) == len(lines) else None


def _line_in(row: dict[str, Any]) -> BaselineLine:
    unpriced = _whole(row["takes_of_unknown_cost"])
    known = row["credits"] or "0" if unpriced else row["credits"]
    return BaselineLine(row["shot_id"], _whole(row["takes"]), _whole(known), unpriced)


def _whole(text: str) -> int:
    number = int(text)
    if not 0 <= number <= WHOLE_MAX:
        raise ValueError("no amount")
    return number


def _rows(path: Path) -> Iterator[dict[str, Any]]:
    return csv.DictReader(_text(path).splitlines(keepends=True))


def _text(path: Path) -> str:
    info = path.lstat()
    if not stat.S_ISREG(info.st_mode) or info.st_size > CAP_BYTES:
        raise ValueError("no report")
    return path.read_text(encoding="utf-8-sig")
