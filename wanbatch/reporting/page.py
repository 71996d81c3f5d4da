"""The pages: the report and the storyboard. Offline, without scripts, everything from outside escaped."""

from __future__ import annotations

import base64
import hashlib
import re
import unicodedata
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import cache
from itertools import groupby
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from wanbatch.download import POSTERS
from wanbatch.lifecycle import State, Take
from wanbatch.planning import ShotRow
from wanbatch.pricing import CREDITS_PER_USD, usd, usd_text
from wanbatch.reporting.charts import duration_histogram, spend_curve
from wanbatch.reporting.frames import Frames
from wanbatch.reporting.shown import is_own
from wanbatch.units import duration_text

UNSEEN = "\u2013"  # a dash: there is nothing to show
ROWS_SHOWN = 500
PLAYERS_SHOWN = 60  # a player loads its poster at once; above this many, pictures that load in sight link to the clips
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def visible(text: object) -> str:
    """Return a text in which nothing hides: control characters are dropped, marks that turn the direction are named."""
    return "".join(
        f"[U+{ord(char):04X}]"
        if char in _BIDI
        else ""
        if unicodedata.category(char) == "Cc" and char not in "\n\t"
        else char
        for char in str(text)
    )


def _credits(value: float | None) -> str:
    return "unknown" if value is None else f"{int(value):,}"


def _usd(value: float | None) -> str:
    if value is not None and 0 < value < CREDITS_PER_USD / 200:
        return "< 0.01 USD"
    return "unknown" if value is None else usd_text(int(value))


def _exact_usd(value: int | None) -> str:
    return UNSEEN if value is None else f"{usd(value):,.2f}"


def _whole(value: int | None) -> str:
    return UNSEEN if value is None else f"{int(value):,}"


def _part(row: Mapping[str, Any], name: str) -> str:
    """Write a sum; where a part of it is unknown, what is known with a mark."""
    whole = row[f"{name}_credits"]
    return f"{int(whole):,}" if whole is not None else f"{int(row[f'{name}_known_credits']):,} +?"


def _percent(text: str | None) -> str:
    return UNSEEN if text is None else f"{Decimal(text) * 100:.0f}%"


def _rate(text: str | None) -> str:
    return UNSEEN if text is None else f"{Decimal(text):.4f}"


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:,.1f}".removesuffix(".0")


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def _coded(text: str) -> Markup:
    """Escape a text and set its options and what stands between backticks as code."""
    escaped = str(escape(visible(text)))
    return Markup(re.sub(r"`([^`]*)`|(?<!\S)(--[a-z]+)", r"<code>\1\2</code>", escaped))  # noqa: S704  escaped


def _minute(at: str) -> str:
    """Shorten `2026-03-02T07:30:00.000Z` to `2026-03-02 07:30 UTC`."""
    return f"{at[:10]} {at[11:16]} UTC"


def _link(path: str) -> str:
    return quote(path)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("wanbatch.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "visible": visible,
        "credits": _credits,
        "usd": _usd,
        "number": _number,
        "exact_usd": _exact_usd,
        "whole": _whole,
        "part": _part,
        "percent": _percent,
        "rate": _rate,
        "plural": _plural,
        "coded": _coded,
        "minute": _minute,
        "duration": duration_text,
        "link": _link,
    }
    return environment


def _page(template: str, **values: Any) -> str:
    environment = _environment()
    style = environment.get_template("style.css.j2").render()
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = (
        f"default-src 'none'; style-src 'sha256-{digest}'; img-src 'self' file: data:; media-src 'self' file:;"
        " base-uri 'none'; form-action 'none'"
    )
    return environment.get_template(template).render(style=Markup(style), policy=policy, **values) + "\n"  # noqa: S704


def render_report(facts: Mapping[str, Any], tables: Frames, takes: Sequence[Take], costs: Mapping[str, Any]) -> str:
    """Render `reports/report.html`; `costs` is what `costs.json` holds."""
    summary = list(facts["summary"])
    rows = summary[1:]
    return _page(
        "report.html.j2",
        facts=facts,
        costs=costs,
        batch=summary[0],
        trouble=facts["runs"][-1]["message"].removesuffix(".") if facts["runs"] else "",
        needs=[
            (state, todo, list(causes))
            for (state, todo), causes in groupby(facts["needs"], lambda need: (need["state"], need["todo"]))
        ],
        groups=[
            (level, [row for row in rows if row["level"] == level]) for level in dict.fromkeys(r["level"] for r in rows)
        ],
        takes=takes[:ROWS_SHOWN],
        hidden=max(0, len(takes) - ROWS_SHOWN),
        speeds=_speeds(facts),
        histogram=Markup(duration_histogram(_known(tables, "generating_s"))),  # noqa: S704  numbers only
        curve=Markup(spend_curve(takes)),  # noqa: S704  numbers only
        timings=("queued", "generating", "download", "total"),
        asked=sum(not take.superseded for take in takes),
        done=sum(take.state is State.VERIFIED and not take.superseded for take in takes),
    )


def render_combined(costs: Mapping[str, Any]) -> str:
    """Render the cost report of several batches."""
    return _page("combined.html.j2", costs=costs)


def _speeds(facts: Mapping[str, Any]) -> str:
    return " and ".join(f"{speed:g}" for speed in sorted({run["speed"] for run in facts["runs"]} - {1}))


def _known(tables: Frames, column: str) -> list[float]:
    return [float(value) for value in tables.takes[column].dropna()]


def render_storyboard(facts: Mapping[str, Any], takes: Sequence[Take], shots: Sequence[ShotRow], output: Path) -> str:
    """Render `storyboard.html`: every shot in story order with its takes, old ones folded away."""
    by_shot: dict[str, list[Take]] = {}
    for take in takes:
        by_shot.setdefault(take.shot_id, []).append(take)
    scenes: list[tuple[str, list[Any]]] = []
    for shot in shots:
        name = " / ".join(part for part in (shot.sequence, shot.scene) if part)
        if not scenes or scenes[-1][0] != name:
            scenes.append((name, []))
        mine = by_shot.get(shot.shot_id, [])
        current = [_frame_of(take, output) for take in mine if not take.superseded]
        old = [_frame_of(take, output) for take in mine if take.superseded and take.state is not State.PLANNED]
        if current or old or shot.omit:
            scenes[-1][1].append({"shot": shot, "current": current, "old": old})
    clips = sum(take.file is not None for take in takes)
    return _page(
        "storyboard.html.j2",
        facts=facts,
        speeds=_speeds(facts),
        scenes=[scene for scene in scenes if scene[1]],
        has_players=clips <= PLAYERS_SHOWN,
    )


def _frame_of(take: Take, output: Path) -> dict[str, Any]:
    poster = f"{POSTERS}/{take.label}.jpg"
    return {
        "take": take,
        "clip": take.file,
        "poster": poster if is_own(output, POSTERS, poster) and (output / poster).is_file() else None,
        "prompt": str(take.recipe.body.get("prompt", "")),
    }
