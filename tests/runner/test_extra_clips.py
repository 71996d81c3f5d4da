"""Extra clips: a generation that made several is paid once, and none of its clips is lost."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from types import SimpleNamespace
from typing import Any

import pytest

from tests.sandbox.local import SetClock
from tests.worlds import Killed, World, batch_of
from wanbatch.errors import ExitCode
from wanbatch.provider.answers import read_progress
from wanbatch.provider.protocol import Fetched, LinkDead, NoAnswer, Progress, Secret, Status, Trouble
from wanbatch.runner.extra_clips import EXTRAS_CAP, Extra, extras_of, extras_text, keep_extras
from wanbatch.runner.settings import RunSettings
from wanbatch.sandbox.faults import Rule
from wanbatch.session.verify import refetch_all, verify_output
from wanbatch.state.reader import StateReader

TWO = Rule("poll", "two_clips")
ONE, OTHER = "https://clips.example.com/a.mp4?sig=1", "https://clips.example.com/b.mp4?sig=2"


# --- what an answer tells


@pytest.mark.parametrize(
    ("video", "links"),
    [
        ({"url": ONE}, [ONE]),
        ([{"url": ONE}], [ONE]),
        ([{"url": ONE}, {"url": OTHER}], [ONE, OTHER]),
        ([{"url": ONE}, {"url": ONE}], [ONE]),
        ([None, {}, {"url": None}, {"url": " "}, {"url": 7}, "x", {"url": OTHER, "duration": 5}], [OTHER]),
        ([{"url": "clip 1"}, {"url": OTHER}], [OTHER]),
        ({"url": ONE, "thumbnail": "https://x/y.png"}, [ONE]),
        ([[{"url": ONE}]], []),
        ([], []),
        (None, []),
    ],
    ids=repr,
)
def test_the_first_usable_link_is_the_clip_and_the_others_are_kept(video: object, links: list[str]) -> None:
    answer = read_progress(json.dumps({"id": "g", "status": "completed", "video": video}).encode())
    assert isinstance(answer, Progress)
    found = [each.reveal() for each in (answer.link, *answer.more_links) if each is not None]
    assert found == links


# --- a run


def files(world: World) -> list[str]:
    return sorted(path.name for path in (world.output / "clips").iterdir())


@pytest.mark.long
def test_two_clips_of_one_generation_are_both_kept_checked_and_told(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(TWO,))
    end = world.run(batch_of(2))
    told = {take.file: take.warning for take in world.takes()}
    assert (end.exit_code, files(world), world.submits, told) == (
        ExitCode.OK,
        ["sh000_t1.2.mp4", "sh000_t1.mp4", "sh001_t1.2.mp4", "sh001_t1.mp4"],
        2,
        {
            f"clips/{name}.mp4": f"the provider made 2 clips for this take; kept beside the first: clips/{name}.2.mp4"
            for name in ("sh000_t1", "sh001_t1")
        },
    )
    assert [(each.file, each.verdict) for each in verify_output(world.output)] == [
        (f"clips/{name}", "ok") for name in ("sh000_t1.mp4", "sh000_t1.2.mp4", "sh001_t1.mp4", "sh001_t1.2.mp4")
    ]
    (world.output / "clips" / "sh001_t1.2.mp4").write_bytes(b"altered")
    (world.output / "clips" / "sh000_t1.2.mp4").unlink()
    assert [each.verdict for each in verify_output(world.output)] == ["ok", "missing", "ok", "altered"]


def test_a_list_of_one_clip_is_that_clip(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(Rule("poll", "listed"),))
    assert world.run(batch_of(1)).exit_code is ExitCode.OK
    assert ([take.warning for take in world.takes()], files(world)) == ([""], ["sh000_t1.mp4"])


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("rules", "kept", "why"),
    [
        ((Rule("clip", "status", nth=(2,), code=503),), ["sh000_t1.2.mp4", "sh000_t1.mp4"], ""),
        ((Rule("clip", "expired", nth=(2,)),), ["sh000_t1.mp4"], "HTTP 403 from the clip host"),
        ((Rule("clip", "status", nth=(2, 3, 4), code=503),), ["sh000_t1.mp4"], "HTTP 503 from the clip host"),
        (
            (Rule("clip", "garbage", nth=(2, 3, 4)),),
            ["sh000_t1.2.mp4.bad", "sh000_t1.mp4"],
            "the clip did not arrive complete",
        ),
        ((Rule("clip", "garbage", nth=(2, 3)),), ["sh000_t1.2.mp4", "sh000_t1.2.mp4.bad", "sh000_t1.mp4"], ""),
    ],
    ids=["once", "dead", "down", "garbage", "garbage at first"],
)
def test_what_befalls_a_further_clip_never_costs_the_first(
    tmp_path: Path, rules: tuple[Rule, ...], kept: list[str], why: str
) -> None:
    world = World(tmp_path / "out", rules=(TWO, *rules))
    end = world.run(batch_of(1))
    (take,) = world.takes()
    assert (end.exit_code, files(world), why in take.warning) == (ExitCode.OK, kept, True)
    assert ("`wanbatch verify --fetch` tries again" in take.warning) == bool(why)


def test_a_file_of_somebody_else_keeps_its_name(tmp_path: Path) -> None:
    world = World(tmp_path / "out", rules=(TWO,))
    foreign = world.output / "clips" / "sh000_t1.2.mp4"

    def plant(*_: Any) -> None:
        foreign.parent.mkdir(exist_ok=True)
        foreign.write_bytes(b"mine")

    world.observe = plant
    end = world.run(batch_of(1))
    (take,) = world.takes()
    assert (end.exit_code, foreign.read_bytes(), "not fetched: clips/sh000_t1.2.mp4" in take.warning) == (
        ExitCode.OK,
        b"mine",
        True,
    )


@pytest.mark.sampled(2)
@pytest.mark.parametrize("kill_at", range(4, 8))
def test_a_run_that_is_killed_leaves_no_further_clip_behind(tmp_path: Path, kill_at: int) -> None:
    world = World(tmp_path / "out", rules=(TWO,))
    try:
        world.run(batch_of(1), kill_at)
    except Killed:
        world.run(batch_of(1))
    (take,) = world.takes()
    assert (files(world), take.shown_state, "kept beside the first" in take.warning, world.submits) == (
        ["sh000_t1.2.mp4", "sh000_t1.mp4"],
        "verified",
        True,
        1,
    )


# --- fetching one again


class Host:
    """A provider that tells of these links and serves these clips; None is a link that is dead."""

    def __init__(self, clips: dict[str, bytes | None], answer: Progress | NoAnswer | None = None) -> None:
        self._clips = clips
        links = tuple(map(Secret, clips))
        self._answer = answer or Progress("g", Status.COMPLETED, links[0], None, more_links=links[1:])

    async def poll(self, _: str) -> Progress | NoAnswer:
        return self._answer

    async def fetch(self, link: Secret, sink: Callable[[bytes], object]) -> Fetched | LinkDead:
        content = self._clips[link.reveal()]
        if content is None:
            return LinkDead("gone")
        sink(content)
        return Fetched(len(content))


class Notes:
    """What the state file keeps, in memory."""

    def __init__(self, output: Path, text: str | None = None) -> None:
        self.output = output
        self._text = text

    def noted(self, _: str) -> str | None:
        return self._text

    def note(self, _: str, value: str) -> None:
        self._text = value


def desk_at(output: Path, host: Host, text: str | None = None) -> Any:
    settings = RunSettings()
    return SimpleNamespace(settings=settings, state=Notes(output, text), provider=host, clock=SetClock(), rng=Random(1))


def made(tmp_path: Path) -> tuple[Path, Any, bytes, bytes]:
    """Return an output folder with two clips of one take, the take, and the bytes of both."""
    world = World(tmp_path / "out", rules=(TWO,))
    world.run(batch_of(1))
    (take,) = world.takes()
    clips = world.output / "clips"
    return world.output, take, (clips / "sh000_t1.mp4").read_bytes(), (clips / "sh000_t1.2.mp4").read_bytes()


def test_missing_clips_are_fetched_again_without_a_submit(tmp_path: Path) -> None:
    output, take, first, second = made(tmp_path)
    with StateReader.open(output) as reader:
        text = json.dumps([vars(each) for each in extras_of(reader, take)])
    for path in (output / "clips").iterdir():
        path.unlink()
    host = Host({ONE: first, OTHER: second}, None)
    host._answer = Progress(take.generation_id, Status.COMPLETED, Secret(ONE), None, more_links=(Secret(OTHER),))
    why = asyncio.run(refetch_all(desk_at(output, host, text), take))
    assert (why, [each.verdict for each in verify_output(output)]) == ("", ["ok", "ok"])


def test_a_further_clip_that_is_gone_for_good_is_told(tmp_path: Path) -> None:
    output, take, first, _ = made(tmp_path)
    lost = output / "clips" / "sh000_t1.2.mp4"
    lost.rename(lost.with_name("elsewhere.mp4"))
    with StateReader.open(output) as reader:
        text = json.dumps([vars(each) for each in extras_of(reader, take)])
    answers: list[Progress | NoAnswer] = [
        Progress(take.generation_id, Status.COMPLETED, Secret(ONE), None, more_links=(Secret(OTHER),)),
        Progress(take.generation_id, Status.COMPLETED, Secret(ONE), None),
        NoAnswer(Trouble.TRANSIENT, "down"),
    ]
    told = [
        asyncio.run(refetch_all(desk_at(output, Host({ONE: first, OTHER: None}, each), text), take)) for each in answers
    ]
    assert told == [
        "clips/sh000_t1.2.mp4: gone",
        "clips/sh000_t1.2.mp4: the provider no longer gives a link to it",
        "the provider does not say where its further clips are",
    ]


def test_an_endless_list_of_clips_is_fetched_to_a_bound(tmp_path: Path) -> None:
    links = [Secret(f"https://x/{number}") for number in range(EXTRAS_CAP + 2)]
    (tmp_path / "clips").mkdir()
    context = desk_at(tmp_path, Host({link.reveal(): None for link in links}))
    take: Any = SimpleNamespace(label="a_t1")
    asyncio.run(keep_extras(context, take, links))
    found = extras_of(context.state, take)
    assert ([each.why for each in found[-3:]], found[-1].file) == (
        ["gone", "wanbatch fetches at most 20 further clips", "wanbatch fetches at most 20 further clips"],
        f"clips/a_t1.{EXTRAS_CAP + 3}.mp4",
    )


def test_a_clip_that_was_recorded_and_is_not_here_counts_as_missing(tmp_path: Path) -> None:
    text = json.dumps([{"file": "clips/a_t1.2.mp4", "sha256": "f" * 64}])
    context, take = desk_at(tmp_path, Host({ONE: None}), text), SimpleNamespace(label="a_t1")
    asyncio.run(keep_extras(context, take, [Secret(ONE)]))  # type: ignore[arg-type]
    assert extras_of(context.state, take) == [Extra("clips/a_t1.2.mp4", None, "gone")]  # type: ignore[arg-type]


@pytest.mark.parametrize("text", ["", "x", "[5]", '[{"file": "a"}]', '[{"of": 1}]', "null"])
def test_a_text_that_cannot_be_read_tells_of_no_clips(tmp_path: Path, text: str) -> None:
    take: Any = SimpleNamespace(label="a_t1")
    state: Any = Notes(tmp_path, text)
    assert extras_of(state, take) == []


def test_what_is_told_names_what_is_here_and_what_is_not() -> None:
    assert extras_text([]) is None
    assert extras_text([Extra("clips/a.2.mp4", "f" * 64), Extra("clips/a.3.mp4", None, "gone")]) == (
        "the provider made 3 clips for this take; kept beside the first: clips/a.2.mp4; not fetched: clips/a.3.mp4 (gone)."
        " `wanbatch verify --fetch` tries again"
    )
