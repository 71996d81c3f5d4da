"""The window of a look into the provider's log: from when on it matters, by the earlier of the two clocks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta

from wanbatch.batch.lifecycle import State
from wanbatch.provider.clocks import earlier
from wanbatch.runner.context import RunContext
from wanbatch.runner.resubmission import GENERATION_GRACE
from wanbatch.runner.uncertain_submits import doubted

LOG_REACH = timedelta(days=91)


class Window:
    """Says from when on the log is to be read.

    What is open, and what a resume has never seen, is read before anything is sent. All that was ever sent is looked
    for again as far back as the log reaches, since a proof is never the last word, and a row may come later than any
    lag that was seen: with the rest where that is a few pages, else once a run, after the rest. `is_thorough` reads all
    of it each time.
    """

    def __init__(
        self, context: RunContext, *, is_thorough: bool, asked_since: Callable[[], datetime | None] = lambda: None
    ) -> None:
        self._context = context
        self._asked_since = asked_since  # from when on the log is to explain charges
        self._is_thorough = is_thorough
        self._is_wide_done = False
        self.is_first = True  # no look of this run ended well yet
        self.has_unknown_charges = False  # the ledger shows charges that nothing here accounts for

    @property
    def is_asked(self) -> bool:
        """Say whether the log can tell anything now."""
        context = self._context
        is_anew = self.is_first and (context.settings.is_begun_anew or not context.state.is_new)
        return is_anew or bool(self._open()) or self.first is not None

    @property
    def reach(self) -> datetime:
        """The earliest time that the log covers."""
        batch_clock = self._context.batch_clock
        return batch_clock.earliest(batch_clock.ours, is_checked=True) - LOG_REACH

    @property
    def first_nameless(self) -> datetime | None:
        """When the first attempt began, within reach, of which no generation is known, or more than one may be."""
        state, since = self._context.state, self._context.batch_clock.recorded_since(self.reach)
        begun = [each.started_at for each in doubted(state) if each.started_at >= since]
        first = state.first_nameless_at(since)
        return min([*begun, *([] if first is None else [first])], default=None)

    @property
    def first(self) -> datetime | None:
        """From when on everything that the log may still tell lies: the beginning of the batch, within reach.

        In the run that began it no row can be later than any lag: there only what has no generation is looked for.
        """
        state = self._context.state
        if state.is_new and not (self._is_thorough or self.has_unknown_charges):
            return self.first_nameless
        began = state.created_at()
        if self._context.batch_clock.is_in_the_future(began):
            return self.reach
        sent = state.first_attempt_at()  # before the file where that was recovered
        return max(self.reach, min(began, began if sent is None else sent))

    @property
    def is_wide(self) -> bool:
        """Say whether this look reaches back to all that was ever sent."""
        first = self.first
        if first is None:
            return False
        if self._is_thorough or self._context.state.sent_since(first) <= self._context.settings.wide_at_once:
            return True
        return not self.is_first and not self._is_wide_done

    @property
    def owes_wide(self) -> bool:
        """Say whether a look that reaches further back is to follow in this run."""
        return not self._is_wide_done and self.first is not None

    def looked(self, *, was_wide: bool) -> None:
        """Note that the log was read to its end; `was_wide` if it was read as far back as this run has to."""
        self.is_first = False
        self._is_wide_done = self._is_wide_done or was_wide

    def since(self) -> datetime:
        """Return from when on to read."""
        context = self._context
        if context.settings.is_begun_anew and self.is_first:
            return self.reach
        begun = [context.batch_clock.earliest(each) for each in self._open()]
        if self.is_first and not context.state.is_new:
            begun.append(self._unread() or self.reach)
            asked = self._asked_since()
            begun += [] if asked is None else [max(asked, self.reach)]
        first = self.first
        if first is not None and (self.is_wide or not begun):
            begun.append(context.batch_clock.earliest(first))
        return min(begun)

    def _open(self) -> list[datetime]:
        """Return when the submits began that a purchase may depend on."""
        context = self._context
        cases = [take.submitted_at for take in context.takes if take.can_be_searched]
        begun = [each for each in cases if each is not None]
        begun += [each.started_at for each in context.state.attempts_at_risk()]
        return begun + context.state.nameless_in([State.PLANNED])

    def _unread(self) -> datetime | None:
        """Return from when on the log was not read whole; from the beginning of the batch if that is unknown.

        None if the clock of then cannot be believed either.
        """
        context = self._context
        mark = context.state.log_read_until(context.settings.key_fingerprint)
        is_known = mark is not None and not self.is_mark_wrong()  # both clocks were compared when it was set
        since = mark if mark is not None and is_known else context.state.created_at()
        if context.batch_clock.is_in_the_future(since):
            return None
        if not is_known:  # a charge since then may have a row from before
            since = earlier(since, GENERATION_GRACE)
        return context.batch_clock.earliest(since, is_checked=is_known or None)

    def is_mark_wrong(self) -> bool:
        """Say whether the log is said to be read further than it can be: a clock that jumped has said so."""
        state, batch_clock = self._context.state, self._context.batch_clock
        mark = state.log_read_until(self._context.settings.key_fingerprint)
        if mark is None:
            return False
        written = (state.last_written_at(), batch_clock.kept_at)
        last = max((at for at in written if at is not None), default=mark)
        return batch_clock.is_in_the_future(mark) or mark > max(last, state.created_at())
