"""The summary: one row per group of takes on each level, the whole batch first."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from wanbatch.money.credits import CREDITS_PER_USD
from wanbatch.reporting.record import typed_frame, with_usd

SUMMARY_COLUMNS: dict[str, str] = {
    "level": "string",
    "key": "string",
    "takes": "Int64",
    "verified": "Int64",
    "left_out": "Int64",
    "failed": "Int64",
    "held": "Int64",
    "superseded": "Int64",
    "open": "Int64",
    "omitted": "Int64",
    "usable_s": "Float64",
    "usd_held": "Float64",
    "credits_held": "Int64",
    "usd_charged": "Float64",
    "credits_charged": "Int64",
    "usd_held_known": "Float64",
    "credits_held_known": "Int64",
    "usd_charged_known": "Float64",
    "credits_charged_known": "Int64",
    "usd_outside_cut": "Float64",
    "credits_outside_cut": "Int64",
    "holds_not_seen": "Int64",
    "charges_not_seen": "Int64",
    "takes_of_unknown_cost": "Int64",
    "usd_per_usable_second": "Float64",
    "credits_per_usable_second": "Float64",
    "queued_p50_s": "Float64",
    "queued_p95_s": "Float64",
    "generating_p50_s": "Float64",
    "generating_p95_s": "Float64",
    "download_p50_s": "Float64",
    "download_p95_s": "Float64",
    "total_p50_s": "Float64",
    "total_p95_s": "Float64",
}
LEVELS = ("sequence", "scene", "model", "resolution", "duration", "cost_code")
TIMINGS = ("queued_s", "generating_s", "download_s", "total_s")
_STATES = ("verified", "failed", "held", "superseded")
_CREDITS = ("credits_held", "credits_charged", "credits_outside_cut")
_UNSEEN = ("is_hold_unseen", "is_charge_unseen", "is_uncosted")

Floats = npt.NDArray[np.floating[Any]]


def summary_frame(story: pd.DataFrame, batch: str, shifts: pd.DataFrame | None = None) -> pd.DataFrame:
    """One row per group on each level: the columns of SUMMARY_COLUMNS. The batch has its row also without takes.

    `story` is that of `frames.story_frame`; `shifts` what was held and charged for attempts with a model that is
    not their take's, as `attempt_orders.shifts_frame` has it.
    """
    parts = _parts(story)
    times = story[list(TIMINGS)].astype("float64")
    everything = pd.Series(batch, index=story.index, dtype="string")
    rows = list(_rows("batch", everything, parts, times))
    rows = rows or [{"level": "batch", "key": batch, **_row(dict.fromkeys(map(str, parts), 0), {})}]
    for level in LEVELS:
        name = "duration_ordered_s" if level == "duration" else level
        keys = story[name].astype("string").fillna("")
        if (keys != "").any():
            mine, of = (
                (keys, parts) if level != "model" or shifts is None or shifts.empty else _shifted(keys, parts, shifts)
            )
            rows += _rows(level, mine, of, times, keys)
    return typed_frame(rows, SUMMARY_COLUMNS)


def sums_by(keys: pd.Series[Any], parts: pd.DataFrame) -> dict[str, dict[str, Any]]:
    """Return what the rows with each key add up to, column by column, in the order in which a key is first met."""
    sums = parts.groupby(keys, sort=False).sum()
    names, rows = sums.columns.tolist(), sums.to_numpy().tolist()
    return {str(key): dict(zip(names, row, strict=True)) for key, row in zip(sums.index, rows, strict=True)}


def _shifted(keys: pd.Series[Any], parts: pd.DataFrame, shifts: pd.DataFrame) -> tuple[pd.Series[Any], pd.DataFrame]:
    """Add what attempts cost under the model that they were sent to, and take it from that of their takes."""
    moved = shifts[(shifts[["held", "charged"]] != 0).any(axis=1)]
    amounts = {
        "credits_held": moved["held"],
        "credits_charged": moved["charged"],
        "credits_outside_cut": moved["charged"],
    }
    known = {f"{name}_known": (amount > 0).astype("int64") for name, amount in amounts.items()}
    more = pd.DataFrame({**amounts, **known}).reindex(columns=parts.columns, fill_value=0)
    return (
        pd.concat([keys, moved["model"].astype("string")], ignore_index=True),
        pd.concat([parts, more], ignore_index=True),
    )


def _rows(
    level: str, keys: pd.Series[Any], parts: pd.DataFrame, times: pd.DataFrame, of_times: pd.Series[Any] | None = None
) -> Iterator[dict[str, Any]]:
    """Yield the row of each group; `of_times` are the keys of the times where those are not all of the parts'."""
    timed = keys if of_times is None else of_times
    groups = _values_by(timed, times)
    for key, sums in sums_by(keys, parts).items():
        known = {name: groups[name][key] for name in TIMINGS if key in groups[name]}
        yield {"level": level, "key": key, **_row(sums, known)}


def _values_by(keys: pd.Series[Any], times: pd.DataFrame) -> dict[str, dict[str, Floats]]:
    """Return the known values of the rows with each key, by the name of their column; no key without any."""
    codes, names = pd.factorize(keys)
    order, ends = np.argsort(codes, kind="stable"), np.cumsum(np.bincount(codes))[:-1]
    found: dict[str, dict[str, Floats]] = {}
    for name in TIMINGS:
        parts = zip(names, np.split(times[name].to_numpy(np.float64)[order], ends), strict=False)
        known = {str(key): values[~np.isnan(values)] for key, values in parts}
        found[name] = {key: values for key, values in known.items() if len(values)}
    return found


def _parts(story: pd.DataFrame) -> pd.DataFrame:
    """Return what each row adds to the sums of its group: counts, credits and seconds, 0 if it adds nothing."""
    is_take, usable_ms = story["take"].notna(), story["usable_ms"]
    return (
        pd.DataFrame(
            {
                "takes": is_take,
                "omitted": story["omitted_shots"],
                "left_out": story["left_out"].fillna(False),
                **{name: is_take & (story["state"] == name) for name in _STATES},
                **{name: story[name].fillna(False) for name in _UNSEEN},
                **{f"{name}_known": story[name].notna() for name in _CREDITS},
                "unmeasured": is_take & usable_ms.isna(),
            }
        )
        .astype("int64")
        .assign(
            **{name: story[name].fillna(0).astype("int64") for name in _CREDITS},
            usable_ms=usable_ms.fillna(0).astype("int64"),
        )
    )


def _row(sums: Mapping[str, Any], times: Mapping[str, Floats]) -> dict[str, Any]:
    held, charged = int(sums["credits_held"]), int(sums["credits_charged"])
    milliseconds, unmeasured = sums["usable_ms"], sums["unmeasured"]
    is_priced = milliseconds and not unmeasured and not sums["is_charge_unseen"]
    per_second = charged * 1000 / milliseconds if is_priced else None
    told = {
        "takes": sums["takes"],
        **{name: sums[name] for name in _STATES},
        "open": sums["takes"] - sum(sums[name] for name in _STATES),
        "omitted": sums["omitted"],
        "left_out": sums["left_out"],
        "usable_s": None if unmeasured and not milliseconds else milliseconds / 1000,
        "credits_held": None if sums["is_hold_unseen"] else held,
        "credits_charged": None if sums["is_charge_unseen"] else charged,
        "credits_held_known": held,
        "credits_charged_known": charged,
        "credits_outside_cut": _sum_known(sums, "credits_outside_cut", "is_charge_unseen"),
        "holds_not_seen": sums["is_hold_unseen"],
        "charges_not_seen": sums["is_charge_unseen"],
        "takes_of_unknown_cost": sums["is_uncosted"],
    }
    return {
        **with_usd(told),
        "credits_per_usable_second": None if per_second is None else round(per_second, 2),
        "usd_per_usable_second": None if per_second is None else round(per_second / CREDITS_PER_USD, 6),
        **{name: value for timing, values in times.items() for name, value in _shares(values, timing).items()},
    }


def _sum_known(sums: Mapping[str, Any], name: str, unseen: str) -> int | None:
    return int(sums[name]) if sums[f"{name}_known"] or not sums[unseen] else None


def _shares(values: Floats, timing: str) -> dict[str, float]:
    """Return the median and the 95th percentile of a timing, by column name."""
    half, most = np.quantile(values, (0.5, 0.95)).round(3).tolist()
    name = timing.removesuffix("_s")
    return {f"{name}_p50_s": half, f"{name}_p95_s": most}
