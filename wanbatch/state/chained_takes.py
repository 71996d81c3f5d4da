"""The chained takes of a state file: of the shots that continue from each other, with the frames that were sent."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

from wanbatch.batch.chained_takes import NOTHING_CHAINED, ChainedTakes
from wanbatch.batch.chains import shots_before, with_new_ids
from wanbatch.batch.chosen_frames import ChosenFrame
from wanbatch.batch.frames import may_hold_frames
from wanbatch.batch.take import Take
from wanbatch.money.seen_prices import prices_now
from wanbatch.money.successions import Succession
from wanbatch.state.reader import FOLLOWING_NOTE, StateReader


def read_chained(reader: StateReader) -> ChainedTakes:
    """Read the takes of all shots of chains. A batch without chains has none, however large it is."""
    later = reader.takes_with_frames()
    if not later:
        return NOTHING_CHAINED
    names = names_now(reader)
    known = [replace(take, recipe_json=with_new_ids(take.recipe_json, names)) for take in later]
    shots = {shot_id for take in known for shot_id in (take.shot_id, *shots_before(take.recipe_json))}
    by_id = {take.take_id: take for take in known}
    by_shot: dict[str, list[Take]] = {}
    for take in reader.takes_of_shots(shots):
        by_shot.setdefault(take.shot_id, []).append(by_id.get(take.take_id, take))
    left_out = frozenset(row.shot_id for row in reader.shots() if row.omit or row.removed)
    return ChainedTakes(by_shot, frames_sent(reader, later, names), left_out, _following(reader))


def _following(reader: StateReader) -> dict[str, tuple[str, ...]]:
    """Return the frames that shots follow, as the manifest of the last plan says it; a damaged note says nothing."""
    try:
        told = json.loads(reader.noted(FOLLOWING_NOTE) or "{}")
        return {str(shot_id): tuple(map(str, frames)) for shot_id, frames in told.items()}
    except (ValueError, AttributeError, TypeError):
        return {}


def frames_sent(reader: StateReader, takes: Sequence[Take], names: Mapping[str, str]) -> dict[int, list[ChosenFrame]]:
    """Return the frames that the newest submits of takes held, by take id; `names` are ids of now by earlier ones."""
    return {
        take.take_id: [
            replace(each, reference=with_new_ids(each.reference, names))
            for each in reader.frames_of(take.take_id, take.attempt)
        ]
        for take in takes
        if take.attempt and may_hold_frames(take.recipe_json)
    }


def names_now(reader: StateReader) -> dict[str, str]:
    """Return what shots that the last plan no longer lists are called now, by their earlier ids."""
    return reader.past().names_of_gone({row.shot_id for row in reader.shots() if not row.removed})


def read_successions(reader: StateReader) -> tuple[Succession, ...]:
    """Return the shots with new takes that others continue from, at the prices of now."""
    news = read_chained(reader).news()
    prices = prices_now([kind for kind, _ in reader.kinds()], reader.quotes()) if news else {}
    return tuple(Succession.of(each, prices) for each in news)
