"""The join: a timeline written as one MP4, with chapters.

Frames are copied unchanged if the clips agree, else fitted and encoded once. Sound is always decoded and
encoded once: AAC comes in blocks of 1024 samples after a lead-in, so copied sound would be early or late by up to
half a block at every join, and would crackle there. Each clip's sound is trimmed or filled with silence to the length
of its pictures, to the sample.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import av.error
import numpy as np
from av.audio.stream import AudioStream
from av.container import OutputContainer
from av.packet import Packet
from av.video.frame import PictureType, VideoFrame
from av.video.stream import VideoStream

from wanbatch.clip.check import check_clip, fault_of, opened
from wanbatch.cut.avc import PROFILES, AvcRecord
from wanbatch.cut.slate import Picture
from wanbatch.cut.source import Samples, audio_frame, layout_of, measure, read_packets, read_pictures, read_sound
from wanbatch.cut.timeline import ClipFormat, Piece, Timeline
from wanbatch.errors import LocalFault, MediaInvalid, WanbatchError

AAC_BLOCK = 1024
BIT_RATE_PER_CHANNEL = 96_000
ENCODER_THREADS = 4  # the same on every machine: the bytes must not depend on the number of cores
REPORTED_EVERY = 10  # frames: encoding 1080p, some two times a second
QUALITY = "17"  # x264's crf: no eye tells it from the clip
_OPTIONS = {"movflags": "+faststart", "fflags": "+bitexact"}


@dataclass(frozen=True)
class Sources:
    """The sources of pieces: the file of a clip, the picture of a hole.

    `on_frames` is called with a piece and how many of its frames are written: every REPORTED_EVERY frames, and at
    its end.
    """

    clip: Callable[[Piece], Path]
    slate: Callable[[Piece], Picture]
    on_frames: Callable[[Piece, int], None] = lambda *_: None


def join(timeline: Timeline, sources: Sources, target: Path, *, reencode: bool) -> None:
    """Write a timeline. The same pieces give the same bytes. Slow if pictures are encoded.

    Without `reencode` the clips must agree (`Timeline.misfits`, `slate_misfit`). What was written is read back: its
    frames are counted and its end is decoded. Raises MediaInvalid for a clip that cannot be read, LocalFault if the
    disk fails.
    """
    try:
        with av.open(str(target), "w", format="mp4", options=_OPTIONS) as container:
            container.metadata["title"] = timeline.title
            container.set_chapters(
                [
                    {
                        "id": number,
                        "start": scene.begin,
                        "end": scene.begin + scene.frames,
                        "time_base": 1 / timeline.format.fps,
                        "metadata": {"title": scene.title},
                    }
                    for number, scene in enumerate(timeline.scenes, start=1)
                ]
            )
            pictures = (_Encoded if reencode else _Copied)(container, timeline, sources)
            sound = _Sound(container, timeline) if timeline.rate_hz is not None else None
            for piece in timeline.pieces:
                with _named(piece):
                    _write(piece, pictures, sound, sources)
                sources.on_frames(piece, piece.frames)
            pictures.end()
            if sound is not None:
                sound.end()
    except (av.error.FFmpegError, OSError) as error:
        raise LocalFault(f"cannot write {target}: {error.strerror or error}") from error
    except WanbatchError:
        raise
    except Exception as error:
        raise fault_of("joining clips", error) from error
    _assert_whole(target, timeline)


def _write(piece: Piece, pictures: _Copied | _Encoded, sound: _Sound | None, sources: Sources) -> None:
    if sound is not None:
        sound.begin(piece, None if piece.clip is None else sources.clip(piece))
    for number in pictures.write(piece):
        if sound is not None:
            sound.follow(number)
        if number % REPORTED_EVERY == 0:
            sources.on_frames(piece, number)


@contextmanager
def _named(piece: Piece) -> Iterator[None]:
    try:
        yield
    except MediaInvalid as error:
        raise MediaInvalid(f"{piece.label}: {error}") from error


def _assert_whole(target: Path, timeline: Timeline) -> None:
    # A full disk may go unnoticed until here: what is not flushed is not written.
    try:
        check_clip(target)
        made = measure(target)
    except MediaInvalid as error:
        raise LocalFault(f"{target} was not written completely ({error}): is the disk full?") from error
    if (made.frames, made.rate_hz) != (timeline.frames, timeline.rate_hz):
        raise LocalFault(f"{target} has {made.frames} frames instead of {timeline.frames}")


# --- pictures --------------------------------------------------------------------------------------------------------


class _Copied:
    """Pictures of clips that agree, packet by packet; slates are encoded to lie between them."""

    def __init__(self, container: OutputContainer, timeline: Timeline, sources: Sources) -> None:
        self._container, self._format = container, timeline.format
        self._sources = sources
        self._lag = max(piece.clip.lag for piece in timeline.pieces if piece.clip is not None)
        self._slates: dict[int, bytes] = {}
        first = next(piece for piece in timeline.pieces if piece.clip is not None)
        with opened(sources.clip(first)) as source:
            like = source.streams.video[0]
            self._stream = container.add_stream_from_template(like)
            colour = _Colour.of(like)
        for piece in timeline.holes:
            self._slates[piece.begin] = _slate_clip(sources.slate(piece), piece.frames, self._format, colour)
        if self._slates:
            self._stream.codec_context.extradata = _shared_headers(self._format, self._slates.values())
        self._stream.time_base = 1 / self._format.fps

    def write(self, piece: Piece) -> Iterator[int]:
        """Mux a piece; yields how many of its frames are written, after each."""
        clip = io.BytesIO(self._slates[piece.begin]) if piece.clip is None else self._sources.clip(piece)
        at = -1
        for at, (number, packet) in enumerate(read_packets(clip, self._format.fps)):
            self._mux(packet, piece.begin + number, piece.begin + at - self._lag)
            yield at + 1
        if at + 1 != piece.frames:
            raise MediaInvalid(f"it has {at + 1} frames now; it had {piece.frames}")

    def _mux(self, packet: Packet[VideoStream], shown_at: int, decoded_at: int) -> None:
        packet.stream, packet.time_base = self._stream, 1 / self._format.fps
        packet.pts, packet.dts, packet.duration = shown_at, decoded_at, 1
        self._container.mux(packet)

    def end(self) -> None:
        """Do nothing: no packet waits."""


class _Encoded:
    """Pictures of any clips, fitted into one frame and encoded again; each piece begins with a key frame."""

    def __init__(self, container: OutputContainer, timeline: Timeline, sources: Sources) -> None:
        self._container, self._format, self._sources = container, timeline.format, sources
        like = timeline.format
        first = next(piece for piece in timeline.pieces if piece.clip is not None and piece.clip.format == like)
        with opened(sources.clip(first)) as source:
            self._colour = _Colour.of(source.streams.video[0])
        self._stream: VideoStream = container.add_stream("libx264", rate=like.fps)
        self._stream.width, self._stream.height = like.width - like.width % 2, like.height - like.height % 2
        self._stream.pix_fmt = "yuv420p"
        self._stream.options = {
            "preset": "veryfast",
            "crf": QUALITY,
            "forced-idr": "1",
            "x264-params": f"keyint={_key_every(like)}",
        }
        self._stream.codec_context.thread_count = ENCODER_THREADS
        self._stream.codec_context.sample_aspect_ratio = like.sample_aspect
        self._colour.apply(self._stream)

    def write(self, piece: Piece) -> Iterator[int]:
        """Encode a piece; yields how many of its frames are fed, after each."""
        for number, frame in enumerate(self._pictures(piece)):
            frame.pts, frame.time_base = piece.begin + number, 1 / self._format.fps
            frame.pict_type = (
                PictureType.I if number == 0 else PictureType.NONE
            )  # else x264 would repeat the clip's own
            self._container.mux(self._stream.encode(frame))
            yield number + 1

    def _pictures(self, piece: Piece) -> Iterable[VideoFrame]:
        width, height = self._stream.width, self._stream.height
        if piece.clip is None:
            picture = _still(self._sources.slate(piece), self._format, self._colour)
            return (picture for _ in range(piece.frames))
        return read_pictures(self._sources.clip(piece), piece.frames, self._format.fps, width, height)

    def end(self) -> None:
        """Write what is left in the encoder."""
        self._container.mux(self._stream.encode(None))


def _key_every(like: ClipFormat) -> int:
    return round(2 * like.fps)


@dataclass(frozen=True)
class _Colour:
    """The colours that a clip declares, by the numbers of ITU-T H.273; 2 means not declared."""

    matrix: int
    primaries: int
    transfer: int
    value_range: int

    @classmethod
    def of(cls, video: VideoStream) -> _Colour:
        """Read what a track declares."""
        context = video.codec_context
        return cls(context.colorspace, context.color_primaries, context.color_trc, context.color_range)

    def apply(self, video: VideoStream) -> None:
        """Make an encoder declare the same."""
        context = video.codec_context
        context.colorspace, context.color_primaries = self.matrix, self.primaries
        context.color_trc, context.color_range = self.transfer, self.value_range

    def is_709(self, height: int) -> bool:
        """Say whether colours mix as in HD; if nothing is declared, players decide by the height."""
        return self.matrix == 1 or (self.matrix not in (5, 6) and height >= 720)


def _still(picture: Picture, like: ClipFormat, colour: _Colour) -> VideoFrame:
    frame = VideoFrame.from_image(picture)  # type: ignore[no-untyped-call]
    matrix = "ITU709" if colour.is_709(like.height) else "ITU601"
    still: VideoFrame = frame.reformat(format="yuv420p", dst_colorspace=matrix)
    return still


# --- slates between copied clips -------------------------------------------------------------------------------------


def slate_misfit(like: ClipFormat) -> str:
    """Say why no slate can lie between copied clips of this format; empty if one can."""
    try:
        record = AvcRecord.parse(like.headers)
        record.free_id()
    except ValueError:
        return f"no slate can be put between copied clips of {like.codec}"
    is_plain = like.codec == "h264" and like.pixel_format == "yuv420p" and like.sample_aspect == 1
    if not is_plain or record.profile not in PROFILES or not record.has_long_lengths:
        return "no slate can be put between copied clips of this kind of H.264"
    return ""


def _slate_clip(picture: Picture, frames: int, like: ClipFormat, colour: _Colour) -> bytes:
    """Encode a still as a clip of this format, with parameter sets under an id that the clips do not use.

    So one track holds both: its record lists both kinds, and each picture names its own.
    """
    record = AvcRecord.parse(like.headers)
    written = io.BytesIO()
    with av.open(written, "w", format="mp4", options={"fflags": "+bitexact"}) as container:
        video = container.add_stream("libx264", rate=like.fps)
        video.width, video.height, video.pix_fmt = like.width, like.height, "yuv420p"
        own = f"sps-id={record.free_id()}:bframes=0:scenecut=0:keyint={_key_every(like)}"
        video.options = {"preset": "fast", "crf": "16", "profile": PROFILES[record.profile], "x264-params": own}
        video.codec_context.thread_count = 1
        colour.apply(video)
        still = _still(picture, like, colour)
        still.time_base = 1 / like.fps
        for number in range(frames):
            still.pts = number
            container.mux(video.encode(still))
        container.mux(video.encode(None))
    return written.getvalue()


def _shared_headers(like: ClipFormat, slates: Iterable[bytes]) -> bytes:
    headers = {measure(io.BytesIO(slate)).format.headers for slate in slates}
    if len(headers) != 1:
        raise LocalFault("the encoder used several settings for slates of one format: use --reencode")
    return bytes(AvcRecord.parse(like.headers).with_sets_of(AvcRecord.parse(headers.pop())))


# --- sound -----------------------------------------------------------------------------------------------------------


class _Sound:
    """The sound of a cut: read clip by clip, encoded in whole blocks, never far from the pictures."""

    def __init__(self, container: OutputContainer, timeline: Timeline) -> None:
        assert timeline.rate_hz is not None
        self._container = container
        self._fps, self._rate_hz, self._channels = timeline.format.fps, timeline.rate_hz, timeline.channels
        self._stream: AudioStream = container.add_stream("aac", rate=self._rate_hz)
        self._stream.layout = layout_of(self._channels)
        self._stream.bit_rate = BIT_RATE_PER_CHANNEL * self._channels
        self._piece: Samples = np.zeros((self._channels, 0), np.float32)
        self._waiting = self._piece
        self._first_frame = self._fed = self._encoded = 0

    def _sample_at(self, frame: int) -> int:
        # By the place in the whole cut: lengths rounded one by one would drift.
        return round(Fraction(frame) * self._rate_hz / self._fps)

    def begin(self, piece: Piece, clip: Path | None) -> None:
        """Add the sound of a piece, as long as its pictures; silence if it has none."""
        self._first_frame, self._fed = piece.begin, 0
        samples = self._sample_at(piece.begin + piece.frames) - self._sample_at(piece.begin)
        if clip is None:
            self._piece = np.zeros((self._channels, samples), np.float32)
        else:
            self._piece = read_sound(clip, self._rate_hz, self._channels, samples)

    def follow(self, frames: int) -> None:
        """Encode up to where the pictures of the piece are."""
        until = self._sample_at(self._first_frame + frames) - self._sample_at(self._first_frame)
        line = np.concatenate((self._waiting, self._piece[:, self._fed : until]), axis=1)
        self._fed = until
        whole = line.shape[1] - line.shape[1] % AAC_BLOCK
        for begin in range(0, whole, AAC_BLOCK):
            self._encode(line[:, begin : begin + AAC_BLOCK])
        self._waiting = line[:, whole:]

    def end(self) -> None:
        """Encode what waits and what is left in the encoder."""
        if self._waiting.shape[1]:
            self._encode(self._waiting)
        self._container.mux(self._stream.encode(None))

    def _encode(self, block: Samples) -> None:
        self._container.mux(self._stream.encode(audio_frame(block, self._rate_hz, self._encoded)))
        self._encoded += block.shape[1]
