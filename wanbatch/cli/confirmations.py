"""Questions to the person at the terminal: before money is spent, before a folder is used for another batch."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import click

from wanbatch.cli import Global
from wanbatch.cli.money import preview_json, print_preview, print_question
from wanbatch.cli.payment_question import question_text
from wanbatch.cli.screen import console_of, is_interactive, print_json
from wanbatch.errors import UsageInvalid
from wanbatch.session.folder_questions import Answer, Question
from wanbatch.session.preview import Preview, Why
from wanbatch.session.safeguards import NEW_KEY
from wanbatch.text import visible


def ask(options: Global, question: Question) -> Answer:
    """Put a question to the person at the terminal; without one the run stops. `--yes` does not answer it."""
    if not is_interactive():
        return Answer.STOP
    print_question(console_of(options, stderr=True), question)
    if question.take_over and click.confirm(visible(question.take_over), default=False, err=True):
        return Answer.TAKE_OVER
    if click.confirm(visible(question.asked), default=False, err=True):
        return Answer.GO_ON
    raise UsageInvalid("wanbatch stopped before it wrote or sent anything; the commands above say how to continue")


def confirm(
    options: Global,
    preview: Preview,
    *,
    is_agreed: bool,
    is_asking: bool = False,
    more: Mapping[str, Any] = MappingProxyType({}),
) -> bool:
    """Show the plan; ask before money is spent, unless the user agreed in advance.

    `more` goes into the JSON of the plan. `--yes` agrees to what was planned and to what follows a pilot. It does not
    agree to a price that turned out to be another: the rest then goes out only if it is known to stay within a cap.
    `is_asking` asks on the sandbox, too.
    """
    console = console_of(options, stderr=True)
    if options.is_json:
        print_json({"event": "plan", **preview_json(preview), **more})
    elif options.verbosity >= 0:
        print_preview(console, preview, is_each_shown=options.verbosity > 0)
    if not preview.estimate.takes or (preview.is_sandbox and not is_asking):
        return True
    if is_agreed:
        return preview.why is not Why.PRICE or preview.is_known_within_cap
    if not is_interactive():
        if preview.why is not Why.START:
            return False
        way = "leave out --ask" if preview.is_sandbox else "add --yes"
        cost = "--ask rehearses the question" if preview.is_sandbox else "this run costs money"
        raise UsageInvalid(f"{cost}, and there is no terminal to ask on: {way}")
    balance = preview.balance_credits
    if balance is not None and balance < preview.estimate.credits:
        console.print(
            "  The balance does not cover the expected cost: the run will stop when the balance is used up.",
            style="yellow",
        )
    return click.confirm(visible(question_text(preview)), default=False, err=True)


def confirm_key(text: str) -> bool:
    """Ask whether a batch is run with another key from now on."""
    if not is_interactive():
        raise UsageInvalid(f"{text}. {NEW_KEY}. Nothing was sent")
    return click.confirm(visible(f"{text}. Continue with this key?"), default=False, err=True)


def confirm_move(text: str) -> bool:
    """Ask whether a folder was moved here for good."""
    if not is_interactive():
        raise UsageInvalid(f"{text} If only this machine runs it from now on, add --moved. Nothing was sent")
    return click.confirm(visible(f"{text} Does only this machine run it from now on?"), default=False, err=True)
