"""Chains as a graph: what comes before and after a shot, in which order they are made, and which chain is longest."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wanbatch.batch.chains import Chains, predecessors_of, with_new_ids
from wanbatch.batch.changes import Past, Rename
from wanbatch.batch.shots import Fallback, Recipe, Shot, Version

FORK = Chains.of([("b", ["a"]), ("c", ["b"]), ("d", ["b"]), ("e", ["d", "x"]), ("lone", [])])


def shot(shot_id: str, *frames: str, **more: object) -> Shot:
    names = ("image_url", "last_image_url")
    return Shot(shot_id, 0, {"model": "m", **dict(zip(names, frames, strict=False))}, **more)  # type: ignore[arg-type]


def test_a_shot_knows_what_comes_before_and_after_it() -> None:
    assert (FORK.upstream("e"), FORK.downstream("a")) == (("d", "x", "b", "a"), ("b", "c", "d", "e"))
    assert (FORK.upstream("lone"), FORK.downstream("c"), "lone" in FORK.shots) == ((), (), False)


def test_each_shot_is_in_order_behind_those_that_it_goes_on_from() -> None:
    assert FORK.order == ("a", "b", "c", "d", "x", "e")
    assert Chains.of([("c", ["b"]), ("b", ["a"])]).order == ("a", "b", "c")


def test_the_longest_chain_is_the_one_that_takes_longest() -> None:
    lasts = {"a": 1.0, "b": 1.0, "c": 9.0, "d": 1.0, "e": 1.0, "x": 2.0}
    assert FORK.lengths(lasts.__getitem__) == {"a": 11.0, "b": 10.0, "c": 9.0, "d": 2.0, "e": 1.0, "x": 3.0}
    assert FORK.longest_path(lasts.__getitem__) == ("a", "b", "c")
    assert FORK.longest_path(lambda _: 1.0) == ("a", "b", "d", "e")
    assert Chains({}).longest_path(lambda _: 1.0) == ()


def test_shots_that_hang_together_are_one_group() -> None:
    two = Chains.of([("b", ["a"]), ("z", ["y"]), ("c", ["x", "a"])])
    assert two.groups == (("a", "b", "x", "c"), ("y", "z"))


def test_a_circle_is_named_and_does_not_keep_the_rest_from_an_answer() -> None:
    circle = Chains.of([("a", ["c"]), ("b", ["a"]), ("c", ["b"]), ("d", ["a"])])
    assert (FORK.circles(), circle.circles()) == ([], [("a", "c", "b")])
    assert (set(circle.order), circle.longest_path(lambda _: 1.0)) == ({"a", "b", "c", "d"}, ())
    assert Chains.of([("a", ["a"])]).circles() == [("a",)]


def test_a_shot_goes_on_from_what_any_of_its_models_is_given() -> None:
    fallback = Fallback(Version({"model": "n", "image_url": "frame:z:last"}))
    beside = (Version({"model": "k", "image_url": "frame:y:last"}),)
    assert predecessors_of(shot("a", "frame:x:last", "frame:w:first", beside=beside, fallback=fallback)) == (
        *("x", "w", "y", "z"),
    )
    shots = [shot("a", "frame:x:last"), shot("b"), shot("c", "frame:a:last", omit=True)]
    assert Chains.of_shots(shots).before == {"a": ("x",)}


@given(st.lists(st.tuples(st.integers(0, 12), st.integers(0, 12)), max_size=30))
def test_any_graph_without_a_circle_has_an_order(pairs: list[tuple[int, int]]) -> None:
    chains = Chains.of((f"{max(pair):02d}", [f"{min(pair):02d}"]) for pair in pairs if pair[0] != pair[1])
    places = {each: place for place, each in enumerate(chains.order)}
    assert chains.circles() == []
    assert set(places) == chains.shots == {each for group in chains.groups for each in group}
    assert all(places[other] < places[each] for each, others in chains.before.items() for other in others)


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.sampled_from("abcdef")), max_size=20))
def test_a_circle_that_is_named_is_one(pairs: list[tuple[str, str]]) -> None:
    chains = Chains.of((one, [other]) for one, other in pairs)
    circles = chains.circles()
    is_on_circle = any(
        each in chains.upstream(other) or each == other for each, others in chains.before.items() for other in others
    )
    assert bool(circles) == is_on_circle
    named = [each for circle in circles for each in circle]
    assert len(named) == len(set(named))
    pairs = [pair for circle in circles for pair in zip(circle, (*circle[1:], *circle[:1]), strict=True)]
    assert all(other in chains.before[each] for each, other in pairs)
    left = [(each, [other for other in others if other not in named]) for each, others in chains.before.items()]
    alone = Chains.of((each, others) for each, others in left if each not in named).circles()
    assert all(set(each) & {other for start in named for other in chains.upstream(start)} for each in alone)


def rename(old: str, new: str, take_id: int = 1) -> Rename:
    return Rename(take_id, new, 1, (old, 1))


@pytest.mark.parametrize(
    ("renames", "listed", "names"),
    [
        ([], [], {}),
        ([rename("a", "b")], ["b"], {"a": "b"}),
        ([rename("a", "b")], ["a", "b"], {}),
        ([rename("a", "b"), rename("b", "c")], ["c"], {"a": "c", "b": "c"}),
        ([rename("a", "b"), rename("a", "c", 2)], ["b", "c"], {}),
        ([rename("a", "b"), rename("a", "b", 2)], ["b"], {"a": "b"}),
    ],
)
def test_shots_that_are_gone_have_one_name_or_none(
    renames: list[Rename], listed: list[str], names: dict[str, str]
) -> None:
    assert Past(tuple(renames)).names_of_gone(listed) == names


def test_a_recipe_is_known_under_the_ids_that_shots_have_now() -> None:
    recipe = Recipe.of({"prompt": 'a "frame:a:last"', "image_url": "frame:a:last", "image_urls": ["frame:b:first"]})
    other = Recipe.of({"prompt": 'a "frame:a:last"', "image_url": "frame:z:last", "image_urls": ["frame:b:first"]})
    assert with_new_ids(recipe.canonical, {"a": "z"}) == other.canonical
    assert with_new_ids("frame:a:last", {"a": "z"}) == "frame:z:last"
    assert with_new_ids(recipe.canonical, {}) == recipe.canonical
