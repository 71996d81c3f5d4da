"""The contact sheet of 1,000 shots with two takes each: how long it takes to write, and until a browser shows it.

Beside it, what a plain page would be that gives each take a player of its own.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.films import Reel, shoot  # noqa: E402
from tests.reporting.states import MADE_AT, begin, shot  # noqa: E402
from wanbatch.batch.lifecycle import State  # noqa: E402
from wanbatch.batch.shots import Batch  # noqa: E402
from wanbatch.clip.check import write_poster  # noqa: E402
from wanbatch.reporting.book import book_of  # noqa: E402
from wanbatch.reporting.csv_tables import make_frames  # noqa: E402
from wanbatch.reporting.record import read_record  # noqa: E402
from wanbatch.reporting.sheet import render_sheet  # noqa: E402
from wanbatch.reporting.summary import summary_facts  # noqa: E402
from wanbatch.state.reader import StateReader  # noqa: E402

SHOTS = 1_000
PROMPT = "A menacing dragon appears above the tallest mountain, wide shot, evening light. " * 2


def made(output: Path) -> None:
    shots = [
        shot(f"sc{n // 20:03}_sh{n:04}", n, sequence="sq01", scene=f"sc{n // 20:03}", takes=2, prompt=PROMPT)
        for n in range(SHOTS)
    ]
    pen = begin(output, Batch("sheet", tuple(shots)))
    for folder in ("clips", "posters"):
        (output / folder).mkdir()
    clip = shoot(Reel(1, width=640, height=360), output / "one.mp4")
    write_poster(clip, output / "one.jpg")
    for take in pen.state.takes():
        pen.lead(take.take_id, State.VERIFIED, charged=1_050_000, label=take.label)
        (output / f"clips/{take.label}.mp4").hardlink_to(clip)
        (output / f"posters/{take.label}.jpg").hardlink_to(output / "one.jpg")
    pen.state.close()


def main() -> int:
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        print("no Chromium here: nothing was measured")
        return 0
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        output = Path(folder) / "film"
        made(output)
        with StateReader.open(output) as reader:
            book = book_of(read_record(reader))
        facts = summary_facts(book, make_frames(book).summary, MADE_AT)
        began = time.perf_counter()
        page_text = render_sheet(book, facts)
        wrote_s = time.perf_counter() - began
        (output / "storyboard.html").write_text(page_text, encoding="utf-8")
        players = "".join(
            f'<video controls poster="posters/{label}.jpg" src="clips/{label}.mp4"></video>' for label in book.labels
        )
        (output / "players.html").write_text(f"<!doctype html>{players}", encoding="utf-8")
        browser = playwright.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-gpu"])
        print(f"{SHOTS} shots, {2 * SHOTS} takes: written in {wrote_s:.2f} s, {len(page_text) / 1e6:.1f} MB")
        print(f"{'':24}{'first paint':>12}{'loaded':>10}{'filter':>10}{'files asked for':>18}")
        for name in ("storyboard.html", "players.html"):
            page = browser.new_page(viewport={"width": 1280, "height": 900})
            asked: list[str] = []
            page.on("request", lambda request, asked=asked: asked.append(request.url))
            page.goto((output / name).as_uri(), wait_until="load", timeout=120_000)
            page.wait_for_timeout(500)
            paint_ms, load_ms = page.evaluate(
                "[performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0,"
                " performance.getEntriesByType('navigation')[0].loadEventEnd]"
            )
            filter_ms = 0.0
            if name == "storyboard.html":
                filter_ms = page.evaluate(
                    "(() => { const began = performance.now(); const text = document.querySelector('#text');"
                    " text.value = 'sh0999'; text.dispatchEvent(new Event('input'));"
                    " document.body.offsetHeight; return performance.now() - began; })()"
                )
            print(f"{name:24}{paint_ms:9.0f} ms{load_ms:7.0f} ms{filter_ms:7.0f} ms{len(asked):18}")
            page.close()
        browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main())
