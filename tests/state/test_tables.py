"""The layout of a state file never changes: a file that an earlier version began is read and written on."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from wanbatch.state.file import StateFile
from wanbatch.state.reader import StateReader
from wanbatch.state.tables import DDL, Run, new_identity

AT = datetime(2026, 11, 1, 20, tzinfo=UTC)
LAYOUT = {
    "identity": "name TEXT PRIMARY KEY, value TEXT NOT NULL",
    "shots": (
        "shot_id TEXT, ordinal INTEGER, sequence TEXT, scene TEXT, tags TEXT, cost_code TEXT, notes TEXT, prompt "
        "TEXT, wanted INTEGER, omit INTEGER, removed INTEGER, PRIMARY KEY (shot_id)"
    ),
    "takes": (
        "take_id INTEGER, shot_id TEXT, number INTEGER, recipe_json TEXT, state TEXT, superseded INTEGER, "
        "planned_at TEXT, attempts INTEGER, attempt INTEGER, tries INTEGER, request_id TEXT, generation_id TEXT, "
        "credits_estimated INTEGER, credits_held INTEGER, credits_charged INTEGER, is_charge_seen INTEGER, "
        "credits_at_risk INTEGER, submitted_at TEXT, accepted_at TEXT, started_at TEXT, completed_at TEXT, "
        "last_running_at TEXT, downloaded_at TEXT, verified_at TEXT, download_s REAL, dead_links INTEGER, "
        "searches INTEGER, witnessed INTEGER, failure_seen_at TEXT, first_searched_at TEXT, last_searched_at "
        "TEXT, log_lag_s REAL, needs_user INTEGER, file TEXT, sha256 TEXT, size_bytes INTEGER, clip_duration_s "
        "REAL, width INTEGER, height INTEGER, has_audio INTEGER, warning TEXT, error TEXT, is_retake INTEGER, "
        "note TEXT, circled INTEGER, PRIMARY KEY (take_id), UNIQUE (shot_id, number), UNIQUE (generation_id)"
    ),
    "attempts": (
        "take_id INTEGER, number INTEGER, request_id TEXT, body_sha256 TEXT, key_fingerprint TEXT, started_at "
        "TEXT, outcome TEXT, ended_at TEXT, http_status INTEGER, generation_id TEXT, credits_estimated INTEGER, "
        "credits_held INTEGER, credits_charged INTEGER, is_echoed INTEGER, error TEXT, PRIMARY KEY (take_id, "
        "number), UNIQUE (request_id)"
    ),
    "runs": (
        "run_id INTEGER, started_at TEXT, ended_at TEXT, exit_code INTEGER, speed REAL, version TEXT, "
        "estimate_credits INTEGER, unpriced INTEGER, cap_credits INTEGER, message TEXT, is_cap_given INTEGER, "
        "scene_caps TEXT, estimate_low INTEGER, estimate_worst INTEGER, PRIMARY KEY (run_id)"
    ),
    "quotes": (
        "run_id INTEGER, price_class TEXT, model TEXT, resolution TEXT, duration_s INTEGER, credits INTEGER, low "
        "INTEGER, high INTEGER, source TEXT, at TEXT, PRIMARY KEY (run_id, price_class)"
    ),
    "strays": (
        "request_id TEXT, generation_id TEXT, credits_held INTEGER, at TEXT, source TEXT, PRIMARY KEY (request_id)"
    ),
    "marks": "name TEXT PRIMARY KEY, at TEXT NOT NULL",
    "notes": "name TEXT PRIMARY KEY, value TEXT NOT NULL",
    "own_cells": "shot_id TEXT PRIMARY KEY, cells TEXT NOT NULL",
    "baseline": "shot_id TEXT PRIMARY KEY, takes INTEGER NOT NULL, credits INTEGER",
    "baseline_parts": "shot_id TEXT PRIMARY KEY, known INTEGER NOT NULL, unpriced INTEGER NOT NULL",
    "baseline_recipes": "shot_id TEXT PRIMARY KEY, recipe TEXT NOT NULL",
    "fallbacks": "shot_id TEXT PRIMARY KEY, told TEXT NOT NULL",
    "origins": "shot_id TEXT PRIMARY KEY, told TEXT NOT NULL",
    "files": "sha256 TEXT PRIMARY KEY, told TEXT NOT NULL",
    "run_details": (
        "run_id INTEGER PRIMARY KEY, stops TEXT NOT NULL, left_out TEXT NOT NULL, only TEXT NOT NULL, excepted TEXT NOT"
        " NULL, takes_limit INTEGER"
    ),
    "facts": (
        "seq INTEGER PRIMARY KEY, take_id INTEGER NOT NULL, fact TEXT NOT NULL, at TEXT NOT NULL, data TEXT NOT "
        "NULL, crc INTEGER NOT NULL"
    ),
}


def opened(output: Path) -> StateFile:
    return StateFile.create_or_open(output, new_identity("b", "http://127.0.0.1:1", "k", AT, sandbox=True))


@pytest.mark.parametrize("sql", DDL, ids=LAYOUT)
def test_each_table_has_the_columns_that_earlier_versions_gave_it(sql: str) -> None:
    told = " ".join(sql.replace("IF NOT EXISTS ", "").split())
    assert told in [f"CREATE TABLE {name} ({columns}) STRICT" for name, columns in LAYOUT.items()]


def test_the_layout_lists_every_table() -> None:
    assert len(LAYOUT) == len(DDL)


def test_a_run_that_an_earlier_version_recorded_is_read_and_written_on(tmp_path: Path) -> None:
    run = Run(1, AT, None, None, 1.0, "0.1", 7, 0, None, "")
    with closing(opened(tmp_path)) as state:
        state.store_run(run)
    with closing(sqlite3.connect(tmp_path / "state.sqlite")) as connection, connection:
        connection.execute("UPDATE runs SET estimate_low = 5, estimate_worst = 9")
    with closing(opened(tmp_path)) as state:
        state.store_run(Run(1, AT, AT, 0, 1.0, "0.1", 7, 0, None, "done"))
    with StateReader.open(tmp_path) as reader:
        assert [(each.estimate_credits, each.message) for each in reader.runs()] == [(7, "done")]
