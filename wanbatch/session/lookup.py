"""The look-up of a finished batch: what the provider's log shows by now, though nothing is left to send."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass

from wanbatch.errors import ExitCode
from wanbatch.runner.charges import ChargeRecorder
from wanbatch.runner.context import RunContext
from wanbatch.runner.other_keys import keys_of, unseen_text
from wanbatch.runner.revival import AT_ONCE, look_again
from wanbatch.runner.searches import Searches
from wanbatch.session.decisions import take_up

LIMIT_S = 120.0  # of real time: whoever runs a finished batch again expects it to end at once


@dataclass(frozen=True)
class LookUp:
    """What a look-up brought: what needs the user, and what is said after "nothing to do"."""

    troubles: tuple[tuple[ExitCode, str], ...] = ()
    text: str = ""


async def look_up(context: RunContext) -> LookUp:
    """Read the provider's log once, poll failed generations once more, record what they show. Sends nothing paid."""
    take_up(context)
    searches = Searches(context, has_nothing_to_send=True)
    searches.note_logged()
    charges, is_ledger_read, is_whole = ChargeRecorder(context), False, False
    unread: str | None = f"it did not arrive within {LIMIT_S:g} s"
    with suppress(TimeoutError):
        async with asyncio.timeout(LIMIT_S):
            await searches.search()
            unread = None if searches.unread is None else searches.unread.message
            if unread is None:  # a failure that another submit replaced may have been none
                is_ledger_read = await charges.match_ledger()
                await look_again(context, AT_ONCE)
                is_whole = True
    if unread is None:
        charges.name_breaches()
        searches.name_doubles()
    text = _text(unread, has_news=bool(context.troubles))
    if unread is None and (searches.is_ledger_unread or not is_ledger_read):
        text += "; wanbatch could not read the ledger, so charges may be missing: `wanbatch reconcile` looks again"
    if unread is None and is_ledger_read and not is_whole:
        text += (
            f"; wanbatch did not finish its checks within {LIMIT_S:g} s, so it may have missed a failed"
            " generation that went on after all: `wanbatch reconcile` looks again"
        )
    text += f"; {unseen_text(len(searches.unseen), keys_of(searches.unseen))}" if searches.unseen else ""
    return LookUp(tuple(context.troubles), text)


def _text(unread: str | None, *, has_news: bool) -> str:
    if unread is not None:
        return (
            f"; wanbatch could not read the provider's request log ({unread}), so it would not notice a clip"
            " that was made twice: `wanbatch reconcile` looks again"
        )
    return (
        ", but the provider's log or ledger shows more than was known"
        if has_news
        else ", and the provider's log shows nothing new"
    )
