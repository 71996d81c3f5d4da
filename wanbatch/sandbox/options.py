"""What a sandbox is like: its speed, its limits, its faults."""

from __future__ import annotations

import ipaddress
import math
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from wanbatch.errors import UsageInvalid

SCOPES = frozenset(
    f"model:{each}" for each in ("chat", "responses", "image", "audio", "video", "embeddings", "speech", "ocr")
)


@dataclass(frozen=True)
class SandboxOptions:
    """All times are in the sandbox's own seconds, which pass `speed` times faster than real ones.

    `rate_per_min` and `concurrency` are None if the sandbox sets no limit; `faults` is a plan's name or file;
    `auto_top_up` and the `key_` options are what is reported about the account and any key, and change nothing else:
    no scopes means that a key may call everything, and its limit is per month.
    `data` is a folder that keeps the account over restarts, and may name takes for their slates; `models` is one of
    schemas to serve beside those that come with wanbatch. `mean_s` is the mean of the default model's 10 s at 1080p.
    """

    port: int = 0
    host: str = "127.0.0.1"
    speed: float = 1.0
    seed: int = 1
    faults: str | None = None
    rate_per_min: float | None = None
    concurrency: int | None = None
    balance_usd: Decimal = Decimal(1000)
    log_lag_s: float = 30.0
    link_ttl_s: float = 86_400.0
    mean_s: float = 205.0
    cv: float = 0.25
    data: Path | None = None
    models: Path | None = None
    auto_top_up: bool = False
    key_disabled: bool = False
    key_scopes: tuple[str, ...] = ()
    key_limit_usd: Decimal | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot be served. Raises UsageInvalid."""
        if not is_loopback(self.host):
            raise UsageInvalid(f"the sandbox serves this machine only, not {self.host}: use 127.0.0.1")
        if not 0 <= self.port <= 65_535:
            raise UsageInvalid(f"{self.port} is not a port: use 0 (a free one) to 65535")
        for name in ("speed", "mean_s", "link_ttl_s", "rate_per_min", "concurrency"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and value > 0):
                raise UsageInvalid(f"{name} of the sandbox is {value}; it must be above 0")
        strange = sorted(set(self.key_scopes) - SCOPES)
        if strange:
            raise UsageInvalid(f"{strange[0]} is not a scope of a key: use {', '.join(sorted(SCOPES))}")
        for name in ("cv", "log_lag_s", "balance_usd", "key_limit_usd"):
            value = getattr(self, name)
            if value is not None and not (math.isfinite(value) and 0 <= value <= 10**9):
                raise UsageInvalid(f"{name} of the sandbox is {value}; it must be from 0 to a billion")


def is_loopback(host: str) -> bool:
    """Say whether an address is this machine's own."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
