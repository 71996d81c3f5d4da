"""A manifest comes to an output folder: what is asked, what is refused, what is remembered. From the command line."""

from __future__ import annotations

import hashlib
import json
import shutil
import sqlite3
import unicodedata
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

import wanbatch
from tests.reporting.states import CREDITS, begin, place_clips
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.take import Take
from wanbatch.cli import call
from wanbatch.cli import questions as running
from wanbatch.errors import UsageInvalid
from wanbatch.manifest import load_manifest
from wanbatch.session.admission import ORIGIN_NOTE, origin_of
from wanbatch.session.options import RunOptions
from wanbatch.session.question import Question
from wanbatch.state.file import StateFile
from wanbatch.state.reader import StateReader

RIDGE = (
    "id,prompt,scene\nsh010,A goat climbs the ridge,one\nsh020,Snow begins to fall,one\nsh030,The hut has a light,two\n"
)
HARBOUR = "id,prompt,scene\nsh010,A tug turns in the harbour,one\nsh020,Gulls over the fish market,one\n"
RENUMBERED = RIDGE.replace("sh010", "10").replace("sh020", "20").replace("sh030", "30")
SANDBOX = ("--sandbox", "--yes", "--speed", "600")


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AIMLAPI_API_KEY", "AIML_API_KEY", "AIMLAPI_KEY", "AIMLAPI_BASE_URL", "FORCE_COLOR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)


def write(name: str, text: str) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def bought(
    manifest: Path, output: Path, *, state: State = State.VERIFIED, is_paid: bool = False, is_older: bool = False
) -> Path:
    """Make the folder that a run of this manifest leaves: every take in this state, charged where it is verified."""
    batch = load_manifest(manifest)
    address = {"base_url": provider_name(), "sandbox": False} if is_paid else {"base_url": "sandbox", "sandbox": True}
    pen = begin(output, batch, **address)  # type: ignore[arg-type]
    for take in pen.state.takes():
        charged = CREDITS if state is State.VERIFIED else None
        pen.lead(take.take_id, state, charged=charged, label=take.label)
    place_clips(output, pen.state)
    if not is_older:
        pen.state.note(ORIGIN_NOTE, origin_of(batch.source, batch.name, output).text)
    pen.state.close()
    if is_older:
        with closing(sqlite3.connect(output / "state.sqlite")) as file:
            file.execute("DROP TABLE notes")
            file.commit()
    return output


def provider_name() -> str:
    from wanbatch.provider.endpoint import load_settings

    return load_settings({}, None, Path.cwd()).endpoint.name


def takes_in(output: Path) -> list[Take]:
    with StateReader.open(output) as reader:
        reader.check()
        return reader.takes()


def digest(output: Path) -> str:
    return hashlib.sha256((output / "state.sqlite").read_bytes()).hexdigest()


def tell(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = call(list(arguments))
    told = capsys.readouterr()
    return code, " ".join((told.out + told.err).split())


Tell = Callable[..., tuple[int, str]]


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Tell:
    return lambda *arguments: tell(capsys, *arguments)


def test_two_films_with_one_file_name_are_never_mixed(say: Tell) -> None:
    first, second = write("north/shots.csv", RIDGE), write("south/shots.csv", HARBOUR)
    output = bought(first, Path("outputs/shots"))
    before = digest(output)
    planned = say("plan", str(second), "--sandbox", "--offline")
    ran = say("run", str(second), *SANDBOX)
    facts = (
        "another manifest made outputs/shots:",
        "remembered north/shots.csv, batch 'shots'",
        "given south/shots.csv, batch 'shots'",
        "2 of 2 shot ids are the same, 0 with the same prompt",
        "outputs/shots holds 3 takes, charged or held 3,150,000 credits (1.58 USD)",
        "wanbatch run south/shots.csv --sandbox -o outputs/shots-2",
        "wanbatch run south/shots.csv --sandbox --same-batch",
    )
    assert [(code, [fact for fact in facts if fact not in told]) for code, told in (planned, ran)] == [(2, []), (2, [])]
    assert (digest(output), {take.superseded for take in takes_in(output)}) == (before, {False})
    assert not Path("outputs/shots-2").exists()


def test_a_free_folder_is_named(say: Tell) -> None:
    bought(write("north/shots.csv", RIDGE), Path("outputs/shots"))
    Path("outputs/shots-2").mkdir()
    _, told = say("plan", str(write("south/shots.csv", HARBOUR)), "--sandbox", "--offline")
    assert "-o outputs/shots-3" in told


def test_a_renamed_manifest_goes_on_with_one_flag_and_is_remembered(say: Tell) -> None:
    first = write("ridge v1.csv", RIDGE)
    bought(first, Path("outputs/ridge-v1"))
    first.rename("ridge final.csv")
    where = ("ridge final.csv", "--sandbox", "-o", "outputs/ridge-v1")
    asked = [say("plan", *where, "--offline"), say("run", *where, "--yes")]
    command = "wanbatch run 'ridge final.csv' --sandbox -o outputs/ridge-v1 --same-batch"
    assert [(code, command in told, "choose another" in told) for code, told in asked] == [(2, True, False)] * 2
    assert say("run", *where, "--yes", "--same-batch")[0] == 0
    assert [say("plan", *where, "--offline")[0], say("run", *where, "--yes")[0]] == [0, 0]
    with StateReader.open(Path("outputs/ridge-v1")) as reader:
        assert (reader.batch(), reader.identity().batch) == ("ridge-final", "ridge-v1")


def test_a_renamed_manifest_without_a_folder_is_led_to_the_one_there(say: Tell) -> None:
    first = write("ridge_v1.csv", RIDGE)
    bought(first, Path("outputs/ridge_v1"))
    first.rename("ridge.csv")
    code, told = say("plan", "ridge.csv", "--sandbox", "--offline")
    assert code == 0  # on the sandbox nothing is paid: it is only told
    assert "3 takes to be bought here are in outputs/ridge_v1 already:" in told
    assert "wanbatch run ridge.csv --sandbox -o outputs/ridge_v1 --same-batch" in told


def test_with_a_paid_provider_a_folder_beside_is_asked_about(say: Tell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIMLAPI_API_KEY", "made-up")
    first = write("ridge_v1.csv", RIDGE)
    bought(first, Path("outputs/ridge_v1"), is_paid=True)
    write("ridge.csv", RENUMBERED)
    planned, ran = say("plan", "ridge.csv", "--offline"), say("run", "ridge.csv", "--yes")
    command = "wanbatch run ridge.csv -o outputs/ridge_v1 --same-batch --take-over"
    assert [(code, command in told, "wanbatch run ridge.csv --buy-again" in told) for code, told in (planned, ran)] == [
        (2, True, True),
        (2, True, True),
    ]
    assert not Path("outputs/ridge").exists()
    assert say("plan", "ridge.csv", "--offline", "--buy-again")[0] == 0


def test_of_several_folders_beside_the_one_with_most_of_it_is_named(say: Tell) -> None:
    bought(write("b.csv", RIDGE), Path("outputs/b"))
    bought(write("a.csv", RIDGE.split("sh020", maxsplit=1)[0]), Path("outputs/a"))
    bought(write("c.csv", HARBOUR.replace("sh0", "k0")), Path("outputs/c"))
    _, told = say(
        "plan", str(write("d.csv", RIDGE + "k010,A tug turns in the harbour,one\n")), "--sandbox", "--offline"
    )
    assert "3 takes to be bought here are in outputs/b already" in told
    assert "1 take to be bought here is in outputs/c already" in told
    assert "outputs/a already" not in told


@pytest.mark.parametrize("state", [State.FAILED, State.PLANNED])
def test_what_failed_or_was_never_sent_beside_is_not_there(state: State, say: Tell) -> None:
    bought(write("a.csv", RIDGE), Path("outputs/a"), state=state)
    _, told = say("plan", str(write("b.csv", RIDGE)), "--sandbox", "--offline")
    assert "already" not in told


def test_a_folder_of_another_provider_beside_tells_nothing(say: Tell) -> None:
    bought(write("a.csv", RIDGE), Path("outputs/a"), is_paid=True)
    _, told = say("plan", str(write("b.csv", RIDGE)), "--sandbox", "--offline")
    assert "already" not in told


def test_renumbered_shots_are_named_and_never_bought_by_yes_alone(say: Tell) -> None:
    path = write("ridge.csv", RIDGE)
    output = bought(path, Path("outputs/ridge"))
    path.write_text(RENUMBERED)
    before = digest(output)
    planned, ran = say("plan", "ridge.csv", "--sandbox", "--offline"), say("run", "ridge.csv", *SANDBOX)
    facts = (
        "3 takes to be bought are in outputs/ridge already, under another id: 10_t1 exists as sh010_t1",
        "wanbatch run ridge.csv --sandbox --take-over",
        "wanbatch run ridge.csv --sandbox --rename sh010=10",
        "wanbatch run ridge.csv --sandbox --buy-again",
    )
    assert [(code, [fact for fact in facts if fact not in told]) for code, told in (planned, ran)] == [(2, []), (2, [])]
    assert digest(output) == before


def test_a_takeover_keeps_clips_sidecars_circles_and_buys_nothing(say: Tell) -> None:
    path = write("ridge.csv", RIDGE)
    output = bought(path, Path("outputs/ridge"))
    call(["circle", str(output), "sh020:1"])
    path.write_text(RENUMBERED)
    code, told = say("run", "ridge.csv", *SANDBOX, "--take-over")
    assert (code, "3 takes are reused under a new id: 10_t1 is what was sh010_t1" in told) == (0, True)
    takes = takes_in(output)
    assert [(take.label, take.file, take.circled, take.superseded) for take in takes] == [
        ("10_t1", "clips/sh010_t1.mp4", False, False),
        ("20_t1", "clips/sh020_t1.mp4", True, False),
        ("30_t1", "clips/sh030_t1.mp4", False, False),
    ]
    sidecar = json.loads((output / "clips" / "sh020_t1.json").read_text())
    rows = (output / "reports" / "takes.csv").read_text().splitlines()
    sheet = (output / "storyboard.html").read_text()
    assert (sidecar["shot_id"], sidecar["circled"]) == ("20", True)
    assert [row.split(",")[0].lstrip("\ufeff") for row in rows] == ["shot_id", "10", "20", "30"]
    assert [f"posters/sh0{number}_t1.jpg" in sheet for number in (10, 20, 30)] == [True] * 3
    assert say("run", "ridge.csv", *SANDBOX)[0] == 0  # nothing is asked any more
    with StateReader.open(output) as reader:
        assert [row.shot_id for row in reader.shots()] == ["10", "20", "30"]


def test_a_renaming_by_hand_resumes_with_the_same_command(say: Tell) -> None:
    path = write("ridge.csv", RIDGE)
    output = bought(path, Path("outputs/ridge"))
    path.write_text(RENUMBERED)
    flags = ("--rename", "sh010=10", "--rename", "sh020=20", "--rename", "sh030=30")
    assert [say("run", "ridge.csv", *SANDBOX, *flags)[0] for _ in range(2)] == [0, 0]
    assert [take.label for take in takes_in(output)] == ["10_t1", "20_t1", "30_t1"]


@pytest.mark.parametrize(
    ("flag", "problem"),
    [
        ("sh010", "'sh010' is not OLD=NEW"),
        ("x=10", "no take of a shot 'x'"),
        ("sh010=x", "the manifest has no shot 'x'"),
    ],
)
def test_a_renaming_that_cannot_be_is_wrong_usage(flag: str, problem: str, say: Tell) -> None:
    path = write("ridge.csv", RIDGE)
    bought(path, Path("outputs/ridge"))
    path.write_text(RENUMBERED)
    code, told = say("run", "ridge.csv", *SANDBOX, "--rename", flag)
    assert (code, problem in told) == (2, True)


def test_one_recipe_that_could_be_of_several_shots_is_left_to_the_user(say: Tell) -> None:
    path = write("dark.csv", "id,prompt\na,Black\nb,Black\n")
    bought(path, Path("outputs/dark"))
    path.write_text("id,prompt\nc,Black\n")
    code, told = say("run", "dark.csv", *SANDBOX, "--take-over")
    assert (code, "c_t1 could be any of a_t1, b_t1" in told, "--rename a=c" in told) == (2, True, True)
    assert say("run", "dark.csv", *SANDBOX, "--rename", "b=c")[0] == 0


def test_plan_and_run_agree_on_a_folder_of_another_provider(say: Tell, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIMLAPI_API_KEY", "made-up")
    bought(write("ridge.csv", RIDGE), Path("outputs/ridge"))
    planned, ran = say("plan", "ridge.csv", "--offline"), say("run", "ridge.csv", "--yes")
    assert planned == ran
    assert (ran[0], "belongs to the sandbox" in ran[1]) == (7, True)


def test_an_ordinary_edit_never_asks(say: Tell) -> None:
    path = write("ridge.csv", RIDGE)
    bought(path, Path("outputs/ridge"))
    path.write_text(RIDGE.replace("Snow", "Hail").replace("sh030,The hut has a light,two\n", "sh040,A door,two\n"))
    code, told = say("plan", "ridge.csv", "--sandbox", "--offline")
    assert (code, "1 done" in told, "2 new, 1 done, 2 superseded" in told) == (0, True, True)


def test_a_fresh_film_under_an_old_file_name_is_told_apart(say: Tell) -> None:
    path = write("shots.csv", RIDGE)
    bought(path, Path("outputs/shots"))
    path.write_text(HARBOUR.replace("sh0", "k0"))
    code, told = say("run", "shots.csv", *SANDBOX)
    assert code == 2
    assert "The shots in shots.csv, batch 'shots' differ from those in outputs/shots: 0 of 2 shot ids" in told


def test_a_project_that_was_moved_whole_is_the_same(say: Tell, monkeypatch: pytest.MonkeyPatch) -> None:
    bought(write("film/ridge.csv", RIDGE), Path("film/outputs/ridge"))
    shutil.move("film", "archive")
    monkeypatch.chdir("archive")
    write("ridge.csv", RIDGE.replace("Snow", "Hail"))
    assert say("plan", "ridge.csv", "--sandbox", "--offline")[0] == 0


def test_a_copy_elsewhere_that_changes_nothing_goes_on_and_the_first_stays_remembered(say: Tell) -> None:
    first = write("one/ridge.csv", RIDGE)
    output = bought(first, Path("outputs/ridge"))
    other = write("two/ridge.csv", RIDGE)
    assert say("run", str(other), *SANDBOX)[0] == 0
    with StateReader.open(output) as reader:
        assert "one/ridge.csv" in str(reader.noted(ORIGIN_NOTE))
    other.write_text(RIDGE.replace("Snow", "Hail"))
    assert say("plan", str(other), "--sandbox", "--offline")[0] == 2


def test_a_folder_of_the_version_before_goes_on_and_remembers_from_then_on(say: Tell) -> None:
    path = write("ridge.csv", RIDGE)
    output = bought(path, Path("outputs/ridge"), is_older=True)
    assert say("plan", "ridge.csv", "--sandbox", "--offline")[0] == 0
    assert say("run", "ridge.csv", *SANDBOX)[0] == 0
    with StateReader.open(output) as reader:
        assert "ridge.csv" in str(reader.noted(ORIGIN_NOTE))


def test_a_folder_of_the_version_before_is_not_given_to_another_film(say: Tell) -> None:
    bought(write("north/shots.csv", RIDGE), Path("outputs/shots"), is_older=True)
    code, told = say("run", str(write("south/shots.csv", HARBOUR)), *SANDBOX)
    assert (code, "0 with the same prompt" in told) == (2, True)


def test_the_same_text_in_another_unicode_form_is_no_edit(say: Tell) -> None:
    text = "id,prompt\nçé,Un café à Zoé\n"
    path = write("s.csv", text)
    bought(path, Path("outputs/s"))
    path.write_text(unicodedata.normalize("NFD", text), encoding="utf-8")
    code, told = say("plan", "s.csv", "--sandbox", "--offline", "--only", unicodedata.normalize("NFD", "ç*"))
    assert (code, "1 done nothing to send" in told) == (0, True)
    assert say("circle", "outputs/s", unicodedata.normalize("NFD", "çé:1"))[0] == 0


@pytest.mark.parametrize(
    ("answers", "labels"),
    [
        ([True], ["10_t1", "20_t1", "30_t1"]),
        ([False, False], ["sh010_t1", "sh020_t1", "sh030_t1"]),
    ],
)
def test_a_person_at_the_terminal_decides(
    answers: list[bool], labels: list[str], say: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write("ridge.csv", RIDGE)
    output = bought(path, Path("outputs/ridge"))
    path.write_text(RENUMBERED)
    left = iter(answers)
    monkeypatch.setattr(running, "is_interactive", lambda: True)
    monkeypatch.setattr(running.click, "confirm", lambda *_, **__: next(left))
    code, _ = say("run", "ridge.csv", *SANDBOX)
    assert (code, [take.label for take in takes_in(output)], next(left, None)) == (0 if answers[0] else 2, labels, None)


def test_json_tells_what_is_asked_and_each_take(capsys: pytest.CaptureFixture[str]) -> None:
    path = write("ridge.csv", RIDGE)
    bought(path, Path("outputs/ridge"))
    path.write_text(RENUMBERED.replace("Snow", "Hail"))
    code = call(["--json", "plan", "ridge.csv", "--sandbox", "--offline"])
    plan = json.loads(capsys.readouterr().out)
    (question,) = plan["questions"]
    assert (code, question["kind"], question["blocking"], question["flag"]) == (2, "here", True, "--buy-again")
    assert question["takes"] == [{"take": "10_t1", "there": "sh010_t1"}, {"take": "30_t1", "there": "sh030_t1"}]
    assert [(each["shot"], each["take"], each["scene"], each["why"]) for each in plan["takes"]] == [
        ("10", 1, "one", "new"),
        ("20", 1, "one", "new"),
        ("30", 1, "two", "new"),
    ]


def test_a_program_is_refused_too_and_answers_with_an_option() -> None:
    path = write("ridge.csv", RIDGE)
    output = bought(path, Path("outputs/ridge"))
    path.write_text(RENUMBERED)
    asked: list[Any] = []
    with pytest.raises(UsageInvalid, match="under another id"):
        wanbatch.run(path, RunOptions(sandbox=True), confirm=lambda preview: not asked.append(preview))
    questions: tuple[Question, ...] = wanbatch.plan(path, RunOptions(sandbox=True), offline=True).questions
    result = wanbatch.run(path, RunOptions(sandbox=True, take_over=True), confirm=lambda _: True)
    assert (asked, len(questions), int(result.exit_code), result.output) == ([], 1, 0, output)


def test_a_batch_made_by_a_program_needs_no_file() -> None:
    path = write("ridge.csv", RIDGE)
    bought(path, Path("outputs/ridge"))
    batch = wanbatch.Batch("ridge", load_manifest(path).shots)
    assert wanbatch.plan(batch, RunOptions(sandbox=True), offline=True).questions == ()


def test_bytes_that_are_whole_and_not_named_yet_go_with_their_take(say: Tell) -> None:
    path = write("ridge.csv", RIDGE.split("sh020", maxsplit=1)[0])
    output = bought(path, Path("outputs/ridge"), state=State.DOWNLOADED)
    (output / "clips").mkdir(exist_ok=True)
    part = output / "clips" / "sh010_t1.mp4.part"
    part.write_bytes(b"the clip")
    path.write_text(RENUMBERED.split("20,")[0])
    from wanbatch.provider.endpoint import load_settings
    from wanbatch.session.access import Access
    from wanbatch.session.admission import admit, carry

    access = Access(load_settings({}, None, Path.cwd()), is_embedded=True)
    with StateReader.open(output) as reader:
        identity, last = reader.identity(), reader.last_fact_at()
    assert last is not None
    with closing(StateFile.create_or_open(output, identity)) as state:
        admission = admit(load_manifest(path), output, state, RunOptions(take_over=True), access)
        carry(state, admission, last, "")
    assert [take.label for take in takes_in(output)] == ["10_t1"]
    assert [(each.name, each.read_bytes()) for each in (output / "clips").glob("*.part")] == [
        ("10_t1.mp4.part", b"the clip")
    ]


def test_a_take_on_its_way_is_taken_over_and_goes_on_under_its_new_name() -> None:
    path = write("ridge.csv", RIDGE)
    output = bought(path, Path("outputs/ridge"), state=State.GENERATING)
    path.write_text(RENUMBERED)
    plan = wanbatch.plan(path, RunOptions(sandbox=True, take_over=True), offline=True)
    assert ([each.kind.value for each in plan.questions], plan.counts, plan.takes) == (
        ["taken"],
        {"in progress": 3},
        (),
    )
    assert takes_in(output)[0].label == "sh010_t1"  # a plan writes nothing


def test_the_state_file_holds_a_renaming_as_a_fact() -> None:
    path = write("ridge.csv", RIDGE)
    output = bought(path, Path("outputs/ridge"))
    path.write_text(RENUMBERED)
    call(["run", "ridge.csv", *SANDBOX, "--take-over"])
    with StateReader.open(output) as reader:
        told = [(take_id, entry.data) for take_id, entry in reader.entries(Fact.RENAMED)]
    assert told[0] == (1, {"shot_id": "10", "number": 1, "was_shot_id": "sh010", "was_number": 1})
    with closing(sqlite3.connect(output / "state.sqlite")) as file:
        file.execute("UPDATE takes SET shot_id = 'sh010' WHERE take_id = 1")
        file.commit()
    with StateReader.open(output) as reader, pytest.raises(wanbatch.StateInvalid, match="contradicts its facts"):
        reader.check()
