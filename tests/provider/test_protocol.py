"""The submission protocol under kills: whatever the step, no take is charged twice and no paid clip is lost from sight."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.worlds import Killed, World, batch_of
from wanbatch.batch.lifecycle import State
from wanbatch.batch.models import PriceClass
from wanbatch.money.prices import Quote
from wanbatch.runner.settings import RunSettings
from wanbatch.sandbox.faults import PLANS, Rule

pytestmark = pytest.mark.usefixtures("quick_clips")
PRICE = 378_000


def assert_oracle(world: World) -> None:
    """Hold the state file against the provider's own ledger, which no client sees."""
    takes, ledger = world.takes(), [row for row in world.ledger() if row["http_status"] == 200]
    by_take = Counter(str(row["client_request_id"]).rsplit(":", 1)[1].split(".")[0] for row in ledger if row["charged"])
    assert all(count == 1 for count in by_take.values()), f"charged twice: {by_take}"
    ids = [row["client_request_id"] for row in world.ledger()]
    assert len(ids) == len(set(ids)), "a request id was put on the wire twice"
    for row in ledger:
        if not row["charged"]:
            continue
        owner = next(take for take in takes if take.request_id == row["client_request_id"])
        is_named = owner.state is State.HELD and str(row["client_request_id"]) in owner.error
        is_named = is_named or (owner.state is State.HELD and owner.generation_id == row["inference_id"])
        assert owner.state is State.VERIFIED or is_named, f"{owner.label} is {owner.state}: {owner.error}"
    charged = sum(row["charged"] for row in ledger if _is_verified(takes, row["inference_id"]))
    assert sum(take.credits_charged or 0 for take in takes) == charged


def _is_verified(takes: object, generation_id: str) -> bool:
    assert isinstance(takes, list)
    return any(take.generation_id == generation_id and take.credits_charged is not None for take in takes)


@pytest.mark.sampled(4)
@pytest.mark.parametrize("kill_at", range(1, 33))
def test_a_kill_at_any_transition_is_resumed_without_a_second_charge(tmp_path: Path, kill_at: int) -> None:
    world = World(tmp_path / "out", seed=kill_at)
    with pytest.raises(Killed):
        world.run(batch_of(4), kill_at=kill_at)
    end = world.run(batch_of(4))
    assert_oracle(world)
    assert all(take.state in (State.VERIFIED, State.HELD) for take in world.takes()), end


@pytest.mark.sampled(9)
@pytest.mark.parametrize("seed", range(12))
def test_kills_upon_kills_and_a_hostile_provider_settle(tmp_path: Path, seed: int) -> None:
    plan = ("hostile", "lost-answers", "flaky", "failures")[seed % 4]
    world = World(tmp_path / "out", seed=seed, rules=PLANS[plan])
    for round_number in range(6):
        try:
            world.run(batch_of(8), kill_at=3 + (seed * 7 + round_number * 5) % 23)
        except Killed:
            continue
        break
    world.run(batch_of(8))
    end = world.run(batch_of(8))
    assert_oracle(world)
    settled = (State.VERIFIED, State.HELD, State.FAILED)
    stuck = [take.label for take in world.takes() if take.state not in settled]
    assert stuck == [] or "nothing more is sent" in " ".join(end.messages), (stuck, end)


@pytest.mark.parametrize("kill_at", [4, 9, 15])
def test_the_cap_holds_over_kills(tmp_path: Path, kill_at: int) -> None:
    quotes = {PriceClass("alibaba/wan2.1-t2v-turbo", "480P", None): Quote(PRICE, "test")}
    settings = RunSettings(cap_credits=3 * PRICE, quotes=quotes)
    world = World(tmp_path / "out", settings=settings, rules=(Rule("submit", "drop_after", nth=(2,)),))
    with pytest.raises(Killed):
        world.run(batch_of(6), kill_at=kill_at)
    world.run(batch_of(6))
    assert sum(row["credits"] for row in world.ledger() if row["http_status"] == 200) <= 3 * PRICE


def test_the_same_seed_gives_the_same_trace(tmp_path: Path) -> None:
    traces = []
    for name in ("a", "b"):
        world = World(tmp_path / name, rules=PLANS["flaky"])
        world.run(batch_of(6))
        traces.append([(event.at, event.kind, event.take) for event in world.events if event.kind != "downloaded"])
    assert [each for each in traces[0] if each[1] == "submit_started"] == [
        each for each in traces[1] if each[1] == "submit_started"
    ]
