"""A failed generation is asked for once more before its clip is bought again, also for a take of another id."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.pictures import opening_in
from tests.runner.test_chains import film
from tests.runner.test_failures import charged, first_of, says_failed, states
from tests.worlds import World, batch_of
from wanbatch.batch.shots import Batch, Fallback, Version
from wanbatch.errors import ExitCode
from wanbatch.pace.schedule import Rates
from wanbatch.runner.settings import RunSettings
from wanbatch.sandbox.faults import FaultPlan, Rule

pytestmark = pytest.mark.usefixtures("quick_clips")
(ONE,) = batch_of(1).shots
OLD = replace(ONE, id="sh010", seed=5)
NEW = replace(OLD, id="sh015")
FREE = replace(ONE, id="sh010")
FREE_NEW = replace(FREE, id="sh015")
ONCE = RunSettings(rates=Rates(max_attempts=1))


def of(*shots: object) -> Batch:
    return Batch("world", shots)  # type: ignore[arg-type]


@pytest.mark.parametrize(("old", "new"), [(OLD, NEW), (FREE, FREE_NEW)], ids=["one seed", "derived seeds"])
def test_a_shot_with_another_id_is_not_bought_while_the_failed_generation_of_the_first_completes(
    old: object, new: object, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, is_over = World(tmp_path / "out", settings=ONCE), list[bool]()
    says_failed(monkeypatch, lambda _, __, ___: not is_over)
    assert (world.run(of(old)).exit_code, states(world)) == (ExitCode.TAKES_FAILED, ["failed"])
    is_over.append(True)
    world.elapsed_s += 3600
    end = world.run(of(new))
    assert (end.exit_code, world.submits) == (ExitCode.DECISION_NEEDED, 1)
    assert "sh015_t1 was not sent: " in "; ".join(end.messages)


def test_a_retry_of_another_run_is_not_sent_where_the_failed_generation_completes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, is_over = World(tmp_path / "out", settings=replace(ONCE, rates=Rates(max_attempts=2))), list[bool]()
    says_failed(monkeypatch, lambda _, __, ___: not is_over)
    world.observe = lambda runner, event: runner.terminate(0) if event.kind == "retry_planned" else None
    world.run(of(OLD))
    assert states(world) == ["planned"]
    is_over.append(True)
    world.elapsed_s += 3600
    assert (world.run(of(OLD)).exit_code, states(world), world.submits) == (ExitCode.OK, ["verified"], 1)


def test_what_stays_failed_is_bought_for_the_shot_with_another_id(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "fail", nth=(1,)),), settings=ONCE)
    world.run(of(OLD))
    end = world.run(of(NEW))
    assert (end.exit_code, [take.label for take in world.takes() if take.shown_state == "verified"]) == (
        ExitCode.OK, ["sh015_t1"],
    )  # fmt: skip


def test_an_edited_shot_is_sent_whatever_became_of_the_failed_generation_of_its_old_prompt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, is_over = World(tmp_path / "out", settings=ONCE), list[bool]()
    says_failed(monkeypatch, lambda _, __, ___: not is_over)
    world.run(of(OLD))
    is_over.append(True)
    world.elapsed_s += 3600
    edited = replace(OLD, request={**OLD.request, "prompt": "another"})
    world.run(of(edited))
    newest = world.takes()[-1]
    assert (newest.shown_state, newest.recipe.body["prompt"], world.submits) == ("verified", "another", 2)


@pytest.mark.parametrize("when", ["in that run", "in a later one"])
def test_a_generation_that_completes_after_another_take_was_bought_is_named_a_double(
    when: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, is_over = World(tmp_path / "out", settings=ONCE), list[bool]()
    first: list[str] = []
    says_failed(monkeypatch, lambda g, _, __: (not first or g == first[0]) and not is_over)
    world.run(of(OLD))
    first.append(first_of(world))
    world.elapsed_s += 3600
    if when == "in that run":
        world.observe = lambda _, event: is_over.append(True) if event.kind == "verified" else None
    end = world.run(of(NEW))
    if when == "in a later one":
        assert f"the provider says that {first[0]} failed, but charged for it" in "; ".join(end.messages)
        is_over.append(True)
        world.elapsed_s += 3600
        end = world.run(of(NEW))
    assert (end.exit_code, world.submits, charged(world)) == (ExitCode.DECISION_NEEDED, 2, 2)
    told = "but it completed after all, and sh015_t1 was bought with the same request"
    assert (told in world.takes()[0].warning, "DOUBLE" in world.takes()[0].warning) == (True, True)
    assert any(told in message for message in end.messages)


def test_what_the_plan_did_not_count_is_not_sent_though_its_clip_comes_after_all(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    batch, is_over = film(tmp_path, {"sh001": "sh000"}), list[bool]()
    says_failed(monkeypatch, lambda _, __, ___: not is_over)
    world = World(tmp_path / "out", settings=replace(opening_in(tmp_path), rates=Rates(max_attempts=1)))
    assert world.run(batch).exit_code is ExitCode.TAKES_FAILED
    is_over.append(True)
    world.elapsed_s += 3600
    end = world.run(batch)
    assert (states(world), world.submits) == (["verified", "planned"], 1)
    said = "sh001_t1 is not sent in this run: the clip to continue from came only after the plan was shown"
    assert (said in "; ".join(end.messages), end.exit_code) == (True, ExitCode.TAKES_FAILED)
    assert world.run(batch).exit_code is ExitCode.OK
    assert states(world) == ["verified"] * 2


def test_a_shot_is_not_sent_while_the_provider_does_not_say_what_became_of_the_failed_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world, is_over = World(tmp_path / "out", settings=ONCE), list[bool]()
    says_failed(monkeypatch, lambda _, __, ___: not is_over)
    world.run(of(OLD))
    is_over.append(True)
    assert world.sandbox is not None
    world.sandbox.faults = FaultPlan((Rule("poll", "status", code=503),), 1)
    world.elapsed_s += 3600
    end = world.run(of(NEW))
    assert (world.submits, ExitCode.PROVIDER_UNREACHABLE in end.codes) == (1, True)
    assert "sh015_t1 was not sent: sh010_t1 asked for the same clip" in "; ".join(end.messages)


def test_a_failed_generation_of_the_first_model_is_asked_for_though_its_take_went_on_with_a_fallback(
    tmp_path: Path,
) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "fail", nth=(1, 2)),), settings=ONCE)
    second = {"model": "alibaba/wan2.2-t2v-plus", "resolution": "480P", "prompt": OLD.request["prompt"]}
    told = Fallback(Version(second), ("failed",))
    world.run(of(replace(OLD, fallback=told)))
    assert world.submits == 2
    assert world.account is not None
    world.account._db.execute("UPDATE requests SET failure = NULL WHERE seq = 1")  # it was made after all
    world.elapsed_s += 3600
    end = world.run(of(replace(NEW, fallback=told)))
    assert (world.submits, end.exit_code) == (2, ExitCode.DECISION_NEEDED)
