"""The command `models`: the provider's list, and schemas of it for a project, from the file to verified clips."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.contract.samples import COMPONENTS, SAMPLES
from wanbatch.batch.registry import learn, model_from
from wanbatch.cli import call
from wanbatch.provider.published import schema_of

SHOTS = """version: 1
name: vendors
shots:
  - {id: wan26, prompt: gull, duration: 5, resolution: 720p}
  - {id: wan30, prompt: gull, model: alibaba/wan-3-0-video, duration: 2, resolution: 480p, takes: 2}
  - {id: pixverse, prompt: gull, model: pixverse/v5.5/image-to-video, first_frame: https://example.com/a.png, resolution: 360p}
  - id: kling
    prompt: gull
    model: kling-video/v1/standard/text-to-video
    advanced_camera_control: {movement_type: pan, movement_value: 2.5}
  - {id: minimax, prompt: gull, model: minimax/h3, duration: 4, aspect_ratio: "16:9"}
  - {id: flux, prompt: gull, model: blackforestlabs/flux-3-video-i2v, resolution: 720p, audio: false}
  - {id: luma, prompt: gull, model: luma/ray-2, keyframes: {frame0: {type: image, url: https://example.com/a.png}}}
  - {id: veo, prompt: gull, model: google/veo-3.0-fast, resolution: 720p, duration: 4}
"""


@pytest.fixture
def provided() -> None:
    """Let the sandbox serve the samples, as the provider does."""
    learn([model_from(schema_of(request, COMPONENTS, name)) for name, request in SAMPLES.items()])


def asked(capsys: pytest.CaptureFixture[str], *arguments: str) -> Any:
    capsys.readouterr()
    code = call(["--json", *arguments])
    shown = capsys.readouterr()
    assert code == 0, shown.err
    return json.loads(shown.out)


@pytest.mark.long
def test_a_batch_over_eight_models_of_seven_vendors_comes_to_verified_clips(
    provided: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    added = asked(capsys, "models", "add", *SAMPLES, "--sandbox")
    (tmp_path / "shots.yaml").write_text(SHOTS)
    code = call(["-q", "run", "shots.yaml", "--sandbox", "--speed", "300", "-o", "out", "--yes"])
    said = capsys.readouterr().err
    told = asked(capsys, "status", "out")
    asked(capsys, "verify", "out")
    with closing(sqlite3.connect("out/.sandbox/account.sqlite")) as books:
        (charged,) = books.execute("SELECT sum(credits) FROM requests WHERE http_status = 200").fetchone()
    assert ([each["is_new"] for each in added], code, told["counts"]) == ([True] * 6, 0, {"verified": 9}), said
    assert told["credits"]["charged"] == charged


def test_a_nested_parameter_is_held_against_its_schema(
    provided: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    asked(capsys, "models", "add", *SAMPLES, "--sandbox")
    (tmp_path / "shots.yaml").write_text(SHOTS.replace("movement_value: 2.5", "movement_value: 25"))
    code = call(["validate", "shots.yaml"])
    said = "shots.yaml:10:67 advanced_camera_control.movement_value is 25; kling-video/v1/standard/text-to-video accepts 10 at most"
    assert (code, capsys.readouterr().out.splitlines()) == (2, [said])


def test_the_list_says_what_each_model_needs_and_costs(capsys: pytest.CaptureFixture[str]) -> None:
    rows = {each["name"]: each for each in asked(capsys, "models", "--sandbox")}
    found = rows["alibaba/wan-3-0-video"], rows["alibaba/wan2.1-t2v-turbo"]
    assert [(each["kinds"], each["price"], each["has_schema"]) for each in found] == [
        (["text", "first frame", "last frame", "references", "video"], "0.072 to 0.243 USD a second", True),
        (["text"], "0.189 USD a video", True),
    ]
    assert found[1]["end"].startswith("alibaba/wan2.1-t2v-turbo will be retired on ")


def test_a_model_that_is_not_served_is_named_with_those_like_it(capsys: pytest.CaptureFixture[str]) -> None:
    code = call(["models", "add", "alibaba/wan-3-video", "--sandbox"])
    said = (
        "the embedded sandbox does not serve 'alibaba/wan-3-video' as a video model; did you mean alibaba/wan-3-0-video"
    )
    assert (code, said in capsys.readouterr().err) == (2, True)


def test_the_sandbox_names_the_way_to_a_model_that_only_the_provider_serves(capsys: pytest.CaptureFixture[str]) -> None:
    code = call(["models", "add", "zyx/qqq", "--sandbox"])
    told = capsys.readouterr().err
    assert (code, "does not serve 'zyx/qqq' as a video model; without --sandbox the provider is asked" in told) == (
        2,
        True,
    )


def test_the_list_of_the_sandbox_has_the_models_that_a_project_added(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "models").mkdir()
    schema = schema_of(SAMPLES["luma/ray-2"], COMPONENTS, "luma/ray-2")
    (tmp_path / "models" / "luma__ray-2.schema.json").write_text(json.dumps(schema))
    (row,) = asked(capsys, "models", "list", "luma/ray-2", "--sandbox", "--folder", str(tmp_path))
    assert (row["name"], row["has_schema"]) == ("luma/ray-2", True)


@pytest.mark.parametrize("words", [(), ("add", "pixverse/v5.5/text-to-video")])
def test_without_a_network_the_cure_is_named(
    words: tuple[str, ...], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("AIMLAPI_BASE_URL", "http://127.0.0.1:9")
    code = call(["models", *words])
    told = capsys.readouterr().err
    assert (code, told.count("wanbatch doctor"), "copy a schema from the folder `models`" in told) == (8, 1, True)


def test_an_update_says_what_changed(provided: None, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    asked(capsys, "models", "add", "minimax/h3", "--sandbox")
    path = tmp_path / "models" / "minimax__h3.schema.json"
    kept = json.loads(path.read_text())
    dates = {name: kept.pop(name) for name in ("x-fetched-at", "x-source", "x-sha256")}
    older = {**kept, "properties": {**kept["properties"], "style": {"type": "string"}}}
    older["properties"]["duration"] = {**older["properties"]["duration"], "maximum": 10}
    path.write_text(json.dumps(older))
    (changed,) = asked(capsys, "models", "update", "--sandbox")
    (same,) = asked(capsys, "models", "update", "--sandbox")
    assert (changed["changes"], same["changes"], len(dates["x-sha256"])) == (
        ["style is gone", "duration: maximum was 10, is 15"],
        [],
        64,
    )


def test_nothing_to_update_is_said(capsys: pytest.CaptureFixture[str]) -> None:
    assert (call(["models", "update", "--sandbox"]), "no model was added" in capsys.readouterr().err) == (2, True)


def test_a_model_without_a_schema_at_hand_has_the_kinds_of_the_providers_list(
    provided: None, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = {each["name"]: each for each in asked(capsys, "models", "--sandbox")}
    found = rows["minimax/h3"], rows["google/veo-3.0-fast"]
    assert [(each["kinds"], each["has_schema"]) for each in found] == [
        (["text", "image"], False),
        (["text"], False),
    ]
