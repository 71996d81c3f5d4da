"""The protocol of the worker: a request to a process that opens clips, and its answer, one line of JSON each.

The answer comes from a process that may have read hostile bytes, so it is read as data: nothing in it is ever
run, and an unexpected shape is an AnswerInvalid.
"""

from __future__ import annotations

import base64
import json
import math
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Any

from wanbatch.clip.defects import Look, Stretch
from wanbatch.clip.frame_measures import Ends, FrameMeasures
from wanbatch.clip.given import OpenedFile
from wanbatch.clip.inspection import Here
from wanbatch.clip.probe import Probe
from wanbatch.clip.trial import Trial, assert_media_works
from wanbatch.errors import LocalFault, MediaInvalid, ProgramFault

LINE_BYTES_MAX = 32 * 2**20  # of an answer; a given file is the largest, at 27 MB in Base64
NEAR_LIMIT = 0.75  # of its memory: a healthy process that decodes no clip uses a sixth of it
_SAID_MAX = 1_000  # characters of an error's text


class AnswerInvalid(Exception):
    """An answer that no healthy process gives."""


class Shortage(Exception):
    """The errand needed more memory than its process may have, or than there is."""


def written(do: str, clip: Path | None = None) -> bytes:
    """Write a request: `do` is check, look, poster or try."""
    return _line({"do": do, "clip": None if clip is None else str(clip.absolute())})


def written_frame(clip: Path, moment: str) -> bytes:
    """Write the request for the frame of a clip at a moment."""
    return _line({"do": "frame", "clip": str(clip.absolute()), "moment": moment})


def written_ends(clip: Path, given: Path | None, closing: Path | None) -> bytes:
    """Write the request for the measures of a clip's ends: `given` and `closing` are the PNGs to begin and end with."""
    told = {
        name: None if each is None else str(each.absolute()) for name, each in (("given", given), ("closing", closing))
    }
    return _line({"do": "ends", "clip": str(clip.absolute()), **told})


def written_given(path: Path, kind: str, *, with_data: bool) -> bytes:
    """Write the request for a file that a shot is given: `kind` is picture or sound."""
    return _line({"do": "open", "clip": str(path.absolute()), "kind": kind, "with_data": with_data})


def carry_out(request: bytes) -> bytes:
    """Do what a request asks for and write the answer. Raises only what ends the process."""
    try:
        return _line({"done": _done(json.loads(request))})
    except (MediaInvalid, LocalFault, MemoryError) as error:
        is_short = isinstance(error, MemoryError) or isinstance(error.__cause__, MemoryError)
        return failure(MemoryError() if is_short else error)
    except Exception as error:  # noqa: BLE001  the process that asked decides what it means
        return failure(error)


def failure(error: BaseException) -> bytes:
    """Write the answer that reports an error."""
    said = {"said": str(error)[:_SAID_MAX]}
    if isinstance(error, MemoryError) or (isinstance(error, MediaInvalid) and _is_near_limit()):
        return _line({"failed": "memory"})
    if isinstance(error, MediaInvalid):
        return _line({"failed": "media", **said})
    if isinstance(error, LocalFault) and not isinstance(error, ProgramFault):
        return _line({"failed": "machine", **said})
    if isinstance(error, OSError) and not type(error).__module__.startswith("av."):
        return _line(
            {"failed": "file", "errno": error.errno, "said": error.strerror, "file": str(error.filename or "")}
        )
    return _line({"failed": "program", "said": said["said"] if isinstance(error, ProgramFault) else _reported(error)})


def _reported(error: BaseException) -> str:
    return f"opening clips failed: {type(error).__name__}: {str(error)[:200]}"


def _is_near_limit() -> bool:
    """Say whether this process came near the memory it may have: FFmpeg then calls a clip's bytes invalid."""
    if sys.platform != "linux":
        return False
    import resource

    most_bytes, _ = resource.getrlimit(resource.RLIMIT_AS)
    status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
    peak_kib = next((int(line.split()[1]) for line in status.splitlines() if line.startswith("VmPeak:")), 0)
    return most_bytes != resource.RLIM_INFINITY and peak_kib * 1024 >= NEAR_LIMIT * most_bytes


def _line(value: dict[str, Any]) -> bytes:
    return json.dumps(value).encode() + b"\n"


def _done(request: dict[str, Any]) -> dict[str, Any]:
    do = request["do"]
    if do == "try":
        return asdict(assert_media_works())
    clip, here = Path(request["clip"]), Here()
    if do == "open":
        return asdict(here.given(clip, str(request["kind"]), with_data=bool(request["with_data"])))
    if do == "poster":
        return {"jpeg": base64.b64encode(here.poster(clip)).decode()}
    if do == "frame":
        return {"png": base64.b64encode(here.frame(clip, str(request["moment"]))).decode()}
    if do == "ends":
        given, closing = (None if each is None else Path(each) for each in (request["given"], request["closing"]))
        return asdict(here.ends(clip, given, closing))
    return asdict(here.check(clip) if do == "check" else here.look(clip))


# --- reading an answer -----------------------------------------------------------------------------------------------


def done_of(answer: bytes) -> dict[str, Any]:
    """Return the result of an errand, or raise the error that the answer reports."""
    try:
        reported = json.loads(answer)
        if "done" in reported:
            return dict(reported["done"])
        error = _error_of(reported)
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError) as fault:
        raise AnswerInvalid(f"it answered {answer[:80]!r}") from fault
    raise error


def _error_of(reported: dict[str, Any]) -> Exception:
    said = str(reported.get("said"))
    match reported["failed"]:
        case "memory":
            return Shortage()
        case "media":
            return MediaInvalid(said)
        case "machine":
            return LocalFault(said)
        case "file":
            return OSError(int(reported["errno"] or 0), said, str(reported["file"]))
        case "program":
            return ProgramFault(said)
    raise KeyError(reported["failed"])


def probe_of(done: dict[str, Any]) -> Probe:
    """Read the probe of a checked clip."""
    try:
        return Probe(
            duration_s=float(done["duration_s"]),
            width=int(done["width"]),
            height=int(done["height"]),
            fps=float(done["fps"]),
            frames=None if done["frames"] is None else int(done["frames"]),
            has_audio=bool(done["has_audio"]),
        )
    except (ValueError, TypeError, KeyError) as error:
        raise AnswerInvalid("its answer is not a probe") from error


def look_of(done: dict[str, Any]) -> Look:
    """Return the black and frozen stretches, the loudness and the damage that a worker measured in a clip.

    Raises AnswerInvalid for an answer without them.
    """
    try:
        black, still = (
            tuple(Stretch(float(each["begin_s"]), float(each["end_s"])) for each in done[name])
            for name in ("black", "still")
        )
        peak, damaged = (None if done[name] is None else float(done[name]) for name in ("peak_dbfs", "damaged_s"))
        return Look(float(done["duration_s"]), black, still, peak, damaged)
    except (ValueError, TypeError, KeyError) as error:
        raise AnswerInvalid("its answer is not a list of defects") from error


def ends_of(done: dict[str, Any]) -> Ends:
    """Read the measures of a clip's ends."""
    try:
        given, psnr_db, closing_psnr_db = done["given"], done["psnr_db"], done["closing_psnr_db"]
        return Ends(
            first=_measures_of(done["first"]),
            last=_measures_of(done["last"]),
            given=None if given is None else _measures_of(given),
            psnr_db=None if psnr_db is None else _finite(psnr_db),
            closing_psnr_db=None if closing_psnr_db is None else _finite(closing_psnr_db),
        )
    except (ValueError, TypeError, KeyError) as error:
        raise AnswerInvalid("its answer is not the measures of a clip's ends") from error


def _measures_of(told: dict[str, Any]) -> FrameMeasures:
    return FrameMeasures(*(_finite(told[name]) for name in ("sharpness", "contrast", "cb", "cr")))


def _finite(value: Any) -> float:
    number = float(value)
    if not math.isfinite(number):
        raise ValueError("a measure that is not finite")
    return number


def poster_of(done: dict[str, Any]) -> bytes:
    """Read a poster: the bytes of a JPEG."""
    return _picture(done, "jpeg", b"\xff\xd8", "a poster")


def frame_of(done: dict[str, Any]) -> bytes:
    """Read a frame: the bytes of a PNG."""
    return _picture(done, "png", b"\x89PNG\r\n\x1a\n", "a frame")


def _picture(done: dict[str, Any], name: str, begin: bytes, what: str) -> bytes:
    try:
        picture = base64.b64decode(done[name], validate=True)
    except (ValueError, TypeError, KeyError) as error:
        raise AnswerInvalid(f"its answer is not {what}") from error
    if not picture.startswith(begin):
        raise AnswerInvalid(f"its answer is not a {name.upper()}")
    return picture


def given_of(done: dict[str, Any]) -> OpenedFile:
    """Read a file that was opened."""
    try:
        return OpenedFile(
            sha256=str(done["sha256"]),
            size_bytes=int(done["size_bytes"]),
            form=str(done["form"]),
            mime=str(done["mime"]),
            width=int(done["width"]),
            height=int(done["height"]),
            duration_s=float(done["duration_s"]),
            has_alpha=bool(done["has_alpha"]),
            data=str(done["data"]),
        )
    except (ValueError, TypeError, KeyError) as error:
        raise AnswerInvalid("it answered with something other than a file") from error


def trial_of(done: dict[str, Any]) -> Trial:
    """Return which media library a worker tried, with what, and how long it took. Raises AnswerInvalid otherwise."""
    try:
        return Trial(str(done["library"]), str(done["tried"]), float(done["took_s"]))
    except (ValueError, TypeError, KeyError) as error:
        raise AnswerInvalid("its answer is not a trial") from error
