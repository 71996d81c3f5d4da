"""The renaming of shots in a world: the manifest comes with new ids, and the user answers what the command asks about that."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from tests.simulation.line import API
from tests.simulation.scenario import KEY, Scenario
from wanbatch.batch.followers import with_followers
from wanbatch.batch.plan import Plan, make_plan
from wanbatch.batch.shots import Batch, Shot
from wanbatch.clock import Clock
from wanbatch.errors import UsageInvalid
from wanbatch.provider.endpoint import Endpoint, Settings
from wanbatch.provider.protocol import Secret
from wanbatch.session.access import Access
from wanbatch.session.admission import Admission, admit, ask, carry
from wanbatch.session.options import RunOptions, Watch
from wanbatch.state.chained_takes import frames_sent
from wanbatch.state.file import StateFile

if TYPE_CHECKING:
    from tests.simulation.world import World

BATCH = "simulated"
ACT = "rename "  # begins such acts: `rename all: ANSWER`, or the numbers of the shots in place of `all`
TAKE_OVER, RENAME, BUY_AGAIN = "take over", "rename", "buy again"
ANSWERS = (TAKE_OVER, RENAME, BUY_AGAIN)
_MORE = 10  # by so much a renamed shot's number is higher


class Renaming:
    """Plans what the manifest asks for; once shots were renamed, as the command does: by what it asks, and the answer."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._answer = ""
        self._names: dict[str, str] = {}  # new ids by old ones, since the manifest was changed last
        self.names: dict[str, str] = {}  # what shots are called now, by every earlier id
        self._first: dict[str, str] = {}  # by id: what the shot was called first
        self._admission: Admission | None = None
        self.bought_again: set[str] = set()  # first ids of shots that the user said are to be bought again

    def rename(self, what: str) -> None:
        """Give shots new ids, as an act says; all that the user says of it holds from here on."""
        world = self._world
        which, _, self._answer = what.partition(": ")
        chosen = range(len(world.shots)) if which == "all" else [int(each) for each in which.split()]
        self._names = {}
        shots = list(world.shots)
        for number in chosen:
            old = shots[number]
            new = f"sh{int(old.id[2:]) + _MORE:02d}"
            self._names[old.id] = new
            self._first[new] = self.first_id(old.id)
            shots[number] = replace(old, id=new)
        self.names = {each: self._names.get(name, name) for each, name in self.names.items()} | self._names
        world.shots = tuple(_with_frames_of(shot, self._names) for shot in shots)
        if self._answer == BUY_AGAIN:
            self.bought_again |= {self.first_id(each) for each in self._names.values()}

    def first_id(self, shot_id: str) -> str:
        """Return what a shot was called first."""
        return self._first.get(shot_id, shot_id)

    def earlier(self, shot: Shot) -> list[Shot]:
        """Return a shot under all its earlier ids: what was made of it there has seeds derived from those."""
        first = self.first_id(shot.id)
        ids = {first, *(each for each, its in self._first.items() if its == first)} - {shot.id}
        before = _with_frames_of(shot, self._first)
        same = [before] if before != shot else []
        return [*same, *(replace(each, id=its) for each in (shot, *same) for its in sorted(ids))]

    def plan(self, state: StateFile) -> Plan:
        """Plan the manifest for the folder as it is."""
        batch = Batch(BATCH, self._world.shots)
        self._admission = None
        if not self._answer:
            past = state.past()
            plan = make_plan(batch, state.takes(), state.shots(), past)
            is_following = any(shot.following for shot in batch.shots)
            if not is_following:
                return plan
            return with_followers(plan, batch.shots, frames_sent(state, plan.takes, {}), past)
        options = RunOptions(output=self._world.output, same_batch=True)
        if self._answer == RENAME:
            options = replace(options, renames=tuple(self._names.items()))
        admission = self._admitted(batch, state, options)
        try:
            ask(admission, options, Watch())
        except UsageInvalid:  # nobody answers: nothing is written or sent, and the same command is given with a word
            self._world.tell(f"the user is asked, and says: {self._answer}")
            is_told = self._answer == BUY_AGAIN
            options = replace(options, take_over=not is_told, buy_again=is_told)
            admission = self._admitted(batch, state, options)
            ask(admission, options, Watch())
        self._admission = admission
        return admission.plan

    def _admitted(self, batch: Batch, state: StateFile, options: RunOptions) -> Admission:
        settings = Settings(Secret(KEY), "", Endpoint(API, is_loopback=True))
        access = Access(settings, is_embedded=True)
        return admit(batch, self._world.output, state, options, access)

    def carry(self, state: StateFile, plan: Plan, clock: Clock) -> None:
        """Write what was planned into the state file."""
        if self._admission is None:
            state.adopt(plan, clock.now())
        else:
            carry(state, self._admission, clock.now(), "")


def _with_frames_of(shot: Shot, names: Mapping[str, str]) -> Shot:
    """Return a shot that continues from the same shots as before, by the ids that they have in `names`."""
    body = dict(shot.request)
    for field, value in body.items():
        mark, _, rest = str(value).partition(":")
        shot_id, _, moment = rest.partition(":")
        if mark == "frame" and shot_id in names:
            body[field] = f"frame:{names[shot_id]}:{moment}"
    return shot if body == shot.request else replace(shot, request=body)


def renames(scenario: Scenario) -> bool:
    """Say whether shots are renamed in a scenario."""
    return any(act.do.startswith(ACT) for act in scenario.acts)
