"""Verdicts: what becomes of a take whose submit's answer was lost, once the evidence was looked at."""

from __future__ import annotations

from dataclasses import replace

from wanbatch.batch.attempts import Attempt, live
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.take import Take
from wanbatch.provider.protocol import LogScan
from wanbatch.runner.context import RunContext
from wanbatch.runner.fallbacks import fall_back
from wanbatch.runner.late_generations import LateGenerations
from wanbatch.runner.resubmission import (
    SEARCH_GAP,
    Absent,
    Adopt,
    Contradiction,
    Evidence,
    Failed,
    find,
    has_witness,
    patience_ends,
)
from wanbatch.runner.settings import OnUnknown
from wanbatch.runner.unrecorded_submits import UnrecordedSubmits


class Verdicts:
    """Adopts what was found, sends again what is proven to have made nothing, and leaves the rest to the user."""

    def __init__(self, context: RunContext, late: LateGenerations, unrecorded: UnrecordedSubmits) -> None:
        self._context = context
        self._late_generations = late
        self._unrecorded_submits = unrecorded

    def judge(self, take: Take, attempt: Attempt, evidence: Evidence) -> None:
        """Record what the evidence proves about a submit of which no generation is known."""
        finding = find(take, attempt, evidence)
        if isinstance(finding, Contradiction):
            self.hold(take, finding.why)
        elif isinstance(finding, Failed) and finding.is_proof:
            self._found_failed(take)
        elif isinstance(finding, Absent) and finding.is_proof:
            self._absent(take, attempt)
        else:
            assert isinstance(finding, Failed | Absent), "it was already adopted"
            self._searched(take, attempt, evidence, is_failed=isinstance(finding, Failed))
            ends = patience_ends(self._context.takes[take.take_id], evidence)
            if take.state is State.UNKNOWN and ends is not None and evidence.now >= ends:
                why = finding.why
                if isinstance(finding, Failed):
                    why = "the provider's log says that it failed" + (f", and {why}" if why else "")
                self.hold(take, f"wanbatch cannot find out what became of it: {why}")

    def _searched(self, take: Take, attempt: Attempt, evidence: Evidence, *, is_failed: bool) -> None:
        last, now = take.last_searched_at, evidence.now
        is_due = last is None or now - last >= SEARCH_GAP
        if is_due:
            self._context.record(
                take.take_id,
                Fact.SEARCHED,
                {
                    "provider_at": now.isoformat(timespec="milliseconds"),
                    "has_witness": has_witness(attempt, evidence),
                    "is_failed": is_failed,
                },
            )

    def adopt(self, take: Take, attempt: Attempt, found: Adopt, scan: LogScan) -> None:
        """Give a take the generation that the log shows for its submit, unless that is another take's."""
        context = self._context
        owner = context.owner_of(found.generation_id)
        if owner is not None and owner != take.take_id:
            self.hold(take, f"the provider's log ties its request id to the generation of {context.takes[owner].label}")
            return
        if not attempt.body_sha256:  # a submit that this state file does not know is offered, never taken silently
            self._unrecorded_submits.offer(take, attempt, scan)
            return
        credits_held = found.credits or attempt.credits_held
        self._late_generations.adopt(
            take, replace(attempt, generation_id=found.generation_id, credits_held=credits_held)
        )

    def _leave_to_user(self, take: Take, why: str) -> bool:
        """Hold a take that other submits made a generation of, so that none is bought beside it; False without one."""
        made = sorted(live(self._context.state.attempts_of(take.take_id)))
        if made:
            advice = f"`wanbatch resolve {take.label} --adopt {made[0]}` adopts it"
            self.hold(take, f"{why}, and another submit of it made {', '.join(made)}: {advice}")
        return bool(made)

    def _found_failed(self, take: Take) -> None:
        context, replacement = self._context, self._late_generations.replacement_for(take)
        if replacement is None and self._leave_to_user(take, "the provider's log says that it failed"):
            return
        error = "the provider's log says that it failed; nothing was charged"
        context.record(take.take_id, Fact.FOUND_FAILED, {"error": error})
        if replacement is not None and not take.superseded:  # an earlier attempt made its clip: no other is bought
            self._late_generations.adopt(context.takes[take.take_id], replacement)
            return
        if context.may_try_again(take):
            context.record(take.take_id, Fact.RETRY_PLANNED, {"by": "policy"})
            context.plan_again(take.take_id)
        else:
            fall_back(context, take.take_id)

    def _absent(self, take: Take, attempt: Attempt) -> None:
        context, replacement = self._context, self._late_generations.replacement_for(take)
        if replacement is not None:
            self._late_generations.adopt(take, replacement)
            return
        if self._leave_to_user(take, "neither the provider's log nor its ledger shows this submit"):
            return
        if context.settings.on_unknown is not OnUnknown.RESUBMIT:
            self.hold(
                take,
                "neither the provider's log nor its ledger shows this submit, and by now they would: sending it again"
                " looks safe"
                f" (`wanbatch resolve {take.label} --resubmit`)",
            )
            return
        if not context.may_try_again(take):
            is_asked_for = context.state.is_asked_for(take)
            why = "its tries are used up" if is_asked_for else "the manifest no longer asks for this take"
            self.hold(take, f"neither the provider's log nor its ledger shows this submit, and {why}")
            return
        if not attempt.body_sha256:
            return  # run.log told of it, and the user was asked
        context.record(
            take.take_id,
            Fact.PRESUMED_ABSENT,
            {"error": "neither the provider's log nor its ledger shows this submit; sent again as you asked"},
        )
        context.plan_again(take.take_id)

    def hold(self, take: Take, why: str) -> None:
        """Leave a take to the user whose lost answer was looked up so far."""
        if take.state is State.UNKNOWN:
            self._context.record(take.take_id, Fact.HELD, {"error": f"{take.error}. {why}", "needs_user": True})
