"""Clips are opened in child processes: a clip can end its own, and neither the run nor another clip is affected."""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from wanbatch.clip import worker_protocol
from wanbatch.clip.bounds import MEMORY_BYTES_MAX
from wanbatch.clip.defects import Look, Stretch
from wanbatch.clip.encoding import ClipSpec, encode_clip
from wanbatch.clip.frame_measures import PSNR_MAX_DB
from wanbatch.clip.inspection import Here
from wanbatch.clip.probe import Probe
from wanbatch.clip.worker import Terms, Worker, WorkerDied, environment
from wanbatch.clip.worker_pool import WorkerPool
from wanbatch.clip.worker_protocol import (
    AnswerInvalid,
    Shortage,
    carry_out,
    done_of,
    failure,
    frame_of,
    look_of,
    poster_of,
    probe_of,
    trial_of,
)
from wanbatch.errors import LocalFault, MediaInvalid, ProgramFault

posix = pytest.mark.skipif(sys.platform == "win32", reason="no such files or limits there")


def shoot(path: Path, width: int = 64, height: int = 48) -> Path:
    made = io.BytesIO()
    spec = ClipSpec(width, height, fps=4, duration_s=1, has_audio=True)
    picture = np.full((height * 3 // 2, width), 128, np.uint8)
    encode_clip(spec, (picture for _ in range(spec.frames)), 440.0, made)
    path.write_bytes(made.getvalue())
    return path


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shoot(tmp_path_factory.mktemp("clips") / "clip.mp4")


@pytest.fixture(scope="module")
def workers() -> Iterator[WorkerPool]:
    with closing(WorkerPool()) as made:
        yield made


@pytest.fixture
def stuck(tmp_path: Path) -> Path:
    """Return a file that nobody comes back from opening."""
    os.mkfifo(tmp_path / "stuck.mp4")
    return tmp_path / "stuck.mp4"


def said(work: Callable[[], object]) -> tuple[type[BaseException] | None, str]:
    try:
        work()
    except Exception as error:
        return type(error), str(error)
    return None, ""


def waited(until: Callable[[], bool]) -> bool:
    end = time.monotonic() + 60
    while not until() and time.monotonic() < end:
        time.sleep(0.02)
    return until()


def is_gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rsplit(")", 1)[1].split()[0] == "Z"
    except FileNotFoundError:
        return True


class TestAChild:
    """The real process, end to end."""

    def test_finds_what_this_process_would_find(self, workers: WorkerPool, clip: Path) -> None:
        here = Here()
        assert workers.frame(clip, "last") == here.frame(clip, "last")
        assert (workers.check(clip), workers.look(clip), workers.poster(clip)) == (
            here.check(clip),
            here.look(clip),
            here.poster(clip),
        )

    def test_measures_the_ends_of_a_clip_and_how_it_meets_the_frame_that_it_was_given(
        self, workers: WorkerPool, clip: Path, tmp_path: Path
    ) -> None:
        given = tmp_path / "given.png"
        given.write_bytes(workers.frame(clip, "first"))
        ends = workers.ends(clip, given)
        assert (ends, ends.given, ends.psnr_db) == (Here().ends(clip, given), ends.first, PSNR_MAX_DB)
        assert workers.ends(clip, None, given).closing_psnr_db == Here().ends(clip, None, given).closing_psnr_db
        assert (workers.ends(clip, None).given, workers.ends(clip, None).psnr_db) == (None, None)

    def test_a_given_frame_that_is_no_picture_is_refused(self, workers: WorkerPool, clip: Path, tmp_path: Path) -> None:
        given = tmp_path / "given.png"
        given.write_bytes(b"not a picture")
        with pytest.raises(MediaInvalid, match="the frame that it was given cannot be decoded"):
            workers.ends(clip, given)

    def test_is_one_process_however_many_clips_come_one_by_one(self, workers: WorkerPool, clip: Path) -> None:
        workers.check(clip)
        before = workers.pids
        for _ in range(5):
            workers.check(clip)
        assert (workers.pids, len(before)) == (before, 1)

    def test_tells_why_a_clip_is_bad_and_goes_on(self, workers: WorkerPool, clip: Path, tmp_path: Path) -> None:
        bad = tmp_path / "bad\udcff.mp4"
        bad.write_bytes(clip.read_bytes()[:-50])
        told = said(lambda: workers.check(bad))
        assert (told[0], "cut short" in told[1], workers.check(clip).frames) == (MediaInvalid, True, 4)

    def test_tells_of_a_file_that_cannot_be_read_as_what_it_is(self, workers: WorkerPool, tmp_path: Path) -> None:
        with pytest.raises(FileNotFoundError) as raised:
            workers.check(tmp_path / "none.mp4")
        assert raised.value.filename == str(tmp_path / "none.mp4")

    def test_tries_the_media_path_once(self, workers: WorkerPool) -> None:
        assert workers.assert_works() is workers.assert_works()

    @pytest.mark.long
    @posix
    def test_that_was_killed_at_rest_is_replaced_unnoticed(self, clip: Path) -> None:
        with closing(WorkerPool()) as workers:
            workers.begin(1)
            workers.check(clip)
            (first,) = workers.pids
            os.kill(first, signal.SIGKILL)
            assert (workers.check(clip).frames, first in workers.pids) == (4, False)

    @posix
    def test_that_died_with_a_request_unread_leaves_no_pipe_open(self) -> None:
        worker = Worker(Terms())
        os.kill(worker.pid, signal.SIGKILL)
        assert waited(lambda: not worker.is_alive)
        with pytest.raises(ProgramFault, match="did not start: it was ended by signal 9"):
            worker.ask(b'{"do": "check", "clip": "unread"}\n')
        worker._is_ready = True
        with pytest.raises(WorkerDied, match="ended by signal 9"):
            worker.ask(b'{"do": "check", "clip": "unread"}\n')
        worker.close()
        assert (worker._process.stdin.closed, worker._process.stdout.closed) == (True, True)

    @pytest.mark.long
    @posix
    def test_that_is_killed_at_work_makes_its_clip_bad_after_a_second_try(self, clip: Path, stuck: Path) -> None:
        with closing(WorkerPool()) as workers, ThreadPoolExecutor(1) as pool:
            workers.check(clip)  # so the first to die is no fresh one
            told = pool.submit(said, lambda: workers.check(stuck))
            died = set[int]()
            while len(died) < 2:
                assert waited(lambda: any(pid not in died for pid in workers.pids))
                pid = next(pid for pid in workers.pids if pid not in died)
                assert waited(lambda pid=pid: is_opening(pid, stuck))
                os.kill(pid, signal.SIGKILL)
                died.add(pid)
            reason = "the process that checked it died: it was ended by signal 9"
            assert (told.result(60), workers.check(clip).frames) == ((MediaInvalid, reason), 4)

    @pytest.mark.long
    @posix
    def test_that_hangs_is_killed_and_no_other_clip_waits_for_it(self, clip: Path, stuck: Path) -> None:
        with closing(WorkerPool(Terms(time_s=4))) as workers, ThreadPoolExecutor(1) as pool:
            workers.check(clip)
            (first,) = workers.pids
            told = pool.submit(said, lambda: workers.check(stuck))
            assert waited(lambda: is_opening(first, stuck))
            meanwhile = workers.check(clip).frames, told.done()
            reason = "checking it took more than 4 s"
            assert (meanwhile, told.result(60), first in workers.pids) == ((4, False), (MediaInvalid, reason), False)

    @pytest.mark.long
    @pytest.mark.skipif(sys.platform != "linux", reason="no other system holds a process to its memory")
    def test_that_needs_too_much_memory_makes_its_clip_bad_and_no_other(self, clip: Path, tmp_path: Path) -> None:
        large = shoot(tmp_path / "large.mp4", 7680, 4320)
        with closing(WorkerPool(Terms(memory_bytes=380 * 2**20))) as workers:
            workers.check(clip)
            told = said(lambda: workers.check(large))
            assert (told, workers.check(clip).frames) == (
                (MediaInvalid, "checking it needed more than 380 MiB of memory"),
                4,
            )

    @pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
    def test_has_no_secret_and_no_file_but_its_pipes(
        self, clip: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("AIMLAPI_KEY", "sk-secret")
        kept = os.open(clip, os.O_RDONLY)
        os.set_inheritable(kept, True)
        try:
            with closing(WorkerPool()) as workers:
                workers.check(clip)
                folder = Path(f"/proc/{workers.pids[0]}")
                seen = folder.joinpath("environ").read_text(encoding="utf-8")
                files = {str(each.readlink()).split(":")[0] for each in folder.joinpath("fd").iterdir()}
                limits = folder.joinpath("limits").read_text(encoding="ascii")
        finally:
            os.close(kept)
        bounds = [line.split()[3] for line in limits.splitlines() if line.startswith("Max address space")]
        assert ("secret" in seen, files, bounds) == (False, {"/dev/null", "pipe"}, [str(MEMORY_BYTES_MAX)])

    @posix
    @pytest.mark.parametrize("is_at_work", [True, False])
    def test_ends_when_its_parent_is_killed(self, clip: Path, stuck: Path, is_at_work: bool) -> None:
        code = (
            "import sys, time, pathlib; from wanbatch.clip.worker_pool import WorkerPool; workers = WorkerPool();"
            "workers.check(pathlib.Path(sys.argv[1])); print(*workers.pids, flush=True);"
            "workers.check(pathlib.Path(sys.argv[2])) if len(sys.argv) > 2 else time.sleep(100)"
        )
        command = [sys.executable, "-c", code, str(clip), *([str(stuck)] if is_at_work else [])]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as parent:
            assert parent.stdout is not None
            pid = int(parent.stdout.readline())
            if is_at_work:
                assert waited(lambda: is_opening(pid, stuck))
            parent.kill()
        assert waited(lambda: is_gone(pid))

    def test_that_cannot_load_its_library_is_an_error_of_the_program(self, clip: Path, tmp_path: Path) -> None:
        (tmp_path / "av").mkdir()
        (tmp_path / "av" / "__init__.py").write_text("raise ImportError('no libavcodec')", encoding="utf-8")
        with closing(WorkerPool(Terms(path=[str(tmp_path)]))) as workers:
            told = said(lambda: workers.check(clip))
            tried = said(workers.assert_works)
        assert told == (ProgramFault, "opening clips failed: ImportError: no libavcodec")
        assert (tried[0], tried[1].startswith("this machine cannot handle clips, so wanbatch sends nothing: ")) == (
            ProgramFault,
            True,
        )

    def test_that_cannot_even_begin_is_an_error_of_the_program(self, clip: Path, tmp_path: Path) -> None:
        (tmp_path / "wanbatch").mkdir()
        (tmp_path / "wanbatch" / "__init__.py").write_text("", encoding="utf-8")
        with closing(WorkerPool(Terms(path=[str(tmp_path)]))) as workers:
            told = said(lambda: workers.check(clip))
        assert told == (ProgramFault, "the process that checks clips did not start: it ended with exit code 1")

    @posix
    def test_at_work_when_the_run_ends_makes_no_clip_bad(self, clip: Path, stuck: Path) -> None:
        workers = WorkerPool()
        with ThreadPoolExecutor(2) as pool:
            workers.check(clip)
            (pid,) = workers.pids
            told = pool.submit(said, lambda: workers.check(stuck))
            assert waited(lambda: is_opening(pid, stuck))
            workers.close()
            after = said(lambda: workers.check(clip))
            ending = (LocalFault, "a clip was not checked, because wanbatch is stopping")
            assert (told.result(60), after, is_gone(pid)) == (ending, ending, True)

    def test_that_answers_late_is_not_ended_with_the_next_clip(self, clip: Path) -> None:
        worker = Worker(Terms())
        try:
            worker.ask(worker_protocol.written("check", clip))
            worker._expire(object())  # of an errand that is done
            assert (worker.is_alive, threading.active_count() < 20) == (True, True)
        finally:
            worker.close()


def is_opening(pid: int, path: Path) -> bool:
    """Say whether a process sleeps in the opening of a pipe that has no name but this, as far as can be seen."""
    try:
        waits = Path(f"/proc/{pid}/task/{pid}/wchan").read_text(encoding="ascii")
        system_call = Path(f"/proc/{pid}/syscall").read_text(encoding="ascii").split()[0]
    except OSError:
        time.sleep(2)
        return path.exists()
    return "fifo" in waits or system_call in ("257", "2", "56")


class TestAnAnswer:
    """What comes back from a process that has read hostile bytes."""

    PROBE = Probe(5.0, 832, 480, 30.0, None, has_audio=True)
    LOOK = Look(5.0, (Stretch(0.0, 2.5),), (), float("-inf"), 1.25)

    def test_survives_the_way(self, clip: Path) -> None:
        probe = probe_of(done_of(carry_out(worker_protocol.written("check", clip))))
        look = look_of(done_of(json.dumps({"done": worker_protocol.asdict(self.LOOK)}).encode()))
        assert (probe, look) == (Here().check(clip), self.LOOK)

    @pytest.mark.parametrize(
        ("error", "told"),
        [
            (MediaInvalid("cut short"), (MediaInvalid, "cut short")),
            (ProgramFault("lacks a decoder"), (ProgramFault, "lacks a decoder")),
            (LocalFault("the disk"), (LocalFault, "the disk")),
            (TypeError("x"), (ProgramFault, "opening clips failed: TypeError: x")),
            (ImportError("y"), (ProgramFault, "opening clips failed: ImportError: y")),
            (PermissionError(13, "denied", "a.mp4"), (PermissionError, "[Errno 13] denied: 'a.mp4'")),
            (MemoryError(), (Shortage, "")),
        ],
    )
    def test_tells_an_error_as_what_it_is(self, error: Exception, told: tuple[type, str]) -> None:
        assert said(lambda: done_of(failure(error))) == told

    @pytest.mark.parametrize(
        "answer",
        [
            b"",
            b"\n",
            b"null\n",
            b"[]\n",
            b"3\n",
            b'{"failed": "else"}\n',
            b'{"done": 3}\n',
            b"{}\n",
            b"\xff\n",
            b"[" * 9999,
        ],
    )
    def test_of_another_shape_is_no_answer(self, answer: bytes) -> None:
        assert said(lambda: done_of(answer))[0] is AnswerInvalid

    @pytest.mark.parametrize("read", [probe_of, look_of, poster_of, frame_of, trial_of])
    @pytest.mark.parametrize("done", [{}, {"duration_s": "x"}, {"jpeg": 3}, {"jpeg": "!"}, {"jpeg": "aGk="}])
    def test_with_other_contents_is_no_answer(self, read: Callable[..., object], done: dict[str, object]) -> None:
        assert said(lambda: read(done))[0] is AnswerInvalid


def test_a_child_sees_a_few_known_names_of_the_environment() -> None:
    whole = {"PATH": "/bin", "Path": "C:\\", "AIMLAPI_KEY": "k", "MY_KEY": "k", "LD_PRELOAD": "x", "PYTHONPATH": "x"}
    assert sorted(environment(whole)) == ["MKL_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "PATH", "Path"]
