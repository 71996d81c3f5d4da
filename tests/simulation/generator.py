"""One seed, one scenario: faults, crashes and acts drawn first, then what is wrong beside them.

The draws of a version never change, so that a seed means the same scenario for as long as its version is there.
"""

from __future__ import annotations

import errno
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from functools import partial
from random import Random
from typing import Any

from tests.simulation.chain_plots import CHAIN_PLOTS
from tests.simulation.disk import Crash, Fault, Outcome
from tests.simulation.disorder import disordered, one_of, plotted, plotted_anew, retold
from tests.simulation.earlier_purchase_plots import EARLIER_PURCHASE_PLOTS
from tests.simulation.fallback_plots import plotted_with_fallbacks
from tests.simulation.later_chain_plots import LATER_CHAIN_PLOTS, measured
from tests.simulation.line import CANCELS, CUTS, Cut
from tests.simulation.newest_plots import PLOTS_OF_7, PLOTS_OF_8, PLOTS_OF_9
from tests.simulation.renaming_plots import RENAMING_PLOTS
from tests.simulation.scenario import KEY, LARGE, PRICES, SMALL, Act, Scenario
from tests.simulation.waiting_plots import PLOTS_OF_11
from wanbatch.batch.shots import Shot
from wanbatch.pace.schedule import Rates
from wanbatch.runner.settings import OnUnknown
from wanbatch.sandbox.faults import DEEDS, Rule
from wanbatch.sandbox.options import SandboxOptions

VERSION = 14
REFUSALS = (400, 401, 403, 404, 413, 422)
LATER = (425, 429, 429, 429)
UNCLEAR = (301, 408, 409, 418, 500, 500, 502, 503, 504, 520, 529, 599)
READ_CODES = (400, 401, 403, 404, 408, 429, 429, 500, 502, 503, 503, 522)
CLIP_CODES = (401, 403, 404, 408, 410, 429, 500, 503, 503)


def scenario_of(seed: int, version: int = VERSION) -> Scenario:
    """Make the scenario of a seed, as a version of the generator does.

    1 has right clocks and promises kept; in 2 nobody compares the clocks before a run; 3 is 2, and most runs compare
    them; 4 is 2, and tells one of the later plots in some seeds; 5 is 4, and tells one of the newest in some of those;
    6 is 5, and most runs compare the clocks where no such plot is told; 7 is 6, and tells plots of its own in a few more;
    8 and 9 are 7, with the same for plots of their own; 10 is 9, with fallbacks in some seeds that tell no other plot; 11
    is 10, with plots of its own in the same way; 12 is 11, and one seed in ten tells one of its plots in place of what
    it would tell otherwise; 13 is 12, and one in four tells of shots that continue from others in the same way; 14
    is 13, and one in ten tells one of its own plots of them; clips of chains can be measured, and threads take time.
    """
    made = _until_11(seed, min(version, 11))
    made = made if version < 12 else retold(_PLOTS_OF_12, 0.1, made, Random(f"retold {seed}"))
    made = made if version < 13 else retold(CHAIN_PLOTS, 0.25, made, Random(f"chains {seed}"))
    if version < 14:
        return made
    rng = Random(f"later chains {seed}")
    return measured(retold(LATER_CHAIN_PLOTS, 0.1, made, rng), rng)


def _until_11(seed: int, version: int) -> Scenario:
    made = _harder(_scenario_of(seed), Random(f"harder {seed}"))
    if version == 1:
        return made
    made = disordered(made, Random(f"disorder {seed}"))
    if version >= 4:
        told = plotted(made, Random(f"plotted {seed}"))
        told = told if version == 4 else plotted_anew(told, Random(f"plotted anew {seed}"))
        if version < 6 or told is not made:
            return told
    compares = (version == 3 or version >= 6) and Random(f"compares {seed}").random() < 0.75
    made = replace(made, compares_clocks=compares)
    for since, name, tell in _LATER:
        if version >= since:
            made = tell(made, Random(f"plotted {name} {seed}"))
    return made


_LATER: tuple[tuple[int, str, Callable[[Scenario, Random], Scenario]], ...] = (
    (7, "lately", partial(one_of, PLOTS_OF_7, 0.15)),
    (8, "last", partial(one_of, PLOTS_OF_8, 0.15)),
    (9, "newest", partial(one_of, PLOTS_OF_9, 0.05)),
    (10, "with fallbacks", plotted_with_fallbacks),
    (11, "while waiting", partial(one_of, PLOTS_OF_11, 0.2)),
)
"""The plots that versions of the generator added, each told by a draw of its own."""

_PLOTS_OF_12 = {**EARLIER_PURCHASE_PLOTS, **RENAMING_PLOTS}


def _harder(scenario: Scenario, rng: Random) -> Scenario:
    """Add what no protocol can prevent, and what a disk does before it dies."""
    runs = max(1, len(scenario.crashes))
    faults = tuple(_disk_fault(rng) if rng.random() < 0.5 else None for _ in range(runs)) if rng.random() < 0.1 else ()
    acts = list(scenario.acts)
    tells_key = any(KEY in rule.message for rule in scenario.rules)  # only the key in use can be masked
    rules, policy = scenario.rules, scenario.on_unknown
    if rng.random() < 0.06 and not tells_key:
        acts.append(Act(rng.randint(0, runs), "other key"))
        rules = (*rules, Rule("submit", "drop_after", nth=(rng.randint(1, 4),)))
        policy = rng.choice((policy, OnUnknown.RESUBMIT))
    if rng.random() < 0.1:
        acts += [Act(rng.randint(1, runs), do) for do in ("abandon", "adopt")]
    if rng.random() < 0.05:  # a copy from the middle of a run, and a later attempt that only the log knows
        acts.append(Act(rng.randint(1, runs + 1), "roll back"))
        rules = (Rule("submit", "fail", nth=(rng.randint(1, 4),)), *rules)
    rates = scenario.rates
    if rng.random() < 0.02:  # a copy from when a take had failed, and a try of it that only the log knows
        acts += [Act(1, "retry"), Act(2, "roll back")]
        rules = (Rule("submit", "fail", nth=(1, 2)), *rules)
        rates = replace(rates, max_attempts=1)
    late_s = rng.choice((20_000.0, 100_000.0, 200_000.0)) if rng.random() < 0.06 else 0.0
    if late_s:
        rules = (*rules, Rule("submit", "drop_after", nth=(rng.randint(1, 4),)))
        policy = rng.choice((policy, OnUnknown.RESUBMIT, OnUnknown.RESUBMIT))
    return replace(
        scenario,
        rules=rules,
        rates=rates,
        on_unknown=policy,
        acts=tuple(acts),
        disk_faults=faults,
        late_s=late_s,
        twins=tuple(sorted({rng.randint(1, 5) for _ in range(2)})) if rng.random() < 0.05 else (),
    )


def _disk_fault(rng: Random) -> Fault:
    return Fault(rng.randrange(rng.choice((12, 40, 100))), rng.choice((errno.ENOSPC, errno.EIO)), rng.random() < 0.5)


def _scenario_of(seed: int) -> Scenario:
    rng = Random(f"scenario {seed}")
    shots = _shots(rng)
    lag_s = rng.choice((0.0, 0.0, 30.0, 30.0, 30.0, 300.0, 300.0, 3600.0))
    grace = timedelta(hours=2, seconds=lag_s) if rng.random() < 0.94 else None
    cap = None
    if rng.random() < 0.55:
        cap = int(PRICES[SMALL] * (rng.randint(1, 2 * len(shots)) + rng.choice((0.0, 0.0, 0.5))))
    rules = tuple(_rule(rng) for _ in range(rng.choice((0, 1, 2, 3, 4, 5, 7))))
    # What never ends would keep its place for ever, and a 429 has no end then.
    concurrency = None if any(rule.do == "stall" for rule in rules) else rng.choice((None, None, 1, 2, 4))
    crashes = tuple(_crash(rng) if rng.random() < 0.85 else None for _ in range(rng.choice((0, 1, 1, 2, 3, 4))))
    return Scenario(
        seed=seed,
        shots=shots,
        rates=Rates(
            submit_per_min=rng.choice((6.0, 60.0, 60.0, 600.0)),
            in_flight=rng.choice((1, 2, 4, 8)),
            downloads=rng.choice((1, 2, 4)),
            max_attempts=rng.choice((1, 2, 2, 3)),
        ),
        cap_credits=cap,
        quotes=_quotes(rng),
        on_unknown=rng.choice((OnUnknown.RECONCILE,) * 3 + (OnUnknown.RESUBMIT,) * 3 + (OnUnknown.HOLD,)),
        grace=grace,
        options=SandboxOptions(
            seed=seed,
            rate_per_min=rng.choice((None, None, None, 2.0, 6.0)),
            concurrency=concurrency,
            log_lag_s=lag_s,
            link_ttl_s=rng.choice((86_400.0, 86_400.0, 15.0, 1.0)),
            mean_s=rng.choice((60.0, 120.0, 205.0)),
            cv=rng.choice((0.05, 0.25, 0.8)),
        ),
        rules=rules,
        cuts=tuple(_cut(rng) for _ in range(rng.choice((0, 0, 1, 1, 2)))),
        is_slow=rng.random() < 0.4,
        strangers=tuple(
            (rng.uniform(0, 200), rng.randrange(len(shots)), rng.random() < 0.3)
            for _ in range(rng.choice((0, 0, 1, 3)))
        ),
        crashes=crashes,
        acts=_acts(rng, len(crashes)),
        limit=rng.randint(1, 3) if rng.random() < 0.05 else None,
    )


def _shots(rng: Random) -> tuple[Shot, ...]:
    made = []
    for number in range(rng.choice((1, 2, 2, 3, 3, 3, 4, 4, 5, 6))):
        large = rng.random() < 0.15
        body: dict[str, Any] = {"model": LARGE if large else SMALL, "resolution": "720p" if large else "480P"}
        body |= {"duration": 5} if large else {}
        prompt = "the same prompt" if rng.random() < 0.2 else f"shot number {number}"
        seed = 7 if rng.random() < 0.15 else None  # with the same prompt: the same recipe
        takes = 2 if rng.random() < 0.1 else 1
        made.append(Shot(f"sh{number:02d}", number, {**body, "prompt": prompt}, takes=takes, seed=seed))
    return tuple(made)


def _quotes(rng: Random) -> dict[str, int]:
    kind = rng.random()
    if kind < 0.7:
        return dict(PRICES)
    if kind < 0.85:
        return {}
    return {SMALL: PRICES[SMALL]} if kind < 0.92 else {model: price // 2 for model, price in PRICES.items()}


def _crash(rng: Random) -> Crash:
    step = rng.choice((rng.randrange(20), rng.randrange(60), rng.randrange(150)))
    return Crash(step, rng.choice(list(Outcome)), rng.randrange(2**32))


# What a running batch meets: lists of clips have tests of their own (tests/runner/test_extra_clips.py), and so has what is asked before.
UNMET = {"balance", "detail", "key", "models", "endings", "listed", "two_clips"}
_PLACES = [(on, do) for do, routes in DEEDS.items() for on in routes if not {on, do} & UNMET]
_SUBMITS = [place for place in _PLACES if place[0] == "submit"]


def _rule(rng: Random) -> Rule:
    on, do = rng.choice(_SUBMITS if rng.random() < 0.45 else _PLACES)
    has_envelope = rng.random() < 0.7
    code = rng.choice(CLIP_CODES if on == "clip" else READ_CODES)
    if on == "submit" and do == "status":
        code = rng.choice(rng.choice((REFUSALS, LATER, LATER, UNCLEAR, UNCLEAR)))
    elif do == "status_after":  # the work is done: an envelope of a refusal would be a lie that nothing can see through
        code = rng.choice(UNCLEAR if has_envelope else UNCLEAR + REFUSALS + LATER)
    most = {"submit": 6, "poll": 25, "logs": 4, "ledger": 4, "clip": 6}[on]
    when: dict[str, Any] = {"nth": tuple(sorted({rng.randint(1, most) for _ in range(rng.randint(1, 3))}))}
    if rng.random() < 0.2:
        when = {"probability": rng.choice((0.1, 0.3))}
    message = rng.choice(("the generation failed", "it broke", "Content policy violation", f"bad token {KEY}"))
    retry_after = rng.choice((None, None, "7", "nan", "-3", "100000", "Sun, 01 Nov 2026 21:00:00 GMT"))
    delay_s = rng.choice((1.0, 5.0, 90.0, 200.0))
    if on == "poll" and do == "status" and delay_s > 5:
        code = 404  # the one that could be mistaken for a proof
    return Rule(
        on, do, code=code, has_envelope=has_envelope, retry_after=retry_after, message=message, delay_s=delay_s, **when
    )


def _cut(rng: Random) -> Cut:
    on = rng.choice(("submit", "submit", "submit", "poll", "poll", "logs", "ledger", "clip"))
    return Cut(
        on, rng.randint(1, 6), rng.choice([do for do, routes in CUTS.items() if on in routes and do not in CANCELS])
    )


def _acts(rng: Random, runs: int) -> tuple[Act, ...]:
    if rng.random() < 0.4:
        return ()
    made: list[Act] = []
    for _ in range(rng.choice((1, 1, 2, 3))):
        run = rng.randrange(runs + 2)
        do = rng.choice(
            ("drain", "drain", "drain twice", "terminate", "deadline", "edit", "edit back", "remove", *BETWEEN)
        )
        made.append(Act(run, do, rng.randrange(1, 40)) if do not in BETWEEN else Act(max(run, 1), do))
        if do in ("edit", "remove") and rng.random() < 0.6:
            made.append(Act(max(run, 1) + 1, "edit back"))
    return tuple(made)


BETWEEN = (
    "edit",
    "edit back",
    "remove",
    "raise cap",
    "retry",
    "resubmit",
    "adopt",
    "abandon",
    "reconcile",
    "other policy",
    "roll back",
    "delete clip",
)
"""What the user does between two runs. `roll back` restores an old copy of the state file."""
