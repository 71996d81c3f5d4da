"""The oracle: what must hold at the end of a world, told from the provider's own books and from what is on the disk.

What a client cannot see through is allowed for, and only that: `tests.simulation.allowance` has the table.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from math import inf
from pathlib import Path
from typing import Any

from tests.simulation.books import SHADOW
from tests.simulation.clip import clip_bytes
from tests.simulation.disk import CLIPS
from tests.simulation.joins import waits
from tests.simulation.purchases import INSTANT_S, READ_S, Purchases
from tests.simulation.scenario import KEY, OTHER_KEY
from tests.simulation.supplier import TWIN
from tests.simulation.world import EPOCH, World
from wanbatch.batch.attempts import NO_POST, Attempt, Outcome
from wanbatch.batch.lifecycle import State
from wanbatch.batch.take import Take
from wanbatch.errors import ExitCode
from wanbatch.runner.resubmission import recipe_in, take_and_attempt
from wanbatch.sandbox.account import key_name

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
        yield from Purchases(self._world, self._ours).problems()
        yield from self._charges()
        yield from self._shadows()
        yield from self._cap()
        yield from self._recipes()
        yield from self._generations()
        yield from self._states()
        yield from self._world.joins.problems()
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
        # One that is held may have been charged, also if an edit replaced it: the user has to decide.
        current = [take.state for take in world.takes if not take.superseded or take.state is State.HELD]
        if code is ExitCode.OK and any(state is not State.VERIFIED for state in current):
            yield f"exit 0 with takes {sorted(set(current))}"
        if code is not ExitCode.OK and set(current) == {State.VERIFIED} and not world.is_rolled_back:
            yield f"exit {code} though every take is verified: {world.ends[-1].messages}"

    # --- submits and money

    def _request_ids(self) -> Iterator[str]:
        world = self._world
        arrived: dict[str, list[int]] = {}
        for row in self._ours:
            arrived.setdefault(row["client_request_id"], []).append(row["seq"])
        for request_id, numbers in arrived.items():
            # What a copy lacks it sends under the same id again; whether it may is judged by what was bought.
            lacked = sum(any(each.lacks(number) for each in world.restored) for number in numbers)
            spare = (lacked if world.tells_nothing else 0) + (request_id in world.twins)
            if len(numbers) > 1 + spare:
                yield f"request id {request_id} arrived {len(numbers)} times"

    def _label(self, take_id: int) -> str:
        return self._takes[take_id].label if take_id in self._takes else f"take {take_id}"

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
            if why and not self._is_told(row):
                yield f"LOST: {row['client_request_id']} was charged {row['charged']}: {why}"
        told = sum(take.credits_charged or 0 for take in world.takes)
        if told != known and not world.is_rolled_back:
            yield f"the state says {told} credits were charged, the provider says {known}"

    def _shadows(self) -> Iterator[str]:
        """A charge of no take for what failed is named, and the take is not sent again by itself where it showed."""
        world = self._world
        for shadow in [row for row in self._all if row["inference_id"].endswith(SHADOW)]:
            own = self._by_id[shadow["inference_id"].removesuffix(SHADOW)]
            if not any(shadow["inference_id"] in text for text in world.told):
                yield f"UNNAMED: {shadow['inference_id']} was charged for what failed, and nothing names it"
            ids = take_and_attempt(own["client_request_id"])
            assert ids is not None
            label, shown_at = self._label(ids[0]), shadow["in_ledger_at"] + READ_S
            if any(take == label and read_at > shown_at for take, read_at in world.retries):
                yield f"{label} was tried again beside a charge of no take ({shadow['inference_id']})"

    def _is_told(self, row: Row) -> bool:
        """Say whether the user was told of a submit that the state file does not hold, or not as one of its own."""
        is_odd = self._world.is_rolled_back or row["client_request_id"] in self._world.supplier.broken
        is_odd |= row["client_request_id"] in self._world.twins and row["in_log_at"] == inf
        told = [*self._world.told, *self._world.strays]
        if row["key"] != key_name(KEY) and any(each.lacks(row["seq"]) for each in self._world.restored):
            return True  # no log that this key may read shows it
        return is_odd and any(row["client_request_id"] in text or row["inference_id"] in text for text in told)

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
            bent = self._world.late | set(self._world.supplier.broken)
            # Made of an older prompt, or of a submit that the provider denied.
            is_late = row["client_request_id"] in bent and (
                "DOUBLE" in take.warning or row["inference_id"] in f"{take.warning} {take.error}"
            )
            is_fine = take.state is State.HELD or attempt.outcome is Outcome.ABANDONED or is_given_up or is_late
            return "" if is_fine else f"its take is {take.state}: {take.error}"
        named = f"{take.error} {take.warning} {attempt.error}"
        is_followed = take.request_id == row["client_request_id"]
        is_named = is_followed or row["client_request_id"] in named or row["inference_id"] in named
        if is_last and take.state is State.HELD and is_named:
            return ""
        if attempt.outcome in (Outcome.LOST, Outcome.ABANDONED) and attempt.credits_at_risk != 0 and is_named:
            return ""
        return f"its generation is not known; the take is {take.state}: {named}"

    def _cap(self) -> Iterator[str]:
        world = self._world
        moves: list[tuple[float, int, int, Row]] = []
        for row in self._ours:
            if row["inference_id"].endswith(TWIN):
                found_at = world.doubles_seen.get(row["inference_id"])
                moves += [] if found_at is None else [(found_at, 1, row["credits"], row)]
            elif row["http_status"] == 200 and row["credits"]:
                moves.append((self._counts_from(row), 1, row["credits"], row))
                if row["failure"]:  # its hold ends when it does, for us when the provider calls it failed before
                    ends_at = min(row["ends_at"], world.supplier.called_failed_at(row["inference_id"]))
                    moves.append((ends_at, 0, -row["credits"], row))
                seen_at = world.charges_seen.get(row["inference_id"])
                if seen_at is not None:  # what was sent in that instant went before: the ledger is read at a run's end
                    seen_at += INSTANT_S
                if seen_at is not None and row["failure"]:
                    moves.append((seen_at, 2, row["credits"], row))
                elif seen_at is not None and row["charged"] > row["credits"]:
                    moves.append((seen_at, 2, row["charged"] - row["credits"], row))
        total = untold = 0
        dearer: Counter[str] = Counter()  # by model: how much more than told one submit cost, at most
        nameless: list[Row] = []  # sent, and no answer told what they hold
        for at, kind, credit_count, row in sorted(moves, key=lambda move: move[:3]):
            before, total = total, total + credit_count
            cap = next((cap for since, cap in reversed(world.caps) if since <= at + 0.5), None)
            if kind != 1 or cap is None:
                continue
            told = told_price(world, row, self._ours)
            lost = self._unseen_rises(nameless, row)
            allowed = cap + untold + dearer.total() + lost
            if at > row["at"]:  # known of only now: nothing was sent
                untold += max(0, total - allowed)
                continue
            if row["client_request_id"] not in world.priced:
                nameless.append(row)
            if told is None:
                untold += max(0, total - allowed) if before < allowed else 0
            elif row["credits"] > told:
                dearer[row["model"]] = max(dearer[row["model"]], row["credits"] - told)
            if total > cap + untold + dearer.total() + lost:
                yield f"CAP: {total} credits held or charged at {at - EPOCH.timestamp():.0f} s, {cap} allowed"
            elif total > allowed:
                world.allowed["untold price" if told is None else "dearer than told"] += 1

    def _unseen_rises(self, nameless: list[Row], row: Row) -> int:
        """Return by how much submits whose hold no answer told cost more than the highest prices known by now.

        Of those whose answers were lost before any answer told a price of their model, the dearest one alone: beside
        more of them another goes out only where the cap bears ten times the list.
        """
        world, rises, untold = self._world, 0, [0]
        for each in nameless:
            rise = max(0, each["credits"] - (told_price(world, row, self._ours, each["model"]) or 0))
            is_told = told_price(world, row, self._ours, each["model"], has_list=False) is not None
            if is_told or each["client_request_id"] in world.accepted:
                rises += rise
            else:
                untold.append(rise)
        return rises + max(untold)

    def _counts_from(self, row: Row) -> float:
        """Return from when on a purchase counts under the cap: when it was sent, or could first be known of again."""
        world = self._world
        lost = [each.at for each in world.restored if each.lacks(row["seq"])]
        broken = world.supplier.broken.get(row["client_request_id"], "")
        if broken.startswith("P3"):
            known_at = world.charges_seen.get(row["inference_id"], inf)
        elif broken or (lost and world.tells_nothing):
            since = max([row["in_log_at"] + READ_S, *lost])
            runs = zip(world.caps, world.keys, strict=True)
            known_at = next((at for (at, _), key in runs if at >= since and key == row["key"]), inf)
        else:
            return float(row["at"])
        world.allowed["unseen in the cap"] += 1
        return max(float(row["at"]), known_at)

    def _recipes(self) -> Iterator[str]:
        """What was made of another recipe is not the clip of any take, and is offered to none; nor is another batch's ours."""
        for request_id in sorted(self._world.strays):
            if not request_id.startswith(f"wb1:{self._world.nonce}:"):
                yield f"{request_id} is of another batch, and was taken for ours"
        for take in self._world.takes:
            attempt = self._attempts.get((take.take_id, take.attempt))
            is_offered = take.state is State.HELD and attempt is not None and not attempt.body_sha256
            if attempt is None or not (take.state is State.VERIFIED or is_offered):
                continue
            if recipe_in(attempt.request_id) != take.recipe.short_hash:
                yield f"{take.label} is {take.state} with what was made of another recipe: {attempt.request_id}"

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
        is_capped = bool(world.ends) and ExitCode.BUDGET_REACHED in world.ends[-1].codes  # 3 hides it
        for take in world.takes:
            is_waiting = take.state is State.PLANNED and (take.superseded or is_capped or world.limit is not None)
            is_waiting |= take.state is State.PLANNED and self._repeats_another(take)
            is_waiting |= world.joins.is_there and waits(take, world.takes, world.renaming.names)
            if take.state not in SETTLED and not is_waiting:
                yield f"{take.label} is {take.state} at the end ({code}, {world.ends[-1].messages})"
            if take.state is State.HELD:
                yield from self._held(take)

    def _repeats_another(self, take: Take) -> bool:
        """Say whether another take was sent with this request and seed, and has a clip of it or may have one."""
        body = take.recipe.body
        others = (
            self._takes[each.take_id]
            for each in self._world.attempts
            if each.outcome not in NO_POST and not each.has_failed
        )
        return "seed" in body and any(each.take_id != take.take_id and each.recipe.body == body for each in others)

    def _held(self, take: Take) -> Iterator[str]:
        """Held only where it cannot be known, or where the provider contradicts itself."""
        rows = [row for row in self._ours if row["client_request_id"] == take.request_id]
        attempt = self._attempts.get((take.take_id, take.attempt))
        is_good = bool(rows) and rows[0]["status"] == "completed" and rows[0]["in_log_at"] < inf
        if not is_good or attempt is None or self._is_blind or take.request_id in self._world.foreign:
            return
        if take.generation_id is None and attempt.body_sha256:
            yield f"{take.label} is held though the log shows its generation: {take.error}"
        is_foreign = self._world.is_rolled_back and "does not belong to this take" in take.error
        followed = self._by_id.get(str(take.generation_id))
        is_offered = f"--adopt {rows[0]['inference_id']}`" in take.error
        if followed is not None and followed["status"] != "completed" and is_offered:
            self._world.allowed["another one runs"] += 1
            return
        if take.generation_id is not None and not take.needs_user and not is_foreign:
            yield f"{take.label} is held though its clip can be had: {take.error}"

    # --- files

    def _files(self) -> Iterator[str]:
        world = self._world
        by_label = {take.label: take for take in world.takes}
        # A clip keeps its name where its take is renamed.
        by_label |= {Path(take.file).stem: take for take in world.takes if take.file is not None}
        clips = world.output / CLIPS
        found = sorted(clips.glob("*.mp4")) if clips.is_dir() else []
        for path in found:
            take = by_label.get(path.stem)
            if take is None or take.sha256 != hashlib.sha256(path.read_bytes()).hexdigest():
                if not world.is_rolled_back:
                    yield f"{path.name} is not a file that a take recorded"
            elif take.state not in (State.VERIFIED, State.HELD):
                yield f"{path.name} has its final name, and its take is {take.state}"
        for take in world.takes:
            file = world.output / str(take.file)
            # Two copies put back, first of the folder, then of a state file from later: the clip is gone with the first.
            is_users = world.removed_at.get(file.name, 0.0) > world.verified_at.get(take.label, 0.0)
            if take.state is State.VERIFIED and not file.is_file() and not is_users:
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


def told_price(
    world: World, row: Row, books: list[Row], model: str | None = None, *, has_list: bool = True
) -> int | None:
    """Return the highest price that a list, a hold or a charge had told when a submit was sent; None where none had.

    What a restored copy lacks, nobody was told who goes on with it, until the log of the key showed it when a run
    began; the row of a failed generation tells no price. `model` is that of the submit where it is not named.
    """
    model = row["model"] if model is None else model
    gone = [each for each in world.restored if each.seq < row["seq"]]
    began = world.began_before(row["at"])
    read = [each for each in books if each["key"] == row["key"] and not each["failure"]]
    logged = [each for each in read if began is not None and each["in_log_at"] <= began - READ_S]
    shown = {name for each in logged for name in (each["client_request_id"], each["inference_id"])}
    told = [
        each.credits
        for each in world.prices_told
        if each.model == model and each.seq < row["seq"]
        if each.name in shown or not any(copy.lacks(each.seq) for copy in gone)
    ]
    quote = world.scenario.quotes.get(model) if has_list else None
    return max([*told, *([] if quote is None else [quote])], default=None)
