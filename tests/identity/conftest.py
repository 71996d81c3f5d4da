"""What tests of manifests and their folders share."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.identity.folders import Tell, tell


@pytest.fixture
def no_settings_from_outside(near: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AIMLAPI_API_KEY", "AIML_API_KEY", "AIMLAPI_KEY", "AIMLAPI_BASE_URL", "FORCE_COLOR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Tell:
    return lambda *arguments: tell(capsys, *arguments)
