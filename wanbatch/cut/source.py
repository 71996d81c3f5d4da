"""The source of a piece: what a cut reads from a clip. Its measure, its packets, its fitted pictures, its sound.

Everything is placed by the clip's own times: an edit list, a lead-in of the encoder or late sound are
allowed for by the frame and by the sample.
"""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import BinaryIO

import av
import numpy as np
from av.audio.frame import AudioFrame
from av.audio.resampler import AudioResampler
from av.container import InputContainer
from av.packet import Packet
from av.video.frame import VideoFrame
from av.video.stream import VideoStream
from numpy.typing import NDArray

from wanbatch.clip.check import opened
from wanbatch.clip.encoding import planes_within
from wanbatch.cut.timeline import ClipFormat, Measured
from wanbatch.errors import MediaInvalid

DECODER_THREADS = 2
FRAMES_MAX = 200_000  # of one clip: no clip of ours has more
_NEAR_FRAME = 0.3  # how far from its place, in frames, a frame may be: files round their times
_BLACK, _GREY = 16, 128

Samples = NDArray[np.float32]
"""Sound as channels by samples, from -1 to 1."""


def measure(clip: Path | BinaryIO) -> Measured:
    """Measure a clip by its packets alone. Raises MediaInvalid, or OSError if it cannot be read."""
    with opened(clip) as container:
        video = _video(container)
        context = video.codec_context
        if (
            context.width < 2 or context.height < 2 or context.format is None
        ):  # some versions of PyAV end the process if pix_fmt is read then
            raise MediaInvalid("the clip declares no frame size")
        packets = _packets(container, video)
        fps = _frame_rate(video, packets)
        sounds = container.streams.audio
        rate_hz = sounds[0].codec_context.sample_rate if sounds else 0
        numbers = _frame_numbers(packets, fps, video)
        return Measured(
            format=ClipFormat(
                codec=context.name,
                width=context.width,
                height=context.height,
                fps=fps,
                pixel_format=context.format.name,
                sample_aspect=Fraction(
                    context.sample_aspect_ratio or 1
                ),  # from PyAV 19 on a type of its own, 0 if not declared
                headers=bytes(context.extradata or b""),
                is_even=numbers is not None,
            ),
            frames=len(packets),
            lag=max(at - number for at, number in enumerate(numbers or [0])),
            rate_hz=rate_hz or None,
            channels=sounds[0].codec_context.channels if rate_hz else 0,
        )


def _video(container: InputContainer) -> VideoStream:
    if not container.streams.video:
        raise MediaInvalid("the file has no video track")
    return container.streams.video[0]


def _packets(container: InputContainer, video: VideoStream) -> list[Packet[VideoStream]]:
    """Read the video packets in decoding order."""
    packets = []
    for packet in container.demux(video):
        if packet.pts is None or packet.dts is None:
            continue
        packets.append(packet)
        if len(packets) > FRAMES_MAX:
            raise MediaInvalid(f"the clip has more than {FRAMES_MAX} frames")
    if not packets:
        raise MediaInvalid("the clip has no frames")
    return packets


def _frame_rate(video: VideoStream, packets: list[Packet[VideoStream]]) -> Fraction:
    for rate in (video.average_rate, video.guessed_rate):
        if rate is not None and 1 <= rate <= 240:
            near = next((fps for fps in _USUAL_RATES if abs(float(rate / fps) - 1) < 1e-4), None)
            return near or Fraction(rate).limit_denominator(1001)
    raise MediaInvalid(f"the clip declares no frame rate for its {len(packets)} frames")


_USUAL_RATES = tuple(Fraction(each) for each in (24, 25, 30, 48, 50, 60)) + tuple(
    Fraction(each * 1000, 1001) for each in (24, 30, 60)
)


def _frame_numbers(packets: list[Packet[VideoStream]], fps: Fraction, video: VideoStream) -> list[int] | None:
    """Say which frame each packet is, counted from 0 as they are shown.

    None if they are not evenly spaced, or the first cannot be shown without one before it.
    """
    time_base = video.time_base or Fraction(1, av.time_base)
    if not packets[0].is_keyframe or any(packet.is_discard for packet in packets):
        return None
    zero = min(packet.pts for packet in packets if packet.pts is not None)
    places = [float(((packet.pts or 0) - zero) * time_base * fps) for packet in packets]
    numbers = [round(place) for place in places]
    is_near = all(abs(place - number) <= _NEAR_FRAME for place, number in zip(places, numbers, strict=True))
    return numbers if is_near and sorted(numbers) == list(range(len(numbers))) else None


def read_packets(clip: Path | BinaryIO, fps: Fraction) -> Iterator[tuple[int, Packet[VideoStream]]]:
    """Yield the frame number and packet of each picture in decoding order. Raises MediaInvalid for uneven ones."""
    with opened(clip) as container:
        video = _video(container)
        packets = _packets(container, video)
        numbers = _frame_numbers(packets, fps, video)
        if numbers is None:
            raise MediaInvalid("its frames are not evenly spaced")
        yield from zip(numbers, packets, strict=True)


# --- pictures --------------------------------------------------------------------------------------------------------


def read_pictures(clip: Path, frames: int, fps: Fraction, width: int, height: int) -> Iterator[VideoFrame]:
    """Decode a clip to this number of pictures, rate and size: what it shows in the middle of each, fitted in.

    If it ends early, its last picture stays. Raises MediaInvalid.
    """
    with opened(clip) as container:
        video = _video(container)
        video.codec_context.thread_count = DECODER_THREADS
        time_base, zero = video.time_base or Fraction(1, av.time_base), video.start_time or 0
        made = 0
        shown: VideoFrame | None = None
        for frame in container.decode(video):
            if frame.pts is None:
                continue
            begin_s = (frame.pts - zero) * time_base
            while shown is not None and made < frames and (made + Fraction(1, 2)) / fps < begin_s:
                yield shown
                made += 1
            if made == frames:
                return
            shown = _fitted(frame, width, height)
        if shown is None:
            raise MediaInvalid("no frame of the clip can be decoded")
        for _ in range(made, frames):
            yield shown


def _fitted(frame: VideoFrame, width: int, height: int) -> VideoFrame:
    """Scale a picture to fit into a frame, with black bars if it has another shape; sides stay even."""
    if (frame.width, frame.height, frame.format.name) == (width, height, "yuv420p"):
        return frame
    scale = min(Fraction(width, frame.width), Fraction(height, frame.height))
    inner_width, inner_height = _even(frame.width * scale, width), _even(frame.height * scale, height)
    inner = frame.reformat(inner_width, inner_height, "yuv420p", interpolation="LANCZOS")
    if (inner_width, inner_height) == (width, height):
        return inner
    outer = VideoFrame(width, height, "yuv420p")
    left, top = (width - inner_width) // 4 * 2, (height - inner_height) // 4 * 2
    planes = zip(planes_within(outer), planes_within(inner), (1, 2, 2), (_BLACK, _GREY, _GREY), strict=True)
    for target, source, step, ground in planes:
        target[:] = ground
        y, x = top // step, left // step
        target[y : y + source.shape[0], x : x + source.shape[1]] = source
    return outer


def _even(side: Fraction, most: int) -> int:
    return max(2, min(most, round(side / 2) * 2))


# --- sound -----------------------------------------------------------------------------------------------------------


def read_sound(clip: Path, rate_hz: int, channels: int, samples: int) -> Samples:
    """Decode a clip's sound: as many samples as asked for, from the moment of its first picture.

    What begins later, ends earlier or has gaps is filled with silence. Raises MediaInvalid.
    """
    with opened(clip) as container:
        sounds = container.streams.audio
        if not sounds:
            return np.zeros((channels, samples), np.float32)
        video, sound = _video(container), sounds[0]
        begin_s = (video.start_time or 0) * (video.time_base or Fraction(1, av.time_base))
        own_hz = sound.codec_context.sample_rate
        heard = np.zeros((channels, -(-samples * own_hz // rate_hz) + own_hz), np.float32)
        mixer = AudioResampler(format="fltp", layout=layout_of(channels), rate=own_hz)
        for frame in container.decode(sound):
            if frame.pts is None or not frame.time_base:
                continue
            at = round((frame.pts * frame.time_base - begin_s) * own_hz)
            for mixed in mixer.resample(frame):
                block = mixed.to_ndarray().astype(np.float32, copy=False)
                _lay(block, heard, at)
                at += block.shape[1]
        return _at_rate(heard, own_hz, rate_hz)[:, :samples]


def _lay(block: Samples, line: Samples, at: int) -> None:
    """Write a block into a buffer at a sample; what is outside of the buffer is left out."""
    begin, end = max(0, at), min(line.shape[1], at + block.shape[1])
    if begin < end:
        line[:, begin:end] = block[:, begin - at : end - at]


def _at_rate(heard: Samples, own_hz: int, rate_hz: int) -> Samples:
    if own_hz == rate_hz:
        return heard
    layout = layout_of(len(heard))
    resampler = AudioResampler(format="fltp", layout=layout, rate=rate_hz)
    frame = audio_frame(heard, own_hz, 0)
    parts = [part.to_ndarray() for part in (*resampler.resample(frame), *resampler.resample(None))]
    return np.concatenate(parts, axis=1)


def layout_of(channels: int) -> str:
    """Name the layout of this many channels as FFmpeg does: mono for one, else stereo."""
    return "mono" if channels == 1 else "stereo"


def audio_frame(samples: Samples, rate_hz: int, at: int) -> AudioFrame:
    """Make a frame of samples (channels by samples, floats from -1 to 1) that begins `at` samples into the sound."""
    frame = AudioFrame.from_ndarray(np.ascontiguousarray(samples), format="fltp", layout=layout_of(len(samples)))
    frame.sample_rate, frame.pts, frame.time_base = rate_hz, at, Fraction(1, rate_hz)
    return frame
