"""How a slip of the pen is applied: a text within a function is replaced by another, and every caller gets the new one."""

from __future__ import annotations

import inspect
import textwrap
from collections.abc import Callable
from functools import cached_property
from types import CodeType, FunctionType
from typing import Any

from tests.simulation.mutants.registry import MUTANTS, UNSEEN, Patches


def slip(name: str, function: Any, old: str, new: str) -> None:
    """List a mutant: this function with one text replaced, which has to stand there exactly once."""
    assert name not in MUTANTS, name
    MUTANTS[name] = _made(function, old, new)


def unseen(name: str, function: Any, old: str, new: str) -> None:
    """Note a slip that no world shows yet: `tests/simulation/mutants/unseen.md` says why, and what catches it."""
    assert name not in MUTANTS, name
    UNSEEN[name] = _made(function, old, new)


def _made(function: Any, old: str, new: str) -> Callable[[], Patches]:
    def make() -> Patches:
        plain = _plain(function)
        yield plain, "__code__", _rewritten(plain, old, new)

    return make


def _plain(function: Any) -> FunctionType:
    if isinstance(function, property):
        function = function.fget
    elif isinstance(function, cached_property):
        function = function.func
    assert isinstance(function, FunctionType)
    return function


def _rewritten(function: FunctionType, old: str, new: str) -> CodeType:
    text = inspect.getsource(function)
    assert text.count(old) == 1, f"{function.__qualname__} holds '{old}' {text.count(old)} times"
    lines = textwrap.dedent(text.replace(old, new)).splitlines(keepends=True)
    while lines[0].startswith("@"):
        del lines[0]
    made: dict[str, Callable[..., Any]] = {}
    exec("from __future__ import annotations\n" + "".join(lines), dict(function.__globals__), made)
    return made[function.__name__].__code__
