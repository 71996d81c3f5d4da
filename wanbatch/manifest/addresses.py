"""Addresses and paths: what a value is, in a field that holds the one or the other. Pure."""

from __future__ import annotations

import re

_SCHEME = re.compile(r"[A-Za-z][A-Za-z0-9+.-]+:")  # of one letter it is a drive of Windows


def is_path(value: object) -> bool:
    """Say whether a value of a field that holds addresses is the path of a file."""
    return isinstance(value, str) and bool(value.strip()) and _SCHEME.match(value) is None
