"""A model that is added by a file alone: planned, priced, made and verified like those that come with wanbatch."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.manifest.test_added import put
from wanbatch.cli import call
from wanbatch.clip.check import check_clip


@pytest.mark.long
def test_a_fourteenth_model_runs_from_its_file_alone(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    put(tmp_path)
    code = call(["--json", "run", "shots.yaml", "--sandbox", "--speed", "300", "-o", "out"])
    capsys.readouterr()
    verified = call(["--json", "verify", "out"])
    clips = [check_clip(path) for path in sorted((tmp_path / "out" / "clips").glob("*.mp4"))]
    sizes = [(clip.width, clip.height, clip.duration_s) for clip in clips]
    assert (code, verified, sizes) == (0, 0, [(640, 360, 2.0)] * 2)
    capsys.readouterr()
    (tmp_path / "models" / "somebody__lens-1.schema.json").unlink()
    shown = subprocess.run(
        [sys.executable, "-m", "wanbatch", "--json", "status", "out"], capture_output=True, text=True, check=False
    )
    told = json.loads(shown.stdout)
    assert (told["counts"], told["credits"]["charged"]) == ({"verified": 2}, 2 * 216_000)
