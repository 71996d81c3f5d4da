"""What tests of money share: commands that run here, and what they say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from wanbatch.cli import call


@pytest.fixture
def said(
    near: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Return what runs a command in a folder of the test's own, and returns all that it says."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("COLUMNS", "200")

    def say(*words: str) -> str:
        capsys.readouterr()
        call(list(words))
        told = capsys.readouterr()
        return told.out + told.err

    return say
