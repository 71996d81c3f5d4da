"""Edits, retakes, failures and fallbacks in any order: the same request and seed is never bought twice unasked."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.reporting.states import BEGIN, FINGERPRINT
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.names import composed
from wanbatch.batch.retakes import Retake, plan_retakes
from wanbatch.batch.shots import Batch, Fallback, Recipe, Shot, Version
from wanbatch.batch.take import Take
from wanbatch.errors import UsageInvalid
from wanbatch.provider.endpoint import load_settings
from wanbatch.runner.fallbacks import left_to_fall_back
from wanbatch.session.access import Access
from wanbatch.session.admission import Admission, admit, carry
from wanbatch.session.execution import Job
from wanbatch.session.left_admission import admit_left, is_there_meanwhile, orders_again, orders_of_retakes
from wanbatch.session.options import RunOptions
from wanbatch.state.file import StateFile
from wanbatch.state.reader import entry
from wanbatch.state.tables import new_identity

FIRST, SECOND = "alibaba/wan-2-6-t2v", "alibaba/wan-3-0-video"
STOP, TAKE_OVER, BUY_AGAIN = "stop", "take over", "buy again"

ids, words = st.sampled_from("ab"), st.sampled_from(("hill", "harbour"))
seeds = st.none() | st.integers(1, 2)
specs = st.tuples(words, seeds, st.integers(1, 2), st.sampled_from((FIRST, SECOND)), st.booleans(), st.booleans())
manifests = st.dictionaries(ids, specs, min_size=1, max_size=2)
answers = st.sampled_from((STOP, STOP, TAKE_OVER, TAKE_OVER, BUY_AGAIN))
outcomes = st.lists(st.booleans(), max_size=4)
runs = st.tuples(st.just("run"), manifests, answers, st.integers(0, 4), outcomes)
agains = st.tuples(st.just("run again"), answers, st.integers(0, 4), outcomes)
retakes = st.tuples(st.just("retake"), ids, seeds, st.booleans(), answers, outcomes)
retries = st.tuples(st.just("retry"), answers, outcomes)
steps = st.lists(runs | agains | retakes | retries, min_size=2, max_size=8)


def shot_of(shot_id: str, ordinal: int, spec: Sequence[Any]) -> Shot:
    prompt, seed, takes, model, has_fallback, omit = spec
    body = {"model": model, "prompt": prompt, "duration": 5}
    other = Version({**body, "model": SECOND if model == FIRST else FIRST})
    fallback = Fallback(other) if has_fallback else None
    return Shot(shot_id, ordinal, body, seed=seed, takes=takes, fallback=fallback, omit=omit)


@dataclass
class Film:
    """A folder, what was bought in it, and what the user said may be bought again: requests with their seeds."""

    state: StateFile
    batch: Batch = field(default_factory=lambda: Batch("film", ()))
    bought: Counter[str] = field(default_factory=Counter)
    agreed: set[str] = field(default_factory=set)
    seconds: int = 0
    unasked: list[str] = field(default_factory=list)
    digest: str = ""
    is_agreed: bool = False
    access: Access = field(
        default_factory=lambda: Access(load_settings({}, None, Path(tempfile.gettempdir())), is_embedded=True)
    )

    def tell(self, take_id: int, fact: Fact, **data: Any) -> None:
        self.seconds += 1
        self.state.record(take_id, entry(fact, BEGIN + timedelta(seconds=self.seconds), data))

    def run(self, manifest: dict[str, Sequence[Any]] | None, answer: str, limit: int, ends: list[bool]) -> None:
        """Run a manifest as the command does; None for the one before, whose plan may still hold."""
        if manifest is not None:
            self.digest = repr(manifest)
            self.batch = Batch("film", tuple(shot_of(each, n, spec) for n, (each, spec) in enumerate(manifest.items())))
        is_planned = self.state.is_planned_from(self.digest)
        if not is_planned or is_there_meanwhile("", self.state, self.access.address):
            admission = self._admitted(answer)
            if admission is None:
                return
            carry(self.state, admission, BEGIN + timedelta(seconds=self.seconds), self.digest)
            if self.is_agreed:
                self.agreed |= set(self.bought) | {composed(take.recipe_json) for take in self.planned()}
        self.send(self.planned()[:limit], ends)

    def _admitted(self, answer: str) -> Admission | None:
        self.is_agreed = False
        options = RunOptions(sandbox=True, same_batch=True)
        output = self.state.output
        admission = admit(self.batch, output, self.state, options, self.access)
        if not any(each.is_blocking for each in admission.questions):
            return admission
        if answer == STOP:
            return None
        options = replace(options, take_over=answer == TAKE_OVER, buy_again=answer == BUY_AGAIN)
        admission = admit(self.batch, output, self.state, options, self.access)
        self.is_agreed = answer == BUY_AGAIN
        return None if any(each.is_blocking for each in admission.questions) else admission

    def planned(self) -> list[Take]:
        return [take for take in self.state.takes_in([State.PLANNED]) if not take.superseded]

    def send(self, takes: Sequence[Take], ends: list[bool]) -> None:
        """Send takes; what fails is taken up by its fallback, as a run does."""
        for take in takes:
            self._send_one(take, is_made=ends.pop(0) if ends else True)
        for take_id, recipe in left_to_fall_back(self.state, lambda _: True).items():
            if left_to_fall_back(self.state, lambda _: True).get(take_id) != recipe:
                continue  # one before it was made meanwhile
            self.tell(take_id, Fact.MODEL_CHANGED, recipe_json=recipe.canonical, model=recipe.model)
            self._send_one(self.state.take(take_id), is_made=ends.pop(0) if ends else True)

    def _send_one(self, take: Take, *, is_made: bool) -> None:
        number = take.attempts + 1
        nonce = self.state.identity().nonce
        request_id = f"wb1:{nonce}:{Recipe(take.recipe_json).short_hash}:{take.take_id}.{number}"
        self.tell(
            take.take_id,
            Fact.SUBMIT_STARTED,
            attempt=number,
            request_id=request_id,
            body_sha256="b" * 64,
            key_fingerprint=FINGERPRINT,
            credits_estimated=1,
        )
        self.tell(take.take_id, Fact.ACCEPTED, generation_id=f"g{take.take_id}.{number}", credits_held=1)
        self.tell(take.take_id, Fact.GENERATION_STARTED, seen_change=True)
        if not is_made:
            self.tell(take.take_id, Fact.GENERATION_FAILED, error="the model failed")
            return
        self.tell(take.take_id, Fact.COMPLETED, last_running_at=BEGIN.isoformat())
        text = composed(take.recipe_json)
        self.bought[text] += 1
        if self.bought[text] > 1 and text not in self.agreed:
            self.unasked.append(f"{take.label} is bought again: {text}")

    def retake(self, shot_id: str, seed: int | None, *, is_later: bool, answer: str, ends: list[bool]) -> None:
        try:
            asked = Retake((shot_id,), seed=seed)
            plan = plan_retakes(self.state.shots(), self.state.takes(), asked, self.state.past())
        except UsageInvalid:
            return
        if is_later:
            self.state.adopt(plan, BEGIN)
            return
        orders = orders_of_retakes(plan, self.state)
        if self._may_send(orders, Job(plan=plan), answer):
            self.send([take for take in self.planned() if take.shot_id == shot_id], ends)

    def retry(self, answer: str, ends: list[bool]) -> None:
        failed = [take for take in self.state.takes_in([State.FAILED]) if self.state.is_asked_for(take)]
        if self._may_send(orders_again(failed, self.planned(), self.state), Job(again=failed), answer):
            self.send(self.planned(), ends)

    def _may_send(self, orders: Sequence[Any], job: Job, answer: str) -> bool:
        questions, settled = admit_left(("wanbatch",), orders, self.state, self.access)
        if any(each.is_blocking for each in questions):
            if answer != BUY_AGAIN:
                return False
            self.agreed |= set(self.bought)
        replace(job, settled=settled).write(self.state, BEGIN + timedelta(seconds=self.seconds))
        if questions:
            self.agreed |= {composed(take.recipe_json) for take in self.planned()}
        return True


@pytest.mark.hypothesis
@given(steps)
def test_nothing_is_bought_twice_unasked(told: list[tuple[Any, ...]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        output = Path(folder) / "film"
        identity = new_identity("film", "sandbox", FINGERPRINT, BEGIN, sandbox=True)
        with closing(StateFile.create_or_open(output, identity, fresh=True)) as state:
            film = Film(state)
            for step in told:
                match step:
                    case ("run", manifest, answer, limit, ends):
                        film.run(manifest, answer, limit, list(ends))
                    case ("run again", answer, limit, ends):
                        film.run(None, answer, limit, list(ends))
                    case ("retake", shot_id, seed, is_later, answer, ends):
                        film.retake(shot_id, seed, is_later=is_later, answer=answer, ends=list(ends))
                    case ("retry", answer, ends):
                        film.retry(answer, list(ends))
            assert film.unasked == []
