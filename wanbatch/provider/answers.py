"""The provider's answers: one table from what came back to what it means. Pure; trusts no field.

Source: the provider's OpenAPI files and error pages, 2026-08-21. An answer that is not clearly one of those listed for
a paid POST is Unknown, since it may have been charged.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from email.utils import parsedate_to_datetime
from typing import Any

from wanbatch.money.credits import read_credits
from wanbatch.provider.bodies import AnswerInvalid, read_object
from wanbatch.provider.protocol import (
    Accepted,
    LogRow,
    NoAnswer,
    PollAnswer,
    Progress,
    RefusalKind,
    Refused,
    Secret,
    Status,
    SubmitAnswer,
    Trouble,
    TurnedAway,
    Unknown,
)
from wanbatch.text import shown

RETRY_AFTER_CAP_S = 900.0
GENERATION_ID_CAP = 512
REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")  # use fullmatch: the provider silently drops an id outside of it

_ECHO = "x-client-request-id"
OURS = "wb1:"  # begins every request id of any batch of ours
# Use fullmatch: a request id of ours that was cut on the way is of no batch that is known.
_OURS = re.compile(r"wb1:[^:]+:[^:]+:\d+\.\d+")

_STATUSES = {
    "queued": Status.QUEUED,
    "pending": Status.QUEUED,
    "generating": Status.GENERATING,
    "in_progress": Status.GENERATING,
    "processing": Status.GENERATING,
    "completed": Status.COMPLETED,
    "complete": Status.COMPLETED,
    "succeeded": Status.COMPLETED,
    "error": Status.FAILED,
    "failed": Status.FAILED,
    "cancelled": Status.EXPIRED,
    "canceled": Status.EXPIRED,
    "expired": Status.EXPIRED,
}

# A paid POST: statuses that prove, in the provider's own envelope, that nothing was made.
_REFUSALS = {
    400: RefusalKind.REQUEST,
    401: RefusalKind.KEY,
    403: RefusalKind.CREDITS,
    404: RefusalKind.ROUTE,
    405: RefusalKind.ROUTE,
    413: RefusalKind.REQUEST,
    415: RefusalKind.REQUEST,
    422: RefusalKind.REQUEST,
}
_LATER = frozenset({425, 429})

# A read: statuses that will not get better by asking again.
_READ_TROUBLES = {
    400: Trouble.INVALID,
    401: Trouble.KEY,
    403: Trouble.KEY,
    404: Trouble.NOT_FOUND,
    405: Trouble.INVALID,
    413: Trouble.INVALID,
    415: Trouble.INVALID,
    422: Trouble.INVALID,
}


@dataclass(frozen=True)
class Head:
    """The status line and the headers of an answer, names in lower case."""

    status: int
    headers: Mapping[str, str]

    @property
    def is_success(self) -> bool:
        """Any 2xx."""
        return 200 <= self.status < 300

    @property
    def generation_id(self) -> str | None:
        """The generation id in the headers, if it can be used."""
        return read_generation_id(self.headers.get("x-inference-id"))

    def other_request(self, request_id: str) -> str | None:
        """The request id that the answer names, if it is not the one that was sent; None if it names none."""
        echoed = self.headers.get(_ECHO, "").strip()
        return shown(echoed) if echoed not in ("", request_id) else None

    def is_of_another_submit(self, request_id: str) -> bool:
        """Say whether it answers another submit of wanbatch: two answers were mixed up on the way."""
        return (self.other_request(request_id) or "").startswith(OURS)


def read_generation_id(value: object) -> str | None:
    """Return an opaque id of 1 to 512 printable characters, else None."""
    if not isinstance(value, str) or not 1 <= len(value) <= GENERATION_ID_CAP:
        return None
    return value if value.isprintable() and not value.isspace() else None


def _envelope_message(body: bytes | None) -> str | None:
    """Return the message of the provider's own error envelope; None if the body is not one."""
    try:
        fields = read_object(body or b"")
    except AnswerInvalid:
        return None
    is_ours = "message" in fields and any(name in fields for name in ("statusCode", "requestId", "timestamp", "path"))
    if not is_ours:
        return None
    hints = fields.get("errors") or fields.get("meta") or fields.get("data")
    return shown(fields["message"] if not hints else f"{fields['message']} {json.dumps(hints, ensure_ascii=False)}")


def read_retry_after(head: Head) -> float | None:
    """Read Retry-After: seconds, or a date measured against the server's own clock; capped at 15 min, else None."""
    raw = head.headers.get("retry-after", "").strip()
    if re.fullmatch(r"\d{1,12}(\.\d{1,6})?", raw):
        return min(float(raw), RETRY_AFTER_CAP_S)
    try:
        until = parsedate_to_datetime(raw)
        now = parsedate_to_datetime(head.headers["date"])
    except (ValueError, TypeError, KeyError, IndexError, OverflowError):
        return None
    try:
        return min(max(0.0, (until - now).total_seconds()), RETRY_AFTER_CAP_S)
    except TypeError:  # one of them without a zone
        return None


def read_submit(head: Head, body: bytes | None, request_id: str) -> SubmitAnswer:
    """Judge the answer to a paid POST. `body` is None if it broke off or was too long.

    A refusal that names a request other than ours may be the answer to that one.
    """
    if head.is_success:
        return _read_accepted(head, body, request_id)
    message, other = _envelope_message(body), head.other_request(request_id)
    if message is not None and other is None:
        if head.status in _LATER:
            return TurnedAway(head.status, read_retry_after(head), message)
        if head.status in _REFUSALS:
            return Refused(_REFUSALS[head.status], head.status, message)
    said = message or (shown(body.decode("utf-8", "replace")) if body else "no body")
    hint = " (a redirect is never followed: check AIMLAPI_BASE_URL)" if 300 <= head.status < 400 else ""
    hint += f" that names another request ({other})" if other is not None else ""
    return Unknown(f"HTTP {head.status}{hint}, server said: {said}", head.status, read_retry_after(head))


def _read_accepted(head: Head, body: bytes | None, request_id: str) -> SubmitAnswer:
    other = head.other_request(request_id)
    if head.is_of_another_submit(request_id):
        return Unknown(f"HTTP {head.status} that answers another submit ({other})", head.status)
    try:
        fields = read_object(body or b"")
    except AnswerInvalid as error:
        fields, trouble = {}, f"HTTP {head.status} with an unreadable body: {error}"
    else:
        trouble = f"HTTP {head.status} without a generation id"
    in_header, in_body = head.generation_id, read_generation_id(fields.get("id"))
    generation_id = in_header or in_body
    if generation_id is None:
        return Unknown(trouble, head.status)
    said_body, said_header = _body_credits(fields), _header_credits(head)
    note = None
    if said_body is not None and said_header is not None and said_body != said_header:
        note = f"the answer's body names {said_body} credits, its header {said_header}"
    failed = _STATUSES.get(word_of(fields.get("status"))) is Status.FAILED and not _links(fields.get("video"))
    return Accepted(
        generation_id=generation_id,
        credits_held=max((each for each in (said_body, said_header) if each is not None), default=None),
        is_echoed=head.headers.get(_ECHO) == request_id,
        other_request=other,
        failed_message=_error_text(fields) if failed else None,
        conflict=in_body if in_header and in_body and in_header != in_body else None,
        credits_note=note,
    )


# A submit that holds 0 credits says nothing: no generation of this model family is free.
def _body_credits(fields: Mapping[str, Any]) -> int | None:
    meta = fields.get("meta")
    usage = meta.get("usage") if isinstance(meta, Mapping) else None
    return (read_credits(usage.get("credits_used")) or None) if isinstance(usage, Mapping) else None


def _header_credits(head: Head) -> int | None:
    raw = head.headers.get("x-aimlapi-credits-used", "").strip()
    return (read_credits(int(raw)) or None) if re.fullmatch(r"[0-9]{1,18}", raw) else None


def word_of(value: object) -> str:
    """Return a word of the provider's in one spelling, whatever its case and its separators."""
    return str(value).strip().casefold().replace(" ", "_").replace("-", "_")


def _error_text(fields: Mapping[str, Any]) -> str:
    error = fields.get("error")
    if isinstance(error, Mapping):
        parts = [shown(error[name]) for name in ("name", "message") if error.get(name)]
        if parts:
            return ": ".join(parts)
    return shown(error) if error else "the provider gave no reason"


def _ending_text(fields: Mapping[str, Any], status: Status | None) -> str | None:
    """Say why a generation ended without a clip; None if it did not. The provider's own word for the status is kept."""
    if status is Status.EXPIRED:
        return f"{shown(fields['status'])}, {_error_text(fields)}"
    return _error_text(fields) if status is Status.FAILED else None


def read_progress(body: bytes) -> PollAnswer:
    """Read one poll answer. A body without id or status is not an answer yet: ask again later."""
    try:
        fields = read_object(body)
    except AnswerInvalid as error:
        return NoAnswer(Trouble.TRANSIENT, str(error))
    generation_id = read_generation_id(fields.get("id"))
    if generation_id is None or not isinstance(fields.get("status"), str):
        return NoAnswer(Trouble.TRANSIENT, "an answer without id or status")
    word = word_of(fields["status"])
    status = _STATUSES.get(word)
    links = _links(fields.get("video"))
    remark = None
    if status is Status.FAILED and links:  # what can be fetched was made, and may be charged
        status, remark = Status.COMPLETED, _error_text(fields)
    return Progress(
        generation_id=generation_id,
        status=status or Status.GENERATING,
        link=links[0] if links else None,
        error=_ending_text(fields, status),
        unknown_word=None if status else shown(fields["status"]),
        more_links=links[1:],
        remark=remark,
    )


def _links(video: object) -> tuple[Secret, ...]:
    """Return the links of a `video`, each once: an object with a `url`, or a list of such; other parts are ignored.

    Source: answer schemas of 143 video models, 2026-08-24: 129 have an object, 14 an object or a list of objects.
    """
    parts = video if isinstance(video, list) else [video]
    urls = [part.get("url") if isinstance(part, Mapping) else None for part in parts]
    texts = [url for url in urls if isinstance(url, str) and url.strip()]
    usable = [url for url in texts if url.casefold().startswith(("https://", "http://"))]
    return tuple(map(Secret, dict.fromkeys(usable or texts)))


def read_trouble(head: Head, body: bytes | None) -> NoAnswer:
    """Judge an answer other than 2xx to a read."""
    said = _envelope_message(body) or "no readable reason"
    trouble = _READ_TROUBLES.get(head.status, Trouble.TRANSIENT)
    return NoAnswer(trouble, f"HTTP {head.status}, server said: {said}", read_retry_after(head), head.status)


def read_balance(body: bytes) -> Decimal | NoAnswer:
    """Read the balance in USD. Anything but a number in USD is not an answer, and never 0."""
    try:
        fields = read_object(body)
    except AnswerInvalid as error:
        return NoAnswer(Trouble.TRANSIENT, str(error))
    raw = fields.get("current_balance")
    if isinstance(raw, bool) or not isinstance(raw, int | float) or fields.get("currency", "USD") != "USD":
        return NoAnswer(Trouble.TRANSIENT, "an answer without a balance in USD")
    amount = Decimal(str(raw))
    return amount if amount.is_finite() else NoAnswer(Trouble.TRANSIENT, "a balance that is infinite")


@dataclass(frozen=True)
class LogPage:
    """One page of the request log: its rows as they came, how many there are on all pages, and whether it says that
    more follow.
    """

    rows: tuple[Mapping[str, Any], ...]
    total: int
    has_more: bool = False


def read_log_page(fields: Mapping[str, Any]) -> LogPage:
    """Read one page of the request log. Raises AnswerInvalid: half a log would prove nothing."""
    rows, pages = fields.get("data"), fields.get("pagination")
    if not isinstance(rows, list) or not all(isinstance(row, Mapping) for row in rows):
        raise AnswerInvalid("a log page without rows")
    total = pages.get("total") if isinstance(pages, Mapping) else None
    if isinstance(total, bool) or not isinstance(total, int) or total < 0:
        raise AnswerInvalid("a log page without a total")
    return LogPage(tuple(rows), total, has_more=isinstance(pages, Mapping) and pages.get("has_more") is True)


def read_log_row(row: Mapping[str, Any]) -> LogRow | str:
    """Read a row that may be ours; for another program's row return its inference id: such rows must not stop a
    reading.

    An id of ours that was cut on the way is of no submit that is known. A status that is neither success nor failure
    proves nothing. Raises AnswerInvalid for one of ours without a time.
    """
    generation_id = read_generation_id(row.get("inference_id"))
    request_id = row.get("client_request_id")
    if not isinstance(request_id, str) or not _OURS.fullmatch(request_id):
        return generation_id or ""
    status, cost = row.get("status"), row.get("cost")
    try:
        at = datetime.fromisoformat(str(row.get("created")))
    except ValueError as error:
        raise AnswerInvalid("a log row without a time") from error
    return LogRow(
        request_id=request_id,
        generation_id=generation_id,
        is_good=status == "succeeded",
        credits=read_credits(cost.get("credits")) if isinstance(cost, Mapping) else None,
        at=at if at.tzinfo else at.replace(tzinfo=UTC),
        word="" if status in ("succeeded", "failed") else shown(status) or "nothing",
    )
