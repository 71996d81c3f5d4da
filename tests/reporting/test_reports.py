"""The reports: sums that agree, nothing unknown taken for 0, nothing of a stranger's run as code."""

from __future__ import annotations

import base64
import csv
import hashlib
import io
import json
import re
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.worlds import shots
from wanbatch.batch import Batch, Shot
from wanbatch.lifecycle import Fact, Take
from wanbatch.planning import make_plan
from wanbatch.reporting import ReportFiles, causes, csv_text, write_reports
from wanbatch.reporting.frames import ATTEMPT_COLUMNS, TAKE_COLUMNS, frames, usd_cell
from wanbatch.reporting.page import visible
from wanbatch.state import StateFile, entry
from wanbatch.tables import new_identity

AT = datetime(2026, 11, 1, 20, tzinfo=UTC)
NASTY = "</script><script>alert('x')</script>\"' & \u202eevil\x1b[31m =1+1"
INTERFACE = [
    "shot_id",
    "take",
    "scene",
    "state",
    "model",
    "resolution",
    "aspect_ratio",
    "duration_ordered_s",
    "seed",
    "prompt",
    "generation_id",
    "attempts",
    "credits_held",
    "credits_charged",
    "usd",
    "submitted_at",
    "started_at",
    "completed_at",
    "verified_at",
    "queued_s",
    "generating_s",
    "detect_lag_s",
    "download_s",
    "file",
    "sha256",
    "size_bytes",
    "clip_duration_s",
    "width",
    "height",
    "has_audio",
    "warning",
    "error",
]
LAST = {
    "submitting": 1, "held": 2, "queued": 3, "generating": 4, "completed": 5, "downloaded": 6, "verified": 7, "charged": 8,
}  # fmt: skip


def state_of(folder: Path, batch: Batch, fates: list[str], error: str = "an error") -> StateFile:
    """A state file in which each take, in order, has met its fate."""
    state = StateFile.create_or_open(folder, new_identity(batch.name, "sandbox", "k", AT, sandbox=True))
    state.adopt(make_plan(batch, [], state.shots()), AT)
    for take, fate in zip(state.takes(), fates, strict=False):
        meet(state, take, fate, error)
    return state


def meet(state: StateFile, take: Take, fate: str, error: str) -> None:
    at = AT + timedelta(seconds=take.take_id)

    def tell(fact: Fact, seconds: float, **data: object) -> None:
        state.record(take.take_id, entry(fact, at + timedelta(seconds=seconds), data))

    if fate in ("planned", "warned"):
        if fate == "warned":
            tell(Fact.WARNED, 0, warning=error)
        return
    sent = {"attempt": 1, "request_id": f"wb1:n:r:{take.take_id}.1", "body_sha256": "b", "key_fingerprint": "k"}
    tell(Fact.SUBMIT_STARTED, 0, **sent, credits_estimated=None if fate == "uncosted" else 1000)
    if fate in ("held", "uncosted"):
        tell(Fact.ANSWER_LOST, 1, error=error)
        tell(Fact.HELD, 1, error=error, needs_user=True)
    elif fate == "refused":
        tell(Fact.REFUSED, 1, error=error, http_status=400)
    elif fate != "submitting":
        tell(Fact.ACCEPTED, 1, generation_id=f"-g:{take.take_id}/x")
        tell(Fact.PRICED, 1, credits_held=1001)
        if fate == "failed":
            tell(Fact.GENERATION_FAILED, 60, error=error)
            return
        if LAST[fate] >= 4:
            tell(Fact.GENERATION_STARTED, 5, seen_change=True)
        if LAST[fate] >= 5:
            tell(Fact.COMPLETED, 205, last_running_at=(at + timedelta(seconds=200)).isoformat())
        if LAST[fate] >= 6:
            probe = {"clip_duration_s": 5.0, "width": 832, "height": 480, "has_audio": False, "download_s": 1.5}
            tell(Fact.DOWNLOADED, 207, sha256="a" * 64, size_bytes=7, **probe)
        if LAST[fate] >= 7:
            tell(Fact.VERIFIED, 208, file=f"clips/{take.label}.mp4")
            (state.output / "clips").mkdir(exist_ok=True)
            (state.output / "clips" / f"{take.label}.mp4").write_bytes(b"clip")
        if fate == "charged":
            tell(Fact.CHARGED, 240, credits_charged=1001)


FATES = ["planned", "submitting", "held", "uncosted", "refused", "failed", "queued", "generating", "completed",
         "downloaded", "verified", "charged", "warned"]  # fmt: skip


def reported(folder: Path, batch: Batch, fates: list[str], error: str = "an error") -> ReportFiles:
    state = state_of(folder, batch, fates, error)
    try:
        return write_reports(state, made_at=AT)
    finally:
        state.close()


def with_scenes(count: int) -> Batch:
    return Batch("film", tuple(replace(each, scene=f"sc{n % 3}") for n, each in enumerate(shots(count))))


def test_takes_csv_has_the_columns_promised_in_their_order(tmp_path: Path) -> None:
    files = reported(tmp_path / "o", with_scenes(3), ["charged", "held", "planned"])
    rows = rows_of(files.takes)
    assert list(rows[0])[: len(INTERFACE)] == INTERFACE
    assert list(rows[0]) == list(TAKE_COLUMNS)
    assert rows[0] | {"prompt": "", "sha256": "", "recipe_sha256": "", "seed": ""} == {
        "shot_id": "sh000", "take": "1", "scene": "sc0", "state": "verified", "model": "alibaba/wan2.1-t2v-turbo",
        "resolution": "480P", "aspect_ratio": "16:9", "duration_ordered_s": "", "seed": "", "prompt": "",
        "generation_id": "-g:1/x", "attempts": "1", "credits_held": "1001", "credits_charged": "1001", "usd": "0.0005005",
        "submitted_at": "2026-11-01T20:00:01.000Z", "started_at": "2026-11-01T20:00:06.000Z",
        "completed_at": "2026-11-01T20:03:26.000Z", "verified_at": "2026-11-01T20:03:29.000Z", "queued_s": "5",
        "generating_s": "200", "detect_lag_s": "5", "download_s": "1.5", "file": "clips/sh000_t1.mp4", "sha256": "",
        "size_bytes": "7", "clip_duration_s": "5", "width": "832", "height": "480", "has_audio": "false", "warning": "",
        "error": "", "sequence": "", "tags": "", "cost_code": "", "notes": "", "recipe_sha256": "",
        "credits_estimated": "1000", "total_s": "208",
    }  # fmt: skip
    assert [rows[1][name] for name in ("state", "credits_held", "credits_charged", "usd")] == ["held", "", "", ""]


def test_every_fate_is_reported(tmp_path: Path) -> None:
    files = reported(tmp_path / "o", with_scenes(len(FATES)), FATES)
    facts = json.loads(files.summary_json.read_text())
    assert facts["counts"] == {
        "planned": 2, "submitting": 1, "held": 2, "failed": 2, "queued": 1, "generating": 1, "completed": 1, "downloaded": 1,
        "verified": 2,
    }  # fmt: skip
    assert facts["credits"]["unknown_takes"] == 1
    assert facts["credits"]["charged"] == 1001
    assert facts["failures"][0]["count"] == 4


@given(st.lists(st.sampled_from(FATES), min_size=1, max_size=12))
@settings(max_examples=15, derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
def test_groups_sum_to_the_batch(tmp_path_factory: pytest.TempPathFactory, fates: list[str]) -> None:
    folder = tmp_path_factory.mktemp("sums")
    state = state_of(folder / "o", with_scenes(len(fates)), fates)
    tables = frames(state)
    state.close()
    summary = tables.summary
    whole = summary[summary["level"] == "batch"].iloc[0]
    for level in ("scene", "model", "resolution"):
        for column in ("takes", "verified", "failed", "held", "credits_held", "credits_charged", "clip_seconds"):
            assert summary[summary["level"] == level][column].sum() == whole[column], (level, column)
    assert whole["credits_charged"] == 1001 * fates.count("charged")
    assert whole["takes_of_unknown_cost"] == fates.count("uncosted")


def test_the_same_state_gives_the_same_files_but_for_their_time(tmp_path: Path) -> None:
    state = state_of(tmp_path / "o", with_scenes(13), FATES)
    first = {path: path.read_bytes() for path in _written(write_reports(state, made_at=AT))}
    second = {path: path.read_bytes() for path in _written(write_reports(state, made_at=AT + timedelta(hours=1)))}
    state.close()
    changed = {path.name for path, data in first.items() if data != second[path]}
    assert changed == {"summary.json", "report.html", "storyboard.html"}
    at_eight, at_nine = b"20:00:00.000Z", b"21:00:00.000Z"
    same = [data.replace(at_nine, at_eight) == second[path].replace(at_nine, at_eight) for path, data in first.items()]
    assert all(same)


def _written(files: ReportFiles) -> list[Path]:
    return [files.report, files.storyboard, files.takes, files.attempts, files.summary, files.summary_json]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r", "\uff1d", "\uff0b", "\uff0d", "\uff20"])
def test_no_cell_is_a_formula(start: str) -> None:
    table = pd.DataFrame({"prompt": [f"{start}1+1"], "generation_id": ["-abc"], "usd": ["-1.00"]})
    rows = list(csv.reader(io.StringIO(csv_text(table), newline="")))
    assert rows[1] == [f"'{start}1+1".replace("\r", "\n"), "-abc", "-1.00"]


def test_pandas_reads_back_what_was_written(tmp_path: Path) -> None:
    files = reported(tmp_path / "o", with_scenes(4), ["charged", "verified", "held", "failed"])
    attempts = pd.read_csv(files.attempts)
    assert list(attempts.columns) == list(ATTEMPT_COLUMNS)
    assert attempts["credits_held"].sum() == 3 * 1001
    assert attempts["outcome"].tolist() == ["completed", "completed", "lost", "failed"]


def rows_of(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(path.read_text(encoding="utf-8"), newline="")))


class _Links(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.links: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.links += [value or "" for name, value in attrs if name in ("href", "src", "poster")]


def test_pages_hold_strangers_words_as_words(tmp_path: Path) -> None:
    batch = Batch(
        "film", tuple(Shot(f"s{n}", n, {"model": "m/x", "prompt": NASTY}, notes=NASTY, scene=NASTY) for n in range(13))
    )
    files = reported(tmp_path / "o", batch, FATES, error=NASTY)
    for page in (files.report, files.storyboard):
        text = page.read_text(encoding="utf-8")
        parser = _Links()
        parser.feed(text)
        assert "script" not in parser.tags
        assert "<script" not in text
        assert "\x1b" not in text
        assert "\u202e" not in text
        assert "[U+202E]" in text
        for link in parser.links:
            assert not re.match(r"[a-z]+:", link), link
            assert (page.parent / unquote(link)).resolve().is_relative_to((tmp_path / "o").resolve())


def test_every_link_of_the_pages_leads_somewhere(tmp_path: Path) -> None:
    files = reported(tmp_path / "o", with_scenes(4), ["charged", "verified", "held", "planned"])
    for page in (files.report, files.storyboard):
        parser = _Links()
        parser.feed(page.read_text(encoding="utf-8"))
        assert [link for link in parser.links if not (page.parent / unquote(link)).is_file()] == []


def test_the_policy_allows_the_pages_own_style_and_no_script(tmp_path: Path) -> None:
    files = reported(tmp_path / "o", with_scenes(1), ["charged"])
    text = files.report.read_text(encoding="utf-8")
    style = re.search(r"<style>(.*?)</style>", text, re.DOTALL)
    assert style is not None
    digest = base64.b64encode(hashlib.sha256(style[1].encode()).digest()).decode()
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None
    told = policy[1].replace("&#39;", "'").replace("&#43;", "+")
    assert f"style-src 'sha256-{digest}'" in told
    assert "default-src 'none'" in told
    assert "script-src" not in told
    assert " style=" not in text


@pytest.mark.parametrize("fates", [["planned"] * 2, ["failed"] * 2, ["uncosted"] * 2], ids=lambda fates: fates[0])
def test_a_batch_without_a_clip_is_reported_too(tmp_path: Path, fates: list[str]) -> None:
    files = reported(tmp_path / "o", with_scenes(2), fates)
    assert all(path.stat().st_size > 0 for path in _written(files))


def test_omitted_shots_are_listed(tmp_path: Path) -> None:
    batch = with_scenes(2)
    batch = replace(batch, shots=(batch.shots[0], replace(batch.shots[1], omit=True)))
    files = reported(tmp_path / "o", batch, ["charged"])
    rows = rows_of(files.takes)
    assert [(row["shot_id"], row["take"], row["state"]) for row in rows] == [
        ("sh000", "1", "verified"),
        ("sh001", "", "omitted"),
    ]
    assert "omitted" in files.storyboard.read_text(encoding="utf-8")


def test_a_sidecar_tells_how_its_clip_was_made(tmp_path: Path) -> None:
    reported(tmp_path / "o", with_scenes(1), ["charged"])
    told = json.loads((tmp_path / "o" / "clips" / "sh000_t1.json").read_text(encoding="utf-8"))
    assert (told["credits"], told["request_ids"], told["recipe"]["prompt"], told["shot"]["scene"]) == (
        {"held": 1001, "charged": 1001},
        ["wb1:n:r:1.1"],
        "shot number 0",
        "sc0",
    )


def test_no_report_names_a_folder_of_this_machine(tmp_path: Path) -> None:
    files = reported(tmp_path / "o", with_scenes(2), ["charged", "failed"])
    for path in _written(files):
        assert str(tmp_path) not in path.read_text(encoding="utf-8")


def test_causes_are_grouped_whatever_ids_stand_in_them() -> None:
    errors = [
        ("a", "HTTP 504, lost wb1:abc:def:1.1 after 3 s"),
        ("b", "HTTP 504, lost wb1:abc:fff:2.1 after 7.5 s"),
        ("c", "HTTP 500, other"),
    ]
    assert [(each["count"], each["takes"]) for each in causes(errors)] == [(2, ["a", "b"]), (1, ["c"])]


@pytest.mark.parametrize(
    ("credit_count", "text"),
    [(3_150_000, "1.575"), (0, "0.00"), (2_000_000, "1.00"), (1, "0.0000005"), (10**12, "500000.00")],
)
def test_usd_is_exact(credit_count: int, text: str) -> None:
    assert usd_cell(credit_count) == text


def test_controls_are_shown_or_dropped() -> None:
    assert visible("a\x00b\u2066c\nd") == "ab[U+2066]c\nd"
