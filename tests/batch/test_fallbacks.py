"""The rule of fallbacks: each condition of a purchase by another model, case by case."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from wanbatch.batch.attempts import Attempt, Outcome
from wanbatch.batch.fallback_words import changed_text
from wanbatch.batch.fallbacks import is_free, next_recipe, recipes_of
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.shots import FAILED, REFUSED, Fallback, Recipe, Shot, Version
from wanbatch.batch.take import Entry, Take, fold
from wanbatch.state.needs import problems_in

AT = datetime(2026, 3, 1, 20, 0, tzinfo=UTC)
FIRST = Recipe.of({"model": "alibaba/wan-2-6-t2v", "prompt": "p", "seed": 7})
OTHER = {"model": "alibaba/wan-3-0-video", "prompt": "p"}
SECOND = Recipe.of({**OTHER, "seed": 7})
FALLBACK = Fallback(Version(OTHER))
BOTH = replace(FALLBACK, on=(FAILED, REFUSED))
ONLY_REFUSED = replace(FALLBACK, on=(REFUSED,))
PLANNED = Entry(Fact.PLANNED, AT, {"number": 1, "recipe_json": FIRST.canonical})
CHANGED = Entry(Fact.MODEL_CHANGED, AT, {"recipe_json": SECOND.canonical})
BROKE, MODERATED = "the generation failed", "Content policy violation"


def attempt(number: int, outcome: Outcome, error: str = BROKE, **more: int) -> Attempt:
    return Attempt(1, number, f"wb1:n:r:1.{number}", "b", "key", AT, outcome=outcome, error=error, **more)  # type: ignore[arg-type]


def take(error: str = BROKE, **more: object) -> Take:
    failed = Take(1, "a", 1, FIRST.canonical, state=State.FAILED, attempts=1, attempt=1, error=error)
    return replace(failed, **more)  # type: ignore[arg-type]


AGAIN, DOUBTED = Entry(Fact.RETRY_PLANNED, AT, {"by": "user"}), Entry(Fact.RETRY_WITHDRAWN, AT, {"error": "charged?"})
FAILED_ONE, REFUSED_ONE = attempt(1, Outcome.FAILED), attempt(1, Outcome.REFUSED)


@pytest.mark.parametrize(
    ("of", "attempts", "facts", "fallback", "is_taken"),
    [
        (take(), [FAILED_ONE], [PLANNED], FALLBACK, True),
        (take(), [REFUSED_ONE], [PLANNED], FALLBACK, True),
        (take(), [attempt(1, Outcome.TURNED_AWAY), attempt(2, Outcome.FAILED)], [PLANNED], FALLBACK, False),  # follows 1
        (take(attempt=2, attempts=2), [attempt(1, Outcome.TURNED_AWAY), attempt(2, Outcome.FAILED)], [PLANNED], FALLBACK, True),
        (take(), [FAILED_ONE], [PLANNED], None, False),
        # Not failed, or not asked for.
        (take(state=State.HELD), [FAILED_ONE], [PLANNED], FALLBACK, False),
        (take(state=State.UNKNOWN), [FAILED_ONE], [PLANNED], FALLBACK, False),
        (take(state=State.PLANNED), [FAILED_ONE], [PLANNED], FALLBACK, False),
        (take(superseded=True), [FAILED_ONE], [PLANNED], FALLBACK, False),
        # Something may have been made, or was charged.
        (take(), [attempt(1, Outcome.LOST)], [PLANNED], FALLBACK, False),
        (take(), [attempt(1, Outcome.ABANDONED)], [PLANNED], FALLBACK, False),
        (take(), [attempt(1, Outcome.FAILED, "")], [PLANNED], FALLBACK, False),
        (take(attempt=2), [attempt(1, Outcome.LOST), attempt(2, Outcome.FAILED)], [PLANNED], FALLBACK, False),
        (take(), [FAILED_ONE, attempt(-1, Outcome.DOUBLE)], [PLANNED], FALLBACK, False),
        (take(), [attempt(1, Outcome.FAILED, credits_charged=1)], [PLANNED], FALLBACK, False),
        (take(credits_charged=1), [FAILED_ONE], [PLANNED], FALLBACK, False),
        (take(credits_charged=0), [FAILED_ONE], [PLANNED], FALLBACK, False),
        (take(credits_at_risk=1), [FAILED_ONE], [PLANNED], FALLBACK, False),
        (take(credits_at_risk=None), [FAILED_ONE], [PLANNED], FALLBACK, False),
        (take(), [], [PLANNED], FALLBACK, False),
        # A refused prompt is the user's to change, unless the manifest says otherwise.
        (take(MODERATED), [FAILED_ONE], [PLANNED], FALLBACK, False),
        (take(MODERATED), [FAILED_ONE], [PLANNED], BOTH, True),
        (take(MODERATED), [REFUSED_ONE], [PLANNED], ONLY_REFUSED, True),
        (take(), [FAILED_ONE], [PLANNED], ONLY_REFUSED, False),
        # An earlier submit may have been charged after all: only the user sends it again.
        (take(), [FAILED_ONE], [PLANNED, AGAIN, DOUBTED], FALLBACK, False),
        (take(), [FAILED_ONE], [PLANNED, AGAIN, DOUBTED, AGAIN], FALLBACK, True),
        # Once.
        (take(), [FAILED_ONE], [PLANNED, CHANGED], FALLBACK, False),
        (take(recipe_json=SECOND.canonical), [FAILED_ONE], [PLANNED], FALLBACK, False),
    ],
)  # fmt: skip
def test_a_fallback_is_taken_once_and_only_if_the_first_is_proven_to_cost_nothing(
    of: Take, attempts: list[Attempt], facts: list[Entry], fallback: Fallback | None, is_taken: bool
) -> None:
    assert next_recipe(of, attempts, facts, fallback) == (SECOND if is_taken else None)


@pytest.mark.parametrize("outcome", list(Outcome))
def test_only_refusals_and_failures_end_a_submit_for_free(outcome: Outcome) -> None:
    assert is_free(take(), [attempt(1, outcome)]) == (outcome in (Outcome.REFUSED, Outcome.FAILED))


def test_an_edited_take_has_its_fallback_again() -> None:
    edited = Recipe.of({**FIRST.body, "prompt": "q"})
    facts = [PLANNED, CHANGED, Entry(Fact.REPLANNED, AT, {"recipe_json": edited.canonical})]
    fallback = Fallback(Version({**OTHER, "prompt": "q"}))
    assert (next_recipe(take(recipe_json=edited.canonical), [FAILED_ONE], facts, fallback) is not None, list(recipes_of(facts))) == (
        True,
        [edited.short_hash],
    )  # fmt: skip


def test_a_seed_goes_along_if_both_models_take_one() -> None:
    without = Recipe.of({"model": "m", "prompt": "p"})
    told = [
        FALLBACK.recipe_for(FIRST),
        FALLBACK.recipe_for(without),
        Fallback(Version(OTHER, has_seed=False)).recipe_for(FIRST),
    ]
    assert told == [SECOND, Recipe.of(OTHER), Recipe.of(OTHER)]


def test_what_the_first_model_held_is_no_price_of_the_second() -> None:
    sent = {"attempt": 1, "request_id": "r", "body_sha256": "b", "key_fingerprint": "k", "credits_estimated": 5}
    facts = [
        PLANNED,
        Entry(Fact.SUBMIT_STARTED, AT, sent),
        Entry(Fact.ACCEPTED, AT, {"generation_id": "g", "credits_held": 6}),
        Entry(Fact.GENERATION_FAILED, AT, {"error": BROKE}),
        CHANGED,
    ]
    now = fold(1, "a", facts)
    assert (now.state, now.recipe, now.credits_held, now.credits_estimated, now.tries) == (
        State.PLANNED,
        SECOND,
        None,
        None,
        0,
    )


def test_the_recipes_of_a_shot_are_the_same_with_a_fallback() -> None:
    shot = Shot("a", 0, {"model": "alibaba/wan-2-6-t2v", "prompt": "p"})
    assert replace(shot, fallback=FALLBACK).recipes == shot.recipes


FIRST_NAME, SECOND_NAME = "alibaba/wan-2-6-t2v", "alibaba/wan-3-0-video"
TAIL = "which made nothing and cost nothing"


@pytest.mark.parametrize(
    ("facts", "told"),
    [
        ((), f"goes on with {SECOND_NAME} in place of {FIRST_NAME}, {TAIL} (it broke)"),
        ((Fact.SUBMIT_STARTED,), f"sent to {SECOND_NAME} in place of {FIRST_NAME}, {TAIL} (it broke)"),
        ((Fact.SUBMIT_STARTED, Fact.ACCEPTED), f"sent to {SECOND_NAME} in place of {FIRST_NAME}, {TAIL} (it broke)"),
        ((Fact.SUBMIT_STARTED, Fact.REFUSED), f"failed with {SECOND_NAME}, too, after {FIRST_NAME}, {TAIL} (it broke)"),
        (
            (Fact.SUBMIT_STARTED, Fact.REFUSED, Fact.RETRY_PLANNED, Fact.SUBMIT_STARTED),
            f"sent to {SECOND_NAME} in place of {FIRST_NAME}, {TAIL} (it broke)",
        ),
        (
            (Fact.SUBMIT_STARTED, Fact.ACCEPTED, Fact.COMPLETED),
            f"made by {SECOND_NAME} in place of {FIRST_NAME}, {TAIL} (it broke)",
        ),
        ((Fact.REPLANNED,), f"sent to {SECOND_NAME}, too, after {FIRST_NAME}, {TAIL} as far as was known then (it broke)"),
    ],
    ids=["planned", "sent", "accepted", "refused", "sent again", "made", "not its model now"],
)  # fmt: skip
def test_what_is_told_of_a_fallback_is_true_at_each_step(facts: tuple[Fact, ...], told: str) -> None:
    text = changed_text(FIRST_NAME, SECOND_NAME, "it broke")
    story = fallen_back(text)
    data = {
        Fact.REPLANNED: {"recipe_json": FIRST.canonical},
        Fact.ACCEPTED: {"generation_id": "g"},
        Fact.RETRY_PLANNED: {"by": "user"},
    }
    for number, fact in enumerate(facts, start=2):
        story.append(sent(number) if fact is Fact.SUBMIT_STARTED else Entry(fact, AT, data.get(fact, {})))
    assert fold(1, "a", story).warning == told


def fallen_back(text: str) -> list[Entry]:
    """The facts of a take whose first submit was refused, up to the warning that it goes on with its fallback."""
    refused = Entry(Fact.REFUSED, AT, {"error": "it broke"})
    return [PLANNED, sent(1), refused, CHANGED, Entry(Fact.WARNED, AT, {"warning": text})]


def sent(number: int) -> Entry:
    data = {"attempt": number, "request_id": f"r{number}", "body_sha256": "b", "key_fingerprint": "k"}
    return Entry(Fact.SUBMIT_STARTED, AT, data)


def test_status_says_that_both_models_failed() -> None:
    text = f"failed with {SECOND_NAME}, too, after {FIRST_NAME}, {TAIL} (it broke)"
    (problem,) = problems_in([take("no luck", warning=f"silent; {text}")], folder="out")
    assert str(problem) == f"a_t1 failed: no luck ({text}). `wanbatch retry out` tries again"


@pytest.mark.parametrize(
    "text",
    [
        f"made by {SECOND_NAME} in place of {FIRST_NAME}, its fallback, as {FIRST_NAME} made nothing and charged nothing (it broke)",
        f"goes on with {SECOND_NAME} in place of {FIRST_NAME}, which made nothing and charged nothing (it broke)",
    ],
    ids=["with the fallback", "charged nothing"],
)
def test_what_an_earlier_version_told_stays_as_it_is(text: str) -> None:
    story = fallen_back(text)
    assert fold(1, "a", story).warning == text  # a state file is held against its facts
