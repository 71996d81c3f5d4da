"""The public names of the package, with the first lines of what their docstrings say."""

from __future__ import annotations

import inspect
from collections.abc import Callable

import wanbatch
from docs.made.table import block, code, table


def functions() -> str:
    """Return each function with its signature and docstring."""
    parts = []
    for name in sorted(wanbatch.__all__):
        value = getattr(wanbatch, name)
        if inspect.isfunction(value):
            words = inspect.getdoc(value) or ""
            parts += [f"### {name}", block("text", f"wanbatch.{name}{_signature(value)}"), words]
    return "\n\n".join(parts)


def _signature(value: Callable[..., object]) -> str:
    words: list[str] = []
    for each in inspect.signature(value).parameters.values():
        if each.kind is each.KEYWORD_ONLY and "*" not in words:
            words.append("*")
        default = "" if each.default is each.empty else f" = {_shown(each.default)}"
        words.append(f"{each.name}: {each.annotation}{default}")
    return f"({', '.join(words)})" if len(words) < 3 else "(\n    " + ",\n    ".join(words) + ",\n)"


def _shown(default: object) -> str:
    return "..." if callable(default) else repr(default)


def classes() -> str:
    """Return each value and error with its summary."""
    rows = [
        (code(name), (inspect.getdoc(value) or "").partition("\n\n")[0])
        for name in sorted(wanbatch.__all__)
        if inspect.isclass(value := getattr(wanbatch, name))
    ]
    return table(("name", "what it is"), rows)
