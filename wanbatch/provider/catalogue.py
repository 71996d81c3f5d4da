"""The catalogue: the provider's public lists of models, their prices and their ends. Each is fetched once, then
confirmed.

With a cache, an unchanged list is not sent again (304), and one that the provider gives no
answer for now comes from the cache. A live answer always wins, even one without a price.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Protocol

from wanbatch.batch.models import PriceClass
from wanbatch.clock import system_now
from wanbatch.money.prices import Quote, unknown_quote
from wanbatch.provider.answers import Head, read_trouble
from wanbatch.provider.bodies import AnswerInvalid, read_object
from wanbatch.provider.endings import Ending, read_endings
from wanbatch.provider.listed import ListedModel, PublishedSchema, path_of, read_listed
from wanbatch.provider.pricecache import Listed, PriceCache, read_etag
from wanbatch.provider.protocol import NoAnswer, Trouble
from wanbatch.provider.published import schema_in
from wanbatch.provider.tariff import listed_quote

FILE_CAP_BYTES = 2 * 1024 * 1024
LIST_CAP_BYTES = 8 * 1024 * 1024
ENDINGS_NAME = ":deprecations"  # its name in the cache; no model has such a name
HTTP_NOT_MODIFIED = 304

Get = Callable[[str, Mapping[str, str], int, Mapping[str, str]], Awaitable[tuple[Head, bytes | None] | NoAnswer]]
"""Sends one GET: path, parameters, cap of the body in bytes, headers."""


class Retried(Protocol):
    """Retries a read if that is worth it."""

    async def __call__(self, read: Callable[..., Awaitable[Listed | NoAnswer]], *arguments: Any) -> Listed | NoAnswer:
        """Read with these arguments."""
        ...


@dataclass(frozen=True)
class _Question:
    """One list: where to ask for it, under which name to keep it, and what to keep of the answer."""

    path: str
    params: Mapping[str, str]
    name: str
    take: Callable[[Mapping[str, Any]], Any]


class Catalogue:
    """The lists of one provider. `price_cache` is None if they are not worth keeping."""

    def __init__(self, get: Get, retried: Retried, price_cache: PriceCache | None) -> None:
        self._get = get
        self._retried = retried
        self._price_cache = price_cache

    async def quotes(self, classes: Sequence[PriceClass]) -> dict[PriceClass, Quote]:
        """Read the price of each class; if there is none, its quote is unknown and says why. One request a model."""
        models = sorted({each.model for each in classes})
        found = await asyncio.gather(*map(self._prices_of, models))
        read = dict(zip(models, found, strict=True))
        return {each: read[each.model](each) for each in classes}

    async def _prices_of(self, model: str) -> Callable[[PriceClass], Quote]:
        params = {"id": model, "include": "pricing"}
        question = _Question("/v1/models", params, model, lambda fields: pricing_in(fields, model))
        kept = self._kept(model)
        answer = await self._ask(question, kept)
        if isinstance(answer, Listed):
            pricing = answer.pricing
            return lambda each: listed_quote(pricing, each)
        if kept is None:
            why = f"wanbatch could not ask the provider: {answer.message}"
            return lambda _: unknown_quote(why)
        pricing, age = kept.pricing, kept.age_text(system_now())
        return lambda each: _aged(listed_quote(pricing, each), age)

    async def endings(self) -> tuple[Ending, ...] | NoAnswer:
        """Read which models end; the cached list if the provider does not answer."""
        question = _Question("/v1/models/deprecations", {}, ENDINGS_NAME, _rows_of_endings)
        kept = self._kept(ENDINGS_NAME)
        answer = await self._ask(question, kept)
        if isinstance(answer, NoAnswer) and kept is None:
            return answer
        listed = answer if isinstance(answer, Listed) else kept
        try:
            return read_endings({"data": listed.pricing if listed is not None else None})
        except AnswerInvalid as error:  # what was cached is not a list
            return answer if isinstance(answer, NoAnswer) else NoAnswer(Trouble.TRANSIENT, str(error))

    async def listed(self) -> tuple[ListedModel, ...] | NoAnswer:
        """Read which video models the provider serves now."""
        params = {"output_modalities": "video", "include": "all"}
        question = _Question("/v1/models", params, "", read_listed)
        answer = await self._retried(self._ask_once, question, None)
        return answer.pricing if isinstance(answer, Listed) else answer

    async def published(self, model: ListedModel, name: str, base_url: str) -> PublishedSchema | NoAnswer:
        """Read the request schema of a model from its own file; `name` is the one that requests are to have."""
        try:
            path, params = path_of(model.docs, base_url)
        except AnswerInvalid as error:
            return NoAnswer(Trouble.INVALID, str(error))
        answer = await self._get(path, params, FILE_CAP_BYTES, {})
        if isinstance(answer, NoAnswer):
            return answer
        head, body = answer
        if head.is_success and body is None:
            words = f"its file is encoded, or larger than {FILE_CAP_BYTES:,} bytes, the most that wanbatch reads of one"
            return NoAnswer(Trouble.INVALID, words)
        if not head.is_success or body is None:
            return read_trouble(head, body)
        try:
            return PublishedSchema(schema_in(read_object(body), name), model.docs, hashlib.sha256(body).hexdigest())
        except AnswerInvalid as error:
            return NoAnswer(Trouble.INVALID, f"its file cannot be used: {error}")

    def _kept(self, name: str) -> Listed | None:
        return self._price_cache.get(name, system_now()) if self._price_cache is not None else None

    async def _ask(self, question: _Question, kept: Listed | None) -> Listed | NoAnswer:
        answer = await self._retried(self._ask_once, question, kept)
        if isinstance(answer, Listed) and self._price_cache is not None:
            self._price_cache.keep(question.name, answer)
        return answer

    async def _ask_once(self, question: _Question, kept: Listed | None) -> Listed | NoAnswer:
        headers = {"If-None-Match": kept.etag} if kept is not None and kept.etag else {}
        answer = await self._get(question.path, question.params, LIST_CAP_BYTES, headers)
        if isinstance(answer, NoAnswer):
            return answer
        head, body = answer
        now = system_now()
        if head.status == HTTP_NOT_MODIFIED and kept is not None and headers:
            return replace(kept, at=now)
        if not head.is_success or body is None:
            return read_trouble(head, body)
        try:
            return Listed(question.take(read_object(body)), read_etag(head.headers.get("etag")), now)
        except AnswerInvalid as error:
            return NoAnswer(Trouble.TRANSIENT, f"its answer is not a list of models: {error}")


def _aged(quote: Quote, age: str) -> Quote:
    if quote.credits is None:
        return replace(quote, why=f"{quote.why} ({age})")
    return replace(quote, source=age, is_live=False)


def pricing_in(fields: Mapping[str, Any], model: str) -> object:
    """Return the `pricing` of a model in the provider's list, by its id or any alias; None if it is not listed.

    Raises AnswerInvalid for anything but a list of models.
    """
    rows = fields.get("data")
    if not isinstance(rows, list):
        raise AnswerInvalid("a list of models without rows")
    named = [row for row in rows if isinstance(row, Mapping) and _is_named(row, model)]
    exact = [row for row in named if row.get("id") == model]
    return next((row.get("pricing") for row in exact or named), None)


def _is_named(row: Mapping[str, Any], model: str) -> bool:
    aliases = row.get("aliases")
    return row.get("id") == model or (isinstance(aliases, list) and model in aliases)


def _rows_of_endings(fields: Mapping[str, Any]) -> Any:
    read_endings(fields)  # anything but a list is not an answer and is not cached
    return fields["data"]
