"""A real browser for the pages: headless Chromium, without a network."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

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
