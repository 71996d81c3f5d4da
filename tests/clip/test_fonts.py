"""Fonts: found by fontconfig or by their own tables, chosen script by script, and what none can draw is counted."""

from __future__ import annotations

import struct
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from wanbatch.clip import fonts, letters
from wanbatch.clip.fonts import Face, faces_here, faces_in
from wanbatch.clip.letters import Lettering, letter


@pytest.fixture(autouse=True)
def nothing_remembered() -> Any:
    kept = (faces_here, letters._chosen, letters._draws, letters._nothing)
    for each in kept:
        each.cache_clear()
    yield
    for each in kept:
        each.cache_clear()


def subtable_4(*ranges: tuple[int, int]) -> bytes:
    every = [*ranges, (0xFFFF, 0xFFFF)]
    ends = b"".join(struct.pack(">H", end) for _, end in every)
    starts = b"".join(struct.pack(">H", start) for start, _ in every)
    head = struct.pack(">HHHHHHH", 4, 16 + 8 * len(every), 0, 2 * len(every), 0, 0, 0)
    return head + ends + b"\0\0" + starts + bytes(4 * len(every))


def subtable_6(first: int, count: int) -> bytes:
    return struct.pack(">HHHHH", 6, 10 + 2 * count, 0, first, count) + bytes(2 * count)


def subtable_12(*ranges: tuple[int, int]) -> bytes:
    groups = b"".join(struct.pack(">III", start, end, 7) for start, end in ranges)
    return struct.pack(">HHIII", 12, 0, 16 + len(groups), 0, len(ranges)) + groups


def font(subtable: bytes, encoding: tuple[int, int] = (3, 1), outlines: bytes = b"glyf", weight: int = 400) -> bytes:
    cmap = struct.pack(">HHHHI", 0, 1, *encoding, 12) + subtable
    os2 = struct.pack(">4xH", weight) + bytes(58)
    tables = {b"OS/2": os2, b"cmap": cmap, outlines: b""}
    at, directory, body = 12 + 16 * len(tables), b"", b""
    for tag, content in tables.items():
        directory += struct.pack(">4sIII", tag, 0, at + len(body), len(content))
        body += content
    return struct.pack(">IH6x", 0x00010000, len(tables)) + directory + body


def found(folder: Path) -> list[Face]:
    return list(faces_in([folder], time.monotonic() + 5))


@pytest.mark.parametrize(
    ("raw", "wanted"),
    [
        (font(subtable_4((0x41, 0x5A), (0x4E00, 0x9FFF))), [((0x41, 0x4E00), (0x5A, 0x9FFF))]),
        (font(subtable_4((0x41, 0x42), (0x43, 0x50))), [((0x41,), (0x50,))]),
        (font(subtable_6(0x30, 10)), [((0x30,), (0x39,))]),
        (font(subtable_12((0x1F408, 0x1F408)), (3, 10)), [((0x1F408,), (0x1F408,))]),
        (font(subtable_12((0x41, 0x5A)), (0, 4), b"CFF "), [((0x41,), (0x5A,))]),
        (font(subtable_4((0x41, 0x5A)), (3, 0)), [((), ())]),  # a font of symbols has no letters
        (font(subtable_4((0x41, 0x5A)), outlines=b"CBDT"), []),  # pictures of one size alone
        (font(subtable_4((0x41, 0x5A)))[:40], []),
        (font(subtable_4((0x41, 0x5A)))[:-20], []),
        (b"", []),
        (b"no font at all, but long enough for a header", []),
    ],
)
def test_a_font_tells_what_it_has(tmp_path: Path, raw: bytes, wanted: list[Any]) -> None:
    (tmp_path / "x.ttf").write_bytes(raw)
    assert [(face.starts, face.ends) for face in found(tmp_path)] == wanted


def test_a_collection_holds_several_fonts_and_weights_are_told(tmp_path: Path) -> None:
    first = font(subtable_4((0x41, 0x5A)))
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "b.TTF").write_bytes(font(subtable_4((0x41, 0x5A)), weight=700))
    (tmp_path / "a.ttc").write_bytes(b"ttcf" + struct.pack(">III", 0x10000, 1, 16) + _moved(first, 16))
    (tmp_path / "readme.txt").write_text("")
    told = [
        (Path(face.path).name, face.index, face.is_regular, face.has("B"), face.has("b")) for face in found(tmp_path)
    ]
    assert told == [("a.ttc", 0, True, True, False), ("b.TTF", 0, False, True, False)]


def _moved(raw: bytes, by: int) -> bytes:
    made = bytearray(raw)
    for number in range(struct.unpack_from(">H", raw, 4)[0]):
        at = 12 + 16 * number + 8
        struct.pack_into(">I", made, at, struct.unpack_from(">I", raw, at)[0] + by)
    return bytes(made)


def test_looking_ends_in_time(tmp_path: Path) -> None:
    (tmp_path / "x.ttf").write_bytes(font(subtable_6(0x30, 10)))
    assert list(faces_in([tmp_path], time.monotonic() - 1)) == []


def test_fontconfig_is_asked_first_and_what_it_lists_is_judged(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "old.ttf").write_bytes(font(subtable_6(0x30, 10)))
    lines = [
        "/a/b.ttf\t0\tTrue\tFalse\t80\t0\t20-7e 4e00-9fff",
        "/a/a.ttf\t1\tTrue\tFalse\t200\t0\t41",
        "/a/emoji.ttf\t0\tTrue\tTrue\t80\t0\t1f408",
        "/a/bitmap.pcf\t0\tFalse\tFalse\t80\t0\t20-7e",
        "/a/AdobeBlank.otf\t0\tTrue\tFalse\t80\t0\t0-10ffff",
        "/a/b.ttf\t65536\tTrue\tFalse\t80\t0\t20-7e",
        f"{tmp_path}/old.ttf\t0\tTrue\tFalse\t80\t0\t|>^1!|>^1!P0oWQ",
        "garbage",
    ]

    def told(*_: Any, **__: Any) -> Any:
        return subprocess.CompletedProcess([], 0, "\n".join(lines).encode(), b"")

    monkeypatch.setattr(fonts.subprocess, "run", told)
    faces = [(face.path, face.index, face.is_regular, face.has("一"), face.has("0")) for face in faces_here()]
    assert faces == [
        ("/a/a.ttf", 1, False, False, False),
        ("/a/b.ttf", 0, True, True, True),
        (f"{tmp_path}/old.ttf", 0, True, False, True),
    ]


@pytest.mark.parametrize("trouble", [FileNotFoundError("fc-list"), subprocess.TimeoutExpired("fc-list", 5)])
def test_without_fontconfig_the_folders_are_looked_through(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, trouble: Exception
) -> None:
    (tmp_path / "x.ttf").write_bytes(font(subtable_6(0x30, 10)))

    def fails(*_: Any, **__: Any) -> Any:
        raise trouble

    monkeypatch.setattr(fonts.subprocess, "run", fails)
    monkeypatch.setattr(fonts, "_folders", lambda: [tmp_path])
    assert [face.path for face in faces_here()] == [f"{tmp_path}/x.ttf"]


HAN = Face("/f/han.ttf", 0, True, (0x4E00,), (0x9FFF,))
ARABIC = Face("/f/arabic.ttf", 0, True, (0x600,), (0x6FF,))
WIDE = Face("/f/wide.ttf", 0, True, (0x20, 0xA0), (0x7E, 0x24F))
SERIF = Face("/f/aserif.ttf", 0, True, (0x20, 0xA0), (0x7E, 0x24F))


@pytest.fixture
def machine(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine with these fonts, which draw what they claim."""
    monkeypatch.setattr(letters, "faces_here", lambda: (SERIF, ARABIC, HAN, WIDE))
    monkeypatch.setattr(letters, "_draws", lambda face, char: face.has(char))


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(
    ("text", "shown", "faces"),
    [
        ("plain – text", "plain - text", (None,)),
        ("Brücke", "Brücke", (WIDE,)),
        ("灯塔 at dawn", "灯塔 at dawn", (None, HAN)),
        ("灯塔 é", "灯塔 é", (None, HAN, WIDE)),
        ("灯塔 \U0001f408\ufe0f", "灯塔  [1 character that no font here has]", (None, HAN)),
        ("ab\U0001f408\U0001f408cd", "ab [2 characters that no font here has] cd", (None,)),
        ("Ṽ", "V", (None,)),
        ("a\tb\u200bc", "a bc", (None,)),
    ],
)
def test_a_text_takes_as_few_fonts_as_do(text: str, shown: str, faces: tuple[Face | None, ...]) -> None:
    assert letter(text, 20) == (shown, Lettering(20, faces))


@pytest.mark.usefixtures("machine")
@pytest.mark.parametrize(
    ("shaper", "shown"),
    [(True, "حارس x"), (False, "[4 characters of a script that cannot be joined here]  x")],
)
def test_joined_scripts_are_drawn_only_where_they_can_be_joined(
    monkeypatch: pytest.MonkeyPatch, shaper: bool, shown: str
) -> None:
    monkeypatch.setattr(letters, "has_shaper", lambda: shaper)
    assert letter("حارس x", 20)[0] == shown


@pytest.mark.usefixtures("machine")
def test_a_line_that_begins_from_the_right_has_its_parts_from_there() -> None:
    lettering = Lettering(20, (None, ARABIC))
    assert [part for _, part in lettering._runs("حارس lamp")] == ["lamp", "حارس "]
    assert [part for _, part in lettering._runs("lamp حارس")] == ["lamp ", "حارس"]


def test_a_font_that_cannot_be_opened_draws_nothing() -> None:
    assert letters._draws(Face("/f/not-there.ttf", 0, True, (0x41,), (0x5A,)), "A") is False
