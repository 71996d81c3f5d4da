"""Settling by hand: one look into the provider's log and ledger, and the user's word on takes that are held."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from wanbatch.answers import read_generation_id
from wanbatch.desk import Desk
from wanbatch.errors import ProviderUnreachable, UsageInvalid
from wanbatch.lifecycle import Fact, State, Take
from wanbatch.polling import Polling
from wanbatch.provider import NoAnswer, Trouble
from wanbatch.reconciling import Reconciling


class Decision(StrEnum):
    """The user's word on a take that is held or unknown."""

    ADOPT = "adopt"
    RESUBMIT = "resubmit"
    ABANDON = "abandon"


@dataclass(frozen=True)
class Reconciled:
    """What a look brought. Takes by label; `credits_charged` sums what the ledger shows for this batch by now.

    `uncharged` are verified takes whose charge the ledger does not show yet, `breaches` failed ones that it charges.
    """

    adopted: tuple[str, ...]
    failed: tuple[str, ...]
    planned: tuple[str, ...]
    open: tuple[str, ...]
    doubles: tuple[str, ...]
    uncharged: tuple[str, ...]
    breaches: tuple[str, ...]
    credits_charged: int
    is_ledger_read: bool


async def reconcile(desk: Desk) -> Reconciled:
    """Read log and ledger once, record what they prove, and tell it. Sends nothing paid."""
    desk.load()
    before = {take.take_id: take.state for take in desk.takes.values()}
    reconciling = Reconciling(desk)
    reconciling.note_logged()
    await reconciling.search()
    is_ledger_read = await Polling(desk).match_ledger()
    takes = list(desk.takes.values())

    def moved(state: State) -> tuple[str, ...]:
        return tuple(take.label for take in takes if take.state is state and before[take.take_id] is not state)

    return Reconciled(
        adopted=moved(State.QUEUED),
        failed=moved(State.FAILED),
        planned=moved(State.PLANNED),
        open=tuple(take.label for take in takes if take.state in (State.UNKNOWN, State.HELD)),
        doubles=tuple(take.label for take in takes if "DOUBLE" in take.warning),
        uncharged=tuple(take.label for take in takes if take.state is State.VERIFIED and not take.is_charge_seen),
        breaches=tuple(take.label for take in takes if take.state is State.FAILED and take.credits_charged),
        credits_charged=desk.purse.charged,
        is_ledger_read=is_ledger_read,
    )


def take_to_resolve(desk: Desk, label: str) -> Take:
    """Find the held or unknown take of that name. Raises UsageInvalid where there is none."""
    take = next((take for take in desk.takes.values() if take.label == label), None)
    if take is None:
        raise UsageInvalid(f"there is no take {label} here; `wanbatch status` lists those that need you")
    if take.state not in (State.HELD, State.UNKNOWN):
        raise UsageInvalid(f"{label} is {take.state}: only held and unknown takes are resolved")
    return take


async def resolve(desk: Desk, take: Take, decision: Decision, generation_id: str | None) -> Take:
    """Record the user's word. Raises UsageInvalid for an id that cannot be this take's, ProviderUnreachable."""
    if decision is Decision.RESUBMIT:
        return desk.record(take.take_id, Fact.RESUBMIT_ALLOWED, {"error": ""})
    if decision is Decision.ABANDON:
        return desk.record(
            take.take_id, Fact.ABANDONED, {"error": "given up by you; what it may have cost still counts"}
        )
    if read_generation_id(generation_id) is None or generation_id is None:
        raise UsageInvalid("that is no generation id")
    owner = desk.owners.get(generation_id, take.take_id)
    if owner != take.take_id:
        raise UsageInvalid(f"generation {generation_id} belongs to {desk.takes[owner].label}")
    answer = await desk.provider.poll(generation_id)
    if isinstance(answer, NoAnswer):
        if answer.trouble in (Trouble.NOT_FOUND, Trouble.INVALID):
            raise UsageInvalid(f"the provider does not know generation {generation_id} ({answer.message})")
        raise ProviderUnreachable(f"the provider does not tell how {generation_id} stands: {answer.message}")
    if answer.generation_id != generation_id:
        raise UsageInvalid(f"asked for {generation_id}, the provider told of {answer.generation_id}")
    return desk.record(take.take_id, Fact.ADOPTED, {"generation_id": generation_id, "by": "user"})
