"""The provider as the runner sees it: the calls, and the values they return.

Expected outcomes are values; an exception means that something is wrong on this side.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum, StrEnum
from functools import cached_property
from typing import Protocol

from wanbatch.batch.given_files import Body
from wanbatch.batch.models import PriceClass
from wanbatch.batch.shots import Recipe
from wanbatch.money.charge import Charge
from wanbatch.money.prices import Quote
from wanbatch.provider.account import KeyFacts, TopUp
from wanbatch.provider.endings import Ending
from wanbatch.provider.listed import ListedModel, PublishedSchema


class Secret:
    """A text that is never shown: an API key or a signed link. Only `reveal` returns it."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        """Return the text, only to be sent."""
        return self._text

    def __repr__(self) -> str:
        """Return three stars."""
        return "***"

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        """Compare by text."""
        return isinstance(other, Secret) and other._text == self._text

    def __hash__(self) -> int:
        """Hash by text."""
        return hash(self._text)


# --- submit -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Accepted:
    """A generation exists. `credits_held` is None if the answer did not say; `is_echoed` tells whether our id came
    back, and `other_request` which id came in its place. `conflict` names a second id in the same answer, which must
    not be followed.
    """

    generation_id: str
    credits_held: int | None
    is_echoed: bool
    other_request: str | None = None
    failed_message: str | None = None
    conflict: str | None = None
    credits_note: str | None = None


class RefusalKind(Enum):
    """Who can act on a refusal."""

    REQUEST = "request"  # this request is wrong; others may be right
    ROUTE = "route"  # the model or the address is wrong; so are all others like it
    KEY = "key"
    CREDITS = "credits"


@dataclass(frozen=True)
class Refused:
    """The provider refused in its own words (proof P1): nothing was made, nothing is charged."""

    kind: RefusalKind
    http_status: int
    message: str


@dataclass(frozen=True)
class TurnedAway:
    """Too many at once, or too early (proof P1): try again later."""

    http_status: int
    retry_after_s: float | None
    message: str


@dataclass(frozen=True)
class NotSent:
    """No byte of the request left this machine (proof P0). `is_final` if waiting cannot help (TLS)."""

    message: str
    is_final: bool = False


@dataclass(frozen=True)
class Unknown:
    """Perhaps sent, but without an answer that can be trusted. It may have been charged."""

    message: str
    http_status: int | None = None
    retry_after_s: float | None = None


SubmitAnswer = Accepted | Refused | TurnedAway | NotSent | Unknown


# --- poll ---------------------------------------------------------------------------------------------------------


class Status(StrEnum):
    """The provider's status as one of five, by what it means for us."""

    QUEUED = "queued"
    GENERATING = "generating"
    COMPLETED = "completed"
    FAILED = "failed"
    EXPIRED = "expired"  # or cancelled: ended without a clip, and nothing says that this is free


@dataclass(frozen=True)
class Progress:
    """One poll answer. Links are bearer secrets, never stored. `unknown_word` holds a status that wanbatch does not
    know.

    `more_links` lead to further clips of the same generation, which are paid for, too. `remark` is the error of an
    answer that says that the generation failed and has a link to its clip: that counts as completed.
    """

    generation_id: str
    status: Status
    link: Secret | None
    error: str | None
    unknown_word: str | None = None
    more_links: tuple[Secret, ...] = ()
    remark: str | None = None


TOO_MANY_REQUESTS = 429


class Trouble(Enum):
    """Why a read brought nothing."""

    TRANSIENT = "transient"  # try again later
    NOT_FOUND = "not found"
    KEY = "key"
    INVALID = "invalid"  # our request is wrong: retrying will not help
    CLOCKS = "clocks"  # the provider answers, and its time is unknown


@dataclass(frozen=True)
class NoAnswer:
    """A read that brought nothing, after its retries.

    `status` is that of the HTTP answer which refused it; None if no answer came, or none that can be read.
    """

    trouble: Trouble
    message: str
    retry_after_s: float | None = None
    status: int | None = None

    @property
    def is_outage(self) -> bool:
        """Say whether no answer came that can be read: the provider, or the way to it, is down."""
        return self.trouble is Trouble.TRANSIENT and self.status is None

    @property
    def is_too_fast(self) -> bool:
        """Say whether the provider wants fewer reads a minute."""
        return self.status == TOO_MANY_REQUESTS


PollAnswer = Progress | NoAnswer


# --- fetch --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Fetched:
    """All bytes that the host announced are in the file.

    `drawn_s` is how long a sandbox drew the clip meanwhile, by its own clock: the machine's time, not the transfer's.
    """

    size_bytes: int
    drawn_s: float = 0.0


@dataclass(frozen=True)
class LinkDead:
    """The host no longer honours the link, or sent something other than a clip: poll for a fresh one."""

    message: str


FetchAnswer = Fetched | LinkDead | NoAnswer


@dataclass(frozen=True)
class LogRow:
    """One row of the provider's request log. `generation_id` is its inference id; `credits` is None if unread.

    `word` is a status that is neither success nor failure, as it came; empty for those two.
    """

    request_id: str
    generation_id: str | None
    is_good: bool
    credits: int | None
    at: datetime
    word: str = ""


@dataclass(frozen=True)
class LogScan:
    """One complete reading of the request log of our key: all rows made between `begin` and `end`.

    All times are the provider's own; `ahead` is how far its clock was ahead of ours. `rows` are those that carry a
    request id of wanbatch, newest first; `other_ids` are the inference ids of the rest, `nameless_ids` those of
    them whose rows carry no request id, or one like ours: another program's, or one of ours whose id was lost.
    """

    begin: datetime
    end: datetime
    taken_at: datetime
    rows: tuple[LogRow, ...]
    other_ids: frozenset[str]
    ahead: timedelta = timedelta(0)
    nameless_ids: frozenset[str] = frozenset()

    @property
    def read_at(self) -> datetime:
        """When it was read, by our clock."""
        return self.taken_at - self.ahead

    @property
    def known_until(self) -> datetime:
        """The time up to which it was read, by the earlier of the two clocks."""
        return min(self.end, self.taken_at, self.read_at)

    @cached_property
    def by_request(self) -> Mapping[str, tuple[LogRow, ...]]:
        """Rows by their request id, oldest first."""
        found: dict[str, list[LogRow]] = {}
        for row in sorted(self.rows, key=lambda row: row.at):
            found.setdefault(row.request_id, []).append(row)
        return {request_id: tuple(rows) for request_id, rows in found.items()}


class Provider(Protocol):
    """What the runner needs of a provider."""

    async def submit(
        self, recipe: Recipe, request_id: str, on_accepted: Callable[[str], None], body: Body | None = None
    ) -> SubmitAnswer:
        """Send the paid POST once. `on_accepted` gets the generation id as soon as the answer's headers arrive.

        `body` is the recipe with its files in it; None for one without files.
        """
        ...

    async def poll(self, generation_id: str) -> PollAnswer:
        """Ask how a generation stands."""
        ...

    async def fetch(self, link: Secret, sink: Callable[[bytes], object]) -> FetchAnswer:
        """Fetch a clip without credentials, piece by piece into `sink`, whose own errors pass through."""
        ...

    async def charges(self, since: datetime) -> Sequence[Charge] | NoAnswer:
        """Read the ledger's charges since a time."""
        ...

    async def refunds(self, since: datetime) -> Sequence[Charge] | NoAnswer:
        """Read the ledger's refunds since a time, by the generation they name."""
        ...

    async def scan_log(self, since: datetime) -> LogScan | NoAnswer:
        """Read the whole request log of our key since a time of its own (at most 91 days); never a part of it."""
        ...

    async def ahead(self) -> timedelta | NoAnswer | None:
        """Return how far the provider's clock is ahead of ours, by many answers; None if they have no dates."""
        ...

    async def quotes(self, classes: Sequence[PriceClass]) -> dict[PriceClass, Quote]:
        """Read the price list; a class without a certain price gets an unknown quote that says why."""
        ...

    async def endings(self) -> Sequence[Ending] | NoAnswer:
        """Read which models are withdrawn or will be."""
        ...

    async def listed_models(self) -> Sequence[ListedModel] | NoAnswer:
        """Read which video models are served now."""
        ...

    async def published_schema(self, model: ListedModel, name: str) -> PublishedSchema | NoAnswer:
        """Read the request schema of a model from its own file; `name` is the one that requests are to have."""
        ...

    async def key_facts(self) -> KeyFacts | NoAnswer:
        """Read what is reported about the key: its own limit, what it may call, whether it is disabled."""
        ...

    async def top_up(self) -> TopUp | NoAnswer:
        """Read whether the account is topped up on its own."""
        ...

    async def account(self) -> Decimal | NoAnswer:
        """Read the balance in USD, or why it cannot be read."""
        ...
