"""The pilot: which takes go first, what it finds, and that the rest waits for a yes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import wanbatch
from tests.money.test_budget import take
from wanbatch.batch.lifecycle import State
from wanbatch.batch.models import PriceClass
from wanbatch.batch.plan import Due
from wanbatch.batch.shots import Batch, Shot
from wanbatch.errors import ExitCode
from wanbatch.pace.schedule import Rates
from wanbatch.session.pilot import Findings, findings_of, pilot_of
from wanbatch.session.preview import Preview, Why
from wanbatch.state.reader import StateReader

pytestmark = pytest.mark.usefixtures("near")

PRICE = 378_000
CLASS = PriceClass("alibaba/wan2.1-t2v-turbo", "480P", None)
AT = datetime(2026, 3, 1, 20, 0, tzinfo=UTC)


def due(name: str, resolution: str, duration: int, scene: str = "") -> Due:
    number = int(name[1:])
    return Due(number, name, 1, number, scene, PriceClass("alibaba/wan-2-6-t2v", resolution, duration))


def test_a_pilot_covers_price_classes_first_and_then_scenes() -> None:
    planned = [due(f"s{n}", "1080p" if n < 3 else "720p", 10 if n < 8 else 5, f"sc{n % 3}") for n in range(12)]
    chosen = pilot_of(planned, 5)
    assert len({each.price_class for each in chosen[:3]}) == 3
    assert len({each.scene for each in chosen[:3]}) == 3
    assert pilot_of(planned, 5) == chosen
    assert {each.shot_id for each in pilot_of(planned, 99)} == {each.shot_id for each in planned}


def test_a_pilot_takes_whole_chains() -> None:
    planned = [due(f"s{n}", "720p", 5, f"sc{n % 3}") for n in range(6)]
    chained = [each._replace(predecessors=(f"s{n - 1}",)) if n in (1, 2, 5) else each for n, each in enumerate(planned)]
    assert [each.shot_id for each in pilot_of(chained, 1)] == ["s0", "s1", "s2"]
    assert [each.shot_id for each in pilot_of(chained, 4)] == ["s0", "s1", "s2", "s3"]


def test_a_pilot_covers_each_model_first_and_compares_them_on_one_shot() -> None:
    def made_by(model: str, name: str, resolution: str) -> Due:
        number = int(name[1:])
        return Due(number, name, 1, number, f"sc{number}", PriceClass(model, resolution, 5))

    planned = [made_by("m1", f"s{n}", "1080p" if n % 2 else "720p") for n in range(4)]
    planned += [made_by("m2", f"s{n}", "720p") for n in range(4)]
    chosen = [(each.price_class.model, each.shot_id) for each in pilot_of(planned, 4)]
    assert chosen == [("m2", "s0"), ("m1", "s0"), ("m1", "s1"), ("m2", "s1")]


def test_one_take_stands_for_the_largest_class() -> None:
    planned = [due("s0", "1080p", 10), *(due(f"s{n}", "720p", 5) for n in range(1, 5))]
    assert [each.shot_id for each in pilot_of(planned, 1)] == ["s1"]


def seen(lasted_s: float) -> dict[str, datetime]:
    """What a take says whose end was seen within 5 s."""
    end = AT + timedelta(seconds=lasted_s)
    return {"last_running_at": end - timedelta(seconds=5), "completed_at": end}


def test_a_pilot_measures_cost_and_time() -> None:
    sent = {"submitted_at": AT, "accepted_at": AT, "credits_estimated": 10, "credits_held": 12}
    done = take(
        "a",
        State.VERIFIED,
        **sent,
        **seen(200),
        credits_charged=12,
        is_charge_seen=True,
        tries=1,
    )
    failed = take("b", State.FAILED, **sent)
    late = take("c", State.VERIFIED, **sent, **seen(100))
    rest = [Due(n, f"s{n}", 1, n, "", CLASS) for n in range(10)]
    found = findings_of([done, failed, late, take("d")], rest, Rates(in_flight=5))
    (row,) = found.classes
    assert (row.takes, row.verified, row.failed, row.expected, row.held, row.charged, row.mean_s) == (
        3,
        2,
        1,
        10,
        12,
        12,
        150.0,
    )
    assert found.charges_not_seen == 1
    assert found.rest_s is not None
    assert 300 < found.rest_s < 500  # two rounds of about 150 s
    assert findings_of([], rest, Rates()) == Findings((), 0, None)


@pytest.fixture
def in_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AIMLAPI_BASE_URL", raising=False)


def small(count: int) -> Batch:
    body = {"model": "alibaba/wan2.1-t2v-turbo", "resolution": "480P"}
    return Batch("small", tuple(Shot(f"s{n}", n, {**body, "prompt": f"shot {n}"}) for n in range(count)))


def asked(answers: dict[Why, bool], seen: list[Preview]) -> Callable[[Preview], bool]:
    def confirm(preview: Preview) -> bool:
        seen.append(preview)
        return answers.get(preview.why, True)

    return confirm


@pytest.mark.usefixtures("in_folder")
def test_a_pilot_goes_first_and_the_rest_only_if_that_is_agreed_to() -> None:
    options = wanbatch.RunOptions(sandbox=True, speed=600, pilot=1, makes_report=False)
    seen: list[Preview] = []
    result = wanbatch.run(small(3), options, confirm=asked({Why.PILOT: False}, seen))
    assert (result.exit_code, dict(result.counts)) == (ExitCode.INTERRUPTED, {"verified": 1, "planned": 2})
    assert "2 more takes were not sent" in result.messages[0]
    first, second = seen
    assert (first.estimate.takes, first.pilot, second.why, second.estimate.takes) == (3, 1, Why.PILOT, 2)
    assert second.findings is not None
    assert [(row.takes, row.held) for row in second.findings.classes] == [(1, PRICE)]
    assert second.quotes[CLASS].source == "this batch"
    done = wanbatch.run(small(3), replace(options, pilot=None), confirm=lambda _: True)
    assert dict(done.counts) == {"verified": 3}
    with StateReader.open(done.output) as reader:
        runs = [run.estimate_credits for run in reader.runs()]
        sources = [quote.source for quote in reader.quotes()]
    assert (runs, sources) == ([3 * PRICE, 2 * PRICE], ["price list", "this batch"])
    assert (first.estimate.low, first.estimate.worst) == (3 * PRICE, 6 * PRICE)
    assert (second.estimate.low, second.estimate.worst) == (2 * PRICE, 4 * PRICE)


@pytest.mark.usefixtures("in_folder")
def test_a_limit_holds_over_the_pilot_and_the_rest() -> None:
    options = wanbatch.RunOptions(sandbox=True, speed=600, pilot=1, limit=2, makes_report=False)
    seen: list[Preview] = []
    result = wanbatch.run(small(4), options, confirm=asked({}, seen))
    assert (dict(result.counts), [each.estimate.takes for each in seen]) == ({"verified": 2, "planned": 2}, [2, 1])


@pytest.mark.usefixtures("in_folder")
def test_a_paused_scene_keeps_no_pilot_from_going_on() -> None:
    shots_ = tuple(replace(each, scene=f"sc{n % 2}") for n, each in enumerate(small(4).shots))
    batch = Batch("small", shots_, scene_caps={"sc0": 0})
    options = wanbatch.RunOptions(sandbox=True, speed=600, pilot=2, makes_report=False)
    result = wanbatch.run(batch, options, confirm=lambda _: True)
    assert (result.exit_code, dict(result.counts)) == (ExitCode.BUDGET_REACHED, {"verified": 2, "planned": 2})


@pytest.mark.usefixtures("in_folder")
def test_what_an_earlier_batch_was_charged_prices_the_next_one() -> None:
    options = wanbatch.RunOptions(sandbox=True, speed=600, makes_report=False)
    wanbatch.run(small(1), options, confirm=lambda _: True)
    found = wanbatch.plan(replace(small(2), name="next"), options, offline=True)
    assert (found.quotes[CLASS].source, found.estimate.credits) == ("earlier batches", 2 * PRICE)
    assert wanbatch.plan(replace(small(2), name="next"), options).quotes[CLASS].source == "price list"


@pytest.mark.usefixtures("in_folder")
def test_a_new_price_is_asked_about_in_the_same_run(tmp_path: Path) -> None:
    faults = tmp_path / "faults.json"
    faults.write_text('[{"on": "submit", "do": "dearer", "nth": [1]}]')
    options = wanbatch.RunOptions(
        sandbox=True, speed=600, makes_report=False, sandbox_flags=("--faults", str(faults)), max_credits=100 * PRICE
    )
    seen: list[Preview] = []
    refused = wanbatch.run(small(2), options, confirm=asked({Why.PRICE: False}, seen))
    assert (refused.exit_code, dict(refused.counts)) == (ExitCode.BUDGET_REACHED, {"verified": 1, "planned": 1})
    assert (seen[-1].why, seen[-1].before) == (Why.PRICE, PRICE)
    again = wanbatch.run(small(2), replace(options, max_credits=None), confirm=lambda _: True)
    assert (again.exit_code, again.credits_charged) == (ExitCode.OK, 2 * PRICE)
    with StateReader.open(again.output) as reader:
        assert [run.cap_credits for run in reader.runs()] == [100 * PRICE] * 2  # the flag's cap still held
