"""A rebuilt take: the facts of one take as they are put together again, and the take that they make. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.shots import Recipe
from wanbatch.batch.take import Entry, advance, fold, planned_take
from wanbatch.provider.protocol import LogRow
from wanbatch.runner.offered_generations import double_text
from wanbatch.runner.resubmission import take_and_attempt
from wanbatch.session.traces import UNREADABLE, Beside

LOST = "the record of its answer was lost with the state file: the provider may have charged for it"


class RebuiltTake:
    """The facts of one take as they are put together."""

    def __init__(self, take_id: int, shot_id: str, entries: Sequence[Entry]) -> None:
        self.entries = list(entries)
        self.take = fold(take_id, shot_id, entries)
        self.requests = {str(each.data["request_id"]) for each in entries if "request_id" in each.data}
        self._seen = {(each.fact, each.at) for each in entries}
        self.made: dict[str, str] = {}
        sent = ""
        for each in entries:
            sent = str(each.data.get("request_id", sent)) if each.fact is Fact.SUBMIT_STARTED else sent
            self._note_made(each, sent)

    @classmethod
    def begun(cls, take_id: int, label: tuple[str, int], recipe: Recipe, at: datetime, note: str | None) -> RebuiltTake:
        """Begin with a take of this recipe; a `note` makes it a retake."""
        data = {"number": label[1], "recipe_json": recipe.canonical, **({} if note is None else {"note": note})}
        planned = Entry(Fact.PLANNED, at, data)
        planned_take(take_id, label[0], planned)
        return cls(take_id, label[0], [planned])

    def add(self, fact: Fact, at: datetime, data: Mapping[str, Any] | None = None) -> bool:
        """Append a fact if it can have happened now."""
        entry = Entry(fact, at, dict(data or {}))
        try:
            self.take = advance(self.take, entry)
        except UNREADABLE:
            return False
        self.entries.append(entry)
        if "request_id" in entry.data:
            self.requests.add(str(entry.data["request_id"]))
        self._note_made(entry, self.take.request_id or "")
        return True

    def _note_made(self, entry: Entry, request_id: str) -> None:
        """Keep which submit made which generation: the first is its own, all others are doubles."""
        if entry.fact in (Fact.ACCEPTED, Fact.ADOPTED):
            self.made.setdefault(request_id, str(entry.data["generation_id"]))

    def generations(self) -> set[str]:
        """Return every generation that its facts name."""
        return {str(each.data["generation_id"]) for each in self.entries if each.data.get("generation_id")}

    def charge(self, generation_id: str, credit_count: int | None, at: datetime, **more: int | None) -> None:
        """Append what a generation was charged, if it is known and no charge of it, or of no attempt, is recorded
        yet.
        """
        told = {each.data.get("generation_id") for each in self.entries if each.fact is Fact.CHARGED}
        if credit_count is not None and not told & {generation_id, None}:
            data = {"generation_id": generation_id, "credits_charged": credit_count, "credits_more": credit_count}
            self.add(Fact.CHARGED, at, data | more)

    def name_double(self, row: LogRow, key_fingerprint: str) -> None:
        """Append a second generation of a submit, as the provider's log or a sidecar shows it, with its warning."""
        told = [int(each.data["attempt"]) for each in self.entries if each.fact is Fact.FOUND_DOUBLE]
        number = min(told, default=0) - 1
        risk = self.take.credits_at_risk
        first = self.made.get(row.request_id, self.take.generation_id)
        text = f"the provider made {row.generation_id} in addition to {first}"
        text += " for one submit" if row.request_id in self.made else f", under {row.request_id}"
        data = {
            "attempt": number,
            "request_id": f"{row.request_id}#{-number}",
            "generation_id": row.generation_id,
            "key_fingerprint": key_fingerprint,
            "at": row.at.isoformat(timespec="milliseconds"),
            "error": text,
            "credits_held": row.credits,
            "credits_at_risk": None if risk is None or row.credits is None else risk + row.credits,
        }
        self.add(Fact.FOUND_DOUBLE, row.at, data)
        self.warn_of_double(text, str(row.generation_id), row.at)

    def warn_of_double(self, text: str, generation_id: str, at: datetime) -> None:
        """Append the warning that names one generation too many."""
        self.add(Fact.WARNED, at, {"warning": double_text(text), "doubles": [generation_id]})

    def name_late(self, number: int, beside: Beside, at: datetime) -> None:
        """Append the generation of an attempt that its take went on without."""
        data = {"attempt": number, "generation_id": beside.generation_id, "credits_held": beside.held}
        self.add(Fact.FOUND_LATE, at, data)
        self.warn_of_double(f"its attempt {number} made {beside.generation_id}", beside.generation_id, at)

    def put(self, place: int, entry: Entry) -> bool:
        """Put a fact between the others, if it can have happened there."""
        entries = [*self.entries[:place], entry, *self.entries[place:]]
        try:
            self.take = fold(self.take.take_id, self.take.shot_id, entries)
        except UNREADABLE:
            return False
        self.entries = entries
        return True

    def replay(self, entry: Entry, recipe: Recipe | None) -> None:
        """Append a fact that run.log tells, unless it is known; what was decided between runs is not in there."""
        if (entry.fact, entry.at) in self._seen:
            return
        if entry.fact is Fact.SUBMIT_STARTED:
            if entry.data.get("request_id") in self.requests or recipe is None or not self.free(entry.at):
                return
            if recipe.canonical != self.take.recipe_json:  # what was sent before follows no edit: its fallback made it
                change = Fact.MODEL_CHANGED if self.take.attempts else Fact.REPLANNED
                self.add(change, entry.at, {"recipe_json": recipe.canonical})
        elif entry.fact is Fact.MODEL_CHANGED:
            return  # run.log holds no prompt: the submit that follows tells the recipe
        elif entry.fact is Fact.ADOPTED and not self.take.attempts:
            return  # its line comes before that of the submit it belongs to: the log has both in order
        self.add(entry.fact, entry.at, entry.data)

    def free(self, at: datetime) -> bool:
        """Make room for a later submit that is known to have followed; False if there cannot have been one."""
        if self.take.state is State.FAILED:
            return self.add(Fact.RETRY_PLANNED, at, {"by": "policy"})
        if self.take.state is State.SUBMITTING:
            self.add(Fact.ANSWER_LOST, at, {"error": LOST})
        elif self.take.state not in (State.PLANNED, State.UNKNOWN, State.HELD):
            self.add(Fact.HELD, at, {"error": LOST})
        return self.take.state is State.PLANNED or self.add(Fact.RESUBMIT_ALLOWED, at, {"error": ""})

    def send(self, request_id: str, at: datetime, key_fingerprint: str, credits_held: int | None) -> bool:
        """Append a submit that is known by its request id alone."""
        ids = take_and_attempt(request_id)
        if ids is None or ids[1] <= self.take.attempts or not self.free(at):
            return False
        data = {
            "attempt": ids[1],
            "request_id": request_id,
            "body_sha256": self.take.recipe.sha256,
            "key_fingerprint": key_fingerprint,
            "credits_estimated": credits_held,
        }
        return self.add(Fact.SUBMIT_STARTED, at, data)

    def accept(self, generation_id: str, at: datetime, credits_held: int | None) -> None:
        """Append that its submit made this generation."""
        self.add(Fact.ACCEPTED, at, {"generation_id": generation_id})
        if credits_held is not None:
            self.add(Fact.PRICED, at, {"credits_held": credits_held})
