"""What follows from the measures of a chain: shares of its first picture, and warnings by what its joins change."""

from __future__ import annotations

from dataclasses import replace

import pytest

from wanbatch.batch.chosen_frames import ChosenFrame
from wanbatch.batch.drift import Change, Drift, FrameMeasures, MeasuredClip, Step, line_of

PLAIN = FrameMeasures(400.0, 50.0, 128.0, 128.0)


def step(number: int, given: FrameMeasures | None = PLAIN, first: FrameMeasures = PLAIN, psnr_db: float = 40) -> Step:
    frame = ChosenFrame("frame:a:last", number - 1, "a_t1", None, "c" * 64, f"png{number}", "frames/a.png")
    measured = MeasuredClip("c" * 64, first, PLAIN, given, psnr_db, f"png{number}")
    if number == 1:
        return Step(1, "s1_t1", None, MeasuredClip("c" * 64, first, PLAIN))
    return Step(number, f"s{number}_t1", frame, measured)


SOFTER = replace(PLAIN, sharpness=240.0)
FLATTER = replace(PLAIN, contrast=44.0)
WARMER = replace(PLAIN, cb=123.0, cr=128.0)


@pytest.mark.parametrize(
    ("firsts", "wanted"),
    [
        ((PLAIN, PLAIN), []),
        ((SOFTER,), []),
        (
            (SOFTER, SOFTER),
            ["drifts: over 2 joins since s1_t1 the picture became softer (sharpness 36%)"],
        ),
        (
            (FLATTER, FLATTER),
            ["drifts: over 2 joins since s1_t1 the picture became flatter (contrast 77%)"],
        ),
        (
            (replace(PLAIN, contrast=65.0),),
            ["drifts: over 1 join since s1_t1 the picture became harsher (contrast 130%)"],
        ),
        (
            (WARMER, WARMER),
            ["drifts: over 2 joins since s1_t1 the picture shifted in colour (by 10.0 levels)"],
        ),
        ((replace(PLAIN, sharpness=900.0),), []),
    ],
)
def test_only_what_all_joins_change_together_is_a_warning(firsts: tuple[FrameMeasures, ...], wanted: list[str]) -> None:
    line = (step(1), *(step(number, first=first) for number, first in enumerate(firsts, start=2)))
    assert Drift(line).doubts == wanted


def test_a_clip_that_ends_unlike_its_given_last_frame_is_warned_about() -> None:
    closing = ChosenFrame("frame:b:first", 2, "b_t1", None, "d" * 64, "png", "frames/b.png")
    measured = MeasuredClip("c" * 64, PLAIN, PLAIN, closing_psnr_db=24.9, closing_png_sha256="png")
    ended = Step(1, "s1_t1", None, measured, closing)
    assert Drift((ended,)).doubts == ["does not end on the last frame that it was given: PSNR 24.9 dB, less than 25 dB"]
    assert Drift((replace(ended, closing=replace(closing, png_sha256="other")),)).doubts == []


def test_measures_from_before_last_frames_were_measured_are_read() -> None:
    measured = MeasuredClip("c" * 64, PLAIN, PLAIN, PLAIN, 40.0, "png")
    told = {name: each for name, each in measured.told.items() if not name.startswith("closing")}
    assert MeasuredClip.of(told) == measured


def test_a_jump_is_a_warning_of_its_own() -> None:
    assert Drift((step(1), step(2, psnr_db=24.9))).doubts == [
        "its first frame does not match the frame that it was given: PSNR 24.9 dB, less than 25 dB"
    ]


def test_a_clip_that_changes_between_its_ends_is_no_warning() -> None:
    other = replace(PLAIN, sharpness=10.0, contrast=10.0)
    drift = Drift((step(1), step(2, given=other, first=other)))
    assert (drift.doubts, drift.first) == ([], Change(0.025, 0.2, 0.0, 0.0))


@pytest.mark.parametrize(
    "line",
    [
        (step(1), replace(step(2), measured=None), step(3)),
        (step(2), step(3)),
        (step(1), step(2), step(3, given=None)),
        (step(1), replace(step(2), measured=replace(step(2).measured, png_sha256="another")), step(3)),  # type: ignore[type-var]
    ],
    ids=["a clip without measures", "no beginning", "no frame", "another frame"],
)
def test_what_one_join_lacks_is_unknown_of_all(line: tuple[Step, ...]) -> None:
    assert (Drift(line).joins, Drift(line).told["joins"]) == (None, None)


def test_the_first_clip_of_a_chain_has_no_join() -> None:
    told = Drift((step(1),)).told
    assert (told["start"], told["join_psnr_db"], told["joins"]) == ("s1_t1", None, None)
    assert told["last"] == {"sharpness": 1.0, "contrast": 1.0, "colour": 0.0}


def test_a_plain_picture_has_nothing_to_lose() -> None:
    plain = replace(PLAIN, sharpness=0.5, contrast=0.4)
    assert Change.between(PLAIN, plain) == Change(None, None, 0.0, 0.0)
    assert Change(None, None, 0.0, 0.0).then(Change(0.5, 0.5, 1.0, 1.0)) == Change(None, None, 1.0, 1.0)


def test_a_line_goes_back_to_its_beginning_and_never_round_in_a_circle() -> None:
    steps = {number: step(number) for number in (1, 2, 3)}
    assert line_of(3, steps.get) == (steps[1], steps[2], steps[3])
    round_again = {**steps, 1: replace(step(2), take_id=1, frame=replace(steps[2].frame, take_id=3))}  # type: ignore[type-var]
    assert [each.take_id for each in line_of(3, round_again.get)] == [1, 2, 3]


@pytest.mark.parametrize("value", [float("nan"), "inf", None, [], "much"])
def test_what_is_no_number_is_no_measure(value: object) -> None:
    told = MeasuredClip("c", PLAIN, PLAIN, PLAIN, 40.0, "p").told
    assert MeasuredClip.of(told) == MeasuredClip("c", PLAIN, PLAIN, PLAIN, 40.0, "p")
    with pytest.raises((TypeError, ValueError)):
        MeasuredClip.of({**told, "first": {**told["first"], "cb": value}})
