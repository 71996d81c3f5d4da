"""The plots that came with versions 5 and 7 to 9 of the generator: what others showed only together with something else."""

from __future__ import annotations

import errno
from collections.abc import Mapping
from dataclasses import replace
from random import Random

from tests.simulation.disk import Crash, Fault, Outcome
from tests.simulation.line import Cut
from tests.simulation.plots import HOUR, Plot, plain
from tests.simulation.scenario import LARGE, PRICES, SMALL, Act, Scenario
from tests.simulation.wrongness import Lies, Mess
from wanbatch.runner.settings import OnUnknown
from wanbatch.sandbox.faults import Rule


def a_failure_that_is_charged_while_the_next_one_runs(scenario: Scenario, rng: Random) -> Scenario:
    """The first try fails, and its charge shows once the second was sent, which fails and is not charged."""
    made = plain(scenario, rng, rng.randint(1, 2), rng.choice((90.0, 120.0)))
    rules = (Rule("submit", "fail_charged", nth=(1,)), Rule("submit", "fail", nth=(2, 3)))
    return replace(made, rules=rules, rates=replace(made.rates, max_attempts=3, in_flight=1))


def a_list_that_is_a_hundred_times_too_low(scenario: Scenario, rng: Random) -> Scenario:
    """The list is far too low for the second of two models, under a cap that bears ten times what it says."""
    made = plain(scenario, rng, 10)
    body = {**made.shots[0].request, "model": LARGE, "resolution": "720p", "duration": 5}
    shots = (*(replace(each, request={**body, "prompt": each.id}) for each in made.shots[:4]), *made.shots[4:])
    quotes = {SMALL: PRICES[SMALL] // 100, LARGE: PRICES[LARGE]}
    return replace(
        made,
        shots=shots,
        quotes=quotes,
        cap_credits=4 * PRICES[LARGE] + rng.choice((2, 3)) * PRICES[SMALL],
        rules=(Rule("submit", "delay", probability=1.0, delay_s=20.0),),
        options=replace(made.options, mean_s=5.0),  # what the first model makes is over before the second begins
        rates=replace(made.rates, in_flight=8),
        is_agreed=True,
    )


def an_end_that_may_be_charged(scenario: Scenario, rng: Random) -> Scenario:
    """Polls say that a generation expired, and it is charged."""
    made = plain(scenario, rng, rng.randint(1, 2))
    first = rng.randint(1, 2)
    return replace(made, cuts=tuple(Cut("poll", nth, "expired") for nth in range(first, first + 8)))


def polls_that_tell_of_another(scenario: Scenario, rng: Random) -> Scenario:
    """Polls of a good generation tell of somebody else's, which failed."""
    made = plain(scenario, rng, rng.randint(1, 2))
    first = rng.randint(1, 2)
    return replace(made, cuts=tuple(Cut("poll", nth, "another") for nth in range(first, first + 8)))


def two_refusals_under_a_cap(scenario: Scenario, rng: Random) -> Scenario:
    """Two refused jobs were made, the log shows them when the next run begins, and the ledger is down: both count."""
    made = plain(scenario, rng, rng.randint(2, 3))
    return replace(
        made,
        lies=Lies(refused=((1, 429), (2, 429))),
        rules=(Rule("ledger", "status", code=503, probability=1.0),),
        acts=(Act(1, "wait 1"),),
        cap_credits=PRICES[SMALL] * 7 // 2,
        limit=1,
    )


def a_disk_that_refuses(scenario: Scenario, rng: Random) -> Scenario:
    """The disk refuses a write before the first submit or soon after, and a run that goes on dies in the next steps."""
    made = plain(scenario, rng, rng.randint(2, 3), 3600.0)
    step = rng.randrange(8, 20)
    fault = Fault(step, rng.choice((errno.ENOSPC, errno.EIO)), is_kept=False)
    crash = Crash(step + rng.randint(2, 5), Outcome.SYNCED, rng.randrange(2**32))
    return replace(made, disk_faults=(fault,), crashes=(crash,))


def a_row_that_is_days_late(scenario: Scenario, rng: Random) -> Scenario:
    """The provider makes two of a submit, and the second ends days later; each day somebody looks."""
    made = plain(scenario, rng, rng.randint(4, 5))
    acts = tuple(Act(run, "wait 25") for run in (1, 2, 3))
    mess = Mess(twin_after_s=rng.choice((40, 60, 90)) * HOUR)
    return replace(made, twins=(1,), acts=acts, mess=mess, limit=1, grace=None)


def a_failure_under_another_id(scenario: Scenario, rng: Random) -> Scenario:
    """A generation fails by its polls, and is charged under an id of no take: before it is sent again, or after."""
    made = plain(scenario, rng, rng.randint(1, 3), rng.choice((0.0, 0.0, 120.0, HOUR)))
    job = rng.randint(1, len(made.shots))
    return replace(made, rules=(Rule("submit", "fail", nth=(job,)),), lies=Lies(shadows=(job,)))


def a_lost_answer_of_another_key(scenario: Scenario, rng: Random) -> Scenario:
    """A run with another key loses an answer; the next, with ours, sends more, sees that in the log, and waits."""
    made = plain(scenario, rng, rng.randint(2, 4))
    acts = (Act(0, "other key"), Act(0, "deadline", 8))
    lost = (Cut("submit", 1, "reset"),)
    late = Mess(slow=((1, 30 * HOUR),))  # its charge, too
    return replace(made, acts=acts, cuts=lost, limit=1, mess=late, on_unknown=OnUnknown.RESUBMIT)


def an_old_copy_with_the_old_key(scenario: Scenario, rng: Random) -> Scenario:
    """A copy is kept, another key buys more, and the copy is put back and run with its old key: the ledger alone tells."""
    made = plain(scenario, rng, rng.randint(3, 5))
    acts = (Act(1, "keep"), Act(1, "other key"), Act(2, "restore kept"), Act(2, f"wait {rng.choice((1, 9, 30))}"))
    strangers = ((1.0, 0, True),) if rng.random() < 0.5 else ()  # another batch with the old key
    return replace(made, acts=acts, limit=1, strangers=strangers)


NEWEST_PLOTS: Mapping[str, Plot] = {
    plot.__name__.replace("_", " "): plot
    for plot in (a_failure_that_is_charged_while_the_next_one_runs, a_list_that_is_a_hundred_times_too_low)
}
"""Plots of version 5 by name."""
PLOTS_OF_7: Mapping[str, Plot] = {
    plot.__name__.replace("_", " "): plot
    for plot in (an_end_that_may_be_charged, polls_that_tell_of_another, two_refusals_under_a_cap, a_disk_that_refuses)
}
"""Plots of version 7 by name."""
PLOTS_OF_8: Mapping[str, Plot] = {
    plot.__name__.replace("_", " "): plot
    for plot in (a_row_that_is_days_late, a_failure_under_another_id, a_lost_answer_of_another_key)
}
"""Plots of version 8 by name."""
PLOTS_OF_9: Mapping[str, Plot] = {plot.__name__.replace("_", " "): plot for plot in (an_old_copy_with_the_old_key,)}
"""Plots of version 9 by name."""
