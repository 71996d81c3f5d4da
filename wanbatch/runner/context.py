"""The context of a run: the state file, the schedule and the budget, and the record of what happens to them."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import cached_property
from random import Random
from typing import Any

from wanbatch.batch.attempts import Attempt
from wanbatch.batch.fallbacks import recipes_of
from wanbatch.batch.guarded_forecast import GuardedForecast
from wanbatch.batch.inventory import Inventory
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.plan import Due
from wanbatch.batch.run_details import Stop
from wanbatch.batch.take import Take
from wanbatch.clock import Clock
from wanbatch.errors import ExitCode
from wanbatch.money.budget import Budget
from wanbatch.pace.limits import ALIKE_LIMIT, Breaker
from wanbatch.pace.polling import POLL_EVERY_S, POLL_FIRST_S, POLLS_PER_TAKE, Hazards
from wanbatch.pace.schedule import Schedule
from wanbatch.provider.protocol import NoAnswer, Provider
from wanbatch.runner.batch_clock import BatchClock
from wanbatch.runner.events import Event
from wanbatch.runner.open_takes import OpenTakes
from wanbatch.runner.resubmission import recipe_in
from wanbatch.runner.settings import OnUnknown, RunSettings
from wanbatch.state.chained_takes import names_now
from wanbatch.state.file import StateFile
from wanbatch.state.reader import entry

FAILURE_LOOKS_APART_S = 3 * POLL_EVERY_S  # a single error may be one server's alone, and gone with the next answer
OUTAGE_LIMIT_S = 30 * 60.0  # a night survives a router's restart, not a dead line
OUTAGE_TOLD_S = 10.0  # a single lost answer is not worth a message
OUTAGE_FIRST_S = 30.0  # a provider that was never reached in this run is likelier misspelt than down


class RunContext:
    """What the workers of a run share. Only `record` writes to the state file."""

    def __init__(
        self,
        state: StateFile,
        provider: Provider,
        clock: Clock,
        settings: RunSettings,
        rng: Random,
    ) -> None:
        self.state = state
        self.provider = provider
        self.clock = clock
        self.batch_clock = BatchClock(state, clock)
        self.settings = settings
        self.rng = rng
        self.schedule = Schedule(settings.rates)
        self.hazards = Hazards(settings.times_before, settings.rates.polls_per_take)
        self.forecast = GuardedForecast(clock.now(), settings.times_before)
        scenes = state.scene_by_shot() if settings.scene_caps else {}
        self.budget = Budget(settings.cap_credits, settings.quotes, settings.scene_caps, scenes)
        self.breaker = Breaker()
        self.stops: set[Stop] = set()  # what of the money kept this run from sending more
        self.left_out: dict[str, None] = {}  # shots that this run was not asked to send, though others wait for them
        self.nonce = state.identity().nonce
        self.takes = OpenTakes(state)
        self.troubles: list[tuple[ExitCode, str]] = []
        self.came_to_light: set[int] = set()  # takes of which this run found submits that the state file does not know
        self.revived: set[int] = set()  # takes whose failed generations go on after all, as this run found
        self.unanswered: set[int] = set()  # takes of which this run could not ask whether a failed generation goes on
        self.troubled_now: set[int] = set()  # takes that this run itself found failed, held or unknown
        self.named_now: set[str] = set()  # generations of charges without a take that this run named
        self.sendable: set[int] | None = None  # the takes that a limit allows; None if there is no limit
        self.unready: frozenset[int] = frozenset()  # takes that the plan said are not sent: no clip was to come
        self.spares: list[Due] = []  # those after them, in order: each may stand in for one that is not sent
        self.urgent: set[int] = set()  # takes whose link died of old age in the queue: fetched before all others
        self.failing_since: dict[int, float] = {}  # takes whose newest answer says that they failed, by its time
        self.wake = asyncio.Event()
        self.is_halted = False
        self.on_change: Callable[[Take], None] = lambda _: None  # called with each take of which something was recorded
        self.observer: Callable[[Event], None] = lambda _: None
        self.observer_error: Exception | None = None
        self._unreachable_since: float | None = None
        self._was_reached = False
        self._is_outage_told = False

    # --- what happened

    def load(self) -> Inventory:
        """Take up where the state file stands; returns the inventory of its takes."""
        inventory = self.state.inventory()
        self.takes.take_up(inventory)
        self.forecast.take_up(inventory.due)
        self.budget.begin(inventory.kinds)
        if self.budget.has_scene_caps:
            for scene, take, count in self.state.tallies_by_scene():
                self.budget.begin_scene(scene, take, count)
        at_risk: dict[int, list[Attempt]] = {}
        for attempt in self.state.attempts_at_risk():
            at_risk.setdefault(attempt.take_id, []).append(attempt)
        for take_id, attempts in at_risk.items():
            self.budget.give_up(self.takes[take_id], attempts)
        for attempt in self.state.priced_before():
            sent = self._as_sent(attempt)
            if sent is not None:
                self.budget.see_price(sent, attempt.credits_held or attempt.credits_charged)
        for stray in self.state.strays():
            self.budget.add_stray(stray.request_id, stray.credits_held)
        return inventory

    @cached_property
    def names_now(self) -> dict[str, str]:
        """What shots that the last plan no longer lists are called now, by their earlier ids: no run changes it."""
        return names_now(self.state)

    def _as_sent(self, attempt: Attempt) -> Take | None:
        """Return the take of an attempt with the recipe that this was sent with; None if that is not known."""
        take, recipe = self.takes[attempt.take_id], recipe_in(attempt.request_id)
        if recipe == take.recipe.short_hash:
            return take
        canonical = recipes_of(self.state.facts_of(take.take_id)).get(recipe or "")
        return None if canonical is None else replace(take, recipe_json=canonical)

    def owner_of(self, generation_id: str) -> int | None:
        """Return the id of the take that a generation belongs to; None if no take here has it."""
        return self.state.owner_of(generation_id)

    def may_try_again(self, take: Take) -> bool:
        """Say whether a run may send a take once more on its own: it is still asked for, and tries are left."""
        return take.tries < self.settings.rates.max_attempts and self.state.is_asked_for(take)

    def may_send(self, take: Take) -> bool:
        """Say whether this run sends a take that is planned, or planned again."""
        is_allowed = self.sendable is None or take.take_id in self.sendable
        return is_allowed and not take.superseded and self.settings.is_selected(take)

    def leave_out(self, take: Take) -> None:
        """Leave a take that a cap forbids to a later run; under a limit, the next one is sent in its place.

        Only one of the same price: the estimate that the user confirmed still holds.
        """
        if self.sendable is None or take.take_id not in self.sendable:
            return
        self.sendable.discard(take.take_id)
        instead = next((each for each in self.spares if each.price_class == take.price_class), None)
        if instead is not None:
            self.spares.remove(instead)
            self.sendable.add(instead.take_id)
            self.schedule.add_planned(instead.take_id)

    def plan_again(self, take_id: int) -> None:
        """Queue a take that is planned again, if this run may send it; else the next one does."""
        if self.may_send(self.takes[take_id]):
            self.schedule.add_planned(take_id)

    def record(self, take_id: int, fact: Fact, data: Mapping[str, Any] | None = None, *more: Fact) -> Take:
        """Record a fact, and `more` that follow from it with the same data, in one transaction; durable on return."""
        now = self.clock.now()
        entries = [entry(each, now, data) for each in (fact, *more)]
        before = self.takes[take_id]
        take = self.state.record(take_id, *entries)
        self.budget.follow(before, take)
        if (before.credits_at_risk or take.credits_at_risk) and self.budget.has_caps:
            self.budget.give_up(take, self.state.attempts_of(take_id))
        self.takes.follow(before, take)
        if take.state is not before.state and take.state in (State.FAILED, State.HELD, State.UNKNOWN):
            self.troubled_now.add(take_id)
        self.on_change(take)
        for each in entries:
            self.forecast.follow(before, take, each.fact)
            told = {name: value for name, value in (data or {}).items() if name != "recipe_json"}  # no prompt in a log
            self._tell(Event(now, each.fact.value, take.label, str(told.get("error", "")), told))
        return take

    def warn(self, take: Take, warning: str) -> None:
        """Record a warning about a take, once."""
        if warning not in self.takes[take.take_id].warning:
            self.record(take.take_id, Fact.WARNED, {"warning": warning})

    def _tell(self, event: Event) -> None:
        """Show an event. Who looks on must not stop paid work: an observer that raises is not called again."""
        if self.observer_error is not None:
            return
        try:
            self.observer(event)
        except Exception as error:  # noqa: BLE001  a closed pipe, or a caller's own mistake
            self.observer_error = error

    def hold(self, take_id: int, error: str, *, needs_user: bool = False) -> None:
        """Leave a take that may have been charged to the user, with the reason; its place at the provider is free.

        `needs_user` if another look by the next run cannot decide about it.
        """
        take = self.takes[take_id]
        reason = {"error": error, "needs_user": needs_user}
        if take.state is State.SUBMITTING:
            self.lose(take_id, error)
            return
        if take.state in (State.QUEUED, State.GENERATING):
            self.schedule.generation_ended()
        self.record(take_id, Fact.HELD, reason)

    def lose(self, take_id: int, error: str) -> None:
        """The answer of a submit is lost: it is looked up, or held at once where the user wants that."""
        if self.settings.on_unknown is OnUnknown.HOLD:
            self.record(take_id, Fact.ANSWER_LOST, {"error": error, "needs_user": True}, Fact.HELD)
        else:
            self.record(take_id, Fact.ANSWER_LOST, {"error": error})

    async def measure_clocks(self) -> NoAnswer | None:
        """Compare our clock with the provider's, before anything is made of its log; says why where that fails."""
        ahead = await self.provider.ahead()
        if isinstance(ahead, NoAnswer):
            return ahead
        self.batch_clock.measured(ahead)
        return None

    def note(self, text: str, take: str = "") -> None:
        """Show the user something that is not a fact about a take."""
        self._tell(Event(self.clock.now(), "note", take, text))

    # --- polls

    def note_failure(self, take_id: int, error: str) -> None:
        """Record that an answer says that a generation failed, and ask again: one answer alone is not believed."""
        now = self.clock.monotonic()
        if take_id not in self.failing_since:
            self.record(take_id, Fact.FAILURE_SEEN, {"error": error})
            self.failing_since[take_id] = now
        self.schedule.add_poll(take_id, max(now + POLL_EVERY_S, self.failing_since[take_id] + FAILURE_LOOKS_APART_S))

    def is_failure_sure(self, take_id: int) -> bool:
        """Say whether an earlier answer, long enough ago, said that a take's generation failed."""
        since = self.failing_since.get(take_id)
        return since is not None and self.clock.monotonic() - since >= FAILURE_LOOKS_APART_S

    def plan_poll(self, take: Take, age_s: float) -> None:
        """Ask for the next poll of a take that has been generated for so long, where the hazard says that it pays."""
        now, curve = self.clock.monotonic(), self.hazards.of(take.order.price_class).curve()
        begun = curve.area(age_s)
        self.schedule.add_poll(
            take.take_id,
            now + curve.next_poll_s(age_s),
            lambda later: (curve.area(age_s + later - now) - begun) / curve.step,
        )

    def plan_first_poll(self, take: Take) -> None:
        """Ask for the first poll of a take that was just accepted: soon, so that its wait in the queue is seen.

        Where polls are few that one is spared.
        """
        if self.schedule.is_rationed or self.settings.rates.polls_per_take < POLLS_PER_TAKE:
            self.plan_poll(take, 0.0)
        else:
            self.schedule.add_poll(take.take_id, self.clock.monotonic() + POLL_FIRST_S)

    # --- stopping

    def failed(self, take_id: int, cause: str) -> None:
        """A try failed for a reason that is not its take's own; after some alike in a row, no more money follows."""
        if self.schedule.is_submitting and self.breaker.failed(cause):
            self.stop_submitting(
                ExitCode.TAKES_FAILED,
                f"{ALIKE_LIMIT} tries in a row failed in the same way, most recently {self.takes[take_id].label}"
                f" ({cause}): wanbatch sends nothing more and finishes what is still running. Run the same command"
                " again to continue with the others; `wanbatch status` says how to try these again",
            )

    def trouble(self, code: ExitCode, message: str, *, is_at_end: bool = False) -> None:
        """Remember why the run cannot end well, and say so once: now, or only in its messages if it is at its end."""
        if (code, message) not in self.troubles:
            self.troubles.append((code, message))
            if not is_at_end:
                self.note(message)

    def stop_submitting(self, code: ExitCode, message: str, stop: Stop | None = None) -> None:
        """Send no more POSTs in this run; what runs is still polled and fetched. `stop` says if money is the reason."""
        self.schedule.is_submitting = False
        if stop is not None:
            self.stops.add(stop)
        self.trouble(code, message)
        self.wake.set()

    def halt(self, code: ExitCode, message: str) -> None:
        """Stop everything now; POSTs that are out get a moment for their answers."""
        self.is_halted = True
        self.stop_submitting(code, message)

    # --- the line

    def reached(self) -> None:
        """Note that the provider answered: an outage ends here, and is reported as over if it was reported."""
        if self._is_outage_told:
            self.note("the provider answers again")
        self._unreachable_since, self._was_reached, self._is_outage_told = None, True, False

    def unreachable(self, message: str) -> None:
        """The provider gave no answer that can be read. After 30 minutes of that (30 s at first) the run stops."""
        now = self.clock.monotonic()
        if self._unreachable_since is None:
            self._unreachable_since = now
        lasted_s = now - self._unreachable_since
        if not self._is_outage_told and (lasted_s >= OUTAGE_TOLD_S or not self._was_reached):
            self._is_outage_told = True
            self.note(f"no readable answer from the provider ({message}); wanbatch keeps trying")
        if lasted_s >= (OUTAGE_LIMIT_S if self._was_reached else OUTAGE_FIRST_S):
            self.halt(
                ExitCode.PROVIDER_UNREACHABLE,
                f"the provider cannot be reached: {message}. Nothing is lost: run the same command to resume",
            )
