"""What worlds covered: which arrows, deeds and cuts were hit, what was wrong in them, and what the oracle then saw."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from tests.simulation.allowance import ALLOWANCES
from tests.simulation.every_plot import EVERY_PLOT
from tests.simulation.generator import UNMET
from tests.simulation.line import CUTS
from tests.simulation.world import World
from wanbatch.batch.lifecycle import TRANSITIONS, Fact, State
from wanbatch.sandbox.faults import DEEDS


@dataclass
class Covered:
    """Sums over some worlds; counters count worlds."""

    moves: set[tuple[State, Fact]] = field(default_factory=set)
    deeds: set[tuple[str, str]] = field(default_factory=set)
    cuts: set[tuple[str, str]] = field(default_factory=set)
    disk_faults: set[str] = field(default_factory=set)
    bends: Counter[str] = field(default_factory=Counter)
    plots: Counter[str] = field(default_factory=Counter)
    clocks: Counter[str] = field(default_factory=Counter)
    wrong: Counter[str] = field(default_factory=Counter)
    allowed: Counter[str] = field(default_factory=Counter)
    seen: Counter[str] = field(default_factory=Counter)
    chains: Counter[str] = field(default_factory=Counter)

    def add(self, more: Covered) -> None:
        """Put two together."""
        for mine, others in ((self.moves, more.moves), (self.deeds, more.deeds), (self.cuts, more.cuts)):
            mine.update(others)  # type: ignore[arg-type]
        self.disk_faults |= more.disk_faults
        for name in ("bends", "plots", "clocks", "wrong", "allowed", "seen", "chains"):
            getattr(self, name).update(getattr(more, name))

    def note(self, world: World) -> None:
        """Add one world."""
        self.moves |= world.moves
        self.deeds |= world.deeds
        self.cuts |= world.line.hit
        self.disk_faults |= world.disk.faults_hit
        self.bends.update({"late": len(world.late), "made twice": len(world.twins)})
        self.plots.update([world.scenario.plot] if world.scenario.plot else [])
        self.clocks.update(world.scenario.clocks.kinds or ["all four are right"])
        self.wrong.update(_wrong_in(world))
        self.allowed.update(world.allowed.keys())
        self.seen.update(_seen_in(world))
        self.chains.update(["worlds"] if world.joins.is_there else [])
        self.chains.update(world.joins.found().keys())

    def text(self) -> str:
        """Say which arrows, deeds and cuts were hit, and name those that were not; and what was wrong how often."""
        deeds = {(on, do) for do, routes in DEEDS.items() for on in routes if not {on, do} & UNMET}
        cuts = {(on, do) for do, routes in CUTS.items() for on in routes}
        arrows = {(state, fact) for (state, fact), after in TRANSITIONS.items() if state is not after}
        notes = set(TRANSITIONS) - arrows
        lines = []
        for name, hit, every in (
            ("arrows", self.moves & arrows, arrows),
            ("facts that leave a state as it is", self.moves & notes, notes),
            ("deeds", self.deeds, deeds),
            ("cuts", self.cuts, cuts),
            ("plots", set(self.plots), set(EVERY_PLOT)),
            ("allowances", set(self.allowed), set(ALLOWANCES)),
        ):
            missing = sorted(" ".join([each] if isinstance(each, str) else each) for each in every - set(hit))
            lines.append(
                f"{name}: {len(hit)} of {len(every)}" + (f"; not hit: {', '.join(missing)}" if missing else "")
            )
        lines.append(f"disk: {', '.join(sorted(self.disk_faults))}")
        lines.append(f"beyond what may be assumed: {_counts(self.bends)}")
        lines.append(f"clocks, by seeds: {_counts(self.clocks)}")
        lines.append(f"books and promises, by seeds: {_counts(self.wrong)}")
        lines.append(f"allowed by the oracle, by seeds: {_counts(self.allowed)}")
        lines.append(f"what the oracle then saw, by seeds: {_counts(self.seen)}")
        lines.append(f"chains, by seeds: {_counts(self.chains)}")
        return "\n".join(lines)


def _counts(found: Counter[str]) -> str:
    return ", ".join(f"{name} {count}" for name, count in sorted(found.items())) or "none"


def _wrong_in(world: World) -> list[str]:
    """Name what went wrong in a world that nothing but the provider, a clock or a copy can bring."""
    scenario, mess = world.scenario, world.scenario.mess
    jobs = world.account.jobs
    found = [f"{kind} broken" for kind in set(world.supplier.broken.values())]
    has = {
        "rows under other names": mess.has_aliases and bool(jobs),
        "rows twice": mess.twice > 0 and bool(jobs),
        "rows of other programs": bool(mess.others),
        "rows late and out of order": mess.late_s > 0,
        "totals that move": bool(mess.moving),
        "rows counted and not shown": any(job <= len(jobs) for job, _ in mess.holes),
        "rows that say something else for a time": any(job <= len(jobs) for job, _ in mess.odd),
        "failed rows without a cost": mess.has_no_costs and bool(world.account.gateways),
        "more than one page of the ledger": mess.ledger_page < len(jobs),
        "charges without a row": any(job <= len(jobs) for job in mess.nameless),
        "double ledger rows": any(job <= len(jobs) for job in mess.charged_twice),
        "prices that jump": scenario.jump is not None and scenario.jump.job <= len(jobs),
        "cancelled": any(do.startswith("cancel") for _, do in world.line.hit),
        "restored before the first submit": any(not each.was_sent for each in world.restored),
        "restored with run.log": any(each.has_log for each in world.restored),
        "restored without run.log": any(not each.has_log for each in world.restored),
    }
    return found + [name for name, holds in has.items() if holds]


def _seen_in(world: World) -> list[str]:
    """Name what became of it: what is named, held, or taken over."""
    has = {
        "named DOUBLE": any("DOUBLE" in take.warning for take in world.takes),
        "held": any(take.state is State.HELD for take in world.takes),
        "strays": bool(world.strays),
        "adopted": any(fact is Fact.ADOPTED for _, fact in world.moves),
        "failed": any(take.state is State.FAILED for take in world.takes),
        "no row, no take": not world.takes,
    }
    return [name for name, holds in has.items() if holds]
