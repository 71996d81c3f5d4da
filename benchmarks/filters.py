"""A look at a clip beside FFmpeg's own filters for black, still and silent stretches: what each sees, and its CPU.

`blackdetect` and `freezedetect` get the same pictures as our look, `astats` the same sound. Times are CPU of the
process over decoding alone, the median of some runs.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import av
import av.error
import av.filter
import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.looking import CLIPS, shoot  # noqa: E402
from wanbatch.clip.measuring import look_at  # noqa: E402

RUNS = 5
WIDTH, HEIGHT, FPS, LENGTH_S = 320, 176, 10, 5
SCENERY = np.kron(np.random.default_rng(3).integers(40, 200, (30, 90)).astype(np.uint8), np.ones((8, 8), np.uint8))
Picture = np.ndarray[Any, Any]


def moving(at_s: float) -> Picture:
    return SCENERY[:HEIGHT, round(at_s * 30) :][:, :WIDTH]


def still(_: float) -> Picture:
    return SCENERY[:HEIGHT, :WIDTH]


def black(_: float) -> Picture:
    return np.full((HEIGHT, WIDTH), 16, np.uint8)


def candle(at_s: float) -> Picture:
    picture = still(at_s).copy()
    picture[90:96, 150:154] = 90 + 60 * (round(at_s * FPS) % 3)
    return picture


STORIES: dict[str, Callable[[float], Picture]] = {
    "scenery that moves": moving,
    "black at the end": lambda at_s: moving(at_s) if at_s < 2 else black(at_s),
    "a fade-in of 1.5 s": lambda at_s: black(at_s) if at_s < 1.5 else moving(at_s),
    "a still at the end": lambda at_s: moving(at_s) if at_s < 2.9 else still(at_s),
    "a candle in a still room": candle,
}


def film(target: Path, paint: Callable[[float], Picture]) -> Path:
    with av.open(str(target), "w", format="mp4") as container:
        video = container.add_stream("libx264", rate=FPS)
        video.width, video.height, video.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        for number in range(FPS * LENGTH_S):
            picture = np.full((HEIGHT * 3 // 2, WIDTH), 128, np.uint8)
            picture[:HEIGHT] = paint(number / FPS)
            frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
            frame.pts = number
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
    return target


def graph(source: Any, is_sound: bool, *filters: tuple[str, str]) -> tuple[av.filter.Graph, Any]:
    made = av.filter.Graph()
    first = made.add_abuffer(template=source) if is_sound else made.add_buffer(template=source)
    chain = [first, *(made.add(*each) for each in filters), made.add("abuffersink" if is_sound else "buffersink")]
    for one, other in pairwise(chain):
        one.link_to(other)
    made.configure()
    return made, first


def pulled(made: av.filter.Graph) -> Iterator[Any]:
    while True:
        try:
            yield made.pull()
        except (av.error.BlockingIOError, av.error.EOFError):
            return


def run_filters(clip: Path, *filters: tuple[str, str], peak: bool = False) -> list[str]:
    """Decode a clip as a look does, through these filters; return what they noted in the pictures."""
    notes: list[str] = []
    with av.open(str(clip)) as container:
        video, sounds = container.streams.video[0], container.streams.audio[:1]
        video.codec_context.skip_frame = "NONREF"
        pictures, into = graph(video, False, *filters)
        sound, line = graph(sounds[0], True, ("astats", "metadata=1")) if peak and sounds else (None, None)
        for packet in container.demux([video, *sounds]):
            for frame in packet.decode():
                if isinstance(frame, av.VideoFrame):
                    into.push(frame)
                    notes += [
                        f"{key.rsplit('.')[-1]} {value}"
                        for each in pulled(pictures)
                        for key, value in each.metadata.items()
                    ]
                elif sound is not None and line is not None:
                    line.push(frame)
                    list(pulled(sound))
    return notes


BLACK, STILL = ("blackdetect", "d=2:pic_th=0.98:pix_th=0.10"), ("freezedetect", "n=-60dB:d=2")


def cpu_ms(work: Callable[[], object]) -> float:
    spent = []
    for _ in range(RUNS):
        began = time.process_time()
        work()
        spent.append(time.process_time() - began)
    return statistics.median(spent) * 1000


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, paint in STORIES.items():
            clip = film(Path(folder) / "story.mp4", paint)
            seen = look_at(clip)
            ours = [
                f"{what} {each.begin_s:g}-{each.end_s:g}" for what in ("black", "still") for each in getattr(seen, what)
            ]
            print(f"  {name}: look {ours or 'nothing'}, filters {run_filters(clip, BLACK, STILL) or 'nothing'}")
        for name, (width, height, length_s) in CLIPS.items():
            clip = Path(folder) / "clip.mp4"
            shoot(clip, width, height, length_s)
            base = cpu_ms(lambda clip=clip: run_filters(clip))
            figures = {
                "our look": cpu_ms(lambda clip=clip: look_at(clip)),
                "blackdetect": cpu_ms(lambda clip=clip: run_filters(clip, BLACK)),
                "blackdetect, freezedetect": cpu_ms(lambda clip=clip: run_filters(clip, BLACK, STILL)),
                "those and astats": cpu_ms(lambda clip=clip: run_filters(clip, BLACK, STILL, peak=True)),
            }
            print(f"  {name}: decoding {base:.0f} ms; beside it", end=" ")
            print(", ".join(f"{what} {spent - base:+.0f}" for what, spent in figures.items()))


if __name__ == "__main__":
    main()
