"""The first confirmed plan stays the budget line; retakes, edits and all else are variance with their reason."""

from __future__ import annotations

import csv
import json
import re
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.reporting.test_book import a_bit_of_everything
from wanbatch.batch.lifecycle import State
from wanbatch.batch.models import PriceClass
from wanbatch.batch.plan import Due
from wanbatch.batch.spend import Kind
from wanbatch.clock import system_now
from wanbatch.money.baseline import (
    BaselineLine,
    Planned,
    Reason,
    baseline_of,
    lines_of,
    recipe_key,
    renamed_shots,
    variance_text,
    why_none,
)
from wanbatch.money.prices import Quote
from wanbatch.reporting.book import book_of
from wanbatch.reporting.record import read_record
from wanbatch.reporting.variance import variance_frame
from wanbatch.state.progress_reader import read_baseline
from wanbatch.state.reader import StateReader

CLASS, OTHER = PriceClass("m", "720p", 5), PriceClass("m", "1080p", 5)
PRICE = 1_050_000
HEAD = "version: 1\nname: film\ndefaults: {resolution: 720p, duration: 5}\nshots:\n"
SHOTS = [f"  - {{id: s{n}, scene: sc{n % 2}, prompt: Shot number {n}.}}\n" for n in range(4)]


def kind(state: State = State.VERIFIED, charged: int | None = PRICE, *, is_old: bool = False) -> Kind:
    seen = charged is not None
    return Kind(state, is_old, PRICE, PRICE, charged, seen, 0, attempts=1, price_class=CLASS)


def write(*shots: str) -> None:
    Path("film.yaml").write_text(HEAD + "".join(shots))


RUN = ("-q", "run", "film.yaml", "--sandbox", "--speed", "900")


@pytest.mark.long
def test_the_first_confirmed_plan_is_kept_whole_and_no_later_one_changes_it(said: Any) -> None:
    write(*SHOTS)
    said(*RUN, "--limit", "1", "--no-report")
    assert "baseline 2.10 USD, final cost 2.10 USD: no difference" in said("status")
    said(*RUN, "--no-report")
    said("-q", "retake", "s0", "s1", "--note", "slower", "--no-report", "--speed", "900")
    write(SHOTS[0], SHOTS[1].replace("Shot", "A better shot"), *SHOTS[2:])
    said(*RUN)
    line = next(line for line in said("status").splitlines() if "baseline" in line)
    assert line.strip() == "baseline 2.10 USD, final cost 3.675 USD: 2 retakes +1.05, 1 take of edited shots +0.525"
    (found,) = json.loads(Path("outputs/film/reports/costs.json").read_text())["baselines"]
    assert found == json.loads(said("--json", "status"))["baseline"]
    assert [(each["words"], each["credits"]) for each in found["variance"]] == [
        ("2 retakes", 2 * PRICE),
        ("1 take of edited shots", PRICE),
    ]
    page = Path("outputs/film/reports/report.html").read_text()
    assert [text in page for text in ("Baseline, variance and final cost", "2 retakes", "1 take of edited shots")] == [
        True
    ] * 3


def test_a_first_run_that_sends_nothing_leaves_the_baseline_to_the_first_confirmed_plan(said: Any) -> None:
    write(SHOTS[0], SHOTS[1].replace("{id", "{omit: true, id"))
    said(*RUN, "--only", "s1", "--no-report")
    assert "no baseline: no plan was confirmed yet" in said("status")
    said(*RUN, "--no-report")
    assert "baseline 0.525 USD, final cost 0.525 USD: no difference" in said("status")


def rows() -> list[tuple[str, str, str, str, str]]:
    with Path("outputs/film/reports/variance.csv").open(encoding="utf-8-sig", newline="") as stream:
        return [
            (row["scene"], row["shot_id"], row["reason"], row["takes"], row["usd"]) for row in csv.DictReader(stream)
        ]


@pytest.mark.long
def test_the_table_names_each_shot_with_its_reason_and_adds_up_to_the_final_cost(said: Any) -> None:
    write(*SHOTS[:3])
    said(*RUN, "--no-report")
    said("-q", "retake", "s0", "--no-report", "--speed", "900")
    longer = SHOTS[1].replace("prompt", "duration: 10, prompt")
    write(SHOTS[0], longer, SHOTS[3])
    said(*RUN)
    assert rows() == [
        ("sc0", "s0", "baseline", "1", "0.525"),
        ("sc1", "s1", "baseline", "1", "0.525"),
        ("sc0", "s2", "baseline", "1", "0.525"),
        ("sc1", "s1", "edit", "1", "1.05"),
        ("sc0", "s0", "retake", "1", "0.525"),
        ("sc1", "s3", "new shot", "1", "0.525"),
    ]
    costs = json.loads(Path("outputs/film/reports/costs.json").read_text())
    (found,) = costs["baselines"]
    whole = costs["levels"][0]["final_known_credits"]
    assert (round(sum(float(row[-1]) for row in rows()) * 2_000_000), found["final_credits"]) == (whole, whole)


@pytest.mark.long
def test_a_shot_that_is_left_out_before_it_was_bought_is_saved(said: Any) -> None:
    write(*SHOTS)
    said(*RUN, "--limit", "1", "--only", "s0", "--no-report")
    write(SHOTS[0], SHOTS[1], SHOTS[2].replace("{id", "{omit: true, id"))
    said(*RUN)
    assert "baseline 2.10 USD, final cost 1.05 USD: 2 takes of shots left out -1.05" in said("status")


@pytest.mark.long
def test_a_renamed_shot_that_asks_for_the_same_is_one_line_that_adds_nothing(said: Any) -> None:
    write(*SHOTS[:3])
    said(*RUN, "--only", "s0", "--no-report")
    named = [SHOTS[0].replace("s0", "opening"), SHOTS[1].replace("s1", "bridge"), SHOTS[2]]  # one is bought, one is not
    write(*named)
    said(*RUN, "--rename", "s0=opening")
    assert "baseline 1.575 USD, final cost 1.575 USD: 2 takes of renamed shots 0.00" in said("status")
    with Path("outputs/film/reports/variance.csv").open(encoding="utf-8-sig", newline="") as stream:
        told = [
            (row["shot_id"], row["reason"], row["earlier_shot_id"], row["takes"], row["credits"])
            for row in csv.DictReader(stream)
        ]
    assert told == [
        *((shot, "baseline", "", "1", str(PRICE)) for shot in ("opening", "bridge", "s2")),
        ("opening", "renamed", "s0", "1", "0"),
        ("bridge", "renamed", "s1", "1", "0"),
    ]
    page = Path("outputs/film/reports/report.html").read_text()
    assert ("2 takes of renamed shots" in page, "new shots" in page) == (True, False)


@pytest.mark.long
def test_a_renamed_shot_that_asks_for_something_else_is_an_edit(said: Any) -> None:
    write(*SHOTS[:2])
    said(*RUN, "--no-report")
    write(SHOTS[0].replace("s0", "opening").replace("Shot", "A better shot"), SHOTS[1])
    said(*RUN, "--rename", "s0=opening")
    told = said("status")
    assert "final cost 1.575 USD: 1 take of edited shots +0.525, 1 take of renamed shots 0.00" in told


@pytest.mark.parametrize(
    ("gone", "new", "adopted", "pairs"),
    [
        ({"a": "k"}, {"x": "k"}, {}, {"a": "x"}),
        ({"a": "k"}, {"x": "l"}, {}, {}),
        ({"a": "k"}, {"x": "l"}, {"a": "x"}, {"a": "x"}),  # as the user decided
        ({"a": ""}, {"x": ""}, {}, {}),  # a file that an older version began keeps no recipes
        ({"a": "k", "b": "k"}, {"x": "k"}, {}, {"a": "x"}),
        ({"a": "k", "b": "k"}, {"x": "k", "y": "k"}, {"b": "x"}, {"b": "x", "a": "y"}),
        ({"a": "k", "b": "l"}, {"x": "k"}, {"a": "x", "b": "x"}, {"a": "x"}),
        ({"a": "k"}, {"x": "k"}, {"a": "elsewhere", "c": "x"}, {"a": "x"}),
    ],
)
def test_shots_that_are_gone_are_paired_with_those_they_became(
    gone: dict[str, str], new: dict[str, str], adopted: dict[str, str], pairs: dict[str, str]
) -> None:
    assert renamed_shots(gone, new, adopted) == pairs


def test_a_file_that_an_older_version_began_keeps_its_baseline(said: Any) -> None:
    write(*SHOTS[:2])
    said(*RUN, "--no-report")
    with closing(sqlite3.connect("outputs/film/state.sqlite")) as connection, connection:
        connection.execute("DROP TABLE baseline_recipes")
    assert "baseline 1.05 USD, final cost 1.05 USD: no difference" in said("status")
    write(SHOTS[0].replace("s0", "opening"), SHOTS[1])
    said(*RUN, "--rename", "s0=opening", "--no-report")
    assert "1 take of renamed shots 0.00" in said("status")  # the takes tell where they went


def test_a_folder_without_a_baseline_says_why_and_when_the_next_is_kept(said: Any, tmp_path: Path) -> None:
    from tests.reporting.states import every_state

    every_state(tmp_path / "old")
    why = why_none(was_sent=True, was_lost=False)
    told = json.loads(said("--json", "status", "old"))
    assert f"no baseline: {why}" in " ".join(said("status", "old").split())
    assert (told["baseline"], told["no_baseline"]) == (None, why)
    said("report", "old")
    assert why in Path("old/reports/report.html").read_text()
    assert Path("old/reports/variance.csv").read_text(encoding="utf-8-sig").count("\n") == 1


def test_why_there_is_no_baseline_depends_on_what_became_of_it() -> None:
    told = [why_none(was_sent=sent, was_lost=lost) for sent, lost in ((False, False), (True, True), (True, False))]
    assert [text.split(":")[0].split(",")[0] for text in told] == [
        "no plan was confirmed yet; the first one that you confirm becomes the baseline",
        "it was lost with the state file that `wanbatch recover` replaced",
        "an earlier version of wanbatch sent the first takes",
    ]
    assert ["a new output folder" in text for text in told] == [False, True, True]


def test_each_reason_has_its_sum_and_unknown_is_not_0() -> None:
    planned = [
        Planned(Reason.OTHER, 3, 3 * PRICE, 0),
        Planned(Reason.LEFT_OUT, 1, PRICE, 0),
        Planned(Reason.UNPRICED, 1, 0, 1),
    ]
    spent = [
        (Reason.OTHER, kind(), 2),
        (Reason.OTHER, kind(State.PLANNED, None), 1),
        (Reason.RETAKE, kind(charged=PRICE + 50), 2),
        (Reason.EDIT, kind(is_old=True), 1),
        (
            Reason.EDIT,
            Kind(State.FAILED, True, PRICE, PRICE, None, False, 0, 1, price_class=CLASS),
            3,
        ),  # no clip: no edit
        (Reason.EDIT, kind(), 1),
        (Reason.NEW_SHOT, Kind(State.PLANNED, False, None, None, None, False, 0, 0, price_class=OTHER), 1),
        (Reason.UNPRICED, kind(), 1),
    ]
    made = baseline_of(system_now(), planned, spent, {CLASS: PRICE}, [7, None])
    assert [(part.words, part.credits, part.unknown) for part in made.parts] == [
        ("2 retakes", 2 * PRICE + 100, 0),
        ("1 take of edited shots", 2 * PRICE, 0),
        ("1 take of new shots", 0, 1),
        ("1 take of shots left out", -PRICE, 0),
        ("1 unpriced take", PRICE, 0),
        ("2 submits without a take", 7, 1),
    ]
    assert (made.credits, made.takes, made.unpriced, made.unknown) == (4 * PRICE, 5, 1, 2)
    assert variance_text(made).startswith(
        "2 retakes +1.05005, 1 take of edited shots +1.05, 1 take of new shots 0.00+?, 1 take of shots left out -0.525"
    )


def test_screen_and_table_find_the_same_reasons(tmp_path: Path) -> None:
    a_bit_of_everything(tmp_path)
    with StateReader.open(tmp_path) as reader:
        baseline, table = read_baseline(reader, reader.kinds()), variance_frame([book_of(read_record(reader))])
    assert baseline is not None
    sums = table.groupby("reason")[["takes", "credits", "takes_of_unknown_cost"]].sum()
    told = {part.reason: (part.credits, part.unknown) for part in baseline.parts}
    assert {reason: tuple(sums.loc[reason, ["credits", "takes_of_unknown_cost"]]) for reason in told} == told
    counts = {part.reason: part.count for part in baseline.parts if part.reason is not Reason.OTHER}
    assert {reason: sums.loc[reason, "takes"] for reason in counts} == counts
    assert (table["credits"].sum(), sums.loc["baseline", "credits"]) == (baseline.final, baseline.credits)


def test_a_line_of_a_shot_keeps_what_is_known_beside_the_takes_without_a_price() -> None:
    due = [Due(0, "a", 1, 0, "", CLASS), Due(0, "a", 2, 0, "", OTHER)]
    (line,) = lines_of(due, {CLASS: Quote(5, "list")})
    assert (line, line.credits) == (BaselineLine("a", 2, 5, 1), None)


def test_a_line_of_a_shot_without_any_price_is_unknown() -> None:
    due = [Due(0, "a", 1, 0, "", CLASS), Due(0, "a", 2, 0, "", CLASS), Due(0, "b", 1, 1, "", OTHER)]
    assert lines_of(due, {CLASS: Quote(5, "list")}) == [BaselineLine("a", 2, 10), BaselineLine("b", 1, 0, 1)]


def test_a_baseline_is_kept_once(said: Any) -> None:
    write(*SHOTS[:1])
    said(*RUN, "--no-report")
    with StateReader.open(Path("outputs/film")) as reader:
        kept_at, lines = reader.baseline_kept_at(), reader.baseline_lines()
        (recipe,) = [take.recipe_json for take in reader.takes()]
    assert (kept_at is not None, lines) == (True, [BaselineLine("s0", 1, PRICE, recipe=recipe_key([recipe]))])
    write(*SHOTS)
    said(*RUN, "--no-report")
    with StateReader.open(Path("outputs/film")) as reader:
        assert (reader.baseline_kept_at(), reader.baseline_lines()) == (kept_at, lines)


TWO_MODELS = """version: 1
name: film
defaults: {models: [alibaba/wan-2-6-t2v, alibaba/wan2.1-t2v-plus]}
shots:
  - {id: s1, prompt: A lighthouse.}
  - {id: s2, prompt: The keeper.}
"""


@pytest.mark.long
def test_plan_question_baseline_and_pages_say_a_partly_known_sum_in_one_way(said: Any) -> None:
    Path("film.yaml").write_text(TWO_MODELS)
    words = "3.15 USD + unknown (2 takes)"
    assert words in said("plan", "film.yaml", "--sandbox")
    said(*RUN)
    line = next(line for line in said("status").splitlines() if "baseline" in line)
    assert line.strip() == f"baseline {words}, final cost 4.20 USD: 2 unpriced takes +1.05"
    (found,) = json.loads(Path("outputs/film/reports/costs.json").read_text())["baselines"]
    assert (found["words"], found["credits"], found["known_credits"], found["unpriced_takes"]) == (
        words,
        None,
        6_300_000,
        2,
    )
    page = Path("outputs/film/reports/report.html").read_text()
    assert f"baseline, 4 takes: {words}" in page
    assert re.search(
        r"<b>[0-9.]+ USD<small> \+ unknown \([12] takes?\)</small></b>", page
    )  # the tile: those sent before a price was seen
    assert [row[2:] for row in rows() if row[1] == "s1"] == [
        ("baseline", "2", "1.575"),
        ("unpriced take", "1", "0.525"),
    ]


@pytest.mark.long
def test_a_baseline_of_an_older_file_stays_unknown_shot_by_shot(said: Any) -> None:
    Path("film.yaml").write_text(TWO_MODELS)
    said(*RUN, "--no-report")
    with closing(sqlite3.connect("outputs/film/state.sqlite", isolation_level=None)) as db:
        db.execute("DROP TABLE baseline_parts")
    assert "baseline unknown (4 takes), final cost 4.20 USD: 4 unpriced takes +4.20" in said("status")
