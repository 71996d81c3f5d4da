"""The flags of a command as the user wrote them, so that suggested commands repeat them."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import click

_KEY = "wanbatch.flags"


class FlaggedCommand(click.Command):
    """A command that keeps its flags as they were written, beside their values."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Parse as any command does, and keep the flags as written."""
        written, _, _ = self.make_parser(ctx).parse_args(args=list(args))
        ctx.meta[_KEY] = written
        return super().parse_args(ctx, args)


def written_flags(ctx: click.Context, without: Iterable[str]) -> tuple[str, ...]:
    """Return the flags as arguments, in the order of the command's help; those named in `without` are left out."""
    written: dict[str, Any] = ctx.meta.get(_KEY, {})
    left_out = set(without)
    words: list[str] = []
    for option in ctx.command.params:
        if not isinstance(option, click.Option) or option.name in left_out or option.name not in written:
            continue
        flag, value = max(option.opts, key=len), written[option.name]
        if option.is_flag:
            words.append(flag)
            continue
        for each in value if option.multiple else [value]:
            words += [flag, str(each)]
    return tuple(words)
