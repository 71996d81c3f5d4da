"""The plots that came with version 11 of the generator: proofs that grow old while their takes wait to be sent again."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from random import Random

from tests.simulation.line import Cut
from tests.simulation.plots import HOUR, Plot, plain
from tests.simulation.scenario import Scenario
from tests.simulation.wrongness import Lies, Mess
from wanbatch.runner.settings import OnUnknown

A_HOUR_EACH = 1 / 60  # submits a minute: what is planned again waits for those before it


def a_failed_row_whose_charge_comes_while_the_take_waits(scenario: Scenario, rng: Random) -> Scenario:
    """The log says that a lost submit failed; its charge shows later, under an id of no take, before the take's turn."""
    made = _slowly(plain(scenario, rng, rng.randint(3, 5)))
    lost = (Cut("submit", 1, "reset"),)
    slow = [(1, rng.choice((1.5, 2, 2.5)) * HOUR)]
    another: tuple[Cut, ...] = ()
    if rng.random() < 0.5:  # is looked up all the time, and may have made what is charged
        another, slow = (Cut("submit", 2, "reset"),), [*slow, (2, 30 * HOUR)]
        made = replace(made, on_unknown=OnUnknown.RECONCILE)
    lies = Lies(gateway=((1, rng.random() < 0.5),))
    return replace(made, cuts=(*lost, *another), lies=lies, mess=Mess(slow=tuple(slow)))


def a_trace_that_comes_while_the_take_waits(scenario: Scenario, rng: Random) -> Scenario:
    """A lost submit leaves no trace within its grace; its row and its charge come before the take's turn."""
    made = _slowly(plain(scenario, rng, rng.randint(5, 6)))
    late = Mess(slow=((1, rng.choice((3, 3.5, 4)) * HOUR),))
    return replace(made, cuts=(Cut("submit", 1, "reset"),), on_unknown=OnUnknown.RESUBMIT, mess=late)


def a_refusal_whose_job_shows_while_the_take_waits(scenario: Scenario, rng: Random) -> Scenario:
    """A submit is refused for a while and made all the same; log and ledger show it before the take's turn."""
    made = _slowly(plain(scenario, rng, rng.randint(2, 4)))
    return replace(made, lies=Lies(refused=((rng.randint(1, 2), 429),)))


def _slowly(scenario: Scenario) -> Scenario:
    return replace(scenario, rates=replace(scenario.rates, submit_per_min=A_HOUR_EACH, in_flight=1, max_attempts=3))


PLOTS_OF_11: Mapping[str, Plot] = {
    plot.__name__.replace("_", " "): plot
    for plot in (
        a_failed_row_whose_charge_comes_while_the_take_waits,
        a_trace_that_comes_while_the_take_waits,
        a_refusal_whose_job_shows_while_the_take_waits,
    )
}
"""Plots of version 11 by name."""
