"""The plan of one shot, case by case: which takes are kept, what is bought, what follows an edit, what is left behind."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass, replace

import pytest

from wanbatch.batch.changes import Create, Reinstate, Replan, Supersede
from wanbatch.batch.lifecycle import State
from wanbatch.batch.shot_plan import ShotPlan, plan_shot
from wanbatch.batch.shots import DEFAULT_MODEL, Recipe, Shot, derived_seed
from wanbatch.batch.take import Take

P, V, F, H, Q, U = State.PLANNED, State.VERIFIED, State.FAILED, State.HELD, State.QUEUED, State.UNKNOWN
NEXT = 8


def shot(prompt: str = "p", takes: int = 1, *, seed: int | None = None, omit: bool = False) -> Shot:
    return Shot("a", 0, {"model": DEFAULT_MODEL, "prompt": prompt}, takes=takes, seed=seed, omit=omit)


def seeds(first: int, *more: int) -> Shot:
    return replace(shot(takes=1 + len(more), seed=first), seeds=(first, *more))


def take(number: int, state: State, prompt: str = "p", *, slot: int = 1, old: bool = False, of: str = "a") -> Take:
    """Make a take of a slot's recipe; `old` where it is superseded, `of` the shot whose seed it has."""
    body = {"model": DEFAULT_MODEL, "prompt": prompt, "seed": derived_seed(of, slot)}
    return Take(number, "a", number, Recipe.of(body).canonical, state=state, superseded=old)


def retake(number: int, state: State, prompt: str = "p", *, old: bool = False, seed: int | None = None) -> Take:
    body = {"model": DEFAULT_MODEL, "prompt": prompt, "seed": 900 + number if seed is None else seed}
    return Take(number, "a", number, Recipe.of(body).canonical, state=state, superseded=old, is_retake=True)


@dataclass(frozen=True)
class Case:
    """What a plan makes of a shot and its takes: `wanted` and `left` by number, new ones as `new`."""

    name: str
    shot: Shot
    takes: tuple[Take, ...]
    wanted: str
    changes: str = ""
    left: str = ""
    moved: tuple[int, ...] = ()


KEPT = [Case(f"{state}: kept as it is", shot(), (take(1, state),), "t1") for state in State]
NEW = [
    Case("nothing is there", shot(), (), "new", "create t8"),
    Case("two are wanted and none is there", shot(takes=2), (), "new new", "create t8, create t9"),
    Case("one more is wanted", shot(takes=2), (take(1, V),), "t1 new", "create t8"),
    Case("the second is there", shot(takes=2), (take(1, V, slot=2),), "new t1", "create t8"),
]
EDITED = [
    *(
        Case(f"{state}: bought anew", shot("q"), (take(1, state),), "new", "create t8, supersede t1", "t1")
        for state in State
        if state is not P
    ),
    Case("stale before", shot("q"), (take(1, V, old=True),), "new", "create t8", "t1"),
    Case("never sent", shot("q"), (take(1, P),), "t1", "replan t1"),
    Case("never sent and stale", shot("q"), (take(1, P, old=True),), "t1", "reinstate t1, replan t1"),
    Case("the first that was never sent", shot("q"), (take(3, P), take(2, P)), "t2", "replan t2, supersede t3", "t3"),
    Case("two never sent", shot("q", 2), (take(1, P), take(2, P, slot=2)), "t1 t2", "replan t1, replan t2"),
    Case(
        "one sent, one not",
        shot("q", 2),
        (take(1, V), take(2, P, slot=2)),
        "t2 new",
        "replan t2, create t8, supersede t1",
        "t1",
    ),
]
TAKEN_BACK = [
    Case("paid", shot(), (take(1, V, old=True),), "t1", "reinstate t1"),
    Case(
        "the edit not sent", shot(), (take(1, V, old=True), take(2, P, "q")), "t1", "reinstate t1, supersede t2", "t2"
    ),
    Case("the edit paid", shot(), (take(1, V, old=True), take(2, V, "q")), "t1", "reinstate t1, supersede t2", "t2"),
    Case("failed, or omitted before", shot(), (take(1, F, old=True),), "t1", "reinstate t1"),
]
ALIKE = [
    Case("verified before failed", shot(), (take(1, F), take(2, V)), "t2", left="t1"),
    Case("under way before unknown", shot(), (take(1, U), take(2, Q)), "t2", left="t1"),
    Case("held before planned", shot(), (take(1, P), take(2, H)), "t2", "supersede t1", "t1"),
    Case("the later of two", shot(), (take(1, V), take(2, V)), "t2", left="t1"),
    Case("in another Unicode form", shot("é"), (take(1, V, unicodedata.normalize("NFD", "é")),), "t1"),
]
FEWER = [
    Case("paid", shot(), (take(1, V), take(2, V, slot=2)), "t1", "supersede t2", "t2"),
    Case("not sent", shot(), (take(1, V), take(2, P, slot=2)), "t1", "supersede t2", "t2"),
    Case("omitted: what is paid stays current", shot(omit=True), (take(1, V),), "", "", "t1"),
    Case("omitted: what is under way stays current", shot(omit=True), (take(1, Q),), "", "", "t1"),
    Case("omitted: what was not sent is dropped", shot(omit=True), (take(1, P),), "", "supersede t1", "t1"),
    Case(
        "omitted: what failed is dropped",
        shot(omit=True),
        (take(1, F), take(2, V, slot=2)),
        "",
        "supersede t1",
        "t2 t1",
    ),
    Case("omitted: a retake stays", shot(omit=True), (take(1, V), retake(2, V)), "", "", "t2 t1"),
    Case("omitted: a retake not sent is dropped", shot(omit=True), (retake(2, P),), "", "supersede t2", "t2"),
]
RETAKES = [
    Case("kept beside the slot", shot(), (take(1, V), retake(2, V)), "t1 t2"),
    Case("reinstated", shot(), (take(1, V), retake(2, V, old=True)), "t1 t2", "reinstate t2"),
    Case("never fills a slot of another recipe", shot("q"), (retake(2, P),), "new t2", "create t8, replan t2"),
    Case(
        "stale after an edit",
        shot("q"),
        (take(1, V), retake(2, V)),
        "new",
        "create t8, supersede t2, supersede t1",
        "t2 t1",
    ),
    Case(
        "not sent, follows an edit", shot("q"), (take(1, V), retake(2, P)), "new t2",
        "create t8, replan t2, supersede t1", "t1",
    ),
    Case(
        "not sent and stale, follows an edit", shot("q"), (take(1, V, "q"), retake(2, P, old=True)), "t1 t2",
        "reinstate t2, replan t2",
    ),
    Case("with the seed of a slot", shot(seed=5), (retake(2, V, seed=5),), "t2"),
    Case("of a recipe that a slot has", shot(seed=5), (retake(2, V, seed=5), retake(3, F, seed=5)), "t2", left="t3"),
    Case("stands in for a failed take", shot(), (take(1, F, old=True), retake(2, P)), "t2", left="t1"),
    Case("stands in, paid", shot(), (take(1, F, old=True), retake(2, V)), "t2", left="t1"),
    Case(
        "stood in and failed, too: the first is wanted", shot(), (take(1, F, old=True), retake(2, F, old=True)),
        "t1 t2", "reinstate t1, reinstate t2",
    ),
    Case("failed, replaced by a later one", shot(), (take(1, V), retake(2, F, old=True), retake(3, V)), "t1 t3", left="t2"),
    Case("failed, replaced by none", shot(), (take(1, V), retake(2, F, old=True)), "t1 t2", "reinstate t2"),
    Case(
        "stands in for none where another slot asks for its seed", seeds(5, 6),
        (retake(1, F, seed=5, old=True), retake(2, V, seed=6)), "t1 t2", "reinstate t1",
    ),
    Case(
        "not sent, followed an edit that is taken back to what a clip is of", shot(),
        (take(1, V), retake(2, V, seed=7, old=True), retake(3, P, "q", seed=7)), "t1 t2",
        "reinstate t2, supersede t3", "t3",
    ),
    Case(
        "not sent, with a seed that failed before", shot(),
        (take(1, V), retake(2, F, seed=7, old=True), retake(3, P, "q", seed=7)), "t1 t3",
        "replan t3", "t2",
    ),
]  # fmt: skip
MOVED = [
    Case("with the seed of its old name", shot(), (take(1, V, of="b"),), "t1", moved=(1,)),
    Case("not sent", shot(), (take(1, P, of="b"),), "t1", moved=(1,)),
    Case("stale", shot(), (take(1, V, of="b", old=True),), "t1", "reinstate t1", moved=(1,)),
    Case("not moved: another seed is another recipe", shot(), (take(1, V, of="b"),), "new", "create t8, supersede t1", "t1"),
    Case("of another prompt", shot("q"), (take(1, V, of="b"),), "new", "create t8, supersede t1", "t1", (1,)),
    Case("a seed is given", shot(seed=5), (take(1, V, of="b"),), "new", "create t8, supersede t1", "t1", (1,)),
    Case("to its own slot", shot(takes=2), (take(2, V, of="b", slot=2),), "new t2", "create t8", moved=(2,)),
    Case("beside one of its own", shot(takes=2), (take(1, V), take(4, V, of="b")), "t1 t4", moved=(4,)),
    Case("one too many", shot(), (take(1, V), take(4, V, of="b")), "t1", "supersede t4", "t4", (4,)),
]  # fmt: skip
CASES = {"kept": KEPT, "new": NEW, "edited": EDITED, "taken back": TAKEN_BACK, "alike": ALIKE, "fewer": FEWER}
CASES |= {"retake": RETAKES, "moved": MOVED}


def in_words(plan: ShotPlan) -> tuple[str, str, str]:
    changes = []
    for each in plan.changes:
        match each:
            case Create():
                changes.append(f"create t{each.number}")
            case Replan() | Supersede() | Reinstate():
                changes.append(f"{type(each).__name__.lower()} t{each.take_id}")
            case _:
                changes.append(repr(each))
    wanted = ["new" if each.take is None else each.take.label[2:] for each in plan.wanted]
    return " ".join(wanted), ", ".join(changes), " ".join(each.label[2:] for each in plan.left)


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=f"{group}: {case.name}") for group, cases in CASES.items() for case in cases]
)
def test_a_shot_is_planned(case: Case) -> None:
    plan = plan_shot(case.shot, case.takes, frozenset(case.moved), NEXT)
    assert in_words(plan) == (case.wanted, case.changes, case.left)


@pytest.mark.parametrize(
    "case", [pytest.param(case, id=f"{group}: {case.name}") for group, cases in CASES.items() for case in cases]
)
def test_the_plan_of_a_planned_shot_changes_nothing(case: Case) -> None:
    moved = frozenset(case.moved)
    takes = {each.take_id: each for each in case.takes}
    for change in plan_shot(case.shot, case.takes, moved, NEXT).changes:
        match change:
            case Create():
                takes[change.number] = Take(change.number, "a", change.number, change.recipe.canonical)
            case Replan():
                takes[change.take_id] = replace(takes[change.take_id], recipe_json=change.recipe.canonical)
            case Supersede():
                takes[change.take_id] = replace(takes[change.take_id], superseded=True)
            case Reinstate():
                takes[change.take_id] = replace(takes[change.take_id], superseded=False)
    assert plan_shot(case.shot, tuple(takes.values()), moved, NEXT + 3).changes == ()


def test_a_take_that_moved_keeps_its_own_recipe() -> None:
    moved = take(1, V, of="b")
    assert plan_shot(shot(), (moved,), frozenset({1}), NEXT).wanted[0].recipe == moved.recipe


def _unseeded(number: int, state: State, *, is_retake: bool = False, old: bool = False) -> Take:
    body = {"model": "somebody/seedless", "prompt": "p"}
    return Take(number, "a", number, Recipe.of(body).canonical, state=state, superseded=old, is_retake=is_retake)


@pytest.mark.parametrize(
    ("takes", "there", "wanted", "changes"),
    [
        (2, (), [None, None], 2),
        (2, (_unseeded(1, V),), [1, None], 1),
        (2, (_unseeded(1, V), _unseeded(2, U)), [1, 2], 0),
        (1, (_unseeded(1, V), _unseeded(2, P, is_retake=True)), [1, 2], 0),
        (1, (_unseeded(1, V), _unseeded(2, V, is_retake=True)), [1, 2], 0),
        (1, (_unseeded(1, F, old=True), _unseeded(2, P, is_retake=True)), [2], 0),
    ],
    ids=["none there", "one there", "both there", "a retake waits", "a retake is there", "a retake for a failed one"],
)
def test_takes_of_a_model_without_seeds_are_told_apart_by_number(
    takes: int, there: tuple[Take, ...], wanted: list[int | None], changes: int
) -> None:
    seedless = Shot("a", 0, {"model": "somebody/seedless", "prompt": "p"}, takes=takes, has_seed=False)
    plan = plan_shot(seedless, there, frozenset(), NEXT)
    found = [each.take.number if each.take is not None else None for each in plan.wanted]
    assert (found, len(plan.changes)) == (wanted, changes)
