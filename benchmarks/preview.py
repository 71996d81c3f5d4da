"""The preview of 200 shots: from a saved manifest to its page, as `wanbatch preview` does it each time; best of five.

Then the first page of a process of its own. Beside them what a user would do instead to see the plan again:
`wanbatch plan`. Usage: python benchmarks/preview.py    (Linux)
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.scale import timed  # noqa: E402
from wanbatch.session.animatic import write_animatic  # noqa: E402

SHOTS, LIMIT_S, TIMES = 200, 0.5, 5
PROMPT = "a lighthouse in a storm, waves over the rocks, the keeper climbs the stairs with a lantern"


def main() -> int:
    with tempfile.TemporaryDirectory() as folder:
        manifest, page = Path(folder) / "film.yaml", Path(folder) / "film.html"
        rows = [f'  - {{id: sh{n:03}, scene: sc{n // 20}, duration: 5, prompt: "{n}: {PROMPT}"}}' for n in range(SHOTS)]
        manifest.write_text("\n".join(["version: 1", "shots:", *rows, ""]))
        times_s = []
        for _ in range(TIMES):
            begun = time.perf_counter()
            write_animatic(manifest, page, lambda _: 1, is_watched=True)
            times_s.append(time.perf_counter() - begun)
        wanbatch = (sys.executable, "-m", "wanbatch")
        once = timed(*wanbatch, "preview", str(manifest), "--once", "-o", str(page))
        plan = timed(*wanbatch, "plan", str(manifest), "--offline", "-o", f"{folder}/out")
    print(f"preview of {SHOTS} shots: first {times_s[0]:.2f} s, then {min(times_s):.2f} s")
    for name, (wall_s, cpu_s, _) in {"wanbatch preview --once": once, "wanbatch plan": plan}.items():
        print(f"{name:24} {wall_s:5.2f} s  {cpu_s:5.2f} s CPU")
    return int(min(times_s) > LIMIT_S)


if __name__ == "__main__":
    raise SystemExit(main())
