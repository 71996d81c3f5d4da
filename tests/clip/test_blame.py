"""Blame: which errors make a clip bad, and which never may."""

from __future__ import annotations

import errno
import io
from pathlib import Path

import av.error
import numpy as np
import pytest
from av.codec.codec import UnknownCodecError

from wanbatch.clip import check
from wanbatch.clip.blame import OF_THE_BYTES, OF_THE_MACHINE, OF_THE_PROGRAM, Blame, blame_for
from wanbatch.clip.check import check_clip, opened
from wanbatch.clip.encoding import ClipSpec, encode_clip
from wanbatch.errors import LocalFault, MediaInvalid, ProgramFault


def kinds(root: type[BaseException] = av.error.FFmpegError) -> set[type[BaseException]]:
    return {each for below in root.__subclasses__() for each in {below, *kinds(below)}}


@pytest.mark.parametrize("kind", sorted(kinds(), key=lambda each: each.__name__), ids=lambda each: each.__name__)
def test_every_error_of_the_library_is_in_one_table(kind: type[BaseException]) -> None:
    tables = (OF_THE_BYTES, OF_THE_MACHINE, OF_THE_PROGRAM)
    assert sum(kind.__name__ in table for table in tables) == 1


def of_av(name: str, number: int = 1) -> BaseException:
    return getattr(av.error, name)(number, "said so")  # type: ignore[no-any-return]


@pytest.mark.parametrize(
    ("error", "blame"),
    [
        (of_av("InvalidDataError"), Blame.BYTES),
        (of_av("EOFError"), Blame.BYTES),
        (of_av("PatchWelcomeError"), Blame.BYTES),
        (of_av("PermissionError", errno.EPERM), Blame.BYTES),
        (of_av("OSError", errno.EIO), Blame.BYTES),
        (of_av("MemoryError", errno.ENOMEM), Blame.BYTES),
        (of_av("OSError", errno.ENOSPC), Blame.MACHINE),
        (of_av("FileNotFoundError", errno.ENOENT), Blame.MACHINE),
        (of_av("DecoderNotFoundError"), Blame.PROGRAM),
        (of_av("EncoderNotFoundError"), Blame.PROGRAM),
        (of_av("OptionNotFoundError"), Blame.PROGRAM),
        (of_av("HTTPServerError"), Blame.PROGRAM),
        (UnknownCodecError("libx264"), Blame.PROGRAM),
        (TypeError("open() got an unexpected keyword argument"), Blame.PROGRAM),
        (AttributeError("no such thing"), Blame.PROGRAM),
        (ImportError("libavcodec.so: cannot open"), Blame.PROGRAM),
        (ValueError("odd"), Blame.PROGRAM),
        (KeyError("odd"), Blame.PROGRAM),
        (ZeroDivisionError(), Blame.PROGRAM),
        (RuntimeError("odd"), Blame.PROGRAM),
        (MemoryError(), Blame.MACHINE),
        (OSError(errno.EIO, "a disk that dies"), Blame.MACHINE),
    ],
    ids=lambda each: type(each).__name__ if isinstance(each, BaseException) else each.value,
)
def test_an_error_is_about_the_bytes_the_machine_or_the_program(error: BaseException, blame: Blame) -> None:
    assert blame_for(error) is blame


def test_memory_is_short_on_the_machine_only_where_plenty_cannot_be_had() -> None:
    assert blame_for(of_av("MemoryError", errno.ENOMEM), has_memory=False) is Blame.MACHINE


def clip() -> bytes:
    made = io.BytesIO()
    picture = np.full((72, 64), 128, np.uint8)
    encode_clip(ClipSpec(64, 48, 10, 1, has_audio=True), (picture for _ in range(10)), 440.0, made)
    return made.getvalue()


@pytest.mark.parametrize(
    ("raised", "becomes"),
    [
        (TypeError("open() got an unexpected keyword argument 'metadata_errors'"), ProgramFault),
        (ImportError("libavcodec.so.62"), ProgramFault),
        (of_av("DecoderNotFoundError"), ProgramFault),
        (MemoryError(), LocalFault),
        (OSError(errno.EIO, "a disk that dies"), OSError),
        (of_av("InvalidDataError"), MediaInvalid),
    ],
    ids=lambda each: getattr(each, "__name__", type(each).__name__),
)
def test_only_what_the_library_says_of_the_bytes_makes_a_clip_bad(
    monkeypatch: pytest.MonkeyPatch, raised: Exception, becomes: type[Exception]
) -> None:
    data = io.BytesIO(clip())

    def broken(*_: object, **__: object) -> None:
        raise raised

    monkeypatch.setattr(av, "open", broken)
    with pytest.raises(becomes) as told, opened(data):
        pass
    assert type(told.value) is becomes


def test_a_fault_names_the_library_and_what_went_wrong(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise TypeError("an argument that no longer is")

    data = io.BytesIO(clip())
    monkeypatch.setattr(av, "open", broken)
    with pytest.raises(ProgramFault, match=rf"reading a clip failed in PyAV {av.__version__}: TypeError: an argument"):
        check_clip(data)


def test_a_track_in_a_coding_that_does_not_exist_is_a_bad_clip() -> None:
    with pytest.raises(MediaInvalid, match="unknown codec"):
        check_clip(io.BytesIO(clip().replace(b"avc1", b"zzzz")))


def test_a_decoder_that_is_missing_here_is_no_bad_clip(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, "_has_decoder", lambda name: name != "aac")
    foreign = clip().replace(b"avc1", b"zzzz")  # one track without a decoder, one that names `aac`
    with pytest.raises(ProgramFault, match="lacks the decoder aac"):
        check_clip(io.BytesIO(foreign))


def test_metadata_that_is_no_text_is_no_reason_to_refuse_a_clip(tmp_path: Path) -> None:
    data = clip()
    name = b"VideoHandler"
    assert name in data
    (tmp_path / "clip.mp4").write_bytes(data.replace(name, b"V\xff\xfeeoHandler"))
    assert check_clip(tmp_path / "clip.mp4").frames == 10
