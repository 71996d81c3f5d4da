"""A storyboard to look at in a browser, and what a look at it can ask."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.films import Reel, shoot
from tests.reporting.states import MADE_AT, begin, shot, write_run
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.shots import Batch
from wanbatch.cli import call
from wanbatch.clip.frames import write_poster
from wanbatch.reporting.files import write_reports

if TYPE_CHECKING:
    from playwright.sync_api import Page

EVIL = '</script><img src=x onerror="window.hit=1"><script>window.hit=1</script>\'"`${window.hit=1}` {{7*7}}'


@dataclass
class Looked:
    """A page, and what it complained of."""

    page: Page
    output: Path
    complaints: list[str] = field(default_factory=list)

    def shots(self) -> list[str]:
        """The ids of the shots in sight, in their order."""
        cards = self.page.locator(".shot:visible")
        return [str(each.get_attribute("data-shot")) for each in cards.all()]

    def lines(self) -> list[str]:
        """The commands to paste."""
        return [each.input_value() for each in self.page.locator("#tray:visible input").all()]

    def until(self, expression: str) -> None:
        """Wait until an expression is true. The page's policy forbids the driver's own way, which needs `eval`."""
        for _ in range(250):
            if self.page.evaluate(expression):
                return
            self.page.wait_for_timeout(20)
        pytest.fail(f"never became true: {expression}")

    def reload_until(self, *, has_lines: bool) -> None:
        """Load the page again, a few times where it must be: a browser writes its storage down when it has time."""
        for _ in range(20):
            self.page.reload()
            if bool(self.lines()) is has_lines:
                return
            self.page.wait_for_timeout(100)

    def focused(self) -> str | None:
        return self.page.evaluate("document.activeElement.getAttribute('aria-label')")


def make_film(output: Path) -> None:
    """Write an output folder: three scenes: two takes a shot, one of them circled, a failed one, a held one, a stale one, an evil prompt."""
    shots = [
        shot(f"sc{n // 3}_sh{n}", n, scene=f"sc{n // 3}", takes=2, prompt=EVIL if n == 4 else f"shot {n} of a dragon")
        for n in range(7)
    ]
    pen = begin(output, Batch("dragon", tuple(shots)))
    (output / "clips").mkdir()
    (output / "posters").mkdir()
    clip = shoot(Reel(1, frames=60), output / "one.mp4")
    for take in pen.state.takes():
        state = {"sc0_sh2": State.FAILED, "sc1_sh3": State.HELD}.get(take.shot_id, State.VERIFIED)
        is_bad = state is not State.VERIFIED and take.number == 2
        charged = 1_000_000 + 50_000 * take.take_id
        pen.lead(
            take.take_id, state if is_bad else State.VERIFIED, label=take.label, charged=None if is_bad else charged
        )
        if not is_bad:
            (output / f"clips/{take.label}.mp4").write_bytes(clip.read_bytes())
            write_poster(clip, output / f"posters/{take.label}.jpg")
    pen.tell(1, Fact.CIRCLED)
    pen.tell(14, Fact.WARNED, warning="not as ordered: no sound")
    write_run(pen)
    write_reports(pen.state, made_at=MADE_AT)
    pen.state.close()


def run_film(text: str) -> Path:
    """Run a manifest's text on the sandbox, in the working folder; returns the output folder."""
    Path("film.yaml").write_text(text, encoding="utf-8")
    assert call(["-q", "run", "film.yaml", "--sandbox", "--speed", "600", "--yes", "-o", "o"]) == 0
    return Path("o")
