"""Caps and new prices: what may be sent, what stops it, and who is asked."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.worlds import World, batch_of, shots
from wanbatch.batch.lifecycle import State
from wanbatch.batch.models import PriceClass
from wanbatch.batch.shots import Batch
from wanbatch.batch.take import Take
from wanbatch.cli.confirmations import confirm
from wanbatch.cli.payment_question import question_text
from wanbatch.errors import ExitCode, UsageInvalid
from wanbatch.money.budget import Budget, Fit, Surprise
from wanbatch.money.prices import Estimate, Quote
from wanbatch.runner.settings import RunSettings
from wanbatch.sandbox.faults import Rule
from wanbatch.session.options import RunOptions, is_cap_kept, settings_of
from wanbatch.session.preview import Preview, Why
from wanbatch.state.tables import Run

PRICE = 378_000
CLASS = PriceClass("alibaba/wan2.1-t2v-turbo", "480P", None)
PROVEN = {CLASS: Quote(PRICE, "test", is_proven=True)}
AT = datetime(2026, 3, 1, 20, 0, tzinfo=UTC)


def take(shot_id: str, state: State = State.PLANNED, **facts: Any) -> Take:
    recipe = '{"model":"alibaba/wan2.1-t2v-turbo","prompt":"x","resolution":"480P"}'
    return Take(facts.pop("take_id", 1), shot_id, 1, facts.pop("recipe", recipe), state=state, **facts)


# --- the budget


SCENES = {"a": "sc1", "b": "sc1", "c": "sc2"}


@pytest.mark.parametrize(
    ("cap", "scene_cap", "spent", "shot_id", "fit"),
    [
        (None, 2 * PRICE, PRICE, "b", Fit.YES),
        (None, 2 * PRICE - 1, PRICE, "b", Fit.SCENE),
        (None, PRICE, PRICE, "c", Fit.YES),
        (2 * PRICE - 1, PRICE, PRICE, "c", Fit.NO),
        (2 * PRICE - 1, PRICE, PRICE, "b", Fit.NO),
    ],
)
def test_a_scene_has_a_cap_of_its_own(cap: int | None, scene_cap: int, spent: int, shot_id: str, fit: Fit) -> None:
    budget = Budget(cap, PROVEN, {"sc1": scene_cap}, SCENES)
    spent_on = take("a", State.VERIFIED, credits_charged=spent, is_charge_seen=True)
    budget.begin([(spent_on, 1)])
    budget.begin_scene("sc1", spent_on, 1)
    budget.begin_scene("sc2", take("c"), 3)
    assert budget.fit(take(shot_id)) is fit


def test_an_unknown_amount_pauses_its_scene_alone() -> None:
    budget = Budget(None, PROVEN, {"sc1": 10 * PRICE}, SCENES)
    budget.begin([(take("a", State.HELD), 1)])
    budget.begin_scene("sc1", take("a", State.HELD), 1)
    assert (budget.fit(take("b")), budget.fit(take("c")), budget.may_learn(take("b"))) == (Fit.SCENE, Fit.YES, True)


def test_under_a_cap_a_price_that_no_answer_told_goes_alone() -> None:
    listed = {CLASS: Quote(PRICE, "price list")}
    assert [
        Budget(None, listed).fit(take("a")),
        Budget(10 * PRICE, listed).fit(take("a")),
        Budget(None, listed, {"sc1": 10 * PRICE}, SCENES).fit(take("a")),
        Budget(10 * PRICE, PROVEN).fit(take("a")),
    ] == [Fit.YES, Fit.ALONE, Fit.ALONE, Fit.YES]


@pytest.mark.parametrize(
    ("held", "surprise"),
    [(100, None), (110, None), (111, Surprise.DEARER), (90, None), (89, Surprise.CHEAPER), (1, Surprise.CHEAPER)],
)
def test_a_first_hold_more_than_a_tenth_off_is_a_surprise(held: int, surprise: Surprise | None) -> None:
    budget = Budget(None, {CLASS: Quote(100, "price list")})
    assert budget.learn(take("a"), held) is surprise
    assert budget.price_of(take("a")) == max(held, 100)


def test_a_lower_hold_is_told_once_and_of_a_price_that_was_seen_never() -> None:
    budget = Budget(None, {CLASS: Quote(100, "price list")})
    assert [budget.learn(take("a"), 50), budget.learn(take("b"), 50)] == [Surprise.CHEAPER, None]
    assert Budget(None, {CLASS: Quote(100, "this batch", is_proven=True)}).learn(take("a"), 50) is None
    assert Budget(None, {}).learn(take("a"), 50) is None


# --- a run under caps of scenes


pytestmark = pytest.mark.usefixtures("quick_clips")


def in_scenes(count: int) -> Batch:
    return Batch("world", tuple(replace(each, scene=f"sc{n % 2}") for n, each in enumerate(shots(count))))


def test_only_the_scene_pauses_and_the_rest_goes_on(tmp_path: Path) -> None:
    settings = RunSettings(quotes=PROVEN, scene_caps={"sc0": 2 * PRICE})
    world = World(tmp_path / "out", settings=settings)
    end = world.run(in_scenes(8))
    told = [(take.shot_id, take.state.value) for take in world.takes() if take.state is State.PLANNED]
    assert (end.exit_code, told, world.submits) == (
        ExitCode.BUDGET_REACHED,
        [("sh004", "planned"), ("sh006", "planned")],
        6,
    )
    assert [message.split(" of ")[0] for message in end.messages] == ["scene sc0 has reached its cap"]
    world.settings = replace(settings, scene_caps={"sc0": 3 * PRICE})
    assert (world.run(in_scenes(8)).exit_code, world.submits) == (ExitCode.BUDGET_REACHED, 7)
    world.settings = replace(settings, scene_caps={"sc0": 4 * PRICE})
    assert (world.run(in_scenes(8)).exit_code, world.submits) == (ExitCode.OK, 8)


def test_a_killed_run_does_not_begin_its_caps_anew(tmp_path: Path) -> None:
    from tests.worlds import Killed

    settings = RunSettings(quotes=PROVEN, cap_credits=4 * PRICE, scene_caps={"sc0": PRICE})
    world = World(tmp_path / "out", settings=settings)
    for kill_at in (3, 7, 12):
        with pytest.raises(Killed):
            world.run(in_scenes(10), kill_at)
    end = world.run(in_scenes(10))
    by_scene = [take.shot_id for take in world.takes() if take.attempts and take.shot_id in {"sh000", "sh002", "sh004"}]
    assert (end.exit_code, world.submits <= 4, len(by_scene)) == (ExitCode.BUDGET_REACHED, True, 1)


def test_what_is_held_is_fetched_though_the_cap_is_reached(tmp_path: Path) -> None:
    world = World(tmp_path / "out", settings=RunSettings(quotes=PROVEN, cap_credits=2 * PRICE))
    end = world.run(batch_of(5))
    assert (end.exit_code, [take.shown_state for take in world.takes()]) == (
        ExitCode.BUDGET_REACHED,
        ["verified"] * 2 + ["planned"] * 3,
    )


# --- a new price


@pytest.mark.parametrize(
    ("settings", "code", "submits", "is_new"),
    [
        (RunSettings(), ExitCode.BUDGET_REACHED, 1, True),
        (RunSettings(cap_credits=100 * PRICE), ExitCode.BUDGET_REACHED, 1, True),
        (RunSettings(is_agreed=True), ExitCode.BUDGET_REACHED, 1, True),
        (RunSettings(is_agreed=True, cap_credits=100 * PRICE), ExitCode.OK, 4, False),
        (RunSettings(is_agreed=True, cap_credits=3 * PRICE), ExitCode.BUDGET_REACHED, 1, False),
    ],
    ids=["nobody", "cap", "yes", "yes and cap", "yes and small cap"],
)
def test_a_dearer_canary_stops_the_run_unless_a_cap_holds_it(
    tmp_path: Path, settings: RunSettings, code: ExitCode, submits: int, *, is_new: bool
) -> None:
    rules = (Rule("submit", "dearer", nth=(1,)),)
    quotes = {CLASS: Quote(PRICE, "price list")}
    world = World(tmp_path / "out", rules=rules, settings=replace(settings, quotes=quotes))
    end = world.run(batch_of(4))
    assert (end.exit_code, world.submits, end.has_new_price) == (code, submits, is_new)


@pytest.mark.parametrize(
    ("is_agreed", "code", "submits"), [(False, ExitCode.BUDGET_REACHED, 1), (True, ExitCode.OK, 3)]
)
def test_a_cheaper_canary_is_asked_about_and_agreed_to_by_yes(
    tmp_path: Path, code: ExitCode, submits: int, *, is_agreed: bool
) -> None:
    quotes = {CLASS: Quote(2 * PRICE, "documentation")}
    world = World(tmp_path / "out", settings=RunSettings(quotes=quotes, is_agreed=is_agreed))
    end = world.run(batch_of(3))
    assert (end.exit_code, world.submits) == (code, submits)


def preview(**facts: Any) -> Preview:
    default = {
        "batch": "b", "output": Path("out"), "plan": None, "counts": {}, "to_submit": {CLASS: 2}, "quotes": {CLASS: Quote(5, "x")},
        "estimate": Estimate(10, 2, 0, 10, 20), "cap_credits": None, "balance_usd": None, "host": "h", "is_sandbox": False, "speed": 1.0,
    }  # fmt: skip
    return Preview(**{**default, **facts})


@pytest.mark.parametrize(
    ("facts", "answer"),
    [
        ({}, True),
        ({"why": Why.PILOT}, True),
        ({"why": Why.PRICE}, False),
        ({"why": Why.PRICE, "cap_credits": 10}, True),
        ({"why": Why.PRICE, "cap_credits": 9}, False),
        ({"why": Why.PRICE, "cap_credits": 12, "before": 3}, False),
        ({"why": Why.PRICE, "cap_credits": 99, "before": None}, False),
        ({"why": Why.PRICE, "cap_credits": 99, "estimate": Estimate(10, 3, 1)}, False),
        ({"why": Why.PRICE, "is_sandbox": True}, True),
    ],
)
def test_yes_is_no_word_for_a_price_that_turned_out_to_be_another(facts: dict[str, Any], *, answer: bool) -> None:
    from wanbatch.cli import Global

    quiet = Global(is_json=False, verbosity=-1, color="never", env_file=None)
    assert confirm(quiet, preview(**facts), is_agreed=True) is answer


def test_without_yes_and_without_anybody_nothing_new_is_agreed_to() -> None:
    from wanbatch.cli import Global

    quiet = Global(is_json=False, verbosity=-1, color="never", env_file=None)
    with CliRunner().isolation():  # its input is not a terminal
        assert confirm(quiet, preview(why=Why.PILOT), is_agreed=False) is False
        with pytest.raises(UsageInvalid):
            confirm(quiet, preview(), is_agreed=False)


@pytest.mark.parametrize("answer", [True, False])
def test_the_question_can_be_rehearsed_on_the_sandbox(monkeypatch: pytest.MonkeyPatch, *, answer: bool) -> None:
    from wanbatch.cli import Global
    from wanbatch.cli import confirmations as running

    monkeypatch.setattr(running, "is_interactive", lambda: True)
    quiet = Global(is_json=False, verbosity=-1, color="never", env_file=None)
    made = preview(is_sandbox=True, is_play_money=True)
    with CliRunner().isolation(input="y\n" if answer else "n\n") as streams:
        assert confirm(quiet, made, is_agreed=False, is_asking=True) is answer
        assert question_text(made) in streams[1].getvalue().decode()
    assert confirm(quiet, made, is_agreed=False) is True


def test_a_rehearsed_question_needs_a_terminal_too() -> None:
    from wanbatch.cli import Global

    quiet = Global(is_json=False, verbosity=-1, color="never", env_file=None)
    with pytest.raises(UsageInvalid, match="there is no terminal to ask on: leave out --ask"):
        confirm(quiet, preview(is_sandbox=True), is_agreed=False, is_asking=True)


# --- whose cap holds


def last(cap: int | None, *, is_given: bool, scenes: str = "{}") -> Run:
    return Run(1, AT, None, None, 1.0, "0", None, 0, cap, "", is_cap_given=is_given, scene_caps=scenes)


MANIFEST = Batch("b", (), max_credits=60, scene_caps={"sc1": 5})


@pytest.mark.parametrize(
    ("flag", "batch", "before", "cap", "scenes", "is_given", "is_kept"),
    [
        (None, MANIFEST, None, 60, {"sc1": 5}, False, False),
        (40, MANIFEST, None, 40, {"sc1": 5}, True, False),
        (None, MANIFEST, last(40, is_given=True), 40, {"sc1": 5}, True, True),
        (90, MANIFEST, last(40, is_given=True), 90, {"sc1": 5}, True, False),
        (None, MANIFEST, last(30, is_given=False), 60, {"sc1": 5}, False, False),
        (None, Batch("b", ()), last(30, is_given=False), None, {}, False, False),
        (None, None, last(30, is_given=False, scenes='{"sc2": 7}'), 30, {"sc2": 7}, False, False),
        (None, None, None, None, {}, False, False),
    ],
)
def test_a_cap_given_once_holds_until_another_is(
    flag: int | None,
    batch: Batch | None,
    before: Run | None,
    cap: int | None,
    scenes: dict[str, int],
    *,
    is_given: bool,
    is_kept: bool,
) -> None:
    options = RunOptions(max_credits=flag)
    found = settings_of(options, None if batch is None else batch.head, before)
    assert (found.cap_credits, found.scene_caps, found.is_cap_given) == (cap, scenes, is_given)
    assert is_cap_kept(options, before) is is_kept


def test_a_balance_is_compared_in_whole_credits() -> None:
    assert preview(balance_usd=Decimal("0.0000049")).balance_credits == 9
    assert preview().balance_credits is None
