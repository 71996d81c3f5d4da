"""Shots of several models: what is there already is kept, and each model has its own takes and retakes."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.reporting.states import BEGIN, Pen, begin, shot
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.plan import Plan, make_plan
from wanbatch.batch.retakes import Retake, plan_retakes
from wanbatch.batch.shots import Batch, Fallback, Recipe, Shot, Version
from wanbatch.state.reader import StateReader

FIRST, SECOND = "alibaba/wan-2-6-t2v", "alibaba/wan-3-0-video"
BESIDE = (Version({"model": SECOND, "prompt": "A dragon lands.", "duration": 5}),)


def compared(one: Shot) -> Shot:
    return replace(one, beside=BESIDE)


def planned(tmp_path: Path, wanted: Shot) -> Plan:
    with StateReader.open(tmp_path) as reader:
        return make_plan(Batch("b", (wanted,)), reader.takes(), reader.shots(), reader.past())


def models_of(plan: Plan) -> list[tuple[str, int]]:
    return [(each.recipe.model, 0 if each.take is None else each.take.number) for each in plan.wanted]


def test_a_second_model_leaves_the_takes_of_the_first_as_they_are(tmp_path: Path) -> None:
    one = shot("a", 0)
    pen = begin(tmp_path, Batch("b", (one,)))
    pen.lead(1, State.VERIFIED, charged=1, label="a_t1")
    pen.state.close()
    plan = planned(tmp_path, compared(one))
    assert (models_of(plan), [each.price_class.model for each in plan.due]) == ([(FIRST, 1), (SECOND, 0)], [SECOND])
    assert plan.shots[0].wanted == 2


def test_a_retake_is_of_the_circled_model_and_stays_while_its_model_is_asked_for(tmp_path: Path) -> None:
    both = compared(shot("a", 0))
    pen = begin(tmp_path, Batch("b", (both,)))
    for take_id in (1, 2):
        pen.lead(take_id, State.VERIFIED, charged=1, label=f"a_t{take_id}")
    newest = plan_retakes(pen.state.shots(), pen.state.takes(), Retake(("a",)))
    pen.tell(1, Fact.CIRCLED)
    circled = plan_retakes(pen.state.shots(), pen.state.takes(), Retake(("a",)))
    pen.state.adopt(newest, BEGIN)
    pen.state.close()
    models = [[each.recipe.model for each in plan.wanted] for plan in (newest, circled)]
    kept = planned(tmp_path, both)
    assert (models, models_of(kept)) == ([[SECOND], [FIRST]], [(FIRST, 1), (SECOND, 2), (SECOND, 3)])


def test_a_model_that_is_no_longer_asked_for_leaves_its_clip_as_an_older_take(tmp_path: Path) -> None:
    both = compared(shot("a", 0))
    pen = begin(tmp_path, Batch("b", (both,)))
    for take_id in (1, 2):
        pen.lead(take_id, State.VERIFIED, charged=1, label=f"a_t{take_id}")
    pen.state.close()
    plan = planned(tmp_path, shot("a", 0))
    assert (models_of(plan), [take.number for take in plan.kept], plan.due) == ([(FIRST, 1)], [2], ())


def gone_on_with_its_fallback(tmp_path: Path) -> tuple[Shot, Recipe, Pen]:
    """A batch of one shot whose take failed and is planned again with the fallback: the shot, its recipe, a pen."""
    fallback = Fallback(BESIDE[0])
    one = replace(shot("a", 0), fallback=fallback)
    pen = begin(tmp_path, Batch("b", (one,)))
    pen.lead(1, State.FAILED, error="it broke")
    recipe = fallback.recipe_for(pen.state.take(1).recipe)
    pen.tell(1, Fact.MODEL_CHANGED, recipe_json=recipe.canonical)
    return one, recipe, pen


def test_a_take_that_went_on_with_its_fallback_answers_its_shot(tmp_path: Path) -> None:
    one, _, pen = gone_on_with_its_fallback(tmp_path)
    pen.state.close()
    kept, edited = planned(tmp_path, one), planned(tmp_path, replace(one, fallback=None))
    assert (models_of(kept), kept.changes, [each.price_class.model for each in kept.due]) == (
        [(SECOND, 1)],
        (),
        [SECOND],
    )
    assert models_of(edited) == [(FIRST, 1)]  # not sent yet: it follows the manifest
    with StateReader.open(tmp_path) as reader:
        assert (reader.fallbacks(), reader.fallback_of("nobody")) == ({"a": one.fallback}, None)


@pytest.mark.parametrize("is_removed", [True, False])
def test_a_clip_that_the_fallback_made_is_not_bought_again_if_only_the_fallback_is_edited(
    tmp_path: Path, is_removed: bool
) -> None:
    one, recipe, pen = gone_on_with_its_fallback(tmp_path)
    pen.lead(1, State.VERIFIED, charged=1, label="a_t1")
    pen.state.close()
    other = Fallback(replace(BESIDE[0], request={**BESIDE[0].request, "model": "alibaba/wan2.2-t2v-plus"}))
    plan = planned(tmp_path, replace(one, fallback=None if is_removed else other))
    assert (plan.due, plan.changes, [each.recipe for each in plan.wanted]) == ((), (), [recipe])
    new = planned(tmp_path, replace(one, fallback=None, request={**one.request, "prompt": "another"}))
    assert [each.price_class.model for each in new.due] == [FIRST]  # its shot was edited


def test_a_retake_of_a_clip_that_the_fallback_made_is_of_that_model(tmp_path: Path) -> None:
    one = replace(shot("a", 0), fallback=Fallback(BESIDE[0]))
    pen = begin(tmp_path, Batch("b", (one,)))
    pen.lead(1, State.FAILED, error="it broke")
    recipe = Fallback(BESIDE[0]).recipe_for(pen.state.take(1).recipe)
    pen.tell(1, Fact.MODEL_CHANGED, recipe_json=recipe.canonical)
    pen.lead(1, State.VERIFIED, charged=1, label="a_t1")
    newest = plan_retakes(pen.state.shots(), pen.state.takes(), Retake(("a",)))
    pen.state.adopt(newest, BEGIN)
    planned_one = planned(tmp_path, one)
    pen.lead(2, State.VERIFIED, charged=1, label="a_t2")
    pen.state.close()
    kept = planned(tmp_path, one)
    assert [models_of(each) for each in (newest, planned_one, kept)] == [
        [(SECOND, 0)],
        [(SECOND, 1), (SECOND, 2)],
        [(SECOND, 1), (SECOND, 2)],
    ]
    assert (planned_one.changes, kept.changes, kept.due) == ((), (), ())
