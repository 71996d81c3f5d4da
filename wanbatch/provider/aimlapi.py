"""AI/ML API over httpx: the paid POST, sent once; reads, retried; clips, fetched without credentials.

Three clients: submits (no reuse of connections, no retries, no redirects), reads, and clips (never the key). Each has
few connections, as httpx's pool slows down with their number; concurrency is bounded by the runner.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime, timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime
from random import Random
from typing import Any, TypeVar
from urllib.parse import urlencode

import httpx
from tenacity import AsyncRetrying, RetryCallState, retry_if_result, stop_after_attempt

from wanbatch.batch.given_files import Body
from wanbatch.batch.models import PriceClass
from wanbatch.batch.shots import Recipe
from wanbatch.clock import Clock
from wanbatch.money.charge import Charge
from wanbatch.money.ledger import entries_in
from wanbatch.money.prices import Quote
from wanbatch.pace.backoff import backoff_s
from wanbatch.provider.account import KeyFacts, TopUp, read_key, read_top_up
from wanbatch.provider.answers import (
    REQUEST_ID,
    Head,
    read_balance,
    read_progress,
    read_submit,
    read_trouble,
)
from wanbatch.provider.bodies import AnswerInvalid, read_object
from wanbatch.provider.catalogue import Catalogue
from wanbatch.provider.cliphost import ClipHost, resolve
from wanbatch.provider.clocks import ENOUGH, Skew, span_text
from wanbatch.provider.endings import Ending
from wanbatch.provider.endpoint import Endpoint
from wanbatch.provider.ledger_page import CHARGES, REFUNDS, LedgerKind, read_charges
from wanbatch.provider.listed import ListedModel, PublishedSchema
from wanbatch.provider.pricecache import PriceCache
from wanbatch.provider.protocol import (
    FetchAnswer,
    LogScan,
    NoAnswer,
    NotSent,
    PollAnswer,
    Secret,
    SubmitAnswer,
    Trouble,
    Unknown,
)
from wanbatch.provider.requestlog import RequestLog
from wanbatch.provider.wire import (
    READ_DEADLINE_S,
    Wire,
    capped,
    content_of,
    exchange_errors,
    head_of,
    is_tls,
    make_client,
    reason,
    route_here,
    tls,
)
from wanbatch.redaction import Redaction

GENERATIONS = "/v2/video/generations"
READ_TRIES = 3
SLOWEST_BYTES_S = 64 * 1024  # of a line that uploads pictures: giving up early makes a good submit an unknown one
READS_KEPT = 4  # idle connections; each is looked at twice a request, a handshake for a burst costs less
BODY_CAP_BYTES = 1024 * 1024
LEDGER_CAP_BYTES = 8 * 1024 * 1024
LEDGER_LIMIT = 100  # entries a page
DATE_ASKS = 9  # as many as are remembered, so that old answers do not count

A = TypeVar("A", SubmitAnswer, PollAnswer, NoAnswer, FetchAnswer)
R = TypeVar("R")


IDS = frozenset({"generation_id", "conflict"})


class AimlApi:
    """The provider behind `wanbatch.provider.Provider`. Close it with `aclose`."""

    def __init__(
        self,
        endpoint: Endpoint,
        key: Secret | None,
        clock: Clock,
        rng: Random,
        transport: httpx.AsyncBaseTransport | None = None,
    ) -> None:
        self._endpoint = endpoint
        self._clock = clock
        self._rng = rng
        context = tls()
        bearer = {} if key is None else {"Authorization": f"Bearer {key.reveal()}"}
        self._is_ours: Callable[[str], bool] = (lambda _: False) if key is None else key.reveal().startswith
        self._redact = None if key is None else Redaction(key.reveal())
        self.price_cache: PriceCache | None = None  # keeps price lists; None if they are not worth keeping
        self._skew = Skew()
        self._exchange_errors = exchange_errors()
        self._log = RequestLog(self._read, self.ahead, clock)
        route = None if endpoint.is_loopback or transport is not None else route_here()
        self._submits = make_client(bearer, context, keepalive=0, route=route, transport=transport)
        self._reads = make_client(bearer, context, keepalive=READS_KEPT, route=route, transport=transport)
        self._read_headers = {**self._reads.headers, "cache-control": "no-cache"}  # two equal answers have to be two
        self._read_extensions = {"timeout": self._reads.timeout.as_dict()}
        self._fetches = make_client({}, context, route=route, transport=transport)
        lookup = resolve if transport is None else None  # a transport that is passed in knows no addresses
        self._clips = ClipHost(self._fetches, is_loopback=endpoint.is_loopback, resolve=lookup, route=route)

    async def aclose(self) -> None:
        """Close the connections."""
        for client in (self._submits, self._reads, self._fetches):
            await client.aclose()

    # --- submit

    async def submit(
        self, recipe: Recipe, request_id: str, on_accepted: Callable[[str], None], body: Body | None = None
    ) -> SubmitAnswer:
        """Send the paid POST exactly once, whatever happens to it."""
        whole = Body((recipe.canonical.encode(),)) if body is None else body
        return self._masked(await self._submit(whole, request_id, on_accepted))

    async def _submit(self, body: Body, request_id: str, on_accepted: Callable[[str], None]) -> SubmitAnswer:
        assert REQUEST_ID.fullmatch(request_id), "the provider would silently drop this request id"
        patience_s = self._endpoint.patience.post_s + body.size_bytes / SLOWEST_BYTES_S
        wire = Wire()
        request = self._submits.build_request(
            "POST",
            self._endpoint.base_url + GENERATIONS,
            content=content_of(body),
            headers={
                "Content-Type": "application/json",
                "Content-Length": str(body.size_bytes),
                "X-Client-Request-Id": request_id,
            },
            timeout=httpx.Timeout(patience_s, connect=10.0, pool=None),
            extensions={"trace": wire.trace},
        )
        head: Head | None = None
        said: bytes | None = None
        try:
            async with asyncio.timeout(patience_s):
                response = await self._submits.send(request, stream=True)
                head = head_of(response)
                try:
                    is_ours = head.is_success and not head.is_of_another_submit(request_id)
                    if is_ours and head.generation_id is not None:
                        on_accepted(head.generation_id)
                    said = await capped(response, BODY_CAP_BYTES)
                finally:
                    await response.aclose()
        except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.ProxyError) as error:
            if head is None and not wire.has_sent:
                return NotSent(wire.reason(error), is_final=is_tls(error))
            return Unknown(reason(error))
        except self._exchange_errors as error:
            if head is None:
                is_unsent = wire.is_unsent
                return NotSent(wire.reason(error), is_final=is_tls(error)) if is_unsent else Unknown(reason(error))
        except Exception as error:
            if head is not None or not wire.is_unsent:
                raise
            return NotSent(wire.reason(error), is_final=is_tls(error))  # whatever it is, it happened before the request
        return read_submit(head, said, request_id)

    # --- reads

    async def poll(self, generation_id: str) -> PollAnswer:
        """Ask how a generation stands."""
        answer = await self._read(GENERATIONS, {"generation_id": generation_id}, BODY_CAP_BYTES)
        return self._masked(answer if isinstance(answer, NoAnswer) else read_progress(answer))

    async def charges(self, since: datetime) -> Sequence[Charge] | NoAnswer:
        """Read the ledger's charges for generations since a time: all pages, each charge as often as it occurs."""
        return await self._ledger(since, CHARGES)

    async def refunds(self, since: datetime) -> Sequence[Charge] | NoAnswer:
        """Read the ledger's refunds since a time, if they name a generation."""
        return await self._ledger(since, REFUNDS)

    async def _ledger(self, since: datetime, kind: LedgerKind) -> Sequence[Charge] | NoAnswer:
        found, is_checked = Counter[Charge](), False
        limits = [LEDGER_LIMIT]
        while limits:
            pages = await self._ledger_pages(since, kind, limits.pop())
            if isinstance(pages, NoAnswer):
                return pages
            counts, has_seam = entries_in(pages)
            found |= counts
            if not has_seam:
                break
            if not is_checked:
                limits, is_checked = _other_limits(max(map(len, pages))), True
        return list(found.elements())

    async def _ledger_pages(
        self, since: datetime, kind: LedgerKind, limit: int
    ) -> Sequence[Sequence[Charge]] | NoAnswer:
        pages: list[Sequence[Charge]] = []
        seen_cursors: set[str] = set()
        cursor: str | None = None
        pages_max = self._endpoint.patience.ledger_pages
        for _ in range(pages_max):
            params = {"from": since.isoformat(), "direction": kind.direction, "limit": str(limit)}
            answer = await self._read(
                "/v2/billing/transactions", {**params, **({"cursor": cursor} if cursor else {})}, LEDGER_CAP_BYTES
            )
            if isinstance(answer, NoAnswer):
                return answer
            try:
                page, cursor = read_charges(read_object(answer), kind)
            except AnswerInvalid as error:
                return NoAnswer(Trouble.TRANSIENT, str(error))
            pages.append(page)
            if cursor is None:
                return pages
            if cursor in seen_cursors:
                return NoAnswer(Trouble.TRANSIENT, "the pages of the ledger repeat")
            seen_cursors.add(cursor)
        return NoAnswer(Trouble.TRANSIENT, f"the ledger has more than {pages_max} pages")

    async def scan_log(self, since: datetime) -> LogScan | NoAnswer:
        """Read the whole request log of our key since a time; never a part of it."""
        return await self._log.scan(since)

    async def ahead(self) -> timedelta | NoAnswer | None:
        """Return how far the provider's clock is ahead of ours; None if its answers have no dates.

        If too few answers had a date so far, or they contradict each other, it asks for some more.
        """
        for asked in range(DATE_ASKS):
            if self._skew.is_settled:
                return self._skew.ahead
            if self._skew.ahead is None and asked >= ENOUGH:
                return None
            answer = await self._retried(self._get, "/v2/billing", {}, BODY_CAP_BYTES, {})
            if isinstance(answer, NoAnswer):
                return answer
        if self._skew.is_settled:
            return self._skew.ahead
        return NoAnswer(
            Trouble.CLOCKS,
            f"HTTP dates of the provider's answers contradict each other by {span_text(self._skew.spread)}, so the"
            " provider's time is unknown",
        )

    def _note_date(self, head: Head, sent: datetime) -> None:
        """Learn the provider's time from a fresh answer, not from one that a cache kept."""
        try:
            if head.headers.get("age", "0").strip() in ("", "0"):
                self._skew.note(parsedate_to_datetime(head.headers["date"]), sent, self._clock.now())
        except (KeyError, ValueError, TypeError, OverflowError):
            return

    async def quotes(self, classes: Sequence[PriceClass]) -> dict[PriceClass, Quote]:
        """Read the price list; a class without a certain price gets an unknown quote that says why."""
        return await self._catalogue().quotes(classes)

    async def endings(self) -> tuple[Ending, ...] | NoAnswer:
        """Read which models the provider has retired or will retire."""
        return await self._catalogue().endings()

    async def listed_models(self) -> tuple[ListedModel, ...] | NoAnswer:
        """Read which video models are served now."""
        return await self._catalogue().listed()

    async def published_schema(self, model: ListedModel, name: str) -> PublishedSchema | NoAnswer:
        """Read the request schema of a model from its own file on the provider's host."""
        return await self._catalogue().published(model, name, self._endpoint.base_url)

    def _catalogue(self) -> Catalogue:
        return Catalogue(self._get, self._retried, self.price_cache)

    async def key_facts(self) -> KeyFacts | NoAnswer:
        """Read what the provider reports about the key that was used last: its limit, its scopes, whether it is
        disabled.
        """
        return await self._fields("/v1/key", lambda reported: read_key(reported, self._is_ours))

    async def top_up(self) -> TopUp | NoAnswer:
        """Read whether the account is topped up on its own."""
        return await self._fields("/v2/billing/detail", read_top_up)

    async def _fields(self, path: str, read: Callable[[Mapping[str, Any]], R]) -> R | NoAnswer:
        answer = await self._read(path, {}, BODY_CAP_BYTES)
        try:
            return answer if isinstance(answer, NoAnswer) else read(read_object(answer))
        except AnswerInvalid as error:
            return NoAnswer(Trouble.TRANSIENT, str(error))

    async def account(self) -> Decimal | NoAnswer:
        """Read the balance in USD, or why it cannot be read. It also shows whether the key is accepted."""
        answer = await self._read("/v2/billing", {}, BODY_CAP_BYTES)
        return answer if isinstance(answer, NoAnswer) else read_balance(answer)

    async def _read(self, path: str, params: Mapping[str, str], cap_bytes: int) -> bytes | NoAnswer:
        return await self._retried(self._read_once, path, params, cap_bytes)

    async def _retried(self, read: Callable[..., Awaitable[R | NoAnswer]], *arguments: Any) -> R | NoAnswer:
        """GET with retries: three for transport errors, 5xx and broken bodies, with full jitter on our own clock."""

        def wait_s(state: RetryCallState) -> float:
            return backoff_s(state.attempt_number, self._rng)

        answer = await read(*arguments)
        if not _is_worth_retrying(
            answer
        ):  # most are answered at once, and a retry loop is a third of the cost of a poll
            return self._masked(answer) if isinstance(answer, NoAnswer) else answer
        first: list[R | NoAnswer] = [answer]

        async def again() -> R | NoAnswer:
            return first.pop() if first else await read(*arguments)

        retrying = AsyncRetrying(
            sleep=self._clock.sleep,
            stop=stop_after_attempt(READ_TRIES),
            wait=wait_s,
            retry=retry_if_result(_is_worth_retrying),
            retry_error_callback=lambda state: state.outcome.result() if state.outcome else None,
            reraise=True,
        )
        answer = await retrying(again)
        return self._masked(answer) if isinstance(answer, NoAnswer) else answer

    def _masked(self, answer: A) -> A:
        """Remove the key from a server's text: some servers echo the request that they refuse. Ids and kinds stay."""
        if self._redact is None:
            return answer
        texts = {each.name: getattr(answer, each.name) for each in fields(answer) if each.name not in IDS}
        said: dict[str, Any] = {name: self._redact(text) for name, text in texts.items() if type(text) is str}
        said = {name: text for name, text in said.items() if text != texts[name]}
        return replace(answer, **said) if said else answer

    async def _read_once(self, path: str, params: Mapping[str, str], cap_bytes: int) -> bytes | NoAnswer:
        answer = await self._get(path, params, cap_bytes, {})
        if isinstance(answer, NoAnswer):
            return answer
        head, body = answer
        if not head.is_success:
            return read_trouble(head, body)
        return body if body is not None else NoAnswer(Trouble.TRANSIENT, "an answer that was cut short or too long")

    async def _get(
        self, path: str, params: Mapping[str, str], cap_bytes: int, headers: Mapping[str, str]
    ) -> tuple[Head, bytes | None] | NoAnswer:
        # Built here, not by `client.get`, which parses the address four times: polls are most of the requests.
        url = self._endpoint.base_url + path + (f"?{urlencode(params)}" if params else "")
        try:
            request = httpx.Request(
                "GET", url, headers={**self._read_headers, **headers}, extensions=dict(self._read_extensions)
            )
            async with asyncio.timeout(READ_DEADLINE_S):
                sent = self._clock.now()
                response = await self._reads.send(request, stream=True)
                head = head_of(response)
                self._note_date(head, sent)
                try:
                    body = await capped(response, cap_bytes)
                finally:
                    await response.aclose()
        except self._exchange_errors as error:
            return NoAnswer(Trouble.TRANSIENT, reason(error))
        return head, body

    # --- clips

    async def fetch(self, link: Secret, sink: Callable[[bytes], object]) -> FetchAnswer:
        """Fetch a clip from the host that the link names, following at most five redirects, each checked again."""
        return self._masked(await self._clips.fetch(link.reveal(), sink))


def _is_worth_retrying(answer: object) -> bool:
    # A 429 is not retried: the runner slows all reads down instead.
    return isinstance(answer, NoAnswer) and answer.trouble is Trouble.TRANSIENT and not answer.is_too_fast


def _other_limits(longest: int) -> list[int]:
    """Return how many entries to ask for, last one first, so that no page of up to `longest` ends where one did."""
    return [max(1, longest - fewer) for fewer in ((11, 3) if longest > 22 else (2, 1))]
