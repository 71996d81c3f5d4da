"""Plots: short stories in which one thing is wrong, each known to have led to a second purchase or to a stop.

A plot keeps little of the scenario it is told in, so that nothing else hides what it is about.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from random import Random

from tests.simulation.disk import Crash, Outcome
from tests.simulation.line import CANCELS, Cut
from tests.simulation.scenario import LARGE, PRICES, SMALL, Act, Scenario
from tests.simulation.wrongness import OTHER_STATUSES, TIDY, Clocks, Dial, Jump, Lies, Mess
from wanbatch.batch.shots import Shot
from wanbatch.pace.schedule import Rates
from wanbatch.runner.settings import OnUnknown
from wanbatch.sandbox.faults import Rule
from wanbatch.sandbox.options import SandboxOptions

HOUR, YEAR = 3600.0, 365 * 86_400.0
Plot = Callable[[Scenario, Random], Scenario]


def plain(scenario: Scenario, rng: Random, shots: int, lag_s: float = 30.0) -> Scenario:
    """Return a scenario in which nothing goes wrong: so many takes, at one price."""
    made = tuple(
        Shot(f"sh{n:02d}", n, {"model": SMALL, "resolution": "480P", "prompt": f"shot number {n}"})
        for n in range(shots)
    )
    return Scenario(
        seed=scenario.seed,
        shots=made,
        rates=Rates(submit_per_min=60.0, in_flight=rng.choice((1, 2, 4)), downloads=2, max_attempts=rng.choice((2, 3))),
        grace=timedelta(hours=2, seconds=lag_s),
        on_unknown=rng.choice((OnUnknown.RECONCILE, OnUnknown.RESUBMIT)),
        options=SandboxOptions(seed=scenario.seed, log_lag_s=lag_s, mean_s=rng.choice((60.0, 120.0)), cv=0.05),
    )


def _cap(takes: float) -> int:
    return int(PRICES[SMALL] * takes)


def an_empty_window(scenario: Scenario, rng: Random) -> Scenario:
    """An old copy of the whole folder is put back, and a clock is wrong: the log must be read all the same."""
    later = rng.choice((5 * HOUR, 26 * HOUR, 2 * YEAR))
    year = ((rng.randint(2, 40), 10 * YEAR),)
    wrong = rng.choice((Clocks(ours=(0.0, later)), Clocks(ours=(later, 0.0)), Clocks(strays=year), Clocks(strays=year)))
    acts = (Act(1, "wait 1"), Act(1, rng.choice(("restore first", "restore folder"))), Act(2, "edit"))
    return replace(plain(scenario, rng, rng.randint(1, 3)), clocks=wrong, acts=acts)


def one_wrong_date(scenario: Scenario, rng: Random) -> Scenario:
    """Single answers are dated a day ahead, and a lost answer's row comes three hours late: no age is a day."""
    made = plain(scenario, rng, rng.randint(2, 3))
    grace = timedelta(hours=5)
    strays = tuple((rng.randint(4, 40), 30 * HOUR) for _ in range(rng.choice((2, 4))))
    mess = Mess(slow=((1, 3 * HOUR),))
    made = replace(made, clocks=Clocks(strays=strays), mess=mess, grace=grace)
    if rng.random() < 0.5:
        return replace(made, lies=Lies(gateway=((1, True),)))
    return replace(made, rules=(Rule("submit", "drop_after", nth=(1,)),), on_unknown=OnUnknown.RESUBMIT)


def a_refusal_that_was_none(scenario: Scenario, rng: Random) -> Scenario:
    """The provider refuses a job in its envelope, and makes it all the same (P1)."""
    lies = Lies(refused=((rng.randint(1, 2), rng.choice((400, 403, 422, 429, 429))),))
    return replace(plain(scenario, rng, rng.randint(1, 3)), lies=lies)


def a_failed_row_that_was_none(scenario: Scenario, rng: Random) -> Scenario:
    """A gateway's row says failed at no cost, and the job completes, under another name of the model (P2)."""
    made = plain(scenario, rng, rng.randint(1, 3), rng.choice((30.0, 300.0)))
    lies = Lies(gateway=((rng.randint(1, 2), rng.random() < 0.4),))
    mess = Mess(has_aliases=True, late_s=rng.choice((0.0, 1200.0)))
    return replace(made, lies=lies, mess=mess)


def an_error_that_was_none(scenario: Scenario, rng: Random) -> Scenario:
    """Polls say error of a job that completes: one alone, or all for a while (P3)."""
    lies = Lies(failed=((rng.randint(1, 2), rng.choice((1, 2, 3)), rng.choice((0.0, 0.0, HOUR, 3 * HOUR))),))
    return replace(plain(scenario, rng, rng.randint(1, 3)), lies=lies)


def cancelled(scenario: Scenario, rng: Random) -> Scenario:
    """A poll says cancelled, in either spelling: no documented failure, and it completes."""
    cuts = (Cut("poll", rng.randint(1, 5), rng.choice(CANCELS)),)
    return replace(plain(scenario, rng, rng.randint(1, 3)), cuts=cuts)


def a_second_charge(scenario: Scenario, rng: Random) -> Scenario:
    """The ledger has two equal rows for one generation: both are money."""
    made = plain(scenario, rng, rng.randint(2, 4))
    cap = rng.choice((None, _cap(len(made.shots))))
    return replace(made, mess=Mess(charged_twice=(rng.randint(1, 2),)), cap_credits=cap)


def a_price_that_jumps(scenario: Scenario, rng: Random) -> Scenario:
    """From the second submit or a later one on everything costs ten times as much, under a cap; answers take a while."""
    made = plain(scenario, rng, rng.randint(5, 8))
    rates = replace(made.rates, in_flight=rng.choice((2, 4, 8)))
    rules = (Rule("submit", "delay", probability=0.7, delay_s=20.0),) if rng.random() < 0.8 else ()
    cap = _cap(rng.choice((6.5, 12.5, 23.0, 34.0)))
    jumped = replace(made, jump=Jump(rng.randint(2, 4), 10), is_agreed=rng.random() < 0.7, cap_credits=cap)
    return replace(jumped, rates=rates, rules=rules)


def a_double_while_the_second_is_unknown(scenario: Scenario, rng: Random) -> Scenario:
    """Both answers of a take are lost, and the first one's row comes while the second is still looked for."""
    made = plain(scenario, rng, rng.randint(1, 2))
    rules = (Rule("submit", "drop_after", nth=(1, len(made.shots) + 1)),)
    rates = replace(made.rates, max_attempts=3)
    late_s = rng.choice((9_000.0, 12_000.0, 20_000.0, 27_000.0))
    return replace(made, rules=rules, rates=rates, late_s=late_s, on_unknown=OnUnknown.RESUBMIT)


def an_earlier_id(scenario: Scenario, rng: Random) -> Scenario:
    """An answer carries the id of an earlier attempt, while other takes run."""
    made = plain(scenario, rng, rng.randint(2, 4))
    rates = replace(made.rates, in_flight=len(made.shots))
    return replace(made, rates=rates, rules=(Rule("submit", "fail", nth=(1,)),), cuts=(Cut("submit", 3, "twin"),))


def rows_of_others(scenario: Scenario, rng: Random) -> Scenario:
    """Other programs under our key leave rows with statuses of their own, and equal ones; a run is resumed."""
    others = tuple((rng.uniform(0, 100), rng.randrange(len(OTHER_STATUSES))) for _ in range(rng.randint(1, 4)))
    mess = Mess(others=others, twice=rng.choice((0.0, 0.5)), page=rng.choice((100, 2)))
    acts = (Act(0, "drain", 4), Act(1, "wait 1"), Act(1, "edit"))
    return replace(plain(scenario, rng, rng.randint(2, 4)), mess=mess, acts=acts)


def a_stray_under_a_cap(scenario: Scenario, rng: Random) -> Scenario:
    """A copy lacks the purchase of an edited shot, which is edited back: it counts in every run that follows."""
    made = plain(scenario, rng, 4)
    acts = (
        Act(1, "keep"),
        Act(1, "edit shot 1"),
        Act(2, "wait 1"),
        Act(2, "restore kept"),
        Act(2, "edit back"),
        Act(4, "reconcile"),
    )
    return replace(made, acts=acts, cap_credits=_cap(3), limit=1, mess=replace(TIDY, has_aliases=rng.random() < 0.5))


def a_risk_under_a_cap(scenario: Scenario, rng: Random) -> Scenario:
    """An answer is lost and sent again by the user's word, lost again and found: the first may still be charged."""
    made = plain(scenario, rng, 4)
    rules = (Rule("submit", "stall", nth=(1,)), Rule("submit", "drop_after", nth=(2,)))
    acts = (Act(0, "deadline", 20), Act(1, "resubmit"), Act(2, "reconcile"), Act(3, "wait 1"))
    lost = (Cut("submit", 1, rng.choice(("timeout", "reset"))),)
    capped = replace(made, cap_credits=_cap(3), limit=1, on_unknown=OnUnknown.RECONCILE)
    return replace(capped, rules=rules, cuts=lost, acts=acts)


def a_mark_that_is_too_late(scenario: Scenario, rng: Random) -> Scenario:
    """What a copy lacks shows in the log only after a run has read it: the next run must look back far enough."""
    made = plain(scenario, rng, 3, 6 * HOUR)
    acts = (
        Act(1, "keep"),
        Act(2, "wait 5"),
        Act(2, "restore kept"),
        Act(2, "remove shot 1"),
        Act(3, "wait 12"),
        Act(3, "edit back"),
    )
    return replace(made, acts=acts, limit=1)


def two_looks(scenario: Scenario, rng: Random) -> Scenario:
    """A submit never arrived; the later one that shows it comes first into sight long after."""
    made = plain(scenario, rng, 3, rng.choice((0.0, 30.0)))
    cuts = (Cut("submit", 1, "lost"),)
    acts = (Act(0, "deadline", rng.randint(20, 60)), Act(1, "wait 3"))
    options = replace(made.options, mean_s=60.0)
    return replace(made, cuts=cuts, acts=acts, limit=1, on_unknown=OnUnknown.RESUBMIT, options=options)


def before_the_first_submit(scenario: Scenario, rng: Random) -> Scenario:
    """A copy from before anything was sent is put back, whole, when the log has shown what it lacks."""
    acts = (Act(1, "wait 1"), Act(1, "restore first"), *((Act(1, "edit shot 0"),) if rng.random() < 0.3 else ()))
    return replace(plain(scenario, rng, rng.randint(1, 3)), acts=acts)


def a_hole_in_the_log(scenario: Scenario, rng: Random) -> Scenario:
    """The log counts a row and does not show it for hours: one that was lost, or one that a restored copy lacks."""
    made = plain(scenario, rng, rng.randint(2, 3))
    mess = Mess(holes=((1, rng.choice((3 * HOUR, 5 * HOUR))),), page=rng.choice((100, 2)))
    if rng.random() < 0.3:
        rules = (Rule("submit", "drop_after", nth=(1,)),)
        return replace(made, rules=rules, mess=mess, on_unknown=OnUnknown.RESUBMIT)
    return replace(made, mess=mess, acts=(Act(1, "wait 1"), Act(1, "restore first")))


def a_charge_without_a_row(scenario: Scenario, rng: Random) -> Scenario:
    """The log never shows a lost submit, and the ledger charges it, under another name of the model."""
    made = plain(scenario, rng, rng.randint(2, 3))
    rules = (Rule("submit", "drop_after", nth=(1,)),)
    mess = Mess(nameless=(1,), has_aliases=True)
    return replace(made, rules=rules, mess=mess, on_unknown=OnUnknown.RESUBMIT)


def a_link_that_stays_dead(scenario: Scenario, rng: Random) -> Scenario:
    """Every link is refused, and each fresh one is: the clip is paid, and nothing is bought in its place."""
    rules = (Rule("clip", "status", probability=0.95, code=rng.choice((403, 404, 410)), has_envelope=False),)
    return replace(plain(scenario, rng, rng.randint(1, 2)), rules=rules)


# --- plots of version 4 of the generator


def two_risks_under_a_cap(scenario: Scenario, rng: Random) -> Scenario:
    """Two answers of one take are lost, and each is given up by the user's word: both may still be charged."""
    made = plain(scenario, rng, 4)
    rules = (Rule("submit", "stall", nth=(1, 2)),)
    acts = (Act(0, "deadline", 20), Act(1, "resubmit"), Act(1, "deadline", 20), Act(2, "resubmit"), Act(3, "wait 1"))
    if rng.random() < 0.5:  # the second one is found, and the first was given up for good
        rules = (Rule("submit", "stall", nth=(1,)),)
        acts = (Act(0, "deadline", 20), Act(1, "abandon"), Act(1, "retry"), Act(1, "deadline", 20), Act(3, "wait 1"))
    lost = (Cut("submit", 1, "reset"), Cut("submit", 2, rng.choice(("timeout", "reset"))))
    capped = replace(made, cap_credits=_cap(3), limit=1, on_unknown=OnUnknown.RECONCILE)
    return replace(capped, rules=rules, cuts=lost, acts=acts)


def a_stray_that_only_run_log_tells_of(scenario: Scenario, rng: Random) -> Scenario:
    """A copy of the state file lacks the purchase of an edited shot; run.log tells of it, and not what it cost."""
    made = plain(scenario, rng, 4, 6 * HOUR)
    acts = (Act(1, "keep"), Act(1, "edit shot 1"), Act(2, "roll back kept"), Act(2, "edit back"))
    return replace(made, acts=acts, cap_credits=_cap(rng.choice((2, 3))), limit=1)


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
    return replace(made, lies=Lies(cheap=(1, 2)), cap_credits=_cap(rng.choice((2.5, 3))), is_agreed=True)


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
    return replace(made, twins=(1,), cap_credits=_cap(rng.choice((2, 3))), limit=1, acts=acts)


def a_find_beside_a_risk(scenario: Scenario, rng: Random) -> Scenario:
    """An answer is lost and sent again; a copy lacks the second submit, which the log shows: both count."""
    made = plain(scenario, rng, 4)
    acts = (Act(0, "deadline", 20), Act(1, "resubmit"), Act(1, "keep"), Act(2, "wait 1"), Act(2, "restore kept"))
    capped = replace(made, cap_credits=_cap(3), limit=1, on_unknown=OnUnknown.RECONCILE, cuts=(_RESET,))
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
        made, cap_credits=_cap(3), limit=1, on_unknown=OnUnknown.RECONCILE, mess=Mess(slow=((1, 2 * HOUR),))
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


_ALL: tuple[Plot, ...] = (
    an_empty_window,
    one_wrong_date,
    a_refusal_that_was_none,
    a_failed_row_that_was_none,
    an_error_that_was_none,
    cancelled,
    a_second_charge,
    a_price_that_jumps,
    a_double_while_the_second_is_unknown,
    an_earlier_id,
    rows_of_others,
    a_stray_under_a_cap,
    a_risk_under_a_cap,
    a_mark_that_is_too_late,
    two_looks,
    before_the_first_submit,
    a_hole_in_the_log,
    a_charge_without_a_row,
)
PLOTS: Mapping[str, Plot] = {plot.__name__.replace("_", " "): plot for plot in (*_ALL, a_link_that_stays_dead)}
"""Plots by name."""
DRAWN = sorted(plot.__name__.replace("_", " ") for plot in _ALL)
"""Plots of which one is drawn; the rest have their own share of seeds."""
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
"""Those that came with version 4 of the generator."""
