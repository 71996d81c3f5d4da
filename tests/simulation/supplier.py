"""The provider of a world: the sandbox's books, its other customers, and what it does that it says it never does."""

from __future__ import annotations

from collections import Counter
from math import inf
from typing import TYPE_CHECKING, Any

from tests.simulation.books import Books
from tests.simulation.scenario import KEY, OTHER_KEY
from wanbatch.runner.events import Event
from wanbatch.sandbox.account import Arrival, key_name
from wanbatch.sandbox.faults import Fault, FaultPlan, Rule

if TYPE_CHECKING:
    from tests.simulation.world import World

TWIN = "-twin"  # ends the id of a second generation
_BOOKED = (
    "at, key, client_request_id, fault, body, body_sha256, http_status, model, credits, starts_at, ends_at, failure"
)
_TWIN = f"INSERT INTO requests ({_BOOKED}, inference_id) SELECT {_BOOKED}, inference_id || ? FROM requests"


class Plan(FaultPlan):
    """A fault plan that notes what it did."""

    def __init__(self, rules: tuple[Rule, ...], seed: int, hit: set[tuple[str, str]]) -> None:
        super().__init__(rules, seed)
        self._hit = hit

    def resume(self, on: str, count: int) -> None:
        """Keep the counts: this plan lives as long as its world."""

    def pick(self, on: str, prompt: str = "") -> Fault | None:
        """Count a request, and note its fault."""
        fault = super().pick(on, prompt)
        if fault is not None:
            self._hit.add((on, fault.do))
        return fault


class Supplier:
    """The account of a world, over all its runs."""

    def __init__(self, world: World) -> None:
        self._world = world
        scenario = world.scenario
        self.account = Books.opened(scenario, f"wb1:{world.nonce}:", world.epoch_s)
        self.plan: FaultPlan = Plan(scenario.rules, scenario.seed, world.deeds)
        self._strangers = sorted(scenario.strangers)
        self._accepted = 0
        self._polls: Counter[str] = Counter()
        self._lies_since: dict[str, float] = {}
        self._broken: dict[str, str] = {}
        self._delayed: set[str] = set()  # request ids: a copy that was put back loses the same answer once more

    def follow(self, event: Event) -> None:
        """Do what an event of the run brings about: what nobody may assume, and what others do meanwhile."""
        self._bend(event)
        self._strangers_submit()

    def _bend(self, event: Event) -> None:
        """Let the provider do what it says it never does."""
        world = self._world
        request_id = world.requests.get(event.take, "")
        if event.kind == "submit_started":
            world.requests[event.take] = event.data["request_id"]
            self._delayed.discard(event.data["request_id"])
            if world.key == OTHER_KEY:
                world.foreign.add(event.data["request_id"])
        elif event.kind == "answer_lost" and world.scenario.late_s and not world.is_final:
            is_new = request_id not in self._delayed
            if is_new and self.write("UPDATE requests SET ends_at = ends_at + ?", world.scenario.late_s, request_id):
                self._delayed.add(request_id)
                world.late.add(request_id)
                world.tell(f"{request_id} takes {world.scenario.late_s:.0f} s longer")
        elif event.kind in ("accepted", "answer_lost"):
            self._accepted += 1
            is_chosen = self._accepted in world.scenario.twins and world.key == KEY  # another key's log is not ours
            if is_chosen and self.write(_TWIN, TWIN, request_id):
                world.twins.add(request_id)
                self._delay_twin(world.scenario.mess.twin_after_s)
                world.tell(f"{request_id} is made twice")

    def _delay_twin(self, by_s: float) -> None:
        sql = "UPDATE requests SET ends_at = ends_at + ? WHERE seq = (SELECT max(seq) FROM requests)"
        self.account._db.execute(sql, (by_s,))

    def write(self, sql: str, value: float | str, request_id: str) -> bool:
        """Change the provider's books where the newest submit under a request id made something."""
        newest = "seq = (SELECT max(seq) FROM requests WHERE client_request_id = ?)"
        made = "http_status = 200 AND failure IS NULL AND fault <> 'no_echo'"
        cursor = self.account._db.execute(f"{sql} WHERE {newest} AND {made}", (value, request_id))
        return cursor.rowcount > 0

    # --- broken promises

    @property
    def broken(self) -> dict[str, str]:
        """By request id: which promise was broken about it. A gateway's row in the log does, whatever the answer was."""
        return {**dict.fromkeys(self.account.gateways, "P2"), **self._broken}

    def refusal_of(self, request_id: str) -> int | None:
        """Return the status with which an answer lies that it refuses a submit; None where it does not."""
        status = self.account.refusals.get(request_id)
        if status is not None:
            self._broken[request_id] = "P1"
        return status

    def gateway_hides(self, request_id: str) -> bool:
        """Say whether the gateway answers for a submit, as though it had failed."""
        is_hidden = request_id in self.account.gateways
        if is_hidden:
            self._broken[request_id] = "P2"
        return is_hidden

    def holds_half(self, generation_id: str) -> bool:
        """Say whether the answer to a submit holds half of what will be charged."""
        return self.account.jobs.get(generation_id) in self._world.scenario.lies.cheap

    def calls_failed(self, generation_id: str) -> bool:
        """Count a poll, and say whether it lies that a generation failed."""
        job = self.account.jobs.get(generation_id)
        self._polls[generation_id] += 1
        for number, nth, length_s in self._world.scenario.lies.failed if not self._world.is_final else ():
            if number != job or self._polls[generation_id] < nth:
                continue
            since = self._lies_since.setdefault(generation_id, self._world.now_s)
            if self._polls[generation_id] == nth or self._world.now_s - since < length_s:
                request_id = self._request_of(generation_id)
                self._broken[request_id] = "P3" if length_s else "P3 once"
                return True
        return False

    def called_failed_at(self, generation_id: str) -> float:
        """When a poll first said of a generation that it failed before it had ended, in epoch seconds; inf for never."""
        since = self._lies_since.get(generation_id)
        return inf if since is None else self._world.epoch_s + since

    def _request_of(self, generation_id: str) -> str:
        sql = "SELECT client_request_id FROM requests WHERE inference_id = ? AND failure IS NULL"
        row = self.account._db.execute(sql, (generation_id,)).fetchone()
        return str(row[0]) if row is not None else ""

    # --- the others

    def _strangers_submit(self) -> None:
        """Others order the same prompts meanwhile: with keys of their own, or with ours and from elsewhere."""
        world = self._world
        while self._strangers and self._strangers[0][0] <= world.now_s:
            _, number, has_our_key = self._strangers.pop(0)
            body = world.scenario.shots[number].recipes[0].body
            arrival = Arrival(
                world.epoch_s + world.now_s,
                key_name(KEY if has_our_key else "another-key"),
                f"wb1:abcdefghijklm:{world.scenario.shots[number].recipes[0].short_hash}:1.1" if has_our_key else None,
            )
            self.account.accept(arrival, body)
            world.tell("a stranger submits the same prompt")

    def books(self) -> list[dict[str, Any]]:
        """The provider's own books at the end of time: every submit, what was charged for it, and when that showed."""
        world = self._world
        rows = self.account.everything(world.epoch_s + world.now_s + 10**7, with_intercepted=True)
        keys = dict(self.account._db.execute("SELECT seq, key FROM requests").fetchall())
        for row in rows:
            row["key"] = keys[row["seq"]]
            row["in_log_at"], row["in_ledger_at"] = self.account.in_log_at(row), self.account.in_ledger_at(row)
        return rows
