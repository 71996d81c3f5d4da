"""Shots that continue from others: each waits for its predecessor's clip, and is sent the very frame that was recorded."""

from __future__ import annotations

import base64
import hashlib
import io
import json
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from tests.pictures import manifest, opening_in, save
from tests.worlds import EPOCH, Killed, World
from wanbatch.batch.chosen_frames import ChosenFrame
from wanbatch.batch.given_files import Body
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.models import class_of
from wanbatch.batch.shots import Batch, Recipe
from wanbatch.batch.take import Take
from wanbatch.errors import ExitCode, ProgramFault
from wanbatch.manifest import load_manifest
from wanbatch.money.prices import Quote
from wanbatch.runner.predecessors import assert_recorded
from wanbatch.runner.settings import OnUnknown
from wanbatch.sandbox.faults import FaultPlan, Rule
from wanbatch.state.file import StateFile
from wanbatch.state.reader import StateReader, entry

SMALL = {"model": "alibaba/wan2.5-i2v-preview", "resolution": "480p", "duration": 5}
FORK = {"sh001": "sh000", "sh002": "sh001", "sh003": "sh001"}  # a chain with a branch


def film(folder: Path, before: dict[str, Any] | None = None, **more: dict[str, Any]) -> Batch:
    """A shot from a still, and those that continue from others; `more` is said of single shots."""
    save(folder / "still.png")
    links = FORK if before is None else before
    shots = [{"first_frame": "still.png", **SMALL, **more.get("sh000", {})}]
    for shot_id, other in links.items():
        frame = other if isinstance(other, dict) else {"from": other}
        shots.append({"id": shot_id, "first_frame": frame, **SMALL, **more.get(shot_id, {})})
    return load_manifest(manifest(folder, *shots))


def world_of(folder: Path, **more: Any) -> World:
    return World(folder / "out", settings=opening_in(folder), **more)


def sent(world: World) -> dict[str, list[bytes]]:
    """Return the pictures that were sent in all POSTs of the last run, by the prompt."""
    assert world.hosts is not None
    found: dict[str, list[bytes]] = {}
    for each in world.hosts.requests:
        if each.method == "POST":
            body = json.loads(each.content)
            assert body["image_url"].startswith("data:image/png;base64,")
            found.setdefault(str(body["seed"]), []).append(base64.b64decode(body["image_url"].partition(",")[2]))
    return found


def frames_of(world: World) -> dict[str, tuple[ChosenFrame, ...]]:
    with StateReader.open(world.output) as reader:
        return {take.label: reader.frames_of(take.take_id, take.attempt) for take in reader.takes()}


def decoded(clip: Path) -> list[np.ndarray[Any, Any]]:
    with av.open(str(clip)) as container:
        return [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]


def pixels(png: bytes) -> np.ndarray[Any, Any]:
    with Image.open(io.BytesIO(png)) as picture:
        return np.asarray(picture.convert("RGB"))


def test_each_shot_begins_with_the_last_frame_of_its_predecessor_to_the_pixel(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    assert world.run(film(tmp_path)).exit_code is ExitCode.OK
    takes = {take.shot_id: take for take in world.takes()}
    posted = sent(world)
    for shot_id, other in FORK.items():
        (png,) = posted[str(takes[shot_id].recipe.body["seed"])]
        clip = world.output / str(takes[other].file)
        assert np.array_equal(pixels(png), decoded(clip)[-1])
        (frame,) = frames_of(world)[takes[shot_id].label]
        assert frame == ChosenFrame(
            reference=f"frame:{other}:last",
            take_id=takes[other].take_id,
            take=takes[other].label,
            generation_id=takes[other].generation_id,
            clip_sha256=hashlib.sha256(clip.read_bytes()).hexdigest(),
            png_sha256=hashlib.sha256(png).hexdigest(),
            file=f"frames/{other}_t1_last.png",
        )
        assert (world.output / frame.file).read_bytes() == png


@pytest.mark.parametrize(("said", "number"), [({"frame": "first"}, 0), ({"at": "2.5s"}, 60), ({"at": "40ms"}, 0)])
def test_any_frame_may_be_the_one(said: dict[str, Any], number: int, tmp_path: Path) -> None:
    world = world_of(tmp_path)
    assert world.run(film(tmp_path, {"sh001": {"from": "sh000", **said}})).exit_code is ExitCode.OK
    first, second = world.takes()
    (png,) = sent(world)[str(second.recipe.body["seed"])]
    with av.open(str(world.output / str(first.file))) as container:
        rate = float(container.streams.video[0].average_rate or 0)
    wanted = round(number * rate / 24) if number else 0
    assert np.array_equal(pixels(png), decoded(world.output / str(first.file))[wanted])


@pytest.mark.usefixtures("quick_clips")
def test_the_fact_is_there_before_the_submit_that_holds_the_frame(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    world.run(film(tmp_path, {"sh001": "sh000"}))
    with StateReader.open(world.output) as reader:
        facts = [each.fact for each in reader.facts_of(2)]
        (attempt,) = reader.attempts_of(2)
    assert facts[:3] == [Fact.PLANNED, Fact.FRAMES_CHOSEN, Fact.SUBMIT_STARTED]
    assert world.hosts is not None
    bodies = [each.content for each in world.hosts.requests if each.method == "POST"]
    assert attempt.body_sha256 == hashlib.sha256(bodies[-1]).hexdigest()


@pytest.mark.usefixtures("quick_clips")
@pytest.mark.sampled(6)
@pytest.mark.parametrize("kill_at", range(1, 24))
def test_after_a_kill_anywhere_the_same_frame_is_sent_and_nothing_twice(kill_at: int, tmp_path: Path) -> None:
    batch = film(tmp_path, {"sh001": "sh000"})
    world = world_of(tmp_path)
    with suppress(Killed):
        world.run(batch, kill_at)
    with StateReader.open(world.output) as reader:
        before = [reader.frames_of(take.take_id, 1) for take in reader.takes()]
    for _ in range(3):
        world.run(batch)
    takes = world.takes()
    charged = [row["client_request_id"].split(":")[3].split(".")[0] for row in world.ledger() if row["charged"]]
    assert sorted(charged) == [str(take.take_id) for take in takes if take.state is State.VERIFIED]
    is_open = kill_at in (1, 9)  # right behind the record of a submit: whether it was sent is not known
    assert [take.state for take in takes].count(State.VERIFIED) == 2 - (kill_at == 9) - 2 * (kill_at == 1) >= 0
    assert any(take.state is State.HELD for take in takes) == is_open
    after = [frames_of(world)[take.label] for take in takes]
    assert all(one in ((), other) for one, other in zip(before, after, strict=True))


@pytest.mark.usefixtures("quick_clips")
def test_a_kill_between_the_fact_and_the_submit_sends_the_same_frame_without_drawing_it_again(tmp_path: Path) -> None:
    batch = film(tmp_path, {"sh001": "sh000"})
    world = world_of(tmp_path)

    def die(_: Any, event: Any) -> None:
        if event.kind == Fact.FRAMES_CHOSEN:
            raise Killed

    world.observe = die
    with pytest.raises(Killed):
        world.run(batch)
    (known,) = frames_of_next(world)
    made = (world.output / known.file).stat().st_mtime_ns
    world.observe = None
    assert world.run(batch).exit_code is ExitCode.OK
    (png,) = sent(world)[str(world.takes()[1].recipe.body["seed"])]
    assert (hashlib.sha256(png).hexdigest(), (world.output / known.file).stat().st_mtime_ns) == (known.png_sha256, made)
    with StateReader.open(world.output) as reader:
        assert [each.fact for each in reader.facts_of(2)].count(Fact.FRAMES_CHOSEN) == 1


def frames_of_next(world: World, take_id: int = 2) -> tuple[ChosenFrame, ...]:
    """Return the frames that are recorded for the first submit of a take."""
    with StateReader.open(world.output) as reader:
        return reader.frames_of(take_id, 1)


@pytest.mark.usefixtures("quick_clips")
def test_the_longest_chain_goes_first_and_others_go_on_while_it_waits(tmp_path: Path) -> None:
    batch = film(tmp_path, {"sh001": "sh000"})
    alone = [replace(batch.shots[0], id=f"a{n}", request={**batch.shots[0].request, "prompt": f"{n}"}) for n in "012"]
    story = [replace(shot, ordinal=n) for n, shot in enumerate((*alone, *batch.shots))]
    world, order = world_of(tmp_path), list[str]()
    world.observe = lambda _, event: order.append(event.take) if event.kind == "submit_started" else None
    assert world.run(replace(batch, shots=tuple(story))).exit_code is ExitCode.OK
    assert order == ["sh000_t1", "a0_t1", "a1_t1", "a2_t1", "sh001_t1"]


@pytest.mark.usefixtures("quick_clips")
def test_a_chain_waits_for_its_predecessor_and_not_for_the_batch(tmp_path: Path) -> None:
    batch = film(tmp_path, {"sh001": "sh000", "z": {"from": "sh000"}}, z={"duration": 10})
    order = list[tuple[str, str]]()
    world = world_of(tmp_path, rules=(Rule("submit", "stall", prompt_contains="never ends"),))
    stalled = replace(batch.shots[0], id="slow", ordinal=9, request={**batch.shots[0].request, "prompt": "never ends"})
    world.observe = lambda runner, event: (
        order.append((event.kind, event.take)),
        runner.drain() if (event.kind, event.take) == ("verified", "z_t1") else None,
        runner.drain() if (event.kind, event.take) == ("verified", "z_t1") else None,
    )  # type: ignore[func-returns-value]
    world.run(replace(batch, shots=(*batch.shots, stalled)))
    assert [take.state for take in world.takes()] == [*[State.VERIFIED] * 3, State.GENERATING]
    assert order.index(("verified", "sh000_t1")) < order.index(("submit_started", "sh001_t1"))


FAILS = (Rule("submit", "fail", prompt_contains="fails"),)


@pytest.mark.usefixtures("quick_clips")
def test_where_a_predecessor_fails_its_successors_are_named_and_the_rest_goes_on(tmp_path: Path) -> None:
    links = {"sh001": "sh000", "sh002": "sh001", "sh003": "sh002", "sh004": "sh000"}
    batch = film(tmp_path, links, sh001={"prompt": "It fails."})
    world = world_of(tmp_path, rules=FAILS)
    end = world.run(batch)
    states = [State.VERIFIED, State.FAILED, State.PLANNED, State.PLANNED, State.VERIFIED]
    assert [take.state for take in world.takes()] == states
    assert (end.exit_code, end.messages) == (ExitCode.TAKES_FAILED, (f"2 takes (sh002_t1, sh003_t1) wait {FAILED}",))


FAILED = "for sh001_t1, which failed. They will be sent when that take has a clip"


@pytest.mark.usefixtures("quick_clips")
def test_a_later_run_goes_on_once_the_predecessor_is_there(tmp_path: Path) -> None:
    batch = film(tmp_path, {"sh001": "sh000", "sh002": "sh001"}, sh001={"prompt": "It fails."})
    world = world_of(tmp_path, rules=FAILS)
    world.run(batch)
    assert world.sandbox is not None
    world.sandbox.faults = FaultPlan((), 1)
    retried(world, 2)
    assert world.run(batch).exit_code is ExitCode.OK
    assert [take.state for take in world.takes()] == [State.VERIFIED] * 3


def retried(world: World, take_id: int) -> None:
    """Plan a failed take again, as `wanbatch retry` does."""
    with StateReader.open(world.output) as reader:
        identity = reader.identity()
    state = StateFile.create_or_open(world.output, identity)
    state.record(take_id, entry(Fact.RETRY_PLANNED, EPOCH, {"by": "user"}))
    state.close()


@pytest.mark.usefixtures("quick_clips")
def test_where_a_predecessor_is_held_its_successor_waits_for_a_decision(tmp_path: Path) -> None:
    settings = replace(opening_in(tmp_path), on_unknown=OnUnknown.HOLD)
    rules = (Rule("submit", "drop_after", nth=(2,)),)
    world = World(tmp_path / "out", settings=settings, rules=rules)
    end = world.run(film(tmp_path, {"sh001": "sh000", "sh002": "sh001"}))
    assert [take.state for take in world.takes()] == [State.VERIFIED, State.HELD, State.PLANNED]
    assert (end.exit_code, end.messages) == (
        ExitCode.DECISION_NEEDED,
        (
            (
                "1 take (sh002_t1) waits for sh001_t1, which is held. It will be sent when that take has a clip."
                " `wanbatch reconcile` looks it up in the provider's log, and costs nothing; so does the next run. If neither"
                " finds it, choose one: `wanbatch resolve sh001_t1 --resubmit` sends it again, which may be charged a second"
                " time; or `wanbatch resolve sh001_t1 --abandon` gives it up (its possible cost still counts)"
            ),
        ),
    )


@pytest.mark.usefixtures("quick_clips")
def test_a_shot_whose_predecessor_this_run_leaves_out_is_named(tmp_path: Path) -> None:
    settings = replace(opening_in(tmp_path), is_selected=lambda each: each.shot_id != "sh000")
    world = World(tmp_path / "out", settings=settings)
    end = world.run(film(tmp_path, {"sh001": "sh000"}))
    assert (end.exit_code, world.submits, end.messages) == (
        ExitCode.TAKES_FAILED,
        0,
        ("1 take (sh001_t1) waits for sh000_t1, which is not sent. It will be sent when that take has a clip",),
    )


@pytest.mark.usefixtures("quick_clips")
def test_where_a_predecessor_does_not_fit_under_the_cap_of_its_scene_this_is_said(tmp_path: Path) -> None:
    batch = film(tmp_path, {"sh001": "sh000", "sh002": "sh001"})
    scenes = dict(zip(("sh000", "sh001", "sh002"), ("a", "b", "b"), strict=True))
    batch = replace(batch, shots=tuple(replace(shot, scene=scenes[shot.id]) for shot in batch.shots))
    quotes = {class_of(batch.shots[0].request): Quote(2, "test", is_proven=True)}
    world = World(tmp_path / "out", settings=replace(opening_in(tmp_path), scene_caps={"a": 1}, quotes=quotes))
    end = world.run(batch)
    why = "sh000_t1, which was not sent, because its scene (a) has reached its cap"
    text = f"2 takes (sh001_t1, sh002_t1) wait for {why}. They will be sent when that take has a clip"
    assert (end.exit_code, world.submits, end.messages[1:]) == (ExitCode.BUDGET_REACHED, 0, (text,))


@pytest.mark.usefixtures("quick_clips")
def test_a_limit_takes_the_beginnings_of_chains(tmp_path: Path) -> None:
    world = World(tmp_path / "out", settings=replace(opening_in(tmp_path), limit=2))
    assert world.run(film(tmp_path, {"sh001": "sh000", "sh002": "sh001"})).exit_code is ExitCode.OK
    assert [take.state for take in world.takes()] == [State.VERIFIED, State.VERIFIED, State.PLANNED]


@pytest.mark.usefixtures("quick_clips")
def test_a_pinned_take_that_is_not_there_is_waited_for_by_its_number(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    end = world.run(film(tmp_path, {"sh001": {"from": "sh000", "take": 3}}))
    assert end.messages == (
        "1 take (sh001_t1) waits for sh000, which has no take 3. It will be sent when that take has a clip",
    )


def test_of_two_takes_the_newest_gives_the_frame_and_a_pinned_one_its_own(tmp_path: Path) -> None:
    links = {"sh001": {"from": "sh000"}, "sh002": {"from": "sh000", "take": 1}}
    world = world_of(tmp_path)
    assert world.run(film(tmp_path, links, sh000={"takes": 2})).exit_code is ExitCode.OK
    frames = frames_of(world)
    assert [frames[label][0].take for label in ("sh001_t1", "sh002_t1")] == ["sh000_t2", "sh000_t1"]


def test_a_frame_of_another_clip_than_is_chosen_by_now_is_never_sent(tmp_path: Path) -> None:
    batch = film(tmp_path, {"sh001": "sh000"}, sh000={"takes": 2})
    world = world_of(tmp_path)

    def die(_: Any, event: Any) -> None:
        if event.kind == Fact.FRAMES_CHOSEN:
            raise Killed

    world.observe = die
    with pytest.raises(Killed):
        world.run(batch)
    assert frames_of_next(world, 3)[0].take == "sh000_t2"
    with StateReader.open(world.output) as reader:
        identity = reader.identity()
    state = StateFile.create_or_open(world.output, identity)
    state.record(1, entry(Fact.CIRCLED, EPOCH))
    state.close()
    world.observe = None
    world.run(batch)
    (frame,) = frames_of(world)["sh001_t1"]
    (png,) = sent(world)[str(world.takes()[2].recipe.body["seed"])]
    assert (frame.take, frame.png_sha256) == ("sh000_t1", hashlib.sha256(png).hexdigest())
    assert np.array_equal(pixels(png), decoded(world.output / "clips/sh000_t1.mp4")[-1])


@pytest.mark.usefixtures("quick_clips")
@pytest.mark.parametrize(
    ("do", "said"),
    [
        (lambda clip: clip.write_bytes(b"another"), "the clip of sh000_t1 is not the one that was verified"),
        (lambda clip: clip.unlink(), "the clip of sh000_t1 cannot be read (No such file or directory)"),
    ],
)
def test_a_clip_that_is_not_as_verified_gives_no_frame(do: Any, said: str, tmp_path: Path) -> None:
    world = world_of(tmp_path)
    clip = world.output / "clips/sh000_t1.mp4"
    world.observe = lambda _, event: do(clip) if (event.kind, event.take) == ("verified", "sh000_t1") else None
    end = world.run(film(tmp_path, {"sh001": "sh000"}))
    assert (end.exit_code, world.submits, [said in each for each in end.messages]) == (
        ExitCode.LOCAL_FAULT,
        1,
        [True],
    )


def test_a_frame_on_disk_that_was_changed_is_drawn_again(tmp_path: Path) -> None:
    batch, world = film(tmp_path, {"sh001": "sh000"}), world_of(tmp_path)

    def die(_: Any, event: Any) -> None:
        if event.kind == Fact.FRAMES_CHOSEN:
            (world.output / "frames/sh000_t1_last.png").write_bytes(b"another")
            raise Killed

    world.observe = die
    with pytest.raises(Killed):
        world.run(batch)
    world.observe = None
    assert world.run(batch).exit_code is ExitCode.OK
    (png,) = sent(world)[str(world.takes()[1].recipe.body["seed"])]
    assert np.array_equal(pixels(png), decoded(world.output / "clips/sh000_t1.mp4")[-1])


def test_no_submit_begins_with_a_frame_that_is_not_recorded() -> None:
    take = Take(1, "a", 1, Recipe.of({"model": "m", "image_url": "frame:b:last"}).canonical)
    frame = ChosenFrame("frame:b:last", 2, "b_t1", "g", "c" * 64, "d" * 64, "frames/b_t1_last.png")

    def context(*recorded: ChosenFrame) -> Any:
        return SimpleNamespace(state=SimpleNamespace(frames_of=lambda *_: recorded))

    assert_recorded(context(frame), take, Body((), {"frame:b:last": "d" * 64}))
    for recorded, body in [
        ((), Body((), {"frame:b:last": "d" * 64})),
        ((frame,), None),
        ((frame,), Body(())),
        ((frame,), Body((), {"frame:b:last": "e" * 64})),
    ]:
        with pytest.raises(ProgramFault, match="a_t1 was about to be sent with a frame that is not recorded"):
            assert_recorded(context(*recorded), take, body)
