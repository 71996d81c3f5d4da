"""Requests with files: what is sent is what was planned, or nothing; and few bodies are in memory at any time."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.pictures import manifest, opening_in, save, still
from tests.worlds import Killed, World, jump
from wanbatch.batch.given_files import CHUNK_BYTES, Body, FileKind, GivenFile, hashes_in
from wanbatch.batch.lifecycle import State
from wanbatch.batch.shots import Recipe
from wanbatch.batch.take import Take
from wanbatch.clip.given import OpenedFile
from wanbatch.errors import ExitCode
from wanbatch.manifest import load_manifest
from wanbatch.pace.schedule import Rates, Schedule
from wanbatch.provider.wire import content_of
from wanbatch.runner.bodies import Bodies
from wanbatch.runner.loop import Runner
from wanbatch.runner.predecessors import Predecessors
from wanbatch.runner.settings import RunSettings
from wanbatch.state.reader import StateReader

pytestmark = pytest.mark.usefixtures("quick_clips")

SMALL = {"resolution": "720p", "duration": 5, "generate_audio": False}


def film(folder: Path, count: int, **more: Any) -> Path:
    for n in range(count):
        save(folder / f"stills/{n}.png", still(640 + n))
    return manifest(folder, *({"first_frame": f"stills/{n}.png", **SMALL, **more} for n in range(count)))


def world_of(folder: Path, **more: Any) -> World:
    return World(folder / "out", settings=opening_in(folder), **more)


def sent(world: World) -> list[bytes]:
    """Return the bodies of all POSTs."""
    assert world.hosts is not None
    return [each.content for each in world.hosts.requests if each.method == "POST"]


def posted(world: World) -> list[dict[str, Any]]:
    return [json.loads(each) for each in sent(world)]


def before(kind: str, do: Callable[[], object]) -> Callable[[Runner, Any], None]:
    """Do something once, at the first event of a kind."""
    left = [do]

    def observe(_: Runner, event: Any) -> None:
        if event.kind == kind and left:
            left.pop()()

    return observe


def test_a_picture_is_sent_in_the_request_and_known_by_its_hash_in_the_state(tmp_path: Path) -> None:
    batch = load_manifest(film(tmp_path, 2))
    world = world_of(tmp_path)
    assert world.run(batch).exit_code is ExitCode.OK
    bodies = posted(world)
    assert [body["image_url"] for body in bodies] == [
        f"data:image/png;base64,{base64.b64encode((tmp_path / f'stills/{n}.png').read_bytes()).decode()}"
        for n in (0, 1)
    ]
    assert [take.recipe.body["image_url"] for take in world.takes()] == [
        shot.request["image_url"] for shot in batch.shots
    ]
    assert b"base64" not in b"".join(each.read_bytes() for each in world.output.glob("state.sqlite*"))


def test_the_hash_that_is_recorded_before_a_post_is_that_of_the_bytes_that_are_sent(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    world.run(load_manifest(film(tmp_path, 1)))
    (body,) = sent(world)
    with StateReader.open(world.output) as reader:
        assert [each.body_sha256 for each in reader.attempts_of(1)] == [hashlib.sha256(body).hexdigest()]


@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("do", "said"),
    [
        (lambda path: save(path, still(right=(9, 9, 9))), "stills/1.png was changed after it was planned"),
        (lambda path: path.unlink(), "stills/1.png cannot be read (No such file or directory)"),
        (lambda path: path.write_text("a text"), "stills/1.png is not a PNG, JPEG, WebP or BMP file"),
    ],
)
def test_a_file_that_is_not_as_planned_stops_its_take_alone(
    do: Callable[[Path], object], said: str, tmp_path: Path
) -> None:
    path = film(tmp_path, 3)
    world = world_of(tmp_path)
    world.observe = before("submit_started", lambda: do(tmp_path / "stills/1.png"))
    end = world.run(load_manifest(path))
    assert (end.exit_code, [said in each for each in end.messages]) == (ExitCode.LOCAL_FAULT, [True])
    assert [take.state for take in world.takes()] == [State.VERIFIED, State.PLANNED, State.VERIFIED]
    assert ([take.attempts for take in world.takes()], world.submits) == ([1, 0, 1], 2)


@pytest.mark.long
def test_the_next_run_plans_with_the_picture_as_it_is_then(tmp_path: Path) -> None:
    path = film(tmp_path, 2)
    world = world_of(tmp_path)
    world.observe = before("submit_started", lambda: save(tmp_path / "stills/1.png", still(right=(9, 9, 9))))
    world.run(load_manifest(path))
    batch = load_manifest(path)
    assert world.run(batch).exit_code is ExitCode.OK
    assert world.takes()[1].recipe == batch.shots[1].recipes[0]
    assert (len(world.takes()), world.submits) == (2, 2)


def test_a_picture_that_was_renamed_is_found_by_its_hash_and_bought_once(tmp_path: Path) -> None:
    world = world_of(tmp_path)
    world.run(load_manifest(film(tmp_path, 1)))
    (tmp_path / "stills/0.png").rename(tmp_path / "mara.png")
    world.run(load_manifest(manifest(tmp_path, {"first_frame": "mara.png", **SMALL})))
    with StateReader.open(world.output) as reader:
        names = [each.name for each in reader.files().values()]
    assert (names, world.submits) == (["mara.png"], 1)


def test_an_edited_picture_supersedes_the_clip_of_the_old_one(tmp_path: Path) -> None:
    path = film(tmp_path, 1)
    world = world_of(tmp_path)
    world.run(load_manifest(path))
    save(tmp_path / "stills/0.png", still(right=(9, 9, 9)))
    world.run(load_manifest(path))
    assert [(take.superseded, take.state) for take in world.takes()] == [
        (True, State.VERIFIED),
        (False, State.VERIFIED),
    ]


@pytest.mark.sampled(3)
@pytest.mark.parametrize("kill_at", [1, 2, 3, 4, 5, 6, 7])
def test_a_kill_at_any_step_sends_no_picture_twice(kill_at: int, tmp_path: Path) -> None:
    path = film(tmp_path, 2)
    world = world_of(tmp_path)
    with pytest.raises(Killed):
        world.run(load_manifest(path), kill_at)
    for _ in range(3):
        world.run(load_manifest(path))
    charged = [row["client_request_id"].split(":")[3].split(".")[0] for row in world.ledger() if row["charged"]]
    assert sorted(set(charged)) == sorted(charged)
    known = {hashes_in(shot.request)[0] for shot in load_manifest(path).shots}
    assert {hashes_in(take.recipe.body)[0] for take in world.takes()} == known


def test_no_body_is_kept_after_its_answer(tmp_path: Path) -> None:
    world, held = world_of(tmp_path), list[int]()

    def observe(runner: Runner, event: Any) -> None:
        if event.kind in ("submit_started", "verified"):
            held.append(runner.bodies.held)

    world.observe = observe
    assert world.run(load_manifest(film(tmp_path, 3))).exit_code is ExitCode.OK
    assert (sorted(held), held[-1]) == ([0, 0, 0, 1, 1, 1], 0)


def test_a_batch_without_a_folder_says_so_and_sends_nothing(tmp_path: Path) -> None:
    world = World(tmp_path / "out", settings=RunSettings())
    end = world.run(load_manifest(film(tmp_path, 1)))
    assert (end.exit_code, world.submits) == (ExitCode.LOCAL_FAULT, 0)
    assert "sh000_t1 is not sent, and costs nothing" in end.messages[0]


@pytest.mark.long
def test_files_are_opened_two_at_a_time(tmp_path: Path) -> None:
    now, most = [0], [0]
    settings = opening_in(tmp_path)
    opener = settings.open_given
    assert opener is not None

    def counted(file: GivenFile) -> OpenedFile:
        now[0] += 1
        most[0] = max(most[0], now[0])
        try:
            return opener(file)
        finally:
            now[0] -= 1

    world = World(tmp_path / "out", settings=replace(settings, open_given=counted))
    assert world.run(load_manifest(film(tmp_path, 6))).exit_code is ExitCode.OK
    assert most[0] in (1, 2)


def test_a_large_body_is_sent_in_small_parts_with_its_length(tmp_path: Path) -> None:
    body = Body((b"x" * 200_000, b"y"))

    async def parts() -> list[bytes]:
        content = content_of(body)
        assert not isinstance(content, bytes)
        return [each async for each in content]

    found = jump(parts)
    assert (b"".join(found), max(map(len, found))) == (b"x" * 200_000 + b"y", CHUNK_BYTES)
    world = world_of(tmp_path)
    world.run(load_manifest(film(tmp_path, 1)))
    assert world.hosts is not None
    post = next(each for each in world.hosts.requests if each.method == "POST")
    assert (post.headers["content-length"], "transfer-encoding" in post.headers) == (str(len(post.content)), False)


@dataclass
class Desk:
    """A context in which something comes to light about a take while its file is opened."""

    takes: dict[int, Take]
    later: Take
    begun: list[int]
    files: dict[str, GivenFile]
    is_halted: bool = False
    schedule: Schedule = field(default_factory=lambda: Schedule(Rates()))

    @property
    def state(self) -> Any:
        return SimpleNamespace(files=lambda: self.files)

    @property
    def clock(self) -> Any:
        return SimpleNamespace(monotonic=lambda: 0.0)

    @property
    def settings(self) -> Any:
        return SimpleNamespace(open_given=self.open)

    def open(self, file: GivenFile) -> OpenedFile:
        self.takes[1] = self.later
        return OpenedFile(file.sha256, 1, "PNG", "image/png", 640, 360, 0.0, has_alpha=False, data="AA==")

    def begin(self, take_id: int, _: Body) -> bool:
        self.begun.append(take_id)
        return False


PLANNED = Take(1, "a", 1, Recipe.of({"model": "m", "prompt": "p", "image_url": "sha256:" + "a" * 64}).canonical)


@pytest.mark.parametrize(
    ("later", "begun", "queued"),
    [
        (PLANNED, [1], ()),
        (replace(PLANNED, warning="dear"), [1], ()),
        (replace(PLANNED, state=State.HELD), [], ()),
        (replace(PLANNED, state=State.QUEUED, attempts=1, attempt=1), [], ()),
        (replace(PLANNED, attempts=1), [], ()),
        (replace(PLANNED, recipe_json=Recipe.of({"model": "n", "prompt": "p"}).canonical), [], ()),
    ],
)
def test_what_comes_to_light_while_a_body_is_made_keeps_it_from_being_sent(
    later: Take, begun: list[int], queued: tuple[int, ...]
) -> None:
    file = GivenFile("a" * 64, "a.png", FileKind.PICTURE, "PNG", 1, 640, 360)
    desk = Desk({1: PLANNED}, later, [], {file.sha256: file})
    bodies = Bodies(desk, desk, Predecessors(desk))  # type: ignore[arg-type]
    bodies.begin()
    asyncio.run(bodies.send(1))
    assert (desk.begun, desk.schedule.planned, desk.schedule.posts) == (begun, queued, 0)
