"""A run from planned to verified, and what it does when the provider, the line or the user does not play along."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from tests.worlds import World, batch_of, shots, with_prompt
from wanbatch.batch.lifecycle import State
from wanbatch.batch.models import PriceClass
from wanbatch.batch.shots import Batch
from wanbatch.errors import ExitCode
from wanbatch.money.prices import Quote
from wanbatch.pace.schedule import POLL_FIRST_S, POLLS_AT_ONCE, Poll, Rates, Schedule
from wanbatch.runner.events import Event
from wanbatch.runner.loop import Runner
from wanbatch.runner.settings import OnUnknown, RunSettings
from wanbatch.sandbox.faults import Rule
from wanbatch.sandbox.options import SandboxOptions
from wanbatch.state.reader import StateReader

pytestmark = pytest.mark.usefixtures("quick_clips")
PRICE = 378_000  # 5 s of the small model in the sandbox
CLASS = PriceClass("alibaba/wan2.1-t2v-turbo", "480P", None)


def states(world: World) -> list[str]:
    return [take.shown_state for take in world.takes()]


def test_a_batch_ends_verified_and_charged_to_the_credit(tmp_path: Path) -> None:
    world = World(tmp_path / "out")
    end = world.run(batch_of(4))
    takes = world.takes()
    told = [(take.state, take.credits_held, take.credits_charged, take.file) for take in takes]
    assert (end.exit_code, told) == (
        ExitCode.OK,
        [(State.VERIFIED, PRICE, PRICE, f"clips/sh{n:03d}_t1.mp4") for n in range(4)],
    )


def test_the_first_submit_goes_alone(tmp_path: Path) -> None:
    world = World(tmp_path / "out")
    world.run(batch_of(4))
    kinds = [event.kind for event in world.events if event.kind in ("submit_started", "accepted")]
    assert kinds[:2] == ["submit_started", "accepted"]


def test_a_finished_batch_makes_no_request(tmp_path: Path) -> None:
    world = World(tmp_path / "out")
    world.run(batch_of(3))
    world.run(batch_of(3))
    assert world.hosts is not None
    assert world.hosts.requests == []


def test_the_key_never_reaches_the_clip_host(tmp_path: Path) -> None:
    world = World(tmp_path / "out")
    world.run(batch_of(2))
    assert world.hosts is not None
    clips = [request for request in world.hosts.requests if request.url.host == "127.0.0.2"]
    leaks = [name for request in clips for name in request.headers if name in ("authorization", "cookie")]
    assert (len(clips), leaks) == (2, [])


def test_an_edited_shot_is_bought_anew_and_the_others_are_not(tmp_path: Path) -> None:
    world = World(tmp_path / "out")
    world.run(batch_of(3))
    world.run(with_prompt(batch_of(3), "sh001", "another prompt"))
    labels = [(take.label, take.shown_state) for take in world.takes()]
    assert (world.submits, labels[1], labels[3]) == (4, ("sh001_t1", "superseded"), ("sh001_t2", "verified"))


def test_an_edit_taken_back_reinstates_the_old_take_for_nothing(tmp_path: Path) -> None:
    world = World(tmp_path / "out")
    world.run(batch_of(2))
    world.run(with_prompt(batch_of(2), "sh001", "another prompt"))
    world.run(batch_of(2))
    assert (world.submits, states(world)) == (3, ["verified", "verified", "superseded"])


def test_a_removed_shot_that_runs_is_still_downloaded(tmp_path: Path) -> None:
    def stop(runner: Runner, event: Event) -> None:
        if event.kind == "accepted" and event.take == "sh001_t1":
            runner.drain()
            runner.drain()

    world = World(tmp_path / "out", observe=stop)
    world.run(batch_of(2))
    world.observe = None
    world.run(batch_of(1))
    assert (world.submits, states(world)) == (2, ["verified", "verified"])
    assert (tmp_path / "out" / "clips" / "sh001_t1.mp4").exists()


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


def test_a_failed_generation_is_tried_again_once_and_not_charged(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "fail", nth=(2,), message="model crashed"),))
    end = world.run(batch_of(3))
    charged = sum(row["charged"] for row in world.ledger())
    assert (end.exit_code, world.submits, charged) == (ExitCode.OK, 4, 3 * PRICE)


def test_a_failure_that_is_charged_is_told_and_never_tried_again(tmp_path: Path) -> None:
    rules = (Rule("submit", "fail_charged", nth=(2,), message="model crashed"),)
    world = World(tmp_path / "out", rules=rules, options=SandboxOptions(log_lag_s=0))
    end = world.run(batch_of(3))
    take = world.takes()[1]
    charged = sum(row["charged"] for row in world.ledger())
    assert (end.exit_code, world.submits, states(world)) == (
        ExitCode.DECISION_NEEDED, 3, ["verified", "failed", "verified"],
    )  # fmt: skip
    assert (take.credits_charged, charged, sum(each.credits_charged or 0 for each in world.takes())) == (
        PRICE, 3 * PRICE, 3 * PRICE,
    )  # fmt: skip
    assert "charged" in take.warning


def test_a_charge_that_comes_after_the_retry_is_not_lost(tmp_path: Path) -> None:
    rules = (Rule("submit", "fail_charged", nth=(2,)),)
    world = World(tmp_path / "out", rules=rules, options=SandboxOptions(log_lag_s=120))
    end = world.run(batch_of(2))
    charged = sum(row["charged"] for row in world.ledger())
    take = world.takes()[1]
    assert (end.exit_code, world.submits, take.credits_charged, charged) == (
        ExitCode.DECISION_NEEDED, 3, 2 * PRICE, 3 * PRICE,
    )  # fmt: skip
    assert "charged" in take.warning
    with StateReader.open(tmp_path / "out") as reader:
        assert [each.credits_charged for each in reader.attempts()] == [PRICE, PRICE, PRICE]


def test_two_looks_at_the_ledger_at_once_count_each_charge_once(tmp_path: Path) -> None:
    rules = (Rule("submit", "fail", nth=(4, 5)), Rule("ledger", "delay", delay_s=20))
    world = World(
        tmp_path / "out",
        rules=rules,
        options=SandboxOptions(log_lag_s=0, cv=0.001),
        settings=RunSettings(rates=Rates(submit_per_min=600)),
    )
    end = world.run(batch_of(6))
    looks = [event for event in world.events if event.kind == "charged"]
    assert (end.exit_code, len(looks)) == (ExitCode.OK, 6)
    assert [take.credits_charged for take in world.takes()] == [PRICE] * 6


def test_a_moderated_prompt_that_is_charged_needs_a_decision(tmp_path: Path) -> None:
    rule = Rule("submit", "fail_charged", nth=(1,), message="Content policy violation")
    world = World(tmp_path / "out", rules=(rule,), options=SandboxOptions(log_lag_s=0))
    end = world.run(batch_of(1))
    assert (end.exit_code, world.takes()[0].credits_charged) == (ExitCode.DECISION_NEEDED, PRICE)


def test_a_price_of_0_is_not_believed_and_does_not_lift_the_cap(tmp_path: Path) -> None:
    world = World(
        tmp_path / "out",
        rules=(Rule("submit", "free"),),
        settings=RunSettings(cap_credits=2 * PRICE, quotes={CLASS: Quote(PRICE, "test")}),
    )
    end = world.run(batch_of(4))
    assert (end.exit_code, world.submits) == (ExitCode.BUDGET_REACHED, 2)


def test_a_take_of_unknown_price_waits_for_the_answer_of_the_one_before(tmp_path: Path) -> None:
    world = World(
        tmp_path / "out",
        rules=(Rule("submit", "delay", nth=(1,), delay_s=20),),
        settings=RunSettings(cap_credits=4 * PRICE),
    )
    end = world.run(batch_of(3))
    assert (end.exit_code, world.submits) == (ExitCode.OK, 3)


def test_under_a_cap_a_second_class_of_unknown_price_waits_for_what_is_out(tmp_path: Path) -> None:
    both = (*shots(6, resolution="720P"), *(replace(each, id=f"small{each.id}") for each in shots(2)))
    world = World(
        tmp_path / "out",
        rules=(Rule("submit", "delay", nth=(6,), delay_s=100),),
        settings=RunSettings(cap_credits=100 * PRICE, rates=Rates(submit_per_min=3)),
    )
    end = world.run(Batch("world", tuple(replace(each, ordinal=n) for n, each in enumerate(both))))
    assert (end.exit_code, world.submits) == (ExitCode.OK, 8)
    out, most, unpriced = 0, 0, 0
    for event in world.events:
        out += (event.kind == "submit_started") - (event.kind == "accepted")
        if event.kind == "submit_started" and event.data["credits_estimated"] is None:
            unpriced += 1
            most = max(most, out)
    assert (unpriced, most) == (2, 1)


def test_who_watches_a_run_cannot_end_it(tmp_path: Path) -> None:
    def fail(_runner: Runner, event: Event) -> None:
        if event.kind == "accepted":
            raise BrokenPipeError

    world = World(tmp_path / "out", observe=fail)
    end = world.run(batch_of(3))
    assert (end.exit_code, states(world)) == (ExitCode.OK, ["verified"] * 3)


def test_a_clip_that_waits_for_its_name_is_not_fetched_again(tmp_path: Path) -> None:
    foreign = tmp_path / "out" / "clips" / "sh000_t1.mp4"
    world = World(tmp_path / "out")
    foreign.parent.mkdir(parents=True)

    def put(_runner: Runner, event: Event) -> None:
        if event.kind == "completed":
            foreign.write_bytes(b"a file of the user")

    world.observe = put
    end = world.run(batch_of(1))
    assert (end.exit_code, states(world), foreign.read_bytes()) == (
        ExitCode.DECISION_NEEDED, ["held"], b"a file of the user",
    )  # fmt: skip
    world.observe = None
    foreign.unlink()
    assert world.run(batch_of(1)).exit_code is ExitCode.OK
    assert world.hosts is not None
    fetched = [request for request in world.hosts.requests if request.url.host == "127.0.0.2"]
    assert (states(world), fetched) == (["verified"], [])


def test_an_id_that_the_disk_does_not_keep_is_told_to_the_user(tmp_path: Path) -> None:
    world = World(tmp_path / "out")

    def break_disk(runner: Runner, event: Event) -> None:
        if event.kind == "submit_started":
            runner._context.state._failed = OSError("disk full")

    world.observe = break_disk
    end = world.run(batch_of(2))
    generation_id = world.ledger()[0]["inference_id"]
    assert (end.exit_code, world.submits) == (ExitCode.LOCAL_FAULT, 1)
    assert any(generation_id in message and "sh000_t1" in message for message in end.messages)


def test_a_key_that_the_provider_echoes_is_stored_nowhere(tmp_path: Path) -> None:
    rules = (
        Rule("submit", "status", nth=(2,), code=400, message="bad key made-up here"),
        Rule("submit", "status", nth=(3,), code=500, has_envelope=False, message="made-up"),
        Rule("submit", "fail", nth=(4,), message="policy: made-up"),
    )
    world = World(tmp_path / "out", rules=rules)
    end = world.run(batch_of(5))
    files = [path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert any("***" in take.error for take in world.takes())
    assert not any(b"made-up" in data for data in files)
    assert not any("made-up" in text for text in [*end.messages, *(event.text for event in world.events)])


def test_a_moderated_prompt_is_not_tried_again(tmp_path: Path) -> None:
    rule = Rule("submit", "fail", nth=(2,), message="Content policy violation")
    world = World(tmp_path / "out", rules=(rule,))
    end = world.run(batch_of(3))
    assert (end.exit_code, world.submits, states(world)[1]) == (ExitCode.TAKES_FAILED, 3, "failed")


@pytest.mark.parametrize(
    "rule",
    [
        Rule("poll", "status", every=2, code=502, has_envelope=False),
        Rule("poll", "drop_before", every=2),
        Rule("poll", "html", every=3),
        Rule("poll", "bad_json", every=2),
        Rule("poll", "empty", every=3),
        Rule("poll", "truncate", every=3),
        Rule("poll", "status", every=3, code=429, retry_after="30"),
        Rule("poll", "status", nth=(1, 2, 3), code=404),
        Rule("poll", "no_link", nth=tuple(range(10, 30))),
        Rule("poll", "dead_link", nth=(24, 25)),
        Rule("clip", "zero", nth=(1,)),
        Rule("clip", "garbage", nth=(1, 2)),
        Rule("clip", "short", nth=(1,)),
        Rule("clip", "truncate", nth=(1, 2)),
        Rule("clip", "status", nth=(1,), code=503, has_envelope=False),
        Rule("clip", "drop_before", nth=(1, 2)),
        Rule("ledger", "status", nth=(1, 2, 3), code=503),
    ],
    ids=lambda rule: f"{rule.on}-{rule.do}-{rule.code}",
)
def test_reads_that_go_wrong_cost_time_and_nothing_else(tmp_path: Path, rule: Rule) -> None:
    world = World(tmp_path / "out", rules=(rule,))
    end = world.run(batch_of(3))
    assert (end.exit_code, states(world), world.submits) == (ExitCode.OK, ["verified"] * 3, 3)


@pytest.mark.parametrize("do", ["zero", "garbage", "short"])
def test_a_clip_that_never_comes_whole_is_held_as_paid_and_looked_at_again(tmp_path: Path, do: str) -> None:
    rules = (Rule("clip", do, nth=(1, 2, 3)),)
    world = World(tmp_path / "out", rules=rules)
    end = world.run(batch_of(1))
    take = world.takes()[0]
    assert (end.exit_code, take.state, world.submits) == (ExitCode.DECISION_NEEDED, State.HELD, 1)
    assert "paid" in take.error
    assert world.run(batch_of(1)).exit_code is ExitCode.OK
    assert (states(world), world.submits) == (["verified"], 1)


def test_a_generation_that_never_ends_is_held_and_never_bought_again(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "stall", nth=(1,)),))
    end = world.run(batch_of(2))
    assert (end.exit_code, states(world), world.submits) == (ExitCode.DECISION_NEEDED, ["held", "verified"], 2)


def test_a_poll_that_tells_of_a_stranger_is_never_followed(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(Rule("poll", "wrong_id", nth=(1,)),))
    end = world.run(batch_of(1))
    held = world.takes()[0]
    assert (end.exit_code, held.state) == (ExitCode.DECISION_NEEDED, State.HELD)
    assert (world.run(batch_of(1)).exit_code, world.submits) == (ExitCode.OK, 1)
    assert world.takes()[0].generation_id == held.generation_id


def test_a_refused_key_while_polling_stops_everything_and_loses_nothing(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(Rule("poll", "status", nth=(3,), code=401),))
    end = world.run(batch_of(3))
    assert end.exit_code is ExitCode.ACCOUNT_STOPPED
    assert world.run(batch_of(3)).exit_code is ExitCode.OK
    assert world.submits == 3


def test_the_cap_is_never_passed_and_can_be_raised(tmp_path: Path) -> None:
    quotes = {CLASS: Quote(PRICE, "test")}
    world = World(tmp_path / "out", settings=RunSettings(cap_credits=2 * PRICE + 1, quotes=quotes))
    end = world.run(batch_of(4))
    assert (end.exit_code, world.submits) == (ExitCode.BUDGET_REACHED, 2)
    world.settings = RunSettings(cap_credits=4 * PRICE, quotes=quotes)
    assert world.run(batch_of(4)).exit_code is ExitCode.OK
    assert world.submits == 4


def test_under_a_cap_an_unknown_price_is_learnt_from_the_first_submit(tmp_path: Path) -> None:
    world = World(tmp_path / "out", settings=RunSettings(cap_credits=3 * PRICE))
    end = world.run(batch_of(4))
    assert (end.exit_code, world.submits) == (ExitCode.BUDGET_REACHED, 3)


def test_unknown_counts_as_spent(tmp_path: Path) -> None:
    quotes = {CLASS: Quote(PRICE, "test")}
    world = World(
        tmp_path / "out",
        rules=(Rule("submit", "drop_after", nth=(1,)),),
        settings=RunSettings(cap_credits=2 * PRICE, quotes=quotes),
    )
    end = world.run(batch_of(4))
    assert (end.exit_code, world.submits) == (ExitCode.BUDGET_REACHED, 2)


def test_a_price_far_over_the_quote_stops_new_submits(tmp_path: Path) -> None:
    quotes = {CLASS: Quote(PRICE, "test")}
    rules = (Rule("submit", "dearer", nth=(2,)),)
    world = World(tmp_path / "out", rules=rules, settings=RunSettings(quotes=quotes))
    end = world.run(batch_of(6))
    assert (end.exit_code, world.submits) == (ExitCode.BUDGET_REACHED, 2)


def test_a_lost_answer_that_says_when_to_come_back_is_heeded(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "status", nth=(2,), code=503, retry_after="90"),))
    world.observe = lambda runner, event: runner.drain() if "looked up" in event.text else None
    world.run(batch_of(3))
    times = {(event.kind, event.take): event.at for event in world.events}
    waited = times["submit_started", "sh002_t1"] - times["answer_lost", "sh001_t1"]
    assert 90 <= waited.total_seconds() < 100


def test_a_price_told_twice_differently_is_warned_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("wanbatch.provider.answers._header_credits", lambda _: PRICE + 1)
    world = World(tmp_path / "out")
    world.run(batch_of(1))
    take = world.takes()[0]
    assert (take.credits_held, "its header" in take.warning, take.credits_charged) == (PRICE + 1, True, PRICE)


def test_without_an_echo_one_submit_goes_at_a_time(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "no_echo"),))
    end = world.run(batch_of(3))
    assert end.exit_code is ExitCode.OK
    assert any("does not return our request ids" in event.text for event in world.events)


def test_without_credits_in_the_answer_the_cost_is_unknown_until_the_ledger_tells(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(Rule("submit", "no_credits"),))
    world.run(batch_of(2))
    assert [(take.credits_held, take.credits_charged) for take in world.takes()] == [(None, PRICE)] * 2


def test_the_first_interrupt_drains_and_the_second_stops(tmp_path: Path) -> None:
    def once(runner: Runner, event: Event) -> None:
        if event.kind == "accepted" and event.take == "sh001_t1":
            runner.drain()

    world = World(tmp_path / "out", observe=once)
    end = world.run(batch_of(5))
    assert (end.exit_code, states(world)) == (ExitCode.INTERRUPTED, ["verified"] * 2 + ["planned"] * 3)
    world.observe = None
    assert world.run(batch_of(5)).exit_code is ExitCode.OK
    assert world.submits == 5


def test_a_terminated_run_resumes_without_a_new_submit(tmp_path: Path) -> None:
    def stop(runner: Runner, event: Event) -> None:
        if event.kind == "generation_started":
            runner.terminate(1.0)

    world = World(tmp_path / "out", observe=stop)
    assert world.run(batch_of(3)).exit_code is ExitCode.TERMINATED
    world.observe = None
    assert world.run(batch_of(3)).exit_code is ExitCode.OK
    assert world.submits == 3


def test_a_file_that_is_not_ours_is_never_overwritten(tmp_path: Path) -> None:
    clips = tmp_path / "out" / "clips"
    clips.mkdir(parents=True)
    (clips / "sh000_t1.mp4").write_text("somebody's work")
    (tmp_path / "out" / "state.sqlite").unlink(missing_ok=True)
    (clips / "sh000_t1.mp4").rename(tmp_path / "mine.mp4")
    world = World(tmp_path / "out")

    def put_back(_: Runner, event: Event) -> None:
        if event.kind == "accepted":
            (tmp_path / "mine.mp4").rename(clips / "sh000_t1.mp4")

    world.observe = put_back
    end = world.run(batch_of(1))
    assert (end.exit_code, (clips / "sh000_t1.mp4").read_text()) == (ExitCode.DECISION_NEEDED, "somebody's work")


def test_only_selected_takes_are_sent(tmp_path: Path) -> None:
    settings = RunSettings(is_selected=lambda take: take.shot_id == "sh002", rates=Rates())
    world = World(tmp_path / "out", settings=settings)
    end = world.run(batch_of(4))
    assert (end.exit_code, states(world)) == (ExitCode.OK, ["planned", "planned", "verified", "planned"])


def test_a_limit_sends_no_more_than_that(tmp_path: Path) -> None:
    world = World(tmp_path / "out", settings=RunSettings(limit=2))
    world.run(batch_of(4))
    assert world.submits == 2


@pytest.mark.parametrize(("polls_per_take", "is_early"), [(13.5, True), (8.0, False)])
def test_the_poll_that_sees_the_queue_is_spared_where_polls_are_few(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, polls_per_take: float, is_early: bool
) -> None:
    waits: list[float] = []
    real = Schedule.add_poll

    def add_poll(schedule: Schedule, take_id: int, due: float, gain: Callable[[float], float] | None = None) -> None:
        waits.append(round(due - asyncio.get_running_loop().time(), 3))
        real(schedule, take_id, due, gain)

    monkeypatch.setattr(Schedule, "add_poll", add_poll)
    world = World(tmp_path / "out", settings=RunSettings(rates=Rates(polls_per_take=polls_per_take)))
    end = world.run(batch_of(1))
    assert (end.exit_code, waits[0] == POLL_FIRST_S) == (ExitCode.OK, is_early)
    assert waits[0] >= POLL_FIRST_S


def test_polls_are_rationed_where_more_are_due_than_may_be_made() -> None:
    schedule = Schedule(Rates(poll_per_min=1))
    for take_id in range(POLLS_AT_ONCE + 2):
        schedule.add_poll(take_id, 0.0)
    assert not schedule.is_rationed
    assert isinstance(schedule.next_step(0.0), Poll)
    assert schedule.is_rationed


def test_an_end_that_the_first_poll_sees_is_learnt_of_a_take_that_this_run_sent(tmp_path: Path) -> None:
    learnt: list[int] = []

    def watch(runner: Runner, event: Event) -> None:
        if event.kind == "verified":
            context = runner._context
            learnt.append(sum(hazard.ended for hazard in context.hazards._learnt.values()))

    world = World(
        tmp_path / "out",
        options=SandboxOptions(mean_s=5.0, cv=0.0),
        settings=RunSettings(rates=Rates(polls_per_take=1.0)),
        observe=watch,
    )
    world.run(batch_of(1))
    assert learnt == [1]
