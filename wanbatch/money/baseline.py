"""The baseline: what the first confirmed plan was to cost, and why the final cost is another. Pure.

The baseline has one line per shot, and no later plan changes it. Whatever differs from it has a reason.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from wanbatch.batch.lifecycle import State
from wanbatch.batch.models import PriceClass
from wanbatch.batch.plan import Due
from wanbatch.batch.shots import likeness
from wanbatch.batch.spend import Kind
from wanbatch.money.credits import difference_text, partly_known
from wanbatch.money.prices import UNKNOWN_QUOTE, Quote
from wanbatch.units import count_text


class Reason(StrEnum):
    """Why the final cost differs from the baseline, in the order in which screens show it."""

    RETAKE = "retake"  # a take that was asked for beside those of the manifest
    EDIT = "edit"  # a clip that a newer recipe replaced, and what its successor costs more or less
    NEW_SHOT = "new shot"  # a shot that the first plan did not have
    LEFT_OUT = "shot left out"  # a shot that the manifest no longer asks for
    RENAMED = "renamed"  # a shot that has another id and asks for the same: its line of the baseline is that of before
    UNPRICED = "unpriced take"  # a take whose price was unknown when the baseline was kept
    NO_TAKE = "submit without a take"
    FAILED = "failed take"  # it made no clip, so that its price was saved
    REFUSED = "refused take"  # the provider refused its prompt or its request, so that its price was saved
    TRY = "failed try"  # what was charged for tries that made no clip of their take
    UNANSWERED = "try without an answer"  # what may still be charged for tries whose answers were lost
    EXTRA = "extra clip"  # generations beside a take's own
    FALLBACK = "fallback"  # a take that goes on with another model, at another price
    MORE = "take added"  # a shot that has more takes than the first plan gave it
    FEWER = "take dropped"  # a shot that has fewer
    OTHER = "other price"


# What is counted, and the words around it; of the others, what their reason says.
_WORDS: Mapping[Reason, tuple[str, str]] = {
    Reason.EDIT: ("take", "{} of edited shots"),
    Reason.REFUSED: ("take", "{} refused"),
    Reason.NEW_SHOT: ("take", "{} of new shots"),
    Reason.LEFT_OUT: ("take", "{} of shots left out"),
    Reason.RENAMED: ("take", "{} of renamed shots"),
    Reason.NO_TAKE: ("submit", "{} without a take"),
    Reason.TRY: ("take", "failed tries of {}"),
    Reason.UNANSWERED: ("take", "tries of {} without an answer"),
    Reason.EXTRA: ("take", "extra clips of {}"),
    Reason.FALLBACK: ("take", "{} on a fallback"),
    Reason.MORE: ("take", "{} added to shots"),
    Reason.FEWER: ("take", "{} dropped from shots"),
    Reason.OTHER: ("", "other prices"),
}


@dataclass(frozen=True)
class BaselineLine:
    """What the baseline holds for one shot: its takes, what is known of their credits, and how many have no price.

    `recipe` is its `recipe_key`, by which it is known under another id; empty in a file that an older version began.
    """

    shot_id: str
    takes: int
    known: int
    unpriced: int = 0
    recipe: str = ""

    @property
    def credits(self) -> int | None:
        """What its takes cost together; None while one of them has no price."""
        return None if self.unpriced else self.known


@dataclass(frozen=True)
class Planned:
    """What the baseline holds for shots of which the same became: the known credits, and takes without a price.

    Those with the reason RENAMED are in the lines of another reason, too: they count takes, and no credits.
    """

    reason: Reason
    takes: int
    credits: int
    unpriced: int


@dataclass(frozen=True)
class Cause:
    """One reason why takes of a shot do not cost what was planned: how many, and what they add in credits."""

    shot_id: str
    reason: Reason
    takes: int
    credits: int


@dataclass(frozen=True)
class Part:
    """One reason: how many takes it is about, and what they add to the baseline, as far as it is known."""

    reason: Reason
    count: int
    credits: int
    unknown: int = 0

    @property
    def words(self) -> str:
        """`2 retakes`, or the reason alone where no takes are counted."""
        noun, text = _WORDS.get(self.reason, (self.reason.value, "{}"))
        return text.format(count_text(self.count, noun))


@dataclass(frozen=True)
class Baseline:
    """The first confirmed plan in credits, known parts, and what was added to it since.

    `causes` are by shot what the parts sum up for the reasons from FAILED to FEWER.
    """

    at: datetime
    takes: int
    credits: int
    unpriced: int
    parts: tuple[Part, ...]
    causes: tuple[Cause, ...] = ()

    @property
    def variance(self) -> int:
        """The final cost minus the baseline: above 0 it costs more, below 0 less."""
        return sum(part.credits for part in self.parts)

    @property
    def final(self) -> int:
        """The final cost: the baseline and all that was added."""
        return self.credits + self.variance

    @property
    def unknown(self) -> int:
        """How many takes, and submits of no take, are not in the final cost."""
        return sum(part.unknown for part in self.parts)

    @property
    def words(self) -> str:
        """What the first confirmed plan was to cost: `3.15 USD + unknown (2 takes)`."""
        return partly_known(self.credits, self.unpriced)

    @property
    def final_words(self) -> str:
        """The final cost in the same words."""
        submits = sum(part.unknown for part in self.parts if part.reason is Reason.NO_TAKE)
        return partly_known(self.final, self.unknown - submits, submits)


_NEXT = "A new baseline needs a new output folder: it is the first plan that you confirm there"


def why_none(*, was_sent: bool, was_lost: bool) -> str:
    """Say why a batch has no baseline, and when one is kept."""
    if not was_sent:
        return "no plan was confirmed yet; the first one that you confirm becomes the baseline"
    if was_lost:
        return f"it was lost with the state file that `wanbatch recover` replaced, and no report here has it. {_NEXT}"
    return f"an earlier version of wanbatch sent the first takes, but kept no baseline. {_NEXT}"


def variance_text(baseline: Baseline) -> str:
    """Say what was added and why, `2 retakes +1.05, 1 take of edited shots +0.525`; empty if nothing was."""
    return ", ".join(
        f"{part.words} {difference_text(part.credits)}{'+?' if part.unknown else ''}" for part in baseline.parts
    )


def recipe_key(recipes: Iterable[str]) -> str:
    """Return what the canonical recipes of one shot ask for, whatever their seeds and how many they are, as a hash."""
    texts = sorted({likeness(each)[0] for each in recipes})
    return hashlib.sha256("\n".join(texts).encode()).hexdigest()


def renamed_shots(gone: Mapping[str, str], new: Mapping[str, str], adopted: Mapping[str, str]) -> dict[str, str]:
    """Pair shots of the baseline that are gone with the new ones that they became: later id by earlier id.

    Both are `recipe_key` by shot id, in story order; an empty one is like no other. `adopted` says to which shot the
    takes of a shot went, as the user decided; it goes before equal recipes. Each shot is in one pair at most.
    """
    pairs, left = dict[str, str](), dict(new)
    for was, now in adopted.items():
        if was in gone and now in left:
            pairs[was] = now
            del left[now]
    alike: dict[str, list[str]] = {}
    for now, key in left.items():
        alike.setdefault(key, []).append(now)
    for was, key in gone.items():
        if key and was not in pairs and alike.get(key):
            pairs[was] = alike[key].pop(0)
    return pairs


def lines_of(due: Iterable[Due], quotes: Mapping[PriceClass, Quote]) -> list[BaselineLine]:
    """Return the baseline of takes that are planned: one line per shot, at the prices that are expected."""
    prices: dict[str, list[int | None]] = {}
    for each in due:
        prices.setdefault(each.shot_id, []).append(quotes.get(each.price_class, UNKNOWN_QUOTE).credits)
    return [
        BaselineLine(shot_id, len(mine), sum(price or 0 for price in mine), mine.count(None))
        for shot_id, mine in prices.items()
    ]


def baseline_of(
    at: datetime,
    planned: Iterable[Planned],
    spent: Iterable[tuple[Reason, Kind, int]],
    prices: Mapping[PriceClass, int],
    strays: Iterable[int | None],
) -> Baseline:
    """Compare the final cost of takes with the baseline, reason by reason. `prices` are what a take costs now."""
    lines = list(planned)
    sums = {reason: Part(reason, 0, 0) for reason in Reason}
    for reason, kind, count in spent:
        is_to_come = kind.state is State.PLANNED and not kind.superseded
        price = prices.get(kind.price_class) if is_to_come else 0
        is_counted = is_to_come or kind.state is not State.PLANNED
        if reason is Reason.EDIT:  # of clips that an edit replaced; a try that cost nothing is none
            is_free = kind.state is State.FAILED and kind.credits_committed == 0
            is_counted = kind.superseded and kind.state is not State.PLANNED and not is_free
        if reason in (Reason.LEFT_OUT, Reason.UNPRICED):
            is_counted = False  # those of the baseline count
        unknown = count * ((kind.credits_committed is None) or price is None)
        added = count * (kind.credits_committed_known + (price or 0))
        sums[reason] = _plus(sums[reason], count * is_counted, added, unknown)
    for line in lines:
        whole = {Reason.LEFT_OUT: line.takes, Reason.RENAMED: line.takes, Reason.UNPRICED: line.unpriced}
        sums[line.reason] = _plus(sums[line.reason], whole.get(line.reason, 0), -line.credits)
    for held in strays:
        sums[Reason.NO_TAKE] = _plus(sums[Reason.NO_TAKE], 1, held or 0, int(held is None))
    return Baseline(
        at=at,
        takes=sum(line.takes for line in lines if line.reason is not Reason.RENAMED),
        credits=sum(line.credits for line in lines),
        unpriced=sum(line.unpriced for line in lines),
        parts=_worth_a_line(sums),
    )


def with_causes(baseline: Baseline, causes: Iterable[Cause]) -> Baseline:
    """Return a baseline with a part for each of these reasons, taken from the other prices that they are among."""
    known = tuple(causes)
    sums = {reason: Part(reason, 0, 0) for reason in Reason} | {part.reason: part for part in baseline.parts}
    for each in known:
        sums[each.reason] = _plus(sums[each.reason], each.takes, each.credits)
        sums[Reason.OTHER] = _plus(sums[Reason.OTHER], 0, -each.credits)
    return replace(baseline, parts=_worth_a_line(sums), causes=known)


def _worth_a_line(sums: Mapping[Reason, Part]) -> tuple[Part, ...]:
    """Return the reasons that add something; a renamed shot has a line although it adds nothing."""
    is_renamed = (part.reason is Reason.RENAMED and part.count > 0 for part in sums.values())
    pairs = zip(sums.values(), is_renamed, strict=True)
    return tuple(part for part, is_named in pairs if part.credits or part.unknown or is_named)


def _plus(part: Part, count: int, credit_count: int, unknown: int = 0) -> Part:
    return Part(part.reason, part.count + count, part.credits + credit_count, part.unknown + unknown)
