"""The tables of the reports, made with pandas from the state file alone.

takes: one row per take, and one for an omitted shot without takes. attempts: one row per paid submit. summary: one row
per group of takes on each level. Unknown values are missing, never 0; credits are Int64; times are UTC. A sum is that
of its known parts, missing if none is known, and a count beside it says how many are not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import pandas as pd

from wanbatch.reporting.attempt_orders import shifts_frame
from wanbatch.reporting.book import Book, book_of, seconds
from wanbatch.reporting.groups import summary_frame
from wanbatch.reporting.record import read_record, series, usd_of
from wanbatch.state.reader import StateReader

DRIFTS = ("sharpness", "contrast", "colour")
TAKE_COLUMNS: dict[str, str] = {
    "shot_id": "string",
    "take": "Int64",
    "scene": "string",
    "state": "string",
    "model": "string",
    "resolution": "string",
    "aspect_ratio": "string",
    "duration_ordered_s": "Int64",
    "seed": "Int64",
    "prompt": "string",
    "generation_id": "string",
    "attempts": "Int64",
    "usd_held": "Float64",
    "credits_held": "Int64",
    "usd_charged": "Float64",
    "credits_charged": "Int64",
    "submitted_at": "time",
    "started_at": "time",
    "completed_at": "time",
    "verified_at": "time",
    "queued_s": "Float64",
    "generating_s": "Float64",
    "detect_lag_s": "Float64",
    "download_s": "Float64",
    "file": "string",
    "sha256": "string",
    "size_bytes": "Int64",
    "clip_duration_s": "Float64",
    "width": "Int64",
    "height": "Int64",
    "has_audio": "boolean",
    "warning": "string",
    "error": "string",
    "sequence": "string",
    "tags": "string",
    "cost_code": "string",
    "notes": "string",
    "recipe_sha256": "string",
    "usd_estimated": "Float64",
    "credits_estimated": "Int64",
    "total_s": "Float64",
    "circled": "boolean",
    "take_note": "string",
    "provider": "string",
    "in_cut": "boolean",
    "chain_start": "string",
    "join_psnr_db": "Float64",
    **{f"{name}_{where}": "Float64" for where in ("first", "last", "joins") for name in DRIFTS},
    "last_frame_psnr_db": "Float64",
}
ATTEMPT_COLUMNS: dict[str, str] = {
    "shot_id": "string",
    "take": "Int64",
    "attempt": "Int64",
    "request_id": "string",
    "outcome": "string",
    "http_status": "Int64",
    "generation_id": "string",
    "usd_estimated": "Float64",
    "credits_estimated": "Int64",
    "usd_held": "Float64",
    "credits_held": "Int64",
    "usd_charged": "Float64",
    "credits_charged": "Int64",
    "started_at": "time",
    "ended_at": "time",
    "body_sha256": "string",
    "key_fingerprint": "string",
    "error": "string",
    "model": "string",
}
_AS_THEY_ARE = (
    "attempts",
    "generation_id",
    "credits_charged",
    "submitted_at",
    "started_at",
    "completed_at",
    "verified_at",
    "download_s",
    "file",
    "sha256",
    "size_bytes",
    "clip_duration_s",
    "width",
    "height",
    "has_audio",
    "circled",
)
_OF_ORDER = (
    "model",
    "resolution",
    "aspect_ratio",
    "duration_ordered_s",
    "seed",
    "prompt",
    "recipe_sha256",
    "provider",
)
_OF_MONEY = ("is_hold_unseen", "is_charge_unseen", "is_uncosted")


@dataclass(frozen=True)
class Frames:
    """The three tables. See the module for what a row is."""

    takes: pd.DataFrame
    attempts: pd.DataFrame
    summary: pd.DataFrame


def frames(reader: StateReader) -> Frames:
    """Make the tables of a state file."""
    return make_frames(book_of(read_record(reader)))


def make_frames(book: Book) -> Frames:
    """Make the tables of a book."""
    story = story_frame(book)
    takes = story[[*TAKE_COLUMNS, *book.record.own]]
    shifts = shifts_frame(book, ("held", "charged"))
    return Frames(takes, attempts_frame(book), summary_frame(story, book.batch, shifts))


def story_frame(book: Book) -> pd.DataFrame:
    """One row per take in story order: the columns of TAKE_COLUMNS with nullable dtypes, the user's own, and its money.

    An omitted shot without takes has a row, too; `omitted_shots` is true in the first row of each omitted shot.
    """
    takes, shots, own = book.record.takes, book.record.shots, book.record.own
    bare = shots.index[shots["omit"] & ~shots["shot_id"].isin(takes["shot_id"])]
    places = pd.DataFrame({"shot": book.shot_rows, "number": takes["number"], "take": range(len(takes))})
    places = pd.concat([places, pd.DataFrame({"shot": bare, "take": -1})], ignore_index=True)
    places = places.sort_values(["shot", "number"], kind="stable")
    rows, shot_rows = places["take"].to_numpy(), places["shot"].to_numpy()
    cells = {name: column.array.take(rows, allow_fill=True) for name, column in _take_cells(book).items()}
    of_shots = [*_shot_cells(shots).items(), *own.items()]
    story = pd.DataFrame(cells | {name: column.array.take(shot_rows) for name, column in of_shots}, copy=False)
    omitted = rows < 0
    story.loc[omitted, "state"] = "omitted"
    story.loc[omitted, "prompt"] = shots["prompt"].array.take(shot_rows[omitted])
    is_first = ~places["shot"].duplicated().to_numpy()
    return story.assign(omitted_shots=is_first & shots["omit"].to_numpy(dtype=bool).take(shot_rows))


def _take_cells(book: Book) -> dict[str, pd.Series[Any]]:
    takes = book.record.takes
    told = {name: _told(takes[name]) for name in ("warning", "error")}
    held = book.held_by_take
    return {
        "take": takes["number"],
        "state": book.money["shown_state"],
        "credits_held": held,
        "usd_held": usd_of(held),
        "usd_charged": usd_of(takes["credits_charged"]),
        "credits_estimated": book.money["estimated"],
        "usd_estimated": usd_of(book.money["estimated"]),
        **{name: book.orders[name] for name in _OF_ORDER},
        "queued_s": seconds(takes["submitted_at"], takes["started_at"]),
        "generating_s": seconds(takes["started_at"], takes["completed_at"]),
        "detect_lag_s": seconds(takes["last_running_at"], takes["completed_at"]),
        "total_s": seconds(takes["submitted_at"], takes["verified_at"]),
        **told,
        "take_note": _told(takes["note"]),
        "in_cut": book.is_chosen.astype("boolean"),
        "left_out": book.is_left_out.astype("boolean"),
        **{name: takes[name] for name in _AS_THEY_ARE},
        **{name: book.money[name] for name in _OF_MONEY},
        "credits_outside_cut": book.outside_cut.mask(takes["credits_charged"].isna()),
        "usable_ms": book.usable_ms,
        **_drift_cells(book),
    }


def _drift_cells(book: Book) -> dict[str, pd.Series[Any]]:
    """Return what is measured of the clips of chains; missing for all others."""
    known = book.record.given.drifts
    told = [None if known.get(each) is None else known[each].told for each in book.record.takes["take_id"].tolist()]
    cells = {"chain_start": series([None if each is None else each["start"] for each in told], "string")}
    for name in ("join_psnr_db", "last_frame_psnr_db"):
        cells[name] = series([None if each is None else each[name] for each in told], "Float64")
    for where in ("first", "last", "joins"):
        changes = [None if each is None else each[where] for each in told]
        for name in DRIFTS:
            cells[f"{name}_{where}"] = series([None if each is None else each[name] for each in changes], "Float64")
    return cells


def _shot_cells(shots: pd.DataFrame) -> dict[str, pd.Series[Any]]:
    tags = series([";".join(each) for each in shots["tags"]], "string")
    cells = {name: _told(shots[name]) for name in ("scene", "sequence", "cost_code", "notes")}
    return {"shot_id": shots["shot_id"], "tags": _told(tags), **cells}


def _told(column: pd.Series[Any]) -> pd.Series[Any]:
    """Return a column of texts with the empty ones missing."""
    return column.mask(column == "")


def attempts_frame(book: Book) -> pd.DataFrame:
    """One row per paid submit, by take and number: the columns of ATTEMPT_COLUMNS with nullable dtypes."""
    attempts = book.record.attempts
    owners = book.record.takes.loc[book.rows_of_takes(attempts)].reset_index(drop=True)
    cells = {
        "shot_id": owners["shot_id"],
        "take": owners["number"],
        "attempt": attempts["number"],
        "error": _told(attempts["error"]),
        "model": book.attempt_orders["model"],
        **{f"usd_{name}": usd_of(attempts[f"credits_{name}"]) for name in ("estimated", "held", "charged")},
    }
    return pd.DataFrame({name: cells.get(name, attempts.get(name)) for name in ATTEMPT_COLUMNS}, copy=False)
