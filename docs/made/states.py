"""The lifecycle of a take: its states, its moves and a picture of the usual way, from the table of allowed moves."""

from __future__ import annotations

from docs.made.table import code, described, table
from wanbatch.batch.lifecycle import TRANSITIONS, Fact, State

STATE_WORDS = {
    "planned": "To be sent. Nothing is spent.",
    "submitting": "wanbatch recorded that it is about to send it; the answer is not recorded yet.",
    "unknown": "It may have been sent, but the answer was lost. wanbatch looks it up in the provider's log.",
    "held": "It may have been charged, and it waits for your decision or for the next check.",
    "queued": "The provider named a generation but has not begun it.",
    "generating": "A poll saw the provider work on it.",
    "completed": "The provider has made the clip; wanbatch has not fetched it yet.",
    "downloaded": "The clip is on disk, complete and hashed, but does not have its name yet.",
    "verified": "The clip is checked and has its final name.",
    "failed": "Proven to have made nothing, or given up by you.",
}
FACT_WORDS = {
    "planned": "the manifest asks for the take",
    "replanned": "the manifest was edited before anything was sent",
    "superseded": "the manifest asks for another recipe, a retake replaces a failed take, or its shot is left out",
    "reinstated": "the manifest asks for this recipe again",
    "renamed": "another shot uses the take now",
    "measured": "wanbatch measured the first and the last frame of a clip in a chain",
    "frames_chosen": "wanbatch recorded which frames of other clips its next submit holds",
    "submit_started": "wanbatch recorded that it is about to send it",
    "not_sent": "proof that no byte left this machine",
    "turned_away": "the provider refused it for now (401, 403, 425, 429)",
    "refused": "the provider refused it for good",
    "accepted": "the provider named a generation",
    "priced": "the answer said how much was set aside",
    "answer_lost": "it was sent, but no answer came",
    "searched": "the provider's log was read in full and settled nothing",
    "adopted": "a generation was found to be this take's",
    "found_failed": "the log proves that it failed at no cost",
    "presumed_absent": "no trace of it after long enough, with `--on-unknown resubmit`",
    "resubmit_allowed": "you allowed it with `resolve --resubmit`",
    "abandoned": "you gave it up with `resolve --abandon`",
    "found_unrecorded": "the provider knows a submit that the state file does not",
    "found_late": "an earlier attempt turned out to have made a clip",
    "found_double": "a second generation of one submit was found",
    "logged": "how late after the submit the log showed it",
    "held": "your decision is needed",
    "looked_again": "a held generation is polled again",
    "named_again": "a held clip that is complete on disk gets its name",
    "generation_started": "a poll saw it begin",
    "completed": "a poll saw it end with a clip",
    "failure_seen": "one answer says that it failed",
    "generation_failed": "two answers, apart in time, say that it failed",
    "failure_withdrawn": "a generation that seemed to have failed is running, or completed, after all",
    "retry_planned": "a new attempt is planned after a failure",
    "retry_withdrawn": "the new attempt is not sent, because an earlier one may have been charged after all",
    "withdrawn": "you withdrew a planned retake or retry with `resolve --withdraw`",
    "model_changed": "its fallback makes it, after the first model made nothing and cost nothing",
    "link_dead": "the link expired or gave no complete clip",
    "downloaded": "the clip is complete, decodes and is hashed",
    "download_discarded": "the bytes on disk are not the recorded ones",
    "verified": "the clip has its final name",
    "warned": "the clip is intact, but something about it deserves a look",
    "circled": "you chose it for the cut",
    "uncircled": "you chose another, or none",
    "charged": "the ledger shows its charge",
}
_USUAL = (
    Fact.SUBMIT_STARTED, Fact.ACCEPTED, Fact.GENERATION_STARTED, Fact.COMPLETED, Fact.DOWNLOADED, Fact.VERIFIED,
)  # fmt: skip


def states() -> str:
    """Return the states and what each means."""
    return table(("state", "meaning"), [(code(name), words) for name, words in described("states", State, STATE_WORDS)])


def moves() -> str:
    """Return every allowed move, by the state that it starts from."""
    words = dict(described("facts", Fact, FACT_WORDS))
    order = list(State)
    found = [(before, after, fact) for (before, fact), after in TRANSITIONS.items() if before is not after]
    found.sort(key=lambda move: (order.index(move[0]), order.index(move[1]), move[2]))
    return table(
        ("from", "to", "when"),
        [(code(before), code(after), f"{words[fact]} ({code(fact)})") for before, after, fact in found],
    )


def notes() -> str:
    """Return the facts that are recorded without a move."""
    staying = sorted({fact for (before, fact), after in TRANSITIONS.items() if before is after}, key=list(Fact).index)
    return table(("fact", "meaning"), [(code(fact), FACT_WORDS[fact]) for fact in staying])


def usual_way() -> str:
    """Draw the way of a take to which nothing happens, as the table allows it."""
    way = [State.PLANNED]
    for fact in _USUAL:
        way.append(TRANSITIONS[way[-1], fact])
    boxes = []
    for number, state in enumerate(way):
        y = 10 + 58 * number
        boxes.append(
            f'<rect x="10" y="{y}" width="130" height="34" rx="6"/>'
            f'<text x="75" y="{y + 22}" class="state">{state}</text>'
        )
        if number < len(_USUAL):
            boxes.append(
                f'<path d="M75 {y + 34} v18 m-4 -5 l4 6 l4 -6"/>'
                f'<text x="90" y="{y + 50}">{FACT_WORDS[_USUAL[number]]}</text>'
            )
    height = 58 * len(way)
    return (
        f'<svg class="lifecycle" viewBox="0 0 360 {height}" role="img" aria-label="The usual path of a take: '
        f'{", ".join(way)}">{"".join(boxes)}</svg>'
    )
