"""The sandbox command: a stand-in for the provider, served on this machine."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wanbatch.cli import Global
from wanbatch.cli.parameters import DURATION, FAULT_PLANS, RATE, USD
from wanbatch.cli.streams import echo

if TYPE_CHECKING:
    from wanbatch.sandbox import SandboxOptions


@click.command(
    "sandbox",
    epilog="\b\nExamples:\n  wanbatch sandbox --port 8765 --speed 60 --faults flaky"
    "\n  AIMLAPI_BASE_URL=http://127.0.0.1:8765 wanbatch run shots.yaml --speed 60",
)
@click.option(
    "--port", type=click.IntRange(0, 65535), default=0, help="The port to serve on; 0 picks a free one.  [default: 0]"
)
@click.option("--host", default="127.0.0.1", show_default=True, help="The address to serve on.")
@click.option(
    "--speed",
    type=click.FloatRange(min=0, min_open=True),
    default=1.0,
    help="How many times faster than real time.  [default: 1]",
)
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same times and faults.")
@click.option("--faults", metavar="NAME|FILE", help=f"Simulate these faults: {FAULT_PLANS}.")
@click.option("--rate", type=RATE, help="Accept submits at most this often, such as 60/min.  [default: no limit]")
@click.option(
    "--concurrency", type=click.IntRange(min=1), help="At most this many generations at a time.  [default: no limit]"
)
@click.option("--balance", type=USD, default=Decimal(1000), help="What the account begins with.  [default: 1000]")
@click.option(
    "--log-lag",
    type=DURATION,
    default=30.0,
    help="How long after an event the log and the ledger show it.  [default: 30s]",
)
@click.option(
    "--data", type=click.Path(path_type=Path, file_okay=False), help="Keep the account in this folder, across restarts."
)
@click.option(
    "--models",
    type=click.Path(path_type=Path, file_okay=False, exists=True),
    help="Serve the models whose schemas are in this folder, too.",
)
@click.option("--auto-top-up", is_flag=True, help="Report that the account is topped up automatically.")
@click.option("--key-disabled", is_flag=True, help="Report that the key is disabled.")
@click.option(
    "--key-scope", multiple=True, metavar="SCOPE", help="Report that the key is limited to this scope; repeatable."
)
@click.option("--key-limit", type=USD, help="Report that the key may spend this many USD a month.")
@click.option("--stop-with-parent", is_flag=True, hidden=True, help="End when standard input closes.")
@click.pass_obj
def sandbox_command(options: Global, /, **flags: Any) -> int:
    """Serve a stand-in for the provider on a loopback port. It accepts any made-up key and costs nothing."""
    from wanbatch.sandbox import serve

    def on_ready(base_url: str) -> None:
        if options.is_json:
            click.echo(f'{{"base_url": "{base_url}"}}')
        else:
            echo(f"SANDBOX at {base_url}  ({flags['speed']:g} times as fast as real time; Ctrl-C ends it)")
            echo(f"  AIMLAPI_BASE_URL={base_url} wanbatch run MANIFEST --speed {flags['speed']:g} --yes")

    serve(options_of(flags), on_ready=on_ready, stop_on_stdin_eof=flags["stop_with_parent"])
    return 0


def options_of(flags: Mapping[str, Any]) -> SandboxOptions:
    """Return the options of a sandbox that the flags of the command name."""
    from wanbatch.sandbox import SandboxOptions

    return SandboxOptions(
        port=flags["port"],
        host=flags["host"],
        speed=flags["speed"],
        seed=flags["seed"],
        faults=flags["faults"],
        rate_per_min=flags["rate"],
        concurrency=flags["concurrency"],
        balance_usd=flags["balance"],
        log_lag_s=flags["log_lag"],
        data=flags["data"],
        models=flags["models"],
        auto_top_up=flags["auto_top_up"],
        key_disabled=flags["key_disabled"],
        key_scopes=flags["key_scope"],
        key_limit_usd=flags["key_limit"],
    )
