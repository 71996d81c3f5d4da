"""The CSV tables: exact columns, exact cells, and no cell that a spreadsheet would run."""

from __future__ import annotations

import csv
import io
from pathlib import Path

import pandas as pd
import pytest

from tests.reporting.states import BEGIN, CREDITS, MADE_AT, begin, every_state, shot
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.plan import make_plan
from wanbatch.batch.shots import Batch
from wanbatch.money.credits import exact_usd
from wanbatch.reporting.cost_files import write_ledger
from wanbatch.reporting.csv_tables import Frames, frames
from wanbatch.reporting.csv_text import csv_parts
from wanbatch.reporting.files import write_reports
from wanbatch.state.reader import StateReader

TAKES_HEADER = (
    "shot_id,take,scene,state,model,resolution,aspect_ratio,duration_ordered_s,seed,prompt,generation_id,attempts,"
    "usd_held,credits_held,usd_charged,credits_charged,submitted_at,started_at,completed_at,verified_at,queued_s,generating_s,"
    "detect_lag_s,download_s,file,sha256,size_bytes,clip_duration_s,width,height,has_audio,warning,error,"
    "sequence,tags,cost_code,notes,recipe_sha256,usd_estimated,credits_estimated,total_s,circled,take_note,provider,in_cut,"
    "chain_start,join_psnr_db,sharpness_first,contrast_first,colour_first,sharpness_last,contrast_last,colour_last,"
    "sharpness_joins,contrast_joins,colour_joins,last_frame_psnr_db"
)
ATTEMPTS_HEADER = (
    "shot_id,take,attempt,request_id,outcome,http_status,generation_id,usd_estimated,credits_estimated,usd_held,"
    "credits_held,usd_charged,credits_charged,started_at,ended_at,body_sha256,key_fingerprint,error,model"
)
SUMMARY_HEADER = (
    "level,key,takes,verified,left_out,failed,held,superseded,open,omitted,usable_s,usd_held,credits_held,usd_charged,"
    "credits_charged,usd_held_known,credits_held_known,usd_charged_known,credits_charged_known,usd_outside_cut,credits_outside_cut,holds_not_seen,charges_not_seen,takes_of_unknown_cost,usd_per_usable_second,"
    "credits_per_usable_second,queued_p50_s,queued_p95_s,generating_p50_s,generating_p95_s,download_p50_s,"
    "download_p95_s,total_p50_s,total_p95_s"
)


def csv_text(frame: pd.DataFrame) -> str:
    return "".join(csv_parts(frame))


def tables_of(output: Path) -> Frames:
    with StateReader.open(output) as reader:
        return frames(reader)


def test_a_small_takes_table_is_exactly_this(tmp_path: Path) -> None:
    batch = Batch("small", (shot("b_sh2", 0, scene="sc1"), shot("a_sh1", 1, notes="=1+1"), shot("c", 2, omit=True)))
    pen = begin(tmp_path, batch)
    pen.lead(1, State.VERIFIED, charged=CREDITS, label="b_sh2_t1", estimated=CREDITS)
    recipes = [take.recipe.sha256 for take in pen.state.takes()]
    files = write_reports(pen.state, made_at=MADE_AT)
    pen.state.close()
    assert files.takes.read_text(encoding="utf-8") == (
        f"\ufeff{TAKES_HEADER}\n"
        "b_sh2,1,sc1,verified,alibaba/wan-2-6-t2v,720p,16:9,5,7,A dragon lands.,gen-1,1,0.525,1050000,0.525,1050000,"
        "2026-03-01T20:00:01.000Z,2026-03-01T20:00:03.000Z,2026-03-01T20:00:04.000Z,2026-03-01T20:00:06.000Z,"
        f"2,1,1,1.5,clips/b_sh2_t1.mp4,{'c' * 64},260939,5,1280,720,true,,,,,,,{recipes[0]},0.525,1050000,5,false,,,true,,,,,,,,,,,,\n"
        "a_sh1,1,,planned,alibaba/wan-2-6-t2v,720p,16:9,5,7,A dragon lands.,,0,,,,,,,,,,,,,,,,,,,,,,,,,"
        f"'=1+1,{recipes[1]},0.525,1050000,,false,,,false,,,,,,,,,,,,\n"
        "c,,,omitted,,,,,,A dragon lands.,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,,\n"
    )


def test_headers_are_fixed_also_of_a_batch_without_takes(tmp_path: Path) -> None:
    pen = begin(tmp_path, Batch("empty", ()))
    files = write_reports(pen.state, made_at=MADE_AT)
    pen.state.close()
    found = [path.read_text(encoding="utf-8-sig") for path in (files.takes, files.attempts, files.summary)]
    assert found == [
        f"{TAKES_HEADER}\n",
        f"{ATTEMPTS_HEADER}\n",
        f"{SUMMARY_HEADER}\nbatch,empty,0,0,0,0,0,0,0,0,0,0.00,0,0.00,0,0.00,0,0.00,0,0.00,0,0,0,0,,,,,,,,,,\n",
    ]


def test_each_state_of_the_lifecycle_is_told_by_its_name(tmp_path: Path) -> None:
    states = every_state(tmp_path)
    takes = tables_of(tmp_path).takes
    told = dict(zip(takes["shot_id"], takes["state"], strict=True))
    assert told == {**{name: state.value for name, state in states.items()}, "zz_omitted": "omitted"}


def test_an_attempt_is_a_row_with_its_outcome(tmp_path: Path) -> None:
    pen = begin(tmp_path, Batch("b", (shot("s", 0),)))
    pen.lead(1, State.FAILED, error="case 4711: no")
    pen.tell(1, Fact.RETRY_PLANNED, by="user")
    words = {"request_id": "wb1:nonce:1:2", "body_sha256": "d" * 64, "key_fingerprint": "k", "credits_estimated": 5}
    pen.tell(1, Fact.SUBMIT_STARTED, attempt=2, **words)
    pen.tell(1, Fact.REFUSED, error="=bad", http_status=400)
    pen.state.close()
    assert csv_text(tables_of(tmp_path).attempts).splitlines()[1:] == [
        (
            "s,1,1,wb1:nonce:1:1,failed,,gen-1,,,0.525,1050000,,,2026-03-01T20:00:01.000Z,2026-03-01T20:00:04.000Z,"
            f"{'b' * 64},f00dfeed,case 4711: no,alibaba/wan-2-6-t2v"
        ),
        f"s,1,2,wb1:nonce:1:2,refused,400,,0.0000025,5,,,,,2026-03-01T20:00:06.000Z,2026-03-01T20:00:07.000Z,{'d' * 64},k,'=bad,alibaba/wan-2-6-t2v",
    ]


def test_a_stale_take_is_superseded_and_stays_in_story_order(tmp_path: Path) -> None:
    pen = begin(tmp_path, Batch("b", (shot("one", 0), shot("two", 1))))
    pen.lead(1, State.VERIFIED, label="one_t1")
    edited = Batch("b", (shot("two", 0), shot("one", 1, prompt="Another.")))
    pen.state.adopt(make_plan(edited, pen.state.takes(), pen.state.shots()), BEGIN)
    pen.state.close()
    takes = tables_of(tmp_path).takes
    assert list(zip(takes["shot_id"], takes["take"], takes["state"], strict=True)) == [
        ("two", 1, "planned"),
        ("one", 1, "superseded"),
        ("one", 2, "planned"),
    ]


FORMULAS = ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", "\uff1dx", "\uff0bx", "\uff0dx", "\uff20x"]
HARMLESS = ["plain", 'say "hi", twice', "two\nlines", "a\rb", "7-1", "", "NA", "naïve 龍"]


@pytest.mark.sampled(3)
@pytest.mark.parametrize("text", FORMULAS)
def test_no_free_text_cell_starts_a_formula(tmp_path: Path, text: str) -> None:
    facts = {"scene": text, "sequence": text, "cost_code": text, "notes": text, "tags": (text,)}
    pen = begin(tmp_path, Batch("b", (shot("s", 0, prompt=text, **facts),)))
    pen.lead(1, State.FAILED, error=text, warning=text)
    files = write_reports(pen.state, made_at=MADE_AT)
    pen.state.close()
    told = text.replace("\r", "\n")
    cells: list[str] = []
    for path in (files.takes, files.attempts, files.summary):
        with path.open(encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.DictReader(stream))
        cells += [cell for row in rows for cell in row.values() if cell.endswith(told) and cell != "gen-1"]
    assert len(cells) == 8 + 1 + 3
    assert set(cells) == {f"'{told}"}


@pytest.mark.parametrize("column", ["model", "resolution", "aspect_ratio"])
def test_no_word_of_the_order_starts_a_formula(column: str) -> None:
    assert csv_text(pd.DataFrame({column: ["=1+1"]})) == f"\ufeff{column}\n'=1+1\n"


def test_ids_are_never_changed(tmp_path: Path) -> None:
    pen = begin(tmp_path, Batch("b", (shot("s", 0),)))
    pen.lead(1, State.SUBMITTING)
    pen.tell(1, Fact.ACCEPTED, generation_id="-Abc=", credits_held=1)
    pen.state.close()
    assert ",-Abc=,1," in csv_text(tables_of(tmp_path).takes)


def test_the_csv_and_pandas_read_back_what_was_written(tmp_path: Path) -> None:
    shots = [shot(f"s{number}", number, notes=text, prompt="p") for number, text in enumerate(HARMLESS)]
    pen = begin(tmp_path, Batch("b", tuple(shots)))
    files = write_reports(pen.state, made_at=MADE_AT)
    pen.state.close()
    written = files.takes.read_bytes().decode("utf-8-sig")
    by_csv = [row["notes"] for row in csv.DictReader(io.StringIO(written, newline=""))]
    by_pandas = list(pd.read_csv(files.takes, dtype=str, keep_default_na=False)["notes"])
    assert by_csv == by_pandas == [text.replace("\r", "\n") for text in HARMLESS]


def test_types_are_nullable_and_times_are_utc(tmp_path: Path) -> None:
    every_state(tmp_path)
    tables = tables_of(tmp_path)
    kinds = {str(kind) for table in (tables.takes, tables.attempts, tables.summary) for kind in table.dtypes}
    assert kinds == {"string", "Int64", "Float64", "boolean", "datetime64[ms, UTC]"}


@pytest.mark.parametrize(
    ("credit_count", "text"),
    [(0, "0.00"), (1, "0.0000005"), (2_000_000, "1.00"), (3_150_000, "1.575"), (10**15, "500000000.00")],
)
def test_usd_is_exact_and_plain(credit_count: int, text: str) -> None:
    assert exact_usd(credit_count) == text


def test_every_csv_is_opened_with_its_letters_by_a_spreadsheet_program(tmp_path: Path) -> None:
    pen = begin(tmp_path, Batch("b", (shot("s", 0, prompt="Ein Schloß über dem Meer"),)))
    write_reports(pen.state, made_at=MADE_AT)
    write_ledger(tmp_path, [], MADE_AT)
    pen.state.close()
    begins = {path.name: path.read_bytes()[:3] for path in (tmp_path / "reports").glob("*.csv")}
    assert begins == dict.fromkeys(
        [
            "takes.csv",
            "attempts.csv",
            "summary.csv",
            "costs.csv",
            "shots.csv",
            "spend.csv",
            "prices.csv",
            "variance.csv",
            "ledger.csv",
        ],
        b"\xef\xbb\xbf",
    )
    assert next(iter(pd.read_csv(tmp_path / "reports" / "takes.csv").columns)) == "shot_id"
