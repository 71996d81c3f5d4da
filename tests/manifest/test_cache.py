"""Large manifests are not read again: where that holds, and where a new plan is due all the same."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wanbatch.batch.changes import Create, Reinstate, Replan, Supersede
from wanbatch.batch.lifecycle import State
from wanbatch.batch.plan import make_plan
from wanbatch.batch.retakes import Retake
from wanbatch.batch.shots import Batch, Head, Limits, Shot
from wanbatch.batch.take import Take
from wanbatch.errors import ExitCode, ManifestInvalid
from wanbatch.manifest import load_manifest
from wanbatch.manifest.cache import CACHE_NAME, BatchCache, Manifest
from wanbatch.session.circles_and_retakes import plan_for_later
from wanbatch.session.options import RunOptions, RunResult, Watch
from wanbatch.session.preview import Preview
from wanbatch.session.session import session_of
from wanbatch.state.file import StateFile
from wanbatch.state.reader import StateReader
from wanbatch.state.tables import new_identity

pytestmark = pytest.mark.usefixtures("near")

TEXT = """\
version: 1
name: night
budget: {max_usd: 40, scenes: {sc010: {max_usd: 12}}}
limits: {submit_rate: 30/min, in_flight: 7}
shots:
  - {id: sh010, scene: sc010, prompt: A dragon lands}
  - {id: sh020, scene: sc010, prompt: It looks back}
"""


class ReadAgainError(Exception):
    """The manifest was read."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    (tmp_path / "night.yaml").write_text(TEXT)
    return tmp_path / "night.yaml"


@pytest.fixture
def cache(tmp_path: Path) -> BatchCache:
    """A cache that keeps the smallest manifest."""
    return BatchCache(tmp_path / "cache", worth_bytes=1)


def read_again(_: Path) -> Batch:
    raise ReadAgainError


@pytest.fixture
def full(path: Path, cache: BatchCache) -> BatchCache:
    """A cache that knows the manifest; reading it again raises."""
    Manifest(path, cache=cache).batch()
    return replace(cache, load=read_again)


def test_the_head_is_known_without_reading(path: Path, full: BatchCache) -> None:
    head = Manifest(path, cache=full).head()
    assert head == Head("night", Limits(submit_per_min=30, in_flight=7), 80_000_000, {"sc010": 24_000_000})


@pytest.mark.parametrize("change", ["a byte", "the name", "the version", "lost", "damaged", "foreign", "small"])
def test_it_is_read_where_anything_changed(path: Path, full: BatchCache, change: str) -> None:
    kept = full.folder / CACHE_NAME
    match change:
        case "a byte":
            path.write_text(TEXT + "\n")
        case "the name":
            path = path.rename(path.with_name("day.yaml"))
        case "the version":
            full = replace(full, version="99")
        case "lost":
            kept.unlink()
        case "damaged":
            kept.write_text(kept.read_text()[:-9])
        case "foreign":
            rows = json.loads(kept.read_text())
            kept.write_text(
                json.dumps({digest: {**row, "limits": {"in_flight": "many"}} for digest, row in rows.items()})
            )
        case _:
            full = replace(full, worth_bytes=10_000)
    with pytest.raises(ReadAgainError):
        Manifest(path, cache=full).head()


def test_a_manifest_that_is_written_while_it_is_read_is_not_kept(path: Path, cache: BatchCache) -> None:
    def load(each: Path) -> Batch:
        batch = load_manifest(each)
        each.write_text(TEXT.replace("looks back", "flies on"))
        return batch

    manifest = Manifest(path, cache=replace(cache, load=load))
    assert manifest.batch().shots[1].prompt == "It looks back"
    assert (manifest.digest, cache.folder.exists()) == ("", False)


@pytest.mark.parametrize("change", ["an edit", "a new map", "no map"])
def test_a_table_is_read_again_with_another_map(tmp_path: Path, cache: BatchCache, change: str) -> None:
    table, column_map = tmp_path / "shots.csv", tmp_path / "shots.map.yaml"
    table.write_text("id,prompt\na,Snow falls\n")
    text = "name: snow\n"
    if change != "a new map":
        column_map.write_text(text)
    Manifest(table, cache=cache).batch()
    assert Manifest(table, cache=replace(cache, load=read_again)).head()  # kept: nothing changed
    if change == "no map":
        column_map.unlink()
    else:
        column_map.write_text(text.replace("snow", "ice"))
    with pytest.raises(ReadAgainError):
        Manifest(table, cache=replace(cache, load=read_again)).head()


def test_a_manifest_that_names_a_table_is_not_kept(path: Path, cache: BatchCache) -> None:
    path.write_text("version: 1\nname: night\ntable: shots.csv\n")
    (path.parent / "shots.csv").write_text("id,prompt\na,Snow falls\n")
    manifest = Manifest(path, cache=cache)
    assert [shot.prompt for shot in manifest.batch().shots] == ["Snow falls"]
    assert (manifest.digest, cache.folder.exists()) == ("", False)


def test_a_manifest_with_problems_is_not_kept(path: Path, cache: BatchCache) -> None:
    path.write_text("shots: 5")
    for _ in range(2):
        with pytest.raises(ManifestInvalid):
            Manifest(path, cache=cache).head()


def test_the_cache_keeps_the_newest(path: Path, cache: BatchCache) -> None:
    for number in range(3):
        path.write_text(TEXT.replace("night", f"night{number}"))
        Manifest(path, cache=replace(cache, heads_kept=2)).batch()
    rows = json.loads((cache.folder / CACHE_NAME).read_text())
    assert [row["name"] for row in rows.values()] == ["night1", "night2"]


def test_a_batch_of_a_program_has_its_own_head() -> None:
    batch = Batch("b", (), max_credits=5)
    manifest = Manifest(Path(), batch)
    assert (manifest.head(), manifest.batch(), manifest.digest) == (batch.head, batch, "")


# --- what was planned from it


def run(manifest: Manifest, options: RunOptions, confirm: Callable[[Preview], bool]) -> RunResult:
    return asyncio.run(session_of(options, Watch(confirm=confirm)).run(manifest))


@pytest.mark.long
def test_a_run_of_what_was_planned_before_reads_no_manifest(path: Path, cache: BatchCache) -> None:
    options = RunOptions(output=path.parent / "out", sandbox=True, speed=600, makes_report=False)
    first = run(Manifest(path, cache=cache), replace(options, limit=1), lambda _: True)
    assert first.counts == {"verified": 1, "planned": 1}
    seen = []
    known = Manifest(path, cache=replace(cache, load=read_again))
    result = run(known, options, lambda preview: bool(seen.append(preview)) or True)
    assert (result.exit_code, result.counts) == (ExitCode.OK, {"verified": 2})
    (preview,) = seen
    assert (preview.counts, preview.estimate.takes, preview.cap_credits) == ({"new": 1, "done": 1}, 1, 80_000_000)
    assert list(preview.scenes) == ["sc010"]
    plan_for_later(options.output or Path(), Retake(("sh010",)))
    with StateReader.open(options.output or Path()) as reader:
        assert not reader.is_planned_from(known.digest)


CHOICES = st.lists(st.integers(1, 3), min_size=1, max_size=4)


def batch_of(sizes: list[int], edits: set[int], omitted: set[int]) -> Batch:
    return Batch(
        "b",
        tuple(
            Shot(f"s{n}", n, {"model": "m", "prompt": f"p{n in edits}"}, takes=size, omit=n in omitted)
            for n, size in enumerate(sizes)
        ),
    )


def carried_out(takes: list[Take], batch: Batch) -> tuple[list[Take], bool]:
    plan = make_plan(batch, takes)
    by_id = {take.take_id: take for take in takes}
    for change in plan.changes:
        match change:
            case Create(shot_id, number, recipe):
                by_id[len(by_id) + 1] = Take(len(by_id) + 1, shot_id, number, recipe.canonical)
            case Replan(take_id, recipe):
                by_id[take_id] = replace(by_id[take_id], recipe_json=recipe.canonical)
            case Supersede(take_id):
                by_id[take_id] = replace(by_id[take_id], superseded=True)
            case Reinstate(take_id):
                by_id[take_id] = replace(by_id[take_id], superseded=False)
    return list(by_id.values()), plan.is_lasting


@pytest.mark.long
@given(CHOICES, CHOICES, st.sets(st.integers(0, 3)), st.sets(st.integers(0, 3)), st.randoms(use_true_random=False))
@settings(max_examples=400)
def test_a_lasting_plan_needs_no_other_whatever_comes_of_its_takes(
    sizes: list[int], later: list[int], edits: set[int], omitted: set[int], rng: Random
) -> None:
    def played(takes: list[Take]) -> list[Take]:
        return [replace(take, state=rng.choice(list(State)), is_retake=take.is_retake) for take in takes]

    takes, _ = carried_out([], batch_of(sizes, set(), set()))
    batch = batch_of(later, edits, omitted)
    takes, is_lasting = carried_out(played(takes), batch)
    for _ in range(3):
        takes = played(takes)
        if is_lasting:
            assert make_plan(batch, takes).changes == ()


def test_some_plans_last_and_some_do_not() -> None:
    whole = batch_of([2, 1], set(), set())
    takes, lasts = carried_out([], whole)
    assert lasts
    done = [replace(take, state=State.VERIFIED) for take in takes]
    assert carried_out(done, batch_of([2, 1], {0}, set()))[1]  # what is left is superseded
    assert not carried_out(done, batch_of([2, 1], set(), {0}))[1]  # what an omitted shot has stays current
    assert not carried_out(done, batch_of([2], set(), set()))[1] or done[2].superseded


def test_a_plan_is_marked_with_its_manifest_until_there_is_another(tmp_path: Path) -> None:
    at, first, other = datetime(2026, 11, 1, tzinfo=UTC), batch_of([1], set(), set()), batch_of([1], {0}, set())
    with closing(StateFile.create_or_open(tmp_path, new_identity("b", "sandbox", "k", at, sandbox=True))) as state:
        marks = []
        for batch, digest in ((first, "one"), (other, "two"), (other, ""), (first, "one")):
            state.adopt(make_plan(batch, state.takes(), state.shots()), at, digest)
            marks.append([each for each in ("one", "two", "", "%") if state.is_planned_from(each)])
        assert marks == [["one"], ["two"], [], ["one"]]
