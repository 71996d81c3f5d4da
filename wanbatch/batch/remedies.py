"""Remedies: what to do about takes that failed, as commands in messages that are complete enough to paste. Pure.

Messages are written and kept without the output folder, which may be moved or renamed: it is added when they are
read.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

OF_A_FOLDER = (
    "status", "why", "stop", "retry", "retake", "circle", "reconcile", "resolve", "verify", "report", "open", "cut",
    "export", "extract",
)  # fmt: skip
_COMMAND = re.compile(rf"`wanbatch ({'|'.join(OF_A_FOLDER)})(?=[ `])")
_MODERATION = re.compile(r"moderat|inappropriate|sensitive|policy|violat|nsfw|safety|prohibited", re.IGNORECASE)


class Again(StrEnum):
    """How a failed take can be made after all."""

    AS_IT_IS = "as it is"
    CHANGED = "changed"  # the provider would refuse it as it is
    GIVEN_UP = "given up"  # by the user: it is finished, and bought again only where the user names its shot


@dataclass(frozen=True)
class Remedy:
    """What to do about a take, in words, and how it can be made after all, if it can."""

    text: str
    again: Again | None = None

    def with_flags(self, flags: Sequence[str]) -> Remedy:
        """Return it with these flags of its retry, before it names an output folder."""
        if not flags:
            return self
        return replace(self, text=self.text.replace("`wanbatch retry`", f"`wanbatch retry {shlex.join(flags)}`"))


def retry_of(shot_id: str, cap: str = "") -> str:
    """Return the command that tries the failed takes of one shot again, under a cap in USD if it needs one."""
    return f"`wanbatch retry --only {shlex.quote(shot_id)}{f' --max-usd {cap}' if cap else ''}`"


RETRY = Remedy("`wanbatch retry` tries again", Again.AS_IT_IS)


def in_folder(text: str, folder: str) -> str:
    """Return a message whose commands name this output folder, quoted for the shell."""
    if "`wanbatch " not in text:
        return text
    word = shlex.quote(folder if not folder.startswith("-") else f"./{folder}")
    is_named = f" {word}"

    def complete(found: re.Match[str]) -> str:
        return found[0] if text.startswith(is_named, found.end()) else f"{found[0]}{is_named}"

    return _COMMAND.sub(complete, text)


def is_refused_prompt(error: str) -> bool:
    """Say whether the provider seems to have refused the prompt itself: it would refuse the same prompt again.

    No field of its answers tells: what it says is all there is.
    """
    return _MODERATION.search(error) is not None


def retry_flags(again: Sequence[str], refused: Sequence[str]) -> list[str]:
    """Return the words that keep a retry from the shots that have to be changed first; none if there are no such.

    `again` are the shots that a retry may make, at least one, and none of these is `refused`.
    """
    if not refused:
        return []
    flag, shots = ("--except", refused) if len(refused) <= len(again) else ("--only", again)
    return [word for each in shots for word in (flag, each)]


def for_beside_refused(label: str) -> Remedy:
    """Say what to do about a failed take of a shot of which the provider refused another: a retry sends both."""
    return Remedy(
        f"The provider already refused {label}, another take of this shot, and would refuse it again: change the shot"
        " in the manifest and run it again",
        Again.CHANGED,
    )


def for_failed(error: str, place: str = "", *, is_refused: bool = False) -> Remedy:
    """Say what to do about a failed take. `place` is the place of its shot in the manifest: `shots.yaml line 7`.

    `is_refused` where the provider refused the request itself: sent again as it is, it will be refused again.
    """
    if is_refused and not is_refused_prompt(error):
        at = f" ({place})" if place else ""
        way = f"change this shot{at} as the provider says, and run the manifest"
        return Remedy(f"The provider would refuse the same request again: {way}", Again.CHANGED)
    if not is_refused_prompt(error):
        return RETRY
    way = f"change it ({place}) and run the manifest" if place else "change the prompt in the manifest and run it again"
    told = f"The provider would refuse the same prompt again: {way}, or leave the shot out with `omit`"
    return Remedy(told, Again.CHANGED)
