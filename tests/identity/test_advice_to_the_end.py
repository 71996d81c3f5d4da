"""Advice about a folder leads to the end: who pastes the command told is asked nothing twice, and pairs keep numbers."""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.identity.test_takeover import batch, found, shot, takes_of
from tests.worlds import EPOCH
from wanbatch.batch.changes import Past
from wanbatch.batch.lifecycle import State
from wanbatch.batch.orders import Order
from wanbatch.batch.plan import make_plan
from wanbatch.batch.shots import Shot, likeness
from wanbatch.batch.take import Take
from wanbatch.batch.takeover import renamed, renames_asked
from wanbatch.cli import call
from wanbatch.session.folder_questions import Folder
from wanbatch.session.neighbours import _Waiting
from wanbatch.state.reader import StateReader
from wanbatch.state.tables import Identity, new_identity

HEAD, TURBO = "id,prompt,model,resolution\n", "alibaba/wan2.1-t2v-turbo,480P"  # the smallest clips
SANDBOX = ("--sandbox", "--yes", "--speed", "600")


@pytest.fixture(autouse=True)
def no_settings_from_outside(near: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AIMLAPI_API_KEY", "AIML_API_KEY", "AIMLAPI_KEY", "AIMLAPI_BASE_URL", "FORCE_COLOR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)


@pytest.mark.long
def test_following_the_advice_on_renames_ends(capsys: pytest.CaptureFixture[str]) -> None:
    manifest = Path("dark.csv")
    manifest.write_text(f"{HEAD}a,Black,{TURBO}\nb,Black,{TURBO}\nc,Black,{TURBO}\n", encoding="utf-8")
    assert call(["-q", "run", "dark.csv", *SANDBOX]) == 0
    manifest.write_text(f"{HEAD}x,Black,{TURBO}\ny,Black,{TURBO}\n", encoding="utf-8")
    command, commands = ["run", "dark.csv", *SANDBOX, "--max-usd", "40", "--only", "*"], []
    capsys.readouterr()
    while call(command) == 2:
        advice = re.search(r"Say which: wanbatch (run .*)", capsys.readouterr().err)
        assert advice is not None
        command = shlex.split(advice[1])
        commands.append(advice[1])
    flags = "--yes --max-usd 40 --only '*' --speed 600"
    assert commands == [
        f"run dark.csv --sandbox --rename a=x {flags}",
        f"run dark.csv --sandbox --rename a=x --rename b=y {flags}",
    ]
    with StateReader.open(Path("outputs/dark")) as reader:
        assert [take.label for take in reader.takes()] == ["x_t1", "y_t1", "c_t1"]


def test_flags_about_a_folder_are_not_repeated_for_another() -> None:
    given = ("--same-batch", "--rename", "a=x")
    folder = Folder("outputs/o", "outputs/o-2", ("wanbatch", "run", "m.csv"), given=given, more=("--limit", "2"))
    assert [folder.run("--same-batch"), folder.run("--rename", "b=y"), folder.run(path="outputs/o-2")] == [
        "wanbatch run m.csv --same-batch --rename a=x --limit 2",
        "wanbatch run m.csv --same-batch --rename a=x --rename b=y --limit 2",
        "wanbatch run m.csv -o outputs/o-2 --limit 2",
    ]


@pytest.mark.long
def test_a_renamed_manifest_on_the_sandbox_is_told_that_a_paid_run_would_stop(
    capsys: pytest.CaptureFixture[str],
) -> None:
    Path("ridge_v1.csv").write_text(f"{HEAD}a,Snow,{TURBO}\nb,Sun,{TURBO}\n", encoding="utf-8")
    assert call(["-q", "run", "ridge_v1.csv", *SANDBOX]) == 0
    Path("ridge_v1.csv").rename("ridge.csv")
    assert call(["run", "ridge.csv", *SANDBOX]) == 0
    told = capsys.readouterr().err
    assert "A paid run would stop here and ask, even with --yes. --buy-again would let it buy 2 takes" in told


TWO = [shot("b", takes=2)]


@pytest.mark.parametrize("states", [(State.VERIFIED, State.VERIFIED), (State.HELD, State.VERIFIED)])
def test_take_1_is_paired_with_take_1(states: Sequence[State]) -> None:
    takes = [
        Take(number, "a", number, recipe.canonical, state=state, attempts=1)
        for number, recipe, state in zip((1, 2), shot("a", takes=2).recipes, states, strict=True)
    ]
    assert found(make_plan(batch(*TWO), takes)) == [("b_t1", "a_t1"), ("b_t2", "a_t2")]


@pytest.mark.parametrize("new", [[shot("b", takes=2)], [shot("b", takes=2, seed=None)]])
def test_after_a_renaming_the_first_slot_has_take_1(new: Sequence[Shot]) -> None:
    takes = takes_of(shot("a", takes=2))
    renames = renames_asked([("a", "b")], takes[::-1], Past(), frozenset({"b"}))
    after = renamed(takes, renames)
    plan = make_plan(batch(*new), after, past=Past(renames))
    fewer = make_plan(batch(shot("b")), after, past=Past(renames))
    assert [(each.was, each.number) for each in renames] == [(("a", 1), 1), (("a", 2), 2)]
    assert [each.take and each.take.label for each in (*plan.wanted, *fewer.wanted)] == ["b_t1", "b_t2", "b_t1"]


def test_a_folder_beside_is_named_take_by_take() -> None:
    text = shot("a").recipes[0].canonical
    there = [("a_t2", text), ("a_t1", text)]  # the newest is read first
    orders = [Order("b", number, likeness(text)[0], None) for number in (1, 2)]

    class Reader:
        def identity(self) -> Identity:
            return new_identity("n", "https://x", "", EPOCH, sandbox=False)

        def recipes_there(self, _: int, *, with_planned: bool) -> list[tuple[str, str]]:
            return [(label, text) for label, text in there]

    pairs = _Waiting(orders, frozenset(), ()).found_in(Reader())  # type: ignore[arg-type]
    assert sorted((order.label, label) for order, label in pairs) == [("b_t1", "a_t1"), ("b_t2", "a_t2")]
