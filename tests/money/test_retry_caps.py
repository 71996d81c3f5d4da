"""A retry under a cap: the advised command has the cap that it needs, and one that can send nothing writes nothing."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from wanbatch.cli import call
from wanbatch.state.reader import StateReader

pytestmark = pytest.mark.long

RUN = ("run", "film.csv", "--sandbox", "--yes", "--speed", "900", "--no-report", "--max-attempts", "1")
QUICK = ("--yes", "--speed", "900", "--no-report")


@pytest.fixture(autouse=True)
def film(said: Callable[..., str]) -> None:
    Path("film.csv").write_text("id,prompt,duration,resolution\nc,Five,5,720p\na,One,5,720p\nb,Two,5,720p\n")


def run_with(said: Callable[..., str], do: str, *more: str) -> None:
    rule = {"on": "submit", "do": do, "prompt_contains": "Five", "message": "it burnt"}
    Path("faults.json").write_text(json.dumps([rule]))
    said(*RUN, "--faults", "faults.json", *(more or ("--max-usd", "1.1")))


def state_of(label: str) -> str:
    with StateReader.open(Path("outputs/film")) as reader:
        return next(take.state.value for take in reader.takes() if take.label == label)


def test_every_retry_that_status_advises_has_the_cap_that_it_needs_and_it_works(said: Callable[..., str]) -> None:
    run_with(said, "fail")
    commands = re.findall(r"`(wanbatch retry [^`]*)`", said("status"))
    assert commands == ["wanbatch retry outputs/film --max-usd 1.575"] * 2
    assert call([*commands[0].split()[1:], *QUICK]) == 0
    assert state_of("c_t1") == "verified"


def test_a_retry_that_no_cap_allows_leaves_what_failed_as_it_was(said: Callable[..., str]) -> None:
    run_with(said, "fail")
    before = said("status")
    assert call(["retry", *QUICK]) == 5
    assert (state_of("c_t1"), said("status")) == ("failed", before)


def test_a_take_that_was_given_up_is_bought_again_only_where_its_shot_is_named(said: Callable[..., str]) -> None:
    run_with(said, "drop_before", "--on-unknown", "hold", "--max-usd", "2")
    said("resolve", "c_t1", "--abandon", "--yes")
    said(*RUN)
    told = said("status")
    assert ("wanbatch sends nothing more for it" in told, "to continue" in told) == (True, False)
    assert "not tried again, as you gave them up: c_t1" in said("retry", *QUICK)
    assert state_of("c_t1") == "failed"
    (command,) = re.findall(r"`(wanbatch retry [^`]*)`", told)
    assert command == "wanbatch retry outputs/film --only c --max-usd 2.10"
    said(*command.split()[1:], *QUICK)
    assert state_of("c_t1") == "verified"
