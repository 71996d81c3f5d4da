"""All figures of one run agree: status, tiles, tables, CSV and JSON, by the words of the glossary."""

from __future__ import annotations

import csv
import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from tests.money.test_costs import story
from tests.money.test_strays import strayed
from tests.reporting.states import CREDITS, MADE_AT, every_state
from wanbatch.cli import call
from wanbatch.reporting.data_frames import frames
from wanbatch.reporting.files import write_reports
from wanbatch.state.reader import StateReader

Told = Mapping[str, int | None]


def every_kind(folder: Path) -> Path:
    every_state(folder)
    return folder


def with_strays(folder: Path) -> Path:
    return strayed(folder, CREDITS, None)


def told_by(folder: Path, capsys: pytest.CaptureFixture[str]) -> Iterator[tuple[str, Told]]:
    """Yield what each place says of a batch: known credits by the words of the glossary."""
    with StateReader.open(folder) as reader:
        files, tables = write_reports(reader, made_at=MADE_AT), frames(reader)
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
    yield "status", {name: _before(name, shown) for name in ("charged", "committed")}
    summary = json.loads(files.summary_json.read_text())["credits"]
    yield (
        "summary.json",
        {
            "charged": summary["charged"],
            "committed": summary["committed"],
            "held": summary["held"],
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
                        name: sum(int(row[f"{column}_credits"]) for row in levels if row["level"] == level)
                        for name, column in (
                            ("charged", "charged"),
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
        yield (
            "takes.csv",
            {
                "charged": int(tables.takes["credits_charged"].sum()),
                "held": int(tables.takes["credits_held"].sum()),
            },
        )
        whole = tables.summary.iloc[0]
        yield "summary.csv", {"charged": int(whole["credits_charged"]), "held": int(whole["credits_held"])}
    page = re.sub(r"<[^>]+>|\s+", " ", files.report.read_text())
    yield (
        "the page",
        {
            name: int(found[1].replace(",", ""))
            for name in ("charged", "committed")
            if (found := re.search(rf"{name}\s+[\d,.]+ USD\s+([\d,]+) credits", page))
        },
    )


_KNOWN = ("estimated", "held", "at_risk", "committed", "to_complete", "final")


def _before(word: str, text: str) -> int:
    found = re.search(rf"{word} [\d,.]+ USD \(([\d,]+) credits", text)
    assert found is not None, text
    return int(found[1].replace(",", ""))


@pytest.mark.parametrize("make", [story, every_kind, with_strays])
def test_all_figures_of_one_run_agree(make, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:  # type: ignore[no-untyped-def]
    folder = make(tmp_path)
    places: dict[str, dict[int | None, list[str]]] = {}
    for where, told in told_by(folder, capsys):
        assert told, where
        for word, amount in told.items():
            places.setdefault(word, {}).setdefault(amount, []).append(where)
    assert {word: found for word, found in places.items() if len(found) > 1} == {}
    (charged,), (risk,), (committed,) = (places[word] for word in ("charged", "at risk", "committed"))
    (ahead,), (final,) = (places[word] for word in ("to complete", "final"))
    assert (charged + risk, committed + ahead) == (committed, final)
