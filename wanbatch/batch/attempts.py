"""Attempts: one paid HTTP submit each. How one begins, and how facts about its take change it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.take import Entry, Take


class Outcome(StrEnum):
    """How an attempt ended, or `open` while its answer or its generation is awaited."""

    OPEN = "open"
    NOT_SENT = "not_sent"
    TURNED_AWAY = "turned_away"
    REFUSED = "refused"
    LOST = "lost"
    ABANDONED = "abandoned"
    FAILED = "failed"
    COMPLETED = "completed"
    # One generation too many: a second one of a submit that had one (numbered downwards from -1), or one that counted
    # as failed and went on after its take had.
    DOUBLE = "double"


NO_POST = frozenset({Outcome.NOT_SENT, Outcome.TURNED_AWAY, Outcome.REFUSED})
"""Outcomes that prove that nothing was made."""
MAY_BE_CHARGED = frozenset({Outcome.LOST, Outcome.ABANDONED, Outcome.DOUBLE})
"""Outcomes of attempts that a take went on without, and that the ledger may charge all the same."""


@dataclass(frozen=True)
class Attempt:
    """One paid HTTP submit. `body_sha256` is that of the very body sent; times are UTC, credits whole or unknown."""

    take_id: int
    number: int
    request_id: str
    body_sha256: str
    key_fingerprint: str
    started_at: datetime
    outcome: Outcome = Outcome.OPEN
    ended_at: datetime | None = None
    http_status: int | None = None
    generation_id: str | None = None
    credits_estimated: int | None = None
    credits_held: int | None = None
    credits_charged: int | None = None
    is_echoed: bool | None = None
    error: str = ""

    @property
    def has_failed(self) -> bool:
        """Say whether the provider said that it failed.

        What it says is kept as the error: older files call failed, without one, what their takes had only left for
        another submit.
        """
        return self.outcome is Outcome.FAILED and bool(self.error)

    @property
    def is_called_free(self) -> bool:
        """Say whether the provider said that it cost nothing: it failed what was made, or refused to make it."""
        return self.has_failed or self.outcome in (Outcome.TURNED_AWAY, Outcome.REFUSED)

    @property
    def credits_at_risk(self) -> int | None:
        """What it may still be charged although its take went on without it: 0 if it cannot, None if unknown."""
        if self.outcome not in MAY_BE_CHARGED or self.credits_charged is not None:
            return 0
        return max((each for each in (self.credits_held, self.credits_estimated) if each is not None), default=None)


def given_up(take: Take, attempts: Iterable[Attempt]) -> list[Attempt]:
    """Return the attempts of a take except the one that it follows while it is under way."""
    under_way = 0 if take.state in (State.PLANNED, State.FAILED) else take.attempt
    return [each for each in attempts if each.take_id == take.take_id and each.number != under_way]


def risk_of(take: Take, attempts: Iterable[Attempt]) -> int | None:
    """Sum what the given-up attempts of a take may still be charged; None if one of them is unknown.

    The attempt that a take under way follows is not given up: `Take.credits_open` counts it.
    """
    risks = [each.credits_at_risk for each in given_up(take, attempts)]
    known = [risk for risk in risks if risk is not None]
    return sum(known) if len(known) == len(risks) else None


def live(attempts: Iterable[Attempt]) -> set[str]:
    """Return the generations of these attempts, except those that failed according to the provider."""
    kept = [each.generation_id for each in attempts if not each.has_failed]
    return {each for each in kept if each is not None}


def adoption(take: Take, maker: Attempt, attempts: Iterable[Attempt]) -> dict[str, Any]:
    """Return the data of the fact that the generation of one attempt, which may be an earlier one, is its take's."""
    others = [_given_up(each) for each in attempts if each.number != maker.number]
    return {
        "generation_id": maker.generation_id,
        "attempt": maker.number,
        "request_id": maker.request_id,
        "credits_held": maker.credits_held,
        "credits_estimated": maker.credits_estimated,
        "is_charge_seen": maker.credits_charged is not None,
        "credits_at_risk": risk_of(replace(take, attempt=maker.number), others),
    }


def _given_up(attempt: Attempt) -> Attempt:
    return replace(attempt, outcome=Outcome.ABANDONED) if attempt.outcome is Outcome.OPEN else attempt


def risk_left(attempts: Iterable[Attempt], found: int) -> int | None:
    """Sum what a take's other attempts may still be charged once a submit of this number was found; None if unknown.

    One whose generation runs goes on: that another submit is known says nothing about it.
    """
    risks = [_given_up(each).credits_at_risk for each in attempts if each.number != found]
    known = [risk for risk in risks if risk is not None]
    return sum(known) if len(known) == len(risks) else None


_ATTEMPT_ENDS: dict[Fact, Outcome] = {
    Fact.NOT_SENT: Outcome.NOT_SENT,
    Fact.TURNED_AWAY: Outcome.TURNED_AWAY,
    Fact.REFUSED: Outcome.REFUSED,
    Fact.ANSWER_LOST: Outcome.LOST,
    Fact.GENERATION_FAILED: Outcome.FAILED,
    Fact.FOUND_FAILED: Outcome.FAILED,
    Fact.ABANDONED: Outcome.ABANDONED,
    Fact.COMPLETED: Outcome.COMPLETED,
}


def begin_attempt(take_id: int, entry: Entry) -> Attempt:
    """Make the attempt that a SUBMIT_STARTED fact opens."""
    data = entry.data
    return Attempt(
        take_id=take_id,
        number=data["attempt"],
        request_id=data["request_id"],
        body_sha256=data["body_sha256"],
        key_fingerprint=data["key_fingerprint"],
        started_at=entry.at,
        credits_estimated=data.get("credits_estimated"),
    )


def unrecorded_attempt(take_id: int, entry: Entry) -> Attempt:
    """Make the attempt that a FOUND_UNRECORDED fact reveals: only the log's data are known."""
    return _revealed_attempt(take_id, entry, Outcome.LOST)


def double_attempt(take_id: int, entry: Entry) -> Attempt:
    """Make the attempt that a FOUND_DOUBLE fact reveals: a generation that was not ordered."""
    return replace(_revealed_attempt(take_id, entry, Outcome.DOUBLE), generation_id=entry.data["generation_id"])


def _revealed_attempt(take_id: int, entry: Entry, outcome: Outcome) -> Attempt:
    data = entry.data
    return Attempt(
        take_id=take_id,
        number=data["attempt"],
        request_id=data["request_id"],
        body_sha256="",
        key_fingerprint=data["key_fingerprint"],
        started_at=datetime.fromisoformat(data["at"]),
        outcome=outcome,
        ended_at=entry.at,
        credits_held=data.get("credits_held"),
        error=data["error"],
    )


def double_number(attempts: Iterable[Attempt]) -> int:
    """Return the number of a take's next double."""
    return min((each.number for each in attempts if each.number < 0), default=0) - 1


def doubled(attempts: Iterable[Attempt]) -> set[int]:
    """Return the ids of takes that more than one generation was or may be charged for."""
    made: dict[int, set[str]] = {}
    for each in attempts:
        if each.generation_id is not None and not each.has_failed:
            made.setdefault(each.take_id, set()).add(each.generation_id)
    return {take_id for take_id, generations in made.items() if len(generations) > 1}


def charged_for_nothing(attempts: Iterable[Attempt]) -> set[int]:
    """Return the ids of takes with a failed generation that was charged for."""
    return {each.take_id for each in attempts if each.has_failed and each.credits_charged}


def advance_attempt(attempt: Attempt, entry: Entry) -> Attempt:
    """Return the attempt after a fact about its take."""
    noted = {
        name: entry.data[name]
        for name in ("http_status", "generation_id", "credits_held", "credits_charged", "is_echoed", "error")
        if name in entry.data
    }
    if entry.fact is Fact.RESUBMIT_ALLOWED and attempt.outcome is Outcome.OPEN:
        return replace(attempt, outcome=Outcome.ABANDONED, ended_at=entry.at)
    if entry.fact is Fact.ADOPTED:
        return replace(attempt, **noted, outcome=Outcome.OPEN, ended_at=None)
    if (
        entry.fact is Fact.FOUND_LATE and attempt.outcome not in MAY_BE_CHARGED
    ):  # the proof that it made nothing was wrong
        return replace(attempt, **noted, outcome=Outcome.LOST)
    if entry.fact in (Fact.ACCEPTED, Fact.PRICED, Fact.CHARGED, Fact.FOUND_LATE):
        return replace(attempt, **noted)
    if entry.fact is Fact.FAILURE_WITHDRAWN:
        return replace(attempt, **noted, outcome=Outcome.DOUBLE)
    if entry.fact in _ATTEMPT_ENDS:
        return replace(attempt, **noted, outcome=_ATTEMPT_ENDS[entry.fact], ended_at=entry.at)
    return attempt


_END_TEXTS = {
    Outcome.NOT_SENT: "which seemed not to have been sent",
    Outcome.TURNED_AWAY: "which the provider had refused for the moment",
    Outcome.REFUSED: "which the provider had refused",
    Outcome.FAILED: "which the provider's log had listed as failed",
}


def end_text(attempt: Attempt) -> str:
    """Say how an attempt ended that its take went on without: a clause for a message."""
    if attempt.generation_id is not None and attempt.has_failed:
        return f"whose generation {attempt.generation_id} the provider had reported as failed"
    if attempt.generation_id is not None:
        return f"for which the log shows only {attempt.generation_id}"
    return _END_TEXTS.get(attempt.outcome, "which was given up")


def attempts_after(before: Take, take: Take, entry: Entry, attempts: Sequence[Attempt]) -> list[Attempt]:
    """Return the attempts that a fact about their take makes or changes, in the order in which to store them.

    `before` is the take without the fact, `take` with it; `attempts` are all that it had. No two are open at once.
    """
    if entry.fact is Fact.SUBMIT_STARTED:
        return [begin_attempt(take.take_id, entry)]
    if entry.fact is Fact.FOUND_DOUBLE:
        return [double_attempt(take.take_id, entry)]
    if entry.fact is Fact.FOUND_UNRECORDED:
        return [*_ended(attempts, entry), unrecorded_attempt(take.take_id, entry)]
    is_another = entry.fact is Fact.ADOPTED and before.attempt != take.attempt
    ended = _ended(attempts, entry) if is_another else []
    latest = {each.number: each for each in (*attempts, *ended)}
    return ended + [advance_attempt(each, entry) for each in latest.values() if _is_about(entry, each, take)]


def _ended(attempts: Iterable[Attempt], entry: Entry) -> list[Attempt]:
    """Return the open attempts of a take as they end once it follows another one: what they made may run on."""
    ended = [each for each in attempts if each.outcome is Outcome.OPEN]
    return [replace(each, outcome=Outcome.ABANDONED, ended_at=entry.at) for each in ended]


def _is_about(entry: Entry, attempt: Attempt, take: Take) -> bool:
    """Say whether a fact is about this attempt: of the one that its take follows, unless it names another."""
    if entry.fact is Fact.CHARGED and "generation_id" in entry.data:  # a ledger may tell late of an earlier one
        return attempt.generation_id is not None and attempt.generation_id == entry.data["generation_id"]
    if entry.fact in (Fact.FOUND_LATE, Fact.FAILURE_WITHDRAWN):
        return bool(attempt.number == entry.data["attempt"])
    return attempt.number == take.attempt
