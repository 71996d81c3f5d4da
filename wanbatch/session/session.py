"""A session: one manifest or output folder, from the plan to the report. What the command line and programs call."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from decimal import Decimal
from glob import escape
from pathlib import Path
from tempfile import TemporaryDirectory

from wanbatch.batch.chained_takes import NOTHING_CHAINED
from wanbatch.batch.inventory import Inventory
from wanbatch.batch.lifecycle import State
from wanbatch.batch.models import PriceClass
from wanbatch.batch.orders import Order
from wanbatch.batch.retakes import Retake, plan_retakes
from wanbatch.batch.selection import Place, Selection, places_of
from wanbatch.batch.shots import Batch, Recipe
from wanbatch.batch.take import Take
from wanbatch.batch.takeover import Settled
from wanbatch.clock import system_now
from wanbatch.errors import AccountStopped, ProviderUnreachable
from wanbatch.manifest.cache import Manifest
from wanbatch.pace.polling import Seen
from wanbatch.provider.endpoint import Settings, fingerprint, load_settings
from wanbatch.provider.protocol import NoAnswer, Trouble
from wanbatch.runner.fallbacks import left_to_fall_back
from wanbatch.session.access import Access, start_of_time
from wanbatch.session.admission import Admission, admit, ask, ask_all, command_of, is_remembered, origin_of
from wanbatch.session.decisions import (
    NO_ANSWERS,
    Answers,
    Decision,
    Reconciled,
    reconcile,
    resolve,
    take_to_resolve,
    take_up,
)
from wanbatch.session.embedded import copy_account
from wanbatch.session.execution import Execution, Job
from wanbatch.session.invocation import Invocation
from wanbatch.session.left_admission import admit_left, is_there_meanwhile, orders_again, orders_of_retakes
from wanbatch.session.open_folder import opened
from wanbatch.session.options import RunOptions, RunResult, Watch, output_of
from wanbatch.session.places import places_in
from wanbatch.session.preview import Basis, Preview, next_ones_of
from wanbatch.session.quotation import preview_of, tell_detours
from wanbatch.session.recovery import Recovery, recover
from wanbatch.session.result import renew_reports
from wanbatch.state.chained_takes import read_chained
from wanbatch.state.file import StateFile
from wanbatch.state.history import TAKES_TIMED, times_seen
from wanbatch.state.reader import STATE_NAME, StateReader
from wanbatch.state.tables import Run


class Session:
    """One invocation over one output folder."""

    def __init__(self, options: RunOptions, settings: Settings, watch: Watch) -> None:
        access = Access(settings, options.sandbox, options.speed, options.sandbox_flags)
        self._invocation = Invocation(options, access, watch)

    @property
    def provider_address(self) -> str:
        """The name of the provider that the settings and flags lead to, as a state file keeps it."""
        return self._invocation.access.address

    # --- what sends

    async def run(self, manifest: Manifest) -> RunResult:
        """Plan, confirm, run, report. The same call resumes; of a finished batch only the provider's log is read."""
        invocation, access = self._invocation, self._invocation.access
        access.assert_speed()
        head, options = manifest.head(), invocation.options
        output = output_of(head, options)
        is_there = (output / STATE_NAME).is_file()
        may_ask = access.has_key and not options.offline
        identity = invocation.identity(head.name, output, fingerprint(access.key()) if may_ask or not is_there else "")
        first = None if is_there else self._admit(manifest, output, None)  # before a folder is made
        with ExitStack() as stack:
            state = StateFile.create_or_open(output, identity, fresh=options.fresh)
            stack.callback(state.close)
            command = command_of(manifest.source, options)
            source = "" if access.is_embedded else manifest.source  # play money is not looked for elsewhere
            job = Job(digest=manifest.digest, is_as_planned=True, command=command, source=source)
            if not self._is_as_planned(manifest, state):
                if not options.offline:
                    access.key()  # before anything is asked
                state.check_rest()  # a row that is not what its facts say could look like a shot that has no take
                admission = first if first is not None and state.is_new else self._admit(manifest, output, state)
                job = replace(job, plan=admission.plan, is_as_planned=False, admission=admission)
            settings = invocation.settings(head, state.runs(), self._places(state, manifest))
            return await Execution(invocation, state, settings, places_in(manifest)).carry_out(job)

    def _places(self, state: StateReader, manifest: Manifest | None = None) -> dict[str, Place]:
        """Return where shots belong, if the selection needs it; the manifest, where there is one, says it last."""
        if not self._invocation.options.selection({}).needs_places:
            return {}
        return places_of([*state.shots(), *(() if manifest is None else manifest.batch().shots)])

    def _is_as_planned(self, manifest: Manifest, state: StateReader) -> bool:
        """Say whether the last plan is that of this very manifest, so that nothing need be compared."""
        options = self._invocation.options
        if options.renames or options.take_over or not state.is_planned_from(manifest.digest):
            return False
        if not is_remembered(state, origin_of(manifest.source, manifest.head().name, state.output)):
            return False
        return not is_there_meanwhile(manifest.source, state, self._invocation.access.address)

    def _admit(self, manifest: Manifest, output: Path, state: StateReader | None) -> Admission:
        """Plan, and ask what must be known before anything is written. Raises UsageInvalid if it is not answered."""
        options, watch = self._invocation.options, self._invocation.watch
        while True:
            admission = admit(manifest.batch(), output, state, options, self._invocation.access)
            more = ask(admission, options, watch)
            if more is None:
                return admission
            options = more

    async def preview(self, batch: Batch, *, offline: bool = False) -> Preview:
        """Say what a run would do and cost. Writes nothing; asks for prices and the balance unless `offline`."""
        invocation, access, options = self._invocation, self._invocation.access, self._invocation.options
        access.assert_speed()
        output = output_of(batch.head, options)
        runs, inventory, start, spent = list[Run](), Inventory(), system_now(), dict[str, int | None]()
        left, places, chained = dict[int, Recipe](), places_of(batch.shots), NOTHING_CHAINED
        times = dict[PriceClass, Seen]()
        if (output / STATE_NAME).is_file():
            with StateReader.open(output) as reader, reader.snapshot():
                reader.assert_same(invocation.identity(batch.name, output))  # the run would not go on there either
                runs, inventory, start = reader.runs(), reader.inventory(), start_of_time(reader)
                spent, chained = reader.committed_by_scene(), read_chained(reader)
                admission = admit(batch, output, reader, options, access)
                times = times_seen(reader.newest_completed(TAKES_TIMED)) if chained.takes else {}
                told = None if admission.plan is None else admission.plan.fallbacks
                settings = invocation.settings(batch.head, runs, places)
                left = left_to_fall_back(reader, settings.is_selected, told)
        else:
            admission = admit(batch, output, None, options, access)
            settings = invocation.settings(batch.head, runs, places)
        settings = replace(settings, times_before=times)
        fallbacks = {} if admission.plan is None else admission.plan.fallbacks or {}
        basis = Basis(
            batch=batch.name,
            output=output,
            inventory=inventory,
            plan=admission.plan,
            settings=settings,
            committed_by_scene=spent,
            next_ones=next_ones_of(fallbacks, left.values()),
            chained=chained,
        )
        if offline:
            return replace(await preview_of(invocation, basis, None), questions=admission.questions)
        with TemporaryDirectory(prefix="wanbatch-") as folder:
            is_known = not access.is_embedded or copy_account(output, Path(folder))
            async with access.provider(Path(folder), start) as (provider, _):
                tell_detours(invocation)
                preview = replace(await preview_of(invocation, basis, provider), questions=admission.questions)
        return preview if is_known else replace(preview, balance_usd=None)

    async def retry(self, output: Path, reason: str | None = None) -> RunResult:
        """Plan new attempts for the failed takes of an output folder, then run them."""

        def job_of(invocation: Invocation, state: StateFile) -> Job:
            every = [take for take in state.takes_in([State.FAILED]) if not take.superseded]
            selection = invocation.options.selection(self._places(state))
            failed = [take for take in every if _is_asked_for(take, selection, reason)]
            again = list(filter(state.is_asked_for, failed))
            is_named = bool(invocation.options.only) or reason is not None
            given_up = [] if is_named else [take for take in again if take.take_id in state.abandoned()]
            again = [take for take in again if take not in given_up]
            if given_up:
                names = ", ".join(take.label for take in given_up)
                invocation.watch.notice(f"not tried again, as you gave them up: {names}; --only SHOT tries them again")
            left = [take.label for take in failed if take not in again and take not in given_up]
            if left:
                invocation.watch.notice(
                    f"not tried again, because the manifest no longer asks for them: {', '.join(left)}"
                )
            if not failed:
                found = "no failed take matches --only, --except and --reason" if every else "no take has failed"
                invocation.watch.notice(f"{found}: there is nothing to try again")
            orders = orders_again(again, filter(lambda take: selection.has(take.shot_id), _planned(state)), state)
            settled = self._admit_left(("wanbatch", "retry", str(output)), orders, state, invocation)
            return Job(again=again, settled=settled)

        return await self._work_in(output, self._invocation, job_of)

    async def retake(self, output: Path, asked: Retake) -> RunResult:
        """Plan new takes of some shots of an output folder, confirm, and run those shots."""
        with StateReader.open(output) as reader:
            asked = asked.completed(read_chained(reader))
        options = replace(self._invocation.options, only=tuple(map(escape, asked.shot_ids)), excepted=())

        def job_of(invocation: Invocation, state: StateFile) -> Job:
            plan = plan_retakes(state.shots(), state.takes(), asked, state.past())
            command = ("wanbatch", "retake", str(output), *asked.shot_ids)
            settled = self._admit_left(command, orders_of_retakes(plan, state), state, invocation)
            return Job(plan=plan, settled=settled)

        return await self._work_in(output, replace(self._invocation, options=options), job_of)

    async def _work_in(
        self, output: Path, invocation: Invocation, job_of: Callable[[Invocation, StateFile], Job]
    ) -> RunResult:
        """Do a job that is found in an output folder, without its manifest."""
        with StateReader.open(output) as reader:
            identity, runs = reader.identity(), reader.runs()
        invocation = invocation.at(identity)
        with ExitStack() as stack:
            state = StateFile.create_or_open(output, identity)
            stack.callback(state.close)
            job = job_of(invocation, state)
            settings = invocation.settings(None, runs, self._places(state))
            return await Execution(invocation, state, settings).carry_out(job)

    def _admit_left(
        self, command: Sequence[str], orders: Sequence[Order], state: StateFile, invocation: Invocation
    ) -> Settled:
        """Ask about what is to be sent and exists already; returns what is settled by the answer.

        Raises UsageInvalid if it is not answered.
        """
        options = invocation.options
        given = (*command, *options.flags)
        questions, settled = admit_left(given, orders, state, invocation.access)
        ask_all([] if options.buy_again else questions, invocation.watch)
        return settled

    # --- what sends nothing

    async def refetch(self, output: Path, take_ids: Sequence[int]) -> None:
        """Fetch again the clips of verified takes that are not as recorded; never submits.

        Says which cannot be had.
        """
        from wanbatch.session.verify import refetch_all

        async with opened(self._invocation, output) as context:
            context.load()
            for take_id in dict.fromkeys(take_ids):
                take = context.takes[take_id]
                why = await refetch_all(context, take)
                self._invocation.watch.notice(f"{take.label}: {why or 'fetched again'}")

    async def balance(self, output: Path | None) -> tuple[Decimal, str, bool]:
        """Ask what the account holds, in USD, where, and whether it is play money: of a folder's provider, or the
        settings'.

        Raises AccountStopped if the key is refused, ProviderUnreachable if there is no answer.
        """
        access = self._invocation.access
        with ExitStack() as stack:
            if output is not None:
                reader = stack.enter_context(StateReader.open(output))
                access, start = access.at(reader.identity()), start_of_time(reader)
            else:
                output, start = Path(stack.enter_context(TemporaryDirectory(prefix="wanbatch-"))), system_now()
            access.key()
            async with access.provider(output, start) as (provider, _):
                told = await provider.account()
        if isinstance(told, NoAnswer):
            is_refused = told.trouble is Trouble.KEY
            raise (AccountStopped if is_refused else ProviderUnreachable)(f"cannot read the balance: {told.message}")
        return told, access.host, access.is_sandbox

    async def reconcile(self, output: Path, answers: Answers = NO_ANSWERS) -> Reconciled:
        """Look up lost answers once and compare with the ledger; sends nothing paid. Raises UsageInvalid for answers
        that cannot be of this batch.
        """
        async with opened(self._invocation, output) as context:
            answers.note(context.state)
            found = await reconcile(context, answers.not_mine)
            renew_reports(context.state)
            return found

    async def resolve(
        self, output: Path, label: str, word: tuple[Decision, str | None], confirm: Callable[[Take], bool]
    ) -> Take | None:
        """Record the user's decision on a held take; None if `confirm` says no. Raises UsageInvalid."""
        async with opened(self._invocation, output) as context:
            take_up(context)
            take = take_to_resolve(context, label, word[0])
            if not confirm(take):
                return None
            resolved = await resolve(context, take, *word)
            renew_reports(context.state)
            return resolved

    async def recover(self, manifest: Manifest, confirm: Callable[[Recovery], bool]) -> Recovery | None:
        """Rebuild the state file of a manifest's output folder; None if `confirm` says no. Sends nothing paid."""
        output = output_of(manifest.head(), self._invocation.options)
        return await recover(self._invocation.access, manifest.batch(), output, confirm)


def _planned(state: StateReader) -> list[Take]:
    return [take for take in state.takes_in([State.PLANNED]) if not take.superseded]


def _is_asked_for(take: Take, selection: Selection, reason: str | None) -> bool:
    return selection.has(take.shot_id) and (reason is None or reason.casefold() in take.error.casefold())


def session_of(options: RunOptions, watch: Watch, env_file: Path | None = None) -> Session:
    """Make a session with the settings of this process."""
    settings = load_settings(os.environ, env_file, Path.cwd())
    for text in settings.notices:
        watch.notice(text)
    return Session(options, settings, watch)
