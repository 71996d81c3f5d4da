"""The seeds of takes where a shot gives one to each. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wanbatch.manifest.tree import Problems, Table

SEEDS = "seeds"
_RIVALS = ("seed", "takes")  # what a list of seeds says, too


def seeds_of(shot: Table, given: Mapping[str, Any], problems: Problems) -> tuple[int, ...]:
    """Return the seed of each take; none if the shot gives no list of them.

    `given` holds the values of the shot with its defaults. What the shot says itself under `seed` or `takes` goes
    before a list in the defaults.
    """
    seeds = given.get(SEEDS)
    if not isinstance(seeds, list) or not all(isinstance(each, int) for each in seeds):
        return ()
    said = [name for name in _RIVALS if name in shot.items and given.get(name) is not None]
    if SEEDS not in shot.items:
        return () if said else tuple(seeds)
    for name in said:
        if name == "seed" or given[name] != len(seeds):
            words = f"this shot has both {name} and seeds, but seeds already names each take; keep one of them"
            problems.add(shot.keys.get(name, shot.at), words)
    return tuple(seeds)
