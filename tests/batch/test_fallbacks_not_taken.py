"""Why a failed take did not go on with its fallback is said, where what is recorded tells it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.reporting.states import CREDITS, begin, shot
from wanbatch.batch.fallbacks import why_not_taken
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.shots import FAILED, REFUSED, Batch, Fallback, Shot, Version
from wanbatch.state.findings import read_findings
from wanbatch.state.progress_reader import read_overview
from wanbatch.state.reader import StateReader

OTHER = "alibaba/wan2.2-t2v-plus"
MODERATED = "the prompt was flagged by moderation"


def fallback(*on: str) -> Fallback:
    return Fallback(Version({"model": OTHER, "prompt": "A dragon lands."}), on)


def failed(folder: Path, only: Fallback, **words: Any) -> Path:
    pen = begin(folder, Batch("film", (shot("s", 0, fallback=only),)))
    pen.lead(1, State.FAILED, estimated=CREDITS, **words)
    pen.state.close()
    return folder


@pytest.mark.parametrize(
    ("on", "words", "told"),
    [
        (
            (FAILED,),
            {"error": MODERATED},
            "was not used, because the provider refused the prompt: change it, or write",
        ),
        ((REFUSED,), {}, "was not used, because it is only for refused prompts"),
        ((FAILED,), {"charged": CREDITS}, "was not used, because the first model's failed try was charged"),
        ((FAILED,), {}, "is next: run the same command again to use it"),
        ((REFUSED, FAILED), {"error": MODERATED}, "is next: run the same command again to use it"),
    ],
)
def test_status_says_why_a_fallback_was_not_taken(
    tmp_path: Path, on: tuple[str, ...], words: dict[str, Any], told: str
) -> None:
    (problem,) = read_overview(failed(tmp_path, fallback(*on), **words)).problems
    assert f"(its fallback {OTHER} {told}" in problem.error


def test_a_clip_of_another_shot_with_the_same_request_and_seed_is_named(tmp_path: Path) -> None:
    request = dict(fallback().version.request)
    same = Shot("z", 1, request, seed=7)
    pen = begin(tmp_path, Batch("film", (shot("s", 0, fallback=fallback(FAILED)), same)))
    pen.lead(1, State.FAILED, estimated=CREDITS)
    pen.lead(2, State.VERIFIED, label="z_t1")
    pen.state.close()
    (problem,) = read_overview(tmp_path).problems
    assert "was not used, because z_t1 has the same request and seed: give the shot another seed" in problem.error


def test_nothing_is_said_of_a_take_without_a_fallback_or_on_it(tmp_path: Path) -> None:
    pen = begin(tmp_path, Batch("film", (shot("s", 0), shot("on", 1, fallback=fallback(FAILED)))))
    pen.lead(1, State.FAILED)
    pen.lead(2, State.FAILED)
    moved = fallback(FAILED).recipe_for(pen.state.take(2).recipe)
    pen.tell(2, Fact.MODEL_CHANGED, recipe_json=moved.canonical, model=OTHER)
    take, attempts, facts = pen.state.take(2), pen.state.attempts_of(2), pen.state.facts_of(2)
    pen.state.close()
    with StateReader.open(tmp_path) as reader:
        assert read_findings(reader).fallbacks == {}
    assert why_not_taken(take, attempts, facts, fallback(FAILED)) == ""
