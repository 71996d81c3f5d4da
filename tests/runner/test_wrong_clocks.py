"""Our clock is wrong, or is set, or the provider's dates jump: nothing is bought twice, and nothing is lost for that."""

from __future__ import annotations

import asyncio
import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from random import Random

import httpx
import pytest

from tests.runner.shared import HOURS, LOST, RESUBMIT, beside_runs, charged_twice, decide, put_back, saved, states, told
from tests.worlds import API, EPOCH, World, batch_of, jump
from wanbatch.batch.lifecycle import State
from wanbatch.clock import LoopClock
from wanbatch.errors import ExitCode, LocalFault
from wanbatch.provider.aimlapi import AimlApi
from wanbatch.provider.endpoint import Endpoint, load_settings
from wanbatch.provider.protocol import LogScan, NoAnswer, Secret, Trouble
from wanbatch.runner.batch_clock import BatchClock
from wanbatch.runner.context import RunContext
from wanbatch.runner.events import Event
from wanbatch.runner.loop import Runner
from wanbatch.runner.resubmission import default_grace
from wanbatch.runner.settings import OnUnknown, RunSettings
from wanbatch.sandbox.options import SandboxOptions
from wanbatch.session import doctor
from wanbatch.session.access import Access
from wanbatch.session.decisions import Decision
from wanbatch.session.invocation import Invocation
from wanbatch.session.options import RunOptions, Watch
from wanbatch.session.safeguards import compare_clocks
from wanbatch.state.file import StateFile
from wanbatch.state.reader import StateReader
from wanbatch.state.tables import new_identity

pytestmark = pytest.mark.usefixtures("quick_clips")
H = timedelta(hours=1)


def without_notes(copy: Path) -> None:
    """Make a copy that of an older version, which compared no clocks."""
    with closing(sqlite3.connect(copy)) as db:
        db.execute("DROP TABLE notes")
        db.commit()


def at_request(jumps: Callable[[int], timedelta]) -> Callable[[datetime], datetime]:
    """Let the date of the n-th answer jump by so much."""
    count = [0]

    def date_of(right: datetime) -> datetime:
        count[0] += 1
        return right + jumps(count[0])

    return date_of


# --- an old copy of the folder


@pytest.mark.sampled(4)
@pytest.mark.parametrize(("later_h", "is_old_version"), [(0.2, False), (0.2, True), (30, False)])
@pytest.mark.parametrize("then", [5 * H, -5 * H, 26 * H], ids=str)
@pytest.mark.parametrize("now", [5 * H, -26 * H, timedelta(0)], ids=str)
def test_every_take_that_an_old_copy_lacks_is_found_whatever_our_clock_says(
    tmp_path: Path, then: timedelta, now: timedelta, later_h: float, is_old_version: bool
) -> None:
    world = World(tmp_path / "out", settings=RunSettings(cap_credits=0), our_clock_ahead=then)
    world.run(batch_of(2))
    copy = saved(world)
    if is_old_version:
        without_notes(copy)
    world.settings = RunSettings()
    assert world.run(batch_of(2)).exit_code is ExitCode.OK
    put_back(world, copy, keeps_clips=False)
    world.elapsed_s += later_h * HOURS
    world.our_clock_ahead = now
    end = world.run(batch_of(2))
    assert (end.exit_code, world.submits, states(world)) == (ExitCode.DECISION_NEEDED, 2, ["held", "held"])
    for take in world.takes():
        assert f"--adopt {generation_of(world, take.request_id)}" in take.error
    for label in ("sh000_t1", "sh001_t1"):
        made = generation_of(world, next(each.request_id for each in world.takes() if each.label == label))
        assert decide(world, label, Decision.ADOPT, made).state is State.QUEUED


def generation_of(world: World, request_id: str | None) -> str:
    return next(str(row["inference_id"]) for row in world.ledger() if row["client_request_id"] == request_id)


@pytest.mark.sampled(5)
@pytest.mark.parametrize("jump", [10 * 365 * 24 * H, -10 * 365 * 24 * H, 30 * H], ids=str)
@pytest.mark.parametrize("place", range(1, 7))
def test_one_date_that_jumps_hides_nothing_from_a_resume(tmp_path: Path, jump: timedelta, place: int) -> None:
    world = World(tmp_path / "out", settings=RunSettings(limit=1))
    world.run(batch_of(3))
    copy = saved(world)
    world.settings = RunSettings()
    world.date_of = at_request(lambda number: jump if number == place else timedelta(0))
    world.run(batch_of(3))
    put_back(world, copy, keeps_clips=False)
    world.elapsed_s += HOURS
    world.date_of = at_request(lambda number: jump if number == place else timedelta(0))
    assert world.run(batch_of(3)).exit_code is ExitCode.DECISION_NEEDED
    assert (world.submits, states(world)) == (3, ["verified", "held", "held"])


def test_dates_that_contradict_each_other_leave_the_log_unread_and_nothing_is_sent(tmp_path: Path) -> None:
    world = World(tmp_path / "out", settings=RunSettings(limit=1))
    world.run(batch_of(2))
    world.settings = RunSettings()
    world.date_of = at_request(lambda number: number % 7 * 9 * H)
    end = world.run(batch_of(2))
    assert (end.exit_code, world.submits) == (ExitCode.PROVIDER_UNREACHABLE, 1)
    assert any("contradict each other" in event.text for event in world.events)


def test_a_provider_without_dates_is_read_by_our_clock(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(AimlApi, "_note_date", lambda *_: None)
    world = World(tmp_path / "out", settings=RunSettings(limit=1))
    world.run(batch_of(2))
    world.settings = RunSettings()
    assert (world.run(batch_of(2)).exit_code, world.submits) == (ExitCode.OK, 2)


# --- up to when the log is said to be read


def mark_of(world: World) -> datetime:
    with StateReader.open(world.output) as reader:
        mark = reader.log_read_until(reader.identity().key_fingerprint)
    assert mark is not None
    return mark


@pytest.mark.parametrize(
    ("grace", "longer"),
    [(6 * H, default_grace(())), (30 * H, 30 * H)],
    ids=["shorter than the log's lag", "longer than the log's lag"],
)
@pytest.mark.parametrize("ahead", [5 * H, -5 * H, timedelta(0)], ids=str)
def test_the_log_is_never_said_to_be_read_past_now_by_either_clock_less_its_lag(
    tmp_path: Path, ahead: timedelta, grace: timedelta, longer: timedelta
) -> None:
    world = World(tmp_path / "out", our_clock_ahead=ahead, settings=RunSettings(limit=1, unknown_grace=grace))
    world.run(batch_of(2))
    world.elapsed_s += 60 * HOURS
    world.settings = RunSettings(unknown_grace=grace)
    world.run(batch_of(2))
    right = EPOCH + timedelta(seconds=world.elapsed_s)
    earlier_clock = min(right, right + ahead)
    assert timedelta(0) < earlier_clock - longer - mark_of(world) < timedelta(minutes=20)


@pytest.mark.parametrize("wrong", [10 * 365 * 24 * H, 30 * H, 3 * H], ids=str)
def test_a_mark_that_lies_in_the_future_is_not_believed(tmp_path: Path, wrong: timedelta) -> None:
    world = World(tmp_path / "out", settings=RunSettings(limit=1))
    world.run(batch_of(3))
    with closing(sqlite3.connect(world.output / "state.sqlite")) as db:
        at = (EPOCH + timedelta(seconds=world.elapsed_s) + wrong).isoformat(timespec="milliseconds")
        db.execute("INSERT OR REPLACE INTO marks VALUES ('log_read_until', ?)", (at,))
        db.commit()
    copy = saved(world)
    world.settings = RunSettings()
    world.run(batch_of(3))
    right = EPOCH + timedelta(seconds=world.elapsed_s)
    assert mark_of(world) < right  # it is put right
    put_back(world, copy, keeps_clips=False)
    world.elapsed_s += 31 * HOURS if wrong == 30 * H else HOURS  # by then it may lie in the past
    assert world.run(batch_of(3)).exit_code is ExitCode.DECISION_NEEDED
    assert (world.submits, states(world)) == (3, ["verified", "held", "held"])


def test_a_window_that_holds_no_time_is_no_reading(tmp_path: Path) -> None:
    world = World(tmp_path / "out")
    world.run(batch_of(1))

    async def work(context: RunContext) -> LogScan | NoAnswer:
        return await context.provider.scan_log(context.clock.now() + H)

    found = beside_runs(world, work)
    assert isinstance(found, NoAnswer)
    assert "is empty: this machine's clock or the provider's HTTP dates are wrong" in found.message


# --- ages


def late(world: World, by_s: float) -> None:
    """Let the row of the lost submit alone come late."""

    def delay(_: Runner, event: Event) -> None:
        if event.kind == "answer_lost":
            assert world.account is not None
            world.account._db.execute("UPDATE requests SET ends_at = ends_at + ? WHERE seq = 2", (by_s,))

    world.observe = delay


@pytest.mark.sampled(2)
@pytest.mark.parametrize("policy", list(OnUnknown)[:2])
@pytest.mark.parametrize("is_lasting", [False, True], ids=["one date", "all dates from then on"])
def test_a_provider_clock_that_jumps_ends_no_grace(tmp_path: Path, policy: OnUnknown, is_lasting: bool) -> None:
    world = World(tmp_path / "out", rules=LOST, settings=RunSettings(on_unknown=policy))
    late(world, 3 * HOURS)
    begun = EPOCH + 1.5 * H

    def jump(right: datetime) -> datetime:
        is_now = right >= begun if is_lasting else begun <= right < begun + timedelta(minutes=10)
        return right + 30 * H if is_now else right

    world.date_of = jump
    assert (world.run(batch_of(3)).exit_code, charged_twice(world)) == (ExitCode.OK, [])
    assert world.submits == 3


@pytest.mark.parametrize("policy", list(OnUnknown)[:2])
@pytest.mark.parametrize("failed", [False, True], ids=["absent", "a failed row first"])
def test_a_clock_of_ours_that_is_set_between_two_runs_ends_no_grace(
    tmp_path: Path, policy: OnUnknown, failed: bool
) -> None:
    world = World(tmp_path / "out", rules=LOST, settings=RunSettings(on_unknown=policy))
    late(world, 3 * HOURS)
    real = world.observe

    def leave(runner: Runner, event: Event) -> None:
        assert real is not None
        real(runner, event)
        if "keeps looking up" in event.text:
            runner.drain()

    world.observe = leave
    world.run(batch_of(3))
    world.observe, world.our_clock_ahead = None, 48 * H
    if failed:
        assert world.account is not None
        world.account._db.execute("UPDATE requests SET failure = 'crashed' WHERE seq = 2")
    world.elapsed_s += 600
    world.observe = lambda runner, event: runner.drain() if "keeps looking up" in event.text else None
    world.run(batch_of(3))
    assert (world.submits, states(world)[1]) == (3, "unknown")


@pytest.mark.long
def test_the_grace_still_ends(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(LOST[0],), settings=RESUBMIT, options=SandboxOptions(log_lag_s=60.0))
    assert world.account is None
    world.our_clock_ahead = -5 * H
    world.rules = (type(LOST[0])("submit", "drop_before", nth=(2,)),)
    assert (world.run(batch_of(3)).exit_code, world.submits) == (ExitCode.OK, 3)


def test_a_take_charged_once_shows_in_the_ledger_whatever_our_clock_says(tmp_path: Path) -> None:
    world = World(tmp_path / "out", our_clock_ahead=30 * H)
    assert world.run(batch_of(2)).exit_code is ExitCode.OK
    assert [take.is_charge_seen for take in world.takes()] == [True, True]
    assert told(world).uncharged == ()


@pytest.mark.parametrize("wrong", [-30 * H, 30 * H, -5 * H], ids=str)
def test_dates_that_are_all_wrong_hide_no_row_from_a_resume(tmp_path: Path, wrong: timedelta) -> None:
    world = World(tmp_path / "out", settings=RunSettings(limit=1), date_of=lambda right: right + wrong)
    world.run(batch_of(3))
    copy = saved(world)
    world.settings = RunSettings()
    world.run(batch_of(3))
    put_back(world, copy, keeps_clips=False)
    world.elapsed_s += HOURS
    assert world.run(batch_of(3)).exit_code is ExitCode.DECISION_NEEDED
    assert (world.submits, states(world)) == (3, ["verified", "held", "held"])


def test_an_end_that_the_provider_refuses_is_asked_for_by_its_own_clock(tmp_path: Path) -> None:
    ends: list[datetime] = []
    right = EPOCH - 3 * H

    def answer(request: httpx.Request) -> httpx.Response:
        date = {"date": format_datetime(right, usegmt=True)}
        if request.url.path == "/v2/billing":
            return httpx.Response(200, stream=httpx.ByteStream(b"{}"), headers=date)
        ends.append(datetime.fromisoformat(request.url.params["end"]))
        is_good = ends[-1] <= right
        body = {"data": [], "pagination": {"total": 0}} if is_good else {"message": "end", "statusCode": 400}
        stream = httpx.ByteStream(json.dumps(body).encode())
        return httpx.Response(200 if is_good else 400, stream=stream, headers=date)

    async def work() -> LogScan | NoAnswer:
        transport = httpx.MockTransport(answer)
        api = AimlApi(Endpoint(API, is_loopback=True), Secret("k"), LoopClock(EPOCH), Random(1), transport)
        try:
            return await api.scan_log(EPOCH - 24 * H)
        finally:
            await api.aclose()

    found = jump(work)
    assert isinstance(found, LogScan)
    assert [end > right for end in ends] == [True, False]
    assert found.known_until == found.end


# --- what the user is told


class Ahead:
    """A provider that tells nothing but how far its clock is ahead."""

    def __init__(self, told: timedelta | NoAnswer | None) -> None:
        self.told = told

    async def ahead(self) -> timedelta | NoAnswer | None:
        return self.told


def compared(tmp_path: Path, told: timedelta | NoAnswer | None, before: timedelta | None = None) -> list[str]:
    """Compare the clocks before a run of a paid provider; returns the notices."""
    notices: list[str] = []
    settings = load_settings({"AIMLAPI_API_KEY": "made-up-key"}, None, tmp_path)
    invocation = Invocation(RunOptions(), Access(settings), Watch(notice=notices.append))

    async def work() -> None:
        with StateFile.create_or_open(tmp_path / "out", new_identity("b", "u", "k", EPOCH, sandbox=False)) as state:
            if before is not None:
                BatchClock(state, LoopClock(EPOCH)).measured(before)
            await compare_clocks(invocation, BatchClock(state, LoopClock(EPOCH)), Ahead(told))  # type: ignore[arg-type]

    asyncio.run(work())
    return notices


@pytest.mark.parametrize(
    ("told", "before", "words"),
    [
        (timedelta(seconds=3), None, ""),
        (5 * H, None, "this machine's clock is 5.0 h behind the provider's"),
        (-5 * H, 5 * H, "this machine's clock is 5.0 h ahead of the provider's"),
        (timedelta(seconds=3), 5 * H, "this machine's clock was wrong in an earlier run"),
        (None, None, ""),
        (NoAnswer(Trouble.TRANSIENT, "down"), None, ""),
    ],
    ids=["right", "behind", "ahead", "set since", "no dates", "no answer"],
)
def test_a_wrong_clock_is_told_before_a_run(
    tmp_path: Path, told: timedelta | NoAnswer | None, before: timedelta | None, words: str
) -> None:
    notices = compared(tmp_path, told, before)
    assert (len(notices), words in "".join(notices)) == (bool(words), True)


@pytest.mark.parametrize("told", [25 * H, -25 * H])
def test_a_clock_that_is_days_off_is_refused_with_the_reason(tmp_path: Path, told: timedelta) -> None:
    with pytest.raises(LocalFault, match=r"Nothing was sent.* Set the clock"):
        compared(tmp_path, told)


@pytest.mark.parametrize(
    ("told", "verdict"),
    [
        (timedelta(0), "ok"),
        (5 * H, "note"),
        (-30 * H, "bad"),
        (None, "note"),
        (NoAnswer(Trouble.TRANSIENT, "they contradict each other"), "bad"),
    ],
)
def test_the_doctor_compares_the_clocks(told: timedelta | NoAnswer | None, verdict: str) -> None:
    assert doctor._clock(told).verdict == verdict
