"""Sounds in the requests of the sandbox: accepted by their bytes, and refused as the provider refuses."""

from __future__ import annotations

import io
import json
import wave
from pathlib import Path

import av
import numpy as np
import pytest

from tests.pictures import LENS, add_lens, tone
from tests.sandbox.test_given_pictures import url
from wanbatch.clip.given_sound import read_sound
from wanbatch.errors import MediaInvalid
from wanbatch.sandbox.data_urls import given_in
from wanbatch.sandbox.models import models_served
from wanbatch.sandbox.sounds import seconds_of

WAV, MP3 = "audio/wav", "audio/mpeg"


def encoded(codec: str, form: str, rate: int, seconds: float = 1.0) -> bytes:
    made = io.BytesIO()
    with av.open(made, "w", format=form) as target:
        stream = target.add_stream(codec, rate=rate, layout="mono")
        samples = (8000 * np.sin(np.arange(int(seconds * rate)) / 10)).astype("<i2")
        frame = av.AudioFrame.from_ndarray(samples[None, :], format="s16", layout="mono")
        frame.rate = rate
        for packet in [*stream.encode(frame), *stream.encode(None)]:
            target.mux(packet)
    return made.getvalue()


def wav(seconds: float = 1.0, channels: int = 1, rate: int = 8000) -> bytes:
    made = io.BytesIO()
    with wave.open(made, "wb") as file:
        file.setnchannels(channels)
        file.setsampwidth(1)
        file.setframerate(rate)
        file.writeframes(b"\x80" * int(seconds * rate * channels))
    return made.getvalue()


def faults_of(folder: Path, data: bytes, mime: str) -> list[str]:
    add_lens(folder)
    body = {"model": LENS, "prompt": "She turns.", "audio_url": url(data, mime)}
    return given_in(json.dumps(body).encode(), models_served(folder / "models")).faults


@pytest.mark.parametrize("codec", ["pcm_u8", "pcm_s24le", "pcm_f32le", "pcm_mulaw", "adpcm_ima_wav"])
def test_what_the_client_sends_for_a_wav_is_a_sound(codec: str) -> None:
    assert seconds_of(read_sound(encoded(codec, "wav", 8000)).sent, WAV) == pytest.approx(1, abs=0.2)


@pytest.mark.parametrize("rate", [44_100, 48_000, 24_000, 8000])
def test_what_the_client_sends_for_an_mp3_is_a_sound(rate: int) -> None:
    assert seconds_of(read_sound(encoded("mp3", "mp3", rate)).sent, MP3) > 0.9


def test_tags_around_the_frames_are_no_sound() -> None:
    bare = read_sound(encoded("mp3", "mp3", 44_100)).sent
    frames = bare[bare.index(b"\xff\xfb") :]
    assert seconds_of(frames + b"TAG" + bytes(125), MP3) == seconds_of(frames, MP3)
    assert seconds_of(b"ID3\x04\0\0\0\0\0\x05" + bytes(5) + frames, MP3) == seconds_of(frames, MP3)


SOUND = wav()
MPEG = encoded("mp3", "mp3", 44_100)
REFUSED = [
    (b"RIFF", WAV, "The data is not audio/wav"),
    (b"RIFF\x04\0\0\0WAVE", WAV, "The data is not audio/wav"),
    (SOUND[:-100], WAV, "The data is not audio/wav"),
    (SOUND.replace(b"data", b"dota"), WAV, "The data is not audio/wav"),
    (SOUND.replace(b"fmt ", b"fmt_"), WAV, "The data is not audio/wav"),
    (SOUND[:22] + b"\0\0" + SOUND[24:], WAV, "The data is not audio/wav"),
    (SOUND[:24] + b"\0\0\0\0" + SOUND[28:], WAV, "The data is not audio/wav"),
    (wav(0), WAV, "The data is not audio/wav"),
    (wav(301, rate=1000), WAV, "The audio is too long"),
    (MPEG, WAV, "The data is not audio/wav"),
    (b"a text that is no sound", MP3, "The data is not audio/mpeg"),
    (b"ID3\x04\0\0\0\0\0\0", MP3, "The data is not audio/mpeg"),
    (b"\xff\xfb\x90\x00", MP3, "The data is not audio/mpeg"),
    (MPEG[:-10], MP3, "The data is not audio/mpeg"),
    (MPEG + b"more", MP3, "The data is not audio/mpeg"),
    (encoded("mp2", "mp2", 48_000), MP3, "The data is not audio/mpeg"),
    (SOUND, MP3, "The data is not audio/mpeg"),
    (encoded("mp3", "mp3", 8000, seconds=302), MP3, "The audio is too long"),
    (wav(1, rate=192_000) + bytes(20_000_000), WAV, "File is too large"),
]


@pytest.mark.parametrize(("data", "mime", "said"), REFUSED, ids=[str(number) for number in range(len(REFUSED))])
def test_what_is_no_whole_sound_is_refused(data: bytes, mime: str, said: str, tmp_path: Path) -> None:
    assert faults_of(tmp_path, data, mime) == [f"audio_url: {said}"]


@pytest.mark.parametrize("tag", [b"", b"ID3\x04\0\0\0\0\0\x05" + bytes(5)])
def test_the_client_takes_no_mp2(tag: bytes) -> None:
    with pytest.raises(MediaInvalid, match="is not a WAV or MP3 file"):
        read_sound(tag + encoded("mp2", "mp2", 48_000))


def test_a_sound_in_a_request_is_kept_by_its_hash(tmp_path: Path) -> None:
    assert faults_of(tmp_path, tone(tmp_path / "a.wav").read_bytes(), WAV) == []
