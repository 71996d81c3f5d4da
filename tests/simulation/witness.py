"""The witness of a world: what is noted of a run while it goes on, and what its counts must say in the end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from wanbatch.batch.attempts import Outcome
from wanbatch.batch.inventory import Inventory, is_open
from wanbatch.batch.lifecycle import State
from wanbatch.errors import OutputLocked
from wanbatch.money.budget import Budget
from wanbatch.money.seen_prices import held_prices, seen_prices
from wanbatch.runner.context import RunContext
from wanbatch.runner.end_code import RunEnd
from wanbatch.runner.events import Event
from wanbatch.runner.log import RunLog
from wanbatch.runner.loop import Runner
from wanbatch.runner.resubmission import recipe_in
from wanbatch.runner.settings import OnUnknown
from wanbatch.state.file import StateFile

if TYPE_CHECKING:
    from tests.simulation.world import World

PROBE_AT = 5
FRESH_S = 300.0  # a look at the ledger before that says nothing about what the log tells now


PROOFS = ("found_failed", "presumed_absent")
ABSENT = "neither the provider's log nor its ledger shows this submit, and"  # as a held take says what is proven


@dataclass(frozen=True)
class Proof:
    """What a run took from the log as proof: P2 or P4, of which submit, when. Unix seconds, true."""

    kind: str
    request_id: str
    sent_at: float
    at: float


@dataclass(frozen=True)
class Told:
    """A price that a run was told: after which submit, of which model, credits, by which generation or request id."""

    seq: int
    model: str
    credits: int
    name: str


class Witness:
    """Looks on, and writes into its world what it saw."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._events = 0
        self._failed_at: dict[str, float] = {}
        self._waits_for_user: set[str] = set()
        self._on_fallback: set[str] = set()  # since the manifest was edited last
        self._requests: dict[str, str] = {}  # by generation
        self._failed_tries: dict[str, set[str]] = {}  # by take: request ids that failed since the user's last word
        self._tried_again: set[str] = set()  # takes of this run
        self._made_nothing: set[str] = set()  # takes whose last submit failed by its row in the log, in this run

    def begin(self) -> None:
        """A new process starts."""
        self._events = 0
        self._made_nothing.clear()

    def note_asked(self) -> None:
        """Note what the manifest asks for from here on, and which recipe is the fallback of which."""
        world = self._world
        shots = [*world.shots, *(each for shot in world.shots for each in world.renaming.earlier(shot))]
        asked = {each.short_hash for shot in shots for each in shot.recipes}
        named = [(shot.fallback, shot.recipes) for shot in shots if shot.fallback is not None]
        for fallback, recipes in named:
            for each in recipes:
                next_one = fallback.recipe_for(each).short_hash
                world.fallback_of.setdefault(next_one, set()).add(each.short_hash)
                asked.add(next_one)
        world.asked.append((world.epoch_s + world.now_s, asked | world.joins.asked()))

    def observer(self, log: RunLog, runner: Runner) -> Callable[[Event], None]:
        world = self._world
        self._tried_again.clear()

        def observe(event: Event) -> None:
            if world.disk.is_dead:
                return
            log.write(event)
            self._events += 1
            error = "" if event.text in ("", event.data.get("error")) else event.text
            world.tell(f"{event.take:<8} {event.kind} {error}{_shown(event)}")
            world.texts.append(f"{event.text} {event.data}")
            if event.kind in ("generation_failed", "found_failed"):
                is_poll = event.kind == "generation_failed"
                self._failed_at[event.take] = world.now_s if is_poll else world.now_s - FRESH_S
                self._failed_tries.setdefault(event.take, set()).add(world.requests.get(event.take, ""))
            if event.kind == "resubmit_allowed" or (event.kind == "retry_planned" and event.data["by"] == "user"):
                self._failed_tries.pop(event.take, None)
            is_by_policy = event.kind == "retry_planned" and event.data["by"] == "policy"
            if is_by_policy or event.kind == "presumed_absent":
                self._tried_again.add(event.take)
            if is_by_policy:
                tries = len(self._failed_tries.get(event.take, ()))
                # A restored state file counts the tries that it knows.
                if tries >= world.scenario.rates.max_attempts and not world.restored:
                    world.wrongs.append(f"{event.take} is tried again though its tries are used up")
                if world.line.ledger_read_at < self._failed_at[event.take]:
                    world.wrongs.append(f"{event.take} was tried again without a look at the ledger")
                world.retries.append((event.take, world.epoch_s + world.line.ledger_read_at))
            if event.kind == "model_changed" and "made" not in event.data:
                self._note_fallback(event)
            if self._events == PROBE_AT and world.scenario.seed % 7 == 0:
                self._probe_lock()
            if event.kind == "presumed_absent" and world.on_unknown is not OnUnknown.RESUBMIT:
                world.wrongs.append(f"{event.take} is sent again without the user's decision in advance")
            if event.kind == "charged":
                world.charges_seen.setdefault(event.data["generation_id"], world.epoch_s + world.now_s)
            self._note(event)
            world.joins.follow(event)
            world.supplier.follow(event)
            for act in world.acts_now("drain", "drain twice", "terminate"):
                if self._events == act.at or (act.do == "drain twice" and self._events == act.at + 4):
                    world.tell(f"the user: {act.do}")
                    runner.terminate(10.0) if act.do == "terminate" else runner.drain()

        return observe

    def _note_fallback(self, event: Event) -> None:
        """A take goes on with its fallback: after a look at the ledger, and once."""
        world = self._world
        failed_at = self._failed_at.get(event.take)  # None if it was only refused
        if failed_at is not None and world.line.ledger_read_at < failed_at:
            world.wrongs.append(f"{event.take} went on with its fallback without a look at the ledger")
        if event.take in self._on_fallback and not world.restored:
            world.wrongs.append(f"{event.take} went on with its fallback twice")
        self._on_fallback.add(event.take)
        self._failed_tries.pop(event.take, None)
        world.retries.append((event.take, world.epoch_s + world.line.ledger_read_at))

    def _note(self, event: Event) -> None:
        """Note what the oracle judges by: what the user could read, when what was sent, told and proven."""
        world, now = self._world, self._world.epoch_s + self._world.now_s
        world.told += [text for text in (event.text, event.data.get("warning"), event.data.get("error")) if text]
        request_id = world.requests.get(event.take, "")
        if event.data.get("generation_id"):
            self._requests.setdefault(event.data["generation_id"], event.data.get("request_id", request_id))
        if event.kind == "accepted":
            world.accepted.add(request_id)
        elif event.kind == "submit_started":
            world.sent_at[event.data["request_id"]] = now
            for answered in (world.accepted, world.priced):  # a copy that was put back may send its id once more
                answered.discard(event.data["request_id"])
        elif event.kind == "priced" and event.data.get("credits_held"):
            world.priced.add(request_id)
            self._note_price(event.take, event.data["credits_held"], request_id)
        elif event.kind == "verified":
            world.verified_at[event.take] = now
        elif event.kind == "charged":
            self._note_price(event.take, event.data["credits_charged"], event.data["generation_id"])
        elif event.kind == "found_double":
            if event.data["generation_id"] in world.doubles_seen and not world.restored:
                world.wrongs.append(f"{event.take}: {event.data['generation_id']} was found as a double twice")
            world.doubles_seen.setdefault(event.data["generation_id"], now)
        elif event.kind in PROOFS:
            self._made_nothing |= {event.take} if event.kind == "found_failed" else set()
            world.proofs.append(Proof(event.kind, request_id, world.sent_at.get(request_id, 0.0), now))
        elif event.kind == "held":
            is_for_user = bool(event.data.get("needs_user"))
            self._waits_for_user = self._waits_for_user - {event.take} | ({event.take} if is_for_user else set())
        elif event.kind in ("adopted", "resubmit_allowed", "abandoned", "found_unrecorded"):
            self._waits_for_user.discard(event.take)
        elif event.kind in ("looked_again", "named_again") and event.take in self._waits_for_user:
            world.wrongs.append(f"{event.take} waits for the user, and was looked at without a word")

    def forget(self) -> None:
        """An old copy was restored: what takes wait for is what it says."""
        self._waits_for_user.clear()
        self._world.joins.forget()
        self.forget_tries()

    def forget_tries(self) -> None:
        """The manifest was edited: a take that is planned for another recipe begins anew."""
        self._failed_tries.clear()
        self._on_fallback.clear()

    def _note_price(self, label: str, credit_count: int, name: str) -> None:
        world = self._world
        shots, own = (*world.scenario.shots, *world.shots), label.rpartition("_t")[0]
        shot = next((each for each in shots if each.id == own), None)
        is_fallback = recipe_in(self._requests.get(name, name)) in world.fallback_of
        model = "" if shot is None else shot.model
        if shot is not None and is_fallback and shot.fallback is not None:
            model = shot.fallback.model
        world.prices_told.append(Told(world.account.last_seq, model, credit_count, name))

    def _probe_lock(self) -> None:
        """Start the same command a second time."""
        world = self._world
        with suppress(OutputLocked):
            second = StateFile.create_or_open(world.output, world.identity())
            world.wrongs.append("a second run could start")
            second.close()

    def assert_counted(self, context: RunContext) -> None:
        """What a run keeps count of, step by step, is what all takes say in the end."""
        world = self._world
        budget = Budget(None, {})
        budget.begin((take, 1) for take in world.takes)
        unpriced = sum(
            each.credits_held is None for each in context.state.strays()
        )  # of no take, and of no price perhaps
        uncosted = min(max(context.budget.uncosted, budget.uncosted), budget.uncosted + unpriced)
        sums = (context.budget.charged, context.budget.uncosted), (budget.charged, uncosted)
        counts = Counter(take.shown_state for take in world.takes)
        awaiting = sum(take.awaits_charge for take in world.takes)
        if sums[0] != sums[1] or (+context.takes.counts, context.takes.awaiting) != (counts, awaiting):
            world.wrongs.append(f"the run counted {sums[0]} {+context.takes.counts} where there are {sums[1]} {counts}")
        for take in world.takes:
            if take.superseded and take.label in self._tried_again:
                world.wrongs.append(f"{take.label} is tried again though the manifest no longer asks for it")
        if {take.take_id: take for take in context.takes} != {
            take.take_id: take for take in world.takes if is_open(take)
        }:
            world.wrongs.append("the takes in hand are not those that are open")

    def assert_clips_taken(self) -> None:
        """Where the last submit of a take is proven to have made nothing, the take has the clip that an earlier one made."""
        world = self._world
        for take in world.takes:
            is_proven = take.state is State.FAILED and take.label in self._made_nothing
            is_proven |= take.state is State.HELD and ABSENT in take.error
            made = [
                each
                for each in world.attempts
                if each.take_id == take.take_id and each.generation_id is not None and not each.has_failed
            ]
            if not is_proven or take.superseded or len(made) != 1:
                continue
            is_same = recipe_in(made[0].request_id) == take.recipe.short_hash
            if is_same and made[0].outcome is Outcome.LOST and made[0].body_sha256:
                world.wrongs.append(f"{take.label} is {take.state} though {made[0].generation_id} is its clip")

    def assert_drained(self, end: RunEnd) -> None:
        """A stop asked for once lets every POST end."""
        world = self._world
        cut_off = [take.label for take in world.takes if take.state is State.SUBMITTING]
        if cut_off and [text for text in end.messages if not text.startswith("stopping")] == []:
            world.wrongs.append(f"a drained run cut off the submits of {cut_off}")


def in_short(inventory: Inventory) -> tuple[Any, ...]:
    """Return all that a run reads from the inventory of its batch."""
    kinds = [take for take, _ in inventory.kinds]
    counts = Counter[str]()
    for take, count in inventory.kinds:
        counts[take.shown_state] += count
    return (
        counts,
        inventory.counts,
        inventory.committed,
        sorted(inventory.due),
        list(inventory.open_takes),
        list(inventory.scenes),
        seen_prices(kinds),
        held_prices(kinds),
        {take.price_class for take in kinds},
        (bool(kinds), inventory.was_sent, inventory.omitted, inventory.is_finished(lambda _: True)),
        (
            inventory.is_finished(lambda _: False),
            sum(count for take, count in inventory.kinds if take.may_be_charged_more),
        ),
    )


_LEFT_OUT = ("request_id", "body_sha256", "key_fingerprint", "provider_at")


def _shown(event: Event) -> str:
    return "".join(f" {name}={value}" for name, value in event.data.items() if name not in _LEFT_OUT)
