"""Slips in the account of credits, under the cap, and in what is tried again: a part forgotten, or counted twice."""

from __future__ import annotations

from tests.simulation.mutants.rewriting import slip, unseen
from wanbatch.batch import attempts, take
from wanbatch.batch import shot_plan as planning
from wanbatch.batch.attempts import Attempt
from wanbatch.batch.take import Take
from wanbatch.money import ledger
from wanbatch.money.budget import Allowance, Budget
from wanbatch.provider.aimlapi import AimlApi
from wanbatch.runner.context import RunContext
from wanbatch.runner.doubles import Doubles
from wanbatch.runner.loop import Runner
from wanbatch.runner.polls import Polls
from wanbatch.runner.rechecks import Rechecks
from wanbatch.runner.submits import Submits
from wanbatch.runner.unrecorded_submits import UnrecordedSubmits
from wanbatch.session import decisions as settling
from wanbatch.state.reader import StateReader

# --- what may still be charged

slip(
    "what the user gave up costs nothing",
    Attempt.credits_at_risk,
    "self.outcome not in MAY_BE_CHARGED",
    "self.outcome not in MAY_BE_CHARGED - {Outcome.ABANDONED}",
)
slip(
    "a hold that was never told is nothing",
    Attempt.credits_at_risk,
    "return max((each for each in (self.credits_held, self.credits_estimated) if each is not None), default=None)",
    "return self.credits_held or 0",
)
slip("a risk takes the place of the one before", take._given_up, "risk + more", "more")
slip("risks do not count under the cap", Take.credits_committed, " + self.credits_at_risk + ", " + ")
slip(
    "a charge takes the place of the one before",
    take._charged,
    "(take.credits_charged or 0) + more",
    'data["credits_charged"]',
)
slip("any charge is that of the last attempt", take._charged, "take.is_charge_seen or is_last", "True")
slip(
    "a refusal that was none stays one",
    attempts.advance_attempt,
    "entry.fact is Fact.FOUND_LATE and attempt.outcome not in MAY_BE_CHARGED",
    "entry.fact is Fact.FOUND_LATE and attempt.outcome is Outcome.LOST",
)
slip(
    "a hold forgets what came before it",
    UnrecordedSubmits._hold,
    "risk_left(attempts, attempt)",
    "0",
)
unseen(
    "a double is free",
    Doubles.note_beside,
    "self.priced(take, made, [*attempts, made])",
    '{"attempt": number, "credits_held": row.credits, "credits_at_risk": take.credits_at_risk}',
)
slip("a submit without a price is free", Budget.add_stray, "max(self._prices.values(), default=None)", "0")

# --- the cap

slip(
    "the cap is asked before the price",
    Allowance.fits,
    "left > 0 if price is None else left >= price",
    "left > 0",
)
slip("an unknown cost leaves room", Allowance.fits, "        if self.uncosted:\n            return False\n", "")
slip("a low hold lowers the price", Budget.learn, "max(credits_held, expected or 0)", "credits_held")
slip(
    "a price that was never reported goes out beside others",
    Budget.fit,
    "price is None or not self._is_reported(take)",
    "price is None",
)
slip(
    "strays are forgotten by the next run",
    RunContext.load,
    "self.budget.add_stray(stray.request_id, stray.credits_held)",
    "stray.credits_held",
)

# --- what is tried again

slip(
    "a ledger that is down keeps no take from a retry",
    Rechecks._legible_charges,
    "            return None\n",
    "            return ()\n",
)
slip(
    "what was charged for nothing before does not matter",
    Rechecks.may_retry,
    "context.takes[take_id].credits_charged is not None",
    "context.takes[take_id].is_charge_seen",
)
slip(
    "the ledger is asked for the last attempt alone",
    Rechecks._legible_charges,
    "min(each.started_at for each in attempts)",
    "max(each.started_at for each in attempts)",
)
slip(
    "a failed take is tried once too often",
    RunContext.may_try_again,
    "take.tries < self.settings.rates.max_attempts",
    "take.tries <= self.settings.rates.max_attempts",
)
slip(
    "what failed is tried again for a manifest without it",
    Polls._goes_on,
    "self._context.may_try_again(self._context.takes[take_id])",
    "self._context.takes[take_id].tries < self._context.settings.rates.max_attempts",
)
unseen("what is removed or omitted is tried again", StateReader.is_asked_for, "row is None or not row[0]", "True")
slip(
    "an attempt follows the one that its take follows", Submits._record_intent, "take.attempts + 1", "take.attempt + 1"
)
slip("a failed row of old is a failed row", take._submit_started, "        failure_seen_at=None,\n", "")
slip(
    "an id of an earlier attempt is taken for a new one",
    Submits._accepted,
    "if owner is not None and context.takes[take_id].state is State.SUBMITTING:",
    "if False:",
)
unseen(
    "an answer that names two generations is like any other",
    Submits._accepted,
    "answer.conflict is not None",
    "answer.conflict == answer.generation_id",
)

# --- charges

slip("a second charge is no news", ledger.new_charges, "recorded is None or spent > recorded", "recorded is None")
slip("a second charge counts the first again", ledger.new_charges, "spent - (recorded or 0)", "spent")
slip(
    "each generation is charged once",
    AimlApi._ledger,
    "list(found.elements())",
    "list({each.generation_id: each for each in found}.values())",
)
slip("the ledger has one page", AimlApi._ledger_pages, "if cursor is None:", "if pages or cursor is None:")
unseen(
    "what failed is asked of the ledger no more",
    Runner._read_ledger,
    "context.state.may_show_charges()",
    "context.takes.awaiting",
)

# --- what the user says

slip(
    "the user's word is for the last attempt",
    settling._adopt,
    "each.generation_id == generation_id), None)",
    "each.generation_id == generation_id and each is followed), None)",
)
slip(
    "an older recipe is bought again",
    planning._match,
    "if is_asked(take, recipe)), None)",
    "if _is_asked(take, recipe) and not take.superseded), None)",
)
