"""Reconstruction: the facts of a lost state file, put together again from all other records.

Four things do, and the more exact one goes first: what can still be read of the old file, run.log (a line for each
fact of a take), the sidecars of clips that are on disk with their recorded bytes, and the provider's log. Nothing is
guessed: a submit is known by its exact request id, a recipe by its hash, and what belongs to no take is a stray, by
name. If it is not known what became of a submit, the take says so, and the next run looks it up. Pure.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from wanbatch.batch.changes import Past, Rename
from wanbatch.batch.fallbacks import seed_of
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.shots import Batch, Recipe, derived_seed
from wanbatch.batch.take import Entry, Take
from wanbatch.provider.protocol import LogRow
from wanbatch.runner.offered_generations import named_in
from wanbatch.runner.resubmission import recipe_in, take_and_attempt
from wanbatch.session.rebuilt_chains import has_unknown_frame, restore_chains
from wanbatch.session.rebuilt_take import LOST, RebuiltTake
from wanbatch.session.traces import Beside, Sidecar
from wanbatch.state.tables import Stray

RUN_LOG, PROVIDER_LOG = "run.log", "the provider's log"
FAILED = "the provider said that it failed, according to the sidecar of its clip"
FOLLOWED = "a later submit followed it, and this one left no trace"


@dataclass(frozen=True)
class Evidence:
    """All records of a batch. `kept` are facts of the old file, by take id, with the shot's id; `rows` those of the
    provider's log that carry the nonce, None if it could not be read. `is_torn` if lines of run.log cannot be read.
    """

    batch: Batch
    nonce: str
    key_fingerprint: str
    kept: Mapping[int, tuple[str, Sequence[Entry]]] = field(default_factory=dict)
    events: Sequence[tuple[str, Entry]] = ()
    sidecars: Sequence[Sidecar] = ()
    rows: Sequence[LogRow] | None = None
    is_torn: bool = False


@dataclass(frozen=True)
class ReconstructedTake:
    """A take and its facts, the first of which is PLANNED."""

    take: Take
    entries: tuple[Entry, ...]

    @property
    def doubles(self) -> list[str]:
        """The generations beside its clip's that were named as too many."""
        return sorted(named_in(self.entries) - {str(self.take.generation_id)})

    @property
    def has_unknown_frame(self) -> bool:
        """Say whether it was sent with a frame of another shot, and it is not known of which clip."""
        return has_unknown_frame(self.take, self.entries)


def nonce_in(evidence: Iterable[tuple[datetime, str]]) -> str | None:
    """Return the nonce of the newest submit, of times and request ids; None if there is none of ours."""
    ours = [(at, each.split(":")[1]) for at, each in evidence if recipe_in(each) is not None]
    return max(ours)[1] if ours else None


class Reconstruction:
    """Puts the takes together, source by source."""

    def __init__(self, evidence: Evidence) -> None:
        self._told = evidence
        self._rebuilt: dict[str, RebuiltTake] = {}
        self._strays: dict[str, Stray] = {}
        self._senders: dict[str, RebuiltTake] = {}
        self._by_id: dict[int, RebuiltTake] = {}
        self._owners: dict[str, str] = {}
        wanted = [(shot, recipe) for shot in evidence.batch.shots for recipe in shot.recipes]
        self._shots = {shot.id: shot for shot in evidence.batch.shots}
        self._recipes = {recipe.short_hash: recipe for _, recipe in wanted}
        self._recipes |= {
            each.short_hash: each
            for shot, recipe in wanted
            if shot.fallback is not None
            for each in shot.fallback.recipes_for(recipe, (derived_seed(shot.id, n + 1) for n in range(shot.takes)))
        }
        self._recipes |= {each.recipe.short_hash: each.recipe for each in evidence.sidecars}
        self._next_id = 1
        self._used_ids: set[int] = set()

    def run(self) -> tuple[list[ReconstructedTake], list[Stray]]:
        """Return the takes by id, and the submits that belong to none of them."""
        self._keep()
        self._replay()
        for rebuilt in self._rebuilt.values():
            if rebuilt.take.generation_id is not None:
                self._owners.setdefault(rebuilt.take.generation_id, rebuilt.take.label)
        for each in self._told.sidecars:
            if each.is_whole:
                self._take_in(each)
        for rebuilt in self._rebuilt.values():
            self._senders |= dict.fromkeys(rebuilt.requests, rebuilt)
            self._by_id[rebuilt.take.take_id] = rebuilt
        for row in sorted(self._told.rows or (), key=lambda row: row.at):
            self._note_row(row)
        for rebuilt in self._rebuilt.values():
            if rebuilt.take.state is State.SUBMITTING:
                rebuilt.add(Fact.ANSWER_LOST, rebuilt.entries[-1].at, {"error": LOST})
        restore_chains(self._rebuilt, self._told.sidecars)
        found = [ReconstructedTake(rebuilt.take, tuple(rebuilt.entries)) for rebuilt in self._rebuilt.values()]
        known = {request_id for rebuilt in self._rebuilt.values() for request_id in rebuilt.requests}
        strays = [each for each in self._strays.values() if each.request_id not in known]
        return sorted(found, key=lambda each: each.take.take_id), sorted(strays, key=lambda each: each.request_id)

    def _keep(self) -> None:
        ids = [each for each in map(self._id_in, self._request_ids()) if each is not None]
        self._next_id = max([*ids, *self._told.kept], default=0) + 1
        for take_id, (shot_id, entries) in self._told.kept.items():
            rebuilt = RebuiltTake(take_id, shot_id, entries)
            self._rebuilt[rebuilt.take.label] = rebuilt
            self._used_ids.add(take_id)
            self._recipes[rebuilt.take.recipe.short_hash] = rebuilt.take.recipe

    def _request_ids(self) -> Iterable[str]:
        yield from (str(entry.data["request_id"]) for _, entry in self._told.events if "request_id" in entry.data)
        yield from (request_id for each in self._told.sidecars for request_id in each.request_ids)
        yield from (row.request_id for row in self._told.rows or ())

    def _id_in(self, request_id: str) -> int | None:
        """Return the take id in a request id of this batch's nonce."""
        ids = take_and_attempt(request_id)
        return ids[0] if ids is not None and request_id.startswith(f"wb1:{self._told.nonce}:") else None

    def _free_id(self, request_ids: Iterable[str]) -> int:
        told = next((each for each in map(self._id_in, request_ids) if each is not None), None)
        if told is not None and told not in self._used_ids:
            return told
        self._next_id += 1
        return self._next_id - 1

    def _begin(self, label: tuple[str, int], recipe: Recipe, at: datetime, request_ids: Iterable[str]) -> RebuiltTake:
        rebuilt = RebuiltTake.begun(self._free_id(request_ids), label, recipe, at, self._note_of(label[0], recipe))
        self._used_ids.add(rebuilt.take.take_id)
        self._rebuilt[rebuilt.take.label] = self._by_id[rebuilt.take.take_id] = rebuilt
        return rebuilt

    def _note_of(self, shot_id: str, recipe: Recipe) -> str | None:
        """Return the note of a retake: a take of its shot's request, with a seed that no slot has; else None."""
        shot = self._shots.get(shot_id)
        if shot is None or recipe in shot.recipes or "seed" not in recipe.body:
            return None
        request = shot.version_of(recipe.model).request
        return "" if Recipe.of({**request, "seed": recipe.body["seed"]}) == recipe else None

    # --- run.log

    def _replay(self) -> None:
        of_label: dict[str, list[Entry]] = {}
        for label, entry in self._told.events:
            of_label.setdefault(label, []).append(entry)
        for label, entries in of_label.items():
            rebuilt = self._rebuilt.get(label) or self._rebuilt_from(label, entries)
            if rebuilt is None:
                self._name_strays(entries)
                continue
            for entry in entries:
                rebuilt.replay(entry, self._recipe_of(entry))

    def _rebuilt_from(self, label: str, entries: Sequence[Entry]) -> RebuiltTake | None:
        sent = [each for each in entries if each.fact is Fact.SUBMIT_STARTED and "request_id" in each.data]
        shot_id, _, number = label.rpartition("_t")
        recipe = self._recipe_of(sent[0]) if sent else None
        if recipe is None or not shot_id or not number.isdigit():
            return None
        return self._begin((shot_id, int(number)), recipe, sent[0].at, [str(each.data["request_id"]) for each in sent])

    def _recipe_of(self, submit: Entry) -> Recipe | None:
        """Return the recipe of a submit: its request id has the hash. That of its body is another with each frame."""
        return self._recipes.get(recipe_in(str(submit.data.get("request_id"))) or "")

    def _name_strays(self, entries: Sequence[Entry]) -> None:
        """Keep submits by name whose recipe nothing here tells any more."""
        stray: Stray | None = None
        for entry in entries:
            if entry.fact is Fact.SUBMIT_STARTED and isinstance(entry.data.get("request_id"), str):
                stray = Stray(entry.data["request_id"], None, entry.data.get("credits_estimated"), entry.at, RUN_LOG)
            if stray is None:
                continue
            told = {name: entry.data[name] for name in ("generation_id", "credits_held") if entry.data.get(name)}
            stray = self._strays[stray.request_id] = replace(stray, **told)
            if entry.fact in (Fact.NOT_SENT, Fact.TURNED_AWAY, Fact.REFUSED):
                del self._strays[stray.request_id]
                stray = None

    # --- sidecars

    def _take_in(self, sidecar: Sidecar) -> None:
        """Make a take verified again whose clip is on disk, as its sidecar tells."""
        told, ids = sidecar.told, sidecar.request_ids
        self._take_over(sidecar)
        if self._owners.setdefault(str(told["generation_id"]), sidecar.label) != sidecar.label:
            return  # a copy under another name
        rebuilt = self._rebuilt.get(sidecar.label)
        if rebuilt is None:
            at = sidecar.at("submitted_at")
            rebuilt = self._begin((sidecar.shot_id, sidecar.number), sidecar.recipe, at, ids)
        if rebuilt.take.generation_id != told["generation_id"]:
            self._send_all(rebuilt, sidecar)
        if rebuilt.take.generation_id != told["generation_id"]:
            return
        for each in sidecar.beside:
            self._name_beside(rebuilt, each, sidecar.at("submitted_at"))
        if rebuilt.take.state is not State.VERIFIED:
            self._verify(rebuilt, sidecar)

    def _take_over(self, sidecar: Sidecar) -> None:
        """Give a take the name that another shot's takeover gave it: its clip still has the earlier one."""
        shot_id, _, number = sidecar.file_label.rpartition("_t")
        if sidecar.label in self._rebuilt or sidecar.file_label == sidecar.label or not shot_id or not number.isdigit():
            return
        rebuilt, at = self._rebuilt.get(sidecar.file_label), sidecar.at("submitted_at")
        if rebuilt is None:
            rebuilt = self._begin((shot_id, int(number)), sidecar.recipe, at, sidecar.request_ids)
        elif not rebuilt.requests & {*sidecar.request_ids}:
            return
        rename = Rename(rebuilt.take.take_id, sidecar.shot_id, sidecar.number, (shot_id, int(number)))
        if rebuilt.add(Fact.RENAMED, sidecar.at("verified_at"), rename.data):
            del self._rebuilt[sidecar.file_label]
            self._rebuilt[sidecar.label] = rebuilt
            if self._owners.get(str(sidecar.told["generation_id"])) == sidecar.file_label:
                self._owners[str(sidecar.told["generation_id"])] = sidecar.label

    def _verify(self, rebuilt: RebuiltTake, sidecar: Sidecar) -> None:
        told = sidecar.told
        probe = told["probe"]
        clip = {"sha256": told["sha256"], "size_bytes": told["size_bytes"], "clip_duration_s": probe["duration_s"]}
        clip |= {name: probe[name] for name in ("width", "height", "has_audio")}
        if rebuilt.take.state is State.HELD:
            rebuilt.add(Fact.LOOKED_AGAIN, sidecar.at("completed_at"))
        rebuilt.add(Fact.COMPLETED, sidecar.at("completed_at"), {"last_running_at": None})
        rebuilt.add(Fact.DOWNLOADED, sidecar.at("downloaded_at"), clip)
        if rebuilt.take.sha256 == told["sha256"]:
            rebuilt.add(Fact.VERIFIED, sidecar.at("verified_at"), {"file": told["file"]})
        for text in filter(None, told["warning"].split("; ")):
            rebuilt.add(Fact.WARNED, sidecar.at("verified_at"), {"warning": text})
        if told.get("circled") is True:
            rebuilt.add(Fact.CIRCLED, sidecar.at("verified_at"))
        rebuilt.charge(str(told["generation_id"]), sidecar.credits_charged, sidecar.at("verified_at"))

    def _name_beside(self, rebuilt: RebuiltTake, beside: Beside, at: datetime) -> None:
        """Append a generation beside that of a clip, which may be recorded only in its sidecar, and its charge."""
        if self._owners.setdefault(beside.generation_id, rebuilt.take.label) != rebuilt.take.label:
            return
        risk = rebuilt.take.credits_at_risk
        if beside.generation_id not in rebuilt.generations() and not beside.is_failed:
            ids = take_and_attempt(beside.request_id or "")
            if ids is not None and beside.request_id in rebuilt.requests and beside.request_id not in rebuilt.made:
                rebuilt.name_late(ids[1], beside, at)
                sent = rebuilt.take.credits_estimated  # what was put down for each submit: see `_send_all`
                risk = None if risk is None or sent is None else max(0, risk - sent)
            else:
                request_id = (beside.request_id or str(rebuilt.take.request_id)).partition("#")[0]
                row = LogRow(request_id, beside.generation_id, True, beside.held, at)
                rebuilt.name_double(row, self._told.key_fingerprint)
        rebuilt.charge(beside.generation_id, beside.charged, at, credits_at_risk=risk)

    def _send_all(self, rebuilt: RebuiltTake, sidecar: Sidecar) -> None:
        """Append the submits that a sidecar lists; the last one made its clip."""
        held, at = sidecar.told["credits"]["held"], sidecar.at("submitted_at")
        rows = {row.request_id: row for row in self._told.rows or ()}
        new, late = [each for each in sidecar.request_ids if each not in rebuilt.requests], list[str]()
        beside = {each.request_id: each for each in sidecar.beside}
        for request_id in new:
            key = self._told.key_fingerprint if request_id in rows else ""  # a sidecar does not tell the key
            if not rebuilt.send(request_id, at, key, held):
                return
            if request_id == new[-1]:
                rebuilt.accept(str(sidecar.told["generation_id"]), at, held)
            elif request_id in beside and beside[request_id].is_failed:
                rebuilt.accept(beside[request_id].generation_id, at, beside[request_id].held)
                rebuilt.add(Fact.GENERATION_FAILED, at, {"error": FAILED})
            elif request_id in rows and rows[request_id].generation_id and rows[request_id].is_good:
                rebuilt.accept(str(rows[request_id].generation_id), at, rows[request_id].credits)
                if request_id not in beside:  # no one knew when the clip was made
                    late.append(str(rows[request_id].generation_id))
            elif self._told.rows is not None and request_id not in rows and request_id not in beside:
                rebuilt.add(Fact.TURNED_AWAY, at, {"error": FOLLOWED})
            else:
                rebuilt.add(Fact.ANSWER_LOST, at, {"error": LOST})
        for made in late:
            text = f"the provider made {made} in addition to {rebuilt.take.generation_id}, for an earlier submit"
            rebuilt.warn_of_double(text, made, at)

    # --- the provider's log

    def _note_row(self, row: LogRow) -> None:
        """Note what the provider's log shows: the generation of a submit, or a submit of which there is no other
        record.
        """
        rebuilt = self._senders.get(row.request_id)
        if rebuilt is None:
            rebuilt = self._heir(row)
            if rebuilt is None or not rebuilt.send(
                row.request_id, row.at, self._told.key_fingerprint, row.credits or None
            ):
                stray = Stray(row.request_id, row.generation_id, row.credits or None, row.at, PROVIDER_LOG)
                self._strays.setdefault(row.request_id, stray)
                return
            self._senders[row.request_id] = rebuilt
        take = rebuilt.take
        own = rebuilt.made.get(row.request_id)
        if own is not None and row.is_good and row.generation_id not in (None, own, *rebuilt.generations()):
            if self._owners.setdefault(str(row.generation_id), take.label) == take.label:
                rebuilt.name_double(row, self._told.key_fingerprint)
            return
        if take.request_id != row.request_id or not row.is_good or row.generation_id is None:
            return
        if self._owners.setdefault(row.generation_id, take.label) != take.label:
            return
        if take.state is State.SUBMITTING:
            rebuilt.accept(row.generation_id, row.at, row.credits or None)
        elif take.state is State.UNKNOWN:
            held = {"credits_held": row.credits} if row.credits else {}
            rebuilt.add(Fact.ADOPTED, row.at, {"generation_id": row.generation_id, "by": "log", **held})

    def _heir(self, row: LogRow) -> RebuiltTake | None:
        """Find the take of a submit that only the log knows: the one with its id and recipe, else a free slot."""
        take_id, recipe = self._id_in(row.request_id), recipe_in(row.request_id)
        rebuilt = self._by_id.get(take_id or 0)
        if rebuilt is not None:
            return rebuilt if self._is_of(rebuilt, recipe, row) else None
        for shot in self._told.batch.shots:
            taken = [each.take for each in self._rebuilt.values() if each.take.shot_id == shot.id]
            used = {take.recipe.canonical for take in taken}
            for wanted in shot.recipes:
                if wanted.short_hash == recipe and wanted.canonical not in used:
                    number = max((take.number for take in taken), default=0) + 1
                    return self._begin((shot.id, number), wanted, row.at, [row.request_id])
        return None

    def _is_of(self, rebuilt: RebuiltTake, recipe: str | None, row: LogRow) -> bool:
        """Say whether a submit is of a take, also if its fallback was sent: then the take goes on with that."""
        shot = self._shots.get(rebuilt.take.shot_id)
        if rebuilt.take.recipe.short_hash == recipe or shot is None or shot.fallback is None:
            return rebuilt.take.recipe.short_hash == recipe
        take = rebuilt.take
        seeds = [seed_of(take, slot) for slot in range(1, max(shot.takes, take.number) + 1)]
        sendable = shot.fallback.recipes_for(take.recipe, seeds)
        next_one = next((each for each in sendable if each.short_hash == recipe), None)
        if next_one is None or not rebuilt.free(row.at):
            return False
        return rebuilt.add(Fact.MODEL_CHANGED, row.at, {"recipe_json": next_one.canonical})


def past_of(takes: Iterable[ReconstructedTake]) -> Past:
    """Return what rebuilt takes were called before another shot took them over."""
    return Past(
        tuple(
            Rename.of(each.take.take_id, entry.data)
            for each in takes
            for entry in each.entries
            if entry.fact is Fact.RENAMED
        )
    )


def reconstruct(evidence: Evidence) -> tuple[list[ReconstructedTake], list[Stray]]:
    """Return what can be rebuilt of a lost state file: takes with their facts, and strays."""
    return Reconstruction(evidence).run()
