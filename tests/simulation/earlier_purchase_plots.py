"""The plots that came with version 12 of the generator: what was bought is not to be forgotten, nor bought again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from random import Random

from tests.simulation.disk import Crash, Outcome
from tests.simulation.line import Cut
from tests.simulation.plots import HOUR, Plot, plain
from tests.simulation.scenario import Act, Scenario
from tests.simulation.wrongness import Clocks, Dial, Mess
from wanbatch.runner.settings import OnUnknown
from wanbatch.sandbox.faults import Rule


def an_answer_without_our_id(scenario: Scenario, rng: Random) -> Scenario:
    """One answer of several does not give our request id back; that of a lost submit shows more than a day later."""
    made = plain(scenario, rng, rng.randint(3, 5))
    rules = (Rule("submit", "no_echo", nth=(rng.randint(2, len(made.shots) - 1),)),)
    late = Mess(slow=((1, 30 * HOUR),))
    return replace(made, cuts=(_RESET,), rules=rules, mess=late, on_unknown=OnUnknown.RESUBMIT)


def an_earlier_clip_beside_one_that_never_arrived(scenario: Scenario, rng: Random) -> Scenario:
    """Both answers of a take are lost; the first one's row comes late, and the second submit never arrived."""
    made = plain(scenario, rng, rng.randint(2, 4))
    acts = (Act(0, "deadline", 20), Act(1, "resubmit"), Act(1, "deadline", 20))
    late = Mess(slow=((1, rng.choice((0.5, 1, 1.5)) * HOUR),))
    return replace(made, cuts=(_RESET, Cut("submit", 2, "lost")), acts=acts, mess=late, limit=1)


def an_earlier_clip_beside_a_last_try_that_failed(scenario: Scenario, rng: Random) -> Scenario:
    """Both answers of a take are lost; the first one's row comes while the second one's says failed: no try is left."""
    made = plain(scenario, rng, rng.randint(2, 3))
    number = len(made.shots) + 1
    rules = (Rule("submit", "fail", nth=(number,)),)
    cuts = (_RESET, Cut("submit", number, "reset"))
    late = Mess(slow=((1, rng.choice((9_000.0, 9_300.0))),))
    rates = replace(made.rates, max_attempts=2)
    return replace(made, rules=rules, cuts=cuts, rates=rates, mess=late, on_unknown=OnUnknown.RESUBMIT)


def a_charge_that_comes_while_the_take_waits(scenario: Scenario, rng: Random) -> Scenario:
    """A lost submit leaves no trace within its grace; the ledger charges it before the take's turn, and no log tells."""
    made = plain(scenario, rng, rng.randint(5, 6))
    late = Mess(nameless=(1,), slow=((1, rng.choice((3, 3.5, 4)) * HOUR),))
    rates = replace(made.rates, submit_per_min=1 / 60, in_flight=1, max_attempts=3)
    return replace(made, cuts=(_RESET,), on_unknown=OnUnknown.RESUBMIT, mess=late, rates=rates)


def a_death_before_the_find_is_kept(scenario: Scenario, rng: Random) -> Scenario:
    """A run in a restored copy dies while it notes what the log told, days after what the copy lacks was bought."""
    acts = (Act(1, "keep"), Act(2, f"wait {rng.choice((40, 60))}"), Act(2, "restore kept"))
    crash = Crash(rng.randint(19, 26), Outcome.SYNCED)
    return replace(plain(scenario, rng, 3), acts=acts, crashes=(None, None, crash), limit=1, leans_on_mark=True)


def a_provider_that_is_a_day_ahead_for_hours(scenario: Scenario, rng: Random) -> Scenario:
    """All clocks of the provider are ahead while a copy is run whose log does not show yet what it lacks."""
    made = plain(scenario, rng, 3, 11 * HOUR)
    off_s, since_s, until_s = rng.choice((20, 22, 23)) * HOUR, 8 * HOUR, 20 * HOUR
    dial = Dial(jumps=((since_s, off_s), (until_s, -off_s)))
    acts = (
        Act(1, "keep"),
        Act(2, "wait 10"),
        Act(2, "restore kept"),
        Act(2, "remove shot 1"),
        Act(3, "wait 12"),
        Act(3, "edit back"),
    )
    return replace(made, acts=acts, limit=1, clocks=Clocks(date=dial, log=dial, ledger=dial), leans_on_mark=True)


def a_lost_answer_by_a_clock_that_was_ahead(scenario: Scenario, rng: Random) -> Scenario:
    """Our clock is hours ahead while an answer is lost, and right when somebody looks, a day and more later."""
    made = plain(scenario, rng, rng.randint(2, 4))
    acts = (Act(0, "terminate", 2), Act(1, "wait 40"))
    clocks = Clocks(ours=(rng.choice((9, 15, 20)) * HOUR, 0.0))
    told = replace(made, cuts=(_RESET,), acts=acts, on_unknown=OnUnknown.RESUBMIT)
    return replace(told, clocks=clocks, compares_clocks=True, leans_on_mark=True)


def a_poll_that_knows_nothing(scenario: Scenario, rng: Random) -> Scenario:
    """For a while polls of a good generation say that there is no such one: it was bought, and is waited for."""
    first = rng.randint(1, 2)
    rules = (Rule("poll", "status", code=404, nth=tuple(range(first, first + rng.choice((10, 20, 40))))),)
    return replace(plain(scenario, rng, rng.randint(1, 3)), rules=rules)


def a_clip_that_stays_broken(scenario: Scenario, rng: Random) -> Scenario:
    """What the link gives is no clip, or half of one, each time: it is paid for, and nothing is bought in its place."""
    rules = (Rule("clip", rng.choice(("garbage", "truncate")), probability=0.95),)
    return replace(plain(scenario, rng, rng.randint(1, 2)), rules=rules)


_RESET = Cut("submit", 1, "reset")
EARLIER_PURCHASE_PLOTS: Mapping[str, Plot] = {
    plot.__name__.replace("_", " "): plot
    for plot in (
        an_answer_without_our_id,
        an_earlier_clip_beside_one_that_never_arrived,
        an_earlier_clip_beside_a_last_try_that_failed,
        a_charge_that_comes_while_the_take_waits,
        a_death_before_the_find_is_kept,
        a_provider_that_is_a_day_ahead_for_hours,
        a_lost_answer_by_a_clock_that_was_ahead,
        a_poll_that_knows_nothing,
        a_clip_that_stays_broken,
    )
}
"""Plots of version 12 by name, beside those of `renaming_plots`."""
