"""The figures of the report page: what each shows, as data for plotly, with a sentence that says it in words.

A figure is plain JSON. Colours are named by role (a state, `limit`, `refused`) and chosen by the page, dark or light.
Money is summed in whole credits; USD are made of the sum, exactly, and only for the axis.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from statistics import median
from typing import Any, TypeVar

from wanbatch.batch.attempts import Attempt
from wanbatch.batch.lifecycle import State
from wanbatch.batch.take import Take
from wanbatch.money.credits import usd, usd_text
from wanbatch.reporting.sidecar import iso
from wanbatch.units import duration_text

BARS_SHOWN = 200
POINTS_SHOWN = 2_000
CAUSES_SHOWN = 12
CAUSE_CHARACTERS = 46
HTTP_TOO_MANY = 429

Figure = dict[str, Any]
T = TypeVar("T")


def figures_of(
    takes: Sequence[Take],
    attempts: Sequence[Attempt],
    charges: Sequence[tuple[datetime, int]],
    facts: Mapping[str, Any],
) -> list[Figure]:
    """Make the figures that this batch has something to show in, in the order of the page.

    `charges` are times and credits as the ledger showed them.
    """
    made = (
        gantt(takes, attempts),
        durations(takes),
        spend(takes, charges, facts["credits"]["cap"]),
        concurrency(attempts),
        failures(facts["needs"]),
    )
    return [figure for figure in made if figure is not None]


# --- the night, take by take


def gantt(takes: Sequence[Take], attempts: Sequence[Attempt]) -> Figure | None:
    """Show when each take waited, was generated and was fetched; None before the first submit."""
    sent = sorted((take for take in takes if take.submitted_at is not None), key=lambda take: take.submitted_at or 0)
    if not sent:
        return None
    shown = sent[:BARS_SHOWN]
    ends = {(each.take_id, each.number): each.ended_at for each in attempts}
    bars: dict[str, list[tuple[str, datetime, datetime, str]]] = {}
    for take in shown:
        for role, begin, end, words in _spans(take, ends.get((take.take_id, take.attempt))):
            bars.setdefault(role, []).append((take.label, begin, end, words))
    traces = [
        {
            "type": "bar",
            "orientation": "h",
            "name": role,
            "role": role,
            "y": [label for label, *_ in rows],
            "base": [iso(begin) for _, begin, _, _ in rows],
            "x": [round((end - begin).total_seconds() * 1000) for _, begin, end, _ in rows],
            "text": [words for *_, words in rows],
        }
        for role, rows in bars.items()
    ]
    more = len(sent) - len(shown)
    words = f"{len(shown)} takes in the order in which they were sent; times are UTC"
    words += f"; {more} later ones are in takes.csv" if more else ""
    return {
        "id": "gantt",
        "title": "The run, take by take",
        "words": words,
        "rows": len(shown),
        "order": [take.label for take in shown],
        "traces": traces,
    }


def _spans(take: Take, attempt_ended_at: datetime | None) -> Iterable[tuple[str, datetime, datetime, str]]:
    begin = take.submitted_at
    if begin is None:
        return
    ended = take.completed_at or (attempt_ended_at if take.state in (State.FAILED, State.HELD) else None)
    if ended is None:
        last = take.last_running_at or take.started_at or begin
        if last > begin:
            yield "generating", begin, last, f"{take.label}: no end seen yet"
        return
    role = {State.FAILED: "failed", State.HELD: "held"}.get(take.state, "generating")
    started = take.started_at
    if started is not None and begin < started <= ended:
        yield "queued", begin, started, _told(take, "queued", begin, started)
        yield role, started, ended, _told(take, role, started, ended)
    else:
        # Nobody saw the queue being left: what is drawn may hold a wait.
        yield role, begin, ended, _told(take, f"{role}, a wait included", begin, ended)
    if take.verified_at is not None and take.verified_at > ended:
        yield "download", ended, take.verified_at, _told(take, "download", ended, take.verified_at)


def _told(take: Take, what: str, begin: datetime, end: datetime) -> str:
    return f"{take.label}: {what}, {duration_text((end - begin).total_seconds())}"


# --- how long it takes


def durations(takes: Sequence[Take]) -> Figure | None:
    """Show how generation times of each class are spread; None where fewer than three are known."""
    known: dict[str, list[float]] = {}
    unseen = 0
    for take in takes:
        if take.completed_at is None or take.accepted_at is None:
            continue
        if take.started_at is None:
            unseen += 1
        else:
            seconds = (take.completed_at - take.started_at).total_seconds()
            known.setdefault(str(take.order.price_class), []).append(round(seconds, 1))
    count = sum(map(len, known.values()))
    if count < 3:
        return None
    words = "; ".join(
        f"{name}: half of {len(times)} under {duration_text(median(times))}" for name, times in sorted(known.items())
    )
    words += f". Of {unseen} more nobody saw the start" if unseen else ""
    return {
        "id": "durations",
        "title": "How long generations took",
        "words": words,
        "rows": len(known),
        "traces": [
            {
                "type": "box",
                "name": f"{name}  n={len(times)}",
                "role": "generating",
                "x": _thinned(sorted(times)),
                "boxpoints": "all" if len(times) <= BARS_SHOWN else "outliers",
                "orientation": "h",
            }
            for name, times in sorted(known.items(), reverse=True)
        ],
    }


# --- money


def spend(takes: Sequence[Take], charges: Sequence[tuple[datetime, int]], cap: int | None) -> Figure | None:
    """Show what was committed and charged over time, against the cap; None for fewer than two priced submits."""
    sent = [(take.submitted_at, take.credits_committed) for take in takes if take.submitted_at is not None]
    priced = [(at, amount) for at, amount in sent if amount]
    if len(priced) < 2:
        return None
    unknown = sum(amount is None for _, amount in sent)
    committed, charged = _running(priced), _running(charges)
    last = max(at for at, _ in [*committed, *charged])
    committed.append((last, committed[-1][1]))  # what stays so is drawn to the end
    traces = [_line("committed", "committed", committed), *([_line("charged", "charged", charged)] if charged else [])]
    words = f"{usd_text(committed[-1][1])} committed"
    words += f", {usd_text(charged[-1][1])} of it seen in the ledger" if charged else ", no charge seen yet"
    words += f"; the cost of {unknown} takes is unknown and in no line" if unknown else ""
    figure: Figure = {"id": "spend", "title": "Money over time", "words": words, "unit": "USD", "traces": traces}
    if cap is not None:
        figure["limit"] = {"value": _usd(cap), "words": f"cap {usd_text(cap)}"}
        figure["words"] += f"; the cap is {usd_text(cap)}"
    return figure


def _running(steps: Iterable[tuple[datetime, int]]) -> list[tuple[datetime, int]]:
    total, found = 0, []
    for at, amount in sorted(steps):
        total += amount
        found.append((at, total))
    return found


def _line(name: str, role: str, points: Sequence[tuple[datetime, int]]) -> Figure:
    kept = _thinned(points)
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "role": role,
        "shape": "hv",
        "x": [iso(at) for at, _ in kept],
        "y": [_usd(amount) for _, amount in kept],
    }


def _usd(amount: int) -> float:
    return float(usd(amount))


# --- the provider's limits


def concurrency(attempts: Sequence[Attempt]) -> Figure | None:
    """Show how many takes were with the provider at once, and when it said 429; None where nothing was."""
    moves: list[tuple[datetime, int]] = []
    refused: list[datetime] = []
    for each in attempts:
        if each.http_status == HTTP_TOO_MANY:
            refused.append(each.ended_at or each.started_at)
        if each.generation_id is not None:
            moves.append((each.started_at, 1))
            if each.ended_at is not None:
                moves.append((each.ended_at, -1))
    if not moves:
        return None
    levels = _running(moves)
    most = max(level for _, level in levels)
    words = f"at most {most} at once; " + (f"{len(refused)} submits were refused with 429" if refused else "no 429")
    kept = _thinned(levels)
    traces: list[Figure] = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": "at the provider",
            "role": "generating",
            "shape": "hv",
            "fill": "tozeroy",
            "x": [iso(at) for at, _ in kept],
            "y": [level for _, level in kept],
        }
    ]
    if refused:
        marks = _thinned(sorted(refused))
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": "429",
                "role": "failed",
                "x": [iso(at) for at in marks],
                "y": [_level_at(levels, at) for at in marks],
            }
        )
    return {"id": "concurrency", "title": "Takes at the provider", "words": words, "unit": "takes", "traces": traces}


def _level_at(levels: Sequence[tuple[datetime, int]], at: datetime) -> int:
    low, high = 0, len(levels)
    while low < high:
        middle = (low + high) // 2
        if levels[middle][0] <= at:
            low = middle + 1
        else:
            high = middle
    return levels[low - 1][1] if low else 0


# --- what went wrong


def failures(needs: Sequence[Mapping[str, Any]]) -> Figure | None:
    """Show how often each cause kept a take from its clip; None where none did."""
    rows = sorted(needs, key=lambda need: -need["count"])[:CAUSES_SHOWN]
    if not rows:
        return None
    total = sum(need["count"] for need in needs)
    return {
        "id": "failures",
        "title": "What kept takes from their clips",
        "words": f"{total} in all, by cause; what to do about each stands above",
        "rows": len(rows),
        "order": [_short(need) for need in rows],
        "traces": [
            {
                "type": "bar",
                "orientation": "h",
                "name": state,
                "role": state,
                "y": [_short(need) for need in rows if need["state"] == state],
                "x": [need["count"] for need in rows if need["state"] == state],
                "text": [need["cause"] for need in rows if need["state"] == state],
            }
            for state in dict.fromkeys(need["state"] for need in rows)
        ],
    }


def _short(need: Mapping[str, Any]) -> str:
    cause = str(need["cause"])
    return cause if len(cause) <= CAUSE_CHARACTERS else cause[: CAUSE_CHARACTERS - 1] + "\u2026"


def _thinned(points: Sequence[T]) -> Sequence[T]:
    """Keep at most so many, the last among them."""
    if len(points) <= POINTS_SHOWN:
        return points
    return [*points[:: math.ceil(len(points) / POINTS_SHOWN)], points[-1]]


# --- headlines


def headlines(takes: Sequence[Take], attempts: Sequence[Attempt]) -> dict[str, Any]:
    """Return what is told first beside the sums: median time at the provider, how full its places were, 429s.

    `median_s` is from submit to the poll that saw the end; `busy` the share of the most places held at once that was
    in use from the first submit to the last end. None where unknown.
    """
    times = [
        (take.completed_at - take.submitted_at).total_seconds()
        for take in takes
        if take.completed_at is not None and take.submitted_at is not None
    ]
    spans = [
        (each.started_at, each.ended_at)
        for each in attempts
        if each.generation_id is not None and each.ended_at is not None
    ]
    levels = _running([move for begin, end in spans for move in ((begin, 1), (end, -1))])
    most = max((level for _, level in levels), default=0)
    held = sum(((end - begin) for begin, end in spans), timedelta())
    whole_s = (levels[-1][0] - levels[0][0]).total_seconds() * most if levels else 0.0
    return {
        "median_s": median(times) if times else None,
        "most": most,
        "busy": held.total_seconds() / whole_s if whole_s else None,
        "refused": sum(each.http_status == HTTP_TOO_MANY for each in attempts),
    }
