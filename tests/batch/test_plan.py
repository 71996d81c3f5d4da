"""The plan: which takes a changed manifest asks for, and which of those there are it leaves alone."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.batch.takes import shot, take_of
from wanbatch.batch.changes import Supersede
from wanbatch.batch.inventory import Inventory
from wanbatch.batch.lifecycle import State
from wanbatch.batch.plan import Due, First, make_plan, submit_order
from wanbatch.batch.shots import Batch
from wanbatch.batch.take import Take


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
    assert (plan.changes, plan.counts) == ((), {"done": 1, "omitted": 1})  # as `status` counts them


@given(st.lists(st.integers(1, 4), min_size=1, max_size=5), st.randoms())
@settings(max_examples=50)
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


def test_what_others_go_on_from_goes_before_them_and_the_longest_chain_first() -> None:
    lengths = {"a": 15, "b": 5, "c": 5, "d": 5, "e": 5}
    before = {"b": ("c",), "c": ("e",), "d": ("gone",)}
    each = [shot(name, duration=seconds) for name, seconds in lengths.items()]
    due = [
        Due(n, one.id, 1, n, "", take_of(one).order.price_class, predecessors=before.get(one.id, ()))
        for n, one in enumerate(each)
    ]
    assert [one.shot_id for one in submit_order(due)] == ["a", "e", "c", "b", "d"]
    assert [one.shot_id for one in submit_order(due, First.STORY)] == ["a", "d", "e", "c", "b"]


def test_a_plan_counts_takes_as_the_batch_does_once_the_plan_is_written() -> None:
    edited = shot("a")
    takes = [
        take_of(edited, state=State.VERIFIED, superseded=True),
        take_of(edited, take_id=2, state=State.HELD, superseded=True),
        take_of(shot("b"), take_id=3, state=State.PLANNED, superseded=True),
        take_of(shot("gone"), take_id=4, state=State.VERIFIED),
    ]
    plan = make_plan(Batch("b", (replace(shot("b"), omit=True),)), takes)
    status = Counter(take.shown_state for take in takes)
    assert (status["superseded"], status["held"], status["verified"]) == (2, 1, 1)
    assert plan.counts == {"done": 1, "held": 1, "stale": 2, "omitted": 1}
    assert Inventory.of(takes, plan.shots).counts == plan.counts


def test_a_plan_tells_what_is_under_way_and_counts_what_was_never_sent_as_superseded() -> None:
    running = take_of(shot("a"), state=State.GENERATING)
    planned = take_of(shot("b"), take_id=2, state=State.PLANNED)
    batch = Batch("b", (shot("a"), replace(shot("b"), omit=True)))
    plan = make_plan(batch, [running, planned])
    assert plan.counts == {"in progress": 1, "stale": 1, "omitted": 1}
    assert plan.changes == (Supersede(2),)
    held = take_of(shot("a"), state=State.HELD)
    assert make_plan(Batch("b", (shot("a"),)), [held]).counts == {"held": 1}
