"""The execution of a plan: the question, the run and its result; for a finished batch, one look into the log."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from wanbatch.batch.inventory import Inventory, finish_text
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.models import PriceClass
from wanbatch.batch.plan import Plan
from wanbatch.batch.remedies import in_folder
from wanbatch.batch.take import Take
from wanbatch.batch.takeover import Settled, settled_in, settled_text
from wanbatch.clip.worker_pool import WorkerPool
from wanbatch.clock import Clock, system_now
from wanbatch.errors import ExitCode, UsageInvalid, most_urgent
from wanbatch.folders import links_of, room_bytes
from wanbatch.money.baseline import lines_of
from wanbatch.pace.polling import Seen
from wanbatch.provider.endpoint import fingerprint
from wanbatch.provider.protocol import Provider
from wanbatch.runner.batch_clock import BatchClock
from wanbatch.runner.end_code import RunEnd
from wanbatch.runner.fallbacks import left_to_fall_back, shots_of
from wanbatch.runner.log import LOG_NAME, requests_in
from wanbatch.runner.settings import RunSettings
from wanbatch.runner.unexplained import share_account
from wanbatch.session import alarms
from wanbatch.session.access import start_of_time
from wanbatch.session.admission import Admission, carry
from wanbatch.session.companion_files import CompanionFiles
from wanbatch.session.embedded import name_takes
from wanbatch.session.given_opener import given_opener
from wanbatch.session.invocation import Invocation
from wanbatch.session.known_folders import KnownFolders
from wanbatch.session.left_admission import assert_not_bought_elsewhere
from wanbatch.session.lookup import LookUp, look_up
from wanbatch.session.open_folder import context_of
from wanbatch.session.options import RunResult
from wanbatch.session.places import keep_places
from wanbatch.session.preview import Basis, Preview, committed_by_scene, next_ones_of
from wanbatch.session.quotation import preview_of, tell_detours
from wanbatch.session.recovery import assert_not_behind
from wanbatch.session.result import result_of, rewrite_reports, settled_code
from wanbatch.session.rounds import Rounds
from wanbatch.session.safeguards import (
    assert_room,
    held_back,
    is_at_home,
    is_key_agreed,
    note_key,
    note_missing_log,
    refused,
    tell_list_fault,
    try_out,
)
from wanbatch.state.chained_takes import names_now, read_chained, read_successions
from wanbatch.state.file import StateFile
from wanbatch.state.history import TAKES_TIMED, earlier_times, times_seen
from wanbatch.state.kept_command import COMMAND_NOTE, PLACE_NOTE
from wanbatch.state.opening import has_clips
from wanbatch.state.progress_reader import RUN_AT_NOTE
from wanbatch.state.reader import SETTLED_NOTE, entry
from wanbatch.state.tables import scene_caps_text
from wanbatch.text import is_text

NOTHING_FITS = RunEnd(
    ExitCode.BUDGET_REACHED, ("no take fits under the caps: nothing was sent, and what failed stays as it was",)
)
NOT_SENT = RunEnd(ExitCode.INTERRUPTED, ("nothing was sent",))


@dataclass(frozen=True)
class Job:
    """What to do with a state file: carry out a plan, try failed takes `again`, or go on as was planned before.

    `digest` is that of the manifest that a plan was made from; `admission` is what led to the plan of a manifest;
    `source` is the path under whose name the folder is listed, empty for none; `command` is the command line that runs
    the manifest, `settled` what is to be bought all the same.
    """

    plan: Plan | None = None
    again: Sequence[Take] = ()
    digest: str = ""
    is_as_planned: bool = False
    admission: Admission | None = None
    command: str = ""
    settled: Settled | None = None
    source: str = ""

    def write(self, state: StateFile, at: datetime) -> None:
        """Write its plan into the state file, where it has one, and plan the takes that are tried again."""
        if self.admission is not None:
            carry(state, self.admission, at, self.digest)
        elif self.plan is not None:
            state.adopt(self.plan, at, self.digest)
        if self.settled is not None and self.settled != settled_in(state.noted(SETTLED_NOTE)):
            state.note(SETTLED_NOTE, settled_text(self.settled))
        if self.command:
            state.note(COMMAND_NOTE, self.command)
            place = os.path.realpath(".")
            state.note(PLACE_NOTE, place if is_text(place) else "")
        KnownFolders().note(self.source, state.identity().base_url, state.output)
        for take in self.again:
            state.record(take.take_id, entry(Fact.RETRY_PLANNED, at, {"by": "user"}))


@dataclass(frozen=True)
class Execution:
    """What carries out a job: the invocation, the state file that is open, and what the run is held to.

    `read_places` says where the manifest names each shot, if there is one.
    """

    invocation: Invocation
    state: StateFile
    settings: RunSettings
    read_places: Callable[[], dict[str, str]] = dict

    async def carry_out(self, job: Job) -> RunResult:
        """Do what a job asks for, and exit with code 3 for all about money that no run has exited with code 3 for."""
        alarms.begin(self.state)
        if self.settings.is_account_shared:
            share_account(self.state)
        before = len(self.state.runs())
        told = await self._carry_out(job)
        result = alarms.ended(self.state, told)
        if result.exit_code is not told.exit_code and len(self.state.runs()) > before:  # `status` tells how it ended
            last = self.state.runs()[-1]
            self.state.store_run(replace(last, exit_code=int(result.exit_code), message="; ".join(result.messages)))
            if result.report is not None:  # it was made before, and says how the run ended
                rewrite_reports(self.state)
        return result

    async def _carry_out(self, job: Job) -> RunResult:
        """Do what a job asks for; a finished batch is looked up in the provider's log."""
        invocation, state = self.invocation, self.state
        inventory = state.inventory()
        if job.again:
            inventory = inventory.planned_again(job.again, state.shots())
        has_news = job.plan is not None and bool(job.plan.changes)
        if has_news or not inventory.is_finished(self.settings.is_selected) or self._is_left(job):
            return await self._ask_and_run(job, inventory)
        job.write(state, system_now())
        self._keep_scene_caps()
        self._note_time()
        found = await self._look_up()
        codes, texts = [code for code, _ in found.troubles], tuple(text for _, text in found.troubles)
        inventory = state.inventory()
        if inventory.is_finished(self.settings.is_selected):
            invocation.watch.notice(in_folder(f"{finish_text(inventory)}{found.text}", str(state.output)))
            for each in read_successions(state):
                invocation.watch.notice(each.text(str(state.output)))
            end = RunEnd(most_urgent([*codes, settled_code(state, self.settings)]), texts)
            return self._ended(end, None)
        # A clip that was thought lost came to light: it is fetched.
        result = await self._ask_and_run(Job(is_as_planned=True), inventory)
        return replace(result, exit_code=most_urgent([*codes, result.exit_code]), messages=(*texts, *result.messages))

    def _ended(self, end: RunEnd, clock: Clock | None) -> RunResult:
        """Write the reports, which name where a shot is to be changed, and sum up."""
        keep_places(self.state, self.read_places)
        return result_of(self.invocation, self.state, end, clock)

    @staticmethod
    def _is_over_caps(job: Job, preview: Preview) -> bool:
        """Say whether a retry would send nothing under the caps: then it writes nothing."""
        reach = preview.reach
        return bool(job.again) and reach.of > 0 and not (reach.is_known and reach.takes)

    def _keep_scene_caps(self) -> None:
        """Keep the caps of scenes that the manifest has now: a retry, which reads no manifest, is held to them."""
        for last in self.state.runs()[-1:]:
            if last.caps_by_scene != dict(self.settings.scene_caps):
                self.state.store_run(replace(last, scene_caps=scene_caps_text(self.settings.scene_caps)))

    def _is_left(self, job: Job) -> bool:
        """Say whether a failed take may go on with its fallback, which the manifest may name since."""
        planned = None if job.plan is None else job.plan.fallbacks
        return bool(left_to_fall_back(self.state, self.settings.is_selected, planned))

    async def _look_up(self) -> LookUp:
        """Read the provider's log once for a batch that has nothing left to do, where a key allows it."""
        access = self.invocation.access
        if access.is_embedded or not access.has_key or self.invocation.options.offline:
            return LookUp(text="; wanbatch sent no request")
        async with context_of(self.invocation, self.state) as context:
            tell = context.observer
            context.observer = lambda event: None if event.kind == "note" else tell(event)
            return await look_up(context)

    async def _ask_and_run(self, job: Job, inventory: Inventory) -> RunResult:
        """Show what is to be sent, ask, send it and follow it to its end."""
        invocation, state = self.invocation, self.state
        if invocation.options.offline:
            raise UsageInvalid(
                "the batch is not finished, and the rest needs the provider: run it without --offline. Nothing was sent"
            )
        invocation.access.key()  # before anything is asked
        for folder, place in links_of(state.output).items():
            invocation.watch.notice(f"the {folder} of this batch are in {place}")
        access = invocation.access
        async with access.provider(state.output, start_of_time(state)) as (provider, clock), WorkerPool() as workers:
            basis = self._basis(job, inventory)
            assert_not_behind(state, basis.to_send)
            if not is_at_home(invocation, state) or not is_key_agreed(invocation, state):
                return result_of(invocation, state, NOT_SENT, None)
            workers.begin(len(basis.to_send))  # it loads its libraries while the provider is asked
            tell_detours(invocation)
            tell_list_fault(invocation, job.source)
            preview = await preview_of(invocation, basis, provider)
            batch_clock = BatchClock(state, clock)
            await try_out(invocation, preview, batch_clock, provider, workers)
            if preview.refusal is not None:
                if not inventory.open_takes:
                    raise refused(*preview.refusal)
                job = Job()  # what is paid for is still fetched; what was planned before stays so
            elif self._is_over_caps(job, preview):
                if not inventory.open_takes:
                    return result_of(invocation, state, NOTHING_FITS, None)
                job, inventory = replace(job, again=()), state.inventory()  # what failed stays so
                basis = self._basis(job, inventory)
            if preview.refusal is None and not invocation.watch.confirm(preview):
                return result_of(invocation, state, NOT_SENT, None)
            assert_room(state.output, preview)
            note_key(invocation, state)
            job.write(state, clock.now())
            self._assert_not_bought_elsewhere(job)
            if invocation.access.is_embedded:
                name_takes(state.output, state.inventory().due)
            self._note_time()
            self._keep_baseline(preview, clock.now())
            note_missing_log(invocation, state, batch_clock.now())
            origin = None if job.admission is None else job.admission.origin
            settings = self._completed(preview, inventory, batch_clock.now(), workers)
            settings = replace(settings, open_given=given_opener(state, origin, workers))
            basis = replace(basis, plan=None, settings=settings, is_as_planned=False)
            end = await self._rounds(provider, clock).run(basis, preview)
            self._note_time()
            return self._ended(end, clock)

    def _assert_not_bought_elsewhere(self, job: Job) -> None:
        access, options = self.invocation.access, self.invocation.options
        if not (access.is_embedded or options.buy_again):
            planned = filter(self.settings.is_selected, self.state.takes_in([State.PLANNED]))
            assert_not_bought_elsewhere(self.state, access, planned, job.source)

    def _basis(self, job: Job, inventory: Inventory) -> Basis:
        """Return what the preview of a job is made from."""
        state, planned = self.state, None if job.plan is None else job.plan.fallbacks
        left, chained = left_to_fall_back(state, self.settings.is_selected, planned), read_chained(state)
        is_chained = any(each.predecessors for each in (inventory.due if job.plan is None else job.plan.due))
        settings = replace(self.settings, times_before=self._times_before()) if is_chained else self.settings
        return Basis(
            batch=state.batch(),
            output=state.output,
            inventory=inventory,
            plan=job.plan,
            settings=settings,
            is_as_planned=job.is_as_planned,
            committed_by_scene=committed_by_scene(state, self.settings),
            next_ones=next_ones_of(state.fallbacks() if planned is None else planned, left.values()),
            chained=chained,
            falling_back=shots_of(state, left),
            names=names_now(state) if is_chained else {},
        )

    def _keep_baseline(self, preview: Preview, at: datetime) -> None:
        """Keep what the first plan that goes out is to cost: later ones are compared with it.

        A run that sends nothing asks for no price, so what it would keep is unknown.
        """
        if preview.takes and preview.refusal is None and not self.state.inventory().was_sent:
            recipes = self.state.recipe_keys()
            lines = lines_of(self.state.inventory().due, preview.every_quote)
            self.state.keep_baseline([replace(each, recipe=recipes[each.shot_id]) for each in lines], at)

    def _note_time(self) -> None:
        """Remember that the batch is run now: a command that names no folder means the most recently used one."""
        self.state.note(RUN_AT_NOTE, system_now().isoformat(timespec="milliseconds"))

    def _completed(self, preview: Preview, inventory: Inventory, now: datetime, workers: WorkerPool) -> RunSettings:
        """Complete what the run is held to by what was found, and by what it works with."""
        invocation, state = self.invocation, self.state
        return replace(
            self.settings,
            quotes=preview.quotes,
            key_fingerprint=fingerprint(invocation.access.key()),
            logged=requests_in(state.output / LOG_NAME, state.identity().nonce),
            is_begun_anew=not inventory.was_sent and has_clips(state.output),
            times_before=self._times_before(),
            refusal=preview.refusal or held_back(invocation, state, now),
            free_bytes=lambda: room_bytes(state.output),
            before_submit=workers.assert_works,
            inspection=workers,
            after_verified=CompanionFiles(state.output, workers),
        )

    def _times_before(self) -> dict[PriceClass, Seen]:
        seen = times_seen(self.state.newest_completed(TAKES_TIMED))
        return seen or earlier_times(self.state.output, self.invocation.access.address)

    def _rounds(self, provider: Provider, clock: Clock) -> Rounds:
        invocation, deadline_s = self.invocation, self.invocation.options.deadline_s
        now = asyncio.get_running_loop().time()
        deadline = None if deadline_s is None else now + deadline_s / invocation.access.speed
        return Rounds(invocation, self.state, provider, clock, deadline)
