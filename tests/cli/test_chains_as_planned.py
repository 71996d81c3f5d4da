"""What a plan says of chains is what the run then buys: nothing more, and nothing less."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.cli.test_chains import LINKS, run, told, write
from wanbatch.cli import call

pytestmark = pytest.mark.long
PLAN = ("plan", "film.json", "--sandbox", "--offline")


def to_send(capsys: pytest.CaptureFixture[str], *flags: str) -> tuple[int, list[str]]:
    """Return how many takes a plan counts, and which it says are not sent."""
    plan = told(capsys, *PLAN, *flags)
    return plan["estimate"]["takes"], [each["shot"] for each in plan["not_ready"]]


def bought(capsys: pytest.CaptureFixture[str], *flags: str) -> int:
    """Run, and return how many takes that bought."""
    before = _sent()
    run(*flags)
    capsys.readouterr()
    return _sent() - before


def _sent() -> int:
    attempts = Path("outputs/film/reports/attempts.csv")
    return len(attempts.read_text(encoding="utf-8").splitlines()) - 1 if attempts.is_file() else 0


def test_what_continues_from_a_held_clip_that_is_looked_at_again_is_counted(capsys: pytest.CaptureFixture[str]) -> None:
    write()
    Path("faults.json").write_text(json.dumps([{"on": "clip", "do": "garbage"}]))
    assert run("--faults", "faults.json") == 3
    assert to_send(capsys) == (3, [])
    assert bought(capsys) == 3


@pytest.mark.parametrize("is_first_edited", [True, False])
def test_a_plan_of_a_part_counts_by_what_is_there_once_it_is_carried_out(
    capsys: pytest.CaptureFixture[str], *, is_first_edited: bool
) -> None:
    write()
    assert run() == 0
    new: dict[str, Any] = {"b": {"prompt": "Another b."}}
    write(**new, **({"a": {"prompt": "Another a."}} if is_first_edited else {}))
    count = 0 if is_first_edited else 1
    missing = ["b"] if is_first_edited else []
    assert to_send(capsys, "--only", "b") == (count, missing)
    assert bought(capsys, "--only", "b") == count


def test_an_edit_that_is_taken_back_gives_its_clip_again(capsys: pytest.CaptureFixture[str]) -> None:
    write()
    assert run() == 0
    write(a={"prompt": "Another a."})
    assert bought(capsys, "--only", "d") == 0  # `a` is planned, and its first clip is of an earlier prompt
    write(b={"prompt": "Another b."})
    assert to_send(capsys, "--only", "b") == (1, [])
    assert bought(capsys, "--only", "b") == 1


def test_a_pinned_take_that_no_plan_has_is_not_counted(capsys: pytest.CaptureFixture[str]) -> None:
    write(b={"first_frame": {**LINKS["b"], "take": 7}})
    assert to_send(capsys) == (2, ["b", "c"])
    assert bought(capsys) == 2


def test_a_clip_that_is_used_again_is_no_news(capsys: pytest.CaptureFixture[str]) -> None:
    write(b={"first_frame": {"from": "a", "follow": "always"}})
    assert run() == 0
    assert call(["-q", "retake", "outputs/film", "a", "--yes", "--speed", "600"]) == 0
    assert run() == 0
    capsys.readouterr()
    assert call(["circle", "outputs/film", "a", "1"]) == 0
    plan = told(capsys, *PLAN)
    assert (plan["estimate"]["takes"], plan["successions"]) == (0, [])
