"""A session: one manifest or output folder, from the plan to the report. What the command line and programs call."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import ExitStack, asynccontextmanager, suppress
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from decimal import Decimal
from glob import escape
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory

from wanbatch.batch.inventory import Inventory
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.models import PriceClass
from wanbatch.batch.plan import Due, Plan, is_selected
from wanbatch.batch.retakes import Retake, plan_retakes
from wanbatch.batch.shots import Batch, Head, Limits
from wanbatch.batch.take import Take
from wanbatch.clip.crew import Crew
from wanbatch.clock import Clock, system_now
from wanbatch.errors import (
    AccountStopped,
    ExitCode,
    LocalFault,
    ProviderUnreachable,
    UsageInvalid,
    WanbatchError,
    fault_text,
    most_urgent,
)
from wanbatch.folders import links_of, room_bytes
from wanbatch.interrupts import HANG_UP, handled, once
from wanbatch.machine import read_machine, this_machine
from wanbatch.manifest.cache import Manifest
from wanbatch.money.credits import usd_text
from wanbatch.money.prices import estimate
from wanbatch.pace.hazard import Seen
from wanbatch.pace.schedule import Rates
from wanbatch.provider.clocks import REFUSED
from wanbatch.provider.endpoint import Settings, fingerprint, load_settings
from wanbatch.provider.inquiry import inquire, not_asked
from wanbatch.provider.protocol import NoAnswer, Provider, Trouble
from wanbatch.provider.remarks import Intent, remarks_of
from wanbatch.runner.batch_clock import BatchClock
from wanbatch.runner.context import RunContext
from wanbatch.runner.events import Event
from wanbatch.runner.log import LOG_NAME, RunLog, requests_in
from wanbatch.runner.loop import TROUBLED_STATES, RunEnd, Runner, Standing, end_code
from wanbatch.runner.settings import RunSettings
from wanbatch.runner.submits import ROOM_BYTES
from wanbatch.session.access import Access, start_of_time
from wanbatch.session.admission import Admission, admit, ask, carry, is_remembered, origin_of
from wanbatch.session.decisions import Decision, Reconciled, reconcile, resolve, take_to_resolve, take_up
from wanbatch.session.embedded import copy_account
from wanbatch.session.keepsakes import Keepsakes
from wanbatch.session.lookup import LookUp, look_up
from wanbatch.session.options import Caps, RunOptions, RunResult, Watch, caps_of, output_of, rates_of
from wanbatch.session.posters import make_missing_posters
from wanbatch.session.preview import Ground, Preview, Why
from wanbatch.session.recovery import Recovery, assert_not_behind, log_awaited_until, recover
from wanbatch.session.rounds import Line, Progress, begin_run, choose_pilot
from wanbatch.state.file import StateFile
from wanbatch.state.history import TAKES_TIMED, earlier_prices, earlier_times, times_seen
from wanbatch.state.opening import has_clips
from wanbatch.state.reader import STATE_NAME, StateReader, entry
from wanbatch.state.tables import Identity, Run, new_identity
from wanbatch.units import size_text

TERMINATE_GRACE_S = 10.0
MACHINE_NOTE = "machine"  # the name under which the state file keeps where it was last run
CLOCK_LIMIT_S = 10.0
SANDBOX_GRACE = timedelta(hours=2)  # its log is late by minutes at most


@dataclass(frozen=True)
class Job:
    """What to do with a state file: carry out a plan, try failed takes `again`, or go on as was planned before.

    `digest` is that of the manifest that a plan was made from; `admission` is what led to the plan of a manifest.
    """

    plan: Plan | None = None
    again: Sequence[Take] = ()
    digest: str = ""
    is_as_planned: bool = False
    admission: Admission | None = None

    def write(self, state: StateFile, at: datetime) -> None:
        """Write its plan into the state file, where it has one."""
        if self.admission is not None:
            carry(state, self.admission, at, self.digest)
        elif self.plan is not None:
            state.adopt(self.plan, at, self.digest)


class Session:
    """One invocation over one output folder."""

    def __init__(self, options: RunOptions, settings: Settings, watch: Watch) -> None:
        self._options = options
        self._watch = watch
        self._deadline: float | None = None
        self._detours = settings.detours
        self._access = Access(settings, options.sandbox, options.speed, options.sandbox_flags)

    @property
    def provider_address(self) -> str:
        """The name of the provider that the settings and flags lead to, as a state file keeps it."""
        return self._access.address

    # --- run

    async def run(self, manifest: Manifest) -> RunResult:
        """Plan, confirm, run, report. The same call resumes; of a finished batch only the provider's log is read."""
        self._access.assert_speed()
        head = manifest.head()
        output = output_of(head, self._options)
        is_there = (output / STATE_NAME).is_file()
        may_ask = self._access.has_key and not self._options.offline
        identity = self._identity(head.name, fingerprint(self._access.key()) if may_ask or not is_there else "")
        first = None if is_there else self._admit(manifest, output, None)  # before a folder is made
        with ExitStack() as stack:
            state = StateFile.create_or_open(output, identity, fresh=self._options.fresh)
            stack.callback(state.close)
            job = Job(digest=manifest.digest, is_as_planned=True)
            if not self._is_as_planned(manifest, state):
                if not self._options.offline:
                    self._access.key()  # before anything is asked
                state.check_rest()  # a row that is not what its facts say could look like a shot that has no take
                admission = first if first is not None and state.is_new else self._admit(manifest, output, state)
                job = Job(plan=admission.plan, digest=manifest.digest, admission=admission)
            caps = self._caps(head, state.runs())
            return await self._carry_out(state, job, rates_of(self._options.limits, head.limits), caps)

    def _identity(self, name: str, key_fingerprint: str = "") -> Identity:
        return new_identity(name, self._access.address, key_fingerprint, system_now(), sandbox=self._access.is_local)

    def _is_as_planned(self, manifest: Manifest, state: StateReader) -> bool:
        """Say whether the last plan is that of this very manifest, so that nothing need be compared."""
        options = self._options
        if options.renames or options.take_over or not state.is_planned_from(manifest.digest):
            return False
        return is_remembered(state, origin_of(manifest.source, manifest.head().name, state.output))

    def _admit(self, manifest: Manifest, output: Path, state: StateReader | None) -> Admission:
        """Plan, and ask what must be known before anything is written. Raises UsageInvalid where it is not answered."""
        while True:
            admission = admit(manifest.batch(), output, state, self._options, self._access)
            more = ask(admission, self._options, self._watch)
            if more is None:
                return admission
            self._options = more

    async def preview(self, batch: Batch, *, offline: bool = False) -> Preview:
        """Say what a run would do and cost. Writes nothing; asks for prices and the balance unless `offline`."""
        self._access.assert_speed()
        output = output_of(batch.head, self._options)
        runs, inventory, start = list[Run](), Inventory(), system_now()
        if (output / STATE_NAME).is_file():
            with StateReader.open(output) as reader, reader.snapshot():
                reader.assert_same(self._identity(batch.name))  # the run would not go on there either
                runs, inventory, start = reader.runs(), reader.inventory(), start_of_time(reader)
                admission = admit(batch, output, reader, self._options, self._access)
        else:
            admission = admit(batch, output, None, self._options, self._access)
        caps = self._caps(batch.head, runs)
        ground = Ground(
            batch=batch.name,
            output=output,
            inventory=inventory,
            plan=admission.plan,
            cap_credits=caps.credits,
            scene_caps=caps.scenes,
            is_selected=self._is_selected,
            limit=self._options.limit,
            first=self._options.first,
            tries=rates_of(self._options.limits, batch.limits).max_attempts,
        )
        if offline:
            return replace(await self._preview(ground, None), questions=admission.questions)
        with TemporaryDirectory(prefix="wanbatch-") as folder:
            is_known = not self._access.is_embedded or copy_account(output, Path(folder))
            async with self._access.provider(Path(folder), start) as (provider, _):
                preview = replace(await self._preview(ground, provider), questions=admission.questions)
        return preview if is_known else replace(preview, balance_usd=None)

    async def retry(self, output: Path, reason: str | None = None) -> RunResult:
        """Plan new attempts for the failed takes of an output folder, then run them."""
        with StateReader.open(output) as reader:
            identity = reader.identity()
            runs = reader.runs()
        self._access = self._access.at(identity)
        with ExitStack() as stack:
            state = StateFile.create_or_open(output, identity)
            stack.callback(state.close)
            again = [take for take in state.takes_in([State.FAILED]) if self._is_retried(take, reason)]
            if not again:
                self._watch.notice("nothing failed that could be tried again")
            rates = rates_of(self._options.limits, Limits())
            return await self._carry_out(state, Job(again=again), rates, self._caps(None, runs))

    async def retake(self, output: Path, asked: Retake) -> RunResult:
        """Plan new takes of some shots of an output folder, confirm, and run those shots."""
        with StateReader.open(output) as reader:
            identity, runs = reader.identity(), reader.runs()
        self._access = self._access.at(identity)
        self._options = replace(self._options, only=tuple(map(escape, asked.shot_ids)))
        with ExitStack() as stack:
            state = StateFile.create_or_open(output, identity)
            stack.callback(state.close)
            plan = plan_retakes(state.shots(), state.takes(), asked, state.past())
            rates = rates_of(self._options.limits, Limits())
            return await self._carry_out(state, Job(plan=plan), rates, self._caps(None, runs))

    async def refetch(self, output: Path, take_ids: Sequence[int]) -> None:
        """Fetch again what is not as recorded of the clips of these verified takes; never submits.

        Says which cannot be had.
        """
        from wanbatch.session.verify import refetch_all

        async with self._desk_of(output) as context:
            context.load()
            for take_id in dict.fromkeys(take_ids):
                take = context.takes[take_id]
                why = await refetch_all(context, take)
                self._watch.notice(f"{take.label}: {why or 'fetched again'}")

    async def balance(self, output: Path | None) -> tuple[Decimal, str]:
        """Ask what the account holds, in USD, and where: that of an output folder's provider, or of the settings'.

        Raises AccountStopped where the key is refused, ProviderUnreachable where nothing is told.
        """
        with ExitStack() as stack:
            if output is not None:
                reader = stack.enter_context(StateReader.open(output))
                self._access = self._access.at(reader.identity())
                start = start_of_time(reader)
            else:
                output, start = Path(stack.enter_context(TemporaryDirectory(prefix="wanbatch-"))), system_now()
            self._access.key()
            async with self._access.provider(output, start) as (provider, _):
                told = await provider.account()
        if isinstance(told, NoAnswer):
            is_refused = told.trouble is Trouble.KEY
            raise (AccountStopped if is_refused else ProviderUnreachable)(f"no balance: {told.message}")
        return told, self._access.host

    async def reconcile(self, output: Path) -> Reconciled:
        """Look up lost answers once and compare with the ledger; sends nothing paid."""
        async with self._desk_of(output) as context:
            return await reconcile(context)

    async def resolve(
        self, output: Path, label: str, word: tuple[Decision, str | None], confirm: Callable[[Take], bool]
    ) -> Take | None:
        """Record the user's word on a held take; None where `confirm` says no. Raises UsageInvalid."""
        async with self._desk_of(output) as context:
            take_up(context)
            take = take_to_resolve(context, label, word[0])
            return await resolve(context, take, *word) if confirm(take) else None

    async def recover(self, manifest: Manifest, confirm: Callable[[Recovery], bool]) -> Recovery | None:
        """Make the state file of a manifest's output folder anew; None where `confirm` says no. Sends nothing paid."""
        return await recover(self._access, manifest.batch(), output_of(manifest.head(), self._options), confirm)

    @asynccontextmanager
    async def _desk_of(self, output: Path) -> AsyncIterator[RunContext]:
        """Open an output folder for work beside a run."""
        with StateReader.open(output) as reader:
            identity = reader.identity()
        self._access = self._access.at(identity)
        with ExitStack() as stack:
            state = StateFile.create_or_open(output, identity)
            stack.callback(state.close)
            async with self._desk(state) as context:
                yield context

    @asynccontextmanager
    async def _desk(self, state: StateFile) -> AsyncIterator[RunContext]:
        """Work beside a run with a state file that is open."""
        log_path, key = state.output / LOG_NAME, self._access.key()
        async with self._access.provider(state.output, start_of_time(state)) as (provider, clock), Crew() as crew:
            settings = RunSettings(
                rates=Rates(max_attempts=0),  # nothing is planned to be sent without a run
                key_fingerprint=fingerprint(key),
                on_unknown=self._options.on_unknown,
                unknown_grace=self._grace(),
                logged=requests_in(log_path, state.identity().nonce),
                inspection=crew,
            )
            context = RunContext(state, provider, clock, settings, Random())  # noqa: S311  jitter, no secret
            with RunLog(log_path, key) as log:
                context.observer = self._observer(log)
                yield context

    def _grace(self) -> timedelta | None:
        if self._options.unknown_grace_s is not None:
            return timedelta(seconds=self._options.unknown_grace_s)
        return SANDBOX_GRACE if self._access.is_embedded else None

    def _is_retried(self, take: Take, reason: str | None) -> bool:
        if take.state is not State.FAILED or take.superseded or not self._is_wanted(take):
            return False
        return reason is None or reason.casefold() in take.error.casefold()

    async def _carry_out(self, state: StateFile, job: Job, rates: Rates, caps: Caps) -> RunResult:
        """Do what a plan (or a retry of failed takes) asks for."""
        inventory = state.inventory()
        if job.again:
            inventory = inventory.planned_again(job.again, state.shots())
        if (job.plan is not None and job.plan.changes) or not inventory.is_finished(self._is_selected):
            return await self._ask_and_run(state, job, inventory, (rates, caps))
        job.write(state, system_now())
        found = await self._look_up(state)
        codes, texts = [code for code, _ in found.troubles], tuple(text for _, text in found.troubles)
        inventory = state.inventory()
        if inventory.is_finished(self._is_selected):
            self._watch.notice(f"nothing to do: every take is settled{found.text}")
            end = RunEnd(most_urgent([*codes, self._settled_end(state).exit_code]), texts)
            return self._result(state, end, None)
        # A clip that was thought lost came to light: it is fetched.
        result = await self._ask_and_run(state, Job(is_as_planned=True), inventory, (rates, caps))
        return replace(result, exit_code=most_urgent([*codes, result.exit_code]), messages=(*texts, *result.messages))

    async def _ask_and_run(
        self, state: StateFile, job: Job, inventory: Inventory, terms: tuple[Rates, Caps]
    ) -> RunResult:
        """Show what is to be sent, ask, send it and follow it to its end."""
        if self._options.offline:
            raise UsageInvalid(
                "not all of this batch is done, and what is left needs the provider: run it without --offline."
                " Nothing was sent"
            )
        plan, again, (rates, caps), key = job.plan, job.again, terms, self._access.key()
        for folder, place in links_of(state.output).items():
            self._watch.notice(f"the {folder} of this batch lie in {place}")
        async with self._access.provider(state.output, start_of_time(state)) as (provider, clock), Crew() as crew:
            ground = Ground(
                batch=state.batch(),
                output=state.output,
                inventory=inventory,
                plan=plan,
                cap_credits=caps.credits,
                scene_caps=caps.scenes,
                is_selected=self._is_selected,
                limit=self._options.limit,
                first=self._options.first,
                tries=rates.max_attempts,
                retried=len(again),
                is_as_planned=job.is_as_planned,
            )
            assert_not_behind(state, ground.to_send)
            if not self._is_at_home(state):
                return self._result(state, RunEnd(ExitCode.INTERRUPTED, ("nothing was sent",)), None)
            crew.begin(len(ground.to_send))  # it loads its libraries while the provider is asked
            preview = await self._preview(ground, provider)
            await self._try_out(preview, BatchClock(state, clock), provider, crew)
            if preview.refusal is not None:
                if not inventory.open_takes:
                    raise refused(*preview.refusal)
                plan, again = None, ()  # what is paid for is still fetched; what was planned before stays so
            elif not self._watch.confirm(preview):
                return self._result(state, RunEnd(ExitCode.INTERRUPTED, ("nothing was sent",)), None)
            self._assert_room(state.output, preview)
            if plan is not None:
                job.write(state, clock.now())
            for take in again:
                state.record(take.take_id, entry(Fact.RETRY_PLANNED, clock.now(), {"by": "user"}))
            settings = RunSettings(
                rates=rates,
                cap_credits=caps.credits,
                scene_caps=caps.scenes,
                is_agreed=self._options.is_agreed,
                quotes=preview.quotes,
                key_fingerprint=fingerprint(key),
                on_unknown=self._options.on_unknown,
                unknown_grace=self._grace(),
                logged=requests_in(state.output / LOG_NAME, state.identity().nonce),
                is_begun_anew=not inventory.was_sent and has_clips(state.output),
                trusts_state=self._options.trust_state,
                limit=self._options.limit,
                first=self._options.first,
                is_selected=self._is_wanted,
                times_before=self._times_before(state),
                refusal=preview.refusal or self._held_back(state, clock.now()),
                free_bytes=lambda: room_bytes(state.output),
                before_submit=crew.assert_works,
                inspection=crew,
                after_verified=Keepsakes(state.output, crew),
            )
            line = Line(state, provider, clock)
            ground = replace(ground, plan=None, retried=0, is_as_planned=False)
            end = await self._rounds(line, ground, preview, settings, caps)
            return self._result(state, end, clock)

    async def _look_up(self, state: StateFile) -> LookUp:
        """Read the provider's log once for a batch that has nothing left to do, where a key allows it."""
        if self._access.is_embedded or not self._access.has_key or self._options.offline:
            return LookUp(text="; no request was made")
        async with self._desk(state) as context:
            tell = context.observer
            context.observer = lambda event: None if event.kind == "note" else tell(event)
            return await look_up(context)

    async def _try_out(self, preview: Preview, batch_clock: BatchClock, provider: Provider, crew: Crew) -> None:
        """Try what a run needs before anything is sent: the media library, and the clocks. Raises LocalFault."""
        if preview.refusal is None and preview.to_submit:
            await asyncio.to_thread(crew.assert_works)
        await self._compare_clocks(batch_clock, provider)

    def _is_at_home(self, state: StateFile) -> bool:
        """Say whether the folder may be run on this machine, and remember it. Raises UsageInvalid where nobody can say.

        What the sandbox bought twice costs nothing.
        """
        here, last = this_machine(), read_machine(state.noted(MACHINE_NOTE))
        if here is None or (last is not None and last.mark == here.mark):
            return True
        if last is not None:
            text = (
                f"{state.output} was last run on another machine ({last.host or 'of no name'}). Where two machines run"
                " copies of one folder, each may buy what the other bought, and the provider's log shows it too late."
            )
            if self._access.is_local:
                self._watch.notice(text)
            elif not self._options.is_moved:
                if self._watch.confirm_move is None:
                    raise UsageInvalid(f"{text} If this machine alone runs it now, say so (--moved, is_moved)")
                if not self._watch.confirm_move(text):
                    return False
        state.note(MACHINE_NOTE, here.text())
        return True

    def _held_back(self, state: StateFile, now: datetime) -> tuple[ExitCode, str] | None:
        """Return why nothing may be sent yet after a recovery without run.log; None where something may."""
        until = log_awaited_until(state)
        if until is None or now >= until or self._options.trust_state:
            return None
        return ExitCode.DECISION_NEEDED, (
            f"this state file was made anew without {LOG_NAME}, and the provider's log may lack submits of the last"
            f" day: nothing is sent before {until:%Y-%m-%d %H:%M} UTC. If you know that nothing else was sent, add"
            " --trust-state"
        )

    def _times_before(self, state: StateFile) -> dict[PriceClass, Seen]:
        seen = times_seen(state.newest_completed(TAKES_TIMED))
        return seen or earlier_times(state.output, self._access.address)

    def _caps(self, head: Head | None, runs: Sequence[Run]) -> Caps:
        caps = caps_of(self._options.max_credits, head, runs[-1] if runs else None)
        if caps.is_kept:
            self._watch.notice(
                f"the cap of an earlier run holds, {usd_text(caps.credits)}; --max-usd or --max-credits changes it"
            )
        return caps

    async def _rounds(self, line: Line, ground: Ground, preview: Preview, settings: RunSettings, caps: Caps) -> RunEnd:
        """Run; after a pilot, or where a price is new, ask again with what was learnt, and run the rest."""
        state, limit, count = line.state, self._options.limit, self._options.pilot
        progress = Progress.of(state, limit)
        while True:
            pilot = choose_pilot(state, count, limit, self._is_wanted, self._options.first)
            is_selected = self._is_wanted if pilot is None else _in(pilot)
            end = await self._round(line, preview, replace(settings, is_selected=is_selected), caps)
            is_pilot_done, count = pilot is not None and not end.was_stopped, None
            if not (end.has_new_price or is_pilot_done):
                return end
            ground = progress.ground(ground)
            if not ground.to_send:
                return end
            why = Why.PRICE if end.has_new_price else Why.PILOT
            findings = progress.findings(ground, settings)
            preview = replace(await self._preview(ground, line.provider), why=why, findings=findings, pilot=None)
            if preview.refusal is not None:
                return RunEnd(preview.refusal[0], (preview.refusal[1],))
            if not self._watch.confirm(preview):
                rest = f"the pilot is done; {preview.estimate.takes} more takes were not sent: the same command goes on"
                return end if end.has_new_price else RunEnd(ExitCode.INTERRUPTED, (rest,))
            settings = replace(settings, quotes=preview.quotes, limit=ground.limit, logged=(), is_begun_anew=False)

    async def _round(self, line: Line, preview: Preview, settings: RunSettings, caps: Caps) -> RunEnd:
        state, clock, run = line.state, line.clock, begin_run(line, preview, caps)
        context = RunContext(state, line.provider, clock, settings, Random())  # noqa: S311  jitter, no secret
        end = await self._drive(context)
        state.store_run(
            replace(run, ended_at=clock.now(), exit_code=int(end.exit_code), message="; ".join(end.messages))
        )
        return end

    def _is_selected(self, shot_id: str) -> bool:
        return is_selected(shot_id, self._options.only)

    def _is_wanted(self, take: Due | Take) -> bool:
        return self._is_selected(take.shot_id)

    def _settled_end(self, state: StateFile) -> RunEnd:
        return RunEnd(end_code(filter(self._is_wanted, state.takes_in(TROUBLED_STATES))), ())

    # --- parts of a run

    async def _preview(self, ground: Ground, provider: Provider | None) -> Preview:
        if provider is not None and not self._access.is_local:
            for text in self._detours:
                self._watch.notice(text)
            self._detours = ()
        classes, distinct = ground.classes_to_submit, ground.classes_to_quote
        inquiry = not_asked(distinct, "the provider was not asked (--offline)")
        if provider is not None and distinct:
            inquiry = await inquire(provider, distinct, has_key=self._access.has_key)
        listed = inquiry.quotes
        told = {*ground.seen_prices, *(each for each, quote in listed.items() if quote.is_live)}
        is_told = told.issuperset(distinct)  # reading other batches takes time where they are large
        quotes = ground.quote(listed, {} if is_told else earlier_prices(ground.output, self._access.address))
        total = estimate(classes, quotes, ground.tries)
        intent = Intent(sorted({each.model for each in classes}), total, ground.cap_credits is not None)
        return Preview(
            batch=ground.batch,
            output=ground.output,
            plan=ground.plan,
            counts=ground.counts,
            to_submit={each: classes.count(each) for each in sorted(set(classes), key=str)},
            quotes=quotes,
            estimate=total,
            cap_credits=ground.cap_credits,
            balance_usd=None if isinstance(inquiry.balance_usd, NoAnswer) else inquiry.balance_usd,
            host=self._access.host,
            is_sandbox=self._access.is_embedded,
            speed=self._access.speed,
            scenes=ground.scenes(quotes),
            scene_caps=ground.scene_caps,
            before=ground.before,
            tries=ground.tries,
            pilot=self._options.pilot,
            lost=ground.lost,
            on_unknown=self._options.on_unknown,
            remarks=remarks_of(inquiry, intent, system_now()) if classes else (),
            takes=tuple(ground.to_send),
        )

    async def _compare_clocks(self, batch_clock: BatchClock, provider: Provider) -> None:
        """Tell of a clock that is wrong, and keep by how much. Raises LocalFault for one that is days off."""
        ahead: timedelta | NoAnswer | None = None
        with suppress(TimeoutError):  # what cannot be told now is asked again before the log is read
            async with asyncio.timeout(CLOCK_LIMIT_S):
                ahead = await provider.ahead()
        if isinstance(ahead, NoAnswer):
            return
        # The embedded sandbox has our clock; where it ran faster before, its time is ahead, and no clock is wrong.
        is_ours = self._access.is_embedded or self._access.speed != 1
        text = None if is_ours else batch_clock.wrong_text(ahead)
        if text is not None and ahead is not None and abs(ahead) > REFUSED and not self._access.is_local:
            raise LocalFault(
                f"{text}. Nothing was sent: what is recorded under a date that is days off misleads every later look"
                " into the provider's log. Set the clock (`wanbatch doctor` compares it) and run the same command again"
            )
        if text is not None:
            self._watch.notice(
                f"{text}. Nothing is bought twice for that, but lost answers may wait longer: set it right"
            )
        batch_clock.measured(ahead)

    def _assert_room(self, output: Path, preview: Preview) -> None:
        needed = ROOM_BYTES * preview.estimate.takes
        free = room_bytes(output)
        if free < needed:
            raise LocalFault(
                f"{output} has {size_text(free)} free; {preview.estimate.takes} clips may need"
                f" {size_text(needed)}. Nothing was sent: make room, or run part of it with --limit"
            )

    async def _drive(self, context: RunContext) -> RunEnd:
        runner = Runner(context)
        loop = asyncio.get_running_loop()
        handlers: dict[int, Callable[[], None]] = {
            signal.SIGINT: runner.drain,
            signal.SIGTERM: lambda: runner.terminate(TERMINATE_GRACE_S),
        }
        if HANG_UP is not None:
            handlers[HANG_UP] = once(runner.drain)
        deadline = None
        with RunLog(context.state.output / LOG_NAME, self._access.key()) as log, handled(handlers):
            context.observer = self._observer(log)
            if self._options.deadline_s is not None:
                if self._deadline is None:  # of all rounds together
                    self._deadline = loop.time() + self._options.deadline_s / self._access.speed
                deadline = loop.call_at(self._deadline, runner.reach_deadline)
            self._watch.on_start(lambda: self._in_real_time(runner.standing()))
            try:
                return await runner.run()
            finally:
                if deadline is not None:
                    deadline.cancel()

    def _observer(self, log: RunLog) -> Callable[[Event], None]:
        """Log every event and show it. Who looks on must not end a paid run: one that raises is shown no more."""
        failed: list[Exception] = []

        def observe(event: Event) -> None:
            log.write(event)
            if failed:
                return
            try:
                self._watch.on_event(event)
            except Exception as error:  # noqa: BLE001  a closed pipe, or a caller's mistake
                failed.append(error)
                text = f"what watched this run failed ({type(error).__name__}); the run goes on unwatched"
                log.write(Event(event.at, "note", "", text))

        return observe

    def _in_real_time(self, standing: Standing) -> Standing:
        """A user waits by the clock on the wall, however fast a sandbox's time runs."""
        return standing if standing.eta_s is None else replace(standing, eta_s=standing.eta_s / self._access.speed)

    def _result(self, state: StateFile, end: RunEnd, clock: Clock | None) -> RunResult:
        page, kinds = None, state.inventory().kinds
        if self._options.makes_report and kinds:
            try:
                from wanbatch.reporting.files import write_reports

                make_missing_posters(state)
                page = write_reports(state, made_at=clock.now() if clock is not None else start_of_time(state)).report
            except Exception as error:  # noqa: BLE001  how the run ended is told, also where a library of the tables fails
                end = _without_reports(end, error)
        counts: Counter[str] = Counter()
        for take, count in kinds:
            counts[take.shown_state] += count
        return RunResult(
            exit_code=end.exit_code,
            messages=end.messages,
            output=state.output,
            counts=counts,
            credits_committed=sum((take.credits_committed or 0) * count for take, count in kinds),
            credits_charged=sum((take.credits_charged or 0) * count for take, count in kinds),
            report=page,
            uncosted=sum(count for take, count in kinds if take.credits_committed is None),
            charges_not_seen=sum(count for take, count in kinds if take.may_be_charged_more),
        )


def refused(code: ExitCode, text: str) -> WanbatchError:
    """Return the error of a run that may send nothing, and has nothing else to do."""
    kind = AccountStopped if code is ExitCode.ACCOUNT_STOPPED else UsageInvalid
    return kind(f"{text}. Nothing was sent")


def _without_reports(end: RunEnd, error: Exception) -> RunEnd:
    """Add to how a run ended that its reports failed. A code that tells of takes or money stays."""
    match error:
        case OSError():
            told = fault_text(error)
        case WanbatchError():
            told = str(error)
        case _:
            told = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    text = f"the reports could not be written: {told}. `wanbatch report` writes them later, from the state file"
    code = ExitCode.LOCAL_FAULT if end.exit_code is ExitCode.OK else end.exit_code
    return replace(end, exit_code=code, messages=(*end.messages, text))


def _in(chosen: frozenset[int]) -> Callable[[Due | Take], bool]:
    return lambda take: take.take_id in chosen


def session_of(options: RunOptions, watch: Watch, env_file: Path | None = None) -> Session:
    """Make a session with the settings of this process."""
    settings = load_settings(os.environ, env_file, Path.cwd())
    for text in settings.notices:
        watch.notice(text)
    return Session(options, settings, watch)
