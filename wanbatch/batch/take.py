"""A take: one wanted clip of a shot, and how each recorded fact changes it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

from wanbatch.batch.fallback_words import MARK, retold
from wanbatch.batch.lifecycle import TRANSITIONS, Fact, State
from wanbatch.batch.models import Order, PriceClass, order_of
from wanbatch.batch.shots import Recipe
from wanbatch.batch.spend import Spend
from wanbatch.errors import StateInvalid
from wanbatch.units import CREDITS_MAX


@dataclass(frozen=True)
class Entry:
    """One fact about one take, as recorded: when (UTC) and with what. `data` holds JSON values only."""

    fact: Fact
    at: datetime
    data: Mapping[str, Any]


@dataclass(frozen=True)
class Take(Spend):
    """One try at a shot: the fold of its facts.

    Times are UTC. Credits are whole; None means unknown. `attempts` counts request ids used, `attempt` is the one that
    the take follows (the last, unless an earlier one was adopted), `tries` those that count against the user's limit
    (not 429s, not what never left this machine). `recipe_json` is the canonical body.
    `credits_charged` sums what the ledger showed for all its attempts; `is_charge_seen` tells whether the one it
    follows is in it; `credits_at_risk` is what earlier attempts may still be charged that were given up without proof.
    `needs_user` marks a held take that another look cannot decide. `first_searched_at`, `last_searched_at` and
    `failure_seen_at` (the first look at a row that says it failed) are counted time: what both our clock and the
    provider's saw pass; `witnessed` counts the
    looks that showed a later submit of ours and not this one. `is_retake` marks one that the user asked for beside the
    manifest, with a `note` on why; `circled` the one take of its shot that the user chose.
    """

    take_id: int
    shot_id: str
    number: int
    recipe_json: str
    state: State = State.PLANNED
    superseded: bool = False
    planned_at: datetime | None = None
    attempts: int = 0
    attempt: int = 0
    tries: int = 0
    request_id: str | None = None
    generation_id: str | None = None
    credits_estimated: int | None = None
    credits_held: int | None = None
    credits_charged: int | None = None
    is_charge_seen: bool = False
    credits_at_risk: int | None = 0
    submitted_at: datetime | None = None
    accepted_at: datetime | None = None
    started_at: datetime | None = None
    completed_at: datetime | None = None
    last_running_at: datetime | None = None
    downloaded_at: datetime | None = None
    verified_at: datetime | None = None
    download_s: float | None = None
    dead_links: int = 0
    searches: int = 0
    witnessed: int = 0
    failure_seen_at: datetime | None = None
    first_searched_at: datetime | None = None
    last_searched_at: datetime | None = None
    log_lag_s: float | None = None
    needs_user: bool = False
    file: str | None = None
    sha256: str | None = None
    size_bytes: int | None = None
    clip_duration_s: float | None = None
    width: int | None = None
    height: int | None = None
    has_audio: bool | None = None
    warning: str = ""
    error: str = ""
    is_retake: bool = False
    note: str = ""
    circled: bool = False

    @cached_property
    def recipe(self) -> Recipe:
        """The effective request body."""
        return Recipe(self.recipe_json)

    @cached_property
    def order(self) -> Order:
        """What was ordered, documented defaults filled in."""
        return order_of(self.recipe)

    @property
    def price_class(self) -> PriceClass:
        """What its price depends on."""
        return self.order.price_class

    @property
    def label(self) -> str:
        """`sc010_sh020_t1`: the take's name on screen, and in files that are made from now on."""
        return f"{self.shot_id}_t{self.number}"

    @property
    def stem(self) -> str:
        """The name of its files without their endings: the label that it had when its clip was verified."""
        return self.label if self.file is None else self.file.rpartition("/")[2].removesuffix(".mp4")

    @property
    def can_be_looked_at(self) -> bool:
        """Say whether polling a held take's generation again may decide about it."""
        return self.generation_id is not None and not self.needs_user

    @property
    def can_be_searched(self) -> bool:
        """Say whether the provider's log may tell what became of its submit."""
        return self.state in (State.UNKNOWN, State.HELD) and self.generation_id is None and self.request_id is not None


def _with(take: Take, **values: Any) -> Take:
    """`dataclasses.replace` for a take, eight times as fast: a state file refolds hundreds of thousands of facts."""
    made = object.__new__(Take)
    made.__dict__.update(take.__dict__)
    if "recipe_json" in values:  # what was made of it is no longer true
        made.__dict__.pop("recipe", None)
        made.__dict__.pop("order", None)
    made.__dict__.update(values)
    return made


def _noted(*names: str) -> Callable[[Take, Entry], Take]:
    """Make a fold step that copies these values of the entry into the take, if the entry has them."""

    def step(take: Take, entry: Entry) -> Take:
        return _with(take, **{name: entry.data[name] for name in names if name in entry.data})

    return step


def _submit_started(take: Take, entry: Entry) -> Take:
    data = entry.data
    return _with(
        take,
        attempts=data["attempt"],
        attempt=data["attempt"],
        tries=take.tries + 1,
        request_id=data["request_id"],
        credits_estimated=data.get("credits_estimated"),
        generation_id=None,
        credits_held=None,
        is_charge_seen=False,
        submitted_at=entry.at,
        accepted_at=None,
        started_at=None,
        completed_at=None,
        last_running_at=None,
        dead_links=0,
        searches=0,
        witnessed=0,
        failure_seen_at=None,
        first_searched_at=None,
        last_searched_at=None,
        log_lag_s=None,
        needs_user=False,
        error="",
    )


def _not_paid(take: Take, entry: Entry) -> Take:
    return _with(take, tries=take.tries - 1, error=entry.data.get("error", ""))


def _warned(take: Take, entry: Entry) -> Take:
    text = entry.data["warning"]
    if text in take.warning.split("; "):
        return take
    return _with(take, warning=f"{take.warning}; {text}" if take.warning else text)


def _dated(name: str, *noted: str) -> Callable[[Take, Entry], Take]:
    def step(take: Take, entry: Entry) -> Take:
        return _with(_noted(*noted)(take, entry), **{name: entry.at})

    return step


def _completed(take: Take, entry: Entry) -> Take:
    last = entry.data.get("last_running_at")
    seen = datetime.fromisoformat(last) if last else None
    if take.completed_at is not None:  # held, and looked at again: it ended when it was first seen to
        return _with(take, error="")
    return _with(take, completed_at=entry.at, last_running_at=seen, error="")


def _searched(take: Take, entry: Entry) -> Take:
    at = datetime.fromisoformat(entry.data["provider_at"])
    return _with(
        take,
        searches=take.searches + 1,
        witnessed=take.witnessed + bool(entry.data["has_witness"]),
        failure_seen_at=(take.failure_seen_at or at) if entry.data["is_failed"] else None,
        first_searched_at=take.first_searched_at or at,
        last_searched_at=at,
    )


def _adopted(take: Take, entry: Entry) -> Take:
    # When it was accepted stays unknown: its answer was lost.
    names = (
        "generation_id",
        "credits_held",
        "credits_at_risk",
        "attempt",
        "request_id",
        "credits_estimated",
        "recipe_json",
    )
    is_charge_seen = bool(entry.data.get("is_charge_seen"))
    return _with(_noted(*names)(take, entry), error="", needs_user=False, is_charge_seen=is_charge_seen)


def _given_up(take: Take, entry: Entry) -> Take:
    """The last attempt is over without proof: what it may cost stays counted."""
    risk, more = take.credits_at_risk, take.credits_open
    return _with(
        take,
        credits_at_risk=None if risk is None or more is None else risk + more,
        tries=0 if entry.fact is Fact.RESUBMIT_ALLOWED else take.tries,
        error=entry.data.get("error", ""),
        needs_user=False,
    )


def _withdrawn(take: Take, entry: Entry) -> Take:
    """A retry leaves a failed take; a retake is one that nothing asks for any more, and that no plan takes up again."""
    left = {} if entry.data["is_retry"] else {"superseded": True, "is_retake": False}
    return _with(take, error=entry.data["error"], **left)


def _found_unrecorded(take: Take, entry: Entry) -> Take:
    data = entry.data
    if data.get("is_another"):  # what was seen of the attempt before says nothing about this one
        take = _with(take, searches=0, witnessed=0, failure_seen_at=None, first_searched_at=None, last_searched_at=None)
    return _with(
        take,
        attempts=max(take.attempts, data["attempt"]),
        attempt=data["attempt"],
        tries=take.tries + bool(data.get("is_try")),
        request_id=data["request_id"],
        generation_id=None,
        credits_held=data.get("credits_held"),
        credits_at_risk=data.get("credits_at_risk"),
        is_charge_seen=False,
        submitted_at=datetime.fromisoformat(data["at"]),
        needs_user=True,
        error=data["error"],
    )


def _model_changed(take: Take, entry: Entry) -> Take:
    """Another recipe, of which nothing was sent: what the answers to the first said is the price of another."""
    recipe_json = entry.data["recipe_json"]
    return _with(take, recipe_json=recipe_json, tries=0, credits_estimated=None, credits_held=None)


def _charged(take: Take, entry: Entry) -> Take:
    data = entry.data
    more = data.get("credits_more", data["credits_charged"])
    is_last = data.get("generation_id", take.generation_id) == take.generation_id
    return _with(
        take,
        credits_charged=(take.credits_charged or 0) + more,
        is_charge_seen=take.is_charge_seen or is_last,
        credits_at_risk=data.get("credits_at_risk", take.credits_at_risk),
    )


def _generation_started(take: Take, entry: Entry) -> Take:
    # An unobserved change has no time: `started_at` stays empty unless a recent poll still said queued.
    return _with(take, started_at=entry.at) if entry.data.get("seen_change") else take


_FOLD: dict[Fact, Callable[[Take, Entry], Take]] = {
    Fact.REPLANNED: lambda take, entry: _with(take, recipe_json=entry.data["recipe_json"], tries=0),
    Fact.SUPERSEDED: lambda take, _: _with(take, superseded=True),
    Fact.REINSTATED: lambda take, _: _with(take, superseded=False),
    Fact.RENAMED: _noted("shot_id", "number"),
    Fact.FRAMES_CHOSEN: lambda take, _: take,
    Fact.SUBMIT_STARTED: _submit_started,
    Fact.NOT_SENT: _not_paid,
    Fact.TURNED_AWAY: _not_paid,
    Fact.REFUSED: _noted("error"),
    Fact.ACCEPTED: _dated("accepted_at", "generation_id", "credits_held"),
    Fact.PRICED: _noted("credits_held"),
    Fact.ANSWER_LOST: _noted("error"),
    Fact.SEARCHED: _searched,
    Fact.ADOPTED: _adopted,
    Fact.FOUND_FAILED: _noted("error"),
    Fact.PRESUMED_ABSENT: _given_up,
    Fact.RESUBMIT_ALLOWED: _given_up,
    Fact.ABANDONED: _given_up,
    Fact.FOUND_UNRECORDED: _found_unrecorded,
    Fact.FOUND_LATE: _noted("credits_at_risk"),
    Fact.FOUND_DOUBLE: _noted("credits_at_risk"),
    Fact.LOGGED: _noted("log_lag_s"),
    Fact.HELD: _noted("error", "needs_user"),
    Fact.LOOKED_AGAIN: lambda take, _: _with(take, error="", dead_links=0),
    Fact.NAMED_AGAIN: lambda take, _: _with(take, error=""),
    Fact.GENERATION_STARTED: _generation_started,
    Fact.COMPLETED: _completed,
    Fact.FAILURE_SEEN: lambda take, _: take,
    Fact.GENERATION_FAILED: _noted("error"),
    Fact.FAILURE_WITHDRAWN: _noted("credits_at_risk"),
    Fact.RETRY_WITHDRAWN: _noted("error"),
    Fact.WITHDRAWN: _withdrawn,
    Fact.RETRY_PLANNED: lambda take, entry: _with(take, tries=0 if entry.data["by"] == "user" else take.tries),
    Fact.MODEL_CHANGED: _model_changed,
    Fact.LINK_DEAD: lambda take, _: _with(take, dead_links=take.dead_links + 1),
    Fact.DOWNLOADED: _dated(
        "downloaded_at", "sha256", "size_bytes", "clip_duration_s", "width", "height", "has_audio", "download_s"
    ),
    Fact.DOWNLOAD_DISCARDED: lambda take, _: _with(take, sha256=None, size_bytes=None, downloaded_at=None),
    Fact.VERIFIED: _dated("verified_at", "file"),
    Fact.MEASURED: lambda take, _: take,
    Fact.WARNED: _warned,
    Fact.CIRCLED: lambda take, _: _with(take, circled=True),
    Fact.UNCIRCLED: lambda take, _: _with(take, circled=False),
    Fact.CHARGED: _charged,
}


class TransitionForbidden(StateInvalid):
    """A fact that cannot happen in this state; nothing was recorded."""


def planned_take(take_id: int, shot_id: str, entry: Entry) -> Take:
    """Make the take that a PLANNED fact brings into being. `entry.data`: number, recipe_json; of a retake also note."""
    data = entry.data
    take = Take(take_id, shot_id, data["number"], data["recipe_json"], planned_at=entry.at)
    return _with(take, is_retake=True, note=data["note"]) if "note" in data else take


def advance(take: Take, entry: Entry) -> Take:
    """Return the take as it is after this fact. Raises TransitionForbidden for a move that the table does not list."""
    state = TRANSITIONS.get((take.state, entry.fact))
    if state is None:
        raise TransitionForbidden(f"{take.label} is {take.state}: '{entry.fact}' cannot happen now")
    if entry.fact is Fact.LOOKED_AGAIN and not take.can_be_looked_at:
        raise TransitionForbidden(f"{take.label} cannot be polled again until the user decides")
    if entry.fact is Fact.NAMED_AGAIN and take.sha256 is None:
        raise TransitionForbidden(f"{take.label} has no checked clip on disk to name")
    moved = _FOLD[entry.fact](take, entry)
    moved = moved if moved.state is state else _with(moved, state=state)
    return _with(moved, warning=retold(moved.warning, state, moved.recipe.model)) if MARK in moved.warning else moved


def charged_by(charge: Entry) -> int:
    """Return the credits that a CHARGED fact adds to those before. Raises StateInvalid if it says none."""
    reported = charge.data.get("credits_more", charge.data.get("credits_charged"))
    if not isinstance(reported, int) or abs(reported) >= CREDITS_MAX:
        raise StateInvalid("a charge in the state file is not a number of credits; the file is damaged")
    return reported


def fold(take_id: int, shot_id: str, entries: Iterable[Entry]) -> Take:
    """Replay the facts of one take, the first of which must be PLANNED. `shot_id` is the shot that has it now."""
    feed = iter(entries)
    first = next(feed)
    if first.fact is not Fact.PLANNED:
        raise TransitionForbidden(f"the first fact of take {take_id} is '{first.fact}', not 'planned'")
    take = planned_take(take_id, shot_id, first)
    for entry in feed:
        take = advance(take, entry)
    return take
