"""The opening of a given file: read once, hashed, checked and made ready, so that what is sent is what was hashed."""

from __future__ import annotations

import base64
import hashlib
import stat
from pathlib import Path

from wanbatch.clip.given import FILE_BYTES_MAX, OpenedFile
from wanbatch.errors import MediaInvalid
from wanbatch.units import size_text


def open_given(path: Path, kind: str, *, with_data: bool) -> OpenedFile:
    """Read a file, once; `kind` is `picture` or `sound`. `with_data` returns what is sent for it as well.

    Raises MediaInvalid with the reason, worded to follow the name of the file, or OSError.
    """
    from wanbatch.clip.given_sound import read_sound
    from wanbatch.clip.still import read_still

    source = bytes_of(path)
    made = read_still(source) if kind == "picture" else read_sound(source)
    if len(made.sent) > FILE_BYTES_MAX:
        raise MediaInvalid(f"is {size_text(len(made.sent))} as it is sent; {_MOST}")
    return OpenedFile(
        sha256=hashlib.sha256(source).hexdigest(),
        size_bytes=len(source),
        form=made.form,
        mime=made.mime,
        width=made.width,
        height=made.height,
        duration_s=made.duration_s,
        has_alpha=made.has_alpha,
        data=base64.b64encode(made.sent).decode() if with_data else "",
    )


_MOST = f"at most {size_text(FILE_BYTES_MAX)} can be sent"


def bytes_of(path: Path) -> bytes:
    """Read a file that can be a picture or a sound. Raises MediaInvalid for one that cannot, or OSError."""
    found = path.stat()
    if not stat.S_ISREG(found.st_mode):
        raise MediaInvalid("is not a file")
    if found.st_size > FILE_BYTES_MAX:
        raise MediaInvalid(f"is {size_text(found.st_size)}; {_MOST}")
    with path.open("rb") as file:
        source = file.read(FILE_BYTES_MAX + 1)
    if len(source) > FILE_BYTES_MAX:
        raise MediaInvalid(f"is larger than {size_text(FILE_BYTES_MAX)}; {_MOST}")
    if not source:
        raise MediaInvalid("is empty")
    return source
