"""A generation beside that of a clip, which nothing but the clip's sidecar tells of any more."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.runner.shared import outcomes, told
from tests.session.test_recovery import PRICE, lose, recovered, world_in
from tests.worlds import World, batch_of
from wanbatch.batch.attempts import Outcome
from wanbatch.reporting.sidecar import write_sidecar
from wanbatch.sandbox.faults import FaultPlan, Rule
from wanbatch.session.traces import Beside, Sidecar
from wanbatch.state.progress_reader import read_overview
from wanbatch.state.reader import StateReader

pytestmark = pytest.mark.usefixtures("quick_clips")
COLUMNS = "at, key, client_request_id, fault, body, body_sha256, http_status, model, credits, starts_at, ends_at"


def written_anew(world: World) -> list[Path]:
    """Write the sidecars once more, as a report does."""
    with StateReader.open(world.output) as reader:
        for take in reader.takes():
            write_sidecar(world.output, take, reader.shot(take.shot_id), reader.attempts_of(take.take_id))
    return sorted((world.output / "clips").glob("*.json"))


def of_an_older_version(path: Path) -> None:
    """Leave out of a sidecar what an older version did not write."""
    content = json.loads(path.read_text(encoding="utf-8"))
    for each in content["generations"]:
        del each["request_id"], each["outcome"]
    path.write_text(json.dumps(content), encoding="utf-8")


def unread(world: World) -> None:
    """From now on the provider's log cannot be read with this key."""
    assert world.sandbox is not None
    world.sandbox.faults = FaultPlan((Rule("logs", "status", code=403, message="no"),), 1)


@pytest.mark.parametrize("is_old", [False, True], ids=["sidecar", "older sidecar"])
def test_a_second_generation_of_a_submit_is_named_and_counted_again(tmp_path: Path, is_old: bool) -> None:
    world = world_in(tmp_path / "out")
    world.run(batch_of(2))
    assert world.account is not None
    world.account._db.execute(
        f"INSERT INTO requests ({COLUMNS}, inference_id) SELECT {COLUMNS}, 'second' FROM requests WHERE seq = 1"
    )
    world.elapsed_s += 3600
    assert told(world).doubles == ("sh000_t1",)
    paths = written_anew(world)
    if is_old:
        of_an_older_version(paths[0])
    lose(tmp_path / "out", "state.sqlite*", "run.log")
    unread(world)
    found = recovered(world, batch_of(2))
    assert found is not None
    assert (found.doubles, len(found.verified)) == ((("sh000_t1", "second"),), 2)
    take = world.takes()[0]
    assert (outcomes(world, 1), "DOUBLE" in take.warning) == ({-1: Outcome.DOUBLE, 1: Outcome.COMPLETED}, True)
    assert (take.credits_charged, take.credits_at_risk) == (2 * PRICE, 0)
    assert read_overview(world.output).progress.credits_committed == 3 * PRICE


def test_what_the_provider_failed_is_failed_again_and_no_double(tmp_path: Path) -> None:
    world = world_in(tmp_path / "out", (Rule("submit", "fail", nth=(1,), message="Internal"),))
    world.run(batch_of(1))
    written_anew(world)
    lose(tmp_path / "out", "state.sqlite*", "run.log")
    unread(world)
    found = recovered(world, batch_of(1))
    assert found is not None
    assert (found.doubles, outcomes(world, 1)) == ((), {1: Outcome.FAILED, 2: Outcome.COMPLETED})
    assert (world.takes()[0].warning, read_overview(world.output).progress.credits_committed) == ("", PRICE)


def test_what_an_earlier_submit_made_after_all_is_named_and_counted_again(tmp_path: Path) -> None:
    world = world_in(tmp_path / "out")
    world.run(batch_of(1))
    path = written_anew(world)[0]
    content = json.loads(path.read_text(encoding="utf-8"))
    first = content["request_ids"][0]
    later = first.removesuffix(".1") + ".2"
    content["request_ids"] = [first, later]
    content["generations"] = [
        {"generation_id": "earlier", "request_id": first, "outcome": "lost", "held": 7, "charged": None},
        {**content["generations"][0], "request_id": later},
    ]
    path.write_text(json.dumps(content), encoding="utf-8")
    lose(tmp_path / "out", "state.sqlite*", "run.log")
    unread(world)
    found = recovered(world, batch_of(1))
    assert found is not None
    assert found.doubles == (("sh000_t1", "earlier"),)
    with StateReader.open(world.output) as reader:
        made = {each.number: (each.generation_id, each.credits_held) for each in reader.attempts_of(1)}
    assert made == {1: ("earlier", 7), 2: (content["generation_id"], PRICE)}


def generation(name: str, **more: Any) -> dict[str, Any]:
    return {"generation_id": name, "held": 7, "charged": None, **more}


def test_an_older_sidecar_tells_only_of_what_is_known_to_count() -> None:
    ids = ["wb1:n:r:1.1#1", "wb1:n:r:1.1", "wb1:n:r:1.2", "wb1:n:r:1.3"]
    made = [generation("double"), generation("own"), generation("failed"), generation("charged", charged=5)]
    sidecar = Sidecar("a", 1, {"generation_id": "own", "request_ids": ids, "generations": made})
    assert sidecar.beside == [
        Beside("double", ids[0], is_failed=False, held=7, charged=None),
        Beside("charged", None, is_failed=False, held=7, charged=5),
    ]


@pytest.mark.parametrize(
    ("outcome", "is_failed"), [("double", False), ("lost", False), ("abandoned", False), ("failed", True)]
)
def test_a_sidecar_tells_how_each_generation_ended(outcome: str, is_failed: bool) -> None:
    made = [generation("own", outcome="completed"), generation("more", request_id="r", outcome=outcome)]
    sidecar = Sidecar("a", 1, {"generation_id": "own", "request_ids": ["r"], "generations": made})
    assert sidecar.beside == [Beside("more", "r", is_failed, held=7, charged=None)]


def test_a_generation_whose_name_is_none_is_left_out() -> None:
    made = [generation("no\nid", request_id="r", outcome="double")]
    sidecar = Sidecar("a", 1, {"generation_id": "own", "request_ids": ["r"], "generations": made})
    assert sidecar.beside == []
