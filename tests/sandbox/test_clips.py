"""The clip host: signed links, ranges, leaks, and the slates behind the links."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from urllib.parse import parse_qs, urlsplit, urlunsplit

import httpx
import numpy as np
import pytest
from PIL import Image

from tests.sandbox.local import BODY, EPOCH, SMALL, LocalSandbox
from wanbatch.clip.check import check_clip
from wanbatch.clip.fonts import faces_here
from wanbatch.clip.letters import _chosen, letter
from wanbatch.clip.probe import Probe
from wanbatch.sandbox import SandboxOptions, slate
from wanbatch.sandbox.account import Generation
from wanbatch.sandbox.models import models_served

CONTENT = bytes(range(256)) * 4


def fixed(_: Generation) -> bytes:
    return CONTENT


@pytest.fixture
def context(sandbox_of: Callable[..., LocalSandbox]) -> LocalSandbox:
    return sandbox_of(SandboxOptions(link_ttl_s=600), render=fixed)


def completed(context: LocalSandbox, body: dict[str, object] | None = None) -> str:
    generation_id = context.made(body)
    context.wait(2000)
    return generation_id


def fetch(context: LocalSandbox, url: str, **headers: str) -> httpx.Response:
    return context.request("GET", url, headers=headers)


def test_a_link_is_signed_and_on_another_host(context: LocalSandbox) -> None:
    link = urlsplit(context.link(completed(context)))
    query = {name: values[0] for name, values in parse_qs(link.query).items()}
    kept_until = int(query["Expires"]) - EPOCH.timestamp() - context.clock.passed_s
    assert (link.netloc, link.path.endswith(".mp4"), sorted(query)[:3], kept_until) == (
        "clips.sandbox.test",
        True,
        ["Expires", "OSSAccessKeyId", "Signature"],
        600,
    )


def test_a_clip_is_sent_whole_with_its_size_and_tag(context: LocalSandbox) -> None:
    answer = fetch(context, context.link(completed(context)))
    names = ("content-type", "content-length", "accept-ranges")
    assert (answer.content, [answer.headers[name] for name in names], answer.headers["etag"].startswith('"')) == (
        CONTENT,
        ["video/mp4", "1024", "bytes"],
        True,
    )


def test_a_head_has_no_body(context: LocalSandbox) -> None:
    answer = context.request("HEAD", context.link(completed(context)))
    assert (answer.status_code, answer.headers["content-length"]) == (200, "1024")


@pytest.mark.parametrize(
    ("asked", "status", "part", "told"),
    [
        ("bytes=0-99", 206, CONTENT[:100], "bytes 0-99/1024"),
        ("bytes=1000-", 206, CONTENT[1000:], "bytes 1000-1023/1024"),
        ("bytes=1000-9999", 206, CONTENT[1000:], "bytes 1000-1023/1024"),
        ("bytes=-24", 206, CONTENT[1000:], "bytes 1000-1023/1024"),
        ("bytes=-9999", 206, CONTENT, "bytes 0-1023/1024"),
        ("bytes=1024-", 416, None, "bytes */1024"),
        ("bytes=5-4", 416, None, "bytes */1024"),
        ("bytes=-0", 416, None, "bytes */1024"),
        ("bytes=0-1,5-6", 200, CONTENT, None),
        ("bytes=-", 200, CONTENT, None),
        ("pages=1-2", 200, CONTENT, None),
    ],
)
def test_ranges(context: LocalSandbox, asked: str, status: int, part: bytes | None, told: str | None) -> None:
    answer = fetch(context, context.link(completed(context)), Range=asked)
    assert (answer.status_code, answer.headers.get("content-range"), part is None or answer.content == part) == (
        status,
        told,
        True,
    )


def test_a_range_of_another_version_gets_the_whole(context: LocalSandbox) -> None:
    link = context.link(completed(context))
    etag = fetch(context, link).headers["etag"]
    answers = [fetch(context, link, Range="bytes=0-9", **{"If-Range": tag}) for tag in (etag, '"other"')]
    assert [answer.status_code for answer in answers] == [206, 200]


def test_a_link_expires_and_a_fresh_poll_gives_a_fresh_one(context: LocalSandbox) -> None:
    generation_id = completed(context)
    link = context.link(generation_id)
    context.wait(599)
    before = fetch(context, link).status_code
    context.wait(2)
    after = fetch(context, link)
    assert (
        before,
        after.status_code,
        "expired" in after.text,
        fetch(context, context.link(generation_id)).status_code,
    ) == (
        200,
        403,
        True,
        200,
    )


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("Expires=1", "Expires=2", "SignatureDoesNotMatch"),
        ("Signature=", "Signature=A", "SignatureDoesNotMatch"),
        ("Signature=", "Nothing=", "SignatureDoesNotMatch"),
        ("id=", "id=x", "SignatureDoesNotMatch"),
        ("Expires=1", "Expires=x", "AccessDenied"),
        ("Expires=", "Nothing=", "AccessDenied"),
    ],
)
def test_a_link_that_was_changed_is_refused(context: LocalSandbox, old: str, new: str, code: str) -> None:
    link = urlsplit(context.link(completed(context)))
    answer = fetch(context, urlunsplit(link._replace(query=link.query.replace(old, new, 1))))
    assert (answer.status_code, f"<Code>{code}</Code>" in answer.text) == (403, True)


@pytest.mark.parametrize("name", ["Authorization", "Cookie", "X-Client-Request-Id"])
def test_what_belongs_to_the_api_is_refused_and_counted(context: LocalSandbox, name: str) -> None:
    answer = fetch(context, context.link(completed(context)), **{name: "made-up"})
    leaks = context.request("GET", "/sandbox/stats").json()["counts"]["leaks"]
    assert (answer.status_code, leaks) == (400, 1)


def test_the_api_is_not_on_the_clip_host(context: LocalSandbox) -> None:
    assert context.request("GET", "http://clips.sandbox.test/v2/billing").status_code == 403


def test_odd_ids_have_links_too(context: LocalSandbox) -> None:
    ids = [completed(context, {**SMALL, "prompt": str(number)}) for number in range(60)]
    odd = [each for each in ids if not each.replace("-", "").replace("_", "").isalnum() or each.startswith("-")]
    assert (len(odd) > 2, {fetch(context, context.link(each)).status_code for each in odd}) == (True, {200})


def test_a_clip_is_rendered_once_and_the_oldest_is_let_go(sandbox_of: Callable[..., LocalSandbox]) -> None:
    rendered: list[str] = []

    def render(generation: Generation) -> bytes:
        rendered.append(generation.generation_id)
        return CONTENT

    context = sandbox_of(render=render)
    context.app.state.sandbox.clip_host.cache_bytes = 2 * len(CONTENT)
    one, two, three = (completed(context, {**SMALL, "prompt": str(number)}) for number in range(3))
    for each in (one, one, two, three, two, one):
        fetch(context, context.link(each))
    assert rendered == [one, two, three, one]


def test_a_rendering_that_failed_is_tried_again(sandbox_of: Callable[..., LocalSandbox]) -> None:
    attempts: list[str] = []

    def render(generation: Generation) -> bytes:
        attempts.append(generation.generation_id)
        if len(attempts) == 1:
            raise RuntimeError("no room")
        return CONTENT

    context = sandbox_of(render=render)
    link = context.link(completed(context))
    with pytest.raises(RuntimeError):
        fetch(context, link)
    assert fetch(context, link).status_code == 200


def test_a_clip_says_how_long_it_was_drawn(sandbox_of: Callable[..., LocalSandbox]) -> None:
    desks: list[LocalSandbox] = []

    def slowly(_: Generation) -> bytes:
        desks[0].wait(90)
        return CONTENT

    desks.append(sandbox_of(SandboxOptions(), render=slowly))
    link = desks[0].link(completed(desks[0]))
    reported = [fetch(desks[0], link).headers["server-timing"] for _ in range(2)]
    assert reported == ["draw;dur=90000", "draw;dur=0"]


# --- slates


@pytest.mark.sampled(2)
@pytest.mark.parametrize(
    ("body", "size", "duration_s", "has_audio"),
    [
        (SMALL, (832, 480), 5, False),
        ({**SMALL, "aspect_ratio": "9:16"}, (480, 832), 5, False),
        ({**SMALL, "aspect_ratio": "1:1"}, (624, 624), 5, False),
        (
            {"model": "alibaba/wan2.5-t2v-preview", "prompt": "x", "resolution": "480p", "duration": 10},
            (832, 480),
            10,
            True,
        ),
        ({**BODY, "generate_audio": False}, (1280, 720), 5, False),
    ],
)
def test_a_clip_is_what_was_ordered(
    tmp_path: Path,
    sandbox_of: Callable[..., LocalSandbox],
    body: dict[str, object],
    size: tuple[int, int],
    duration_s: int,
    has_audio: bool,
) -> None:
    context = sandbox_of()
    path = tmp_path / "clip.mp4"
    path.write_bytes(fetch(context, context.link(completed(context, body))).content)
    assert check_clip(path) == Probe(float(duration_s), *size, 30.0, 30 * duration_s, has_audio)


@pytest.mark.parametrize(
    ("resolution", "ratio", "size"),
    [
        ("720p", "16:9", (1280, 720)),
        ("720p", "9:16", (720, 1280)),
        ("720p", "1:1", (960, 960)),
        ("720p", "4:3", (1088, 832)),
        ("720p", "3:4", (832, 1088)),
        ("1080p", "16:9", (1920, 1080)),
        ("1080p", "9:16", (1080, 1920)),
        ("1080p", "1:1", (1440, 1440)),
        ("1080p", "4:3", (1632, 1248)),
        ("1080p", "3:4", (1248, 1632)),
    ],
)
def test_every_frame_size_of_wan_2_6(resolution: str, ratio: str, size: tuple[int, int]) -> None:
    made = models_served()[str(BODY["model"])].made_of({**BODY, "resolution": resolution, "aspect_ratio": ratio})
    picture = slate.draw_slate("an-id", {**BODY, "aspect_ratio": ratio}, replace(made, duration_s=1))
    assert (picture.size, made.width % 2, made.height % 2) == (size, 0, 0)


def test_the_same_generation_gives_the_same_bytes_and_another_gives_others(tmp_path: Path) -> None:
    made = replace(models_served()[SMALL["model"]].made_of(SMALL), duration_s=1)
    hashes = []
    for generation_id in ("one", "one", "two"):
        slate.render(generation_id, SMALL, made, tmp_path / "clip.mp4")
        hashes.append(hashlib.sha256((tmp_path / "clip.mp4").read_bytes()).hexdigest())
    assert (hashes[0] == hashes[1], hashes[0] == hashes[2]) == (True, False)


@pytest.mark.parametrize(
    "prompt",
    ["x", "word " * 280, "w" * 1400, "\u4e00\u4f4d\u706f\u5854" * 300, "\u062d\u0627\u0631\u0633 \U0001f3ee e\u0301", "\x00\n\t\u202e", "..."],
)  # fmt: skip
@pytest.mark.parametrize("has_fonts", [True, False])
def test_any_prompt_can_be_drawn(monkeypatch: pytest.MonkeyPatch, prompt: str, has_fonts: bool) -> None:
    if not has_fonts:
        monkeypatch.setattr("wanbatch.clip.letters.faces_here", tuple)
        _chosen.cache_clear()
    made = models_served()[SMALL["model"]].made_of(SMALL)
    picture = np.asarray(slate.draw_slate("an-id", {**SMALL, "prompt": prompt, "negative_prompt": prompt}, made))
    _chosen.cache_clear()
    assert (picture.shape, int(picture.max()) > 200) == ((480, 832, 3), True)


def test_the_timecode_and_the_bar_move_and_nothing_else() -> None:
    made = replace(models_served()[SMALL["model"]].made_of(SMALL), duration_s=2)
    spec = slate.ClipSpec(made.width, made.height, 30, 2, has_audio=False)
    frames = [
        frame.copy() for frame in slate.frames_of(spec, slate.yuv_of(slate.draw_slate("an-id", SMALL, made)).copy())
    ]
    changed = np.argwhere(frames[0] != frames[-1])
    luma = Image.fromarray(frames[-1][: made.height])
    assert (len(frames), luma.size, changed[:, 0].min() > made.height * 0.7, changed[:, 0].max() < made.height) == (
        60,
        (832, 480),
        True,
        True,
    )


def test_what_no_font_can_draw_is_told_by_its_length() -> None:
    shown, _ = letter("Eine Brücke, \U00010600\U00010601\U00010602 am Abend", 20)
    has_umlaut = any(face.has("ü") for face in faces_here())
    assert shown == "Eine Brücke,  [3 characters that no font here has]  am Abend".replace(
        "ü", "ü" if has_umlaut else "u"
    )
