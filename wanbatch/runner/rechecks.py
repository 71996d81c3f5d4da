"""Rechecks: the proof that a submit made nothing is looked at again just before its take is sent again.

A take that is planned again may wait for hours: for its turn, for a price, for money under a cap. What the ledger or
the log shows by then counts, though the proof was good when it was taken.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import timedelta
from enum import Enum, auto

from wanbatch.batch.attempts import Attempt, Outcome
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.take import Entry
from wanbatch.errors import ExitCode
from wanbatch.money.charge import Charge
from wanbatch.provider.protocol import LogScan, NoAnswer
from wanbatch.runner.charges import ChargeRecorder
from wanbatch.runner.context import RunContext
from wanbatch.runner.evidence import Beside, evidence_of, is_legible_for, look_beside
from wanbatch.runner.fallbacks import first_sent_at, left_to_fall_back, take_up
from wanbatch.runner.late_generations import LateGenerations
from wanbatch.runner.recipes import as_made
from wanbatch.runner.resubmission import SEARCH_GAP, Evidence, charges_of_no_take, rows_of
from wanbatch.runner.revival import AT_ONCE, look_again
from wanbatch.state.notes import answered_charges

LOOK_LASTS_S = 30.0  # a retry may wait its turn for hours, and its failure be charged meanwhile
_REFUSED = (Outcome.TURNED_AWAY, Outcome.REFUSED)
# Who decided to send a take again.
_WORDS = (Fact.RETRY_PLANNED, Fact.RESUBMIT_ALLOWED, Fact.PRESUMED_ABSENT, Fact.MODEL_CHANGED)
_OURS = (Fact.PRESUMED_ABSENT, Fact.MODEL_CHANGED)


class Block(Enum):
    """Why a take is not sent again in this run."""

    UNREAD = auto()  # the ledger or the log cannot be read, and the proof rests on it
    CHARGED_BESIDE = auto()  # a charge without a take may be for it
    NAMED_NOW = auto()  # the same, named just now, though the user asked for the take
    MISNAMED = auto()  # the answer that named what failed named another request
    CONTRADICTED = auto()  # the provider said before that what failed had succeeded
    MADE = auto()  # the log says by now that a submit of it succeeded


_DISPUTED = {Beside.MISNAMED: Block.MISNAMED, Beside.CONTRADICTED: Block.CONTRADICTED}
_UNREAD = (
    "wanbatch could not read the provider's ledger and request log, which tell whether an earlier submit was charged"
)
_CHARGED = "a charge that belongs to no take may be for an earlier submit of this take"
_MADE = "the provider's request log now shows that an earlier submit of this take succeeded or was charged"
_MISNAMED = (
    "the failed generation was named in the answer to a different request, so wanbatch cannot tell what this take's own"
    " request made"
)
_CONTRADICTED = "the provider says that the generation failed, but said earlier that it succeeded"
_ADVICE = "`wanbatch reconcile` shows more; if there is no clip, `wanbatch retry` sends the take again"
_REPORTS = {
    Block.UNREAD: (ExitCode.PROVIDER_UNREACHABLE, f"{_UNREAD}. Run the same command again later"),
    Block.CHARGED_BESIDE: (ExitCode.DECISION_NEEDED, f"{_CHARGED}. {_ADVICE}"),
    Block.NAMED_NOW: (ExitCode.DECISION_NEEDED, f"{_CHARGED}. Run the same command again to send it again"),
    Block.MISNAMED: (ExitCode.DECISION_NEEDED, f"{_MISNAMED}. {_ADVICE}"),
    Block.CONTRADICTED: (ExitCode.DECISION_NEEDED, f"{_CONTRADICTED}. {_ADVICE}"),
    Block.MADE: (ExitCode.DECISION_NEEDED, f"{_MADE}. {_ADVICE}"),
}


class Rechecks:
    """Looks, says what keeps a take from being sent again, and remembers for how long a look lasts."""

    def __init__(self, context: RunContext, charges: ChargeRecorder) -> None:
        self._context = context
        self._charges = charges
        self._looked_at: dict[int, tuple[float, float]] = {}  # by take: when the ledger was last read for it

    async def may_retry(self, take_id: int) -> bool:
        """Say whether nothing speaks against another submit of a take whose generation failed just now."""
        context = self._context
        charges = await self._legible_charges(take_id)
        if charges is None:
            return False  # nothing proves that it cost nothing
        beside = await look_beside(context, take_id, charges)
        if beside in _DISPUTED:
            self._trouble(take_id, _DISPUTED[beside])
        if beside is not Beside.NOTHING:
            return False  # a charge without a take may be of it: a person looks first, and `retry` sends it
        if await self._is_logged_as_made(take_id):
            if context.takes[take_id].state is State.FAILED:
                self._trouble(take_id, Block.MADE)
            return False
        if context.takes[take_id].credits_charged is not None:
            return False  # what was charged for nothing, now or before, is not followed by more money on its own
        return context.takes[take_id].state is State.FAILED  # the log may have shown another submit of it meanwhile

    async def take_up_fallbacks(self) -> None:
        """Plan the failed takes again whose fallbacks no run has taken, where the ledger can be read."""
        context = self._context
        if left_to_fall_back(context.state, context.settings.is_selected):
            await look_again(context, AT_ONCE)
        left = left_to_fall_back(context.state, context.settings.is_selected)
        since = first_sent_at(context, left)
        charges = None if since is None else await self._charges.read_ledger(since)
        if charges is not None:
            await take_up(context, left, charges)

    def is_owed(self, take_id: int) -> bool:
        """Say whether a take is looked at before it is sent again, and the last look is not of just now.

        It is where a submit of it failed, or left no trace, and where one was refused so long ago that the ledger
        could show by now that it was made all the same.
        """
        context = self._context
        if context.takes[take_id].attempts == 0:
            return False
        if take_id in self._looked_at and self._since_look_s(take_id) <= LOOK_LASTS_S:
            return False
        return any(each.outcome not in _REFUSED or self._is_old(each) for each in self._proven(take_id))

    async def look(self, take_id: int) -> None:
        """Look at log and ledger once more, and queue a take where nothing keeps it from being sent again.

        If a charge or a row shows what was made, the take follows that.
        """
        context = self._context
        block = await self._block(take_id)
        if context.takes[take_id].state is not State.PLANNED:
            return
        if block is not None:
            self._report(take_id, block)
            return
        self._note_look(take_id)
        context.schedule.add_planned(take_id, first=True)

    async def _block(self, take_id: int) -> Block | None:
        context, proven = self._context, self._proven(take_id)
        is_asked = is_user_asking(context.state.facts_of(take_id))
        rests_on_books = any(each.outcome not in _REFUSED for each in proven)
        unread = None if is_asked or not rests_on_books else Block.UNREAD
        charges = await self._legible_charges(take_id)
        if charges is None:
            return unread
        by_log = [each for each in proven if each.generation_id is None]
        if by_log:
            scan = await context.provider.scan_log(context.batch_clock.earliest(min(e.started_at for e in by_log)))
            if isinstance(scan, NoAnswer):
                return unread
            if self._was_made(by_log, scan):
                return Block.MADE
            evidence = evidence_of(context, scan, charges, context.state.attempts_as_sent())
            if not is_asked and self._is_unclear(take_id, by_log, evidence):
                return Block.CHARGED_BESIDE
        if not is_asked and await self._is_logged_as_made(take_id):
            return Block.MADE
        beside = await look_beside(context, take_id, charges)
        if beside is Beside.UNREAD:
            return None if is_asked else Block.UNREAD
        if beside is Beside.NOTHING or (is_asked and beside is not Beside.NAMED_NOW):
            return None
        if beside in _DISPUTED:
            return _DISPUTED[beside]
        return Block.NAMED_NOW if is_asked else Block.CHARGED_BESIDE

    def _proven(self, take_id: int) -> list[Attempt]:
        """Return the submits that were proven to have made nothing; not those that the user gave up."""
        state = self._context.state
        words = [each.fact for each in state.facts_of(take_id) if each.fact in _WORDS]
        is_presumed = bool(words) and words[-1] is Fact.PRESUMED_ABSENT
        return [
            each
            for each in state.attempts_of(take_id)
            if each.is_called_free or (is_presumed and each.outcome is Outcome.LOST and each.generation_id is None)
        ]

    async def _is_logged_as_made(self, take_id: int) -> bool:
        """Say whether the log says of a submit of a take whose generation failed that it was made, or has a cost.

        Any row under a request id of its submits counts, whatever the generation is called. What another of its submits
        made is adopted. A log that cannot be read says nothing.
        """
        context = self._context
        if all(each.generation_id is None for each in self._proven(take_id)):
            return False
        attempts = context.state.attempts_of(take_id)
        scan = await context.provider.scan_log(context.batch_clock.earliest(min(each.started_at for each in attempts)))
        return not isinstance(scan, NoAnswer) and self._was_made(attempts, scan)

    def _is_old(self, refused: Attempt) -> bool:
        """Say whether a refusal is old; a charge without a take says nothing if others use the account."""
        if self._context.settings.is_account_shared or refused.ended_at is None:
            return False
        clock = self._context.clock
        return abs(clock.now() - refused.ended_at) + timedelta(seconds=abs(clock.asleep_s())) >= SEARCH_GAP

    def _note_look(self, take_id: int) -> None:
        self._looked_at[take_id] = self._context.clock.monotonic(), self._context.clock.asleep_s()

    def _since_look_s(self, take_id: int) -> float:
        """Return how long ago a take was looked at, in seconds; the time that the machine slept since counts."""
        (at_s, asleep_s), clock = self._looked_at[take_id], self._context.clock
        return clock.monotonic() - at_s + abs(clock.asleep_s() - asleep_s)

    async def _legible_charges(self, take_id: int) -> Sequence[Charge] | None:
        """Read the ledger since a take was first sent; None if it is unread, or what cannot be read may be its own."""
        attempts = self._context.state.attempts_of(take_id)
        charges = await self._charges.read_ledger(min(each.started_at for each in attempts))
        if charges is None:
            return None
        self._note_look(take_id)
        return charges if is_legible_for(attempts, charges) else None

    def _was_made(self, attempts: Iterable[Attempt], scan: LogScan) -> bool:
        """Say whether the log shows by now that one of these was made or has a cost; what was made is adopted."""
        late_generations = LateGenerations(self._context)
        late_generations.note_late(scan)
        late_generations.adopt_awaited()
        rows = [row for each in attempts for row in rows_of(scan, each.request_id)]
        return any(row.is_good or row.credits for row in rows)

    def _is_unclear(self, take_id: int, attempts: Iterable[Attempt], evidence: Evidence) -> bool:
        """Say whether a charge may be for one of these whose proof it would have spoken against.

        A refusal is the provider's own word, and no proof that a charge speaks against.
        """
        context, take = self._context, self._context.takes[take_id]
        by_books = [(as_made(context, take, each), each) for each in attempts if each.outcome not in _REFUSED]
        found = {charge.name for sent, each in by_books for charge in charges_of_no_take(sent, each, evidence)}
        return bool(found - answered_charges(context.state))

    def _report(self, take_id: int, block: Block) -> None:
        why = self._trouble(take_id, block)
        if block in (Block.CHARGED_BESIDE, Block.MADE, *_DISPUTED.values()):  # no run sends it on its own
            self._context.record(take_id, Fact.RETRY_WITHDRAWN, {"error": f"not sent again: {why}"})

    def _trouble(self, take_id: int, block: Block) -> str:
        context, (code, why) = self._context, _REPORTS[block]
        context.trouble(code, f"{context.takes[take_id].label} is not sent again in this run: {why}")
        return why


def is_user_asking(facts: Iterable[Entry]) -> bool:
    """Say whether the user, not wanbatch, decided to send a take again, by the facts of that take."""
    words = [each for each in facts if each.fact in _WORDS]
    return bool(words) and words[-1].fact not in _OURS and words[-1].data.get("by", "user") == "user"
