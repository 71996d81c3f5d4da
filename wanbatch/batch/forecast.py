"""The forecast: what a run has measured of its pace, and how long by that the rest of it will take. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache

from wanbatch.batch.chains import Chains
from wanbatch.batch.lifecycle import IN_FLIGHT_STATES, Fact, State
from wanbatch.batch.models import PriceClass
from wanbatch.batch.plan import Due
from wanbatch.batch.take import Take
from wanbatch.pace.eta import PLAYED_AT_MOST, Course, Rest, eta_s
from wanbatch.pace.measured import Measured
from wanbatch.pace.polling import Seen

SEEN_LATE_S = 6.0  # where polls know when to ask
LOOKED_UP_S = 60.0  # so much later than others a generation is seen to end whose submit had no answer
LOST_FOR_GOOD_S = 900.0  # what the log does not show by then may never have been made: how long it takes is unknown
START_OF_TIME = datetime.min.replace(tzinfo=UTC)  # for a forecast by all that was recorded
TO_FETCH = (State.COMPLETED, State.DOWNLOADED)


@dataclass(frozen=True)
class Sending:
    """What is sent yet, the ids of takes in order, and under which limits; without `at_once` as many as run now."""

    planned: Sequence[int]
    per_min: float
    downloads: int
    at_once: int | None = None


class Forecast:
    """Follows the takes of a run, which began at `began_at`; `before` is what earlier runs saw of their classes."""

    def __init__(self, began_at: datetime, before: Mapping[PriceClass, Seen]) -> None:
        self._began_at = began_at
        self._measured = Measured(lambda kind: kind.size, {kind: seen.mean_s for kind, seen in before.items()})
        self._kinds: dict[int, PriceClass] = {}
        self._fetching: dict[int, datetime] = {}
        self._seen_at: dict[int, datetime] = {}
        self._chains = Chains({})
        self._shots: dict[int, str] = {}

    def take_up(self, due: Iterable[Due]) -> None:
        """Learn of which classes the takes are that may be sent."""
        every = list(due)
        self._kinds = {each.take_id: each.price_class for each in every}
        self._chains = Chains.of((each.shot_id, each.predecessors) for each in every)
        self._shots = {each.take_id: each.shot_id for each in every if each.shot_id in self._chains.shots}

    def follow(self, before: Take, after: Take, fact: Fact) -> None:
        """Learn from what was just recorded. Only what this run sent, and saw to its end, tells how long it lasts."""
        if after.state is State.PLANNED:
            self._kinds[after.take_id] = after.price_class
        if after.state not in IN_FLIGHT_STATES:
            self._seen_at.pop(after.take_id, None)
        if fact is Fact.COMPLETED and before.completed_at is None:
            self._learn_life(after)
        is_end = fact is Fact.GENERATION_FAILED or (fact is Fact.COMPLETED and before.completed_at is None)
        self._measured.generations_ended(int(is_end), int(fact in (Fact.RETRY_PLANNED, Fact.MODEL_CHANGED)))

    def _learn_life(self, take: Take) -> None:
        begun, ended = take.submitted_at, take.completed_at
        if take.accepted_at is None or begun is None or ended is None or begun < self._began_at:
            return
        # The first ends of a class are seen late, as polls follow those of other classes; later ones are not.
        gap_s = (ended - (take.last_running_at or take.accepted_at)).total_seconds()
        late_s = max(0.0, gap_s / 2 - SEEN_LATE_S)
        self._measured.generation_ended(take.price_class, (ended - begun).total_seconds() - late_s)

    def seen_running(self, take_id: int, at: datetime) -> None:
        """An answer said that a take runs yet: it may have ended since."""
        self._seen_at[take_id] = at

    def fetch_began(self, take_id: int, at: datetime) -> None:
        """A download begins with a take's clip."""
        self._fetching[take_id] = at

    def fetch_ended(self, take: Take, at: datetime) -> None:
        """Learn how long a clip kept a download busy, its check included."""
        took_s = (at - self._fetching.pop(take.take_id)).total_seconds()
        self._measured.fetched(take.price_class, took_s, at.timestamp(), is_verified=take.state is State.VERIFIED)

    def learn(self, takes: Sequence[Take]) -> None:
        """Learn from takes that were made before, as far as they were recorded."""
        tries = sum(take.tries for take in takes)
        self._measured.generations_ended(tries, tries - len(takes))
        for take in takes:
            self._learn_life(take)
        verified = sorted((take for take in takes if take.verified_at is not None), key=_verified_at)
        for take in verified:  # some of that time it waited for a download, which shows in how they follow each other
            begun, end = take.completed_at or _verified_at(take), _verified_at(take)
            self._measured.fetched(take.price_class, (end - begun).total_seconds(), end.timestamp(), is_verified=True)

    def eta_s(self, takes: Iterable[Take], now: datetime, sending: Sending) -> float | None:
        """Return the seconds until the last clip is verified; None if nothing is left, or it is unknown.

        `takes` are those that something is open about.
        """
        open_ones, made = list(takes), list[Take]()
        running: list[tuple[PriceClass, float, float]] = []
        ages_s: dict[PriceClass, list[float]] = {}
        for take in open_ones:
            if take.state in TO_FETCH:
                made.append(take)
            elif take.submitted_at is not None and take.state in (*IN_FLIGHT_STATES, State.UNKNOWN):
                age_s = max(0.0, (now - take.submitted_at).total_seconds())
                seen_s = max(0.0, (self._seen_at.get(take.take_id, now) - take.submitted_at).total_seconds())
                if take.accepted_at is not None and take.submitted_at >= self._began_at:
                    ages_s.setdefault(take.price_class, []).append(seen_s)
                if take.state is not State.UNKNOWN:
                    running.append((take.price_class, age_s, seen_s))
                elif age_s < LOST_FOR_GOOD_S:
                    looked_up_s = max(0.0, age_s - LOOKED_UP_S)
                    running.append((take.price_class, looked_up_s, looked_up_s))
        to_send = [self._kinds[take_id] for take_id in sending.planned[-PLAYED_AT_MOST:] if take_id in self._kinds]

        @cache
        def course(kind: PriceClass) -> Course:
            return Course(
                self._measured.life(kind, ages_s.get(kind, ())), self._measured.fetch_s(kind, sending.downloads)
            )

        left_s = eta_s(
            Rest(
                to_send=[course(kind) for kind in to_send],
                running=[(course(kind), age_s, seen_s) for kind, age_s, seen_s in running],
                to_fetch=self._to_fetch(made, now, sending.downloads),
                at_once=sending.at_once or max(1, len(running)),
                per_min=sending.per_min,
                downloads=sending.downloads,
                again=self._measured.again,
                more_to_send=len(sending.planned) - len(to_send) if to_send else 0,
            )
        )
        return left_s if left_s is None else max(left_s, self._longest_chain_s(open_ones, now, sending))

    def _longest_chain_s(self, takes: Iterable[Take], now: datetime, sending: Sending) -> float:
        """Return how long the chain takes that ends last, whatever else may run meanwhile."""
        if not self._chains.before:
            return 0.0
        lasts_s: dict[str, float] = {}
        for take_id in sending.planned:
            if take_id in self._shots:
                kind = self._kinds[take_id]
                lasts_s[self._shots[take_id]] = self._measured.life(kind).mean_s + self._measured.fetch_s(kind)
        for take in takes:
            if take.shot_id in self._chains.after and take.submitted_at is not None and take.shot_id not in lasts_s:
                age_s = (now - take.submitted_at).total_seconds()
                lasts_s[take.shot_id] = max(0.0, self._measured.life(take.price_class).mean_s - age_s)
        return max(self._chains.lengths(lambda shot_id: lasts_s.get(shot_id, 0.0)).values(), default=0.0)

    def _to_fetch(self, made: Iterable[Take], now: datetime, downloads: int) -> list[float]:
        """Return how long each of these clips keeps a download busy from now on, those under way first."""
        under_way, waiting = [], []
        ages_s = {take_id: (now - begun).total_seconds() for take_id, begun in self._fetching.items()}
        # Before the first clip is there, those under way show that it takes longer than they took so far.
        least_s = 0.0 if self._measured.has_fetched else max(ages_s.values(), default=0.0)
        for take in made:
            each_s = max(least_s, self._measured.fetch_s(take.price_class, downloads))
            if take.take_id in ages_s:
                under_way.append(max(each_s / 4, each_s - ages_s[take.take_id]))
            else:
                waiting.append(each_s)
        return under_way + waiting


def _verified_at(take: Take) -> datetime:
    assert take.verified_at is not None
    return take.verified_at
