"""Output folders of chains: clips that begin with frames of others, with frames kept and measures recorded."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path

from tests.films import Reel
from tests.output_folders import place_clip
from tests.reporting.states import begin
from wanbatch.batch.chosen_frames import ChosenFrame, fact_data
from wanbatch.batch.drift import FrameMeasures, MeasuredClip
from wanbatch.batch.frames import frame_in
from wanbatch.batch.lifecycle import Fact
from wanbatch.batch.shots import Batch, Shot
from wanbatch.batch.take import Take
from wanbatch.clip.frames import draw_frame

FIRST = FrameMeasures(400.0, 50.0, 128.0, 128.0)
WORSE = FrameMeasures(240.0, 46.0, 125.0, 132.0)


def make_chain(
    output: Path, links: Mapping[str, str], *, is_measured: bool = True, sandbox: bool = True, broken: str = ""
) -> Path:
    """Make a folder of shots in this order, each with the frame that it begins with (`a:last`), empty for none.

    `>b:first` is the frame that it ends with. The joins of the shots in `broken` do not meet.
    """
    shots = [
        Shot(
            shot_id,
            number,
            {"model": "m", "prompt": "p", "duration": 1, **_given(each)},
        )
        for number, (shot_id, each) in enumerate(links.items())
    ]
    pen = begin(output, Batch("walk", tuple(shots)), sandbox=sandbox)
    takes = {take.shot_id: take.take_id for take in pen.state.takes()}
    (output / "frames").mkdir()
    ordered = sorted(enumerate(links.items()), key=lambda place: place[1][1].startswith(">"))
    for number, (shot_id, each) in ordered:  # a clip is there before others are given its frames
        frame = None
        for reference in _given(each).values():
            frame = _kept(output, pen.state.take(takes[reference.split(":")[1]]), reference)
            pen.tell(takes[shot_id], Fact.FRAMES_CHOSEN, **fact_data(1, [frame]))
        place_clip(pen, pen.state.take(takes[shot_id]), Reel(number + 1))
        if is_measured:
            sha256 = str(pen.state.take(takes[shot_id]).sha256)
            measured = MeasuredClip(sha256, FIRST, WORSE)
            if frame is not None and each.startswith(">"):
                closing = {
                    "closing_psnr_db": 12.5 if shot_id in broken else 28.5,
                    "closing_png_sha256": frame.png_sha256,
                }
                measured = MeasuredClip(sha256, FIRST, WORSE, **closing)
            elif frame is not None:
                measured = MeasuredClip(
                    sha256, WORSE, WORSE, FIRST, 14.5 if shot_id in broken else 31.5, frame.png_sha256
                )
            pen.tell(takes[shot_id], Fact.MEASURED, **measured.told)
    pen.state.close()
    return output


def _given(link: str) -> dict[str, str]:
    name = "last_image_url" if link.startswith(">") else "image_url"
    return {name: f"frame:{link.removeprefix('>')}"} if link else {}


def _kept(output: Path, source: Take, reference: str) -> ChosenFrame:
    frame = frame_in(reference)
    assert frame is not None
    png = draw_frame(output / str(source.file), frame.moment)
    file = f"frames/{source.stem}_{frame.moment}.png"
    (output / file).write_bytes(png)
    return ChosenFrame(
        reference=reference,
        take_id=source.take_id,
        take=source.label,
        generation_id=source.generation_id,
        clip_sha256=str(source.sha256),
        png_sha256=hashlib.sha256(png).hexdigest(),
        file=file,
    )
