"""Charges: what the ledger shows for this batch is recorded beside its takes; what should not be is reported."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from wanbatch.batch.attempts import risk_of
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.errors import ExitCode
from wanbatch.money.charge import Charge
from wanbatch.money.credits import usd_text
from wanbatch.money.ledger import NewCharge, new_charges
from wanbatch.provider.protocol import NoAnswer
from wanbatch.runner.context import RunContext
from wanbatch.runner.recipes import recipe_of_request
from wanbatch.runner.revival import follow

LEDGER_MARGIN = timedelta(days=1)  # our clock and the provider's may differ


class ChargeRecorder:
    """Reads the ledger, and records each charge of this batch once."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self.failed_and_charged: set[str] = set()  # generations, as this run's readings of the ledger showed them
        self.charged_twice: set[str] = set()
        self.seen: dict[tuple[str, datetime], Charge] = {}  # all that this run read of the ledger
        self._is_more = False  # more was charged than was held: more a generation, twice, or for a failed one
        self.has_followed = False  # a take follows a generation that failed and was charged

    async def match_ledger(self, since: datetime | None = None) -> bool:
        """Record what the ledger shows by now for this batch, or for what was sent since a time.

        False if it cannot be read.
        """
        return await self.read_ledger(since) is not None

    async def read_ledger(self, since: datetime | None = None) -> Sequence[Charge] | None:
        """Read the ledger, record what is new for this batch, and return its charges; None if it cannot be read.

        A charge may come late, for an attempt that was given up long ago, or twice; each is recorded once. With `since`
        only what was sent then or later is looked for, so that all charges of a generation are read, or none.
        """
        context = self._context
        await context.measure_clocks()  # if that fails, by what is known of them
        begun = [] if since is None else [context.batch_clock.earliest(since)]
        if since is None:
            sent = (context.state.first_sent_at(), *(each.at for each in context.state.strays()))
            begun = [min(context.batch_clock.earliest(at), at - LEDGER_MARGIN) for at in sent if at is not None]
        if not begun:
            return ()
        charges = await context.provider.charges(min(begun))
        if isinstance(charges, NoAnswer):
            context.note(f"wanbatch could not read the ledger ({charges.message}); charges stay unknown for now")
            return None
        # Read now: another look may have recorded the same charges while this one waited.
        attempts = context.state.attempts_of_generations({each.generation_id for each in charges})
        self.seen |= {(each.name, each.at): each for each in charges}
        for each in new_charges(attempts, charges):
            if since is None or each.attempt.started_at >= since:
                self._charged(each)
        self._name_passed_cap()
        return charges

    def _name_passed_cap(self) -> None:
        """Say where charges that are higher than their holds exceeded the cap: no submit could see that coming."""
        context, cap = self._context, self._context.budget.cap_credits
        if self._is_more and cap is not None and context.budget.committed > cap:
            context.trouble(
                ExitCode.BUDGET_REACHED,
                f"the cap of {usd_text(cap)} is exceeded: {usd_text(context.budget.committed)} is committed, because"
                " the ledger shows more charged than was set aside. Contact the provider's support",
            )

    def _charged(self, found: NewCharge) -> None:
        context, attempt = self._context, found.attempt
        take_id = attempt.take_id
        data = {
            "generation_id": attempt.generation_id,
            "credits_charged": found.credits_charged,
            "credits_more": found.credits_more,
        }
        if attempt.credits_at_risk != 0:
            others = [each for each in context.state.attempts_of(take_id) if each.number != attempt.number]
            data["credits_at_risk"] = risk_of(context.takes[take_id], others)
        context.record(take_id, Fact.CHARGED, data)
        sent = recipe_of_request(context, context.takes[take_id], attempt.request_id)
        if found.charges == 1 and sent is not None:  # no answer may have told the price
            context.budget.see_price(replace(context.takes[take_id], recipe_json=sent.canonical), found.credits_charged)
        assert attempt.generation_id is not None
        if found.charges > 1:
            self._is_more = True
            self.charged_twice.add(attempt.generation_id)
            text = f"charged {found.charges} times: the ledger shows a second charge for {attempt.generation_id}"
            self._warn(take_id, f"{text}, so contact the provider's support", attempt.generation_id)
        elif attempt.credits_held is not None and found.credits_charged > attempt.credits_held:
            self._is_more = True
            held, cost = usd_text(attempt.credits_held), usd_text(found.credits_charged)
            text = f"the ledger shows {cost} charged for {attempt.generation_id}, but {held} was set aside"
            self._warn(take_id, f"{text}: contact the provider's support")
        if attempt.has_failed:
            self._is_more = True
            self.failed_and_charged.add(attempt.generation_id)
            text = "the provider charged for this generation, which failed: contact the provider's support"
            self._warn(take_id, text, attempt.generation_id)
            if context.takes[take_id].state is State.PLANNED:  # nothing is bought after a failure that was charged
                text = f"{attempt.generation_id} was charged before the take was sent again"
                text = f"{text}: wanbatch asks the provider about this generation again"
                charged = next(each for each in context.state.attempts_of(take_id) if each.number == attempt.number)
                follow(context, context.takes[take_id], charged, text)
                self.has_followed = True

    def _warn(self, take_id: int, warning: str, breach: str | None = None) -> None:
        """Record a warning beside a take; `breach` is the generation whose charge breaks the provider's word."""
        told = {} if breach is None else {"breaches": [breach]}
        self._context.record(take_id, Fact.WARNED, {"warning": warning, **told})

    def name_breaches(self) -> None:
        """Report charges that should not be: for what the provider failed, and for one generation more than once."""
        context = self._context
        for attempt in context.state.attempts_of_generations(self.failed_and_charged | self.charged_twice):
            label = context.takes[attempt.take_id].label
            if attempt.generation_id in self.charged_twice:
                text = f"{label}: the ledger shows more than one charge for {attempt.generation_id}"
                text = f"{text}: contact the provider's support"
                context.trouble(ExitCode.DECISION_NEEDED, text)
            if attempt.generation_id in self.failed_and_charged and attempt.has_failed:
                text = f"{label}: the provider says that {attempt.generation_id} failed, but charged for it"
                text = f"{text}: contact the provider's support"
                context.trouble(ExitCode.DECISION_NEEDED, text)
