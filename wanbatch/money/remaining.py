"""What is still to be sent: how many takes, what they are expected to cost, and whether the cap has room. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wanbatch.batch.lifecycle import ON_THE_WAY, State
from wanbatch.batch.models import PriceClass
from wanbatch.batch.progress import BatchProgress
from wanbatch.batch.spend import Kind
from wanbatch.money.at_risk import NOTHING_AT_RISK, AtRisk, is_listed_later
from wanbatch.money.credits import partly_known, usd_text
from wanbatch.money.purchase import NOTHING_BOUGHT, Purchase, higher, highest_of, priced
from wanbatch.money.scene_caps import NO_SCENE_CAPS, InScene, SceneCap, SceneCaps
from wanbatch.units import count_text


@dataclass(frozen=True)
class Remaining:
    """The takes that are still to be sent, and the money they need, in credits.

    `known` is what those of them cost that have a price, `unpriced` counts the others. `cap` is that of the newest run,
    None without one; `committed` is what counts against it already, None while a part of it is unknown. `worst` is what
    all of them cost at the highest prices seen, by which a run holds its cap; None for what is known of them.
    `failed` counts takes that failed, `tries` the takes that are bought to make them after all: those, and the others
    of a shot that has to be changed. `failed_known` and the others are what these cost; `changed` is the part of it for
    the shots that have to be changed, which no retry buys. `unfetched` clips are ordered and not fetched yet, of which
    `paid` are in the ledger already. `chosen` is what the command that goes on sends of them, None for all. `later` is
    what the ledger has not listed yet of `clips_listed_later`; `scenes` is what takes of scenes with caps of their own
    want of these. `committed_known` is the known part of `committed` where that is None, without `uncosted` takes.
    """

    takes: int
    known: int
    unpriced: int
    cap: int | None
    committed: int | None
    worst: int | None = None
    failed: int = 0
    tries: int = 0
    failed_known: int = 0
    failed_unpriced: int = 0
    failed_worst: int | None = None
    changed: Purchase = NOTHING_BOUGHT
    chosen: Purchase | None = None
    unfetched: int = 0
    paid: int = 0
    later: AtRisk = NOTHING_AT_RISK
    clips_listed_later: int = 0
    scenes: SceneCaps = NO_SCENE_CAPS
    committed_known: int = 0
    uncosted: int = 0

    @property
    def short_scenes(self) -> tuple[SceneCap, ...]:
        """The caps of scenes that are too low for what is still to be sent."""
        return self.scenes.short(self.scenes.left)

    @property
    def short_for_retry(self) -> tuple[SceneCap, ...]:
        """The caps of scenes that are too low for that and what a retry sends as well."""
        return self.scenes.short(self.scenes.left, self.scenes.again)

    @property
    def room(self) -> int | None:
        """What may still be committed under the cap; None without a cap, or while it is not known."""
        return None if self.cap is None or self.committed is None else max(0, self.cap - self.committed)

    @property
    def needed_cap(self) -> int | None:
        """The cap under which a run sends all of them; None if they fit, or if a price is unknown."""
        return None if self.unpriced else self._cap_for(higher(self.known, self.worst))

    @property
    def cap_for_chosen(self) -> int | None:
        """The cap under which the command that goes on sends what it chooses; None as for `needed_cap`."""
        return self.needed_cap if self.chosen is None else self.cap_for_alone(self.chosen)

    @property
    def cap_for_changed_alone(self) -> int | None:
        """The cap under which the takes of shots that have to be changed fit, and nothing else."""
        return self.cap_for_alone(self.changed)

    @property
    def cap_for_failed(self) -> int | None:
        """The cap under which another try of all that failed fits as well; None as for `needed_cap`."""
        return self._cap_for_more(self._failed)

    @property
    def cap_for_retry(self) -> int | None:
        """The cap under which a retry fits as well, which sends nothing again that has to be changed."""
        every, changed = self._failed, self.changed
        again = Purchase(
            every.takes - changed.takes,
            every.known - changed.known,
            every.unpriced - changed.unpriced,
            every.worst - changed.worst,
        )
        return self._cap_for_more(again)

    @property
    def cap_for_changed(self) -> int | None:
        """The cap under which the takes of shots that have to be changed fit as well."""
        return self._cap_for_more(self.changed)

    @property
    def _failed(self) -> Purchase:
        return Purchase(
            self.tries, self.failed_known, self.failed_unpriced, higher(self.failed_known, self.failed_worst)
        )

    @property
    def finish_known(self) -> int:
        """What all shots will have cost once what failed is made as well: the final cost and these, as far as known."""
        spent = self.committed_known if self.committed is None else self.committed
        return spent + self.known + self.failed_known

    @property
    def finish_unknown(self) -> int:
        """How many takes are not in that sum: their cost or price is unknown."""
        return self.uncosted + self.unpriced + self.failed_unpriced

    def _cap_for_more(self, more: Purchase) -> int | None:
        if self.unpriced or more.unpriced:
            return None
        return self._cap_for(higher(self.known, self.worst) + higher(more.known, more.worst))

    def cap_for_alone(self, bought: Purchase) -> int | None:
        """The cap under which these takes fit, and nothing else; None as for `needed_cap`."""
        return None if bought.unpriced else self._cap_for(higher(bought.known, bought.worst))

    def _cap_for(self, price: int) -> int | None:
        if self.room is None or self.committed is None or price <= self.room:
            return None
        return self.committed + price

    @property
    def words(self) -> str:
        """Say what they cost, what the caps have left, and how high these have to be for all of them."""
        return "; ".join([self._whole_words, *(each.words for each in self.short_scenes)])

    @property
    def _whole_words(self) -> str:
        """`4 takes for 2.10 USD; the cap of 4.60 USD has 0.40 USD left: to send all takes a cap of 6.30 USD`."""
        cost = partly_known(self.known, self.unpriced)
        what = f"{count_text(self.takes, 'take')} for {cost}" if self.takes else "no take"
        if self.cap is None or not self.takes:
            return what
        if self.room is None:
            return f"{what}; the cap is {usd_text(self.cap)}, and how much of it is left is unknown"
        left = f"{what}; the cap of {usd_text(self.cap)} has {usd_text(self.room)} left"
        if self.needed_cap is None:
            return left
        return f"{left}: sending {'it' if self.takes == 1 else 'them all'} needs a cap of {usd_text(self.needed_cap)}"

    @property
    def unfetched_words(self) -> str:
        """Say how many clips are ordered and not fetched yet, and how many of them are paid for; empty without one."""
        if not self.unfetched:
            return ""
        clips = count_text(self.unfetched, "clip")
        if self.paid == self.unfetched:
            return f"{clips} paid for and not fetched yet"
        return f"{clips} ordered and not fetched yet{f', {self.paid} of them paid for' if self.paid else ''}"

    @property
    def failed_words(self) -> str:
        """Say what another try of the failed takes costs, which no total includes; empty if none failed."""
        if not self.failed:
            return ""
        cost = partly_known(self.failed_known, self.failed_unpriced)
        what = f"trying {'it' if self.failed == 1 else 'them'} again would cost {cost} (not in the final cost)"
        line = f"{count_text(self.failed, 'take')} failed: {what}"
        if self.cap_for_failed is not None:
            line += f" and needs a cap of {usd_text(self.cap_for_failed)}"
        scenes = self.scenes.short(self.scenes.left, self.scenes.again, self.scenes.changed)
        line += "".join(f" and needs {each.raised_words}" for each in scenes)
        is_known = self.room is not None and not (self.unpriced or self.failed_unpriced)
        if is_known and self.cap_for_failed is None and not scenes:
            line += f", which the cap of {usd_text(self.cap)} allows"
        if self.tries > self.failed:
            line += f". This buys {self.tries} takes, because all takes of a shot that you change are made again"
        return f"{line}. To finish all shots: {partly_known(self.finish_known, self.finish_unknown)}"


NOTHING_REMAINS = Remaining(0, 0, 0, None, 0)


@dataclass(frozen=True)
class Failed:
    """How many takes failed, and the scenes and price classes of what is bought to make them after all.

    A retry sends those in `again`; those in `changed` are all takes of the shots that have to be changed.
    """

    takes: int = 0
    again: Sequence[InScene] = ()
    changed: Sequence[InScene] = ()


def remaining_of(
    kinds: Iterable[tuple[Kind, int]],
    failed: Failed,
    prices: Mapping[PriceClass, int],
    strays: Iterable[int | None],
    cap: int | None,
) -> Remaining:
    """Count what is still to be sent.

    `kinds` are of all takes. `prices` are what a take costs now, `strays` what submits of no take hold.
    """
    every = list(kinds)
    waiting = [(k.price_class, n) for k, n in every if k.state is State.PLANNED and not k.superseded]
    progress = BatchProgress.of(every, strays)
    highest = highest_of(every)
    later = [(k.credits_open, n) for k, n in every if is_listed_later(k)]
    on_the_way = [(k.is_charge_seen, n) for k, n in every if k.state in ON_THE_WAY]
    left = priced(waiting, prices, highest)
    tries = priced(((each, 1) for _, each in (*failed.again, *failed.changed)), prices, highest)
    return Remaining(
        takes=left.takes,
        known=left.known,
        unpriced=left.unpriced,
        cap=cap,
        committed=None if progress.uncosted else progress.credits_committed,
        committed_known=progress.credits_committed,
        uncosted=progress.uncosted,
        worst=left.worst,
        failed=failed.takes,
        tries=tries.takes,
        failed_known=tries.known,
        failed_unpriced=tries.unpriced,
        failed_worst=tries.worst,
        changed=priced(((each, 1) for _, each in failed.changed), prices, highest),
        unfetched=sum(count for _, count in on_the_way),
        paid=sum(count for is_paid, count in on_the_way if is_paid),
        later=AtRisk(sum((each or 0) * n for each, n in later), sum(n for each, n in later if each is None)),
        clips_listed_later=sum(n for _, n in later),
    )


def most_of(
    classes: Iterable[PriceClass],
    limit: int | None,
    kinds: Iterable[tuple[Kind, int]],
    prices: Mapping[PriceClass, int],
) -> Purchase:
    """Price some of the takes that are still to be sent: of more than `limit` those that cost most at worst."""
    highest = highest_of(kinds)

    def worst(each: PriceClass) -> tuple[bool, int]:
        return each not in prices, max(prices.get(each, 0), highest.get(each, 0))

    dearest = sorted(classes, key=worst, reverse=True)
    return priced(((each, 1) for each in dearest[:limit]), prices, highest)


def remaining_json(remaining: Remaining) -> dict[str, Any]:
    """Return what is still to be sent as JSON values: null while a part of a sum is unknown, its known part beside."""
    return {
        "takes": remaining.takes,
        "credits": None if remaining.unpriced else remaining.known,
        "known_credits": remaining.known,
        "unpriced_takes": remaining.unpriced,
        "cap": remaining.cap,
        "cap_left": remaining.room,
        "cap_needed": remaining.needed_cap,
        "scene_caps_too_low": [
            {
                "scene": each.scene,
                "cap": each.cap,
                "cap_left": each.room,
                "cap_needed": each.needed,
                "takes": each.wanted.takes,
            }
            for each in remaining.short_scenes
        ],
        "words": remaining.words,
        "unfetched_clips": remaining.unfetched,
        "unfetched_paid_clips": remaining.paid,
        "failed_takes": remaining.failed,
        "takes_of_another_try": remaining.tries,
        "failed_known_credits": remaining.failed_known,
        "failed_unpriced_takes": remaining.failed_unpriced,
        "failed_words": remaining.failed_words,
        "finish_credits": None if remaining.finish_unknown else remaining.finish_known,
        "finish_known_credits": remaining.finish_known,
        "finish_unknown_takes": remaining.finish_unknown,
    }
