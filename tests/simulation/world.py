"""A world of one seed: the real runner and provider client, the sandbox as provider, and a user, on a loop that jumps."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
import ssl
import tempfile
from base64 import b32encode
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import cache, lru_cache
from pathlib import Path
from random import Random
from typing import Any
from unittest import mock

import httpx

from tests.simulation.disk import CLIPS, LOG, STATE, WAL, Crash, Disk, Killed
from tests.simulation.line import API, CLIP_BASE, Line
from tests.simulation.loop import SimLoop, Stuck
from tests.simulation.scenario import CLASSES, KEY, OTHER_KEY, PRICES, Act, Scenario
from wanbatch import aimlapi, download, fetching, polling, runlog, tables
from wanbatch import state as state_module
from wanbatch.aimlapi import AimlApi
from wanbatch.attempts import Attempt, Outcome
from wanbatch.batch import Batch, Shot
from wanbatch.clock import LoopClock
from wanbatch.desk import Desk, Event, RunSettings
from wanbatch.errors import ExitCode, MediaInvalid, OutputLocked, WanbatchError
from wanbatch.history import held_prices, seen_prices
from wanbatch.lifecycle import Fact, State, Take
from wanbatch.looks import Look
from wanbatch.media import Probe
from wanbatch.planning import make_plan
from wanbatch.previewing import Ground
from wanbatch.pricing import Quote, best_quote
from wanbatch.proofs import OnUnknown
from wanbatch.provider import Secret
from wanbatch.purse import Purse
from wanbatch.runlog import RunLog, requests_in
from wanbatch.runner import RunEnd, Runner
from wanbatch.sandbox.account import Account, Arrival, Generation, key_name, open_account
from wanbatch.sandbox.app import Sandbox
from wanbatch.sandbox.faults import Fault, FaultPlan, Rule
from wanbatch.settings import Endpoint, fingerprint
from wanbatch.settling import Decision, reconcile, resolve
from wanbatch.state import StateFile, entry
from wanbatch.stock import Stock, is_open
from wanbatch.tables import Run, new_identity

EPOCH = datetime(2026, 11, 1, 20, 0, tzinfo=UTC)
GENERATION_LIMIT_S = 900.0  # two hours of polls would be most of a seed's cost
PROBE_AT = 5
FRESH_S = 300.0  # a look at the ledger before that says nothing about what the log tells now
RESUME_LIMIT = 8  # runs without faults until nothing changes any more
LONG_AFTER_S = 100 * 3600.0  # past every patience: three times a day and an hour and a quarter
SPEED = 1.0


TWIN = "-twin"  # ends the id of a second generation
_BOOKED = (
    "at, key, client_request_id, fault, body, body_sha256, http_status, model, credits, starts_at, ends_at, failure"
)
_TWIN = f"INSERT INTO requests ({_BOOKED}, inference_id) SELECT {_BOOKED}, inference_id || ? FROM requests"
_COLUMNS = cache(tables.columns_of)
_URLS = lru_cache(4096)(httpx._urls.urlparse)


@cache
def _context() -> ssl.SSLContext:
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


def clip_bytes(generation_id: str) -> bytes:
    """A clip of this simulation: it says how long it is, and whose."""
    body = generation_id.encode() * 40
    return b"CLIP" + len(body).to_bytes(4) + body


def check_clip(path: Path) -> Probe:
    """Stand in for the media check: whole or not."""
    data = path.read_bytes()
    if data[:4] != b"CLIP" or len(data) != 8 + int.from_bytes(data[4:8]):
        raise MediaInvalid("no whole clip")
    return Probe(5.0, 832, 480, 30.0, 150, has_audio=False, video_codec="h264", audio_codec=None)


def _render(generation: Generation) -> bytes:
    return clip_bytes(generation.generation_id)


def half_clips(output: Path) -> list[str]:
    """Return final names that stand for no whole clip: never, not even right after a crash."""
    found = []
    clips = output / CLIPS
    for path in sorted(clips.glob("*.mp4")) if clips.is_dir() else []:
        try:
            check_clip(path)
        except MediaInvalid:
            found.append(f"{path.name} has its final name and is no whole clip")
    return found


class Plan(FaultPlan):
    """A fault plan that notes what it did."""

    def __init__(self, rules: tuple[Rule, ...], seed: int, hit: set[tuple[str, str]]) -> None:
        super().__init__(rules, seed)
        self._hit = hit

    def resume(self, on: str, count: int) -> None:
        """Keep the counts: this plan lives as long as its world."""

    def pick(self, on: str, prompt: str = "") -> Fault | None:
        """Count a request, and note its fault."""
        fault = super().pick(on, prompt)
        if fault is not None:
            self._hit.add((on, fault.do))
        return fault


@dataclass
class End:
    """How one invocation ended. `code` is None where it was killed."""

    code: ExitCode | None
    messages: tuple[str, ...] = ()
    refused: str = ""
    has_run: bool = True
    is_disks_fault: bool = False


@dataclass
class World:
    """All that there is in a scenario, over all its runs."""

    scenario: Scenario
    output: Path
    trace: list[str] = field(default_factory=list)
    moves: set[tuple[State, Fact]] = field(default_factory=set)
    deeds: set[tuple[str, str]] = field(default_factory=set)
    ends: list[End] = field(default_factory=list)
    steps: list[list[str]] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)  # everything a user was told
    wrongs: list[str] = field(default_factory=list)
    takes: list[Take] = field(default_factory=list)
    attempts: list[Attempt] = field(default_factory=list)
    retries: list[tuple[str, float]] = field(default_factory=list)  # by policy: take, and when the ledger was read
    charges_seen: dict[str, float] = field(default_factory=dict)  # by generation: when the state file learnt of it
    caps: list[tuple[float, int | None]] = field(default_factory=list)  # from when (Unix seconds) which cap
    user_words: dict[str, int] = field(default_factory=dict)  # how often the user let a take be sent again
    late: set[str] = field(default_factory=set)  # request ids whose generation took longer than anyone may assume
    strays: set[str] = field(default_factory=set)  # request ids that were told as belonging to no take
    foreign: set[str] = field(default_factory=set)  # request ids sent with the other key
    twins: set[str] = field(default_factory=set)  # request ids that the provider made two generations for
    is_rolled_back: bool = False
    is_log_torn: bool = False
    elapsed_s: float = 0.0

    def __post_init__(self) -> None:
        scenario = self.scenario
        self.shots: tuple[Shot, ...] = scenario.shots
        self.cap_credits = scenario.cap_credits
        self.on_unknown = scenario.on_unknown
        self.limit = scenario.limit
        self.nonce = b32encode(Random(f"nonce {scenario.seed}").randbytes(8)).decode().rstrip("=").lower()
        self.options = scenario.options
        self.key = KEY
        self.account: Account
        self.account, _ = open_account(self.options, EPOCH.timestamp())
        self.plan: FaultPlan = Plan(scenario.rules, scenario.seed, self.deeds)
        self.disk = Disk(self.output, tell=self.tell)
        cuts = {(cut.on, cut.nth): cut.do for cut in scenario.cuts}
        self.line = Line(self.disk, self.tell, cuts, Random(f"line {scenario.seed}"), scenario.is_slow)
        self.line.now_s = lambda: self.now_s
        self._loop: SimLoop | None = None
        self._runs = 0
        self._strangers = sorted(scenario.strangers)
        self._events = 0
        self._failed_at: dict[str, float] = {}
        self._requests: dict[str, str] = {}
        self._accepted = 0
        self.recorded: set[str] = set()
        self._old_states: list[dict[str, bytes]] = []
        self._is_final = False

    # --- telling

    @property
    def now_s(self) -> float:
        """The world's time, seconds since its beginning."""
        return self.elapsed_s + (self._loop.time() if self._loop is not None else 0.0)

    def tell(self, text: str) -> None:
        """Add a line to the trace."""
        self.trace.append(f"{self.now_s:>10.2f}  {self._plain(text)}")

    def _plain(self, text: str) -> str:
        return text.replace(str(self.output), "OUT")

    @property
    def trace_hash(self) -> str:
        """A digest of everything that happened."""
        return hashlib.sha256("\n".join(self.trace).encode("utf-8", "replace")).hexdigest()

    # --- the whole life

    def live(self) -> None:
        """Run, crash and resume as the scenario says; then without faults until nothing changes any more."""
        scenario = self.scenario
        with self.disk.watched():
            last = max([1, len(scenario.crashes), *(act.run + 1 for act in scenario.acts)])
            for run in range(last):
                self.key = OTHER_KEY if Act(run, "other key") in scenario.acts else KEY
                self.act(run)
                self.disk.next_fault = scenario.disk_faults[run] if run < len(scenario.disk_faults) else None
                self.invoke(scenario.crashes[run] if run < len(scenario.crashes) else None)
            self.settle()

    def settle(self) -> None:
        """Resume on a good day; long after, resume until nothing changes and look once more."""
        self.tell("--- no faults from here on")
        self._is_final, self.key = True, KEY
        self.plan, self.line.cuts, self.line.is_slow = FaultPlan((), 0), {}, False
        self.options = replace(self.options, concurrency=None, rate_per_min=None)
        self.invoke(None)
        self.elapsed_s += LONG_AFTER_S
        self._resume()
        self._between(self._reconcile)

    def _resume(self) -> None:
        for _ in range(RESUME_LIMIT):
            before = self._standing()
            self.invoke(None)
            if self._standing() == before or not self.ends[-1].has_run:
                return
            self.elapsed_s += 600 + self.options.log_lag_s  # what ended by now shows in the ledger then
        self.wrongs.append(f"nothing settled in {RESUME_LIMIT} runs without faults")

    def _standing(self) -> object:
        return [(take.state, take.credits_charged, take.attempts) for take in self.takes], self.ends[-1].code

    def invoke(self, crash: Crash | None) -> End:
        """Start the command once, and let it end or die."""
        self.tell(f"--- run {self._runs}" + (f", to die at step {crash.step} ({crash.outcome})" if crash else ""))
        self.disk.begin(crash)
        self._events = 0
        self.line.begin()
        self.caps.append((EPOCH.timestamp() + self.now_s, self.cap_credits))
        end = self._drive(self._invoke)
        end.is_disks_fault = self.disk.was_refused
        self._runs += 1
        self.steps.append(self.disk.steps)
        self.ends.append(end)
        self.texts += [*end.messages, end.refused]
        told = "killed" if end.code is None else f"{end.code.name} {end.refused}"
        self.tell(f"--- ended: {told}")
        for message in end.messages:
            self.tell(f"    {message}")
        return end

    def _drive(self, work: Callable[[], Coroutine[Any, Any, End]]) -> End:
        """Run a coroutine in a loop of its own. After a kill, only the disk and the provider go on."""
        loop = self._loop = SimLoop()
        end, died_at = End(None), None
        asyncio.set_event_loop(loop)
        try:
            end = loop.run_until_complete(work())
        except Killed:
            died_at = loop.time()
        except WanbatchError as error:
            end = End(error.exit_code, (), self._plain(str(error)))
        except Stuck as error:
            self.wrongs.append(f"a run that does not end: {error}")
            end = End(None)
        except Exception as error:
            self.wrongs.append(f"{type(error).__name__}: {error}")
            self.tell(f"EXCEPTION {type(error).__name__}: {error}")
        finally:
            self.disk.is_dead = True
            self._bury(loop)
            self.elapsed_s += (loop.time() if died_at is None else died_at) + 1
            self._loop = None
            asyncio.set_event_loop(None)
            loop.close()
        if died_at is not None:
            self.disk.restore()
            self._keep_copy()
            self.wrongs += half_clips(self.output)
            found = (self.output / CLIPS).glob("*.mp4")
            early = sorted(path.name for path in found if path.stem not in self.recorded)
            self.wrongs += [f"{name} has its final name before its hash is recorded" for name in early]
            self.is_log_torn = self.is_log_torn or self.disk.is_torn
        return end

    def _bury(self, loop: SimLoop) -> None:
        """End what is left in a loop: the provider finishes its work, the rest is cancelled."""
        served = self.line.served
        for _ in range(50):
            left = sorted(asyncio.all_tasks(loop), key=lambda task: task.number)  # type: ignore[attr-defined]
            if not left:
                break
            loop.rounds = 0
            if not served:
                for task in left:
                    task.cancel()
            with suppress(Killed, Stuck):
                loop.run_until_complete(asyncio.wait(tuple(served) or left))
            for task in left:
                if task.done() and not task.cancelled():
                    task.exception()
        served.clear()

    # --- one invocation

    def _batch(self) -> Batch:
        return Batch("simulated", self.shots)

    def _identity(self) -> Any:
        made = new_identity("simulated", "sandbox", fingerprint(Secret(self.key)), EPOCH, sandbox=True)
        return replace(made, nonce=self.nonce)

    def _open(self, clock: LoopClock, stack: ExitStack) -> tuple[StateFile, AimlApi]:
        state = StateFile.create_or_open(self.output, self._identity())
        stack.callback(state.close)
        self.line.sandbox = sandbox = Sandbox(self.options, self.account, clock, CLIP_BASE, _render)
        sandbox.faults = self.plan
        provider = AimlApi(
            Endpoint(API, is_loopback=True),
            Secret(self.key),
            clock,
            Random(f"jitter {self.scenario.seed} {self._runs}"),
            self.line,
        )
        return state, provider

    def _settings(self, state: StateFile, quotes: dict[Any, Quote]) -> RunSettings:
        return RunSettings(
            rates=self.scenario.rates,
            cap_credits=self.cap_credits,
            quotes=quotes,
            key_fingerprint=fingerprint(Secret(self.key)),
            on_unknown=self.on_unknown,
            unknown_grace=self.scenario.grace,
            logged=requests_in(self.output / LOG, state.identity().nonce),
            limit=self.limit,
        )

    async def _invoke(self) -> End:
        clock = LoopClock(datetime.fromtimestamp(EPOCH.timestamp() + self.elapsed_s, UTC))
        with ExitStack() as stack:
            state, provider = self._open(clock, stack)
            batch = self._batch()
            plan = make_plan(batch, state.takes(), state.shots())
            stock = state.stock()
            if not plan.changes and stock.is_finished(lambda _: True):
                state.adopt(plan, clock.now())
                self._look(state)
                return End(self._settled_code(state.takes()), has_run=False)
            quotes = self._quotes(Ground("simulated", self.output, stock, plan, None, lambda _: True, None))
            state.adopt(plan, clock.now())
            number = max((each.run_id for each in state.runs()), default=0) + 1
            run = Run(number, clock.now(), None, None, SPEED, "simulated", None, 0, self.cap_credits, "")
            state.store_run(run)
            desk = Desk(state, provider, clock, self._settings(state, quotes), Random(f"desk {self.scenario.seed}"))
            runner = Runner(desk)
            deadline = next((act.at for act in self._acts_now("deadline")), None)
            if deadline is not None:
                asyncio.get_running_loop().call_later(deadline * 5.0, runner.reach_deadline)
            with RunLog(self.output / LOG, Secret(self.key)) as log:
                desk.observer = self._observer(log, runner, clock)
                end: RunEnd = await runner.run()
            state.store_run(replace(run, ended_at=clock.now(), exit_code=int(end.exit_code)))
            if desk.observer_error is not None:
                self.wrongs.append(f"the observer failed: {desk.observer_error!r}")
            self._look(state)
            if not self.disk.is_dead:
                self._assert_counted(desk)
            if [act.do for act in self._acts_now("drain", "drain twice", "terminate", "deadline")] == ["drain"]:
                self._assert_drained(end)
            return End(end.exit_code, end.messages)

    def _assert_counted(self, desk: Desk) -> None:
        """What a run keeps count of, step by step, is what all takes say in the end."""
        purse = Purse(None, {})
        purse.begin((take, 1) for take in self.takes)
        sums = (desk.purse.charged, desk.purse.uncosted), (purse.charged, purse.uncosted)
        counts = Counter(take.shown_state for take in self.takes)
        awaiting = sum(take.awaits_charge for take in self.takes)
        if sums[0] != sums[1] or (+desk.takes.counts, desk.takes.awaiting) != (counts, awaiting):
            self.wrongs.append(f"the run counted {sums[0]} {+desk.takes.counts} where there are {sums[1]} {counts}")
        if {take.take_id: take for take in desk.takes} != {take.take_id: take for take in self.takes if is_open(take)}:
            self.wrongs.append("the takes in hand are not those that are open")

    def _assert_drained(self, end: RunEnd) -> None:
        """A stop asked for once lets every POST end."""
        cut_off = [take.label for take in self.takes if take.state is State.SUBMITTING]
        if cut_off and [text for text in end.messages if not text.startswith("stopping")] == []:
            self.wrongs.append(f"a drained run cut off the submits of {cut_off}")

    def _quotes(self, ground: Ground) -> dict[Any, Quote]:
        listed = {CLASSES[model]: Quote(price, "list") for model, price in self.scenario.quotes.items()}
        seen = ground.seen_prices
        return {each: best_quote(each, seen, listed.get(each)) for each in ground.classes_to_quote}

    def _settled_code(self, takes: list[Take]) -> ExitCode:
        current = [take for take in takes if not take.superseded]
        if any(take.state is State.HELD for take in current):
            return ExitCode.DECISION_NEEDED
        return ExitCode.TAKES_FAILED if any(take.state is State.FAILED for take in current) else ExitCode.OK

    def _look(self, state: StateFile) -> None:
        """Take the state home, before the file is closed."""
        self.takes, self.attempts = state.takes(), state.attempts()
        if in_short(state.stock()) != in_short(Stock.of(self.takes, state.shots())):
            self.wrongs.append("the stock of the state file is not what its takes say")
        self.strays = {each.request_id for each in state.strays()}
        self._keep_copy()

    def _keep_copy(self) -> None:
        files = self.disk.files() if any(act.do == "roll back" for act in self.scenario.acts) else {}
        if files.get(STATE) and self._requests:  # before the first submit there is nothing worth a copy
            self._old_states.append(files)

    def _observer(self, log: RunLog, runner: Runner, clock: LoopClock) -> Callable[[Event], None]:
        def observe(event: Event) -> None:
            if self.disk.is_dead:
                return
            log.write(event)
            self._events += 1
            error = "" if event.text in ("", event.data.get("error")) else event.text
            self.tell(f"{event.take:<8} {event.kind} {error}{_shown(event)}")
            self.texts.append(f"{event.text} {event.data}")
            if event.kind in ("generation_failed", "found_failed"):
                is_poll = event.kind == "generation_failed"
                self._failed_at[event.take] = self.now_s if is_poll else self.now_s - FRESH_S
            if event.kind == "retry_planned" and event.data["by"] == "policy":
                if self.line.ledger_read_at < self._failed_at[event.take]:
                    self.wrongs.append(f"{event.take} was tried again without a look at the ledger")
                self.retries.append((event.take, EPOCH.timestamp() + self.line.ledger_read_at))
            if self._events == PROBE_AT and self.scenario.seed % 7 == 0:
                self._probe_lock()
            if event.kind == "presumed_absent" and self.on_unknown is not OnUnknown.RESUBMIT:
                self.wrongs.append(f"{event.take} is sent again without the user's standing word")
            if event.kind == "charged":
                self.charges_seen.setdefault(event.data["generation_id"], event.at.timestamp())
            self._bend(event)
            self._strangers_submit()
            for act in self._acts_now("drain", "drain twice", "terminate"):
                if self._events == act.at or (act.do == "drain twice" and self._events == act.at + 4):
                    self.tell(f"the user: {act.do}")
                    runner.terminate(10.0) if act.do == "terminate" else runner.drain()

        return observe

    def _bend(self, event: Event) -> None:
        """Let the provider do what it says it never does."""
        request_id = self._requests.get(event.take, "")
        if event.kind == "submit_started":
            self._requests[event.take] = event.data["request_id"]
            if self.key == OTHER_KEY:
                self.foreign.add(event.data["request_id"])
        elif event.kind == "answer_lost" and self.scenario.late_s and not self._is_final:
            if self._write("UPDATE requests SET ends_at = ends_at + ?", self.scenario.late_s, request_id):
                self.late.add(request_id)
                self.tell(f"{request_id} takes {self.scenario.late_s:.0f} s longer")
        elif event.kind in ("accepted", "answer_lost"):
            self._accepted += 1
            is_chosen = self._accepted in self.scenario.twins and self.key == KEY  # another key's log is not ours
            if is_chosen and self._write(_TWIN, TWIN, request_id):
                self.twins.add(request_id)
                self.tell(f"{request_id} is made twice")

    def _write(self, sql: str, value: float | str, request_id: str) -> bool:
        """Change the provider's books where a submit made something."""
        made = "client_request_id = ? AND http_status = 200 AND failure IS NULL AND fault <> 'no_echo'"
        cursor = self.account._db.execute(f"{sql} WHERE {made}", (value, request_id))
        return cursor.rowcount > 0

    def _probe_lock(self) -> None:
        """Start the same command a second time."""
        with suppress(OutputLocked):
            second = StateFile.create_or_open(self.output, self._identity())
            self.wrongs.append("a second run could start")
            second.close()

    def _acts_now(self, *deeds: str) -> Iterator[Any]:
        return (act for act in self.scenario.acts if act.run == self._runs and act.do in deeds and not self._is_final)

    def _strangers_submit(self) -> None:
        """Others order the same prompts meanwhile: with keys of their own, or with ours and from elsewhere."""
        while self._strangers and self._strangers[0][0] <= self.now_s:
            _, number, has_our_key = self._strangers.pop(0)
            body = self.scenario.shots[number].recipes[0].body
            arrival = Arrival(
                EPOCH.timestamp() + self.now_s,
                key_name(KEY if has_our_key else "another-key"),
                f"wb1:abcdefghijklm:{self.scenario.shots[number].recipes[0].short_hash}:1.1" if has_our_key else None,
            )
            self.account.accept(arrival, body)
            self.tell("a stranger submits the same prompt")

    # --- what the user does between two runs

    def act(self, run: int) -> None:
        """Do what the scenario has the user do before this run."""
        for act in self.scenario.acts:
            if act.run == run and act.at == 0 and self._runs:
                self.tell(f"the user: {act.do}")
                self._act(act.do, Random(f"act {self.scenario.seed} {run} {act.do}"))

    def _act(self, do: str, rng: Random) -> None:
        shots = self.shots
        number = rng.randrange(len(shots))
        if do == "edit":
            edited = {**shots[number].request, "prompt": f"edited {self._runs}"}
            self.shots = (*shots[:number], replace(shots[number], request=edited), *shots[number + 1 :])
        elif do == "edit back":
            self.shots = self.scenario.shots
        elif do == "remove" and len(shots) > 1:
            self.shots = (*shots[:number], *shots[number + 1 :])
        elif do == "raise cap" and self.cap_credits is not None:
            self.cap_credits += rng.choice((1, 2)) * PRICES["alibaba/wan2.1-t2v-turbo"]
        elif do == "other policy":
            self.on_unknown = rng.choice(list(type(self.on_unknown)))
        elif do == "reconcile":
            self._between(self._reconcile)
        elif do == "retry":
            self._between(self._retry)
        elif do in ("resubmit", "adopt", "abandon"):
            self._between(lambda: self._resolve(Decision(do), rng))
        elif do == "roll back" and len(self._old_states) > 1:
            self._roll_back(rng)
        elif do == "delete clip":
            found = sorted((self.output / CLIPS).glob("*.mp4*")) if (self.output / CLIPS).is_dir() else []
            waiting = [path for path in found if path.name.endswith(".part")]
            if waiting:
                rng.choice(waiting).unlink()

    def _between(self, work: Callable[[], Coroutine[Any, Any, End]]) -> None:
        self.disk.begin(None)
        self._events = 0
        end = self._drive(work)
        self.texts += [*end.messages, end.refused]
        if end.code is not None:
            self.tell(f"    {end.code.name} {end.refused}")

    @contextmanager
    def _desk(self) -> Iterator[Desk]:
        clock = LoopClock(datetime.fromtimestamp(EPOCH.timestamp() + self.elapsed_s, UTC))
        with ExitStack() as stack:
            state, provider = self._open(clock, stack)
            desk = Desk(state, provider, clock, self._settings(state, {}), Random(f"desk {self.scenario.seed}"))
            log = stack.enter_context(RunLog(self.output / LOG, Secret(self.key)))
            desk.observer = self._observer(log, Runner(desk), clock)
            yield desk
            self._look(state)

    async def _reconcile(self) -> End:
        with self._desk() as desk:
            await reconcile(desk)
        return End(ExitCode.OK)

    async def _retry(self) -> End:
        with self._desk() as desk:
            desk.load()
            for take in desk.state.takes():
                if take.state is State.FAILED and not take.superseded:
                    desk.record(take.take_id, Fact.RETRY_PLANNED, {"by": "user"})
                    self.user_words[take.label] = self.user_words.get(take.label, 0) + 1
        return End(ExitCode.OK)

    async def _resolve(self, decision: Decision, rng: Random) -> End:
        with self._desk() as desk:
            desk.load()
            found = [take for take in desk.state.takes() if take.state in (State.HELD, State.UNKNOWN)]
            if decision is Decision.ADOPT:
                found += [take for take in desk.state.takes() if _was_given_up(desk, take)]
            if not found:
                return End(ExitCode.OK)
            take = rng.choice(found)
            rows = [row for row in self.books() if row["client_request_id"] == take.request_id and row["credits"]]
            named = rows[0]["inference_id"] if rows and decision is Decision.ADOPT else None
            if decision is Decision.ADOPT and named is None:
                return End(ExitCode.OK)
            if decision is Decision.RESUBMIT:
                self.user_words[take.label] = self.user_words.get(take.label, 0) + 1
            await resolve(desk, take, decision, named)
        return End(ExitCode.OK)

    def _roll_back(self, rng: Random) -> None:
        """Restore an old copy of the state file; run.log stays as it is."""
        old = rng.choice(self._old_states[:-1])
        for name in (STATE, WAL, f"{STATE}-shm"):
            (self.output / name).unlink(missing_ok=True)
        for name in (STATE, WAL):
            if name in old:
                (self.output / name).write_bytes(old[name])
                (self.output / name).chmod(0o600)
        self.is_rolled_back = True

    # --- the truth

    def books(self) -> list[dict[str, Any]]:
        """The provider's own books at the end of time: every submit, with what was charged for it."""
        return self.account.everything(EPOCH.timestamp() + self.now_s + 10**7, with_intercepted=True)


def in_short(stock: Stock) -> tuple[Any, ...]:
    """Return all that a run reads from the stock of its batch."""
    kinds = [take for take, _ in stock.kinds]
    counts = Counter[str]()
    for take, count in stock.kinds:
        counts[take.shown_state] += count
    return (
        counts,
        stock.counts,
        stock.committed,
        sorted(stock.due),
        list(stock.open_takes),
        list(stock.scenes),
        seen_prices(kinds),
        held_prices(kinds),
        {take.order.price_class for take in kinds},
        (stock.has_takes, stock.was_sent, stock.omitted, stock.is_finished(lambda _: True)),
        (stock.is_finished(lambda _: False), sum(count for take, count in stock.kinds if take.may_be_charged_more)),
    )


def _was_given_up(desk: Desk, take: Take) -> bool:
    attempts = desk.state.attempts_of(take.take_id)
    return take.state is State.FAILED and bool(attempts) and attempts[-1].outcome is Outcome.ABANDONED


_LEFT_OUT = ("request_id", "body_sha256", "key_fingerprint", "provider_at")


def _shown(event: Event) -> str:
    return "".join(f" {name}={value}" for name, value in event.data.items() if name not in _LEFT_OUT)


@contextmanager
def world_of(scenario: Scenario) -> Iterator[World]:
    """Make a world in memory, with the seams in place, and tidy up afterwards."""
    home = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="wanbatch-sim-", dir=home if home.is_dir() else None))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        for target, name, value in (
            (aimlapi.ssl, "create_default_context", _context),
            (download, "check_clip", check_clip),
            (fetching, "look_at", lambda _: Look(5.0)),  # a clip of a simulation has no pictures
            (polling, "GENERATION_LIMIT_S", GENERATION_LIMIT_S),
            (runlog, "system_now", lambda: EPOCH),
            (tables, "columns_of", _COLUMNS),  # pure, and a fifth of a seed's cost
            (state_module, "columns_of", _COLUMNS),
            (httpx._urls, "urlparse", _URLS),  # pure, too: most requests of a seed go to the same few addresses
        ):
            stack.enter_context(mock.patch.object(target, name, value))
        world = World(scenario, folder / "out")
        stack.callback(world.account.close)
        stack.enter_context(mock.patch.object(state_module, "advance", _noting(world)))
        yield world


def _noting(world: World) -> Callable[..., Take]:
    real = state_module.advance

    def advance(take: Take, made: Any) -> Take:
        after = real(take, made)
        world.moves.add((take.state, made.fact))
        if made.fact is Fact.DOWNLOADED:
            world.recorded.add(take.label)
        return after

    return advance


__all__ = ["EPOCH", "End", "World", "clip_bytes", "entry", "world_of"]
