"""The user of a world: what is done to a batch between two runs, by commands and by hand."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from random import Random
from typing import TYPE_CHECKING

from tests.simulation.disk import CLIPS, LOG, STATE, WAL
from tests.simulation.end import End
from tests.simulation.scenario import PRICES
from wanbatch.attempts import Outcome
from wanbatch.clock import LoopClock
from wanbatch.desk import Desk
from wanbatch.errors import ExitCode
from wanbatch.lifecycle import Fact, State, Take
from wanbatch.provider import Secret
from wanbatch.runlog import RunLog
from wanbatch.runner import Runner
from wanbatch.settling import Decision, reconcile, resolve

if TYPE_CHECKING:
    from tests.simulation.world import World


class User:
    """Acts on a world, and keeps old copies of its folder."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._copies: list[dict[str, bytes]] = []

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
        number = rng.randrange(len(shots))
        if do == "edit":
            edited = {**shots[number].request, "prompt": f"edited {world.runs}"}
            world.shots = (*shots[:number], replace(shots[number], request=edited), *shots[number + 1 :])
        elif do == "edit back":
            world.shots = world.scenario.shots
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
        elif do == "roll back" and len(self._copies) > 1:
            self._roll_back(rng)
        elif do == "delete clip":
            found = sorted((world.output / CLIPS).glob("*.mp4*")) if (world.output / CLIPS).is_dir() else []
            waiting = [path for path in found if path.name.endswith(".part")]
            if waiting:
                rng.choice(waiting).unlink()

    @contextmanager
    def desk(self) -> Iterator[Desk]:
        world = self._world
        clock = LoopClock(datetime.fromtimestamp(world.epoch_s + world.elapsed_s, UTC))
        with ExitStack() as stack:
            state, provider = world.open(clock, stack)
            desk = Desk(state, provider, clock, world.settings(state, {}), Random(f"desk {world.scenario.seed}"))
            log = stack.enter_context(RunLog(world.output / LOG, Secret(world.key)))
            desk.observer = world.witness.observer(log, Runner(desk), clock)
            yield desk
            world.look(state)

    async def reconcile(self) -> End:
        with self.desk() as desk:
            await reconcile(desk)
        return End(ExitCode.OK)

    async def _retry(self) -> End:
        world = self._world
        with self.desk() as desk:
            desk.load()
            for take in desk.state.takes():
                if take.state is State.FAILED and not take.superseded:
                    desk.record(take.take_id, Fact.RETRY_PLANNED, {"by": "user"})
                    world.user_words[take.label] = world.user_words.get(take.label, 0) + 1
        return End(ExitCode.OK)

    async def _resolve(self, decision: Decision, rng: Random) -> End:
        world = self._world
        with self.desk() as desk:
            desk.load()
            found = [take for take in desk.state.takes() if take.state in (State.HELD, State.UNKNOWN)]
            if decision is Decision.ADOPT:
                found += [take for take in desk.state.takes() if _was_given_up(desk, take)]
            if not found:
                return End(ExitCode.OK)
            take = rng.choice(found)
            rows = [row for row in world.books() if row["client_request_id"] == take.request_id and row["credits"]]
            named = rows[0]["inference_id"] if rows and decision is Decision.ADOPT else None
            if decision is Decision.ADOPT and named is None:
                return End(ExitCode.OK)
            if decision is Decision.RESUBMIT:
                world.user_words[take.label] = world.user_words.get(take.label, 0) + 1
            await resolve(desk, take, decision, named)
        return End(ExitCode.OK)

    def _roll_back(self, rng: Random) -> None:
        """Restore an old copy of the state file; run.log stays as it is."""
        world = self._world
        old = rng.choice(self._copies[:-1])
        for name in (STATE, WAL, f"{STATE}-shm"):
            (world.output / name).unlink(missing_ok=True)
        for name in (STATE, WAL):
            if name in old:
                (world.output / name).write_bytes(old[name])
                (world.output / name).chmod(0o600)
        world.is_rolled_back = True

    def keep_copy(self) -> None:
        """Keep a copy of the folder as it is now, where one will be wanted."""
        world = self._world
        files = world.disk.files() if any(act.do == "roll back" for act in world.scenario.acts) else {}
        if files.get(STATE) and world.requests:  # before the first submit there is nothing worth a copy
            self._copies.append(files)


def _was_given_up(desk: Desk, take: Take) -> bool:
    attempts = desk.state.attempts_of(take.take_id)
    return take.state is State.FAILED and bool(attempts) and attempts[-1].outcome is Outcome.ABANDONED
