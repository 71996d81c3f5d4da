"""A look at a clip: where its picture is black or still, how loud it is, and which of that is a probable defect.

The measures are those of FFmpeg's detectors, whose defaults are the field's standard. `stretches` follows the pictures
that `look` brings.
"""

from __future__ import annotations

from dataclasses import dataclass

from wanbatch.clip.silence import is_silent

EDGE_S = 0.25  # a stretch this close to both ends of a clip counts as all of it


@dataclass(frozen=True)
class Stretch:
    """From when to when, in s from the clip's start."""

    begin_s: float
    end_s: float

    @property
    def length_s(self) -> float:
        """How long it lasts."""
        return self.end_s - self.begin_s

    def covers(self, other: Stretch) -> bool:
        """Say whether another lies within it."""
        return self.begin_s <= other.begin_s and other.end_s <= self.end_s


@dataclass(frozen=True)
class Look:
    """What was seen and heard in a clip. `still` leaves out black stretches.

    `peak_dbfs` is the loudest sample, -inf for digital silence, None if there is no sound. `damaged_s` is
    the time of the first picture that did not decode completely, None if all did.
    """

    duration_s: float
    black: tuple[Stretch, ...] = ()
    still: tuple[Stretch, ...] = ()
    peak_dbfs: float | None = None
    damaged_s: float | None = None


def shortfalls(look: Look, *, sound: bool | None) -> list[str]:
    """List probable defects. A shot may be intended to look like this: these are only warnings to look at the clip.

    `sound` says whether it was ordered, or not to be there; None if the order does not say.
    """
    found = []
    if look.black:
        found.append(f"the picture is black{_when(look.black, look.duration_s)}")
    if look.still:
        found.append(f"the picture is frozen{_when(look.still, look.duration_s)}")
    if look.damaged_s is not None:
        found.append(f"the picture is damaged at {look.damaged_s:.1f} s")
    if sound is True and look.peak_dbfs is not None and is_silent(look.peak_dbfs):
        found.append(f"not as ordered: the sound is silent (peak {look.peak_dbfs:.1f} dBFS)")
    if sound is False and look.peak_dbfs is not None and not is_silent(look.peak_dbfs):
        found.append("not as ordered: it has sound, but was ordered without")
    return found


def _when(stretches: tuple[Stretch, ...], duration_s: float) -> str:
    if sum(each.length_s for each in stretches) >= duration_s - EDGE_S:
        return ""
    spans = [f"from {each.begin_s:.1f} s to {each.end_s:.1f} s" for each in stretches]
    return " " + " and ".join(spans)
