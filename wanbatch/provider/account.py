"""The account: what the provider reports about a key and its payments. Pure; trusts no field.

Source: the provider's OpenAPI `key-get` (`GET /v1/key`) and `billing-detail-v2` (`GET /v2/billing/detail`), 2026-08-21.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from wanbatch.provider.bodies import AnswerInvalid
from wanbatch.text import shown

VIDEO_SCOPE = "model:video"
_PERIODS = {"no_reset": "for ever", "day": "a day", "week": "a week", "month": "a month"}


@dataclass(frozen=True)
class KeyFacts:
    """What the provider reports about a key. None means not reported.

    It reports the key that was used last: `is_ours` says whether that is the key in question. `scopes` is None if
    the key may call everything. `limit_usd` is what the key may spend `period` (for ever, a day, ...).
    """

    is_ours: bool
    is_disabled: bool | None
    scopes: tuple[str, ...] | None
    limit_usd: Decimal | None
    period: str = ""

    @property
    def forbids_video(self) -> bool:
        """Say whether the key's scopes leave out video; an empty list says nothing."""
        return bool(self.scopes) and VIDEO_SCOPE not in (self.scopes or ())


@dataclass(frozen=True)
class TopUp:
    """Whether the account is topped up on its own: below `threshold_usd`, by `amount_usd`; None if not reported."""

    is_on: bool
    threshold_usd: Decimal | None
    amount_usd: Decimal | None


def read_key(fields: Mapping[str, Any], is_ours: Callable[[str], bool]) -> KeyFacts:
    """Read the answer of `GET /v1/key`. `is_ours` says whether the key that asks begins with a prefix.

    Raises AnswerInvalid for an answer about no key.
    """
    data = fields.get("data")
    if not isinstance(data, Mapping):
        raise AnswerInvalid("an answer that names no key")
    prefix, disabled, scopes, limit = (data.get(name) for name in ("prefix", "disabled", "scopes", "limit"))
    limit_usd = _usd(limit.get("threshold")) if isinstance(limit, Mapping) else None
    return KeyFacts(
        is_ours=isinstance(prefix, str) and prefix != "" and is_ours(prefix),
        is_disabled=disabled if isinstance(disabled, bool) else None,
        scopes=tuple(shown(each) for each in scopes) if isinstance(scopes, list) else None,
        limit_usd=limit_usd,
        period=_period(limit) if limit_usd is not None and isinstance(limit, Mapping) else "",
    )


def _period(limit: Mapping[str, Any]) -> str:
    return _PERIODS.get(str(limit.get("retention")), "for an unknown period")


def read_top_up(fields: Mapping[str, Any]) -> TopUp:
    """Read what `GET /v2/billing/detail` reports about automatic top-ups, whichever account it names.

    Raises AnswerInvalid for an answer that does not say whether there are any.
    """
    settings = fields.get("autotopup_settings")
    if not isinstance(settings, Mapping) or not isinstance(settings.get("is_enabled"), bool):
        raise AnswerInvalid("an answer that does not say whether the account is topped up on its own")
    return TopUp(settings["is_enabled"], _usd(settings.get("threshold")), _usd(settings.get("amount")))


def _usd(value: object) -> Decimal | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    amount = Decimal(str(value))
    return amount if amount.is_finite() and amount >= 0 else None
