"""Advice: commands in messages, complete enough to paste. Pure.

Messages are written and kept without the output folder, which may be moved or renamed: it is added when they are
read.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence

OF_A_FOLDER = (
    "status", "why", "stop", "retry", "retake", "circle", "reconcile", "resolve", "verify", "report", "open", "cut",
    "export", "extract",
)  # fmt: skip
_COMMAND = re.compile(rf"`wanbatch ({'|'.join(OF_A_FOLDER)})(?=[ `])")
_SAME_AGAIN = "The provider would refuse the same"
_BESIDE_REFUSED = "The provider already refused"
_MODERATION = re.compile(r"moderat|inappropriate|sensitive|policy|violat|nsfw|safety|prohibited", re.IGNORECASE)


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


def is_same_again(advice: str) -> bool | None:
    """Say of what `for_failed` advises whether the provider would refuse the take again as it is; None for neither."""
    if advice.startswith((_SAME_AGAIN, _BESIDE_REFUSED)):
        return True
    return False if "`wanbatch retry" in advice else None


def retry_flags(again: Sequence[str], refused: Sequence[str]) -> list[str]:
    """Return the words that keep a retry from the shots that have to be changed first; none if there are no such.

    `again` are the shots that a retry may make, at least one, and none of these is `refused`.
    """
    if not refused:
        return []
    flag, shots = ("--except", refused) if len(refused) <= len(again) else ("--only", again)
    return [word for each in shots for word in (flag, each)]


def retried_with(advice: str, flags: Sequence[str]) -> str:
    """Return what `for_failed` advises with these flags of its retry, before it names an output folder."""
    return advice.replace("`wanbatch retry`", f"`wanbatch retry {shlex.join(flags)}`") if flags else advice


def for_beside_refused(label: str) -> str:
    """Say what to do about a failed take of a shot of which the provider refused another: a retry sends both."""
    return (
        f"{_BESIDE_REFUSED} {label}, another take of this shot, and would refuse it again: change the shot in the"
        " manifest and run it again"
    )


def for_failed(error: str, place: str = "", *, is_refused: bool = False) -> str:
    """Say what to do about a failed take. `place` is the place of its shot in the manifest: `shots.yaml line 7`.

    `is_refused` where the provider refused the request itself: sent again as it is, it will be refused again.
    """
    if is_refused and not is_refused_prompt(error):
        at = f" ({place})" if place else ""
        way = f"change this shot{at} as the provider says, and run the manifest"
        return f"{_SAME_AGAIN} request again: {way}"
    if not is_refused_prompt(error):
        return "`wanbatch retry` tries again"
    way = f"change it ({place}) and run the manifest" if place else "change the prompt in the manifest and run it again"
    return f"{_SAME_AGAIN} prompt again: {way}, or leave the shot out with `omit`"
