"""Decisions of the user: one look into the provider's log and ledger, and what is decided on takes that are held."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from wanbatch.batch.alarms import ALARM_FACTS
from wanbatch.batch.attempts import (
    MAY_BE_CHARGED,
    Attempt,
    Outcome,
    adoption,
    charged_for_nothing,
    double_number,
    doubled,
)
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.remedies import in_folder
from wanbatch.batch.take import Take
from wanbatch.errors import ExitCode, ProviderUnreachable, UsageInvalid
from wanbatch.money.charge import Charge
from wanbatch.money.ledger import LedgerLine, LedgerReading, LoggedSubmit, Verdict, match_ledger, may_have_made
from wanbatch.provider.answers import read_generation_id
from wanbatch.provider.protocol import NoAnswer, Trouble
from wanbatch.runner.charges import ChargeRecorder
from wanbatch.runner.context import RunContext
from wanbatch.runner.doubles import mixed_up_text
from wanbatch.runner.other_keys import give_up_keys, keys_given_up, keys_of
from wanbatch.runner.polls import LEDGER_MARGIN
from wanbatch.runner.recipes import recipe_made
from wanbatch.runner.revival import IN_ALL, look_again
from wanbatch.runner.searches import LASTING, Searches
from wanbatch.runner.submits import lost_text
from wanbatch.runner.unexplained import answer_for, share_account
from wanbatch.session.alarms import stray_text
from wanbatch.state.file import StateFile

_MAY_HAVE_MADE = MAY_BE_CHARGED | {Outcome.OPEN}


class Decision(StrEnum):
    """What the user decides on a take that is held or unknown; WITHDRAW on one that is planned."""

    ADOPT = "adopt"
    RESUBMIT = "resubmit"
    ABANDON = "abandon"
    WITHDRAW = "withdraw"


@dataclass(frozen=True)
class Answers:
    """What the user answers to the questions of earlier looks, for this and every later one.

    `without_keys` are fingerprints of keys that the user no longer has, `not_mine` generations whose charges do not
    belong to this batch; `is_account_shared` where other people or programs use the account.
    """

    without_keys: tuple[str, ...] = ()
    not_mine: tuple[str, ...] = ()
    is_account_shared: bool = False

    def note(self, state: StateFile) -> None:
        """Remember them. Raises UsageInvalid for a key that was never used here, or a generation of this batch."""
        if self.without_keys:
            give_up_keys(state, self.without_keys)
        owned = state.attempts_of_generations(self.not_mine)
        if owned:
            raise UsageInvalid(f"generation {owned[0].generation_id} was made by a submit of this batch")
        if self.not_mine:
            answer_for(state, self.not_mine)
        if self.is_account_shared:
            share_account(state)


NO_ANSWERS = Answers()


@dataclass(frozen=True)
class Reconciled:
    """What a look brought. Takes by label; `credits_charged` sums what the ledger shows for this batch by now.

    `doubles` are takes with more than one generation, `twice` those with one that was charged for more than once,
    `breaches` those with a failed generation that it charges, `questions` those that may explain a charge that belongs
    to no take, `unseen` those with submits that this key's log does not show, as they were sent with another;
    `unseen_submits` counts these, without those of `keys_given_up`, and `unseen_keys` are their keys; `uncharged` are
    verified takes whose charge it does not show yet, `unreadable` those of which it shows an entry whose amount cannot
    be read; `lowered` are takes that it charges less for by now than was recorded. `unexplained` are charges for models
    like this batch's that neither this folder nor this key's log accounts for; `needs_you` says what else this look
    found that needs the user, and which submits belong to no take; `not_charged` are generations that the user named as
    others', and that nothing was charged for. `ledger` has a line
    for each generation, as the provider's books stood at `read_at`. `is_log_refused` where the provider refuses its log
    to this key.
    """

    adopted: tuple[str, ...]
    failed: tuple[str, ...]
    planned: tuple[str, ...]
    open: tuple[str, ...]
    doubles: tuple[str, ...]
    twice: tuple[str, ...]
    uncharged: tuple[str, ...]
    breaches: tuple[str, ...]
    questions: tuple[str, ...]
    credits_charged: int
    is_ledger_read: bool
    is_log_read: bool = True
    is_log_refused: bool = False
    unseen: tuple[str, ...] = ()
    unseen_submits: int = 0
    unseen_keys: tuple[str, ...] = ()
    keys_given_up: tuple[str, ...] = ()
    unexplained: tuple[Charge, ...] = ()
    needs_you: tuple[str, ...] = ()
    not_charged: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    lowered: tuple[str, ...] = ()
    ledger: tuple[LedgerLine, ...] = ()
    read_at: datetime | None = None


async def reconcile(context: RunContext, not_mine: Collection[str] = ()) -> Reconciled:
    """Read log and ledger once, record what they prove, and report it. Sends nothing paid.

    `not_mine` are generations whose charges the user says do not belong to this batch.
    """
    take_up(context)
    before = {take.take_id: take.state for take in context.state.takes()}
    searches = Searches(context, is_thorough=True)
    searches.note_logged()
    await searches.search()
    await look_again(context, IN_ALL)
    charges = await ChargeRecorder(context).read_ledger()
    searches.name_doubles()
    takes, attempts = context.state.takes(), context.state.attempts()
    ledger, is_all_read = ((), False) if charges is None else await _matched(context, charges)
    beside = sum(each.charged or 0 for each in ledger if not each.is_recorded)
    lower = _charged_less(attempts, ledger)
    unread = [label for each in ledger if each.verdict is Verdict.UNREADABLE for label in each.takes]
    unseen = [take.label for take in takes if take.state is State.VERIFIED and not take.is_charge_seen]

    def moved(state: State) -> tuple[str, ...]:
        return tuple(take.label for take in takes if take.state is state and before[take.take_id] is not state)

    return Reconciled(
        adopted=moved(State.QUEUED),
        failed=moved(State.FAILED),
        planned=moved(State.PLANNED),
        open=tuple(take.label for take in takes if take.state in (State.UNKNOWN, State.HELD)),
        doubles=tuple(context.takes[take_id].label for take_id in sorted(doubled(attempts))),
        twice=_charged_twice(context, charges or ()),
        uncharged=tuple(label for label in unseen if label not in unread),
        unreadable=tuple(dict.fromkeys(unread)),
        breaches=tuple(context.takes[take_id].label for take_id in sorted(charged_for_nothing(attempts))),
        questions=tuple(dict.fromkeys(context.takes[each.attempt.take_id].label for each in searches.questions)),
        credits_charged=context.budget.charged + beside - sum(lower.values()),
        lowered=tuple(lower),
        is_ledger_read=is_all_read and not searches.is_ledger_unread,
        is_log_read=searches.unread is None,
        is_log_refused=searches.unread is not None and searches.unread.trouble in LASTING,
        unseen=tuple(dict.fromkeys(context.takes[each.take_id].label for each in searches.unseen)),
        unseen_submits=len(searches.unseen),
        unseen_keys=keys_of(searches.unseen),
        keys_given_up=tuple(keys_given_up(context.state)),
        unexplained=searches.unexplained,
        needs_you=_needs_you(context),
        not_charged=_not_charged(not_mine, charges),
        ledger=ledger,
        read_at=context.clock.now(),
    )


def _charged_less(attempts: Iterable[Attempt], ledger: Iterable[LedgerLine]) -> dict[str, int]:
    """Return how many credits less than recorded the ledger now shows as charged, by the first take of a generation."""
    recorded = {each.generation_id: each.credits_charged for each in attempts if each.credits_charged is not None}
    found: dict[str, int] = {}
    for line in ledger:
        less = recorded.get(line.generation_id, 0) - line.charged if line.charged is not None else 0
        if less > 0 and line.is_recorded:
            found[line.takes[0]] = found.get(line.takes[0], 0) + less
    return found


def _not_charged(names: Iterable[str], charges: Sequence[Charge] | None) -> tuple[str, ...]:
    """Return the generations that the ledger, as it was read, charges nothing for."""
    charged = None if charges is None else {each.name for each in charges}
    return () if charged is None else tuple(each for each in names if each not in charged)


def _needs_you(context: RunContext) -> tuple[str, ...]:
    found = [text for code, text in context.troubles if code is ExitCode.DECISION_NEEDED]
    return tuple(dict.fromkeys([*found, *_mixed_up(context), *map(stray_text, context.state.strays())]))


def _mixed_up(context: RunContext) -> list[str]:
    """Return what is said, now and before, of takes whose clips may be each other's."""
    said = context.state.entries_after(0, ALARM_FACTS)
    return [
        mixed_up_text(context.takes[take_id].label, str(each.data.get("warning", "")))
        for take_id, each in said
        if each.data.get("mixed_up")
    ]


def _charged_twice(context: RunContext, charges: Sequence[Charge]) -> tuple[str, ...]:
    entries = Counter(charge.generation_id for charge in charges)
    attempts = context.state.attempts_of_generations([each for each, count in entries.items() if count > 1])
    return tuple(dict.fromkeys(context.takes[attempt.take_id].label for attempt in attempts))


async def _matched(context: RunContext, charges: Sequence[Charge]) -> tuple[tuple[LedgerLine, ...], bool]:
    """Match every generation of this batch with the ledger as it was just read, and with what it paid back; says
    whether the refunds could be read.
    """
    attempts, noted = context.state.attempts(), context.state.strays()
    if not (attempts or noted):
        return (), True
    strays = [LoggedSubmit(each.request_id, each.generation_id, each.credits_held) for each in noted]
    first = min([*(each.started_at for each in attempts), *(each.at for each in noted)])
    refunds = await context.provider.refunds(min(context.batch_clock.earliest(first), first - LEDGER_MARGIN))
    is_read = not isinstance(refunds, NoAnswer)
    if isinstance(refunds, NoAnswer):
        context.note(f"wanbatch cannot read whether anything was refunded ({refunds.message})")
        refunds = ()
    strays += await _logged(context, [each for each in attempts if may_have_made(each)])
    takes = {take.take_id: take for take in context.state.takes()}
    return tuple(match_ledger(attempts, takes, LedgerReading(charges, refunds), strays)), is_read


async def _logged(context: RunContext, nameless: Sequence[Attempt]) -> list[LoggedSubmit]:
    """Ask the log which generations it names for submits that are not known to have one."""
    if not nameless:
        return []
    scan = await context.provider.scan_log(context.batch_clock.earliest(min(each.started_at for each in nameless)))
    if isinstance(scan, NoAnswer):
        context.note(
            f"wanbatch could not read the provider's request log ({scan.message}); it may miss charges of lost answers"
        )
        return []
    ids = {each.request_id for each in nameless}
    return [
        LoggedSubmit(row.request_id, row.generation_id, row.credits or None, is_failed=not (row.is_good or row.word))
        for row in scan.rows
        if row.request_id in ids
    ]


def take_up(context: RunContext) -> None:
    """Read the state file, and treat takes that a dead run left during a submit as lost."""
    context.load()
    for take in [take for take in context.takes if take.state is State.SUBMITTING]:
        context.lose(take.take_id, lost_text(take, "the last run ended during the submit"))


def take_to_resolve(context: RunContext, label: str, decision: Decision) -> Take:
    """Find the take of that name that this word may be given on. Raises UsageInvalid if there is none."""
    take = next((take for take in context.state.takes() if take.label == label), None)
    if take is None:
        where = in_folder("`wanbatch status`", str(context.state.output))
        raise UsageInvalid(f"no take here is called {label}; {where} lists those that need your attention")
    if decision is Decision.WITHDRAW:
        _assert_withdrawable(context, take)
        return take
    may_be = (State.HELD, State.UNKNOWN, State.FAILED) if decision is Decision.ADOPT else (State.HELD, State.UNKNOWN)
    if take.state not in may_be:
        raise UsageInvalid(f"{label} is {take.state}: only held and unknown takes can be resolved")
    if take.state is State.FAILED and not _given_up(context, take):
        raise UsageInvalid(f"{label} has failed, and none of its submits made anything")
    return take


def _assert_withdrawable(context: RunContext, take: Take) -> None:
    """Raise UsageInvalid unless a take is a retake, or a retry, that the user asked for and no run has sent."""
    if take.state is not State.PLANNED or take.superseded:
        raise UsageInvalid(f"{take.label} is {take.shown_state}: only a planned retake or retry can be withdrawn")
    if take.take_id in context.state.past().followers:
        raise UsageInvalid(
            f"{take.label} is planned because its shot says `follow: always`: change that in the manifest"
        )
    if not take.is_retake and not _is_retried(context, take):
        raise UsageInvalid(
            f"the manifest asks for {take.label}: leave its shot out with `omit: true`, or ask for fewer `takes`"
        )


def _reinstate_failed(context: RunContext, retake: Take) -> None:
    """Ask again for the failed take that a retake was to replace, if its shot has no other, and plan again later."""
    context.state.forget_plan()
    others = [each for each in context.state.takes_of_shots([retake.shot_id]) if each.take_id != retake.take_id]
    failed = [each for each in others if each.superseded and each.state is State.FAILED and each.attempts]
    if failed and all(each.superseded for each in others):
        context.record(failed[-1].take_id, Fact.REINSTATED)


def _is_retried(context: RunContext, take: Take) -> bool:
    """Say whether a take failed before, and is planned because it is to be tried again."""
    return any(each.fact is Fact.RETRY_PLANNED for each in context.state.facts_of(take.take_id))


def _given_up(context: RunContext, take: Take) -> list[Attempt]:
    return [each for each in context.state.attempts_of(take.take_id) if each.outcome in MAY_BE_CHARGED]


async def resolve(context: RunContext, take: Take, decision: Decision, generation_id: str | None) -> Take:
    """Record the user's decision. Raises UsageInvalid for an id that cannot be this take's, ProviderUnreachable."""
    if decision is Decision.RESUBMIT:
        return context.record(take.take_id, Fact.RESUBMIT_ALLOWED, {"error": ""})
    if decision is Decision.ABANDON:
        text = f"you gave it up; its possible cost still counts. It was {take.state}: {take.error}"
        return context.record(take.take_id, Fact.ABANDONED, {"error": text})
    if decision is Decision.WITHDRAW:
        is_retry = _is_retried(context, take)
        if not is_retry:
            _reinstate_failed(context, take)
        text = f"you withdrew it before it was sent{' again' if is_retry else ''}"
        return context.record(take.take_id, Fact.WITHDRAWN, {"error": text, "is_retry": is_retry})
    if read_generation_id(generation_id) is None or generation_id is None:
        raise UsageInvalid("that is not a generation id")
    owner = context.owner_of(generation_id)
    if owner is not None and owner != take.take_id:
        raise UsageInvalid(f"generation {generation_id} belongs to {context.takes[owner].label}")
    answer = await context.provider.poll(generation_id)
    if isinstance(answer, NoAnswer):
        if answer.trouble in (Trouble.NOT_FOUND, Trouble.INVALID):
            raise UsageInvalid(f"the provider does not know generation {generation_id} ({answer.message})")
        raise ProviderUnreachable(f"the provider does not report the state of {generation_id}: {answer.message}")
    if answer.generation_id != generation_id:
        raise UsageInvalid(
            f"wanbatch asked about {generation_id}, but the provider answered about {answer.generation_id}"
        )
    return _adopt(context, take, generation_id, await _request_of(context, take, generation_id))


async def _request_of(context: RunContext, take: Take, generation_id: str) -> str | None:
    """Ask the log under which request id a generation was made; None if it does not tell.

    Raises UsageInvalid if that is the submit of another take.
    """
    attempts = context.state.attempts_of(take.take_id)
    scan = await context.provider.scan_log(context.batch_clock.earliest(min(each.started_at for each in attempts)))
    if isinstance(scan, NoAnswer):
        return None
    found = next((row.request_id for row in scan.rows if row.generation_id == generation_id), None)
    other = next(iter(context.state.attempts_of_requests([found] if found is not None else [])), None)
    if other is not None and other.take_id != take.take_id:
        raise UsageInvalid(f"generation {generation_id} was made by a submit of {context.takes[other.take_id].label}")
    return found


def _adopt(context: RunContext, take: Take, generation_id: str, request_id: str | None) -> Take:
    """Give a take a generation as the user decided: to the attempt that made it, else to one that may have."""
    attempts = context.state.attempts_of(take.take_id)
    followed = next(each for each in attempts if each.number == take.attempt)
    nameless = [each for each in (*attempts, followed) if each.generation_id is None and each.outcome in _MAY_HAVE_MADE]
    maker = next((each for each in attempts if each.generation_id == generation_id), None)
    if maker is None:  # also one that was refused, and made all the same
        unnamed = (each for each in attempts if each.generation_id is None)
        maker = next((each for each in unnamed if each.request_id == request_id), None)
    if maker is None and nameless:
        maker = nameless[-1]
    if maker is None:  # every submit has its generation: this is one more
        maker = _beside(context, take, followed, generation_id, attempts)
    data = adoption(take, replace(maker, generation_id=generation_id), attempts)
    data |= recipe_made(context, take, maker)
    return context.record(take.take_id, Fact.ADOPTED, data | {"by": "user"})


def _beside(
    context: RunContext, take: Take, followed: Attempt, generation_id: str, attempts: Sequence[Attempt]
) -> Attempt:
    number = double_number(attempts)
    data = {
        "attempt": number,
        "request_id": f"{followed.request_id}#{-number}",
        "generation_id": generation_id,
        "key_fingerprint": followed.key_fingerprint,
        "at": followed.started_at.isoformat(timespec="milliseconds"),
        "credits_held": followed.credits_held,
        "credits_at_risk": take.credits_at_risk,
        "error": "you named it",
    }
    context.record(take.take_id, Fact.FOUND_DOUBLE, data)
    return next(each for each in context.state.attempts_of(take.take_id) if each.number == number)
