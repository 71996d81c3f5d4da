"""The pictures of the pages, taken from the pages that the program makes: `python -m docs.made.pictures`.

It makes the demo on the sandbox and looks at its pages with the Chromium of this machine.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from wanbatch.cli import call

FOLDER = Path(__file__).parents[1] / "pictures"
COLOURS = 256  # flat areas lose nothing that anyone sees, and the file has a third of the bytes


def take_pictures() -> None:
    """Write the pictures into docs/pictures."""
    FOLDER.mkdir(exist_ok=True)
    chromium = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    with tempfile.TemporaryDirectory() as folder, contextlib.chdir(folder):
        os.environ["XDG_CACHE_HOME"] = folder
        call(["demo", "-o", "demo", "--speed", "60"])
        _look(Path("demo").resolve(), chromium)


def _look(output: Path, chromium: str | None) -> None:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": 1180, "height": 760}, device_scale_factor=1.25)
        _take(page, output / "storyboard.html", "storyboard.png")
        page.set_viewport_size({"width": 1180, "height": 1000})
        _take(page, output / "reports" / "report.html", "report.png")
        browser.close()


def _take(page: Page, shown: Path, name: str) -> None:
    page.goto(shown.as_uri())
    page.wait_for_timeout(1500)
    raw = FOLDER / "raw.png"
    page.screenshot(path=raw)
    Image.open(raw).convert("RGB").quantize(COLOURS, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE).save(
        FOLDER / name, optimize=True
    )
    raw.unlink()


if __name__ == "__main__":
    take_pictures()
