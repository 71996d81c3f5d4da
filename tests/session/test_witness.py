"""A run.log that may lack a submit is not believed: nothing is sent before the provider's log is sure to be whole."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.session.test_recovery import lose, recovered, world_in
from tests.worlds import EPOCH, batch_of
from wanbatch.batch.lifecycle import Fact
from wanbatch.batch.take import Entry
from wanbatch.provider.clocks import Kept
from wanbatch.provider.endpoint import load_settings
from wanbatch.runner.batch_clock import NOTE
from wanbatch.runner.log import LOG_NAME
from wanbatch.session.access import Access
from wanbatch.session.invocation import Invocation
from wanbatch.session.options import RunOptions, Watch
from wanbatch.session.reconstruction import Evidence
from wanbatch.session.recovery import Recovery, log_awaited_until
from wanbatch.session.safeguards import held_back
from wanbatch.session.witness import doubt_of
from wanbatch.state.file import StateFile
from wanbatch.state.reader import StateReader

pytestmark = pytest.mark.usefixtures("quick_clips")


def rewritten(output: Path, keep: Callable[[dict[str, Any]], bool]) -> None:
    """Take lines out of run.log."""
    lines = (output / LOG_NAME).read_text(encoding="utf-8").splitlines(keepends=True)
    (output / LOG_NAME).write_text("".join(line for line in lines if keep(json.loads(line))), encoding="utf-8")


def is_submit(told: dict[str, Any], *takes: str) -> bool:
    return told["kind"] == "submit_started" and (not takes or told["take"] in takes)


@pytest.mark.parametrize(
    ("keep", "doubt"),
    [
        (lambda _: True, ""),
        (lambda told: not is_submit(told), "names no submit of this batch"),
        (lambda told: not is_submit(told, "sh001_t1"), "lacks the submit wb1:"),
        (lambda told: told["take"] != "sh001_t1" if "take" in told else True, "lacks the submit wb1:"),
        (lambda told: told["kind"] != "verified", ""),
    ],
)
def test_run_log_is_believed_only_where_it_names_every_submit(
    tmp_path: Path, keep: Callable[[dict[str, Any]], bool], doubt: str
) -> None:
    world = world_in(tmp_path / "out")
    world.run(batch_of(3))
    lose(tmp_path / "out", "state.sqlite*")
    rewritten(tmp_path / "out", keep)
    found = recovered(world, batch_of(3))
    assert found is not None
    assert (found.is_witnessed, bool(doubt), doubt in found.doubt) == (not doubt, bool(found.doubt), True)
    with StateReader.open(tmp_path / "out") as reader:
        assert (log_awaited_until(reader) is None) is found.is_witnessed


@pytest.mark.parametrize(
    ("lost", "doubt"),
    [
        (("submit_started", 1), "has later submits, but none of take number 1"),
        (("submit_started", 2), "lacks submit 1 of take number 2"),
        (("submit_started", 3), "says what became of sh000_t1"),
    ],
)
def test_a_gap_in_run_log_is_seen_without_any_other_record(tmp_path: Path, lost: tuple[str, int], doubt: str) -> None:
    nonce, events = "n", []
    for take_id, attempt, label in ((1, 1, "sh000_t1"), (2, 1, "sh001_t1"), (2, 2, "sh001_t1"), (3, 1, "sh002_t1")):
        sent = {"request_id": f"wb1:{nonce}:abc:{take_id}.{attempt}"}
        events.append((label, Entry(Fact.SUBMIT_STARTED, EPOCH, sent)))
        events.append((label, Entry(Fact.NOT_SENT, EPOCH, {})))
    events.append(("sh000_t1", Entry(Fact.ACCEPTED, EPOCH, {"generation_id": "G"})))
    if lost[1] == 1:
        events = [each for each in events if each[0] != "sh000_t1"]
    elif lost[1] == 2:
        events = [each for each in events[:-1] if not str(each[1].data.get("request_id")).endswith(":2.1")]
    assert doubt in doubt_of(Evidence(batch_of(3), nonce, "", events=events))


def test_a_run_log_with_a_torn_line_or_without_its_end_is_not_believed(tmp_path: Path) -> None:
    world = world_in(tmp_path / "out")
    world.run(batch_of(2))
    lose(tmp_path / "out", "state.sqlite*")
    log = tmp_path / "out" / LOG_NAME
    whole = log.read_text(encoding="utf-8")
    for text, doubt in (
        (whole.replace('"kind"', '"ki', 1), "lines that cannot be read"),
        (whole[: whole.index('"kind": "completed"')].rpartition("\n")[0] + "\n", "ends before sh00"),
    ):
        log.write_text(text, encoding="utf-8")
        found: list[Recovery] = []
        recovered(world, batch_of(2), lambda each, found=found: bool(found.append(each)))  # type: ignore[misc]
        assert doubt in found[0].doubt


def test_a_clock_that_is_set_forward_does_not_end_the_wait_for_the_log(tmp_path: Path) -> None:
    world = world_in(tmp_path / "out")
    world.run(batch_of(2))
    lose(tmp_path / "out", "state.sqlite*", "run.log")
    assert recovered(world, batch_of(2)) is not None
    with StateReader.open(tmp_path / "out") as reader:
        until, kept, identity = log_awaited_until(reader), Kept.read(reader.noted(NOTE)), reader.identity()
    assert until is not None
    assert kept.theirs is not None
    assert kept.ours is not None
    day = timedelta(days=2)
    assert kept.now(kept.ours + day, kept.theirs) < until < kept.now(kept.ours + day, kept.theirs + day)
    invocation = Invocation(RunOptions(), Access(load_settings({}, None, tmp_path)), Watch())
    with StateFile.create_or_open(tmp_path / "out", identity) as state:
        held = held_back(invocation, state, kept.now(kept.ours + day, kept.theirs))
    assert held is not None
