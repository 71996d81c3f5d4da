"""What log and ledger prove about a submit whose answer was lost: every condition, one at a time."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from wanbatch.batch.attempts import Attempt, Outcome
from wanbatch.batch.lifecycle import State
from wanbatch.batch.shots import DEFAULT_MODEL, Shot
from wanbatch.batch.take import Take
from wanbatch.money.charge import Charge
from wanbatch.provider.protocol import LogRow, LogScan
from wanbatch.runner.resubmission import (
    Absent,
    Adopt,
    Contradiction,
    Evidence,
    Failed,
    default_grace,
    find,
    has_witness,
    is_like,
    lag_samples,
    patience_ends,
    recipe_in,
    take_and_attempt,
    unrecorded,
)

AT = datetime(2026, 11, 1, 20, tzinfo=UTC)
NOW = AT + timedelta(hours=30)
GRACE = timedelta(hours=2)
RECIPE = Shot("a", 0, {"model": DEFAULT_MODEL, "prompt": "p"}).recipes[0]


def attempt(number: int, *, take_id: int = 1, minutes: float = 0, **more: Any) -> Attempt:
    started_at = AT + timedelta(minutes=minutes)
    fields = {"request_id": f"wb1:n:r:{take_id}.{number}", "body_sha256": "b", "key_fingerprint": "k"} | more
    return Attempt(take_id=take_id, number=number, started_at=started_at, **fields)


LOST = attempt(1, outcome=Outcome.LOST)
EARLIER = attempt(1, take_id=2, minutes=-60, generation_id="e")
LATER = attempt(1, take_id=3, minutes=60, generation_id="l")
UNKNOWN = Take(
    1, "a", 1, RECIPE.canonical, state=State.UNKNOWN, attempts=1, request_id=LOST.request_id, searches=3, witnessed=2,
    first_searched_at=AT + timedelta(minutes=1), last_searched_at=NOW - timedelta(minutes=10),
)  # fmt: skip


def row(of: Attempt, generation_id: str | None = "g", *, is_good: bool = True, cost: int | None = 5) -> LogRow:
    return LogRow(of.request_id, generation_id, is_good, cost, of.started_at)


def evidence(*rows: LogRow, **more: Any) -> Evidence:
    scan = LogScan(AT - timedelta(days=1), NOW, NOW, rows, frozenset({"other"}))
    fields = {
        "scan": scan, "charges": (), "attempts": (EARLIER, LOST, LATER), "key_fingerprint": "k", "is_echoed": True,
        "lags_s": (), "grace": GRACE, "now": NOW,
    }  # fmt: skip
    return Evidence(**{**fields, **more})


SEEN = (row(EARLIER, "e"), row(LATER, "l"))


def test_a_row_with_exactly_our_request_id_is_adopted_and_no_other() -> None:
    near = replace(row(LOST, "x"), request_id=LOST.request_id + "0")
    assert find(UNKNOWN, LOST, evidence(*SEEN, near, row(LOST, "g"))) == Adopt("g", 5)
    assert isinstance(find(UNKNOWN, LOST, evidence(*SEEN, near)), Absent)


def test_two_rows_of_one_generation_are_one_and_of_two_the_first_is_adopted() -> None:
    late = replace(row(LOST, "h"), at=AT + timedelta(hours=1))
    assert find(UNKNOWN, LOST, evidence(row(LOST, "g"), row(LOST, "g"))) == Adopt("g", 5)
    assert find(UNKNOWN, LOST, evidence(late, row(LOST, "g"))) == Adopt("g", 5)
    assert find(UNKNOWN, LOST, evidence(row(LOST, "g"), row(LOST, "f", is_good=False, cost=0))) == Adopt("g", 5)


def test_a_cost_of_0_or_none_in_the_log_is_unknown() -> None:
    assert find(UNKNOWN, LOST, evidence(row(LOST, "g", cost=0))) == Adopt("g", None)


def test_a_success_without_an_id_is_for_a_person() -> None:
    assert isinstance(find(UNKNOWN, LOST, evidence(row(LOST, None))), Contradiction)


FAILED = row(LOST, "g", is_good=False, cost=0)


@pytest.mark.parametrize(
    ("take", "is_proof"),
    [
        (UNKNOWN, False),
        (replace(UNKNOWN, failure_seen_at=NOW - timedelta(hours=24)), True),
        (replace(UNKNOWN, failure_seen_at=NOW - timedelta(minutes=44)), False),
    ],
    ids=["first look", "after the log's lag", "too soon"],
)
def test_a_failure_is_proof_when_seen_again_after_the_lag(take: Take, is_proof: bool) -> None:
    assert find(take, LOST, evidence(FAILED)) == Failed("g", is_proof)


@pytest.mark.parametrize(
    ("charges", "is_proof"),
    [((), True), ((Charge("orphan", 5, AT, DEFAULT_MODEL),), False), ((Charge("orphan", 5, AT, "a/gpt-4o"),), True)],
    ids=["no charge", "a charge of no take", "another family"],
)
def test_a_failure_is_proof_where_no_charge_is_of_no_take(charges: tuple[Charge, ...], is_proof: bool) -> None:
    take = replace(UNKNOWN, failure_seen_at=NOW - timedelta(hours=24))
    for generation_id in (None, "an id of the gateway's own"):
        found = find(take, LOST, evidence(replace(FAILED, generation_id=generation_id), charges=charges))
        assert isinstance(found, Failed)
        assert (found.generation_id, found.is_proof, "orphan" in found.why) == (generation_id, is_proof, not is_proof)


@pytest.mark.parametrize("cost", [1, None])
def test_a_failure_with_a_cost_is_for_a_person(cost: int | None) -> None:
    take = replace(UNKNOWN, failure_seen_at=NOW - timedelta(hours=24))
    assert isinstance(find(take, LOST, evidence(replace(FAILED, credits=cost))), Contradiction)


def test_a_failure_that_the_ledger_charges_is_for_a_person() -> None:
    take = replace(UNKNOWN, failure_seen_at=NOW - timedelta(hours=24))
    found = find(take, LOST, evidence(FAILED, charges=(Charge("g", 5, AT),)))
    assert isinstance(found, Contradiction)
    assert "g" in found.why


@pytest.mark.parametrize(("nameless", "is_proof"), [(frozenset(), True), (frozenset({"other"}), False)])
def test_a_row_without_a_request_id_does_not_explain_a_charge(nameless: frozenset[str], is_proof: bool) -> None:
    found = evidence(*SEEN, row(LOST, None, is_good=False, cost=0), charges=(Charge("other", 5, AT),))
    found = replace(found, scan=replace(found.scan, nameless_ids=nameless))
    seen = replace(UNKNOWN, failure_seen_at=AT - timedelta(days=9))
    assert find(seen, LOST, found) == Failed(
        None,
        is_proof=is_proof,
        why="" if is_proof else "the ledger shows a charge that belongs to no take (other)",
    )


def test_nothing_at_all_is_proof_when_every_condition_holds() -> None:
    assert find(UNKNOWN, LOST, evidence(*SEEN)) == Absent(is_proof=True)


@pytest.mark.parametrize(
    ("take", "lost", "more", "why"),
    [
        (replace(UNKNOWN, first_searched_at=None), LOST, {}, "may still appear"),
        (replace(UNKNOWN, first_searched_at=NOW - GRACE + timedelta(seconds=1)), LOST, {}, "may still appear"),
        (replace(UNKNOWN, first_searched_at=NOW - timedelta(hours=25)), LOST, {"grace": None}, "may still appear"),
        (UNKNOWN, LOST, {"key_fingerprint": "another"}, "another key"),
        (UNKNOWN, LOST, {"is_echoed": False}, "return wanbatch's request ids"),
        (UNKNOWN, LOST, {"charges": (Charge("orphan", 5, AT, DEFAULT_MODEL),)}, "orphan"),
        (UNKNOWN, LOST, {"charges": (Charge("orphan", 5, AT),)}, "orphan"),
        (UNKNOWN, LOST, {"charges": (Charge("orphan", 5, AT, "wan/v2.2-t2v-plus"),)}, "orphan"),
        (UNKNOWN, LOST, {"charges": (Charge("orphan", 5, AT, "Alibaba Cloud: video"),)}, "orphan"),
        (replace(UNKNOWN, witnessed=0), LOST, {"grace": timedelta(hours=20)}, "no later submit"),
        (replace(UNKNOWN, last_searched_at=NOW - timedelta(minutes=9)), LOST, {"grace": timedelta(hours=20)}, "no later"),
    ],
    ids=["no look", "grace", "default grace", "key", "echo", "orphan", "orphan of no model", "orphan of an alias", "orphan of the vendor",
         "witness", "gap"],
)  # fmt: skip
def test_each_condition_of_absence_counts(take: Take, lost: Attempt, more: dict[str, Any], why: str) -> None:
    found = find(take, lost, evidence(*SEEN, **more))
    assert isinstance(found, Absent)
    assert (found.is_proof, why in found.why) == (False, True), found


@pytest.mark.parametrize(
    "charge",
    [
        Charge("l", 5, AT, DEFAULT_MODEL),
        Charge("other", 5, AT, DEFAULT_MODEL),
        Charge("orphan", 5, AT, "another/model"),
        Charge("orphan", 5, AT - timedelta(days=1), DEFAULT_MODEL),
    ],
    ids=["ours", "of another request", "another model", "long before"],
)
def test_a_charge_that_cannot_be_its_own_does_not_matter(charge: Charge) -> None:
    assert find(UNKNOWN, LOST, evidence(*SEEN, charges=(charge,))) == Absent(is_proof=True)


def test_without_a_later_submit_every_earlier_one_must_show() -> None:
    hidden = attempt(1, take_id=4, minutes=-30, generation_id="h")
    before = (EARLIER, hidden, LOST)
    assert find(UNKNOWN, LOST, evidence(row(EARLIER, "e"), row(hidden, "h"), attempts=before)) == Absent(is_proof=True)
    found = find(UNKNOWN, LOST, evidence(row(EARLIER, "e"), attempts=before))
    assert isinstance(found, Absent)
    assert not found.is_proof


@pytest.mark.parametrize(
    ("attempts", "is_witness"),
    [((LOST, LATER), True), ((LATER, LOST), False), ((LOST, EARLIER), False), ((LATER,), False)],
    ids=["later by both", "recorded before, its clock ran ahead", "recorded after, its time is before", "not listed"],
)
def test_a_witness_is_later_by_the_order_of_recording_and_by_time(
    attempts: tuple[Attempt, ...], *, is_witness: bool
) -> None:
    assert has_witness(LOST, evidence(*SEEN, attempts=attempts)) is is_witness


def test_a_witness_must_show_now_too() -> None:
    found = find(UNKNOWN, LOST, evidence(row(EARLIER, "e"), grace=timedelta(hours=20)))
    assert isinstance(found, Absent)
    assert not found.is_proof


@pytest.mark.parametrize(
    ("rows", "grace_h", "is_proof"),
    [((row(EARLIER, "e"),), 14, True), ((row(EARLIER, "e"),), 16, False), ((), 14, False)],
    ids=["twice the grace", "less", "an earlier one missing"],
)
def test_without_a_later_submit_every_earlier_one_must_show_and_twice_the_grace_pass(
    rows: tuple[LogRow, ...], grace_h: float, is_proof: bool
) -> None:
    take = replace(UNKNOWN, witnessed=0)
    found = find(take, LOST, evidence(*rows, attempts=(EARLIER, LOST), grace=timedelta(hours=grace_h)))
    assert isinstance(found, Absent)
    assert found.is_proof is is_proof


def test_the_grace_is_a_day_until_the_lag_is_known() -> None:
    network_and_generation = timedelta(minutes=75)
    assert default_grace([1.0] * 19) == network_and_generation + timedelta(hours=24)
    assert default_grace([1.0] * 20) == network_and_generation + timedelta(hours=2)
    assert default_grace([3600.0, *[1.0] * 19]) == network_and_generation + timedelta(hours=10)


def test_patience_is_three_graces_from_the_first_look() -> None:
    assert patience_ends(UNKNOWN, evidence()) == AT + timedelta(minutes=1) + 3 * GRACE
    assert patience_ends(replace(UNKNOWN, first_searched_at=None), evidence()) is None


def test_rows_with_our_nonce_that_the_state_does_not_know() -> None:
    strange = [
        LogRow("wb1:n:r:9.1", "s", True, 5, AT + timedelta(hours=2)),
        LogRow("wb1:n:r:8.1", "t", True, 5, AT),
        LogRow("wb1:other:r:9.1", "u", True, 5, AT),
    ]
    scan = replace(evidence(*SEEN).scan, rows=(*SEEN, *strange))
    assert [each.generation_id for each in unrecorded(scan, "n", (EARLIER, LOST, LATER))] == ["t", "s"]


@pytest.mark.parametrize(
    ("request_id", "told"),
    [("wb1:n:r:12.3", (12, 3)), ("wb1:n:r", None), ("wb1:n:r:x.1", None), ("wb1:n:r:1", None), ("a", None)],
)
def test_a_request_id_tells_take_and_attempt(request_id: str, told: tuple[int, int] | None) -> None:
    assert take_and_attempt(request_id) == told


@pytest.mark.parametrize(("request_id", "recipe"), [("wb1:n:r:1.1", "r"), ("wb2:n:r:1.1", None), ("a", None)])
def test_a_request_id_tells_the_recipe(request_id: str, recipe: str | None) -> None:
    assert recipe_in(request_id) == recipe


def test_a_lag_is_measured_where_the_row_is_new() -> None:
    end = NOW - timedelta(hours=1)
    ended = replace(UNKNOWN, take_id=3, state=State.VERIFIED, completed_at=end, last_running_at=end)
    attempts, now = {3: LATER}, evidence(*SEEN).scan
    before = replace(now, rows=(), taken_at=NOW - timedelta(minutes=10))
    fresh = replace(ended, completed_at=NOW - timedelta(minutes=5), last_running_at=NOW - timedelta(minutes=6))
    long_ended = replace(fresh, last_running_at=NOW - timedelta(minutes=9))
    assert lag_samples([ended], attempts, now, before) == {3: 3600.0}
    assert lag_samples([ended], attempts, now, now) == {}  # it was there before
    assert lag_samples([ended], attempts, now, None) == {}  # it may have been there for long
    assert lag_samples([fresh], attempts, now, None) == {3: 360.0}
    assert lag_samples([replace(fresh, log_lag_s=1.0)], attempts, now, None) == {}
    assert lag_samples([replace(fresh, completed_at=None)], attempts, now, None) == {}
    assert lag_samples([long_ended, replace(fresh, last_running_at=None)], attempts, now, None) == {}
    assert lag_samples([fresh], {}, now, None) == {}
    assert lag_samples([fresh], attempts, replace(now, rows=()), None) == {}


@pytest.mark.parametrize(
    ("theirs", "ours", "may_be"),
    [
        ("wan2.6-t2v", "alibaba/wan-2-6-t2v", True),
        ("wanx2.6-t2v-turbo", "alibaba/wan-2-6-t2v", True),
        ("Alibaba/other", "alibaba/wan-2-6-t2v", True),
        ("klingai/v2", "kling-video/v2/master", True),
        ("video-01", "minimax/hailuo-02", True),  # names no vendor and no family
        ("", "alibaba/wan-2-6-t2v", True),
        ("openai/gpt-4o", "alibaba/wan-2-6-t2v", False),
        ("google/veo-3-fast", "minimax/hailuo-fast", False),
    ],
)
def test_a_model_of_the_ledger_may_be_ours_by_vendor_or_family(theirs: str, ours: str, may_be: bool) -> None:
    assert is_like(theirs, ours) is may_be
