"""What a state file says about takes in trouble beside their own rows: attempts, and fallbacks that were not used."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress

from wanbatch.batch.fallbacks import why_not_taken
from wanbatch.batch.lifecycle import State
from wanbatch.batch.shots import Fallback
from wanbatch.batch.take import Take
from wanbatch.state.chained_takes import read_chained
from wanbatch.state.needs import AttemptFindings
from wanbatch.state.reader import StateReader
from wanbatch.text import visible

PLACES_NOTE = "places of failed shots"  # the note that tells where the manifest of the last run names them


def read_findings(reader: StateReader) -> AttemptFindings:
    """Read what is known of takes that failed or wait for the user."""
    fallbacks = reader.fallbacks()
    failed = [take for take in reader.takes_in([State.FAILED]) if take.shot_id in fallbacks] if fallbacks else []
    told = {
        take.take_id: why_not_taken(
            take,
            reader.attempts_of(take.take_id),
            reader.facts_of(take.take_id),
            fallbacks[take.shot_id],
            _same_as(reader, take, fallbacks[take.shot_id]),
        )
        for take in failed
        if not take.superseded
    }
    places = _places_in(reader.noted(PLACES_NOTE))
    waiting = {each.take.label: each.waiting for each in read_chained(reader).waiting()}
    return AttemptFindings(
        refused=reader.refused(),
        offered=reader.offered(),
        fallbacks=told,
        made=reader.made_for_failed(),
        places=places,
        waiting=waiting,
        given_up=reader.abandoned(),
    )


def _same_as(reader: StateReader, take: Take, fallback: Fallback) -> str:
    """Return the label of another take that is there of what a take's fallback would be sent; empty without one."""
    recipe = fallback.recipe_for(take.recipe)
    there = reader.takes_there(recipe.canonical) if "seed" in recipe.body else []
    return next((each.label for each in there if each.take_id != take.take_id), "")


def places_text(places: Mapping[str, str]) -> str:
    """Write the places of shots as the text of a note."""
    return json.dumps(places, ensure_ascii=False)


def _places_in(text: str | None) -> dict[str, str]:
    """Read what `places_text` wrote; nothing of anything else, as a state file may come from anywhere."""
    with suppress(ValueError, RecursionError):
        told = json.loads(text or "{}")
        if isinstance(told, dict):
            return {shot_id: visible(place) for shot_id, place in told.items() if isinstance(place, str)}
    return {}
