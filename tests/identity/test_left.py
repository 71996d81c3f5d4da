"""What is left to be sent is compared again by every command that sends it: retry, retake, and a run that resumes."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.identity.folders import Tell, bought, provider_name, takes_in, write
from tests.reporting.states import BEGIN, CREDITS, begin
from wanbatch.batch.lifecycle import State
from wanbatch.batch.plan import make_plan
from wanbatch.errors import UsageInvalid
from wanbatch.manifest import load_manifest
from wanbatch.manifest.cache import Manifest
from wanbatch.provider.endpoint import load_settings
from wanbatch.session.access import Access
from wanbatch.session.admission import ORIGIN_NOTE, origin_of
from wanbatch.session.execution import Job
from wanbatch.session.left_admission import admit_left, assert_not_bought_elsewhere, is_there_meanwhile, orders_again
from wanbatch.state.file import StateFile
from wanbatch.state.kept_command import COMMAND_NOTE, PLACE_NOTE
from wanbatch.state.lock import OutputLock
from wanbatch.state.reader import StateReader

FILM = "id,prompt,seed\na,A dragon over a hill,5\nz,A quiet harbour,6\n"
RENAMED = FILM.replace("a,A", "b,A")


@pytest.fixture(autouse=True)
def _with_a_key(no_settings_from_outside: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIMLAPI_API_KEY", "made-up")


def planned_from(manifest: Path, output: Path, *made: str, failed: tuple[str, ...] = ()) -> Path:
    """Make the folder of a run that sent a part: takes by label that are made, or failed; the rest is planned."""
    batch = load_manifest(manifest)
    pen = begin(output, batch, base_url=provider_name(), sandbox=False)
    for take in pen.state.takes():
        if take.label in made:
            pen.lead(take.take_id, State.VERIFIED, charged=CREDITS, label=take.label)
        elif take.label in failed:
            pen.lead(take.take_id, State.FAILED, label=take.label)
    pen.state.note(ORIGIN_NOTE, origin_of(batch.source, batch.name, output).text)
    plan = make_plan(batch, pen.state.takes(), pen.state.shots(), pen.state.past())
    pen.state.adopt(plan, pen.now, Manifest(manifest).digest)
    pen.state.close()
    return output


@contextmanager
def opened(output: Path) -> Iterator[StateFile]:
    with StateReader.open(output) as reader:
        identity = reader.identity()
    with closing(StateFile.create_or_open(output, identity)) as state:
        yield state


def states(output: Path) -> dict[str, State]:
    return {take.label: take.state for take in takes_in(output)}


@pytest.mark.parametrize("command", ["retry", "retake", "run"])
def test_a_take_left_that_was_bought_beside_meanwhile_is_asked_about(command: str, say: Tell) -> None:
    output = planned_from(write("film.csv", FILM), Path("outputs/film"), failed=("a_t1",))
    bought(write("other.csv", FILM.replace("A dragon over a hill", "x")), Path("outputs/other"), is_paid=True)
    before = states(output)
    words = {"retry": ["outputs/film"], "retake": ["outputs/film", "z"], "run": ["film.csv"]}[command]
    code, told = say(command, *words, "--yes")
    assert (code, ": z_t1 " in told, "--buy-again" in told) == (2, True, True)
    assert states(output) == before


def test_a_failed_take_that_was_bought_beside_is_not_tried_again_unasked(say: Tell) -> None:
    planned_from(write("film.csv", FILM), Path("outputs/film"), "z_t1", failed=("a_t1",))
    bought(write("other.csv", FILM), Path("outputs/other"), is_paid=True)
    code, told = say("retry", "outputs/film", "--yes", "--max-usd", "3")
    assert (code, "1 take that this command would or may buy already exists in outputs/other" in told) == (2, True)
    assert ": a_t1 " in told
    command = told.partition("Buy it again: ")[2]
    assert shlex.split(command)[:3] == ["wanbatch", "retry", "outputs/film"]
    assert all(word in command for word in ("--yes", "--max-usd", "--buy-again"))


@pytest.mark.parametrize("command", ["retry", "run"])
def test_a_take_left_that_is_there_under_another_id_is_asked_about(command: str, say: Tell) -> None:
    path = write("film.csv", FILM)
    output = planned_from(path, Path("outputs/film"), "a_t1", "z_t1")
    path.write_text(RENAMED)
    batch = load_manifest(path)
    with opened(output) as state:  # as a run of before left it that did not know a_t1
        state.adopt(make_plan(batch, state.takes(), state.shots(), state.past()), BEGIN, Manifest(path).digest)
    code, told = say(command, *(["film.csv"] if command == "run" else ["outputs/film"]), "--yes")
    assert (code, "b_t1 exists as a_t1" in told) == (2, True)


def test_what_was_said_to_be_bought_again_is_asked_once() -> None:
    path = write("film.csv", FILM)
    output = planned_from(path, Path("outputs/film"), "a_t1")
    bought(write("other.csv", FILM), Path("outputs/other"), is_paid=True)
    access = Access(load_settings({}, None, Path.cwd()), is_embedded=False)
    with opened(output) as state:
        orders = orders_again((), state.takes_in([State.PLANNED]), state)
        asked, settled = admit_left(("wanbatch", "retry", "outputs/film"), orders, state, access)
        assert [question.pairs for question in asked] == [(("z_t1", "z_t1"),)]
        Job(settled=settled).write(state, BEGIN)
        assert admit_left(("wanbatch", "retry", "outputs/film"), orders, state, access)[0] == []
        assert not is_there_meanwhile(str(path), state, access.address)


def test_a_planned_retake_that_is_dropped_is_named(say: Tell) -> None:
    path = write("film.csv", FILM)
    output = planned_from(path, Path("outputs/film"), "a_t1", "z_t1")
    assert say("retake", "outputs/film", "a", "--seed", "77", "--later")[0] == 0
    path.write_text(FILM.partition("\na,")[0] + "\nz,A quiet harbour,6\n")
    _, told = say("plan", "film.csv", "--offline")
    assert "this retake is not sent: a_t2." in told
    assert states(output)["a_t2"] is State.PLANNED


@contextmanager
def run_by_another(output: Path) -> Iterator[None]:
    lock = OutputLock(output)
    lock.acquire()
    try:
        yield
    finally:
        lock.release()


def test_what_another_run_beside_is_about_to_buy_is_asked_about(say: Tell) -> None:
    other = planned_from(write("other.csv", FILM), Path("outputs/other"), "a_t1")
    write("film.csv", FILM.replace("a,A dragon", "a,Another"))
    assert "z_t1" not in say("plan", "film.csv", "--offline")[1]
    with run_by_another(other):
        code, told = say("plan", "film.csv", "--offline")
    assert (code, ": z_t1 " in told) == (2, True)


def test_of_two_runs_that_begin_at_one_moment_one_sees_the_other_before_it_sends() -> None:
    other = planned_from(write("other.csv", FILM), Path("outputs/other"))
    output = planned_from(write("film.csv", FILM), Path("outputs/film"))
    access = Access(load_settings({}, None, Path.cwd()), is_embedded=False)
    with opened(output) as state:
        planned = state.takes_in([State.PLANNED])
        with (
            run_by_another(other),
            pytest.raises(UsageInvalid, match=r"another run in .*other is already handling 2 takes of this run"),
        ):
            assert_not_bought_elsewhere(state, access, planned, "")
        assert_not_bought_elsewhere(state, access, planned, "")


def test_the_command_that_is_advised_works_from_another_working_folder(
    say: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    output = planned_from(write("film.csv", FILM), Path("outputs/film"), failed=("a_t1",))
    bought(write("other.csv", FILM), Path("outputs/other"), is_paid=True)
    with opened(output) as state:
        state.note(COMMAND_NOTE, "wanbatch run film.csv")
        state.note(PLACE_NOTE, str(Path.cwd()))
    here = Path.cwd()
    Path("elsewhere").mkdir()
    monkeypatch.chdir("elsewhere")
    _, told = say("retry", "../outputs/film", "--yes")
    assert f"run the manifest, which asks how: cd {here} && wanbatch run film.csv" in told


def test_a_shot_that_is_meant_to_repeat_another_is_not_asked_about(say: Tell) -> None:
    rows = ["version: 1", "name: film", "shots:", "  - {id: a, prompt: A hill, seed: 5}"]
    path = write("film.yaml", "\n".join([*rows, "  - {id: b, prompt: A hill, seed: 5}", ""]))
    code, told = say("plan", "film.yaml", "--offline")
    assert (code, "b_t1 is the same as a_t1" in told, "write `allow: [duplicate]`" in told) == (2, True, True)
    path.write_text("\n".join([*rows, "  - {id: b, prompt: A hill, seed: 5, allow: [duplicate]}", ""]))
    code, told = say("run", "film.yaml", "--sandbox", "--yes", "--speed", "600")
    assert (code, "2 verified" in told) == (0, True)
    path.write_text(path.read_text() + "  - {id: c, prompt: A hill, seed: 5}\n")  # which does not say it
    code, told = say("run", "film.yaml", "--sandbox", "--yes", "--speed", "600")
    assert (code, "c_t1 is the same as a_t1" in told) == (2, True)
