"""The companion files of a clip: the poster and the sidecar beside it, written while the run goes on."""

from __future__ import annotations

from pathlib import Path

from wanbatch.batch.take import Take
from wanbatch.clip.inspection import Inspection
from wanbatch.session.posters import write_poster_of
from wanbatch.state.reader import StateReader


class CompanionFiles:
    """Makes what goes with a verified clip: its poster and its sidecar. Called in worker threads."""

    def __init__(self, output: Path, inspection: Inspection) -> None:
        self._output = output
        self._inspection = inspection

    def __call__(self, take: Take) -> None:
        """Write both for a take whose clip is verified. Raises MediaInvalid, StateInvalid or LocalFault."""
        from wanbatch.reporting.given import Given
        from wanbatch.reporting.sidecar import write_sidecar

        write_poster_of(self._output, take, self._inspection)
        with StateReader.open(self._output) as reader:
            given = Given.of(reader, take)
            write_sidecar(self._output, take, reader.shot(take.shot_id), reader.attempts_of(take.take_id), given)
