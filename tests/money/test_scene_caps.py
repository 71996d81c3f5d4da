"""The cap of a scene: what is advised where it stops takes, and that this works."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from wanbatch.state.reader import StateReader

pytestmark = pytest.mark.long

RUN = ("run", "board.csv", "--sandbox", "--yes", "--speed", "900", "--no-report")
MAP = """columns: {{scene: scene, id: id, prompt: prompt}}
defaults: {{duration: 5, resolution: 720p}}
budget: {{max_usd: 20, scenes: {{"13": {{max_usd: {cap}}}}}}}
"""
ADVICE = (
    (
        "still to be sent: 2 takes for 1.05 USD; the cap of 20.00 USD has 18.425 USD left; the cap of scene 13, 0.60 USD, has"
        " 0.075 USD left: its 2 takes for 1.05 USD need a cap of 1.575 USD"
    ),
    "to continue, with the cap of scene 13 raised to 1.575 USD (`budget: scenes:` in board.map.yaml): `wanbatch run board.csv",
)


@pytest.fixture(autouse=True)
def board(said: Callable[..., str]) -> None:
    rows = ["scene,id,prompt", "12,a,One", "12,b,Two", "13,c,Three", "13,d,Four", "13,e,Five"]
    Path("board.csv").write_text("\n".join(rows))
    cap_scene("0.6")


def cap_scene(cap: str) -> None:
    Path("board.map.yaml").write_text(MAP.format(cap=cap))


def states() -> dict[str, int]:
    with StateReader.open(Path("outputs/board")) as reader:
        return {each: sum(take.state.value == each for take in reader.takes()) for each in ("verified", "failed")}


def test_what_is_advised_where_the_cap_of_a_scene_stopped_takes_sends_them(said: Callable[..., str]) -> None:
    ended = " ".join(said(*RUN).split())
    assert [part for part in ADVICE if part not in ended] == []
    status = " ".join(said("status").split())
    assert [part for part in ADVICE if part not in status] == []
    assert "cap 20.00 USD for the whole batch committed" not in (plan := " ".join(said("plan", *RUN[1:3]).split()))
    assert (
        "cap 20.00 USD for the whole batch cap of scene 13: 0.60 USD; 0.075 USD of it is left, and the next take"
        in plan
    )
    cap_scene("1.575")
    said(*RUN)
    assert states() == {"verified": 5, "failed": 0}


def test_a_retry_is_held_to_the_cap_of_a_scene_that_the_last_run_read_though_it_sent_nothing(
    said: Callable[..., str],
) -> None:
    cap_scene("1.1")
    rule = {"on": "submit", "do": "fail", "prompt_contains": "Five", "message": "it burnt"}
    Path("faults.json").write_text(json.dumps([rule]))
    Path("board.csv").write_text("scene,id,prompt\n13,c,Three\n13,e,Five\n")
    said(*RUN, "--faults", "faults.json")
    assert states() == {"verified": 1, "failed": 1}
    cap_scene("0.6")
    said(*RUN)
    told = " ".join(said("status").split())
    assert "needs the cap of scene 13 raised to 1.05 USD" in told
    cap_scene("1.05")
    said(*RUN)
    said("retry", "--yes", "--speed", "900", "--no-report")
    assert states() == {"verified": 2, "failed": 0}
