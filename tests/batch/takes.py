"""Shots and takes by hand: one clip of the default model, changed in the fields that a test names."""

from __future__ import annotations

from datetime import UTC, datetime

from wanbatch.batch.shots import DEFAULT_MODEL, Shot
from wanbatch.batch.take import Take

AT = datetime(2026, 11, 1, 20, tzinfo=UTC)


def shot(name: str = "a", takes: int = 1, **request: object) -> Shot:
    """A shot that asks for so many takes; `request` adds to what it asks of the model."""
    return Shot(name, 0, {"model": DEFAULT_MODEL, "prompt": "p", **request}, takes=takes)


def take_of(each: Shot, slot: int = 1, number: int = 1, take_id: int = 1, **fields: object) -> Take:
    """The take of a shot's recipe at `slot`, planned unless `fields` say otherwise."""
    return Take(take_id, each.id, number, each.recipes[slot - 1].canonical, **fields)  # type: ignore[arg-type]
