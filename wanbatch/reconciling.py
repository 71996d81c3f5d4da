"""Reconciling: what became of submits whose answers were lost, read from the provider's log and ledger."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from wanbatch.attempts import Attempt, Outcome, risk_of
from wanbatch.desk import Desk
from wanbatch.errors import ExitCode
from wanbatch.lifecycle import Fact, State, Take
from wanbatch.pricing import usd_text
from wanbatch.proofs import (
    CLOCK_MARGIN,
    PATIENCE,
    SEARCH_GAP,
    Absent,
    Adopt,
    Contradiction,
    Evidence,
    Failed,
    OnUnknown,
    default_grace,
    find,
    has_witness,
    lag_samples,
    patience_ends,
    recipe_in,
    take_and_attempt,
    unrecorded,
)
from wanbatch.provider import Charge, LogRow, LogScan, NoAnswer, Trouble

FIRST_SEARCHES_S = (60.0, 120.0, 240.0)  # most lost answers show within minutes of their generation's end
SEARCH_EVERY_S = 600.0
SEARCH_SELDOM_S = 1800.0
EAGER_SEARCHES = 20
FAILURE_LIMIT_S = 600.0  # a resume whose log cannot be read for this long sends nothing
RETRY_S = 30.0
LOG_REACH = timedelta(days=91)


class Reconciling:
    """Looks lost submits up, and records what that proves."""

    def __init__(self, desk: Desk) -> None:
        self._desk = desk
        self._before: LogScan | None = None
        self._count = 0
        self._failing_since: float | None = None
        self._is_first = True
        self._offered: set[str | None] = set()

    # --- when

    def plan(self, *, is_resume: bool) -> None:
        """Ask for a search where one could tell something; a resume's first submit waits for it."""
        desk = self._desk
        self.note_logged()
        now = desk.clock.monotonic()
        if desk.settings.is_begun_anew and desk.board.planned:
            desk.board.add_search(now, before_submits=True)
        elif is_resume and (desk.board.planned or any(map(_may_matter, desk.takes.values()))):
            desk.board.add_search(now, before_submits=True)  # what runs may fail, and be sent again

    def lost(self) -> None:
        """An answer was lost just now: look soon, unless the user wants to be asked instead."""
        if self._desk.settings.on_unknown is OnUnknown.HOLD:
            return
        self._count = 0
        self._desk.board.add_search(self._desk.clock.monotonic() + FIRST_SEARCHES_S[0])

    def _plan_next(self) -> None:
        desk = self._desk
        if not any(take.state is State.UNKNOWN for take in desk.takes.values()):
            return
        if self._count <= len(FIRST_SEARCHES_S):
            wait_s = FIRST_SEARCHES_S[min(self._count, len(FIRST_SEARCHES_S)) - 1]
        else:
            wait_s = SEARCH_EVERY_S if self._count < EAGER_SEARCHES else SEARCH_SELDOM_S
        desk.board.add_search(desk.clock.monotonic() + wait_s)

    def until(self) -> datetime:
        """Return the time after which nothing is waited for any more."""
        desk = self._desk
        patience = PATIENCE * (desk.settings.unknown_grace or default_grace(self._lags_s()))
        begun = [
            take.first_searched_at or desk.clock.now() for take in desk.takes.values() if take.state is State.UNKNOWN
        ]
        return max(begun, default=desk.clock.now()) + patience

    def _lags_s(self) -> list[float]:
        return [take.log_lag_s for take in self._desk.takes.values() if take.log_lag_s is not None]

    # --- a search

    async def search(self) -> None:
        """Read the log whole, and the ledger where it matters, and record what they prove."""
        try:
            await self._search()
        finally:
            self._desk.board.search_ended()

    async def _search(self) -> None:
        desk = self._desk
        attempts = desk.state.attempts()
        since = self._since(attempts)
        scan = None if since is None else await desk.provider.scan_log(since)
        if isinstance(scan, NoAnswer):
            self._not_read(scan)
            return
        self._count += 1
        self._failing_since = None
        if scan is not None:
            desk.reached()
            self._note_lags(attempts, scan)
            self._note_unrecorded(desk.state.attempts(), scan)  # some may have begun while the log was read
            if desk.settings.is_begun_anew and self._is_first:
                self._offer_by_recipe(scan)
            await self._settle(desk.state.attempts(), scan)
            self._before = scan
        self._is_first = False
        desk.board.allow_submits()
        self._plan_next()

    def _since(self, attempts: Sequence[Attempt]) -> datetime | None:
        """Return from when the log matters: the oldest open question, or, for a resume, the last fact recorded."""
        desk = self._desk
        cases = [take.submitted_at for take in desk.takes.values() if take.can_be_searched]
        begun = [each for each in cases if each is not None]
        begun += [each.started_at for each in attempts if each.credits_at_risk != 0]
        if desk.settings.is_begun_anew and self._is_first:
            return desk.clock.now() - LOG_REACH
        last = desk.state.last_fact_at() if self._is_first else None
        if last is not None and attempts:
            begun.append(last)
            # This run may have written facts already: what is to be sent was planned before any of its rows was made.
            planned = [desk.takes[take_id].planned_at for take_id in desk.board.planned]
            begun += [each for each in planned if each is not None]
        return min(begun) - CLOCK_MARGIN if begun else None

    def _not_read(self, answer: NoAnswer) -> None:
        desk, now = self._desk, self._desk.clock.monotonic()
        if self._failing_since is None:
            self._failing_since = now
            desk.note(f"the provider's request log cannot be read ({answer.message})")
        if answer.trouble is Trouble.KEY or answer.trouble in (Trouble.INVALID, Trouble.NOT_FOUND):
            # It will not get better: what is lost is for a person, and what was never sent may go.
            desk.board.allow_submits()
            for take in [take for take in desk.takes.values() if take.state is State.UNKNOWN]:
                self._hold(take, f"the provider's request log cannot be read ({answer.message})")
            return
        if not answer.message.startswith("HTTP"):
            desk.unreachable(answer.message)
        if desk.board.waits_to_submit and now - self._failing_since >= FAILURE_LIMIT_S:
            desk.stop_submitting(
                ExitCode.PROVIDER_UNREACHABLE,
                "the provider's request log cannot be read, so it is not known whether this state file is the newest:"
                " nothing is sent. Run the same command again later",
            )
            return
        desk.board.add_search(now + max(RETRY_S, answer.retry_after_s or 0.0))

    def _note_lags(self, attempts: Sequence[Attempt], scan: LogScan) -> None:
        desk = self._desk
        last = {each.take_id: each for each in attempts}
        for take_id, lag_s in lag_samples(desk.takes.values(), last, scan, self._before).items():
            desk.record(take_id, Fact.LOGGED, {"log_lag_s": round(lag_s, 1)})

    # --- submits that the state file does not know

    def _note_unrecorded(self, attempts: Sequence[Attempt], scan: LogScan) -> None:
        for row in unrecorded(scan, self._desk.nonce, attempts):
            self._note_unrecorded_row(row, "the provider's log")

    def note_logged(self) -> None:
        """Hold the takes of submits that run.log tells of and the state file does not know."""
        known = {each.request_id for each in self._desk.state.attempts()}
        for row in self._desk.settings.logged:
            if row.request_id not in known:
                self._note_unrecorded_row(row, "run.log")

    def _note_unrecorded_row(self, row: LogRow, source: str) -> None:
        """Hold the take of a submit of ours that the state file does not know: it was restored, or rolled back."""
        desk, ids = self._desk, take_and_attempt(row.request_id)
        take = desk.takes.get(ids[0]) if ids is not None else None
        name = row.generation_id or "a submit"
        cost = f", {usd_text(row.credits)}" if row.credits else ""
        if take is None or ids is None or row.request_id.split(":")[2] != take.recipe.short_hash:
            desk.stop_submitting(
                ExitCode.DECISION_NEEDED,
                f"{source} shows {name} under our request id {row.request_id}{cost}, of a take that this"
                " state file does not know: it is older than the truth",
            )
            return
        if take.state in (State.COMPLETED, State.DOWNLOADED, State.VERIFIED):
            self._warn(take, f"{source} shows another submit of it, {row.request_id}: {name}{cost}")
            return
        text = (
            f"this state file is older than the truth: {source} shows {name}{cost} for attempt {ids[1]} of"
            f" it. `wanbatch resolve {take.label} --adopt {row.generation_id or 'ID'}` takes it over"
        )
        self._hold_unrecorded(take, row, ids[1], text)

    def _hold_unrecorded(self, take: Take, row: LogRow, attempt: int, text: str) -> None:
        desk = self._desk
        if take.state in (State.QUEUED, State.GENERATING):
            desk.board.generation_ended()
        desk.board.drop_planned(take.take_id)
        desk.record(
            take.take_id,
            Fact.FOUND_UNRECORDED,
            {
                "attempt": attempt,
                "request_id": row.request_id,
                "key_fingerprint": desk.settings.key_fingerprint,
                "at": row.at.isoformat(timespec="milliseconds"),
                "credits_held": row.credits or None,
                "error": text,
            },
        )

    def _offer_by_recipe(self, scan: LogScan) -> None:
        """Offer what an earlier state file of this folder may have bought: rows of the same recipe, by name."""
        desk = self._desk
        planned = [desk.takes[take_id] for take_id in desk.board.planned]
        for take in planned:
            rows = [row for row in scan.rows if row.is_good and recipe_in(row.request_id) == take.recipe.short_hash]
            free = [row for row in rows if row.generation_id not in self._offered and row.generation_id]
            if not free or take.attempts:
                continue
            row = min(free, key=lambda row: row.at)
            self._offered.add(row.generation_id)
            cost = f", {usd_text(row.credits)}" if row.credits else ""
            self._hold_unrecorded(
                take,
                row,
                1,
                f"an earlier state file was lost, and the provider's log shows {row.generation_id}{cost} of the very"
                f" same recipe. `wanbatch resolve {take.label} --adopt {row.generation_id}` takes it over, --resubmit"
                " buys another",
            )

    # --- submits whose answers were lost

    async def _settle(self, attempts: Sequence[Attempt], scan: LogScan) -> None:
        desk = self._desk
        by_number = {(each.take_id, each.number): each for each in attempts}
        evidence = self._evidence(scan, (), attempts)
        open_cases: list[tuple[Take, Attempt]] = []
        for take in list(desk.takes.values()):
            attempt = by_number.get((take.take_id, take.attempts))
            if attempt is None or not _is_open(take, attempt):
                continue
            finding = find(take, attempt, evidence)
            if isinstance(finding, Adopt):
                self._adopt(take, attempts, finding)
            elif take.state is State.PLANNED:  # given up, and to be sent again: nothing less than a find stops that
                continue
            elif isinstance(finding, Contradiction):
                self._hold(take, finding.why)
            else:
                open_cases.append((take, attempt))
        self._note_late(attempts, scan)
        if not open_cases:
            return
        charges = await desk.provider.charges(min(each.started_at for _, each in open_cases) - CLOCK_MARGIN)
        if isinstance(charges, NoAnswer):
            desk.note(f"the ledger cannot be read ({charges.message}); lost answers stay open")
            return
        evidence = self._evidence(scan, charges, attempts)
        for take, attempt in open_cases:
            self._judge(desk.takes[take.take_id], attempt, evidence)

    def _evidence(self, scan: LogScan, charges: Sequence[Charge], attempts: Sequence[Attempt]) -> Evidence:
        desk = self._desk
        echoes = [each.is_echoed for each in attempts if each.is_echoed is not None]
        return Evidence(
            scan=scan,
            charges=charges,
            attempts=attempts,
            key_fingerprint=desk.settings.key_fingerprint,
            is_echoed=bool(echoes) and all(echoes),
            lags_s=self._lags_s(),
            grace=desk.settings.unknown_grace,
        )

    def _judge(self, take: Take, attempt: Attempt, evidence: Evidence) -> None:
        finding = find(take, attempt, evidence)
        if isinstance(finding, Contradiction):
            self._hold(take, finding.why)
        elif isinstance(finding, Failed) and finding.is_proof:
            self._found_failed(take)
        elif isinstance(finding, Absent) and finding.is_proof and take.state is State.UNKNOWN:
            self._absent(take)
        else:
            assert isinstance(finding, Failed | Absent), "what was found was adopted before"
            self._searched(take, attempt, evidence, is_failed=isinstance(finding, Failed))
            ends = patience_ends(self._desk.takes[take.take_id], evidence)
            if take.state is State.UNKNOWN and ends is not None and evidence.scan.taken_at >= ends:
                why = finding.why if isinstance(finding, Absent) else "the provider's log says it failed"
                self._hold(take, f"it cannot be known what became of it: {why}")

    def _searched(self, take: Take, attempt: Attempt, evidence: Evidence, *, is_failed: bool) -> None:
        last, now = take.last_searched_at, evidence.scan.taken_at
        is_due = last is None or now - last >= SEARCH_GAP
        if is_due:
            self._desk.record(
                take.take_id,
                Fact.SEARCHED,
                {
                    "provider_at": now.isoformat(timespec="milliseconds"),
                    "has_witness": has_witness(attempt, evidence),
                    "is_failed": is_failed,
                },
            )

    def _adopt(self, take: Take, attempts: Sequence[Attempt], found: Adopt) -> None:
        desk = self._desk
        owner = desk.owners.get(found.generation_id, take.take_id)
        if owner != take.take_id:
            self._hold(take, f"its request id leads to the generation of {desk.takes[owner].label}")
            return
        attempt = next(each for each in attempts if (each.take_id, each.number) == (take.take_id, take.attempts))
        if not attempt.body_sha256:  # a submit that this state file does not know is offered, never taken silently
            return
        others = [each for each in attempts if each.number != take.attempts]
        data = {"generation_id": found.generation_id, "by": "log", "credits_at_risk": risk_of(take, others)}
        desk.board.drop_planned(take.take_id)
        desk.record(take.take_id, Fact.ADOPTED, data | ({"credits_held": found.credits} if found.credits else {}))
        if found.double:
            self._warn(
                take, f"DOUBLE: the provider made two generations for one submit, also {', '.join(found.double)}"
            )
        desk.board.running += 1
        desk.board.add_poll(take.take_id, desk.clock.monotonic())

    def _found_failed(self, take: Take) -> None:
        desk = self._desk
        desk.record(
            take.take_id, Fact.FOUND_FAILED, {"error": "the provider's log says it failed; nothing was charged"}
        )
        if take.tries < desk.settings.rates.max_attempts and not take.superseded:
            desk.record(take.take_id, Fact.RETRY_PLANNED, {"by": "policy"})
            desk.board.add_planned(take.take_id)

    def _absent(self, take: Take) -> None:
        desk = self._desk
        if desk.settings.on_unknown is not OnUnknown.RESUBMIT:
            self._hold(
                take,
                "nothing of it shows in the provider's log or ledger, and it would by now: sending it again looks safe"
                f" (`wanbatch resolve {take.label} --resubmit`)",
            )
            return
        if take.tries >= desk.settings.rates.max_attempts or take.superseded:
            self._hold(take, "nothing of it shows in the provider's log or ledger, and its tries are used up")
            return
        desk.record(take.take_id, Fact.PRESUMED_ABSENT, {"error": "no trace of it; sent again as you asked"})
        desk.board.add_planned(take.take_id)

    def _hold(self, take: Take, why: str) -> None:
        if take.state is State.UNKNOWN:
            self._desk.record(take.take_id, Fact.HELD, {"error": f"{take.error}. {why}", "needs_user": True})

    def _note_late(self, attempts: Sequence[Attempt], scan: LogScan) -> None:
        """Name what earlier attempts made after all, once their takes had gone on without them."""
        desk = self._desk
        for attempt in attempts:
            take = desk.takes[attempt.take_id]
            is_last = attempt.number == take.attempts and _is_open(take, attempt)
            is_over = attempt.outcome in (Outcome.LOST, Outcome.ABANDONED) and not is_last
            rows = [row for row in scan.rows if row.request_id == attempt.request_id and row.is_good]
            if not is_over or attempt.generation_id is not None or not rows or rows[0].generation_id is None:
                continue
            made = rows[0].generation_id
            if made in desk.owners:
                continue
            told = replace(attempt, credits_held=rows[0].credits or attempt.credits_held)
            others = [each for each in attempts if each.number != attempt.number]
            data = {
                "attempt": attempt.number,
                "generation_id": made,
                "credits_held": told.credits_held,
                "credits_at_risk": risk_of(take, [*others, told]),
            }
            desk.record(take.take_id, Fact.FOUND_LATE, data)
            name = "DOUBLE: " if take.generation_id is not None or take.state is State.PLANNED else ""
            self._warn(take, f"{name}attempt {attempt.number} of it was made after all, as {made}")

    def _warn(self, take: Take, warning: str) -> None:
        if warning not in take.warning:
            self._desk.record(take.take_id, Fact.WARNED, {"warning": warning})


def _is_open(take: Take, attempt: Attempt) -> bool:
    """Say whether the log may still give this take the generation of its last attempt."""
    is_given_up = attempt.outcome in (Outcome.LOST, Outcome.ABANDONED) and attempt.generation_id is None
    is_same = recipe_in(attempt.request_id) == take.recipe.short_hash  # it may have been edited since
    return take.can_be_searched or (take.state is State.PLANNED and is_given_up and is_same)


def _may_matter(take: Take) -> bool:
    return take.can_be_searched or take.state in (State.QUEUED, State.GENERATING)
