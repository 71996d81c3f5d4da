"""The pages: the report and the storyboard. Offline, without scripts, everything from outside escaped."""

from __future__ import annotations

import base64
import hashlib
import unicodedata
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from wanbatch.download import POSTERS
from wanbatch.lifecycle import State, Take
from wanbatch.planning import ShotRow
from wanbatch.pricing import usd_text
from wanbatch.reporting.charts import duration_histogram, spend_curve
from wanbatch.reporting.frames import Frames
from wanbatch.units import duration_text

ROWS_SHOWN = 500
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
    return "unknown" if value is None else usd_text(int(value))


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


def render_report(facts: Mapping[str, Any], tables: Frames, takes: Sequence[Take]) -> str:
    """Render `reports/report.html`."""
    summary = list(facts["summary"])
    batch = next((row for row in summary if row["level"] == "batch"), None)
    rows = [row for row in summary if row["level"] != "batch"]
    speeds = sorted({run["speed"] for run in facts["runs"] if run["speed"] != 1})
    return _page(
        "report.html.j2",
        facts=facts,
        batch=batch,
        groups=[
            (level, [row for row in rows if row["level"] == level]) for level in dict.fromkeys(r["level"] for r in rows)
        ],
        takes=takes[:ROWS_SHOWN],
        hidden=max(0, len(takes) - ROWS_SHOWN),
        speeds=", ".join(f"{speed:g}" for speed in speeds),
        histogram=Markup(duration_histogram(_known(tables, "generating_s"))),  # noqa: S704  numbers only
        curve=Markup(spend_curve(takes)),  # noqa: S704  numbers only
        timings=("queued", "generating", "download", "total"),
        asked=sum(not take.superseded for take in takes),
        done=sum(take.state is State.VERIFIED and not take.superseded for take in takes),
    )


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
    return _page("storyboard.html.j2", facts=facts, scenes=[scene for scene in scenes if scene[1]])


def _frame_of(take: Take, output: Path) -> dict[str, Any]:
    poster = f"{POSTERS}/{take.label}.jpg"
    ratio = take.order.aspect_ratio or "16:9"
    return {
        "take": take,
        "clip": take.file,
        "poster": poster if (output / poster).is_file() else None,
        "shape": f"r{ratio.replace(':', 'x')}" if ratio in ("16:9", "9:16", "1:1", "4:3", "3:4") else "r16x9",
        "prompt": str(take.recipe.body.get("prompt", "")),
    }
