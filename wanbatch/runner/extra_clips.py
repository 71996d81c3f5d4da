"""The extra clips of a generation that made more than one: paid for, so kept beside the clip of their take.

`clips/sc010_t1.mp4` is the first; `clips/sc010_t1.2.mp4` and so on are the others. What is known of them is one text
of the state file a take: a list of files with their hashes, a hash of None for one that could not be fetched yet.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path

from wanbatch.batch.take import Take
from wanbatch.clip.download import ForeignFile, Part, check_part, publish
from wanbatch.errors import MediaInvalid
from wanbatch.folders import CLIPS
from wanbatch.pace.backoff import backoff_s
from wanbatch.provider.protocol import Fetched, LinkDead, Progress, Secret
from wanbatch.runner.context import RunContext
from wanbatch.state.reader import StateReader

EXTRAS_CAP = 20  # no model makes more; a longer list is a mistake or an attack
TRIES = 3


@dataclass(frozen=True)
class Extra:
    """A further clip of a take. `file` is relative to the output folder; `sha256` is None if it is not here yet."""

    file: str
    sha256: str | None
    why: str = ""


def name_of(take: Take) -> str:
    """Return the name under which the state file keeps what is known of a take's extra clips."""
    return f"extra clips of {take.label}"


def extras_of(state: StateReader, take: Take) -> list[Extra]:
    """Return the extra clips of a take; none if a text cannot be read."""
    try:
        return [Extra(**row) for row in json.loads(state.noted(name_of(take)) or "[]")]
    except (ValueError, TypeError):
        return []


def extras_text(extras: Sequence[Extra]) -> str | None:
    """Say that a take has extra clips, and which of them are missing; None if it has none."""
    if not extras:
        return None
    kept = [each.file for each in extras if each.sha256 is not None]
    missing = [f"{each.file} ({each.why})" for each in extras if each.sha256 is None]
    said = f"the provider made {len(extras) + 1} clips for this take"
    if kept:
        said += f"; kept beside the first: {', '.join(kept)}"
    return said + (f"; not fetched: {', '.join(missing)}. `wanbatch verify --fetch` tries again" if missing else "")


async def keep_extras(context: RunContext, take: Take, links: Sequence[Secret]) -> None:
    """Fetch the further clips of a take by their links, and record what came of each. Never stops the first clip."""
    if not links:
        return
    known = {each.file: each for each in extras_of(context.state, take)}
    files = [f"{CLIPS}/{take.label}.{number}.mp4" for number in range(2, 2 + len(links))]
    extras = [known.get(file, Extra(file, None, "not fetched yet")) for file in files]
    for at, link in enumerate(links):
        if at < EXTRAS_CAP:
            await _keep(context, take, extras, at, link)
        else:
            extras[at] = replace(extras[at], why=f"wanbatch fetches at most {EXTRAS_CAP} further clips")
    _record(context, take, extras)


def _record(context: RunContext, take: Take, extras: Sequence[Extra]) -> None:
    context.state.note(name_of(take), json.dumps([asdict(each) for each in extras], ensure_ascii=False))


async def _keep(context: RunContext, take: Take, extras: list[Extra], at: int, link: Secret) -> None:
    """Fetch one of the clips; its hash is recorded before it gets its name. A foreign file in its place stays."""
    extra = extras[at]
    final = context.state.output / extra.file
    part = final.with_name(f"{final.name}.part")
    why = ""
    for attempt in range(1, TRIES + 1):
        if attempt > 1:
            await context.clock.sleep(backoff_s(attempt, context.rng))
        try:
            with Part(part) as sink:
                answer = await context.provider.fetch(link, sink.write)
            if isinstance(answer, Fetched):
                checked = await asyncio.to_thread(check_part, part, context.settings.inspection)
                if not final.exists():
                    extras[at] = Extra(extra.file, checked.sha256)
                    _record(context, take, extras)
                await asyncio.to_thread(publish, part, final, checked.sha256)
                extras[at] = Extra(extra.file, checked.sha256)
                return
            why = answer.message
            if isinstance(answer, LinkDead):
                break
        except MediaInvalid as error:
            part.replace(final.with_name(f"{final.name}.bad"))
            why = f"the clip did not arrive complete: {error}"
        except ForeignFile as error:
            why = str(error)
            break
    part.unlink(missing_ok=True)
    if extra.sha256 is None or not final.is_file():  # else it was fetched before: the provider now has other bytes
        extras[at] = Extra(extra.file, None, why)


async def fetch_again(context: RunContext, take: Take, files: Sequence[str]) -> str:
    """Fetch extra clips of a take that are missing, by a fresh poll. Returns an empty text, or why one is not here."""
    assert take.generation_id is not None
    answer = await context.provider.poll(take.generation_id)
    if not isinstance(answer, Progress) or answer.generation_id != take.generation_id:
        return "the provider does not say where its further clips are"
    extras = extras_of(context.state, take)
    for at, extra in enumerate(extras):
        if extra.file not in files:
            continue
        if at >= len(answer.more_links):
            extras[at] = replace(extra, why="the provider no longer gives a link to it")
            continue
        _set_aside(context.state.output / extra.file)
        await _keep(context, take, extras, at, answer.more_links[at])
    _record(context, take, extras)
    return "; ".join(f"{each.file}: {each.why}" for each in extras if each.file in files and each.why)


def _set_aside(path: Path) -> None:
    """Keep a file that was altered under another name."""
    if path.exists():
        path.rename(path.with_name(f"{path.stem}.altered{path.suffix}"))
