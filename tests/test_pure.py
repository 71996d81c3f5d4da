"""The pure layer: recipes, lifecycle, plan, prices, pacing, budget, units."""

from __future__ import annotations

import asyncio
import itertools
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wanbatch.batch.changes import Supersede
from wanbatch.batch.inventory import Inventory
from wanbatch.batch.lifecycle import TRANSITIONS, Fact, State
from wanbatch.batch.models import PriceClass, order_of
from wanbatch.batch.plan import Due, First, Plan, make_plan, submit_order
from wanbatch.batch.shots import DEFAULT_MODEL, Batch, Recipe, Shot, derived_seed
from wanbatch.batch.take import Entry, Take, TransitionForbidden, advance, fold
from wanbatch.clock import LoopClock
from wanbatch.errors import ExitCode, most_urgent
from wanbatch.money.budget import Budget, Fit, Surprise
from wanbatch.money.credits import credits_of_usd, read_credits, usd, usd_text
from wanbatch.money.prices import Quote, best_quote, estimate
from wanbatch.pace.eta import eta_s
from wanbatch.pace.limits import Bucket, InFlight
from wanbatch.pace.schedule import Done, Download, Poll, Rates, Schedule, Submit, Wait, backoff_s
from wanbatch.runner.settings import RunSettings
from wanbatch.session.preview import Basis
from wanbatch.units import duration_text, parse_duration_s, parse_rate_per_min

AT = datetime(2026, 11, 1, 20, tzinfo=UTC)
CLASS = PriceClass(DEFAULT_MODEL, "1080p", 10)


def shot(name: str = "a", takes: int = 1, **request: object) -> Shot:
    return Shot(name, 0, {"model": DEFAULT_MODEL, "prompt": "p", **request}, takes=takes)


def take_of(each: Shot, slot: int = 1, number: int = 1, take_id: int = 1, **fields: object) -> Take:
    return Take(take_id, each.id, number, each.recipes[slot - 1].canonical, **fields)  # type: ignore[arg-type]


# --- recipes


@given(st.permutations(["prompt", "model", "duration", "seed"]))
def test_the_order_of_keys_does_not_make_another_recipe(names: list[str]) -> None:
    values = {"prompt": "ü", "model": "m", "duration": 5, "seed": 1}
    assert Recipe.of({name: values[name] for name in names}) == Recipe.of(values)


@pytest.mark.parametrize("body", [{"a": float("nan")}, {"a": {1, 2}}])
def test_what_json_cannot_say_is_no_recipe(body: dict[str, object]) -> None:
    with pytest.raises(ValueError):
        Recipe.of(body)


def test_takes_of_a_shot_have_seeds_of_their_own() -> None:
    given_seed = [recipe.body["seed"] for recipe in replace(shot(takes=3), seed=7).recipes]
    derived = [recipe.body["seed"] for recipe in shot(takes=2).recipes]
    assert (given_seed, derived) == ([7, 8, 9], [derived_seed("a", 1), derived_seed("a", 2)])


def test_omitted_shots_want_nothing() -> None:
    batch = Batch("b", (shot("a"), replace(shot("b"), omit=True)))
    assert [each.id for each, _, _ in batch.wanted()] == ["a"]


def test_an_order_fills_in_the_documented_defaults() -> None:
    order = order_of(shot().recipes[0])
    assert (order.resolution, order.duration_s, order.frame_size, order.has_audio) == ("1080p", 10, (1920, 1080), True)


def test_an_unknown_model_orders_nothing_that_is_known() -> None:
    order = order_of(Recipe.of({"model": "other/model", "prompt": "p"}))
    assert (order.resolution, order.duration_s, order.frame_size, str(order.price_class)) == (None, None, None, "model")


# --- lifecycle


@pytest.mark.parametrize(("state", "fact"), list(itertools.product(State, Fact)), ids=str)
def test_only_listed_moves_can_happen(state: State, fact: Fact) -> None:
    data = {
        "attempt": 1, "request_id": "r", "recipe_json": "{}", "warning": "w", "by": "user", "generation_id": "g",
        "number": 1, "credits_charged": 5, "at": AT.isoformat(), "provider_at": AT.isoformat(), "error": "e",
        "has_witness": True, "is_failed": False, "log_lag_s": 1.0,
    }  # fmt: skip
    take = take_of(shot(), state=state, generation_id="g", tries=1, sha256="f")
    if (state, fact) in TRANSITIONS:
        assert advance(take, Entry(fact, AT, data)).state is TRANSITIONS[state, fact]
    else:
        with pytest.raises(TransitionForbidden):
            advance(take, Entry(fact, AT, data))


def test_a_verified_take_never_changes_its_state() -> None:
    assert {after for (before, _), after in TRANSITIONS.items() if before is State.VERIFIED} == {State.VERIFIED}


def test_a_queued_take_is_planned_again_only_after_a_proven_failure() -> None:
    ways = {(before, fact) for (before, fact), after in TRANSITIONS.items() if after is State.PLANNED}
    assert {before for before, _ in ways} == {
        State.PLANNED, State.SUBMITTING, State.FAILED, State.UNKNOWN, State.HELD,
    }  # fmt: skip
    assert {fact for before, fact in ways if before in (State.UNKNOWN, State.HELD)} == {
        Fact.PRESUMED_ABSENT, Fact.RESUBMIT_ALLOWED,
    }  # fmt: skip


def test_a_held_take_without_an_id_is_not_looked_at_again() -> None:
    take = take_of(shot(), state=State.HELD)
    with pytest.raises(TransitionForbidden):
        advance(take, Entry(Fact.LOOKED_AGAIN, AT, {}))


def test_a_held_take_without_a_clip_on_disk_is_not_named() -> None:
    take = take_of(shot(), state=State.HELD, generation_id="g")
    with pytest.raises(TransitionForbidden):
        advance(take, Entry(Fact.NAMED_AGAIN, AT, {}))


def test_charges_of_all_attempts_add_up_whenever_they_are_seen() -> None:
    take = take_of(shot())
    take = advance(take, Entry(Fact.SUBMIT_STARTED, AT, {"attempt": 1, "request_id": "r1"}))
    take = advance(take, Entry(Fact.ACCEPTED, AT, {"generation_id": "g1"}))
    take = advance(take, Entry(Fact.GENERATION_FAILED, AT, {"error": "e"}))
    take = advance(take, Entry(Fact.RETRY_PLANNED, AT, {"by": "policy"}))
    take = advance(take, Entry(Fact.SUBMIT_STARTED, AT, {"attempt": 2, "request_id": "r2", "credits_estimated": 100}))
    take = advance(take, Entry(Fact.ACCEPTED, AT, {"generation_id": "g2"}))
    told = [(take.credits_charged, take.is_charge_seen, take.credits_committed)]
    for data in (
        {"generation_id": "g1", "credits_charged": 7, "credits_more": 7},
        {"generation_id": "g2", "credits_charged": 90, "credits_more": 90},
        {"generation_id": "g2", "credits_charged": 180, "credits_more": 90},
    ):
        take = advance(take, Entry(Fact.CHARGED, AT, data))
        told.append((take.credits_charged, take.is_charge_seen, take.credits_committed))
    assert told == [(None, False, 100), (7, False, 107), (97, True, 97), (187, True, 187)]


def test_a_take_that_is_looked_at_again_ended_when_it_was_first_seen_to() -> None:
    take = take_of(shot(), state=State.QUEUED, generation_id="g", completed_at=AT)
    again = advance(take, Entry(Fact.COMPLETED, AT + timedelta(hours=9), {}))
    assert (again.state, again.completed_at) == (State.COMPLETED, AT)


def test_a_fold_must_begin_with_planned() -> None:
    with pytest.raises(TransitionForbidden):
        fold(1, "a", [Entry(Fact.COMPLETED, AT, {})])


def test_a_429_does_not_count_as_a_try() -> None:
    take = take_of(shot())
    for attempt in (1, 2):
        take = advance(take, Entry(Fact.SUBMIT_STARTED, AT, {"attempt": attempt, "request_id": f"r{attempt}"}))
        take = advance(take, Entry(Fact.TURNED_AWAY, AT, {"error": "busy"}))
    assert (take.attempts, take.tries, take.state) == (2, 0, State.PLANNED)


@pytest.mark.parametrize(
    ("fields", "committed"),
    [
        ({"state": State.PLANNED, "credits_estimated": 5}, 0),
        ({"state": State.FAILED, "credits_held": 5}, 0),
        ({"state": State.SUBMITTING, "credits_estimated": 5}, 5),
        ({"state": State.HELD, "credits_estimated": None}, None),
        ({"state": State.QUEUED, "credits_held": 7, "credits_estimated": 5}, 7),
        ({"state": State.QUEUED, "credits_held": 5, "credits_estimated": 7}, 7),
        ({"state": State.VERIFIED, "credits_held": 7, "credits_charged": 6, "is_charge_seen": True}, 6),
        ({"state": State.FAILED, "credits_charged": 6, "is_charge_seen": True}, 6),
        ({"state": State.PLANNED, "credits_charged": 6}, 6),
        ({"state": State.QUEUED, "credits_charged": 6, "credits_held": 5}, 11),
        ({"state": State.UNKNOWN, "credits_charged": 6}, None),
    ],
)
def test_unknown_is_never_zero(fields: dict[str, object], committed: int | None) -> None:
    assert take_of(shot(), **fields).credits_committed == committed


def test_a_warning_is_noted_once() -> None:
    take = take_of(shot())
    for text in ("a", "b", "a"):
        take = advance(take, Entry(Fact.WARNED, AT, {"warning": text}))
    assert take.warning == "a; b"


# --- plan


def test_unchanged_takes_are_never_bought_again() -> None:
    each = shot()
    plan = make_plan(Batch("b", (each,)), [take_of(each, state=State.VERIFIED)])
    assert (plan.changes, plan.counts) == ((), {"done": 1})


@pytest.mark.parametrize("state", [each for each in State if each is not State.PLANNED])
def test_a_changed_shot_is_planned_anew_beside_the_old_take(state: State) -> None:
    plan = make_plan(Batch("b", (shot(prompt="new"),)), [take_of(shot(), state=state)])
    assert [type(change).__name__ for change in plan.changes] == ["Create", "Supersede"]
    assert plan.changes[0].number == 2  # type: ignore[union-attr]


def test_a_take_that_was_never_sent_follows_the_manifest() -> None:
    plan = make_plan(Batch("b", (shot(prompt="new"),)), [take_of(shot())])
    assert [type(change).__name__ for change in plan.changes] == ["Replan"]


def test_what_failed_is_not_bought_again_by_itself() -> None:
    each = shot()
    plan = make_plan(Batch("b", (each,)), [take_of(each, state=State.FAILED)])
    assert (plan.changes, plan.counts) == ((), {"failed": 1})


def test_more_takes_of_a_shot_keep_those_there_are() -> None:
    plan = make_plan(Batch("b", (shot(takes=3),)), [take_of(shot(), state=State.VERIFIED)])
    assert [(change.number, change.recipe) for change in plan.changes] == [  # type: ignore[union-attr]
        (2, shot(takes=3).recipes[1]),
        (3, shot(takes=3).recipes[2]),
    ]


def test_a_removed_shot_keeps_what_is_paid_and_drops_what_is_not() -> None:
    gone, other = shot("gone", takes=2), shot("other")
    takes = [take_of(gone, 1, 1, 1, state=State.GENERATING), take_of(gone, 2, 2, 2)]
    first = make_plan(Batch("b", (gone, other)), [])
    plan = make_plan(Batch("b", (other,)), takes, first.shots)
    assert [type(change).__name__ for change in plan.changes] == ["Create", "Supersede"]
    assert ([take.take_id for take in plan.kept], plan.removed, plan.shots[-1].removed) == ([1, 2], 1, True)


def test_an_omitted_shot_keeps_its_takes_current() -> None:
    each = shot()
    plan = make_plan(Batch("b", (replace(each, omit=True),)), [take_of(each, state=State.VERIFIED)])
    assert (plan.changes, plan.counts) == ((), {"stale": 1, "omitted": 1})


@given(st.lists(st.integers(1, 4), min_size=1, max_size=5), st.randoms())
@settings(max_examples=50, derandomize=True)
def test_planning_twice_changes_nothing_more(sizes: list[int], rng: Random) -> None:
    batch = Batch("b", tuple(shot(f"s{n}", takes=size) for n, size in enumerate(sizes)))
    plan = make_plan(batch, [])
    takes = [
        Take(number, change.shot_id, change.number, change.recipe.canonical, state=rng.choice(list(State)))  # type: ignore[union-attr]
        for number, change in enumerate(plan.changes, 1)
    ]
    assert make_plan(batch, takes, plan.shots).changes == ()


def test_longest_goes_first_then_story_order() -> None:
    each = [shot("a", duration=5), shot("b", duration=15), shot("c", duration=15)]
    due = [Due(n, one.id, 1, n, "", take_of(one).order.price_class) for n, one in reversed([*enumerate(each)])]
    assert [one.shot_id for one in submit_order(due)] == ["b", "c", "a"]
    assert [one.shot_id for one in submit_order(due, First.STORY)] == ["a", "b", "c"]


# --- money


@pytest.mark.parametrize(
    ("value", "credit_count"),
    [
        (3150000, 3150000), (3150000.0, 3150000), (0, 0), ("3150000", None), (-1, None), (1e30, None), (True, None),
        (float("nan"), None), (1.5, None), (None, None), (float("inf"), None), ([], None),
    ],
)  # fmt: skip
def test_only_whole_credits_are_money(value: object, credit_count: int | None) -> None:
    assert read_credits(value) == credit_count


def test_credits_and_usd_are_exact() -> None:
    assert (usd(3_150_000), credits_of_usd(Decimal("1.5750009")), usd_text(None)) == (
        Decimal("1.575"),
        3_150_001,
        "unknown",
    )


def test_the_most_trustworthy_price_wins() -> None:
    listed = Quote(5, "list")
    nowhere = PriceClass("m", "720p", 5)
    assert [
        best_quote(CLASS, {CLASS: 7}, listed).credits,
        best_quote(CLASS, {}, listed).credits,
        best_quote(CLASS, {}, None).credits,
        best_quote(nowhere, {}, Quote(None, "list")).credits,
        best_quote(PriceClass("m", None, None), {}, None).credits,
    ] == [7, 5, 3_150_000, None, None]


def test_an_estimate_counts_what_it_cannot_price() -> None:
    total = estimate([CLASS, CLASS, PriceClass("m", None, None)], {CLASS: Quote(5, "list")})
    assert (total.credits, total.takes, total.unpriced) == (10, 3, 1)


@pytest.mark.parametrize(
    ("cap", "price", "spent", "fit"),
    [
        (None, None, 0, Fit.YES),
        (10, 5, 5, Fit.YES),
        (10, 5, 6, Fit.NO),
        (10, None, 9, Fit.ALONE),
        (10, None, 10, Fit.NO),
    ],
)
def test_the_cap_decides_before_each_submit(cap: int | None, price: int | None, spent: int, fit: Fit) -> None:
    order_class = take_of(shot()).order.price_class
    budget = Budget(cap, {order_class: Quote(price, "test", is_proven=True)})
    budget.begin([(take_of(shot(), state=State.VERIFIED, credits_charged=spent, is_charge_seen=True), 1)])
    assert budget.fit(take_of(shot("b"))) is fit


def test_under_a_cap_a_take_of_unknown_cost_stops_the_rest() -> None:
    budget = Budget(10**9, {})
    budget.begin([(take_of(shot(), state=State.HELD), 1)])
    assert (budget.fit(take_of(shot("b"))), budget.uncosted) == (Fit.NO, 1)


@pytest.mark.parametrize(("credits_held", "committed"), [(70, 70), (None, 100)], ids=["known", "unknown"])
def test_a_submit_of_no_take_counts_under_the_cap(credits_held: int | None, committed: int) -> None:
    budget = Budget(
        150, {PriceClass("a", "480p", None): Quote(100, "test"), PriceClass("b", "480p", None): Quote(50, "t")}
    )
    budget.add_stray(credits_held)
    assert budget.committed == committed


def test_a_hold_over_the_quote_is_a_surprise_once() -> None:
    take = take_of(shot())
    budget = Budget(None, {take.order.price_class: Quote(100, "test")})
    assert [budget.learn(take, 110), budget.learn(take, 122), budget.learn(take, 122)] == [None, Surprise.DEARER, None]


def test_a_hold_below_the_quote_lowers_nothing() -> None:
    take = take_of(shot())
    budget = Budget(None, {take.order.price_class: Quote(100, "test")})
    budget.learn(take, 1)
    assert budget.price_of(take) == 100


# --- pacing


@given(st.integers(0, 100), st.randoms(use_true_random=False))
def test_a_backoff_is_a_second_to_a_minute(failures: int, rng: Random) -> None:
    assert 1 <= backoff_s(failures, rng) <= 60


@given(st.lists(st.floats(0, 20), min_size=1, max_size=60), st.floats(0.05, 5))
@settings(max_examples=60, derandomize=True)
def test_a_bucket_never_lets_more_through_than_its_rate(pauses: list[float], per_s: float) -> None:
    bucket, now, times = Bucket(per_s), 0.0, []
    for pause in pauses:
        now = max(now + pause, bucket.ready_at(now + pause))
        bucket.take(now)
        times.append(now)
    gaps = [after - before for before, after in itertools.pairwise(times)]
    assert all(gap >= 1 / per_s - 1e-6 for gap in gaps)


def test_the_canary_goes_alone_then_places_open_one_by_one() -> None:
    schedule = Schedule(Rates(submit_per_min=6000))
    for take_id in (1, 2, 3):
        schedule.add_planned(take_id)
    assert schedule.next_step(0) == Submit(1)
    schedule.submit_began(0)
    assert schedule.next_step(1) == Wait(None)
    schedule.submit_ended(is_running=True)
    schedule.accepted(1)
    assert schedule.next_step(1) == Submit(2)


def test_nothing_left_is_done_and_a_stopped_board_sends_nothing() -> None:
    schedule = Schedule(Rates())
    assert schedule.next_step(0) == Done()
    schedule.add_planned(1)
    schedule.is_submitting = False
    assert (schedule.next_step(0), schedule.planned) == (Done(), (1,))


def test_downloads_are_bounded_and_go_first() -> None:
    schedule = Schedule(Rates(downloads=1))
    schedule.add_download(1)
    schedule.add_download(2, first=True)
    schedule.add_poll(3, 0)
    assert [schedule.next_step(0), schedule.next_step(0), schedule.next_step(0)] == [Download(2), Poll(3), Wait(None)]
    schedule.worker_ended(2)
    schedule.worker_ended(3)
    assert schedule.next_step(0) == Download(1)


def test_polls_wait_for_their_time_and_their_pause() -> None:
    schedule = Schedule(Rates())
    schedule.add_poll(1, 50)
    schedule.pause_polls(80)
    assert schedule.next_step(0) == Wait(80)
    assert schedule.next_step(80) == Poll(1)


def test_a_429_halves_the_rate_and_acceptances_bring_it_back() -> None:
    schedule, rng = Schedule(Rates(submit_per_min=60)), Random(1)
    for take_id in range(4):
        schedule.add_planned(take_id)
    schedule.has_canary_answer = True
    schedule.in_flight = InFlight(cap=9, allowed=9)
    schedule.generation_followed(4)
    waited = schedule.turned_away(0, None, rng)
    assert 1 <= waited <= 60
    schedule.next_step(100)
    schedule.submit_began(100)
    schedule.submit_ended(is_running=True)
    schedule.generation_ended()
    schedule.generation_ended()
    assert schedule.next_step(100) == Wait(102.0)
    for _ in range(20):
        schedule.accepted(100)
    assert schedule.turned_away(200, 30.0, rng) >= 30


def test_eta_counts_rounds_and_rates() -> None:
    assert [
        eta_s(0, [], (10, 60), None),
        eta_s(0, [100.0], (10, 60), 200.0),
        eta_s(0, [300.0], (10, 60), 200.0),
        eta_s(30, [], (10, 60), 200.0),
        eta_s(100, [], (100, 60), 200.0),
    ] == [None, 100.0, 10.0, 600.0, 300.0]


def test_the_pace_is_the_cap_until_a_429_fixes_it() -> None:
    schedule = Schedule(Rates(in_flight=50))
    free = schedule.pace
    schedule.in_flight = schedule.in_flight.turned_away(3)
    assert (free, schedule.pace) == ((50, 60.0), (3, 60.0))


# --- units and codes


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("15min", 900), ("2h", 7200), ("1.5 h", 5400), ("1d", 86400)]
)
def test_durations_are_read(text: str, seconds: float) -> None:
    assert parse_duration_s(text) == seconds


@pytest.mark.parametrize(("text", "per_min"), [("60/min", 60), ("10/s", 600), ("30/h", 0.5), ("12", 12)])
def test_rates_are_read(text: str, per_min: float) -> None:
    assert parse_rate_per_min(text) == per_min


@pytest.mark.parametrize("text", ["", "5", "min", "-1s", "1e3s", "90s\n9"])
def test_odd_durations_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no duration"):
        parse_duration_s(text)


@pytest.mark.parametrize("text", ["", "0/min", "-1/s", "fast", "1/day"])
def test_odd_rates_are_refused(text: str) -> None:
    with pytest.raises(ValueError, match="no rate"):
        parse_rate_per_min(text)


@pytest.mark.parametrize(
    ("seconds", "text"), [(None, "unknown"), (4.24, "4.2 s"), (42, "42 s"), (205, "3 min 25 s"), (7500, "2 h 05 min")]
)
def test_durations_read_well(seconds: float | None, text: str) -> None:
    assert duration_text(seconds) == text


def test_the_most_urgent_code_wins() -> None:
    order = [7, 6, 4, 5, 8, 3, 1, 0]
    assert [most_urgent([ExitCode(each), ExitCode.OK]) for each in order] == order
    assert most_urgent([ExitCode(code) for code in order]) == 7
    assert most_urgent([]) is ExitCode.OK


def test_times_are_aware() -> None:
    assert (AT + timedelta(0)).tzinfo is UTC


# --- time


def test_a_clock_tells_the_time_after_its_loop_has_ended() -> None:
    async def begin() -> LoopClock:
        return LoopClock(AT, speed=60)

    clock = asyncio.run(begin())
    assert clock.now() >= AT
    assert clock.monotonic() >= 0


# --- small things


def test_a_shot_names_its_model() -> None:
    assert shot().model == DEFAULT_MODEL


def test_a_take_that_is_dropped_is_not_sent() -> None:
    schedule = Schedule(Rates())
    schedule.add_planned(1)
    schedule.drop_planned(2)
    schedule.drop_planned(1)
    assert schedule.planned == ()


def test_a_plan_tells_what_is_under_way_and_drops_what_was_never_sent() -> None:
    running = take_of(shot("a"), state=State.GENERATING)
    planned = take_of(shot("b"), take_id=2, state=State.PLANNED)
    batch = Batch("b", (shot("a"), replace(shot("b"), omit=True)))
    plan = make_plan(batch, [running, planned])
    assert plan.counts == {"in progress": 1, "omitted": 1}
    assert plan.changes == (Supersede(2),)
    held = take_of(shot("a"), state=State.HELD)
    assert make_plan(Batch("b", (shot("a"),)), [held]).counts == {"held": 1}


@pytest.mark.parametrize(
    ("fields", "finished"),
    [
        ({"state": State.PLANNED}, False),
        ({"state": State.PLANNED, "superseded": True}, True),
        ({"state": State.PLANNED, "shot_id": "x"}, True),
        ({"state": State.VERIFIED}, False),
        ({"state": State.VERIFIED, "is_charge_seen": True}, True),
        ({"state": State.FAILED}, True),
        ({"state": State.UNKNOWN}, False),
        ({"state": State.QUEUED}, False),
        ({"state": State.HELD, "generation_id": "g"}, False),
        ({"state": State.HELD, "generation_id": "g", "needs_user": True}, True),
        ({"state": State.HELD, "request_id": "r", "needs_user": True}, False),
    ],
)
def test_a_batch_is_finished_when_nothing_is_left_to_ask(fields: dict[str, object], finished: bool) -> None:
    take = replace(take_of(shot()), **fields)  # type: ignore[arg-type]
    assert Inventory.of([take]).is_finished(lambda take: take.shot_id != "x") is finished


# --- the preview


def basis(plan: Plan | None, takes: tuple[Take, ...] = (), limit: int | None = None) -> Basis:
    rows = make_plan(Batch("b", tuple(replace(shot(name), ordinal=n) for n, name in enumerate("abc"))), ()).shots
    settings = RunSettings(is_selected=lambda take: take.shot_id != "x", limit=limit)
    return Basis("b", Path("o"), Inventory.of(takes, rows), plan, settings)


def test_a_limited_preview_prices_the_takes_that_the_run_will_send() -> None:
    shots = tuple(
        Shot(name, number, {"model": DEFAULT_MODEL, "prompt": name, "duration": duration, "resolution": "1080p"})
        for number, (name, duration) in enumerate([("a", 5), ("b", 15), ("c", 10)])
    )
    plan = make_plan(Batch("b", shots), ())
    planned = tuple(Take(number, each.id, 1, each.recipes[0].canonical) for number, each in enumerate(shots, 1))
    expected = [planned[n].order.price_class for n in (1, 2)]
    assert [each.duration_s for each in expected] == [15, 10]
    assert basis(plan, limit=2).classes_to_submit == expected
    assert basis(None, planned, limit=2).classes_to_submit == expected


def test_takes_under_way_are_priced_too_since_they_may_go_again() -> None:
    running = take_of(shot("a", duration=15), state=State.GENERATING)
    done = take_of(shot("b", duration=5), state=State.VERIFIED)
    assert basis(None, (running, done)).classes_to_quote == [running.order.price_class]


@pytest.mark.parametrize(
    ("fields", "price"),
    [
        ({"credits_held": 5, "credits_estimated": 7}, 7),
        ({"credits_held": 9, "credits_estimated": 7}, 9),
        ({"credits_held": 9, "credits_charged": 8, "is_charge_seen": True, "attempts": 1}, 8),
        ({"credits_held": 9, "credits_charged": 17, "is_charge_seen": True, "attempts": 2}, 9),
        ({"credits_estimated": 7}, None),
    ],
)
def test_a_price_is_learnt_from_the_ledger_or_from_a_hold(fields: dict[str, object], price: int | None) -> None:
    take = take_of(shot(), **fields)
    assert basis(None, (take,)).seen_prices.get(take.order.price_class) == price
