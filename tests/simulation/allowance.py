"""What the oracle allows beyond the rules, and why. Nothing else is allowed, and each use is counted.

A purchase is a submit that the provider made something for and charged. "Shown" means that a reading of the log, or of
the ledger, could have shown it when the proof for the next purchase was taken.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Allowance:
    """`allows` says what, `why` gives the reason that no client could do better."""

    allows: str
    why: str


ALLOWANCES: Mapping[str, Allowance] = {
    "late": Allowance(
        "one more purchase by P4, named DOUBLE, where nothing showed the first; where no log ever shows it, it need not be"
        " named",
        "how long a generation and the log may take is an assumption that P4 has to make; a charge that comes later than"
        " that, and that no log ties to a submit, may be anybody's",
    ),
    "made twice": Allowance(
        "a second generation for one submit, named DOUBLE; where no log shows it, the charge is named, unless others use"
        " the account",
        "the provider made it by itself; one submit was sent, and the ledger does not tell which",
    ),
    "P1": Allowance(
        "one more purchase after a refusal that was none, named DOUBLE or held, where the log did not show the first",
        "the provider's own envelope is its word that nothing was made",
    ),
    "P2": Allowance(
        "one more purchase after a failed row that was wrong, named DOUBLE, where the row stood there for the log's"
        " lag and nothing showed the first",
        "the row is the provider's word, and its lag is an assumption",
    ),
    "P3": Allowance(
        "one more purchase after polls that called a good generation failed, named DOUBLE, where more than one poll"
        " did and the ledger did not show it",
        "what is asked twice, apart, and answered alike is the provider's word; one poll alone is not",
    ),
    "restored": Allowance(
        "one more purchase of what a restored copy lacks, named, where no log showed it when the run began: run.log was"
        " restored or torn, and the provider's showed nothing yet",
        "nothing on this machine or at the provider tells of it",
    ),
    "another key": Allowance(
        "one more purchase of what a restored copy lacks, where it was sent with another key; what was made with a key"
        " that is no longer in use need not be named",
        "the log of a key shows the requests of that key alone",
    ),
    "another one runs": Allowance(
        "a take may be held whose generation does not end, though an old copy's submit under its request id made a clip,"
        " if the reason names that one with the word that takes it",
        "the generation that was paid for second may still end: which of the two is the clip is for the user to say",
    ),
    "untold price": Allowance(
        "one submit at a time may pass the cap where no list, hold or charge told its price, or a restored copy lacks it",
        "the answer that tells it comes after the submit",
    ),
    "dearer than told": Allowance(
        "the cap may be passed by what one submit costs more than every list, hold and charge had told when it was sent,"
        " and by what submits cost more than the highest price known whose own answer told none, where an answer of their"
        " model had told one before or their own came without; else by one such submit",
        "the answer that tells it comes after the submit; until then no other goes out that the cap could not bear",
    ),
    "unseen in the cap": Allowance(
        "a purchase that a restored copy lacks, or that a broken promise denied, counts under the cap from the run on"
        " that began, with the key that it was made with, when a log showed it",
        "until then nothing tells of it; the log of a key shows the requests of that key alone",
    ),
    "charged failure": Allowance(
        "a failed generation that is charged counts under the cap from when the ledger told of it",
        "the provider says that it never charges one",
    ),
    "second charge": Allowance(
        "a second ledger row for one generation counts under the cap from when the ledger told of it, to a restored copy"
        " again once the generation is a take's",
        "the provider made it by itself; until then the log's cost counts",
    ),
}
