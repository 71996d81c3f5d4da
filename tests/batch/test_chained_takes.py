"""Chained takes: which are stale, which wait for what, what a new take means, and what is sent in which order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import pytest

from tests.batch.takes import shot, take_of
from wanbatch.batch.chained_takes import NOTHING_CHAINED, ChainedTakes, Join
from wanbatch.batch.changes import Create, Past, Reinstate, Supersede
from wanbatch.batch.chosen_frames import ChosenFrame
from wanbatch.batch.followers import with_followers
from wanbatch.batch.inventory import Inventory
from wanbatch.batch.lifecycle import State
from wanbatch.batch.order_to_send import order_to_send
from wanbatch.batch.plan import Due, First, make_plan
from wanbatch.batch.retakes import Retake
from wanbatch.batch.shots import Batch, Recipe, Shot, retake_seed
from wanbatch.batch.take import Take
from wanbatch.batch.whys import whys_of
from wanbatch.errors import UsageInvalid
from wanbatch.money.successions import Succession

GOOD, FAILED, HELD, PLANNED, RUNS = State.VERIFIED, State.FAILED, State.HELD, State.PLANNED, State.QUEUED
BEFORE = {"b": "frame:a:last", "c": "frame:b:last", "d": "frame:a:2500ms"}


def shot_of(name: str, frame: str | None = None, **more: object) -> Shot:
    frame = BEFORE.get(name) if frame is None else frame
    return replace(shot(name, image_url=frame) if frame else shot(name), **more)  # type: ignore[arg-type]


def made(take_id: int, name: str, state: State = GOOD, **more: object) -> Take:
    number = more.pop("number", 1)
    assert isinstance(number, int)
    frame = more.pop("frame", None)
    each = shot_of(name, frame)  # type: ignore[arg-type]
    sha256 = f"{take_id:064d}" if state is GOOD else None
    attempt = int(state is not PLANNED)
    return take_of(each, 1, number, take_id, state=state, sha256=sha256, attempt=attempt, attempts=attempt, **more)


def chained(*takes: Take, of: Mapping[int, int] | None = None) -> ChainedTakes:
    """Chain takes; `of` says by take ids of whose clip each was given the frame."""
    by_shot: dict[str, list[Take]] = {}
    for take in takes:
        by_shot.setdefault(take.shot_id, []).append(take)
    by_id = {take.take_id: take for take in takes}
    frames = {
        take_id: [
            ChosenFrame(
                str(by_id[take_id].recipe.body["image_url"]), other, by_id[other].label, "g", f"{other:064d}", "", ""
            )
        ]
        for take_id, other in (of or {}).items()
    }
    return ChainedTakes(by_shot, frames)


A1, B, C, D = made(1, "a"), made(2, "b"), made(3, "c"), made(4, "d")
A2 = made(5, "a", number=2)
SENT = {2: 1, 3: 2, 4: 1}


def told(of: ChainedTakes, *to_be_made: str) -> list[tuple[str, str, tuple[str, ...], tuple[str, ...]]]:
    return [(each.shot_id, each.take, each.direct, each.shots) for each in of.news(to_be_made)]


def test_what_went_on_from_an_earlier_take_is_named_with_all_behind_it() -> None:
    assert told(chained(A1, B, C, D, of=SENT)) == []
    assert told(chained(A1, A2, B, C, D, of=SENT)) == [("a", "a_t2", ("b", "d"), ("b", "c", "d"))]
    assert NOTHING_CHAINED.news() == []


@pytest.mark.parametrize(
    ("takes", "to_be_made", "news"),
    [
        ((A1, B, C, D), ("a",), [("a", "", ("b", "d"), ("b", "c", "d"))]),
        ((A1, B, C, D), ("a", "b", "d"), [("b", "", ("c",), ("c",))]),
        ((A1, B, C, D), ("a", "b", "c", "d"), []),
        ((replace(A1, circled=True), B, C, D), ("a",), []),
        ((replace(A1, circled=True), A2, B, C, D), (), []),
        ((A1, replace(A2, circled=True), B, C, D), (), [("a", "a_t2", ("b", "d"), ("b", "c", "d"))]),
        ((replace(A1, superseded=True), B, C, D), (), []),
        ((A1, made(5, "a", RUNS, number=2), B, C, D), (), []),
        ((A1, A2, B, made(6, "b", PLANNED, number=2), C, D), (), [("a", "a_t2", ("d",), ("d",))]),
        ((A1, A2, B, made(6, "b", FAILED, number=2), C, D), (), [("a", "a_t2", ("b", "d"), ("b", "c", "d"))]),
    ],
)
def test_only_what_keeps_an_older_frame_is_news(
    takes: tuple[Take, ...], to_be_made: tuple[str, ...], news: list[tuple[str, str, tuple[str, ...], tuple[str, ...]]]
) -> None:
    assert told(chained(*takes, of=SENT), *to_be_made) == news


def test_a_pinned_take_makes_nothing_stale() -> None:
    pinned = made(2, "b", frame="frame:a:last:t1")
    assert told(chained(A1, A2, pinned, of={2: 1})) == told(chained(A1, pinned, of={2: 1}), "a") == []


def test_a_frame_that_is_not_known_makes_nothing_stale() -> None:
    join = chained(A1, B).joins(B)[0]
    assert (join.is_stale, told(chained(A1, A2, B)), told(chained(A1, B), "a")) == (False, [], [])


def test_what_waits_for_what_failed_is_named_and_what_waits_for_it_in_turn() -> None:
    def waits(*takes: Take) -> list[tuple[str, str]]:
        return [(each.take.label, each.why_missing) for each in chained(*takes).waiting()]

    b, c = made(2, "b", PLANNED), made(3, "c", PLANNED)
    assert waits(made(1, "a", FAILED), b, c) == [
        ("b_t1", "a_t1, which failed"),
        ("c_t1", "b_t1, which is itself waiting"),
    ]
    assert waits(made(1, "a", HELD), b) == [("b_t1", "a_t1, which is held")]
    assert waits(made(1, "a", PLANNED), b, c) == waits(made(1, "a", RUNS), b, c) == waits(A1, b, c) == []
    assert waits(A1, made(2, "b", PLANNED, frame="frame:a:last:t3")) == [("b_t1", "a, which has no take 3")]
    assert waits(replace(A1, superseded=True), b) == [("b_t1", "a, which has no clip with the manifest's recipe")]


def test_a_succession_has_its_price_and_its_command() -> None:
    (news,) = chained(A1, A2, B, C, D, of=SENT).news()
    price_class = B.price_class
    command = "wanbatch retake outputs/film b d --with-successors"
    assert Succession.of(news, {price_class: 1_576_666}).text("outputs/film") == (
        "a has a new take (a_t2): 3 shots were made from its earlier take;"
        f" keep them, or make them again for 2.364999 USD: `{command}`"
    )
    unknown = Succession.of(replace(news, shots=("b",), take=""), {})
    assert (unknown.credits, unknown.command("outputs/film")) == (None, command)
    assert unknown.text("o").startswith(
        "a gets a new take: 1 shot was made from its earlier take; keep it, or make it again (price unknown), once the new take is made:"
    )
    assert Succession.of(replace(news, is_circled=True), {}).text("o").startswith("a has another take circled (a_t2): ")


def test_a_retake_may_mean_all_that_goes_on_from_its_shots() -> None:
    whole = chained(A1, B, made(3, "c", PLANNED), D, of={2: 1, 4: 1})
    assert Retake(("a",), with_successors=True).completed(whole).shot_ids == ("a", "b", "d")
    assert Retake(("a",)).completed(whole) == Retake(("a",))


def test_successors_of_a_circled_take_are_not_made_from_it_again() -> None:
    circled = replace(A1, circled=True)
    with pytest.raises(UsageInvalid, match="a_t1 is circled, so b would be made from it again"):
        Retake(("a",), with_successors=True).completed(chained(circled, A2, B, of={2: 1}))


def test_a_successor_that_names_its_take_is_not_made_again() -> None:
    body = {**B.recipe.body, "image_url": "frame:a:last:t1"}
    pinned = replace(B, recipe_json=Recipe.of(body).canonical)
    asked = Retake(("a",), with_successors=True).completed(chained(A1, A2, pinned, of={2: 1}))
    assert asked.shot_ids == ("a",)


def followers(*takes: Take, **more: object) -> list[tuple[str, int, str | None]]:
    """Return the takes that a plan adds for a shot that follows another, and is followed in turn."""
    b = shot_of("b", following=("frame:a:last",), **more)
    batch = Batch("x", (shot_of("a"), b, shot_of("c", following=("frame:b:last",))))
    plan = with_followers(make_plan(batch, takes), batch.shots, chained(*takes, of=SENT).frames, Past())
    created = [each for each in plan.changes if isinstance(each, Create) and each.note is not None]
    assert not plan.is_lasting
    assert [each.take for each in plan.wanted].count(None) == sum(isinstance(each, Create) for each in plan.changes)
    return [(each.shot_id, each.number, each.note) for each in created]


def test_a_follower_is_planned_again_once_its_frame_is_another() -> None:
    assert followers(A1, B, C, D) == []
    assert followers(A1, A2, B, C, D) == [("b", 2, "follows a_t2"), ("c", 2, "follows b_t2")]
    assert followers(A1, A2, B, C, D, omit=True) == []
    assert followers(A1, A2, B, made(6, "b", FAILED, number=2, is_retake=True), C, D) == []
    after = [("c", 2, "follows b_t2")]
    own_seed = Recipe.of({**B.recipe.body, "seed": retake_seed("b", 2)}).canonical
    assert (
        followers(A1, A2, B, replace(made(6, "b", PLANNED, number=2, is_retake=True), recipe_json=own_seed), C, D)
        == after
    )
    assert followers(A1, A2, replace(B, circled=True), made(6, "b", number=2, is_retake=True), C, D) == []
    both = [("b", 2, "follows a_t2"), ("c", 2, "follows b_t2")]
    assert followers(A1, made(5, "a", RUNS, number=2), B, C, D) == both
    assert followers(A1, with_own_seed(made(5, "a", PLANNED, number=2, is_retake=True)), B, C, D) == both
    assert followers(A1, made(5, "a", FAILED, number=2), B, C, D) == []


def test_a_clip_that_was_made_from_the_chosen_frame_is_taken_again_and_not_bought() -> None:
    b2, c2 = made(6, "b", number=2, is_retake=True), made(7, "c", number=2, is_retake=True)
    b = shot_of("b", following=("frame:a:last",))
    batch = Batch("x", (shot_of("a"), b, shot_of("c", following=("frame:b:last",))))

    def changes(*takes: Take) -> list[object]:
        frames = chained(*takes, of={2: 1, 3: 2, 6: 5, 7: 6}).frames
        plan = with_followers(make_plan(batch, takes), batch.shots, frames, Past())
        assert not plan.due
        return list(plan.changes)

    every = [A1, A2, B, with_own_seed(b2), C, with_own_seed(c2)]
    assert changes(*every) == []
    circled = [replace(A1, circled=True), *every[1:]]
    assert changes(*circled) == [Supersede(6), Supersede(7)]
    left = [replace(each, superseded=each.take_id in (6, 7)) for each in circled]
    assert changes(*left) == []
    assert changes(A1, *left[1:]) == [Reinstate(6), Reinstate(7)]


def test_a_follower_without_a_new_frame_is_not_to_be_sent_any_more() -> None:
    waits = with_own_seed(made(6, "b", PLANNED, number=2, is_retake=True, note="follows a_t2"))
    past = Past(followers=frozenset({6}))
    b = shot_of("b", following=("frame:a:last",))
    batch = Batch("x", (shot_of("a"), b))

    def due_of(*takes: Take) -> list[str]:
        frames = chained(*takes, of={2: 1}).frames
        return [each.shot_id for each in with_followers(make_plan(batch, takes), batch.shots, frames, past).due]

    failed = made(5, "a", FAILED, number=2, is_retake=True)
    assert due_of(A1, failed, B, waits) == []
    assert due_of(A1, made(5, "a", RUNS, number=2, is_retake=True), B, waits) == ["b"]
    past = Past()  # one that the user asked for, whatever its note
    assert due_of(A1, failed, B, waits) == ["b"]


def test_a_follower_is_not_counted_where_a_run_leaves_out_the_take_that_it_follows() -> None:
    b = shot_of("b", following=("frame:a:last",))
    batch = Batch("x", (shot_of("a"), b, shot_of("c", following=("frame:b:last",))))
    past = Past(followers=frozenset({6}))
    to_come = with_own_seed(made(5, "a", PLANNED, number=2, is_retake=True))
    waits = with_own_seed(made(6, "b", PLANNED, number=2, is_retake=True))

    def order_of(left_out: str, *takes: Take) -> tuple[str, str]:
        frames = chained(*takes, of={2: 1, 3: 2}).frames
        due = with_followers(make_plan(batch, takes), batch.shots, frames, past).due
        order = order_to_send(due, lambda each: each.shot_id not in left_out, frozenset("abc"))
        labels = [f"{each.shot_id}_t{each.number}" for each in order.takes]
        return " ".join(labels), " ".join(f"{each.shot_id}<{other}" for each, other in order.unready)

    assert order_of("", A1, to_come, B, C) == ("a_t2 b_t2 c_t2", "")
    assert order_of("a", A1, to_come, B, C) == ("", "b<a c<a")
    assert order_of("ab", A1, to_come, B, C) == ("", "c<b")
    assert order_of("b", A1, to_come, B, C) == ("a_t2", "c<b")
    assert order_of("a", A1, to_come, B, waits, C) == ("", "b<a c<a")
    assert order_of("", A1, to_come, B, waits, C) == ("a_t2 b_t2 c_t2", "")
    assert order_of("a", A1, made(5, "a", RUNS, number=2), B, C) == ("b_t2 c_t2", "")
    assert order_of("a", A1, made(5, "a", RUNS, number=2), replace(to_come, take_id=7, number=3), B, C)[0] == (
        "b_t2 c_t2"
    )
    assert order_of("a", A1, made(5, "a", number=2), B, C) == ("b_t2 c_t2", "")


def with_own_seed(take: Take) -> Take:
    recipe = Recipe.of({**take.recipe.body, "seed": retake_seed(take.shot_id, take.number)})
    return replace(take, recipe_json=recipe.canonical)


def test_a_follower_whose_recipe_is_asked_for_again_is_compared_with_the_frame_that_it_has() -> None:
    again = replace(B, superseded=True)
    edited = made(6, "b", number=2, frame="frame:a:first")
    assert followers(A1, again, edited, C, D) == []
    assert followers(A1, A2, again, edited, C, D) == [("b", 3, "follows a_t2"), ("c", 2, "follows b_t3")]


def test_a_plan_without_followers_lasts() -> None:
    batch = Batch("x", (shot_of("a"), shot_of("b")))
    plan = make_plan(batch, [])
    assert (with_followers(plan, batch.shots, {}, Past()), plan.is_lasting) == (plan, True)


def due(*names: str) -> list[Due]:
    frames = {name: (BEFORE[name].split(":")[1],) for name in BEFORE}
    return [Due(n, each, 1, n, "", A1.price_class, predecessors=frames.get(each, ())) for n, each in enumerate(names)]


@pytest.mark.parametrize(
    ("names", "left_out", "clips", "takes", "unready"),
    [
        ("abcd", "", "", "abcd", ""),
        ("abcd", "a", "", "", "b<a c<a d<a"),
        ("abcd", "a", "a", "bcd", ""),
        ("abcd", "b", "", "ad", "c<b"),
        ("abcd", "b", "b", "acd", ""),
        ("cd", "", "a", "d", "c<b"),
        ("xy", "y", "", "x", ""),
    ],
)
def test_what_goes_on_from_a_shot_without_a_clip_is_not_sent(
    names: str, left_out: str, clips: str, takes: str, unready: str
) -> None:
    order = order_to_send(due(*names), lambda each: each.shot_id not in left_out, frozenset(clips), First.STORY)
    assert "".join(sorted(each.shot_id for each in order.takes)) == takes
    assert " ".join(f"{each.shot_id}<{other}" for each, other in order.unready) == unready


def test_a_limit_counts_what_can_be_sent() -> None:
    order = order_to_send(due("a", "b", "c", "d"), lambda _: True, frozenset(), limit=2)
    assert [each.shot_id for each in order.takes] == ["a", "b"]


def test_an_inventory_knows_the_shots_with_clips() -> None:
    takes = (A1, replace(B, superseded=True), replace(C, superseded=True, circled=True), made(4, "d", RUNS))
    numbered = {("a", 1), ("b", 1), ("c", 1), ("d", 1)}
    assert Inventory.of(takes).clips == {"a", "c", "d", *numbered}
    without = (made(1, "a", FAILED), made(2, "b", HELD), made(3, "c", PLANNED))
    assert Inventory.of(tuple(replace(take, generation_id=None) for take in without)).clips == frozenset()


@pytest.mark.parametrize(
    ("take", "may_come"),
    [
        (replace(made(1, "a", HELD), generation_id="g"), True),  # the next run polls it again
        (replace(made(1, "a", HELD), generation_id="g", needs_user=True), False),
        (replace(made(1, "a", HELD), generation_id=None, request_id="r"), False),
    ],
)
def test_a_held_take_may_give_a_clip_if_the_next_run_looks_at_it_again(take: Take, *, may_come: bool) -> None:
    assert ("a" in Inventory.of((take,)).clips) is may_come


@pytest.mark.parametrize(
    ("clips", "is_sent"),
    [({"a"}, False), ({"a", ("a", 1)}, False), ({("a", 3)}, True), (set(), False)],
)
def test_a_take_that_continues_from_a_single_take_is_sent_only_if_that_one_has_a_clip(
    clips: set[str | tuple[str, int]], *, is_sent: bool
) -> None:
    pinned = [each._replace(pins=(("a", 3),)) for each in due("b")]
    assert bool(order_to_send(pinned, lambda _: True, clips).takes) is is_sent
    with_new = [due("a")[0]._replace(number=3), *pinned]
    assert len(order_to_send(with_new, lambda _: True, clips).takes) == 2


@pytest.mark.parametrize(
    ("takes", "lines"),
    [
        ((A1, B), ["0 b_t1 is verified", "0 it was made from the last frame of a, take 1"]),
        (
            (A1, A2, B),
            [
                "0 b_t1 is verified",
                "0 it was made from the last frame of a, take 1; a_t2 is the newest verified one now",
                "1 a_t2 is verified",
            ],
        ),
        (
            (replace(A1, circled=True), A2, replace(B, superseded=True), made(6, "b", PLANNED, number=2)),
            ["0 b_t2 is to be sent", "0 it continues from the last frame of a"],
        ),
        (
            (replace(made(1, "a", HELD), error="why not"), made(2, "b", PLANNED)),
            [
                "0 b_t1 is to be sent",
                "0 it continues from the last frame of a, and waits for a_t1, which is held",
                "1 a_t1 is held: why not",
            ],
        ),
        (
            (made(2, "b", PLANNED),),
            [
                "0 b_t1 is to be sent",
                "0 it continues from the last frame of a, and waits for a, which has no clip",
                "1 a has no take",
            ],
        ),
        (
            (replace(B, superseded=True, is_retake=True),),
            [
                "0 b_t1 is verified (a retake, made from an older recipe than the manifest's)",
                "0 it was made from the last frame of a, take 1",
            ],
        ),
        (
            (replace(B, superseded=True, circled=True), made(6, "b", number=2)),
            [
                "0 b_t1 is verified (circled, replaced by take 2)",
                "0 it was made from the last frame of a, take 1",
            ],
        ),
    ],
)
def test_why_goes_back_to_the_cause(takes: tuple[Take, ...], lines: list[str]) -> None:
    of = {2: 1} if any(take.take_id == 2 and take.attempt for take in takes) else {}
    known = chained(*takes, A1, of=of) if A1 not in takes and of else chained(*takes, of=of)
    mine = [take for take in takes if take.shot_id == "b"]
    assert [f"{each.depth} {each.text}" for each in whys_of("b", mine, known)] == lines


def test_a_pinned_take_is_named_once() -> None:
    pinned = made(2, "b", frame="frame:a:last:t1")
    assert whys_of("b", [pinned], chained(A1, A2, pinned, of={2: 1}))[1].text == (
        "it was made from the last frame of a take 1"
    )


def test_a_frame_that_was_sent_and_is_not_known_is_said_to_be_so() -> None:
    assert whys_of("b", [B], chained(A1, B))[1].text == (
        "it continues from the last frame of a; it is not known which of its takes gave the frame"
    )
    assert isinstance(chained(A1, B).joins(B)[0], Join)
