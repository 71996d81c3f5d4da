"""Whether a take may be sent again: what the provider's request log and ledger say about a submit without an answer.

A paid POST is sent again only on proof that the one before made nothing, or on the user's decision:

  P0  no byte of it left this machine                          decided where it is sent
  P1  refused in the provider's own words                      decided where it is answered
  P2  its log row says failed, at no cost, and no charge shows
  P3  a poll of its generation says it failed                  decided where it is polled
  P4  no trace of it in the log, long after it should be there only under the policy `resubmit`
  P5  the user says so

Pure: what time it is comes in with the evidence, and ages are counted by the least of our clock and the provider's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from wanbatch.batch.attempts import MAY_BE_CHARGED, Attempt
from wanbatch.batch.lifecycle import State
from wanbatch.batch.take import Take
from wanbatch.money.charge import Charge
from wanbatch.provider.clocks import CLOCK_MARGIN, earlier
from wanbatch.provider.protocol import LogRow, LogScan

LOG = "the provider's log"  # as messages call it
OTHER_KEY = "it was sent with another key, which has another log"
NETWORK_GRACE = timedelta(minutes=15)  # a request may still be on its way
GENERATION_GRACE = timedelta(minutes=60)  # a generation is logged when it ends
LAG_UNTIL_KNOWN = timedelta(hours=24)
LAG_FLOOR = timedelta(hours=2)
LAG_FACTOR = 10
LAG_SAMPLES = 20
SEARCH_GAP = timedelta(minutes=10)  # two looks that count lie this far apart
PATIENCE = 3  # so many graces, and a person decides
SEEN_END = timedelta(minutes=2)  # an end that was seen within this time of a poll that said running

_FAMILY = re.compile(r"[a-z]{3,}")  # the words of a model's name: alibaba/wan-2-6-t2v -> alibaba, wan
_KINDS = frozenset({"video", "image", "text", "turbo", "fast", "pro", "standard", "preview"})  # of any vendor's models


@dataclass(frozen=True)
class Adopt:
    """A row with exactly our request id succeeded: its generation is this take's, of several the first."""

    generation_id: str
    credits: int | None


@dataclass(frozen=True)
class Failed:
    """Its row says that it failed at no cost. `is_proof` once it was looked at again, with no charge to be seen.

    `why` names a charge that keeps it from being one.
    """

    generation_id: str | None
    is_proof: bool
    why: str = ""


@dataclass(frozen=True)
class Absent:
    """No trace of it. `is_proof` where every condition of P4 holds; else `why` names the first that does not."""

    is_proof: bool
    why: str = ""


@dataclass(frozen=True)
class Contradiction:
    """Its rows or charges do not fit together: a person has to look."""

    why: str


Finding = Adopt | Failed | Absent | Contradiction


@dataclass(frozen=True)
class Evidence:
    """What one look brought: a complete scan of the log, the ledger's charges, and what is known of this route.

    `now` is the counted time of the batch: it passes as slowly as the slower of our clock and the provider's, and does
    not jump. `margin` is by how much a time that our clock told may be too late for the provider's, `lead` by how much
    too early. `is_echoed` tells whether the provider gives our request ids back; `grace` is None for the default.
    """

    scan: LogScan
    charges: Sequence[Charge]
    attempts: Sequence[Attempt]
    key_fingerprint: str
    is_echoed: bool
    lags_s: Sequence[float]
    grace: timedelta | None
    now: datetime
    margin: timedelta = CLOCK_MARGIN
    lead: timedelta = CLOCK_MARGIN

    @property
    def full_grace(self) -> timedelta:
        """How long after a submit it would have to show."""
        return self.grace if self.grace is not None else default_grace(self.lags_s)

    @property
    def lag(self) -> timedelta:
        """How late the log or the ledger may show something; two looks that count lie further apart."""
        return max(self.full_grace - NETWORK_GRACE - GENERATION_GRACE, SEARCH_GAP)

    def earliest(self, attempt: Attempt) -> datetime:
        """Return from when on log and ledger may show an attempt; one recorded in the future was made before now."""
        return earlier(min(attempt.started_at, self.scan.read_at, self.scan.taken_at), self.margin)

    def latest(self, attempt: Attempt) -> datetime:
        """Return until when the ledger may charge what an attempt made; with a clock that was never compared there is
        no end.
        """
        try:
            return attempt.started_at + self.full_grace + self.lead
        except OverflowError:
            return datetime.max.replace(tzinfo=UTC)

    def fits(self, attempt: Attempt, charge: Charge, model: str) -> bool:
        """Say whether an attempt that ordered a model may have made what was charged: by its time, if that can be read,
        and its model.
        """
        is_then = self.earliest(attempt) <= charge.at <= self.latest(attempt) or not charge.has_time
        return is_then and is_like(charge.model, model)

    @property
    def orphans(self) -> list[Charge]:
        """Charges that belong to no submit known to us or to the log."""
        known = {each.generation_id for each in self.attempts} | (self.scan.other_ids - self.scan.nameless_ids)
        known |= {row.generation_id for row in self.scan.rows}
        return [charge for charge in self.charges if charge.generation_id not in known]


def default_grace(lags_s: Sequence[float]) -> timedelta:
    """Return network and generation time plus the log's lag: 24 h until 20 rows of this batch have shown it."""
    lag = LAG_UNTIL_KNOWN
    if len(lags_s) >= LAG_SAMPLES:
        lag = max(LAG_FLOOR, timedelta(seconds=LAG_FACTOR * max(lags_s)))
    return NETWORK_GRACE + GENERATION_GRACE + lag


def rows_of(scan: LogScan, request_id: str) -> Sequence[LogRow]:
    """Return the rows with exactly this request id, oldest first: nothing else ties a row to a submit of ours."""
    return scan.by_request.get(request_id, ())


def find(take: Take, attempt: Attempt, evidence: Evidence) -> Finding:
    """Say what the evidence proves about a take whose submit's answer was lost."""
    rows = rows_of(evidence.scan, attempt.request_id)
    made = next((row.generation_id for row in rows if row.is_good and row.generation_id), None)
    if made is not None:
        told = next(row.credits for row in rows if row.generation_id == made)
        return Adopt(made, told or None)
    if any(row.is_good for row in rows):
        return Contradiction("the provider's log says that it succeeded, but names no generation")
    words = [row.word for row in rows if row.word]
    if words:
        return Absent(is_proof=False, why=f"the provider's log gives its status as '{words[0]}'")
    if rows:
        return _failed(take, attempt, rows, evidence)
    return _absent(take, attempt, evidence)


def _failed(take: Take, attempt: Attempt, rows: Sequence[LogRow], evidence: Evidence) -> Finding:
    if any(row.credits != 0 for row in rows):
        return Contradiction("the provider's log says that it failed, but names a cost")
    ids = {row.generation_id for row in rows if row.generation_id}
    charged = sorted({charge.generation_id for charge in evidence.charges} & ids)
    if charged:
        return Contradiction(f"the provider's log says that it failed, but its ledger shows a charge for {charged[0]}")
    seen = take.failure_seen_at
    is_old = seen is not None and evidence.now - seen >= evidence.lag
    if attempt.key_fingerprint != evidence.key_fingerprint:  # a copy sent it once more, and this row may be of that
        return Failed(min(ids, default=None), is_proof=False, why=OTHER_KEY)
    # The row may carry an id of the gateway's own: whose a charge without a take is stays open even where it names one.
    unowned = charges_of_no_take(take, attempt, evidence)
    return Failed(min(ids, default=None), is_proof=is_old and not unowned, why=_of_no_take_text(unowned))


def charges_of_no_take(take: Take, attempt: Attempt, evidence: Evidence) -> list[Charge]:
    """Return charges since its submit that belong to no submit known, of a model that may be the take's by another
    name.
    """
    since = evidence.earliest(attempt)
    return [each for each in evidence.orphans if each.at >= since and is_like(each.model, take.order.model)]


def _of_no_take_text(charges: Sequence[Charge]) -> str:
    return f"the ledger shows a charge that belongs to no take ({charges[0].name})" if charges else ""


def is_like(model: str, ours: str) -> bool:
    """Say whether a model of the ledger may be ours: the same vendor or family, or none named.

    A family may have a suffix: `wanx` is like `wan`.
    """

    def names(text: str) -> set[str]:
        return set(_FAMILY.findall(text.casefold())) - _KINDS

    theirs, mine = names(model), names(ours)
    return not theirs or any(each.startswith(own) or own.startswith(each) for each in theirs for own in mine)


def _is_next_look(take: Take, evidence: Evidence) -> bool:
    last = take.last_searched_at
    return last is not None and evidence.now - last >= SEARCH_GAP


def has_witness(attempt: Attempt, evidence: Evidence) -> bool:
    """Say whether the log shows a submit of ours that was made later than this one.

    `evidence.attempts` are in the order in which they were recorded. Later means both behind it there and at a later
    recorded time: a clock that was set back makes the times lie, a state file that was recovered the order.
    """
    keys = [(each.take_id, each.number) for each in evidence.attempts]
    own = (attempt.take_id, attempt.number)
    behind = evidence.attempts[keys.index(own) + 1 :] if own in keys else ()
    later = [each for each in behind if each.body_sha256 and each.started_at > attempt.started_at]
    return any(each.request_id in evidence.scan.by_request for each in later)


def shows_all_before(attempt: Attempt, evidence: Evidence) -> bool:
    """Say whether the log shows every earlier submit of ours that was accepted."""
    shown = evidence.scan.by_request
    began = evidence.scan.begin
    made = [each for each in evidence.attempts if each.generation_id is not None and each.number > 0]
    before = [each for each in made if began <= evidence.earliest(each)]
    before = [each for each in before if each.started_at < attempt.started_at]
    return bool(before) and all(each.request_id in shown for each in before)


def _absent(take: Take, attempt: Attempt, evidence: Evidence) -> Absent:
    first, grace = take.first_searched_at, evidence.full_grace
    # No longer than since it was sent: what an older version recorded may have been a date that jumped.
    # One that was recorded in the future, by a clock that is right by now, has no such age.
    ages = [] if first is None else [evidence.now - first]
    ages += [evidence.scan.read_at - attempt.started_at] if attempt.started_at <= evidence.scan.read_at else []
    age = min(ages) if first is not None else None
    if age is None or age < grace:
        return Absent(is_proof=False, why="it may still appear in the provider's log")
    if attempt.key_fingerprint != evidence.key_fingerprint:
        return Absent(is_proof=False, why=OTHER_KEY)
    if not evidence.is_echoed:
        return Absent(is_proof=False, why="the provider did not return wanbatch's request ids")
    unowned = charges_of_no_take(take, attempt, evidence)
    if unowned:
        return Absent(is_proof=False, why=_of_no_take_text(unowned))
    if take.witnessed >= 1 and has_witness(attempt, evidence) and _is_next_look(take, evidence):
        return Absent(is_proof=True)
    if shows_all_before(attempt, evidence) and age >= 2 * grace and take.searches >= 1:
        return Absent(is_proof=True)
    return Absent(is_proof=False, why="the provider's log shows no later submit of this batch either")


@dataclass(frozen=True)
class Question:
    """A charge that belongs to no take, and the attempt that was proven to have made nothing and may have made it."""

    charge: Charge
    attempt: Attempt


def questions(
    evidence: Evidence, ended: Sequence[Attempt], models: Mapping[int, str], *, settled: bool
) -> list[Question]:
    """Return the charges without a take that attempts without a generation may have made, each with the likeliest
    attempt.

    `ended` are those that their takes no longer wait for, `models` what was ordered, by take id. `evidence.attempts`
    are those that own a charge, or are still waited for: each of these may have made one charge, unless the log tells
    what it made, and where there are no more charges than of these, they are no question. With `settled` only charges
    count that the log has had the time to explain.
    """
    scan = evidence.scan
    rows = {row.generation_id: row.request_id for each in ended for row in rows_of(scan, each.request_id)}
    by_request = {each.request_id: each for each in ended}
    owned = {each.generation_id for each in evidence.attempts} | (scan.other_ids - scan.nameless_ids)
    owned |= {row.generation_id for row in scan.rows if row.request_id not in by_request}
    waiting = [each for each in evidence.attempts if each.generation_id is None and not is_made(scan, each)]

    def may_have_made(attempt: Attempt, charge: Charge) -> bool:
        return evidence.fits(attempt, charge, models[attempt.take_id])

    found: list[Question] = []
    waited_for: list[Question] = []
    for charge in evidence.charges:
        if charge.generation_id in owned:
            continue
        named = by_request.get(rows.get(charge.generation_id, ""))
        if named is not None:
            found.append(Question(charge, named))
            continue
        if settled and scan.taken_at - charge.at < evidence.lag:
            continue
        makers = [each for each in ended if may_have_made(each, charge)]
        if not makers:
            continue
        question = Question(charge, max(makers, key=lambda each: (each.generation_id is None, each.started_at)))
        (waited_for if any(may_have_made(each, charge) for each in waiting) else found).append(question)
    makers = [each for each in waiting if any(may_have_made(each, asked.charge) for asked in waited_for)]
    is_more = len({asked.charge.name for asked in waited_for}) > len(makers)
    return found + waited_for if is_more else found


def is_made(scan: LogScan, attempt: Attempt) -> bool:
    """Say whether a scan tells which generation a submit made."""
    return any(row.is_good and row.generation_id for row in rows_of(scan, attempt.request_id))


def patience_ends(take: Take, evidence: Evidence) -> datetime | None:
    """Return when a person has to decide, in the counted time; None before the first look."""
    first = take.first_searched_at
    return None if first is None else first + PATIENCE * evidence.full_grace


def is_open(take: Take, attempt: Attempt) -> bool:
    """Say whether the log may still give this take the generation of the attempt that it follows."""
    is_given_up = attempt.outcome in MAY_BE_CHARGED and attempt.generation_id is None
    is_same = recipe_in(attempt.request_id) == take.recipe.short_hash  # it may have been edited since
    return take.can_be_searched or (take.state is State.PLANNED and is_given_up and is_same)


def unrecorded(scan: LogScan, nonce: str, attempts: Iterable[Attempt]) -> list[LogRow]:
    """Return rows of submits that carry our nonce and that the state file does not know, oldest first."""
    known = {each.request_id for each in attempts}
    mine = [each for each in scan.by_request if each.startswith(f"wb1:{nonce}:") and each not in known]
    return sorted((row for each in mine for row in scan.by_request[each]), key=lambda row: row.at)


def take_and_attempt(request_id: str) -> tuple[int, int] | None:
    """Read take id and attempt number from a request id of ours; None for any other id."""
    parts = request_id.split(":")
    if len(parts) != 4:
        return None
    take_id, _, attempt = parts[3].partition(".")
    return (int(take_id), int(attempt)) if take_id.isdigit() and attempt.isdigit() else None


def recipe_in(request_id: str) -> str | None:
    """Read the recipe's hash from a request id of any batch of ours; None for any other id."""
    parts = request_id.split(":")
    return parts[2] if len(parts) == 4 and parts[0] == "wb1" else None


def lag_samples(
    takes: Iterable[Take], attempts: Mapping[int, Attempt], scan: LogScan, before: LogScan | None
) -> dict[int, float]:
    """Return how late the rows of ended generations came, in seconds, by take id, where that could be seen.

    A row counts where it is new since the last scan, or where its generation ended so recently that it cannot have
    been there for long.
    """
    shown, shown_before = scan.by_request, before.by_request if before is not None else {}
    found: dict[int, float] = {}
    for take in takes:
        attempt = attempts.get(take.take_id)
        if take.log_lag_s is not None or take.completed_at is None or attempt is None:
            continue
        if take.last_running_at is None or take.completed_at - take.last_running_at > SEEN_END:
            continue  # it may have ended, and been logged, long before it was seen to
        if attempt.request_id not in shown or attempt.request_id in shown_before:
            continue
        is_new = before is not None and take.completed_at <= before.read_at
        if is_new or scan.read_at - take.completed_at <= SEARCH_GAP:
            # From the last poll that saw it running: the longest that it can have been. Too long a lag waits, too short
            # a one buys twice. All by our own clock, which saw both.
            found[take.take_id] = max(0.0, (scan.read_at - take.last_running_at).total_seconds())
    return found
