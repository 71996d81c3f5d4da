"""Manifests, and the output folders that runs of them leave."""

from __future__ import annotations

import hashlib
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from tests.reporting.states import CREDITS, begin, place_clips
from wanbatch.batch.lifecycle import State
from wanbatch.batch.take import Take
from wanbatch.cli import call
from wanbatch.manifest import load_manifest
from wanbatch.session.admission import ORIGIN_NOTE, origin_of
from wanbatch.state.reader import StateReader

RIDGE = (
    "id,prompt,scene\nsh010,A goat climbs the ridge,one\nsh020,Snow begins to fall,one\nsh030,The hut has a light,two\n"
)
HARBOUR = "id,prompt,scene\nsh010,A tug turns in the harbour,one\nsh020,Gulls over the fish market,one\n"
RENUMBERED = RIDGE.replace("sh010", "10").replace("sh020", "20").replace("sh030", "30")
SANDBOX = ("--sandbox", "--yes", "--speed", "600")


def write(name: str, text: str) -> Path:
    path = Path(name)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def bought(
    manifest: Path, output: Path, *, state: State = State.VERIFIED, is_paid: bool = False, is_older: bool = False
) -> Path:
    """Make the folder that a run of this manifest leaves: every take in this state, charged where it is verified."""
    batch = load_manifest(manifest)
    address = {"base_url": provider_name(), "sandbox": False} if is_paid else {"base_url": "sandbox", "sandbox": True}
    pen = begin(output, batch, **address)  # type: ignore[arg-type]
    for take in pen.state.takes():
        charged = CREDITS if state is State.VERIFIED else None
        pen.lead(take.take_id, state, charged=charged, label=take.label)
    place_clips(output, pen.state)
    if not is_older:
        pen.state.note(ORIGIN_NOTE, origin_of(batch.source, batch.name, output).text)
    pen.state.close()
    if is_older:
        with closing(sqlite3.connect(output / "state.sqlite")) as file:
            file.execute("DROP TABLE notes")
            file.commit()
    return output


def provider_name() -> str:
    from wanbatch.provider.endpoint import load_settings

    return load_settings({}, None, Path.cwd()).endpoint.name


def takes_in(output: Path) -> list[Take]:
    with StateReader.open(output) as reader:
        reader.check()
        return reader.takes()


def digest(output: Path) -> str:
    return hashlib.sha256((output / "state.sqlite").read_bytes()).hexdigest()


def tell(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = call(list(arguments))
    told = capsys.readouterr()
    return code, " ".join((told.out + told.err).split())


Tell = Callable[..., tuple[int, str]]
