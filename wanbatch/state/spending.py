"""Where the money of a batch went, asked of its state file without looking at every take in turn."""

from __future__ import annotations

from wanbatch.money.spending import Spending, scenes_of
from wanbatch.state.reader import StateReader


def read_spending(reader: StateReader) -> Spending:
    """Read what was charged for the cut and outside it, and what is committed by scene."""
    charged = reader.charged_for()
    outside = {name: amount for name, amount in charged.items() if name != "in_cut"}
    return Spending(
        charged.get("in_cut", 0), outside, scenes_of(reader.tallies_by_scene(), reader.scenes()), reader.left_out()
    )
