"""A film of 40 shots in 8 chains, killed again and again while the sandbox plays faults and clips drift.

    python benchmarks/film.py [--kills 12] [--seed 1] [--drift]

Two chains branch. Each begins with a still of its own. Every second shot names one of the cast and is made by a model
that takes her picture as a reference: one beside the manifest, as no model that wanbatch knows takes such files.
A few shots have two takes, and of one the first is circled before anything continues from it. Runs are killed with
SIGKILL at random moments and started again, then run until every shot has a clip; what failed is tried again, and what
is held is made again. Prints what the books say, and exits 1 unless every shot has a clip, each frame is of the take
that was chosen when its successor was sent, every charged submit held the bytes of its files as they are prepared and
the frame that is recorded for it, that frame is the last one of its predecessor's clip to the pixel and measured, no
take was charged twice, and the ledger says what the report says. Everything runs on this machine.
"""

from __future__ import annotations

import argparse
import hashlib
import io
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Any

import av
import httpx
import numpy as np
from PIL import Image

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.kill_nine import states_of  # noqa: E402
from tests.pictures import LENS, add_lens  # noqa: E402
from wanbatch.batch.attempts import Attempt  # noqa: E402
from wanbatch.batch.chained_takes import Join  # noqa: E402
from wanbatch.batch.chosen_frames import ChosenFrame  # noqa: E402
from wanbatch.batch.frames import may_hold_frames  # noqa: E402
from wanbatch.batch.given_files import hashes_in  # noqa: E402
from wanbatch.batch.lifecycle import State  # noqa: E402
from wanbatch.batch.take import Take  # noqa: E402
from wanbatch.clip.still import read_still  # noqa: E402
from wanbatch.sandbox.faults import PLANS, Rule  # noqa: E402
from wanbatch.state.chained_takes import read_chained  # noqa: E402
from wanbatch.state.drifts import read_drifts  # noqa: E402
from wanbatch.state.reader import StateReader  # noqa: E402

WANBATCH = (sys.executable, "-m", "wanbatch")
SPEED = "30"
CHAINS, LONG = 8, 5  # of five shots each
BRANCHING = (0, 1)  # in these chains the last shot continues from the second one
TWICE = ("c2_s0", "c2_s2", "c4_s1")  # the shots of two takes
CIRCLED = "c2_s0"  # of which the first take is circled
ENDED = {0, 1, 3}
RUNS = 12  # after the kills: enough for what waits for the log


def main() -> int:
    options = _options()
    rng = random.Random(options.seed)
    with tempfile.TemporaryDirectory(prefix="wanbatch-film-") as name:
        folder = Path(name)
        _film(folder, rng)
        sandbox, url = _sandbox(folder, options)
        try:
            _circle(folder, url)
            codes = _killed(folder, url, rng, options.kills)
            is_good = _verdict(folder / "out", url, codes)
        finally:
            sandbox.terminate()
            sandbox.wait()
    print("PASS" if is_good else "FAIL")
    return 0 if is_good else 1


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=12)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--drift", action="store_true", help="clips drift, too")
    return parser.parse_args()


def _film(folder: Path, rng: random.Random) -> None:
    pixels = np.random.default_rng(rng.randrange(1000))
    shots = []
    Image.fromarray(pixels.integers(0, 256, (640, 640, 3), np.uint8)).save(folder / "mara.png")
    for chain in range(CHAINS):
        small = Image.fromarray(pixels.integers(0, 256, (36, 64, 3), np.uint8))
        small.resize((1280, 720)).save(folder / f"still{chain}.png")
        for number in range(LONG):
            before = 1 if chain in BRANCHING and number == LONG - 1 else number - 1
            frame = f"still{chain}.png" if number == 0 else {"from": f"c{chain}_s{before}"}
            cast = {"prompt": "A ridge."}
            if number % 2:
                cast = {"cast": ["mara"], "prompt": "{cast.mara} walks on.", "model": LENS, "resolution": None}
            shot_id = f"c{chain}_s{number}"
            twice = {"takes": 2} if shot_id in TWICE else {}
            shots.append({"id": shot_id, "first_frame": frame, **cast, **twice})
    head = {"model": "alibaba/wan-2-7-i2v", "resolution": "720p", "duration": 5}
    mara = {"look": "A woman in red", "images": ["mara.png"]}
    told = {"version": 1, "name": "film", "defaults": head, "cast": {"mara": mara}, "shots": shots}
    add_lens(folder)
    (folder / "film.json").write_text(json.dumps(told), encoding="utf-8")


def _sandbox(folder: Path, options: argparse.Namespace) -> tuple[subprocess.Popen[str], str]:
    plans = (*PLANS["hostile"], *(PLANS["drift"] if options.drift else ()))
    usual = asdict(Rule("", ""))
    rules = [{name: each for name, each in asdict(rule).items() if each != usual[name]} for rule in plans]
    path = folder / "faults.json"
    path.write_text(json.dumps(rules), encoding="utf-8")
    command = [*WANBATCH, "--json", "sandbox", "--speed", SPEED, "--data", str(folder / "account")]
    command += ["--models", str(folder / "models"), "--faults", str(path), "--seed", str(options.seed)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, json.loads(process.stdout.readline())["base_url"]


def _circle(folder: Path, url: str) -> None:
    """Make both takes of one shot, and circle the first: all that continues from it has to begin with that one."""
    for _ in range(RUNS):
        _run(folder, url, "--only", CIRCLED).wait()
        if _clips(folder / "out").get(CIRCLED, 0) == 2:
            break
        _order(url, "retry", folder / "out", CIRCLED, "--yes", "--speed", SPEED)
    _order(url, "circle", folder / "out", CIRCLED, "1")


def _clips(output: Path) -> Counter[str]:
    """Return how many verified clips each shot has."""
    with StateReader.open(output) as reader:
        return Counter(take.shot_id for take in reader.takes() if take.state is State.VERIFIED)


def _killed(folder: Path, url: str, rng: random.Random, kills: int) -> Counter[int]:
    codes: Counter[int] = Counter()
    for number in range(1, kills + 1):
        process = _run(folder, url)
        after_s = rng.uniform(0.8, 6.0)
        time.sleep(after_s)
        process.send_signal(signal.SIGKILL)
        codes[process.wait()] += 1
        print(f"kill {number:2d} after {after_s:.1f} s: {states_of(folder / 'out')}", flush=True)
    for _ in range(RUNS):
        before = states_of(folder / "out")
        code = _run(folder, url).wait()
        codes[code] += 1
        print(f"run to its end: exit code {code}, {states_of(folder / 'out')}", flush=True)
        if code not in ENDED or len(_clips(folder / "out")) == CHAINS * LONG:
            break
        _order(url, "retry", folder / "out", "--yes", "--speed", SPEED)  # what failed for good: a chain waits for it
        held = _held(folder / "out") if states_of(folder / "out") == before else []
        if held:
            _order(url, "retake", folder / "out", *held, "--yes", "--speed", SPEED)
    return codes


def _held(output: Path) -> list[str]:
    """Return the shots without a clip of which a take is held."""
    with StateReader.open(output) as reader:
        takes = reader.takes()
    with_clips = {take.shot_id for take in takes if take.state is State.VERIFIED}
    return sorted({take.shot_id for take in takes if take.state is State.HELD} - with_clips)


def _environment(url: str) -> dict[str, str]:
    return {**os.environ, "AIMLAPI_BASE_URL": url, "AIMLAPI_API_KEY": "a-key-for-the-sandbox"}


def _run(folder: Path, url: str, *flags: str) -> subprocess.Popen[bytes]:
    command = [*WANBATCH, "-q", "run", str(folder / "film.json"), "-o", str(folder / "out"), "--yes", "--speed", SPEED]
    command += ["--submit-rate", "20/min", "--unknown-grace", "6min", *flags]
    return subprocess.Popen(command, env=_environment(url), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def _order(url: str, name: str, output: Path, *words: str) -> None:
    """Carry out a command on the output folder."""
    command = [*WANBATCH, "-q", name, str(output), *words]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    subprocess.run(command, env=_environment(url), check=False, **quiet)


def _verdict(output: Path, url: str, codes: Counter[int]) -> bool:
    rows = httpx.get(f"{url}/sandbox/ledger", trust_env=False, timeout=60).json()["requests"]
    charged = [row for row in rows if row["charged"]]
    with StateReader.open(output) as reader:
        reader.check()
        takes, attempts, drifts = reader.takes(), reader.attempts(), read_drifts(reader)
        chained = read_chained(reader)
        frames = {take.take_id: reader.frames_of(take.take_id, take.attempt) for take in takes}
    by_id = {take.take_id: take for take in takes}
    owner = {attempt.request_id: attempt.take_id for attempt in attempts}
    per_take = Counter(owner.get(row["client_request_id"], 0) for row in charged)
    doubles = [by_id[each].label if each else "a stray" for each, count in per_take.items() if count > 1]
    told, books = sum(take.credits_charged or 0 for take in takes), sum(row["charged"] for row in charged)
    verified = [take for take in takes if take.state is State.VERIFIED]
    joins = [(take, frame) for take in verified for frame in frames[take.take_id]]
    wrong = [take.label for take, frame in joins if not _is_last_frame(output, frame, by_id[frame.take_id])]
    sent = [_is_sent(row, by_id[owner[row["client_request_id"]]], output.parent, frames) for row in charged]
    print(f"{sum(map(len, sent))} files and frames in what was charged; with other bytes: {sum(map(_others, sent))}")
    jumps = [each.psnr_db for each in drifts.values() if each.psnr_db is not None]
    drifting = [take.label for take in verified if "drifts:" in take.warning]
    print(f"exit codes {dict(codes)}; {len(rows)} submits, {len(charged)} charges, {states_of(output)}")
    print(f"{len(joins)} frames of predecessors sent, other than to the pixel: {wrong}")
    print(f"charged twice: {doubles}; ledger {books} = report {told}: {books == told}")
    if jumps:
        print(
            f"{len(jumps)} joins measured, PSNR {min(jumps):.1f} to {max(jumps):.1f} dB; {len(drifting)} drift warnings"
        )
    sent_at = {take.take_id: _sent_at(take, attempts) for take in verified}
    joined = [join for take in verified for join in chained.joins(take) if join.is_stale]
    unchosen = [each.take.label for each in joined if not _is_later(each, sent_at)]
    of_circled = [frame.take for take, frame in joins if by_id[frame.take_id].shot_id == CIRCLED]
    lacking = sorted({take.shot_id for take in takes} - {take.shot_id for take in verified})
    print(f"shots without a clip: {lacking}; made from a take that was not chosen then: {unchosen}")
    print(
        f"made from {CIRCLED}, of which take 1 is circled: {of_circled}; from two takes of a shot: {len(joined)} stale"
    )
    behind = [take for take in verified if may_hold_frames(take.recipe_json)]
    is_made = not lacking and len({take.shot_id for take in takes}) == CHAINS * LONG
    is_chosen = not unchosen and set(of_circled) == {f"{CIRCLED}_t1"}
    is_whole = is_made and is_chosen and len(joins) == len(behind) == len(jumps)
    return is_whole and not any(map(_others, sent)) and not wrong and not doubles and books == told


def _sent_at(take: Take, attempts: Sequence[Attempt]) -> datetime:
    """Return when the submit of a take was sent that made its clip."""
    return max(each.started_at for each in attempts if each.take_id == take.take_id)


def _is_later(join: Join, sent_at: Mapping[int, datetime]) -> bool:
    """Say whether the take that is chosen now was sent after the one that continues from another, as a retry can be."""
    source = join.source.take
    return source is not None and not source.circled and sent_at[source.take_id] > sent_at[join.take.take_id]


def _is_sent(row: dict[str, Any], take: Take, folder: Path, frames: Mapping[int, Sequence[ChosenFrame]]) -> list[bool]:
    """Say of each file and frame that a take is given whether the sandbox got its bytes, as they are prepared."""
    pictures = [path.read_bytes() for path in folder.glob("*.png")]
    prepared = {hashlib.sha256(each).hexdigest(): read_still(each).sent for each in pictures}
    wanted = [hashlib.sha256(prepared[each]).hexdigest() for each in hashes_in(take.recipe.body)]
    wanted += [each.png_sha256 for each in frames[take.take_id]]
    return [f'"data:image/png;sha256,{each}"' in row["body"] for each in wanted]


def _others(found: Sequence[bool]) -> int:
    return found.count(False)


def _is_last_frame(output: Path, frame: ChosenFrame, source: Take) -> bool:
    """Say whether a frame is the last one of its take's clip, each as it is decoded."""
    with av.open(str(output / str(source.file))) as container:
        last = [each.to_ndarray(format="rgb24") for each in container.decode(video=0)][-1]
    with Image.open(io.BytesIO((output / frame.file).read_bytes())) as picture:
        return frame.is_of(source) and np.array_equal(np.asarray(picture.convert("RGB")), last)


if __name__ == "__main__":
    sys.exit(main())
