"""The seams of a simulation: where the real code gets a disk, media and a clock of this world."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from functools import cache, lru_cache
from pathlib import Path
from typing import Any
from unittest import mock

import httpx

from tests.simulation.scenario import Scenario
from tests.simulation.world import EPOCH, World
from wanbatch.batch.lifecycle import Fact
from wanbatch.batch.take import Take
from wanbatch.runner import log as runlog
from wanbatch.runner import polls as polling
from wanbatch.state import fact_writer, tables
from wanbatch.state import file as state_file

GENERATION_LIMIT_S = 900.0  # two hours of polls would be most of a seed's cost
_COLUMNS = cache(tables.columns_of)
_URLS = lru_cache(4096)(httpx._urls.urlparse)


@contextmanager
def world_of(scenario: Scenario) -> Iterator[World]:
    """Make a world in memory, with the seams in place, and tidy up afterwards."""
    home = Path("/dev/shm")
    folder = Path(tempfile.mkdtemp(prefix="wanbatch-sim-", dir=home if home.is_dir() else None))
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder, ignore_errors=True)
        for target, name, value in (
            (polling, "GENERATION_LIMIT_S", GENERATION_LIMIT_S),
            (runlog, "system_now", lambda: EPOCH),
            (tables, "columns_of", _COLUMNS),  # pure, and a fifth of a seed's cost
            (fact_writer, "columns_of", _COLUMNS),
            (httpx._urls, "urlparse", _URLS),  # pure, too: most requests of a seed go to the same few addresses
        ):
            stack.enter_context(mock.patch.object(target, name, value))
        world = World(scenario, folder / "out")
        stack.callback(world.account.close)
        noting = _noting(world)
        for writer in (state_file, fact_writer):  # facts of one take, and facts of several together
            stack.enter_context(mock.patch.object(writer, "advance", noting))
        yield world


def _noting(world: World) -> Callable[..., Take]:
    real = fact_writer.advance

    def advance(take: Take, made: Any) -> Take:
        after = real(take, made)
        world.moves.add((take.state, made.fact))
        if made.fact is Fact.DOWNLOADED or (made.fact is Fact.RENAMED and take.label in world.recorded):
            world.recorded.add(after.label)
        return after

    return advance
