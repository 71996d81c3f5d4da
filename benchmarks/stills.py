"""How much memory a run needs whose shots begin with large stills of their own: 500 shots, 8 MB each.

    python benchmarks/stills.py [--shots 500] [--pixels 1660]

The stills are noise as PNG, so that nothing makes them smaller: 3 bytes a pixel, as many megabytes are read, checked,
encoded and sent for each shot. The run is the real command against a sandbox in a process of its own, both on this
machine. Prints the most memory that the run and each of its processes held (as the kernel shares it out; Linux only),
beside what all bodies together would take. Exits 1 if the run and its processes together held 300 MB or more.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

LIMIT_MB = 300.0
WANBATCH = (sys.executable, "-m", "wanbatch")
SHOT = {"resolution": "720p", "duration": 5, "generate_audio": False, "prompt": "Noise."}
EVERY_S = 0.05


def main() -> int:
    options = _options()
    with tempfile.TemporaryDirectory(prefix="wanbatch-stills-") as name:
        folder = Path(name)
        size_mb = _film(folder, options.shots, options.pixels)
        sandbox, url = _sandbox(folder)
        try:
            run = _run(folder, url)
            held, seconds = _watched(run)
        finally:
            sandbox.terminate()
            sandbox.wait()
    together = max(sum(each.values()) for each in held)
    main_mb = max(each.get(run.pid, 0.0) for each in held)
    bodies_mb = options.shots * size_mb * 4 / 3
    print(f"{options.shots} shots with a still of {size_mb:.1f} MB each, exit code {run.returncode}, {seconds:.0f} s")
    print(
        f"the run itself {main_mb:.0f} MB, with its processes {together:.0f} MB; all bodies would be {bodies_mb:.0f} MB"
    )
    is_good = run.returncode == 0 and together < LIMIT_MB
    print("PASS" if is_good else f"FAIL: a run that ends well under {LIMIT_MB:.0f} MB is expected")
    return 0 if is_good else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--shots", type=int, default=500)
    parser.add_argument("--pixels", type=int, default=1660, help="the side of a still; it is a square")
    return parser.parse_args()


def _film(folder: Path, shots: int, pixels: int) -> float:
    """Write a manifest and its stills; returns the size of a still in MB."""
    rng = np.random.default_rng(1)
    size = 0
    for number in range(shots):
        still = Image.fromarray(rng.integers(0, 256, (pixels, pixels, 3), np.uint8))
        path = folder / f"still{number:04d}.png"
        still.save(path, compress_level=0)
        size = path.stat().st_size
    listed = [{"id": f"sh{each:04d}", "first_frame": f"still{each:04d}.png", **SHOT} for each in range(shots)]
    manifest = {"version": 1, "defaults": {"model": "alibaba/wan-2-6-i2v"}, "shots": listed}
    (folder / "film.yaml").write_text(json.dumps(manifest), encoding="utf-8")
    return size / 1e6


def _sandbox(folder: Path) -> tuple[subprocess.Popen[str], str]:
    command = (*WANBATCH, "--json", "sandbox", "--speed", "60", "--data", str(folder / "account"))
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())["base_url"]


def _run(folder: Path, url: str) -> subprocess.Popen[bytes]:
    command = [*WANBATCH, "--quiet", "run", str(folder / "film.yaml"), "-o", str(folder / "out"), "--yes"]
    settings = {"AIMLAPI_API_KEY": "a-key-for-the-sandbox", "AIMLAPI_BASE_URL": url}
    return subprocess.Popen(command, env={**os.environ, **settings}, stdout=subprocess.DEVNULL)


def _watched(run: subprocess.Popen[bytes]) -> tuple[list[dict[int, float]], float]:
    """Return what each process held at each look, in MB by its id, and how long the run took, in seconds."""
    began, held = time.monotonic(), []
    while run.poll() is None:
        held.append({pid: _memory_mb(pid) for pid in _family(run.pid)})
        time.sleep(EVERY_S)
    return held, time.monotonic() - began


def _family(pid: int) -> list[int]:
    """Return a process and all that it started, also through others."""
    try:
        listed = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    except OSError:
        return []
    return [pid, *(each for child in listed for each in _family(int(child)))]


def _memory_mb(pid: int) -> float:
    """Return what a process holds now; 0 if it is gone."""
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return sum(float(line.split()[1]) for line in lines if line.startswith("Pss:")) / 1024


if __name__ == "__main__":
    sys.exit(main())
