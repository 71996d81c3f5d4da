"""All figures of one run agree: status, tiles, tables, CSV, JSON and workbook, by the words of the glossary."""

from __future__ import annotations

import csv
import html
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from tests.money.test_costs import story, write_run
from tests.money.test_strays import strayed
from tests.reporting.states import CREDITS, MADE_AT, begin, every_state, shot
from tests.reporting.test_book import a_bit_of_everything
from tests.reporting.test_workbook import IS_THERE, Cells, sheets
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.shots import Batch
from wanbatch.cli import call
from wanbatch.reporting.csv_tables import frames
from wanbatch.reporting.files import ReportFiles, write_reports
from wanbatch.state.reader import StateReader

Told = Mapping[str, int | None]
GLOSSARY = Path(__file__).parents[2] / "docs" / "glossary.md"


def every_kind(folder: Path) -> Path:
    every_state(folder)
    return folder


def with_strays(folder: Path) -> Path:
    return strayed(folder, CREDITS, None)


def everything(folder: Path) -> Path:
    a_bit_of_everything(folder)
    return folder


def _killed(folder: Path, sent: int, *, late: bool = False) -> Path:
    """A run that was killed after so many submits; `late` if one was given up and charged after that."""
    pen = begin(folder, Batch("film", tuple(shot(f"s{n}", n, scene=f"sc{n}") for n in range(3))))
    for take_id in range(1, sent + 1):
        pen.lead(take_id, State.QUEUED, estimated=CREDITS)
    if late:
        pen.lead(3, State.HELD, estimated=CREDITS)
        pen.tell(3, Fact.ABANDONED)
        pen.tell(3, Fact.CHARGED, credits_charged=CREDITS, credits_at_risk=0, generation_id="gen-3", attempt=1)
    write_run(pen, None)
    pen.state.close()
    return folder


def killed_before_the_first_submit(folder: Path) -> Path:
    return _killed(folder, 0)


def killed_mid_run(folder: Path) -> Path:
    return _killed(folder, 2)


def given_up_and_charged_late(folder: Path) -> Path:
    return _killed(folder, 2, late=True)


def only_first(folder: Path) -> Path:
    """A run with `--only` that made the clip of one shot, and left the others for later."""
    pen = begin(folder, Batch("film", tuple(shot(f"s{n}", n, scene=f"sc{n}") for n in range(3))))
    pen.lead(1, State.VERIFIED, estimated=CREDITS, file="clips/s0_t1.mp4")
    pen.tell(1, Fact.CHARGED, credits_charged=CREDITS, attempt=1)
    write_run(pen, None)
    pen.state.close()
    return folder


def told_by(folder: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[tuple[str, Told]]:
    """Yield what each place says of a batch: known credits by the words of the glossary."""
    with StateReader.open(folder) as reader:
        files, tables = write_reports(reader, made_at=MADE_AT, has_workbook=IS_THERE), frames(reader)
    capsys.readouterr()
    assert call(["--json", "status", str(folder)]) == 0
    status = json.loads(capsys.readouterr().out)
    yield (
        "status --json",
        {
            "charged": status["credits"]["charged_known"],
            "committed": status["credits"]["committed_known"],
            "unknown": status["uncosted_takes"],
            "charges not seen": status["charges_not_seen"],
        },
    )
    assert call(["status", str(folder)]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    if status["remaining"]["failed_takes"]:
        yield "status --json: remaining", {"to finish": status["remaining"]["finish_known_credits"]}
        yield "status", {"to finish": _finish(shown)}
        yield "the page", {"to finish": _finish(html.unescape(files.report.read_text()))}
    yield "status", {name: _before(name, shown) for name in ("charged", "committed")}
    spent = status["spending"]
    told = {  # null while the ledger shows nothing
        "in the cut": spent["charged_in_cut"] or 0,
        "outside the cut": spent["charged_outside_cut"] or 0,
    }
    yield "status --json: spending", told
    summary = json.loads(files.summary_json.read_text())["credits"]
    yield (
        "summary.json",
        {
            **{name: summary[f"{name}_known"] for name in ("charged", "committed", "held")},
            "unknown": summary["unknown_takes"],
            "charges not seen": summary["charges_not_seen"],
            "holds not seen": summary["holds_not_seen"],
        },
    )
    costs = json.loads((files.costs.parent / "costs.json").read_text())
    figures = costs["figures"][0]
    yield (
        "costs.json: figures",
        {
            **{name: figures[name]["known_credits"] for name in ("estimated", "held", "charged")},
            "charges not seen": figures["charged"]["unknown_takes"],
            "holds not seen": figures["held"]["unknown_takes"],
        },
    )
    with files.costs.open(encoding="utf-8-sig", newline="") as stream:
        rows = [{name: cell or None for name, cell in row.items()} for row in csv.DictReader(stream)]
    for where, levels in (("costs.json", costs["levels"]), ("costs.csv", rows)):
        for level in ("batch", "scene"):
            yield (
                f"{where}: {level}",
                {
                    **{
                        name: sum(int(row[f"{column}_credits"] or 0) for row in levels if row["level"] == level)
                        for name, column in (
                            ("in the cut", "in_cut"),
                            ("outside the cut", "outside_cut"),
                            *((part.replace("_", " "), f"{part}_known") for part in _KNOWN),
                        )
                    },
                    **{
                        name.replace("_", " "): sum(int(row[name]) for row in levels if row["level"] == level)
                        for name in ("charges_not_seen", "holds_not_seen")
                    },
                    "unknown": sum(int(row["takes_of_unknown_cost"]) for row in levels if row["level"] == level),
                },
            )
    strays = int(costs["submits_of_no_take"])
    if not strays:
        scenes = sum(each["committed_known"] for each in spent["scenes"])
        yield "status --json: scenes", {"committed": scenes}
        yield (
            "takes.csv",
            {
                "charged": int(tables.takes["credits_charged"].sum()),
                "held": int(tables.takes["credits_held"].sum()),
            },
        )
        whole = tables.summary.iloc[0]
        yield "summary.csv", {name: int(whole[f"credits_{name}_known"]) for name in ("charged", "held")}
    yield from pages(files)
    yield from baseline(files.costs.parent, status, costs)
    yield from counts(files, status, tables.takes)
    yield from single_rows(files.costs.parent)
    if IS_THERE:
        yield from workbook(files.costs.parent / "costs.xlsx")


def pages(files: ReportFiles) -> Iterator[tuple[str, Told]]:
    """Yield what the tiles of the report and the head of the storyboard say."""
    page = " ".join(html.unescape(re.sub(r"<[^>]+>", " ", files.report.read_text())).split())
    tiles = {name: re.search(rf" {name} [^.]*?[\d,.]+ USD[^.]*? ([\d,]+) credits", page) for name in _TILES}
    words = {"final cost": "final"}
    yield "the tiles", {words.get(name, name): int(found[1].replace(",", "")) for name, found in tiles.items() if found}
    if "(no take)" not in page:
        rows = re.findall(r'data-name="(set aside|charged)" data-sort="(\d*)"', files.report.read_text())
        told = {name: sum(int(cell or 0) for word, cell in rows if word == shown) for name, shown in _SHOWN}
        yield "the table of takes", told
    sheet = " ".join(re.sub(r"<[^>]+>", " ", files.storyboard.read_text()).split())
    for where, text in (("the tiles", page), ("storyboard.html", sheet)):
        yield (
            where,
            {f"{word} takes": int(found[1]) for word in _STATES if (found := re.search(rf"(\d+) {word}", text))},
        )


def baseline(reports: Path, status: Mapping[str, Any], costs: Mapping[str, Any]) -> Iterator[tuple[str, Told]]:
    """Yield what each place says of the first confirmed plan."""
    with (reports / "variance.csv").open(encoding="utf-8-sig", newline="") as stream:
        rows = list(csv.DictReader(stream))
    if status["baseline"] is None:
        yield "variance.csv", {"rows of a baseline": len(rows)}
        yield "costs.json: baselines", {"rows of a baseline": len(costs["baselines"])}
        return
    for where, told in (
        ("status --json: baseline", status["baseline"]),
        ("costs.json: baselines", *costs["baselines"]),
    ):
        yield (
            where,
            {
                "final": told["final_known_credits"],
                "baseline": told["known_credits"],
                **{f"added by {part['reason']}": part["credits"] for part in told["variance"]},
            },
        )
    of_reason = {row["reason"]: 0 for row in rows}
    for row in rows:
        of_reason[row["reason"]] += int(row["credits"] or 0)
    added = {f"added by {reason}": amount for reason, amount in of_reason.items() if reason != "baseline"}
    whole = {"final": sum(of_reason.values()), "baseline": of_reason["baseline"]}
    yield "variance.csv", whole | {name: amount for name, amount in added.items() if amount}


def counts(files: ReportFiles, status: Mapping[str, Any], takes: pd.DataFrame) -> Iterator[tuple[str, Told]]:
    """Yield how many takes are in each state."""
    facts = json.loads(files.summary_json.read_text())
    for where, told in (("status --json", status["counts"]), ("summary.json", facts["counts"])):
        yield where, {f"{word} takes": number for word, number in told.items() if word in _STATES}
    states = takes["state"].value_counts()
    yield "takes.csv", {f"{word} takes": int(states[word]) for word in _STATES if word in states}
    whole = facts["summary"][0]
    yield "summary.csv", {f"{word} takes": whole[word] for word in ("verified", "failed") if whole[word]}
    with files.costs.open(encoding="utf-8-sig", newline="") as stream:
        row = next(row for row in csv.DictReader(stream) if row["level"] == "batch")
    yield "costs.csv", {f"{word} takes": int(row[word]) for word in ("verified", "failed") if row[word] != "0"}


def single_rows(reports: Path) -> Iterator[tuple[str, Told]]:
    """Yield the sums of the tables that have a row for a shot, or for a submit or charge."""
    for name in ("shots.csv", "spend.csv"):
        with (reports / name).open(encoding="utf-8-sig", newline="") as stream:
            rows = list(csv.DictReader(stream))
        column = "charged_known_credits" if name == "shots.csv" else "charged_credits"
        yield name, {"charged": sum(int(row[column] or 0) for row in rows)}


def workbook(path: Path) -> Iterator[tuple[str, Told]]:
    """Yield what each sheet of the workbook adds up to, in credits and in USD."""
    for sheet, (cells, _) in sheets(path).items():
        heads = {text: re.sub(r"\d", "", at) for at, (_, _, text) in cells.items() if re.fullmatch("[A-Z]+1", at)}
        total = next((re.sub(r"\D", "", at) for at, (_, _, text) in cells.items() if text == "total"), None)
        if sheet == "summary":
            yield from summary_sheet(cells)
        if total is None or sheet not in _ADDED_UP:
            continue
        for unit, scale in (("credits", 1), ("USD", 2_000_000)):
            if not any(str(head).endswith(unit) for head in heads):
                continue  # what is read first is in USD alone
            sums = {
                word: round(float(cells[f"{heads[column]}{total}"][2] or "nan") * scale)
                for word, column in _ADDED_UP[sheet](unit)
                if column in heads and cells.get(f"{heads[column]}{total}", ("", None, "unknown"))[2] != "unknown"
            }
            if sums:  # of a column with an unknown part the total is unknown
                yield f"costs.xlsx: {sheet} in {unit}", sums


def summary_sheet(cells: Cells) -> Iterator[tuple[str, Told]]:
    """Yield the sums of the first sheet: each line by its label, in both units."""
    lines = {text: at[1:] for at, (_, _, text) in cells.items() if at.startswith("A") and text is not None}
    for column, scale in (("B", 2_000_000), ("C", 1)):
        told = {}
        for word in ("charged", "committed", "at risk", "final", "in the cut", "baseline", "to finish", "failed again"):
            label = _LABELS.get(word, word)
            row = next((at for text, at in lines.items() if text == label or text.startswith(f"{label}: the f")), None)
            value = None if row is None else cells.get(f"{column}{row}")
            if value is not None and value[0] == "n":
                told[word] = round(float(value[2] or "nan") * scale)
        yield f"costs.xlsx: summary, column {column}", told


_LABELS = {
    "at risk": "at risk: it may still be charged",
    "final": "final cost",
    "to finish": "to finish all shots: the final cost plus the row above",
    "failed again": "not in the final cost: another try of what failed",
}


def _known_columns(unit: str) -> list[tuple[str, str]]:
    """The heading of each sum; one of which a part is unknown has a column of its known part, whose total it is."""
    words = {"final": "final cost", "held": "set aside"}
    parts = [(name, words.get(name, name)) for name in (part.replace("_", " ") for part in _KNOWN)]
    both = [(name, f"{head}{known} {unit}") for name, head in parts for known in ("", ", known part")]
    return [("in the cut", f"in the cut {unit}"), *both]


_GROUPINGS = ("batch", "sequence", "scene", "model", "cost_code")
_ADDED_UP = {
    **dict.fromkeys(_GROUPINGS, _known_columns),
    **dict.fromkeys((f"{each} details" for each in _GROUPINGS), _known_columns),
    "shots": lambda unit: [("charged", f"charged{known} {unit}") for known in ("", ", known part")],
}
_SHOWN = (("held", "set aside"), ("charged", "charged"))
_TILES = ("charged", "committed", "baseline", "final cost")
_STATES = ("verified", "failed", "held", "unknown", "planned", "superseded")
_KNOWN = ("estimated", "held", "charged", "at_risk", "committed", "to_complete", "final")


def _finish(text: str) -> int:
    return round(float(re.findall(r"To finish all shots: ([\d,.]+) USD", text)[0].replace(",", "")) * 2_000_000)


def _before(word: str, text: str) -> int:
    found = re.search(rf"{word} (?:unknown|[\d,.]+ USD \(([\d,]+) credits)", text)
    assert found is not None, text
    return int((found[1] or "0").replace(",", ""))


_STATES_OF_A_RUN = (
    story,
    every_kind,
    with_strays,
    everything,
    killed_before_the_first_submit,
    killed_mid_run,
    given_up_and_charged_late,
    only_first,
)


def test_a_take_that_was_given_up_and_charged_later_is_committed_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = given_up_and_charged_late(tmp_path)
    with StateReader.open(folder) as reader:
        files = write_reports(reader, made_at=MADE_AT)
    assert call(["--json", "status", str(folder)]) == 0
    status = json.loads(capsys.readouterr().out)
    summary = json.loads(files.summary_json.read_text())["credits"]
    level = json.loads((files.costs.parent / "costs.json").read_text())["levels"][0]
    told = [status["credits"]["committed"], summary["committed"], level["committed_credits"]]
    unseen = [status["credits"]["charged"], summary["charged"], level["charged_credits"]]
    assert (told, status["charges_not_seen"], level["charges_not_seen"]) == ([3 * CREDITS] * 3, 2, 2)
    assert unseen == [None] * 3


def test_after_a_kill_no_place_says_0_for_what_is_charged(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folder = killed_mid_run(tmp_path)
    with StateReader.open(folder) as reader:
        files = write_reports(reader, made_at=MADE_AT, has_workbook=IS_THERE)
    assert call(["status", str(folder)]) == 0
    page = " ".join(html.unescape(re.sub(r"<[^>]+>", " ", files.report.read_text())).split())
    with files.costs.open(encoding="utf-8-sig", newline="") as stream:
        row = next(row for row in csv.DictReader(stream) if row["level"] == "batch")
    level = json.loads((files.costs.parent / "costs.json").read_text())["levels"][0]
    assert "charged unknown; " in capsys.readouterr().out
    assert "charged unknown (2 possible charges not in the provider's ledger yet)" in page
    assert "film unknown unknown unknown – – – – – –" in page
    assert [row[name] for name in ("charged_credits", "charged_usd", "in_cut_credits", "outside_cut_usd")] == [""] * 4
    assert [level[name] for name in ("charged_credits", "in_cut_credits", "outside_cut_credits")] == [None] * 3
    cells = sheets(files.costs.parent / "costs.xlsx")["summary"][0]
    beside = {
        cells[f"A{at[1:]}"][2]
        for at, cell in cells.items()
        if cell[2] == "and 2 possible charges not in the provider's ledger yet"
    }
    assert beside == {"charged"}


def test_after_a_kill_status_in_json_and_in_another_currency_says_unknown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = killed_mid_run(tmp_path)
    assert call(["--json", "status", str(folder)]) == 0
    spent = json.loads(capsys.readouterr().out)["spending"]
    assert [spent["charged_in_cut"], spent["charged_outside_cut"]] == [None, None]
    assert call(["status", "--currency", "EUR=0.92", str(folder)]) == 0
    assert re.search(r"converted at 1 USD = 0.92 EUR: committed [\d.]+ EUR; charged unknown", capsys.readouterr().out)


@pytest.mark.sampled(2)
@pytest.mark.parametrize("make", _STATES_OF_A_RUN)
def test_all_figures_of_one_run_agree(make, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]
    folder = make(tmp_path)
    places: dict[str, dict[int | None, list[str]]] = {}
    for where, told in told_by(folder, capsys):
        assert told or where in ("summary.csv", "costs.csv"), where  # before the first clip these count none
        for word, amount in told.items():
            places.setdefault(word, {}).setdefault(amount, []).append(where)
    assert {word: found for word, found in places.items() if len(found) > 1} == {}
    (charged,), (risk,), (committed,) = (places[word] for word in ("charged", "at risk", "committed"))
    (ahead,), (final,) = (places[word] for word in ("to complete", "final"))
    (finish,), (again,) = (places.get(word, {0: []}) for word in ("to finish", "failed again"))
    assert (finish or final) == final + (again or 0)
    assert (charged + risk, committed + ahead) == (committed, final)


def test_the_glossary_compares_costs_with_the_baseline_alone() -> None:
    rows = [line.split(" | ") for line in GLOSSARY.read_text(encoding="utf-8").splitlines() if line.startswith("| **")]
    meanings = {row[0].strip("| *"): row[1] for row in rows}
    assert "final cost minus the baseline" in meanings["Variance"]
    assert [word for word, meaning in meanings.items() if "minus the estimate" in meaning] == []
