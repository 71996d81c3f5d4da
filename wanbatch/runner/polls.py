"""Polls: how the generations stand, and what each answer means for its take."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from wanbatch.batch.advice import is_refused_prompt
from wanbatch.batch.attempts import Outcome, live, risk_of
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.take import Entry, Take
from wanbatch.errors import ExitCode
from wanbatch.money.charge import Charge
from wanbatch.money.credits import usd_text
from wanbatch.money.ledger import News, news
from wanbatch.pace.schedule import POLL_EVERY_S, backoff_s, queued_poll_s
from wanbatch.provider.links import LASTS, expires_at
from wanbatch.provider.protocol import NoAnswer, Progress, Secret, Status, Trouble
from wanbatch.runner.context import RunContext
from wanbatch.runner.looks import Beside, look_beside
from wanbatch.runner.revival import follow
from wanbatch.runner.spares import Spares

GENERATION_LIMIT_S = 2 * 3600.0  # over thirty times the usual: something is wrong, though it may still end
MISSING_LIMIT_S = 600.0  # an id just given may take a while to be known everywhere
LINKLESS_LIMIT_S = 600.0
SEEN_CHANGE_S = 2.5 * POLL_EVERY_S  # a wider gap between two polls does not say when the queue was left
LOOK_LASTS_S = 30.0  # a retry may wait its turn for hours, and its failure be charged meanwhile
LEDGER_MARGIN = timedelta(days=1)  # our clock and the provider's may differ


class Polls:
    """Asks, and moves takes on. Links are kept in memory only, for the download that follows at once."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._links: dict[int, tuple[tuple[Secret, ...], float]] = {}
        self._queued_at: dict[int, float] = {}
        self._asked_at: dict[int, datetime] = {}
        self._watched_since: dict[int, float] = {}
        self._missing_since: dict[int, float] = {}
        self._linkless_since: dict[int, float] = {}
        self._failures: dict[int, int] = {}
        self._looked_at: dict[int, float] = {}  # by take: when the ledger was read last for what it failed
        self._read: Sequence[Charge] = ()  # what that reading showed
        self._retried: set[int] = set()  # takes that this run, not the user, sends again
        self._began_at = context.clock.now()
        self.failed_and_charged: set[str] = set()  # generations, as this run's readings of the ledger showed them
        self.charged_twice: set[str] = set()
        self._is_dearer = False  # the ledger charges more than was held for a generation
        self.has_followed = False  # a take follows a generation that failed and was charged

    def take_links(self, take_id: int) -> tuple[tuple[Secret, ...], float] | None:
        """Hand over the links of a completed take, its own clip's first, and when they came, once."""
        return self._links.pop(take_id, None)

    async def poll(self, take_id: int) -> None:
        """Ask how a take's generation stands, and record what is new."""
        context, take = self._context, self._context.takes[take_id]
        if take.generation_id is None or take.state not in (State.QUEUED, State.GENERATING, State.COMPLETED):
            return  # what the log told meanwhile has settled it
        answer = await context.provider.poll(take.generation_id)
        if context.takes[take_id].state is State.HELD:
            return  # what the log told meanwhile has settled it
        if isinstance(answer, NoAnswer):
            self._no_answer(take, answer)
            return
        context.reached()
        self._failures.pop(take_id, None)
        self._missing_since.pop(take_id, None)
        if answer.generation_id != take.generation_id:
            text = f"wanbatch asked about {take.generation_id}, and the provider answered about {answer.generation_id}"
            context.hold(take_id, f"{text}. The next run asks again")
            return
        if take.state is State.COMPLETED:
            self._linked(take, answer)
            return
        if answer.status is not Status.FAILED and context.failing_since.pop(take_id, None) is not None:
            text = "the provider said that it had failed, and later that it had not"
            take = context.record(take_id, Fact.WARNED, {"warning": text})
        match answer.status:
            case Status.QUEUED | Status.GENERATING:
                self._running(take, answer)
            case Status.COMPLETED:
                self._completed(take, answer)
            case Status.FAILED:
                await self._failed(take, answer)
            case _:
                assert answer.status is Status.EXPIRED
                text = f"the generation ended without a clip ({answer.error}); it may have been charged"
                context.hold(take_id, text, needs_user=True)

    # --- the answers

    def _running(self, take: Take, answer: Progress) -> None:
        context, take_id = self._context, take.take_id
        now = context.clock.monotonic()
        asked_age_s = self._asked_age_s(take)
        self._asked_at[take_id] = context.clock.now()
        if answer.unknown_word is not None:
            text = f"the provider returned the unknown status '{answer.unknown_word}', which wanbatch treats as running"
            context.record(take_id, Fact.WARNED, {"warning": text})
        if answer.status is Status.QUEUED and take.state is State.QUEUED:
            self._queued_at[take_id] = now
        elif answer.status is Status.GENERATING and take.state is State.QUEUED:
            last = self._queued_at.pop(take_id, None)
            gap_s = now - last if last is not None else self._age_s(take)  # the submit answer said queued, too
            take = context.record(take_id, Fact.GENERATION_STARTED, {"seen_change": gap_s <= SEEN_CHANGE_S})
        watched_s = now - self._watched_since.setdefault(take_id, now)  # our clock may have been set back
        age_s = max(self._age_s(take), watched_s)
        if age_s > GENERATION_LIMIT_S:
            self._hold(take_id, f"the generation has not ended after {age_s / 60:.0f} min and may still be running")
            return
        if take.state is State.QUEUED:
            context.schedule.add_poll(take_id, now + queued_poll_s(age_s))
            return
        age_s = self._generating_s(take)
        context.hazards.of(take.order.price_class).add_watched(min(asked_age_s or 0.0, age_s), age_s)
        context.plan_poll(take, age_s)

    def _age_s(self, take: Take) -> float:
        began = take.accepted_at or take.submitted_at
        return 0.0 if began is None else (self._context.clock.now() - began).total_seconds()

    def _generating_s(self, take: Take) -> float:
        """Return how long a take has been generated; since it was accepted, if its start was not seen."""
        began = take.started_at or take.accepted_at or take.submitted_at
        return 0.0 if began is None else max(0.0, (self._context.clock.now() - began).total_seconds())

    def _asked_age_s(self, take: Take) -> float | None:
        """Return the age at the last poll that this run made of a take; before the first, 0 if this run sent it."""
        asked, began = self._asked_at.get(take.take_id), take.started_at or take.accepted_at or take.submitted_at
        if asked is None:
            return 0.0 if take.accepted_at is not None and take.accepted_at >= self._began_at else None
        return None if began is None else max(0.0, (asked - began).total_seconds())

    def _learn_end(self, take: Take) -> None:
        """Note when a generation ended: between the last poll and this one. An unwatched one shows nothing."""
        asked_age_s = self._asked_age_s(take)
        if take.completed_at is None and asked_age_s is not None:
            self._context.hazards.of(take.order.price_class).add_end(asked_age_s, self._generating_s(take))

    def _completed(self, take: Take, answer: Progress) -> None:
        context, take_id = self._context, take.take_id
        self._learn_end(take)
        context.breaker.went_well()
        last = self._asked_at.pop(take_id, None)
        self._queued_at.pop(take_id, None)
        taken = context.record(
            take_id, Fact.COMPLETED, {"last_running_at": last.isoformat(timespec="milliseconds") if last else None}
        )
        context.schedule.generation_ended()
        self._linked(taken, answer)

    def _linked(self, take: Take, answer: Progress) -> None:
        """Go on to the download with the link of this answer, or ask again for one."""
        context, take_id, now = self._context, take.take_id, self._context.clock.monotonic()
        if answer.status is Status.COMPLETED and answer.link is not None:
            self._linkless_since.pop(take_id, None)
            self._links[take_id] = ((answer.link, *answer.more_links), now)
            ends_at = expires_at(answer.link.reveal())
            lasts = LASTS if ends_at is None else ends_at - context.clock.now()
            is_first = take_id in context.urgent
            context.schedule.add_download(take_id, first=is_first, expires=now + lasts.total_seconds())
            context.urgent.discard(take_id)
            return
        since = self._linkless_since.setdefault(take_id, now)
        if now - since > LINKLESS_LIMIT_S:
            self._hold(take_id, "the clip is paid for, and the provider returns no link to it")
        else:
            context.schedule.add_poll(take_id, now + POLL_EVERY_S)

    async def _failed(self, take: Take, answer: Progress) -> None:
        """Record that the provider failed it, once it said so twice.

        A new attempt is planned only if no charge shows and tries are left.
        """
        context, take_id = self._context, take.take_id
        message = answer.error or "the provider gave no reason"
        if take_id not in context.failing_since:
            self._learn_end(take)
        if not context.is_failure_sure(take_id):
            context.note_failure(take_id, message)
            return
        del context.failing_since[take_id]
        self._asked_at.pop(take_id, None)
        context.schedule.generation_ended()
        context.record(take_id, Fact.GENERATION_FAILED, {"error": message})
        Spares(context).adopt_spares()
        if live(context.state.attempts_of(take_id)):
            return  # an earlier submit made its clip: no other is bought
        if not is_refused_prompt(message):
            context.failed(take_id, message)
        if is_refused_prompt(message) or not context.may_try_again(take):
            return  # the ledger is looked at once, at the end of the run
        if not await self._shows_no_charge(take_id):
            return  # nothing proves that it cost nothing
        if await look_beside(context, take_id, self._read) is not Beside.NOTHING:
            return  # a charge without a take may be of it: a person looks first, and `retry` sends it
        if context.takes[take_id].credits_charged is not None:
            return  # what was charged for nothing, now or before, is not followed by more money on its own
        if context.takes[take_id].state is State.FAILED:  # the log may have shown another submit of it meanwhile
            context.record(take_id, Fact.RETRY_PLANNED, {"by": "policy"})
            self._retried.add(take_id)
            context.plan_again(take_id)

    async def _shows_no_charge(self, take_id: int) -> bool:
        """Read the ledger since a take was first sent; False if it is unread, or an entry of it may be its own."""
        attempts = self._context.state.attempts_of(take_id)
        charges = await self.read_ledger(min(each.started_at for each in attempts))
        if charges is None:
            return False
        self._looked_at[take_id], self._read = self._context.clock.monotonic(), charges
        ours = {"", *(each.generation_id for each in attempts)}
        return all(each.is_legible or each.generation_id not in ours for each in charges)

    def owes_look(self, take_id: int) -> bool:
        """Say whether the ledger is to be read before a take is sent again: a generation of it failed, and the last
        reading is not of just now.
        """
        context = self._context
        if context.takes[take_id].attempts == 0:
            return False
        looked_at = self._looked_at.get(take_id)
        if looked_at is not None and context.clock.monotonic() - looked_at <= LOOK_LASTS_S:
            return False
        attempts = context.state.attempts_of(take_id)
        return any(each.outcome is Outcome.FAILED and each.generation_id is not None for each in attempts)

    async def look_before_again(self, take_id: int) -> None:
        """Read the ledger once more before a take is sent again whose generation failed.

        Where a charge shows, the take follows the generation that was charged. Where nothing can be read, only the
        user's own word lets it be sent. A charge without a take that was not named before stops it in this run.
        """
        context = self._context
        shows_none = await self._shows_no_charge(take_id)
        beside = await look_beside(context, take_id, self._read) if shows_none else Beside.UNREAD
        if context.takes[take_id].state is not State.PLANNED:
            return
        is_agreed = beside is Beside.NAMED_BEFORE and take_id not in self._retried
        is_agreed = is_agreed or (beside is Beside.UNREAD and is_user_asking(context.state.facts_of(take_id)))
        if beside is Beside.NOTHING or is_agreed:
            self._looked_at[take_id] = context.clock.monotonic()
            context.schedule.add_planned(take_id, first=True)
            return
        if beside is not Beside.UNREAD:
            label = context.takes[take_id].label
            text = f"{label} is not sent again in this run, as a charge that belongs to no take may be what its failed"
            context.trouble(ExitCode.DECISION_NEEDED, f"{text} generation cost. The same command sends it again")
            return
        context.trouble(
            ExitCode.PROVIDER_UNREACHABLE,
            f"{context.takes[take_id].label} failed, and wanbatch could not read in the ledger whether that was"
            " charged, so it does not send the take again in this run. Run the same command again later",
        )

    def _hold(self, take_id: int, why: str) -> None:
        """Hold a take whose generation the next run asks about again; what else was made for it is offered."""
        take = self._context.takes[take_id]
        made = live(self._context.state.attempts_of(take_id)) - {take.generation_id}
        offers = [f"`wanbatch resolve {take.label} --adopt {each}`" for each in sorted(made)]
        offer = f". Another generation was made for it, which you can have: {' or '.join(offers)}" if offers else ""
        self._context.hold(take_id, f"{why}. The next run asks again{offer}")

    def _no_answer(self, take: Take, answer: NoAnswer) -> None:
        context, take_id, now = self._context, take.take_id, self._context.clock.monotonic()
        match answer.trouble:
            case Trouble.KEY:
                context.halt(
                    ExitCode.ACCOUNT_STOPPED,
                    f"the provider refused the key when wanbatch asked how takes stand ({answer.message})."
                    " Nothing is lost: check the key, then run the same command again",
                )
            case Trouble.INVALID:
                context.hold(take_id, f"the provider refuses to say how this generation stands ({answer.message})")
            case Trouble.NOT_FOUND:
                since = self._missing_since.setdefault(take_id, now)
                if now - since > MISSING_LIMIT_S:
                    self._hold(take_id, f"the provider no longer knows this generation ({answer.message})")
                else:
                    context.schedule.add_poll(take_id, now + POLL_EVERY_S)
            case _:
                assert answer.trouble is Trouble.TRANSIENT
                failures = self._failures[take_id] = self._failures.get(take_id, 0) + 1
                if answer.is_outage:
                    context.unreachable(answer.message)
                if answer.retry_after_s is not None:
                    context.schedule.pause_polls(now + answer.retry_after_s)
                elif answer.is_too_fast:
                    context.schedule.pause_polls(now + backoff_s(failures, context.rng))
                context.schedule.add_poll(take_id, now + POLL_EVERY_S + backoff_s(failures, context.rng))

    # --- the ledger

    async def match_ledger(self, since: datetime | None = None) -> bool:
        """Record what the ledger shows by now for this batch, or for what was sent since a time.

        False if it cannot be read.
        """
        return await self.read_ledger(since) is not None

    async def read_ledger(self, since: datetime | None = None) -> Sequence[Charge] | None:
        """Read the ledger, record what is new for this batch, and return its charges; None if it cannot be read.

        A charge may come late, for an attempt that was given up long ago, or twice; each is recorded once. With `since`
        only what was sent then or later is looked for, so that all charges of a generation are read, or none.
        """
        context = self._context
        await context.measure_clocks()  # if that fails, by what is known of them
        begun = [] if since is None else [context.batch_clock.earliest(since)]
        if since is None:
            sent = (context.state.first_sent_at(), *(each.at for each in context.state.strays()))
            begun = [min(context.batch_clock.earliest(at), at - LEDGER_MARGIN) for at in sent if at is not None]
        if not begun:
            return ()
        charges = await context.provider.charges(min(begun))
        if isinstance(charges, NoAnswer):
            context.note(f"wanbatch could not read the ledger ({charges.message}); charges stay unknown for now")
            return None
        # Read now: another look may have recorded the same charges while this one waited.
        attempts = context.state.attempts_of_generations({each.generation_id for each in charges})
        for each in news(attempts, charges):
            if since is None or each.attempt.started_at >= since:
                self._charged(each)
        self._name_passed_cap()
        return charges

    def _name_passed_cap(self) -> None:
        """Say where charges that are higher than their holds passed the cap: no submit could see that coming."""
        context, cap = self._context, self._context.budget.cap_credits
        if self._is_dearer and cap is not None and context.budget.committed > cap:
            context.trouble(
                ExitCode.BUDGET_REACHED,
                f"the cap of {usd_text(cap)} is passed: {usd_text(context.budget.committed)} is committed, as the"
                " ledger charges more than was held. Ask the provider's support",
            )

    def _charged(self, found: News) -> None:
        context, attempt = self._context, found.attempt
        take_id = attempt.take_id
        data = {
            "generation_id": attempt.generation_id,
            "credits_charged": found.credits_charged,
            "credits_more": found.credits_more,
        }
        if attempt.credits_at_risk != 0:
            others = [each for each in context.state.attempts_of(take_id) if each.number != attempt.number]
            data["credits_at_risk"] = risk_of(context.takes[take_id], others)
        context.record(take_id, Fact.CHARGED, data)
        assert attempt.generation_id is not None
        if found.charges > 1:
            self.charged_twice.add(attempt.generation_id)
            text = f"charged {found.charges} times: the ledger shows a second charge for {attempt.generation_id}"
            self._warn(take_id, f"{text}, so ask the provider's support", attempt.generation_id)
        elif attempt.credits_held is not None and found.credits_charged > attempt.credits_held:
            self._is_dearer = True
            held = usd_text(attempt.credits_held)
            text = (
                f"the ledger charges {usd_text(found.credits_charged)} for {attempt.generation_id}, and {held} was held"
            )
            self._warn(take_id, f"{text}: ask the provider's support")
        if attempt.has_failed:
            self.failed_and_charged.add(attempt.generation_id)
            text = "the provider charged for this generation, which failed: ask the provider's support"
            self._warn(take_id, text, attempt.generation_id)
            if context.takes[take_id].state is State.PLANNED:  # nothing is bought after a failure that was charged
                text = f"{attempt.generation_id} was charged before the take was sent again"
                text = f"{text}: wanbatch asks about it once more"
                charged = next(each for each in context.state.attempts_of(take_id) if each.number == attempt.number)
                follow(context, context.takes[take_id], charged, text)
                self.has_followed = True

    def _warn(self, take_id: int, warning: str, breach: str | None = None) -> None:
        """Record a warning beside a take; `breach` is the generation whose charge breaks the provider's word."""
        told = {} if breach is None else {"breaches": [breach]}
        self._context.record(take_id, Fact.WARNED, {"warning": warning, **told})

    def name_breaches(self) -> None:
        """Report charges that should not be: for what the provider failed, and for one generation more than once."""
        context = self._context
        for attempt in context.state.attempts_of_generations(self.failed_and_charged | self.charged_twice):
            label = context.takes[attempt.take_id].label
            if attempt.generation_id in self.charged_twice:
                text = f"{label}: the ledger charges {attempt.generation_id} more than once: ask the provider's support"
                context.trouble(ExitCode.DECISION_NEEDED, text)
            if attempt.generation_id in self.failed_and_charged and attempt.has_failed:
                text = f"{label}: the provider failed {attempt.generation_id} and charged it: ask its support"
                context.trouble(ExitCode.DECISION_NEEDED, text)


def is_user_asking(facts: Iterable[Entry]) -> bool:
    """Say whether the user, not wanbatch, decided to send a take again, by the facts of that take."""
    words = [each for each in facts if each.fact in (Fact.RETRY_PLANNED, Fact.RESUBMIT_ALLOWED)]
    return bool(words) and words[-1].data.get("by", "user") == "user"
