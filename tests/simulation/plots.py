"""Plots: short stories in which one thing is wrong, each known to have led to a second purchase or to a stop.

A plot keeps little of the scenario it is told in, so that nothing else hides what it is about.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from random import Random

from tests.simulation.line import CANCELS, Cut
from tests.simulation.scenario import PRICES, SMALL, Act, Scenario
from tests.simulation.wrongness import OTHER_STATUSES, TIDY, Clocks, Jump, Lies, Mess
from wanbatch.batch.shots import Shot
from wanbatch.pace.schedule import Rates
from wanbatch.runner.settings import OnUnknown
from wanbatch.sandbox.faults import Rule
from wanbatch.sandbox.options import SandboxOptions

HOUR, YEAR = 3600.0, 365 * 86_400.0
Plot = Callable[[Scenario, Random], Scenario]


def plain(scenario: Scenario, rng: Random, shots: int, lag_s: float = 30.0) -> Scenario:
    """Return a scenario in which nothing goes wrong: so many takes, at one price."""
    made = tuple(
        Shot(f"sh{n:02d}", n, {"model": SMALL, "resolution": "480P", "prompt": f"shot number {n}"})
        for n in range(shots)
    )
    return Scenario(
        seed=scenario.seed,
        shots=made,
        rates=Rates(submit_per_min=60.0, in_flight=rng.choice((1, 2, 4)), downloads=2, max_attempts=rng.choice((2, 3))),
        grace=timedelta(hours=2, seconds=lag_s),
        on_unknown=rng.choice((OnUnknown.RECONCILE, OnUnknown.RESUBMIT)),
        options=SandboxOptions(seed=scenario.seed, log_lag_s=lag_s, mean_s=rng.choice((60.0, 120.0)), cv=0.05),
    )


def cap_of(takes: float) -> int:
    """Return the price of so many takes of the small model."""
    return int(PRICES[SMALL] * takes)


def an_empty_window(scenario: Scenario, rng: Random) -> Scenario:
    """An old copy of the whole folder is put back, and a clock is wrong: the log must be read all the same."""
    later = rng.choice((5 * HOUR, 26 * HOUR, 2 * YEAR))
    year = ((rng.randint(2, 40), 10 * YEAR),)
    wrong = rng.choice((Clocks(ours=(0.0, later)), Clocks(ours=(later, 0.0)), Clocks(strays=year), Clocks(strays=year)))
    acts = (Act(1, "wait 1"), Act(1, rng.choice(("restore first", "restore folder"))), Act(2, "edit"))
    return replace(plain(scenario, rng, rng.randint(1, 3)), clocks=wrong, acts=acts)


def one_wrong_date(scenario: Scenario, rng: Random) -> Scenario:
    """Single answers are dated a day ahead, and a lost answer's row comes three hours late: no age is a day."""
    made = plain(scenario, rng, rng.randint(2, 3))
    grace = timedelta(hours=5)
    strays = tuple((rng.randint(4, 40), 30 * HOUR) for _ in range(rng.choice((2, 4))))
    mess = Mess(slow=((1, 3 * HOUR),))
    made = replace(made, clocks=Clocks(strays=strays), mess=mess, grace=grace)
    if rng.random() < 0.5:
        return replace(made, lies=Lies(gateway=((1, True),)))
    return replace(made, rules=(Rule("submit", "drop_after", nth=(1,)),), on_unknown=OnUnknown.RESUBMIT)


def a_refusal_that_was_none(scenario: Scenario, rng: Random) -> Scenario:
    """The provider refuses a job in its envelope, and makes it all the same (P1)."""
    lies = Lies(refused=((rng.randint(1, 2), rng.choice((400, 403, 422, 429, 429))),))
    return replace(plain(scenario, rng, rng.randint(1, 3)), lies=lies)


def a_failed_row_that_was_none(scenario: Scenario, rng: Random) -> Scenario:
    """A gateway's row says failed at no cost, and the job completes, under another name of the model (P2)."""
    made = plain(scenario, rng, rng.randint(1, 3), rng.choice((30.0, 300.0)))
    lies = Lies(gateway=((rng.randint(1, 2), rng.random() < 0.4),))
    mess = Mess(has_aliases=True, late_s=rng.choice((0.0, 1200.0)))
    return replace(made, lies=lies, mess=mess)


def an_error_that_was_none(scenario: Scenario, rng: Random) -> Scenario:
    """Polls say error of a job that completes: one alone, or all for a while (P3)."""
    lies = Lies(failed=((rng.randint(1, 2), rng.choice((1, 2, 3)), rng.choice((0.0, 0.0, HOUR, 3 * HOUR))),))
    return replace(plain(scenario, rng, rng.randint(1, 3)), lies=lies)


def cancelled(scenario: Scenario, rng: Random) -> Scenario:
    """A poll says cancelled, in either spelling: no documented failure, and it completes."""
    cuts = (Cut("poll", rng.randint(1, 5), rng.choice(CANCELS)),)
    return replace(plain(scenario, rng, rng.randint(1, 3)), cuts=cuts)


def a_second_charge(scenario: Scenario, rng: Random) -> Scenario:
    """The ledger has two equal rows for one generation: both are money."""
    made = plain(scenario, rng, rng.randint(2, 4))
    cap = rng.choice((None, cap_of(len(made.shots))))
    return replace(made, mess=Mess(charged_twice=(rng.randint(1, 2),)), cap_credits=cap)


def a_price_that_jumps(scenario: Scenario, rng: Random) -> Scenario:
    """From the second submit or a later one on everything costs ten times as much, under a cap; answers take a while."""
    made = plain(scenario, rng, rng.randint(5, 8))
    rates = replace(made.rates, in_flight=rng.choice((2, 4, 8)))
    rules = (Rule("submit", "delay", probability=0.7, delay_s=20.0),) if rng.random() < 0.8 else ()
    cap = cap_of(rng.choice((6.5, 12.5, 23.0, 34.0)))
    jumped = replace(made, jump=Jump(rng.randint(2, 4), 10), is_agreed=rng.random() < 0.7, cap_credits=cap)
    return replace(jumped, rates=rates, rules=rules)


def a_double_while_the_second_is_unknown(scenario: Scenario, rng: Random) -> Scenario:
    """Both answers of a take are lost, and the first one's row comes while the second is still looked for."""
    made = plain(scenario, rng, rng.randint(1, 2))
    rules = (Rule("submit", "drop_after", nth=(1, len(made.shots) + 1)),)
    rates = replace(made.rates, max_attempts=3)
    late_s = rng.choice((9_000.0, 12_000.0, 20_000.0, 27_000.0))
    return replace(made, rules=rules, rates=rates, late_s=late_s, on_unknown=OnUnknown.RESUBMIT)


def an_earlier_id(scenario: Scenario, rng: Random) -> Scenario:
    """An answer carries the id of an earlier attempt, while other takes run."""
    made = plain(scenario, rng, rng.randint(2, 4))
    rates = replace(made.rates, in_flight=len(made.shots))
    return replace(made, rates=rates, rules=(Rule("submit", "fail", nth=(1,)),), cuts=(Cut("submit", 3, "twin"),))


def rows_of_others(scenario: Scenario, rng: Random) -> Scenario:
    """Other programs under our key leave rows with statuses of their own, and equal ones; a run is resumed."""
    others = tuple((rng.uniform(0, 100), rng.randrange(len(OTHER_STATUSES))) for _ in range(rng.randint(1, 4)))
    mess = Mess(others=others, twice=rng.choice((0.0, 0.5)), page=rng.choice((100, 2)))
    acts = (Act(0, "drain", 4), Act(1, "wait 1"), Act(1, "edit"))
    return replace(plain(scenario, rng, rng.randint(2, 4)), mess=mess, acts=acts)


def a_stray_under_a_cap(scenario: Scenario, rng: Random) -> Scenario:
    """A copy lacks the purchase of an edited shot, which is edited back: it counts in every run that follows."""
    made = plain(scenario, rng, 4)
    acts = (
        Act(1, "keep"),
        Act(1, "edit shot 1"),
        Act(2, "wait 1"),
        Act(2, "restore kept"),
        Act(2, "edit back"),
        Act(4, "reconcile"),
    )
    return replace(made, acts=acts, cap_credits=cap_of(3), limit=1, mess=replace(TIDY, has_aliases=rng.random() < 0.5))


def a_risk_under_a_cap(scenario: Scenario, rng: Random) -> Scenario:
    """An answer is lost and sent again by the user's word, lost again and found: the first may still be charged."""
    made = plain(scenario, rng, 4)
    rules = (Rule("submit", "stall", nth=(1,)), Rule("submit", "drop_after", nth=(2,)))
    acts = (Act(0, "deadline", 20), Act(1, "resubmit"), Act(2, "reconcile"), Act(3, "wait 1"))
    lost = (Cut("submit", 1, rng.choice(("timeout", "reset"))),)
    capped = replace(made, cap_credits=cap_of(3), limit=1, on_unknown=OnUnknown.RECONCILE)
    return replace(capped, rules=rules, cuts=lost, acts=acts)


def a_mark_that_is_too_late(scenario: Scenario, rng: Random) -> Scenario:
    """What a copy lacks shows in the log only after a run has read it: the next run must look back far enough."""
    made = plain(scenario, rng, 3, 6 * HOUR)
    acts = (
        Act(1, "keep"),
        Act(2, "wait 5"),
        Act(2, "restore kept"),
        Act(2, "remove shot 1"),
        Act(3, "wait 12"),
        Act(3, "edit back"),
    )
    return replace(made, acts=acts, limit=1)


def two_looks(scenario: Scenario, rng: Random) -> Scenario:
    """A submit never arrived; the later one that shows it comes first into sight long after."""
    made = plain(scenario, rng, 3, rng.choice((0.0, 30.0)))
    cuts = (Cut("submit", 1, "lost"),)
    acts = (Act(0, "deadline", rng.randint(20, 60)), Act(1, "wait 3"))
    options = replace(made.options, mean_s=60.0)
    return replace(made, cuts=cuts, acts=acts, limit=1, on_unknown=OnUnknown.RESUBMIT, options=options)


def before_the_first_submit(scenario: Scenario, rng: Random) -> Scenario:
    """A copy from before anything was sent is put back, whole, when the log has shown what it lacks."""
    acts = (Act(1, "wait 1"), Act(1, "restore first"), *((Act(1, "edit shot 0"),) if rng.random() < 0.3 else ()))
    return replace(plain(scenario, rng, rng.randint(1, 3)), acts=acts)


def a_hole_in_the_log(scenario: Scenario, rng: Random) -> Scenario:
    """The log counts a row and does not show it for hours: one that was lost, or one that a restored copy lacks."""
    made = plain(scenario, rng, rng.randint(2, 3))
    mess = Mess(holes=((1, rng.choice((3 * HOUR, 5 * HOUR))),), page=rng.choice((100, 2)))
    if rng.random() < 0.3:
        rules = (Rule("submit", "drop_after", nth=(1,)),)
        return replace(made, rules=rules, mess=mess, on_unknown=OnUnknown.RESUBMIT)
    return replace(made, mess=mess, acts=(Act(1, "wait 1"), Act(1, "restore first")))


def a_charge_without_a_row(scenario: Scenario, rng: Random) -> Scenario:
    """The log never shows a lost submit, and the ledger charges it, under another name of the model."""
    made = plain(scenario, rng, rng.randint(2, 3))
    rules = (Rule("submit", "drop_after", nth=(1,)),)
    mess = Mess(nameless=(1,), has_aliases=True)
    return replace(made, rules=rules, mess=mess, on_unknown=OnUnknown.RESUBMIT)


def a_link_that_stays_dead(scenario: Scenario, rng: Random) -> Scenario:
    """Every link is refused, and each fresh one is: the clip is paid, and nothing is bought in its place."""
    rules = (Rule("clip", "status", probability=0.95, code=rng.choice((403, 404, 410)), has_envelope=False),)
    return replace(plain(scenario, rng, rng.randint(1, 2)), rules=rules)


_ALL: tuple[Plot, ...] = (
    an_empty_window,
    one_wrong_date,
    a_refusal_that_was_none,
    a_failed_row_that_was_none,
    an_error_that_was_none,
    cancelled,
    a_second_charge,
    a_price_that_jumps,
    a_double_while_the_second_is_unknown,
    an_earlier_id,
    rows_of_others,
    a_stray_under_a_cap,
    a_risk_under_a_cap,
    a_mark_that_is_too_late,
    two_looks,
    before_the_first_submit,
    a_hole_in_the_log,
    a_charge_without_a_row,
)
PLOTS: Mapping[str, Plot] = {plot.__name__.replace("_", " "): plot for plot in (*_ALL, a_link_that_stays_dead)}
"""Plots by name."""
DRAWN = sorted(plot.__name__.replace("_", " ") for plot in _ALL)
"""Plots of which one is drawn; the rest have their own share of seeds."""
