"""Recovery: a new state file in place of one that is lost, damaged or behind. It asks the provider, and buys nothing.

The folder's lock is held throughout. The new file is made beside the old one and takes its name when it is whole; the
old one is kept under another.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import mkdtemp

from wanbatch.batch.lifecycle import State
from wanbatch.batch.plan import Due, ShotRow, make_plan
from wanbatch.batch.shots import Batch
from wanbatch.batch.take import Entry, Take, fold
from wanbatch.clock import Clock, system_now
from wanbatch.errors import LocalFault, StateInvalid, UsageInvalid
from wanbatch.folders import CLIPS
from wanbatch.provider.clocks import CLOCK_MARGIN
from wanbatch.provider.endpoint import fingerprint
from wanbatch.provider.protocol import LogRow, NoAnswer, Provider
from wanbatch.runner.batch_clock import BatchClock
from wanbatch.runner.events import Event
from wanbatch.runner.log import LOG_NAME, RunLog
from wanbatch.runner.resubmission import LAG_UNTIL_KNOWN
from wanbatch.session import alarms
from wanbatch.session.access import Access
from wanbatch.session.embedded import FOLDER as SANDBOX_FOLDER
from wanbatch.session.exchange import exchange
from wanbatch.session.gathering import gather, sidecar_at
from wanbatch.session.lost_baseline import Kept, known_baseline, restore_baseline
from wanbatch.session.reconstruction import Evidence, ReconstructedTake, past_of, reconstruct
from wanbatch.session.witness import doubt_of
from wanbatch.state.baseline import BASELINE_NOTE
from wanbatch.state.connection import WAYS_BACK
from wanbatch.state.file import StateFile
from wanbatch.state.lock import OutputLock
from wanbatch.state.reader import STATE_NAME, StateReader
from wanbatch.state.tables import Identity, Run, Stray, new_identity
from wanbatch.units import count_text

LOG_NOTE = "log awaited until"  # kept in a new state file: before then the provider's log may lack submits of ours
SANDBOX_LAG = timedelta(minutes=10)
_NONSENSE = (ValueError, TypeError, AttributeError, LookupError, ArithmeticError, RecursionError)  # of a file's text


@dataclass(frozen=True)
class Old:
    """What can still be read of the existing state file; `trouble` says why not all of it, empty if all."""

    identity: Identity | None = None
    kept: dict[int, tuple[str, list[Entry]]] = field(default_factory=dict)
    strays: Sequence[Stray] = ()
    shots: Sequence[ShotRow] = ()
    runs: Sequence[Run] = ()
    notes: Mapping[str, str] = field(default_factory=dict)
    baseline: Kept | None = None
    trouble: str = ""


@dataclass(frozen=True)
class Recovery:
    """What a new state file would hold. Takes by label, those to be fetched with their generations.

    `fetched` are generated and not on disk yet, `sought` submits without a known answer, `missing` verified takes whose
    clip is not on disk with its recorded bytes, `doubles` takes with the generations that are too many. `is_witnessed`
    is False if run.log may lack submits, for the reason `doubt`: then only the provider's log shows the newest ones,
    and it is late. `is_needed` is False if the file that is there knows all.
    """

    batch: str
    output: Path
    sources: tuple[str, ...]
    trouble: str
    verified: tuple[str, ...]
    missing: tuple[str, ...]
    fetched: tuple[tuple[str, str], ...]
    sought: tuple[str, ...]
    failed: tuple[str, ...]
    doubles: tuple[tuple[str, str], ...]
    unknown_frames: tuple[str, ...]
    strays: tuple[Stray, ...]
    to_send: int
    log_trouble: str
    is_witnessed: bool
    is_needed: bool
    doubt: str = ""
    baseline: str = ""
    kept_as: str = ""


@dataclass(frozen=True)
class Draft:
    """A new state file before it is written."""

    evidence: Evidence
    old: Old
    takes: Sequence[ReconstructedTake]
    strays: Sequence[Stray]

    @property
    def doubt(self) -> str:
        """Why run.log may lack a submit; empty if it names them all."""
        return doubt_of(self.evidence)

    def identity(self, access: Access, now: datetime) -> Identity:
        """Return the old file's identity; where it is lost, that of a batch with the nonce of its submits."""
        evidence = self.evidence
        if self.old.identity is not None:
            return self.old.identity
        made = new_identity(
            evidence.batch.name, access.address, evidence.key_fingerprint, now, sandbox=access.is_sandbox
        )
        first = min(_times(evidence)) - CLOCK_MARGIN
        return replace(made, nonce=evidence.nonce, created_at=first.isoformat(timespec="seconds"))


async def recover(access: Access, batch: Batch, output: Path, confirm: Callable[[Recovery], bool]) -> Recovery | None:
    """Put a new state file together, show it to `confirm`, and write it; None if that says no.

    Raises UsageInvalid if there is no trace of an earlier run, OutputLocked while one goes on, LocalFault,
    StateInvalid.
    """
    with _locked(output):
        old = _read_old(output)
        access = _access_to(access, batch, output, old)
        evidence = gather(output, batch, old.identity, old.kept)
        evidence = replace(evidence, key_fingerprint=fingerprint(access.key()))
        async with access.provider(output, max(system_now(), *_times(evidence))) as (provider, clock):
            rows, log_trouble = await _rows(provider, evidence)
            takes, strays = reconstruct(replace(evidence, rows=rows))
            every = [*{each.request_id: each for each in (*strays, *old.strays)}.values()]
            baseline, whence = known_baseline(old.baseline, output, evidence.nonce)
            draft = Draft(replace(evidence, rows=rows), replace(old, baseline=baseline), takes, every)
            found = replace(_recovery_of(draft), output=output, log_trouble=log_trouble, baseline=whence)
            if not found.is_needed:
                return found
            if not confirm(found):
                return None
            lag = SANDBOX_LAG if access.is_embedded else LAG_UNTIL_KNOWN
            ahead = await provider.ahead()
            late = (lag, None if isinstance(ahead, NoAnswer) else ahead)
            kept_as = _write(output, draft, draft.identity(access, clock.now()), clock, late)
            with RunLog(output / LOG_NAME, access.key()) as log:
                how_many, before = count_text(len(takes), "take"), kept_as or "there was none before"
                text = f"wanbatch made a new {STATE_NAME} with {how_many}; {before}"
                log.write(Event(clock.now(), "note", "", text))
            return replace(found, kept_as=kept_as)


@contextmanager
def _locked(output: Path) -> Iterator[None]:
    if not output.is_dir():
        raise UsageInvalid(f"{output} is not a folder: name the output folder of the run with -o")
    lock = OutputLock(output)
    lock.acquire()
    try:
        yield
    except (OSError, *_NONSENSE) as error:
        text = f"{output} could not be recovered ({type(error).__name__}: {error})"
        raise LocalFault(f"{text}. The existing files were kept") from error
    finally:
        lock.release()


def _access_to(access: Access, batch: Batch, output: Path, old: Old) -> Access:
    """Return the access to where the folder was begun. Raises UsageInvalid for another batch or provider."""
    if old.identity is not None:
        if old.identity.batch != batch.name:
            raise UsageInvalid(f"{output} holds the batch '{old.identity.batch}', not '{batch.name}'")
        return access.at(old.identity)
    if (output / SANDBOX_FOLDER).is_dir():
        return access.at(new_identity(batch.name, "sandbox", "", system_now(), sandbox=True))
    return access


def log_awaited_until(state: StateReader) -> datetime | None:
    """Return from when on the provider's log shows all that was sent before a recovery; None if that does not matter.

    Where run.log was lost, too, it is the only witness of the newest submits, and it is late.
    """
    text = state.noted(LOG_NOTE)
    try:
        return None if text is None else datetime.fromisoformat(text)
    except ValueError:
        return None


def assert_not_behind(state: StateReader, due: Iterable[Due]) -> None:
    """Raise StateInvalid if a take that is about to be sent has a clip on disk already, of a submit not known here.

    The state file was restored, or lost its newest part: what it lacks would be bought again.
    """
    folder, nonce = state.output / CLIPS, state.identity().nonce
    names = {path.stem for path in folder.iterdir() if path.suffix == ".json"} if folder.is_dir() else set()
    for label in (f"{each.shot_id}_t{each.number}" for each in due) if names else ():
        sidecar = sidecar_at(folder / f"{label}.json") if label in names else None
        if sidecar is None:
            continue
        ours = [each for each in sidecar.request_ids if each.startswith(f"wb1:{nonce}:")]
        if ours and not state.attempts_of_requests(ours):
            raise StateInvalid(
                f"{state.path} is older than the clips beside it: it does not know the submit of {label}, but its"
                f" clip exists. Nothing was sent. {WAYS_BACK}"
            )


# --- records of the batch


def _read_old(output: Path) -> Old:
    """Read what can be read of the state file that is there, up to where it is damaged."""
    path = output / STATE_NAME
    if not path.exists() or path.stat().st_size == 0:
        return Old(trouble=f"there is no {STATE_NAME}, or it is empty")
    old = Old()
    try:
        with StateReader.open(output) as reader:
            old = replace(old, identity=reader.identity())
            kept_at, lines = reader.baseline_kept_at(), reader.baseline_lines()
            old = replace(old, baseline=None if kept_at is None else (kept_at, lines))
            old = replace(old, strays=reader.strays(), shots=reader.shots(), runs=reader.runs(), notes=reader.notes())
            shot_of = {take.take_id: take.shot_id for take in reader.takes()}
            for take_id, entry in reader.entries():
                if take_id in shot_of:
                    old.kept.setdefault(take_id, (shot_of[take_id], []))[1].append(entry)
            reader.check()
    except UsageInvalid:
        old = replace(old, trouble=f"the existing {STATE_NAME} holds nothing")
    except StateInvalid as error:
        old = replace(old, trouble=str(error).split(". ")[0])
    for take_id, (shot_id, entries) in list(old.kept.items()):
        try:
            fold(take_id, shot_id, entries)
        except (StateInvalid, KeyError, TypeError, ValueError):
            del old.kept[take_id]
    return old


def _times(evidence: Evidence) -> list[datetime]:
    """When things happened, as far as anything tells."""
    kept = [entry.at for _, entries in evidence.kept.values() for entry in entries]
    sent = [each.at("submitted_at") for each in evidence.sidecars]
    return kept + [entry.at for _, entry in evidence.events] + sent


async def _rows(provider: Provider, evidence: Evidence) -> tuple[list[LogRow] | None, str]:
    """Read the rows of this batch in the provider's log, and why that cannot be done."""
    scan = await provider.scan_log(min(_times(evidence)) - CLOCK_MARGIN)
    if isinstance(scan, NoAnswer):
        return None, scan.message
    return [row for row in scan.rows if row.request_id.startswith(f"wb1:{evidence.nonce}:")], ""


# --- the new file


def _recovery_of(draft: Draft) -> Recovery:
    evidence, old, strays = draft.evidence, draft.old, draft.strays
    takes = [each.take for each in draft.takes]
    whole = {(each.label, each.told["sha256"]) for each in evidence.sidecars if each.is_whole}
    sources = [_counted(len(old.kept), "take", "of the old file")] if old.kept else []
    sources += [_counted(len(evidence.events), "line", f"of {LOG_NAME}")] if evidence.events else []
    sources += [_counted(len(evidence.sidecars), "sidecar", "of clips")] if evidence.sidecars else []
    sources += [_counted(len(evidence.rows), "row", "of the provider's log")] if evidence.rows is not None else []
    facts = sum(len(entries) for _, entries in old.kept.values())
    is_behind = sum(len(each.entries) for each in draft.takes) != facts or len(strays) != len(old.strays)
    plan = make_plan(evidence.batch, takes, _shots(evidence, old), past_of(draft.takes))
    verified = [take for take in takes if take.state is State.VERIFIED]
    return Recovery(
        batch=evidence.batch.name,
        output=Path(),
        sources=tuple(sources),
        trouble=old.trouble or f"the existing {STATE_NAME} is out of date",
        verified=tuple(take.label for take in verified if (take.label, take.sha256) in whole),
        missing=tuple(take.label for take in verified if (take.label, take.sha256) not in whole),
        fetched=tuple((take.label, str(take.generation_id)) for take in takes if take.state in _TO_FETCH),
        sought=_labels(takes, State.UNKNOWN, State.HELD),
        failed=_labels(takes, State.FAILED),
        doubles=tuple((each.take.label, made) for each in draft.takes if (made := ", ".join(each.doubles))),
        unknown_frames=tuple(each.take.label for each in draft.takes if each.has_unknown_frame),
        strays=tuple(strays),
        to_send=len(plan.to_submit),
        log_trouble="",
        is_witnessed=not draft.doubt,
        doubt=draft.doubt,
        is_needed=bool(old.trouble) or is_behind,
    )


_TO_FETCH = (State.QUEUED, State.GENERATING, State.COMPLETED, State.DOWNLOADED)


def _counted(number: int, noun: str, rest: str) -> str:
    return f"{count_text(number, noun)} {rest}"


def _labels(takes: Iterable[Take], *states: State) -> tuple[str, ...]:
    return tuple(take.label for take in takes if take.state in states)


def _shots(evidence: Evidence, old: Old) -> list[ShotRow]:
    """Return the shots that are known beside the manifest's: of the old file, else of sidecars."""
    rows = {each.shot_id: each for each in old.shots}
    for each in evidence.sidecars:
        told = each.told.get("shot")
        told = told if isinstance(told, dict) else {}
        texts = {name: str(told.get(name) or "") for name in ("sequence", "scene", "cost_code", "notes")}
        tags = told.get("tags")
        row = ShotRow(
            shot_id=each.shot_id,
            ordinal=0,
            tags=tuple(map(str, tags)) if isinstance(tags, list) else (),
            prompt=str(each.recipe.body.get("prompt", "")),
            wanted=0,
            omit=False,
            removed=True,
            **texts,
        )
        rows.setdefault(each.shot_id, row)
    return list(rows.values())


def _write(
    output: Path, draft: Draft, identity: Identity, clock: Clock, late: tuple[timedelta, timedelta | None]
) -> str:
    """Make the new file beside the old one, read it back whole, and exchange them; see `exchange`.

    `late` is by how much the provider's log may be late, and how far its clock is ahead of ours.
    """
    at, (lag, ahead), folder = clock.now(), late, Path(mkdtemp(prefix=".recover-", dir=output))
    try:
        with closing(StateFile.create_or_open(folder, identity)) as state:
            state.restore([(each.take.take_id, each.take.shot_id, each.entries) for each in draft.takes], draft.strays)
            for run in draft.old.runs:
                state.store_run(run)
            for name, text in draft.old.notes.items():
                if name not in (alarms.NOTE, BASELINE_NOTE):  # of facts by number, which change; kept with its lines
                    state.note(name, text)
            restore_baseline(state, draft.old.baseline, at)
            plan = make_plan(draft.evidence.batch, state.takes(), _shots(draft.evidence, draft.old), state.past())
            state.adopt(plan, at)
            if draft.doubt:
                batch_clock = BatchClock(state, clock)
                batch_clock.measured(ahead)
                state.note(LOG_NOTE, (batch_clock.now() + lag).isoformat(timespec="seconds"))
                batch_clock.keep()
            state.check()
        return exchange(output, folder / STATE_NAME)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
