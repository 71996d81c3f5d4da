"""What attempts add to the sums of the model that they were sent to, which their take may have left since.

A take goes on with its fallback, or follows an edit; what was held, expected or charged before belongs to the model of
before.
"""

from __future__ import annotations

from collections.abc import Sequence

import pandas as pd

from wanbatch.batch.attempts import MAY_BE_CHARGED, NO_POST, Outcome
from wanbatch.batch.lifecycle import State
from wanbatch.reporting.book import Book

_NO_GENERATION = [each.value for each in (*NO_POST, Outcome.FAILED)]
_NEVER_ANSWERED = [Outcome.NOT_SENT.value, Outcome.TURNED_AWAY.value]  # the provider did not try
_MAY_BE_CHARGED = [each.value for each in MAY_BE_CHARGED]


def first_takes(book: Book) -> pd.DataFrame:
    """One row per take: whether it `is_first` of its shot with its model and came to an end, and `is_good` at once.

    It is good if its first submit made its clip, whoever asked for the next one: a run, a retry or an edit. Models that
    make the same shots side by side have a first take each. One that its fallback made is a first take of the model
    that failed.
    """
    takes, attempts = book.record.takes, book.record.attempts
    sent = attempts["number"] > 0
    tries = pd.DataFrame({"take_id": attempts["take_id"], "model": book.attempt_orders["model"]})[sent]
    first = tries.drop_duplicates("take_id").set_index("take_id")["model"]
    model = first.reindex(takes["take_id"]).set_axis(takes.index).fillna(book.orders["model"])
    is_verified, is_failed = (takes["state"] == each.value for each in (State.VERIFIED, State.FAILED))
    order = pd.DataFrame({"shot_id": takes["shot_id"], "model": model, "number": takes["number"]})
    is_lowest = order["number"] == order.groupby(["shot_id", "model"], dropna=False)["number"].transform("min")
    is_first = is_lowest & (is_verified | is_failed)
    is_own = (model == book.orders["model"]).fillna(value=False)
    tried = attempts[sent & ~attempts["outcome"].isin(_NEVER_ANSWERED)]
    number = tried.groupby("take_id")["number"].min().reindex(takes["take_id"]).set_axis(takes.index)
    is_at_once = number.isna() | (takes["attempt"] == number)
    return pd.DataFrame({"is_first": is_first, "is_good": is_first & is_verified & is_own & is_at_once}).astype(
        "boolean"
    )


def shifts_frame(book: Book, columns: Sequence[str]) -> pd.DataFrame:
    """Return what moves between models: rows by `columns` that add to the sums of a model what its attempts cost.

    Each amount occurs twice: added to the model of its attempt, subtracted from that of its take. So no total changes.
    Empty if no take went on with another model.
    """
    attempts = book.record.attempts
    if not book.record.earlier_recipes:
        return pd.DataFrame(columns=[*columns, "batch", "model"])
    owners = book.rows_of_takes(attempts)
    model, own = book.attempt_orders["model"], book.orders["model"].take(owners).set_axis(attempts.index)
    is_moved = (model != own).fillna(value=False)
    if not is_moved.any():
        return pd.DataFrame(columns=[*columns, "batch", "model"])
    mine = attempts[is_moved]
    takes = book.record.takes.take(owners[is_moved.to_numpy(dtype=bool)]).set_axis(mine.index)
    sent = attempts[attempts["number"] > 0]
    is_first = mine["number"] == sent.groupby("take_id")["number"].min().reindex(mine["take_id"]).to_numpy()
    is_first_take = first_takes(book)["is_first"].take(owners).set_axis(attempts.index)[is_moved]
    is_made = ~mine["outcome"].isin(_NO_GENERATION)
    has_failed = (mine["outcome"] == Outcome.FAILED.value) & (mine["error"] != "")
    charged = (
        mine["credits_charged"].fillna(0).mask((mine["generation_id"] == takes["generation_id"]).fillna(value=False), 0)
    )
    held = mine["credits_held"].where(is_made, 0)
    is_at_risk = mine["outcome"].isin(_MAY_BE_CHARGED) & mine["credits_charged"].isna()
    risk = mine[["credits_held", "credits_estimated"]].max(axis=1).where(is_at_risk, 0)
    cells = {
        "estimated": mine["credits_estimated"].where(is_first, 0).fillna(0),
        "estimated_unknown": is_first & mine["credits_estimated"].isna(),
        "held": held.fillna(0),
        "held_unknown": held.isna(),
        "at_risk": risk.fillna(0),
        "at_risk_unknown": risk.isna(),
        "charged": charged,
        "failed": charged.where(has_failed, 0),
        "extra": charged.mask(has_failed, 0),
        "outside_cut": charged,
        "is_first": is_first & is_first_take,
    }
    amounts = pd.DataFrame({name: cells.get(name, 0) for name in columns}, index=mine.index).astype("int64")
    added = amounts.assign(batch=book.batch, model=model[is_moved].fillna("").array)
    return pd.concat([added, (-amounts).assign(batch=book.batch, model=own[is_moved].fillna("").array)])
