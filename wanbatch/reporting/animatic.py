"""The animatic plan: a page of what a manifest will show, before any clip is made. Its slates are text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

from wanbatch.batch.models import order_of
from wanbatch.batch.shots import Batch, Recipe, Shot
from wanbatch.errors import Problem
from wanbatch.money.credits import partly_known, usd_text
from wanbatch.reporting.page import page
from wanbatch.units import local_text

SHOTS_SHOWN = 2_000
_HUES = 12
_PROBLEMS_SHOWN = 50


def render_animatic(
    batch: Batch | None,
    problems: Sequence[Problem],
    made_at: datetime,
    price_of: Callable[[Recipe], int | None],
    refresh_s: int | None = None,
) -> str:
    """Render the page of a batch, or of the problems that keep it from being one.

    `price_of` returns what a take costs in credits, None if that is unknown. With `refresh_s` the page loads itself
    again so often.
    """
    scenes, clock_s = _scenes(batch, price_of) if batch is not None else ([], 0.0)
    prices = [price for scene in scenes for price in scene["prices"]]
    return page(
        "animatic.html.j2",
        sheet="animatic.css.j2",
        name=batch.name if batch is not None else "",
        source=batch.source if batch is not None else problems[0].file if problems else "",
        scenes=scenes,
        shots=sum(len(scene["slates"]) for scene in scenes),
        takes=len(prices),
        running=_clock(clock_s),
        cost=_sum(prices),
        is_priced=any(price is not None for price in prices),
        problems=[str(each) for each in problems[:_PROBLEMS_SHOWN]],
        warnings=[str(each) for each in (batch.warnings if batch is not None else ())[:_PROBLEMS_SHOWN]],
        made_at=local_text(made_at),
        refresh_s=refresh_s,
    )


def _scenes(batch: Batch, price_of: Callable[[Recipe], int | None]) -> tuple[list[dict[str, Any]], float]:
    scenes: list[dict[str, Any]] = []
    clock_s = 0.0
    for shot in [shot for shot in batch.shots if not shot.omit][:SHOTS_SHOWN]:
        name = " / ".join(part for part in (shot.sequence, shot.scene) if part)
        if not scenes or scenes[-1]["name"] != name:
            scenes.append({"name": name, "hue": len(scenes) % _HUES, "slates": [], "prices": [], "length_s": 0.0})
        length_s = _length_s(shot)
        prices = [price_of(recipe) for recipe in shot.recipes]
        scenes[-1]["slates"].append(_slate(shot, clock_s, length_s, prices))
        scenes[-1]["prices"] += prices
        scenes[-1]["length_s"] += length_s
        clock_s += length_s
    for scene in scenes:
        scene["running"], scene["cost"] = _clock(scene["length_s"]), _sum(scene["prices"])
    return scenes, clock_s


def _slate(shot: Shot, begin_s: float, length_s: float, prices: Sequence[int | None]) -> dict[str, Any]:
    order = order_of(shot.recipes[0])
    return {
        "id": shot.id,
        "begin": _clock(begin_s),
        "length": f"{length_s:g} s" if length_s else "length unknown",
        "prompt": shot.prompt,
        "takes": len(prices),
        "model": ", ".join(version.model.rpartition("/")[2] for version in shot.versions),
        "size": " ".join(str(each) for each in (order.resolution, order.aspect_ratio) if each),
        "is_upright": str(order.aspect_ratio) in ("9:16", "3:4", "2:3"),
        "cost": _sum(prices),
        "own": [(name.removeprefix("x_"), cell) for name, cell in shot.own.items() if cell],
        "notes": shot.notes,
    }


def _length_s(shot: Shot) -> float:
    return float(order_of(shot.recipes[0]).duration_s or 0.0)


def _sum(prices: Sequence[int | None]) -> str:
    known = [price for price in prices if price is not None]
    left = len(prices) - len(known)
    return partly_known(sum(known), left) if left else usd_text(sum(known))


def _clock(seconds: float) -> str:
    """Return a running time as 1:05, or 1:02:03."""
    whole = round(seconds)
    hours, rest = divmod(whole, 3600)
    return f"{hours}:{rest // 60:02}:{rest % 60:02}" if hours else f"{rest // 60}:{rest % 60:02}"
