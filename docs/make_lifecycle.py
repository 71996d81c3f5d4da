"""Write docs/lifecycle.md from the table of allowed moves: python docs/make_lifecycle.py."""

from __future__ import annotations

from pathlib import Path

from wanbatch.batch.lifecycle import TRANSITIONS, Fact, State

PAGE = Path(__file__).with_name("lifecycle.md")
WORDS = {
    State.PLANNED: "to be sent; nothing is spent",
    State.SUBMITTING: "the intent is on disk, the answer is not",
    State.UNKNOWN: "sent, perhaps, and nobody knows",
    State.HELD: "may have been charged; waits for you, or for the next look",
    State.QUEUED: "the provider named a generation",
    State.GENERATING: "a poll saw it work",
    State.COMPLETED: "paid, to be fetched",
    State.DOWNLOADED: "whole and hashed, not yet under its name",
    State.VERIFIED: "a clip under its final name",
    State.FAILED: "proven to have made nothing, or given up by you",
}


def page() -> str:
    """Return the text of the page."""
    stays = sorted({fact for (before, fact), after in TRANSITIONS.items() if before is after}, key=list(Fact).index)
    lines = [
        "# The lifecycle of a take",
        "",
        "Made from the table in `wanbatch/batch/lifecycle.py`; a move that is not drawn raises and is not recorded.",
        "",
        "```mermaid",
        "stateDiagram-v2",
        "    [*] --> planned",
    ]
    moves = [(before, fact, after) for (before, fact), after in TRANSITIONS.items() if before is not after]
    order = list(State)
    for before, fact, after in sorted(moves, key=lambda move: (order.index(move[0]), order.index(move[2]), move[1])):
        lines.append(f"    {before} --> {after}: {fact}")
    lines += ["```", "", "| state | meaning |", "|---|---|"]
    lines += [f"| {state} | {WORDS[state]} |" for state in State]
    told = ", ".join(f"`{fact}`" for fact in stays)
    lines += ["", f"Facts that are recorded without a move in some states: {told}.", ""]
    return "\n".join(lines)


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
