"""The cost report, made with pandas from the state file alone: what a batch was to cost, costs and will have cost.

One row a group on each level: the columns of COST_COLUMNS. Credits are Int64 and whole, shares and rates are Decimal,
written as text. A sum that has an unknown part is missing, its known part stands beside it; the counts say how many
takes are not in it. What was charged sums to the ledger's charges to the credit, on every level but tags, where a take
with two tags stands in both.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

import pandas as pd

from wanbatch.batch.attempts import Attempt
from wanbatch.batch.choice import choices
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.models import PriceClass
from wanbatch.batch.plan import ShotRow
from wanbatch.batch.take import Entry, Take, charged_by
from wanbatch.money.costs import Figures, TakeCost, attempts_by_take, cost_of, figures_of
from wanbatch.money.credits import CREDITS_PER_USD
from wanbatch.money.prices import QuotedPrice
from wanbatch.money.seen import prices_now
from wanbatch.reporting.frames import typed_frame, usd_cell
from wanbatch.state.reader import StateReader

COST_COLUMNS: dict[str, str] = {
    "level": "string",
    "key": "string",
    "takes": "Int64",
    "verified": "Int64",
    "failed": "Int64",
    "budget_credits": "Int64",
    "estimated_credits": "Int64",
    "estimated_known_credits": "Int64",
    "committed_credits": "Int64",
    "committed_known_credits": "Int64",
    "actual_credits": "Int64",
    "to_complete_credits": "Int64",
    "to_complete_known_credits": "Int64",
    "final_credits": "Int64",
    "final_known_credits": "Int64",
    "variance_to_budget_credits": "Int64",
    "variance_to_estimate_credits": "Int64",
    "budget_usd": "string",
    "estimated_usd": "string",
    "committed_usd": "string",
    "actual_usd": "string",
    "to_complete_usd": "string",
    "final_usd": "string",
    "variance_to_budget_usd": "string",
    "variance_to_estimate_usd": "string",
    "takes_of_unknown_cost": "Int64",
    "takes_of_unknown_price": "Int64",
    "charges_not_seen": "Int64",
    "in_use_credits": "Int64",
    "failed_credits": "Int64",
    "superseded_credits": "Int64",
    "held_credits": "Int64",
    "spare_credits": "Int64",
    "finished_s": "string",
    "usable_s": "string",
    "credits_per_finished_second": "string",
    "usd_per_finished_second": "string",
    "credits_per_usable_second": "string",
    "usd_per_usable_second": "string",
    "first_takes": "Int64",
    "first_takes_good": "Int64",
    "first_take_yield": "string",
}
SPEND_COLUMNS: dict[str, str] = {
    "at": "time",
    "batch": "string",
    "take": "string",
    "generation_id": "string",
    "event": "string",
    "credits": "Int64",
    "submitted_known_credits": "Int64",
    "charged_credits": "Int64",
}
PRICE_COLUMNS: dict[str, str] = {
    "batch": "string",
    "price_class": "string",
    "first_quoted_credits": "Int64",
    "first_source": "string",
    "last_quoted_credits": "Int64",
    "last_source": "string",
    "held_low_credits": "Int64",
    "held_high_credits": "Int64",
    "charged_low_credits": "Int64",
    "charged_high_credits": "Int64",
    "drift_percent": "string",
}
LEVELS = ("sequence", "scene", "tag", "cost_code")
_SUMS = ("actual", "in_use", "failed_cost", "superseded_cost", "held_back", "spare", "finished_ms", "usable_ms")
_COUNTS = ("is_verified", "is_failed", "is_unseen", "is_first", "is_first_good")
_PARTS = ("estimated", "committed", "to_complete")


@dataclass(frozen=True)
class Book:
    """All of one batch that its cost report is made from."""

    batch: str
    nonce: str
    is_sandbox: bool
    takes: Sequence[Take]
    attempts: Sequence[Attempt]
    shots: Sequence[ShotRow]
    quotes: Sequence[QuotedPrice]
    charges_told: Sequence[tuple[int, Entry]]
    budget: int | None
    scene_budgets: Mapping[str, int]
    strays: int

    @property
    def prices(self) -> dict[PriceClass, int]:
        """What a take of each class costs now."""
        return prices_now(self.takes, self.quotes)

    @property
    def figures(self) -> Figures:
        """Estimated, held and charged."""
        return figures_of(self.takes, self.attempts, self.prices)


@dataclass(frozen=True)
class Costs:
    """The tables of a cost report. See the module for what a row is."""

    costs: pd.DataFrame
    spend: pd.DataFrame
    prices: pd.DataFrame


def read_book(reader: StateReader) -> Book:
    """Read what the cost report of a batch is made from."""
    runs, identity = reader.runs(), reader.identity()
    return Book(
        batch=reader.batch(),
        nonce=identity.nonce,
        is_sandbox=identity.sandbox,
        takes=reader.takes(),
        attempts=reader.attempts(),
        shots=reader.shots(),
        quotes=reader.quotes(),
        charges_told=list(reader.entries(Fact.CHARGED)),
        budget=runs[-1].cap_credits if runs else None,
        scene_budgets=runs[-1].caps_by_scene if runs else {},
        strays=len(reader.strays()),
    )


def make_costs(books: Sequence[Book]) -> Costs:
    """Make the cost report of one batch, or of several together: then with a row for all of them first."""
    takes = pd.concat([_takes_frame(book) for book in books], ignore_index=True)
    return Costs(_costs_frame(takes, books), _spend_frame(books), _prices_frame(books))


# --- takes


def _takes_frame(book: Book) -> pd.DataFrame:
    """One row a take: where it belongs, and its money (Int64, missing where unknown)."""
    by_take, prices = attempts_by_take(book.attempts), book.prices
    shots = {row.shot_id: row for row in book.shots}
    usable = {each.take.take_id for each in choices(book.shots, book.takes) if each.take is not None}
    rows = []
    for take in book.takes:
        cost = cost_of(take, by_take.get(take.take_id, []), prices)
        rows.append(_take_row(book, take, cost, shots.get(take.shot_id)) | {"is_usable": take.take_id in usable})
    frame = pd.DataFrame(rows, columns=[*_TAKE_KINDS])
    frame["usable_ms"] = frame["finished_ms"].where(frame["is_usable"].astype(bool), 0)
    return frame.astype(_TAKE_KINDS)


_TAKE_KINDS: dict[str, Any] = {
    "batch": "string",
    "sequence": "string",
    "scene": "string",
    "tags": "object",
    "cost_code": "string",
    "is_usable": "boolean",
    "usable_ms": "Int64",
    **dict.fromkeys(_PARTS, "Int64"),
    **{name: "Int64" for name in _SUMS if name != "usable_ms"},
    **dict.fromkeys(_COUNTS, "Int64"),
}


def _take_row(book: Book, take: Take, cost: TakeCost, shot: ShotRow | None) -> dict[str, Any]:
    is_first = take.number == 1 and take.state in (State.VERIFIED, State.FAILED)
    is_verified = take.state is State.VERIFIED
    length_s = take.clip_duration_s if is_verified else None
    return {
        "batch": book.batch,
        "sequence": shot.sequence if shot is not None else "",
        "scene": shot.scene if shot is not None else "",
        "tags": shot.tags if shot is not None else (),
        "cost_code": shot.cost_code if shot is not None else "",
        "estimated": cost.estimated,
        "committed": cost.committed,
        "to_complete": cost.to_complete,
        "actual": cost.charged,
        "in_use": cost.in_use,
        "failed_cost": cost.failed,
        "superseded_cost": cost.superseded,
        "held_back": cost.held_back,
        "spare": cost.spare,
        "finished_ms": round(length_s * 1000) if length_s is not None else 0,
        "is_verified": int(is_verified and not take.superseded),
        "is_failed": int(take.state is State.FAILED and not take.superseded),
        "is_unseen": int(take.may_be_charged_more),
        "is_first": int(is_first),
        "is_first_good": int(is_first and is_verified and take.tries <= 1),
    }


# --- groups


def _costs_frame(takes: pd.DataFrame, books: Sequence[Book]) -> pd.DataFrame:
    rows = []
    if len(books) > 1:
        budgets = [book.budget for book in books]
        known = [budget for budget in budgets if budget is not None]
        rows.append(_group_row("all", "all", takes, sum(known) if len(known) == len(budgets) else None))
    rows += [_group_row("batch", book.batch, takes[takes["batch"] == book.batch], book.budget) for book in books]
    for level in LEVELS:
        for key, group in _groups(takes, level):
            rows.append(_group_row(level, key, group, _scene_budget(key, group, books) if level == "scene" else None))
    return typed_frame(rows, COST_COLUMNS)


def _scene_budget(scene: str, group: pd.DataFrame, books: Sequence[Book]) -> int | None:
    """Add up what a scene may cost; None where a batch with takes in it gives it no budget."""
    names = set(group["batch"])
    parts = [book.scene_budgets.get(scene) for book in books if book.batch in names]
    known = [part for part in parts if part is not None]
    return sum(known) if known and len(known) == len(parts) else None


def _groups(takes: pd.DataFrame, level: str) -> list[tuple[str, pd.DataFrame]]:
    """Split by a level, in the order of the takes; nothing where no take has a name there."""
    if level == "tag":
        tagged = takes.assign(tag=takes["tags"].map(list)).explode("tag")
        keys = tagged["tag"].fillna("").astype("string")
    else:
        tagged, keys = takes, takes[level].fillna("")
    if not (keys != "").any():
        return []
    return [(str(key), group) for key, group in tagged.groupby(keys, sort=False)]


def _group_row(level: str, key: str, group: pd.DataFrame, budget: int | None) -> dict[str, Any]:
    sums = {name: int(group[name].sum()) for name in (*_SUMS, *_COUNTS)}
    known = {name: int(group[name].sum()) for name in _PARTS}
    unknown = {name: int(group[name].isna().sum()) for name in _PARTS}
    whole = {name: None if unknown[name] else known[name] for name in _PARTS}
    is_whole = not unknown["committed"] and not unknown["to_complete"]
    final_known = sums["actual"] + known["committed"] + known["to_complete"]
    final = final_known if is_whole else None
    to_budget = None if final is None or budget is None else budget - final
    estimated = whole["estimated"]
    to_estimate = None if final is None or estimated is None else estimated - final
    told = {
        "budget": budget,
        **whole,
        "actual": sums["actual"],
        "final": final,
        "variance_to_budget": to_budget,
        "variance_to_estimate": to_estimate,
    }
    return {
        "level": level,
        "key": key,
        "takes": len(group),
        "verified": sums["is_verified"],
        "failed": sums["is_failed"],
        **{f"{name}_credits": value for name, value in told.items()},
        **{f"{name}_known_credits": value for name, value in known.items()},
        "final_known_credits": final_known,
        **{f"{name}_usd": None if value is None else usd_cell(value) for name, value in told.items()},
        "takes_of_unknown_cost": unknown["committed"],
        "takes_of_unknown_price": unknown["to_complete"],
        "charges_not_seen": sums["is_unseen"],
        "in_use_credits": sums["in_use"],
        "failed_credits": sums["failed_cost"],
        "superseded_credits": sums["superseded_cost"],
        "held_credits": sums["held_back"],
        "spare_credits": sums["spare"],
        **_rates(sums),
    }


def _rates(sums: Mapping[str, int]) -> dict[str, Any]:
    """Return seconds, what one cost and the yield as texts; no price of a second while a charge is not seen."""
    told: dict[str, Any] = {
        "finished_s": str(Decimal(sums["finished_ms"]) / 1000),
        "usable_s": str(Decimal(sums["usable_ms"]) / 1000),
        "first_takes": sums["is_first"],
        "first_takes_good": sums["is_first_good"],
    }
    for name in ("finished", "usable"):
        milliseconds = sums[f"{name}_ms"]
        if milliseconds and not sums["is_unseen"]:
            rate = Decimal(sums["actual"] * 1000) / milliseconds
            told[f"credits_per_{name}_second"] = str(rate.quantize(Decimal("0.01")))
            told[f"usd_per_{name}_second"] = str((rate / CREDITS_PER_USD).quantize(Decimal("0.000001")))
    if sums["is_first"]:
        share = Decimal(sums["is_first_good"]) / sums["is_first"]
        told["first_take_yield"] = str(share.quantize(Decimal("0.0001")))
    return told


# --- over time


def _spend_frame(books: Sequence[Book]) -> pd.DataFrame:
    """One row an event: a submit with what it held or was expected to, a charge when the ledger showed it."""
    events: list[dict[str, Any]] = []
    for book in books:
        labels = {take.take_id: take.label for take in book.takes}
        for each in book.attempts:
            held = each.credits_held if each.credits_held is not None else each.credits_estimated
            if each.generation_id is not None:
                told = {"generation_id": each.generation_id, "event": "submitted", "credits": held}
                events.append({"at": each.started_at, "batch": book.batch, "take": labels[each.take_id], **told})
        for take_id, charge in book.charges_told:
            spent = charged_by(charge)
            told = {"generation_id": charge.data.get("generation_id"), "event": "charged", "credits": spent}
            events.append({"at": charge.at, "batch": book.batch, "take": labels[take_id], **told})
    events.sort(key=lambda event: (event["at"], event["take"], event["event"]))
    submitted = charged = 0
    for event in events:
        known = event["credits"] or 0
        submitted += known if event["event"] == "submitted" else 0
        charged += known if event["event"] == "charged" else 0
        event |= {"submitted_known_credits": submitted, "charged_credits": charged}
    return typed_frame(events, SPEND_COLUMNS)


_BUCKETS = (("D", 2 * 86_400), ("h", 2 * 3_600), ("10min", 0))
BUCKETS_SHOWN = 48


def spend_by_time(spend: pd.DataFrame) -> list[dict[str, Any]]:
    """Sum the spend by day, hour or ten minutes, whichever suits its length: at, submits, charges, charged, so far."""
    if not len(spend):
        return []
    span_s = (spend["at"].max() - spend["at"].min()).total_seconds()
    width = next(name for name, least_s in _BUCKETS if span_s >= least_s)
    rows = []
    so_far = 0
    for at, group in spend.groupby(spend["at"].dt.floor(width)):
        charges = group[group["event"] == "charged"]
        charged = int(charges["credits"].sum())
        so_far += charged
        counts = {"submits": int((group["event"] == "submitted").sum()), "charges": len(charges)}
        rows.append({"at": at.isoformat(), **counts, "charged_credits": charged, "charged_so_far_credits": so_far})
    return rows[-BUCKETS_SHOWN:]


# --- prices


def _prices_frame(books: Sequence[Book]) -> pd.DataFrame:
    """One row a price class: what it was quoted at first and last, what answers held and the ledger charged."""
    rows = []
    for book in books:
        names = list(dict.fromkeys([*(q.price_class for q in book.quotes), *_seen_classes(book.takes)]))
        rows += [_price_row(book, name) for name in names]
    return typed_frame(rows, PRICE_COLUMNS)


def _seen_classes(takes: Sequence[Take]) -> list[str]:
    return [str(take.order.price_class) for take in takes if take.submitted_at is not None]


def _price_row(book: Book, name: str) -> dict[str, Any]:
    quotes = [each for each in book.quotes if each.price_class == name]
    mine = {take.take_id for take in book.takes if str(take.order.price_class) == name}
    attempts = [each for each in book.attempts if each.take_id in mine]
    held = [each.credits_held for each in attempts if each.credits_held is not None]
    charged = [each.credits_charged for each in attempts if each.credits_charged]
    first = next((each for each in quotes if each.credits is not None), None)
    last = quotes[-1] if quotes else None
    seen = charged or held
    drift = None
    if first is not None and first.credits and seen:
        drift = (Decimal(seen[-1] - first.credits) * 100 / first.credits).quantize(Decimal("0.01"))
    return {
        "batch": book.batch,
        "price_class": name,
        "first_quoted_credits": first.credits if first is not None else None,
        "first_source": first.source if first is not None else None,
        "last_quoted_credits": last.credits if last is not None else None,
        "last_source": last.source if last is not None else None,
        "held_low_credits": min(held, default=None),
        "held_high_credits": max(held, default=None),
        "charged_low_credits": min(charged, default=None),
        "charged_high_credits": max(charged, default=None),
        "drift_percent": None if drift is None else str(drift),
    }
