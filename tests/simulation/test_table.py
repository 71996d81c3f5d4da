"""The protocol's table, searched whole: no way leads to a second submit but through a proof or the user's word."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, replace

from wanbatch.batch.lifecycle import TRANSITIONS, Fact, State

CRASHES = 3
PROOFS = {
    Fact.NOT_SENT: "P0",
    Fact.TURNED_AWAY: "P1",
    Fact.REFUSED: "P1",
    Fact.FOUND_FAILED: "P2",
    Fact.GENERATION_FAILED: "P3",
    Fact.PRESUMED_ABSENT: "P4",
    Fact.RESUBMIT_ALLOWED: "user",
    Fact.ABANDONED: "user",
}
PAID = (State.QUEUED, State.GENERATING, State.COMPLETED, State.DOWNLOADED, State.VERIFIED)
LOG_TELLS = (Fact.SEARCHED, Fact.FOUND_FAILED, Fact.PRESUMED_ABSENT)  # only where no generation is known


@dataclass(frozen=True)
class Node:
    """One take: its state, whether its generation is known, and what happened since its last submit."""

    state: State = State.PLANNED
    has_id: bool = False
    crashes: int = 0
    submits: int = 0
    proof: str = ""
    was_paid: bool = False


def successors(node: Node) -> Iterator[tuple[str, Node]]:
    """Yield what can happen next: the facts of the table, as the crash table and the guards allow them, and a crash."""
    if node.crashes < CRASHES:
        yield "crash", replace(node, crashes=node.crashes + 1, **_after_crash(node))
    for (state, fact), after in TRANSITIONS.items():
        if state is not node.state or (fact in LOG_TELLS and node.has_id):
            continue
        if fact in (Fact.LOOKED_AGAIN, Fact.NAMED_AGAIN) and not node.has_id:
            continue
        made = replace(node, state=after)
        if fact is Fact.SUBMIT_STARTED:
            made = replace(made, has_id=False, submits=min(node.submits + 1, 2), proof="", was_paid=False)
        elif fact is Fact.FOUND_UNRECORDED:  # another submit than the one known: it must be settled by itself
            made = replace(made, has_id=False, was_paid=False)
        elif fact in (Fact.ACCEPTED, Fact.ADOPTED):
            made = replace(made, has_id=True)
        elif fact in PROOFS:
            made = replace(made, proof=PROOFS[fact])
        yield fact.value, replace(made, was_paid=made.was_paid or after in PAID)


def _after_crash(node: Node) -> dict[str, State]:
    """The crash table: what the next run makes of a state by itself."""
    return {"state": State.UNKNOWN} if node.state is State.SUBMITTING else {}


def reachable() -> dict[Node, tuple[str, ...]]:
    """Return every node that can be reached, with the shortest way there."""
    ways: dict[Node, tuple[str, ...]] = {Node(): ()}
    queue = deque([Node()])
    while queue:
        node = queue.popleft()
        for step, after in successors(node):
            if after not in ways:
                ways[after] = (*ways[node], step)
                queue.append(after)
    return ways


WAYS = reachable()


def test_a_second_submit_needs_a_proof_or_the_user() -> None:
    unproven = [way for node, way in WAYS.items() if node.state is State.PLANNED and node.submits and not node.proof]
    assert unproven == []


def test_what_was_accepted_is_sent_again_only_when_it_failed_or_the_user_says_so() -> None:
    bad = [
        (node.proof, way)
        for node, way in WAYS.items()
        if node.state is State.PLANNED and node.was_paid and node.proof not in ("P3", "user")
    ]
    assert bad == []


def test_only_a_planned_take_can_be_submitted() -> None:
    assert {state for state, fact in TRANSITIONS if fact is Fact.SUBMIT_STARTED} == {State.PLANNED}


def test_a_verified_take_stays_verified() -> None:
    assert {after for (state, _), after in TRANSITIONS.items() if state is State.VERIFIED} == {State.VERIFIED}


def test_no_crash_makes_a_submitting_take_sendable() -> None:
    lost = [node for node in WAYS if node.state is State.SUBMITTING and node.crashes < CRASHES]
    after = {made.state for node in lost for step, made in successors(node) if step == "crash"}
    assert (len(lost) > 0, after) == (True, {State.UNKNOWN})


def test_every_state_can_be_reached() -> None:
    assert {node.state for node in WAYS} == set(State)
