"""A real browser for the pages: headless Chromium, without a network."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.reporting.storyboard import Looked, make_film

if TYPE_CHECKING:
    from playwright.sync_api import Browser

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
MAC = Path("/Applications/Google Chrome.app/Contents/MacOS/Google Chrome")


def browser_path() -> str | None:
    """Where a browser is: named by CHROMIUM, on the path, or where macOS has it."""
    named = os.environ.get("CHROMIUM")
    found = [named] if named else [shutil.which(name) for name in NAMES]
    return next((path for path in found if path), str(MAC) if MAC.is_file() else None)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for a module: its driver holds the thread's event loop, which others need. Without one the test is skipped, unless WANBATCH_NEEDS_BROWSER says that it must run."""
    path = browser_path()
    if path is None:
        if os.environ.get("WANBATCH_NEEDS_BROWSER"):
            pytest.fail("no Chromium is installed, and WANBATCH_NEEDS_BROWSER asks for one")
        pytest.skip("no Chromium is installed: the pages are not tried in a browser")
    from playwright.sync_api import sync_playwright

    flags = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--disable-sync", "--disable-component-update"]
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=path, args=flags)
        yield started
        started.close()


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One storyboard for a module."""
    output = tmp_path_factory.mktemp("my films") / "outputs" / "dragon's pass"
    make_film(output)
    return output


@pytest.fixture
def looked(browser: Browser, film: Path) -> Iterator[Looked]:
    context = browser.new_context(viewport={"width": 1280, "height": 900})
    found = Looked(context.new_page(), film)
    found.page.on("console", lambda message: found.complaints.append(message.text))
    found.page.on("pageerror", lambda error: found.complaints.append(str(error)))
    found.page.on("requestfailed", lambda request: found.complaints.append(f"{request.url}: {request.failure}"))
    found.page.goto((film / "storyboard.html").as_uri())
    yield found
    complaints = [each for each in found.complaints if "ERR_ABORTED" not in each]  # a clip that was left again
    context.close()
    assert complaints == []
