"""What is drawn to be wrong in a scenario beside its faults: clocks, broken promises, books, prices, old copies.

Three seeds in ten are left as they are. One in four tells a plot, the rest draw from all kinds at once.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from random import Random

from tests.simulation.later_plots import LATER_PLOTS
from tests.simulation.line import CANCELS, Cut
from tests.simulation.newest_plots import NEWEST_PLOTS
from tests.simulation.plots import DRAWN, PLOTS, Plot
from tests.simulation.scenario import PRICES, SMALL, Act, Scenario
from tests.simulation.wrongness import OTHER_STATUSES, RIGHT, Clocks, Dial, Jump, Lies, Mess
from wanbatch.runner.settings import OnUnknown
from wanbatch.sandbox.faults import Rule

HOUR, DAY, YEAR = 3600.0, 86_400.0, 365 * 86_400.0
REFUSED = (400, 403, 422, 425, 429, 429, 429)


def disordered(scenario: Scenario, rng: Random) -> Scenario:
    """Return the scenario with what is wrong in it, or as it is."""
    kind = rng.random()
    if kind < 0.285:
        return scenario
    if kind < 0.55:
        name = rng.choice(DRAWN) if kind >= 0.3 else "a link that stays dead"
        return replace(PLOTS[name](scenario, rng), plot=name)
    if rng.random() < 0.5:
        scenario = replace(scenario, clocks=clocks(rng))
    if rng.random() < 0.35:
        scenario = replace(scenario, lies=_lies(rng))
    if rng.random() < 0.4:
        scenario = _messy(scenario, rng)
    if rng.random() < 0.12:
        scenario = _dearer(scenario, rng)
    if rng.random() < 0.15:
        scenario = _restored(scenario, rng)
    if rng.random() < 0.08:
        scenario = replace(scenario, cuts=(*scenario.cuts, Cut("poll", rng.randint(1, 12), rng.choice(CANCELS))))
    return scenario


def plotted(scenario: Scenario, rng: Random) -> Scenario:
    """Return one of the later plots in three seeds of ten, else the scenario as it is."""
    if rng.random() >= 0.3:
        return scenario
    name = rng.choice(sorted(LATER_PLOTS))
    return replace(LATER_PLOTS[name](scenario, rng), plot=name)


def plotted_anew(scenario: Scenario, rng: Random) -> Scenario:
    """Return one of the newest plots in one of eight seeds that tell a later one, else the scenario as it is."""
    if scenario.plot not in LATER_PLOTS or rng.random() >= 0.125:
        return scenario
    name = rng.choice(sorted(NEWEST_PLOTS))
    return replace(NEWEST_PLOTS[name](scenario, rng), plot=name)


def one_of(plots: Mapping[str, Plot], share: float, scenario: Scenario, rng: Random) -> Scenario:
    """Return one of these plots in a share of the seeds that tell no other, else the scenario as it is."""
    if scenario.plot or rng.random() >= share:
        return scenario
    name = rng.choice(sorted(plots))
    return replace(plots[name](scenario, rng), plot=name)


def retold(plots: Mapping[str, Plot], share: float, scenario: Scenario, rng: Random) -> Scenario:
    """Return one of these plots in a share of all seeds, whatever they tell, else the scenario as it is."""
    if rng.random() >= share:
        return scenario
    name = rng.choice(sorted(plots))
    return replace(plots[name](scenario, rng), plot=name)


def clocks(rng: Random) -> Clocks:
    """Draw four clocks.

    Where ours changes between runs the provider's `Date` tells how long something lasted, and the other way round: what
    both tell wrongly in the same hours nobody can know.
    """
    by_s = rng.choice((5 * HOUR, -5 * HOUR, 26 * HOUR, -26 * HOUR, 2 * YEAR, -2 * YEAR))
    ours: tuple[float, ...] = ()
    date, strays = RIGHT, ()
    kind = rng.choice(("first", "later", "always", "date", "jump", "stray", "stray", "right"))
    if kind == "first":
        ours = (by_s, 0.0)
    elif kind == "later":
        ours = (*(0.0,) * rng.randint(1, 3), by_s)
    elif kind == "always":
        ours = (by_s,)
    elif kind == "date":
        date = Dial(rng.choice((600.0, 3 * HOUR, DAY, -600.0)), rng.choice((0.0, 1e-3, -1e-3)))
    elif kind == "jump":
        since_s, off_s = rng.uniform(10, 20_000), rng.choice((30 * HOUR, 5 * HOUR, -10 * 60.0))
        back = ((since_s + rng.choice((60.0, 1800.0)), -off_s),) if rng.random() < 0.5 else ()
        date = Dial(jumps=((since_s, off_s), *back))
    elif kind == "stray":
        wrong = (30 * HOUR, -30 * HOUR, 10 * YEAR, -10 * YEAR, 5 * HOUR)
        strays = tuple((rng.randint(1, 80), rng.choice(wrong)) for _ in range(rng.choice((1, 1, 2, 4))))
    return Clocks(
        ours=ours,
        date=date,
        strays=strays,
        log=_books_dial(rng, (-3 * HOUR, -HOUR, 1200.0)),
        ledger=_books_dial(rng, (-3 * HOUR, 3 * HOUR, 1200.0)),
    )


def _books_dial(rng: Random, ahead: tuple[float, ...]) -> Dial:
    if rng.random() < 0.6:
        return RIGHT
    jumps = ((rng.uniform(60, 20_000), rng.choice((600.0, -600.0))),) if rng.random() < 0.3 else ()
    return Dial(rng.choice((0.0, *ahead)), rng.choice((0.0, 0.0, 1e-4, -1e-4)), jumps)


def _lies(rng: Random) -> Lies:
    kind = rng.choice(("P1", "P1", "P2", "P2", "P3", "P3", "all"))
    job = rng.randint(1, 4)
    return Lies(
        refused=((job, rng.choice(REFUSED)),) if kind in ("P1", "all") else (),
        gateway=((job + 1, rng.random() < 0.5),) if kind in ("P2", "all") else (),
        failed=((job + 2, rng.choice((1, 1, 2, 4)), rng.choice((0.0, 0.0, HOUR, 3 * HOUR))),)
        if kind in ("P3", "all")
        else (),
    )


def _messy(scenario: Scenario, rng: Random) -> Scenario:
    rules, policy = scenario.rules, scenario.on_unknown
    holes: tuple[tuple[int, float], ...] = ()
    nameless: tuple[int, ...] = ()
    lost = rng.randint(1, 3)
    is_old = any("roll" in act.do for act in scenario.acts)
    if rng.random() < 0.3:
        holes = ((lost, rng.choice((600.0, 3 * HOUR, 8 * HOUR))),)
    elif rng.random() < 0.2 and not is_old:
        nameless = (lost,)
    if holes or nameless:
        rules = (Rule("submit", "drop_after", nth=(lost,)), *rules)
        policy = rng.choice((policy, OnUnknown.RESUBMIT))
    mess = Mess(
        has_aliases=rng.random() < 0.5,
        late_s=rng.choice((0.0, 600.0, 1200.0)),
        twice=rng.choice((0.0, 0.0, 0.3)),
        others=other_rows(rng) if rng.random() < 0.5 else (),
        moving=tuple(sorted(rng.sample(range(1, 15), rng.choice((0, 2, 4))))),
        holes=holes,
        charged_twice=(rng.randint(1, 4),) if rng.random() < 0.3 else (),
        nameless=nameless,
        page=rng.choice((100, 100, 2, 3)),
    )
    return replace(scenario, mess=mess, rules=rules, on_unknown=policy)


def other_rows(rng: Random) -> tuple[tuple[float, int], ...]:
    """Draw rows of other programs under our key."""
    return tuple((rng.uniform(0, 2000), rng.randrange(len(OTHER_STATUSES))) for _ in range(rng.randint(1, 5)))


def _dearer(scenario: Scenario, rng: Random) -> Scenario:
    cap = None if rng.random() < 0.2 else int(PRICES[SMALL] * (rng.randint(4, 24) + rng.choice((0.0, 0.5))))
    jump = Jump(rng.randint(2, 4), rng.choice((2, 10)))
    return replace(scenario, jump=jump, cap_credits=cap, is_agreed=rng.random() < 0.6)


def _restored(scenario: Scenario, rng: Random) -> Scenario:
    run = rng.randint(1, max(1, len(scenario.crashes)) + 1)
    acts = [Act(run, f"wait {rng.choice((1, 3, 9))}")] if rng.random() < 0.6 else []
    acts.append(Act(run, rng.choice(("restore first", "restore folder", "restore folder", "roll back"))))
    return replace(scenario, acts=(*scenario.acts, *acts), mess=replace(scenario.mess, nameless=()))
