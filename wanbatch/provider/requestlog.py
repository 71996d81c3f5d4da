"""The provider's request log, read completely: all pages of a window that both clocks cover, or nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from wanbatch.clock import Clock
from wanbatch.pace.limits import Bucket
from wanbatch.provider.answers import OURS, read_log_page, read_log_row
from wanbatch.provider.bodies import AnswerInvalid, read_object
from wanbatch.provider.protocol import LogRow, LogScan, NoAnswer, Trouble

LOG_LIMIT = 100
PAGES_MOVE = 7  # each further reading has smaller pages, so that no result depends on where they end
PAGES_AT_MOST = 20_000  # two hours of reading
LOGS_PER_MIN = 170.0  # the provider refuses more than 200
LOG_WINDOW = timedelta(days=91)  # it accepts 92 at most
WINDOW_SLACK = timedelta(hours=20)
PAGE_CAP_BYTES = 8 * 1024 * 1024
SCAN_TRIES = 3
SCAN_MARGIN = timedelta(seconds=2)

_PLAIN = re.compile(r"%[0-9a-f]{2}|[^0-9a-z]")  # what a gateway may have put for the signs in an id of ours

Read = Callable[[str, Mapping[str, str], int], Awaitable[bytes | NoAnswer]]
Row = Mapping[str, Any]
Span = tuple[datetime, datetime]


@dataclass(frozen=True)
class _Reading:
    """The rows of one reading in the order of the pages, as texts; `total` is what the log said there are."""

    pages: tuple[tuple[str, ...], ...]
    total: int

    @property
    def rows(self) -> list[str]:
        return [row for page in self.pages for row in page]

    @property
    def has_all(self) -> bool:
        """Say whether the number of rows is what the log says; it counts equal rows one by one, too."""
        rows = self.rows
        return self.total in (len(rows), len(set(rows)))

    @property
    def has_repeats(self) -> bool:
        """Say whether a row occurs twice: the log holds it twice, or a page moved while the others were read."""
        rows = self.rows
        return len(set(rows)) < len(rows)

    @property
    def repeats_lie_together(self) -> bool:
        """Say whether equal rows follow each other with no other time between, as in a log that holds a row twice."""
        times = [json.loads(row).get("created") for row in self.rows]
        first: dict[str, int] = {}
        for at, row in enumerate(self.rows):
            if any(time != times[at] for time in times[first.setdefault(row, at) : at]):
                return False
        return True

    @property
    def are_pages_apart(self) -> bool:
        """Say whether no row is on two pages."""
        return sum(len(set(page)) for page in self.pages) == len(set(self.rows))


class RequestLog:
    """Reads the log through the provider's client. `ahead` says how far the provider's clock is ahead of ours."""

    def __init__(self, read: Read, ahead: Callable[[], Awaitable[timedelta | NoAnswer | None]], clock: Clock) -> None:
        self._read = read
        self._ahead = ahead
        self._clock = clock
        self._tokens = Bucket(LOGS_PER_MIN / 60, burst=10)

    async def scan(self, since: datetime) -> LogScan | NoAnswer:
        """Read all rows of our key since a time.

        The window ends in the past of the later clock, and reaches as far back from the earlier one as the provider
        accepts: in two readings if the clocks are further apart. If the provider does not accept that end, or
        new rows move its pages (the rows collected are not as many as the log says there are), it is read again to the
        past of the provider's own clock. An empty window is not a reading: one of the clocks is wrong.
        """
        why: NoAnswer = NoAnswer(Trouble.TRANSIENT, "the request log keeps changing while it is read")
        before: list[_Reading] = []
        for tried in range(SCAN_TRIES):
            ahead = await self._ahead()
            if isinstance(ahead, NoAnswer):
                return ahead
            ours = self._clock.now() - SCAN_MARGIN
            theirs = ours + (ahead or timedelta(0))
            end = theirs if tried else max(theirs, ours)
            spans = spans_of(since, min(ours, theirs), end)
            if not spans:
                span = f"from {since:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC"
                why_empty = (
                    "this machine's clock or the provider's HTTP dates are wrong (`wanbatch doctor` compares them)"
                )
                return NoAnswer(Trouble.CLOCKS, f"the period to read, {span}, is empty: {why_empty}")
            found = await self._readings(spans, max(1, LOG_LIMIT - PAGES_MOVE * tried))
            if isinstance(found, NoAnswer):
                why = found
                is_refused_end = found.trouble is Trouble.INVALID and end > theirs
                if found.trouble is not Trouble.TRANSIENT and not is_refused_end:
                    break
            elif len(found) == len(spans) and _are_whole(found, before):
                scan = self._scan(found, (spans[0][0], end), ahead or timedelta(0))
                if isinstance(scan, LogScan):
                    return scan
                why = scan
            before = [] if isinstance(found, NoAnswer) else found
        return why

    async def _readings(self, spans: Sequence[Span], limit: int) -> list[_Reading] | NoAnswer:
        """Read the pages of some windows; fewer if the totals of one differ."""
        found: list[_Reading] = []
        for begin, end in spans:
            reading = await self._reading(begin, end, limit)
            if isinstance(reading, NoAnswer):
                return reading
            if reading is None:
                return found
            found.append(reading)
        return found

    async def _reading(self, begin: datetime, end: datetime, limit: int) -> _Reading | NoAnswer | None:
        """Read the pages of one window; None if their totals differ."""
        pages: list[tuple[str, ...]] = []
        total, offset = 0, 0
        window = {"start": begin.isoformat(), "end": end.isoformat(), "limit": str(limit)}
        while True:
            await self._pace()
            answer = await self._read("/v2/logs", {**window, "offset": str(offset)}, PAGE_CAP_BYTES)
            if isinstance(answer, NoAnswer):
                return answer
            try:
                page = read_log_page(read_object(answer))
            except AnswerInvalid as error:
                return NoAnswer(Trouble.TRANSIENT, str(error))
            if offset and page.total != total:
                return None
            total, offset = page.total, offset + len(page.rows)
            pages.append(tuple(json.dumps(row, sort_keys=True) for row in page.rows))
            if offset >= total and page.has_more:
                return NoAnswer(Trouble.TRANSIENT, f"the request log counts {total:,} rows, and says that more follow")
            if offset >= total or not page.rows:
                return _Reading(tuple(pages), total)
            if total > PAGES_AT_MOST * offset // len(pages):
                return NoAnswer(Trouble.TRANSIENT, f"the request log would take more than {PAGES_AT_MOST:,} pages")

    def _scan(self, found: Sequence[_Reading], span: Span, ahead: timedelta) -> LogScan | NoAnswer:
        try:
            rows = [json.loads(row) for row in dict.fromkeys(row for each in found for row in each.rows)]
            reported = [read_log_row(row) for row in rows]
        except AnswerInvalid as error:
            return NoAnswer(Trouble.TRANSIENT, str(error))
        return LogScan(
            begin=span[0],
            end=span[1],
            taken_at=self._clock.now() + ahead,
            rows=tuple(each for each in reported if isinstance(each, LogRow)),
            other_ids=frozenset(each for each in reported if isinstance(each, str) and each),
            nameless_ids=frozenset(
                each
                for each, row in zip(reported, rows, strict=True)
                if isinstance(each, str) and each and _is_nameless(row.get("client_request_id"))
            ),
            ahead=ahead,
        )

    async def _pace(self) -> None:
        """Stay under the log's own limit, which all runs with one key share."""
        now = self._clock.monotonic()
        ready = self._tokens.ready_at(now)
        if ready > now:
            await self._clock.sleep(ready - now)
        self._tokens.take(self._clock.monotonic())


def _is_nameless(request_id: object) -> bool:
    """Say whether a row's request id names no other program: there is none, or it may be one of ours, changed."""
    return not request_id or _PLAIN.sub("", OURS) in _PLAIN.sub("", str(request_id).casefold())


def spans_of(since: datetime, earlier: datetime, end: datetime) -> list[Span]:
    """Return the windows to read, oldest first: back to `since` as far as the log reaches from the `earlier` clock.

    Clocks that are years apart need two, since no clock can mean the time between.
    """
    begin = max(since, earlier - LOG_WINDOW)
    if begin >= end:
        return []
    if end - begin <= LOG_WINDOW + WINDOW_SLACK:  # clocks that are seconds or hours apart need one
        return [(begin, end)]
    return [(begin, begin + LOG_WINDOW), (max(begin + LOG_WINDOW, end - LOG_WINDOW), end)]


def _are_whole(found: Sequence[_Reading], before: Sequence[_Reading]) -> bool:
    """Say whether readings hold all rows; `before` are earlier ones of the same windows, if there were any."""
    known = [before[at] if at < len(before) else None for at in range(len(found))]
    return all(map(_is_whole, found, known))


def _is_whole(found: _Reading, before: _Reading | None) -> bool:
    """Say whether a reading holds all rows.

    Equal rows that follow each other on one page are what the log holds. A row on two pages may be one that moved while
    the others were read, in place of one that was then missed: it is believed if two readings, with pages of
    other sizes, say the same.
    """
    if not found.has_all:
        return False
    if not found.has_repeats or (found.are_pages_apart and found.repeats_lie_together):
        return True
    return before is not None and found.rows == before.rows and found.repeats_lie_together
