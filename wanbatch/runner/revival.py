"""Revivals: generations that counted as failed, polled once more. One that goes on after all is never lost.

Its take follows it again where the take has nothing better; where another attempt was made meanwhile, it is named.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from wanbatch.batch.attempts import Attempt, Outcome, risk_of
from wanbatch.batch.fallbacks import recipes_of
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.shots import likeness
from wanbatch.batch.take import Take
from wanbatch.errors import ExitCode
from wanbatch.provider.protocol import NoAnswer, Progress, Status, Trouble
from wanbatch.runner.context import RunContext
from wanbatch.runner.offered_generations import double_text
from wanbatch.runner.recipes import recipe_made
from wanbatch.runner.resubmission import recipe_in
from wanbatch.runner.same_bodies import called_now, is_in_place_of, may_have_made

AT_ONCE = 100  # of a run: ten seconds of polls at the default rate
IN_ALL = 1_000  # of a look by hand
UNANSWERED_ROW_LIMIT = 3  # each may take minutes: if there is no answer, the next run looks

_REVIVED = {Status.QUEUED: "runs", Status.GENERATING: "runs", Status.COMPLETED: "completed"}
_FREE = (State.FAILED, State.PLANNED)  # nothing of the take is under way, and it has no clip


async def look_before_sending(context: RunContext) -> None:
    """Poll failed generations once more whose clips this run would buy again: for their takes, or for another's."""
    failed = context.state.failed_generations(IN_ALL)
    by_text: dict[str, list[Take]] = {}
    for take in (called_now(context, context.takes[each]) for each in context.schedule.planned if failed):
        by_text.setdefault(likeness(take.recipe_json)[0], []).append(take)

    def is_bought_again(attempt: Attempt) -> bool:
        owner = _as_sent(context, attempt)
        if owner is None:
            return False  # its shot was edited since
        owner = called_now(context, owner)
        alike = by_text.get(likeness(owner.recipe_json)[0], ())
        return any(take.take_id == owner.take_id or is_in_place_of(take, owner) for take in alike)

    asked = list(filter(is_bought_again, failed))
    context.unanswered |= {each.take_id for each in asked}
    await _look(context, asked, unanswered_limit=UNANSWERED_ROW_LIMIT)


def _as_sent(context: RunContext, attempt: Attempt) -> Take | None:
    """Return the take of an attempt with the recipe that this was sent with; None if its shot was edited since."""
    take = context.takes[attempt.take_id]
    sent = recipes_of(context.state.facts_of(take.take_id)).get(recipe_in(attempt.request_id) or "")
    return None if sent is None else replace(take, recipe_json=sent)


async def look_again(context: RunContext, limit: int) -> int:
    """Poll the newest failed generations once more, up to a limit. Returns how many takes follow theirs again."""
    return await _look(context, context.state.failed_generations(limit), unanswered_limit=UNANSWERED_ROW_LIMIT)


async def _look(context: RunContext, failed: Iterable[Attempt], *, unanswered_limit: int) -> int:
    revived = unanswered = 0
    for attempt in failed:
        assert attempt.generation_id is not None
        if context.is_halted or unanswered >= unanswered_limit:
            break
        answer = await context.provider.poll(attempt.generation_id)
        is_unanswered = isinstance(answer, NoAnswer) and answer.trouble in (Trouble.TRANSIENT, Trouble.KEY)
        unanswered = unanswered + 1 if is_unanswered else 0
        if not is_unanswered:
            context.unanswered.discard(attempt.take_id)
        if not isinstance(answer, Progress) or answer.generation_id != attempt.generation_id:
            continue
        word = None if answer.unknown_word is not None else _REVIVED.get(answer.status)
        if word is None:
            continue
        # Read now: a look at the log may have moved the take while this answer was awaited.
        take = context.takes[attempt.take_id]
        if take.state in _FREE:
            text = f"{_failure_text(attempt)}, but it {word} after all"
            follow(context, take, attempt, text)
            context.note(f"{text}: it is fetched", take.label)
            context.revived.add(take.take_id)
            _name_bought_again(context, take, attempt, text)
            revived += 1
        else:
            _name_double(context, take, attempt, word)
    return revived


def follow(context: RunContext, take: Take, attempt: Attempt, text: str) -> None:
    """Give a take without a clip the generation that it had given up, and warn of why."""
    others = [each for each in context.state.attempts_of(take.take_id) if each.number != attempt.number]
    data = {
        "generation_id": attempt.generation_id,
        "by": "poll",
        "attempt": attempt.number,
        "request_id": attempt.request_id,
        **recipe_made(context, take, attempt),
        "credits_held": attempt.credits_held,
        "credits_estimated": attempt.credits_estimated,
        "is_charge_seen": attempt.credits_charged is not None,
        "credits_at_risk": risk_of(replace(take, state=State.QUEUED, attempt=attempt.number), others),
        "warning": text,
    }
    context.schedule.drop_planned(take.take_id)
    context.record(take.take_id, Fact.ADOPTED, data, Fact.WARNED)
    context.schedule.generation_followed()
    context.schedule.add_poll(take.take_id, context.clock.monotonic())


def _name_bought_again(context: RunContext, take: Take, attempt: Attempt, text: str) -> None:
    """Name a generation whose clip was bought for another take meanwhile: by a model with a seed they are the same."""
    asked = _as_sent(context, attempt)
    if asked is None or "seed" not in asked.recipe.body:
        return
    sent = {take_id for take_id, sha256 in context.state.bodies_sent() if sha256 == attempt.body_sha256}
    others = [context.takes[each] for each in sorted(sent - {take.take_id})]
    bought = [other.label for other in others if may_have_made(context, other, attempt.body_sha256)]
    if bought:
        told = double_text(f"{text}, and {bought[-1]} was bought with the same request")
        context.record(take.take_id, Fact.WARNED, {"warning": told, "doubles": [attempt.generation_id]})
        context.trouble(ExitCode.DECISION_NEEDED, f"{take.label}: {told}; ask the provider to refund one of them")


def _name_double(context: RunContext, take: Take, attempt: Attempt, word: str) -> None:
    """Name a generation whose take has another one by now, and count what it may cost."""
    made = replace(attempt, outcome=Outcome.DOUBLE)
    others = [each for each in context.state.attempts_of(take.take_id) if each.number != attempt.number]
    text = double_text(
        f"{_failure_text(attempt)}, but it {word} after all, after attempt {take.attempt} had already been sent"
    )
    risk = risk_of(take, [*others, made])
    data = {"attempt": attempt.number, "credits_at_risk": risk, "warning": text, "doubles": [attempt.generation_id]}
    context.record(take.take_id, Fact.FAILURE_WITHDRAWN, data, Fact.WARNED)
    context.trouble(ExitCode.DECISION_NEEDED, f"{take.label}: {text}; ask the provider to refund one of them")


def _failure_text(attempt: Attempt) -> str:
    made = f"{attempt.generation_id} (attempt {attempt.number})"
    return (
        f"the provider said that {made} had failed"
        if attempt.has_failed
        else f"wanbatch had gone on with another submit in place of {made}"
    )
