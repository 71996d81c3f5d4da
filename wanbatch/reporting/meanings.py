"""The meanings of the words that pages and the workbook use, for a reader who never saw the program."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from wanbatch.money.spending import OUTSIDE_WORDS

STATES: Mapping[str, str] = {
    "verified": "The clip is on disk: complete, checked from its first frame to its last, and under its final name.",
    "planned": "Still to be sent, or to be sent again. It costs nothing, unless an earlier try was charged.",
    "submitting": "On its way to the provider.",
    "queued": "Accepted by the provider, and waiting there.",
    "generating": "Being made by the provider.",
    "completed": "Made, but not fetched yet.",
    "downloaded": "Fetched, but not checked yet.",
    "failed": "There is no clip. It costs nothing, unless a charge is shown for it, or it was given up and is at risk.",
    "held": "It may have been charged, and waits for your decision. wanbatch does not send it again until you decide.",
    "unknown": "It may have been sent, but the answer was lost: the next run looks it up.",
    "superseded": "Replaced by a newer version of its shot or by a retake; also: a take that has no clip and whose"
    " shot is omitted or gone from the manifest. If there is a clip, it is kept, and its cost counts.",
    "omitted": "Shots that the manifest leaves out.",
}
MONEY: Mapping[str, str] = {
    "estimated": "What the takes were expected to cost when they were sent or, if not sent yet, what they cost today.",
    "set aside": "What the provider set aside when it accepted a take. The charge replaces it.",
    "charged": "What the provider's ledger, its list of charges, shows. Only this was paid.",
    "at risk": "What was sent and may still be charged. It is charged or free once the provider's ledger or log shows"
    " what became of it. What was given up and leaves no trace stays at risk: contact the provider's support.",
    "committed": "Charged and at risk together. This counts against the cap.",
    "to complete": "What the takes still to be sent will cost.",
    "final cost": "Committed and to complete together.",
    "cap": "The most that may be committed, set by --max-usd or by budget in the manifest.",
    "baseline": "What the first plan that you confirmed was expected to cost. No later plan changes it.",
    "variance": "Final cost minus baseline, by reason. Above 0 it costs more than the baseline, below 0 less.",
    "cap less final cost": "If this is below 0, the takes still to be sent need a higher cap. The cap itself is kept.",
    "made on the first try": "The clip of take 1 was made by its first submit.",
    "in the cut": "For each shot, the take that you circled, or else the newest verified one.",
    "outside the cut": "Everything else that was charged. In the cut and outside the cut add up to what was charged.",
    "verified, not chosen": "Verified clips of shots in the manifest that the cut does not use.",
    "verified, shot left out": "Verified clips of shots that the manifest omits or no longer has.",
    "no clip yet": "Takes that were charged and wait for you, or are on their way.",
    "extra": "Clips that the provider made in addition to the one that was asked for.",
    "(no take)": "Requests that the provider has on record, but that belong to no take here.",
    "+?": "A part of this sum is unknown, and the sum leaves it out. Unknown is never 0.",
}

COST_WORDS: Mapping[str, str] = {  # the words for columns of the cost report
    "budget": "cap",
    "estimated": "estimated",
    "held": "set aside",
    "charged": "charged",
    "at_risk": "at risk",
    "committed": "committed",
    "to_complete": "to complete",
    "final": "final cost",
    "baseline": "baseline",
    "variance": "variance",
    "budget_less_final": "cap less final cost",
    "in_cut": "in the cut",
    "outside_cut": "outside the cut",
    **OUTSIDE_WORDS,
}
_UNITS = {"usd": "USD", "credits": "credits", "s": "s"}


def heading_of(column: str) -> str:
    """Return the heading of a column of a cost file for people: `outside_cut_usd` is `outside the cut USD`."""
    name, _, unit = column.rpartition("_")
    if unit not in _UNITS or not name:
        return COST_WORDS.get(column, " ".join(_UNITS.get(word, word) for word in column.split("_")))
    is_known = name.endswith("_known")
    words = COST_WORDS.get(name.removesuffix("_known"), name.removesuffix("_known").replace("_", " "))
    return f"{words}{', known part' if is_known else ''} {_UNITS[unit]}"


def meanings(states: Iterable[str], *, has_money: bool = True) -> dict[str, str]:
    """Return the words that a page with takes in these states uses, with their meanings."""
    told = set(states)
    used = {word: text for word, text in STATES.items() if word in told}
    return used | dict(MONEY) if has_money else used
