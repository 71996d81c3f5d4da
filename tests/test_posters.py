"""A still that a fault prevented is made again by the next report; one that is there stays."""

from __future__ import annotations

from pathlib import Path

import pytest

from wanbatch.cli import call

HEAD, TURBO = "id,prompt,model,resolution\n", "alibaba/wan2.1-t2v-turbo,480P"  # the smallest clips


@pytest.fixture(autouse=True)
def in_a_folder(near: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AIMLAPI_API_KEY", "AIML_API_KEY", "AIMLAPI_KEY", "AIMLAPI_BASE_URL"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


@pytest.mark.long
@pytest.mark.parametrize("again", [["report"], ["run", "two.csv", "--sandbox", "--yes"]], ids=["report", "run"])
def test_a_missing_still_is_made_again_and_one_that_is_there_is_not_touched(again: list[str]) -> None:
    Path("two.csv").write_text(f"{HEAD}a,Snow,{TURBO}\nb,Sun,{TURBO}\n", encoding="utf-8")
    assert call(["-q", "run", "two.csv", "--sandbox", "--yes", "--speed", "600"]) == 0
    first, second = Path("outputs/two/posters/a_t1.jpg"), Path("outputs/two/posters/b_t1.jpg")
    drawn = first.read_bytes()
    first.unlink()
    second.write_bytes(b"kept as it is")
    assert call(["-q", *again]) == 0
    assert (first.read_bytes() == drawn, second.read_bytes()) == (True, b"kept as it is")
    assert "posters/a_t1.jpg" in Path("outputs/two/storyboard.html").read_text(encoding="utf-8")


@pytest.mark.long
def test_a_clip_that_cannot_be_drawn_ends_no_report() -> None:
    Path("one.csv").write_text(f"{HEAD}a,Snow,{TURBO}\n", encoding="utf-8")
    assert call(["-q", "run", "one.csv", "--sandbox", "--yes", "--speed", "600"]) == 0
    Path("outputs/one/posters/a_t1.jpg").unlink()
    Path("outputs/one/clips/a_t1.mp4").write_bytes(b"no clip")
    assert call(["-q", "report"]) == 0
    assert not Path("outputs/one/posters/a_t1.jpg").exists()
