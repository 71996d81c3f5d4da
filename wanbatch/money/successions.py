"""Successions: shots with new takes that others continue from, and what it costs to make these again. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wanbatch.batch.chained_takes import News
from wanbatch.batch.models import PriceClass
from wanbatch.batch.remedies import in_folder
from wanbatch.money.credits import usd_text
from wanbatch.units import agreeing, count_text


@dataclass(frozen=True)
class Succession:
    """A shot with a new take, the shots that continue from the one before, and the credits for making them again.

    `credits` is None if a price is unknown. `run_credits` are those for the shots that the next run makes again.
    """

    news: News
    credits: int | None
    run_credits: int | None = None

    @classmethod
    def of(cls, news: News, prices: Mapping[PriceClass, int | None]) -> Succession:
        """Price what a new take makes stale. What only has to be circled costs nothing."""
        has_cost = bool(news.shots or news.picks)
        return cls(news, _sum(news.orders, prices) if has_cost else None, _sum(news.run_orders, prices))

    @property
    def _commands(self) -> list[str]:
        """The commands that help, without the output folder, in the order in which they are said."""
        news, found = self.news, []
        if news.shots:
            found.append(f"`wanbatch retake {' '.join(news.direct)} --with-successors`")
        if news.picks:
            one = " ".join(map(str, news.picks[0]))
            several = " ".join(f"{shot_id}:{number}" for shot_id, number in news.picks)
            found.append(f"`wanbatch circle {one if len(news.picks) == 1 else several}`")
        if news.kept:
            found.append(f"`wanbatch circle --clear {' '.join(each.shot_id for each in news.circles)}`")
        if news.waiting:
            found.append(f"`wanbatch retry --only {news.shot_id}`")
        return found

    def command(self, folder: str) -> str:
        """Return the command that makes all of them again, else the one that comes before it or stands in for it; empty
        if the next run does it all. `folder` is the output folder as commands name it.
        """
        return in_folder(next(iter(self._commands), ""), folder).strip("`")

    def text(self, folder: str) -> str:
        """Say what the new take means, and what can be done, with the commands for this output folder."""
        news, commands = self.news, self._commands
        if news.waiting:
            keep = agreeing(len(news.waiting), "follow|follows it, as the manifest says follow: always, and keep|keeps")
            theirs = "its clip" if len(news.waiting) == 1 else "their clips"
            said = f"{news.take} failed: {', '.join(news.waiting)} {keep} {theirs} until it is made"
            return in_folder(f"{said}; {commands[0]} tries again", folder)
        new = f"has a new take ({news.take})" if news.take else "gets a new take"
        new = f"has another take circled ({news.take})" if news.is_circled else new
        before = "the take chosen before" if news.is_circled else "its earlier take"
        parts = []
        if news.shots:
            cost = "(price unknown)" if self.credits is None else f"for {usd_text(self.credits)}"
            made = agreeing(len(news.shots), f"were|was made from {before}")
            todo = agreeing(len(news.shots), "keep them|it, or make them|it again")
            when = "" if news.take else ", once the new take is made"  # before that, it would be from the earlier one
            count = count_text(len(news.shots), "shot")
            parts.append(f"{count} {made}; {todo} {cost}{when}: {commands.pop(0)}")
        if news.followers:
            cost = "price unknown" if self.run_credits is None else usd_text(self.run_credits)
            when = "" if news.take else "once the new take is made, "
            run = f"{when}the next `wanbatch run` of the manifest makes {', '.join(news.followers)} again"
            parts.append(f"{run}, as it says follow: always ({cost})")
        if news.picks:
            labels = ", ".join(f"{shot_id}_t{number}" for shot_id, number in news.picks)
            made = agreeing(len(news.picks), "were|was made from this take")
            chooses = agreeing(len(news.picks), "chooses them|it, and buys nothing")
            parts.append(f"{labels} {made}: {commands.pop(0)} {chooses}")
        if news.kept:
            made = agreeing(len(news.kept), f"were|was made from {before}")
            circled = ", ".join(each.label for each in news.circles)
            todo = agreeing(len(news.kept), "keep them|it, or take")
            off = agreeing(len(news.circles), f"are|is circled; {todo} the circles|circle off first")
            parts.append(f"{', '.join(news.kept)} {made}, and {circled} {off}: {commands.pop(0)}")
        return in_folder(f"{news.shot_id} {new}: {'; '.join(parts)}", folder)


def _sum(classes: Sequence[PriceClass], prices: Mapping[PriceClass, int | None]) -> int | None:
    known = [prices.get(each) for each in classes]
    return None if None in known else sum(each for each in known if each is not None)
