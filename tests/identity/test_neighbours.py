"""Output folders beside one's own: what is read of them, and for how long."""

from __future__ import annotations

import json
import os
import platform
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.reporting.states import Pen, begin, shot
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.orders import Order, orders_of
from wanbatch.batch.plan import make_plan
from wanbatch.batch.shots import Batch, likeness
from wanbatch.session.neighbours import READ_LIMIT_S, Neighbour, Places, find_beside, find_running
from wanbatch.state.file import StateFile
from wanbatch.state.lock import HOLDER_NAME
from wanbatch.state.reader import entry


def found_beside(output: Path, *args: Any, **more: Any) -> list[Neighbour]:
    return find_beside(Places(output), *args, **more)[0]


ADDRESS = "https://api.example.com/v2"


def beside(root: Path, *names: str, address: str = ADDRESS) -> None:
    for name in names:
        pen = begin(root / name, Batch(name, (shot("a", 0), shot(name, 1, prompt=name))), base_url=address)
        for take_id in (1, 2):
            pen.lead(take_id, State.QUEUED)
        pen.state.close()


def order(shot_id: str = "b", seed: int | None = None, **more: str) -> Order:
    text, _ = likeness(shot("a", 0, **more).recipes[0].canonical)
    return Order(shot_id, 1, text, seed)


def test_a_recipe_beside_is_found_whatever_its_seed_where_none_is_given(tmp_path: Path) -> None:
    beside(tmp_path, "one")
    (found,) = found_beside(tmp_path / "mine", ADDRESS, [order()])
    assert (found.output.name, found.found, found.has_other_ids) == ("one", ((order(), "a_t1"),), True)
    assert found_beside(tmp_path / "mine", ADDRESS, [order(seed=8)]) == []
    assert [each.has_other_ids for each in found_beside(tmp_path / "mine", ADDRESS, [order("a", 7)])] == [False]


def test_one_take_beside_answers_one_order(tmp_path: Path) -> None:
    beside(tmp_path, "one")
    (found,) = found_beside(tmp_path / "mine", ADDRESS, [order("b"), order("a")])
    assert found.found == ((order("a"), "a_t1"),)  # its own id first


def test_a_take_of_the_same_number_answers_before_a_retake_of_it(tmp_path: Path) -> None:
    pen = begin(tmp_path / "one", Batch("one", (shot("a", 0, takes=2),)))
    for take_id in (1, 2):
        pen.lead(take_id, State.QUEUED)
    pen.state.close()
    (found,) = found_beside(tmp_path / "mine", ADDRESS, [order("a")])
    assert found.found == ((order("a"), "a_t1"),)


def test_folders_of_another_provider_and_one_s_own_tell_nothing(tmp_path: Path) -> None:
    beside(tmp_path, "mine")
    beside(tmp_path, "other", address="https://other.example.com")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "state.sqlite").write_bytes(b"no database at all, but long enough to look at")
    assert find_beside(Places(tmp_path / "mine"), ADDRESS, [order()]) == ([], 1)  # the broken one is counted


def test_a_clip_of_a_fallback_is_found_by_what_was_asked_for_first(tmp_path: Path) -> None:
    pen = begin(tmp_path / "one", Batch("one", (shot("a", 0),)))
    first = pen.state.takes()[0].recipe_json
    other = shot("a", 0, prompt="made by the other model").recipes[0].canonical
    pen.state.record(1, entry(Fact.MODEL_CHANGED, pen.now, {"recipe_json": other}))
    pen.lead(1, State.QUEUED)
    pen.state.close()
    asked = Order("b", 1, likeness(first)[0], None)
    assert found_beside(tmp_path / "mine", ADDRESS, [asked])[0].found == ((asked, "a_t1"),)


def test_reading_ends_when_its_time_is_up(tmp_path: Path) -> None:
    beside(tmp_path, "one", "two", "three")
    ticks = iter(
        (0.0, 0.0, READ_LIMIT_S + 1, READ_LIMIT_S + 1)
    )  # the beginning, before the first folder, before the second
    orders = [order(name, prompt=name) for name in ("one", "two", "three")]
    found, unread = find_beside(Places(tmp_path / "mine"), ADDRESS, orders, now=lambda: next(ticks))
    assert (len(found), unread) == (1, 2)
    assert len(found_beside(tmp_path / "mine", ADDRESS, orders)) == 3


def test_takes_beside_the_manifest_are_found_from_another_working_folder(tmp_path: Path) -> None:
    beside(tmp_path / "film" / "outputs", "shots")
    elsewhere = tmp_path / "other" / "outputs" / "shots"
    ((found,), _) = find_beside(Places(elsewhere, (tmp_path / "film" / "outputs",)), ADDRESS, [order()])
    assert (found.output, found_beside(elsewhere, ADDRESS, [order()])) == (tmp_path / "film" / "outputs" / "shots", [])


@pytest.mark.parametrize(("before", "is_found"), [("A dragon lands.", True), ("A tug turns.", False)])
def test_a_take_that_continues_from_another_shot_is_the_same_only_after_the_same_shot(
    tmp_path: Path, before: str, is_found: bool
) -> None:
    chained = {"image_url": "frame:a:last"}
    pen = begin(tmp_path / "one", Batch("one", (shot("a", 0), shot("b", 1, request=chained))))
    for take_id in (1, 2):
        pen.lead(take_id, State.QUEUED)
    pen.state.close()
    mine = Batch("mine", (shot("a", 0, prompt=before), shot("b", 1, request=chained)))
    orders = orders_of(make_plan(mine, []))
    found = [order.label for each in found_beside(tmp_path / "mine", ADDRESS, orders) for order, _ in each.found]
    assert found == (["a_t1", "b_t1"] if is_found else [])


HOLDS = """
import sys, time
from pathlib import Path
from wanbatch.state.lock import OutputLock
lock = OutputLock(Path(sys.argv[1]))
lock.acquire()
print("held", flush=True)
sys.stdin.read()
lock.release()
"""


def planned_beside(tmp_path: Path) -> Pen:
    return begin(tmp_path / "beside", Batch("b", (shot("b", 0),)), base_url=ADDRESS)


def running_beside(tmp_path: Path) -> list[str]:
    found = find_running(Places(tmp_path / "out"), ADDRESS, [order()])
    return [label for each in found for _, label in each.found]


def test_takes_still_to_be_sent_by_another_run_of_this_program_are_found(tmp_path: Path) -> None:
    pen = planned_beside(tmp_path)
    assert running_beside(tmp_path) == ["b_t1"]
    pen.state.close()
    assert running_beside(tmp_path) == []


@pytest.mark.parametrize("pid", [os.getpid(), 2**22 + 1], ids=["our id", "an id that no process here has"])
def test_the_kernel_tells_whether_a_process_of_another_container_holds_a_folder(tmp_path: Path, pid: int) -> None:
    planned_beside(tmp_path).state.close()
    folder = tmp_path / "beside"
    holder = subprocess.Popen(
        [sys.executable, "-c", HOLDS, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert holder.stdin is not None
    assert holder.stdout is not None
    assert holder.stdout.readline() == "held\n"
    told = json.dumps({"pid": pid, "host": platform.node(), "since": "then"})
    (folder / HOLDER_NAME).write_text(told, encoding="utf-8")
    found = running_beside(tmp_path)
    holder.stdin.close()
    assert (found, holder.wait(10)) == (["b_t1"], 0)
    holder.stdout.close()
    (folder / HOLDER_NAME).write_text(told, encoding="utf-8")  # left behind by one that was killed
    assert running_beside(tmp_path) == []


def test_a_copy_of_a_folder_beside_it_is_asked_about_only_for_what_the_folder_lacks(tmp_path: Path) -> None:
    film, copy = tmp_path / "film", tmp_path / "film-backup"
    pen = begin(film, Batch("film", (shot("a", 0), shot("b", 1))), base_url=ADDRESS)
    pen.lead(1, State.QUEUED)
    identity = pen.state.identity()
    pen.state.close()
    shutil.copytree(film, copy)
    second = replace(order("a"), number=2)
    assert found_beside(film, ADDRESS, [second]) == []
    newer = StateFile.create_or_open(copy, identity)
    Pen(newer).lead(2, State.QUEUED)
    newer.close()
    (found,) = found_beside(film, ADDRESS, [second])
    assert found.found == ((second, "b_t1"),)
