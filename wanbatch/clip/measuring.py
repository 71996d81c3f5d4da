"""Measuring: a clip decoded once, for what is black, frozen, silent or damaged in it.

No more is decoded than that needs (`benchmarks/looking.py`). `black_and_frozen.py` and `silence.py` say when a clip
counts as one of these, `defects.py` which of it is a probable defect.

FFmpeg's own filters were tried in place of this (`benchmarks/filters.py`, the cases of the tests, sandbox clips).
`blackdetect` sees the same black at the same CPU, but notes no end for a stretch that lasts to the end of the clip, so
the stretches would still be followed here. `freezedetect` calls a still room with a burning candle frozen, and misses
a still of 2 s at the end. Both, with `astats` for the peak, cost some 100 ms more CPU than this for 5 s of 720p, and
370 to 530 ms more for 15 s of 1080p; the memory is the same.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import av
import av.error
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.stream import AudioStream
from av.container import InputContainer
from av.video.frame import VideoFrame
from av.video.reformatter import ColorRange

from wanbatch.clip.black_and_frozen import Luma, Watching
from wanbatch.clip.blame import Blame, blame_for
from wanbatch.clip.bounds import DECODED_PIXELS_MAX, HEARD_MAX, PIXELS_MAX
from wanbatch.clip.check import opened
from wanbatch.clip.defects import Look
from wanbatch.clip.silence import dbfs, peak_of
from wanbatch.errors import MediaInvalid

LINES = 180  # samples of each picture, at least: an eye that blinks in a medium shot covers four of them
PICTURES_MAX = 1_500  # 15 s at 60 a second, with room: longer clips are looked at up to here
PACKETS_MAX = 10 * PICTURES_MAX  # with the sound, and with packets that do not decode
_EIGHT_BIT = frozenset({"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "yuvj444p", "nv12", "gray"})


@dataclass(frozen=True)
class Reach:
    """How far a look goes: longer clips are looked at so far, and no decoder makes larger pictures."""

    pictures: int = PICTURES_MAX
    packets: int = PACKETS_MAX
    pixels: int = PIXELS_MAX  # of one picture


WHOLE = Reach()


def look_at(clip: Path | BinaryIO, reach: Reach = WHOLE) -> Look:
    """Look at a clip from beginning to end. Slow: run it off the event loop.

    Pictures that no other needs are skipped, which halves the work. What does not decode is reported
    (`Look.damaged_s`), and the rest is looked at. Raises MediaInvalid if there is nothing to see, else as `opened`
    does.
    """
    with opened(clip, pixels_max=reach.pixels) as container:
        if not container.streams.video:
            raise MediaInvalid("the file has no video track")
        return _Viewing(container, reach).look()


class _Viewing:
    """One pass over a clip's packets, pictures and sound as they come."""

    def __init__(self, container: InputContainer, reach: Reach) -> None:
        self._container = container
        self._reach = reach
        self._video = container.streams.video[0]
        self._video.codec_context.skip_frame = "NONREF"
        self._time_base = self._video.time_base or Fraction(1, av.time_base)
        self._zero = self._video.start_time or 0
        self._watching: Watching | None = None
        self._seen = 0
        self._pixels = 0
        self._heard = 0
        self._last_s = 0.0
        self._is_whole = False
        self._peak: float | None = None
        self._damaged_s: float | None = None

    def look(self) -> Look:
        """Decode the clip as far as it is looked at, and say what was seen and heard. Raises what decoding does."""
        for frame in self._frames():
            if isinstance(frame, AudioFrame):
                self._hear(frame)
            else:
                self._see(frame)
            if self._seen >= self._reach.pictures or self._pixels >= DECODED_PIXELS_MAX:
                break
        if self._watching is None:
            raise MediaInvalid("no frame of the clip can be decoded")
        end_s = self._end_s()
        black, still = self._watching.end(end_s)
        return Look(end_s, black, still, dbfs(self._peak), self._damaged_s)

    def _frames(self) -> Iterator[VideoFrame | AudioFrame]:
        streams = [self._video, *_openable(self._container)]
        for number, packet in enumerate(self._container.demux(streams)):
            if number == self._reach.packets:
                return
            try:
                frames = packet.decode()
            except av.error.FFmpegError as error:  # one packet: the next ones may be whole
                if blame_for(error) is not Blame.BYTES:
                    raise
                if packet.stream is self._video:
                    self._damage(packet.pts)
                continue
            for frame in frames:
                assert isinstance(frame, VideoFrame | AudioFrame)
                yield frame
        self._is_whole = True

    def _damage(self, pts: int | None) -> None:
        if self._damaged_s is None:
            self._damaged_s = self._last_s if pts is None else max(0.0, self._seconds(pts))

    def _seconds(self, pts: int) -> float:
        return float((pts - self._zero) * self._time_base)

    def _see(self, frame: VideoFrame) -> None:
        self._pixels += frame.width * frame.height
        if frame.is_corrupt:
            self._damage(frame.pts)
        if frame.pts is None:
            return
        if self._watching is None:
            self._watching = Watching(*((0, 255) if frame.color_range == ColorRange.JPEG else (16, 235)))
        self._last_s = self._seconds(frame.pts)
        self._watching.see(self._last_s, _luma(frame), is_key=frame.key_frame)
        self._seen += 1

    def _hear(self, frame: AudioFrame) -> None:
        if self._heard < HEARD_MAX:
            self._peak = max(self._peak or 0.0, peak_of(frame.to_ndarray()))
            self._heard += frame.samples * len(frame.layout.channels)

    def _end_s(self) -> float:
        if self._is_whole and self._video.duration is not None:
            return max(self._last_s, float(self._video.duration * self._time_base))
        return self._last_s


def _openable(container: InputContainer) -> tuple[AudioStream, ...]:
    """Return the first sound track if its decoder accepts its headers. The decoder of the pictures must accept them.

    A decoder that refused them must not get packets: PyAV may end the process.
    """
    container.streams.video[0].codec_context.open(strict=False)
    sounds = container.streams.audio[:1]
    try:
        for sound in sounds:
            sound.codec_context.open(strict=False)
    except av.error.FFmpegError as error:
        if blame_for(error) is Blame.BYTES:
            return ()
        raise
    return tuple(sounds)


def _luma(frame: VideoFrame) -> Luma:
    if frame.format.name not in _EIGHT_BIT:
        frame = frame.reformat(format="yuv420p")
    plane = frame.planes[0]
    step = max(1, min(plane.width, plane.height) // LINES)
    rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
    return rows[::step, : plane.width : step]
