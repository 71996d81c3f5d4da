"""Polls that return what no provider should."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.runner.shared import PRICE
from tests.worlds import World, batch_of
from wanbatch.batch.lifecycle import State
from wanbatch.errors import ExitCode
from wanbatch.provider.aimlapi import AimlApi
from wanbatch.provider.protocol import NoAnswer, Progress, Status, Trouble
from wanbatch.sandbox.account import Account

pytestmark = pytest.mark.usefixtures("quick_clips")


def polled(monkeypatch: pytest.MonkeyPatch, change: Callable[[int, Progress], Progress | NoAnswer]) -> None:
    """Change what polls answer; `change` gets the number of the poll, from 1."""
    real, count = AimlApi.poll, [0]

    async def poll(self: AimlApi, generation_id: str) -> Any:
        count[0] += 1
        answer = await real(self, generation_id)
        assert isinstance(answer, Progress)
        return change(count[0], answer)

    monkeypatch.setattr(AimlApi, "poll", poll)


@pytest.mark.parametrize(
    ("change", "error", "again"),
    [
        (lambda n, was: replace(was, status=Status.EXPIRED, error="too old"), "may have been charged", 3),
        (lambda n, was: NoAnswer(Trouble.INVALID, "HTTP 400"), "refuses to say", 3),
        (lambda n, was: NoAnswer(Trouble.NOT_FOUND, "HTTP 404"), "no longer knows", 3),
        (lambda n, was: replace(was, status=Status.COMPLETED, link=None), "returns no link", 3),
    ],
    ids=["expired", "400", "404", "no link"],
)
def test_a_poll_that_leads_nowhere_is_held_and_never_bought_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, change: Any, error: str, again: int
) -> None:
    world = World(tmp_path / "out")
    with monkeypatch.context() as patch:
        polled(patch, change)
        end = world.run(batch_of(1))
        take = world.takes()[0]
        assert (end.exit_code, take.state, error in take.error) == (ExitCode.DECISION_NEEDED, State.HELD, True)
        assert world.run(batch_of(1)).exit_code == again
    world.run(batch_of(1))
    assert world.submits == 1


def test_a_word_that_is_new_is_taken_for_running_and_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    polled(
        monkeypatch, lambda n, was: replace(was, status=Status.GENERATING, unknown_word="dreaming") if n < 4 else was
    )
    world = World(tmp_path / "out")
    assert world.run(batch_of(1)).exit_code is ExitCode.OK
    assert (
        world.takes()[0].warning
        == "the provider returned the unknown status 'dreaming', which wanbatch treats as running"
    )


def test_a_status_that_goes_backwards_changes_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    polled(monkeypatch, lambda n, was: replace(was, status=Status.QUEUED) if n == 3 else was)
    world = World(tmp_path / "out")
    assert world.run(batch_of(1)).exit_code is ExitCode.OK


@pytest.mark.parametrize("later", ["1Z", "Z"], ids=["a moment later", "equal in all"])
def test_a_second_charge_for_one_generation_is_counted_and_told(tmp_path: Path, later: str) -> None:
    world = World(tmp_path / "out")
    world.run(batch_of(1))
    assert world.account is not None
    real = type(world.account).ledger

    def twice(self: Any, page: Any, now: float) -> Any:
        rows, place = real(self, page, now)
        return [*rows, *({**row, "created_at": row["created_at"][:-1] + later} for row in rows[-1:])], place

    try:
        type(world.account).ledger = twice  # type: ignore[method-assign]
        end = world.run(batch_of(2))
    finally:
        type(world.account).ledger = real  # type: ignore[method-assign]
    take = world.takes()[0]
    assert (end.exit_code, take.credits_charged, "second charge" in take.warning) == (
        ExitCode.DECISION_NEEDED, 2 * PRICE, True,
    )  # fmt: skip
    assert any("more than one charge" in message for message in end.messages)


def test_two_equal_charges_are_two_also_where_both_show_at_once(tmp_path: Path) -> None:
    world = World(tmp_path / "out")
    real = Account.ledger

    def twice(self: Any, page: Any, now: float) -> Any:
        rows, place = real(self, page, now)
        return [row for row in rows for _ in range(2)], place

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Account, "ledger", twice)
        end = world.run(batch_of(1))
    take = world.takes()[0]
    assert (end.exit_code, take.shown_state, take.credits_charged) == (
        ExitCode.DECISION_NEEDED, "verified", 2 * PRICE,
    )  # fmt: skip
    assert "charged 2 times" in take.warning
