"""What every test shares: a disk in memory, and clips made once, since a slate of any size is the same work."""

from __future__ import annotations

import atexit
import gc
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

from tests.near import bring_near, draw_once, keep_clips_in
from tests.sampling import left_out

_MEMORY = Path("/dev/shm")
_ROOM_BYTES = 2 * 2**30

if "TMPDIR" not in os.environ and _MEMORY.is_dir() and shutil.disk_usage(_MEMORY).free > _ROOM_BYTES:
    # Every fact of a batch is flushed to the disk: on a real one, a test waits for that most of its time.
    os.environ["TMPDIR"] = str(_MEMORY)
    tempfile.tempdir = None

if "XDG_CACHE_HOME" not in os.environ:  # what one test found out about a file must not answer for another's
    _CACHE = tempfile.mkdtemp(prefix="wanbatch-cache-")
    os.environ["XDG_CACHE_HOME"] = _CACHE
    atexit.register(shutil.rmtree, _CACHE, ignore_errors=True)

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # A shell ignores Ctrl-C for what it starts with `&`, and programs that these tests start would go on ignoring it.
    signal.signal(signal.SIGINT, signal.default_int_handler)
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, signal.SIG_DFL)  # so does `nohup` with the signal of a terminal that closes

# The suite tries the same examples each time and on every machine, however slow: what it says is of the code alone.
# `make fuzz` looks for others, and tells the seed that finds them again.
settings.register_profile(
    "suite", derandomize=True, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
settings.register_profile("fuzz", settings.get_profile("suite"), derandomize=False, print_blob=True)
settings.load_profile("suite")


ONE_BY_ONE = ("tests/simulation/", "tests/docs/", "tests/cli/")  # where a single test takes seconds
BROWSER = "_browser.py"  # on one worker, one after the other: two browsers at once take each other's time


def worker_unit(nodeid: str) -> str:
    """Name the tests that go to one worker: those of a file share what it made once."""
    path = nodeid.partition("::")[0]
    if path.endswith(BROWSER):
        return BROWSER
    return nodeid if path.startswith(ONE_BY_ONE) else path


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> object:
    """Share the tests out by `worker_unit`, under `--dist loadgroup`."""
    if config.getvalue("dist") != "loadgroup":
        return None
    from xdist.scheduler import LoadScopeScheduling

    class Units(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return worker_unit(nodeid)

    return Units(config, log)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add the option of `.ci/run`."""
    parser.addoption("--all-cases", action="store_true", help="play also what is marked `sampled` or `long`")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Leave out what is long and most of what has many cases alike, unless they are named or all are asked for."""
    is_named = any("::" in each for each in config.args)
    left = [] if is_named or config.getoption("--all-cases") else left_out(items)
    if left:
        config.hook.pytest_deselected(items=left)
        gone = set(left)
        items[:] = [item for item in items if item not in gone]


def pytest_collection_finish() -> None:
    """Search what was collected for garbage once: searching it during the tests takes a sixth of their time."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(50_000, 20, 50)


@pytest.fixture(scope="session", autouse=True)
def drawn_clips(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Draw a clip of each size and length once, however many workers there are."""
    is_alone = "PYTEST_XDIST_WORKER" not in os.environ
    base = tmp_path_factory.getbasetemp()
    keep_clips_in((base if is_alone else base.parent) / "drawn-clips")


@pytest.fixture(autouse=True)
def no_added_models() -> Iterator[None]:
    """Forget the models that a test added: the next one knows those that come with wanbatch."""
    from wanbatch.batch import registry

    yield
    registry._added.clear()


@pytest.fixture
def quick_clips(monkeypatch: pytest.MonkeyPatch) -> None:
    """Render one real clip a size and length, and hand out copies that differ in a trailing box."""
    draw_once(monkeypatch)


@pytest.fixture
def near(monkeypatch: pytest.MonkeyPatch) -> None:
    """Start no process for a run: see `tests/near.py`."""
    bring_near(monkeypatch)
