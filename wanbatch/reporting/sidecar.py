"""The sidecar of a clip: a JSON file beside it that says how it was made and what it cost."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path, PurePosixPath
from typing import Any

from wanbatch.batch.attempts import Attempt
from wanbatch.batch.plan import ShotRow
from wanbatch.batch.take import Take
from wanbatch.disk import replace_text
from wanbatch.reporting.given import NOTHING_GIVEN, Given
from wanbatch.state.shown import shown_take


def write_sidecar(
    output: Path, take: Take, shot: ShotRow, attempts: Sequence[Attempt], given: Given = NOTHING_GIVEN
) -> None:
    """Write the sidecar of a verified take beside its clip; leave it untouched if nothing changed."""
    take = shown_take(take, output)
    if take.file is None:
        return
    replace_text(output / sidecar_path(take.file), sidecar_text(take, shot, attempts, given))


def sidecar_path(file: str) -> str:
    """Return the path of a clip's sidecar, relative to the output folder as the clip's is."""
    return str(PurePosixPath(file).with_suffix(".json"))


def sidecar_text(take: Take, shot: ShotRow, attempts: Sequence[Attempt], given: Given = NOTHING_GIVEN) -> str:
    """Return the text of a sidecar."""
    return json.dumps({**sidecar(take, shot, attempts), **given.told(take)}, ensure_ascii=False, indent=2) + "\n"


def sidecar(take: Take, shot: ShotRow, attempts: Sequence[Attempt]) -> dict[str, Any]:
    """Return the content of a sidecar. Credits are whole numbers, null where unknown; times are ISO 8601, UTC."""
    return {
        "shot_id": take.shot_id,
        "take": take.number,
        "state": take.shown_state,
        "recipe": take.recipe.body,
        "recipe_sha256": take.recipe.sha256,
        "seed": take.recipe.body.get("seed"),
        "shot": {
            "sequence": shot.sequence,
            "scene": shot.scene,
            "tags": list(shot.tags),
            "cost_code": shot.cost_code,
            "notes": shot.notes,
        },
        "generation_id": take.generation_id,
        "request_ids": [attempt.request_id for attempt in attempts],
        "credits": {"held": take.credits_held, "charged": take.credits_charged},
        "generations": [
            {
                "generation_id": each.generation_id,
                "request_id": each.request_id,
                "outcome": each.outcome.value,
                "held": each.credits_held,
                "charged": each.credits_charged,
            }
            for each in attempts
            if each.generation_id is not None
        ],
        "times": {
            name: iso(getattr(take, name))
            for name in ("submitted_at", "started_at", "completed_at", "downloaded_at", "verified_at")
        },
        "file": take.file,
        "sha256": take.sha256,
        "size_bytes": take.size_bytes,
        "probe": {
            "duration_s": take.clip_duration_s,
            "width": take.width,
            "height": take.height,
            "has_audio": take.has_audio,
        },
        "circled": take.circled,
        "note": take.note,
        "warning": take.warning,
    }


def iso(at: datetime | None) -> str | None:
    """Write a time as ISO 8601 in UTC, to the millisecond, with Z."""
    return None if at is None else at.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
