"""The judgement of purchases: no take is bought twice but by the user's word, and what is allowed for is named."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from itertools import pairwise
from math import inf
from typing import Any

from tests.simulation.renaming import renames
from tests.simulation.scenario import KEY
from tests.simulation.supplier import TWIN
from tests.simulation.world import World
from tests.simulation.wrongness import RIGHT_CLOCKS
from wanbatch.batch.attempts import Outcome
from wanbatch.batch.lifecycle import State
from wanbatch.batch.remedies import is_refused_prompt
from wanbatch.batch.shots import REFUSED
from wanbatch.errors import ExitCode
from wanbatch.runner.resubmission import (
    GENERATION_GRACE,
    NETWORK_GRACE,
    SEARCH_GAP,
    default_grace,
    recipe_in,
    take_and_attempt,
)
from wanbatch.runner.unexplained import ROW_GRACE
from wanbatch.sandbox.account import key_name

Row = dict[str, Any]
HTTP_OK = 200
INSTANT_S = 0.01  # two sums of the same times may differ in their last bits
READ_S = 30.0  # between a reading of log or ledger and what follows from it there may be other answers
LOOKED_AT_S = 60.0  # a look before a take is sent again lasts for half of it, and the submit follows at once


class Purchases:
    """The purchases of one world: rows of the provider's books that are ours and were charged for no failure."""

    def __init__(self, world: World, ours: list[Row]) -> None:
        self._world = world
        self._ours = ours
        self._takes = {take.take_id: take for take in world.takes}
        self._bought: dict[int, list[Row]] = {}
        for row in ours:
            ids = take_and_attempt(row["client_request_id"])
            is_told = row["client_request_id"] in world.strays  # of a recipe that the manifest no longer asks for
            if row["charged"] and not row["failure"] and ids is not None and not is_told:
                self._bought.setdefault(ids[0], []).append(row)

    def problems(self) -> Iterator[str]:
        """Yield what was bought against the rules, or not named."""
        yield from self._twice()
        yield from self._fallbacks()
        yield from self._edited()
        yield from self._renamed()
        yield from self._unasked()
        yield from self._retried()
        yield from self._proven()

    def label(self, take_id: int) -> str:
        """Name a take, also one that the state file no longer has."""
        return self._takes[take_id].label if take_id in self._takes else f"take {take_id}"

    # --- the same take

    def _twice(self) -> Iterator[str]:
        world = self._world
        for take_id, rows in self._bought.items():
            label = self.label(take_id)
            spare = world.user_words.get(label, 0)
            if len(rows) == 1:
                continue
            reasons = []
            for earlier, later in pairwise(rows):
                first, second = (recipe_in(each["client_request_id"]) for each in (earlier, later))
                if first != second and first not in world.fallback_of.get(str(second), ()):
                    continue  # the user asked for another recipe
                name, why_not = self._reason(earlier, later)
                reasons += [name] if name else []
                if not name:
                    spare -= 1
                if not name and spare < 0:
                    ids = [row["client_request_id"] for row in rows]
                    yield f"DOUBLE: {label} was charged {len(rows)} times{why_not}: {ids}"
                    break
            world.allowed.update(reasons)
            told_to_decide = ExitCode.DECISION_NEEDED in world.codes
            if reasons and not self._is_named(take_id, rows):
                yield f"{label} was charged {len(rows)} times and is not named DOUBLE ({', '.join(reasons)})"
            elif set(reasons) - {"another key"} and self._shows(take_id, rows) and not told_to_decide:
                yield f"{label} was charged {len(rows)} times and no command exited with code 3 ({', '.join(reasons)})"

    def _shows(self, take_id: int, rows: list[Row]) -> bool:
        """Say whether a log ever ties one of a take's purchases to it, beyond the take's own."""
        own = self._takes[take_id].generation_id if take_id in self._takes else None
        others = [row for row in rows if row["inference_id"] != own]
        return any(row["client_request_id"] not in self._world.late or row["in_log_at"] < inf for row in others)

    def _reason(self, earlier: Row, later: Row) -> tuple[str, str]:
        """Return by which allowance one purchase may follow another, or none and what speaks against it."""
        world, request_id = self._world, earlier["client_request_id"]
        if later["inference_id"].endswith(TWIN):
            return "made twice", ""
        if self._is_left(earlier):
            return "", ""
        broken = world.supplier.broken.get(request_id)
        restored = self._restored_between(earlier, later)
        proven_at = self._proven_at(later)
        if restored is not None:
            if self._was_unexplained(earlier, later):
                return "", f" though the ledger showed the first when the run began ({request_id})"
            if earlier["key"] != later["key"]:
                return "another key", ""
            began = world.began_before(later["at"])
            if began is not None and earlier["in_log_at"] <= began - READ_S:
                return "", f" though the log showed the first when the run began ({request_id})"
            return ("restored", "") if world.tells_nothing else ("", " though run.log told of the first")
        if broken == "P3 once":
            return "", " after a single poll that said error"
        is_late = request_id in world.late
        if broken is None and not is_late:
            return "", ""
        books = {"P1": ("in_log_at",), "P3": ("in_ledger_at",)}.get(broken or "", ("in_log_at", "in_ledger_at"))
        shown = min(earlier[book] for book in books)
        if broken != "P1":  # however long its take waited, the proof is looked at again just before
            proven_at = max(proven_at, later["at"] - LOOKED_AT_S)
        if shown <= proven_at - READ_S:
            return "", f" though the provider's books showed the first by then ({request_id})"
        return broken or "late", ""

    def _is_left(self, row: Row) -> bool:
        """Say whether the user left a purchase whose generation the take had for another submit."""
        return any(
            each.outcome is Outcome.ABANDONED and each.generation_id == row["inference_id"]
            for each in self._world.attempts
        )

    def _was_unexplained(self, earlier: Row, later: Row) -> bool:
        """Say whether the ledger showed a purchase that a restored copy lacks, and nothing explained it, when the run
        began that made the second; a lost answer, a word of the user, or a row without our id explains it.
        """
        world, scenario = self._world, self._world.scenario
        began = world.began_before(later["at"])
        if began is None or scenario.clocks != RIGHT_CLOCKS or scenario.mess.unkept or scenario.is_account_shared:
            return False
        if world.trusts_since is not None and world.trusts_since <= later["at"]:
            return False
        is_read = any(began <= at <= later["at"] for at in world.line.ledger_reads)
        is_lost = any(each.generation_id is None or each.outcome is Outcome.LOST for each in world.attempts)
        # Not what a run says that the user answered for: until then the user has said nothing.
        told = [text for text in world.told if "since you added --trust-state" not in text]
        is_told = any(earlier["inference_id"] in text for text in told)
        is_old = earlier["in_ledger_at"] <= began - ROW_GRACE.total_seconds() - READ_S
        return is_read and is_old and not is_lost and not is_told

    def _proven_at(self, later: Row) -> float:
        """Return when log and ledger were last read before a purchase."""
        read = [each.at for each in self._world.account.readings if each.at <= later["at"] + INSTANT_S]
        ledger_at = [at for at in self._world.line.ledger_reads if at <= later["at"] + INSTANT_S]
        return max([*read, *ledger_at], default=0.0)

    def _restored_between(self, earlier: Row, later: Row) -> float | None:
        """Return when a copy was restored that lacks the first purchase, before the second was made."""
        for restored in self._world.restored:
            if restored.lacks(earlier["seq"]) and restored.seq < later["seq"]:
                return restored.at
        return None

    def _is_named(self, take_id: int, rows: list[Row]) -> bool:
        """Say whether a take's purchases are named: DOUBLE, or each beyond its own by one that is held or failed.

        What a restored copy lacks, and what no log shows, may be named elsewhere: by a stray, by a message.
        """
        take, world = self._takes.get(take_id), self._world
        if take is not None and "DOUBLE" in take.warning:
            return True
        own = take.generation_id if take is not None else None
        is_held = take is not None and take.state is State.HELD
        is_given_up = take is not None and take.state is State.FAILED
        held = [f"{take.warning} {take.error}"] if take is not None and (is_held or is_given_up) else []

        def is_told(row: Row) -> bool:
            if row["client_request_id"] in world.late and row["in_log_at"] == inf:
                return (
                    True  # the ledger charges it later than a submit of then may be charged, and no log ties it to one
                )
            is_hidden = row["in_log_at"] == inf and row["client_request_id"] in world.twins
            if is_hidden and world.scenario.is_account_shared:
                return True  # the ledger alone shows it, and where others use the account that tells nothing
            is_elsewhere = any(each.lacks(row["seq"]) for each in world.restored) or row["in_log_at"] == inf
            texts = [*held, *world.told] if is_elsewhere else held
            is_asked = take is not None and is_held and take.request_id == row["client_request_id"]
            return is_asked or any(row["inference_id"] in text for text in texts)

        mine = [row for row in rows if row["key"] == key_name(KEY)]  # no log of ours shows the rest
        return all(is_told(row) for row in mine if row["inference_id"] != own)

    # --- another model

    def _fallbacks(self) -> Iterator[str]:
        """A fallback is sent only after each submit before it was over, made nothing and cost nothing; and for good."""
        by_take: dict[int, list[Row]] = {}
        for row in self._ours:
            ids = take_and_attempt(row["client_request_id"])
            if ids is not None and row["http_status"] == HTTP_OK and not row["inference_id"].endswith(TWIN):
                by_take.setdefault(ids[0], []).append(row)
        for take_id, rows in by_take.items():
            recipes = [str(recipe_in(row["client_request_id"])) for row in rows]
            for place, later in enumerate(rows):
                firsts = self._world.fallback_of.get(recipes[place], set())
                for number, earlier in enumerate(rows):
                    if recipes[number] in firsts and number < place:
                        yield from self._before_fallback(self.label(take_id), earlier, later)
                    elif recipes[number] in firsts and not self._world.restored and not self._has_edits():
                        yield f"FALLBACK: {self.label(take_id)} went back to its first model"
                if firsts and not self._world.restored:
                    yield from self._refused_before(take_id, later)

    def _before_fallback(self, label: str, earlier: Row, later: Row) -> Iterator[str]:
        request_id = earlier["client_request_id"]
        is_over = earlier["failure"] and earlier["ends_at"] <= later["at"] + INSTANT_S
        if is_over or self._reason(earlier, later)[0]:
            return
        why = "could still come to a clip" if earlier["failure"] else "was made"
        yield f"FALLBACK: {label} went on with another model though {request_id} {why}"

    def _refused_before(self, take_id: int, later: Row) -> Iterator[str]:
        """A prompt that was refused is the user's to change, unless the manifest says otherwise."""
        take, ids = self._takes.get(take_id), take_and_attempt(later["client_request_id"])
        shot = next((each for each in self._world.scenario.shots if take is not None and each.id == take.shot_id), None)
        if ids is None or shot is None or shot.fallback is None or REFUSED in shot.fallback.on:
            return
        before = [each for each in self._world.attempts if each.take_id == take_id and 0 < each.number < ids[1]]
        firsts = self._world.fallback_of[str(recipe_in(later["client_request_id"]))]
        last = next((each for each in reversed(before) if recipe_in(each.request_id) in firsts), None)
        if last is not None and last.number == ids[1] - 1 and is_refused_prompt(last.error):
            yield f"FALLBACK: {self.label(take_id)} went on with another model, and its prompt was refused"

    def _has_edits(self) -> bool:
        return any(act.do in ("edit", "edit back", "remove") for act in self._world.scenario.acts)

    # --- an unchanged recipe

    def _edited(self) -> Iterator[str]:
        """An unchanged shot is never bought again."""
        world = self._world
        wanted = {shot.id: shot.takes for shot in world.scenario.shots}
        bent = set(world.late) | world.twins | set(world.supplier.broken)
        counts = Counter(
            (self._takes[take_id].shot_id, row["body_sha256"])
            for take_id, rows in self._bought.items()
            if take_id in self._takes and not any(row["client_request_id"] in bent for row in rows)
            for row in rows
        )
        for (shot_id, _), count in counts.items():
            words = sum(count for label, count in world.user_words.items() if label.startswith(f"{shot_id}_t"))
            if count > wanted[world.renaming.first_id(shot_id)] + words and not world.restored:
                yield f"DOUBLE: one recipe of {shot_id} was charged {count} times"

    def _renamed(self) -> Iterator[str]:
        """What is there under an earlier id of its shot is not bought again, unless the user said so."""
        world = self._world
        if not renames(world.scenario) or world.restored:
            return
        renaming = world.renaming
        wanted = {shot.id: shot.takes for shot in world.scenario.shots}
        counts = Counter(
            renaming.first_id(self._takes[take_id].shot_id)
            for take_id, rows in self._bought.items()
            if take_id in self._takes
            for _ in rows
        )
        for shot_id, count in counts.items():
            if count > wanted[shot_id] and shot_id not in renaming.bought_again:
                yield f"DOUBLE: {count} clips of {shot_id} were bought, {wanted[shot_id]} ordered, and it was only renamed"

    def _unasked(self) -> Iterator[str]:
        """What no shot asks for is not bought."""
        for row in self._ours:
            asked = next((recipes for since, recipes in reversed(self._world.asked) if since <= row["at"] + 0.5), None)
            if asked is not None and recipe_in(row["client_request_id"]) not in asked:
                yield f"{row['client_request_id']} was sent though the manifest did not ask for it"

    # --- failures and proofs

    def _retried(self) -> Iterator[str]:
        """A failed take is not tried again where the ledger charged its failure."""
        for label, read_at in self._world.retries:
            for row in self._ours:
                ids = take_and_attempt(row["client_request_id"])
                is_charged = row["charged"] and row["failure"] and ids is not None and self.label(ids[0]) == label
                if is_charged and row["in_ledger_at"] < read_at - 1:
                    yield f"{label} was tried again although its failed generation was charged"

    def _proven(self) -> Iterator[str]:
        """P2 and P4 rest on readings of the log that were really made, and far enough apart."""
        world = self._world
        if world.restored:
            return
        full_s = (world.scenario.grace or default_grace(())).total_seconds()
        lag_s = max(full_s - (NETWORK_GRACE + GENERATION_GRACE).total_seconds(), SEARCH_GAP.total_seconds())
        by_request = {row["client_request_id"]: row for row in self._ours}
        for proof in world.proofs:
            readings = [each for each in world.account.readings if each.at <= proof.at + INSTANT_S]
            sent = by_request.get(proof.request_id)
            if proof.kind == "found_failed" and world.scenario.mess.has_no_costs:
                if proof.request_id in world.account.gateways:
                    yield f"P2 was taken from a row that tells no cost: {proof.request_id}"
            elif proof.kind == "found_failed":
                seen = [each.at for each in readings if proof.request_id in each.shown]
                if not seen or proof.at - seen[0] < lag_s - 1:
                    since_s = proof.at - seen[0] if seen else 0
                    yield f"P2 was taken {since_s:.0f} s after the row showed, within the log's lag: {proof.request_id}"
            elif sent is not None or not world.scenario.crashes:
                yield from self._looks(proof.request_id, [each for each in readings if each.at > proof.sent_at], full_s)

    def _looks(self, request_id: str, readings: list[Any], full_s: float) -> Iterator[str]:
        """Two readings ten minutes apart showed a later submit; or, where there is none, two graces went by."""
        ids = take_and_attempt(request_id)
        sent = self._world.sent_at
        later = {each for each, at in sent.items() if at > sent.get(request_id, 0.0)}
        witnesses = [each.at for each in readings if each.shown & later]
        gap_s = SEARCH_GAP.total_seconds() - READ_S
        is_witnessed = bool(witnesses) and witnesses[-1] - witnesses[0] >= gap_s
        is_long = bool(readings) and readings[-1].at - readings[0].at >= 2 * full_s - READ_S
        if ids is not None and not is_witnessed and not is_long:
            yield f"P4 was taken without two looks that lie apart: {request_id}"
