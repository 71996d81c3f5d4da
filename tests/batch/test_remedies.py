"""Advice: a command in a message can be pasted, and says what really helps."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.cut.test_film import film
from tests.films import Reel
from tests.output_folders import make_room
from tests.reporting.states import begin, shot
from wanbatch.batch.lifecycle import State
from wanbatch.batch.remedies import OF_A_FOLDER, Again, for_failed, in_folder
from wanbatch.batch.shots import Batch
from wanbatch.cli import call
from wanbatch.clock import system_now
from wanbatch.reporting.files import write_reports
from wanbatch.state.findings import PLACES_NOTE, places_text
from wanbatch.state.needs import problems_in
from wanbatch.state.progress_reader import problems_of, read_overview
from wanbatch.state.reader import StateReader


@pytest.mark.parametrize(
    ("text", "folder", "wanted"),
    [
        ("`wanbatch retry` tries again", "finals/new", "`wanbatch retry finals/new` tries again"),
        ("`wanbatch resolve a_t1 --adopt X`", "o", "`wanbatch resolve o a_t1 --adopt X`"),
        ("`wanbatch verify` and `wanbatch report`", "o", "`wanbatch verify o` and `wanbatch report o`"),
        ("`wanbatch retry`", "my film's 1st", "`wanbatch retry 'my film'\"'\"'s 1st'`"),
        ("`wanbatch retry`", "-o", "`wanbatch retry ./-o`"),
        ("`wanbatch retry`", "$(x)\\1", "`wanbatch retry '$(x)\\1'`"),
        ("`wanbatch retry o`", "o", "`wanbatch retry o`"),
        ("`wanbatch run` and `wanbatch doctor` need no folder", "o", "`wanbatch run` and `wanbatch doctor` need no folder"),
        ("`wanbatch retryable`", "o", "`wanbatch retryable`"),
        ("nothing to do", "o", "nothing to do"),
    ],
)  # fmt: skip
def test_a_command_names_its_folder_once_and_quoted(text: str, folder: str, wanted: str) -> None:
    once = in_folder(text, folder)
    assert (once, in_folder(once, folder)) == (wanted, wanted)


def test_every_command_that_messages_name_is_known_to_take_a_folder_or_not() -> None:
    without = {"run", "plan", "doctor", "recover", "sandbox", "models", "storyboard", "init"}
    named = set()
    for path in Path(__import__("wanbatch").__file__).parent.rglob("*.py"):
        named |= set(re.findall(r"`wanbatch ([a-z]+)[ `]", path.read_text(encoding="utf-8")))
    assert named - without <= set(OF_A_FOLDER)


@pytest.mark.parametrize(
    ("error", "is_refused", "place", "wanted"),
    [
        ("Internal model error", False, "", "`wanbatch retry` tries again"),
        ("HTTP 503: try again", False, "x.yaml line 3", "`wanbatch retry` tries again"),
        ("HTTP 400 from the model's own host", False, "x.yaml line 3", "`wanbatch retry` tries again"),
        ("HTTP 400: Body invalid", True, "x.yaml line 3", "change this shot (x.yaml line 3) as the provider says"),
        ("HTTP 422, server said: no", True, "", "change this shot as the provider says"),
        ("the prompt was moderated", False, "x.yaml line 3", "change it (x.yaml line 3) and run the manifest"),
        ("HTTP 400: the prompt was moderated", True, "x.yaml line 3", "change it (x.yaml line 3) and run the manifest"),
        ("Sensitive content", False, "", "change the prompt in the manifest and run it again, or leave"),
    ],
)
def test_a_refused_prompt_is_changed_and_anything_else_tried_again(
    error: str, is_refused: bool, place: str, wanted: str
) -> None:
    remedy = for_failed(error, place, is_refused=is_refused)
    again = Again.AS_IT_IS if wanted.startswith("`") else Again.CHANGED
    assert (wanted in remedy.text, remedy.again) == (True, again)


REFUSED = "The provider would refuse the same prompt again"


def troubled(output: Path) -> Path:
    pen = begin(output, film(("a", "s"), ("b", "s"), ("c", "s")))
    takes = pen.state.takes()
    pen.lead(takes[0].take_id, State.FAILED, error="Internal model error")
    pen.lead(takes[1].take_id, State.FAILED, error="Content policy violation")
    pen.lead(takes[2].take_id, State.HELD, error="found: `wanbatch resolve c_t1 --adopt X` adopts it")
    pen.state.note(PLACES_NOTE, places_text({"b": "film.csv line 3"}))
    pen.state.close()
    return output


def test_status_and_the_end_of_a_run_name_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    troubled(Path("my finals"))
    retried, refused, held = problems_of(Path("my finals"), 10)
    assert retried.endswith("`wanbatch retry 'my finals' --except b` tries again")
    assert "change it (film.csv line 3) and run the manifest" in refused
    assert "`wanbatch resolve 'my finals' c_t1 --adopt X`" in held
    assert next(str(each) for each in read_overview(Path("my finals")).problems) == retried


def test_the_pages_name_the_folder_and_offer_no_retry_for_a_refused_prompt(tmp_path: Path) -> None:
    with StateReader.open(troubled(tmp_path / "outputs" / "film")) as reader:
        files = write_reports(reader, made_at=system_now())
    report, schedule = (page.read_text(encoding="utf-8") for page in (files.report, files.storyboard))
    assert "<code>wanbatch retry outputs/film <span>--except</span> b</code>" in report
    assert "The provider would refuse the same prompt again: change it (film.csv line 3)" in report
    assert (
        schedule.count('data-command="retry'),
        schedule.count("The provider would refuse the same prompt again"),
    ) == (1, 1)
    assert "wanbatch resolve outputs/film c_t1 --adopt X" in files.takes.read_text(encoding="utf-8-sig")


@pytest.mark.parametrize(
    ("errors", "wanted"),
    [
        ({"a_t1": "broke", "b_t1": "broke"}, ["`wanbatch retry o`", "`wanbatch retry o`"]),
        ({"a_t1": "broke", "b_t1": "policy violation"}, ["`wanbatch retry o --except b`", REFUSED]),
        (
            {"a_t1": "broke", "b_t1": "policy violation", "c_t1": "policy violation"},
            ["`wanbatch retry o --only a`", REFUSED, REFUSED],
        ),
        (
            {"a_t1": "policy violation", "a_t2": "broke"},
            [REFUSED, "The provider already refused a_t1, another take of"],
        ),
    ],
)
def test_what_failed_is_never_retried_with_what_would_be_refused_again(
    tmp_path: Path, errors: dict[str, str], wanted: list[str]
) -> None:
    shots = sorted({name[0] for name in errors})
    takes = max(int(name[-1]) for name in errors)
    pen = begin(tmp_path / "o", Batch("b", tuple(shot(each, place, takes=takes) for place, each in enumerate(shots))))
    for take in pen.state.takes():
        pen.lead(take.take_id, State.FAILED, error=errors[take.label])
    told = problems_in(pen.state.takes(), folder="o")
    pen.state.close()
    assert [words in each.todo for each, words in zip(told, wanted, strict=True)] == [True] * len(wanted)


def test_a_cut_that_misses_a_clip_says_which_folder_to_verify(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    make_room(Path("finals/x"), film(("a", "s"), ("b", "s")), {"a_t1": Reel(1), "b_t1": Reel(2)}).state.close()
    Path("finals/x/clips/b_t1.mp4").unlink()
    assert call(["cut", "finals/x", "--reencode"]) == 1
    assert "`wanbatch verify finals/x --fetch` fetches it again" in capsys.readouterr().out
