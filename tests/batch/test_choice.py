"""Circles and retakes: which take goes into the cut, and what a run makes of what the user decided."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from wanbatch.batch.changes import Create, Reinstate, Replan, Supersede
from wanbatch.batch.choice import Choice, Pick, choices, circle, uncircle
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.plan import Plan, ShotRow, make_plan
from wanbatch.batch.retakes import Retake, plan_retakes
from wanbatch.batch.shots import Batch, Recipe, Shot, derived_seed, retake_seed
from wanbatch.batch.take import Take
from wanbatch.errors import UsageInvalid

V, F = State.VERIFIED, State.FAILED


def shot(shot_id: str = "a", prompt: str = "a dragon", takes: int = 1, **more: Any) -> Shot:
    return Shot(shot_id, more.pop("ordinal", 0), {"model": "m", "prompt": prompt, "duration": 7}, takes=takes, **more)


def take(number: int, state: State = V, shot_id: str = "a", **more: Any) -> Take:
    body = {"model": "m", "prompt": "a dragon", "duration": 7, "seed": derived_seed(shot_id, number)}
    return Take(number, shot_id, number, Recipe.of(body).canonical, state=state, **more)


OLDER = Recipe.of({"model": "m", "prompt": "a knight", "duration": 7}).canonical


def rows(*shots: Shot) -> tuple[ShotRow, ...]:
    return make_plan(Batch("b", shots), []).shots


def chosen(*takes: Take) -> Choice:
    (found,) = choices(rows(shot()), takes)
    return found


@pytest.mark.parametrize(
    ("takes", "number", "note"),
    [
        ([take(1), take(2)], 2, ""),
        ([take(2), take(1)], 2, ""),
        ([take(1, circled=True), take(2)], 1, ""),
        ([take(1), take(2, F, error="no")], 1, ""),
        ([take(1), take(2, State.GENERATING)], 1, ""),
        ([take(1), take(2, superseded=True)], 1, ""),
        ([take(1, circled=True, superseded=True), take(2)], 1, "circled, but replaced by take 2"),
        ([replace(take(1, circled=True, superseded=True), recipe_json=OLDER), take(2)], 1, "circled, but made from an older recipe"),
        ([take(1, F, error="moderated")], None, "failed: moderated"),
        ([take(1, State.HELD, error="lost")], None, "held: lost"),
        ([take(1, F, error="x"), take(2, State.QUEUED)], None, "queued"),
        ([take(1, State.PLANNED)], None, "not made yet"),
        ([take(1, State.UNKNOWN, error="the line broke")], None, "unknown"),
        ([], None, "never planned"),
        ([take(1, superseded=True)], None, "no take has the manifest's recipe; take 1 has an older recipe: circle it to use it"),
        ([take(1, superseded=True), take(2, State.PLANNED)], None, "not made yet; take 1 has a clip: circle it to use it"),
        ([take(1, F, superseded=True)], None, "no take has the manifest's recipe"),
    ],
)  # fmt: skip
def test_the_circled_take_is_cut_else_the_newest_good_one_else_nothing(
    takes: list[Take], number: int | None, note: str
) -> None:
    found = chosen(*takes)
    assert (found.take.number if found.take else None, found.note) == (number, note)


def test_a_hole_is_as_long_as_was_ordered_and_five_seconds_if_that_is_unknown() -> None:
    silent = replace(take(1, F), recipe_json='{"model":"m","prompt":"p","seed":1}')
    assert (chosen(take(1, F)).ordered_s, chosen(silent).ordered_s, chosen().ordered_s) == (7, 5, 5)


def test_omitted_and_removed_shots_are_no_part_of_the_story_and_order_is_the_manifests() -> None:
    story = rows(shot("z", ordinal=0), shot("o", ordinal=1, omit=True), shot("a", ordinal=2))
    gone = replace(story[0], shot_id="g", removed=True)
    found = choices((story[2], gone, story[0], story[1]), [take(1, shot_id="g"), take(1, shot_id="o")])
    assert [each.shot.shot_id for each in found] == ["z", "a"]


def test_a_circle_moves_from_take_to_take() -> None:
    one, two, other = take(1, circled=True), take(2), take(1, shot_id="b", circled=True)
    assert circle([one, two, other], [Pick("a", 2), Pick("b", 1)]) == [(one, Fact.UNCIRCLED), (two, Fact.CIRCLED)]
    assert circle([one, two], [Pick("a", 1)]) == []
    assert uncircle([one, two, other], ["a", "a"]) == [(one, Fact.UNCIRCLED)]


def test_everything_wrong_with_circles_is_said_at_once() -> None:
    takes = [take(1), take(2, F), take(3)]
    with pytest.raises(UsageInvalid) as told:
        circle(takes, [Pick("a", 2), Pick("a", 9), Pick("x", 1)])
    words = str(told.value)
    assert ("a_t2 is failed" in words, "no take 9; its takes are: 1, 2, 3" in words, "no shot 'x'" in words) == (
        True,
    ) * 3
    with pytest.raises(UsageInvalid, match="only one take can be circled"):
        circle(takes, [Pick("a", 1), Pick("a", 3)])
    with pytest.raises(UsageInvalid, match="no shot 'y'"):
        uncircle(takes, ["a", "y"])


# --- retakes ---------------------------------------------------------------------------------------------------------


def retaken(takes: list[Take], asked: Retake | None = None, shots: tuple[Shot, ...] = (shot(),)) -> Plan:
    return plan_retakes(rows(*shots), takes, asked or Retake(("a",)))


def creates(plan: Plan) -> list[Create]:
    return [each for each in plan.changes if isinstance(each, Create)]


def test_a_retake_is_the_newest_recipe_with_a_new_number_and_a_seed_that_no_slot_has() -> None:
    old = replace(take(3, superseded=True), recipe_json='{"model":"m","prompt":"old","seed":1}')
    (made,) = creates(retaken([take(1), take(2, F), old], Retake(("a",), note="slower")))
    slots = {derived_seed("a", slot) for slot in range(1, 50)}
    assert (made.number, made.note, made.recipe.body["prompt"]) == (4, "slower", "a dragon")
    assert made.recipe.body["seed"] == retake_seed("a", 4)
    assert retake_seed("a", 4) not in slots


def test_several_retakes_count_on_in_number_and_seed() -> None:
    made = creates(retaken([take(1)], Retake(("a",), takes=3, seed=2**31 - 2)))
    assert [(each.number, each.recipe.body["seed"]) for each in made] == [(2, 2**31 - 2), (3, 2**31 - 1), (4, 0)]


def test_a_plan_of_retakes_wants_what_waits_of_those_shots_and_nothing_else() -> None:
    shots = (shot("a"), shot("b", ordinal=1))
    waiting, stale = take(2, State.PLANNED), take(3, State.PLANNED, superseded=True)
    plan = retaken([take(1), waiting, stale, take(1, State.PLANNED, "b")], shots=shots)
    assert [(each.shot.id, each.take) for each in plan.to_submit] == [("a", waiting), ("a", None)]


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        (Retake(("x",)), "no shot 'x'"),
        (Retake(("o",)), "o is omitted"),
        (Retake(("g",)), "no shot 'g'"),
        (Retake(("a",), seed=derived_seed("a", 1)), "a_t1 already has seed \\d+"),
    ],
)
def test_a_retake_that_cannot_be_is_refused(asked: Retake, words: str) -> None:
    story = rows(shot("a"), shot("o", omit=True))
    gone = replace(story[0], shot_id="g", removed=True)
    with pytest.raises(UsageInvalid, match=words):
        plan_retakes((*story, gone), [take(1), take(1, shot_id="g")], asked)


def retake(state: State = V, **more: Any) -> Take:
    body = {"model": "m", "prompt": "a dragon", "duration": 7, "seed": retake_seed("a", 2)}
    return Take(20, "a", 2, Recipe.of(body).canonical, state=state, is_retake=True, **more)


@pytest.mark.parametrize("state", list(State))
def test_the_next_run_keeps_a_retake_whatever_became_of_it(state: State) -> None:
    plan = make_plan(Batch("b", (shot(),)), [take(1), retake(state)])
    assert ([each.take for each in plan.wanted], plan.changes, plan.kept) == ([take(1), retake(state)], (), ())


def test_a_waiting_retake_is_bought_once_and_takes_no_slots_place() -> None:
    plan = make_plan(Batch("b", (shot(takes=2),)), [take(1), retake(State.PLANNED)])
    assert [each.take for each in plan.to_submit] == [None, retake(State.PLANNED)]
    assert [type(change) for change in plan.changes] == [Create]


def test_a_waiting_retake_follows_an_edited_shot_and_keeps_its_seed() -> None:
    plan = make_plan(Batch("b", (shot(prompt="two dragons"),)), [take(1), retake(State.PLANNED)])
    (followed,) = [each for each in plan.changes if isinstance(each, Replan)]
    assert (followed.take_id, followed.recipe.body["prompt"]) == (20, "two dragons")
    assert followed.recipe.body["seed"] == retake_seed("a", 2)


def test_a_made_retake_of_an_edited_shot_is_stale_and_comes_back_with_the_old_words() -> None:
    edited = make_plan(Batch("b", (shot(prompt="two dragons"),)), [take(1), retake()])
    assert Supersede(20) in edited.changes
    back = make_plan(Batch("b", (shot(),)), [take(1), retake(superseded=True)])
    assert (back.changes, [each.take for each in back.to_submit]) == ((Reinstate(20),), [])


def test_a_manifest_that_names_the_seed_of_a_retake_gets_that_take() -> None:
    plan = make_plan(Batch("b", (shot(seed=retake_seed("a", 2)),)), [retake()])
    assert ([each.take for each in plan.wanted], plan.changes) == ([retake()], ())


def test_a_waiting_retake_that_would_become_what_a_slot_asks_for_is_not_bought_beside_it() -> None:
    edited = shot(prompt="two dragons", seed=retake_seed("a", 2))
    plan = make_plan(Batch("b", (edited,)), [take(1), retake(State.PLANNED)])
    assert ([each.take for each in plan.to_submit], Supersede(20) in plan.changes) == ([None], True)


def test_a_retake_stands_in_for_a_failed_take_which_is_not_tried_again() -> None:
    failed, also, made = take(1, F), take(2, F), take(3, F, shot_id="b")
    plan = retaken([failed, also, made])
    assert [change for change in plan.changes if isinstance(change, Supersede)] == [Supersede(1)]
    gone = replace(failed, superseded=True)
    later = make_plan(Batch("b", (shot(),)), [gone, retake()])
    assert ([each.take for each in later.wanted], later.changes, later.kept) == ([retake()], (), (gone,))


def test_a_failed_retake_that_was_retaken_stays_replaced() -> None:
    one, two = take(1, F, superseded=True), retake(F, superseded=True)
    body = {**two.recipe.body, "seed": retake_seed("a", 3)}
    three = replace(two, take_id=21, number=3, recipe_json=Recipe.of(body).canonical, state=V, superseded=False)
    later = make_plan(Batch("b", (shot(),)), [one, two, three])
    assert ([each.take for each in later.wanted], later.changes) == ([three], ())


def test_a_failed_take_comes_back_when_no_retake_stands_in_for_it() -> None:
    plan = make_plan(Batch("b", (shot(),)), [take(1, F, superseded=True)])
    assert plan.changes == (Reinstate(1),)


@pytest.mark.parametrize("batch", [Batch("b", (shot(omit=True),)), Batch("b", ())], ids=["omitted", "removed"])
def test_a_waiting_retake_of_a_shot_that_is_out_is_not_bought(batch: Batch) -> None:
    plan = make_plan(batch, [take(1), retake(State.PLANNED)])
    assert (plan.to_submit, Supersede(20) in plan.changes) == ((), True)


@pytest.mark.parametrize(
    ("state", "asked", "seed", "created"),
    [
        (State.PLANNED, 1, None, []),  # the same command, given again, continues
        (State.QUEUED, 1, None, []),
        (State.UNKNOWN, 1, None, []),
        (State.PLANNED, 2, None, [3]),
        (State.HELD, 1, None, []),
        (State.COMPLETED, 1, None, []),
        (F, 1, None, [3]),
        (State.VERIFIED, 1, None, [3]),
        (State.PLANNED, 1, 77, []),
        (State.PLANNED, 2, 77, [3]),
        (State.PLANNED, 1, 78, [3]),
    ],
)
def test_a_retake_that_is_still_to_come_counts_as_one_that_is_asked_for(
    state: State, asked: int, seed: int | None, created: list[int]
) -> None:
    first = replace(take(2, state), is_retake=True)
    first = replace(first, recipe_json=Recipe.of({**first.recipe.body, "seed": 77}).canonical)
    plan = retaken([take(1), first], Retake(("a",), takes=asked, seed=seed))
    assert [each.number for each in creates(plan)] == created
