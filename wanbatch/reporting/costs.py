"""The cost report, made with pandas from the state file only: what a batch was to cost, costs, and will have cost.

One row per group on each level: the columns of COST_COLUMNS. Credits are Int64 and whole, USD beside them exact to the
credit. A sum that has an unknown part is missing, its known part is beside it; the counts say how many takes are not in
it. What was charged so far is split into the parts in the cut and outside it: they add up to its known part, and are
missing while the ledger shows nothing of what it may charge. Charged amounts sum to the ledger's charges to the credit,
on every level except tags, where a take with two tags is in both.
Each batch has groups of its own, whatever they are called elsewhere. Submits of no take are in the sums of their batch,
and have a row of their own on the others.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from wanbatch.money.credits import CREDITS_PER_USD
from wanbatch.reporting.attempt_orders import first_takes, shifts_frame
from wanbatch.reporting.baseline_sums import PLANNED, BaselineSums, baseline_sums
from wanbatch.reporting.book import Book
from wanbatch.reporting.groups import sums_by
from wanbatch.reporting.prices import prices_frame
from wanbatch.reporting.record import series, typed_frame, usd_of, with_usd
from wanbatch.reporting.spend import spend_frame
from wanbatch.reporting.variance import variance_frame

_KNOWN = (
    "estimated",
    "held",
    "charged",
    "at_risk",
    "committed",
    "to_complete",
    "final",
)  # with a known part beside the sum
_SUMS = (
    "budget", "estimated", "held", "charged", "at_risk", "committed", "to_complete", "final",
    "budget_less_final",
)  # fmt: skip


def _in_both(names: Iterable[str]) -> dict[str, str]:
    """Return two columns for each name: USD, and credits beside."""
    return {f"{name}_{unit}": kind for name in names for unit, kind in (("usd", "Float64"), ("credits", "Int64"))}


OUTSIDE_CUT = ("unchosen", "left_out", "superseded", "failed", "waiting", "extra")  # verified or not, it is in no cut
_CUT = ("in_cut", "outside_cut", *OUTSIDE_CUT)
COST_COLUMNS: dict[str, str] = {
    "level": "string",
    "batch": "string",
    "key": "string",
    "takes": "Int64",
    "verified": "Int64",
    "failed": "Int64",
    **_in_both(_SUMS),
    **_in_both([f"{name}_known" for name in _KNOWN]),
    "takes_of_unknown_cost": "Int64",
    "takes_of_unknown_price": "Int64",
    "holds_not_seen": "Int64",
    "charges_not_seen": "Int64",
    **_in_both(_CUT),
    "usable_s": "Float64",
    "in_cut_s": "Float64",
    "usd_per_usable_second": "Float64",
    "credits_per_usable_second": "Float64",
    "usd_per_second_in_cut": "Float64",
    "credits_per_second_in_cut": "Float64",
    "first_takes": "Int64",
    "first_takes_good": "Int64",
    "first_take_yield": "Float64",
    "submits_of_no_take": "Int64",
    "left_out_takes": "Int64",
    "superseded_takes": "Int64",
    "held_takes": "Int64",
    "open_takes": "Int64",
    **_in_both(PLANNED),
}
NO_TAKE = "(no take)"
SHOT_COLUMNS: dict[str, str] = {
    "batch": "string",
    "sequence": "string",
    "scene": "string",
    "shot_id": "string",
    "takes": "Int64",
    **_in_both(["charged", "charged_known", *_CUT]),
    "usable_s": "Float64",
    "in_cut_s": "Float64",
    "charges_not_seen": "Int64",
    **_in_both(PLANNED),
}
LEVELS = ("sequence", "scene", "model", "tag", "cost_code")
_PARTS = ("estimated", "held", "at_risk", "to_complete")


@dataclass(frozen=True)
class Costs:
    """The tables of a cost report. See the module for what a row is."""

    costs: pd.DataFrame
    shots: pd.DataFrame
    spend: pd.DataFrame
    prices: pd.DataFrame
    variance: pd.DataFrame


def make_costs(books: Sequence[Book]) -> Costs:
    """Make the cost report of one batch, or of several together: then with a row for all of them first."""
    takes, variance = takes_and_strays(books), variance_frame(books)
    planned = baseline_sums(books, variance)
    costs = _costs_frame(books, takes)
    for frame, level in ((costs, None), (shots := _shots_frame(takes), "shot")):
        _add_planned(frame, planned, level)
    return Costs(costs, shots, spend_frame(books), prices_frame(books), variance)


def _add_planned(frame: pd.DataFrame, planned: BaselineSums, level: str | None) -> None:
    """Fill in what the baseline and the variance of each group are; all groups are of this level, if one is given."""
    levels = frame["level"] if level is None else [level] * len(frame)
    keys = frame["key"] if level is None else frame["shot_id"]
    batches = [None if pd.isna(each) else each for each in frame["batch"]]
    told = [planned.of(place) for place in zip(levels, batches, keys, strict=True)]
    for name in PLANNED:
        frame[f"{name}_credits"] = series([each.get(name) for each in told], "Int64")
        frame[f"{name}_usd"] = usd_of(frame[f"{name}_credits"])


# --- takes


def takes_frame(book: Book) -> pd.DataFrame:
    """One row per take: where it belongs, and what it adds to the sums of its group, 0 if that is unknown."""
    takes, money, shots = book.record.takes, book.money, book.record.shots
    is_in = {name: money["shown_state"] == name for name in ("verified", "failed", "held", "superseded")}
    first = first_takes(book)
    usable_ms = book.usable_ms.fillna(0)
    sums = {
        "takes": pd.Series(1, index=takes.index),
        **{name: money[name].fillna(0) for name in (*_PARTS, "failed", "waiting", "extra")},
        "in_cut": book.in_cut,
        "unchosen": money["in_use"].mask(book.is_chosen | book.is_left_out, 0),
        "left_out": money["in_use"].where(book.is_left_out, 0),
        "is_left_out": book.is_left_out,
        "superseded": money["superseded"].mask(book.is_chosen, 0),
        "outside_cut": book.outside_cut,
        "charged": money["charged"],
        **{f"{name}_unknown": money[name].isna() for name in _PARTS},
        "usable_ms": usable_ms,
        "unmeasured": book.usable_ms.isna(),
        "in_cut_ms": usable_ms.where(book.is_chosen, 0),
        **{f"is_{name}": is_mine for name, is_mine in is_in.items()},
        "is_unseen": money["is_charge_unseen"],
        "is_first": first["is_first"],
        "is_first_good": first["is_good"],
    }
    names = ("shot_id", "sequence", "scene", "tags", "cost_code")
    places = {name: shots[name].take(book.shot_rows).array for name in names}
    return (
        pd.DataFrame(sums)
        .astype("int64")
        .assign(is_stray=0, batch=book.batch, model=book.orders["model"].fillna("").array, **places)
    )


def _strays_frame(book: Book, columns: Sequence[str]) -> pd.DataFrame:
    """One row per submit of no take: what it may be charged, which belongs to no group but its batch."""
    held = [each.credits_held for each in book.record.strays]
    known, unknown = [each or 0 for each in held], [each is None for each in held]
    sums = {"is_stray": 1, "held": known, "held_unknown": unknown, "at_risk": known, "at_risk_unknown": unknown}
    places: dict[str, Any] = {
        **dict.fromkeys(("shot_id", *LEVELS), NO_TAKE),
        "tags": [(NO_TAKE,)] * len(held),
        "batch": book.batch,
    }
    told = {name: sums.get(name, 0) for name in columns if name not in places}
    frame = pd.DataFrame(told, index=range(len(held))).astype("int64").assign(**places)
    return frame[list(columns)]


def takes_and_strays(books: Sequence[Book]) -> pd.DataFrame:
    """One row per take, and one per submit of no take, of all these batches."""
    frames = [takes_frame(book) for book in books]
    strays = [_strays_frame(book, frames[0].columns.tolist()) for book in books if book.record.strays]
    return pd.concat([*frames, *strays], ignore_index=True)


# --- groups


def _costs_frame(books: Sequence[Book], takes: pd.DataFrame) -> pd.DataFrame:
    numbers = takes.select_dtypes("int64")
    budgets = {book.batch: _budget(book) for book in books}
    nothing = dict.fromkeys(map(str, numbers), 0)
    rows = []
    if len(books) > 1:
        everything = sums_by(pd.Series("all", index=numbers.index), numbers)
        rows.append(_group_row(("all", None, "all"), everything.get("all", nothing), None))  # caps do not add up
    by_batch = sums_by(takes["batch"], numbers)
    rows += [_group_row(("batch", name, name), by_batch.get(name, nothing), budget) for name, budget in budgets.items()]
    scene_caps = {book.batch: book.record.runs[-1].caps_by_scene if book.record.runs else {} for book in books}
    shifts = [shifts_frame(book, numbers.columns.tolist()) for book in books]
    moved = pd.concat([takes, *(each for each in shifts if len(each))], ignore_index=True)
    for level in LEVELS:
        for batch, key, sums in _groups(moved if level == "model" else takes, level):
            budget = scene_caps[batch].get(key) if level == "scene" else None
            rows.append(_group_row((level, batch, key), sums, budget))
    return typed_frame(rows, COST_COLUMNS)


def _budget(book: Book) -> int | None:
    return book.record.runs[-1].cap_credits if book.record.runs else None


def _groups(takes: pd.DataFrame, level: str) -> list[tuple[str, str, dict[str, int]]]:
    """Return batch, name and sums of each group, batch by batch, in the order of the takes; nothing if none has a name
    there. Groups of the same name in two batches are two: an episode's scene is not another's.
    """
    if level == "tag":
        takes = takes.assign(tag=takes["tags"].map(list)).explode("tag", ignore_index=True)
        takes["tag"] = takes["tag"].fillna("").astype("string")
    if not (takes.loc[takes["is_stray"] == 0, level] != "").any():
        return []
    numbers = takes.select_dtypes("int64")
    return [
        (str(batch), key, sums)
        for batch, rows in takes.groupby("batch", sort=False).groups.items()
        for key, sums in sums_by(takes.loc[rows, level], numbers.loc[rows]).items()
    ]


def _shots_frame(takes: pd.DataFrame) -> pd.DataFrame:
    """One row per shot: what its takes were charged, and what that went into."""
    told = ["takes", "charged", *_CUT, "usable_ms", "in_cut_ms", "is_unseen", "is_stray"]
    places = ["batch", "sequence", "scene", "shot_id"]
    sums = takes.groupby(places, sort=False)[told].sum().reset_index()
    cells: dict[str, Any] = {name: sums[name].mask(sums[name] == "").array for name in places}
    cells |= {"takes": sums["takes"], "charges_not_seen": sums["is_unseen"] + sums["is_stray"]}
    is_unsure, charged = cells["charges_not_seen"] > 0, sums["charged"].astype("Int64")
    seen = {"charged": charged.mask(is_unsure), "charged_known": charged}
    seen |= {name: sums[name].astype("Int64").mask((charged == 0) & is_unsure) for name in _CUT}
    for name, amounts in seen.items():
        cells |= {f"{name}_usd": usd_of(amounts), f"{name}_credits": amounts}
    cells |= {f"{name}_s": sums[f"{name}_ms"] / 1000 for name in ("usable", "in_cut")}
    empty = [None] * len(sums)
    return pd.DataFrame({name: pd.array(cells.get(name, empty), dtype=kind) for name, kind in SHOT_COLUMNS.items()})


def _group_row(place: tuple[str, str | None, str], sums: Mapping[str, int], budget: int | None) -> dict[str, Any]:
    """Return the cells of one group; its place is its level, its batch and its name."""
    whole = {name: None if sums[f"{name}_unknown"] else sums[name] for name in _PARTS}
    known = {name: sums[name] for name in (*_PARTS, "charged")}
    known["committed"] = sums["charged"] + sums["at_risk"]
    known["final"] = known["committed"] + sums["to_complete"]
    committed = None if whole["at_risk"] is None else known["committed"]
    final = None if committed is None or whole["to_complete"] is None else known["final"]
    unseen = sums["is_unseen"] + sums["is_stray"]
    is_seen = sums["charged"] != 0 or not unseen  # else nothing is known of the charges
    told = {
        "budget": budget,
        **whole,
        "charged": None if unseen else sums["charged"],
        "committed": committed,
        "final": final,
        "budget_less_final": _less(budget, final),
    }
    money = {
        **{f"{name}_credits": value for name, value in told.items()},
        **{f"{name}_known_credits": value for name, value in known.items()},
        **{f"{name}_credits": sums[name] if is_seen else None for name in _CUT},
    }
    return {
        **dict(zip(("level", "batch", "key"), place, strict=True)),
        "takes": sums["takes"],
        "verified": sums["is_verified"],
        "failed": sums["is_failed"],
        **with_usd(money),
        "takes_of_unknown_cost": sums["at_risk_unknown"],
        "takes_of_unknown_price": sums["to_complete_unknown"],
        "holds_not_seen": sums["held_unknown"],
        "charges_not_seen": unseen,
        **_rates(sums),
        "submits_of_no_take": sums["is_stray"],
        "left_out_takes": sums["is_left_out"],
        "superseded_takes": sums["is_superseded"],
        "held_takes": sums["is_held"],
        "open_takes": sums["takes"] - sum(sums[f"is_{name}"] for name in ("verified", "failed", "held", "superseded")),
    }


def _less(whole: int | None, part: int | None) -> int | None:
    return None if whole is None or part is None else whole - part


def _rates(sums: Mapping[str, int]) -> dict[str, Any]:
    """Return seconds, what one cost and the yield; no price of a second while a charge or a length is not known."""
    told: dict[str, Any] = {
        "usable_s": sums["usable_ms"] / 1000,
        "in_cut_s": sums["in_cut_ms"] / 1000,
        "first_takes": sums["is_first"],
        "first_takes_good": sums["is_first_good"],
    }
    for name, second in (("usable", "usable_second"), ("in_cut", "second_in_cut")):
        milliseconds = sums[f"{name}_ms"]
        if milliseconds and not sums["is_unseen"] and not sums["unmeasured"]:
            rate = sums["charged"] * 1000 / milliseconds
            told[f"credits_per_{second}"] = round(rate, 2)
            told[f"usd_per_{second}"] = round(rate / CREDITS_PER_USD, 6)
    if sums["is_first"]:
        told["first_take_yield"] = round(sums["is_first_good"] / sums["is_first"], 4)
    return told
