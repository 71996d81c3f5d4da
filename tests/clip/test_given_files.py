"""Files that shots are given: known by their content, whole, upright, without metadata, within bounds."""

from __future__ import annotations

import base64
import hashlib
import io
import struct
import zlib
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest
from PIL import Image, ImageOps, PngImagePlugin
from PIL.JpegImagePlugin import JpegImageFile, get_sampling

from tests.pictures import bytes_of, rocks, save, still, tone
from wanbatch.clip.given import FILE_BYTES_MAX, OpenedFile
from wanbatch.clip.opening import open_given
from wanbatch.clip.still import SIDE_PX_MAX, read_still
from wanbatch.clip.worker_pool import WorkerPool
from wanbatch.errors import MediaInvalid


def opened(path: Path, kind: str = "picture") -> OpenedFile:
    return open_given(path, kind, with_data=True)


def sent(file: OpenedFile) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(file.data)))


def exif(**values: Any) -> Image.Exif:
    made = Image.Exif()
    made[0x0112] = values.get("orientation", 1)
    made[0x010F] = "SECRET MAKER"
    return made


def test_a_png_is_sent_with_each_of_its_pixels_and_without_its_texts(tmp_path: Path) -> None:
    texts = PngImagePlugin.PngInfo()
    texts.add_text("Author", "SECRET NAME")
    path = save(tmp_path / "a.png", pnginfo=texts, exif=exif())
    file = opened(path)
    assert (file.form, file.mime, file.width, file.height) == ("PNG", "image/png", 640, 360)
    assert file.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    assert (np.asarray(sent(file)) == np.asarray(still())).all()
    assert b"SECRET" in path.read_bytes()
    assert b"SECRET" not in base64.b64decode(file.data)


@pytest.mark.parametrize("ending", ["jpg", "png", "webp"])
def test_a_picture_that_lies_on_its_side_is_sent_upright(ending: str, tmp_path: Path) -> None:
    path = save(tmp_path / f"a.{ending}", exif=exif(orientation=6))
    file = opened(path)
    assert (file.width, file.height) == (360, 640)
    picture = sent(file)
    top, bottom = (np.asarray(picture.convert("RGB"), int)[y, 180] for y in (100, 540))
    assert (abs(top - np.array([200, 60, 30])).max() < 12, abs(bottom - np.array([30, 90, 200])).max() < 12) == (
        True,
        True,
    )
    assert (b"SECRET" in base64.b64decode(file.data), dict(picture.getexif())) == (False, {})


@pytest.mark.parametrize("orientation", [1, 3, 6])
@pytest.mark.parametrize("sampling", [0, 1, 2])
@pytest.mark.parametrize("quality", [50, 75, 98])
def test_a_jpeg_is_coded_as_it_was_also_when_it_is_turned(
    quality: int, sampling: int, orientation: int, tmp_path: Path
) -> None:
    path = save(tmp_path / "a.jpg", rocks(), quality=quality, subsampling=sampling, exif=exif(orientation=orientation))
    before, after = Image.open(path), Image.open(io.BytesIO(read_still(path.read_bytes()).sent))
    assert isinstance(before, JpegImageFile)
    assert isinstance(after, JpegImageFile)
    is_lying = orientation == 6
    tables = {
        number: [table[8 * (n % 8) + n // 8] for n in range(64)] if is_lying else list(table)
        for number, table in before.quantization.items()
    }
    assert {number: list(table) for number, table in after.quantization.items()} == tables
    assert get_sampling(after) == (0 if is_lying and sampling == 1 else sampling)
    shown = np.asarray(ImageOps.exif_transpose(before).convert("RGB"), np.float64)
    assert np.abs(shown - np.asarray(after.convert("RGB"), np.float64)).mean() < 1.5


def test_a_jpeg_keeps_its_quantization_and_its_colours_profile(tmp_path: Path) -> None:
    from PIL import ImageCms

    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    path = save(tmp_path / "a.jpg", quality=71, icc_profile=profile, exif=exif(), comment=b"SECRET")
    file, before = opened(path), Image.open(io.BytesIO(path.read_bytes()))
    after = sent(file)
    assert (after.quantization, after.info["icc_profile"]) == (before.quantization, profile)  # type: ignore[attr-defined]
    assert b"SECRET" not in base64.b64decode(file.data)


@pytest.mark.parametrize(("ending", "form"), [("webp", "WEBP"), ("bmp", "BMP")])
def test_other_pictures_are_sent_as_png(ending: str, form: str, tmp_path: Path) -> None:
    options = {"lossless": True} if ending == "webp" else {}
    file = opened(save(tmp_path / f"a.{ending}", **options))
    assert (file.form, file.mime) == (form, "image/png")
    assert (np.asarray(sent(file)) == np.asarray(still())).all()


def test_what_is_transparent_is_known(tmp_path: Path) -> None:
    glass = still()
    glass.putalpha(120)
    clear = still()
    clear.putalpha(255)
    assert [opened(save(tmp_path / "a.png", each)).has_alpha for each in (glass, clear, still())] == [
        True,
        False,
        False,
    ]


def png_of(width: int, height: int) -> bytes:
    """A PNG that declares a size, with next to nothing in it."""
    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    chunks = [(b"IHDR", head), (b"IDAT", zlib.compress(b"\0" * 64)), (b"IEND", b"")]
    made = (
        struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body)) for name, body in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(made)


def frames_of(form: str) -> bytes:
    return bytes_of(still(), form, save_all=True, append_images=[still(right=(1, 2, 3))])


BAD = [
    (b"a text", "is not a PNG, JPEG, WebP or BMP file"),
    (bytes_of(still(), "GIF"), "is not a PNG, JPEG, WebP or BMP file"),
    (bytes_of(still(), "TIFF"), "is not a PNG, JPEG, WebP or BMP file"),
    (b"", "is empty"),
    (bytes_of(still(), "PNG")[:-60], "is damaged"),
    (bytes_of(still(), "PNG").replace(b"IDAT", b"IDAX"), "is not a PNG"),
    (bytes_of(still(), "JPEG")[:700], "is damaged"),
    (png_of(20_000, 20_000), "has far too many pixels; wanbatch sends at most 8192 a side"),
    (png_of(20_000, 5), "is 20000x5 pixels; wanbatch sends at most 8192 a side"),
    (png_of(SIDE_PX_MAX + 1, 1), "is 8193x1 pixels"),
    (png_of(8192, 8192), "35.6 million in all"),
    (frames_of("WEBP"), "is an animation"),
    (frames_of("PNG"), "is an animation"),
]


@pytest.mark.parametrize(("source", "said"), BAD, ids=lambda each: each if isinstance(each, str) else "")
def test_a_bad_picture_is_refused_with_the_reason(source: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "a.png").write_bytes(source)
    with pytest.raises(MediaInvalid) as caught:
        opened(tmp_path / "a.png")
    assert said in str(caught.value)


def test_a_file_that_is_too_large_is_not_read(tmp_path: Path) -> None:
    with (tmp_path / "a.png").open("wb") as file:
        file.truncate(FILE_BYTES_MAX + 1)
    with pytest.raises(MediaInvalid, match="can be sent"):
        opened(tmp_path / "a.png")


def test_a_picture_of_more_than_the_bound_is_not_decoded() -> None:
    with pytest.raises(MediaInvalid, match="far too many pixels"):
        read_still(png_of(20_000, 20_000))


def test_a_sound_is_sent_without_its_tags(tmp_path: Path) -> None:
    path = tmp_path / "a.mp3"
    with av.open(str(path), "w") as target:
        target.metadata["artist"] = "SECRET"
        track = target.add_stream("mp3", rate=44100)
        track.layout = "mono"
        loud = (np.sin(np.arange(44100) / 9)[None] * 0.2).astype(np.float32)
        frame = av.AudioFrame.from_ndarray(loud, format="fltp", layout="mono")
        frame.rate = 44100
        for packet in (*track.encode(frame), *track.encode(None)):
            target.mux(packet)
    file = opened(path, "sound")
    assert (file.form, file.mime, round(file.duration_s)) == ("MP3", "audio/mpeg", 1)
    assert (b"SECRET" in path.read_bytes(), b"SECRET" in base64.b64decode(file.data)) == (True, False)


def test_a_wav_is_known_by_its_content_and_its_length(tmp_path: Path) -> None:
    file = opened(tone(tmp_path / "a.txt", 2.5), "sound")
    assert (file.form, file.mime, file.duration_s, file.width) == ("WAV", "audio/wav", 2.5, 0)


@pytest.mark.parametrize(
    ("source", "said"),
    [
        (b"a text", "is not a WAV or MP3 file"),
        (bytes_of(still(), "PNG"), "is not a WAV or MP3 file"),
        (b"RIFF\x24\0\0\0WAVEfmt ", "is damaged"),
    ],
    ids=["text", "picture", "cut"],
)
def test_a_bad_sound_is_refused_with_the_reason(source: bytes, said: str, tmp_path: Path) -> None:
    (tmp_path / "a.wav").write_bytes(source)
    with pytest.raises(MediaInvalid, match=said):
        opened(tmp_path / "a.wav", "sound")


def test_a_sound_of_more_than_five_minutes_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MediaInvalid, match="is longer than 300 s"):
        opened(tone(tmp_path / "a.wav", 301.0), "sound")


def test_a_worker_opens_files_as_this_process_does(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png")
    (tmp_path / "b.png").write_bytes(b"a text")
    pool = WorkerPool()
    try:
        assert pool.given(path, "picture", with_data=True) == opened(path)
        with pytest.raises(MediaInvalid, match="by its content"):
            pool.given(tmp_path / "b.png", "picture", with_data=False)
        with pytest.raises(FileNotFoundError):
            pool.given(tmp_path / "c.png", "picture", with_data=False)
    finally:
        pool.close()
