"""How long a batch will take yet. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence

from wanbatch.pace.schedule import POLL_EVERY_S

EXPECTED_S = 205.0  # the provider's own sample run; used until this run has seen one end


def eta_s(planned: int, ages_s: Sequence[float], pace: tuple[int, float], mean_s: float | None) -> float | None:
    """Estimate the seconds until the last take ends; None if nothing is left.

    `ages_s` are those of the running takes; `pace` is how many may run at once and how many submits a minute there
    may be. Takes not sent yet go out in rounds, or as fast as the submit rate lets them.
    """
    if not planned and not ages_s:
        return None
    at_once, per_min = pace
    each_s = EXPECTED_S if mean_s is None else mean_s
    left_s = max((each_s - age_s for age_s in ages_s), default=0.0)
    if not planned:
        return max(left_s, POLL_EVERY_S)
    rounds = math.ceil(planned / max(1, at_once))
    return max(left_s, rounds * each_s, 60 * planned / per_min + each_s)
