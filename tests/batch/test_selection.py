"""Which shots a command is meant for: by id, scene or tag, and without those that are left out."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from wanbatch.batch.selection import Selection, places_of
from wanbatch.batch.shots import Shot
from wanbatch.cli import call

SHOTS = [
    Shot("sc010_a", 0, {"prompt": "p"}, scene="sc010", tags=("hero", "night")),
    Shot("sc010_b", 1, {"prompt": "p"}, scene="sc010"),
    Shot("sc020_a", 2, {"prompt": "p"}, scene="sc020", tags=("hero",)),
    Shot("loose", 3, {"prompt": "p"}),
]
PLACES = places_of(SHOTS)


@pytest.mark.parametrize(
    ("only", "excepted", "meant"),
    [
        ((), (), "sc010_a sc010_b sc020_a loose"),
        (("sc010_*",), (), "sc010_a sc010_b"),
        (("scene:sc010",), (), "sc010_a sc010_b"),
        (("scene:sc0?0",), ("*_a",), "sc010_b"),
        (("tag:hero",), (), "sc010_a sc020_a"),
        (("tag:he*",), ("tag:night",), "sc020_a"),
        (("tag:night", "loose"), (), "sc010_a loose"),
        ((), ("scene:sc010", "loose"), "sc020_a"),
        ((), ("tag:hero",), "sc010_b loose"),
        (("scene:",), (), "loose"),
        (("tag:day",), (), ""),
    ],
)
def test_shots_are_chosen_by_id_scene_and_tag(only: tuple[str, ...], excepted: tuple[str, ...], meant: str) -> None:
    selection = Selection(only, excepted, PLACES)
    assert [each.id for each in SHOTS if selection.has(each.id)] == meant.split()


def test_the_words_of_a_selection_are_its_flags() -> None:
    told = Selection(("tag:hero",), ("sc0*", "b"))
    assert (told.words, told.needs_places) == ("--only tag:hero --except sc0* --except b", True)
    assert (Selection(("a*",)).needs_places, Selection().words) == (False, "")


@pytest.fixture
def said(near: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> Any:
    monkeypatch.chdir(tmp_path)
    rows = ["id,prompt,scene,tags,model,resolution"]
    rows += [
        f"{each.id},a prompt of {each.id},{each.scene},{';'.join(each.tags)},alibaba/wan2.1-t2v-turbo,480P"
        for each in SHOTS
    ]
    Path("a.csv").write_text("\n".join(rows) + "\n")

    def say(*words: str) -> tuple[int, Any]:
        capsys.readouterr()
        code = call(["--json", *words])
        return code, [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return say


RUN = ("run", "a.csv", "--sandbox", "--speed", "900", "--no-report")


def test_every_command_with_only_takes_scenes_tags_and_exceptions(said: Any) -> None:
    _, (plan,) = said("plan", "a.csv", "--sandbox", "--only", "tag:hero", "--except", "scene:sc020")
    assert [each["shot"] for each in plan["takes"]] == ["sc010_a"]
    _, events = said(*RUN, "--only", "scene:sc010", "--except", "tag:night")
    assert events[-1]["counts"] == {"planned": 3, "verified": 1}
    _, events = said(*RUN, "--except", "loose")
    assert events[-1]["counts"] == {"planned": 1, "verified": 3}
    _, (cut,) = said("cut", "outputs/a", "--only", "tag:hero", "--except", "sc020*")
    assert [each["shot"] for each in cut["pieces"]] == ["sc010_a"]
    _, (edl,) = said("export", "outputs/a", "--format", "edl", "--only", "scene:sc010")
    assert [each["shot"] for each in edl["pieces"]] == ["sc010_a", "sc010_b"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ((*RUN, "--only", "tag:day"), "no shot of the manifest matches --only tag:day. Nothing was sent"),
        ((*RUN, "--except", "*"), "no shot of the manifest matches --except *. Nothing was sent"),
        (("retake", ".", "a", "--except", "b"), "retake takes neither --only nor --except: name the shots themselves"),
    ],
)
def test_a_selection_of_nothing_is_refused(said: Any, words: tuple[str, ...], message: str) -> None:
    code, (document,) = said(*words)
    assert (code, document["message"]) == (2, message)


def test_retry_knows_scenes_and_tags_from_the_folder(said: Any) -> None:
    Path("f.json").write_text('[{"on": "submit", "do": "fail"}]')
    said(*RUN, "--max-attempts", "1", "--faults", "f.json")
    _, events = said(
        "retry", "outputs/a", "--only", "tag:hero", "--except", "scene:sc020", "--speed", "900", "--no-report"
    )
    assert events[-1]["counts"] == {"failed": 3, "verified": 1}
