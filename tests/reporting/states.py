"""State files for the report tests: made through the state file's own door, one fact after the other."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.plan import make_plan
from wanbatch.batch.shots import DEFAULT_MODEL, Batch, Shot
from wanbatch.state.file import StateFile
from wanbatch.state.reader import StateReader, entry
from wanbatch.state.tables import Run, new_identity

BEGIN = datetime(2026, 3, 1, 20, 0, tzinfo=UTC)
MADE_AT = datetime(2026, 3, 2, 7, 30, tzinfo=UTC)
FINGERPRINT = "f00dfeed"
CREDITS = 1_050_000


def shot(shot_id: str, ordinal: int, *, prompt: str = "A dragon lands.", **facts: Any) -> Shot:
    request = {"model": DEFAULT_MODEL, "prompt": prompt, "duration": 5, "resolution": "720p"}
    return Shot(shot_id, ordinal, request | facts.pop("request", {}), seed=facts.pop("seed", 7), **facts)


def every_state_batch() -> tuple[Batch, dict[str, State]]:
    """One shot for every state of the lifecycle, by scene, and an omitted one."""
    states = {f"sc{number // 4}_sh{number:02}": state for number, state in enumerate(State)}
    shots = [shot(shot_id, number, scene=shot_id[:3]) for number, shot_id in enumerate(states)]
    return Batch("every-state", (*shots, shot("zz_omitted", 99, scene="sc9", omit=True))), states


@dataclass
class Pen:
    """Writes facts about takes, one a second; a step is `(take id, state to lead it to, words)`."""

    state: StateFile
    now: datetime = BEGIN

    def tell(self, take_id: int, fact: Fact, **data: Any) -> None:
        self.now += timedelta(seconds=1)
        self.state.record(take_id, entry(fact, self.now, data))

    def lead(self, take_id: int, target: State, **words: Any) -> None:
        """Record what brings a planned take to this state. Words: held, estimated, charged, error, warning."""
        error, held = words.get("error", "the server said: no"), words.get("held", CREDITS)
        path = _WAYS[target]
        for fact in path:
            self.tell(take_id, fact, **_data(fact, take_id, {**words, "error": error, "held": held}))
        if words.get("charged") is not None:
            self.tell(take_id, Fact.CHARGED, credits_charged=words["charged"])
        if words.get("warning"):
            self.tell(take_id, Fact.WARNED, warning=words["warning"])


_SENT = (Fact.SUBMIT_STARTED,)
_QUEUED = (*_SENT, Fact.ACCEPTED)
_RUNNING = (*_QUEUED, Fact.GENERATION_STARTED)
_DONE = (*_RUNNING, Fact.COMPLETED)
_WAYS: dict[State, tuple[Fact, ...]] = {
    State.PLANNED: (),
    State.SUBMITTING: _SENT,
    State.UNKNOWN: (*_SENT, Fact.ANSWER_LOST),
    State.HELD: (*_SENT, Fact.ANSWER_LOST, Fact.HELD),
    State.QUEUED: _QUEUED,
    State.GENERATING: _RUNNING,
    State.COMPLETED: _DONE,
    State.DOWNLOADED: (*_DONE, Fact.DOWNLOADED),
    State.VERIFIED: (*_DONE, Fact.DOWNLOADED, Fact.VERIFIED),
    State.FAILED: (*_RUNNING, Fact.GENERATION_FAILED),
}


def _data(fact: Fact, take_id: int, words: Mapping[str, Any]) -> dict[str, Any]:
    match fact:
        case Fact.SUBMIT_STARTED:
            return {
                "attempt": 1,
                "request_id": f"wb1:nonce:{take_id}:1",
                "body_sha256": "b" * 64,
                "key_fingerprint": FINGERPRINT,
                "credits_estimated": words.get("estimated"),
            }
        case Fact.ACCEPTED:
            return {"generation_id": f"gen-{take_id}", "credits_held": words["held"]}
        case Fact.GENERATION_STARTED:
            return {"seen_change": True}
        case Fact.COMPLETED:
            return {"last_running_at": (BEGIN + timedelta(seconds=3)).isoformat()}
        case Fact.DOWNLOADED:
            probe = {"clip_duration_s": words.get("clip_s", 5.0), "width": 1280, "height": 720, "has_audio": True}
            return {"sha256": "c" * 64, "size_bytes": 260_939, "download_s": 1.5, **probe}
        case Fact.VERIFIED:
            return {"file": words["file"]} if "file" in words else {"file": f"clips/{words['label']}.mp4"}
        case Fact.HELD:
            return {"error": words["error"], "needs_user": True}
        case Fact.GENERATION_FAILED | Fact.ANSWER_LOST:
            return {"error": words["error"]}
        case _:
            return {}


def begin(output: Path, batch: Batch, *, base_url: str = "https://api.example.com/v2", sandbox: bool = False) -> Pen:
    """Begin a state file with the plan of a batch."""
    state = StateFile.create_or_open(
        output, new_identity(batch.name, base_url, FINGERPRINT, BEGIN, sandbox=sandbox), fresh=True
    )
    state.adopt(make_plan(batch, []), BEGIN)
    return Pen(state)


def write_run(pen: Pen, *, speed: float = 1.0, estimate: int | None = 9_000_000, message: str = "") -> None:
    pen.state.store_run(Run(1, BEGIN, pen.now, 0, speed, "0.1.0", estimate, 0, 12_000_000, message))


def every_state(output: Path, **identity: Any) -> dict[str, State]:
    """Write a folder with a take in every state, clips and posters of nothing, and one superseded take."""
    batch, states = every_state_batch()
    pen = begin(output, batch, **identity)
    for take in pen.state.takes():
        state = states[take.shot_id]
        charged = CREDITS if state is State.VERIFIED else None
        pen.lead(take.take_id, state, charged=charged, label=take.label)
    write_run(pen)
    place_clips(output, pen.state)
    pen.state.close()
    return states


def place_clips(output: Path, state: StateReader) -> None:
    """Put a file where each verified take says that its clip lies, and a poster."""
    (output / "clips").mkdir(exist_ok=True)
    (output / "posters").mkdir(exist_ok=True)
    for take in state.takes():
        if take.file is not None:
            (output / take.file).write_bytes(b"clip")
            (output / "posters" / f"{take.label}.jpg").write_bytes(b"poster")
