"""Labels: the scene, shot and take on a sandbox's slate, where whoever runs it has said them."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from tests.sandbox.local import SMALL, LocalSandbox
from wanbatch.batch.models import PriceClass
from wanbatch.batch.plan import Due
from wanbatch.cli import call
from wanbatch.clip.slate_design import SMALLEST_PX, fitted, hue_of
from wanbatch.sandbox import SandboxOptions, slate
from wanbatch.sandbox.labels import Label, Labels
from wanbatch.sandbox.models import models_served
from wanbatch.session.embedded import name_takes

REQUEST = "wb1:abcdef:0123456789:12.1"
LONG = "an_id_that_has_thirty_two_letter"


def named(folder: Path, **takes: object) -> Labels:
    (folder / "shots.json").write_text(json.dumps({name.lstrip("t"): said for name, said in takes.items()}))
    return Labels(folder)


def test_a_request_id_leads_to_the_label_of_its_take(tmp_path: Path) -> None:
    labels = named(tmp_path, t12=["sc010", "sh020", 3], t7=["", "teaser", 1])
    assert [
        labels.of(each) for each in (REQUEST, REQUEST.replace("12.1", "12.9"), "x:7.1", "x:8.1", "other", None)
    ] == [
        Label("sc010", "sh020", 3),
        Label("sc010", "sh020", 3),
        Label("", "teaser", 1),
        None,
        None,
        None,
    ]


def test_what_is_named_later_is_known_then(tmp_path: Path) -> None:
    labels = Labels(tmp_path)
    before = labels.of(REQUEST)
    named(tmp_path, t12=["sc010", "sh020", 3])
    assert (before, labels.of(REQUEST)) == (None, Label("sc010", "sh020", 3))


@pytest.mark.parametrize("text", ["", "[", "[1]", '{"12": 5}', '{"12": ["a", "b"]}', '{"12": ["a", 5, 1]}', "\x00"])
def test_a_file_that_cannot_be_read_names_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "shots.json").write_text(text)
    assert (Labels(tmp_path).of(REQUEST), Labels(None).of(REQUEST)) == (None, None)


def picture(label: Label | None, **more: object) -> bytes:
    body = {**SMALL, **more}
    return slate.draw_slate("an-id", body, models_served()[SMALL["model"]].made_of(body), label).tobytes()


def test_a_slate_shows_scene_shot_and_take() -> None:
    label = Label("sc010", "sh020", 1)
    others = (None, Label("sc010", "sh020", 2), Label("sc010", "sh030", 1), Label("sc020", "sh020", 1))
    assert picture(label) == picture(label)
    assert len({picture(each) for each in (label, *others)}) == 5


def test_slates_of_one_scene_have_one_colour() -> None:
    def ground(label: Label) -> tuple[int, ...]:
        made = models_served()[SMALL["model"]].made_of(SMALL)
        return slate.draw_slate(f"id of {label.shot}", SMALL, made, label).getpixel((made.width - 4, 4))  # type: ignore[return-value]

    one, same, other, none = (
        ground(each)
        for each in (Label("sc010", "a", 1), Label("sc010", "b", 2), Label("sc020", "a", 1), Label("", "a", 1))
    )
    assert (one == same, one == other, len(set(none))) == (True, False, 1)
    assert hue_of("sc010") != hue_of("sc020")


@pytest.mark.sampled(4)
@pytest.mark.parametrize("ratio", ["16:9", "9:16", "1:1"])
@pytest.mark.parametrize("name", ["s", LONG, "w" * 400, "\u4e00\u4f4d\u706f\u5854" * 20, "\u062d\u0627\u0631\u0633"])
def test_any_name_fits_on_any_slate(ratio: str, name: str) -> None:
    body = {**SMALL, "aspect_ratio": ratio, "prompt": "word " * 280}
    made = models_served()[SMALL["model"]].made_of(body)
    drawn = np.asarray(slate.draw_slate("an-id", body, made, Label(name, name, 104)))
    bare = np.asarray(slate.draw_slate("an-id", body, made, Label(name, "", 104)))
    edge = made.width - round(44 * min(made.width, made.height) / 720)
    changed = np.argwhere((drawn != bare).any(axis=2))
    assert drawn.shape == (made.height, made.width, 3)
    assert changed[:, 1].max() < made.width * (1 - slate.TAKE_SHARE)
    assert edge < made.width


def test_a_text_too_long_for_the_smallest_size_loses_its_end() -> None:
    shown, font = fitted("w" * 400, 40, 200)
    assert (font.size_px, shown.endswith("…"), font.getlength(shown) <= 200) == (SMALLEST_PX, True, True)


@pytest.mark.long
def test_a_clip_carries_the_label_of_its_take(tmp_path: Path, sandbox_of: Callable[..., LocalSandbox]) -> None:
    def clip(folder: Path) -> bytes:
        desk = sandbox_of(SandboxOptions(data=folder))
        generation_id = desk.made(SMALL, REQUEST)
        desk.wait(2000)
        return desk.request("GET", desk.link(generation_id)).content

    folders = [tmp_path / name for name in ("bare", "named", "same", "other")]
    for folder in folders:
        folder.mkdir()
    for folder, take in zip(folders[1:], (1, 1, 2), strict=True):
        named(folder, t12=["sc010", "sh020", take])
    bare, first, same, other = map(clip, folders)
    assert (first == same, len({bare, first, other})) == (True, 3)


def due(take_id: int, shot: str, number: int) -> Due:
    return Due(take_id, shot, number, 0, "sc010", PriceClass("m", None, None))


def test_takes_that_were_named_before_keep_their_names(tmp_path: Path) -> None:
    name_takes(tmp_path, [due(1, "a", 1), due(2, "b", 1)])
    name_takes(tmp_path, [due(2, "b", 2), due(3, "c", 1)])
    assert json.loads((tmp_path / ".sandbox" / "shots.json").read_text()) == {
        "1": ["sc010", "a", 1],
        "2": ["sc010", "b", 2],
        "3": ["sc010", "c", 1],
    }


@pytest.mark.usefixtures("near")
def test_a_rehearsal_names_its_takes_and_its_requests_do_not(tmp_path: Path) -> None:
    shots = tmp_path / "shots.csv"
    shots.write_text("id,scene,prompt,model,resolution\nfirst_shot,sc_one,a lake,alibaba/wan2.1-t2v-turbo,480P\n")
    output = tmp_path / "out"
    assert call(["run", str(shots), "--sandbox", "--yes", "--speed", "2000", "--no-report", "-o", str(output)]) == 0
    said = json.loads((output / ".sandbox" / "shots.json").read_text())
    with closing(sqlite3.connect(output / ".sandbox" / "account.sqlite")) as db:
        rows = db.execute("SELECT client_request_id, body FROM requests").fetchall()
    ((request_id, body),) = rows
    assert said == {request_id.rpartition(":")[2].partition(".")[0]: ["sc_one", "first_shot", 1]}
    assert ("first_shot" in body, "sc_one" in body) == (False, False)
