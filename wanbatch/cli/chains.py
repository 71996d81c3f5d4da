"""Chains on the screen and in JSON: what a plan says of shots that continue from each other."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.markup import escape

from wanbatch.cli.grid import say
from wanbatch.money.successions import Succession
from wanbatch.session.preview import LongestChain, Preview
from wanbatch.units import agreeing, count_text, duration_text

SHOWN = 6


def print_chains(console: Console, preview: Preview) -> None:
    """Print how long the longest chain takes, what keeps takes from being sent, and what new takes mean for others."""
    if preview.longest is not None:
        say(console, escape(f"  {_longest_text(preview, preview.longest)}"))
    follows = _follows(preview)
    if follows:
        say(console, escape(f"  {follows}"))
    for line in _news(preview):
        say(console, escape(f"  {line}"), style="yellow")


def _longest_text(preview: Preview, longest: LongestChain) -> str:
    shots = longest.shots
    ends = f"{count_text(len(shots), 'shot')} from {shots[0]} to {shots[-1]}"
    usual, slow = (duration_text(each / preview.speed) for each in (longest.seconds, longest.slow_seconds))
    takes = f"takes about {usual}, or {slow} if every clip is as slow as the slowest 5%, however many run at once"
    lost = f"if {shots[0]} fails, {longest.behind} {agreeing(longest.behind, 'takes|take are|is')} not sent"
    made = f"{ends}; it {takes}" if longest.chains == 1 else f"the longest, {ends}, {takes}"
    return f"{count_text(longest.chains, 'chain')} to make: {made}; {lost}"


def _follows(preview: Preview) -> str:
    """Say which takes are made again because of `follow: always`; empty for none."""
    notes = {} if preview.plan is None else preview.plan.followed
    named = [each for due in preview.takes if (each := notes.get((due.shot_id, due.number)))]
    shown = ", ".join(named[:SHOWN]) + (", ..." if len(named) > SHOWN else "")
    takes = agreeing(len(named), "of these takes are|is made again, because the manifest says `follow: always`")
    return f"{len(named)} {takes}: {shown}" if named else ""


def _news(preview: Preview) -> Iterator[str]:
    by_shot: dict[tuple[str, bool], list[str]] = {}
    for due, other in preview.unready:
        by_shot.setdefault((other, bool(due.awaits)), []).append(f"{due.shot_id}_t{due.number}")
    for (other, is_again), labels in by_shot.items():
        named = ", ".join(labels[:SHOWN]) + (", ..." if len(labels) > SHOWN else "")
        why = f"follow|follows a new take of {other}, which this run does not make"
        if not is_again:
            why = f"continue|continues from {other}, which has no clip and which this run does not make"
        yield f"not sent: {count_text(len(labels), 'take')} ({named}) {agreeing(len(labels), why)}"
    yield from (each.text(str(preview.output)) for each in preview.successions)


def chains_json(preview: Preview) -> dict[str, Any]:
    """Return the same as JSON values."""
    longest = preview.longest
    return {
        "chains": None if longest is None else {**asdict(longest), "shots": list(longest.shots)},
        "not_ready": [
            {"shot": due.shot_id, "take": due.number, "goes_on_from": other} for due, other in preview.unready
        ],
        "successions": [succession_json(each, str(preview.output)) for each in preview.successions],
    }


def succession_json(each: Succession, folder: str) -> dict[str, Any]:
    """Return a shot with a new take as JSON values; `take` is null if it is not made yet, `credits` if unknown,
    `command` if the next run of the manifest makes `followers` again, for `run_credits`.

    `folder` is the output folder as commands name it.
    """
    return {
        "shot": each.news.shot_id,
        "take": each.news.take or None,
        "shots": list(each.news.shots),
        "credits": each.credits,
        "followers": list(each.news.followers),
        "run_credits": each.run_credits if each.news.followers else None,
        "command": each.command(folder) or None,
    }
