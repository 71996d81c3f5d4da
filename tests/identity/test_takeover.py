"""New takes whose recipe is there under another id: what is found, what is taken over, and what a plan makes of it."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.worlds import EPOCH
from wanbatch.batch.changes import Create, Past, Rename
from wanbatch.batch.lifecycle import State
from wanbatch.batch.orders import new_orders
from wanbatch.batch.plan import Cause, Plan, make_plan
from wanbatch.batch.retakes import Retake, plan_retakes
from wanbatch.batch.shots import Batch, Fallback, Recipe, Shot, Version, likeness
from wanbatch.batch.take import Take
from wanbatch.batch.takeover import (
    find_matches,
    find_reframed,
    renamed,
    renames_asked,
    renames_of,
    settled_by,
    settled_in,
    settled_text,
)
from wanbatch.errors import UsageInvalid
from wanbatch.session.folder_questions import Folder


def shot(shot_id: str, prompt: str = "a dragon", **more: Any) -> Shot:
    return Shot(shot_id, more.pop("ordinal", 0), {"model": "m", "prompt": prompt, "duration": 5}, **more)


def batch(*shots: Shot) -> Batch:
    return Batch("b", tuple(Shot(**{**vars(each), "ordinal": place}) for place, each in enumerate(shots)))


def takes_of(*shots: Shot, state: State = State.VERIFIED, **more: Any) -> list[Take]:
    recipes = [(each, number, recipe) for each in shots for number, recipe in enumerate(each.recipes, 1)]
    attempts = 0 if state is State.PLANNED else 1
    return [
        Take(take_id, each.id, number, recipe.canonical, state=state, attempts=attempts, **more)
        for take_id, (each, number, recipe) in enumerate(recipes, 1)
    ]


def found(plan: Plan) -> list[tuple[str, str | None]]:
    return [(match.order.label, None if match.take is None else match.take.label) for match in find_matches(plan)]


OLD = (shot("001", "red", seed=11), shot("002", "blue", seed=12))
NEW = (shot("1", "red", seed=11), shot("2", "blue", seed=12))
DERIVED_OLD = (shot("001", "red"), shot("002", "blue"))
DERIVED_NEW = (shot("1", "red"), shot("2", "blue"))


@pytest.mark.parametrize(
    ("old", "new", "pairs"),
    [
        pytest.param(OLD, NEW, [("1_t1", "001_t1"), ("2_t1", "002_t1")], id="given seeds"),
        pytest.param(DERIVED_OLD, DERIVED_NEW, [("1_t1", "001_t1"), ("2_t1", "002_t1")], id="derived seeds"),
        pytest.param([shot("a", seed=3)], [shot("b")], [("b_t1", "a_t1")], id="a seed that is no longer given"),
        pytest.param([shot("a")], [shot("b", seed=3)], [], id="a seed that is given now is another recipe"),
        pytest.param([shot("a", seed=3)], [shot("b", seed=4)], [], id="another given seed is another recipe"),
        pytest.param([shot("a", "x")], [shot("b", "y")], [], id="another prompt"),
        pytest.param([shot("a", "cafe\u0301")], [shot("b", "café")], [("b_t1", "a_t1")], id="another Unicode form"),
        pytest.param([shot("a")], [shot("a"), shot("b")], [], id="the old shot still asks for its take"),
        pytest.param(
            [shot("a", takes=3)], [shot("a"), shot("b")], [("b_t1", "a_t2")], id="takes that a shot needs no more"
        ),
        pytest.param(
            [shot("a", takes=2)],
            [shot("b", takes=2)],
            [("b_t1", "a_t1"), ("b_t2", "a_t2")],
            id="several takes of one shot",
        ),
        pytest.param([shot("a")], [shot("b", takes=2)], [("b_t1", "a_t1")], id="more takes than are there"),
        pytest.param(
            [shot("a"), shot("b")],
            [shot("1"), shot("2")],
            [("1_t1", "a_t1"), ("2_t1", "b_t1")],
            id="alike, in story order",
        ),
        pytest.param([shot("a"), shot("b")], [shot("1")], [("1_t1", None)], id="one shot that could be either of two"),
        pytest.param([shot("a")], [shot("1"), shot("2")], [("1_t1", None), ("2_t1", None)], id="two that could be one"),
        pytest.param(
            [shot("a", "one"), shot("b", "two")],
            [shot("a", "zero"), shot("b", "one"), shot("c", "two")],
            [("b_t2", "a_t1"), ("c_t1", "b_t1")],
            id="a shot put in front of renumbered ones",
        ),
        pytest.param(
            [shot("a", omit=False)], [shot("a", omit=True), shot("b")], [("b_t1", "a_t1")], id="an omitted shot"
        ),
        pytest.param([shot("a", "x")], [shot("a", "y")], [], id="an ordinary edit"),
        pytest.param([], [shot("a"), shot("b")], [], id="the same prompt twice in a new manifest"),
    ],
)
def test_a_recipe_that_is_there_under_another_id_is_found(
    old: Sequence[Shot], new: Sequence[Shot], pairs: list[tuple[str, str | None]]
) -> None:
    first = make_plan(batch(*old), [])
    assert found(make_plan(batch(*new), takes_of(*old), first.shots)) == pairs


@pytest.mark.parametrize("state", list(State))
def test_only_what_is_bought_or_may_be_is_there(state: State) -> None:
    plan = make_plan(batch(shot("b")), takes_of(shot("a"), state=state))
    assert bool(found(plan)) == (state not in (State.PLANNED, State.FAILED))


def test_a_take_that_was_superseded_long_ago_is_there_too() -> None:
    stale = takes_of(shot("a", "x"), superseded=True)
    assert found(make_plan(batch(shot("a", "y"), shot("b", "x")), stale)) == [("b_t1", "a_t1")]


@pytest.mark.parametrize("attempts", [0, 1])
def test_a_take_that_is_still_to_be_sent_is_asked_about_whenever_it_was_planned(attempts: int) -> None:
    planned = Take(9, "b", 1, shot("b").recipes[0].canonical, planned_at=EPOCH, attempts=attempts)
    for minutes in (-1, 1):
        there = takes_of(shot("a"), submitted_at=EPOCH + timedelta(minutes=minutes))
        assert found(make_plan(batch(shot("b")), [*there, planned])) == [("b_t1", "a_t1")]


def test_what_the_user_said_to_buy_all_the_same_is_asked_once() -> None:
    plan = make_plan(batch(shot("b")), takes_of(shot("a")))
    settled = settled_in(settled_text(settled_by(find_matches(plan))))
    assert ({each[:2] for each in settled}, find_matches(plan, settled=settled)) == ({("b_t1", 1)}, [])
    other = make_plan(batch(shot("c")), takes_of(shot("a")))
    assert [match.order.label for match in find_matches(other, settled=settled)] == ["c_t1"]


def test_another_recipe_under_a_settled_label_is_asked_about_again() -> None:
    there = takes_of(shot("a"))
    first = {there[0].take_id: shot("a", "a cat").recipes[0].canonical}
    settled = settled_by(find_matches(make_plan(batch(shot("b")), there), first))
    other = make_plan(batch(shot("b", "a cat")), there)
    assert [match.order.label for match in find_matches(other, first, settled)] == ["b_t1"]


def follower(shot_id: str, of: str, moment: str = "last") -> Shot:
    body = {"model": "m", "prompt": "on", "duration": 5, "image_url": f"frame:{of}:{moment}"}
    return Shot(shot_id, 1, body, seed=7)


@pytest.mark.parametrize(
    ("wanted", "is_renamed", "pairs"),
    [
        (follower("b", "x"), True, [("b_t2", "b_t1")]),
        (follower("b", "x"), False, []),  # an edit like any other
        (follower("b", "x", "first"), True, []),
        (follower("b", "a"), True, []),  # nothing is to be bought
    ],
)
def test_a_take_that_differs_in_the_id_of_a_frame_that_was_renamed_is_a_question(
    wanted: Shot, is_renamed: bool, pairs: list[tuple[str, str]]
) -> None:
    made = Take(2, "b", 1, follower("b", "a").recipes[0].canonical, state=State.VERIFIED, attempts=1)
    past = Past(renames=(Rename(1, "x", 1, ("a", 1)),) if is_renamed else ())
    plan = make_plan(Batch("b", (wanted,)), [made], past=past)
    matches = find_reframed(plan, past)
    assert [(match.order.label, match.candidates[0].label) for match in matches] == pairs
    assert find_reframed(plan, past, settled_by(matches)) == []


@pytest.mark.parametrize("text", [None, "", "{", "7", "[[1]]", '[["a", "b"]]', "[" * 100_000])
def test_what_cannot_be_read_settles_nothing(text: str | None) -> None:
    assert settled_in(text) == frozenset()


def test_a_clip_that_came_back_goes_before_a_take_that_was_turned_away_and_is_still_to_be_sent() -> None:
    home, away = shot("a").recipes[0], shot("b").recipes[0]
    takes = [
        Take(1, "a", 1, home.canonical, attempts=1),
        Take(2, "b", 1, away.canonical, state=State.VERIFIED, attempts=1),
    ]
    after, past = taken_over(batch(shot("a")), takes)
    plan = make_plan(batch(shot("a")), after, past=past)
    assert [each.take.take_id for each in plan.wanted if each.take is not None] == [2]


@pytest.mark.parametrize("seed", [None, 7])
def test_a_clip_of_a_fallback_that_came_from_another_shot_goes_before_a_take_that_is_still_to_be_sent(
    seed: int | None,
) -> None:
    fallback = Fallback(Version({"model": "n", "prompt": "a dragon"}))
    away, home = shot("a", fallback=fallback, seed=seed), shot("c", fallback=fallback, seed=seed)
    asked = away.recipes[0]
    made = Take(1, "c", 2, fallback.recipe_for(asked).canonical, state=State.VERIFIED, attempts=2)
    planned = Take(2, "c", 1, home.recipes[0].canonical)
    past = Past(renames=(Rename(1, "c", 2, ("a", 1)),), first_recipes={1: asked.canonical})
    plan = make_plan(Batch("b", (home,)), [made, planned], past=past)
    assert [each.take.take_id for each in plan.wanted if each.take is not None] == [1]


def test_a_clip_that_came_back_leaves_a_slot_to_the_one_with_the_same_seed() -> None:
    recipe = shot("a").recipes[0].canonical
    takes = [
        Take(1, "a", 2, recipe, state=State.VERIFIED, attempts=1),  # bought as a, taken over by d, and back
        Take(2, "a", 1, recipe, state=State.VERIFIED, attempts=1),  # bought by a in between
    ]
    past = Past(renames=(Rename(1, "d", 1, ("a", 1)), Rename(1, "a", 2, ("d", 1))))
    plan = make_plan(batch(shot("a", takes=2)), takes, past=past)
    assert not any(isinstance(change, Create) for change in plan.changes)


def test_a_fallback_without_a_seed_takes_no_slot_that_another_clip_alone_can_fill() -> None:
    seeded, seedless = ({"model": "n", "prompt": "a dragon"}, {"model": "o", "prompt": "a dragon"})
    of = shot("a", takes=2, fallback=Fallback(Version(seedless, has_seed=False)))
    first, second = (each.canonical for each in of.recipes)
    made = Recipe.of({**seeded, "seed": of.recipes[0].body["seed"]}).canonical
    takes = [
        Take(2, "a", 2, Recipe.of(seedless).canonical, state=State.VERIFIED, attempts=1),
        Take(1, "a", 1, made, state=State.VERIFIED, attempts=1),
    ]
    plan = make_plan(Batch("b", (of,)), takes, past=Past(first_recipes={1: first, 2: second}))
    assert [each.take.take_id for each in plan.wanted if each.take is not None] == [1, 2]
    assert not any(isinstance(change, Create) for change in plan.changes)


def test_what_was_bought_since_is_taken_over_in_the_place_of_a_take_that_was_never_sent() -> None:
    bought = takes_of(shot("a"), submitted_at=EPOCH + timedelta(seconds=60))
    planned = Take(9, "b", 1, shot("b").recipes[0].canonical, planned_at=EPOCH)
    takes, past = taken_over(batch(shot("b")), [*bought, planned])
    plan = make_plan(batch(shot("b")), takes, past=past)
    assert [each.take.take_id for each in plan.wanted if each.take is not None] == [bought[0].take_id]
    assert not any(isinstance(change, Create) for change in plan.changes)


def test_a_clip_of_a_fallback_is_found_and_taken_over_by_what_was_asked_for_first() -> None:
    other = {**shot("a").request, "model": "alibaba/wan2.1-t2v-turbo", "resolution": "480P"}
    fallback = Fallback(Version(other, has_seed=True))
    old, new = (Shot(id=each, ordinal=0, request=shot("a").request, fallback=fallback) for each in ("a", "b"))
    first = old.recipes[0]
    made = Take(1, "a", 1, fallback.recipe_for(first).canonical, state=State.VERIFIED, attempts=2)
    past = Past((), {1: first.canonical})
    takes, after = taken_over(batch(new), [made], past)
    plan = make_plan(batch(new), takes, past=replace(after, first_recipes=past.first_recipes))
    assert [each.take.take_id for each in plan.wanted if each.take is not None] == [1]
    assert not any(isinstance(change, Create) for change in plan.changes)


def test_a_take_never_sent_that_follows_an_edit_is_asked_about() -> None:
    takes = [*takes_of(shot("a", "x")), Take(9, "b", 1, shot("b", "y").recipes[0].canonical)]
    assert found(make_plan(batch(shot("b", "x")), takes)) == [("b_t1", "a_t1")]


def taken_over(new: Batch, takes: list[Take], past: Past | None = None) -> tuple[list[Take], Past]:
    past = Past() if past is None else past
    plan = make_plan(new, takes, past=past)
    renames = renames_of(find_matches(plan, past.first_recipes), plan, takes, past)
    return renamed(takes, renames), Past((*past.renames, *renames))


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (OLD, NEW),
        (DERIVED_OLD, DERIVED_NEW),
        ([shot("a", takes=2)], [shot("b", takes=2)]),
        ([shot("a", seed=3)], [shot("b")]),
        ([shot("a", takes=3)], [shot("a"), shot("b")]),
        ([shot("a", takes=3)], [shot("a"), shot("b", takes=2)]),
        ([shot("a", "one"), shot("b", "two")], [shot("b", "one"), shot("c", "two")]),
        ([shot("a", "one"), shot("b", "two")], [shot("b", "one"), shot("a", "two")]),
    ],
)
def test_after_a_takeover_nothing_is_bought(old: Sequence[Shot], new: Sequence[Shot]) -> None:
    takes, past = taken_over(batch(*new), takes_of(*old))
    plan = make_plan(batch(*new), takes, past=past)
    assert (plan.to_submit, find_matches(plan), "new" in plan.counts) == ((), [], False)


def test_a_name_that_a_take_had_is_never_given_again() -> None:
    swapped = batch(shot("a", "two"), shot("b", "one"))
    takes, past = taken_over(swapped, takes_of(shot("a", "one"), shot("b", "two")))
    plan = make_plan(batch(shot("a", "two"), shot("b", "one"), shot("B", "three")), takes, past=past)
    retakes = plan_retakes(plan.shots, takes, Retake(("a",)), past)
    assert sorted(take.label for take in takes) == ["a_t2", "b_t2"]
    assert [order.label for order in new_orders(plan)] == ["B_t3"]  # b_t1 may be its file on a disk that ignores case
    assert [each.number for each in retakes.due] == [3]


def test_retakes_go_with_the_take_that_is_taken_over() -> None:
    first = takes_of(shot("a"))[0]
    retake = Take(
        2, "a", 2, Recipe.of({**first.recipe.body, "seed": 99}).canonical, State.VERIFIED, attempts=1, is_retake=True
    )
    takes, past = taken_over(batch(shot("b")), [first, retake])
    plan = make_plan(batch(shot("b")), takes, past=past)
    assert [(each.take.label, each.take.take_id) for each in plan.wanted if each.take] == [("b_t1", 1), ("b_t2", 2)]


def test_older_recipes_go_along_where_their_shot_is_gone_and_stay_where_it_is_not() -> None:
    stale = Take(7, "a", 2, shot("a", "older").recipes[0].canonical, State.VERIFIED, superseded=True, attempts=1)
    gone, _ = taken_over(batch(shot("b")), [*takes_of(shot("a")), stale])
    stays, _ = taken_over(batch(shot("a", "newer"), shot("b")), [*takes_of(shot("a")), stale])
    assert [take.label for take in gone] == ["b_t1", "b_t2"]
    assert [take.label for take in stays] == ["b_t1", "a_t2"]


def test_a_shot_without_a_seed_asks_for_its_own_seed_where_a_taken_over_take_is_of_another_recipe() -> None:
    takes, past = taken_over(batch(shot("b")), takes_of(shot("a")))
    plan = make_plan(batch(shot("b", "another")), takes, past=past)
    given = make_plan(batch(shot("b", seed=5)), takes, past=past)
    assert ([each.cause for each in plan.due], [each.cause for each in given.due]) == ([Cause.EDITED], [Cause.EDITED])


@pytest.mark.parametrize(
    ("pairs", "problem"),
    [
        ([("x", "1")], "this folder has no take of a shot 'x'"),
        ([("001", "x")], "the manifest has no shot 'x'"),
        ([("001", "1"), ("001", "2")], "give each old and each new id only once"),
        ([("001", "1"), ("002", "1")], "give each old and each new id only once"),
    ],
)
def test_a_renaming_that_cannot_be_is_refused(pairs: list[tuple[str, str]], problem: str) -> None:
    with pytest.raises(UsageInvalid, match=problem):
        renames_asked(pairs, takes_of(*OLD), Past(), frozenset(("1", "2")))


def test_a_renaming_is_done_once_however_often_it_is_asked_for() -> None:
    takes, wanted = takes_of(shot("a", "one"), shot("b", "two")), frozenset("abc")
    pairs = [("a", "b"), ("b", "c")]
    once = renames_asked(pairs, takes, Past(), wanted)
    assert [(each.was, each.shot_id, each.number) for each in once] == [(("a", 1), "b", 2), (("b", 1), "c", 1)]
    assert renames_asked(pairs, renamed(takes, once), Past(once), wanted) == ()


def test_ids_of_a_renaming_are_compared_in_one_unicode_form() -> None:
    asked = renames_asked([("e\u0301", "a")], takes_of(shot("é")), Past(), frozenset("a"))
    assert asked == (Rename(1, "a", 1, ("é", 1)),)


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ({"seed": 5}, ("{}", 5)),
        ({"prompt": "x"}, ('{"prompt":"x"}', None)),
        ({"prompt": "x", "seed": 5}, ('{"prompt":"x"}', 5)),
        ({"seed": 5, "size": 1}, ('{"size":1}', 5)),
        ({"prompt": "x", "seed": 0, "size": 1}, ('{"prompt":"x","size":1}', 0)),
        ({"prompt": '{"seed":7}', "seed": 5}, ('{"prompt":"{\\"seed\\":7}"}', 5)),
        ({"prompt": "cafe\u0301"}, ('{"prompt":"café"}', None)),
    ],
)
def test_a_likeness_is_a_recipe_without_its_seed(body: dict[str, Any], expected: tuple[str, int | None]) -> None:
    assert likeness(Recipe.of(body).canonical) == expected


def test_a_take_recorded_in_another_unicode_form_is_the_same_take() -> None:
    old = takes_of(shot("a", "Un cafe\u0301", seed=3))
    plan = make_plan(batch(shot("a", "Un café", seed=3)), old)
    assert (plan.counts, plan.changes) == ({"done": 1}, ())


def test_a_renaming_that_was_undone_is_done_again() -> None:
    takes, past, wanted = takes_of(shot("a"), shot("c")), Past(), frozenset(("a", "b"))
    for pair in (("a", "b"), ("b", "a"), ("a", "b")):
        (rename,) = asked = renames_asked([pair], takes, past, wanted)
        assert (rename.was[0], rename.shot_id) == pair
        takes, past = renamed(takes, asked), Past((*past.renames, *asked))
    assert renames_asked([("a", "b")], takes, past, wanted) == ()


@pytest.mark.parametrize(
    ("given", "flags", "words"),
    [
        (("--rename", "a=b"), ("--rename", "a=b"), ["--rename", "a=b"]),
        (("--rename", "a=b"), ("--rename", "c=d"), ["--rename", "a=b", "--rename", "c=d"]),
        (("--yes",), ("--buy-again", "--yes"), ["--yes", "--buy-again"]),
        ((), ("--rename", "a=b", "--yes"), ["--rename", "a=b", "--yes"]),
    ],
)
def test_an_advised_command_gives_each_flag_once_with_its_value(
    given: tuple[str, ...], flags: tuple[str, ...], words: list[str]
) -> None:
    folder = Folder("out", "out-2", ("wanbatch", "run", "f.yaml"), given=given)
    assert shlex.split(folder.run(*flags)) == ["wanbatch", "run", "f.yaml", *words]
