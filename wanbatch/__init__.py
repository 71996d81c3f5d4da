"""wanbatch: a manifest of prompts in, a folder of verified clips and an account of every credit out.

    batch = wanbatch.load_manifest("shots.yaml")
    preview = wanbatch.plan(batch)                                # what it would do and cost
    result = wanbatch.run(batch, confirm=lambda preview: True)    # the same call resumes
    wanbatch.report(result.output)                                # from the state file alone

Names are loaded when they are first used: importing the package costs nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from wanbatch.version import __version__

_HOMES = {
    "load_manifest": "manifest",
    "plan": "api",
    "run": "api",
    "report": "api",
    "frames": "api",
    "run_async": "api",
    "retake": "api",
    "circle": "api",
    "make_cut": "api",
    "export": "api",
    "Batch": "batch.shots",
    "Shot": "batch.shots",
    "Recipe": "batch.shots",
    "Limits": "batch.shots",
    "Retake": "batch.retakes",
    "Selection": "batch.selection",
    "RunOptions": "session.options",
    "RunResult": "session.options",
    "Preview": "session.preview",
    "Event": "runner.events",
    "ExitCode": "errors",
    "Problem": "errors",
    "WanbatchError": "errors",
    "UsageInvalid": "errors",
    "ManifestInvalid": "errors",
    "AccountStopped": "errors",
    "BudgetReached": "errors",
    "OutputLocked": "errors",
    "LocalFault": "errors",
    "StateInvalid": "errors",
    "ProviderUnreachable": "errors",
}

if TYPE_CHECKING:
    from wanbatch.api import circle, export, frames, make_cut, plan, report, retake, run, run_async
    from wanbatch.batch.retakes import Retake
    from wanbatch.batch.selection import Selection
    from wanbatch.batch.shots import Batch, Limits, Recipe, Shot
    from wanbatch.errors import (
        AccountStopped,
        BudgetReached,
        ExitCode,
        LocalFault,
        ManifestInvalid,
        OutputLocked,
        Problem,
        ProviderUnreachable,
        StateInvalid,
        UsageInvalid,
        WanbatchError,
    )
    from wanbatch.manifest import load_manifest
    from wanbatch.runner.events import Event
    from wanbatch.session.options import RunOptions, RunResult
    from wanbatch.session.preview import Preview

__all__ = [
    "AccountStopped",
    "Batch",
    "BudgetReached",
    "Event",
    "ExitCode",
    "Limits",
    "LocalFault",
    "ManifestInvalid",
    "OutputLocked",
    "Preview",
    "Problem",
    "ProviderUnreachable",
    "Recipe",
    "Retake",
    "RunOptions",
    "RunResult",
    "Selection",
    "Shot",
    "StateInvalid",
    "UsageInvalid",
    "WanbatchError",
    "__version__",
    "circle",
    "export",
    "frames",
    "load_manifest",
    "make_cut",
    "plan",
    "report",
    "retake",
    "run",
    "run_async",
]


def __dir__() -> list[str]:
    return sorted(__all__)


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module 'wanbatch' has no attribute '{name}'")
    # No module may have one of these names: importing it would put the module in the name's place.
    value = getattr(import_module(f"wanbatch.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
