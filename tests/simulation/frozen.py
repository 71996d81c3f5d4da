"""Frozen scenarios: a scenario written as Python, so that a case outlives the generator that drew it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, is_dataclass
from datetime import timedelta
from decimal import Decimal
from enum import Enum
from typing import Any


def written(value: Any) -> str:
    """Write a scenario, or a part of one, as Python that makes it again; what is as by default is left out."""
    if isinstance(value, Enum):
        return f"{type(value).__name__}.{value.name}"
    if is_dataclass(value) and not isinstance(value, type):
        parts = [f"{each.name}={written(getattr(value, each.name))}" for each in fields(value) if _is_told(value, each)]
        return f"{type(value).__name__}({', '.join(parts)})"
    if isinstance(value, tuple):
        return f"({''.join(f'{written(each)}, ' for each in value).rstrip() if value else ''})"
    if isinstance(value, Mapping):
        return f"{{{', '.join(f'{written(key)}: {written(each)}' for key, each in value.items())}}}"
    if isinstance(value, timedelta):
        return f"timedelta(seconds={value.total_seconds()!r})"
    assert value is None or isinstance(value, str | int | float | Decimal), f"{value!r} cannot be frozen"
    return repr(value)


def _is_told(owner: Any, each: Any) -> bool:
    value = getattr(owner, each.name)
    try:
        usual = each.default_factory() if callable(each.default_factory) else each.default
    except TypeError:
        return True
    return bool(each.init) and (type(value) is not type(usual) or value != usual)
