"""The contact sheet of 1,000 shots with two takes each: how long it takes to write, and until a browser shows it.

Beside it, what a plain page would be that gives each take a player of its own.
"""

from __future__ import annotations

import shutil
import sys
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

from playwright.sync_api import sync_playwright

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from tests.films import Reel, shoot  # noqa: E402
from wanbatch.batch.lifecycle import State  # noqa: E402
from wanbatch.batch.plan import ShotRow  # noqa: E402
from wanbatch.batch.take import Take  # noqa: E402
from wanbatch.clip.media import write_poster  # noqa: E402
from wanbatch.reporting.sheet import render_sheet  # noqa: E402

SHOTS = 1_000
BEGIN = datetime(2026, 3, 1, 20, tzinfo=UTC)


def made(output: Path) -> tuple[list[ShotRow], list[Take]]:
    (output / "clips").mkdir(parents=True)
    (output / "posters").mkdir()
    clip = shoot(Reel(1, width=640, height=360), output / "one.mp4")
    write_poster(clip, output / "one.jpg")
    shots, takes = [], []
    for n in range(SHOTS):
        shot_id = f"sc{n // 20:03}_sh{n:04}"
        prompt = "A menacing dragon appears above the tallest mountain, wide shot, evening light. " * 2
        shots.append(ShotRow(shot_id, n, "sq01", shot_id[:5], (), "", "", prompt, 2, omit=False, removed=False))
        for number in (1, 2):
            recipe = (
                f'{{"duration":5,"model":"alibaba/wan-2-6-t2v","prompt":"{prompt}","resolution":"720p","seed":{n}}}'
            )
            take = Take(
                2 * n + number, shot_id, number, recipe, State.VERIFIED, file=f"clips/{shot_id}_t{number}.mp4",
                submitted_at=BEGIN, completed_at=BEGIN + timedelta(seconds=200), credits_charged=1_050_000,
                is_charge_seen=True, width=1280, height=720, clip_duration_s=5.0,
            )  # fmt: skip
            takes.append(take)
            (output / f"clips/{take.label}.mp4").hardlink_to(clip)
            (output / f"posters/{take.label}.jpg").hardlink_to(output / "one.jpg")
    return shots, takes


def main() -> int:
    facts = {
        "batch": "b", "sandbox": False, "counts": {"verified": 2 * SHOTS}, "version": "0", "runs": [],
        "made_at": "2026-03-02T07:30:00.000Z", "created_at": "2026-03-01",
    }  # fmt: skip
    path = shutil.which("chromium") or shutil.which("google-chrome")
    if path is None:
        print("no Chromium here: nothing was measured")
        return 0
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        output = Path(folder) / "film"
        shots, takes = made(output)
        began = time.perf_counter()
        page_text = render_sheet(facts, takes, shots, output)
        wrote_s = time.perf_counter() - began
        (output / "storyboard.html").write_text(page_text, encoding="utf-8")
        players = "".join(f'<video controls poster="posters/{t.label}.jpg" src="{t.file}"></video>' for t in takes)
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
