"""Commands about what a run could not decide: reconcile, balance, resolve."""

from __future__ import annotations

import asyncio
import shlex
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click
from rich.markup import escape

from wanbatch.batch.lifecycle import State, state_words
from wanbatch.batch.names import composed
from wanbatch.batch.remedies import in_folder
from wanbatch.batch.take import Take
from wanbatch.cli import Global
from wanbatch.cli.account import figures_grid, ledger_grid, print_balance
from wanbatch.cli.against import reconcile_against
from wanbatch.cli.grid import PLAY_MARK, say
from wanbatch.cli.parameters import CURRENCY_RATE, completed_runs, completed_shots, explaining_run
from wanbatch.cli.screen import console_of, is_interactive, print_json
from wanbatch.cli.streams import echo
from wanbatch.cli.which import output_meant, output_seen
from wanbatch.clock import system_now
from wanbatch.errors import AccountStopped, ExitCode, ProviderUnreachable, UsageInvalid, WanbatchError
from wanbatch.money.credits import credits_of_usd, money_text, usd_text
from wanbatch.money.currency import Currency
from wanbatch.money.remaining import remaining_json
from wanbatch.reporting.cost_files import figures_json, ledger_rows, write_ledger
from wanbatch.runner.other_keys import given_up_text, unseen_text
from wanbatch.runner.unexplained import unexplained_text
from wanbatch.session.decisions import Answers, Decision, Reconciled
from wanbatch.session.options import RunOptions, Watch
from wanbatch.session.session import Session, session_of
from wanbatch.session.which_run import newest_output
from wanbatch.state.progress_reader import is_play_money, read_figures, read_overview
from wanbatch.state.reader import StateReader
from wanbatch.units import agreeing, count_text

_RUN = click.argument(
    "run", required=False, type=click.Path(path_type=Path, file_okay=False), shell_complete=completed_runs
)


@click.command(
    "reconcile",
    epilog="\b\nExamples:\n  wanbatch reconcile\n  wanbatch --json reconcile outputs/dragon-pass"
    "\n  wanbatch reconcile outputs/dragon-pass --against invoice.csv",
)
@_RUN
@click.option(
    "--without-key",
    "without_keys",
    multiple=True,
    metavar="FINGERPRINT",
    help="You no longer have this key: stop reporting what only its log can show; repeatable. The folder remembers it.",
)
@click.option(
    "--shared-account",
    "is_account_shared",
    is_flag=True,
    help="Other people or programs use this account, too: do not report charges that this batch does not explain. The"
    " folder remembers it.",
)
@click.option(
    "--not-mine",
    multiple=True,
    metavar="GENERATION",
    help="This generation's charge does not belong to this batch: stop reporting it; repeatable. The folder remembers"
    " it.",
)
@click.option(
    "--against",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.csv",
    help="Compare the charges of RUN with an invoice or the provider's export, line by line; sends no request.",
)
@click.option(
    "--currency",
    type=CURRENCY_RATE,
    help="With --against: the invoice is in this currency, at this rate, such as EUR=0.92; charges are converted.",
)
@click.pass_obj
@explaining_run
def reconcile_command(
    options: Global, /, run: Path | None, against: Path | None, currency: Currency | None, **answers: Any
) -> int:
    """Look up submits of RUN whose answers were lost, and compare RUN with the provider's ledger. Costs nothing.

    With --against, check the recorded charges against an invoice instead.
    """
    output = output_seen(run)
    if against is not None:
        return reconcile_against(options, output, against, currency)
    if currency is not None:
        raise UsageInvalid("--currency says what an invoice is in: add --against FILE.csv")
    session = session_of(RunOptions(makes_report=False), _watch(options, output), options.env_file)
    found = asyncio.run(session.reconcile(output, Answers(**answers)))
    read_at = found.read_at or system_now()
    overview = read_overview(output)
    figures = read_figures(output).with_charges_seen(
        [each.charged for each in found.ledger if not each.is_recorded and each.charged is not None]
    )
    page = write_ledger(output, found.ledger, read_at) if found.is_ledger_read else None
    if options.is_json:
        reported = {**asdict(found), "ledger": ledger_rows(found.ledger, read_at), "figures": figures_json(figures)}
        reported["remaining"] = remaining_json(overview.remaining)
        print_json({"output": str(output), **reported, "ledger_csv": None if page is None else str(page)})
    else:
        console = console_of(options)
        if is_play_money(output):
            say(console, escape(f"{output}{PLAY_MARK}"), style="bold")
        for line in _lines(found):
            say(console, escape(in_folder(line, str(output))))
        if overview.next_step.fetch_line:
            say(console, escape(overview.next_step.fetch_line))
        if found.ledger:
            ledger_grid(found.ledger).show(console)
        figures_grid(figures).show(console)
        if page is not None:
            console.print(f"  every generation: {page}", markup=False)
    return int(_exit_code(found))


def _exit_code(found: Reconciled) -> ExitCode:
    """Return the exit code of what was found; never OK if the log or the ledger could not be read, or not all of it.

    What needs the user comes first, since the same command reports the rest later. A log that this key may not read,
    or that of another key, needs the user, too.
    """
    needs = (
        found.open,
        found.doubles,
        found.twice,
        found.breaches,
        found.questions,
        found.unreadable,
        found.unseen,
        found.unexplained,
        found.needs_you,
    )
    if any(needs) or found.is_log_refused:
        return ExitCode.DECISION_NEEDED
    return ExitCode.OK if found.is_log_read and found.is_ledger_read else ExitCode.PROVIDER_UNREACHABLE


def _watch(options: Global, output: Path | None) -> Watch:
    """Report notices on standard error: standard output holds the answer only."""

    def tell(text: str) -> None:
        if options.verbosity >= 0:
            echo(f"wanbatch: {text if output is None else in_folder(text, str(output))}", err=True)

    return Watch(notice=tell, on_event=lambda event: tell(event.text) if event.kind == "note" else None)


def _lines(found: Reconciled) -> list[str]:
    lines = []
    for labels, reported in (
        (found.adopted, "the provider has the submits|submit of {}: run the manifest again to fetch the clips|clip"),
        (found.failed, "{} failed, and cost nothing: `wanbatch status` says how to try them|it again"),
        (found.planned, "{} left no trace: run the manifest again to send them|it"),
        (found.open, "{} wait|waits for your decision or for the provider's log: `wanbatch status` says why"),
        (found.doubles, "DOUBLE: the provider made more than one generation for {}: contact its support"),
        (found.twice, "the provider charged more than once for a generation of {}: contact its support"),
        (found.breaches, "the provider charged for a failed generation of {}: contact its support"),
        (
            found.questions,
            "{} may explain a charge that belongs to no take: see the report, and contact the provider's support",
        ),
        (
            found.unreadable,
            "the ledger has a charge for {} whose amount cannot be read: contact the provider's support",
        ),
        (
            found.lowered,
            "the ledger has a smaller charge for {} than the one recorded here and in the reports: the invoice decides",
        ),
        (found.uncharged, "the ledger has no charge yet for {}, which are|is verified"),
    ):
        if labels:
            names = ", ".join(labels[:8]) + (f" and {len(labels) - 8} more" if len(labels) > 8 else "")
            lines.append(agreeing(len(labels), reported).format(f"{count_text(len(labels), 'take')} ({names})"))
    if found.unexplained:
        lines.append(unexplained_text(found.unexplained))
    lines += [
        f"the ledger shows no charge for {each}, which you named with --not-mine: check the id"
        for each in found.not_charged
    ]
    if not found.is_log_read:
        cure = "allow the key to read it" if found.is_log_refused else "run the same command again later"
        lines.append(
            f"the request log could not be read, so a DOUBLE or a lost clip may be missing from this list: {cure}"
        )
    if found.unseen:
        names = f"{', '.join(found.unseen[:8])}" + (", ..." if len(found.unseen) > 8 else "")
        what = unseen_text(found.unseen_submits, found.unseen_keys)
        lines.append(f"a DOUBLE or a lost clip may be missing from this list: {what} ({names})")
    if found.keys_given_up:
        lines.append(given_up_text(found.keys_given_up))
    if not found.is_ledger_read:
        lines.append(
            "the ledger could not be read, so charges may be missing from this list: run the same command again later"
        )
    lines.append(f"the ledger shows {money_text(found.credits_charged)} for this batch")
    return lines


@click.command("balance", epilog="\b\nExamples:\n  wanbatch balance\n  wanbatch --json balance outputs/dragon-pass")
@_RUN
@click.option("--sandbox", is_flag=True, help="Show what the account of a new embedded sandbox starts with.")
@click.pass_obj
def balance_command(options: Global, /, run: Path | None, sandbox: bool) -> int:  # noqa: FBT001
    """Show the balance of an account: the account of RUN, an output folder such as outputs/storm, or of your
    key if you give no RUN. Costs nothing.
    """
    session = session_of(RunOptions(sandbox=sandbox, makes_report=False), _watch(options, run), options.env_file)
    other = _newest_account(session) if run is None else ""
    try:
        balance, host, is_play = asyncio.run(session.balance(run))
    except (UsageInvalid, AccountStopped, ProviderUnreachable) as error:
        if not other:
            raise
        raise type(error)(f"{error}. {other}") from error
    if options.is_json:
        print_json(
            {"balance_usd": str(balance), "credits": credits_of_usd(balance), "provider": host, "sandbox": is_play}
        )
    else:
        print_balance(console_of(options), balance, host, is_play=is_play)
        if other:
            _watch(options, None).notice(other)
    return 0


def _newest_account(session: Session) -> str:
    """Say how to see the account of the newest output folder, if it is not the one asked about."""
    try:
        newest = newest_output()
        with StateReader.open(newest) as reader:
            identity = reader.identity()
    except WanbatchError:  # there is no folder, or none that can be read
        return ""
    is_embedded = identity.sandbox and identity.base_url == "sandbox"
    if identity.base_url == session.provider_address and not is_embedded:
        return ""
    host = "the embedded sandbox" if is_embedded else identity.base_url
    command = shlex.join(("wanbatch", "balance", str(newest)))
    return f"The newest output folder, {newest}, uses an account at {host}: `{command}` shows it"


def risk_text(take: Take, decision: Decision) -> str:
    """Say what sending a held take again, or giving it up, may cost."""
    if decision is Decision.RESUBMIT and take.is_charge_seen:
        price = max((each for each in (take.credits_held, take.credits_estimated) if each is not None), default=None)
        return f"it was already charged {usd_text(take.credits_charged)}, and sending it again costs {usd_text(price)}"
    if decision is Decision.RESUBMIT:
        return f"the provider may charge for this a second time (its cost: {usd_text(take.credits_open)})"
    risk = "wanbatch will no longer fetch a clip for it, though it"
    if take.is_charge_seen:
        return f"{risk} was charged {usd_text(take.credits_charged)}"
    return f"{risk} may have been charged (its cost: {usd_text(take.credits_open)})"


@click.command(
    "resolve",
    epilog="\b\nExamples:\n  wanbatch resolve sc010_sh020_t1 --adopt 08zqLA021WrqNkIw2wc3P"
    "\n  wanbatch resolve outputs/dragon-pass sc010_sh020_t1 --resubmit"
    "\n  wanbatch resolve sc010_sh020_t2 --withdraw",
)
@click.argument("names", nargs=-1, required=True, metavar="[RUN] TAKE", shell_complete=completed_shots)
@click.option("--adopt", metavar="ID", help="Use the clip of the generation with this ID.")
@click.option("--resubmit", is_flag=True, help="Send it again: it may be charged a second time.")
@click.option("--abandon", is_flag=True, help="Give it up; what it may have cost still counts toward the cap.")
@click.option("--withdraw", is_flag=True, help="Do not send this planned retake or retry. It costs nothing.")
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.pass_obj
@explaining_run
def resolve_command(options: Global, /, names: tuple[str, ...], adopt: str | None, **flags: Any) -> int:
    """Decide what to do with a TAKE that is held or unknown, or withdraw one that is planned. wanbatch records it; the
    same `run` command then continues.
    """
    if len(names) > 2:
        raise UsageInvalid("name one take, and before it the output folder if that is not the newest")
    output = output_meant(options, Path(names[0]) if len(names) == 2 else None)
    chosen = [Decision.ADOPT] * (adopt is not None) + [each for each in Decision if flags.get(each.value)]
    if len(chosen) != 1:
        raise UsageInvalid("give one of --adopt ID, --resubmit, --abandon, --withdraw")
    decision = chosen[0]

    def confirm(take: Take) -> bool:
        error = f": {in_folder(take.error, str(output))}" if take.error else ""
        echo(f"{take.label} {take.state}{error}", err=True)
        if decision in (Decision.ADOPT, Decision.WITHDRAW) or flags["yes"]:
            return True
        risk, question = risk_text(take, decision), "Send it again?" if decision is Decision.RESUBMIT else "Give it up?"
        if not is_interactive():
            raise UsageInvalid(f"{risk}, and there is no terminal to ask on: add --yes")
        return click.confirm(f"{risk[0].upper()}{risk[1:]}. {question}", default=False, err=True)

    session = session_of(RunOptions(makes_report=False), _watch(options, output), options.env_file)
    take = asyncio.run(session.resolve(output, composed(names[-1]), (decision, adopt), confirm))
    if options.is_json:
        print_json({"take": names[-1], "state": None if take is None else take.state.value})
    elif take is not None:
        if decision is Decision.WITHDRAW:
            echo(f"{take.label} is withdrawn and will not be sent; run the manifest again to continue with the rest")
            return int(ExitCode.OK)
        is_failed = take.state is State.FAILED
        now = "now counts as failed" if is_failed else f"is now {state_words(take.state.value)}"
        rest = "the rest" if is_failed else "it"
        echo(f"{take.label} {now}; run the manifest again to continue with {rest}")
    return int(ExitCode.INTERRUPTED if take is None else ExitCode.OK)
