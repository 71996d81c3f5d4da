"""The lifecycle of a take: its states, the facts that move it, and the one table of allowed moves.

A state is the fold of the facts recorded about a take. `advance` is the only way from one to the next; anything
that the table does not list raises. The picture in docs/lifecycle.md is generated from the table.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class State(StrEnum):
    """The state of a take. `held` and `failed` wait for the user; the others move on their own."""

    PLANNED = "planned"
    SUBMITTING = "submitting"
    UNKNOWN = "unknown"
    HELD = "held"
    QUEUED = "queued"
    GENERATING = "generating"
    COMPLETED = "completed"
    DOWNLOADED = "downloaded"
    VERIFIED = "verified"
    FAILED = "failed"


ON_THE_WAY = (State.QUEUED, State.GENERATING, State.COMPLETED, State.DOWNLOADED)
"""The states of takes that are ordered, and that have no verified clip yet."""


def state_words(name: str) -> str:
    """Return the name of a state as people say it: a completed generation has a clip that wanbatch has not fetched
    yet.
    """
    return "made (not fetched yet)" if name == State.COMPLETED.value else name


class Fact(StrEnum):
    """Something that happened to a take, recorded once, with its time."""

    PLANNED = "planned"  # the take exists
    REPLANNED = "replanned"  # it was never sent; it follows the edited manifest
    SUPERSEDED = "superseded"  # the manifest asks for another recipe now, or a retake stands in for a failed take
    REINSTATED = "reinstated"  # the manifest asks for this recipe again
    RENAMED = "renamed"  # another shot adopted it, as the user decided; it keeps its clip, whatever its name
    FRAMES_CHOSEN = "frames_chosen"  # which frames of other shots' clips its next submit holds
    SUBMIT_STARTED = "submit_started"  # on disk before the first byte of a paid POST
    NOT_SENT = "not_sent"  # proof P0: no byte left
    TURNED_AWAY = "turned_away"  # proof P1: refused for now (401, 403, 425, 429)
    REFUSED = "refused"  # proof P1: refused for good
    ACCEPTED = "accepted"  # the provider named a generation
    PRICED = "priced"  # the submit answer said what is held
    ANSWER_LOST = "answer_lost"  # sent, and the result is not known
    SEARCHED = "searched"  # the provider's log was read completely, and decided nothing
    ADOPTED = "adopted"  # a generation is this take's: by its exact request id, or by the user's decision
    FOUND_FAILED = "found_failed"  # proof P2
    PRESUMED_ABSENT = "presumed_absent"  # proof P4, under the policy `resubmit`
    RESUBMIT_ALLOWED = "resubmit_allowed"  # proof P5: the user's decision
    ABANDONED = "abandoned"  # the user gives it up; what it may have cost still counts
    WITHDRAWN = "withdrawn"  # the user takes back a retake, or a retry, that was not sent
    FOUND_UNRECORDED = "found_unrecorded"  # a submit of ours that this state file does not know
    FOUND_LATE = "found_late"  # the generation of an earlier attempt, after the take went on without it
    FOUND_DOUBLE = "found_double"  # a second generation of a submit that had one already
    LOGGED = "logged"  # how late the provider's log showed it
    HELD = "held"  # the user's decision is needed
    LOOKED_AGAIN = "looked_again"  # a held generation is polled again
    NAMED_AGAIN = "named_again"  # a held clip that is whole on disk is given its name again
    GENERATION_STARTED = "generation_started"
    COMPLETED = "completed"
    FAILURE_SEEN = "failure_seen"  # an answer says that it failed: believed only if a later one says so, too
    GENERATION_FAILED = "generation_failed"  # proof P3
    FAILURE_WITHDRAWN = (
        "failure_withdrawn"  # a generation that counted as failed goes on after all, and its take went on without it
    )
    RETRY_PLANNED = "retry_planned"  # a new attempt after a failure, by policy or by the user
    RETRY_WITHDRAWN = "retry_withdrawn"  # its proof no longer holds: `retry` is the decision of the user
    MODEL_CHANGED = "model_changed"  # its fallback makes it from here on, or is known to have made it
    LINK_DEAD = "link_dead"  # a link expired or gave no whole clip: poll for a fresh one
    DOWNLOADED = "downloaded"  # whole, decodable, hashed; still a .part file
    DOWNLOAD_DISCARDED = "download_discarded"  # the bytes on disk are not those recorded
    VERIFIED = "verified"  # under its final name
    MEASURED = "measured"  # the ends of a chained clip, and how it meets the frame that it was given
    WARNED = "warned"
    CIRCLED = "circled"  # the user chose it for the cut
    UNCIRCLED = "uncircled"  # another was chosen, or none
    CHARGED = "charged"  # seen in the provider's ledger, for this attempt or an earlier one


_S, _F = State, Fact
_RUNNING = (_S.QUEUED, _S.GENERATING)
_EVERY = tuple(State)

_MOVES: dict[tuple[State, Fact], State] = {
    (_S.PLANNED, _F.REPLANNED): _S.PLANNED,
    (_S.PLANNED, _F.FRAMES_CHOSEN): _S.PLANNED,
    (_S.PLANNED, _F.SUBMIT_STARTED): _S.SUBMITTING,
    (_S.SUBMITTING, _F.NOT_SENT): _S.PLANNED,
    (_S.SUBMITTING, _F.TURNED_AWAY): _S.PLANNED,
    (_S.SUBMITTING, _F.REFUSED): _S.FAILED,
    (_S.SUBMITTING, _F.ACCEPTED): _S.QUEUED,
    (_S.SUBMITTING, _F.ANSWER_LOST): _S.UNKNOWN,
    (_S.UNKNOWN, _F.HELD): _S.HELD,
    (_S.UNKNOWN, _F.SEARCHED): _S.UNKNOWN,
    (_S.HELD, _F.SEARCHED): _S.HELD,
    **{(state, _F.PRESUMED_ABSENT): _S.PLANNED for state in (_S.UNKNOWN, _S.HELD)},
    **{(state, _F.ADOPTED): _S.QUEUED for state in (_S.UNKNOWN, _S.HELD, _S.PLANNED, _S.FAILED)},
    **{(state, _F.FOUND_FAILED): _S.FAILED for state in (_S.UNKNOWN, _S.HELD)},
    **{(state, _F.RESUBMIT_ALLOWED): _S.PLANNED for state in (_S.UNKNOWN, _S.HELD)},
    **{(state, _F.ABANDONED): _S.FAILED for state in (_S.UNKNOWN, _S.HELD)},
    **{(state, _F.FOUND_UNRECORDED): _S.HELD for state in (*_RUNNING, _S.PLANNED, _S.UNKNOWN, _S.HELD, _S.FAILED)},
    (_S.HELD, _F.LOOKED_AGAIN): _S.QUEUED,
    (_S.HELD, _F.NAMED_AGAIN): _S.DOWNLOADED,
    (_S.QUEUED, _F.GENERATION_STARTED): _S.GENERATING,
    (_S.COMPLETED, _F.LINK_DEAD): _S.COMPLETED,
    (_S.COMPLETED, _F.DOWNLOADED): _S.DOWNLOADED,
    (_S.COMPLETED, _F.HELD): _S.HELD,
    (_S.DOWNLOADED, _F.VERIFIED): _S.VERIFIED,
    (_S.DOWNLOADED, _F.DOWNLOAD_DISCARDED): _S.COMPLETED,
    (_S.DOWNLOADED, _F.HELD): _S.HELD,
    **{(state, _F.MEASURED): state for state in (_S.DOWNLOADED, _S.VERIFIED)},
    (_S.FAILED, _F.RETRY_PLANNED): _S.PLANNED,
    (_S.PLANNED, _F.RETRY_WITHDRAWN): _S.FAILED,
    (_S.PLANNED, _F.WITHDRAWN): _S.FAILED,
    (_S.FAILED, _F.MODEL_CHANGED): _S.PLANNED,
    **{(state, _F.MODEL_CHANGED): state for state in (*_RUNNING, _S.PLANNED, _S.UNKNOWN, _S.HELD)},
    (_S.VERIFIED, _F.CIRCLED): _S.VERIFIED,
    (_S.VERIFIED, _F.UNCIRCLED): _S.VERIFIED,
    **{(state, _F.PRICED): state for state in _RUNNING},
    **{(state, _F.COMPLETED): _S.COMPLETED for state in _RUNNING},
    **{(state, _F.FAILURE_SEEN): state for state in _RUNNING},
    **{(state, _F.GENERATION_FAILED): _S.FAILED for state in _RUNNING},
    **{(state, _F.HELD): _S.HELD for state in _RUNNING},
    **{
        (state, fact): state
        for state in _EVERY
        for fact in (
            *(_F.SUPERSEDED, _F.REINSTATED, _F.RENAMED, _F.FAILURE_WITHDRAWN),
            *(_F.WARNED, _F.CHARGED, _F.FOUND_LATE, _F.FOUND_DOUBLE, _F.LOGGED),
        )
    },
}
TRANSITIONS: Mapping[tuple[State, Fact], State] = MappingProxyType(_MOVES)

IN_FLIGHT_STATES = frozenset({_S.SUBMITTING, _S.QUEUED, _S.GENERATING})
"""States that hold one of the provider's places."""
SETTLED_STATES = frozenset({_S.VERIFIED, _S.FAILED, _S.HELD})
"""States that a run leaves alone."""
