"""The oracle: what must hold at the end of a world, told from the provider's own books and from what is on the disk.

What a client cannot see through is allowed for, and only that:

  a price that nobody told       one take of that price at a time may pass the cap
  a quote below the real price   what was sent on its word may pass the cap by the difference
  a failed generation charged    (the provider breaks its word) its charge is recorded; a new attempt that was planned
                                 before the ledger showed it is not held against the run, and the cap counts it from
                                 when the ledger told of it
  an old state file restored     its doubles, its cap and what it holds are judged only where run.log was never torn
  a generation that takes longer, or a log that is later, than anyone may assume, and two generations for one submit:
                                 its doubles must be named DOUBLE
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from typing import Any

from tests.simulation.clip import clip_bytes
from tests.simulation.disk import CLIPS
from tests.simulation.scenario import KEY, OTHER_KEY, PRICES
from tests.simulation.supplier import TWIN
from tests.simulation.world import EPOCH, World
from wanbatch.attempts import Attempt, Outcome
from wanbatch.errors import ExitCode
from wanbatch.lifecycle import State, Take
from wanbatch.proofs import take_and_attempt

Row = dict[str, Any]
SETTLED = (State.VERIFIED, State.FAILED, State.HELD)


def problems(world: World, books: list[Row] | None = None) -> list[str]:
    """Return every rule that this world broke; `books` are the provider's, unless a test doctors them."""
    return list(Oracle(world, world.books() if books is None else books).problems())


class Oracle:
    """One look at one world."""

    def __init__(self, world: World, books: list[Row]) -> None:
        self._world = world
        self._takes = {take.take_id: take for take in world.takes}
        self._attempts = {(each.take_id, each.number): each for each in world.attempts}
        self._all = books
        prefix = f"wb1:{world.nonce}:"
        self._ours = [row for row in books if str(row["client_request_id"]).startswith(prefix)]
        self._is_blind = world.is_rolled_back and world.is_log_torn  # nothing is left that tells what was sent
        self._maker = {each.generation_id: each for each in world.attempts if each.generation_id is not None}
        self._by_id = {row["inference_id"]: row for row in self._ours}

    def problems(self) -> Iterator[str]:
        """Yield what is wrong."""
        yield from self._world.wrongs
        yield from self._world.line.wrongs
        yield from self._ends()
        yield from self._request_ids()
        yield from self._doubles()
        yield from self._charges()
        yield from self._cap()
        yield from self._generations()
        yield from self._states()
        yield from self._files()
        yield from self._secrets()

    # --- runs

    def _ends(self) -> Iterator[str]:
        world = self._world
        for number, end in enumerate(world.ends):
            if end.is_disks_fault:
                continue
            if end.refused:
                yield f"run {number} was refused: {end.refused}"
            elif end.code is ExitCode.LOCAL_FAULT:
                yield f"run {number} ended with a local fault: {end.messages}"
        for text in world.texts:
            if "internal error" in text:
                yield f"an internal error: {text[:300]}"
        code = world.ends[-1].code if world.ends else None
        current = [take.state for take in world.takes if not take.superseded]
        if code is ExitCode.OK and any(state is not State.VERIFIED for state in current):
            yield f"exit 0 with takes {sorted(set(current))}"
        if code is not ExitCode.OK and set(current) == {State.VERIFIED} and not world.is_rolled_back:
            yield f"exit {code} though every take is verified: {world.ends[-1].messages}"

    # --- submits and money

    def _request_ids(self) -> Iterator[str]:
        if self._is_blind:
            return
        for request_id, count in Counter(row["client_request_id"] for row in self._ours).items():
            if count > 1 + (request_id in self._world.twins):
                yield f"request id {request_id} arrived {count} times"

    def _label(self, take_id: int) -> str:
        return self._takes[take_id].label if take_id in self._takes else f"take {take_id}"

    def _doubles(self) -> Iterator[str]:
        world = self._world
        if self._is_blind:
            return
        bought: dict[int, list[Row]] = {}
        for row in self._ours:
            ids = take_and_attempt(row["client_request_id"])
            is_told = row["client_request_id"] in world.strays  # of a recipe that the manifest no longer asks for
            if row["charged"] and not row["failure"] and ids is not None and not is_told:
                bought.setdefault(ids[0], []).append(row)
        for take_id, rows in bought.items():
            label = self._label(take_id)
            if self._is_bent(rows):
                if len(rows) > 1 and not self._is_named_double(take_id):
                    yield f"{label} was charged {len(rows)} times and is not named DOUBLE"
            elif len(rows) > 1 + world.user_words.get(label, 0):
                yield f"DOUBLE: {label} was charged {len(rows)} times: {[row['client_request_id'] for row in rows]}"
        yield from self._rebought(bought)

    def _is_bent(self, rows: list[Row]) -> bool:
        """Say whether one of these took longer than anyone may assume, or was made twice."""
        return any(row["client_request_id"] in self._world.late | self._world.twins for row in rows)

    def _is_named_double(self, take_id: int) -> bool:
        return self._world.is_rolled_back or "DOUBLE" in self._takes[take_id].warning

    def _rebought(self, bought: dict[int, list[Row]]) -> Iterator[str]:
        """An unchanged shot is never bought again; a failed take not without a look at the ledger."""
        world = self._world
        wanted = {shot.id: shot.takes for shot in world.scenario.shots}
        counts = Counter(
            (self._takes[take_id].shot_id, row["body_sha256"])
            for take_id, rows in bought.items()
            if take_id in self._takes and not self._is_bent(rows)
            for row in rows
        )
        for (shot_id, _), count in counts.items():
            words = sum(count for label, count in world.user_words.items() if label.startswith(f"{shot_id}_t"))
            if count > wanted[shot_id] + words and not world.is_rolled_back:
                yield f"DOUBLE: one recipe of {shot_id} was charged {count} times"
        lag_s = world.scenario.options.log_lag_s
        for label, read_at in world.retries:
            for row in self._ours:
                ids = take_and_attempt(row["client_request_id"])
                is_charged = row["charged"] and row["failure"] and ids is not None and self._label(ids[0]) == label
                if is_charged and row["ends_at"] + lag_s < read_at - 1:
                    yield f"{label} was tried again although its failed generation was charged"

    def _charges(self) -> Iterator[str]:
        world = self._world
        known = 0
        for row in self._ours:
            if not row["charged"]:
                continue
            ids = take_and_attempt(row["client_request_id"])
            assert ids is not None
            take, attempt = self._takes.get(ids[0]), self._maker.get(row["inference_id"]) or self._attempts.get(ids)
            if attempt is not None and attempt.generation_id == row["inference_id"]:
                known += row["charged"]
            why = self._unseen(row, take, attempt)
            if why and not (world.is_rolled_back and self._is_told(row)):
                yield f"LOST: {row['client_request_id']} was charged {row['charged']}: {why}"
        told = sum(take.credits_charged or 0 for take in world.takes)
        if told != known and not world.is_rolled_back:
            yield f"the state says {told} credits were charged, the provider says {known}"

    def _is_told(self, row: Row) -> bool:
        return any(row["client_request_id"] in text or row["inference_id"] in text for text in self._world.texts)

    def _unseen(self, row: Row, take: Take | None, attempt: Attempt | None) -> str:
        """Say why a charge is not accounted for; empty where it is."""
        if take is None or attempt is None:
            return "the state file does not know that submit"
        is_last = attempt.number == take.attempt
        if attempt.generation_id == row["inference_id"]:
            if attempt.credits_charged != row["charged"]:
                return f"its attempt says {attempt.credits_charged}; the take is {take.state}"
            if not is_last or row["failure"]:
                return ""
            if take.state is State.VERIFIED:
                right = hashlib.sha256(clip_bytes(row["inference_id"])).hexdigest()
                return "" if take.sha256 == right else "its clip has other bytes"
            is_given_up = self._world.user_words.get(take.label, 0) > 0  # planned again by the user's word
            is_late = (
                row["client_request_id"] in self._world.late and "DOUBLE" in take.warning
            )  # made of an older prompt
            is_fine = take.state is State.HELD or attempt.outcome is Outcome.ABANDONED or is_given_up or is_late
            return "" if is_fine else f"its take is {take.state}: {take.error}"
        named = f"{take.error} {take.warning} {attempt.error}"
        is_named = row["client_request_id"] in named or row["inference_id"] in named
        if is_last and take.state is State.HELD and is_named:
            return ""
        if attempt.outcome in (Outcome.LOST, Outcome.ABANDONED) and attempt.credits_at_risk != 0 and is_named:
            return ""
        return f"its generation is not known; the take is {take.state}: {named}"

    def _cap(self) -> Iterator[str]:
        world = self._world
        if self._is_blind:
            return
        moves: list[tuple[float, int, int, Row]] = []
        for row in self._ours:
            if row["http_status"] == 200 and row["credits"] and not row["inference_id"].endswith(TWIN):
                moves.append((row["at"], 1, row["credits"], row))
                if row["failure"]:
                    moves.append((row["ends_at"], 0, -row["credits"], row))
                if row["failure"] and row["inference_id"] in world.charges_seen:
                    moves.append((world.charges_seen[row["inference_id"]], 2, row["credits"], row))
        total = slack = 0
        for at, kind, credit_count, row in sorted(moves, key=lambda move: move[:3]):
            before, total = total, total + credit_count
            cap = next((cap for since, cap in reversed(world.caps) if since <= at + 0.5), None)
            if kind != 1 or cap is None:
                continue
            quote = world.scenario.quotes.get(row["model"])
            if quote is None:
                slack += max(0, total - cap - slack) if before < cap + slack else 0
            elif quote < PRICES[row["model"]]:
                slack += PRICES[row["model"]] - quote
            if total > cap + slack:
                yield f"CAP: {total} credits held or charged at {at - EPOCH.timestamp():.0f} s, {cap} allowed"

    def _generations(self) -> Iterator[str]:
        owners: dict[str, int] = {}
        for attempt in self._world.attempts:
            made = attempt.generation_id
            if made is None:
                continue
            row = self._by_id.get(made)
            if row is None:
                yield f"{attempt.request_id} has generation {made}, which is not ours"
            elif row["client_request_id"] != attempt.request_id.partition("#")[0]:
                yield f"{attempt.request_id} has the generation of {row['client_request_id']}"
            if owners.setdefault(made, attempt.take_id) != attempt.take_id:
                yield f"generation {made} belongs to two takes"

    # --- where takes stand

    def _states(self) -> Iterator[str]:
        world = self._world
        code = world.ends[-1].code if world.ends else None
        for take in world.takes:
            is_waiting = take.state is State.PLANNED and (
                take.superseded or code is ExitCode.BUDGET_REACHED or world.limit is not None
            )
            if take.state not in SETTLED and not is_waiting:
                yield f"{take.label} is {take.state} at the end ({code}, {world.ends[-1].messages})"
            if take.state is State.HELD:
                yield from self._held(take)

    def _held(self, take: Take) -> Iterator[str]:
        """Held only where it cannot be known, or where the provider contradicts itself."""
        rows = [row for row in self._ours if row["client_request_id"] == take.request_id]
        attempt = self._attempts.get((take.take_id, take.attempt))
        is_good = bool(rows) and rows[0]["status"] == "completed"
        if not is_good or attempt is None or self._is_blind or take.request_id in self._world.foreign:
            return
        if take.generation_id is None and attempt.body_sha256:
            yield f"{take.label} is held though the log shows its generation: {take.error}"
        is_foreign = self._world.is_rolled_back and "is not a file of this take" in take.error
        if take.generation_id is not None and not take.needs_user and not is_foreign:
            yield f"{take.label} is held though its clip can be had: {take.error}"

    # --- files

    def _files(self) -> Iterator[str]:
        world = self._world
        by_label = {take.label: take for take in world.takes}
        clips = world.output / CLIPS
        found = sorted(clips.glob("*.mp4")) if clips.is_dir() else []
        for path in found:
            take = by_label.get(path.stem)
            if take is None or take.sha256 != hashlib.sha256(path.read_bytes()).hexdigest():
                if not world.is_rolled_back:
                    yield f"{path.name} is no file that a take recorded"
            elif take.state not in (State.VERIFIED, State.HELD):
                yield f"{path.name} has its final name, and its take is {take.state}"
        for take in world.takes:
            if take.state is State.VERIFIED and not (world.output / str(take.file)).is_file():
                yield f"{take.label} is verified and has no file"

    def _secrets(self) -> Iterator[str]:
        world = self._world
        marks = (KEY, OTHER_KEY, "Signature=", "OSSAccessKeyId", world.account.signing_key)
        for path in sorted(world.output.rglob("*")):
            data = path.read_bytes() if path.is_file() else b""
            for mark in marks:
                if mark.encode() in data:
                    yield f"SECRET: {path.name} holds '{mark}'"
        told = "\n".join(world.texts)
        for mark in marks:
            if mark in told:
                yield f"SECRET: the user was shown '{mark}'"
