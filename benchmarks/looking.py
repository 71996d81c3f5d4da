"""What a look at a clip costs in CPU, beside the checks that were there before it.

The clips are hard ones: fine texture that moves, with grain, at a quality above what a provider sends. Times are CPU
of one thread, the median of some runs, since a look is bound to one.
"""

from __future__ import annotations

import statistics
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import av
import numpy as np

from wanbatch.clip.check import check_clip
from wanbatch.clip.measuring import look_at

RUNS = 5
FPS = 30
CLIPS = {"5 s of 1280x720": (1280, 720, 5), "15 s of 1920x1080": (1920, 1080, 15)}


def shoot(target: Path, width: int, height: int, length_s: int) -> None:
    rng = np.random.default_rng(1)
    coarse = rng.integers(0, 120, (height // 4 + 60, width // 4 + 60)).astype(np.uint8)
    scenery = np.kron(coarse, np.ones((4, 4), np.uint8)) + 60
    with av.open(str(target), "w", format="mp4") as container:
        video = container.add_stream("libx264", rate=FPS)
        video.width, video.height, video.pix_fmt = width, height, "yuv420p"
        video.options = {"preset": "medium", "crf": "20"}
        sound = container.add_stream("aac", rate=48_000)
        sound.layout = "stereo"
        picture = np.full((height * 3 // 2, width), 128, np.uint8)
        for number in range(FPS * length_s):
            at = number // 2 % 200
            picture[:height] = scenery[at : at + height, at : at + width] + rng.integers(0, 6, (height, width))
            frame = av.VideoFrame.from_ndarray(picture, format="yuv420p")
            frame.pts = number
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        wave = np.sin(np.arange(48_000 * length_s) / 20).astype(np.float32)
        heard = av.AudioFrame.from_ndarray(np.tile(wave, (2, 1)) / 4, "fltp", "stereo")
        heard.sample_rate = 48_000
        container.mux(sound.encode(heard))
        container.mux(sound.encode(None))


def cpu_ms(work: Callable[[Path], object], clip: Path) -> float:
    spent = []
    for _ in range(RUNS):
        began = time.thread_time()
        work(clip)
        spent.append(time.thread_time() - began)
    return statistics.median(spent) * 1000


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        for name, (width, height, length_s) in CLIPS.items():
            clip = Path(folder) / "clip.mp4"
            shoot(clip, width, height, length_s)
            look, check = cpu_ms(look_at, clip), cpu_ms(check_clip, clip)
            size = clip.stat().st_size / 1e6
            print(f"  {name}, {size:.1f} MB: a look {look:5.0f} ms, the check before it {check:5.0f} ms of CPU")


if __name__ == "__main__":
    main()
