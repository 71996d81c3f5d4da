"""A recovered film knows again which frames its takes were made from, and what was measured of its clips."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.pictures import manifest, opening_in, rocks, save
from tests.session.test_recovery import lose, recovered, world_in
from tests.worlds import EPOCH
from wanbatch.batch.lifecycle import Fact
from wanbatch.batch.shots import Batch
from wanbatch.batch.whys import whys_of
from wanbatch.errors import ExitCode
from wanbatch.manifest import load_manifest
from wanbatch.reporting.csv_tables import frames
from wanbatch.reporting.files import write_reports
from wanbatch.session.gathering import gather
from wanbatch.session.reconstruction import reconstruct
from wanbatch.session.recovery import Recovery
from wanbatch.state.chained_takes import read_chained
from wanbatch.state.reader import StateReader

SMALL = {"resolution": "720p", "duration": 5, "generate_audio": False}
LINKS = {"sh001": "sh000", "sh002": "sh001", "sh003": "sh000"}  # a chain with a branch
STATE, LOG = "state.sqlite*", "run.log"


class Film:
    """A film of a chain on disk, and what its commands told before the state file was lost."""

    def __init__(self, folder: Path, made: Film | None = None) -> None:
        self.batch: Batch = load_manifest(folder / "shots.json")
        self.world = world_in(folder / "out")
        self.world.settings, self.world.looks = opening_in(folder, self.world.settings), True
        if made is None:
            assert self.world.run(self.batch).exit_code is ExitCode.OK
            with StateReader.open(self.output) as reader:
                write_reports(reader, made_at=EPOCH)
        else:
            theirs = made.world
            self.world.account, self.world.sandbox, self.world.hosts = theirs.account, theirs.sandbox, theirs.hosts
            self.world.elapsed_s = theirs.elapsed_s
        self.before = self.told() if made is None else made.before

    @property
    def output(self) -> Path:
        return self.world.output

    def told(self) -> tuple[Any, ...]:
        """Return what `why` says of each shot, the drift columns of takes.csv, and which frames were sent."""
        with StateReader.open(self.output) as reader:
            reader.check()
            chained = read_chained(reader)
            whys = [whys_of(each, takes, chained) for each, takes in sorted(chained.takes.items())]
            table = frames(reader).takes.sort_values("shot_id").loc[:, "chain_start":"colour_joins"]
            return whys, table.to_dict("records"), dict(chained.frames)

    def change(self, label: str, edit: Callable[[dict[str, Any]], Any]) -> None:
        """Change the sidecar of a take."""
        path = self.output / "clips" / f"{label}.json"
        told = json.loads(path.read_text(encoding="utf-8"))
        edit(told)
        path.write_text(json.dumps(told), encoding="utf-8")

    def recovered(self) -> Recovery:
        found = recovered(self.world, self.batch)
        assert found is not None
        return found

    def run_again(self) -> int:
        """Run the batch again, and return how many clips that bought."""
        before = self.world.submits
        assert self.world.run(self.batch).exit_code is ExitCode.OK
        return self.world.submits - before


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Film:
    folder = tmp_path_factory.mktemp("made")
    save(folder / "still.png", rocks())
    shots: list[dict[str, Any]] = [{"first_frame": "still.png", **SMALL}]
    manifest(folder, *shots, *({"first_frame": {"from": each}, **SMALL} for each in LINKS.values()))
    return Film(folder)


@pytest.fixture
def film(made: Film, tmp_path: Path) -> Film:
    """A copy of the film: nothing that a test does to it buys a clip."""
    shutil.copytree(made.output.parent, tmp_path / "film")
    return Film(tmp_path / "film", made)


@pytest.mark.parametrize("lost", [(STATE,), (STATE, LOG), (STATE, "frames"), (STATE, LOG, "frames")], ids="-".join)
def test_a_recovered_chain_is_as_before_and_the_next_run_buys_nothing(film: Film, lost: tuple[str, ...]) -> None:
    lose(film.output, *lost)
    found = film.recovered()
    assert (found.unknown_frames, found.to_send, film.told()) == ((), 0, film.before)
    assert (film.run_again(), film.told()) == (0, film.before)


def test_each_fact_about_a_frame_or_a_measure_is_there_once(film: Film) -> None:
    lose(film.output, STATE)
    film.recovered()
    with StateReader.open(film.output) as reader:
        facts = [[each.fact for each in reader.facts_of(take.take_id)] for take in reader.takes()]
    told = [(mine.count(Fact.FRAMES_CHOSEN), mine.count(Fact.MEASURED)) for mine in facts]
    assert told == [(0, 1), (1, 1), (1, 1), (1, 1)]


def test_a_frame_with_other_bytes_than_the_sidecar_names_is_a_question(film: Film) -> None:
    lose(film.output, STATE, LOG)
    (film.output / "frames" / "sh001_t1_last.png").write_bytes(b"something else")
    assert film.recovered().unknown_frames == ("sh002_t1",)
    (why, *_) = [each for each in film.told()[0] if each[0].shot_id == "sh002"]
    assert why[1].text == (
        "it continues from the last frame of sh001; it is not known which of its takes gave the frame"
    )
    assert film.run_again() == 0


@pytest.mark.parametrize("told", [None, 7, [7], [{}], [{"reference": "frame:sh001:last"}]])
def test_a_take_whose_frame_no_sidecar_tells_is_kept_and_never_sent_again(film: Film, told: object) -> None:
    lose(film.output, STATE, LOG)
    film.change("sh002_t1", lambda each: each.update(frames=told, measured=told))
    found = film.recovered()
    assert (found.unknown_frames, found.to_send, film.run_again()) == (("sh002_t1",), 0, 0)


def test_a_frame_of_a_take_that_is_lost_belongs_to_none_that_is_known(film: Film) -> None:
    lose(film.output, STATE, LOG)
    for each in ("json", "mp4"):
        (film.output / "clips" / f"sh001_t1.{each}").unlink()
    takes, _ = reconstruct(gather(film.output, film.batch, None, {}))
    (entry,) = [
        entry for each in takes for entry in each.entries if each.take.shot_id == "sh002" and "frames" in entry.data
    ]
    sent = next(each for mine in film.before[2].values() for each in mine if each.take == "sh001_t1")
    assert entry.data["frames"] == [{**sent.told, "take_id": 0}]
