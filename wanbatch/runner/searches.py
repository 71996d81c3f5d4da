"""Searches: what became of submits whose answers were lost, read from the provider's log and ledger."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta

from wanbatch.batch.attempts import Attempt, Outcome
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.take import Take
from wanbatch.errors import ExitCode
from wanbatch.money.charge import Charge
from wanbatch.provider.protocol import LogScan, NoAnswer, Trouble
from wanbatch.runner.context import RunContext
from wanbatch.runner.doubles import Doubles
from wanbatch.runner.evidence import evidence_of, failed_since, is_waited_for, waited_for_since
from wanbatch.runner.late_generations import LateGenerations
from wanbatch.runner.log_window import Window
from wanbatch.runner.other_keys import unseen_submits
from wanbatch.runner.recipes import models_of
from wanbatch.runner.resubmission import (
    PATIENCE,
    Adopt,
    Contradiction,
    Question,
    default_grace,
    find,
    is_open,
    lag_samples,
    questions,
)
from wanbatch.runner.settings import OnUnknown
from wanbatch.runner.uncertain_submits import doubted, note_doubts, note_questions, note_unowned
from wanbatch.runner.unexplained import Unexplained
from wanbatch.runner.unrecorded_submits import UnrecordedSubmits
from wanbatch.runner.verdicts import Verdicts

FIRST_SEARCHES_S = (60.0, 120.0, 240.0)  # most lost answers show within minutes of their generation's end
SEARCH_EVERY_S = 600.0
SEARCH_SELDOM_S = 1800.0
EAGER_SEARCHES = 20
FAILED_AT_MOST = 1_000  # failed generations beside which charges without a take are looked for
FAILURE_LIMIT_S = 600.0  # a resume whose log cannot be read for this long sends nothing
RETRY_S = 30.0
LASTING = (Trouble.KEY, Trouble.INVALID, Trouble.NOT_FOUND)  # asking again with this key brings nothing better


class Searches:
    """Looks lost submits up, and records what that proves."""

    def __init__(
        self,
        context: RunContext,
        *,
        is_thorough: bool = False,
        has_nothing_to_send: bool = False,
        match_ledger: Callable[[], Awaitable[object]] | None = None,
    ) -> None:
        self._context = context
        self._match_ledger = match_ledger
        self._unexplained = Unexplained(context)
        self._window = Window(
            context,
            is_thorough=is_thorough,
            asked_since=lambda: self._unexplained.log_since() if self._unexplained.is_asked else None,
        )
        self._is_thorough = is_thorough
        self._has_nothing_to_send = has_nothing_to_send
        self._has_asked = False
        self.questions: list[Question] = []
        self.unseen: list[Attempt] = []  # submits that this key's log does not show, as the last search found
        self.unexplained: tuple[Charge, ...] = ()  # of a thorough search: charges that nothing accounts for
        self.is_ledger_unread = False  # a look of this run could not read it
        self.unread: NoAnswer | None = None  # why the last search could not read the log
        self._before: LogScan | None = None
        self._count = 0
        self._failing_since: float | None = None
        self._ledger_failing_since: float | None = None
        self._is_out_of_date = context.settings.is_begun_anew
        self._unrecorded_submits = UnrecordedSubmits(context)
        self._doubles = Doubles(context)
        self._late_generations = LateGenerations(context)
        self._verdicts = Verdicts(context, self._late_generations, self._unrecorded_submits)

    # --- when

    def plan(self) -> None:
        """Ask for a search if one could tell something; the first submit of a resume waits for it."""
        context = self._context
        self.note_logged()
        is_resume, is_nameless = not context.state.is_new, self._window.first_nameless is not None
        if context.settings.is_begun_anew and context.schedule.planned:
            context.schedule.add_search(context.clock.monotonic(), before_submits=True)
        elif is_resume and (context.schedule.planned or any(map(_may_matter, context.takes)) or is_nameless):
            # What runs may fail, and be sent again.
            context.schedule.add_search(context.clock.monotonic(), before_submits=True)

    def note_logged(self) -> None:
        """Hold the takes of submits that are in run.log but not in the state file."""
        self._unrecorded_submits.note_logged()
        self._unrecorded_submits.offer_strays()

    async def explain(self, charges: Sequence[Charge]) -> None:
        """Read the log once more if some of these charges belong to nothing here: a submit may have been made twice.

        Not where the submit of a take has no generation: that may have made one, and the next run looks it up. Nor
        where this run needs a decision anyway.
        """
        needs_decision = any(code is ExitCode.DECISION_NEEDED for code, _ in self._context.troubles)
        if not needs_decision and self._window.first_nameless is None and self._unexplained.is_any_unknown(charges):
            self._window.has_unknown_charges = True
            await self.search()
            if self.unread is not None and not self._unexplained.is_shared:
                text = (
                    "the ledger shows charges for models like yours that belong to nothing here, and wanbatch could not"
                )
                todo = "`wanbatch reconcile` looks again, and costs nothing"
                self._context.trouble(
                    ExitCode.DECISION_NEEDED,
                    f"{text} read the provider's request log to see whose they are ({self.unread.message}): {todo}",
                )

    def name_doubles(self) -> None:
        """Name the takes that more than one generation is known of by now."""
        self._doubles.name_doubles()

    def lost(self) -> None:
        """An answer was lost just now: look soon, unless the user wants to be asked instead."""
        if self._context.settings.on_unknown is OnUnknown.HOLD:
            return
        self._count = 0
        self._context.schedule.add_search(self._context.clock.monotonic() + FIRST_SEARCHES_S[0])

    def _plan_next(self) -> None:
        context = self._context
        if not self.waited_for():
            return
        if self._count <= len(FIRST_SEARCHES_S):
            wait_s = FIRST_SEARCHES_S[min(self._count, len(FIRST_SEARCHES_S)) - 1]
        else:
            wait_s = SEARCH_EVERY_S if self._count < EAGER_SEARCHES else SEARCH_SELDOM_S
        context.schedule.add_search(context.clock.monotonic() + wait_s)

    def until(self) -> datetime:
        """Return the time after which nothing is waited for any more."""
        context = self._context
        now = context.batch_clock.now()
        begun = [take.first_searched_at or now for take in self.waited_for()]
        return context.clock.now() + (max(begun, default=now) + self._patience() - now)

    def _patience(self) -> timedelta:
        grace = self._context.settings.unknown_grace
        return PATIENCE * (default_grace(self._lags_s()) if grace is None else grace)

    def waited_for(self) -> list[Take]:
        """Return the takes whose lost answers this run looks up."""
        context = self._context
        return [take for take in context.takes if take.state is State.UNKNOWN and context.settings.is_selected(take)]

    def _lags_s(self) -> list[float]:
        return self._context.state.log_lags_s()

    # --- a search

    async def search(self) -> None:
        """Read the log whole, and the ledger if it matters, and record what they prove."""
        try:
            await self._search()
        finally:
            self._context.schedule.search_ended()

    async def _search(self) -> None:
        context = self._context
        window, scan, is_wide = self._window, None, False
        if window.is_asked:
            failed = await context.measure_clocks()  # what is open, and since when by either clock, depends on it
            is_wide = window.is_wide
            scan = failed or await context.provider.scan_log(window.since())
        if isinstance(scan, NoAnswer):
            self._not_read(scan)
            return
        self._count += 1
        self._failing_since, self.unread = None, None
        if scan is not None:
            context.reached()
            context.batch_clock.keep()  # before a time is recorded by it: the next run may find our clock set
            self._note_lags(scan)
            self._is_out_of_date = self._is_out_of_date or self._unrecorded_submits.lacks(scan)
            self.unseen = unseen_submits(context, context.batch_clock.recorded_since(window.reach), scan)
            self._unrecorded_submits.note_scan(scan)  # some may have begun while the log was read
            if context.settings.is_begun_anew and window.is_first:
                self._unrecorded_submits.offer_by_recipe(scan)
            await self._settle(scan, is_wide=is_wide)
            self._before = scan
            until, key = scan.known_until - self._mark_grace(), context.settings.key_fingerprint
            context.state.note_log_read(key, until, anew=window.is_mark_wrong())
            if not await self._explain(scan):
                return
            is_due = self._is_out_of_date or context.budget.has_caps
            if context.schedule.waits_to_submit and is_due and self._match_ledger is not None:
                await self._match_ledger()  # what was charged since counts under the caps before anything is sent
        window.looked(was_wide=is_wide)
        context.schedule.allow_submits()
        self._plan_next()
        if window.owes_wide:
            context.schedule.add_search(context.clock.monotonic())

    async def _explain(self, scan: LogScan) -> bool:
        """Look for charges that nothing explains; False where the first submits wait until the ledger can be read."""
        waits = self._context.schedule.waits_to_submit
        if not self._unexplained.is_asked:
            return True
        if self._is_thorough:
            found = await self._unexplained.look_at_all(scan, is_out_of_date=self._is_out_of_date)
            if isinstance(found, NoAnswer):
                self._ledger_unread(found, "charges that nothing explains may be missing")
            else:
                self.unexplained = found
        if waits or self._has_nothing_to_send:
            unread = await self._unexplained.look(scan, is_out_of_date=self._is_out_of_date)
            return unread is None or not waits or not self._is_ledger_awaited(unread)
        return True

    def _ledger_unread(self, answer: NoAnswer, so: str) -> None:
        self.is_ledger_unread = True
        self._context.note(f"wanbatch could not read the ledger ({answer.message}); {so}")

    def _not_read(self, answer: NoAnswer) -> None:
        context, now = self._context, self._context.clock.monotonic()
        self.unread = answer
        if self._failing_since is None:
            self._failing_since = now
            context.note(f"wanbatch could not read the provider's request log ({answer.message})")
        if answer.trouble in LASTING:
            self._never_read(answer)
            return
        if answer.is_outage:
            context.unreachable(answer.message)
        self._give_up_waiting(f"wanbatch could not read the provider's request log ({answer.message})")
        if context.schedule.waits_to_submit and now - self._failing_since >= FAILURE_LIMIT_S:
            self._refuse_to_send(ExitCode.PROVIDER_UNREACHABLE, "Run the same command again later")
        elif self.waited_for() or context.schedule.waits_to_submit:
            context.schedule.add_search(now + max(RETRY_S, answer.retry_after_s or 0.0))

    def _never_read(self, answer: NoAnswer) -> None:
        """It will not get better: what is lost is for a person, and so is what was never sent."""
        context = self._context
        for take in [take for take in context.takes if take.state is State.UNKNOWN]:
            self._verdicts.hold(take, f"wanbatch could not read the provider's request log ({answer.message})")
        if context.schedule.waits_to_submit and not context.settings.trust_state:
            self._refuse_to_send(
                ExitCode.DECISION_NEEDED, f"If you know that it is, add --trust-state ({answer.message})"
            )
        context.schedule.allow_submits()

    def _is_ledger_awaited(self, answer: NoAnswer) -> bool:
        """Say whether the first submits wait until the ledger can be read; where it can't, only a doubt stops them."""
        context, now = self._context, self._context.clock.monotonic()
        if self._ledger_failing_since is None:
            self._ledger_failing_since = now
            context.note(f"wanbatch could not read the provider's ledger ({answer.message})")
        if answer.trouble not in LASTING and now - self._ledger_failing_since < FAILURE_LIMIT_S:
            context.schedule.add_search(now + max(RETRY_S, answer.retry_after_s or 0.0))
            return True
        if self._is_out_of_date and not context.settings.trust_state:
            context.stop_submitting(
                ExitCode.DECISION_NEEDED,
                f"this state file is out of date, and wanbatch could not read the provider's ledger ({answer.message})"
                " to tell what else was bought: wanbatch sends nothing. Run the same command again later; if you know"
                " that nothing else was bought, add --trust-state",
            )
        return False

    def _refuse_to_send(self, code: ExitCode, advice: str) -> None:
        self._context.stop_submitting(
            code,
            "wanbatch could not read the provider's request log, so it cannot tell whether this state file is up to"
            f" date: wanbatch sends nothing. {advice}",
        )

    def _give_up_waiting(self, why: str) -> None:
        """Leave to a person what could not be looked up in all the time that an answer may take.

        A submit that was recorded in the future has no age: then the time counts for which this run has tried.
        """
        context, since = self._context, self._failing_since
        tried = timedelta(0) if since is None else timedelta(seconds=context.clock.monotonic() - since)
        for take in [take for take in context.takes if take.state is State.UNKNOWN]:
            ages = [] if take.submitted_at is None else [context.clock.now() - take.submitted_at]
            ages += [] if take.first_searched_at is None else [context.batch_clock.now() - take.first_searched_at]
            known = [each for each in ages if each >= timedelta(0)]
            if min(known, default=tried) >= self._patience():
                self._verdicts.hold(take, why)

    def _mark_grace(self) -> timedelta:
        """Return how long before its end a reading may lack rows: the log is no faster if the user waits less."""
        return max(self._patience() / PATIENCE, default_grace(self._lags_s()))

    def _note_lags(self, scan: LogScan) -> None:
        context = self._context
        last = {each.take_id: each for each in context.state.attempts_of_requests(scan.by_request)}
        for take_id, lag_s in lag_samples(map(context.takes.__getitem__, last), last, scan, self._before).items():
            context.record(take_id, Fact.LOGGED, {"log_lag_s": round(lag_s, 1)})

    # --- submits whose answers were lost

    async def _settle(self, scan: LogScan, *, is_wide: bool) -> None:
        context = self._context
        asked = [take for take in context.takes if take.can_be_searched or take.credits_at_risk != 0]
        followed = [(take, attempt) for take in asked if (attempt := self._followed(take)) is not None]
        attempts = context.state.attempts_as_sent() if followed else []
        evidence = evidence_of(context, scan, (), attempts)
        open_cases: list[tuple[Take, Attempt]] = []
        for take, attempt in followed:
            finding = find(take, attempt, evidence)
            if isinstance(finding, Adopt):
                self._verdicts.adopt(take, attempt, finding, scan)
            elif take.state is State.PLANNED:  # given up, and to be sent again: nothing less than a find stops that
                continue
            elif isinstance(finding, Contradiction):
                self._verdicts.hold(take, finding.why)
            else:
                open_cases.append((take, attempt))
        self._late_generations.note_late(scan)
        self._doubles.note_doubles(scan)
        self._unrecorded_submits.renew_offers()
        self._late_generations.adopt_awaited()
        self._doubles.name_doubles()
        note_doubts(context, scan)
        ended = self._ended(scan) if self._is_thorough or (is_wide and not self._has_asked) else []
        begun = [each.started_at for each in (*(attempt for _, attempt in open_cases), *ended)]
        if not begun:
            return
        charges = await context.provider.charges(context.batch_clock.earliest(min(begun)))
        if isinstance(charges, NoAnswer):
            self._ledger_unread(charges, "lost answers remain unresolved")
            self._give_up_waiting(f"wanbatch could not read the provider's ledger ({charges.message})")
            return
        if ended:
            self._ask(scan, charges, ended)
        if not open_cases:
            return
        evidence = evidence_of(context, scan, charges, context.state.attempts_as_sent())
        for take, attempt in open_cases:
            self._verdicts.judge(context.takes[take.take_id], attempt, evidence)
            note_unowned(context, context.takes[take.take_id], attempt, evidence)

    def _ended(self, scan: LogScan) -> list[Attempt]:
        """Return the attempts in reach of a scan that ended without a generation and that no take waits for.

        Behind them come those that may have made more than the generation that is known of them, or whose generation
        failed: what it was charged as may be called otherwise.
        """
        since = self._context.batch_clock.recorded_since(scan.begin)
        found = self._context.state.nameless_since(since)
        ended = [
            each
            for each in found
            if each.outcome not in (Outcome.OPEN, Outcome.NOT_SENT) and not is_waited_for(self._context, each)
        ]
        more = [each for each in doubted(self._context.state) if each.started_at >= since]
        more += failed_since(self._context, since, FAILED_AT_MOST)
        return ended + list({(each.take_id, each.number): each for each in more}.values())

    def _ask(self, scan: LogScan, charges: Sequence[Charge], ended: Sequence[Attempt]) -> None:
        """Name charges without a take that an attempt may explain which was proven to have made nothing."""
        context = self._context
        self._has_asked = True
        owners = context.state.attempts_of_generations({each.generation_id for each in charges})
        since = context.batch_clock.recorded_since(scan.begin)
        waiting = waited_for_since(context, since)
        models = {each.take_id: models_of(context, each.take_id) for each in (*ended, *waiting)}
        evidence = evidence_of(context, scan, charges, [*owners, *waiting])
        strays = {each.generation_id for each in context.state.strays()}
        found = questions(evidence, ended, models, settled=not self._is_thorough)
        self.questions = [each for each in found if each.charge.generation_id not in strays]
        note_questions(context, self.questions)

    def _followed(self, take: Take) -> Attempt | None:
        """Return the attempt that a take follows, if the log may still tell what became of it."""
        attempts = self._context.state.attempts_of(take.take_id)
        attempt = next((each for each in attempts if each.number == take.attempt), None)
        return attempt if attempt is not None and is_open(take, attempt) else None


def _may_matter(take: Take) -> bool:
    return take.can_be_searched or take.state in (State.QUEUED, State.GENERATING)
