"""The settings: limits with their flags and defaults, and the variables of the environment."""

from __future__ import annotations

import dataclasses
from enum import Enum

import click

from docs.made.table import code, described, table
from wanbatch.cli import cli
from wanbatch.manifest.schemas import schema
from wanbatch.provider.endpoint import BASE_URL_NAME, DEFAULT_BASE_URL, KEY_NAMES
from wanbatch.provider.proxies import NO_PROXY_NAMES, PROXY_NAMES

VARIABLES = {
    **{
        name: "Your key. The first that is set counts."
        if name == KEY_NAMES[0]
        else f"Another name for it, read when `{KEY_NAMES[0]}` is not set."
        for name in KEY_NAMES
    },
    BASE_URL_NAME: f"Another address of the provider: https, or http on this machine. Without it: {DEFAULT_BASE_URL}.",
    **dict.fromkeys(PROXY_NAMES, "The proxy: `http://`, `https://`, or `socks5://` with `pip install 'httpx[socks]'`."),
    **dict.fromkeys(
        NO_PROXY_NAMES, "What needs no proxy: names, addresses, networks such as `10.0.0.0/8`, ports, `*`."
    ),
}
SCREEN = {
    "NO_COLOR": "No colour.",
    "FORCE_COLOR": "Colour even if the output is not a terminal.",
    "TERM": "With `dumb`, no colour and no line that redraws itself.",
    "XDG_CACHE_HOME": "Where the cache is on Linux: price lists with their age, the top of each large manifest, and the"
    " output folders of each manifest.",
}


def limits() -> str:
    """Return the limits that a manifest may set, with the flag of `run` that wins over each, and its default."""
    context = click.Context(cli)
    run = cli.get_command(context, "run")
    assert run is not None
    flags = {flag: option for option in run.params if isinstance(option, click.Option) for flag in option.opts}
    rows = []
    for name, spec in schema("manifest")["properties"]["limits"]["properties"].items():
        flag = flags[f"--{name.replace('_', '-')}"]
        record = flag.get_help_record(click.Context(run))
        assert record is not None
        default = record[1].partition("[default: ")[2].partition("]")[0].partition(";")[0]
        rows.append((code(f"limits: {name}"), code(max(flag.opts, key=len)), default, spec["description"]))
    return table(("in the manifest", "flag", "default", "meaning"), rows)


def variables() -> str:
    """Return the variables of the environment that wanbatch reads."""
    names = [*KEY_NAMES, BASE_URL_NAME, *PROXY_NAMES, *NO_PROXY_NAMES]
    together: dict[str, list[str]] = {}
    for name, words in [*described("variables", names, VARIABLES), *SCREEN.items()]:
        together.setdefault(words, []).append(code(name))
    return table(("variable", "meaning"), [(", ".join(same), words) for words, same in together.items()])


def run_options() -> str:
    """Return the fields of `RunOptions` with their defaults."""
    from wanbatch.session.options import RunOptions

    made = RunOptions()
    rows = [
        (code(each.name), code(each.type), code(_default(getattr(made, each.name))))
        for each in dataclasses.fields(made)
    ]
    return table(("field", "type", "default"), rows)


def _default(value: object) -> str:
    if isinstance(value, Enum):
        return str(value)
    return f"{type(value).__name__}()" if dataclasses.is_dataclass(value) else repr(value)
