"""Rows of the log that come later than any lag: each look by hand, and each run once, reads it from the beginning."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.runner.shared import HOURS, beside_runs, told
from tests.worlds import World, batch_of
from wanbatch.errors import ExitCode
from wanbatch.provider.requestlog import LOG_LIMIT
from wanbatch.runner.context import RunContext
from wanbatch.runner.settings import RunSettings
from wanbatch.sandbox.account import Account
from wanbatch.session.decisions import reconcile
from wanbatch.session.lookup import look_up

pytestmark = pytest.mark.usefixtures("quick_clips")
LATE_S = 60 * HOURS
COLUMNS = "at, key, client_request_id, fault, body, body_sha256, http_status, model, credits, starts_at"


def make_twin(account: Account) -> None:
    """Make a second generation of the first submit, whose row comes 60 hours later, dated from its start."""
    account._db.execute(
        f"INSERT INTO requests ({COLUMNS}, ends_at, inference_id)"
        f" SELECT {COLUMNS}, ends_at + {LATE_S}, 'twin' FROM requests WHERE seq = 1"
    )


def looked_between(tmp_path: Path, count: int = 3, **settings: Any) -> World:
    """A batch with two looks in which the row is not there yet, and then the time when it is."""
    world = World(tmp_path / "out", settings=RunSettings(limit=1))
    world.run(batch_of(count))
    assert world.account is not None
    make_twin(world.account)
    for _ in range(2):
        world.elapsed_s += 25 * HOURS
        assert world.run(batch_of(count)).exit_code is ExitCode.OK
    world.elapsed_s += 40 * HOURS
    world.settings = RunSettings(**settings)
    return world


@pytest.mark.parametrize("wide_at_once", [0, 2_000])
def test_a_run_names_a_second_generation_whose_row_came_days_late(tmp_path: Path, wide_at_once: int) -> None:
    world = looked_between(tmp_path, 4, wide_at_once=wide_at_once)
    end = world.run(batch_of(4))
    assert (end.exit_code, "DOUBLE" in world.takes()[0].warning) == (ExitCode.DECISION_NEEDED, True)
    assert any("the provider made twin" in message for message in end.messages)


def test_reconcile_names_a_second_generation_whose_row_came_days_late(tmp_path: Path) -> None:
    world = looked_between(tmp_path)
    found = told(world)
    assert (found.doubles, "in addition to" in world.takes()[0].warning) == (("sh000_t1",), True)


def test_the_look_of_a_finished_batch_names_it_too(tmp_path: Path) -> None:
    world = looked_between(tmp_path)
    assert [code for code, _ in beside_runs(world, look_up).troubles] == [ExitCode.DECISION_NEEDED]


def test_a_submit_of_another_copy_is_held_though_its_row_came_days_late(tmp_path: Path) -> None:
    world = looked_between(tmp_path, 4)
    assert world.account is not None
    with_other = "UPDATE requests SET client_request_id = ? WHERE inference_id = 'twin'"
    request_id = world.takes()[3].recipe.short_hash
    nonce = world.ledger()[0]["client_request_id"].split(":")[1]
    world.account._db.execute(with_other, (f"wb1:{nonce}:{request_id}:4.1",))
    end = world.run(batch_of(4))
    assert (end.exit_code, world.takes()[3].shown_state) == (ExitCode.DECISION_NEEDED, "held")


# --- what it costs


def log_requests(world: World) -> list[int]:
    """The offsets of the pages of the log that were asked for."""
    assert world.hosts is not None
    asked = [each for each in world.hosts.requests if each.url.path == "/v2/logs"]
    return [int(each.url.params["offset"]) for each in asked]


def with_rows(account: Account, count: int) -> None:
    """Give the log so many more rows of the same key, spread over the hours before."""
    account._db.executemany(
        f"INSERT INTO requests ({COLUMNS}, ends_at, inference_id, failure) SELECT at + ?, key, NULL, fault, body,"
        " body_sha256, http_status, model, 0, starts_at, ends_at, ?, 'no' FROM requests WHERE seq = 1",
        [(number / 100, f"other-{number}") for number in range(count)],
    )


@pytest.mark.parametrize(("wide_at_once", "pages"), [(2_000, [0, 100]), (0, [0, 0, 100])])
def test_a_log_of_two_hundred_rows_costs_a_run_two_or_three_requests(
    tmp_path: Path, wide_at_once: int, pages: list[int]
) -> None:
    world = World(tmp_path / "out", settings=RunSettings(limit=1))
    world.run(batch_of(4))
    assert world.account is not None
    with_rows(world.account, 2 * LOG_LIMIT - 2)
    world.elapsed_s += 30 * HOURS
    world.run(batch_of(4))  # from here on the log is known to hold nothing else
    world.elapsed_s += 30 * HOURS
    world.settings = RunSettings(limit=1, wide_at_once=wide_at_once)
    world.run(batch_of(4))
    assert log_requests(world) == pages


def test_the_run_that_begins_a_batch_reads_no_log_where_no_answer_is_lost(tmp_path: Path) -> None:
    world = World(tmp_path / "out")
    world.run(batch_of(3))
    assert log_requests(world) == []


def test_reconcile_reads_the_log_once_more_only_for_what_has_no_generation(tmp_path: Path) -> None:
    world = World(tmp_path / "out")
    world.run(batch_of(3))
    begun: list[Any] = []

    async def work(context: RunContext) -> None:
        real = context.provider.scan_log

        async def scan_log(since: Any) -> Any:
            begun.append(since)
            return await real(since)

        context.provider.scan_log = scan_log  # type: ignore[method-assign]
        await reconcile(context)

    beside_runs(world, work)
    assert len(begun) == 1
