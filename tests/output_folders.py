"""Output folders to cut: a state file made through its own door, and small clips that it tells the truth about."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from pathlib import Path

from tests.films import Reel, shoot
from tests.reporting.states import Pen, begin
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.shots import Batch
from wanbatch.batch.take import Take
from wanbatch.clip.frames import draw_poster, jpeg_of
from wanbatch.state.reader import StateReader

_MADE: dict[Reel, tuple[bytes, bytes]] = {}


def make_room(
    output: Path, batch: Batch, reels: Mapping[str, Reel], failed: Collection[str] = (), base_url: str = "sandbox"
) -> Pen:
    """Begin a folder in which the takes named by `reels` have clips, those of `failed` failed, all others wait."""
    pen = begin(output, batch, sandbox=True, base_url=base_url)
    for take in pen.state.takes():
        if take.label in reels:
            place_clip(pen, take, reels[take.label])
        elif take.label in failed:
            pen.lead(take.take_id, State.FAILED, error="the prompt was moderated")
    return pen


def place_clip(pen: Pen, take: Take, reel: Reel) -> None:
    """Lead a planned take to a verified clip with its poster."""
    clip = pen.state.output / "clips" / f"{take.label}.mp4"
    clip.parent.mkdir(exist_ok=True)
    if reel not in _MADE:
        shoot(reel, clip)
        _MADE[reel] = clip.read_bytes(), jpeg_of(draw_poster(clip))
    made, drawn = _MADE[reel]
    clip.write_bytes(made)
    poster = pen.state.output / "posters" / f"{take.label}.jpg"
    poster.parent.mkdir(exist_ok=True)
    poster.write_bytes(drawn)
    pen.lead(take.take_id, State.COMPLETED)
    probe = {"clip_duration_s": float(reel.frames / reel.fps), "width": reel.width, "height": reel.height}
    digest = hashlib.sha256(made).hexdigest()
    facts = {"sha256": digest, "size_bytes": len(made), "has_audio": reel.sound_s is not None, **probe}
    pen.tell(take.take_id, Fact.DOWNLOADED, download_s=0.1, **facts)
    pen.tell(take.take_id, Fact.VERIFIED, file=f"clips/{take.label}.mp4")


def takes_of(output: Path) -> dict[str, Take]:
    """The takes of a folder by label, after the whole state file was checked."""
    with StateReader.open(output) as reader:
        reader.check()
        return {take.label: take for take in reader.takes()}
