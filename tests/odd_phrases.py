"""The newest kinds of odd phrases, for `test_sentences.py`: each as a pattern, what is written instead, and a case."""

from __future__ import annotations

NEWEST = (
    (r"\bnewest good\b|\bgood (?:takes?|clips?)\b|\bgood, (?:not chosen|of shots)\b", "verified"),
    (
        r"\bcharges? (?:was )?not seen yet\b|\bstops the run: |\byou decide: ",
        "not in the ledger yet, stopped, choose one",
    ),
    (r"\bexpected a (?:table|text)\b|\bor a list of texts\b|\bclips that show slates\b", "fields, text, video files"),
    (
        r"(?<!batch in this )(?<!batch of a )\bfolders?(?: that)? (?:is|was|were|be|are)(?: \w+)? run\b",
        "a batch is run, the most recently used folder",
    ),
    (r"\bruns? (?:a|the|this|one) folder\b", "runs a batch"),
    (r"\bend(?:s|ed)?(?: \w+)? with \d", "exits with code 2"),
    (r"\bledger (?:already )?charge[sd]\b", "shows a charge for, what was charged"),
    (r"\b(?:is|are) not (?:sent|fetched) yet\b|\bnothing differs\b", "has not been sent yet, no differences"),
    (r"\breports sum by\b|\bfrom each other in a circle\b", "give totals for each, in a loop"),
    (r"\ba minute and at once\b", "per minute, or takes at one time"),
    (r"\bof another colour\b|\bbegins unlike\b", "shifted in colour, does not match"),
    (r"\bto be bought here\b|\bare in \S+/\S+ already\b", "to buy here already exist in"),
    (r"\brefuse the same again\b|\bmachine stopped it\b", "would refuse it again, a fault on this machine stopped"),
    (r"\bbuy (?:it|them) all the same\b", "anyway"),
)
NEWEST_ON_PAGES = ((r"\ba run goes on\b", "a run is in progress"), (r"` neither\b", "not even with"))
NEWEST_CASES = (
    "The cut uses the newest good take.",
    "Outside the cut: good, of shots left out.",
    "2 charges not seen yet.",
    "The cap stops the run: 3.00 USD is committed.",
    "A shot is 'x'; expected a table with id and prompt.",
    "Until now the folder was run with another key.",
    "It asks before it runs a folder with a new key.",
    "`validate` ends with 2 if there is a problem.",
    "What the ledger charged by now.",
    "5 takes in its folder are not sent yet.",
    "These shots continue from each other in a circle.",
    "How many submits it allows a minute and at once.",
    "The picture became of another colour.",
    "The page says that a run goes on.",
    "No run sends it on its own, with `follow: always` neither.",
    "4 takes to be bought here.",
    "4 takes are in outputs/bad already.",
    "It would refuse the same again for sh010_t2, too.",
    "Exit code 7: this machine stopped it.",
    "Buy them all the same, for 2.10 USD.",
)
