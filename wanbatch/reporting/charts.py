"""The figures of the report page: the data of each for plotly, and a sentence that says it in words.

A figure is plain JSON. Colours are named by role (a state, `limit`, `refused`) and chosen by the page, dark or light.
Money is summed in whole credits; USD are made of the sum, exactly, and only for the axis.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from statistics import median
from typing import Any, TypeVar

import pandas as pd

from wanbatch.batch.attempts import Attempt
from wanbatch.batch.lifecycle import State
from wanbatch.batch.take import Take
from wanbatch.money.credits import usd, usd_text
from wanbatch.reporting.book import Book, milliseconds, seconds
from wanbatch.reporting.record import plain_values, series, values_of
from wanbatch.units import count_text, duration_text, zone_text

BARS_SHOWN = 120  # the chart grows with them: more would be no picture to look at
POINTS_SHOWN = 2_000
CAUSES_SHOWN = 12
CAUSE_CHARACTERS = 46
HTTP_TOO_MANY = 429

Figure = dict[str, Any]
T = TypeVar("T")


def figures_of(book: Book, facts: Mapping[str, Any]) -> list[Figure]:
    """Make the figures for which this batch has data, in the order of the page."""
    record = book.record
    sent = record.takes[record.takes["submitted_at"].notna()]
    charges = steps(record.charges["at"], record.charges["credits"])
    made = (
        gantt(record.takes, record.attempts),
        durations(record.takes, book.orders["price_class"]),
        spend(steps(sent["submitted_at"], book.money["credits_committed"]), charges, facts["credits"]["cap"]),
        concurrency(record.attempts),
        failures(facts["needs"]),
    )
    begin = sent["submitted_at"].min()
    zone = "UTC" if pd.isna(begin) else zone_text(begin.to_pydatetime())
    return [{**figure, "zone": zone} for figure in made if figure is not None]


def _wall(at: datetime) -> str:
    """Return a time by this machine's clock, as a chart takes it."""
    return at.astimezone().replace(tzinfo=None).isoformat(timespec="milliseconds")


# --- the run, take by take

_PARTS = ("queued", "generating", "waiting", "download", "failed", "held")


def gantt(takes: pd.DataFrame, attempts: pd.DataFrame) -> Figure | None:
    """Show when each take waited, was generated and was fetched; None before the first submit."""
    sent = takes["submitted_at"].dropna().sort_values(kind="stable").index
    if not len(sent):
        return None
    shown = values_of(Take, takes.loc[sent[:BARS_SHOWN]])
    theirs = attempts[attempts["take_id"].isin([take.take_id for take in shown])]
    tries = values_of(Attempt, theirs)
    ends = {(each.take_id, each.number): each.ended_at for each in tries}
    failed: dict[int, list[Attempt]] = {}
    for each in tries:
        failed.setdefault(each.take_id, []).extend([each] if each.has_failed else [])
    bars: dict[str, list[tuple[str, datetime, datetime, str]]] = {}
    for take in shown:
        earlier = (each for each in failed.get(take.take_id, []) if each.number != take.attempt)
        spans = [*_failed_spans(take, earlier), *_spans(take, ends.get((take.take_id, take.attempt)))]
        for role, begin, end, words in spans:
            bars.setdefault(role, []).append((take.label, begin, end, words))
    traces = [
        {
            "type": "bar",
            "orientation": "h",
            "name": role,
            "role": role,
            "y": [label for label, *_ in rows],
            "base": [_wall(begin) for _, begin, _, _ in rows],
            "x": [round((end - begin).total_seconds() * 1000) for _, begin, end, _ in rows],
            "text": [words for *_, words in rows],
        }
        for role, rows in bars.items()
    ]
    traces.sort(key=lambda trace: _PARTS.index(str(trace["role"])))  # the legend follows a take's way
    more = len(sent) - len(shown)
    words = count_text(len(shown), "take") + (", in the order in which they were sent" if len(shown) > 1 else "")
    words += f"; {more} later ones are in takes.csv" if more else ""
    words += "; waiting means that the clip is made, and waits for a download" if "waiting" in bars else ""
    return {
        "id": "gantt",
        "title": "The run, take by take",
        "words": words,
        "rows": len(shown),
        "order": [take.label for take in shown],
        "traces": traces,
    }


def _failed_spans(take: Take, earlier: Iterable[Attempt]) -> Iterable[tuple[str, datetime, datetime, str]]:
    """Yield the tries that failed before the one that the take follows."""
    for each in earlier:
        if each.ended_at is not None and each.ended_at > each.started_at:
            what = f"try {each.number} failed"
            yield "failed", each.started_at, each.ended_at, _told(take, what, each.started_at, each.ended_at)


def _spans(take: Take, attempt_ended_at: datetime | None) -> Iterable[tuple[str, datetime, datetime, str]]:
    begin = take.submitted_at
    if begin is None:
        return
    ended = take.completed_at or (attempt_ended_at if take.state in (State.FAILED, State.HELD) else None)
    if ended is None:
        last = take.last_running_at or take.started_at or begin
        if last > begin:
            yield "generating", begin, last, f"{take.label}: not finished when last seen"
        return
    role = {State.FAILED: "failed", State.HELD: "held"}.get(take.state, "generating")
    started = take.started_at
    if started is not None and begin < started <= ended:
        yield "queued", begin, started, _told(take, "queued", begin, started)
        yield role, started, ended, _told(take, role, started, ended)
    else:
        # No poll saw the end of the queue: the bar may include a wait.
        yield role, begin, ended, _told(take, f"{role}, including a wait", begin, ended)
    if take.verified_at is not None and take.verified_at > ended:
        fetched = _fetch_began(take, ended)
        if fetched > ended:
            yield "waiting", ended, fetched, _told(take, "made, and waiting to be fetched", ended, fetched)
        yield "download", fetched, take.verified_at, _told(take, "download and check", fetched, take.verified_at)


def _fetch_began(take: Take, ended: datetime) -> datetime:
    """Return when the download of a clip began; where that is not known, when the clip was made."""
    if take.downloaded_at is None or take.download_s is None:
        return ended
    return max(ended, take.downloaded_at - timedelta(seconds=take.download_s))


def _told(take: Take, what: str, begin: datetime, end: datetime) -> str:
    return f"{take.label}: {what}, {duration_text((end - begin).total_seconds())}"


# --- how long it takes


def durations(takes: pd.DataFrame, classes: pd.Series[Any]) -> Figure | None:
    """Show how generation times of each class are spread; None if fewer than three are known."""
    is_ended = takes["completed_at"].notna() & takes["accepted_at"].notna()
    unseen = int((is_ended & takes["started_at"].isna()).sum())
    took_s = seconds(takes["started_at"], takes["completed_at"])[is_ended].dropna()
    known = {
        str(name): [round(each, 1) for each in times.tolist()] for name, times in took_s.groupby(classes, sort=False)
    }
    count = sum(map(len, known.values()))
    if count < 3:
        return None
    words = "; ".join(
        f"{name}: {count_text(len(times), 'generation')}, {'median ' if len(times) > 1 else ''}"
        f"{duration_text(median(times))}"
        for name, times in sorted(known.items())
    )
    words += f". The start of {unseen} more was not seen" if unseen else ""
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


def steps(at: pd.Series[Any], credits_more: pd.Series[Any]) -> pd.DataFrame:
    """Make a table of when something was added (`at`), and how much (`more`, missing where unknown)."""
    return pd.DataFrame({"at": at, "more": credits_more.loc[at.index]})


def spend(sent: pd.DataFrame, charges: pd.DataFrame, cap: int | None) -> Figure | None:
    """Show what was committed and charged over time, against the cap; None for fewer than two priced submits.

    Both tables are `steps` in credits.
    """
    priced = sent[(sent["more"] != 0).fillna(False)]
    if len(priced) < 2:
        return None
    unknown = int(sent["more"].isna().sum())
    committed, charged = _running(priced), _running(charges)
    spent = committed["total"].iloc[-1]
    last = max(moves["at"].iloc[-1] for moves in (committed, charged) if len(moves))
    end = pd.DataFrame({"at": series([last], "time"), "total": series([spent], "Int64")})
    committed = pd.concat([committed, end], ignore_index=True)  # the last value is drawn to the end
    traces = [_line("committed", "committed", committed)]
    words = f"{usd_text(int(spent))} committed"
    if len(charged):
        traces.append(_line("charged", "charged", charged))
        words += f", {usd_text(int(charged['total'].iloc[-1]))} of it seen in the ledger"
    else:
        words += ", no charge in the provider's ledger yet"
    words += f"; the lines leave out {count_text(unknown, 'take')} with an unknown cost" if unknown else ""
    figure: Figure = {"id": "spend", "title": "Money over time", "words": words, "unit": "USD", "traces": traces}
    if cap is not None:
        figure["limit"] = {"value": _usd(cap), "words": f"cap {usd_text(cap)}"}
        figure["words"] += f"; the cap is {usd_text(cap)}"
    return figure


def _running(moves: pd.DataFrame) -> pd.DataFrame:
    """Return how much it was from each time on: `at` and `total`. Of one time, what went down comes first."""
    ordered = moves.sort_values(["at", "more"], kind="stable", ignore_index=True)
    return pd.DataFrame({"at": ordered["at"], "total": ordered["more"].cumsum()})


def _line(name: str, role: str, totals: pd.DataFrame) -> Figure:
    kept = _thinned_rows(totals)
    return {
        "type": "scatter",
        "mode": "lines",
        "name": name,
        "role": role,
        "shape": "hv",
        "x": [_wall(at) for at in plain_values(kept["at"])],
        "y": [_usd(amount) for amount in kept["total"].tolist()],
    }


def _usd(amount: int) -> float:
    return float(usd(amount))


# --- the provider's limits


def concurrency(attempts: pd.DataFrame) -> Figure | None:
    """Show how many takes were at the provider at the same time, and when it said 429; None if nothing was."""
    made = attempts[attempts["generation_id"].notna()]
    if not len(made):
        return None
    is_refused = attempts["http_status"] == HTTP_TOO_MANY
    refused = attempts["ended_at"].fillna(attempts["started_at"])[is_refused.fillna(False)].sort_values()
    levels = _levels(made["started_at"], made["ended_at"].dropna())
    words = f"at most {count_text(levels['total'].max(), 'take')} at once; "
    count = count_text(len(refused), "request") if len(refused) else "no request"
    words += f"the provider refused {count} because of its limits"
    kept = _thinned_rows(levels)
    traces: list[Figure] = [
        {
            "type": "scatter",
            "mode": "lines",
            "name": "at the provider",
            "role": "generating",
            "shape": "hv",
            "fill": "tozeroy",
            "x": [_wall(at) for at in plain_values(kept["at"])],
            "y": kept["total"].tolist(),
        }
    ]
    if len(refused):
        marks = refused.iloc[_thinned(range(len(refused)))]
        before = [0, *levels["total"].tolist()]
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": "429",
                "role": "failed",
                "x": [_wall(at) for at in plain_values(marks)],
                "y": [before[place] for place in levels["at"].searchsorted(marks, side="right")],
            }
        )
    return {"id": "concurrency", "title": "Takes at the provider", "words": words, "unit": "takes", "traces": traces}


def _levels(begins: pd.Series[Any], ends: pd.Series[Any]) -> pd.DataFrame:
    """Return how many takes were at the provider from each time on."""
    at = pd.concat([begins, ends], ignore_index=True)
    return _running(pd.DataFrame({"at": at, "more": [1] * len(begins) + [-1] * len(ends)}))


# --- what went wrong


def failures(needs: Sequence[Mapping[str, Any]]) -> Figure | None:
    """Show how often each cause kept a take from its clip; None if there was no cause."""
    rows = sorted(needs, key=lambda need: -need["count"])[:CAUSES_SHOWN]
    if not rows:
        return None
    total = sum(need["count"] for need in needs)
    return {
        "id": "failures",
        "title": "Why takes have no clip",
        "words": f"{total} in all, by cause; see above for what to do about each",
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


def _thinned(points: Sequence[T]) -> list[T]:
    """Keep up to a limit, the last one included."""
    if len(points) <= POINTS_SHOWN:
        return list(points)
    return [*points[:: math.ceil(len(points) / POINTS_SHOWN)], points[-1]]


def _thinned_rows(table: pd.DataFrame) -> pd.DataFrame:
    return table.iloc[_thinned(range(len(table)))]


# --- headlines


def headlines(takes: pd.DataFrame, attempts: pd.DataFrame) -> dict[str, Any]:
    """Return the headlines beside the sums: median time at the provider, how full its places were, 429s.

    `median_s` is from submit to the poll that saw the end; `busy` the share of the most places held at once that was
    in use from the first submit to the last end. None if unknown.
    """
    times = seconds(takes["submitted_at"], takes["completed_at"]).dropna().tolist()
    ended = attempts[attempts["generation_id"].notna() & attempts["ended_at"].notna()]
    levels = _levels(ended["started_at"], ended["ended_at"])
    most = int(levels["total"].max()) if len(levels) else 0
    held_s = int(milliseconds(ended["started_at"], ended["ended_at"]).sum()) / 1000
    whole_s = (levels["at"].iloc[-1] - levels["at"].iloc[0]).total_seconds() * most if len(levels) else 0.0
    return {
        "median_s": median(times) if times else None,
        "most": most,
        "busy": held_s / whole_s if whole_s else None,
        "refused": int((attempts["http_status"] == HTTP_TOO_MANY).sum()),
    }
