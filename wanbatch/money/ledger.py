"""The match of submits with the provider's ledger: one line per generation, each with what was observed. Pure.

By distinct generation id over all attempts: a generation that two attempts name is counted once. A verdict says what
the ledger showed when it was read, never more: a charge that is not there yet is missing, not waived, and a hold is
released only if the provider failed its generation and the ledger, read afterwards, charges nothing for it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import cached_property

from wanbatch.batch.attempts import NO_POST, Attempt, Outcome
from wanbatch.batch.lifecycle import State
from wanbatch.batch.take import Take
from wanbatch.money.charge import Charge


class Verdict(StrEnum):
    """What the ledger says of one generation."""

    CONFIRMED = "confirmed"
    NOT_FETCHED = "not_fetched"
    CHARGED = "charged"
    HELD = "held"
    RELEASED = "released"
    REFUNDED = "refunded"
    PARTLY_REFUNDED = "partly_refunded"
    UNREADABLE = "unreadable"
    MISSING = "missing"
    UNKNOWN = "unknown"
    ORPHAN = "orphan"


VERDICT_WORDS: Mapping[Verdict, str] = {
    Verdict.CONFIRMED: "charged what was set aside",
    Verdict.NOT_FETCHED: "charged what was set aside, but its clip has not been fetched yet",
    Verdict.CHARGED: "charged a different amount, or for no clip",
    Verdict.HELD: "still running, or waiting for your decision",
    Verdict.RELEASED: "failed; the ledger shows no charge",
    Verdict.REFUNDED: "charged, then refunded",
    Verdict.PARTLY_REFUNDED: "charged, then refunded in part",
    Verdict.UNREADABLE: "the ledger has an entry for it whose amount cannot be read",
    Verdict.MISSING: "completed; the ledger shows no charge yet",
    Verdict.UNKNOWN: "sent, but no generation is known",
    Verdict.ORPHAN: "charged, but no take here has its clip",
}


@dataclass(frozen=True)
class LedgerLine:
    """One generation, or one submit without a known one. Credits are whole; None if unknown.

    `takes` and `request_ids` are those that name it; `charges` counts its entries in the ledger, `refunded` sums its
    refunds; `at` is its newest charge. `is_recorded` where an attempt has the generation: its charge is one of a take.
    """

    verdict: Verdict
    generation_id: str | None
    takes: tuple[str, ...]
    request_ids: tuple[str, ...]
    held: int | None
    charged: int | None
    charges: int = 0
    refunded: int | None = None
    at: datetime | None = None
    is_recorded: bool = True

    @property
    def difference(self) -> int | None:
        """Charged less held; None if one of them is unknown."""
        return None if self.charged is None or self.held is None else self.charged - self.held


@dataclass(frozen=True)
class LoggedSubmit:
    """What the provider's log or run.log names for a submit of ours: one that no take has, or whose answer was lost."""

    request_id: str
    generation_id: str | None
    held: int | None
    is_failed: bool = False


@dataclass(frozen=True)
class LedgerReading:
    """What the ledger showed at one reading: charges and refunds, by the generation they name."""

    charges: Sequence[Charge]
    refunds: Sequence[Charge] = ()

    def charges_of(self, generation_id: str | None) -> list[Charge]:
        """Return the charges for one generation."""
        return self._charges.get(generation_id, [])

    def is_unreadable(self, generation_id: str | None) -> bool:
        """Say whether a generation has an entry that cannot be read in full, and no charge that can."""
        return generation_id in self._unreadable and not self.charges_of(generation_id)

    @cached_property
    def _unreadable(self) -> frozenset[str | None]:
        return frozenset(each.generation_id for each in self.charges if not each.is_legible and each.generation_id)

    def refunded(self, generation_id: str | None) -> int | None:
        """Return the refund for one generation; None if none was seen."""
        parts = self._refunds.get(generation_id, [])
        return sum(each.credits for each in parts) if parts else None

    @cached_property
    def _charges(self) -> Mapping[str | None, list[Charge]]:
        return _by_generation(self.charges)

    @cached_property
    def _refunds(self) -> Mapping[str | None, list[Charge]]:
        return _by_generation(self.refunds)


def _by_generation(entries: Iterable[Charge]) -> Mapping[str | None, list[Charge]]:
    found: dict[str | None, list[Charge]] = {}
    for each in entries:
        if each.is_legible:
            found.setdefault(each.generation_id, []).append(each)
    return found


def may_have_made(attempt: Attempt) -> bool:
    """Say whether a submit may have made an unknown generation: the log may name it."""
    return attempt.generation_id is None and attempt.outcome not in NO_POST


def match_ledger(
    attempts: Sequence[Attempt], takes: Mapping[int, Take], reading: LedgerReading, logged: Iterable[LoggedSubmit]
) -> list[LedgerLine]:
    """Match each generation of ours with the ledger; unknown charges are not judged.

    `takes` by take id. Lines come in the order of the attempts, then those that only `logged` name.
    """
    groups: dict[str, list[Attempt]] = {}
    for attempt in attempts:
        if attempt.generation_id is not None or may_have_made(attempt):
            groups.setdefault(attempt.generation_id or attempt.request_id, []).append(attempt)
    ours = {each.generation_id for each in attempts}
    named: dict[str, list[LoggedSubmit]] = {}
    for submit in dict.fromkeys(
        each for each in logged if each.generation_id is None or each.generation_id not in ours
    ):
        named.setdefault(submit.request_id, []).append(submit)
    lines = []
    for group in groups.values():
        found = [] if group[0].generation_id is not None else named.pop(group[0].request_id, [])
        label = takes[group[-1].take_id].label
        reported = [_logged_line(each, reading, label) for each in found if each.generation_id is not None]
        lines += reported or ([_line(group, takes, reading)] if _is_reported(group) else [])
    lines += [_logged_line(each, reading) for rest in named.values() for each in rest]
    return lines


def _is_reported(group: Sequence[Attempt]) -> bool:
    """A submit that provably made nothing has no line."""
    return group[0].generation_id is not None or group[0].outcome is not Outcome.FAILED


def _line(group: Sequence[Attempt], takes: Mapping[int, Take], reading: LedgerReading) -> LedgerLine:
    generation_id = group[0].generation_id
    charges = reading.charges_of(generation_id) if generation_id is not None else []
    held = max((each.credits_held for each in group if each.credits_held is not None), default=None)
    charged = sum(charge.credits for charge in charges) if charges else None
    refunded = reading.refunded(generation_id) if generation_id is not None else None
    return LedgerLine(
        verdict=_by_reading(generation_id, reading) or _verdict(group, takes[group[-1].take_id], held, charged),
        generation_id=generation_id,
        takes=tuple(dict.fromkeys(takes[each.take_id].label for each in group)),
        request_ids=tuple(each.request_id for each in group),
        held=held,
        charged=charged,
        charges=len(charges),
        refunded=refunded,
        at=max((charge.at for charge in charges), default=None),
    )


def _by_reading(generation_id: str | None, reading: LedgerReading) -> Verdict | None:
    """Return the verdict of what was paid back, whole or in part, or cannot be read; None if there is none of it."""
    if reading.is_unreadable(generation_id):
        return Verdict.UNREADABLE
    charges, refunded = reading.charges_of(generation_id), reading.refunded(generation_id)
    if refunded is None:
        return None
    return Verdict.PARTLY_REFUNDED if charges and refunded < sum(each.credits for each in charges) else Verdict.REFUNDED


def _verdict(group: Sequence[Attempt], take: Take, held: int | None, charged: int | None) -> Verdict:
    outcomes = {each.outcome for each in group}
    if charged is not None:
        as_held = {Outcome.COMPLETED: Verdict.CONFIRMED, Outcome.OPEN: Verdict.NOT_FETCHED}
        found = [verdict for outcome, verdict in as_held.items() if outcome in outcomes and charged == held]
        return found[0] if found else Verdict.CHARGED
    if group[0].generation_id is None:
        return Verdict.UNKNOWN
    if all(each.has_failed for each in group):
        return Verdict.RELEASED
    if Outcome.COMPLETED in outcomes or (take.state in _MADE and take.generation_id == group[0].generation_id):
        return Verdict.MISSING
    return Verdict.HELD


_MADE = frozenset({State.COMPLETED, State.DOWNLOADED, State.VERIFIED})


def _logged_line(submit: LoggedSubmit, reading: LedgerReading, label: str | None = None) -> LedgerLine:
    charges = reading.charges_of(submit.generation_id) if submit.generation_id is not None else []
    refunded = reading.refunded(submit.generation_id) if submit.generation_id is not None else None
    uncharged = Verdict.RELEASED if submit.is_failed else Verdict.UNKNOWN
    charged = sum(charge.credits for charge in charges) if charges else None
    return LedgerLine(
        verdict=_by_reading(submit.generation_id, reading) or (Verdict.ORPHAN if charges else uncharged),
        generation_id=submit.generation_id,
        takes=() if label is None else (label,),
        request_ids=(submit.request_id,),
        held=submit.held,
        charged=charged,
        charges=len(charges),
        refunded=refunded,
        at=max((charge.at for charge in charges), default=None),
        is_recorded=False,
    )


@dataclass(frozen=True)
class NewCharge:
    """A charge, or the rest of one, that the state file does not hold yet; `attempt` is the one to record it for.

    `charges` counts the ledger's entries for its generation: more than one is a double charge.
    """

    attempt: Attempt
    credits_charged: int
    credits_more: int
    charges: int = 1


def entries_in(pages: Iterable[Sequence[Charge]]) -> tuple[Counter[Charge], bool]:
    """Count the entries of one reading of the ledger, page by page, and say whether the count may be wrong.

    New entries move the pages on: a page may then begin with what was read before. It is laid over it as far as it
    can be, so that no entry that was read twice counts twice; equal entries elsewhere are as many charges. If pages
    overlap, equal entries may have been at the seam, and where a page ends within entries of one time, more of them may
    have been left out behind it: such a reading has to be repeated with other seams.
    """
    found: list[Charge] = []
    places: dict[Charge, list[int]] = {}
    has_seam = False
    for page in pages:
        begin = _begin_of(page, found, places)
        has_seam = has_seam or begin < len(found) or (len(found) > 1 and found[-1].at == found[-2].at)
        for entry in page[len(found) - begin :]:
            places.setdefault(entry, []).append(len(found))
            found.append(entry)
    return Counter(found), has_seam


def _begin_of(page: Sequence[Charge], found: Sequence[Charge], places: Mapping[Charge, Sequence[int]]) -> int:
    """Return the first place where a page can lie over the entries that were found: behind all of them if nowhere."""
    for begin in places.get(page[0], ()) if page else ():
        there = found[begin : begin + len(page)]
        if list(page[: len(there)]) == list(there):
            return begin
    return len(found)


def new_charges(attempts: Iterable[Attempt], charges: Iterable[Charge]) -> list[NewCharge]:
    """Return what the ledger shows beyond what is recorded: once for each generation, however many attempts name it."""
    entries = Counter[str]()
    sums = Counter[str]()
    for charge in charges:
        if not charge.is_legible:  # its content is unknown, and no total includes it
            continue
        entries[charge.generation_id] += 1
        sums[charge.generation_id] += charge.credits
    makers: dict[str, Attempt] = {}
    for attempt in attempts:
        if attempt.generation_id is not None:
            before = makers.get(attempt.generation_id)
            if before is None or before.credits_charged is None:
                makers[attempt.generation_id] = attempt
    found = []
    for generation_id, attempt in makers.items():
        spent, recorded = sums.get(generation_id), attempt.credits_charged
        if spent is not None and (recorded is None or spent > recorded):
            found.append(NewCharge(attempt, spent, spent - (recorded or 0), entries[generation_id]))
    return found
