"""The settlement of a world: what its user does once nothing goes wrong any more, until nothing changes."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from tests.simulation.scenario import KEY
from wanbatch.errors import ExitCode
from wanbatch.sandbox.faults import FaultPlan

if TYPE_CHECKING:
    from tests.simulation.world import World

SHARED_ACCOUNT = "--shared-account"  # what a run names that found charges which nothing explains
RESUME_LIMIT = 8  # runs without faults until nothing changes any more; one more for each take where runs are limited
LOOKS_LIMIT = 3  # a last look that finds something leads to a run, and to one more look
UNREAD_LIMIT = 5  # looks that end with "run the same command again later", one after the other
LATER_S = 600.0
LONG_AFTER_S = 100 * 3600.0  # past every patience: three times a day and an hour and a quarter


def settle(world: World) -> None:
    """Resume on a good day; long after, resume until nothing changes, and look once more until that changes nothing."""
    world.tell("--- no faults from here on")
    world.is_final, world.key = True, KEY
    world.account.is_honest = True
    world.supplier.plan, world.line.cuts, world.line.is_slow = FaultPlan((), 0), {}, False
    world.options = replace(world.options, concurrency=None, rate_per_min=None)
    world.invoke(None)
    while world.runs < len(world.scenario.clocks.ours):
        world.invoke(None)  # where our clock is set, no time counts: all the settings come before the long wait
    world.elapsed_s += LONG_AFTER_S
    for _ in range(LOOKS_LIMIT):
        _resume(world)
        before = _standing(world)[0]
        _look(world)
        if _standing(world)[0] == before:
            return


def _resume(world: World) -> None:
    limit = RESUME_LIMIT + (len(world.takes) if world.limit is not None else 0)
    for _ in range(limit):
        before = _standing(world)
        end = world.invoke(None)
        if world.trusts_since is None and any(SHARED_ACCOUNT in each for each in end.messages):
            world.tell("the user: none of these charges is of this batch")
            world.trusts_since = world.epoch_s + world.now_s
        elif _standing(world) == before:
            return
        mess = world.scenario.mess
        late_s = mess.late_s + sum(by_s for _, by_s in mess.slow)
        world.elapsed_s += LATER_S + world.options.log_lag_s + late_s  # what ended by now shows in the ledger then
    world.wrongs.append(f"nothing settled in {limit} runs without faults")


def _look(world: World) -> None:
    """Run `reconcile`, and again later where it says that log or ledger could not be read."""
    for _ in range(UNREAD_LIMIT):
        if world.between(world.user.reconcile).code is not ExitCode.PROVIDER_UNREACHABLE:
            return
        world.elapsed_s += LATER_S
    world.wrongs.append(f"log or ledger could not be read in {UNREAD_LIMIT} looks without faults")


def _standing(world: World) -> tuple[Any, Any]:
    """Return where the takes stand, and how the last run ended: one that said something is run again."""
    end = world.ends[-1]
    return [(take.state, take.credits_charged, take.attempts) for take in world.takes], (end.code, end.messages)
