"""A fallback as a user sees it: in the plan with its worst case, in the reports, and taken by one command."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.two_models import FIRST, OTHER_PRICE, PRICE, SECOND, SHOTS
from wanbatch.batch.inventory import Inventory
from wanbatch.batch.models import class_of
from wanbatch.batch.plan import Due
from wanbatch.cli import call
from wanbatch.money.prices import Quote
from wanbatch.pace.schedule import Rates
from wanbatch.runner.settings import RunSettings
from wanbatch.session.preview import Basis, NextOnes

pytestmark = pytest.mark.usefixtures("near")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AIMLAPI_BASE_URL", raising=False)
    (tmp_path / "shots.yaml").write_text(SHOTS)
    (tmp_path / "faults.json").write_text('[{"on": "submit", "do": "fail", "nth": [1]}]')
    return tmp_path


def asked(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    capsys.readouterr()
    call(["--json", *arguments])
    return json.loads(capsys.readouterr().out)


def test_a_plan_names_the_fallback_with_its_worst_case(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    told = asked(capsys, "plan", "shots.yaml", "--sandbox", "--max-attempts", "1")
    call(["plan", "shots.yaml", "--sandbox", "--max-attempts", "1"])
    shown = " ".join(capsys.readouterr().out.split())
    assert told["fallbacks"] == [
        {"model": SECOND, "takes": 1, "takes_at_once": 0, "credits_worst": OTHER_PRICE, "defaults": None}
    ]  # fmt: skip
    assert (told["estimate"]["credits"], told["estimate"]["worst"]) == (2 * PRICE, 2 * PRICE + OTHER_PRICE)
    assert f"fallback: 1 take may go on with {SECOND}, up to" in shown


@pytest.mark.long
def test_a_run_goes_on_with_the_fallback_and_every_report_says_so(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    run = ["-q", "run", "shots.yaml", "--sandbox", "--speed", "300", "-o", "out", "--yes", "--max-attempts", "1"]
    code = call([*run, "--faults", "faults.json"])
    status = asked(capsys, "status", "out")
    text = f"made by {SECOND} in place of {FIRST}, which made nothing"
    reports = [folder / "out" / name for name in ("reports/takes.csv", "storyboard.html")]
    assert (code, status["counts"]) == (0, {"verified": 2})
    assert [text in path.read_text(encoding="utf-8") for path in reports] == [True, True]
    again = call(run)
    assert (again, asked(capsys, "status", "out")["counts"]) == (0, {"verified": 2})


@pytest.mark.long
def test_a_plan_counts_what_is_left_to_a_fallback_that_the_manifest_names_since(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder / "shots.yaml").write_text(SHOTS.replace(f", fallback: {SECOND}", ""))
    run = ["-q", "run", "shots.yaml", "--sandbox", "--speed", "300", "-o", "out", "--yes", "--max-attempts", "1"]
    call([*run, "--faults", "faults.json"])
    (folder / "shots.yaml").write_text(SHOTS)
    told = asked(capsys, "plan", "shots.yaml", "--sandbox", "-o", "out", "--max-attempts", "1")
    assert told["fallbacks"] == [
        {"model": SECOND, "takes": 1, "takes_at_once": 1, "credits_worst": OTHER_PRICE, "defaults": None}
    ]  # fmt: skip


@pytest.mark.parametrize("command", ["plan", "run", "retry"])
def test_help_and_plan_say_that_each_model_has_its_own_tries(
    folder: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    call([command, "--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert "At most this many paid tries of each take with its own model, and as many with its fallback" in shown
    call(["plan", "shots.yaml", "--sandbox"])
    shown = " ".join(capsys.readouterr().out.split())
    assert (
        "worst: each take bought 2 times (--max-attempts), at the highest known price, and 2 more times with its"
        in shown
    )


def test_the_question_before_paying_names_the_worst_case_with_its_fallbacks(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plan = ["plan", "shots.yaml", "--sandbox", "--max-attempts", "1"]
    assert asked(capsys, *plan)["estimate"]["worst"] == 2 * PRICE + OTHER_PRICE


def test_the_worst_case_is_not_known_if_the_price_of_a_fallback_is_not() -> None:
    own, other = class_of({"model": FIRST, "resolution": "480P"}), class_of({"model": SECOND, "resolution": "480P"})
    settings = RunSettings(rates=Rates(max_attempts=2))
    basis = Basis("b", Path(), Inventory.of([], []), None, settings, next_ones=NextOnes({"a": other, "b": own}))
    takes = [Due(0, "a", 1, 0, "", own), Due(0, "b", 1, 1, "", own)]  # b is of its fallback already
    quotes = {own: Quote(PRICE, "list")}
    found = basis.estimate_of(takes, quotes)
    assert (found.worst, found.is_worst_known, basis.next_ones.after("b", own)) == (4 * PRICE, False, None)
    known = basis.estimate_of(takes, {**quotes, other: Quote(OTHER_PRICE, "list")})
    assert (known.worst, known.is_worst_known) == (4 * PRICE + 2 * OTHER_PRICE, True)
