"""Chains on the screens: what waits for what, what a new take means for the shots behind it, and what that costs."""

from __future__ import annotations

import hashlib
import html
import json
import re
from pathlib import Path
from typing import Any

import pytest

from tests.pictures import I2V, save
from wanbatch.cli import call

LINKS: dict[str, Any] = {"b": {"from": "a"}, "c": {"from": "b"}, "d": {"from": "a", "at": "2.5s"}}


def write(**more: Any) -> None:
    """Write a film of a chain of three shots, and one that branches off its first; `more` is said of single shots."""
    save(Path("a.png"))
    frames = {"a": "a.png", **LINKS}
    shots = [{"id": each, "prompt": f"Shot {each}.", "first_frame": frame} for each, frame in frames.items()]
    shots = [{**shot, **more.get(shot["id"], {})} for shot in shots]
    defaults = {"model": I2V, "resolution": "720p", "duration": 5, "generate_audio": False}
    Path("film.json").write_text(json.dumps({"version": 1, "name": "film", "defaults": defaults, "shots": shots}))


def run(*flags: str) -> int:
    return call(["-q", "run", "film.json", "--sandbox", "--yes", "--speed", "600", *flags])


def told(capsys: pytest.CaptureFixture[str], *words: str) -> Any:
    capsys.readouterr()
    assert call(["--json", *words]) == 0
    return json.loads(capsys.readouterr().out)


def lines(capsys: pytest.CaptureFixture[str], *words: str) -> list[str]:
    capsys.readouterr()
    assert call([*words]) == 0
    said = capsys.readouterr()
    return [" ".join(line.split()) for line in (said.out + said.err).splitlines()]


def cards_with(words: str) -> list[str]:
    """Return the shots whose cards on the storyboard say this."""
    page = html.unescape(Path("outputs/film/storyboard.html").read_text(encoding="utf-8"))
    cards = re.findall(r'<article class="shot[^>]*data-shot="(.*?)".*?</article>', page, re.DOTALL)
    texts = re.findall(r"<article.*?</article>", page, re.DOTALL)
    return [shot_id for shot_id, text in zip(cards, texts, strict=True) if words in text]


OLD = (
    "were made from its earlier take; keep them, or make them again for 1.62 USD:"
    " `wanbatch retake outputs/film b d --with-successors`"
)


def test_a_plan_shows_the_longest_chain_and_what_has_no_predecessor(capsys: pytest.CaptureFixture[str]) -> None:
    write()
    plan = ("plan", "film.json", "--sandbox", "--offline")
    longest = (
        "1 chain to make: 3 shots from a to c; it takes about 10 s, or 15 s if every clip is as slow as the slowest 5%,"
        " however many run at once; if a fails, 3 takes are not sent"
    )
    assert longest in lines(capsys, *plan)
    chains = told(capsys, *plan)["chains"]
    assert chains.pop("slow_seconds") > chains.pop("seconds") == pytest.approx(615)
    assert chains == {"chains": 1, "shots": ["a", "b", "c"], "behind": 3}
    (line,) = [each for each in lines(capsys, *plan, "--only", "[bc]") if each.startswith("not sent")]
    assert line == "not sent: 2 takes (b_t1, c_t1) continue from a, which has no clip and which this run does not make"
    missing = told(capsys, *plan, "--only", "[bc]")["not_ready"]
    assert missing == [
        {"shot": "b", "take": 1, "goes_on_from": "a"},
        {"shot": "c", "take": 1, "goes_on_from": "a"},
    ]


def test_a_choice_that_matches_no_shot_ends_a_plan_as_it_ends_a_run(capsys: pytest.CaptureFixture[str]) -> None:
    write()
    assert [call([each, "film.json", "--sandbox", "--only", "z*"]) for each in ("plan", "run")] == [2, 2]
    assert capsys.readouterr().err.count("no shot of the manifest matches --only z*. Nothing was sent") == 2


@pytest.mark.long
def test_a_new_take_is_named_with_what_went_on_from_the_one_before(capsys: pytest.CaptureFixture[str]) -> None:
    write()
    assert run() == 0
    assert told(capsys, "status")["successions"] == []
    retake = ("retake", "outputs/film", "a", "--yes", "--speed", "600")
    to_come = OLD.replace(" USD:", " USD, once the new take is made:")
    assert f"a gets a new take: 3 shots {to_come}" in lines(capsys, *retake)
    news = f"a has a new take (a_t2): 3 shots {OLD}"
    for words in (("status",), ("plan", "film.json", "--sandbox", "--offline"), ("why", "c")):
        assert news in lines(capsys, *words)
    assert cards_with(news) == ["b", "c", "d"]
    assert run() == 0
    assert told(capsys, "status")["successions"] == [
        {
            "shot": "a",
            "take": "a_t2",
            "shots": ["b", "c", "d"],
            "credits": 3_240_000,
            "followers": [],
            "run_credits": None,
            "command": "wanbatch retake outputs/film b d --with-successors",
        }
    ]
    assert lines(capsys, "why", "b") == [
        "b_t1 is verified",
        "it was made from the last frame of a, take 1; a_t2 is the newest verified one now",
        "a_t2 is verified (a retake)",
        news,
    ]
    again = ("retake", "outputs/film", "b", "d", "--with-successors", "--yes", "--speed", "600")
    assert "3 retakes" in lines(capsys, *again)
    assert told(capsys, "status")["successions"] == []
    assert told(capsys, "why", "c") == {
        "shot": "c",
        "why": [
            {"depth": 0, "shot_id": "c", "text": "c_t2 is verified (a retake)"},
            {"depth": 0, "shot_id": "c", "text": "it was made from the last frame of b, take 2"},
        ],
        "first_cause": None,
        "news": [],
    }
    news = (
        "a has another take circled (a_t1): b_t1, d_t1 were made from this take: `wanbatch circle outputs/film b:1 d:1`"
        " chooses them, and buys nothing"
    )
    assert news in lines(capsys, "circle", "outputs/film", "a", "1")
    assert news in lines(capsys, "status")


@pytest.mark.long
def test_a_follower_is_made_again_once_for_each_new_frame(capsys: pytest.CaptureFixture[str]) -> None:
    write(d={"first_frame": {"from": "a", "follow": "always"}})
    assert run("--only", "[ad]") == 0
    assert call(["-q", "retake", "outputs/film", "a", "--yes", "--speed", "600"]) == 0
    news = "the next `wanbatch run` of the manifest makes d again, as it says follow: always (0.54 USD)"
    assert f"a has a new take (a_t2): {news}" in lines(capsys, "status")
    (found,) = told(capsys, "status")["successions"]
    assert (found["shots"], found["followers"], found["run_credits"], found["command"]) == ([], ["d"], 1_080_000, None)
    plan = told(capsys, "plan", "film.json", "--sandbox", "--offline", "--only", "[ad]")
    assert [(each["shot"], each["take"], each["why"]) for each in plan["takes"]] == [("d", 2, "retake")]
    assert plan["successions"] == []
    for _ in range(2):
        assert run("--only", "[ad]") == 0
    assert told(capsys, "status")["counts"]["verified"] == 4
    assert lines(capsys, "why", "d") == ["d_t2 is verified (a retake)", "it was made from the last frame of a, take 2"]


@pytest.mark.long
def test_all_that_follows_is_planned_priced_and_made_in_one_run(capsys: pytest.CaptureFixture[str]) -> None:
    write(b={"first_frame": {"from": "a", "follow": "always"}}, c={"first_frame": {"from": "b", "follow": "always"}})
    assert run("--only", "[abc]") == 0
    assert call(["-q", "retake", "outputs/film", "a", "--yes", "--speed", "600"]) == 0
    plan = told(capsys, "plan", "film.json", "--sandbox", "--offline", "--only", "[abc]")
    assert [(each["shot"], each["take"]) for each in plan["takes"]] == [("b", 2), ("c", 2)]
    why = "because the manifest says `follow: always`: b_t2 (follows a_t2), c_t2 (follows b_t2)"
    words = f"2 of these takes are made again, {why}"
    assert words in lines(capsys, "plan", "film.json", "--sandbox", "--offline", "--only", "[abc]")
    assert run("--only", "[abc]") == 0
    assert told(capsys, "status")["counts"]["verified"] == 6
    assert call(["-q", "circle", "outputs/film", "a", "1"]) == 0
    assert told(capsys, "plan", "film.json", "--sandbox", "--offline", "--only", "[abc]")["takes"] == []
    assert run("--only", "[abc]") == 0
    assert lines(capsys, "why", "c") == ["c_t1 is verified", "it was made from the last frame of b, take 1"]


@pytest.mark.long
def test_a_cap_holds_over_what_follows_and_the_worst_case_counts_it(capsys: pytest.CaptureFixture[str]) -> None:
    write(b={"first_frame": {"from": "a", "follow": "always"}}, c={"first_frame": {"from": "b", "follow": "always"}})
    assert run("--only", "[abc]") == 0
    assert call(["-q", "retake", "outputs/film", "a", "--later"]) == 0
    plan = ("plan", "film.json", "--sandbox", "--offline", "--max-attempts", "2")
    whole = told(capsys, *plan, "--only", "[abc]")
    assert [(each["shot"], each["take"]) for each in whole["takes"]] == [("a", 2), ("b", 2), ("c", 2)]
    one = told(capsys, *plan, "--only", "a")
    costs = [(each["estimate"]["credits"], each["estimate"]["worst"]) for each in (one, whole)]
    assert costs[1] == (3 * costs[0][0], 3 * costs[0][1])
    assert costs[1][1] == 2 * costs[1][0]
    assert call(["--json", "run", "film.json", "--sandbox", "--yes", "--only", "[abc]", "--max-usd", "2.8"]) != 0
    spent = told(capsys, "status")["credits"]["committed"]
    assert spent <= 5_600_000


@pytest.mark.long
def test_a_plan_leaves_out_what_follows_a_take_that_it_leaves_out(capsys: pytest.CaptureFixture[str]) -> None:
    write(b={"first_frame": {"from": "a", "follow": "always"}}, c={"first_frame": {"from": "b", "follow": "always"}})
    assert run("--only", "[abc]") == 0
    assert call(["-q", "retake", "outputs/film", "a", "--later", "--note", "follows b_t1"]) == 0
    plan = ("plan", "film.json", "--sandbox", "--offline", "--only", "[bc]")
    assert told(capsys, *plan)["takes"] == []
    said = "not sent: 2 takes (b_t2, c_t2) follow a new take of a, which this run does not make"
    assert said in lines(capsys, *plan)
    assert run("--only", "[bc]") != 0
    assert told(capsys, "status")["counts"] == {"planned": 4, "verified": 3}
    assert run("--only", "[abc]") == 0
    assert told(capsys, "status")["counts"] == {"planned": 1, "verified": 6}


@pytest.mark.long
def test_a_follower_is_not_bought_from_the_frame_that_it_was_made_from(capsys: pytest.CaptureFixture[str]) -> None:
    write(b={"first_frame": {"from": "a", "follow": "always"}})
    assert run("--only", "[ab]") == 0
    write(a={"takes": 2}, b={"first_frame": {"from": "a", "follow": "always"}})
    rule = {"on": "submit", "do": "fail", "prompt_contains": "Shot a", "message": "it burnt"}
    Path("faults.json").write_text(json.dumps([rule]))
    assert (
        call(["run", "film.json", "--sandbox", "--yes", "--speed", "600", "--faults", "faults.json", "--only", "[ab]"])
        == 1
    )
    assert "1 take (b_t2) waits for a_t2, which failed. It will be sent when that take has a clip" in " ".join(
        capsys.readouterr().out.split()
    )
    assert told(capsys, "status")["counts"]["verified"] == 2
    assert told(capsys, "plan", "film.json", "--sandbox", "--offline", "--only", "[ab]")["takes"] == []


@pytest.mark.long
def test_what_waits_for_a_failed_shot_is_named_everywhere(capsys: pytest.CaptureFixture[str]) -> None:
    write()
    rule = {"on": "submit", "do": "fail", "prompt_contains": "Shot b", "message": "it burnt"}
    Path("faults.json").write_text(json.dumps([rule]))
    assert call(["run", "film.json", "--sandbox", "--yes", "--speed", "600", "--faults", "faults.json"]) == 1
    end = capsys.readouterr().out
    assert "1 take (c_t1) waits for b_t1, which failed. It will be sent when that take has a clip" in end
    problem = {
        "take": "c_t1",
        "state": "waiting",
        "error": "continues from b_t1, which failed",
        "todo": "It will be sent when the take it waits for has a clip",
        "needs_user": False,
        "can_be_looked_up": False,
        "again": None,
        "lacks_take": False,
    }
    found = told(capsys, "status")
    assert (problem in found["problems"], found["next"]) == (True, "wanbatch retry outputs/film")
    assert json.loads(Path("outputs/film/reports/summary.json").read_text())["problems"].count(problem) == 1
    assert lines(capsys, "why", "c") == [
        "c_t1 is to be sent",
        "it continues from the last frame of b, and waits for b_t1, which failed",
        "b_t1 failed: GenerationError: it burnt",
        "it was made from the last frame of a, take 1",
        "first cause: b_t1 failed: GenerationError: it burnt. `wanbatch retry outputs/film` tries again",
    ]
    assert call(["-q", "retry", "outputs/film", "--yes", "--speed", "600"]) == 0
    assert told(capsys, "status")["counts"] == {"verified": 4}


@pytest.mark.long
def test_the_sidecar_of_a_clip_says_which_frame_it_was_given() -> None:
    write()
    assert run("--only", "[ab]") == 0
    first, second = (json.loads(Path(f"outputs/film/clips/{each}_t1.json").read_text()) for each in "ab")
    png = Path("outputs/film/frames/a_t1_last.png").read_bytes()
    assert ("frames" in first, second["recipe"]["image_url"]) == (False, "frame:a:last")
    assert second["frames"] == [
        {
            "reference": "frame:a:last",
            "take_id": 1,
            "take": "a_t1",
            "generation_id": first["generation_id"],
            "clip_sha256": first["sha256"],
            "png_sha256": hashlib.sha256(png).hexdigest(),
            "file": "frames/a_t1_last.png",
        }
    ]


@pytest.mark.long
def test_why_asks_for_one_shot_that_is_there(capsys: pytest.CaptureFixture[str]) -> None:
    write()
    assert run("--only", "a") == 0
    assert lines(capsys, "why", "outputs/film", "a") == ["a_t1 is verified"]
    assert [call(["why", "a", "b"]), call(["why", "outputs/film"]), call(["why", "nobody"])] == [2, 2, 2]
    assert "outputs/film has no shot 'nobody'" in capsys.readouterr().err


@pytest.mark.long
def test_another_id_of_a_shot_buys_nothing_behind_it_again(capsys: pytest.CaptureFixture[str]) -> None:
    write()
    assert run("--only", "[ab]") == 0
    text = Path("film.json").read_text().replace('"a"', '"z"')
    Path("film.json").write_text(text)
    assert run("--only", "[zb]", "--take-over") == 0
    assert told(capsys, "status")["counts"] == {"planned": 2, "verified": 2}
    assert lines(capsys, "why", "b") == ["b_t1 is verified", "it was made from the last frame of z, take 1"]
    assert call(["-q", "retake", "outputs/film", "z", "--with-successors", "--yes", "--speed", "600"]) == 0
    assert lines(capsys, "why", "b") == ["b_t2 is verified (a retake)", "it was made from the last frame of z, take 2"]
    assert run() == 0
    assert told(capsys, "status")["counts"] == {"verified": 6}


def test_of_several_chains_a_plan_describes_the_longest(capsys: pytest.CaptureFixture[str]) -> None:
    write()
    film = json.loads(Path("film.json").read_text(encoding="utf-8"))
    film["shots"] += [{"id": "e", "prompt": "E.", "first_frame": "a.png"}]
    film["shots"] += [{"id": "f", "prompt": "F.", "first_frame": {"from": "e"}}]
    Path("film.json").write_text(json.dumps(film), encoding="utf-8")
    (line,) = [each for each in lines(capsys, "plan", "film.json", "--sandbox", "--offline") if "to make: the" in each]
    assert line.startswith(
        "2 chains to make: the longest, 3 shots from a to c, takes about 10 s, or 15 s if every clip"
    )
