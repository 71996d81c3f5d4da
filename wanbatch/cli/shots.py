"""The shots that a run would send: grouped on the screen, one by one with -v and in JSON."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from rich.console import Console
from rich.markup import escape

from wanbatch.batch.plan import Cause, Due
from wanbatch.cli.grid import say
from wanbatch.money.credits import usd_text
from wanbatch.session.preview import Preview
from wanbatch.units import count_text

GROUPS_SHOWN = 30
IDS_SHOWN = 3


def takes_json(preview: Preview) -> list[dict[str, Any]]:
    """Return each take that would be sent as JSON values. Credits are whole numbers, null where unknown."""
    return [
        {
            "shot": each.shot_id,
            "take": each.number,
            "scene": each.scene,
            "model": each.price_class.model,
            "resolution": each.price_class.resolution,
            "duration_s": each.price_class.duration_s,
            "settings": {name: json.loads(value) for name, value in each.price_class.settings},
            "price_class": str(each.price_class),
            "credits_expected": preview.quotes[each.price_class].credits,
            "why": each.cause.value,
        }
        for each in preview.takes
    ]


def print_takes(console: Console, preview: Preview, *, is_each: bool) -> None:
    """Print the takes that would be sent, in story order: by scene and price, or one per line."""
    story = sorted(preview.takes, key=lambda each: (each.ordinal, each.number))
    lines = [_line(preview, each) for each in story] if is_each else _groups(story)
    for line in lines:
        say(console, escape(f"    {line}"))


def _line(preview: Preview, each: Due) -> str:
    expected = preview.quotes[each.price_class].credits
    price = "price unknown" if expected is None else usd_text(expected)
    scene = f"{each.scene}: " if each.scene else ""
    return f"{scene}{each.shot_id}_t{each.number}  {each.price_class}  {price}{_cause(each.cause)}"


def _groups(story: Iterable[Due]) -> list[str]:
    """Write a line for each scene, price and cause: how many takes, and of which shots."""
    groups: dict[tuple[str, str, Cause], list[Due]] = {}
    for each in story:
        groups.setdefault((each.scene, str(each.price_class), each.cause), []).append(each)
    lines = []
    for (scene, price_class, cause), takes in list(groups.items())[:GROUPS_SHOWN]:
        ids = list(dict.fromkeys(each.shot_id for each in takes))
        named = ", ".join(ids) if len(ids) <= IDS_SHOWN else f"{ids[0]}, {ids[1]} ... {ids[-1]}"
        of_shots = f" of {count_text(len(ids), 'shot')}" if len(takes) > len(ids) else ""
        many = count_text(len(takes), "take") + of_shots
        lines.append(f"{f'{scene}: ' if scene else ''}{named}  ({many}, {price_class}){_cause(cause)}")
    left = list(groups.values())[GROUPS_SHOWN:]
    if left:
        lines.append(f"... and {sum(map(len, left)):,} more takes; put -v before the command to list each")
    return lines


def _cause(cause: Cause) -> str:
    return "" if cause is Cause.NEW else f"  {cause.value}"
