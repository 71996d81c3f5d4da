"""Files in the requests of the sandbox: read strictly, kept small, and shown by the clips that they make."""

from __future__ import annotations

import base64
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image

from tests.clip.test_given_files import png_of
from tests.pictures import I2V, LEFT, LENS, R2V, RIGHT, add_lens, bytes_of, still
from tests.sandbox import shapes
from tests.sandbox.local import LocalSandbox
from wanbatch.sandbox import slate
from wanbatch.sandbox.data_urls import given_in
from wanbatch.sandbox.given_pictures import Shown
from wanbatch.sandbox.models import Made, models_served

BODY = {"model": I2V, "prompt": "She turns.", "resolution": "720p", "duration": 5}
DATA = bytes_of(still(), "PNG")


def url(data: bytes = DATA, mime: str = "image/png") -> str:
    return f"data:{mime};base64,{base64.b64encode(data).decode()}"


def test_a_picture_in_a_request_is_accepted_and_kept_small(sandbox_of: Callable[..., LocalSandbox]) -> None:
    context = sandbox_of()
    answer = context.submit({**BODY, "image_url": url()})
    assert answer.status_code == 200
    kept = context.account.generation(answer.json()["id"], None)
    assert kept is not None
    name = kept.body["image_url"]
    assert (name.startswith("data:image/png;sha256,"), list(kept.pictures)) == (True, [name])
    picture = Image.open(io.BytesIO(kept.pictures[name]))
    assert picture.size == (640, 360)
    assert "base64" not in json.dumps(context.account.everything(1e12))


REFUSED = [
    ("data:image/png;base64,", "image_url: Invalid url"),
    ("data:image/png,abc", "image_url: Invalid url"),
    (url() + "\n", "image_url: Invalid url"),
    (url().replace("base64,", "base64, "), "image_url: Invalid url"),
    (url()[:-1], "image_url: Invalid url"),
    (url(mime="image/gif"), "image_url: Unsupported media type image/gif"),
    (url(mime="text/html"), "image_url: Unsupported media type text/html"),
    (url(mime="image/jpeg"), "image_url: The image cannot be decoded as image/jpeg"),
    (url(DATA[:-60]), "image_url: The image cannot be decoded as image/png"),
    (url(b"a text"), "image_url: The image cannot be decoded as image/png"),
    (url(png_of(20_000, 3_000)), "image_url: The image has too many pixels"),
    (url(b"\0" * 20_000_001), "image_url: File is too large"),
]


@pytest.mark.parametrize(("value", "said"), REFUSED, ids=[said[11:40] + str(n) for n, (_, said) in enumerate(REFUSED)])
def test_bad_data_is_refused_in_the_providers_envelope(
    value: str, said: str, sandbox_of: Callable[..., LocalSandbox]
) -> None:
    answer = sandbox_of().submit({**BODY, "image_url": value})
    told = answer.json()
    assert (answer.status_code, shapes.problems(shapes.ENVELOPE, told)) == (400, [])
    assert told["message"].startswith(f"Body validation error: {said}")


@pytest.mark.parametrize(
    "more",
    [
        {"model": R2V, "first_frame_image": url()},
        {"model": R2V, "image_urls": [url()]},
        {"model": I2V, "image_url": "https://example.com/a.png", "audio_url": url(b"RIFF", "audio/wav")},
    ],
)
def test_a_field_that_takes_addresses_takes_no_data(
    more: dict[str, Any], sandbox_of: Callable[..., LocalSandbox]
) -> None:
    answer = sandbox_of().submit({"prompt": "She turns.", **more})
    assert (answer.status_code, "Invalid url" in answer.json()["message"]) == (400, True)


def test_a_prompt_may_say_anything() -> None:
    body = {"model": I2V, "prompt": "data:text", "image_url": "https://example.com/a.png"}
    found = given_in(json.dumps(body).encode(), models_served())
    assert (found.value, found.faults, found.pictures) == (body, [], {})


def frames_in(clip: Path) -> list[Any]:
    with av.open(str(clip)) as container:
        return [frame.to_ndarray(format="rgb24").astype(int) for frame in container.decode(video=0)]


def halves(frame: Any) -> tuple[list[int], list[int]]:
    height, width, _ = frame.shape
    return tuple(frame[height // 2, x].tolist() for x in (width // 4, 3 * width // 4))  # type: ignore[return-value]


def is_near(one: Any, two: Any) -> bool:
    return int(np.abs(np.array(one) - np.array(two)).max()) < 14


MADE = Made("480p", "16:9", 832, 480, 3, False, 1)


def drawn(body: dict[str, Any], target: Path) -> list[Any]:
    """Draw the clip of a body as the sandbox does, and decode it."""
    (target.parent / "project").mkdir()
    add_lens(target.parent / "project")
    found = given_in(json.dumps(body).encode(), models_served(target.parent / "project/models"))
    assert found.faults == []
    slate.render("an-id", found.value, MADE, target, Shown(None, found.pictures))
    return frames_in(target)


@pytest.mark.long
def test_a_clip_begins_with_the_first_frame_and_ends_with_the_last(tmp_path: Path) -> None:
    other = bytes_of(still(left=(10, 160, 60), right=(220, 220, 40)), "JPEG", quality=95)
    body = {"model": LENS, "prompt": "She turns.", "image_url": url(), "last_image_url": url(other, "image/jpeg")}
    frames = drawn(body, tmp_path / "clip.mp4")
    left, right = halves(frames[0])
    assert (is_near(left, LEFT), is_near(right, RIGHT)) == (True, True)
    left, right = halves(frames[-1])
    assert (is_near(left, (10, 160, 60)), is_near(right, (220, 220, 40))) == (True, True)
    assert not is_near(halves(frames[45])[0], LEFT)


@pytest.mark.long
def test_references_are_shown_small(tmp_path: Path) -> None:
    body = {
        "model": LENS,
        "prompt": "She turns.",
        "reference_image_urls": [url(), url(bytes_of(still(right=(9, 9, 9)), "PNG"))],
    }
    with_them = drawn(body, tmp_path / "clip.mp4")[45]
    slate.render("an-id", {"model": LENS, "prompt": "She turns."}, MADE, tmp_path / "bare.mp4")
    changed = np.abs(with_them - frames_in(tmp_path / "bare.mp4")[45]).max(axis=2) > 40
    share = changed.mean()
    assert 0.005 < share < 0.2
