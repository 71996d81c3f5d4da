"""The export: the cut for an editing program, as OpenTimelineIO or as a CMX 3600 edit decision list."""

from __future__ import annotations

import hashlib
import os
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from enum import StrEnum
from fractions import Fraction
from pathlib import Path
from types import ModuleType
from typing import Any
from urllib.parse import quote, unquote

from wanbatch.batch.selection import EVERY_SHOT, Selection
from wanbatch.batch.shots import OWN
from wanbatch.batch.take import Take
from wanbatch.cut.assembly import assemble
from wanbatch.cut.timeline import Piece, Timeline, fps_text
from wanbatch.disk import own_folder, replace_text
from wanbatch.errors import LocalFault, UsageInvalid
from wanbatch.version import __version__

EDIT_FOLDER = "edit"
REEL_LENGTH = 8  # the limit of CMX 3600
EDL_EVENTS_MAX = 999
EDL_RATES = frozenset(map(Fraction, (24, 25, 30, 50, 60))) | {
    Fraction(each * 1000, 1001) for each in (24, 30, 60)
}  # what SMPTE timecode can count with two digits of frames
DROP_FRAME_RATES = frozenset({Fraction(30_000, 1001), Fraction(60_000, 1001)})
COMMENT_LENGTH = 200


class EditFormat(StrEnum):
    """What editing programs read."""

    OTIO = "otio"
    EDL = "edl"


class EdlStyle(StrEnum):
    """How an EDL names the files of its clips: each editing program has its own way."""

    AVID = "avid"
    NUCODA = "nucoda"
    PREMIERE = "premiere"


def export(
    output: Path,
    how: EditFormat,
    target: Path | None = None,
    wanted: Selection = EVERY_SHOT,
    style: EdlStyle = EdlStyle.AVID,
) -> tuple[Path, Timeline]:
    """Write the cut of an output folder for an editing program; returns the file and what is in it.

    `style` is for an EDL. Paths of clips are relative to the file, so that an output folder that is moved as a whole
    still links. Raises UsageInvalid if the library is not installed, nothing can be cut, or an EDL cannot say it;
    LocalFault if the disk fails.
    """
    written = target if target is not None else output / EDIT_FOLDER / f"cut.{how}"
    if written.suffix.lower() != f".{how}":
        raise UsageInvalid(f"give the file a name that ends in .{how}, not {written.name}")
    library = _library()
    timeline = assemble(output, wanted)
    if how is EditFormat.OTIO:
        text = library.adapters.write_to_string(_otio(library, timeline, output, written.parent), "otio_json", indent=2)
    else:
        text = _edl(library, timeline, Place(output, written.parent), style)
    try:
        if target is None:
            own_folder(output, EDIT_FOLDER)
        replace_text(written, text.rstrip("\n") + "\n")
    except OSError as error:
        raise LocalFault(f"cannot write {written}: {error.strerror}") from error
    return written, timeline


def _library() -> ModuleType:
    try:
        import opentimelineio
    except ImportError as error:
        raise UsageInvalid(
            "export needs OpenTimelineIO, which is not installed: pip install 'wanbatch[edit]'"
        ) from error
    if "cmx_3600" not in opentimelineio.adapters.available_adapter_names():
        raise UsageInvalid("the EDL part of OpenTimelineIO is not installed: pip install 'wanbatch[edit]'")
    library: ModuleType = opentimelineio
    return library


# --- OpenTimelineIO --------------------------------------------------------------------------------------------------


def _otio(otio: ModuleType, timeline: Timeline, output: Path, folder: Path) -> Any:
    """Make a timeline with one track of pictures and, where a clip has sound, one of sound below it."""
    made = otio.schema.Timeline(
        timeline.title, metadata={"wanbatch": {"version": __version__, "sandbox": timeline.is_sandbox}}
    )
    kinds = [("V1", otio.schema.TrackKind.Video)]
    if timeline.rate_hz is not None:
        kinds.append(("A1", otio.schema.TrackKind.Audio))
    for name, kind in kinds:
        track = otio.schema.Track(name, kind=kind)
        is_picture = kind == otio.schema.TrackKind.Video
        for piece in timeline.pieces:
            is_heard = piece.clip is not None and piece.clip.rate_hz is not None
            if piece.clip is not None and (is_picture or is_heard):
                track.append(_clip(otio, piece, output, folder, has_markers=is_picture))
            else:
                track.append(_gap(otio, piece, timeline.format.fps, has_markers=is_picture))
        made.tracks.append(track)
    for scene in timeline.scenes:
        span = _range(otio, scene.begin, scene.frames, timeline.format.fps)
        made.tracks.markers.append(otio.schema.Marker(scene.title, span, otio.schema.MarkerColor.PURPLE))
    return made


def _range(otio: ModuleType, begin: int, frames: int, fps: Fraction) -> Any:
    rate = float(fps)
    return otio.opentime.TimeRange(otio.opentime.RationalTime(begin, rate), otio.opentime.RationalTime(frames, rate))


def _clip(otio: ModuleType, piece: Piece, output: Path, folder: Path, *, has_markers: bool) -> Any:
    assert piece.clip is not None
    assert piece.choice.take is not None
    whole = _range(otio, 0, piece.clip.frames, piece.clip.format.fps)
    facts = clip_facts(piece)
    media = otio.schema.ExternalReference(
        target_url=_link(output, str(piece.choice.take.file), folder), available_range=whole
    )
    media.name = Path(str(piece.choice.take.file)).name
    clip = otio.schema.Clip(piece.label, media_reference=media, source_range=whole, metadata={"wanbatch": facts})
    if has_markers:
        first = _range(otio, 0, 1, piece.clip.format.fps)
        clip.markers.extend(_marker(otio, first, kind, text) for kind, text in (*remarks(piece), *_own_remark(piece)))
    return clip


def _gap(otio: ModuleType, piece: Piece, fps: Fraction, *, has_markers: bool) -> Any:
    gap = otio.schema.Gap(source_range=_range(otio, 0, piece.frames, fps), metadata={"wanbatch": _shot_facts(piece)})
    gap.name = piece.label
    if has_markers:
        told = (*remarks(piece), *_own_remark(piece))
        gap.markers.extend(_marker(otio, _range(otio, 0, 1, fps), kind, text) for kind, text in told)
    return gap


def _marker(otio: ModuleType, span: Any, kind: str, text: str) -> Any:
    colours = {
        "note": otio.schema.MarkerColor.GREEN,
        "warning": otio.schema.MarkerColor.YELLOW,
        "continuity": otio.schema.MarkerColor.CYAN,
    }
    colour = colours.get(kind, otio.schema.MarkerColor.RED)
    return otio.schema.Marker(text, span, colour, {"wanbatch": {"kind": kind}})


def remarks(piece: Piece) -> list[tuple[str, str]]:
    """Return what to show at a piece: kind (note, warning, missing, continuity) and text."""
    take, told = piece.choice.take, []
    if piece.clip is None:
        told.append(("missing", f"{piece.label} is missing: {piece.choice.note}".removesuffix(": ")))
    elif piece.choice.note:
        told.append(("warning", piece.choice.note))
    if piece.join is not None:
        told.append(("continuity", piece.join.text))
    if piece.choice.shot.notes:
        told.append(("note", piece.choice.shot.notes))
    if take is not None and piece.clip is not None:
        told += [("note", take.note)] * bool(take.note) + [("warning", take.warning)] * bool(take.warning)
    return told


def _own_cells(piece: Piece) -> dict[str, str]:
    """Return the filled cells of a shot in the user's own columns, by the names without `x_`."""
    return {name.removeprefix(OWN): cell for name, cell in piece.choice.own.items() if cell}


def _own_remark(piece: Piece) -> list[tuple[str, str]]:
    """Return these cells as one remark, if there are any: an EDL has a comment for each instead."""
    cells = _own_cells(piece)
    return [("note", "; ".join(f"{name}: {cell}" for name, cell in cells.items()))] if cells else []


def _shot_facts(piece: Piece) -> dict[str, Any]:
    shot = piece.choice.shot
    return {
        "shot_id": shot.shot_id,
        "sequence": shot.sequence,
        "scene": shot.scene,
        "tags": list(shot.tags),
        "cost_code": shot.cost_code,
        "notes": shot.notes,
        "own": _own_cells(piece),
    }


def clip_facts(piece: Piece) -> dict[str, Any]:
    """Return how a clip was made, as JSON values: credits are whole numbers, None if unknown."""
    take = piece.choice.take
    assert take is not None
    return {
        **_shot_facts(piece),
        "take": take.number,
        "circled": take.circled,
        "take_note": take.note,
        "recipe": take.recipe.body,
        "recipe_sha256": take.recipe.sha256,
        "seed": take.recipe.body.get("seed"),
        "generation_id": take.generation_id,
        "credits_held": take.credits_held,
        "credits_charged": take.credits_charged,
        "file": take.file,
        "sha256": take.sha256,
        "size_bytes": take.size_bytes,
        "warning": take.warning,
    }


def _link(output: Path, file: str, folder: Path) -> str:
    """Return the path from a folder to a clip as a relative URL; by its place in `output`, links not followed."""
    try:
        way = os.path.relpath(output.resolve() / file, folder.resolve())
    except ValueError:  # another drive
        return (output.resolve() / file).as_uri()
    return quote(Path(way).as_posix())


# --- CMX 3600 --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Place:
    """Where the clips are (an output folder), and the folder that the EDL goes to."""

    output: Path
    folder: Path

    def way_to(self, file: str) -> str:
        """Return the path to a clip on one line; control characters are escaped as in a URL."""
        path = unquote(_link(self.output, file, self.folder))
        return "".join(char if char.isprintable() else quote(char) for char in path.removeprefix("file://"))


def _edl(otio: ModuleType, timeline: Timeline, place: Place, style: EdlStyle) -> str:
    """Write the pictures as an EDL: source timecode from 0, record timecode from one hour, black for holes."""
    _assert_edl_can(timeline)
    fps = timeline.format.fps
    rate = float(fps)
    labels = [piece.label for piece in timeline.pieces]
    reels, names = reel_names(labels), plain_names(labels)
    is_dropped = fps in DROP_FRAME_RATES
    start = otio.opentime.from_timecode("01:00:00;00" if is_dropped else "01:00:00:00", rate)
    track = otio.schema.Track("V", kind=otio.schema.TrackKind.Video)
    track.append(otio.schema.Gap(source_range=otio.opentime.TimeRange(otio.opentime.RationalTime(0, rate), start)))
    for piece in timeline.pieces:
        span = _range(otio, 0, piece.frames, fps)
        clip = otio.schema.Clip(names[piece.label], source_range=span)
        clip.metadata["cmx_3600"] = {"reel": reels[piece.label], "comments": _comments(piece)}
        if piece.clip is None:
            clip.metadata["cmx_3600"]["reel"] = "BL"
            if style is EdlStyle.PREMIERE:  # its writer reads the name of every clip from a file
                clip.media_reference = otio.schema.ExternalReference(_plain(piece.label), span)
        else:
            assert piece.choice.take is not None
            clip.media_reference = otio.schema.ExternalReference(place.way_to(str(piece.choice.take.file)), span)
        at = otio.opentime.RationalTime(start.value + piece.begin, rate)  # a locator counts by the record, not the reel
        span = otio.opentime.TimeRange(at, otio.opentime.RationalTime(1, rate))
        clip.markers.extend(_marker(otio, span, kind, _plain(told)) for kind, told in remarks(piece))
        track.append(clip)
    made = otio.schema.Timeline(_plain(timeline.batch)[: 70 - len(timeline.mark)] + timeline.mark)
    made.tracks.append(track)
    text: str = otio.adapters.write_to_string(made, "cmx_3600", rate=rate, style=style.value)
    title, _, events = text.partition("\n\n")
    if style is EdlStyle.PREMIERE:
        events = _with_black(events, {number for number, piece in enumerate(timeline.pieces, 1) if piece.clip is None})
    return f"{title}\nFCM: {'' if is_dropped else 'NON-'}DROP FRAME\n\n{events}"


def _with_black(events: str, holes: Collection[int]) -> str:
    """Make the events with these numbers black again: the writer gave every event the same reel."""
    lines, number = [], 0
    for line in events.split("\n"):
        event = re.match(r"(\d{3})  AX ", line)
        number = int(event[1]) if event is not None else number
        if number not in holes:
            lines.append(line)
        elif event is not None:
            lines.append(line.replace("  AX ", "  BL ", 1))
        elif not line.startswith("* OTIO REFERENCE"):
            lines.append(line)
    return "\n".join(lines)


def _assert_edl_can(timeline: Timeline) -> None:
    fps = timeline.format.fps
    others = [piece.label for piece in timeline.pieces if piece.clip is not None and piece.clip.format.fps != fps]
    if others:
        raise UsageInvalid(
            f"an EDL has one frame rate: {', '.join(others[:8])} {'are' if len(others) > 1 else 'is'} not at"
            f" {fps_text(fps)} fps. Use --format otio, or name the shots to keep with --only"
        )
    if fps not in EDL_RATES:
        raise UsageInvalid(f"there is no timecode for {fps_text(fps)} frames a second: use --format otio")
    if len(timeline.pieces) > EDL_EVENTS_MAX:
        raise UsageInvalid(
            f"an EDL holds {EDL_EVENTS_MAX} events; this cut has {len(timeline.pieces)}: choose scenes with --only"
        )


def reel_names(labels: Iterable[str]) -> dict[str, str]:
    """Give each label a reel name of at most 8 letters and digits, none twice, the same in every export.

    `sc010_sh020_t1` becomes `010020T1`: its digits, if they distinguish the labels; else letters made from a hash.
    """
    every = list(dict.fromkeys(labels))
    short = {label: _digits_of(label) for label in every}
    counts = Counter(short.values())
    return {label: name if name and counts[name] == 1 else _hashed(label) for label, name in short.items()}


def plain_names(labels: Iterable[str]) -> dict[str, str]:
    """Give each label a name in ASCII, none twice, the same in every export.

    An ASCII label stays, accents are left out; if that is not enough, a hash replaces what is missing.
    """
    every = sorted(dict.fromkeys(labels), key=lambda label: (not label.isascii(), label))
    names: dict[str, str] = {}
    for label in every:
        name = _plain(label)
        if not label.isascii() and ("?" in name or name in names.values()):
            shot, _, number = name.rpartition("_t")
            kept = re.sub(r"[^A-Za-z0-9._-]+", "-", shot if number.isdigit() else name).strip("-._") or "shot"
            name = f"{kept}-{hashlib.sha256(label.encode()).hexdigest()[:8]}" + (
                f"_t{number}" if number.isdigit() else ""
            )
        names[label] = name
    return names


def _digits_of(label: str) -> str:
    shot, _, number = label.rpartition("_t")
    if not number.isascii() or not number.isdigit():
        shot, number = label, ""
    name = "".join(re.findall(r"[0-9]+", shot)) + (f"T{number}" if number else "")
    return name if name[:1].isdigit() and len(name) <= REEL_LENGTH else ""


def _hashed(label: str) -> str:
    digest = int(hashlib.sha256(label.encode()).hexdigest(), 16)
    letters = "ABCDEFGHJKLMNPQRSTUVWXYZ"
    return "W" + "".join(letters[digest // len(letters) ** place % len(letters)] for place in range(REEL_LENGTH - 1))


def _comments(piece: Piece) -> list[str]:
    take: Take | None = piece.choice.take
    told = {"SCENE": piece.choice.shot.scene, "SHOT": piece.choice.shot.shot_id}
    if take is not None and piece.clip is not None:
        told |= {
            "TAKE": str(take.number),
            "SEED": str(take.recipe.body.get("seed", "")),
            "GENERATION": take.generation_id or "",
            "RECIPE SHA256": take.recipe.sha256,
            "CLIP SHA256": take.sha256 or "",
            "CREDITS CHARGED": "" if take.credits_charged is None else str(take.credits_charged),
        }
    own = {_plain(name).upper(): _plain(cell) for name, cell in _own_cells(piece).items()}
    return [f"{name}: {_plain_word(text, name.lower())}" for name, text in told.items() if text] + [
        f"{name}: {cell}" for name, cell in own.items() if name not in told
    ]


def _plain_word(text: str, instead: str) -> str:
    """Return a name in ASCII; if letters are lost, with a hash of the whole name, so that no two are alike."""
    name = _plain(text)
    if text.isascii() or "?" not in name:
        return name
    kept = re.sub(r"[^A-Za-z0-9._-]+", "-", name).strip("-._") or instead
    return f"{kept}-{hashlib.sha256(text.encode()).hexdigest()[:8]}"


def _plain(text: str) -> str:
    """Return a text as an EDL can hold it: one line of ASCII, accents left out, no comment inside a comment."""
    bare = "".join(char for char in unicodedata.normalize("NFKD", text) if not unicodedata.combining(char))
    return " ".join(bare.encode("ascii", "replace").decode().split())[:COMMENT_LENGTH]
