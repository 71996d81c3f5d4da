"""What needs the user: takes that failed, are held or unknown, and what to do about each. Pure."""

from __future__ import annotations

import re
import shlex
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass, field, replace

from wanbatch.batch.chained_takes import Waiting
from wanbatch.batch.fallback_words import told_of_fallback
from wanbatch.batch.lifecycle import State
from wanbatch.batch.remedies import (
    RETRY,
    Again,
    Remedy,
    for_beside_refused,
    for_failed,
    in_folder,
    is_refused_prompt,
    retry_flags,
    retry_of,
)
from wanbatch.batch.take import Take
from wanbatch.money.credits import exact_usd, usd_text
from wanbatch.state.tables import Stray
from wanbatch.units import count_text

WAITING = "waiting"


@dataclass(frozen=True)
class Problem:
    """A take, or a submit of no take, that needs the user: what is wrong, and what can be done.

    `needs_user` if only the user can decide about it; `can_be_looked_up` if the provider's log may still tell what
    became of its submit, which costs nothing to ask. `again` is how a failed take can be made after all; `lacks_take`
    if it waits for a take that no plan has.
    """

    take: str
    state: str
    error: str
    todo: str
    needs_user: bool = False
    can_be_looked_up: bool = False
    again: Again | None = None
    lacks_take: bool = False

    @property
    def shot_id(self) -> str:
        """The shot of the take."""
        return self.take.rpartition("_t")[0]

    def __str__(self) -> str:
        return f"{self.take} {self.state}: {self.error}" + (f". {self.todo}" if self.todo else "")


@dataclass(frozen=True)
class RetryCaps:
    """The caps that tries of failed takes need, in credits, where the cap of the last run is too low.

    `whole` is for the retry of all that a retry makes, None if its cap allows that; `by_shot` for that of one shot.
    `scenes` say by shot which cap of its scene has to be raised before.
    """

    whole: int | None = None
    by_shot: Mapping[str, int] = field(default_factory=dict)
    scenes: Mapping[str, str] = field(default_factory=dict)

    def flags(self) -> list[str]:
        """Return the words of the cap of a retry of all."""
        return [] if self.whole is None else ["--max-usd", exact_usd(self.whole)]

    def of_shot(self, shot_id: str) -> str:
        """Return the cap of a retry of one shot in USD; empty if it needs none."""
        return exact_usd(self.by_shot[shot_id]) if shot_id in self.by_shot else ""

    def once(self, shot_id: str) -> str:
        """Say what a retry of a shot waits for beside that; empty if for nothing."""
        return f", once {self.scenes[shot_id]}" if shot_id in self.scenes else ""


NO_RETRY_CAPS = RetryCaps()


@dataclass(frozen=True)
class AttemptFindings:
    """What attempts say about takes, by take id: whose request itself was `refused`, of which held ones a generation
    that this file did not record is `offered`, and what is said of `fallbacks` that were not used. `made` is a
    generation that a failed take can still have. `places` tell where the manifest names shots, by shot id.
    `waiting` are takes that are not sent for want of a frame of another shot, by label, each with what it waits for.
    `given_up` are failed takes that the user gave up; `caps` are what tries of failed takes need.
    """

    refused: Container[int] = frozenset()
    offered: Container[int] = frozenset()
    fallbacks: Mapping[int, str] = field(default_factory=dict)
    made: Mapping[int, str] = field(default_factory=dict)
    places: Mapping[str, str] = field(default_factory=dict)
    waiting: Mapping[str, Waiting] = field(default_factory=dict)
    given_up: Container[int] = frozenset()
    caps: RetryCaps = NO_RETRY_CAPS


def problems_in(
    takes: Sequence[Take],
    strays: Sequence[Stray] = (),
    *,
    findings: AttemptFindings = AttemptFindings(),
    folder: str,
) -> tuple[Problem, ...]:
    """List the takes that need the user, in the order they were planned, and submits that belong to none.

    A take that the manifest no longer asks for is one of them only if it is held or failed and was charged or may be,
    or if a generation of it is offered. `folder` is the output folder as commands name it.
    """
    found = []
    remedies = _remedies([take for take in takes if take.state is State.FAILED], findings)
    for take in takes:
        is_of_money = take.state is State.FAILED and take.credits_committed != 0
        is_shown = take.state is State.HELD or is_of_money or take.take_id in findings.offered
        if take.superseded and not is_shown:
            continue
        if take.state is State.FAILED:
            remedy = remedies[take.take_id]
            where = told_of_fallback(take.warning) or findings.fallbacks.get(take.take_id, "")
            error = f"{take.error} ({where})" if where else take.error
            needs_user = take.take_id in findings.made and not take.superseded
            found.append(Problem(take.label, "failed", error, remedy.text, needs_user=needs_user, again=remedy.again))
        elif take.state in (State.HELD, State.UNKNOWN):
            is_lost = is_not_looked_up(take, findings)
            todo = decision_about(take, findings)
            told = (take.label, take.state.value, take.error, todo)
            found.append(Problem(*told, needs_user=take.needs_user, can_be_looked_up=is_lost))
    for label, waiting in findings.waiting.items():
        is_lacking = waiting.shot_without_take is not None
        error = f"continues from {waiting.why}"
        found.append(Problem(label, WAITING, error, _todo_of_waiting(waiting), lacks_take=is_lacking))
    for stray in strays:
        error = f"{stray.source} shows this submit, which belongs to no take here: {_made_text(stray)}"
        found.append(Problem(stray.request_id, "stray", error, "Its clip, if any, is in the provider's console"))
    return tuple(
        replace(each, error=in_folder(each.error, folder), todo=in_folder(each.todo, folder)) for each in found
    )


def takes_to_change(problems: Sequence[Problem]) -> list[Problem]:
    """Return the failed takes that the provider would refuse again as they are."""
    return [each for each in problems if each.again is Again.CHANGED and not each.needs_user]


def shots_to_retry(problems: Sequence[Problem]) -> list[str]:
    """Return the shots of failed takes that a retry may make: none that is to be changed or decided about first."""
    changed = {each.shot_id for each in takes_to_change(problems)}
    again = dict.fromkeys(each.shot_id for each in problems if each.again is Again.AS_IT_IS and not each.needs_user)
    return [each for each in again if each not in changed]


def _remedies(failed: Sequence[Take], findings: AttemptFindings) -> dict[int, Remedy]:
    """Return what to do about failed takes; retries leave out what the provider would refuse again."""
    own = {take.take_id: _of_failed(take, findings) for take in failed}
    refused = {
        take.shot_id: take.label
        for take in failed
        if own[take.take_id].again is Again.CHANGED and take.take_id not in findings.made
    }
    asked = [take.shot_id for take in failed if own[take.take_id].again is Again.AS_IT_IS]
    flags = retry_flags([each for each in dict.fromkeys(asked) if each not in refused], list(refused))
    flags += findings.caps.flags()

    def remedy(take: Take) -> Remedy:
        mine = own[take.take_id]
        if take.shot_id in refused and mine is RETRY:
            return for_beside_refused(refused[take.shot_id])
        once = findings.caps.once(take.shot_id) if "`wanbatch retry" in mine.text else ""
        mine = mine.with_flags(flags)
        return replace(mine, text=f"{mine.text}{once}")

    return {take.take_id: remedy(take) for take in failed}


def _todo_of_waiting(waiting: Waiting) -> str:
    shot_id = waiting.shot_without_take
    if shot_id is None:
        return "It will be sent when the take it waits for has a clip"
    return f"`wanbatch retake {shlex.quote(shot_id)}` makes another take of {shot_id}; or name a take that exists"


WAITS = "will be sent when that take has a clip"  # ends what a run says of takes that wait for another


def screen_lines(problems: Sequence[Problem], message: str) -> list[str]:
    """Return the problems in lines for a screen that shows a run's message, too: each advice once, before its takes.

    What the message says already is left out: which takes wait, and what is to be decided.
    """
    left = [each for each in problems if each.state != WAITING or WAITS not in message]
    groups: dict[tuple[str, str], list[Problem]] = {}
    for each in left:
        groups.setdefault((each.state, each.todo.replace(each.take, "TAKE")), []).append(each)
    lines = []
    for (state, _), mine in groups.items():
        todo = mine[0].todo
        if len(mine) == 1 or not todo:
            lines += [str(replace(each, todo="") if todo and todo in message else each) for each in mine]
            continue
        others = ". For the others, do the same with their names" if mine[0].take in todo else ""
        what = "submit" if state == "stray" else f"{state} take"
        lines += [f"{count_text(len(mine), what)}: {todo}{others}", *(str(replace(each, todo="")) for each in mine)]
    return lines


def _made_text(stray: Stray) -> str:
    if stray.generation_id is None and stray.credits_held is None:
        return "what it made is unknown, and so is its cost"
    made = "what it made is unknown" if stray.generation_id is None else f"it made {stray.generation_id}"
    return f"{made}, and its cost is {usd_text(stray.credits_held)}"


def _of_failed(take: Take, findings: AttemptFindings) -> Remedy:
    """Say what can be done about a failed take; nothing is paid for one that the manifest no longer asks for."""
    made, ways = findings.made.get(take.take_id), list[str]()
    alone = retry_of(take.shot_id, findings.caps.of_shot(take.shot_id))
    if made is not None:
        fetch = f"If it made a clip, `wanbatch resolve {take.label} --adopt {made}` fetches it"
        ways = [f"An earlier submit of this take was accepted. {fetch}", f"; {alone} pays for a new one"]
    elif take.credits_charged is not None:
        charged = "It was charged although it failed: contact the provider's support"
        ways = [charged, ". `wanbatch retry` pays for another try"]
    if take.superseded:
        risk = ["It may have been charged"] if take.credits_at_risk != 0 and not ways else []
        return Remedy(". ".join([*ways[:1], *risk, "The manifest no longer asks for it"]))
    if take.take_id in findings.given_up and made is None:
        told, twice = [*ways[:1], "wanbatch sends nothing more for it"], ""
        if take.credits_at_risk != 0:
            told.append("`wanbatch reconcile` shows whether the provider has a trace of it by now")
            twice = ", which may be a second payment for it"
        return Remedy(f"{'. '.join(told)}. To buy it again{twice}: {alone}", Again.GIVEN_UP)
    if ways:
        return Remedy("".join(ways), Again.AS_IT_IS)
    if take.credits_at_risk != 0:
        return Remedy(
            "It may have been charged: `wanbatch reconcile` shows whether the provider has a trace of it by now."
            " `wanbatch retry` sends it again, and may pay a second time",
            Again.AS_IT_IS,
        )
    is_refused = take.take_id in findings.refused
    needs_place = is_refused or is_refused_prompt(take.error)
    return for_failed(take.error, findings.places.get(take.shot_id, "") if needs_place else "", is_refused=is_refused)


_LOOK_UP = "`wanbatch reconcile` looks it up in the provider's log, and costs nothing; so does the next run"


def is_not_looked_up(take: Take, findings: AttemptFindings) -> bool:
    """Say whether the provider's log was not yet asked what became of a take's submit, and may tell."""
    return take.can_be_searched and not take.searches and take.take_id not in findings.offered


def decision_about(take: Take, findings: AttemptFindings) -> str:
    """Say what is to be done about a take whose answer was lost, or that is held; empty if it is not the user's."""
    return _LOOK_UP if take.state is State.UNKNOWN else _held_todo(take, findings)


def _held_todo(take: Take, findings: AttemptFindings) -> str:
    if not take.needs_user:
        return ""
    ways = [
        f"`wanbatch {' '.join(each)}` {_EFFECTS[each[2]]}" for each in ways_of(take, findings) if each[0] == "resolve"
    ]
    choose = f"{'; '.join(ways[:-1])}; or {ways[-1]}"
    if is_not_looked_up(take, findings):
        return f"{_LOOK_UP}. If neither finds it, choose one: {choose}"
    return f"wanbatch does not send it again on its own. Choose one: {choose}"


_EFFECTS = {
    "--adopt": "uses this generation as its clip",
    "--resubmit": "sends it again, which may be charged a second time",
    "--abandon": "gives it up (its possible cost still counts)",
}


def ways_of(take: Take, findings: AttemptFindings) -> list[tuple[str, ...]]:
    """Return what can be done about a take that waits for the user: command and arguments, without the folder."""
    look = [("reconcile",)] if is_not_looked_up(take, findings) else []
    made = [("--adopt", take.generation_id)] if take.generation_id is not None else _named_in(take.error)
    return [*look, *(("resolve", take.label, *way) for way in (*made, ("--resubmit",), ("--abandon",)))]


_ADOPTED = re.compile(r"--adopt ([\w-]+)`")


def _named_in(error: str) -> list[tuple[str, ...]]:
    """Return how a generation is adopted that the reason of a take names; an id is never made up."""
    found = _ADOPTED.search(error)
    return [] if found is None or found[1] == "ID" else [("--adopt", found[1])]
