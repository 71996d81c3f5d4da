"""The inquiry: what wanbatch asks the provider before it sends anything. All parts run at once and have a time limit.

A run does not depend on it: a part without an answer says why, and the others are still used.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import dataclass, field
from decimal import Decimal
from typing import TypeVar

from wanbatch.batch.models import PriceClass
from wanbatch.money.prices import Quote, unknown_quote
from wanbatch.provider.account import KeyFacts, TopUp
from wanbatch.provider.endings import Ending
from wanbatch.provider.protocol import NoAnswer, Provider, Trouble

PART_LIMIT_S = 10.0  # the user waits for the plan

T = TypeVar("T")


@dataclass(frozen=True)
class Inquiry:
    """What the provider answered. None means not asked; a NoAnswer means asked without an answer.

    `quotes` has every class that was asked for; one without a certain price says why.
    """

    quotes: Mapping[PriceClass, Quote] = field(default_factory=dict)
    balance_usd: Decimal | NoAnswer | None = None
    key: KeyFacts | NoAnswer | None = None
    top_up: TopUp | NoAnswer | None = None
    endings: Sequence[Ending] | NoAnswer | None = None


def not_asked(classes: Sequence[PriceClass], why: str) -> Inquiry:
    """Return an inquiry that asked nothing, with the reason."""
    return Inquiry(dict.fromkeys(classes, unknown_quote(why)))


async def inquire(provider: Provider, classes: Sequence[PriceClass], *, has_key: bool) -> Inquiry:
    """Ask for prices and ends of models, and with a key for its account. Lasts 10 s at most."""
    models = sorted({each.model for each in classes})
    parts = [_bounded(provider.quotes([each for each in classes if each.model == model])) for model in models]
    prices, endings, account = await asyncio.gather(
        asyncio.gather(*parts), _bounded(provider.endings()), _account(provider) if has_key else _nothing()
    )
    quotes: dict[PriceClass, Quote] = {}
    for model, found in zip(models, prices, strict=True):
        if isinstance(found, NoAnswer):
            why = unknown_quote(f"wanbatch could not ask the provider: {found.message}")
            quotes |= {each: why for each in classes if each.model == model}
        else:
            quotes |= found
    balance_usd, key, top_up = account
    return Inquiry(quotes, balance_usd, key, top_up, endings)


_Account = tuple[Decimal | NoAnswer | None, KeyFacts | NoAnswer | None, TopUp | NoAnswer | None]


async def _account(provider: Provider) -> _Account:
    return await asyncio.gather(
        _bounded(provider.account()), _bounded(provider.key_facts()), _bounded(provider.top_up())
    )


async def _nothing() -> _Account:
    return None, None, None


async def _bounded(part: Awaitable[T]) -> T | NoAnswer:
    try:
        async with asyncio.timeout(PART_LIMIT_S):
            return await part
    except TimeoutError:
        return NoAnswer(Trouble.TRANSIENT, f"no answer within {PART_LIMIT_S:g} s")
