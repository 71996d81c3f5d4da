"""What may still be charged, said with who settles it and how. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from wanbatch.batch.lifecycle import ON_THE_WAY
from wanbatch.batch.remedies import in_folder
from wanbatch.batch.spend import Spend
from wanbatch.money.credits import usd_text
from wanbatch.units import count_text


@dataclass(frozen=True)
class AtRisk:
    """What may still be charged: `known` credits, and `unknown` takes more."""

    known: int = 0
    unknown: int = 0

    def __sub__(self, part: AtRisk) -> AtRisk:
        """Return what is left without a part."""
        return AtRisk(self.known - part.known, self.unknown - part.unknown)

    @property
    def amounts(self) -> str:
        """Both in words; empty if nothing may be charged."""
        parts = [usd_text(self.known)] if self.known else []
        parts += [f"{self.unknown} of unknown cost"] if self.unknown else []
        return " and ".join(parts)


NOTHING_AT_RISK = AtRisk()


def is_listed_later(take: Spend) -> bool:
    """Say whether the clip is verified or ordered, and only its charge is not listed yet."""
    is_made = take.awaits_charge or (take.state in ON_THE_WAY and not take.is_charge_seen)
    return is_made and take.credits_at_risk == 0


def at_risk_words(at_risk: AtRisk, later: AtRisk, clips: int, folder: str) -> str:
    """Say who settles what may still be charged; empty if nothing may be.

    `later` is the part of it that the provider's ledger lists on its own, of so many clips.
    """
    rest, texts = at_risk - later, []
    if later.amounts:
        whose = f"{count_text(clips, 'clip')} that {'is' if clips == 1 else 'are'} verified or under way"
        texts.append(
            f"at risk, only because the provider's ledger has not listed the charge yet: {later.amounts} for {whose}. A"
            f" charge appears some time after its clip is made: {in_folder('`wanbatch reconcile`', folder)} looks again"
            ", and costs nothing"
        )
    if rest.amounts:
        way = in_folder("`wanbatch reconcile` looks in the provider's ledger and log, and costs nothing", folder)
        support = "If a submit shows up in neither, contact the provider's support"
        also = "also at risk" if texts else "at risk"
        texts.append(f"{also}, for submits that may still be charged: {rest.amounts}. {way}. {support}")
    return ". ".join(each if not place else each[0].upper() + each[1:] for place, each in enumerate(texts))
