"""Successions: shots with new takes that others continue from, and what it costs to make these again. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from wanbatch.batch.advice import in_folder
from wanbatch.batch.chained_takes import News
from wanbatch.batch.models import PriceClass
from wanbatch.money.credits import usd_text
from wanbatch.units import agreeing, count_text


@dataclass(frozen=True)
class Succession:
    """A shot with a new take, the shots that continue from the one before, and the credits for making them again.

    `credits` is None if a price is unknown.
    """

    news: News
    credits: int | None

    @classmethod
    def of(cls, news: News, prices: Mapping[PriceClass, int | None]) -> Succession:
        """Price what a new take makes stale."""
        known = [prices.get(each) for each in news.classes]
        return cls(news, None if None in known else sum(each for each in known if each is not None))

    def command(self, folder: str) -> str:
        """Return the command that makes all of them again; `folder` is the output folder as commands name it."""
        return in_folder(f"`wanbatch retake {' '.join(self.news.direct)} --with-successors`", folder).strip("`")

    def text(self, folder: str) -> str:
        """Say what the new take means, and what can be done, with the command for this output folder."""
        new = f"has a new take ({self.news.take})" if self.news.take else "gets a new take"
        new = f"has another take circled ({self.news.take})" if self.news.is_circled else new
        before = "the take chosen before" if self.news.is_circled else "its earlier take"
        cost = "(price unknown)" if self.credits is None else f"for {usd_text(self.credits)}"
        made = agreeing(len(self.news.shots), f"were|was made from {before}")
        todo = agreeing(len(self.news.shots), "keep them|it, or make them|it again")
        when = "" if self.news.take else ", once the new take is made"  # before that, it would be from the earlier one
        return (
            f"{self.news.shot_id} {new}: {count_text(len(self.news.shots), 'shot')} {made};"
            f" {todo} {cost}{when}: `{self.command(folder)}`"
        )
