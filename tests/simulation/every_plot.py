"""Every plot of every version of the generator, by name; any of them can be told alone."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from random import Random

from tests.simulation.chain_plots import CHAIN_PLOTS
from tests.simulation.earlier_purchase_plots import EARLIER_PURCHASE_PLOTS
from tests.simulation.fallback_plots import PLOTS_OF_10
from tests.simulation.generator import scenario_of
from tests.simulation.later_chain_plots import LATER_CHAIN_PLOTS
from tests.simulation.later_plots import LATER_PLOTS
from tests.simulation.newest_plots import NEWEST_PLOTS, PLOTS_OF_7, PLOTS_OF_8, PLOTS_OF_9
from tests.simulation.plots import PLOTS, Plot
from tests.simulation.renaming_plots import RENAMING_PLOTS
from tests.simulation.scenario import Scenario
from tests.simulation.waiting_plots import PLOTS_OF_11

EVERY_PLOT: Mapping[str, Plot] = {
    **PLOTS,
    **LATER_PLOTS,
    **NEWEST_PLOTS,
    **PLOTS_OF_7,
    **PLOTS_OF_8,
    **PLOTS_OF_9,
    **PLOTS_OF_10,
    **PLOTS_OF_11,
    **EARLIER_PURCHASE_PLOTS,
    **RENAMING_PLOTS,
    **CHAIN_PLOTS,
    **LATER_CHAIN_PLOTS,
}


def scenario_with(plot: str, seed: int) -> Scenario:
    """Make the scenario in which a seed tells this plot, whatever it tells otherwise."""
    return replace(EVERY_PLOT[plot](scenario_of(seed), Random(f"{plot} {seed}")), plot=plot)
