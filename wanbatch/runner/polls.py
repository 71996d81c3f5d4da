"""Polls: how the generations stand, and what each answer means for its take."""

from __future__ import annotations

from datetime import datetime, timedelta

from wanbatch.batch.attempts import live
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.remedies import is_refused_prompt
from wanbatch.batch.take import Take
from wanbatch.errors import ExitCode
from wanbatch.pace.backoff import backoff_s
from wanbatch.pace.polling import POLL_EVERY_S, queued_poll_s
from wanbatch.provider.link_expiry import LASTS, expires_at
from wanbatch.provider.protocol import NoAnswer, Progress, Secret, Status, Trouble
from wanbatch.runner.context import RunContext
from wanbatch.runner.fallbacks import fall_back, fallback_for
from wanbatch.runner.late_generations import LateGenerations
from wanbatch.runner.rechecks import Rechecks

GENERATION_LIMIT_S = 2 * 3600.0  # over thirty times the usual: something is wrong, though it may still end
MISSING_LIMIT_S = 600.0  # an id just given may take a while to be known everywhere
LINKLESS_LIMIT_S = 600.0
SEEN_CHANGE_S = 2.5 * POLL_EVERY_S  # a wider gap between two polls does not say when the queue was left
LEDGER_MARGIN = timedelta(days=1)  # our clock and the provider's may differ


class Polls:
    """Asks, and moves takes on. Links are kept in memory only, for the download that follows at once."""

    def __init__(self, context: RunContext, rechecks: Rechecks) -> None:
        self._context = context
        self._rechecks = rechecks
        self._links: dict[int, tuple[tuple[Secret, ...], float]] = {}
        self._queued_at: dict[int, float] = {}
        self._asked_at: dict[int, datetime] = {}
        self._watched_since: dict[int, float] = {}
        self._missing_since: dict[int, float] = {}
        self._linkless_since: dict[int, float] = {}
        self._failures: dict[int, int] = {}
        self._began_at = context.clock.now()

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
            text = f"wanbatch asked about {take.generation_id}, but the provider answered about {answer.generation_id}"
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
        context.forecast.seen_running(take_id, self._asked_at[take_id])
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
        if answer.remark is not None:
            text = f"the provider said that the generation failed ({answer.remark}), but gave a link to its clip"
            context.record(take_id, Fact.WARNED, {"warning": text})
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
            self._hold(take_id, "the clip is paid for, but the provider returns no link to it")
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
        LateGenerations(context).adopt_awaited()
        if live(context.state.attempts_of(take_id)):
            return  # an earlier submit made its clip: no other is bought
        goes_on = self._goes_on(take_id, message)
        if fallback_for(context, take_id) is None and not is_refused_prompt(message):
            context.failed(take_id, message)  # with a fallback left, its model may make what this one does not
        if goes_on is None:
            return  # the ledger is looked at once, at the end of the run
        if await self._rechecks.may_retry(take_id):
            self._go_on(take_id, goes_on)

    def _goes_on(self, take_id: int, message: str) -> Fact | None:
        """Return how a take goes on whose generation failed: once more, with its fallback, or not at all."""
        if not is_refused_prompt(message) and self._context.may_try_again(self._context.takes[take_id]):
            return Fact.RETRY_PLANNED
        return None if fallback_for(self._context, take_id) is None else Fact.MODEL_CHANGED

    def _go_on(self, take_id: int, how: Fact) -> None:
        if how is Fact.MODEL_CHANGED:
            fall_back(self._context, take_id)
            return
        self._context.record(take_id, Fact.RETRY_PLANNED, {"by": "policy"})
        self._context.plan_again(take_id)

    def _hold(self, take_id: int, why: str) -> None:
        """Hold a take whose generation the next run asks about again; what else was made for it is offered."""
        take = self._context.takes[take_id]
        made = live(self._context.state.attempts_of(take_id)) - {take.generation_id}
        offers = [f"`wanbatch resolve {take.label} --adopt {each}`" for each in sorted(made)]
        offer = f". Another generation was made for it; to use that one: {' or '.join(offers)}" if offers else ""
        self._context.hold(take_id, f"{why}. The next run asks again{offer}")

    def _no_answer(self, take: Take, answer: NoAnswer) -> None:
        context, take_id, now = self._context, take.take_id, self._context.clock.monotonic()
        match answer.trouble:
            case Trouble.KEY:
                context.halt(
                    ExitCode.ACCOUNT_STOPPED,
                    f"the provider refused the key when wanbatch asked about the takes ({answer.message})."
                    " Nothing is lost: check the key, then run the same command again",
                )
            case Trouble.INVALID:
                context.hold(take_id, f"the provider refuses to say what became of this generation ({answer.message})")
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
