"""`diff` and `preview`: what an edit changes and what a manifest will show, before anything is paid for."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cut.test_film import film
from tests.films import Reel
from tests.manifest.test_own_columns import planned
from tests.output_folders import make_room
from wanbatch.batch.differences import Kind, differences, sides_of
from wanbatch.cli import call
from wanbatch.manifest import load_manifest
from wanbatch.session.animatic import Written, follow, write_animatic
from wanbatch.session.kept_prices import kept_prices
from wanbatch.state.reader import StateReader

HEAD = "id,scene,prompt,duration,takes\n"
OLD = HEAD + "a,s1,A fox sleeps in the snow,5,1\nb,s1,Snow,5,1\nc,s2,Ice,5,2\nd,s2,Fog,5,1\n"
NEW = HEAD + "a,s1,A red fox sleeps in the snow,5,1\nb,s3,Snow,5,1\nc,s2,Ice,5,3\ne,s2,Fog,5,1\nf,s2,Rain,10,1\n"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    Path("old.csv").write_text(OLD)
    Path("new.csv").write_text(NEW)


def test_each_shot_that_differs_is_named_with_its_fields_and_its_new_takes() -> None:
    found = differences(*(sides_of(load_manifest(name).shots) for name in ("old.csv", "new.csv")))
    assert [
        (each.shot_id, each.kind, [field[0] for field in each.fields], len(each.recipes), each.was) for each in found
    ] == [
        ("a", Kind.CHANGED, ["prompt"], 1, ""),
        ("b", Kind.CHANGED, ["scene"], 0, ""),
        ("c", Kind.CHANGED, ["takes"], 1, ""),
        ("e", Kind.RENAMED, [], 1, "d"),  # its seed is made from its id
        ("f", Kind.NEW, [], 1, ""),
    ]


def test_the_lines_show_what_changed_in_a_text(capsys: pytest.CaptureFixture[str]) -> None:
    Path("x.csv").write_text(HEAD.replace(",takes", "") + "a,s1,A fox,10\n")
    Path("y.csv").write_text(HEAD.replace(",takes", ",resolution") + "a,s1,A red fox,10,1080p\n")
    assert call(["diff", "x.csv", "y.csv"]) == 0
    out = capsys.readouterr().out.splitlines()
    assert out[:3] == [
        "  a  changed  1 take to make, 1.575 USD",
        "    prompt: A [+red+] fox",
        "    resolution: none -> 1080p",
    ]
    source = "what was paid before, the provider's last list or its documentation"
    assert out[3] == f"1 shot differs, 0 the same; 1 take to make, 1.575 USD, based on {source}"


def test_columns_of_ones_own_and_lists_are_shown_as_they_are_written(capsys: pytest.CaptureFixture[str]) -> None:
    Path("x.yaml").write_text("version: 1\nshots: [{id: a, prompt: x, tags: [b, c], x_cam: low, x_same: 1}]\n")
    Path("y.yaml").write_text("version: 1\nshots: [{id: a, prompt: x, x_lens: 35, x_same: 1}]\n")
    assert call(["diff", "x.yaml", "y.yaml"]) == 0
    assert capsys.readouterr().out.splitlines()[1:4] == [
        "    tags: b, c -> none",
        "    x_cam: low -> none",
        "    x_lens: none -> 35",
    ]


def test_a_price_that_is_unknown_names_the_command_that_asks_and_the_sandbox_has_its_own(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert call(["diff", "old.csv", "new.csv"]) == 0
    assert capsys.readouterr().out.rstrip().endswith("; `wanbatch plan` asks the provider for the missing prices")
    assert call(["--json", "diff", "old.csv", "new.csv", "--sandbox"]) == 0
    assert json.loads(capsys.readouterr().out)["credits"] > 0


def test_an_unknown_price_is_not_zero(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["--json", "diff", "old.csv", "new.csv"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["takes"], told["credits"], told["same"], told["shots"][3]["was"]) == (4, None, 0, "d")


def test_what_such_takes_cost_before_is_their_price(capsys: pytest.CaptureFixture[str]) -> None:
    paid = film(("a", "s"))
    make_room(Path("outputs/old"), paid, {"a_t1": Reel(1)}).state.close()
    with StateReader.open(Path("outputs/old")) as reader:
        (take,) = reader.takes()
    price_of = kept_prices(None, Path("outputs/old"))
    beside = kept_prices(None, Path("outputs/new"))
    assert (price_of(take.recipe), beside(take.recipe)) == (take.credits_held, None)


def test_a_manifest_is_compared_with_the_takes_of_its_output_folder(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["diff", "old.csv"]) == 2
    assert "outputs/old has no state file" in capsys.readouterr().err
    planned(Path("outputs/old"), load_manifest("old.csv"))
    assert call(["diff", "old.csv"]) == 0
    assert capsys.readouterr().out == "no differences in 4 shots; 5 takes in the output folder have not been sent yet\n"
    Path("old.csv").write_text(NEW)
    assert call(["--json", "diff", "old.csv"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert [(each["shot"], each["change"], each["takes"]) for each in told["shots"]] == [
        ("a", "changed", 1), ("b", "changed", 0), ("c", "changed", 1), ("e", "renamed", 1), ("f", "new", 1),
    ]  # fmt: skip


@pytest.mark.parametrize("is_omitted_first", [False, True])
def test_what_is_omitted_is_told_against_a_folder_as_against_an_earlier_manifest(
    is_omitted_first: bool,
    capsys: pytest.CaptureFixture[str],
) -> None:
    for name, is_omitted in (("v1.csv", is_omitted_first), ("v2.csv", not is_omitted_first)):
        omit = str(is_omitted).lower()
        Path(name).write_text(f"id,scene,prompt,omit,tags\na,s1,A fox,{omit},night\nb,s1,Snow,false,\n")
    planned(Path("outputs/v2"), load_manifest("v1.csv"))
    told = []
    for command in (["diff", "v1.csv", "v2.csv"], ["diff", "v2.csv"]):
        assert call(["--json", *command]) == 0
        told.append(json.loads(capsys.readouterr().out)["shots"])
    (one,) = told[0]
    assert (one["shot"], one["change"], [each["field"] for each in one["fields"]]) == ("a", "changed", ["omit"])
    assert told[1] == told[0]


# --- preview


def test_the_page_has_a_slate_a_shot_with_running_time_and_cost(capsys: pytest.CaptureFixture[str]) -> None:
    Path("film.csv").write_text(
        "id,scene,prompt,duration,resolution,x_cam\na,s1,<b>A & B</b>,10,1080p,dolly\nb,s2,Snow,5,720p,\n"
    )
    assert call(["preview", "film.csv", "--once"]) == 0
    assert capsys.readouterr().out.splitlines()[-1] == "outputs/film.preview.html: 2 shots"
    text = Path("outputs/film.preview.html").read_text(encoding="utf-8")
    wanted = (
        "&lt;b&gt;A &amp; B&lt;/b&gt;",
        "running time 0:15",
        "1.575 USD + unknown (1 take)",
        "cam: dolly",
        "<span>0:10</span>",
    )
    assert [each for each in (*wanted, "Content-Security-Policy") if each not in text] == []
    assert "refresh" not in text


def test_a_manifest_with_problems_gives_a_page_of_them(capsys: pytest.CaptureFixture[str]) -> None:
    Path("film.csv").write_text("id,prompt,duration\na,Snow,7\n")
    assert call(["--json", "preview", "film.csv", "-o", "p.html"]) == 2
    told = json.loads(capsys.readouterr().out)
    assert (told["shots"], told["problems"][0]["line"], "film.csv:2:8 duration is 7" in Path("p.html").read_text()) == (
        None,
        2,
        True,
    )


@pytest.mark.long
def test_the_command_says_that_it_watches_and_how_it_ends() -> None:
    command = [sys.executable, "-m", "wanbatch", "preview", "old.csv"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as watching:
        assert watching.stdout is not None
        first = watching.stdout.readline()  # it watches from here on
        watching.send_signal(signal.SIGINT)
        told = watching.communicate(timeout=60)[1]
    page = "outputs/old.preview.html"
    words = f"each time you save old.csv, its table or its map, {page} is written again; Ctrl-C ends this\n"
    assert (first, told, watching.returncode) == (f"{page}: 4 shots\n", words, 0)


def test_the_page_follows_the_manifest_its_map_and_its_table() -> None:
    Path("film.yaml").write_text("version: 1\ntable: film.csv\n")
    Path("film.csv").write_text("id,prompt\na,Snow\n")
    seen: list[int | None] = []

    def tell(done: Written) -> None:
        seen.append(None if done.batch is None else len(done.batch.shots))

    steps = iter([None, "id,prompt\na,Snow\nb,Ice\n", None, "id,prompt\n", "id,prompt\na,Fog\n"])

    def wait() -> bool:
        text = next(steps, "")
        if text:
            Path("film.csv").write_text(text)
            os.utime("film.csv", ns=(len(seen), len(seen)))
        return text != ""

    follow((Path("film.yaml"), Path("p.html")), lambda _: None, tell, wait)
    assert (seen, 'http-equiv="refresh"' in Path("p.html").read_text()) == ([1, 2, None, 1], True)


def test_a_page_of_two_hundred_shots_is_made_at_once() -> None:
    rows = "".join(f"s{n},sc{n // 20},A lighthouse in a storm {n},5\n" for n in range(200))
    Path("film.csv").write_text("id,scene,prompt,duration\n" + rows)
    done = write_animatic(Path("film.csv"), Path("p.html"), lambda _: 1)
    assert (len(done.batch.shots) if done.batch else 0, Path("p.html").read_text().count('class="slate')) == (200, 200)
