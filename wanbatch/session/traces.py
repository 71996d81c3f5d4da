"""Traces: what a sidecar and a line of run.log say about a take, once the state file is lost. Pure."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from wanbatch.batch.attempts import Outcome
from wanbatch.batch.chosen_frames import ChosenFrame
from wanbatch.batch.drift import MeasuredClip
from wanbatch.batch.lifecycle import Fact
from wanbatch.batch.shots import Recipe
from wanbatch.batch.take import Entry
from wanbatch.errors import StateInvalid
from wanbatch.provider.answers import read_generation_id
from wanbatch.runner.resubmission import take_and_attempt

UNREADABLE = (StateInvalid, KeyError, TypeError, ValueError, AttributeError)
"""What reading a trace may raise that was cut short, changed by hand or written by another program."""
_FACTS = {each.value: each for each in Fact}


@dataclass(frozen=True)
class Beside:
    """A generation beside that of a clip, as a sidecar records it. Credits are whole or unknown.

    `request_id` is None if an older sidecar does not tell whose it is. `is_failed` where the provider said so.
    """

    generation_id: str
    request_id: str | None
    is_failed: bool
    held: int | None
    charged: int | None


@dataclass(frozen=True)
class Sidecar:
    """What a sidecar says about a take; `is_whole` if its clip is on disk with the bytes that it names.

    `other_frames` are the files of frames that are there with other bytes than it names.
    """

    shot_id: str
    number: int
    told: Mapping[str, Any]
    is_whole: bool = False
    other_frames: frozenset[str] = frozenset()

    @property
    def label(self) -> str:
        """The take's name."""
        return f"{self.shot_id}_t{self.number}"

    @property
    def file_label(self) -> str:
        """The take's name when its clip got its file: another than `label` if another shot took it over since."""
        return str(self.told["file"]).rpartition("/")[2].removesuffix(".mp4")

    @property
    def recipe(self) -> Recipe:
        """What was ordered."""
        return Recipe.of(self.told["recipe"])

    @property
    def request_ids(self) -> list[str]:
        """The request ids of its submits, oldest first."""
        numbered = [(take_and_attempt(each), each) for each in self.told["request_ids"]]
        return [each for ids, each in sorted((ids, each) for ids, each in numbered if ids is not None)]

    @property
    def credits_charged(self) -> int | None:
        """What its clip's own generation was charged; None if that is not known.

        `credits.charged` is the sum of all attempts: it is this generation's only if there was one submit alone.
        """
        if "generations" in self.told:
            own = [each for each in self.told["generations"] if each["generation_id"] == self.told["generation_id"]]
            charged: int | None = own[0]["charged"] if len(own) == 1 else None
            return charged
        return self.told["credits"]["charged"] if len(self.told["request_ids"]) == 1 else None

    @property
    def beside(self) -> list[Beside]:
        """The generations beside that of its clip.

        Of older sidecars only those that are known to count: the ones that were charged, and as many of the first as
        there are second generations of one submit.
        """
        made = self.told.get("generations", [])
        extra = [each for each in self.told["request_ids"] if "#" in str(each)]  # they come first, as in `generations`
        found = []
        for number, each in enumerate(made):
            is_old, is_extra = "outcome" not in each, number < len(extra)
            if read_generation_id(each["generation_id"]) in (None, self.told["generation_id"]):
                continue
            if is_old and not (is_extra or each["charged"]):
                continue
            request_id = each.get("request_id", extra[number] if is_extra else None)
            is_failed = each.get("outcome") == Outcome.FAILED.value
            found.append(Beside(each["generation_id"], request_id, is_failed, each["held"], each["charged"]))
        return found

    @property
    def frames(self) -> tuple[ChosenFrame, ...]:
        """The frames of other clips that its submit held, except those that are there with other bytes."""
        found = (read_frame(each) for each in _list_in(self.told, "frames"))
        return tuple(each for each in found if each is not None and each.file not in self.other_frames)

    @property
    def measured(self) -> MeasuredClip | None:
        """What was measured of its clip; None if it tells nothing of that, as older ones do."""
        return read_measured(self.told.get("measured"))

    def at(self, name: str) -> datetime:
        """When something happened to it; when it was verified, if that is not recorded."""
        return datetime.fromisoformat(self.told["times"].get(name) or self.told["times"]["verified_at"])


def _list_in(told: Mapping[str, Any], name: str) -> list[Any]:
    found = told.get(name)
    return found if isinstance(found, list) else []


def read_frame(told: Any) -> ChosenFrame | None:
    """Read a frame that a submit held; None for anything else."""
    try:
        found = ChosenFrame.of(told)
    except UNREADABLE:
        return None
    return found if found.told == told else None


def read_measured(told: Any) -> MeasuredClip | None:
    """Read what was measured of a clip; None for anything else."""
    try:
        return MeasuredClip.of(told)
    except UNREADABLE:
        return None


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not valid JSON")


def _is_count(value: object) -> bool:
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and 0 <= value < 2**53)


def _is_sound(told: Mapping[str, Any]) -> bool:
    """Say whether what a sidecar tells beside its recipe is of the kinds that a state file keeps."""
    money, probe, duration_s = told["credits"], told["probe"], told["probe"]["duration_s"]
    made = told.get("generations", [])  # older sidecars lack it
    counts = [told["size_bytes"], money["held"], money["charged"], probe["width"], probe["height"]]
    counts += [each[name] for each in made for name in ("held", "charged")]
    return (
        all(isinstance(told[name], str) for name in ("generation_id", "sha256", "file", "warning"))
        and isinstance(made, list)
        and all(isinstance(each["generation_id"], str) for each in made)
        and all(isinstance(each.get(name, ""), str) for each in made for name in ("request_id", "outcome"))
        and read_generation_id(told["generation_id"]) is not None
        and all(map(_is_count, counts))
        and (duration_s is None or (isinstance(duration_s, int | float) and not isinstance(duration_s, bool)))
        and (probe["has_audio"] is None or isinstance(probe["has_audio"], bool))
    )


def read_sidecar(text: str) -> Sidecar | None:
    """Read a sidecar; None for anything else, or if it lacks what a take needs."""
    try:
        told = json.loads(text, parse_constant=_refuse_constant)
        found = Sidecar(str(told["shot_id"]), int(told["take"]), told)
        times = [found.at(name) for name in ("submitted_at", "completed_at", "downloaded_at", "verified_at")]
        is_dated = all(at.tzinfo is not None for at in times)
        is_whole = found.recipe.sha256 == told["recipe_sha256"] and _is_sound(told) and bool(found.request_ids)
    except (*UNREADABLE, RecursionError):
        return None
    return found if is_whole and is_dated else None


def read_event(line: str) -> tuple[str, Entry] | None:
    """Read a line of run.log: the take's label and the fact; None if it records no fact about a take."""
    try:
        told = json.loads(line, parse_constant=_refuse_constant)
        fact, label, at = _FACTS.get(told["kind"]), told["take"], datetime.fromisoformat(told["at"])
    except (*UNREADABLE, RecursionError):
        return None
    if fact is None or not isinstance(label, str) or not label or at.tzinfo is None:
        return None
    kept = {name: value for name, value in told.items() if name not in ("kind", "take", "text")}
    if fact not in (Fact.FOUND_UNRECORDED, Fact.FOUND_DOUBLE):  # theirs is when the submit was made
        del kept["at"]
    return label, Entry(fact, at, kept)


def is_line(line: str) -> bool:
    """Say whether a line of run.log is whole."""
    try:
        return isinstance(json.loads(line), dict)
    except (ValueError, RecursionError):
        return False
