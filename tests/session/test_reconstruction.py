"""Whatever part of run.log and of the sidecars is left: no submit of the provider's log goes without a name."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.session.test_recovery import RULES, Line, world_in
from tests.worlds import EPOCH, batch_of, jump, with_prompt
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.provider.protocol import LogRow, LogScan
from wanbatch.runner.log import LOG_NAME
from wanbatch.session.reconstruction import Evidence, nonce_in, reconstruct
from wanbatch.session.traces import read_event, read_sidecar

pytestmark = pytest.mark.usefixtures("quick_clips")
BATCH = batch_of(4)


class Found:
    """What one hostile run leaves behind."""

    def __init__(self, output: Path) -> None:
        world = world_in(output, RULES)
        world.run(BATCH)
        world.elapsed_s += 3600
        world.run(BATCH)

        async def scan() -> LogScan:
            async with Line(world).provider(output, EPOCH) as (provider, _):
                told = await provider.scan_log(EPOCH)
                assert isinstance(told, LogScan)
                return told

        world.elapsed_s += 3600
        self.rows = jump(scan).rows
        self.lines = (output / LOG_NAME).read_text(encoding="utf-8").splitlines()
        self.sidecars = [path.read_text(encoding="utf-8") for path in sorted((output / "clips").glob("*.json"))]
        self.nonce = nonce_in([(row.at, row.request_id) for row in self.rows]) or ""


@pytest.fixture(scope="module")
def left(tmp_path_factory: pytest.TempPathFactory) -> Found:
    return Found(tmp_path_factory.mktemp("left") / "out")


@pytest.mark.long
@settings(max_examples=150, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_every_submit_that_the_provider_knows_has_a_take_or_is_a_stray(left: Found, data: st.DataObject) -> None:
    lines = data.draw(st.lists(st.sampled_from(left.lines), max_size=len(left.lines)))
    if data.draw(st.booleans()):
        lines = [line for line in left.lines if line in lines]
    texts = data.draw(st.lists(st.sampled_from(left.sidecars), max_size=4, unique=True))
    batch = with_prompt(BATCH, "sh001", "edited since") if data.draw(st.booleans()) else BATCH
    sidecars = [found for text in texts if (found := read_sidecar(text)) is not None]
    whole = [type(each)(each.shot_id, each.number, each.told, data.draw(st.booleans())) for each in sidecars]
    events = [found for line in lines if (found := read_event(line)) is not None]
    takes, strays = reconstruct(Evidence(batch, left.nonce, "k", {}, events, whole, left.rows))
    known = {str(entry.data.get("request_id")) for each in takes for entry in each.entries}
    assert {row.request_id for row in left.rows} <= known | {each.request_id for each in strays}
    assert len({each.take.take_id for each in takes}) == len({each.take.label for each in takes}) == len(takes)
    made = [each.take.generation_id for each in takes if each.take.generation_id is not None]
    assert len(set(made)) == len(made)
    sent = {each.take.take_id for each in takes if any(entry.fact is Fact.SUBMIT_STARTED for entry in each.entries)}
    assert {each.take.take_id for each in takes if each.take.state is State.SUBMITTING} == set()
    assert sent == {each.take.take_id for each in takes}


@pytest.mark.long
def test_an_adoption_that_stands_before_its_submit_makes_no_take_without_a_submit(left: Found) -> None:
    adopted = next(line for line in left.lines if '"adopted"' in line and '"sh001_t1"' in line)
    sent = next(line for line in left.lines if '"submit_started"' in line and '"sh001_t1"' in line)
    events = [found for line in (adopted, sent) if (found := read_event(line)) is not None]
    takes, _ = reconstruct(Evidence(BATCH, left.nonce, "k", {}, events, [], left.rows))
    facts = [entry.fact for each in takes if each.take.label == "sh001_t1" for entry in each.entries]
    assert facts[:3] == [Fact.PLANNED, Fact.SUBMIT_STARTED, Fact.ACCEPTED]


@pytest.mark.long
@settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_sidecar_with_any_value_changed_is_read_whole_or_left_out(left: Found, data: st.DataObject) -> None:
    told: dict[str, Any] = json.loads(left.sidecars[0])
    inner = data.draw(st.sampled_from(["", "credits", "probe", "times"]))
    place = told[inner] if inner else told
    name = data.draw(st.sampled_from(sorted(place)))
    place[name] = data.draw(
        st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=5), st.just([]), st.just({}))
    )
    found = read_sidecar(json.dumps(told))
    if found is None:
        return
    whole = type(found)(found.shot_id, found.number, found.told, is_whole=True)
    takes, _ = reconstruct(Evidence(BATCH, left.nonce, "k", {}, (), [whole], None))
    assert [each.take.state for each in takes] == [State.VERIFIED]


# --- more than one generation


def _only_clips(left: Found, rows: tuple[LogRow, ...]) -> Evidence:
    found = [each for text in left.sidecars if (each := read_sidecar(text)) is not None]
    whole = [replace(each, is_whole=True) for each in found]
    return Evidence(BATCH, left.nonce, "k", {}, (), whole, rows)


def test_a_second_generation_of_one_submit_is_named_double_again(left: Found) -> None:
    clip = json.loads(left.sidecars[0])
    own = next(row for row in left.rows if row.generation_id == clip["generation_id"])
    second = replace(own, generation_id="second-one")
    takes, _ = reconstruct(_only_clips(left, (*left.rows, second, second)))
    doubles = [entry.data for each in takes for entry in each.entries if entry.fact is Fact.FOUND_DOUBLE]
    named = [each.take for each in takes if "DOUBLE" in each.take.warning]
    assert [(each["generation_id"], each["attempt"], each["credits_held"]) for each in doubles] == [
        ("second-one", -1, own.credits)
    ]
    assert [(take.shot_id, take.credits_at_risk) for take in named] == [(clip["shot_id"], own.credits)]


@pytest.mark.parametrize(
    ("changes", "charged"),
    [
        ({}, 7),
        ({"request_ids": 2}, None),
        ({"generations": [("own", 5), ("other", 2)], "request_ids": 2}, 5),
        ({"generations": [("own", None)]}, None),
        ({"generations": [("other", 2)]}, None),
    ],
    ids=["one submit", "a sum of two", "each known", "not known", "not told"],
)
def test_a_sum_of_all_attempts_is_never_booked_on_one_generation(
    left: Found, changes: dict[str, Any], charged: int | None
) -> None:
    told = json.loads(left.sidecars[0])
    first, own = told["request_ids"][0], told["generation_id"]
    del told["generations"]
    told |= {"request_ids": [first] * changes.get("request_ids", 1), "credits": {"held": 7, "charged": 7}}
    if "generations" in changes:
        names = {"own": own, "other": "another"}
        told["generations"] = [
            {"generation_id": names[name], "held": 1, "charged": each} for name, each in changes["generations"]
        ]
    found = read_sidecar(json.dumps(told))
    assert found is not None
    assert found.credits_charged == charged
