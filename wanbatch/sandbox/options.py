"""What a sandbox is like: its speed, its limits, its faults."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path

from wanbatch.errors import UsageInvalid


@dataclass(frozen=True)
class SandboxOptions:
    """All times are in the sandbox's own seconds, which pass `speed` times faster than real ones.

    `rate_per_min` and `concurrency` are None where the sandbox sets no limit; `faults` is a plan's name or file;
    `data` is a folder that keeps the account over restarts. `mean_s` is the mean of the default model's 10 s at 1080p.
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

    def __post_init__(self) -> None:
        """Refuse what cannot be served. Raises UsageInvalid."""
        if not is_loopback(self.host):
            raise UsageInvalid(f"the sandbox serves this machine only, not {self.host}: use 127.0.0.1")
        if self.speed <= 0 or self.mean_s <= 0 or self.cv < 0 or self.log_lag_s < 0 or self.link_ttl_s <= 0:
            raise UsageInvalid("speed and durations of the sandbox must be above 0")
        if self.balance_usd < 0 or self.balance_usd > 10**9:
            raise UsageInvalid("the sandbox's balance is from 0 to a billion USD")


def is_loopback(host: str) -> bool:
    """Say whether an address is this machine's own."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
