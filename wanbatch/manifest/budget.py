"""What a manifest asks of the whole batch: its limits, and the caps of its budget."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from wanbatch.batch.shots import Limits
from wanbatch.manifest.tree import Node, Problems, Scalar, Table, follow
from wanbatch.manifest.words import fault_words, meant, shown, some_of
from wanbatch.money.credits import credits_of_usd
from wanbatch.units import parse_rate_per_min


def limits_of(given: Mapping[str, Any], root: Table, problems: Problems) -> Limits:
    """Return the limits; an unreadable rate is a problem."""
    rates: dict[str, float | None] = dict.fromkeys(("submit_rate", "poll_rate"))
    for name in rates.keys() & given.keys():
        try:
            rates[name] = parse_rate_per_min(str(given[name]))
        except ValueError:
            at = follow(root, ["limits", name]).at
            problems.add(at, fault_words(f"limits.{name}", given[name], "rate", "", ""))
    return Limits(
        submit_per_min=rates["submit_rate"],
        in_flight=given.get("in_flight"),
        poll_per_min=rates["poll_rate"],
        downloads=given.get("downloads"),
        max_attempts=given.get("max_attempts"),
    )


def check_scenes(root: Table, scenes: set[str], problems: Problems) -> None:
    """Refuse a cap on a scene that no shot has: it would have no effect."""
    budget = follow(root, ["budget", "scenes"])
    names = budget.keys if isinstance(budget, Table) and not problems.found else {}
    known = sorted(scenes - {""})
    for name, at in names.items():
        if name not in known:
            hint = meant(name, known) or (f"; use {some_of(name, known)}" if known else "; the shots name no scenes")
            problems.add(at, f"budget.scenes names {shown(name)}, but no shot has this scene{hint}")


def cap_of(caps: Node | None) -> int | None:
    """Return a cap in credits; None if there is none."""
    for name, node in caps.items.items() if isinstance(caps, Table) else ():
        if isinstance(node, Scalar):
            # The text, not the float made from it: money is exact.
            return credits_of_usd(Decimal(node.text)) if name == "max_usd" else int(node.value)
    return None


def scene_caps(budget: Node | None) -> Mapping[str, Node]:
    """Return the caps of single scenes, by their names."""
    scenes = budget.items.get("scenes") if isinstance(budget, Table) else None
    return scenes.items if isinstance(scenes, Table) else {}
