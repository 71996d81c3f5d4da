"""Money of a sandbox is marked as play money on every screen and page, and its cuts and exports say SANDBOX."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from rich.console import Console

from tests.cut.test_film import ABC, cut, room
from tests.cut.test_tags import tags
from tests.films import Reel
from tests.money.test_payment_question import forty_four
from tests.money.test_screens import preview
from wanbatch.batch.progress import BatchProgress
from wanbatch.cli import call
from wanbatch.cli.account import print_balance
from wanbatch.cli.money import preview_json, print_preview
from wanbatch.cli.payment_question import question_text
from wanbatch.cli.screen import print_result, progress_text
from wanbatch.cut.assembly import assemble
from wanbatch.cut.export import EditFormat, export
from wanbatch.errors import ExitCode
from wanbatch.session.options import RunResult

NOW = datetime(2026, 3, 1, 20, tzinfo=UTC)
MARK = "SANDBOX: play money"
CSV = "id,prompt,model,resolution\na,one,alibaba/wan2.1-t2v-turbo,480P\n"


@pytest.fixture
def ran(near: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> str:
    """What a run on the sandbox tells, in a folder in which it was run."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")
    Path("a.csv").write_text(CSV)
    assert call(["run", "a.csv", "--sandbox", "--speed", "600"]) == 0
    told = capsys.readouterr()
    return told.out + told.err


@pytest.mark.long
def test_every_screen_and_page_of_a_sandbox_says_play_money(ran: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert ran.count(MARK) == 2, ran  # the plan, and the end
    for command in (["plan", "a.csv", "--sandbox"], ["status"], ["reconcile"], ["balance", "outputs/a"]):
        call(command)
        assert MARK in capsys.readouterr().out, command
    for command in (["plan", "a.csv", "--sandbox"], ["status"], ["balance", "outputs/a"]):
        call(["--json", *command])
        assert json.loads(capsys.readouterr().out)["sandbox"] is True, command
    call(["report", "--combined"])
    pages = ("storyboard.html", "reports/report.html", "../combined/costs.html")
    texts = [(Path("outputs/a") / page).read_text(encoding="utf-8") for page in pages]
    assert [(MARK in text, "<title>SANDBOX: " in text) for text in texts] == [(True, True)] * 3


def test_real_money_is_not_marked() -> None:
    stream = io.StringIO()
    console = Console(file=stream, width=200, no_color=True, soft_wrap=True)
    print_preview(console, preview())
    print_result(console, RunResult(ExitCode.OK, (), Path("o"), BatchProgress.of([]), None))
    print_balance(console, Decimal(3), "there")
    told = (stream.getvalue(), question_text(forty_four()), progress_text(BatchProgress.of([]), NOW))
    assert ["SANDBOX" in text or "play" in text for text in told] == [False] * 3
    assert preview_json(preview())["sandbox"] is False


def test_a_question_and_a_running_sandbox_of_one_s_own_speak_of_play_money() -> None:
    asked = question_text(forty_four(is_play_money=True))
    host = "https://api.aimlapi.com"
    assert asked.startswith(f"Buy 44 takes from {host} for about 44.00 USD of play money, at worst 88.00 USD (")
    assert progress_text(BatchProgress.of([]), NOW, is_play=True) == "; 0.00 USD play money committed"


def test_a_cut_and_its_exports_say_sandbox(tmp_path: Path) -> None:
    output = room(tmp_path, ABC, a=Reel(1), b=Reel(1), c=Reel(1))
    made, timeline = cut(output)
    assert (timeline.title, tags(made)["title"]) == ("dragon-pass (SANDBOX)", "dragon-pass (SANDBOX)")
    edl, _ = export(output, EditFormat.EDL)
    otio, _ = export(output, EditFormat.OTIO)
    document = json.loads(otio.read_text(encoding="utf-8"))
    assert edl.read_text().splitlines()[0] == "TITLE: dragon-pass (SANDBOX)"
    assert (document["name"], document["metadata"]["wanbatch"]["sandbox"]) == ("dragon-pass (SANDBOX)", True)


def test_a_cut_of_real_clips_has_the_name_of_its_batch(tmp_path: Path) -> None:
    output = room(tmp_path, ABC, a=Reel(1))
    real = assemble(output)
    assert (real.is_sandbox, type(real)(real.batch, real.format, real.pieces).title) == (True, "dragon-pass")
