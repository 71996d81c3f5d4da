"""Times on screens and pages are this machine's, with their zone; in files they are UTC."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.reporting.states import MADE_AT, every_state
from wanbatch.batch.progress import BatchProgress
from wanbatch.cli.screen import progress_text
from wanbatch.reporting.files import write_reports
from wanbatch.state.reader import StateReader
from wanbatch.units import left_text, local_text, zone_text


@pytest.fixture
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def test_a_time_is_shown_by_the_clock_on_the_wall(in_berlin: None) -> None:
    summer, winter = datetime(2026, 7, 1, 22, 30, tzinfo=UTC), datetime(2026, 12, 1, 22, 30, tzinfo=UTC)
    assert [local_text(each) for each in (summer, winter)] == ["2026-07-02 00:30 CEST", "2026-12-01 23:30 CET"]
    assert [zone_text(each) for each in (summer, winter)] == ["CEST", "CET"]


def test_pages_are_in_local_time_and_files_in_utc(in_berlin: None, tmp_path: Path) -> None:
    every_state(tmp_path)
    with StateReader.open(tmp_path) as reader:
        files = write_reports(reader, made_at=MADE_AT)
    page, sheet = files.report.read_text(encoding="utf-8"), files.storyboard.read_text(encoding="utf-8")
    assert ["made 2026-03-02 08:30 CET" in text for text in (page, sheet)] == [True, True]
    assert " UTC" not in re.sub(r"<script.*?</script>", "", page, flags=re.DOTALL)
    (found,) = re.findall(r'<script id="figures" type="application/json">(.*?)</script>', page, re.DOTALL)
    gantt = json.loads(found)[0]
    begins = min(begin for trace in gantt["traces"] for begin in trace["base"])
    assert (gantt["zone"], begins[:13]) == ("CET", "2026-03-01T21")
    assert json.loads(files.summary_json.read_text())["made_at"] == "2026-03-02T07:30:00.000Z"
    assert "2026-03-01T20:" in files.takes.read_text(encoding="utf-8-sig")


def test_what_is_elapsed_stands_beside_what_is_left_and_the_end_by_the_clock(in_berlin: None) -> None:
    progress = BatchProgress({"verified": 1}, 0, 0, 0, eta_s=65)
    now = datetime(2026, 3, 1, 20, 10, tzinfo=UTC)
    assert progress_text(progress, now, elapsed_s=205) == (
        "1 verified; 0.00 USD committed, 3 min 25 s elapsed, about 1 min 05 s left, until about 21:11"
    )


def test_the_end_names_its_day_if_it_is_another(in_berlin: None) -> None:
    now = datetime(2026, 3, 1, 20, 10, tzinfo=UTC)
    assert [left_text(left_s, now) for left_s in (5, 3600, 11_000)] == [
        "about 5.0 s left",
        "about 1 h 00 min left, until about 22:10",
        "about 3 h 03 min left, until about Mon 00:13",
    ]
