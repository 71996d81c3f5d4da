"""A clip that another shot took over keeps its new name in a recovery, and is not bought again."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from tests.session.test_recovery import lose, recovered, world_in
from tests.worlds import batch_of
from wanbatch.batch.lifecycle import State
from wanbatch.state.reader import StateReader

pytestmark = pytest.mark.usefixtures("quick_clips")
BATCH = batch_of(2)
NEW = replace(BATCH, shots=(BATCH.shots[0], replace(BATCH.shots[1], id="sh900")))


@pytest.mark.parametrize("lost", [("state.sqlite*",), ("state.sqlite*", "run.log")])
def test_a_clip_that_was_taken_over_keeps_its_new_name(tmp_path: Path, lost: tuple[str, ...]) -> None:
    world = world_in(tmp_path / "out")
    world.run(BATCH)
    world.elapsed_s += 3600
    old = BATCH.shots[1].id
    note = tmp_path / "out" / "clips" / f"{old}_t1.json"
    note.write_text(json.dumps({**json.loads(note.read_text("utf-8")), "shot_id": "sh900"}), "utf-8")
    lose(tmp_path / "out", *lost)
    recovery = recovered(world, NEW)
    assert recovery is not None
    assert (recovery.to_send, recovery.strays, len(recovery.verified)) == (0, (), 2)
    with StateReader.open(tmp_path / "out") as reader:
        (rename,) = reader.past().renames
    assert (rename.was, rename.shot_id, rename.number) == ((old, 1), "sh900", 1)
    assert [(take.label, take.state) for take in world.takes() if take.shot_id == "sh900"] == [
        ("sh900_t1", State.VERIFIED)
    ]
