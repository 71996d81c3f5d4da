"""The wait before the provider is asked again: after a 429, and after a failure that may pass. Pure."""

from __future__ import annotations

from random import Random

RETRY_FLOOR_S, RETRY_CAP_S = 1.0, 60.0


def backoff_s(failures: int, rng: Random) -> float:
    """Return a wait with full jitter: 1 s up to a ceiling that doubles with each failure, 60 s at most."""
    ceiling = min(RETRY_CAP_S, RETRY_FLOOR_S * 2 ** min(failures, 10))
    return rng.uniform(RETRY_FLOOR_S, max(ceiling, RETRY_FLOOR_S))


def wait_after_429_s(row: int, retry_after_s: float | None, rng: Random) -> float:
    """Return how long no submit is sent after a 429: what its Retry-After says and up to 1 s more, else a backoff.

    `row` counts the 429s in a row before this one.
    """
    return backoff_s(row, rng) if retry_after_s is None else retry_after_s + rng.uniform(0, 1)
