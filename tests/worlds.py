"""A world in one process: the sandbox as provider, time that jumps, and a runner that can be killed at any step."""

from __future__ import annotations

import asyncio
import selectors
import weakref
from collections.abc import Callable, Coroutine
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from hashlib import sha256
from pathlib import Path
from random import Random
from typing import Any, TypeVar
from unittest import mock

import httpx

from wanbatch.batch.lifecycle import Fact
from wanbatch.batch.plan import Plan, make_plan
from wanbatch.batch.shots import Batch, Shot
from wanbatch.batch.take import Take
from wanbatch.clip.defects import Look
from wanbatch.clip.frame_measures import Ends
from wanbatch.clip.inspection import Here, Inspection
from wanbatch.clip.probe import Probe
from wanbatch.clock import LoopClock
from wanbatch.errors import MediaInvalid
from wanbatch.provider.aimlapi import AimlApi
from wanbatch.provider.endpoint import Endpoint, Settings
from wanbatch.provider.protocol import Secret
from wanbatch.runner.context import RunContext
from wanbatch.runner.end_code import RunEnd
from wanbatch.runner.events import Event
from wanbatch.runner.loop import Runner
from wanbatch.runner.settings import RunSettings
from wanbatch.sandbox.account import Account, open_account
from wanbatch.sandbox.app import ConnectionDropped, Sandbox
from wanbatch.sandbox.faults import FaultPlan, Rule
from wanbatch.sandbox.options import SandboxOptions
from wanbatch.session.access import Access
from wanbatch.session.admission import admit
from wanbatch.session.options import RunOptions
from wanbatch.state.file import StateFile
from wanbatch.state.reader import entry
from wanbatch.state.tables import new_identity

API = "http://127.0.0.1"
CLIPS = "http://127.0.0.2"
EPOCH = datetime(2026, 11, 1, 20, 0, tzinfo=UTC)
T = TypeVar("T")


class JumpingLoop(asyncio.SelectorEventLoop):
    """A loop whose time jumps to the next timer when nothing is ready; it waits for threads in real time."""

    def __init__(self) -> None:
        super().__init__(selectors.SelectSelector())
        self._now = 0.0
        self._threads = 0

    def time(self) -> float:
        return self._now

    def run_in_executor(self, executor: Any, func: Any, *args: Any) -> Any:
        future = super().run_in_executor(executor, func, *args)
        self._threads += 1
        future.add_done_callback(self._thread_ended)
        return future

    def _thread_ended(self, _: Any) -> None:
        self._threads -= 1

    def _run_once(self) -> None:
        scheduled = self._scheduled
        while scheduled and scheduled[0]._cancelled:
            scheduled[0]._scheduled = False
            self._timer_cancelled_count -= 1
            import heapq

            heapq.heappop(scheduled)
        if not self._ready and scheduled and not self._threads:
            self._now = max(self._now, scheduled[0]._when)
        if self._threads and not self._ready:
            # Real waiting, without timers: a thread's end wakes us through the self-pipe.
            event_list = self._selector.select(0.05)
            self._process_events(event_list)
            if not self._ready:
                return
        super()._run_once()


def jump(main: Callable[[], Coroutine[Any, Any, T]]) -> T:
    """Run a coroutine function in a loop of its own whose time jumps."""
    loop = JumpingLoop()

    async def in_our_threads(function: Callable[..., Any], *arguments: Any, **_: Any) -> Any:
        return await loop.run_in_executor(None, function, *arguments)

    try:
        with mock.patch("anyio.to_thread.run_sync", in_our_threads):  # its own threads would be jumped over
            return loop.run_until_complete(main())
    finally:
        for task in asyncio.all_tasks(loop):
            task.cancel()
        loop.run_until_complete(asyncio.sleep(0))
        loop.run_until_complete(loop.shutdown_asyncgens())
        loop.run_until_complete(loop.shutdown_default_executor())
        loop.close()


class Hosts(httpx.AsyncBaseTransport):
    """Routes by host to the sandbox's two applications; a dropped connection is what httpx makes of one."""

    def __init__(self, sandbox: Sandbox, date_of: Callable[[datetime], datetime] | None = None) -> None:
        self._date_of = date_of
        self._api = httpx.ASGITransport(sandbox.api)
        self._clips = httpx.ASGITransport(sandbox.clips)
        self.requests: list[httpx.Request] = []

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        await request.aread()  # so that a test can look at a body that was sent in parts
        transport = self._clips if request.url.host == "127.0.0.2" else self._api
        try:
            answer = await transport.handle_async_request(request)
        except ConnectionDropped as error:
            raise httpx.RemoteProtocolError("Server disconnected without sending a response.") from error
        if self._date_of is not None and "date" in answer.headers:
            told = self._date_of(parsedate_to_datetime(answer.headers["date"]))
            answer.headers["date"] = format_datetime(told, usegmt=True)
        return answer


class Killed(BaseException):
    """The process is gone: nothing after this line happens."""


@dataclass(frozen=True)
class Unlooked:
    """An inspection that looks at no picture, and checks copies of a clip once: both take most of a small world's time."""

    checking: Inspection

    def check(self, clip: Path) -> Probe:
        if type(self.checking) is not Here:  # an inspection of a test's own
            return self.checking.check(clip)
        content = sha256(_unmarked(clip.read_bytes())).digest()
        if content not in _PROBES:
            _PROBES[content] = self.checking.check(clip)
        return _PROBES[content]

    def look(self, _: Path) -> Look:
        return Look(5.0)

    def poster(self, clip: Path) -> bytes:
        return self.checking.poster(clip)

    def frame(self, clip: Path, moment: str) -> bytes:
        return self.checking.frame(clip, moment)

    def ends(self, clip: Path, given: Path | None, closing: Path | None = None) -> Ends:
        raise MediaInvalid(f"{clip} is not measured in a small world, and {given} and {closing} are not either")


_PROBES: dict[bytes, Probe] = {}
_LONGEST_BOX = 200


def _unmarked(clip: bytes) -> bytes:
    """Return a clip without the whole box at its end by which `tests.near.draw_once` tells copies apart."""
    begin = clip.rfind(b"free", -_LONGEST_BOX) - 4
    is_box = begin >= 0 and int.from_bytes(clip[begin : begin + 4]) == len(clip) - begin
    return clip[:begin] if is_box else clip


def planned(batch: Batch, state: StateFile) -> Plan:
    """Plan a batch without a question."""
    return make_plan(batch, state.takes(), state.shots())


def admitted(options: RunOptions) -> Callable[[Batch, StateFile], Plan]:
    """Return what plans a batch as the command does with these options."""
    access = Access(Settings(Secret("made-up"), "", Endpoint(API, is_loopback=True)), is_embedded=True)
    return lambda batch, state: admit(batch, state.output, state, options, access).plan


@dataclass
class World:
    """One provider, one output folder, as many runs as it takes. `kill_at` counts durable transitions.

    `our_clock_ahead` is how wrong our clock is; `date_of` what an answer's date says where the provider's clock is right.
    """

    output: Path
    options: SandboxOptions = field(default_factory=SandboxOptions)
    rules: tuple[Rule, ...] = ()
    settings: RunSettings = field(default_factory=RunSettings)
    seed: int = 1
    elapsed_s: float = 0.0
    events: list[Event] = field(default_factory=list)
    account: Account | None = None
    sandbox: Sandbox | None = None
    hosts: Hosts | None = None
    observe: Callable[[Runner, Event], None] | None = None
    our_clock_ahead: timedelta = timedelta(0)
    date_of: Callable[[datetime], datetime] | None = None
    looks: bool = False  # at the pictures of each clip: decoding them takes most of a small world's time
    plan: Callable[[Batch, StateFile], Plan] = planned

    def run(self, batch: Batch, kill_at: int | None = None) -> RunEnd:
        """Run a batch to the end of one invocation; with `kill_at`, to the n-th durable transition of it."""
        return jump(lambda: self._run(batch, kill_at))

    async def _run(self, batch: Batch, kill_at: int | None) -> RunEnd:
        loop = asyncio.get_running_loop()
        ours, clock = self.clocks()
        if self.account is None:
            self.account, _ = open_account(self.options, EPOCH.timestamp())
            weakref.finalize(self, self.account.close)
        sandbox = Sandbox(self.options, self.account, clock, CLIPS)
        if self.sandbox is not None:
            sandbox.faults = self.sandbox.faults
        elif self.rules:
            sandbox.faults = FaultPlan(self.rules, self.options.seed)
        self.sandbox = sandbox
        identity = new_identity(
            batch.name, "sandbox", self.settings.key_fingerprint, EPOCH + self.our_clock_ahead, sandbox=True
        )
        state = StateFile.create_or_open(self.output, identity)
        self.hosts = Hosts(sandbox, self.date_of)
        provider = AimlApi(Endpoint(API, is_loopback=True), Secret("made-up"), ours, Random(self.seed), self.hosts)
        try:
            state.adopt(self.plan(batch, state), entry(Fact.WARNED, ours.now()).at)
            settings = self.settings
            if not self.looks:
                settings = replace(settings, inspection=Unlooked(settings.inspection))
            context = RunContext(state, provider, ours, settings, Random(self.seed))
            runner = Runner(context)
            context.observer = lambda event: self._observe(runner, event)
            if kill_at is not None:
                _kill_after(state, kill_at)
            try:
                return await runner.run()
            except BaseException as error:
                if _is_kill(error):
                    raise Killed from None
                raise
        finally:
            self.elapsed_s += loop.time() + 1
            state.close()
            sandbox.close()

    def clocks(self) -> tuple[LoopClock, LoopClock]:
        """Our clock and the provider's, as they stand now."""
        right = datetime.fromtimestamp(EPOCH.timestamp() + self.elapsed_s, UTC)
        return LoopClock(right + self.our_clock_ahead), LoopClock(right)

    def _observe(self, runner: Runner, event: Event) -> None:
        self.events.append(event)
        if self.observe is not None:
            self.observe(runner, event)

    def takes(self) -> list[Take]:
        """The takes on disk now."""
        from wanbatch.state.reader import StateReader

        with StateReader.open(self.output) as reader:
            reader.check()
            return reader.takes()

    def ledger(self) -> list[dict[str, Any]]:
        """The provider's own truth: every submit that arrived."""
        assert self.account is not None
        return self.account.everything(EPOCH.timestamp() + self.elapsed_s + 10**6)

    @property
    def submits(self) -> int:
        """How many paid POSTs the provider saw."""
        return len(self.ledger())


def _is_kill(error: BaseException) -> bool:
    if isinstance(error, Killed):
        return True
    return isinstance(error, BaseExceptionGroup) and any(map(_is_kill, error.exceptions))


def _kill_after(state: StateFile, kill_at: int) -> None:
    record, left = state.record, [kill_at]

    def dying(*arguments: Any) -> Take:
        # Half of the kills come right before the commit, half right after: an odd count writes first.
        left[0] -= 1
        if left[0] < 0:
            raise Killed
        if left[0] == 0 and kill_at % 2:
            record(*arguments)
            raise Killed
        if left[0] == 0:
            raise Killed
        return record(*arguments)

    state.record = dying  # type: ignore[method-assign]


def shots(count: int, **request: Any) -> tuple[Shot, ...]:
    """So many small shots: 480p where nothing else is asked, so that clips are made quickly."""
    body = {"model": "alibaba/wan2.1-t2v-turbo", "resolution": "480P", **request}
    return tuple(Shot(f"sh{n:03d}", n, {**body, "prompt": f"shot number {n}"}) for n in range(count))


def batch_of(count: int, **request: Any) -> Batch:
    """A batch of small shots."""
    return Batch("world", shots(count, **request))


def with_prompt(batch: Batch, shot_id: str, prompt: str) -> Batch:
    """The same batch with another prompt in one shot."""
    changed = tuple(
        replace(shot, request={**shot.request, "prompt": prompt}) if shot.id == shot_id else shot
        for shot in batch.shots
    )
    return replace(batch, shots=changed)
