"""An open output folder: its state file, its provider and the context to work with both while no run goes on."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from pathlib import Path
from random import Random

from wanbatch.clip.worker_pool import WorkerPool
from wanbatch.pace.schedule import Rates
from wanbatch.provider.endpoint import fingerprint
from wanbatch.runner.context import RunContext
from wanbatch.runner.log import LOG_NAME, RunLog, requests_in
from wanbatch.runner.settings import RunSettings
from wanbatch.session.access import start_of_time
from wanbatch.session.invocation import Invocation
from wanbatch.state.file import StateFile
from wanbatch.state.reader import StateReader


@asynccontextmanager
async def opened(invocation: Invocation, output: Path) -> AsyncIterator[RunContext]:
    """Open an output folder for work beside a run. Raises UsageInvalid if the settings lead to another provider."""
    with StateReader.open(output) as reader:
        identity = reader.identity()
    with ExitStack() as stack:
        invocation = invocation.at(identity)
        state = StateFile.create_or_open(output, identity)
        stack.callback(state.close)
        async with context_of(invocation, state) as context:
            yield context


@asynccontextmanager
async def context_of(invocation: Invocation, state: StateFile) -> AsyncIterator[RunContext]:
    """Make the context of work beside a run, with a state file that is open."""
    access, log_path, key = invocation.access, state.output / LOG_NAME, invocation.access.key()
    async with access.provider(state.output, start_of_time(state)) as (provider, clock), WorkerPool() as workers:
        asked = invocation.settings(None, ())
        settings = RunSettings(
            rates=Rates(max_attempts=0),  # nothing is planned to be sent without a run
            on_unknown=asked.on_unknown,
            unknown_grace=asked.unknown_grace,
            key_fingerprint=fingerprint(key),
            logged=requests_in(log_path, state.identity().nonce),
            inspection=workers,
        )
        context = RunContext(state, provider, clock, settings, Random())  # noqa: S311  jitter, no secret
        with RunLog(log_path, key) as log:
            context.observer = invocation.observer(log)
            yield context
