"""A world of one seed: the real runner and provider client, the sandbox as provider, and a user, on a loop that jumps."""

from __future__ import annotations

import asyncio
import hashlib
from base64 import b32encode
from collections import Counter
from collections.abc import Callable, Coroutine, Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

from tests.simulation.books import Books
from tests.simulation.clip import half_clips, render
from tests.simulation.disk import CLIPS, LOG, Crash, Disk, Killed
from tests.simulation.end import End
from tests.simulation.joins import Joins
from tests.simulation.line import API, CLIP_BASE, Line
from tests.simulation.loop import SimLoop, Stuck, Threads
from tests.simulation.renaming import BATCH, Renaming
from tests.simulation.scenario import CLASSES, KEY, OTHER_KEY, Act, Scenario
from tests.simulation.settlement import settle
from tests.simulation.supplier import Supplier
from tests.simulation.user import Restored, User
from tests.simulation.witness import Proof, Told, Witness, in_short
from wanbatch.batch.attempts import Attempt
from wanbatch.batch.inventory import Inventory
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.plan import Plan
from wanbatch.batch.shots import Shot
from wanbatch.batch.take import Take
from wanbatch.clock import LoopClock
from wanbatch.errors import ExitCode, WanbatchError, most_urgent
from wanbatch.money.prices import Quote, best_quote
from wanbatch.provider.aimlapi import AimlApi
from wanbatch.provider.endpoint import Endpoint, fingerprint
from wanbatch.provider.protocol import Secret
from wanbatch.runner.batch_clock import BatchClock
from wanbatch.runner.context import RunContext
from wanbatch.runner.fallbacks import left_to_fall_back
from wanbatch.runner.log import RunLog, requests_in
from wanbatch.runner.loop import Runner
from wanbatch.runner.settings import RunSettings
from wanbatch.sandbox.account import key_name
from wanbatch.sandbox.app import Sandbox
from wanbatch.session.lookup import LookUp, look_up
from wanbatch.session.preview import Basis, next_ones_of
from wanbatch.session.result import settled_code
from wanbatch.state.file import StateFile
from wanbatch.state.tables import Run, new_identity

EPOCH = datetime(2026, 11, 1, 20, 0, tzinfo=UTC)
SPEED = 1.0


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
    asked: list[tuple[float, set[str]]] = field(default_factory=list)  # from when (Unix seconds) which recipes
    doubles_seen: dict[str, float] = field(default_factory=dict)  # by generation: when it was found beside another
    caps: list[tuple[float, int | None]] = field(default_factory=list)  # from when (Unix seconds) which cap
    keys: list[str] = field(default_factory=list)  # by which key each run of `caps` was made
    user_words: dict[str, int] = field(default_factory=dict)  # how often the user let a take be sent again
    late: set[str] = field(default_factory=set)  # request ids whose generation took longer than anyone may assume
    fallback_of: dict[str, set[str]] = field(default_factory=dict)  # by recipe: those that it may follow
    strays: set[str] = field(default_factory=set)  # request ids that were told as belonging to no take
    foreign: set[str] = field(default_factory=set)  # request ids sent with the other key
    twins: set[str] = field(default_factory=set)  # request ids that the provider made two generations for
    told: list[str] = field(default_factory=list)  # notes, warnings, reasons and messages: what a user reads
    allowed: Counter[str] = field(default_factory=Counter)  # what the oracle allowed for, by its table
    proofs: list[Proof] = field(default_factory=list)  # what was taken from the log as proof
    sent_at: dict[str, float] = field(default_factory=dict)  # by request id, Unix seconds
    prices_told: list[Told] = field(default_factory=list)
    accepted: set[str] = field(default_factory=set)  # request ids that an answer gave a generation
    priced: set[str] = field(default_factory=set)  # request ids whose hold an answer told
    codes: list[ExitCode] = field(default_factory=list)  # of all commands
    restored: list[Restored] = field(default_factory=list)
    verified_at: dict[str, float] = field(default_factory=dict)  # by take: when its clip got its name, Unix seconds
    removed_at: dict[str, float] = field(default_factory=dict)  # by file: when an old copy of the folder took its place
    is_rolled_back: bool = False
    is_log_torn: bool = False
    trusts_since: float | None = None  # from when on the user says that the state file is the newest
    elapsed_s: float = 0.0

    def __post_init__(self) -> None:
        scenario = self.scenario
        self.shots: tuple[Shot, ...] = scenario.shots
        self.cap_credits = scenario.cap_credits
        self.on_unknown = scenario.on_unknown
        self.limit = scenario.limit
        self.scene_caps: dict[str, int] = {}
        self.nonce = b32encode(Random(f"nonce {scenario.seed}").randbytes(8)).decode().rstrip("=").lower()
        self.options = scenario.options
        self.key = KEY
        self.epoch_s = EPOCH.timestamp()
        self._made_at = EPOCH + timedelta(seconds=scenario.clocks.ours_s(0))
        self.supplier = Supplier(self)
        self.witness = Witness(self)
        self.user, self.renaming, self.joins = User(self), Renaming(self), Joins(self)
        self.disk = Disk(self.output, tell=self.tell)
        cuts = {(cut.on, cut.nth): cut.do for cut in scenario.cuts}
        self.line = Line(self.disk, self.tell, cuts, Random(f"line {scenario.seed}"), scenario.is_slow)
        self.line.now_s, self.line.epoch_s = lambda: self.now_s, self.epoch_s
        self.line.clocks, self.line.supplier, self.line.joins = scenario.clocks, self.supplier, self.joins
        self._loop: SimLoop | None = None
        self.runs = 0
        self.requests: dict[str, str] = {}  # by take: the request id sent last
        self.recorded: set[str] = set()
        self.is_final = False
        self._threads = Threads(scenario.seed, scenario.threads_s)

    @property
    def tells_nothing(self) -> bool:
        """Say whether run.log may lack what a restored state file lacks."""
        return self.is_log_torn or any(each.has_log for each in self.restored)

    def began_before(self, at: float) -> float | None:
        """Return when the run began in which something was sent, Unix seconds."""
        return next((since for since, _ in reversed(self.caps) if since <= at), None)

    @property
    def account(self) -> Books:
        """The provider's account."""
        return self.supplier.account

    # --- telling

    @property
    def now_s(self) -> float:
        """The world's time, seconds since its beginning."""
        return self.elapsed_s + (0.0 if self._loop is None else self._loop.time())

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
                self.user.act(run)
                self.disk.next_fault = scenario.disk_faults[run] if run < len(scenario.disk_faults) else None
                self.invoke(scenario.crashes[run] if run < len(scenario.crashes) else None)
            settle(self)

    def invoke(self, crash: Crash | None) -> End:
        """Start the command once, and let it end or die."""
        self.tell(f"--- run {self.runs}" + (f", to die at step {crash.step} ({crash.outcome})" if crash else ""))
        self.disk.begin(crash)
        self.witness.begin()
        self.line.begin()
        self.caps.append((self.epoch_s + self.now_s, self.cap_credits))
        self.keys.append(key_name(self.key))
        self.witness.note_asked()
        end = self._drive(self._invoke)
        end.is_disks_fault = self.disk.was_refused
        self.runs += 1
        self.steps.append(self.disk.steps)
        self.ends.append(end)
        self._hear(end)
        told = "killed" if end.code is None else f"{end.code.name} {end.refused}"
        self.tell(f"--- ended: {told}")
        for message in end.messages:
            self.tell(f"    {message}")
        return end

    def _drive(self, work: Callable[[], Coroutine[Any, Any, End]]) -> End:
        """Run a coroutine in a loop of its own. After a kill, only the disk and the provider go on."""
        loop = self._loop = SimLoop(self._threads)
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
            while isinstance(error, ExceptionGroup):
                error = error.exceptions[0]
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
            self.user.keep_copy()
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

    def identity(self) -> Any:
        made = new_identity(BATCH, "sandbox", fingerprint(Secret(self.key)), self._made_at, sandbox=True)
        return replace(made, nonce=self.nonce)

    def open(self, stack: ExitStack) -> tuple[StateFile, AimlApi, LoopClock]:
        """Open the state file, and reach the provider; returns our clock, too, which may be wrong."""
        state = StateFile.create_or_open(self.output, self.identity())
        stack.callback(state.close)
        self.joins.begin(state)
        true_s = self.epoch_s + self.elapsed_s
        clock = LoopClock(datetime.fromtimestamp(true_s + self.scenario.clocks.ours_s(self.runs), UTC))
        true = LoopClock(datetime.fromtimestamp(true_s, UTC))
        self.line.sandbox = sandbox = Sandbox(self.options, self.account, true, CLIP_BASE, render)
        sandbox.faults = self.supplier.plan
        provider = AimlApi(
            Endpoint(API, is_loopback=True),
            Secret(self.key),
            clock,
            Random(f"jitter {self.scenario.seed} {self.runs}"),
            self.line,
        )
        return state, provider, clock

    def settings(self, state: StateFile, quotes: dict[Any, Quote]) -> RunSettings:
        return RunSettings(
            rates=self.scenario.rates,
            cap_credits=self.cap_credits,
            quotes=quotes,
            key_fingerprint=fingerprint(Secret(self.key)),
            on_unknown=self.on_unknown,
            unknown_grace=self.scenario.grace,
            is_agreed=self.scenario.is_agreed,
            trust_state=self.trusts_since is not None,
            is_account_shared=self.scenario.is_account_shared,
            logged=requests_in(self.output / LOG, state.identity().nonce),
            limit=self.limit,
            inspection=self.joins.inspection,
            wide_at_once=RunSettings.wide_at_once if self.scenario.reads_widely else 0,
        )

    async def _invoke(self) -> End:
        with ExitStack() as stack:
            state, provider, clock = self.open(stack)
            plan = self.renaming.plan(state)
            inventory = state.inventory()
            is_left = bool(left_to_fall_back(state, lambda _: True, plan.fallbacks))
            if plan.changes or not inventory.is_finished(lambda _: True) or is_left:
                return await self._run(state, provider, clock, plan)
            self.renaming.carry(state, plan, clock)
            found = await self._look_up(state, provider, clock)
            codes, texts = [code for code, _ in found.troubles], tuple(text for _, text in found.troubles)
            if state.inventory().is_finished(lambda _: True):
                self.look(state)
                return End(most_urgent([*codes, settled_code(state, RunSettings())]), texts, has_run=False)
            end = await self._run(state, provider, clock, None)  # a clip that was thought lost came to light
            assert end.code is not None
            return replace(end, code=most_urgent([*codes, end.code]), messages=(*texts, *end.messages))

    async def _run(self, state: StateFile, provider: AimlApi, clock: LoopClock, plan: Plan | None) -> End:
        fallbacks = {each.id: each.fallback for each in self.shots if each.fallback is not None}
        next_ones = next_ones_of(fallbacks, left_to_fall_back(state, lambda _: True, fallbacks).values())
        basis = Basis(BATCH, self.output, state.inventory(), plan, RunSettings(), next_ones=next_ones)
        quotes = self._quotes(basis)
        if plan is not None:
            self.renaming.carry(state, plan, clock)
        number = max((each.run_id for each in state.runs()), default=0) + 1
        state.store_run(run := Run(number, clock.now(), None, None, SPEED, BATCH, None, 0, self.cap_credits, ""))
        self._compare_clocks(state, clock)
        context = RunContext(
            state, provider, clock, self.settings(state, quotes), Random(f"context {self.scenario.seed}")
        )
        self.user.keep_copy(is_end=False)
        runner = Runner(context)
        deadline = next((act.at for act in self.acts_now("deadline")), None)
        if deadline is not None:
            asyncio.get_running_loop().call_later(deadline * 5.0, runner.reach_deadline)
        with RunLog(self.output / LOG, Secret(self.key)) as log:
            context.observer = self.witness.observer(log, runner)
            end = await runner.run()
        state.store_run(replace(run, ended_at=clock.now(), exit_code=int(end.exit_code)))
        if context.observer_error is not None:
            self.wrongs.append(f"the observer failed: {context.observer_error!r}")
        self.look(state)
        if not self.disk.is_dead:
            self.witness.assert_counted(context)
            self.witness.assert_clips_taken()
            self.joins.assert_none_left(end)
        if [act.do for act in self.acts_now("drain", "drain twice", "terminate", "deadline")] == ["drain"]:
            self.witness.assert_drained(end)
        return End(end.exit_code, end.messages, codes=end.codes)

    async def _look_up(self, state: StateFile, provider: AimlApi, clock: LoopClock) -> LookUp:
        """Read the log once for a batch that has nothing left to do."""
        context = RunContext(state, provider, clock, self.settings(state, {}), Random(f"look {self.scenario.seed}"))
        with RunLog(self.output / LOG, Secret(self.key)) as log:
            context.observer = self.witness.observer(log, Runner(context))
            return await look_up(context)

    def _compare_clocks(self, state: StateFile, clock: LoopClock) -> None:
        """Do what the command does before a run; the answers that it asks for are not counted among the others."""
        if self.scenario.compares_clocks:
            clocks = self.scenario.clocks
            ahead_s = clocks.date.off_s(self.now_s) - clocks.ours_s(self.runs)
            BatchClock(state, clock).measured(timedelta(seconds=ahead_s))

    def _quotes(self, basis: Basis) -> dict[Any, Quote]:
        listed = {CLASSES[model]: Quote(price, "list") for model, price in self.scenario.quotes.items()}
        seen = basis.seen_prices
        return {each: best_quote(each, seen, listed.get(each)) for each in basis.classes_to_quote}

    def look(self, state: StateFile) -> None:
        """Take the state home, before the file is closed."""
        self.takes, self.attempts = state.takes(), state.attempts()
        self.joins.look(state)
        whole = replace(Inventory.of(self.takes, state.shots()), strays=[each.credits_held for each in state.strays()])
        if in_short(state.inventory()) != in_short(whole):
            self.wrongs.append("the inventory of the state file is not what its takes say")
        self.strays = {each.request_id for each in state.strays()}
        self.user.keep_copy()

    def acts_now(self, *deeds: str) -> Iterator[Any]:
        return (act for act in self.scenario.acts if act.run == self.runs and act.do in deeds and not self.is_final)

    def between(self, work: Callable[[], Coroutine[Any, Any, End]]) -> End:
        """Give another command than `run`."""
        self.disk.begin(None)
        self.witness.begin()
        end = self._drive(work)
        self._hear(end)
        if end.code is not None:
            self.tell(f"    {end.code.name} {end.refused}")
        return end

    def _hear(self, end: End) -> None:
        self.texts += [*end.messages, end.refused]
        self.told += [*end.messages, end.refused]
        self.codes += [] if end.code is None else [end.code]

    # --- the truth

    def books(self) -> list[dict[str, Any]]:
        """The provider's own books at the end of time: every submit, with what was charged for it."""
        return self.supplier.books()


__all__ = ["EPOCH", "End", "World"]
