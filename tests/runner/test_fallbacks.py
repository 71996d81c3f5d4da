"""Fallbacks in a run: another model makes a take whose first made nothing, once, under the caps, and is named."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from tests.runner.shared import put_back, saving
from tests.runner.test_failures import first_of, says_failed
from tests.runner.test_lost_and_charged import LOST, after_loss
from tests.worlds import Killed, World, batch_of
from wanbatch.batch.fallback_words import MARK, told_of_fallback
from wanbatch.batch.lifecycle import State
from wanbatch.batch.models import class_of
from wanbatch.batch.shots import FAILED, REFUSED, Batch, Fallback, Version
from wanbatch.errors import ExitCode
from wanbatch.money.prices import Quote
from wanbatch.pace.schedule import Rates
from wanbatch.runner.settings import OnUnknown, RunSettings
from wanbatch.sandbox.faults import Rule
from wanbatch.sandbox.options import SandboxOptions

pytestmark = pytest.mark.usefixtures("quick_clips")
FIRST, SECOND = "alibaba/wan2.1-t2v-turbo", "alibaba/wan2.2-t2v-plus"
ONE_TRY = RunSettings(rates=Rates(max_attempts=1))
PRICE = 210_000  # of the second, at 480P


def with_fallback(batch: Batch, *on: str) -> Batch:
    def version(prompt: object) -> Version:
        return Version({"model": SECOND, "resolution": "480P", "prompt": prompt})

    told = on or (FAILED,)
    shots = (replace(each, fallback=Fallback(version(each.request["prompt"]), told)) for each in batch.shots)
    return replace(batch, shots=tuple(shots))


ONE = with_fallback(batch_of(1))


def models(world: World) -> list[str]:
    """The models of the submits that were taken, each with a mark if it was charged."""
    return [row["model"] + ("!" if row["charged"] else "") for row in world.ledger()]


@pytest.mark.parametrize(
    ("rule", "settings", "sent"),
    [
        (Rule("submit", "fail", nth=(1,)), ONE_TRY, [FIRST, f"{SECOND}!"]),
        (Rule("submit", "fail", nth=(1, 2)), RunSettings(), [FIRST, FIRST, f"{SECOND}!"]),
        (Rule("submit", "status", code=400, nth=(1,)), RunSettings(), [f"{SECOND}!"]),
        (Rule("submit", "status", code=404, nth=(1,)), RunSettings(), [f"{SECOND}!"]),
        # Not free, not proven, or the user's to decide.
        (Rule("submit", "fail_charged", nth=(1,)), ONE_TRY, [f"{FIRST}!"]),
        (Rule("submit", "fail", nth=(1,), message="Content policy violation"), RunSettings(), [FIRST]),
        (Rule("submit", "status", code=400, nth=(1,), message="inappropriate prompt"), RunSettings(), []),
        (Rule("submit", "status", code=500, nth=(1,)), RunSettings(on_unknown=OnUnknown.HOLD), []),
        (Rule("submit", "status", code=401, nth=(1,)), RunSettings(), []),
        # Once: what fails with the second model, too, is tried with it as often as any take, and is left.
        (Rule("submit", "fail", probability=1.0), RunSettings(), [FIRST, FIRST, SECOND, SECOND]),
    ],
)
def test_a_fallback_is_sent_only_after_what_cost_nothing(
    tmp_path: Path, rule: Rule, settings: RunSettings, sent: list[str]
) -> None:
    world = World(tmp_path / "out", rules=(rule,), settings=settings)
    world.run(ONE)
    assert models(world) == sent
    (take,) = world.takes()
    is_made = f"{SECOND}!" in sent
    told = f"made by {SECOND} in place of" if is_made else f"failed with {SECOND}, too" if SECOND in sent else ""
    assert (told_of_fallback(take.warning).startswith(told), bool(take.warning) and MARK in take.warning) == (
        True,
        bool(told),
    )
    assert (take.state is State.VERIFIED) == is_made


def test_a_fallback_is_not_bought_where_another_shot_has_the_same_request_and_seed(tmp_path: Path) -> None:
    (first,) = with_fallback(batch_of(1)).shots
    first = replace(first, seed=5)
    same = replace(first, id="sh002", ordinal=1, request=first.fallback.version.request, fallback=None)  # type: ignore[union-attr]
    world = World(tmp_path / "out", rules=(Rule("submit", "fail", nth=(1,)),), settings=ONE_TRY)
    world.run(Batch("world", (first, same)))
    assert sorted(models(world)) == [FIRST, f"{SECOND}!"]
    assert [take.state for take in world.takes()] == [State.FAILED, State.VERIFIED]


def test_a_refused_prompt_goes_on_where_the_manifest_says_so(tmp_path: Path) -> None:
    rule = Rule("submit", "fail", nth=(1,), message="Content policy violation")
    world = World(tmp_path / "out", rules=(rule,))
    end = world.run(with_fallback(batch_of(1), REFUSED, FAILED))
    assert (end.exit_code, models(world)) == (ExitCode.OK, [FIRST, f"{SECOND}!"])


def test_a_lost_submit_that_was_made_is_fetched_and_nothing_else_is_bought(tmp_path: Path) -> None:
    rules = (Rule("submit", "drop_after", nth=(1,)),)
    settings = replace(ONE_TRY, unknown_grace=timedelta(hours=2))
    world = World(tmp_path / "out", SandboxOptions(log_lag_s=1.0), rules=rules, settings=settings)
    world.run(ONE)
    assert (world.takes()[0].state, models(world)) == (State.VERIFIED, [f"{FIRST}!"])


@pytest.mark.long
def test_a_lost_submit_that_failed_at_no_cost_is_followed_by_the_fallback(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=LOST, settings=ONE_TRY)
    after_loss(world, "UPDATE requests SET failure = 'crashed' WHERE seq = 2")
    end = world.run(with_fallback(batch_of(3)))
    kinds = [event.kind for event in world.events if event.take == "sh001_t1"]
    assert (end.exit_code, "model_changed" in kinds, kinds.count("submit_started")) == (ExitCode.OK, True, 2)
    assert models(world) == [f"{FIRST}!", FIRST, f"{FIRST}!", f"{SECOND}!"]


def test_the_log_of_a_run_names_the_models_and_holds_no_prompt(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "fail", nth=(1,)),), settings=ONE_TRY)
    world.run(ONE)
    (event,) = [each for each in world.events if each.kind == "model_changed"]
    assert (event.data["model"], "recipe_json" in event.data) == (SECOND, False)


def test_the_same_run_buys_nothing_again_and_the_clip_is_kept(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "fail", nth=(1,)),), settings=ONE_TRY)
    ends = [world.run(ONE).exit_code for _ in range(3)]
    (take,) = world.takes()
    assert (ends, models(world)) == ([ExitCode.OK] * 3, [FIRST, f"{SECOND}!"])
    assert (take.superseded, take.recipe.model, take.credits_charged, take.attempts) == (False, SECOND, PRICE, 2)


def test_a_fallback_that_the_manifest_names_later_is_taken_by_the_next_run(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "fail", nth=(1,)),), settings=ONE_TRY)
    before = world.run(batch_of(1)).exit_code
    after = world.run(ONE).exit_code
    assert (before, after, models(world)) == (ExitCode.TAKES_FAILED, ExitCode.OK, [FIRST, f"{SECOND}!"])


def test_a_ledger_that_cannot_be_read_lets_no_fallback_go(tmp_path: Path) -> None:
    rules = (Rule("submit", "fail", nth=(1,)), Rule("ledger", "status", code=503, probability=1.0))
    world = World(tmp_path / "out", rules=rules, settings=ONE_TRY)
    world.run(ONE)
    world.run(ONE)
    unread = models(world)
    assert world.sandbox is not None
    world.sandbox.faults = type(world.sandbox.faults)((), 1)
    world.run(ONE)
    assert (unread, models(world)) == ([FIRST], [FIRST, f"{SECOND}!"])


@pytest.mark.parametrize(
    ("cap", "sent"), [(100_000, []), (400_000, [FIRST, f"{SECOND}!"]), (378_000, [FIRST, f"{SECOND}!"])]
)
def test_a_fallback_stays_under_the_cap(tmp_path: Path, cap: int, sent: list[str]) -> None:
    quotes = {class_of({"model": FIRST, "resolution": "480P"}): Quote(378_000, "list")}
    quotes |= {class_of({"model": SECOND, "resolution": "480P"}): Quote(PRICE, "list")}
    settings = replace(ONE_TRY, cap_credits=cap, quotes=quotes)
    world = World(tmp_path / "out", rules=(Rule("submit", "fail", nth=(1,)),), settings=settings)
    world.run(ONE)
    assert models(world) == sent


@pytest.mark.sampled(4)
@pytest.mark.parametrize("kill_at", range(1, 16))
def test_a_kill_at_any_step_buys_one_clip(tmp_path: Path, kill_at: int) -> None:
    world = World(
        tmp_path / "out",
        rules=(Rule("submit", "fail", nth=(1,)),),
        settings=replace(ONE_TRY, unknown_grace=timedelta(hours=2)),
    )
    with suppress(Killed):
        world.run(ONE, kill_at)
    for _ in range(4):
        world.run(ONE)
    assert sum(bool(row["charged"]) for row in world.ledger()) <= 1


@pytest.mark.parametrize("after", ["submit_started", "accepted", "generation_failed", "model_changed"])
def test_a_copy_from_before_the_fallback_buys_nothing_twice(tmp_path: Path, after: str) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "fail", nth=(1,)),), settings=ONE_TRY)
    copy = saving(world, after)
    assert world.run(ONE).exit_code is ExitCode.OK
    put_back(world, copy)
    ends = [world.run(ONE).exit_code for _ in range(3)]
    (take,) = world.takes()
    made = next(row for row in world.ledger() if row["charged"])
    assert (ends, models(world)) == ([ExitCode.DECISION_NEEDED] * 3, [FIRST, f"{SECOND}!"])
    assert (take.state, take.recipe.model) == (State.HELD, SECOND)
    assert f"--adopt {made['inference_id']}" in take.error


def test_a_first_generation_that_goes_on_after_all_is_the_clip(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    world = World(tmp_path / "out", settings=ONE_TRY)
    says_failed(monkeypatch, lambda _, number, __: number < 4)
    world.run(batch_of(1))
    monkeypatch.undo()
    world.run(ONE)
    (take,) = world.takes()
    assert (models(world), take.state, take.recipe.model) == ([f"{FIRST}!"], State.VERIFIED, FIRST)


def test_a_first_generation_that_was_made_beside_the_fallback_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path / "out", settings=ONE_TRY)
    says_failed(monkeypatch, lambda generation_id, _, at: generation_id == first_of(world) and at < 100)
    end = world.run(ONE)
    (take,) = world.takes()
    assert (end.exit_code, models(world)) == (ExitCode.DECISION_NEEDED, [f"{FIRST}!", f"{SECOND}!"])
    assert (take.state, take.recipe.model, "DOUBLE" in take.warning) == (State.VERIFIED, SECOND, True)


def test_a_model_that_is_down_keeps_no_take_from_its_fallback(tmp_path: Path) -> None:
    down = (Rule("submit", "fail", nth=tuple(range(1, 15)), message="Internal model error"),)
    world = World(tmp_path / "out", rules=down)
    end = world.run(with_fallback(batch_of(7)))
    assert (end.exit_code, models(world)) == (ExitCode.OK, [FIRST] * 14 + [f"{SECOND}!"] * 7)
