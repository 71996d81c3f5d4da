"""Which manifest made a folder, and whether the one that comes is the same: every row of the decision."""

from __future__ import annotations

import pytest

from wanbatch.batch.origin import Difference, Likeness, Origin, differences

PATH, NAME, SHOTS = Difference.PATH, Difference.NAME, Difference.SHOTS
HERE = Origin("../../shots.csv", "/film/shots.csv", "shots")
MOVED_WHOLE = Origin("../../shots.csv", "/archive/film/shots.csv", "shots")
FOLDER_MOVED = Origin("../film/shots.csv", "/film/shots.csv", "shots")
CALLED_ELSE = Origin("../../shots.csv", "/film/shots.csv", "night")
ELSEWHERE = Origin("../../ep2/shots.csv", "/film/ep2/shots.csv", "shots")
RENAMED = Origin("../../final.csv", "/film/final.csv", "final")
PROGRAM = Origin("", "", "shots")
OTHER_PROGRAM = Origin("", "", "night")

EMPTY = Likeness()
ALL = Likeness(shots=6, ids=6, prompts=6, recipes=6, sent=6, is_unchanged=True)
EDITED = Likeness(shots=6, ids=6, prompts=2, recipes=2, sent=6, is_unchanged=False)
HALF = Likeness(shots=6, ids=3, prompts=0, recipes=0, sent=6, is_unchanged=False)
FEW = Likeness(shots=6, ids=2, prompts=1, recipes=1, sent=6, is_unchanged=False)
RENUMBERED = Likeness(shots=6, ids=0, prompts=0, recipes=6, sent=6, is_unchanged=False)
NEVER_SENT = Likeness(shots=6, ids=0, prompts=0, recipes=0, sent=0, is_unchanged=False)
ONE_SHOT = Likeness(shots=1, ids=0, prompts=0, recipes=0, sent=1, is_unchanged=False)
OTHER_FILM = Likeness(shots=2, ids=2, prompts=0, recipes=0, sent=2, is_unchanged=False)


@pytest.mark.parametrize(
    ("known", "given", "common", "told"),
    [
        pytest.param(HERE, RENAMED, EMPTY, (), id="a folder without shots belongs to nobody"),
        pytest.param(HERE, HERE, ALL, (), id="the same file"),
        pytest.param(HERE, HERE, EDITED, (), id="an edit never asks"),
        pytest.param(HERE, HERE, OTHER_FILM, (), id="all prompts written anew is an edit"),
        pytest.param(HERE, HERE, HALF, (), id="half of the ids is enough"),
        pytest.param(HERE, HERE, FEW, (SHOTS,), id="a fresh film under an old file name"),
        pytest.param(HERE, HERE, RENUMBERED, (), id="renumbered shots are found by their recipes"),
        pytest.param(HERE, HERE, NEVER_SENT, (), id="nothing was bought: nothing is at stake"),
        pytest.param(HERE, HERE, ONE_SHOT, (), id="a single shot written anew"),
        pytest.param(HERE, ELSEWHERE, ONE_SHOT, (PATH, SHOTS), id="a single shot of another file"),
        pytest.param(HERE, MOVED_WHOLE, EDITED, (), id="a project that was moved whole"),
        pytest.param(HERE, FOLDER_MOVED, EDITED, (), id="an output folder that was moved"),
        pytest.param(HERE, CALLED_ELSE, EDITED, (), id="another name in the same file"),
        pytest.param(HERE, CALLED_ELSE, FEW, (SHOTS,), id="another name and other shots in the same file"),
        pytest.param(HERE, ELSEWHERE, OTHER_FILM, (PATH,), id="two films with one file name and the same ids"),
        pytest.param(HERE, ELSEWHERE, EDITED, (PATH,), id="a copy that was edited"),
        pytest.param(HERE, ELSEWHERE, ALL, (), id="a copy that changes nothing"),
        pytest.param(HERE, ELSEWHERE, FEW, (PATH, SHOTS), id="another film elsewhere"),
        pytest.param(HERE, RENAMED, ALL, (PATH, NAME), id="a renamed manifest is asked about though nothing changes"),
        pytest.param(HERE, RENAMED, NEVER_SENT, (PATH, NAME, SHOTS), id="another file, though nothing was sent"),
        pytest.param(None, HERE, EDITED, (), id="older folder, same name, mostly the same shots"),
        pytest.param(None, HERE, OTHER_FILM, (SHOTS,), id="older folder, same ids and none of the prompts"),
        pytest.param(None, HERE, RENUMBERED, (), id="older folder, renumbered"),
        pytest.param(None, RENAMED, ALL, (NAME,), id="older folder, another name"),
        pytest.param(None, RENAMED, FEW, (NAME, SHOTS), id="older folder, another name and other shots"),
        pytest.param(HERE, PROGRAM, EDITED, (), id="a program's batch under the same name"),
        pytest.param(HERE, OTHER_PROGRAM, EDITED, (NAME,), id="a program's batch under another name"),
        pytest.param(PROGRAM, HERE, ALL, (), id="a file after a program"),
    ],
)
def test_a_manifest_is_the_same_or_told_apart(
    known: Origin | None, given: Origin, common: Likeness, told: tuple[Difference, ...]
) -> None:
    assert differences(known, "shots", given, common) == told


@pytest.mark.parametrize("text", [None, "", "null", "[]", '{"relative": "x"}', "{", '"text"'])
def test_a_note_that_cannot_be_read_is_no_origin(text: str | None) -> None:
    assert Origin.of(text) is None


def test_an_origin_survives_the_state_file_with_a_path_that_is_no_text() -> None:
    strange = Origin("../caf\udce9.csv", "/film/caf\udce9.csv", "café")
    assert (Origin.of(strange.text), strange.text.isascii()) == (strange, True)
