"""Reports of a batch of several models: each card and each table says which model made what."""

from __future__ import annotations

import csv
from pathlib import Path

from tests.reporting.states import begin, place_clips, shot
from tests.reporting.test_pages import read, reported
from wanbatch.batch.lifecycle import State
from wanbatch.batch.shots import DEFAULT_MODEL, Batch, Shot, Version

OTHER = "alibaba/wan2.2-t2v-plus"


def of_two_models(output: Path) -> None:
    """One shot by both models, and one by each of them."""
    request = {"model": OTHER, "prompt": "A dragon lands.", "resolution": "1080P"}
    both = shot("both", 0, request={"resolution": "1080p"}, beside=(Version(request),))
    first = shot("first", 1, request={"resolution": "1080p"})
    pen = begin(output, Batch("b", (both, first, Shot("second", 2, request))))
    for take in pen.state.takes():
        pen.lead(take.take_id, State.VERIFIED, charged=1, label=take.label)
    place_clips(output, pen.state)
    pen.state.close()


def test_each_card_names_its_model_where_the_sheet_has_several(tmp_path: Path) -> None:
    of_two_models(tmp_path)
    words = read(reported(tmp_path).storyboard).words
    cards = [f"{model} {size}" for model, size in ((DEFAULT_MODEL, "1080p 16:9"), (OTHER, "1080P 16:9"))]
    assert [words.count(f"T1 {cards[0]}"), words.count(f"T2 {cards[1]}"), words.count(f"T1 {cards[1]}")] == [2, 1, 1]


def test_a_card_lists_the_parameters_of_each_of_its_models(tmp_path: Path) -> None:
    of_two_models(tmp_path)
    words = read(reported(tmp_path).storyboard).words
    first = f"parameters model {DEFAULT_MODEL} duration 5 resolution 1080p"
    assert (words.count(f"{first} model {OTHER} resolution 1080P"), words.count(first)) == (1, 2)


def test_a_sheet_of_one_model_does_not_repeat_its_name(tmp_path: Path) -> None:
    pen = begin(tmp_path, Batch("b", (shot("a", 0),)))
    pen.lead(1, State.VERIFIED, charged=1, label="a_t1")
    place_clips(tmp_path, pen.state)
    pen.state.close()
    assert read(reported(tmp_path).storyboard).words.count(DEFAULT_MODEL) == 1  # among the parameters


def test_one_resolution_in_two_spellings_is_one_group(tmp_path: Path) -> None:
    of_two_models(tmp_path)
    with reported(tmp_path).summary.open(encoding="utf-8-sig", newline="") as stream:
        groups = [(row["key"], row["takes"]) for row in csv.DictReader(stream) if row["level"] == "resolution"]
    assert groups == [("1080p", "4")]
