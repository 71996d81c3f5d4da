"""Frames in recipes: a text that says which frame of which shot, and the frame that it is read as."""

from __future__ import annotations

import pytest

from wanbatch.batch.frames import Edge, FrameOf, frame_in, frames_in
from wanbatch.batch.given_files import body_with, with_names
from wanbatch.batch.shots import Recipe

SAID = [
    (FrameOf("a"), "frame:a:last", "the last frame of a"),
    (FrameOf("a", Edge.FIRST), "frame:a:first", "the first frame of a"),
    (FrameOf("sc010_sh010", at_ms=2500), "frame:sc010_sh010:2500ms", "the frame at 2.5 s of sc010_sh010"),
    (FrameOf("päß", at_ms=12000, take=3), "frame:päß:12000ms:t3", "the frame at 12 s of päß take 3"),
    (FrameOf("a", take=12), "frame:a:last:t12", "the last frame of a take 12"),
]


@pytest.mark.parametrize(("frame", "text", "words"), SAID)
def test_a_frame_is_read_as_it_is_written(frame: FrameOf, text: str, words: str) -> None:
    assert (frame.text, str(frame), frame_in(text)) == (text, words, frame)


@pytest.mark.parametrize(
    "text", ["frame:", "frame:a", "frame:a:", "frame:a:middle", "frame:a:last:t0", "frame:a:last:t1\n", "a", 7, None]
)
def test_what_is_no_frame_is_left_alone(text: object) -> None:
    assert frame_in(text) is None


def test_frames_are_found_in_lists_and_objects_and_not_in_texts() -> None:
    body = {
        "prompt": "frame:x:last",
        "negative_prompt": "frame:y:last",
        "image_url": "frame:a:last",
        "image_urls": ["https://a.b/c.png", "frame:b:first", "frame:a:last"],
        "image_list": [{"type": "image", "url": "frame:c:500ms"}],
        "duration": 5,
    }
    assert frames_in(body) == (FrameOf("a"), FrameOf("b", Edge.FIRST), FrameOf("c", at_ms=500))


def test_people_read_which_frame_it_is() -> None:
    value = {"image_urls": ["frame:b:first", "https://a.b/c.png"]}
    assert with_names(value, {}) == {"image_urls": ["the first frame of b", "https://a.b/c.png"]}


def test_a_frame_stands_in_the_body_as_its_picture() -> None:
    recipe = Recipe.of({"prompt": 'say "frame:a:last"', "image_url": "frame:a:last", "more": "frame:b:last"})
    body = body_with(recipe.canonical, {"frame:a:last": (b"data:", b"x")})
    assert b"".join(body.pieces) == (b'{"image_url":"data:x","more":"frame:b:last","prompt":"say \\"frame:a:last\\""}')
