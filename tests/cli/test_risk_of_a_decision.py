"""What `resolve` says before a take is sent again or given up: what that may cost, also where a charge was seen."""

from __future__ import annotations

from dataclasses import replace

import pytest

from wanbatch.batch.lifecycle import State
from wanbatch.batch.take import Take
from wanbatch.cli.reconcile import risk_text
from wanbatch.session.decisions import Decision

HELD = Take(1, "a", 1, '{"model":"m","prompt":"p"}', State.HELD, attempts=1, credits_held=1_050_000)
CHARGED = replace(HELD, credits_charged=1_050_000, is_charge_seen=True)


@pytest.mark.parametrize(
    ("take", "decision", "words"),
    [
        (HELD, Decision.RESUBMIT, "the provider may charge for this a second time (its cost: 0.525 USD)"),
        (CHARGED, Decision.RESUBMIT, "it was already charged 0.525 USD, and sending it again costs 0.525 USD"),
        (
            HELD,
            Decision.ABANDON,
            "wanbatch will no longer fetch a clip for it, though it may have been charged (its cost: 0.525 USD)",
        ),
        (CHARGED, Decision.ABANDON, "wanbatch will no longer fetch a clip for it, though it was charged 0.525 USD"),
        (
            replace(HELD, credits_held=None),
            Decision.RESUBMIT,
            "the provider may charge for this a second time (its cost: unknown)",
        ),
    ],
)
def test_a_decision_says_what_it_may_cost(take: Take, decision: Decision, words: str) -> None:
    assert risk_text(take, decision) == words
