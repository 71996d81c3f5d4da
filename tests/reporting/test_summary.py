"""The summary: every sum is that of its parts, and what nobody knows is not 0."""

from __future__ import annotations

import json
import sqlite3
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import closing
from pathlib import Path

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.reporting.states import CREDITS, MADE_AT, begin, every_state, place_clips, shot, write_run
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.shots import Batch
from wanbatch.reporting.csv_tables import frames
from wanbatch.reporting.files import write_reports
from wanbatch.reporting.summary import needs_of
from wanbatch.state.needs import Problem, problems_in
from wanbatch.state.progress_reader import read_overview
from wanbatch.state.reader import StateReader

COUNTED = [
    "takes",
    "verified",
    "failed",
    "held",
    "superseded",
    "omitted",
    "holds_not_seen",
    "charges_not_seen",
    "takes_of_unknown_cost",
]
SUMMED = [*COUNTED, "usable_s", "credits_held_known", "credits_charged_known", "credits_outside_cut"]
CHARGEABLE = {
    State.HELD,
    State.QUEUED,
    State.GENERATING,
    State.COMPLETED,
    State.DOWNLOADED,
    State.VERIFIED,
    State.FAILED,
}
CREDIT = st.none() | st.integers(0, 10**12)
TAKE = st.tuples(st.sampled_from(list(State)), st.sampled_from(["", "sc1", "sc2"]), CREDIT, CREDIT, CREDIT)


def summary_of(takes: Sequence[tuple[State, str, int | None, int | None, int | None]], folder: Path) -> pd.DataFrame:
    shots = [shot(f"s{number}", number, scene=scene) for number, (_, scene, *_) in enumerate(takes)]
    pen = begin(folder, Batch("b", (*shots, shot("omitted", 99, scene="sc3", omit=True))))
    for take_id, (state, _, estimated, held, charged) in enumerate(takes, start=1):
        seen = charged if state in CHARGEABLE else None
        pen.lead(take_id, state, estimated=estimated, held=held, charged=seen, label=f"s{take_id - 1}_t1")
    summary = frames(pen.state).summary
    pen.state.close()
    return summary


@pytest.mark.long
@settings(max_examples=12)
@given(st.lists(TAKE, max_size=5))
def test_every_level_sums_to_the_batch(takes: list[tuple[State, str, int | None, int | None, int | None]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        summary = summary_of(takes, Path(folder))
    batch = summary[summary["level"] == "batch"].iloc[0]
    known = [take for take in takes if take[4] is not None and take[0] in CHARGEABLE]
    whole = {name: 0 if pd.isna(batch[name]) else batch[name] for name in SUMMED}
    for _, groups in summary.groupby("level"):
        omitted = 1 - groups["omitted"].sum()  # an omitted shot has a scene, and no model of its own
        assert {name: groups[name].sum() for name in SUMMED} == whole | {"omitted": 1 - omitted}
    assert batch["credits_charged_known"] == sum(each[4] or 0 for each in known)


@pytest.mark.long
@settings(max_examples=12)
@given(st.lists(TAKE, min_size=1, max_size=5))
def test_a_zero_is_claimed_only_where_every_charge_is_known(
    takes: list[tuple[State, str, int | None, int | None, int | None]],
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        summary = summary_of(takes, Path(folder))
    zeros = summary[(summary["credits_charged"] == 0).fillna(value=False)]
    assert (zeros["charges_not_seen"] == 0).all() or any(take[4] == 0 for take in takes)


@pytest.mark.parametrize("state", [State.SUBMITTING, State.UNKNOWN, State.HELD, State.QUEUED, State.VERIFIED])
def test_a_take_that_may_cost_something_is_never_free(tmp_path: Path, state: State) -> None:
    batch = summary_of([(state, "", None, None, None)], tmp_path).iloc[0]
    asked = ["credits_held", "credits_charged", "usd_charged", "credits_per_usable_second", "usd_per_usable_second"]
    assert [name for name in asked if pd.notna(batch[name])] == []
    assert (batch["charges_not_seen"], batch["takes_of_unknown_cost"]) == (1, 1)


def test_takes_that_were_never_sent_cost_nothing(tmp_path: Path) -> None:
    batch = summary_of([(State.PLANNED, "", None, None, None)], tmp_path).iloc[0]
    assert (batch["credits_charged"], batch["usd_charged"], batch["charges_not_seen"]) == (0, 0, 0)


def test_a_second_has_no_price_while_a_charge_is_missing(tmp_path: Path) -> None:
    takes = [(State.VERIFIED, "a", None, CREDITS, CREDITS), (State.VERIFIED, "b", None, CREDITS, None)]
    summary = summary_of(takes, tmp_path).set_index(["level", "key"])
    prices = summary["credits_per_usable_second"]
    assert prices["scene", "a"] == 210_000
    assert pd.isna(prices["scene", "b"])
    assert pd.isna(prices["batch", "b"])


def test_what_was_charged_for_no_clip_is_outside_the_cut(tmp_path: Path) -> None:
    states = {State.VERIFIED: 100, State.FAILED: 50, State.QUEUED: 25, State.HELD: 5}
    batch = summary_of([(state, "", 1, 1, charged) for state, charged in states.items()], tmp_path).iloc[0]
    assert (batch["credits_charged_known"], batch["credits_outside_cut"]) == (180, 80)


def test_a_level_without_names_has_no_groups(tmp_path: Path) -> None:
    levels = set(summary_of([(State.VERIFIED, "", 1, 1, 1)], tmp_path)["level"])
    assert levels == {"batch", "scene", "model", "resolution", "duration"}


def test_a_charged_attempt_before_the_clip_is_outside_the_cut(tmp_path: Path) -> None:
    pen = begin(tmp_path, Batch("b", (shot("s", 0),)))
    pen.lead(1, State.FAILED)
    pen.tell(1, Fact.CHARGED, credits_charged=50)
    pen.tell(1, Fact.RETRY_PLANNED, by="user")
    again = {"request_id": "wb1:nonce:1:2", "body_sha256": "b" * 64, "key_fingerprint": "k", "credits_estimated": 100}
    pen.tell(1, Fact.SUBMIT_STARTED, attempt=2, **again)
    pen.tell(1, Fact.ACCEPTED, generation_id="gen-2", credits_held=100)
    pen.tell(1, Fact.COMPLETED)
    pen.tell(1, Fact.DOWNLOADED, sha256="c" * 64, size_bytes=9, clip_duration_s=5.0)
    pen.tell(1, Fact.VERIFIED, file="clips/s_t1.mp4")
    before = frames(pen.state).summary.iloc[0]
    pen.tell(1, Fact.CHARGED, generation_id="gen-2", credits_charged=100)
    after = frames(pen.state).summary.iloc[0]
    pen.state.close()
    asked = ["credits_charged_known", "credits_outside_cut", "charges_not_seen"]
    assert [[each[name] for name in asked] for each in (before, after)] == [[50, 50, 1], [150, 50, 0]]
    assert pd.isna(before["credits_per_usable_second"])
    assert after["credits_per_usable_second"] == 30


def test_an_attempt_given_up_without_proof_may_still_be_charged(tmp_path: Path) -> None:
    pen = begin(tmp_path, Batch("b", (shot("s", 0),)))
    pen.lead(1, State.HELD, estimated=CREDITS)
    pen.tell(1, Fact.ABANDONED)
    batch = frames(pen.state).summary.iloc[0]
    pen.state.close()
    assert (batch["failed"], batch["charges_not_seen"], batch["takes_of_unknown_cost"]) == (1, 1, 0)
    assert pd.isna(batch["credits_charged"])


def test_a_take_whose_shot_is_missing_still_counts(tmp_path: Path) -> None:
    pen = begin(tmp_path, Batch("b", (shot("s", 0), shot("t", 1))))
    for take in pen.state.takes():
        pen.lead(take.take_id, State.VERIFIED, charged=CREDITS, label=take.label)
    place_clips(tmp_path, pen.state)
    pen.state.close()
    with closing(sqlite3.connect(tmp_path / "state.sqlite")) as damage, damage:
        damage.execute("DELETE FROM shots WHERE shot_id = 's'")
    with StateReader.open(tmp_path) as reader:
        files = write_reports(reader, made_at=MADE_AT)
    facts = json.loads(files.summary_json.read_text(encoding="utf-8"))
    assert (facts["credits"]["charged"], facts["summary"][0]["takes"]) == (2 * CREDITS, 2)
    assert "clips/s_t1.mp4" in files.storyboard.read_text(encoding="utf-8")


def test_a_second_has_no_price_while_a_clip_is_not_measured(tmp_path: Path) -> None:
    pen = begin(tmp_path, Batch("b", (shot("s", 0), shot("t", 1))))
    pen.lead(1, State.VERIFIED, charged=CREDITS, label="s_t1")
    pen.lead(2, State.VERIFIED, charged=CREDITS, label="t_t1", clip_s=None)
    summary = frames(pen.state).summary
    pen.state.close()
    assert summary.iloc[0]["usable_s"] == 5
    assert pd.isna(summary.iloc[0]["usd_per_usable_second"])


def test_the_summary_for_machines_says_the_same(tmp_path: Path) -> None:
    every_state(tmp_path)
    with StateReader.open(tmp_path) as reader:
        files = write_reports(reader, made_at=MADE_AT)
    facts = json.loads(files.summary_json.read_text(encoding="utf-8"))
    assert {name: facts[name] for name in ("batch", "output", "sandbox", "provider", "made_at", "credits")} == {
        "batch": "every-state",
        "output": tmp_path.name,
        "sandbox": False,
        "provider": "https://api.example.com/v2",
        "made_at": "2026-03-02T07:30:00.000Z",
        "credits": {
            "estimated": None,
            "last_run_estimated": 9_000_000,
            "committed": None,
            "committed_known": 5 * CREDITS,
            "charged": None,
            "charged_known": CREDITS,
            "charges_not_seen": 7,
            "holds_not_seen": 3,
            "held": None,
            "held_known": 5 * CREDITS,  # that of the failed one is released
            "unknown_takes": 3,
            "cap": 12_000_000,
        },
    }
    assert facts["counts"] == {state.value: 1 for state in State} | {"omitted": 1}
    assert [(each["take"], each["state"]) for each in facts["problems"]] == [
        ("sc0_sh02_t1", "unknown"),
        ("sc0_sh03_t1", "held"),
        ("sc2_sh09_t1", "failed"),
    ]
    assert all(each["todo"] for each in facts["problems"])


def test_committed_is_unknown_when_no_cost_is_known(tmp_path: Path) -> None:
    pen = begin(tmp_path, Batch("b", (shot("s", 0),)))
    pen.lead(1, State.UNKNOWN)
    write_run(pen)
    files = write_reports(pen.state, made_at=MADE_AT)
    pen.state.close()
    money = json.loads(files.summary_json.read_text(encoding="utf-8"))["credits"]
    assert [money[name] for name in ("committed", "charged", "held", "unknown_takes")] == [None, None, None, 1]


def test_what_needs_the_user_is_grouped_by_what_to_do_and_cause_whatever_ids_it_names() -> None:
    errors = ["HTTP 400: case 12 of gen-4711abcdefgh", "HTTP 400: case 7 of gen-4712abcdefgh", "HTTP 500: case 7"]
    problems = [Problem(f"s{number}_t1", "failed", error, "ask") for number, error in enumerate(errors)]
    held = Problem("s3_t1", "held", errors[0], "wait")
    assert needs_of([*problems, held]) == [
        {"state": "held", "todo": "wait", "cause": errors[0], "count": 1, "takes": ["s3_t1"]},  # with its ids
        {"state": "failed", "todo": "ask", "cause": "HTTP 400: case # of …", "count": 2, "takes": ["s0_t1", "s1_t1"]},
        {"state": "failed", "todo": "ask", "cause": "HTTP 500: case 7", "count": 1, "takes": ["s2_t1"]},
    ]


@pytest.mark.parametrize(
    ("count", "told"),
    [
        (
            2,
            [
                ("`wanbatch resolve t1_t1 --abandon`", "lost wb1:a:1", 1),
                ("`wanbatch resolve t2_t1 --abandon`", "lost wb1:a:2", 1),
            ],
        ),
        (6, [("`wanbatch resolve t1_t1 --abandon`. For the others, do the same with their names", "lost …", 6)]),
    ],
    ids=["few", "many"],
)
def test_takes_to_decide_about_have_commands_with_their_own_names(count: int, told: list[tuple[str, str, int]]) -> None:
    problems = [
        Problem(f"t{n}_t1", "held", f"lost wb1:a:{n}", f"`wanbatch resolve t{n}_t1 --abandon`", needs_user=True)
        for n in range(1, count + 1)
    ]
    assert [(each["todo"], each["cause"], each["count"]) for each in needs_of(problems)] == told


def test_the_progress_is_that_of_every_single_take(tmp_path: Path) -> None:
    every_state(tmp_path)
    found = read_overview(tmp_path)
    progress = found.progress
    with StateReader.open(tmp_path) as reader:
        takes, shots, strays = reader.takes(), reader.shots(), reader.strays()
    known, unknown = (
        sum(take.credits_committed_known for take in takes),
        [take.credits_committed for take in takes].count(None),
    )
    counts = Counter(take.shown_state for take in takes) | Counter(omitted=sum(shot.omit for shot in shots))
    assert progress.counts == counts
    assert (progress.credits_committed, progress.uncosted) == (known, unknown)
    assert progress.credits_charged == sum(take.credits_charged or 0 for take in takes)
    assert progress.charges_not_seen == sum(take.may_be_charged_more for take in takes)
    assert found.problems == problems_in(takes, strays, folder=str(found.output))


def test_a_cause_keeps_the_numbers_in_the_name_of_a_model() -> None:
    text = "no clip by alibaba/wan2.1-t2v-turbo after {} s"
    (need,) = needs_of([Problem(f"s_t{n}", "failed", text.format(n + 0.5), "ask") for n in (1, 2)])
    assert need["cause"] == "no clip by alibaba/wan2.1-t2v-turbo after # s"
