"""The runner: asks pacing what to do next and starts the worker that does it, until the run ends."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from wanbatch.batch.forecast import Sending
from wanbatch.batch.lifecycle import IN_FLIGHT_STATES, Fact, State
from wanbatch.batch.order_to_send import called_now, is_ready, order_to_send
from wanbatch.batch.progress import BatchProgress
from wanbatch.batch.take import Take
from wanbatch.errors import ExitCode, ProgramFault, WanbatchError, most_urgent
from wanbatch.pace.steps import Done, Download, Poll, Search, Step, Submit, Wait
from wanbatch.runner.bodies import Bodies
from wanbatch.runner.charges import ChargeRecorder
from wanbatch.runner.context import RunContext
from wanbatch.runner.downloads import Downloads
from wanbatch.runner.end_code import TROUBLED_STATES, RunEnd, codes_of_takes
from wanbatch.runner.fallbacks import left_to_fall_back, shots_of
from wanbatch.runner.polls import Polls
from wanbatch.runner.predecessors import Predecessors
from wanbatch.runner.rechecks import Rechecks
from wanbatch.runner.revival import AT_ONCE, look_again, look_before_sending
from wanbatch.runner.searches import Searches
from wanbatch.runner.settings import OnUnknown
from wanbatch.runner.submits import Submits, lost_text
from wanbatch.units import count_text

Work = Callable[[int], Coroutine[Any, Any, None]]  # gets a take id, or 0 if no take is meant

NO_TAKE = 0
POST_GRACE_S = 30.0  # how long a stop waits for answers of POSTs that are out: each saves a generation id
STOP_GRACE_S = 3.0
DEADLINE_TEXT = "the deadline has passed: wanbatch sends nothing more; run the same command to continue"
LEDGER_WAIT_S = 180.0
LEDGER_EVERY_S = 15.0


class Runner:
    """One run of a batch whose plan is already in the state file."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._charges = ChargeRecorder(context)
        self._rechecks = Rechecks(context, self._charges)
        self._polls = Polls(context, self._rechecks)
        self._searches = Searches(context, match_ledger=self._charges.match_ledger)
        self._submits = Submits(context, self._searches.lost)
        self._predecessors = Predecessors(context)
        self.bodies = Bodies(context, self._submits, self._predecessors)
        self._downloads = Downloads(context, self._polls.take_links)
        self._post_grace_s = POST_GRACE_S
        self._posts: set[asyncio.Task[None]] = set()
        self._others: set[asyncio.Task[None]] = set()
        self._has_said_wait = False
        self._is_deadline_reached = False

    # --- signals

    def drain(self) -> None:
        """Send nothing more; finish and fetch what is paid for. A second call stops now."""
        context = self._context
        if any(code is ExitCode.INTERRUPTED for code, _ in context.troubles):
            self._post_grace_s = STOP_GRACE_S
            context.halt(ExitCode.INTERRUPTED, "stopped; nothing is lost: run the same command to resume")
            return
        running = context.schedule.running
        text = (
            f"stopping: wanbatch sends nothing more, and finishes and fetches the {running} running takes first;"
            " press Ctrl-C again to stop now"
        )
        context.stop_submitting(ExitCode.INTERRUPTED, text if running else "stopping; run the same command to resume")

    def reach_deadline(self) -> None:
        """Send nothing more, and wait for no lost answer; finish and fetch what is paid for."""
        context = self._context
        if context.schedule.planned or any(take.state is State.UNKNOWN for take in context.takes):
            context.stop_submitting(ExitCode.INTERRUPTED, DEADLINE_TEXT)
        else:  # what runs may still fail and be planned again
            context.schedule.is_submitting = False
            self._is_deadline_reached = True
            context.wake.set()

    def terminate(self, grace_s: float) -> None:
        """Stop now, with this much time for POSTs that are out."""
        self._post_grace_s = grace_s
        self._context.halt(ExitCode.TERMINATED, "terminated; nothing is lost: run the same command to resume")

    # --- the run

    async def run(self) -> RunEnd:
        """Run until nothing is left to do or to wait for."""
        context = self._context
        async with asyncio.TaskGroup() as group:
            try:
                self._resume()
                await self._rechecks.take_up_fallbacks()
                self._searches.plan()  # before anything is sent, also of what was taken up just now
                await look_before_sending(context)
                await self._loop(group)
                if not context.is_halted and await look_again(context, AT_ONCE):
                    await self._loop(group)
                self._searches.name_doubles()
                if not context.is_halted:
                    await self._read_ledger()
                    await self._searches.explain(tuple(self._charges.seen.values()))
                if self._charges.failed_and_charged and (
                    await look_again(context, AT_ONCE) or self._charges.has_followed
                ):  # a charge says that it went on
                    await self._loop(group)
                    await self._charges.match_ledger()
                self._charges.name_breaches()
                self._predecessors.name_blocked(lambda take: self.bodies.why_kept(take) or self._submits.why_kept(take))
            except WanbatchError as error:
                context.halt(error.exit_code, str(error))
            finally:
                await self._wind_down()
        return self._end()

    def _resume(self) -> None:
        """Take up where the state file stands: what was cut off, what runs, what is planned."""
        context = self._context
        inventory = context.load()
        now = context.clock.monotonic()
        for take in context.takes:
            self._resume_take(take, now)
        settings = context.settings
        falling_back = shots_of(context.state, left_to_fall_back(context.state, settings.is_selected))
        clips = inventory.clips | falling_back
        due = called_now(inventory.due, context.names_now) if inventory.clips else inventory.due
        order = order_to_send(due, settings.is_selected, clips, settings.first)
        context.unready = frozenset(take.take_id for take, _ in order.unready)
        unready = [take.take_id for take, _ in order.unready] if settings.limit is None else []
        chosen = [*(each.take_id for each in order.takes[: settings.limit]), *unready]
        if settings.limit is not None:
            context.sendable, rest = set(chosen), order.takes[settings.limit :]
            context.spares.extend(each for each in rest if is_ready(each, clips))
        context.schedule.places = {take_id: place for place, take_id in enumerate(chosen)}
        for take_id in chosen:
            if not self._predecessors.keeps_back(take_id):
                context.schedule.add_planned(take_id)
        if context.settings.refusal is not None:
            context.stop_submitting(*context.settings.refusal)

    def _resume_take(self, take: Take, now: float) -> None:
        context = self._context
        if take.state is State.SUBMITTING:
            context.lose(take.take_id, lost_text(take, "the last run ended during the submit"))
        elif take.state is State.UNKNOWN and context.settings.on_unknown is OnUnknown.HOLD:
            context.hold(take.take_id, take.error, needs_user=True)
        elif take.state is State.HELD and take.can_be_looked_at and take.sha256 is not None:
            context.record(take.take_id, Fact.NAMED_AGAIN)
            context.schedule.add_download(take.take_id)
        elif take.state is State.HELD and take.can_be_looked_at:
            context.record(take.take_id, Fact.LOOKED_AGAIN)
            context.schedule.generation_followed()
            context.schedule.add_poll(take.take_id, now)
        elif take.state in IN_FLIGHT_STATES:
            context.schedule.generation_followed()
            context.schedule.add_poll(take.take_id, now)
        elif take.state is State.COMPLETED:
            context.schedule.add_poll(take.take_id, now)
        elif take.state is State.DOWNLOADED:
            context.schedule.add_download(take.take_id)

    async def _loop(self, group: asyncio.TaskGroup) -> None:
        context = self._context
        while not context.is_halted:
            context.wake.clear()
            step = context.schedule.next_step(context.clock.monotonic())
            if isinstance(step, Done):
                return
            if isinstance(step, Wait):
                self._say_what_is_waited_for()
                await self._wait(step.until)
            else:
                self._start(step, group)
                await asyncio.sleep(0)

    def _say_what_is_waited_for(self) -> None:
        context = self._context
        if self._has_said_wait or not context.schedule.waits_only_for_searches:
            return
        self._has_said_wait = True
        lost = self._searches.waited_for()
        until = self._searches.until()
        context.note(
            f"wanbatch keeps looking up {count_text(len(lost), 'lost answer')}, until {until:%Y-%m-%d %H:%M} UTC at"
            " the latest; you can stop here, and run the same command later"
        )

    def _start(self, step: Step, group: asyncio.TaskGroup) -> None:
        match step:
            case Submit(take_id) if self._predecessors.keeps_back(take_id):
                pass
            case Submit(take_id) if self._rechecks.is_owed(take_id):
                self._context.schedule.look_began(take_id)
                self._spawn(group, self._others, take_id, self._rechecks.look)
            case Submit(take_id) if self.bodies.is_needed(take_id):
                self.bodies.begin()
                self._spawn(group, self._posts, take_id, self.bodies.send)
            case Submit(take_id):
                if self._submits.begin(take_id):
                    self._spawn(group, self._posts, take_id, self._submits.send)
            case Poll(take_id):
                self._spawn(group, self._others, take_id, self._polls.poll)
            case Download(take_id):
                self._spawn(group, self._others, take_id, self._downloads.fetch)
            case _:
                assert isinstance(step, Search)
                self._spawn(group, self._others, NO_TAKE, lambda _: self._searches.search())

    def _spawn(self, group: asyncio.TaskGroup, kind: set[asyncio.Task[None]], take_id: int, work: Work) -> None:
        task = group.create_task(self._guarded(take_id, work))
        kind.add(task)
        task.add_done_callback(kind.discard)
        task.add_done_callback(lambda _: self._context.wake.set())

    async def _guarded(self, take_id: int, work: Work) -> None:
        """Keep one worker's failure from the others."""
        context = self._context
        try:
            await work(take_id)
        except ProgramFault as error:
            self._stop_for_fault(take_id, str(error))
        except WanbatchError as error:
            context.halt(error.exit_code, str(error))
        except OSError as error:
            context.halt(ExitCode.LOCAL_FAULT, f"{self._name(take_id)}: {error}")
        except Exception as error:  # noqa: BLE001  a fault of ours in one take must not cost the others
            self._stop_for_fault(take_id, f"internal error: {type(error).__name__}: {error}")
        finally:
            context.schedule.worker_ended(take_id)

    def _stop_for_fault(self, take_id: int, text: str) -> None:
        """Send nothing more, for the program itself failed; what runs is finished as far as that is possible.

        The take keeps its state, so that the next run goes on with it: nothing says that its clip or its generation is
        bad. Only a submit whose answer was not read has to be looked up.
        """
        context = self._context
        context.note(f"not finished in this run: {text}", "" if take_id == NO_TAKE else self._name(take_id))
        context.stop_submitting(
            ExitCode.LOCAL_FAULT,
            f"{text}. This is an error in wanbatch or its installation, not in the clips. Nothing more is"
            " sent and nothing is lost: `wanbatch doctor` checks the installation; then run the same command again",
        )
        if take_id != NO_TAKE and context.takes[take_id].state is State.SUBMITTING:
            with suppress(WanbatchError):
                context.lose(take_id, lost_text(context.takes[take_id], "wanbatch failed while it read the answer"))

    def _name(self, take_id: int) -> str:
        return "the search for lost answers" if take_id == NO_TAKE else self._context.takes[take_id].label

    async def _wait(self, until: float | None) -> None:
        context = self._context
        waits: list[asyncio.Future[Any]] = [asyncio.ensure_future(context.wake.wait())]
        if until is not None:
            waits.append(asyncio.ensure_future(context.clock.sleep(until - context.clock.monotonic())))
        try:
            await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for wait in waits:
                wait.cancel()

    async def _wind_down(self) -> None:
        """End the workers of a stopped run: reads at once, POSTs when their answer is in or their time is up."""
        for task in tuple(self._others):
            task.cancel()
        if self._posts:
            await asyncio.wait(tuple(self._posts), timeout=self._post_grace_s)
        for task in tuple(self._posts):
            task.cancel()

    async def _read_ledger(self) -> None:
        """Look for the charges of what this batch made, for as long as they may take to appear.

        What failed or is held is looked at once: it should cost nothing, and a charge of it must not go unseen.
        """
        context = self._context
        if not context.state.may_show_charges():
            return
        until, since = context.clock.monotonic() + LEDGER_WAIT_S, None
        while True:
            await self._charges.match_ledger(since)
            since = context.state.first_awaited_at()
            missing = context.takes.awaiting
            if context.is_halted or not missing:
                return
            if context.troubles or context.clock.monotonic() >= until:
                context.note(f"{count_text(missing, 'charge')} not in the ledger yet; the next run checks again")
                return
            context.wake.clear()
            await self._wait(context.clock.monotonic() + LEDGER_EVERY_S)

    # --- where it stands

    def progress(self) -> BatchProgress:
        """Count the takes and the money, and say when it should be over."""
        context, schedule = self._context, self._context.schedule
        at_once, per_min = schedule.pace
        planned = schedule.planned if schedule.is_submitting else ()
        sending = Sending(planned, per_min, schedule.rates.downloads, at_once)
        return BatchProgress(
            counts={state: count for state, count in context.takes.counts.items() if count},
            credits_committed=context.budget.committed,
            credits_charged=context.budget.charged,
            uncosted=context.budget.uncosted,
            eta_s=context.forecast.eta_s(context.takes, context.clock.now(), sending),
        )

    def _is_reported(self, take: Take) -> bool:
        """Say whether this run ends by what became of a take: one that it was asked for, or that it changed itself."""
        return self._context.settings.is_selected(take) or take.take_id in self._context.troubled_now

    def _end(self) -> RunEnd:
        context = self._context
        takes: list[Take] = []
        offered, given_up = set[int](), set[int]()
        try:
            takes += filter(self._is_reported, context.state.takes_in(TROUBLED_STATES))
            offered |= context.state.offered()
            given_up |= context.state.given_up()
        except WanbatchError as error:  # a disk that died: earlier messages must still be read
            context.trouble(error.exit_code, str(error))
        if self._is_deadline_reached and context.schedule.planned:
            context.trouble(ExitCode.INTERRUPTED, DEADLINE_TEXT)
        codes = [code for code, _ in context.troubles]
        return RunEnd(
            most_urgent([*codes, *codes_of_takes(codes, takes, offered, given_up)]),
            tuple(message for _, message in context.troubles),
            stops=frozenset(context.stops),
            left_out=tuple(context.left_out),
            was_stopped=not context.schedule.is_submitting,
            codes=frozenset(codes),
        )
