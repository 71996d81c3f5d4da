"""A sound that a shot is given: WAV or MP3 by its content, decoded to its end, and without its tags."""

from __future__ import annotations

import io
from typing import Any

import av
import av.error

from wanbatch.clip.bounds import CHANNELS_MAX, RATE_HZ_MAX
from wanbatch.clip.check import judged
from wanbatch.clip.given import SOUND_S_MAX, GivenBytes
from wanbatch.errors import MediaInvalid

_MIMES = {"wav": "audio/wav", "mp3": "audio/mpeg"}
_OTHER = "is not a WAV or MP3 file (judged by its content, not its name)"
_CAREFUL = {"protocol_whitelist": "none"}


def read_sound(source: bytes) -> GivenBytes:
    """Check a sound to its last sample, and return what is sent for it. Slow: run it off the event loop.

    Raises MediaInvalid with the reason, worded to follow the name of the file.
    """
    form = _form_of(source)
    try:
        with judged("reading an audio file"), av.open(io.BytesIO(source), "r", format=form, options=_CAREFUL) as sound:
            return _read(sound, form)
    except MediaInvalid as error:
        raise error if str(error).startswith(("is ", "has ")) else _damaged(error) from error


def _damaged(error: MediaInvalid) -> MediaInvalid:
    return MediaInvalid(f"is damaged: its sound cannot be decoded ({str(error).rpartition(': ')[2]})")


def _form_of(source: bytes) -> str:
    if source[:4] == b"RIFF" and source[8:12] == b"WAVE":
        return "wav"
    if source[:3] == b"ID3" or (source[:1] == b"\xff" and source[1:2] and source[1] & 0xE6 == 0xE2):
        return "mp3"
    raise MediaInvalid(_OTHER)


def _read(sound: Any, form: str) -> GivenBytes:
    if len(sound.streams.audio) != 1:
        raise MediaInvalid(f"has {len(sound.streams.audio)} audio tracks; it may have only one")
    track = sound.streams.audio[0]
    if form == "mp3" and not track.codec_context.name.startswith("mp3"):
        raise MediaInvalid(_OTHER)  # an MP2 with a tag: what is sent has to be what its type says
    if track.codec_context.channels > CHANNELS_MAX or track.codec_context.sample_rate > RATE_HZ_MAX:
        raise MediaInvalid(f"has more than {CHANNELS_MAX} channels, or more than {RATE_HZ_MAX} samples a second")
    made = io.BytesIO()
    samples, rate = 0, track.codec_context.sample_rate
    with av.open(made, "w", format=form, options={"write_xing": "0"} if form == "mp3" else {}) as target:
        copy = target.add_stream_from_template(track)
        copy.metadata.clear()
        for packet in sound.demux(track):
            samples += sum(frame.samples for frame in packet.decode())
            if samples > SOUND_S_MAX * rate:
                raise MediaInvalid(f"is longer than {SOUND_S_MAX:g} s, the longest audio that wanbatch sends")
            if packet.dts is not None:
                packet.stream = copy
                target.mux(packet)
    if not samples:
        raise MediaInvalid("has no sound in it")
    return GivenBytes(form=form.upper(), mime=_MIMES[form], sent=made.getvalue(), duration_s=round(samples / rate, 2))
