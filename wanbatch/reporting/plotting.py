"""Plotly's script: one file beside the report page, so that it draws without a network."""

from __future__ import annotations

from functools import cache
from importlib.util import find_spec
from pathlib import Path

from wanbatch.disk import replacing

SCRIPT_NAME = "plotly.min.js"


@cache
def _script() -> bytes:
    found = find_spec("plotly")  # found, not imported: only its file is wanted
    assert found is not None and found.origin is not None, "plotly is a dependency of ours"  # noqa: PT018
    return (Path(found.origin).parent / "package_data" / SCRIPT_NAME).read_bytes()


def place_plotly(folder: Path) -> None:
    """Put plotly's script into a folder, unless it is there already, byte by byte. Raises OSError."""
    target, script = folder / SCRIPT_NAME, _script()
    if not target.is_symlink() and target.is_file() and target.read_bytes() == script:
        return
    with replacing(target) as part:
        part.write_bytes(script)
