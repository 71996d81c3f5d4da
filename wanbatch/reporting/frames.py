"""The tables of the reports, made with pandas from the state file alone.

takes: one row a take, and one for an omitted shot without takes. attempts: one row a paid submit. summary: one row a
group of takes on each level. Unknown values are missing, never 0; credits are Int64; times are UTC.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import pandas as pd

from wanbatch.attempts import Attempt
from wanbatch.lifecycle import State, Take
from wanbatch.planning import ShotRow
from wanbatch.pricing import CREDITS_PER_USD, usd
from wanbatch.state import StateReader

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
    "credits_held": "Int64",
    "credits_charged": "Int64",
    "usd": "string",
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
    "credits_estimated": "Int64",
    "total_s": "Float64",
}
ATTEMPT_COLUMNS: dict[str, str] = {
    "shot_id": "string",
    "take": "Int64",
    "attempt": "Int64",
    "request_id": "string",
    "outcome": "string",
    "http_status": "Int64",
    "generation_id": "string",
    "credits_estimated": "Int64",
    "credits_held": "Int64",
    "credits_charged": "Int64",
    "started_at": "time",
    "ended_at": "time",
    "body_sha256": "string",
    "key_fingerprint": "string",
    "error": "string",
}
LEVELS = ("batch", "sequence", "scene", "model", "resolution", "duration", "cost_code")
TIMINGS = ("queued_s", "generating_s", "download_s", "total_s")


@dataclass(frozen=True)
class Frames:
    """The three tables. See the module for what a row is."""

    takes: pd.DataFrame
    attempts: pd.DataFrame
    summary: pd.DataFrame


def frames(reader: StateReader) -> Frames:
    """Make the tables of a state file."""
    takes, shots, attempts = reader.takes(), reader.shots(), reader.attempts()
    take_frame = takes_frame(takes, shots)
    return Frames(take_frame, attempts_frame(attempts, takes), summary_frame(take_frame, reader.identity().batch))


def takes_frame(takes: Sequence[Take], shots: Sequence[ShotRow]) -> pd.DataFrame:
    """One row per take in story order: the columns of TAKE_COLUMNS with nullable dtypes."""
    by_shot: dict[str, list[Take]] = {}
    for take in takes:
        by_shot.setdefault(take.shot_id, []).append(take)
    rows: list[dict[str, Any]] = []
    for shot in shots:
        mine = sorted(by_shot.get(shot.shot_id, []), key=lambda take: take.number)
        rows += [_take_row(take, shot) for take in mine]
        if shot.omit and not mine:
            rows.append({**_shot_cells(shot), "state": "omitted", "prompt": shot.prompt})
    return _frame(rows, TAKE_COLUMNS)


def _shot_cells(shot: ShotRow) -> dict[str, Any]:
    return {
        "shot_id": shot.shot_id,
        "scene": shot.scene or None,
        "sequence": shot.sequence or None,
        "tags": ";".join(shot.tags) or None,
        "cost_code": shot.cost_code or None,
        "notes": shot.notes or None,
    }


def _take_row(take: Take, shot: ShotRow) -> dict[str, Any]:
    order = take.order
    return {
        **_shot_cells(shot),
        "take": take.number,
        "state": take.shown_state,
        "model": order.model,
        "resolution": order.resolution,
        "aspect_ratio": order.aspect_ratio,
        "duration_ordered_s": order.duration_s,
        "seed": take.recipe.body.get("seed"),
        "prompt": str(take.recipe.body.get("prompt", "")),
        "attempts": take.attempts,
        "usd": None if take.credits_charged is None else usd_cell(take.credits_charged),
        "queued_s": _seconds(take.submitted_at, take.started_at),
        "generating_s": _seconds(take.started_at, take.completed_at),
        "detect_lag_s": _seconds(take.last_running_at, take.completed_at),
        "total_s": _seconds(take.submitted_at, take.verified_at),
        "warning": take.warning or None,
        "error": take.error or None,
        "recipe_sha256": take.recipe.sha256,
        **{name: getattr(take, name) for name in _AS_THEY_ARE},
    }


_AS_THEY_ARE = (
    "generation_id",
    "credits_held",
    "credits_charged",
    "credits_estimated",
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
)


def usd_cell(credit_count: int) -> str:
    """Write credits as USD, exact, with two decimals at least: 3150000 is 1.575."""
    text = f"{usd(credit_count):.7f}".rstrip("0")
    whole, _, fraction = text.partition(".")
    return f"{whole}.{fraction.ljust(2, '0')}"


def _seconds(begin: datetime | None, end: datetime | None) -> float | None:
    return None if begin is None or end is None else round((end - begin).total_seconds(), 3)


def attempts_frame(attempts: Sequence[Attempt], takes: Sequence[Take]) -> pd.DataFrame:
    """One row per paid submit, by take and number: the columns of ATTEMPT_COLUMNS with nullable dtypes."""
    owners = {take.take_id: take for take in takes}
    same = [name for name in ATTEMPT_COLUMNS if name not in ("shot_id", "take", "attempt", "outcome", "error")]
    rows = [
        {
            "shot_id": owners[attempt.take_id].shot_id,
            "take": owners[attempt.take_id].number,
            "attempt": attempt.number,
            "outcome": attempt.outcome.value,
            "error": attempt.error or None,
            **{name: getattr(attempt, name) for name in same},
        }
        for attempt in attempts
    ]
    return _frame(rows, ATTEMPT_COLUMNS)


def _frame(rows: list[dict[str, Any]], columns: dict[str, str]) -> pd.DataFrame:
    series: dict[str, pd.Series[Any]] = {}
    for name, kind in columns.items():
        values = [row.get(name) for row in rows]
        if kind == "time":
            series[name] = pd.Series(pd.to_datetime(pd.Series(values, dtype="object"), utc=True))
        else:
            series[name] = pd.Series(values, dtype=kind)
    return pd.DataFrame(series)


# --- summary ------------------------------------------------------------------------------------------------------


def summary_frame(takes: pd.DataFrame, batch: str) -> pd.DataFrame:
    """One row per group on each level: counts, finished seconds, money, and p50 and p95 of the timings in seconds."""
    keyed = takes.assign(
        batch=batch,
        duration=takes["duration_ordered_s"].astype("string"),
    )
    rows = []
    for level in LEVELS:
        keys = keyed[level].fillna("")
        if level != "batch" and not (keys != "").any():
            continue
        rows += [{"level": level, "key": key, **_summed(keyed[keys == key])} for key in dict.fromkeys(keys)]
    return pd.DataFrame(rows)


def _summed(group: pd.DataFrame) -> dict[str, Any]:
    real = group[group["take"].notna()]
    verified = real[real["verified_at"].notna()]
    charged = int(real["credits_charged"].fillna(0).sum())
    finished_s = float(verified["clip_duration_s"].fillna(0).sum())
    # Spent, perhaps, and by how much nobody knows: sent, not proven free, and neither held nor charged by a number.
    open_states = [State.SUBMITTING, State.UNKNOWN, State.HELD, State.QUEUED, State.GENERATING]
    is_uncosted = real["credits_charged"].isna() & real["credits_held"].isna() & real["credits_estimated"].isna()
    is_open = real["state"].isin(open_states) | (real["verified_at"].notna() & real["credits_charged"].isna())
    idle = real[real["verified_at"].isna() | (real["state"] == "superseded")]
    counts = real["state"].value_counts()
    row: dict[str, Any] = {
        "takes": len(real),
        **{name: int(counts.get(name, 0)) for name in ("verified", "failed", "held", "superseded")},
        "omitted": len(group) - len(real),
        "clip_seconds": round(finished_s, 3),
        "credits_held": int(real["credits_held"].fillna(0).sum()),
        "credits_charged": charged,
        "usd": usd_cell(charged),
        "credits_charged_not_used": int(idle["credits_charged"].fillna(0).sum()),
        "takes_of_unknown_cost": int((is_open & is_uncosted).sum()),
        "credits_per_finished_second": round(charged / finished_s) if finished_s else None,
        "usd_per_finished_second": round(charged / finished_s / CREDITS_PER_USD, 6) if finished_s else None,
    }
    for name in TIMINGS:
        values = real[name].dropna().astype("float64")
        for share in (50, 95):
            row[f"{name.removesuffix('_s')}_p{share}_s"] = (
                round(float(values.quantile(share / 100)), 3) if len(values) else None
            )
    return row
