"""A manifest from a screenplay: its scenes, locations and cast, with shots to fill in."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wanbatch.batch.names import name_of_stem
from wanbatch.disk import replacing
from wanbatch.errors import ManifestInvalid, UsageInvalid
from wanbatch.manifest.breakdown import TEMPLATE, TODO, Breakdown, breakdown_of
from wanbatch.manifest.file_text import check_file, text_of
from wanbatch.manifest.fountain import Screenplay, read_fountain
from wanbatch.manifest.tree import Problems, ReadingStopped, start_of_file
from wanbatch.manifest.yaml_file import yaml_text

ENDING = ".fountain"


@dataclass(frozen=True)
class ScreenplayManifest:
    """The manifest that was written, and what of the screenplay is in it."""

    path: Path
    found: Breakdown


def write_manifest_of(source: Path) -> ScreenplayManifest:
    """Write a manifest beside a screenplay.

    Raises ManifestInvalid for a screenplay without scenes, UsageInvalid if the manifest is there already.
    """
    problems = Problems(str(source))
    try:
        check_file(source, problems)
        play = read_fountain(text_of(source, problems))
        if not play.scenes:
            words = "no scene: a scene begins with a line such as INT. KITCHEN - DAY, after an empty line"
            raise problems.stop(start_of_file(), words)
    except ReadingStopped as stopped:
        raise ManifestInvalid(problems.found) from stopped
    path = source.with_suffix(".yaml")
    if path.exists():
        raise UsageInvalid(f"{path} already exists: rename the screenplay, or move that file away. Nothing was written")
    found = breakdown_of(play)
    with replacing(path) as part:
        part.write_text(_text(source, play, found), encoding="utf-8")
    return ScreenplayManifest(path, found)


def _text(source: Path, play: Screenplay, found: Breakdown) -> str:
    """Return the manifest: its parts below remarks, as a person would write it."""
    way = f"# Replace each {TODO} with what is seen. x_line is the line of the script; it is not sent."
    parts: list[tuple[str, dict[str, Any]]] = [
        (
            f"The scenes, locations and cast of {source.name}, with a shot to fill in for each of its actions.\n{way}",
            {"version": 1, "name": name_of_stem(play.title or source.stem)},
        ),
        ("The look of every shot, written once.", {"style": f"{TODO}: the look of the film"}),
        ("Who speaks: {cast.name} in a prompt stands for the text.", {"cast": dict(found.cast)}),
        ("Where it happens.", {"locations": dict(found.locations)}),
        (
            "Values for every shot that does not set its own. {cast} stands for the cast members that a scene lists.",
            {"defaults": {"duration": 5, "resolution": "720p", "template": list(TEMPLATE)}},
        ),
        ("", {"scenes": [dict(scene) for scene in found.scenes]}),
        ("The acts of the script.", {"sequences": [dict(each) for each in found.sequences]}),
    ]
    written = [(remark, values) for remark, values in parts if all(values.values())]
    return "\n".join(f"# {remark}\n{yaml_text(values)}" if remark else yaml_text(values) for remark, values in written)
