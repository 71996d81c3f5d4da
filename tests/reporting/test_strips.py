"""The strips of the storyboard: chains with the frames that join them, and small lines of how the picture changes."""

from __future__ import annotations

import json
import re
from pathlib import Path

from tests.chained_folders import make_chain
from tests.reporting.states import MADE_AT
from wanbatch.reporting.csv_tables import frames
from wanbatch.reporting.files import write_reports
from wanbatch.state.reader import StateReader

FORK = {"a": "", "b": "a:last", "c": "b:500ms", "d": "a:first", "e": ""}


def page_of(output: Path) -> str:
    with StateReader.open(output) as reader:
        return write_reports(reader, made_at=MADE_AT).storyboard.read_text(encoding="utf-8")


def strips_in(page: str) -> list[str]:
    return re.findall(r'<section class="chain".*?</section>', page, re.DOTALL)


def test_each_branch_is_a_strip_with_the_frames_that_join_its_clips(tmp_path: Path) -> None:
    strips = strips_in(page_of(make_chain(tmp_path, FORK)))
    assert [re.findall(r"<b>(.*?)</b>", each) for each in strips] == [["a_t1", "b_t1", "c_t1"], ["d_t1"]]
    assert [re.findall(r'src="(frames/.*?)"', each) for each in strips] == [
        ["frames/a_t1_last.png", "frames/b_t1_500ms.png"],
        ["frames/a_t1_first.png"],
    ]
    told = [re.findall(r"<span>(the .*?)</span><span>(.*?)</span>", each) for each in strips]
    assert told == [
        [("the last frame of a_t1", "PSNR 31.5 dB"), ("the frame at 0.5 s of b_t1", "PSNR 31.5 dB")],
        [("the first frame of a_t1", "PSNR 31.5 dB")],
    ]


def test_a_join_that_does_not_meet_its_frame_is_marked_in_words(tmp_path: Path) -> None:
    links = {**FORK, "e": ">a:last"}
    page = page_of(make_chain(tmp_path, links, broken="ce"))
    joins = re.findall(r'<li class="join( broken)?">(.*?)</li>', page, re.DOTALL)
    told = {(mark, re.sub("<.*?>", " ", words).split("PSNR ")[1].strip()) for mark, words in joins}
    assert len(joins) == 4
    assert told == {
        ("", "31.5 dB"),
        (" broken", "14.5 dB  broken join: the clip does not meet this frame"),
        (" broken", "12.5 dB  broken join: the clip does not meet this frame"),
    }


def test_a_line_says_in_words_what_it_draws(tmp_path: Path) -> None:
    strip, _ = strips_in(page_of(make_chain(tmp_path, FORK, sandbox=False)))
    words = re.findall(r"<title>(.*?)</title>", strip)
    assert words[0] == (
        "sharpness of the first and the last frame against the chain&#39;s first frame:"
        " a_t1 100% and 60%, b_t1 60% and 60%, c_t1 60% and 60%"
    )
    assert words[2].endswith(
        ": a_t1 0.0 levels and 5.0 levels, b_t1 5.0 levels and 5.0 levels, c_t1 5.0 levels and 5.0 levels"
    )
    assert re.findall(r'points="(.*?)"', strip)[0] == "2,2 25.2,10 48.4,10 71.6,10 94.8,10 118,10"
    assert strip.count("60% at its end") == 1


def test_the_texts_of_slates_are_no_drift(tmp_path: Path) -> None:
    strip, _ = strips_in(page_of(make_chain(tmp_path, FORK)))
    words = re.findall(r"<title>(.*?)</title>", strip)
    assert words[0] == (
        "sharpness after the joins so far, against the chain&#39;s first frame: a_t1 100%, b_t1 60%, c_t1 36%"
    )
    assert words[2].endswith(": a_t1 0.0 levels, b_t1 5.0 levels, c_t1 10.0 levels")
    assert re.findall(r'points="(.*?)"', strip)[0] == "2,2 60,10 118,14.8"


def test_a_chain_from_before_there_were_measures_has_a_strip_and_no_figures(tmp_path: Path) -> None:
    output = make_chain(tmp_path, FORK, is_measured=False)
    strips = strips_in(page_of(output))
    assert [each.count("<svg") for each in strips] == [0, 0]
    assert [each.count("not measured") for each in strips] == [3, 2]
    with StateReader.open(output) as reader:
        table = frames(reader).takes
    assert table.loc[:, "chain_start":"colour_joins"].isna().all(axis=None)


def test_a_frame_that_is_gone_or_a_link_is_not_shown(tmp_path: Path) -> None:
    output = make_chain(tmp_path, {"a": "", "b": "a:last", "c": "a:first"})
    (output / "frames" / "a_t1_last.png").unlink()
    (output / "frames" / "a_t1_first.png").unlink()
    (output / "frames" / "a_t1_first.png").symlink_to("/etc/hostname")
    page = page_of(output)
    assert ('src="frames/' in page, page.count("frame missing")) == (False, 2)


def test_a_clip_that_was_given_its_last_frame_shows_it_behind_itself_with_its_figure(tmp_path: Path) -> None:
    output = make_chain(tmp_path, {"a": ">b:first", "b": ""})
    (strip,) = strips_in(page_of(output))
    told = re.findall(r"<b>(.*?)</b>|<span>(ends with .*?)</span><span>(.*?)</span>", strip)
    assert told == [("a_t1", "", ""), ("", "ends with the first frame of b_t1", "PSNR 28.5 dB")]
    assert strip.index("<b>a_t1</b>") < strip.index('src="frames/b_t1_first.png"')
    with StateReader.open(output) as reader:
        figures = dict(zip(*(frames(reader).takes[name] for name in ("shot_id", "last_frame_psnr_db")), strict=True))
    assert (figures["a"], str(figures["b"])) == (28.5, "<NA>")
    drift = json.loads((output / "clips" / "a_t1.json").read_text(encoding="utf-8"))["drift"]
    assert (drift["join_psnr_db"], drift["last_frame_psnr_db"]) == (None, 28.5)


def test_a_batch_without_chains_has_no_strips(tmp_path: Path) -> None:
    assert '<details class="chains"' not in page_of(make_chain(tmp_path, {"a": "", "b": ""}))


def test_the_table_and_the_sidecar_have_the_figures(tmp_path: Path) -> None:
    output = make_chain(tmp_path, FORK)
    page_of(output)
    with StateReader.open(output) as reader:
        (row,) = frames(reader).takes.query("shot_id == 'c'").to_dict("records")
    assert {name: row[name] for name in ("chain_start", "join_psnr_db", "sharpness_last", "sharpness_joins")} == {
        "chain_start": "a_t1",
        "join_psnr_db": 31.5,
        "sharpness_last": 0.6,
        "sharpness_joins": 0.36,
    }
    drift = json.loads((output / "clips" / "c_t1.json").read_text(encoding="utf-8"))["drift"]
    assert drift == {
        "start": "a_t1",
        "join_psnr_db": 31.5,
        "last_frame_psnr_db": None,
        "first": {"sharpness": 0.6, "contrast": 0.92, "colour": 5.0},
        "last": {"sharpness": 0.6, "contrast": 0.92, "colour": 5.0},
        "joins": {"sharpness": 0.36, "contrast": 0.846, "colour": 10.0},
    }
