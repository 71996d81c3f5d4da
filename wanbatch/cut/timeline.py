"""The timeline of a cut: the place of each clip and hole, in frames. Cutting and exporting share it."""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby
from typing import TypeVar

from wanbatch.batch.choice import Choice
from wanbatch.batch.frames import Edge
from wanbatch.errors import UsageInvalid

T = TypeVar("T", bound=Hashable)


@dataclass(frozen=True)
class ClipFormat:
    """What clips must share to be joined as they are.

    `fps` is frames a second; `headers` the decoder's configuration as the file keeps it, which holds colour and all
    other settings of the encoder. `is_even` if frames follow each other exactly at that rate.
    """

    codec: str
    width: int
    height: int
    fps: Fraction
    pixel_format: str
    sample_aspect: Fraction
    headers: bytes
    is_even: bool = True

    @property
    def size(self) -> str:
        """`1280x720`."""
        return f"{self.width}x{self.height}"

    def differences(self, other: ClipFormat) -> tuple[str, ...]:
        """List in words how this format differs from another; empty if they can be joined."""
        found = [
            f"{mine} instead of {theirs}"
            for mine, theirs in (
                (self.codec, other.codec),
                (self.size, other.size),
                (f"{fps_text(self.fps)} fps", f"{fps_text(other.fps)} fps"),
                (self.pixel_format, other.pixel_format),
                (f"pixel aspect {self.sample_aspect}", f"pixel aspect {other.sample_aspect}"),
            )
            if mine != theirs
        ]
        if not self.is_even:
            found.append("its frames are not evenly spaced")
        if not found and self.headers != other.headers:
            found.append("its encoder settings differ")
        return tuple(found)


@dataclass(frozen=True)
class Measured:
    """A clip as measured: its format, frames in all, and its sound; `rate_hz` is None without any.

    `lag` is how many frames decoding must be ahead of showing.
    """

    format: ClipFormat
    frames: int
    lag: int
    rate_hz: int | None
    channels: int

    @property
    def duration_s(self) -> Fraction:
        """How long its pictures last."""
        return self.frames / self.format.fps


@dataclass(frozen=True)
class Join:
    """A join by continuity: a clip begins with the picture that the clip before it in the cut ends with.

    `before` is the label of that clip. `moment` says which frame was given: the `last` one of the clip before, to begin
    with; or the `first` one of this clip, for the clip before to end with. `psnr_db` is how well the clip that was
    given it meets it, None if that was not measured.
    """

    before: str
    moment: Edge
    psnr_db: float | None = None

    @property
    def text(self) -> str:
        """What is said of it."""
        measured = "" if self.psnr_db is None else f" (PSNR {self.psnr_db:.1f} dB)"
        if self.moment is Edge.FIRST:
            return f"begins with the frame that {self.before} was given to end with{measured}"
        return f"continues from the last frame of {self.before}{measured}"


@dataclass(frozen=True)
class Piece:
    """A stretch of the cut: a clip from its first frame to its last, or a hole. Counted in frames of the cut.

    `join` says how it continues from the piece before it, None if it does not.
    """

    choice: Choice
    clip: Measured | None
    begin: int
    frames: int
    join: Join | None = None

    @property
    def label(self) -> str:
        """`sc010_sh020_t2`, or the shot's id if there is no take."""
        return self.choice.take.label if self.choice.take is not None else self.choice.shot.shot_id


@dataclass(frozen=True)
class Scene:
    """A run of pieces of one scene; a shot without a scene is its own. Titled by scene, else sequence, else shot."""

    title: str
    begin: int
    frames: int


@dataclass(frozen=True)
class Timeline:
    """A cut: pieces in story order, without gaps between them, at the format that most of it has.

    `left_out` are shots without a clip that leave no hole; `is_sandbox` says that the clips are slates of a sandbox.
    """

    batch: str
    format: ClipFormat
    pieces: tuple[Piece, ...]
    left_out: tuple[Choice, ...] = ()
    is_sandbox: bool = False

    @property
    def title(self) -> str:
        """The name of its batch, marked where no clip of it is real."""
        return f"{self.batch}{self.mark}"

    @property
    def mark(self) -> str:
        """What marks a title where no clip is real; empty for real ones."""
        return " (SANDBOX)" if self.is_sandbox else ""

    @property
    def frames(self) -> int:
        """How many frames it has."""
        return sum(piece.frames for piece in self.pieces)

    @property
    def duration_s(self) -> Fraction:
        """How long it is."""
        return self.frames / self.format.fps

    @property
    def holes(self) -> tuple[Piece, ...]:
        """The pieces without a clip."""
        return tuple(piece for piece in self.pieces if piece.clip is None)

    @property
    def missing(self) -> tuple[Choice, ...]:
        """The shots without a clip, whether they have left a hole or not."""
        return (*(piece.choice for piece in self.holes), *self.left_out)

    @property
    def joins(self) -> tuple[Piece, ...]:
        """The pieces that continue from the piece before them."""
        return tuple(piece for piece in self.pieces if piece.join is not None)

    @property
    def rate_hz(self) -> int | None:
        """The sample rate that most of its sound has; None if no clip has sound."""
        return _most((piece.clip.rate_hz, piece.frames) for piece in self.pieces if piece.clip and piece.clip.rate_hz)

    @property
    def channels(self) -> int:
        """1 if all sound is mono, else 2."""
        return min(2, max((piece.clip.channels for piece in self.pieces if piece.clip), default=0))

    @property
    def scenes(self) -> tuple[Scene, ...]:
        """Its scenes in order; a scene that comes back is listed again, and a shot without one is named by its id."""
        found = []
        for _, group in groupby(self.pieces, key=_place):
            pieces = list(group)
            shot = pieces[0].choice.shot
            title = shot.scene or shot.sequence or shot.shot_id
            found.append(Scene(title, pieces[0].begin, sum(piece.frames for piece in pieces)))
        return tuple(found)

    @property
    def scene_count(self) -> int:
        """How many scenes it has, without the shots that belong to none."""
        return sum(len(place) > 1 for place, _ in groupby(self.pieces, key=_place))

    @property
    def misfits(self) -> tuple[tuple[str, tuple[str, ...]], ...]:
        """Clips that cannot be joined unchanged, by label, and how they differ from the rest."""
        told = ((piece.label, piece.clip.format.differences(self.format)) for piece in self.pieces if piece.clip)
        return tuple((label, differences) for label, differences in told if differences)


def lay_out(
    batch: str, choices: Sequence[Choice], clips: Mapping[int, Measured], *, with_holes: bool = True
) -> Timeline:
    """Lay choices end to end. `clips` are the measured ones by take id; a choice without one is a hole.

    Each length is rounded to frames of the cut. Raises UsageInvalid if there is no clip at all.
    """
    found = [(choice, clips.get(choice.take.take_id) if choice.take is not None else None) for choice in choices]
    main = _most((clip.format, clip.frames) for _, clip in found if clip is not None)
    if main is None:
        raise UsageInvalid("no shot has a clip yet: there is nothing to cut")
    pieces: list[Piece] = []
    left_out: list[Choice] = []
    begin = 0
    for choice, clip in found:
        if clip is None and not with_holes:
            left_out.append(choice)
            continue
        length_s = Fraction(choice.ordered_s) if clip is None else clip.duration_s
        frames = max(1, round(length_s * main.fps))
        pieces.append(Piece(choice, clip, begin, frames))
        begin += frames
    return Timeline(batch, main, tuple(pieces), tuple(left_out))


def _place(piece: Piece) -> tuple[str, ...]:
    shot = piece.choice.shot
    return (shot.sequence, shot.scene) if shot.sequence or shot.scene else (shot.shot_id,)


def _most(weighed: Iterable[tuple[T, int]]) -> T | None:
    """Return the value with the largest total weight, the first of equals; None if there is none."""
    sums: dict[T, int] = {}
    for value, weight in weighed:
        sums[value] = sums.get(value, 0) + weight
    return max(sums, key=lambda value: sums[value], default=None)


def fps_text(fps: Fraction) -> str:
    """Write a frame rate: 30, 29.97, 23.976."""
    return f"{float(fps):.3f}".rstrip("0").rstrip(".")
