"""A manifest comes to an output folder: what is asked, what is refused, what is remembered. From the command line."""

from __future__ import annotations

import json
import shutil
import unicodedata
from pathlib import Path
from typing import Any

import pytest

import wanbatch
from tests.identity.folders import (
    HARBOUR,
    RENUMBERED,
    RIDGE,
    SANDBOX,
    Tell,
    bought,
    digest,
    provider_name,
    takes_in,
    write,
)
from tests.reporting.states import begin
from wanbatch.batch.lifecycle import State
from wanbatch.batch.orders import orders_of
from wanbatch.batch.plan import make_plan
from wanbatch.cli import call
from wanbatch.cli import confirmations as running
from wanbatch.errors import UsageInvalid
from wanbatch.manifest import load_manifest
from wanbatch.manifest.cache import Manifest
from wanbatch.session.admission import ORIGIN_NOTE, origin_of
from wanbatch.session.folder_questions import Choice, Question
from wanbatch.session.options import RunOptions
from wanbatch.state.reader import StateReader

pytestmark = pytest.mark.usefixtures("no_settings_from_outside")


def test_two_films_with_one_file_name_are_never_mixed(say: Tell) -> None:
    first, second = write("north/shots.csv", RIDGE), write("south/shots.csv", HARBOUR)
    output = bought(first, Path("outputs/shots"))
    before = digest(output)
    planned = say("plan", str(second), "--sandbox", "--offline")
    ran = say("run", str(second), *SANDBOX)
    facts = (
        "outputs/shots was made from another manifest:",
        "remembered north/shots.csv, batch 'shots'",
        "given south/shots.csv, batch 'shots'",
        "2 of 2 shot ids are the same, 0 with the same prompt",
        "outputs/shots holds 3 takes, committed 1.575 USD (3,150,000 credits)",
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


@pytest.mark.long
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
    assert "3 of the takes to buy here already exist in outputs/ridge_v1:" in told
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


def test_both_answers_about_a_folder_beside_are_named_with_their_cost_and_the_cap_stays(
    say: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIMLAPI_API_KEY", "made-up")
    bought(write("ridge_v1.csv", RIDGE), Path("outputs/ridge_v1"), is_paid=True)
    write("ridge.csv", RENUMBERED + "40,A dog sleeps,two\n")
    _, told = say("plan", "ridge.csv", "--offline", "--max-usd", "5")
    continued = "Continue in that folder (this buys 1 more take of this manifest for about 0.525 USD): "
    again = "Buy 4 takes here for about 2.10 USD, of which 1.575 USD is for existing takes: "
    assert f"{continued}wanbatch run ridge.csv -o outputs/ridge_v1 --same-batch --take-over --max-usd 5" in told
    assert f"{again}wanbatch run ridge.csv --buy-again --max-usd 5" in told


@pytest.mark.parametrize(
    ("price", "is_only", "words"),
    [
        (1_050_000, True, ("this buys 2 more takes of this manifest for about 1.05 USD", "for about 1.575 USD")),
        (
            1_050_000,
            False,
            ("this buys up to 2 more takes of this manifest for at most 1.05 USD", "of which 0.525 USD is"),
        ),
        (
            None,
            True,
            ("2 more takes of this manifest at a price that is not known here", "of which unknown (1 take) is"),
        ),
    ],
)
def test_what_an_answer_about_a_folder_beside_costs_is_never_0_if_unknown(
    price: int | None, is_only: bool, words: tuple[str, str]
) -> None:
    plan = make_plan(load_manifest(write("ridge.csv", RIDGE)), [])
    choice = Choice.of(plan, orders_of(plan)[:1], lambda _: price, is_only=is_only)
    assert [word in text for word, text in zip(words, (choice.there_text, choice.here_text), strict=True)] == [True] * 2


def test_a_large_manifest_that_was_planned_before_is_asked_about_a_folder_beside(
    say: Tell, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AIMLAPI_API_KEY", "made-up")
    large = "# " + "x" * 100 + "\n"
    shots = "".join(f"  - {{id: {row.split(',')[0]}, prompt: {row.split(',')[1]}}}\n" for row in RIDGE.splitlines()[1:])
    first = write("ridge.yaml", f"version: 1\nname: ridge\nshots:\n{shots}{large * 3_000}")
    batch = load_manifest(first)
    pen = begin(Path("outputs/ridge"), batch, base_url=provider_name(), sandbox=False)
    origin = origin_of(batch.source, batch.name, Path("outputs/ridge"))
    pen.state.note(ORIGIN_NOTE, origin.text)
    pen.state.adopt(
        make_plan(batch, pen.state.takes(), pen.state.shots(), pen.state.past()), pen.now, Manifest(first).digest
    )
    pen.state.close()
    other = write("other.yaml", f"version: 1\nname: other\nshots:\n{shots}")
    bought(other, Path("outputs/other"), is_paid=True)
    code, told = say("run", "ridge.yaml", "--yes")
    assert (code, "3 of the takes to buy here already exist in outputs/other" in told) == (2, True)


def test_of_several_folders_beside_the_one_with_most_of_it_is_named(say: Tell) -> None:
    bought(write("b.csv", RIDGE), Path("outputs/b"))
    bought(write("a.csv", RIDGE.split("sh020", maxsplit=1)[0]), Path("outputs/a"))
    bought(write("c.csv", HARBOUR.replace("sh0", "k0")), Path("outputs/c"))
    _, told = say(
        "plan", str(write("d.csv", RIDGE + "k010,A tug turns in the harbour,one\n")), "--sandbox", "--offline"
    )
    assert "3 of the takes to buy here already exist in outputs/b" in told
    assert "1 of the takes to buy here already exists in outputs/c" in told
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
    assert (code, "2 new, 2 done, 1 superseded" in told) == (0, True)


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
