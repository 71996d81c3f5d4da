"""The flags of a run: each has one name, that of the option which it gives, and advice repeats it as it was written."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any

import click
import pytest

from wanbatch.batch.plan import First
from wanbatch.batch.shots import Limits
from wanbatch.cli.retry import retake_command, retry_command
from wanbatch.cli.run import plan_command, run_command
from wanbatch.cli.run_flags import options_of
from wanbatch.errors import UsageInvalid
from wanbatch.runner.settings import OnUnknown
from wanbatch.session.options import RunOptions


def asked(*words: str) -> RunOptions:
    with run_command.make_context("run", ["m.yaml", *words]) as context:
        return options_of(context.params)


@pytest.mark.parametrize(
    ("words", "option", "value"),
    [
        ("-o folder", "output", Path("folder")),
        ("--sandbox", "sandbox", True),
        ("--yes", "is_agreed", True),
        ("--max-credits 5", "max_credits", 5),
        ("--max-usd 1.5", "max_credits", 3_000_000),
        ("--pilot 3", "pilot", 3),
        ("--only a* --only b", "only", ("a*", "b")),
        ("--limit 2", "limit", 2),
        ("--order story", "first", First.STORY),
        ("--submit-rate 30/min", "limits", Limits(submit_per_min=30.0)),
        ("--in-flight 7", "limits", Limits(in_flight=7)),
        ("--poll-rate 10/s", "limits", Limits(poll_per_min=600.0)),
        ("--downloads 2", "limits", Limits(downloads=2)),
        ("--max-attempts 1", "limits", Limits(max_attempts=1)),
        ("--on-unknown hold", "on_unknown", OnUnknown.HOLD),
        ("--unknown-grace 2h", "unknown_grace_s", 7200.0),
        ("--trust-state", "trust_state", True),
        ("--moved", "is_moved", True),
        ("--new-key", "is_new_key", True),
        ("--deadline 90s", "deadline_s", 90.0),
        ("--speed 4", "speed", 4.0),
        ("--no-report", "makes_report", False),
        ("--same-batch", "same_batch", True),
        ("--take-over", "take_over", True),
        ("--rename a=b", "renames", (("a", "b"),)),
        ("--buy-again", "buy_again", True),
        ("--fresh", "fresh", True),
        ("--offline", "offline", True),
    ],
)
def test_a_flag_gives_its_option_and_no_other(words: str, option: str, value: Any) -> None:
    given = asked(*words.split())
    others = {each.name for each in fields(RunOptions)} - {option, "flags"}
    assert getattr(given, option) == value
    assert {name: getattr(given, name) for name in others} == {name: getattr(RunOptions(), name) for name in others}


def test_flags_are_repeated_as_they_were_written_but_those_that_advice_gives_itself() -> None:
    words = "--yes --max-usd 3 --only a --only b --moved --no-report"
    assert asked(*words.split(), "--sandbox", "-o", "x", "--take-over", "--offline").flags == tuple(words.split())


@pytest.mark.parametrize("words", ["--max-usd 1 --max-credits 1", "--faults flaky"])
def test_flags_that_contradict_each_other_are_refused(words: str) -> None:
    with pytest.raises(UsageInvalid):
        asked(*words.split())


@pytest.mark.parametrize("command", [run_command, plan_command, retry_command, retake_command])
def test_every_flag_is_declared_under_the_name_of_its_option(command: click.Command) -> None:
    known = {each.name for kind in (RunOptions, Limits) for each in fields(kind)}
    own = {
        "max_usd",
        "faults",
        "strict",
        "reason",
        "takes",
        "seed",
        "note",
        "later",
        "with_successors",
        "offline",
        "currency",
        "explain",
        "is_asking",
    }
    named = {each.name for each in command.params if isinstance(each, click.Option)}
    assert named - known - own == set()


def test_the_help_of_retake_offers_no_selection_that_the_command_refuses() -> None:
    shown = {command: command.get_help(click.Context(command)) for command in (retry_command, retake_command)}
    offers = [(" --only " in text, " --except " in text) for text in shown.values()]
    assert offers == [(True, True), (False, False)]
