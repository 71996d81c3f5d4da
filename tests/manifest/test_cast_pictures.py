"""The cast's pictures: sent where a model takes references, else the words; which it was is said."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.manifest.test_given_files import known_as, problems
from tests.pictures import LENS, R2V, T2V, add_lens, save, still, tone
from wanbatch.batch.shots import Shot
from wanbatch.errors import UsageInvalid
from wanbatch.manifest import load_manifest
from wanbatch.session.conversion import convert

W3 = "alibaba/wan-3-0-video"
A, B = "https://example.com/a.png", "https://example.com/b.png"
LOOK = "Mara, a cartographer of about forty"
MARA: dict[str, Any] = {"look": LOOK, "images": ["cast/mara/*.png"]}
ILO: dict[str, Any] = {"look": "Ilo, her brother", "images": B}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    add_lens(tmp_path)
    for n in (1, 2):
        save(tmp_path / f"cast/mara/{n}.png", still(640 + n))
    return tmp_path


def write(folder: Path, *shots: dict[str, Any], **cast: Any) -> Path:
    made = [{"id": f"sh{n}", "prompt": "She turns.", "model": LENS, **shot} for n, shot in enumerate(shots)]
    path = folder / "film.json"
    path.write_text(json.dumps({"version": 1, "cast": {"mara": MARA, **cast}, "shots": made}))
    return path


def shot_of(folder: Path, shot: dict[str, Any], **cast: Any) -> Shot:
    return load_manifest(write(folder, shot, **cast)).shots[0]


def pictures(folder: Path) -> list[str]:
    return [known_as(folder / f"cast/mara/{n}.png") for n in (1, 2)]


def test_a_member_who_is_listed_is_sent_as_pictures(folder: Path) -> None:
    shot = shot_of(folder, {"cast": ["mara"]})
    assert (shot.prompt, shot.request["reference_image_urls"]) == ("She turns.", pictures(folder))
    assert shot.origins["cast"] == ("mara to studio/lens-1: pictures as references",)
    assert shot.origins["files"] == (
        "cast/mara/1.png (PNG, 641x360, 1.5 KiB)",
        "cast/mara/2.png (PNG, 642x360, 1.5 KiB)",
    )


def test_a_member_who_is_named_is_sent_as_pictures_and_keeps_the_words_of_the_sentence(folder: Path) -> None:
    shot = shot_of(folder, {"prompt": "{cast.mara} turns."})
    assert (shot.prompt, shot.request["reference_image_urls"]) == (f"{LOOK} turns.", pictures(folder))


@pytest.mark.parametrize(
    ("model", "why"),
    [
        (T2V, "alibaba/wan-2-6-t2v takes no references"),
        (R2V, "alibaba/wan-2-7-r2v takes references as addresses only"),
    ],
)
def test_a_model_that_takes_no_pictures_of_her_is_sent_her_words(model: str, why: str, folder: Path) -> None:
    shot = shot_of(folder, {"model": model, "cast": ["mara"]})
    assert (shot.prompt, shot.origins["cast"]) == (
        f"She turns. {LOOK}",
        (f"mara to {model}: words alone, because {why}",),
    )
    assert not {"image_urls", "reference_image_urls"} & set(shot.request)


def test_her_words_are_sent_once(folder: Path) -> None:
    assert shot_of(folder, {"model": T2V, "prompt": "{cast.mara} turns.", "cast": ["mara"]}).prompt == f"{LOOK} turns."


def test_each_model_of_a_shot_is_sent_what_it_takes(folder: Path) -> None:
    path = write(folder, {"models": [LENS, T2V], "cast": ["mara"]})
    raw = json.loads(path.read_text())
    del raw["shots"][0]["model"]
    path.write_text(json.dumps(raw))
    first, second = load_manifest(path).shots[0].versions
    assert (first.request["prompt"], second.request["prompt"]) == ("She turns.", f"She turns. {LOOK}")
    assert ("reference_image_urls" in first.request, "reference_image_urls" in second.request) == (True, False)


def test_addresses_go_to_models_that_take_addresses(folder: Path) -> None:
    shot = shot_of(folder, {"model": R2V, "cast": ["ilo"]}, ilo=ILO)
    assert (shot.prompt, shot.request["image_urls"]) == ("She turns.", [B])


def test_own_references_come_first_and_the_cast_in_its_order(folder: Path) -> None:
    shot = shot_of(folder, {"cast": ["ilo", "mara"], "references": []}, ilo=ILO)
    assert shot.request["reference_image_urls"] == [B, *pictures(folder)]
    shot = shot_of(folder, {"cast": ["mara"], "references": [A]})
    assert shot.request["reference_image_urls"] == [A, *pictures(folder)]


@pytest.mark.parametrize("cast", [{"cast": ["mara"]}, {"prompt": "{cast.mara} turns."}])
@pytest.mark.parametrize("frame", [{"from": "sh0", "at": 1}, "from: sh0, at: 1s", ["from: sh0, at: 1s"]])
def test_one_frame_of_another_shot_comes_before_the_cast(frame: Any, cast: dict[str, Any], folder: Path) -> None:
    shots = load_manifest(write(folder, {}, {"references": frame, **cast})).shots
    assert shots[1].request["reference_image_urls"] == ["frame:sh0:1000ms", *pictures(folder)]


def test_a_frame_that_cannot_be_is_a_problem_beside_the_cast_too(folder: Path) -> None:
    told = problems(write(folder, {}, {"references": {"from": "zz"}, "cast": ["mara"]}))
    assert [each.partition(" ")[2] for each in told] == ["references continues from 'zz', but no shot has this id"]


def test_more_pictures_than_a_model_takes_are_a_problem_that_says_so(folder: Path) -> None:
    told = problems(write(folder, {"cast": ["mara"], "references": [A, B]}))
    assert [each.partition(" ")[2] for each in told] == ["references has 4 entries; studio/lens-1 accepts 3 at most"]


def test_a_model_that_takes_no_references_beside_a_first_frame_is_sent_her_words(folder: Path) -> None:
    shot = shot_of(folder, {"model": W3, "first_frame": A, "cast": ["ilo"]}, ilo=ILO)
    assert (shot.prompt, "reference_image_urls" in shot.request) == ("She turns. Ilo, her brother", False)
    assert "takes no references together with image_url" in shot.origins["cast"][0]


def test_a_voice_goes_to_models_that_take_sounds_to_refer_to(folder: Path) -> None:
    voice = {**ILO, "voice": "https://example.com/ilo.mp3"}
    shot = shot_of(folder, {"model": W3, "cast": ["ilo"]}, ilo=voice)
    assert shot.request["audio_urls"] == ["https://example.com/ilo.mp3"]
    assert shot.origins["cast"] == (f"ilo to {W3}: pictures as references, voice",)
    shot = shot_of(folder, {"cast": ["ilo"]}, ilo=voice)
    assert shot.origins["cast"][0].endswith("no voice, because studio/lens-1 takes no reference audio")


def test_a_voice_that_is_a_file_goes_to_models_that_take_files(folder: Path) -> None:
    sound = tone(folder / "mara.wav")
    shape = {"type": "array", "items": {"type": "string", "format": "uri"}, "description": "Addresses or Base64."}
    lens = json.loads((folder / "models/studio__lens-1.schema.json").read_text())
    add_lens(folder, properties={**lens["properties"], "audio_urls": shape})
    shot = shot_of(folder, {"cast": ["mara"]}, mara={**MARA, "voice": "mara.wav"})
    assert shot.request["audio_urls"] == [known_as(sound)]


@pytest.mark.parametrize(
    ("mara", "said"),
    [
        ({"look": LOOK, "images": ["none/*.png"]}, "no file matches 'none/*.png' in the manifest's folder"),
        ({"look": LOOK, "images": ["../a.png"]}, "which is not a path below the manifest's folder"),
        ({"look": LOOK, "images": [1, {"a": 1}]}, "cast.mara.images is a list; expected addresses and files"),
        ({"look": LOOK, "voice": ["a.wav", "b.wav"]}, "cast.mara.voice is a list; expected one address or file"),
        ({"images": [A]}, "cast.mara has no look; describe what it looks like"),
        ({"look": LOOK, "image": [A]}, "'image' is not a field of cast.mara; did you mean images?"),
    ],
)  # fmt: skip
def test_what_is_wrong_with_a_member_is_a_problem(mara: dict[str, Any], said: str, folder: Path) -> None:
    told = problems(write(folder, {"cast": ["mara"]}, mara=mara))
    assert [said in each for each in told][:1] == [True], told


def test_pictures_are_of_the_cast_alone(folder: Path) -> None:
    path = folder / "film.json"
    head = {"locations": {"pass": {"look": "a pass", "images": [A]}}}
    path.write_text(json.dumps({"version": 1, **head, "shots": [{"id": "a", "prompt": "{locations.pass}"}]}))
    assert ["'images' is not a field of locations.pass" in each for each in problems(path)] == [True]


def test_a_member_without_pictures_is_as_before(folder: Path) -> None:
    shot = shot_of(folder, {"prompt": "{cast.mara} turns."}, mara={"look": LOOK})
    assert (shot.prompt, "cast" in shot.origins, list(shot.request)) == (f"{LOOK} turns.", False, ["model", "prompt"])


@pytest.mark.parametrize("ending", [".csv", ".tsv", ".jsonl", ".xlsx"])
@pytest.mark.parametrize("images", ["cast/mara/1.png", A])
def test_a_table_without_the_pictures_of_the_cast_is_refused_and_says_so(
    images: str, ending: str, folder: Path
) -> None:
    source = write(folder, {"prompt": "{cast.mara} turns.", "cast": ["mara"]}, mara={**MARA, "images": images})
    target = folder / f"table{ending}"
    with pytest.raises(UsageInvalid) as refused:
        convert(source, target)
    told = (
        f"{target} would not describe the same batch (shot sh0 would be sent without the pictures or audio of its cast),"
        f" since a {ending} file cannot hold all of it. Nothing was written: choose .yaml or .json"
    )
    assert (target.exists(), str(refused.value)) == (False, told)


def test_a_converted_manifest_sends_the_same_pictures_of_the_cast(folder: Path) -> None:
    source = write(folder, {"prompt": "{cast.mara} turns.", "cast": ["mara"]})
    convert(source, folder / "film.yaml")
    assert load_manifest(folder / "film.yaml").shots[0].recipes == load_manifest(source).shots[0].recipes
