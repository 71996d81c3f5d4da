"""Sounds inside of requests, checked by their bytes: WAVE by its chunks, MP3 frame by frame.

A reader of its own: it shares no code with the client, which decodes sounds. The provider does not document which
sounds it refuses, so this refuses what is not whole, and what is longer than any clip.
"""

from __future__ import annotations

from collections.abc import Iterator

SECONDS_CAP = 300
CHANNELS_CAP, RATE_CAP_HZ = 8, 192_000
_FMT_BYTES = 16
_PCM, _FLOAT, _ADPCM, _ALAW, _MULAW, _IMA_ADPCM, _EXTENSIBLE = 1, 3, 2, 6, 7, 0x11, 0xFFFE
_LINEAR = frozenset({_PCM, _FLOAT, _ALAW, _MULAW, _EXTENSIBLE})
_CODINGS = _LINEAR | {_ADPCM, _IMA_ADPCM}

_ID3_BYTES, _ID3V1_BYTES, _FRAME_HEAD_BYTES = 10, 128, 4
_RATES_HZ = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}  # by version bits
_MPEG1, _LAYER_3 = 3, 1  # as the bits of a header have them
_KBIT = (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_KBIT_LOW = (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)  # of MPEG 2 and 2.5


def seconds_of(data: bytes, mime: str) -> float:
    """Return how long a sound of this type lasts. Raises ValueError if it is not one, is cut off, or is too long."""
    seconds = _wave_s(data) if mime == "audio/wav" else _mpeg_s(data)
    if seconds is None:
        raise ValueError(f"The data is not {mime}")
    if seconds > SECONDS_CAP:
        raise ValueError("The audio is too long")
    return seconds


def _wave_s(data: bytes) -> float | None:
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE" or int.from_bytes(data[4:8], "little") not in _riff_sizes(data):
        return None
    chunks = dict(_chunks(data))
    form, sound = chunks.get(b"fmt ", b""), chunks.get(b"data", b"")
    if len(form) < _FMT_BYTES or not sound:
        return None
    coding, channels, align, bits = (int.from_bytes(form[at : at + 2], "little") for at in (0, 2, 12, 14))
    rate_hz, bytes_per_s = (int.from_bytes(form[at : at + 4], "little") for at in (4, 8))
    if coding not in _CODINGS or not 1 <= channels <= CHANNELS_CAP or not 1 <= rate_hz <= RATE_CAP_HZ:
        return None
    if coding in _LINEAR and (align != channels * ((bits + 7) // 8) or bytes_per_s != rate_hz * align):
        return None
    if align < 1 or bytes_per_s < 1 or len(sound) < align:
        return None
    return len(sound) / bytes_per_s


def _riff_sizes(data: bytes) -> tuple[int, int]:
    """What the head of a whole file may say: an odd last chunk has a byte of padding, which some leave uncounted."""
    return len(data) - 8, len(data) - 9


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the chunks of a WAVE file up to the first that is not whole."""
    at = 12
    while at + 8 <= len(data):
        size_bytes = int.from_bytes(data[at + 4 : at + 8], "little")
        if at + 8 + size_bytes > len(data):
            return
        yield data[at : at + 4], data[at + 8 : at + 8 + size_bytes]
        at += 8 + size_bytes + size_bytes % 2


def _mpeg_s(data: bytes) -> float | None:
    """Add up the frames of an MP3, between the tags that it may have; None unless they fill it to the end."""
    at, end = _behind_id3(data), len(data)
    if data[-_ID3V1_BYTES:][:3] == b"TAG":
        end -= _ID3V1_BYTES
    samples, rates_hz = 0, set[int]()
    while at < end:
        frame = _frame_at(data, at)
        if frame is None:
            return None
        rate_hz, size_bytes, count = frame
        rates_hz.add(rate_hz)
        at += size_bytes
        samples += count
    return samples / rates_hz.pop() if at == end and len(rates_hz) == 1 else None


def _behind_id3(data: bytes) -> int:
    if data[:3] != b"ID3" or len(data) < _ID3_BYTES or any(each & 0x80 for each in data[6:10]):
        return 0
    size_bytes = sum(each << shift for each, shift in zip(data[6:10], (21, 14, 7, 0), strict=True))
    return _ID3_BYTES + size_bytes + (_ID3_BYTES if data[5] & 0x10 else 0)


def _frame_at(data: bytes, at: int) -> tuple[int, int, int] | None:
    """Return the rate of the frame at a place, its size in bytes and its samples; None if none is there."""
    head = int.from_bytes(data[at : at + _FRAME_HEAD_BYTES], "big")
    version, layer = head >> 19 & 3, head >> 17 & 3
    kbit_at, rate_at, padding = head >> 12 & 15, head >> 10 & 3, head >> 9 & 1
    if head >> 21 != 0x7FF or version not in _RATES_HZ or layer != _LAYER_3 or kbit_at in (0, 15) or rate_at > 2:
        return None
    rate_hz = _RATES_HZ[version][rate_at]
    kbit, samples = (_KBIT[kbit_at - 1], 1152) if version == _MPEG1 else (_KBIT_LOW[kbit_at - 1], 576)
    return rate_hz, samples * 125 * kbit // rate_hz + padding, samples
