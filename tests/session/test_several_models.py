"""One pilot over several models: a take of each, side by side on the storyboard, with costs and times by model."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest

import wanbatch
from wanbatch.manifest import load_manifest
from wanbatch.session.preview import Preview, Why

pytestmark = pytest.mark.usefixtures("near")
FIRST, SECOND = "alibaba/wan2.1-t2v-turbo", "alibaba/wan-3-0-video"


def rows(path: Path, level: str) -> dict[str, dict[str, str]]:
    with path.open(encoding="utf-8-sig", newline="") as stream:
        return {row["key"]: row for row in csv.DictReader(stream) if row["level"] == level}


@pytest.mark.long
def test_a_pilot_compares_models_on_one_shot(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AIMLAPI_BASE_URL", raising=False)
    shots = [{"id": name, "prompt": f"{name} lands"} for name in ("gull", "crane", "swift")]
    defaults = {"models": [FIRST, SECOND], "resolution": "480p"}
    Path("shots.json").write_text(json.dumps({"version": 1, "defaults": defaults, "shots": shots}))
    seen: list[Preview] = []

    def confirm(preview: Preview) -> bool:
        seen.append(preview)
        return preview.why is Why.START

    options = wanbatch.RunOptions(sandbox=True, speed=600, pilot=2)
    result = wanbatch.run(load_manifest("shots.json"), options, confirm=confirm)
    assert seen[-1].findings is not None
    measured = [(row.price_class.model, row.takes) for row in seen[-1].findings.classes]
    takes = rows(result.output / "reports" / "summary.csv", "model")
    costs = rows(result.output / "reports" / "costs.csv", "model")
    assert (dict(result.counts), sorted(measured)) == ({"verified": 2, "planned": 4}, [(SECOND, 1), (FIRST, 1)])
    assert {name: (row["verified"], row["total_p50_s"] != "") for name, row in takes.items()} == {
        FIRST: ("1", True),
        SECOND: ("1", True),
    }
    assert {name: int(row["charged_credits"]) > 0 for name, row in costs.items()} == {FIRST: True, SECOND: True}
    made = json.loads(next((result.output / "clips").glob("*.json")).read_text())["shot_id"]
    card = (
        (result.output / "storyboard.html").read_text().partition(f'data-shot="{made}"')[2].partition("</article>")[0]
    )
    assert [f"<span>{name}</span>" in card for name in (FIRST, SECOND)] == [True, True]
    assert len(list((result.output / "clips").glob(f"{made}_t*.mp4"))) == 2
