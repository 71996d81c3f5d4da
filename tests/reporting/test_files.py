"""The report files as a whole: made from the state alone, twice the same, atomic, without secrets; and the sidecars."""

from __future__ import annotations

import json
import re
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from tests.reporting.states import CREDITS, MADE_AT, begin, every_state, place_clips, shot, write_run
from wanbatch.batch.lifecycle import State
from wanbatch.batch.shots import Batch
from wanbatch.reporting.files import write_reports
from wanbatch.reporting.sidecar import write_sidecar
from wanbatch.state.reader import StateReader

LEAKY = (
    "GET https://cdn.example.com/v/a.mp4?Signature=s3cr3t&KeyId=k failed, Authorization: Bearer sk-canary-4711, case 9"
)


def written(output: Path) -> dict[str, bytes]:
    """Every file that the reports write, by its path below the folder."""
    paths = [output / "storyboard.html", *(output / "reports").iterdir(), *(output / "clips").glob("*.json")]
    return {path.relative_to(output).as_posix(): path.read_bytes() for path in sorted(paths)}


def report(output: Path, *, made_at: datetime = MADE_AT) -> dict[str, bytes]:
    with StateReader.open(output) as reader:
        write_reports(reader, made_at=made_at)
    return written(output)


@pytest.mark.long
def test_the_same_state_gives_the_same_bytes(tmp_path: Path) -> None:
    every_state(tmp_path)
    assert report(tmp_path) == report(tmp_path)


@pytest.mark.long
def test_only_the_time_of_the_report_changes_with_it(tmp_path: Path) -> None:
    every_state(tmp_path)
    first, second = report(tmp_path), report(tmp_path, made_at=MADE_AT.replace(hour=23))
    changed = {name for name in first if first[name] != second[name]}
    assert changed == {"reports/summary.json", "reports/costs.json", "reports/report.html", "storyboard.html"}
    for name in changed:
        assert first[name].replace(b"07:30", b"23:30") == second[name]


def test_the_files_are_these_and_no_part_is_left(tmp_path: Path) -> None:
    every_state(tmp_path)
    assert sorted(report(tmp_path)) == [
        "clips/sc2_sh08_t1.json",
        "reports/attempts.csv",
        "reports/costs.csv",
        "reports/costs.json",
        "reports/plotly.min.js",
        "reports/prices.csv",
        "reports/report.html",
        "reports/shots.csv",
        "reports/spend.csv",
        "reports/summary.csv",
        "reports/summary.json",
        "reports/takes.csv",
        "reports/variance.csv",
        "storyboard.html",
    ]


@pytest.mark.long
def test_an_unchanged_sidecar_is_left_alone(tmp_path: Path) -> None:
    every_state(tmp_path)
    report(tmp_path)
    before = (tmp_path / "clips/sc2_sh08_t1.json").stat().st_ino
    report(tmp_path)
    assert (tmp_path / "clips/sc2_sh08_t1.json").stat().st_ino == before


def test_no_path_of_this_machine_and_no_secret_is_in_any_file(tmp_path: Path) -> None:
    pen = begin(tmp_path, Batch("b", (shot("s", 0), shot("t", 1))), base_url="https://user:pass@api.example.com/v2")
    pen.lead(1, State.FAILED, error=f"{LEAKY}, no room in {tmp_path}/clips", warning=LEAKY)
    pen.lead(2, State.VERIFIED, label="t_t1", warning=LEAKY)
    place_clips(tmp_path, pen.state)
    write_run(pen, message=f"{tmp_path} is full; {LEAKY}")
    pen.state.close()
    everything = b"\n".join(report(tmp_path).values()).decode()
    secrets = r"s3cr3t|KeyId|sk-canary|user:pass|Bearer (?!\*\*\*)"
    assert re.findall(rf"{secrets}|{re.escape(str(tmp_path))}|/home/|/tmp/", everything) == []
    assert "https://cdn.example.com/v/a.mp4?…" in everything
    assert f"no room in {tmp_path.name}/clips" in everything


def test_a_sidecar_says_how_the_clip_was_made_and_what_it_cost(tmp_path: Path) -> None:
    tags: dict[str, Any] = {
        "tags": ("night", "fx"),
        "cost_code": "C1",
        "notes": "n",
        "scene": "sc1",
        "sequence": "reel",
    }
    pen = begin(tmp_path, Batch("b", (shot("s", 0, **tags),)))
    pen.lead(1, State.VERIFIED, charged=None, label="s_t1", warning="no sound")
    place_clips(tmp_path, pen.state)
    (take,) = pen.state.takes()
    write_sidecar(tmp_path, take, pen.state.shot("s"), pen.state.attempts_of(1))
    pen.state.close()
    assert json.loads((tmp_path / "clips/s_t1.json").read_text(encoding="utf-8")) == {
        "shot_id": "s",
        "take": 1,
        "state": "verified",
        "recipe": take.recipe.body,
        "recipe_sha256": take.recipe.sha256,
        "seed": 7,
        "shot": {
            "sequence": "reel",
            "scene": "sc1",
            "tags": ["night", "fx"],
            "cost_code": "C1",
            "notes": "n",
        },
        "generation_id": "gen-1",
        "request_ids": ["wb1:nonce:1:1"],
        "credits": {"held": CREDITS, "charged": None},
        "generations": [
            {
                "generation_id": "gen-1",
                "request_id": "wb1:nonce:1:1",
                "outcome": "completed",
                "held": CREDITS,
                "charged": None,
            }
        ],
        "times": {
            "submitted_at": "2026-03-01T20:00:01.000Z",
            "started_at": "2026-03-01T20:00:03.000Z",
            "completed_at": "2026-03-01T20:00:04.000Z",
            "downloaded_at": "2026-03-01T20:00:05.000Z",
            "verified_at": "2026-03-01T20:00:06.000Z",
        },
        "file": "clips/s_t1.mp4",
        "sha256": "c" * 64,
        "size_bytes": 260_939,
        "probe": {"duration_s": 5.0, "width": 1280, "height": 720, "has_audio": True},
        "circled": False,
        "note": "",
        "warning": "no sound",
    }


def test_a_sidecar_written_by_itself_keeps_secrets_and_stays_in_its_folder(tmp_path: Path) -> None:
    output = tmp_path / "a"
    pen = begin(output, Batch("b", (shot("s", 0), shot("t", 1))))
    pen.lead(1, State.VERIFIED, label="s_t1", warning=LEAKY)
    pen.lead(2, State.VERIFIED, file="../t_t1.mp4")
    for take in pen.state.takes():
        write_sidecar(output, take, pen.state.shot(take.shot_id), ())
    pen.state.close()
    assert [path.relative_to(tmp_path).as_posix() for path in tmp_path.rglob("*.json")] == ["a/clips/s_t1.json"]
    assert "s3cr3t" not in (output / "clips/s_t1.json").read_text(encoding="utf-8")


def test_a_take_without_a_clip_has_no_sidecar(tmp_path: Path) -> None:
    pen = begin(tmp_path, Batch("b", (shot("s", 0),)))
    write_sidecar(tmp_path, pen.state.takes()[0], pen.state.shot("s"), ())
    pen.state.close()
    assert not (tmp_path / "clips").exists()
