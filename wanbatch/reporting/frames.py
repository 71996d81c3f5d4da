"""The tables of the reports, made with pandas from the state file alone.

takes: one row a take, and one for an omitted shot without takes. attempts: one row a paid submit. summary: one row a
group of takes on each level. Unknown values are missing, never 0; credits are Int64; times are UTC. A sum is that of
its known parts, missing where none is known, and a count beside it says how many are not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from types import MappingProxyType
from typing import Any

import pandas as pd

from wanbatch.batch.attempts import Attempt
from wanbatch.batch.lifecycle import State
from wanbatch.batch.plan import ShotRow
from wanbatch.batch.shots import OWN
from wanbatch.batch.take import Take
from wanbatch.money.credits import CREDITS_PER_USD, usd
from wanbatch.state.reader import StateReader
from wanbatch.state.shown import shown_attempts, shown_shots, shown_take

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
    "circled": "boolean",
    "take_note": "string",
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
SUMMARY_COLUMNS: dict[str, str] = {
    "level": "string",
    "key": "string",
    "takes": "Int64",
    "verified": "Int64",
    "failed": "Int64",
    "held": "Int64",
    "superseded": "Int64",
    "omitted": "Int64",
    "clip_seconds": "Float64",
    "credits_held": "Int64",
    "credits_charged": "Int64",
    "usd": "string",
    "credits_charged_not_used": "Int64",
    "holds_not_seen": "Int64",
    "charges_not_seen": "Int64",
    "takes_of_unknown_cost": "Int64",
    "credits_per_finished_second": "Int64",
    "usd_per_finished_second": "Float64",
    "queued_p50_s": "Float64",
    "queued_p95_s": "Float64",
    "generating_p50_s": "Float64",
    "generating_p95_s": "Float64",
    "download_p50_s": "Float64",
    "download_p95_s": "Float64",
    "total_p50_s": "Float64",
    "total_p95_s": "Float64",
}
_MONEY_COLUMNS: dict[str, str] = {
    "shot_id": "string",
    "take": "Int64",
    "is_hold_unseen": "boolean",
    "is_charge_unseen": "boolean",
    "is_uncosted": "boolean",
    "credits_not_used": "Int64",
}
LEVELS = ("sequence", "scene", "model", "resolution", "duration", "cost_code")
OwnCells = Mapping[str, Mapping[str, str]]
_NO_CELLS: OwnCells = MappingProxyType({})
TIMINGS = ("queued_s", "generating_s", "download_s", "total_s")


@dataclass(frozen=True)
class Frames:
    """The three tables. See the module for what a row is."""

    takes: pd.DataFrame
    attempts: pd.DataFrame
    summary: pd.DataFrame


def frames(reader: StateReader) -> Frames:
    """Make the tables of a state file."""
    takes = [shown_take(take, reader.output) for take in reader.takes()]
    attempts = shown_attempts(reader.attempts(), reader.output)
    shots = shown_shots(reader.shots(), takes)
    return make_frames(takes, shots, attempts, reader.batch(), reader.own_cells())


def make_frames(
    takes: Sequence[Take], shots: Sequence[ShotRow], attempts: Sequence[Attempt], batch: str, own: OwnCells = _NO_CELLS
) -> Frames:
    """Make the tables of these takes, shots and attempts. `own` are the cells of the user's own columns, by shot."""
    take_frame = takes_frame(takes, shots, own)
    money = money_frame(takes, attempts)
    return Frames(take_frame, attempts_frame(attempts, takes), summary_frame(take_frame, money, batch))


def takes_frame(takes: Sequence[Take], shots: Sequence[ShotRow], own: OwnCells = _NO_CELLS) -> pd.DataFrame:
    """One row per take in story order: the columns of TAKE_COLUMNS with nullable dtypes, then the user's own."""
    by_shot: dict[str, list[Take]] = {}
    for take in takes:
        by_shot.setdefault(take.shot_id, []).append(take)
    rows: list[dict[str, Any]] = []
    for shot in shots:
        mine = sorted(by_shot.get(shot.shot_id, []), key=lambda take: take.number)
        cells = {name: cell or None for name, cell in own.get(shot.shot_id, {}).items()}
        rows += [{**_take_row(take, shot), **cells} for take in mine]
        if shot.omit and not mine:
            rows.append({**_shot_cells(shot), "state": "omitted", "prompt": shot.prompt, **cells})
    names = dict.fromkeys(name for shot in shots for name in own.get(shot.shot_id, ()) if name.startswith(OWN))
    return typed_frame(rows, {**TAKE_COLUMNS, **dict.fromkeys(names, "string")})


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
        "take_note": take.note or None,
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
    "circled",
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
    return typed_frame(rows, ATTEMPT_COLUMNS)


def money_frame(takes: Sequence[Take], attempts: Sequence[Attempt]) -> pd.DataFrame:
    """One row per take: what of its cost is not known, and the credits charged that gave no clip in use."""
    by_take: dict[int, list[Attempt]] = {}
    for attempt in attempts:
        by_take.setdefault(attempt.take_id, []).append(attempt)
    return typed_frame([_money_row(take, by_take.get(take.take_id, [])) for take in takes], _MONEY_COLUMNS)


def _money_row(take: Take, attempts: Sequence[Attempt]) -> dict[str, Any]:
    is_free = take.state in (State.PLANNED, State.FAILED)  # not sent, or proven to cost nothing
    earlier = sum(each.credits_charged or 0 for each in attempts if each.number < take.attempts)
    is_used = not (take.superseded or is_free or take.state is State.HELD)
    return {
        "shot_id": take.shot_id,
        "take": take.number,
        "is_hold_unseen": take.credits_held is None and (not is_free or take.generation_id is not None),
        "is_charge_unseen": take.may_be_charged_more,
        "is_uncosted": take.credits_committed is None,
        "credits_not_used": None
        if take.credits_charged is None
        else min(earlier, take.credits_charged)
        if is_used
        else take.credits_charged,
    }


def typed_frame(rows: list[dict[str, Any]], columns: Mapping[str, str]) -> pd.DataFrame:
    """Make a table of these columns and nullable types; what a row does not have is missing."""
    kinds = {name: "datetime64[ms, UTC]" if kind == "time" else kind for name, kind in columns.items()}
    return pd.DataFrame({name: pd.Series([row.get(name) for row in rows], dtype=kind) for name, kind in kinds.items()})


# --- summary ------------------------------------------------------------------------------------------------------


def summary_frame(takes: pd.DataFrame, money: pd.DataFrame, batch: str) -> pd.DataFrame:
    """One row per group on each level: the columns of SUMMARY_COLUMNS. The batch has its row also without takes."""
    keyed = takes.merge(money, on=["shot_id", "take"], how="left").assign(
        duration=takes["duration_ordered_s"].astype("string")
    )
    rows = [{"level": "batch", "key": batch, **_summed(keyed)}]
    for level in LEVELS:
        keys = keyed[level].fillna("")
        if (keys != "").any():
            rows += [{"level": level, "key": key, **_summed(group)} for key, group in keyed.groupby(keys, sort=False)]
    return typed_frame(rows, SUMMARY_COLUMNS)


def _summed(group: pd.DataFrame) -> dict[str, Any]:
    real = group[group["take"].notna()]
    unseen = {name: int(real[name].sum()) for name in ("is_hold_unseen", "is_charge_unseen", "is_uncosted")}
    charged = _sum_known(real["credits_charged"], unseen["is_charge_unseen"])
    lengths_s = real.loc[real["verified_at"].notna(), "clip_duration_s"]
    unmeasured = int(lengths_s.isna().sum())
    finished_s = None if unmeasured and unmeasured == len(lengths_s) else round(float(lengths_s.sum()), 3)
    is_priced = bool(finished_s) and not unmeasured and not unseen["is_charge_unseen"]
    per_second = charged / finished_s if is_priced and charged is not None and finished_s is not None else None
    counts = real["state"].value_counts()
    return {
        "takes": len(real),
        **{name: int(counts.get(name, 0)) for name in ("verified", "failed", "held", "superseded")},
        "omitted": len(group) - len(real),
        "clip_seconds": finished_s,
        "credits_held": _sum_known(real["credits_held"], unseen["is_hold_unseen"]),
        "credits_charged": charged,
        "usd": None if charged is None else usd_cell(charged),
        "credits_charged_not_used": _sum_known(real["credits_not_used"], unseen["is_charge_unseen"]),
        "holds_not_seen": unseen["is_hold_unseen"],
        "charges_not_seen": unseen["is_charge_unseen"],
        "takes_of_unknown_cost": unseen["is_uncosted"],
        "credits_per_finished_second": None if per_second is None else round(per_second),
        "usd_per_finished_second": None if per_second is None else round(per_second / CREDITS_PER_USD, 6),
        **{name: value for timing in TIMINGS for name, value in _shares(real[timing], timing).items()},
    }


def _sum_known(values: pd.Series[Any], unknown: int) -> int | None:
    known = values.dropna()
    return int(known.sum()) if len(known) or not unknown else None


def _shares(values: pd.Series[Any], timing: str) -> dict[str, float]:
    """Return the median and the 95th percentile of a timing, by column name; nothing where none is known."""
    known = values.dropna().astype("float64")
    if not len(known):
        return {}
    found = known.quantile([0.5, 0.95]).round(3)
    name = timing.removesuffix("_s")
    return {f"{name}_p50_s": float(found.iloc[0]), f"{name}_p95_s": float(found.iloc[1])}
