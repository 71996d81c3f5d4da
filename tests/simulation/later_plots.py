"""The plots that came with version 4 of the generator: what slips by others showed that the first plots did not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from random import Random

from tests.simulation.disk import Crash, Outcome
from tests.simulation.line import Cut
from tests.simulation.plots import HOUR, Plot, a_charge_without_a_row, cap_of, plain
from tests.simulation.scenario import LARGE, PRICES, SMALL, Act, Scenario
from tests.simulation.wrongness import Clocks, Dial, Lies, Mess
from wanbatch.runner.settings import OnUnknown
from wanbatch.sandbox.faults import Rule


def two_risks_under_a_cap(scenario: Scenario, rng: Random) -> Scenario:
    """Two answers of one take are lost, and each is given up by the user's word: both may still be charged."""
    made = plain(scenario, rng, 4)
    rules = (Rule("submit", "stall", nth=(1, 2)),)
    acts = (Act(0, "deadline", 20), Act(1, "resubmit"), Act(1, "deadline", 20), Act(2, "resubmit"), Act(3, "wait 1"))
    if rng.random() < 0.5:  # the second one is found, and the first was given up for good
        rules = (Rule("submit", "stall", nth=(1,)),)
        acts = (Act(0, "deadline", 20), Act(1, "abandon"), Act(1, "retry"), Act(1, "deadline", 20), Act(3, "wait 1"))
    lost = (Cut("submit", 1, "reset"), Cut("submit", 2, rng.choice(("timeout", "reset"))))
    capped = replace(made, cap_credits=cap_of(3), limit=1, on_unknown=OnUnknown.RECONCILE)
    return replace(capped, rules=rules, cuts=lost, acts=acts)


def a_stray_that_only_run_log_tells_of(scenario: Scenario, rng: Random) -> Scenario:
    """A copy of the state file lacks the purchase of an edited shot; run.log tells of it, and not what it cost."""
    made = plain(scenario, rng, 4, 6 * HOUR)
    acts = (Act(1, "keep"), Act(1, "edit shot 1"), Act(2, "roll back kept"), Act(2, "edit back"))
    return replace(made, acts=acts, cap_credits=cap_of(rng.choice((2, 3))), limit=1)


def a_ledger_of_many_pages(scenario: Scenario, rng: Random) -> Scenario:
    """The ledger gives few rows at once, newest first."""
    made = plain(scenario, rng, rng.randint(3, 5))
    rules = rng.choice(((), (Rule("submit", "fail_charged", nth=(1,)),)))
    return replace(made, mess=Mess(ledger_page=rng.choice((1, 2))), rules=rules)


def a_row_that_says_something_else(scenario: Scenario, rng: Random) -> Scenario:
    """The row of a lost submit says for hours that it is being processed, at no cost; then that it succeeded."""
    made = plain(scenario, rng, rng.randint(1, 3))
    mess = Mess(odd=((1, rng.choice((2 * HOUR, 5 * HOUR))),), has_aliases=rng.random() < 0.5)
    return replace(made, rules=(Rule("submit", "drop_after", nth=(1,)),), mess=mess)


def a_failed_row_without_a_cost(scenario: Scenario, rng: Random) -> Scenario:
    """A gateway's row says failed and tells no cost, and the job completes."""
    made = plain(scenario, rng, rng.randint(1, 3), 300.0)
    job = rng.randint(1, 2)
    mess = Mess(has_no_costs=True, slow=((job, 20 * HOUR),))
    return replace(made, lies=Lies(gateway=((job, True),)), mess=mess)


def holds_below_the_charge(scenario: Scenario, rng: Random) -> Scenario:
    """The first answers hold half of what the list says, and of what is charged, under a cap."""
    made = plain(scenario, rng, rng.randint(4, 6))
    return replace(made, lies=Lies(cheap=(1, 2)), cap_credits=cap_of(rng.choice((2.5, 3))), is_agreed=True)


def the_earlier_one_by_name(scenario: Scenario, rng: Random) -> Scenario:
    """Two answers of a take are lost, and the first one's generation is found; the user names it, the other still open."""
    made = plain(scenario, rng, rng.randint(1, 2))
    lost = (Cut("submit", 1, "reset"), Cut("submit", 2, "reset"))
    acts = (
        Act(0, "deadline", 20),
        Act(1, "resubmit"),
        Act(1, "deadline", 20),
        Act(2, "wait 3"),
        Act(2, "deadline", 20),
        Act(3, "adopt first"),
    )
    mess = Mess(slow=((1, 2 * HOUR), (2, 30 * HOUR)))
    return replace(made, cuts=lost, acts=acts, limit=1, on_unknown=OnUnknown.RECONCILE, mess=mess)


def a_double_under_a_cap(scenario: Scenario, rng: Random) -> Scenario:
    """The provider makes two of the first submit, under a cap that the second one fills."""
    made = plain(scenario, rng, 4)
    acts = (Act(1, "wait 1"), Act(2, "wait 1"))
    return replace(made, twins=(1,), cap_credits=cap_of(rng.choice((2, 3))), limit=1, acts=acts)


def a_find_beside_a_risk(scenario: Scenario, rng: Random) -> Scenario:
    """An answer is lost and sent again; a copy lacks the second submit, which the log shows: both count."""
    made = plain(scenario, rng, 4)
    acts = (Act(0, "deadline", 20), Act(1, "resubmit"), Act(1, "keep"), Act(2, "wait 1"), Act(2, "restore kept"))
    capped = replace(made, cap_credits=cap_of(3), limit=1, on_unknown=OnUnknown.RECONCILE, cuts=(_RESET,))
    return replace(capped, rules=(Rule("submit", "stall", nth=(1,)),), acts=(*acts, Act(4, "wait 1")))


def a_failure_beside_a_ledger_that_is_down(scenario: Scenario, rng: Random) -> Scenario:
    """A generation fails, by a poll or by its row alone, while the ledger cannot be read; it is charged all the same."""
    made = replace(plain(scenario, rng, 1, 0.0), rules=(_out("ledger"),), acts=(Act(1, "wait 3"),))
    if rng.random() < 0.5:
        return replace(made, rules=(*made.rules, Rule("submit", "fail_charged", nth=(1,))))
    return replace(made, lies=Lies(gateway=((1, False),)), mess=Mess(has_aliases=True))


def a_failure_that_was_charged_before(scenario: Scenario, rng: Random) -> Scenario:
    """The first try fails and is charged, soon or after the next was sent, which fails and is not."""
    made = plain(scenario, rng, 1, rng.choice((0.0, 60.0)))
    rules = (Rule("submit", "fail_charged", nth=(1,)), Rule("submit", "fail", nth=(2,)))
    return replace(
        made, rules=rules, rates=replace(made.rates, max_attempts=3), acts=(Act(1, "wait 1"), Act(1, "retry"))
    )


def an_edit_while_it_is_open(scenario: Scenario, rng: Random) -> Scenario:
    """A shot is edited while its take runs or is lost, and the take fails, or left no trace: it is wanted no more."""
    made = plain(scenario, rng, 2)
    acts = (Act(1, "edit shot 0"),)
    kind = rng.choice(("poll", "row", "trace"))
    if kind == "poll":
        return replace(made, rules=(Rule("submit", "fail", nth=(1,)),), acts=(Act(0, "terminate", 3), *acts))
    stop = Act(0, "deadline", 5)
    if kind == "row":
        return replace(made, rules=(Rule("submit", "fail", nth=(1,)),), cuts=(_RESET,), acts=(stop, *acts))
    gone = replace(made, cuts=(Cut("submit", 1, "lost"),), acts=(Act(0, "terminate", 2), *acts))
    return replace(gone, on_unknown=OnUnknown.RESUBMIT)


def lags_that_tell_little(scenario: Scenario, rng: Random) -> Scenario:
    """Nobody names a grace; some rows come at once, and that of the lost submit five hours late."""
    made = plain(scenario, rng, 4)
    rates = replace(made.rates, in_flight=1)
    slow = Mess(slow=((2, 5 * HOUR),))
    rules = (Rule("submit", "drop_after", nth=(2,)),)
    return replace(made, grace=None, rules=rules, rates=rates, mess=slow, on_unknown=OnUnknown.RESUBMIT)


def a_double_while_the_second_failed(scenario: Scenario, rng: Random) -> Scenario:
    """Both answers of a take are lost; the first one's row comes while the second one's, which failed, is looked at."""
    made = plain(scenario, rng, 2)
    rules = (Rule("submit", "fail", nth=(3,)),)
    lost = (_RESET, Cut("submit", 3, "reset"))
    rates = replace(made.rates, max_attempts=3)
    return replace(made, rules=rules, cuts=lost, rates=rates, late_s=9_000.0, on_unknown=OnUnknown.RESUBMIT)


def charges_hours_apart(scenario: Scenario, rng: Random) -> Scenario:
    """A lost submit that the log never shows is charged, and five hours later another answer is lost."""
    made = plain(scenario, rng, 3)
    acts = (Act(0, "deadline", 20), Act(1, "wait 5"), Act(1, "deadline", 20), Act(2, "reconcile"))
    mess = Mess(nameless=(1,), slow=((3, 3 * HOUR),))
    lost = (_RESET, Cut("submit", 3, "reset"))
    return replace(made, cuts=lost, acts=acts, limit=1, mess=mess, on_unknown=OnUnknown.RESUBMIT)


def a_charge_dated_before_its_submit(scenario: Scenario, rng: Random) -> Scenario:
    """The ledger's clock is hours behind, and what it charges shows in no log."""
    made = a_charge_without_a_row(scenario, rng)
    return replace(made, clocks=Clocks(ledger=Dial(-3 * HOUR)))


def a_log_that_is_shut(scenario: Scenario, rng: Random) -> Scenario:
    """An old copy is put back, and the log is refused, or out for long."""
    acts = (Act(1, "wait 1"), Act(1, "restore first"))
    return replace(plain(scenario, rng, 2), acts=acts, rules=(_out("logs", rng.choice((403, 503))),))


def a_page_that_moves(scenario: Scenario, rng: Random) -> Scenario:
    """While a restored copy's first look turns the page, a row comes in: one stands twice, and one is missed."""
    acts = (Act(1, "wait 1"), Act(1, "restore first"))
    return replace(plain(scenario, rng, 4), acts=acts, mess=Mess(page=2, shifted=(2,)))


def a_death_between_mark_and_find(scenario: Scenario, rng: Random) -> Scenario:
    """A run in a restored copy dies while it notes what the log told, some time before anything was known."""
    acts = (Act(1, "wait 9"), Act(1, "restore first"))
    crash = Crash(rng.randint(14, 30), Outcome.SYNCED)
    return replace(plain(scenario, rng, rng.randint(1, 2)), acts=acts, crashes=(None, crash))


def an_id_that_is_dropped(scenario: Scenario, rng: Random) -> Scenario:
    """The provider keeps our request ids, but not that of a submit whose answer is lost."""
    made = replace(plain(scenario, rng, 3), mess=Mess(unkept=(1,)), on_unknown=OnUnknown.RESUBMIT)
    if rng.random() < 0.5:  # another answer does not give it back either
        return replace(made, rules=(Rule("submit", "no_echo", nth=(3,)),), cuts=(_RESET,))
    return replace(made, cuts=(_RESET, Cut("submit", 2, "reset"), Cut("submit", 3, "reset")))


def a_failed_row_after_a_good_one(scenario: Scenario, rng: Random) -> Scenario:
    """A gateway's row says failed and is dated after the good one of the same submit."""
    made = plain(scenario, rng, rng.randint(1, 2))
    return replace(made, lies=Lies(gateway=((1, True),)), mess=Mess(gateway_after_s=1.0))


def a_new_price_beside_others(scenario: Scenario, rng: Random) -> Scenario:
    """The list is wrong about the second of two models, whose takes go out together, and whose answers take a while."""
    made = plain(scenario, rng, 9)
    large = {**made.shots[0].request, "model": LARGE, "resolution": "720p", "duration": 5}
    shots = (*(replace(each, request={**large, "prompt": each.id}) for each in made.shots[:4]), *made.shots[4:])
    quotes = {SMALL: PRICES[SMALL] // 4, LARGE: PRICES[LARGE]}
    cap = 4 * PRICES[LARGE] + PRICES[SMALL] // 2
    rules = (Rule("submit", "delay", probability=1.0, delay_s=20.0),)
    rates = replace(made.rates, in_flight=8)
    return replace(made, shots=shots, quotes=quotes, cap_credits=cap, rules=rules, rates=rates, is_agreed=True)


def two_failures_that_were_lost(scenario: Scenario, rng: Random) -> Scenario:
    """Both answers of a take are lost, and both rows say that it failed: each has to stand there for the lag."""
    made = plain(scenario, rng, rng.randint(1, 2))
    number = len(made.shots) + 1
    cuts = (_RESET, Cut("submit", number, "reset"))
    rates = replace(made.rates, max_attempts=3)
    return replace(made, rules=(Rule("submit", "fail", nth=(1, number)),), cuts=cuts, rates=rates)


def an_earlier_one_by_name_that_failed(scenario: Scenario, rng: Random) -> Scenario:
    """The user names what the first of two lost submits made; it has failed, and the take is tried once more."""
    made = replace(plain(scenario, rng, 1), mess=Mess(slow=((2, 30 * HOUR),)))
    acts = (Act(0, "deadline", 20), Act(1, "resubmit"), Act(1, "deadline", 20), Act(2, "adopt first"))
    cuts = (_RESET, Cut("submit", 2, "reset"))
    rates = replace(made.rates, max_attempts=3)
    return replace(made, rules=(Rule("submit", "fail", nth=(1,)),), cuts=cuts, acts=acts, rates=rates)


def a_charge_of_the_earlier_one(scenario: Scenario, rng: Random) -> Scenario:
    """The first of two lost submits is found and charged, the second stays open: both count under the cap."""
    made = plain(scenario, rng, 4)
    acts = (
        Act(0, "deadline", 20),
        Act(1, "resubmit"),
        Act(1, "deadline", 20),
        Act(2, "wait 3"),
        Act(2, "deadline", 40),
        Act(4, "wait 1"),
    )
    cuts, rules = (_RESET, Cut("submit", 2, "reset")), (Rule("submit", "stall", nth=(2,)),)
    capped = replace(
        made, cap_credits=cap_of(3), limit=1, on_unknown=OnUnknown.RECONCILE, mess=Mess(slow=((1, 2 * HOUR),))
    )
    return replace(capped, cuts=cuts, rules=rules, acts=acts)


def a_second_charge_hours_later(scenario: Scenario, rng: Random) -> Scenario:
    """The ledger charges a generation once more when the first charge is on record."""
    made = plain(scenario, rng, rng.randint(1, 3))
    return replace(
        made, mess=Mess(charged_twice=(1,), second_after_s=HOUR), acts=(Act(1, "wait 2"), Act(1, "reconcile"))
    )


def a_first_look_long_after(scenario: Scenario, rng: Random) -> Scenario:
    """A run dies with a lost answer, whose row is slow; hours later somebody looks for the first time."""
    made = plain(scenario, rng, rng.randint(2, 3))
    acts = (Act(0, "terminate", 2), Act(1, "wait 5"))
    slow = Mess(slow=((1, 6 * HOUR),))
    return replace(made, cuts=(_RESET,), acts=acts, mess=slow, on_unknown=OnUnknown.RESUBMIT)


def a_refusal_of_an_older_recipe(scenario: Scenario, rng: Random) -> Scenario:
    """A job is refused and made all the same, and its shot is edited before the log shows it."""
    made = replace(plain(scenario, rng, rng.randint(1, 2)), lies=Lies(refused=((1, 403),)))
    return replace(made, acts=(Act(1, "wait 1"), Act(1, "edit shot 0")))


_RESET = Cut("submit", 1, "reset")


def _out(on: str, code: int = 503) -> Rule:
    return Rule(on, "status", code=code, probability=1.0)


_LATER: tuple[Plot, ...] = (
    two_risks_under_a_cap,
    a_stray_that_only_run_log_tells_of,
    a_ledger_of_many_pages,
    a_row_that_says_something_else,
    a_failed_row_without_a_cost,
    holds_below_the_charge,
    the_earlier_one_by_name,
    a_double_under_a_cap,
    a_find_beside_a_risk,
    a_failure_beside_a_ledger_that_is_down,
    a_failure_that_was_charged_before,
    an_edit_while_it_is_open,
    lags_that_tell_little,
    a_double_while_the_second_failed,
    charges_hours_apart,
    a_charge_dated_before_its_submit,
    a_log_that_is_shut,
    a_page_that_moves,
    a_death_between_mark_and_find,
    an_id_that_is_dropped,
    a_failed_row_after_a_good_one,
    a_new_price_beside_others,
    two_failures_that_were_lost,
    an_earlier_one_by_name_that_failed,
    a_charge_of_the_earlier_one,
    a_second_charge_hours_later,
    a_first_look_long_after,
    a_refusal_of_an_older_recipe,
)
LATER_PLOTS: Mapping[str, Plot] = {plot.__name__.replace("_", " "): plot for plot in _LATER}
"""Plots by name."""
