"""A small batch on the sandbox, whose files and answers the pages describe: made in a folder, offline, in seconds."""

from __future__ import annotations

import contextlib
import io
import json
import os
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from docs.made.table import PartIncomplete
from wanbatch.cli import call

MANIFEST = """\
version: 1
name: dragon-pass
budget: {max_usd: 20, scenes: {sc010: {max_usd: 10}}}
defaults: {resolution: 720p, duration: 5, sequence: sq01, cost_code: VFX-1}
shots:
  - {id: sc010_sh010, scene: sc010, prompt: A dragon circles a lonely peak., takes: 2, tags: [hero], x_camera: drone}
  - {id: sc010_sh020, scene: sc010, prompt: Riders cross a rope bridge.}
  - {id: sc020_sh010, scene: sc020, prompt: The dragon sleeps in a cave.}
"""
_SURROUNDINGS = ("AIMLAPI_API_KEY", "AIML_API_KEY", "AIMLAPI_KEY", "AIMLAPI_BASE_URL", "FORCE_COLOR")


@dataclass(frozen=True)
class Sample:
    """A folder with a manifest and its batch, one take of which failed. `ran` are the JSON lines of its run."""

    folder: Path
    ran: list[dict[str, Any]] = field(default_factory=list)

    @property
    def output(self) -> Path:
        """The output folder."""
        return self.folder / "outputs" / "dragon-pass"

    def ask(self, *words: str) -> list[Any]:
        """Run a command with --json in the folder; return the documents that it printed."""
        said, told = io.StringIO(), io.StringIO()
        with _inside(self.folder), contextlib.redirect_stdout(said), contextlib.redirect_stderr(told):
            call(["--json", *words])
        documents = [json.loads(line) for line in said.getvalue().splitlines()]
        if not documents:
            raise PartIncomplete(f"`wanbatch --json {' '.join(words)}` printed no document: {told.getvalue()}")
        return documents

    def header(self, name: str) -> list[str]:
        """Return the columns of one of the CSV files."""
        first = (self.output / "reports" / name).read_text(encoding="utf-8-sig").splitlines()[0]
        return first.split(",")


def make_sample(folder: Path) -> Sample:
    """Make the batch in an empty folder."""
    (folder / "shots.yaml").write_text(MANIFEST, encoding="utf-8")
    (folder / "lead.json").write_text('[{"on": "submit", "do": "fail", "prompt_contains": "cave"}]', encoding="utf-8")
    sample = Sample(folder)
    run = ("run", "shots.yaml", "--sandbox", "--yes", "--speed", "600", "--faults", "lead.json")
    sample.ran.extend(sample.ask(*run))
    sample.ask("reconcile")
    return sample


@contextlib.contextmanager
def _inside(folder: Path) -> Iterator[None]:
    """Work in a folder with no key, no colour and a cache of its own, and put everything back."""
    before = dict(os.environ)
    for name in _SURROUNDINGS:
        os.environ.pop(name, None)
    os.environ["XDG_CACHE_HOME"] = str(folder / "cache")
    os.environ["BROWSER"] = "true"  # `open` finds a browser that does nothing
    try:
        with contextlib.chdir(folder):
            yield
    finally:
        os.environ.clear()
        os.environ.update(before)


def shortened(value: Any) -> Any:
    """Return a document with the first element alone of each list: what an example needs."""
    if isinstance(value, dict):
        return {key: shortened(each) for key, each in value.items()}
    return (
        [shortened(each) for each in value[:1]] if isinstance(value, Sequence) and not isinstance(value, str) else value
    )
