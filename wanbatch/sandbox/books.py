"""The rows and pages of the sandbox's ledger and request log, as the provider publishes them."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from starlette.datastructures import QueryParams

CREDITS_PER_USD = 2_000_000
WINDOW_CAP_S = 92 * 86_400.0
FAR_FUTURE = 1e15
MODELS_CAP = 50
TYPES = ("PAYMENT", "BONUS", "REFUND", "ADJUSTMENT", "MODEL_USAGE", "CREDITS_EXPIRED", "INIT")


class QueryInvalid(Exception):
    """A parameter that the provider would refuse; the text is its message."""


@dataclass(frozen=True)
class LedgerPage:
    """What is asked of the ledger. Times are Unix seconds, the end excluded; `after` is where the last page ended."""

    begin: float
    end: float
    has_charges: bool
    has_topups: bool
    limit: int
    after: tuple[float, int] | None


@dataclass(frozen=True)
class LogPage:
    """What is asked of the request log of one key. Times are Unix seconds; empty sets filter nothing."""

    key: str
    begin: float
    end: float
    models: tuple[str, ...]
    statuses: frozenset[str]
    limit: int
    offset: int


def ledger_page(query: QueryParams) -> LedgerPage:
    """Read the ledger's parameters. Raises QueryInvalid."""
    direction, kind = query.get("direction"), query.get("type")
    _one_of("direction", direction, ("TOPUP", "CHARGE"))
    _one_of("type", kind, TYPES)
    begin, end = _moment("from", query, 0.0), _moment("to", query, FAR_FUTURE)
    if end <= begin:
        raise QueryInvalid("to: must be later than from")
    return LedgerPage(
        begin=begin,
        end=end,
        has_charges=direction != "TOPUP" and kind in (None, "MODEL_USAGE"),
        has_topups=direction != "CHARGE" and kind in (None, "PAYMENT"),
        limit=_whole("limit", query, 50, (1, 100)),
        after=read_cursor(query["cursor"]) if "cursor" in query else None,
    )


def log_page(query: QueryParams, key: str, now: float) -> LogPage:
    """Read the request log's parameters. Raises QueryInvalid."""
    begin, end = _window(query, now)
    statuses, models = query.getlist("status"), query.getlist("model")
    for status in statuses:
        _one_of("status", status, ("succeeded", "failed"))
    if len(models) > MODELS_CAP:
        raise QueryInvalid(f"model: Array must contain at most {MODELS_CAP} element(s)")
    return LogPage(
        key=key,
        begin=begin,
        end=end,
        models=tuple(models),
        statuses=frozenset(statuses),
        limit=_whole("limit", query, 50, (1, 100)),
        offset=_whole("offset", query, 0, (0, 10**12)),
    )


def _one_of(name: str, value: str | None, allowed: tuple[str, ...]) -> None:
    if value is not None and value not in allowed:
        raise QueryInvalid(f"{name}: Invalid enum value. Expected {' | '.join(map(repr, allowed))}, received {value!r}")


def _whole(name: str, query: QueryParams, otherwise: int, bounds: tuple[int, int]) -> int:
    text = str(query.get(name, otherwise))
    value = int(text) if re.fullmatch(r"[0-9]{1,12}", text) else -1
    if not bounds[0] <= value <= bounds[1]:
        raise QueryInvalid(f"{name}: Expected integer from {bounds[0]} to {bounds[1]}, received {text!r}")
    return value


def _moment(name: str, query: QueryParams, otherwise: float | None) -> float:
    text = query.get(name)
    if text is None:
        if otherwise is None:
            raise QueryInvalid("Provide either period or both start and end")
        return otherwise
    try:
        moment = datetime.fromisoformat(text.replace(" ", "+"))  # an unescaped + of an offset arrives as a blank
    except ValueError as error:
        raise QueryInvalid(f"{name}: Expected ISO 8601, received {text!r}") from error
    return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def _window(query: QueryParams, now: float) -> tuple[float, float]:
    """Read the log's window: `period`, or both `start` and `end`, never both ways; at most 92 days."""
    if "period" in query:
        match = re.fullmatch(r"([1-9][0-9]{0,4})([hd])", query["period"])
        if match is None:
            raise QueryInvalid("period: Expected a positive integer followed by h or d")
        if "start" in query or "end" in query:
            raise QueryInvalid("Provide either period or both start and end, never both")
        begin, end = now - int(match[1]) * {"h": 3600.0, "d": 86_400.0}[match[2]], now
    else:
        begin, end = _moment("start", query, None), _moment("end", query, None)
    if end < begin:
        raise QueryInvalid("end: must not be earlier than start")
    if end - begin > WINDOW_CAP_S:
        raise QueryInvalid("the window must not exceed 92 days")
    return begin, end


def cursor_at(place: tuple[float, int] | None) -> str | None:
    """Make the opaque cursor of a place in the ledger."""
    if place is None:
        return None
    text = json.dumps({"v": 1, "t": place[0], "s": place[1]}, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(text: str) -> tuple[float, int]:
    """Read a cursor, only in the exact form in which it was issued. Raises QueryInvalid."""
    try:
        fields = json.loads(base64.urlsafe_b64decode(text.encode() + b"==="))
        place = float(fields["t"]), int(fields["s"])
    except (ValueError, LookupError, TypeError, OverflowError, RecursionError) as error:
        raise QueryInvalid("cursor: not a cursor of this ledger") from error
    if cursor_at(place) != text:
        raise QueryInvalid("cursor: not a cursor of this ledger")
    return place


def charge_entry(at: float, credit_count: int, model: str, generation_id: str) -> dict[str, Any]:
    """A ledger entry of a completed generation."""
    return _entry(at, ("CHARGE", "MODEL_USAGE"), credit_count, (model, generation_id))


def topup_entry(at: float, credit_count: int) -> dict[str, Any]:
    """A ledger entry of money paid in."""
    return _entry(at, ("TOPUP", "PAYMENT"), credit_count, (None, "sandbox-top-up"))


def _entry(at: float, kind: tuple[str, str], credit_count: int, what: tuple[str | None, str]) -> dict[str, Any]:
    return {
        "created_at": iso(at),
        "direction": kind[0],
        "type": kind[1],
        "amount": _amount(credit_count),
        "model": what[0],
        "reference_id": what[1],
    }


def log_row(*row: Any) -> dict[str, Any]:
    """A row of the request log: at, whether it succeeded, model, credits, number, inference id, client's request id."""
    at, is_good, model, credit_count, seq, inference_id, client_request_id = row
    return {
        "created": iso(at),
        "status": "succeeded" if is_good else "failed",
        "origin": "api",
        "model": model,
        "cost": _amount(credit_count if is_good else 0),
        "tokens": {"input": 0, "output": 0, "total": 0},
        "request_id": f"req-{seq}",
        "inference_id": inference_id,
        "client_request_id": client_request_id,
    }


def _amount(credit_count: int) -> Mapping[str, float]:
    return {"usd": usd(credit_count), "credits": credit_count}


def iso(at: float) -> str:
    """Write Unix seconds as the provider does: ISO 8601, UTC, milliseconds, Z."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=at)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def usd(credit_count: int) -> float:
    """USD as the provider's JSON has it: a number."""
    return float(Decimal(credit_count) / CREDITS_PER_USD)
