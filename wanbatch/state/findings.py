"""What a state file says about takes in trouble beside their own rows: attempts, and fallbacks that were not used."""

from __future__ import annotations

from wanbatch.batch.fallbacks import why_not_taken
from wanbatch.batch.lifecycle import State
from wanbatch.state.needs import AttemptFindings
from wanbatch.state.reader import StateReader


def read_findings(reader: StateReader) -> AttemptFindings:
    """Read what is known of takes that failed or wait for the user."""
    fallbacks = reader.fallbacks()
    failed = [take for take in reader.takes_in([State.FAILED]) if take.shot_id in fallbacks] if fallbacks else []
    told = {
        take.take_id: why_not_taken(
            take, reader.attempts_of(take.take_id), reader.facts_of(take.take_id), fallbacks[take.shot_id]
        )
        for take in failed
        if not take.superseded
    }
    return AttemptFindings(reader.refused(), reader.offered(), told, reader.made_for_failed())
