"""A manifest from a screenplay: a scene for each heading, a shot for each paragraph of action, to be edited then."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from string import capwords
from typing import Any

from wanbatch.batch.names import name_of_stem
from wanbatch.disk import replacing
from wanbatch.errors import ManifestInvalid, UsageInvalid
from wanbatch.manifest.file_text import check_file, text_of
from wanbatch.manifest.fountain import Screenplay, ScreenScene, read_fountain
from wanbatch.manifest.tree import Problems, ReadingStopped, start_of_file
from wanbatch.manifest.yaml_file import yaml_text

ENDING = ".fountain"
_STEP = 10


@dataclass(frozen=True)
class ScreenplayManifest:
    """The manifest that was written, and how much of the screenplay is in it."""

    path: Path
    scenes: int
    shots: int
    cast: tuple[str, ...]


def write_manifest_of(source: Path) -> ScreenplayManifest:
    """Write a manifest beside a screenplay.

    Raises ManifestInvalid for a screenplay without scenes, UsageInvalid if the manifest is there already.
    """
    problems = Problems(str(source))
    try:
        check_file(source, problems)
        play = read_fountain(text_of(source, problems))
        if not any(scene.actions for scene in play.scenes):
            words = "no scene with action: a scene begins with a line such as INT. KITCHEN - DAY, after an empty line"
            raise problems.stop(start_of_file(), words)
    except ReadingStopped as stopped:
        raise ManifestInvalid(problems.found) from stopped
    path = source.with_suffix(".yaml")
    if path.exists():
        raise UsageInvalid(
            f"{path} is there already: rename the screenplay, or move that file away. Nothing was written"
        )
    shots = [shot for number, scene in enumerate(play.scenes, 1) for shot in _shots(number, scene)]
    cast = tuple(dict.fromkeys(name for scene in play.scenes for name in scene.cast))
    with replacing(path) as part:
        part.write_text(_text(source, play, cast, shots), encoding="utf-8")
    return ScreenplayManifest(path, len(play.scenes), len(shots), cast)


def _text(source: Path, play: Screenplay, cast: tuple[str, ...], shots: list[dict[str, Any]]) -> str:
    places = dict.fromkeys(scene.place[1] for scene in play.scenes)
    head = [
        f"# From {source.name}: a shot for each paragraph of action. Prompts are sent as written: edit them.",
        f"# Who speaks: {', '.join(cast) or 'no one'}. Say in each prompt what they look like.",
        f"# Where it is: {', '.join(places)}.",
    ]
    name = name_of_stem(play.title or source.stem)
    whole = {"version": 1, "name": name, "defaults": {"duration": 5, "resolution": "720p"}, "shots": shots}
    return "\n".join(head) + "\n" + yaml_text(whole)


def _shots(number: int, scene: ScreenScene) -> list[dict[str, Any]]:
    code = name_of_stem(f"sc{scene.number}" if scene.number else f"sc{number * _STEP:03}")
    inside, location, time = scene.place
    where = ", ".join(part for part in (capwords(location), inside, time.lower()) if part)
    shots = []
    for count, (line, action) in enumerate(scene.actions, 1):
        shot = {
            "id": f"{code}_sh{count * _STEP:03}",
            "scene": code,
            "prompt": f"{where}. {action}",
            "x_line": str(line),
        }
        shots.append({**shot, **({"x_cast": ", ".join(scene.cast)} if scene.cast else {})})
    if scene.notes and shots:
        shots[0]["notes"] = "; ".join(scene.notes)
    return shots
