"""The figures of the report: exact data for known takes, and words that say the same."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.reporting.states import BEGIN, MADE_AT, begin, every_state
from wanbatch.batch.attempts import Attempt, Outcome
from wanbatch.batch.lifecycle import State
from wanbatch.batch.shots import Batch
from wanbatch.batch.take import Take
from wanbatch.reporting import charts as figures
from wanbatch.reporting.book import book_of
from wanbatch.reporting.charts import BARS_SHOWN, POINTS_SHOWN
from wanbatch.reporting.files import write_reports
from wanbatch.reporting.page import _json
from wanbatch.reporting.plotting import SCRIPT_NAME, place_plotly
from wanbatch.reporting.recipe_columns import orders_frame
from wanbatch.reporting.record import read_record, rows_of, series
from wanbatch.state.reader import StateReader

FACTS: dict[str, Any] = {"credits": {"cap": None}, "needs": []}
RECIPE = '{{"duration":5,"model":"alibaba/wan-2-6-t2v","prompt":"p","resolution":"{0}","seed":1}}'


def at(seconds: float) -> datetime:
    return BEGIN + timedelta(seconds=seconds)


def take(number: int, sent: float = 0, took: float = 100, **values: Any) -> Take:
    """A verified take: sent, two seconds later accepted, eight later started; fetched in ten."""
    made = Take(
        number, f"sh{number}", 1, RECIPE.format(values.pop("resolution", "720p")), State.VERIFIED, attempt=1,
        submitted_at=at(sent), accepted_at=at(sent + 2), started_at=at(sent + 8), completed_at=at(sent + took),
        verified_at=at(sent + took + 10), credits_held=1_050_000,
    )  # fmt: skip
    return replace(made, **values)


def attempt(number: int, begin: float, end: float | None, **values: Any) -> Attempt:
    made = Attempt(
        number, 1, f"r{number}", "b" * 64, "k", at(begin), Outcome.COMPLETED, None if end is None else at(end),
        generation_id=f"g{number}",
    )  # fmt: skip
    return replace(made, **values)


def gantt(takes: list[Take], attempts: list[Attempt]) -> figures.Figure | None:
    return figures.gantt(rows_of(Take, takes), rows_of(Attempt, attempts))


def durations(takes: list[Take]) -> figures.Figure | None:
    return figures.durations(rows_of(Take, takes), orders_frame(each.recipe_json for each in takes)["price_class"])


def spend(takes: list[Take], charges: list[tuple[datetime, int]], cap: int | None) -> figures.Figure | None:
    committed = [(each.submitted_at, each.credits_committed) for each in takes]
    return figures.spend(steps(committed), steps(charges), cap)


def steps(points: Sequence[tuple[datetime | None, int | None]]) -> pd.DataFrame:
    return figures.steps(series([at for at, _ in points], "time"), series([more for _, more in points], "Int64"))


def concurrency(attempts: list[Attempt]) -> figures.Figure | None:
    return figures.concurrency(rows_of(Attempt, attempts))


def headlines(takes: list[Take], attempts: list[Attempt]) -> dict[str, Any]:
    return figures.headlines(rows_of(Take, takes), rows_of(Attempt, attempts))


def spans(figure: figures.Figure) -> list[tuple[str, str, float, float]]:
    """Role, take, begin and length in s of every bar."""
    found = []
    for trace in figure["traces"]:
        for label, base, length in zip(trace["y"], trace["base"], trace["x"], strict=True):
            begin = (datetime.fromisoformat(base).astimezone() - BEGIN).total_seconds()
            found.append((trace["role"], label, begin, length / 1000))
    return sorted(found)


def test_a_bar_for_each_part_of_a_take() -> None:
    figure = gantt([take(2, sent=50), take(1)], [])
    assert figure is not None
    assert figure["order"] == ["sh1_t1", "sh2_t1"]
    assert spans(figure) == [
        ("download", "sh1_t1", 100, 10), ("download", "sh2_t1", 150, 10),
        ("generating", "sh1_t1", 8, 92), ("generating", "sh2_t1", 58, 92),
        ("queued", "sh1_t1", 0, 8), ("queued", "sh2_t1", 50, 8),
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("values", "ended_s", "found"),
    [
        ({"started_at": None}, None, [("download", 100, 10), ("generating", 0, 100)]),
        (
            {"downloaded_at": at(106), "download_s": 2.0},  # it waited until a download was free
            None,
            [("download", 104, 6), ("generating", 8, 92), ("queued", 0, 8), ("waiting", 100, 4)],
        ),
        (
            {"downloaded_at": at(106), "download_s": 9.0},
            None,
            [("download", 100, 10), ("generating", 8, 92), ("queued", 0, 8)],
        ),
        ({"state": State.FAILED, "completed_at": None, "verified_at": None}, 60, [("failed", 8, 52), ("queued", 0, 8)]),
        ({"state": State.HELD, "completed_at": None, "verified_at": None}, 60, [("held", 8, 52), ("queued", 0, 8)]),
        ({"state": State.GENERATING, "completed_at": None, "last_running_at": at(70)}, None, [("generating", 0, 70)]),
        ({"state": State.QUEUED, "completed_at": None, "started_at": None}, None, []),
    ],
)
def test_what_was_not_seen_is_not_drawn_as_seen(
    values: dict[str, Any], ended_s: float | None, found: list[tuple[str, float, float]]
) -> None:
    figure = gantt([take(1, **values)], [attempt(1, 0, ended_s)])
    assert figure is not None
    assert [(role, begin, length) for role, _, begin, length in spans(figure)] == found


def test_a_long_night_shows_its_beginning_and_says_so() -> None:
    figure = gantt([take(n, sent=n) for n in range(1, BARS_SHOWN + 4)], [])
    assert figure is not None
    assert figure["order"] == [f"sh{n}_t1" for n in range(1, BARS_SHOWN + 1)]
    assert "3 later ones are in takes.csv" in figure["words"]


def test_times_are_spread_by_class() -> None:
    takes = [take(n, took=100 + n) for n in range(3)] + [
        take(9, took=300, resolution="1080p"),
        take(8, started_at=None),
    ]
    figure = durations(takes)
    assert figure is not None
    assert [(trace["name"], list(trace["x"])) for trace in figure["traces"]] == [
        ("wan-2-6-t2v 720p 5 s  n=3", [92.0, 93.0, 94.0]),
        ("wan-2-6-t2v 1080p 5 s  n=1", [292.0]),
    ]
    assert "wan-2-6-t2v 1080p 5 s: 1 generation, 4 min 52 s; " in figure["words"]
    assert figure["words"].endswith("3 generations, median 1 min 33 s. The start of 1 more was not seen")
    assert durations(takes[:2]) is None


def test_money_is_summed_over_time_against_the_cap() -> None:
    takes = [take(1), take(2, sent=60), take(3, sent=90, credits_held=None, credits_estimated=None)]
    figure = spend(takes, [(at(120), 1_000_001), (at(100), 1_050_000)], 4_000_000)
    assert figure is not None
    assert [(trace["role"], trace["y"]) for trace in figure["traces"]] == [
        ("committed", [0.525, 1.05, 1.05]),
        ("charged", [0.525, 1.0250005]),
    ]
    assert figure["limit"] == {"value": 2.0, "words": "cap 2.00 USD"}
    assert "the lines leave out 1 take with an unknown cost" in figure["words"]
    assert spend(takes[:1], [], None) is None


def test_places_are_counted_and_refusals_marked() -> None:
    attempts = [
        attempt(1, 0, 100),
        attempt(2, 10, 60),
        attempt(3, 20, 20, generation_id=None, http_status=429, outcome=Outcome.TURNED_AWAY),
        attempt(4, 70, None, outcome=Outcome.OPEN),
    ]
    figure = concurrency(attempts)
    assert figure is not None
    assert figure["traces"][0]["y"] == [1, 2, 1, 2, 1]
    assert figure["traces"][1]["y"] == [2]
    assert figure["words"] == "at most 2 takes at once; the provider refused 1 request because of its limits"
    assert concurrency(attempts[2:3]) is None


def test_causes_come_most_frequent_first() -> None:
    needs = [
        {"state": "held", "todo": "", "cause": "x" * 90, "count": 1, "takes": []},
        {"state": "failed", "todo": "", "cause": "moderated", "count": 4, "takes": []},
    ]
    figure = figures.failures(needs)
    assert figure is not None
    assert [len(label) for label in figure["order"]] == [len("moderated"), 46]
    assert [(trace["role"], trace["x"]) for trace in figure["traces"]] == [("failed", [4]), ("held", [1])]
    assert figures.failures([]) is None


def test_a_large_batch_is_thinned_to_its_last_point() -> None:
    count = 2 * POINTS_SHOWN - 5
    figure = spend([take(n, sent=n) for n in range(count)], [], None)
    assert figure is not None
    assert POINTS_SHOWN // 2 < len(figure["traces"][0]["x"]) <= POINTS_SHOWN + 1
    assert figure["traces"][0]["y"][-1] == pytest.approx(count * 0.525)


def test_headlines_are_those_of_the_attempts() -> None:
    told = headlines([take(1), take(2, sent=50, took=50)], [attempt(1, 0, 100), attempt(2, 50, 100)])
    assert told == {"median_s": 75.0, "most": 2, "busy": 0.75, "refused": 0}
    assert headlines([], []) == {"median_s": None, "most": 0, "busy": None, "refused": 0}


def test_an_empty_batch_has_no_figures(tmp_path: Path) -> None:
    begin(tmp_path, Batch("empty", ())).state.close()
    with StateReader.open(tmp_path) as reader:
        assert figures.figures_of(book_of(read_record(reader)), FACTS) == []


def test_no_character_ends_the_script_that_holds_the_data() -> None:
    hostile = "</script><!--<script>&\u2028"
    written = str(_json([hostile]))
    assert not set(written) & set("<>&\u2028")
    assert json.loads(written) == [hostile]


def test_plotly_lies_beside_the_report_once_and_never_through_a_link(tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.write_text("mine")
    (tmp_path / "r").mkdir()
    script = tmp_path / "r" / SCRIPT_NAME
    script.symlink_to(elsewhere)
    place_plotly(tmp_path / "r")
    made = script.stat()
    place_plotly(tmp_path / "r")
    assert (script.is_symlink(), script.stat().st_mtime_ns, elsewhere.read_text()) == (False, made.st_mtime_ns, "mine")
    script.write_text("changed")
    place_plotly(tmp_path / "r")
    assert script.stat().st_size == made.st_size > 1_000_000


def test_the_page_holds_the_data_of_its_figures(tmp_path: Path) -> None:
    every_state(tmp_path)
    with StateReader.open(tmp_path) as reader:
        text = write_reports(reader, made_at=MADE_AT).report.read_text(encoding="utf-8")
    held = json.loads(text.split('type="application/json">')[1].split("</script>")[0])
    assert [figure["id"] for figure in held] == ["gantt", "durations", "spend", "concurrency", "failures"]
