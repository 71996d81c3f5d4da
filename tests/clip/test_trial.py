"""An error of the program: found before anything is bought, and never told as a broken clip afterwards."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, NoReturn

import av
import pytest

from tests.worlds import World, batch_of
from wanbatch.batch.lifecycle import State
from wanbatch.cli import call
from wanbatch.clip import check, encoding, frames, trial
from wanbatch.clip.defects import Look
from wanbatch.clip.inspection import Here
from wanbatch.clip.probe import Probe
from wanbatch.clip.worker import Terms
from wanbatch.clip.worker_pool import WorkerPool
from wanbatch.errors import ExitCode, ProgramFault
from wanbatch.runner.context import RunContext
from wanbatch.runner.polls import Polls
from wanbatch.runner.settings import RunSettings
from wanbatch.runner.submits import Submits
from wanbatch.session import execution
from wanbatch.session.rounds import Rounds

MANIFEST = "version: 1\nname: reel\nshots:\n  - {id: sh010, prompt: A heron lands, duration: 5}\n"


@pytest.fixture(autouse=True)
def _untried() -> Iterator[None]:
    trial.assert_media_works.cache_clear()
    yield
    trial.assert_media_works.cache_clear()


def changed(*_: object, **__: object) -> Any:
    raise TypeError("open() got an unexpected keyword argument")


def test_a_sound_installation_passes_the_trial_once_a_process() -> None:
    first = trial.assert_media_works()
    assert (first.library, trial.assert_media_works() is first) == (f"PyAV {av.__version__}", True)


@pytest.mark.parametrize(
    ("name", "step"),
    [
        ("encode_clip", "encoding a clip"),
        ("check_clip", "checking it"),
        ("draw_poster", "drawing its poster"),
        ("jpeg_of", "drawing its poster"),
    ],
)
def test_a_step_that_fails_is_named_with_the_library(monkeypatch: pytest.MonkeyPatch, name: str, step: str) -> None:
    monkeypatch.setattr({"encode_clip": encoding, "check_clip": check}.get(name, frames), name, changed)
    with pytest.raises(ProgramFault) as told:
        trial.assert_media_works()
    assert str(told.value) == (
        f"this machine cannot handle clips, so wanbatch sends nothing: with PyAV {av.__version__}, {step} failed"
        f" (TypeError: open() got an unexpected keyword argument). To fix it: {trial.REPAIR}"
    )


def test_a_clip_that_comes_out_otherwise_fails_the_trial(monkeypatch: pytest.MonkeyPatch) -> None:
    real = check.check_clip
    monkeypatch.setattr(check, "check_clip", lambda made: replace(real(made), frames=11))
    with pytest.raises(ProgramFault, match="comparing what came out failed"):
        trial.assert_media_works()


@pytest.mark.long
def test_a_run_buys_nothing_where_clips_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "reel.yaml").write_text(MANIFEST, encoding="utf-8")
    (tmp_path / "broken" / "av").mkdir(parents=True)
    (tmp_path / "broken" / "av" / "__init__.py").write_text("raise ImportError('no libavcodec')", encoding="utf-8")
    monkeypatch.setattr(execution, "WorkerPool", lambda: WorkerPool(Terms(path=[str(tmp_path / "broken")])))
    asked: list[object] = []
    monkeypatch.setattr(Rounds, "run", lambda *_: asked.append(1))
    code = call(["run", "reel.yaml", "--sandbox", "--yes"])
    said = capsys.readouterr().err
    assert (
        code,
        asked,
        said.count("so wanbatch sends nothing: opening clips failed: ImportError: no libavcodec. To fix it"),
    ) == (ExitCode.LOCAL_FAULT, [], 1)


def test_the_doctor_says_what_was_tried_and_what_failed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    call(["doctor", "--offline"])
    well = " ".join(capsys.readouterr().out.split())
    monkeypatch.setattr(frames, "draw_poster", changed)
    trial.assert_media_works.cache_clear()
    code = call(["doctor", "--offline"])
    ill = " ".join(capsys.readouterr().out.split())
    tried = "wanbatch encoded a small clip, checked it, looked at it and made its poster"
    assert (tried in well, "drawing its poster failed" in ill, code) == (True, True, ExitCode.LOCAL_FAULT)


class Unable(Here):
    """An inspection in a program that has an error."""

    def __init__(self, step: str) -> None:
        self._step = step

    def check(self, clip: Path) -> Probe:
        return self._fail() if self._step == "check" else super().check(clip)

    def look(self, clip: Path) -> Look:
        return self._fail() if self._step == "look" else super().look(clip)

    def _fail(self) -> NoReturn:
        raise check.fault_of("reading", TypeError("x"))


@pytest.mark.usefixtures("quick_clips")
class TestInARun:
    """What a fault of the program does to a run that has bought already."""

    def test_no_clip_is_called_broken_and_the_same_command_goes_on(self, tmp_path: Path) -> None:
        world = World(tmp_path / "out", settings=RunSettings(inspection=Unable("check")))
        end = world.run(batch_of(3))
        bought = world.submits
        found = {take.state for take in world.takes() if take.attempts}
        assert (end.exit_code, found, len(end.messages)) == (ExitCode.LOCAL_FAULT, {State.COMPLETED}, 1)
        world.settings = RunSettings()
        assert world.run(batch_of(3)).exit_code is ExitCode.OK
        assert ({take.state for take in world.takes()}, world.submits - bought) == ({State.VERIFIED}, 3 - bought)

    def test_one_that_cannot_be_looked_at_for_such_a_reason_stays_downloaded(self, tmp_path: Path) -> None:
        world = World(tmp_path / "out", settings=RunSettings(inspection=Unable("look")), looks=True)
        end = world.run(batch_of(1))
        assert (end.exit_code, world.takes()[0].state, world.takes()[0].warning) == (
            ExitCode.LOCAL_FAULT,
            State.DOWNLOADED,
            "",
        )
        world.settings = RunSettings()
        assert (world.run(batch_of(1)).exit_code, world.submits) == (ExitCode.OK, 1)

    def test_a_poll_that_fails_so_leaves_its_take_running(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world = World(tmp_path / "out")
        with monkeypatch.context() as patch:
            patch.setattr(Polls, "_running", changed)
            patch.setattr(Polls, "_completed", changed)
            end = world.run(batch_of(1))
        assert (end.exit_code, world.takes()[0].state) == (ExitCode.LOCAL_FAULT, State.QUEUED)
        assert (world.run(batch_of(1)).exit_code, world.submits) == (ExitCode.OK, 1)

    def test_a_submit_whose_answer_was_not_read_is_looked_up(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world = World(tmp_path / "out")
        with monkeypatch.context() as patch:
            patch.setattr(Submits, "_accepted", changed)
            patch.setattr(Submits, "_record_accepted", lambda *_: None)
            end = world.run(batch_of(2))
        assert (end.exit_code, world.submits) == (ExitCode.LOCAL_FAULT, 1)
        assert (world.run(batch_of(2)).exit_code, world.submits) == (ExitCode.OK, 2)

    def test_a_trial_that_fails_before_the_first_submit_stops_it(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        world = World(tmp_path / "out")
        real = RunContext.__init__

        def with_trial(self: RunContext, *arguments: Any) -> None:
            real(self, *arguments)
            object.__setattr__(self.settings, "before_submit", trial.assert_media_works)

        monkeypatch.setattr(RunContext, "__init__", with_trial)
        monkeypatch.setattr(encoding, "encode_clip", changed)
        end = world.run(batch_of(2))
        assert (end.exit_code, world.submits, {take.state for take in world.takes()}) == (
            ExitCode.LOCAL_FAULT,
            0,
            {State.PLANNED},
        )
