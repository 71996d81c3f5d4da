"""Batches that were run once, for all workers: tests of what comes after a run begin with a copy of its folder."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from filelock import FileLock

from wanbatch.cli import call

SMALL = """version: 1
name: small
defaults: {model: alibaba/wan2.1-t2v-turbo, resolution: 480P}
shots:
  - {id: a, prompt: first}
  - {id: b, prompt: second}
"""
RUN = ("run", "small.yaml", "--sandbox", "--speed", "300")


@pytest.fixture(autouse=True)
def no_settings_from_outside(near: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    names = ("AIMLAPI_API_KEY", "AIML_API_KEY", "AIMLAPI_KEY", "AIMLAPI_BASE_URL", "FORCE_COLOR", "NO_COLOR", "COLUMNS")
    for name in names:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("WANBATCH_NO_BROWSER", "1")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "small.yaml").write_text(SMALL)


@pytest.fixture
def left_by(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> Callable[..., int]:
    """Put here what one run of the small batch leaves, with a fault and further flags; returns the run's exit code."""

    def put(name: str, *flags: str, fault: dict[str, Any] | None = None) -> int:
        base = tmp_path_factory.getbasetemp()
        home = (base.parent if os.environ.get("PYTEST_XDIST_WORKER") else base) / f"left-by-{name}"
        with FileLock(f"{home}.lock"), monkeypatch.context() as there:
            if not home.is_dir():
                home.mkdir()
                there.chdir(home)
                Path("small.yaml").write_text(SMALL)
                Path("faults.json").write_text(json.dumps([] if fault is None else [fault]))
                code = call(["-q", *RUN, "--faults", "faults.json", *flags])
                Path("code").write_text(str(int(code)))
        shutil.copytree(home / "outputs", "outputs")
        return int((home / "code").read_text())

    return put
