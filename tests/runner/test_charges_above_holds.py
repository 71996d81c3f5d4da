"""Charges that are higher than what was held: each is named, and so is a cap that they pass."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.runner.test_searches import PRICE
from tests.worlds import World, batch_of
from wanbatch.errors import ExitCode
from wanbatch.pace.schedule import Rates
from wanbatch.runner.events import Event
from wanbatch.runner.loop import Runner
from wanbatch.runner.settings import RunSettings
from wanbatch.sandbox.faults import Rule

pytestmark = pytest.mark.usefixtures("quick_clips")


def dearer(world: World, factor: float) -> Callable[[Runner, Event], None]:
    """Let the provider charge so many times what it held, once a clip is there."""

    def observe(_: Runner, event: Event) -> None:
        if event.kind == "verified":
            assert world.account is not None
            world.account._db.execute("UPDATE requests SET credits = ?", (int(PRICE * factor),))

    return observe


def ended(tmp_path: Path, cap: int | None, factor: float) -> tuple[World, ExitCode, str]:
    world = World(tmp_path / "out", settings=RunSettings(cap_credits=cap))
    world.observe = dearer(world, factor)
    end = world.run(batch_of(2))
    return world, end.exit_code, " ".join(end.messages)


@pytest.mark.parametrize("cap", [None, 4 * PRICE])
def test_a_charge_above_its_hold_is_named_beside_its_take(tmp_path: Path, cap: int | None) -> None:
    world, code, messages = ended(tmp_path, cap, 2)
    assert (code, messages) == (ExitCode.OK, "")
    warnings = [take.warning for take in world.takes()]
    made = [take.generation_id for take in world.takes()]
    assert warnings == [
        f"the ledger shows 0.378 USD charged for {each}, but 0.189 USD was set aside: contact the provider's support"
        for each in made
    ]


def test_a_cap_that_charges_above_their_holds_pass_is_named_and_the_run_ends_with_5(tmp_path: Path) -> None:
    _, code, messages = ended(tmp_path, 2 * PRICE, 2)
    assert code is ExitCode.BUDGET_REACHED
    assert "the cap of 0.378 USD is exceeded: 0.756 USD is committed" in messages


@pytest.mark.parametrize("factor", [1, 0.5])
def test_a_charge_of_what_was_held_or_less_is_nothing_to_name(tmp_path: Path, factor: float) -> None:
    world, code, messages = ended(tmp_path, 2 * PRICE, factor)
    assert (code, messages, [take.warning for take in world.takes()]) == (ExitCode.OK, "", ["", ""])


def test_a_cap_that_the_charge_of_a_failed_generation_passes_is_named(tmp_path: Path) -> None:
    rules = (Rule("submit", "fail_charged", nth=(1,)),)
    settings = RunSettings(cap_credits=2 * PRICE, rates=Rates(max_attempts=1))
    world = World(tmp_path / "out", rules=rules, settings=settings)
    end = world.run(batch_of(3))
    assert any("the cap of 0.378 USD is exceeded: 0.567 USD is committed" in message for message in end.messages)
