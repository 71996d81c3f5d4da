"""Sandboxes that are closed when their test ends."""

from tests.sandbox.conftest import context, sandbox_of  # noqa: F401  fixtures, which pytest finds by their names
