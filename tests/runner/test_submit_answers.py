"""What each answer to a submit leads to."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.runner.shared import HOURS, PRICE, beside_runs, states
from tests.runner.test_faults import answered
from tests.worlds import EPOCH, World, batch_of
from wanbatch.batch.lifecycle import State
from wanbatch.errors import ExitCode
from wanbatch.pace.schedule import Rates
from wanbatch.provider.answers import Head, read_submit
from wanbatch.provider.protocol import Accepted, SubmitAnswer
from wanbatch.runner.events import Event
from wanbatch.runner.loop import Runner
from wanbatch.runner.settings import OnUnknown, RunSettings
from wanbatch.sandbox.account import Arrival, key_name
from wanbatch.sandbox.faults import Rule
from wanbatch.sandbox.options import SandboxOptions
from wanbatch.session.lookup import look_up

pytestmark = pytest.mark.usefixtures("quick_clips")


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("rule", "error"),
    [
        (Rule("submit", "drop_after", nth=(2,)), "disconnected"),
        (Rule("submit", "drop_before", nth=(2,)), "disconnected"),
        (Rule("submit", "status_after", nth=(2,), code=504), "HTTP 504"),
        (Rule("submit", "status", nth=(2,), code=500), "HTTP 500"),
        (Rule("submit", "status", nth=(2,), code=502, has_envelope=False), "HTTP 502"),
        (Rule("submit", "status", nth=(2,), code=408), "HTTP 408"),
        (Rule("submit", "status", nth=(2,), code=409), "HTTP 409"),
        (Rule("submit", "status", nth=(2,), code=307), "redirect"),
        (Rule("submit", "status", nth=(2,), code=429, has_envelope=False), "HTTP 429"),
    ],
    ids=lambda value: f"{value.do}-{value.code}-{value.has_envelope}" if isinstance(value, Rule) else "",
)
def test_an_answer_that_proves_nothing_leaves_the_take_held_and_is_never_sent_again(
    tmp_path: Path, rule: Rule, error: str
) -> None:
    world = World(tmp_path / "out", rules=(rule,), settings=RunSettings(on_unknown=OnUnknown.HOLD))
    end = world.run(batch_of(4))
    held = [take for take in world.takes() if take.state is State.HELD]
    assert [take.label for take in held] == ["sh001_t1"]
    assert error in held[0].error
    assert (held[0].request_id or "?") in held[0].error
    assert end.exit_code is ExitCode.DECISION_NEEDED
    again = world.run(batch_of(4))  # looks once more: what was made is found, what was not stays held
    was_made = rule.do in ("drop_after", "status_after")
    assert again.exit_code is (ExitCode.OK if was_made else ExitCode.DECISION_NEEDED)
    ids = [row["client_request_id"] for row in world.ledger()]
    assert len(ids) == len(set(ids)) == (4 if was_made else 3)


@pytest.mark.parametrize("do", ["truncate", "bad_json", "empty", "html", "no_body_id", "no_header_id"])
def test_an_id_in_header_or_body_is_enough(tmp_path: Path, do: str) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", do, nth=(2,)),))
    end = world.run(batch_of(3))
    assert (end.exit_code, states(world), world.submits) == (ExitCode.OK, ["verified"] * 3, 3)


def test_two_ids_in_one_answer_are_held_and_never_followed(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "wrong_id", nth=(2,)),))
    world.run(batch_of(3))
    world.run(batch_of(3))
    take = world.takes()[1]
    assert (take.state, take.needs_user) == (State.HELD, True)
    assert "two generations" in take.error


def test_three_lost_answers_in_a_row_stop_the_spending(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "drop_after"),))
    end = world.run(batch_of(12))
    assert (world.submits, end.exit_code) == (3, ExitCode.DECISION_NEEDED)


@pytest.mark.parametrize("retry_after", [None, "7", "-3", "nonsense", "1000000"])
def test_a_429_is_tried_again_under_a_new_request_id(tmp_path: Path, retry_after: str | None) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "status", nth=(2, 3), code=429, retry_after=retry_after),))
    end = world.run(batch_of(3))
    ids = [take.request_id for take in world.takes()]
    assert (end.exit_code, states(world)) == (ExitCode.OK, ["verified"] * 3)
    assert sorted(str(each).rsplit(".", 1)[1] for each in ids) == ["1", "1", "3"]
    waited = [event for event in world.events if "busy" in event.text]
    assert len(waited) == 2


def test_retry_after_is_waited_for(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "status", nth=(2,), code=429, retry_after="90"),))
    world.run(batch_of(2))
    times = [event.at for event in world.events if event.kind in ("turned_away", "submit_started")]
    assert 90 <= (times[-1] - times[-2]).total_seconds() < 95


def test_the_concurrency_limit_is_learnt_and_not_fought(tmp_path: Path) -> None:
    world = World(tmp_path / "out", options=SandboxOptions(concurrency=3))
    end = world.run(batch_of(12))
    refused = [row for row in world.ledger() if row["http_status"] == 429]
    assert (end.exit_code, states(world)) == (ExitCode.OK, ["verified"] * 12)
    assert len(refused) <= 4


@pytest.mark.parametrize(
    ("rule", "code", "submits"),
    [
        (Rule("submit", "status", nth=(1,), code=401, message="bad key"), ExitCode.ACCOUNT_STOPPED, 0),
        (Rule("submit", "status", nth=(1,), code=403, message="out of credits"), ExitCode.ACCOUNT_STOPPED, 0),
        (Rule("submit", "status", nth=(1,), code=404, message="no such model"), ExitCode.TAKES_FAILED, 0),
        (Rule("submit", "status", nth=(1,), code=400, message="bad body"), ExitCode.TAKES_FAILED, 0),
        (Rule("submit", "status", nth=(1,), code=422, message="bad body"), ExitCode.TAKES_FAILED, 0),
    ],
    ids=["401", "403", "404", "400", "422"],
)
def test_a_refusal_of_the_first_submit_stops_the_run(tmp_path: Path, rule: Rule, code: ExitCode, submits: int) -> None:
    world = World(tmp_path / "out", rules=(rule,))
    end = world.run(batch_of(4))
    assert (end.exit_code, world.submits) == (code, submits)
    assert rule.message in " ".join(end.messages)


def test_out_of_credits_still_fetches_what_is_paid(tmp_path: Path) -> None:
    from decimal import Decimal

    world = World(tmp_path / "out", options=SandboxOptions(balance_usd=Decimal(2 * PRICE) / 2_000_000))
    end = world.run(batch_of(4))
    assert (end.exit_code, states(world)) == (ExitCode.ACCOUNT_STOPPED, ["verified", "verified", "planned", "planned"])


def test_a_later_refusal_fails_only_its_take(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "status", nth=(2,), code=400, message="prompt too odd"),))
    end = world.run(batch_of(3))
    take = world.takes()[1]
    assert (end.exit_code, states(world)) == (ExitCode.TAKES_FAILED, ["verified", "failed", "verified"])
    assert "prompt too odd" in take.error


def test_a_moderated_prompt_is_not_tried_again(tmp_path: Path) -> None:
    rule = Rule("submit", "fail", nth=(2,), message="Content policy violation")
    world = World(tmp_path / "out", rules=(rule,))
    end = world.run(batch_of(3))
    assert (end.exit_code, world.submits, states(world)[1]) == (ExitCode.TAKES_FAILED, 3, "failed")


def test_a_lost_answer_that_says_when_to_come_back_is_heeded(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "status", nth=(2,), code=503, retry_after="90"),))
    world.observe = lambda runner, event: runner.drain() if "looking up" in event.text else None
    world.run(batch_of(3))
    times = {(event.kind, event.take): event.at for event in world.events}
    waited = times["submit_started", "sh002_t1"] - times["answer_lost", "sh001_t1"]
    assert 90 <= waited.total_seconds() < 100


def test_without_an_echo_one_submit_goes_at_a_time(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "no_echo"),))
    end = world.run(batch_of(3))
    assert end.exit_code is ExitCode.OK
    assert any("does not return wanbatch's request ids" in event.text for event in world.events)


def test_what_failed_under_an_answer_to_another_request_is_not_bought_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A proxy mixes up two answers: ours names another program's generation, which fails, and our own is made."""
    world = World(tmp_path / "out")
    sent: list[str] = []

    def note(_: Runner, event: Event) -> None:
        sent.extend([str(event.data["request_id"])] if event.kind == "submit_started" else [])

    def mixed_up(number: int) -> SubmitAnswer | None:
        assert world.account is not None
        if number != 2:
            return None
        at, key, body = EPOCH.timestamp() + world.elapsed_s, key_name("made-up"), batch_of(2).shots[1].request
        theirs = world.account.accept(Arrival(at, key, "other-program-77"), body, failure="crashed")
        world.account.accept(Arrival(at, key, sent[1]), body)
        return Accepted(theirs.generation_id, PRICE, is_echoed=False, other_request="other-program-77")

    answered(monkeypatch, mixed_up)
    world.observe = note
    end = world.run(batch_of(2))
    bought = [row for row in world.ledger() if row["charged"]]
    assert (end.exit_code, states(world), len(bought)) == (ExitCode.DECISION_NEEDED, ["verified", "failed"], 2)
    assert any("was named in the answer to a different request" in message for message in end.messages)
    assert "other-program-77" in world.takes()[1].warning
    world.elapsed_s += 24 * HOURS
    beside_runs(world, look_up)
    world.run(batch_of(2))
    assert (states(world), len([row for row in world.ledger() if row["charged"]])) == (["verified"] * 2, 2)


def test_two_answers_that_a_proxy_swaps_are_looked_up_and_each_take_gets_its_own_clip(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    world = World(tmp_path / "out", settings=RunSettings(rates=Rates(in_flight=4)))
    sent: list[str] = []

    def note(_: Runner, event: Event) -> None:
        sent.extend([str(event.data["request_id"])] if event.kind == "submit_started" else [])

    def swapped(number: int) -> SubmitAnswer | None:
        assert world.account is not None
        if number not in (2, 3):
            return None
        at, body = EPOCH.timestamp() + world.elapsed_s, batch_of(3).shots[number - 1].request
        world.account.accept(Arrival(at, key_name("made-up"), sent[number - 1]), body)
        head = Head(200, {"x-client-request-id": sent[0], "x-inference-id": "another"})
        return read_submit(head, b"{}", sent[number - 1])

    answered(monkeypatch, swapped)
    world.observe = note
    assert world.run(batch_of(3)).exit_code is ExitCode.OK
    made = {row["client_request_id"]: row["inference_id"] for row in world.ledger()}
    assert [take.generation_id for take in world.takes()] == [made[each] for each in sent]
    assert (states(world), len(made)) == (["verified"] * 3, 3)
