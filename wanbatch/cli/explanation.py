"""The explanation of one shot on the screen and in JSON: what is sent, and where each value comes from."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.markup import escape

from wanbatch.cli.grid import say
from wanbatch.manifest.explanation import Explanation, Request, Value
from wanbatch.units import count_text

_NAMES, _VALUES = 17, 22  # columns


def explanation_json(told: Explanation) -> dict[str, Any]:
    """Return an explanation as JSON values; `limit` is null where the model says none."""
    return {
        "shot": told.shot_id,
        "planning": [asdict(each) for each in told.planning],
        "requests": [asdict(each) for each in told.requests],
        "takes": [{"sha256": recipe.sha256, "request": recipe.body} for recipe in told.recipes],
    }


def print_explanation(console: Console, told: Explanation) -> None:
    """Print an explanation: a value a line, and whose it is behind or beneath it."""
    say(console, escape(told.shot_id), style="bold")
    for value in told.planning:
        _print_value(console, value)
    for request in told.requests:
        takes = count_text(len(told.recipes) // len(told.requests), "take")
        say(console, escape(f"  sent to {request.model}, {takes}:"))
        for value in request.values:
            _print_value(console, value)
            if value.name == "prompt":
                say(console, f"  {' ' * _NAMES}[dim]{_length(request)}[/]")


def _length(request: Request) -> str:
    if request.limit is None:
        return count_text(request.characters, "character")
    return f"{request.characters:,} of {request.limit:,} characters"


def _print_value(console: Console, value: Value) -> None:
    name = f"{value.name:<{_NAMES - 1}} "
    text = value.value if isinstance(value.value, str) else json.dumps(value.value, ensure_ascii=False)
    origins = escape("; ".join(value.origins))
    if len(text) <= _VALUES:
        say(console, f"  {name}{escape(text)}{' ' * (_VALUES - len(text))}  [dim]{origins}[/]")
        return
    say(console, f"  {name}{escape(text)}")
    say(console, f"  {' ' * _NAMES}[dim]{origins}[/]")
