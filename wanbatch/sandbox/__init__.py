"""The sandbox: a stand-in for the provider on a loopback port, with an account, a ledger and clips of its own.

It shares no parsing or schema code with the client, so that a misread field cannot pass on both sides. What the
provider's documentation does not say (durations of other models, most prices, which models end) is the
sandbox's own choice and marked so in the code.
"""

from __future__ import annotations

from wanbatch.sandbox.app import create_app
from wanbatch.sandbox.options import SandboxOptions
from wanbatch.sandbox.server import serve
from wanbatch.sandbox.state import ConnectionDropped

__all__ = ["ConnectionDropped", "SandboxOptions", "create_app", "serve"]
