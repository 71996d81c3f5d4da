"""A charge of no take beside a generation that failed: it is asked about before the take is sent again, or named later."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.runner.shared import HOURS, beside_runs, states, told
from tests.worlds import EPOCH, World, batch_of
from wanbatch.batch.lifecycle import Fact
from wanbatch.errors import ExitCode
from wanbatch.pace.schedule import Rates
from wanbatch.runner.context import RunContext
from wanbatch.runner.events import Event
from wanbatch.runner.loop import Runner
from wanbatch.runner.settings import RunSettings
from wanbatch.sandbox.faults import Rule
from wanbatch.session.lookup import look_up
from wanbatch.state.file import StateFile
from wanbatch.state.reader import entry
from wanbatch.state.tables import new_identity

pytestmark = pytest.mark.usefixtures("quick_clips")
FAIL = (Rule("submit", "fail", nth=(1,)),)
COLUMNS = "at, fault, body, body_sha256, http_status, credits, starts_at, ends_at"


def charge(world: World, *, key: str = "another", model: str = "", request_id: str | None = None) -> None:
    """Charge the account for a generation that a submit of ours may have made under another id."""
    assert world.account is not None
    named = f"'{model}'" if model else "model"
    world.account._db.execute(
        f"INSERT INTO requests ({COLUMNS}, model, key, client_request_id, inference_id)"
        f" SELECT {COLUMNS}, {named}, ?, ?, 'unowned' FROM requests WHERE seq = 1",
        (key, request_id),
    )


def charging(kind: str, **what: Any) -> Any:
    """Charge it at the first event of a kind."""
    seen: list[Event] = []

    def observe(world: World) -> Any:
        def change(_: Runner, event: Event) -> None:
            if event.kind == kind and not seen:
                seen.append(event)
                charge(world, **what)

        return change

    return observe


def world_with(tmp_path: Path, observe: Any, **more: Any) -> World:
    world = World(tmp_path / "out", rules=FAIL, **more)
    world.observe = observe(world)
    return world


def test_a_take_whose_generation_failed_is_not_sent_again_beside_a_charge_of_no_take(tmp_path: Path) -> None:
    world = world_with(tmp_path, charging("failure_seen"))
    end = world.run(batch_of(1))
    assert (end.exit_code, states(world), world.submits - 1) == (ExitCode.DECISION_NEEDED, ["failed"], 1)
    (message,) = [text for text in end.messages if "unowned" in text]
    assert "which belongs to no take" in message
    assert "the provider had reported as failed, may have made it" in message


@pytest.mark.parametrize(
    "what",
    [{"model": "openai/gpt-4o"}, {"key": "own"}],
    ids=["of another model", "of another program with our key"],
)
def test_a_charge_of_somebody_else_stops_no_retry(tmp_path: Path, what: dict[str, str]) -> None:
    from wanbatch.sandbox.account import key_name

    if what.get("key") == "own":
        what = {"key": key_name("made-up"), "request_id": "another-program"}
    world = world_with(tmp_path, charging("failure_seen", **what))
    end = world.run(batch_of(1))
    assert (end.exit_code, states(world), world.submits - 1) == (ExitCode.OK, ["verified"], 2)


def test_the_log_is_read_once_before_a_retry(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=FAIL)
    assert world.run(batch_of(1)).exit_code is ExitCode.OK
    assert world.hosts is not None
    assert len([each for each in world.hosts.requests if each.url.path == "/v2/logs"]) == 1


def test_where_the_log_cannot_tell_whose_a_charge_is_nothing_is_sent_again(tmp_path: Path) -> None:
    world = world_with(tmp_path, charging("failure_seen"))
    world.rules = (*FAIL, Rule("logs", "status", code=503, probability=1.0))
    end = world.run(batch_of(1))
    assert (end.exit_code, states(world), world.submits - 1) == (ExitCode.DECISION_NEEDED, ["failed"], 1)


def send_again(world: World) -> None:
    """Plan the failed take again, as `wanbatch retry` does."""
    with StateFile.create_or_open(world.output, new_identity("world", "sandbox", "", EPOCH, sandbox=True)) as state:
        state.record(1, entry(Fact.RETRY_PLANNED, EPOCH, {"by": "user"}))


def test_the_word_of_the_user_sends_it_again_once_the_charge_was_named(tmp_path: Path) -> None:
    world = world_with(tmp_path, charging("failure_seen"))
    world.run(batch_of(1))
    send_again(world)
    assert (world.run(batch_of(1)).exit_code, states(world)) == (ExitCode.OK, ["verified"])


def test_a_charge_that_shows_before_the_user_sends_it_again_stops_one_run(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=FAIL, settings=RunSettings(rates=Rates(max_attempts=1)))
    world.run(batch_of(1))
    charge(world)
    send_again(world)
    world.elapsed_s += HOURS
    world.settings = replace(world.settings, is_account_shared=True)
    end = world.run(batch_of(1))
    assert (end.exit_code, states(world), world.submits - 1) == (ExitCode.DECISION_NEEDED, ["planned"], 1)
    assert any("is not sent again in this run" in message for message in end.messages)
    assert (world.run(batch_of(1)).exit_code, states(world)) == (ExitCode.OK, ["verified"])


# --- once it was sent again


def sent_again(tmp_path: Path) -> World:
    world = world_with(tmp_path, charging("verified"))
    assert (world.run(batch_of(1)).exit_code, world.submits - 1) == (ExitCode.OK, 2)
    world.observe = None
    return world


def test_reconcile_names_a_charge_of_no_take_beside_a_failure_that_was_sent_again(tmp_path: Path) -> None:
    world = sent_again(tmp_path)
    world.elapsed_s += HOURS
    found = told(world)
    assert (found.questions, "unowned" in world.takes()[0].warning) == (("sh000_t1",), True)


def test_a_later_run_names_it_once_the_log_had_its_time(tmp_path: Path) -> None:
    world = sent_again(tmp_path)
    world.elapsed_s += HOURS
    world.settings = replace(world.settings, is_account_shared=True)
    assert world.run(batch_of(2)).exit_code is ExitCode.OK
    world.elapsed_s += 30 * HOURS
    end = world.run(batch_of(3))
    assert (end.exit_code, any("unowned" in text for text in end.messages)) == (ExitCode.DECISION_NEEDED, True)
    assert world.run(batch_of(4)).exit_code is ExitCode.OK  # it was told


def test_the_look_of_a_finished_batch_names_it(tmp_path: Path) -> None:
    world = sent_again(tmp_path)
    world.elapsed_s += 30 * HOURS
    assert {code for code, text in beside_runs(world, look_up).troubles if "unowned" in text} == {
        ExitCode.DECISION_NEEDED
    }


def test_what_the_log_calls_another_programs_is_named_beside_no_failure(tmp_path: Path) -> None:
    from wanbatch.sandbox.account import key_name

    world = world_with(tmp_path, charging("verified", key=key_name("made-up"), request_id="another-program"))
    world.run(batch_of(1))
    world.observe, world.elapsed_s = None, world.elapsed_s + HOURS
    assert told(world).questions == ()


def test_only_failures_of_the_time_in_reach_are_looked_at(tmp_path: Path) -> None:
    from wanbatch.runner.evidence import failed_since

    world = sent_again(tmp_path)

    async def work(context: RunContext) -> list[int]:
        context.load()
        later = replace(context.state.attempts_of(1)[0]).started_at.replace(year=2027)
        return [len(failed_since(context, at, 9)) for at in (EPOCH, later)]

    assert beside_runs(world, work) == [1, 0]
