"""An event: one thing that happened in a run, as observers see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class Event:
    """Something that happened: `kind` is a fact's name or `note`; `take` is a label, or empty."""

    at: datetime
    kind: str
    take: str
    text: str
    data: Mapping[str, Any] = field(default_factory=dict)
