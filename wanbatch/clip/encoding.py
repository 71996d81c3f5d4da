"""Encoding: pictures and a tone become a clip. The cut and the sandbox use it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import av
import av.codec.codec
import av.error
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

AUDIO_RATE_HZ = 48_000


TONE_LEVEL = 0.1  # -20 dBFS, as line-up tones are


@dataclass(frozen=True)
class ClipSpec:
    """What a clip should be: even width and height in pixels, frames a second, seconds, and whether it has sound."""

    width: int
    height: int
    fps: int
    duration_s: int
    has_audio: bool

    @property
    def frames(self) -> int:
        """How many frames it has."""
        return self.fps * self.duration_s


def encode_clip(spec: ClipSpec, pictures: Iterable[NDArray[np.uint8]], tone_hz: float, target: Path | BinaryIO) -> None:
    """Encode a clip: H.264 with the index in front (in memory: at the end), and AAC with a tone if sound is wanted.

    A picture is YUV 4:2:0 as one array of 1.5 times the height by the width, the colour planes after the
    brightness. It is copied before the next is asked for, so one array may be painted over and over.
    The same arguments give the same bytes. The interpreter is free for other threads while a frame is encoded.
    """
    where = str(target) if isinstance(target, Path) else target
    with av.open(where, "w", format="mp4", options=_OPTIONS[isinstance(target, Path)]) as container:
        video = _add_video(container, spec)
        audio = _add_audio(container) if spec.has_audio else None
        frame = VideoFrame(spec.width, spec.height, "yuv420p")
        frame.time_base = Fraction(1, spec.fps)
        planes = planes_within(frame)
        for number, picture in enumerate(pictures):
            _copy(picture, planes)
            frame.pts = number
            container.mux(video.encode(frame))  # x264 copies the picture before it returns, so one frame will do
            if audio is not None and number % spec.fps == 0:
                container.mux(audio.encode(_tone(tone_hz, number // spec.fps)))
        container.mux(video.encode(None))
        if audio is not None:
            container.mux(audio.encode(None))


_OPTIONS = {
    True: {"movflags": "+faststart", "fflags": "+bitexact"},
    False: {"fflags": "+bitexact"},  # the index is moved by reading the file again, which has no name in memory
}
"""Options for writing to a file (True) and into memory (False)."""


def planes_within(frame: VideoFrame) -> list[NDArray[np.uint8]]:
    """Return the planes of a frame as views: writing into them changes the frame."""
    return [
        np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)[:, : plane.width]
        for plane in frame.planes
    ]


def _copy(picture: NDArray[np.uint8], planes: list[NDArray[np.uint8]]) -> None:
    flat, at = picture.reshape(-1), 0
    for plane in planes:
        plane[:] = flat[at : at + plane.size].reshape(plane.shape)
        at += plane.size


def _add_video(container: OutputContainer, spec: ClipSpec) -> VideoStream:
    video = container.add_stream("libx264", rate=spec.fps)
    video.width, video.height, video.pix_fmt = spec.width, spec.height, "yuv420p"
    # A fixed quantiser: with a target rate x264 would analyse every frame twice.
    video.options = {"preset": "ultrafast", "qp": "26", "x264-params": "threads=1:keyint=60:colormatrix=smpte170m"}
    video.codec_context.thread_count = 1  # the bytes must not depend on the number of cores
    return video


def _add_audio(container: OutputContainer) -> AudioStream:
    audio = container.add_stream("aac", rate=AUDIO_RATE_HZ)
    audio.layout, audio.bit_rate = "mono", 48_000
    audio.options = {"aac_coder": "fast"}
    return audio


def _tone(tone_hz: float, second: int) -> AudioFrame:
    """Return one second of a tone; it fits onto the second before."""
    turns = (second + np.arange(AUDIO_RATE_HZ) / AUDIO_RATE_HZ) * tone_hz
    samples = (TONE_LEVEL * np.sin(2 * np.pi * turns)).astype(np.float32)[np.newaxis, :]
    frame = AudioFrame.from_ndarray(samples, format="fltp", layout="mono")
    frame.sample_rate, frame.pts = AUDIO_RATE_HZ, second * AUDIO_RATE_HZ
    frame.time_base = Fraction(1, AUDIO_RATE_HZ)
    return frame
