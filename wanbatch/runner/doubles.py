"""Doubles: more generations of a take than were asked for, as the provider's log or run.log shows them.

Each is recorded as an attempt of its own, counts under the caps, and is named once.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from wanbatch.batch.attempts import Attempt, Outcome, double_number, live, risk_of
from wanbatch.batch.lifecycle import Fact
from wanbatch.batch.take import Take
from wanbatch.errors import ExitCode
from wanbatch.money.credits import usd_text
from wanbatch.provider.protocol import LogRow, LogScan
from wanbatch.runner.context import RunContext
from wanbatch.runner.offered_generations import double_text, left_in, named_in, offers_of
from wanbatch.runner.recipes import as_made
from wanbatch.runner.resubmission import LOG, rows_of


def mixed_up_text(label: str, text: str) -> str:
    """Return what to do about a take whose clip may be another's, for what was said of it."""
    return f"{label}: {text}; look at both"


class Doubles:
    """Names what was made beside the clip of a take."""

    def __init__(self, context: RunContext) -> None:
        self._context = context

    def note_doubles(self, scan: LogScan) -> None:
        """Name generations that the log shows under a request id whose attempt has another one."""
        for attempt in self._context.state.attempts_of_requests(scan.by_request):
            if attempt.generation_id is None:
                continue
            for row in self.unrecorded_rows(attempt, scan):
                self.note_beside(attempt, row, attempt.generation_id)
            self._note_mixed_up(attempt, scan)

    def _note_mixed_up(self, attempt: Attempt, scan: LogScan) -> None:
        """Name a submit whose row has the generation of another take, and not the one that its answer named."""
        context, take = self._context, self._context.takes[attempt.take_id]
        made = [row.generation_id for row in rows_of(scan, attempt.request_id) if row.is_good and row.generation_id]
        owners = {each: context.owner_of(each) for each in made}
        others = [(each, owner) for each, owner in owners.items() if owner is not None and owner != take.take_id]
        if attempt.generation_id in made or not others:
            return
        generation_id, owner = others[0]
        label = context.takes[owner].label
        text = f"{LOG} says that its submit made {generation_id}, which {label} has: the two clips may be swapped"
        if text not in take.warning:
            context.record(take.take_id, Fact.WARNED, {"warning": text, "mixed_up": [generation_id]})
            context.trouble(ExitCode.DECISION_NEEDED, mixed_up_text(take.label, text))

    def note_beside(self, attempt: Attempt, row: LogRow, first: str) -> None:
        """Name a generation that the log shows beside the first one that an attempt is known to have made."""
        take, attempts = self._context.takes[attempt.take_id], self._context.state.attempts_of(attempt.take_id)
        number = double_number(attempts)
        made = replace(
            attempt,
            number=number,
            outcome=Outcome.DOUBLE,
            generation_id=row.generation_id,
            credits_estimated=None,
            credits_held=row.credits,
            credits_charged=None,
        )
        text = f"the provider made {row.generation_id}{cost_text(row)} in addition to {first} for one submit"
        data = {
            "request_id": f"{attempt.request_id}#{-number}",
            "generation_id": row.generation_id,
            "key_fingerprint": attempt.key_fingerprint,
            "at": row.at.isoformat(timespec="milliseconds"),
            "error": text,
        }
        more = self.priced(take, made, [*attempts, made])
        self.found(take, Fact.FOUND_DOUBLE, data | more, text)

    def note_another(self, take: Take, row: LogRow, source: str) -> None:
        """Name another submit of a take whose clip is there; what it made is recorded, and counts under the caps.

        A row that says that it succeeded, and not what it made, counts all the same: the provider may charge for it.
        """
        context, made = self._context, row.generation_id
        if not row.is_good:
            context.warn(
                take, f"{source} shows another submit of it, {row.request_id}: {made or 'a submit'}{cost_text(row)}"
            )
            return
        if made is not None and context.owner_of(made) is not None:
            return
        attempts = context.state.attempts_of(take.take_id)
        another = Attempt(
            take.take_id,
            double_number(attempts),
            row.request_id,
            body_sha256="",
            key_fingerprint=context.settings.key_fingerprint,
            started_at=row.at,
            outcome=Outcome.DOUBLE,
            generation_id=made,
            credits_held=row.credits or None,
        )
        if made is not None:
            text = f"{source} shows another submit of it, {row.request_id}, which made {made}{cost_text(row)}"
        else:
            text = (
                f"{source} says that another submit of it, {row.request_id}, succeeded{cost_text(row)}, but does not"
                " say what it made: the provider may have charged for it"
            )
        data = {
            "request_id": another.request_id,
            "generation_id": made,
            "key_fingerprint": another.key_fingerprint,
            "at": row.at.isoformat(timespec="milliseconds"),
            "error": text,
        }
        data |= self.priced(take, another, [*attempts, another])
        if made is not None:
            self.found(take, Fact.FOUND_DOUBLE, data, text)
        else:
            self.found_nameless(take, Fact.FOUND_DOUBLE, data, row.request_id, text)

    def found_nameless(self, take: Take, fact: Fact, data: dict[str, Any], request_id: str, text: str) -> None:
        """Record a submit that succeeded, and of which the log does not say what it made; its request id names it."""
        self._context.record(take.take_id, fact, data | {"warning": text, "nameless": request_id}, Fact.WARNED)
        self._context.trouble(ExitCode.DECISION_NEEDED, f"{take.label}: {text}; contact the provider's support")

    def name_doubles(self) -> None:
        """Name the takes that more than one generation is known of by now, if the user has not seen it yet.

        When the second one was found, or left for another, it was not yet known to be one too many.
        """
        for take in self._context.state.made_twice():
            attempts = self._context.state.attempts_of(take.take_id)
            made = live(attempts)
            facts = self._context.state.facts_of(take.take_id)
            if made - {take.generation_id} - named_in(facts) - left_in(facts):
                offers = [str(each) for each in offers_of((), attempts) if each.generation_id in made]
                text = f"more than one generation was made for it: {', '.join(sorted(offers))}"
                data = {"warning": double_text(text), "doubles": sorted(made)}
                self._context.record(take.take_id, Fact.WARNED, data)
                self._tell(take, text)

    def unrecorded_rows(self, attempt: Attempt, scan: LogScan) -> list[LogRow]:
        """Good rows of an attempt's request id whose generation no take here has, one per generation, oldest first."""
        rows = [row for row in rows_of(scan, attempt.request_id) if row.is_good and row.generation_id]
        rows = [row for row in rows if row.generation_id != attempt.generation_id]
        rows = [row for row in rows if row.generation_id and self._context.owner_of(row.generation_id) is None]
        return sorted({row.generation_id: row for row in rows}.values(), key=lambda row: row.at)

    def priced(self, take: Take, told: Attempt, attempts: Iterable[Attempt]) -> dict[str, Any]:
        """Return what to record of an attempt whose hold (credits) is now known, and tell the budget its price.

        What the take puts at risk is counted with `told` in the place of the attempt of its number.
        """
        others = [each for each in attempts if (each.take_id, each.number) != (told.take_id, told.number)]
        self._context.budget.see_price(as_made(self._context, take, told), told.credits_held)
        return {
            "attempt": told.number,
            "credits_held": told.credits_held,
            "credits_at_risk": risk_of(take, [*others, told]),
        }

    def found(self, take: Take, fact: Fact, data: dict[str, Any], text: str, *, is_double: bool = True) -> None:
        """Record a generation that was not known, and its name in the reports, in one transaction."""
        told = {"warning": double_text(text), "doubles": [data["generation_id"]]} if is_double else {"warning": text}
        self._context.record(take.take_id, fact, data | told, Fact.WARNED)
        if is_double:
            self._tell(take, text)
        else:  # paid for, and the clip of no take: whoever only runs the batch must see it, too
            adopt = f"`wanbatch resolve {take.label} --adopt {data['generation_id']}` fetches its clip"
            self._context.trouble(ExitCode.DECISION_NEEDED, f"{take.label}: {text}; {adopt}")

    def _tell(self, take: Take, text: str) -> None:
        self._context.trouble(
            ExitCode.DECISION_NEEDED, f"{take.label}: {double_text(text)}; contact the provider's support"
        )


def cost_text(row: LogRow) -> str:
    """Say in brackets what a row of the log costs; nothing if it does not tell."""
    return f" ({usd_text(row.credits)})" if row.credits else ""
