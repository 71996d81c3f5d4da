"""The provider's ledger, page by page: which entries are charges or refunds, and what of them can be read. Pure.

Source: the provider's OpenAPI files, 2026-08-21.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from wanbatch.money.charge import Charge
from wanbatch.money.credits import read_credits
from wanbatch.provider.answers import read_generation_id, word_of
from wanbatch.provider.bodies import AnswerInvalid


@dataclass(frozen=True)
class LedgerKind:
    """Which entries of the ledger are meant: all that bring money in, or all that do not.

    Whatever their type is called, they count if they say what they are for, so that no charge is missed for a word;
    those that are known to be of the account (`of_the_account`) do not if they name nothing.
    """

    direction: str
    of_the_account: frozenset[str]


_OF_THE_ACCOUNT = frozenset({"ADJUSTMENT", "CREDITS_EXPIRED", "PAYMENT", "BONUS", "INIT", "REFUND"})
CHARGES = LedgerKind("CHARGE", _OF_THE_ACCOUNT)
REFUNDS = LedgerKind("TOPUP", _OF_THE_ACCOUNT | {"MODEL_USAGE"})


def read_charges(fields: Mapping[str, Any], kind: LedgerKind = CHARGES) -> tuple[list[Charge], str | None]:
    """Read one page of the ledger: its entries of one kind, and the cursor of the next page.

    One that cannot be read in full is marked as not legible. A cursor counts even where the page says that no more
    follows: an empty page ends it. Raises AnswerInvalid for anything but a page.
    """
    rows, pages = fields.get("data"), fields.get("pagination")
    if not isinstance(rows, list) or not isinstance(pages, Mapping):
        raise AnswerInvalid("a ledger page without data or pagination")
    charges = [charge for row in rows if (charge := _charge(row, kind)) is not None]
    cursor = pages.get("next_cursor")
    is_cursor = isinstance(cursor, str) and cursor != ""
    if pages.get("has_more") is not True:
        return charges, cursor if is_cursor and rows else None
    if not is_cursor:
        raise AnswerInvalid("a ledger page that says more follows, but not where")
    return charges, cursor


def _spent(amount: Mapping[str, Any]) -> int | None:
    """Return the credits of an amount; None if it names none, or zero beside another sum in USD: that is unknown."""
    spent, usd = read_credits(amount.get("credits")), amount.get("usd")
    is_sum = isinstance(usd, int | float) and not isinstance(usd, bool) and usd != 0
    return None if spent == 0 and is_sum else spent


def _charge(row: object, kind: LedgerKind) -> Charge | None:
    if not isinstance(row, Mapping) or (word_of(row.get("direction")) == "topup") != (kind is REFUNDS):
        return None
    amount, reference = row.get("amount"), read_generation_id(row.get("reference_id"))
    type_ = str(row.get("type")).strip().upper()
    if reference is None and type_ in kind.of_the_account:
        return None
    spent = _spent(amount) if isinstance(amount, Mapping) else None
    is_legible = reference is not None and spent is not None
    try:
        at = datetime.fromisoformat(str(row.get("created_at")))
    except ValueError:
        at, is_legible = datetime.max.replace(tzinfo=UTC), False
    model = row.get("model") or ("" if type_ not in kind.of_the_account else type_)  # a top-up's is of no model
    return Charge(
        reference or "",
        spent or 0,
        at if at.tzinfo else at.replace(tzinfo=UTC),
        model if isinstance(model, str) else "",
        is_legible=is_legible,
    )
