"""Bounds: how much of the machine a clip may use, decided before anything is decoded.

The provider's models make 15 s of 3840x2160 at 60 frames a second at most (2026). Each bound leaves room for what comes
after them, and none lets a small file use gigabytes or minutes.
"""

from __future__ import annotations

from dataclasses import dataclass

from wanbatch.errors import MediaInvalid

PIXELS_MAX = 8192 * 4352  # of one picture: the 8K of cinemas, its rows rounded up to whole blocks of a coder
DECODED_PIXELS_MAX = 15 * 60 * 8192 * 4352 // 4  # of all pictures decoded in one pass: 15 s of 4K at 60 a second
TRACKS_MAX = 16  # pictures, sound, time code, captions: a clip has one or two
CHANNELS_MAX = 16
RATE_HZ_MAX = 192_000  # what studio sound has
HEARD_MAX = 50_000_000  # samples of all channels: two minutes of 7.1 at 48 kHz; a look stops listening there
SAMPLES_MAX = 5_000_000  # in all tables: hours of film; FFmpeg needs 24 bytes or more for each
EDITS_MAX = 1_000  # parts that a track is put together from: each may show the whole track again
INDEX_BYTES_MAX = 64 * 2**20  # of all that is not pictures and sound: the index of a film of two hours is 8 MB
MEMORY_BYTES_MAX = 2 * 2**30  # of the process that decodes: 15 s of 4K take 0.3 GB of it, 8K with 16 references 1.2 GB
TIME_S_MAX = 120.0  # for one errand: a look at 15 s of busy 4K lasts 5 s


@dataclass(frozen=True)
class Track:
    """What a track of pictures or sound declares; 0 if it declares none."""

    width: int = 0
    height: int = 0
    channels: int = 0
    rate_hz: int = 0


def assert_within(tracks: list[Track], count: int) -> None:
    """Raise MediaInvalid if a clip declares more than wanbatch opens; `count` is the number of its tracks of any
    kind.
    """
    if count > TRACKS_MAX:
        raise MediaInvalid(f"the clip has {count} tracks; wanbatch opens at most {TRACKS_MAX}")
    for track in tracks:
        assert_size(track.width, track.height)
        if track.channels > CHANNELS_MAX or track.rate_hz > RATE_HZ_MAX:
            raise MediaInvalid(
                f"the clip's sound has {track.channels} channels at {track.rate_hz} Hz;"
                f" wanbatch decodes at most {CHANNELS_MAX} at {RATE_HZ_MAX} Hz"
            )


def assert_size(width: int, height: int) -> None:
    """Raise MediaInvalid for a picture that is too large to be decoded."""
    if width * height > PIXELS_MAX:
        raise MediaInvalid(
            f"the clip's picture is {width}x{height}; at most {PIXELS_MAX / 1e6:.0f} million pixels (8K) can be decoded"
        )
