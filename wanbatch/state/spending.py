"""Where the money of a batch went, asked of its state file without looking at every take in turn."""

from __future__ import annotations

from wanbatch.batch.lifecycle import State
from wanbatch.money.spending import Spending, scenes_of
from wanbatch.state.reader import StateReader


def read_spending(reader: StateReader) -> Spending:
    """Read what was charged for the cut and outside it, and what is committed by scene."""
    charged = reader.charged_for()
    outside = {name: amount for name, amount in charged.items() if name != "in_cut"}
    tallies = reader.tallies_by_scene()
    return Spending(
        in_cut=charged.get("in_cut", 0),
        outside=outside,
        scenes=scenes_of(tallies, reader.scenes()),
        left_out_takes=reader.left_out(),
        replaced=sum(count for _, kind, count in tallies if kind.state is State.FAILED and kind.superseded),
    )
