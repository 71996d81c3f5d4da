"""Verifying: the clips on disk compared with the hashes in the state file."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path

from wanbatch.batch.lifecycle import State
from wanbatch.batch.take import Take
from wanbatch.clip.download import Part, check_part, publish, sha256_of
from wanbatch.errors import MediaInvalid, StateInvalid
from wanbatch.folders import CLIPS, is_in
from wanbatch.provider.protocol import Fetched, Progress
from wanbatch.runner.context import RunContext
from wanbatch.runner.extra_clips import extras_of, fetch_again
from wanbatch.state.reader import StateReader


@dataclass(frozen=True)
class Check:
    """One clip: `verdict` is ok, missing or altered."""

    take_id: int
    take: str
    file: str
    verdict: str


def verify_output(output: Path) -> list[Check]:
    """Hash every verified clip and the extra clips beside it.

    Raises StateInvalid if the state file itself is damaged.
    """
    with StateReader.open(output) as reader:
        reader.check()
        takes = [take for take in reader.takes() if take.state is State.VERIFIED]
        files = [(take, take.file, take.sha256) for take in takes if take.file is not None]
        files += [(take, each.file, each.sha256) for take in takes for each in extras_of(reader, take)]
    return [
        Check(take.take_id, take.label, file, verdict_on(output, file, sha256))
        for take, file, sha256 in sorted(files, key=lambda each: (each[0].take_id, each[1] != each[0].file))
    ]


def verdict_on(output: Path, file: str, sha256: str | None) -> str:
    """Say how a clip stands: ok, missing or altered. Raises StateInvalid for a path outside the output folder."""
    if not is_in(output, CLIPS, file):
        raise StateInvalid(f"the state file names a clip outside its folder: {file}")
    path = output / file
    if not path.is_file():
        return "missing"
    return "ok" if sha256_of(path) == sha256 else "altered"


async def refetch(context: RunContext, take: Take) -> str:
    """Fetch the clip of a verified take again by its generation id. Never submits anything.

    Returns an empty text where the recorded bytes are back, else why not. A file that was altered is kept beside
    the clip under another name.
    """
    assert take.file is not None
    assert take.generation_id is not None
    assert take.sha256 is not None
    answer = await context.provider.poll(take.generation_id)
    if not isinstance(answer, Progress) or answer.generation_id != take.generation_id:
        return "the provider does not say where the clip is"
    if answer.link is None:
        return "the provider no longer gives a link to it"
    final = context.state.output / take.file
    part = final.with_name(f"{final.name}.part")
    with Part(part) as sink:
        got = await context.provider.fetch(answer.link, sink.write)
    if not isinstance(got, Fetched):
        return got.message
    try:
        checked = await asyncio.to_thread(check_part, part, context.settings.inspection)
    except MediaInvalid as error:
        return f"the clip did not arrive complete: {error}"
    if checked.sha256 != take.sha256:
        part.unlink(missing_ok=True)
        return "the provider's file is no longer the verified one"
    if final.exists():
        final.rename(final.with_name(f"{final.stem}.altered{final.suffix}"))
    await asyncio.to_thread(publish, part, final, take.sha256)
    return ""


async def refetch_all(context: RunContext, take: Take) -> str:
    """Fetch again what is not as recorded of a verified take: its clip, and extra clips. Never submits anything.

    Returns an empty text where all is back, else why not.
    """
    output, told = context.state.output, []
    if take.file is not None and verdict_on(output, take.file, take.sha256) != "ok":
        told.append(await refetch(context, take))
    extras = extras_of(context.state, take)
    missing = [each.file for each in extras if verdict_on(output, each.file, each.sha256) != "ok"]
    if missing:
        told.append(await fetch_again(context, take, missing))
    return "; ".join(filter(None, told))
