"""The user of a world: what is done to a batch between two runs, by commands and by hand."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, closing, contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from tests.simulation.disk import CLIPS, FRAMES, LOG, STATE, WAL
from tests.simulation.end import End
from tests.simulation.renaming import ACT as RENAMES
from tests.simulation.scenario import PRICES
from wanbatch.batch.attempts import Outcome
from wanbatch.batch.changes import Create
from wanbatch.batch.choice import Pick, circle
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.retakes import Retake, plan_retakes
from wanbatch.batch.shots import Shot
from wanbatch.batch.take import Take
from wanbatch.errors import ExitCode, UsageInvalid
from wanbatch.provider.protocol import Secret
from wanbatch.runner.context import RunContext
from wanbatch.runner.log import RunLog
from wanbatch.runner.loop import Runner
from wanbatch.session.decisions import Decision, reconcile, resolve
from wanbatch.state.chained_takes import read_chained
from wanbatch.state.reader import entry

if TYPE_CHECKING:
    from tests.simulation.world import World


CHAINS = "chains: "  # begins acts upon shots that continue from others
ASKS = ("open", "doubles", "twice", "breaches", "questions")  # what a look may bring that the user has to decide


@dataclass(frozen=True)
class Copy:
    """An old copy of the folder: when (Unix seconds) and after which submit it was made, and whether anything had been
    sent by then.
    """

    at: float
    seq: int
    was_sent: bool
    files: dict[str, bytes]
    is_end: bool


@dataclass(frozen=True)
class Restored:
    """A copy that was put back: when (Unix seconds), and between which submits, excluding the first.

    `has_log` where run.log was put back, too; `was_sent` where anything had been sent when it was made.
    """

    at: float
    copied_seq: int
    seq: int
    has_log: bool
    was_sent: bool

    def lacks(self, seq: int) -> bool:
        """Say whether a submit is one that the copy does not know."""
        return self.copied_seq < seq <= self.seq


class User:
    """Acts on a world, and keeps old copies of its folder."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._copies: list[Copy] = []
        self._kept: Copy | None = None

    def act(self, run: int) -> None:
        """Do what the scenario has the user do before this run."""
        world = self._world
        for act in world.scenario.acts:
            if act.run == run and act.at == 0 and world.runs:
                world.tell(f"the user: {act.do}")
                self._act(act.do, Random(f"act {world.scenario.seed} {run} {act.do}"))

    def _act(self, do: str, rng: Random) -> None:
        world = self._world
        shots = world.shots
        if do.startswith(RENAMES):
            world.renaming.rename(do.removeprefix(RENAMES))
            return
        if do.startswith(CHAINS):
            world.between(lambda: self._decide(*do.split()[1:]))
            return
        do, _, chosen = do.partition(" shot ")
        number = int(chosen) if chosen else rng.randrange(len(shots))
        if do in ("edit", "edit back", "remove"):
            world.witness.forget_tries()
        if do == "edit":
            world.shots = (*shots[:number], _edited(shots[number], f"edited {world.runs}"), *shots[number + 1 :])
        elif do == "edit back":
            world.shots = world.scenario.shots
        elif do == "drop fallbacks":
            world.shots = tuple(replace(each, fallback=None) for each in shots)
        elif do == "remove" and len(shots) > 1:
            world.shots = (*shots[:number], *shots[number + 1 :])
        elif do == "raise cap" and world.cap_credits is not None:
            world.cap_credits += rng.choice((1, 2)) * PRICES["alibaba/wan2.1-t2v-turbo"]
        elif do == "other policy":
            world.on_unknown = rng.choice(list(type(world.on_unknown)))
        elif do == "reconcile":
            world.between(self.reconcile)
        elif do == "retry":
            world.between(self._retry)
        elif do in ("resubmit", "adopt", "abandon"):
            world.between(lambda: self._resolve(Decision(do), rng))
        elif do == "roll back" and len([each for each in self._copies if each.was_sent and each.is_end]) > 1:
            self._roll_back(rng)
        elif do == "adopt first":
            world.between(lambda: self._resolve(Decision.ADOPT, rng, is_first=True))
        elif do == "roll back kept" and self._kept is not None:
            self._put_back(self._kept, (STATE, WAL), has_log=False)
        elif do.startswith("restore ") and self._copies:
            self._restore_folder(rng, do.split()[1])
        elif do == "keep":
            self._kept = self._copies[-1] if self._copies else None
        elif do.startswith("wait "):
            world.elapsed_s += 3600 * float(do.split()[1])
        elif do == "delete clip":
            found = sorted((world.output / CLIPS).glob("*.mp4*")) if (world.output / CLIPS).is_dir() else []
            waiting = [path for path in found if path.name.endswith(".part")]
            if waiting:
                rng.choice(waiting).unlink()

    @contextmanager
    def context(self) -> Iterator[RunContext]:
        world = self._world
        with ExitStack() as stack:
            state, provider, clock = world.open(stack)
            context = RunContext(
                state, provider, clock, world.settings(state, {}), Random(f"context {world.scenario.seed}")
            )
            log = stack.enter_context(RunLog(world.output / LOG, Secret(world.key)))
            context.observer = world.witness.observer(log, Runner(context))
            yield context
            world.look(state)

    async def reconcile(self) -> End:
        with self.context() as context:
            found = await reconcile(context)
            needs_user = any(getattr(found, name, ()) for name in ASKS) or found.is_log_refused or context.troubles
        if needs_user:
            return End(ExitCode.DECISION_NEEDED)
        return End(ExitCode.OK if found.is_log_read and found.is_ledger_read else ExitCode.PROVIDER_UNREACHABLE)

    async def _retry(self) -> End:
        world = self._world
        with self.context() as context:
            context.load()
            for take in context.state.takes():
                if take.state is State.FAILED and not take.superseded:
                    context.record(take.take_id, Fact.RETRY_PLANNED, {"by": "user"})
                    world.user_words[take.label] = world.user_words.get(take.label, 0) + 1
        return End(ExitCode.OK)

    async def _decide(self, do: str, number: str = "0", take: str = "1") -> End:
        """Circle a take, order another one, or spoil the frames that are kept; nothing where that cannot be."""
        world, shot_id = self._world, self._world.shots[int(number)].id
        if do == "spoil":
            for path in sorted((world.output / FRAMES).glob("*.png")):
                path.write_bytes(b"spoilt")
                world.joins.spoilt.add(f"{FRAMES}/{path.name}")
            return End(ExitCode.OK)
        with self.context() as context, suppress(UsageInvalid):
            state, now = context.state, context.clock.now()
            if do == "circle":
                facts = circle(state.takes(), [Pick(shot_id, int(take))])
                state.record_together([(each.take_id, entry(fact, now)) for each, fact in facts])
                return End(ExitCode.OK)
            asked = Retake((shot_id,), with_successors=do == "retake-all").completed(read_chained(state))
            plan = plan_retakes(state.shots(), state.takes(), asked, state.past())
            created = [each for each in plan.changes if isinstance(each, Create)]
            world.joins.note_retakes(shot_id, created, with_successors=do == "retake-all")
            state.adopt(plan, now)
        return End(ExitCode.OK)

    async def _resolve(self, decision: Decision, rng: Random, *, is_first: bool = False) -> End:
        world = self._world
        with self.context() as context:
            context.load()
            found = [take for take in context.state.takes() if take.state in (State.HELD, State.UNKNOWN)]
            if decision is Decision.ADOPT:
                found += [take for take in context.state.takes() if _was_given_up(context, take)]
            if not found:
                return End(ExitCode.OK)
            take = rng.choice(found)
            asked = context.state.attempts_of(take.take_id)[0].request_id if is_first else take.request_id
            rows = [row for row in world.books() if row["client_request_id"] == asked and row["credits"]]
            named = rows[0]["inference_id"] if rows and decision is Decision.ADOPT else None
            if decision is Decision.ADOPT and named is None:
                return End(ExitCode.OK)
            if decision is Decision.RESUBMIT:
                world.user_words[take.label] = world.user_words.get(take.label, 0) + 1
            await resolve(context, take, decision, named)
        return End(ExitCode.OK)

    def _roll_back(self, rng: Random) -> None:
        """Restore an old copy of the state file; run.log stays as it is."""
        old = rng.choice([each for each in self._copies if each.was_sent and each.is_end][:-1])
        self._put_back(old, (STATE, WAL), has_log=False)

    def _restore_folder(self, rng: Random, which: str) -> None:
        """Restore an old copy of the whole folder, or go on in one; nothing here tells what happened since.

        Which: the `first`, from before anything was sent; the one that was `kept`; any of this `folder`.
        """
        firsts = [each for each in self._copies if not each.was_sent]
        clips = self._world.output / CLIPS
        for path in sorted(clips.iterdir()) if clips.is_dir() else []:
            path.unlink()
            self._world.removed_at[path.name] = self._world.epoch_s + self._world.now_s
        (self._world.output / LOG).unlink(missing_ok=True)
        old = rng.choice(self._copies)
        if which == "first" and firsts:
            old = firsts[-1]
        elif which == "kept" and self._kept is not None:
            old = self._kept
        self._put_back(old, tuple(old.files), has_log=True)

    def _put_back(self, old: Copy, names: tuple[str, ...], *, has_log: bool) -> None:
        world = self._world
        for name in (STATE, WAL, f"{STATE}-shm"):
            (world.output / name).unlink(missing_ok=True)
        for name in names:
            if name in old.files:
                path = world.output / name
                path.parent.mkdir(exist_ok=True)
                path.write_bytes(old.files[name])
                path.chmod(0o600)
        now = world.epoch_s + world.now_s
        world.restored.append(Restored(now, old.seq, world.account.last_seq, has_log, old.was_sent))
        world.charges_seen = {made: at for made, at in world.charges_seen.items() if at <= old.at}
        world.witness.forget()
        world.is_rolled_back = True

    def keep_copy(self, *, is_end: bool = True) -> None:
        """Keep a copy of the folder as it is now, where one will be wanted."""
        world = self._world
        is_wanted = any(act.do.startswith(("roll back", "restore")) for act in world.scenario.acts)
        files = world.disk.files() if is_wanted else {}
        if files.get(STATE) and (world.requests or _holds_batch(files)):
            now = world.epoch_s + world.now_s
            self._copies.append(Copy(now, world.account.last_seq, bool(world.requests), files, is_end))


def _holds_batch(files: Mapping[str, bytes]) -> bool:
    """Say whether a copy holds a batch: one of a first run that died at once does not, and a new batch begins in it.

    What such a copy lacks was sent under the name of another batch, which nothing in the folder tells.
    """
    with TemporaryDirectory() as folder:
        for name in (STATE, WAL):
            if name in files:
                (Path(folder) / name).write_bytes(files[name])
        with closing(sqlite3.connect(Path(folder) / STATE)) as db:
            return db.execute("SELECT 1 FROM sqlite_master LIMIT 1").fetchone() is not None


def _was_given_up(context: RunContext, take: Take) -> bool:
    attempts = context.state.attempts_of(take.take_id)
    return take.state is State.FAILED and bool(attempts) and attempts[-1].outcome is Outcome.ABANDONED


def _edited(shot: Shot, prompt: str) -> Shot:
    """Return a shot with another prompt, for its fallback, too."""
    fallback = shot.fallback
    if fallback is not None:
        version = replace(fallback.version, request={**fallback.version.request, "prompt": prompt})
        fallback = replace(fallback, version=version)
    return replace(shot, request={**shot.request, "prompt": prompt}, fallback=fallback)
