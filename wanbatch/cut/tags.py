"""Tagged copies: the chosen clips with how each was made inside the file. Pictures and sound are copied untouched.

The clips themselves are never changed: their hashes are on record.
"""

from __future__ import annotations

import hashlib
import json
import unicodedata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import av
import av.error
from av.container import InputContainer

from wanbatch.batch.remedies import in_folder
from wanbatch.batch.selection import EVERY_SHOT, Selection
from wanbatch.batch.take import Take
from wanbatch.clip.check import check_clip, opened
from wanbatch.clip.download import sha256_of
from wanbatch.cut.assembly import assemble
from wanbatch.cut.timeline import Piece, Timeline
from wanbatch.disk import free_bytes, make_folder, own_folder, replacing
from wanbatch.errors import LocalFault, MediaInvalid, UsageInvalid
from wanbatch.folders import CLIPS
from wanbatch.state.shown import shown_text
from wanbatch.units import size_text
from wanbatch.version import __version__

TAGGED_FOLDER = "edit/tagged"
LINE_MAX = 250  # characters: what players and asset managers show of a title or description
PROMPT_MAX = 4_000  # of a comment; the JSON record holds all of it
_MAKER = '{"wanbatch": '
_OPTIONS = {"movflags": "+faststart", "fflags": "+bitexact"}
_TURNING = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def tag_clips(output: Path, folder: Path | None = None, wanted: Selection = EVERY_SHOT) -> tuple[Path, Timeline]:
    """Copy the clips of the cut into a folder, each with its tags; returns the folder and what is in the cut.

    An existing copy is replaced; the same clip gives the same bytes. Raises UsageInvalid if nothing can be cut
    or a file in the way is not a tagged copy, LocalFault if a clip is not as recorded or the disk fails.
    """
    target = folder if folder is not None else output / TAGGED_FOLDER
    if target.resolve().is_relative_to((output / CLIPS).resolve()):
        raise UsageInvalid(f"{target} is the folder of the clips: name another place")
    if target.exists() and not target.is_dir():
        raise UsageInvalid(f"{target} is a file: name a folder")
    timeline = assemble(output, wanted)
    pieces = [piece for piece in timeline.pieces if piece.clip is not None]
    for piece in pieces:
        _assert_free(target / f"{piece.label}.mp4")
    try:
        if folder is None:
            own_folder(output, *TAGGED_FOLDER.split("/"))
        make_folder(target)
        _assert_room(target, pieces)
        for piece in pieces:
            tags = tags_of(Making(timeline.batch, output, timeline.is_sandbox), piece)
            _tag(output / str(_take_of(piece).file), _take_of(piece), tags, target / f"{piece.label}.mp4")
    except OSError as error:
        raise LocalFault(f"cannot write to {target}: {error.strerror or error}") from error
    return target, timeline


def _assert_free(copy: Path) -> None:
    if not copy.exists() and not copy.is_symlink():
        return
    try:
        with opened(copy) as container:
            is_ours = container.metadata.get("synopsis", "").startswith(_MAKER)
    except (OSError, MediaInvalid):
        is_ours = False
    if copy.is_symlink() or not is_ours:
        raise UsageInvalid(f"{copy} is not a tagged copy: move it away, or name another folder with -o")


def _assert_room(folder: Path, pieces: Sequence[Piece]) -> None:
    needed, free = sum(_take_of(piece).size_bytes or 0 for piece in pieces), free_bytes(folder)
    if free < needed:
        raise LocalFault(f"{folder} has {size_text(free)} free; the copies need {size_text(needed)}")


def _take_of(piece: Piece) -> Take:
    assert piece.choice.take is not None
    return piece.choice.take


def _tag(clip: Path, take: Take, tags: Mapping[str, str], copy: Path) -> None:
    if sha256_of(clip) != take.sha256:
        mend = in_folder("`wanbatch verify --fetch` fetches it again", str(clip.parent.parent))
        raise LocalFault(f"{clip} is not as recorded: {mend}")
    with replacing(copy) as part:
        try:
            written = _copy(clip, part, tags)
            check_clip(part)
            is_same = _read_back(part) == written
        except (av.error.FFmpegError, MediaInvalid) as error:
            raise LocalFault(f"{copy} was not written completely ({error})") from error
        if not is_same:
            raise LocalFault(f"{copy} has a different picture or sound from {clip.name}: is the disk full?")


def _copy(clip: Path, part: Path, tags: Mapping[str, str]) -> list[str]:
    """Copy pictures and sound packet by packet; returns the digest of each track."""
    with opened(clip) as source, av.open(str(part), "w", format="mp4", options=_OPTIONS) as made:
        tracks = _tracks(source)
        streams = {each.index: made.add_stream_from_template(each) for each in tracks}
        digests = {each.index: hashlib.sha256() for each in tracks}
        made.metadata.update(tags)
        for packet in source.demux(tracks):
            if packet.dts is not None:
                digests[packet.stream.index].update(bytes(packet))
                packet.stream = streams[packet.stream.index]
                made.mux(packet)
    return [each.hexdigest() for each in digests.values()]


def _read_back(part: Path) -> list[str]:
    with opened(part) as container:
        digests = {each.index: hashlib.sha256() for each in _tracks(container)}
        for packet in container.demux(_tracks(container)):
            if packet.dts is not None:
                digests[packet.stream.index].update(bytes(packet))
    return [each.hexdigest() for each in digests.values()]


def _tracks(container: InputContainer) -> list[Any]:
    return [*container.streams.video, *container.streams.audio]


# --- tags ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Making:
    """Where a clip was made: the batch, its output folder, and whether it is a slate of the sandbox."""

    batch: str
    output: Path
    is_sandbox: bool


def tags_of(making: Making, piece: Piece) -> dict[str, str]:
    """Return the tags of a clip under FFmpeg's names for those that MP4 players know.

    `comment` is the prompt, `synopsis` a JSON object with the recipe and all ids. No costs and no notes: copies leave
    the sandbox_state. No secrets: links lose their queries.
    """
    take, shot = _take_of(piece), piece.choice.shot
    body = {name: _shown(value, making.output) for name, value in take.recipe.body.items()}
    made_at = take.completed_at or take.verified_at
    model = f"{take.recipe.model} (sandbox)" if making.is_sandbox else take.recipe.model
    seed = f"seed {body['seed']}" if "seed" in body else ""
    facts = [model, seed, f"generation {take.generation_id}" if take.generation_id else ""]
    lines = {
        "title": f"{take.shot_id}, take {take.number}{' (SANDBOX)' if making.is_sandbox else ''}",
        "album": f"{making.batch} (SANDBOX)" if making.is_sandbox else making.batch,
        "show": shot.scene or shot.sequence,
        "episode_id": take.label,
        "artist": model,
        "description": ", ".join(filter(None, facts)),
    }
    tags = {name: _plain(text, LINE_MAX) for name, text in lines.items()}
    tags["comment"] = _plain(str(body.get("prompt", "")), PROMPT_MAX)
    tags["synopsis"] = _record(making, piece, body, made_at)
    if made_at is not None:
        tags |= {"date": made_at.astimezone(UTC).date().isoformat(), "creation_time": _iso(made_at)}
    return {name: text for name, text in tags.items() if text}


def _record(making: Making, piece: Piece, body: Mapping[str, Any], made_at: datetime | None) -> str:
    take, shot = _take_of(piece), piece.choice.shot
    record = {
        "wanbatch": __version__,
        "sandbox": making.is_sandbox,
        "batch": making.batch,
        "sequence": shot.sequence,
        "scene": shot.scene,
        "shot_id": take.shot_id,
        "take": take.number,
        "recipe": body,
        "recipe_sha256": take.recipe.sha256,
        "generation_id": take.generation_id,
        "made_at": None if made_at is None else _iso(made_at),
        "clip_sha256": take.sha256,
    }
    return json.dumps(record)  # ASCII: nothing can hide in it, and nothing is lost


def _iso(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _shown(value: Any, output: Path) -> Any:
    if isinstance(value, str):
        return shown_text(value, output)
    if isinstance(value, Mapping):
        return {name: _shown(each, output) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [_shown(each, output) for each in value]
    return value


def _plain(text: str, most: int) -> str:
    """Remove characters that hide, turn the direction or end a text early; cut the text to a number of characters."""
    kept = "".join(
        char
        for char in text.replace("\r\n", "\n").replace("\r", "\n").replace("\t", " ")
        if char == "\n" or (unicodedata.category(char) not in ("Cc", "Cs") and char not in _TURNING)
    ).strip()
    return kept if len(kept) <= most else f"{kept[: most - 1].rstrip()}…"
