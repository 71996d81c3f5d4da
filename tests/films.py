"""Clips whose every frame says which it is, with sound that can be told apart by the sample; and how to read them."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.video.frame import VideoFrame
from numpy.typing import NDArray

RATE_HZ = 48_000
_BITS = 12  # of the frame number and of the clip's number
_CELL = 8
_MARK = 0b1011_0010_0110  # what no slate happens to show


@dataclass(frozen=True)
class Reel:
    """How a test clip is made. `sound_s` None is no sound; `sound_at_s` is when it begins."""

    number: int
    frames: int = 30
    fps: Fraction = Fraction(30)
    width: int = 128
    height: int = 96
    sound_s: float | None = 1.0
    sound_at_s: float = 0.0
    rate_hz: int = RATE_HZ
    channels: int = 2
    x264: str = "bframes=2:keyint=20"
    profile: str = "high"
    first_pts: int = 0
    codec: str = "libx264"


def noise(number: int, samples: int, channels: int = 1, rate_hz: int = RATE_HZ) -> NDArray[np.float32]:
    """Sound that is like itself at no other moment: a few slow waves of changing pitch, seeded by the number."""
    at = np.arange(samples) / rate_hz
    rng = np.random.default_rng(number)
    line = sum(
        np.sin(2 * np.pi * (low * at + (high - low) * at**2 / 8 + phase))
        for low, high, phase in zip(
            rng.uniform(200, 900, 6), rng.uniform(900, 3000, 6), rng.uniform(0, 1, 6), strict=True
        )
    )
    return np.tile((0.08 * line).astype(np.float32), (channels, 1))


def shoot(reel: Reel, target: Path) -> Path:
    """Make a clip."""
    layout = "mono" if reel.channels == 1 else "stereo"
    with av.open(str(target), "w", format="mp4") as container:
        video = container.add_stream(reel.codec, rate=reel.fps)
        video.width, video.height, video.pix_fmt = reel.width, reel.height, "yuv420p"
        if reel.codec == "libx264":
            video.options = {"preset": "veryfast", "profile": reel.profile, "x264-params": f"threads=1:{reel.x264}"}
        sound = None
        if reel.sound_s is not None:
            sound = container.add_stream("aac", rate=reel.rate_hz)
            sound.layout, sound.bit_rate = layout, 128_000
        for number in range(reel.frames):
            frame = VideoFrame.from_ndarray(_picture(reel, number), format="yuv420p")
            frame.pts, frame.time_base = reel.first_pts + number, 1 / reel.fps
            container.mux(video.encode(frame))
        container.mux(video.encode(None))
        if sound is not None and reel.sound_s is not None:
            line = noise(reel.number, round(reel.sound_s * reel.rate_hz), reel.channels, reel.rate_hz)
            begin = round((reel.sound_at_s + float(reel.first_pts / reel.fps)) * reel.rate_hz)
            for at in range(0, line.shape[1], 1024):
                block = AudioFrame.from_ndarray(np.ascontiguousarray(line[:, at : at + 1024]), "fltp", layout)
                block.sample_rate, block.pts, block.time_base = reel.rate_hz, begin + at, Fraction(1, reel.rate_hz)
                container.mux(sound.encode(block))
            container.mux(sound.encode(None))
    return target


def _picture(reel: Reel, number: int) -> NDArray[np.uint8]:
    picture = np.full((reel.height * 3 // 2, reel.width), 128, np.uint8)
    picture[: reel.height] = 60
    for row, value in enumerate((number, reel.number, _MARK)):
        for bit in range(_BITS):
            shade = 220 if value >> bit & 1 else 30
            picture[row * _CELL : (row + 1) * _CELL, bit * _CELL : (bit + 1) * _CELL] = shade
    return picture


def read_frames(film: Path, width: int = 128, height: int = 96) -> list[tuple[int, int] | None]:
    """Return clip number and frame number of every frame as shown; None for one that is not a frame of ours.

    `width` and `height` are those of the clips: in a larger frame they are looked for in its middle, scaled to fit.
    """
    found = []
    with av.open(str(film)) as container:
        times = []
        for frame in container.decode(container.streams.video[0]):
            assert frame.pts is not None
            times.append(frame.pts * frame.time_base)
            found.append(_read(frame.to_ndarray(format="gray"), width, height))
        fps = container.streams.video[0].average_rate
    assert times == [Fraction(number) / fps for number in range(len(times))], "a frame is not at its time"
    return found


def _read(gray: NDArray[np.uint8], width: int, height: int) -> tuple[int, int] | None:
    scale = min(gray.shape[1] / width, gray.shape[0] / height)
    left, top = (gray.shape[1] - width * scale) / 2, (gray.shape[0] - height * scale) / 2
    values = []
    for row in range(3):
        value = 0
        for bit in range(_BITS):
            shade = gray[round(top + (row + 0.5) * _CELL * scale), round(left + (bit + 0.5) * _CELL * scale)]
            if 80 < shade < 170:
                return None
            value |= int(shade > 128) << bit
        values.append(value)
    return (values[1], values[0]) if values[2] == _MARK else None


def read_line(film: Path) -> tuple[NDArray[np.float32], int]:
    """Decode the whole sound as a player does, mixed to one line, and its sample rate. It begins with the pictures."""
    with av.open(str(film)) as container:
        stream = container.streams.audio[0]
        rate_hz = stream.codec_context.sample_rate
        parts, at = [], 0
        for frame in container.decode(stream):
            assert frame.pts is not None
            assert round(frame.pts * frame.time_base * rate_hz) == at, "the sound has a gap"
            parts.append(frame.to_ndarray().mean(axis=0))
            at += frame.samples
    return np.concatenate(parts).astype(np.float32), rate_hz


def delay_of(line: NDArray[np.float32], wanted: NDArray[np.float32], begin: int, reach: int = 2_000) -> int:
    """Return by how many samples a sound lies later than wanted at `begin`: where the two are most alike."""
    window = wanted[reach:-reach]
    alike = [
        float(np.dot(line[begin + reach + shift : begin + reach + shift + len(window)], window))
        for shift in range(-reach, reach + 1)
    ]
    return int(np.argmax(alike)) - reach
