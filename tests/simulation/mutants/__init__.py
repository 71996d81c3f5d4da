"""Deliberate breaks of the protocol. Each must be caught by the oracle: a simulation that catches none is worth nothing."""

from __future__ import annotations

from importlib import import_module
from pkgutil import iter_modules

from tests.simulation.mutants.registry import MUTANTS, SEED_LIMIT, applied, caught_at, caught_by, caught_with

for _each in iter_modules(__path__):
    import_module(f"{__name__}.{_each.name}")

__all__ = ["MUTANTS", "SEED_LIMIT", "applied", "caught_at", "caught_by", "caught_with"]
