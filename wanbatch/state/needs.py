"""What needs the user: takes that failed, are held or unknown, and what to do about each. Pure."""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field, replace

from wanbatch.batch.advice import for_failed, in_folder, is_refused_prompt
from wanbatch.batch.fallback_words import told_of_fallback
from wanbatch.batch.lifecycle import State
from wanbatch.batch.take import Take
from wanbatch.money.credits import usd_text
from wanbatch.state.tables import Stray


@dataclass(frozen=True)
class Problem:
    """A take, or a submit of no take, that needs the user: what is wrong, and what can be done.

    `needs_user` if only the user can decide about it.
    """

    take: str
    state: str
    error: str
    todo: str
    needs_user: bool = False

    def __str__(self) -> str:
        return f"{self.take} {self.state}: {self.error}" + (f". {self.todo}" if self.todo else "")


@dataclass(frozen=True)
class AttemptFindings:
    """What attempts say about takes, by take id: whose request itself was `refused`, of which held ones a generation
    that this file did not record is `offered`, and what is said of `fallbacks` that were not used. `made` is a
    generation that a failed take can still have.
    """

    refused: Container[int] = frozenset()
    offered: Container[int] = frozenset()
    fallbacks: Mapping[int, str] = field(default_factory=dict)
    made: Mapping[int, str] = field(default_factory=dict)


def _nowhere(_: str) -> str:
    return ""


def problems_in(
    takes: Sequence[Take],
    strays: Sequence[Stray] = (),
    *,
    findings: AttemptFindings = AttemptFindings(),
    folder: str,
    place_of: Callable[[str], str] = _nowhere,
) -> tuple[Problem, ...]:
    """List the takes that need the user, in the order they were planned, and submits that belong to none.

    A take that the manifest no longer asks for is one of them only if it is held, since it may have been charged, or if
    a generation of it is offered. `folder` is the
    output folder as commands name it; `place_of` tells where a shot is written down.
    """
    found = []
    for take in takes:
        if take.superseded and take.state is not State.HELD and take.take_id not in findings.offered:
            continue
        if take.state is State.FAILED:
            todo = _failed_todo(take, findings, place_of)
            where = told_of_fallback(take.warning) or findings.fallbacks.get(take.take_id, "")
            error = f"{take.error} ({where})" if where else take.error
            found.append(Problem(take.label, "failed", error, todo, needs_user=take.take_id in findings.made))
        elif take.state in (State.HELD, State.UNKNOWN):
            is_searched = take.state is State.UNKNOWN
            todo = "The next run looks it up in the provider's log" if is_searched else _held_todo(take)
            found.append(Problem(take.label, take.state.value, take.error, todo, needs_user=take.needs_user))
    for stray in strays:
        error = f"{stray.source} shows this submit, which belongs to no take here: {_made_text(stray)}"
        found.append(Problem(stray.request_id, "stray", error, "Its clip, if any, is in the provider's console"))
    return tuple(
        replace(each, error=in_folder(each.error, folder), todo=in_folder(each.todo, folder)) for each in found
    )


def _made_text(stray: Stray) -> str:
    if stray.generation_id is None and stray.credits_held is None:
        return "what it made is unknown, and so is its cost"
    made = "what it made is unknown" if stray.generation_id is None else f"it made {stray.generation_id}"
    return f"{made}, and its cost is {usd_text(stray.credits_held)}"


def _failed_todo(take: Take, findings: AttemptFindings, place_of: Callable[[str], str]) -> str:
    made = findings.made.get(take.take_id)
    if made is not None:
        fetch = f"If it made a clip, `wanbatch resolve {take.label} --adopt {made}` fetches it"
        return f"An earlier submit of this take was accepted. {fetch}; `wanbatch retry` pays for a new one"
    if take.credits_charged is not None:
        return (
            "It was charged although it failed: contact the provider's support. `wanbatch retry` pays for another try"
        )
    is_refused = take.take_id in findings.refused
    needs_place = is_refused or is_refused_prompt(take.error)
    return for_failed(take.error, place_of(take.shot_id) if needs_place else "", is_refused=is_refused)


def _held_todo(take: Take) -> str:
    if not take.needs_user:
        return ""
    command = f"`wanbatch resolve {take.label}` with --adopt, --resubmit or --abandon"
    return f"wanbatch does not send it again on its own: {command}"
