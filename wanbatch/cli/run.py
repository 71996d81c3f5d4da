"""Commands that send: plan, run, demo, retry."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, fields
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Any, TypeVar

import click

from wanbatch.batch.advice import in_folder
from wanbatch.batch.plan import First, is_selected
from wanbatch.batch.retakes import Retake
from wanbatch.batch.shots import SEED_MAX, Limits
from wanbatch.cli import Global
from wanbatch.cli.flags import FlaggedCommand, written_flags
from wanbatch.cli.manifest import STRICT, read_manifest, warnings_json
from wanbatch.cli.money import preview_json, print_preview, print_question
from wanbatch.cli.parameters import DURATION, RATE, RENAME, USD, split_run
from wanbatch.cli.screen import Follower, console_of, is_interactive, print_json, print_result, result_json
from wanbatch.cli.shots import takes_json
from wanbatch.cli.streams import echo
from wanbatch.errors import ExitCode, ManifestInvalid, UsageInvalid
from wanbatch.manifest.cache import Manifest
from wanbatch.money.credits import credits_of_usd
from wanbatch.runner.settings import OnUnknown
from wanbatch.session.marks import plan_for_later
from wanbatch.session.options import OUTPUTS, RunOptions, RunResult, newest_output
from wanbatch.session.preview import Preview, Why
from wanbatch.session.question import Answer, Question
from wanbatch.session.session import session_of
from wanbatch.state.reader import StateReader
from wanbatch.state.standing import problems_of
from wanbatch.text import visible

F = TypeVar("F", bound=Callable[..., Any])


WARNINGS_TOLD = 5
_AT_LEAST_ONE = click.IntRange(min=1)

_RUN_OPTIONS = (
    click.option(
        "--yes",
        is_flag=True,
        help="Do not ask before paying. A price above the expected one still needs a cap that holds it.",
    ),
    click.option(
        "--max-credits",
        type=click.IntRange(min=0),
        help="Never commit more than this for the batch, over all its runs.",
    ),
    click.option("--max-usd", type=USD, help="The same in USD."),
    click.option(
        "--pilot",
        type=_AT_LEAST_ONE,
        metavar="N",
        help="Send N representative takes first, show what they cost and took, and ask before the rest.",
    ),
    click.option("--only", multiple=True, metavar="GLOB", help="Only shots whose id matches; repeatable."),
    click.option("--limit", type=_AT_LEAST_ONE, help="Send at most this many takes."),
    click.option(
        "--order",
        type=click.Choice([each.value for each in First]),
        default=First.LONGEST.value,
        help="What is sent first: the longest, which ends a mixed night sooner, or the story's beginning."
        "  [default: longest]",
    ),
    click.option("--submit-rate", type=RATE, help="Submits, such as 60/min.  [default: 60/min]"),
    click.option("--in-flight", type=_AT_LEAST_ONE, help="Takes at the provider at once, at most.  [default: 100]"),
    click.option("--poll-rate", type=RATE, help="Polls, such as 600/min.  [default: 600/min]"),
    click.option("--downloads", type=_AT_LEAST_ONE, help="Downloads at once.  [default: 4]"),
    click.option("--max-attempts", type=_AT_LEAST_ONE, help="Paid tries a take, at most.  [default: 2]"),
    click.option(
        "--on-unknown",
        type=click.Choice(["reconcile", "resubmit", "hold"]),
        help="When an answer is lost: look it up; also send again what left no trace; or ask at once."
        "  [default: reconcile]",
    ),
    click.option("--unknown-grace", type=DURATION, help="How long after a submit its log row would have to show."),
    click.option(
        "--trust-state",
        is_flag=True,
        help="Send although the provider's log cannot tell whether this state file is the newest.",
    ),
    click.option(
        "--moved",
        is_flag=True,
        help="The folder was last run on another machine, and is run on this one alone now.",
    ),
    click.option("--deadline", type=DURATION, help="Send nothing after this long; finish what runs."),
    click.option("--speed", type=click.FloatRange(min=0, min_open=True), help="Sandbox only: times faster than real."),
    click.option("--no-report", is_flag=True, help="Write no reports at the end."),
)


def _identity(command: F) -> F:
    for option in reversed(_IDENTITY):
        command = option(command)
    return command


def _run_options(command: F) -> F:
    for option in reversed(_RUN_OPTIONS):
        command = option(command)
    return command


# Of the flags that advice repeats these stand at their place in it already, or would keep a run from sending.
_TOLD_APART = ("output", "sandbox", "same_batch", "take_over", "renames", "buy_again", "offline")


@dataclass(frozen=True)
class _Asked:
    """The flags of a run, as click gives them."""

    yes: bool = False
    max_credits: int | None = None
    max_usd: Decimal | None = None
    only: tuple[str, ...] = ()
    limit: int | None = None
    order: str = First.LONGEST.value
    pilot: int | None = None
    submit_rate: float | None = None
    in_flight: int | None = None
    poll_rate: float | None = None
    downloads: int | None = None
    max_attempts: int | None = None
    on_unknown: str | None = None
    unknown_grace: float | None = None
    trust_state: bool = False
    moved: bool = False
    deadline: float | None = None
    speed: float | None = None
    no_report: bool = False
    sandbox: bool = False
    output: Path | None = None
    fresh: bool = False
    offline: bool = False
    faults: str | None = None
    same_batch: bool = False
    renames: tuple[tuple[str, str], ...] = ()
    take_over: bool = False
    buy_again: bool = False
    flags: tuple[str, ...] = ()

    @classmethod
    def of(cls, flags: dict[str, Any]) -> _Asked:
        written = written_flags(click.get_current_context(), _TOLD_APART)
        return cls(**{each.name: flags[each.name] for each in fields(cls) if each.name in flags}, flags=written)

    def options(self) -> RunOptions:
        if self.max_credits is not None and self.max_usd is not None:
            raise UsageInvalid("give --max-credits or --max-usd, not both")
        cap = credits_of_usd(self.max_usd) if self.max_usd is not None else self.max_credits
        if self.faults is not None and not self.sandbox:
            raise UsageInvalid("--faults is for the sandbox: add --sandbox")
        return RunOptions(
            output=self.output,
            sandbox=self.sandbox,
            speed=self.speed,
            max_credits=cap,
            only=self.only,
            limit=self.limit,
            first=First(self.order),
            pilot=self.pilot,
            is_agreed=self.yes,
            limits=Limits(self.submit_rate, self.in_flight, self.poll_rate, self.downloads, self.max_attempts),
            on_unknown=OnUnknown(self.on_unknown or OnUnknown.RECONCILE),
            unknown_grace_s=self.unknown_grace,
            trust_state=self.trust_state,
            is_moved=self.moved,
            deadline_s=self.deadline,
            fresh=self.fresh,
            offline=self.offline,
            makes_report=not self.no_report,
            sandbox_flags=("--faults", self.faults) if self.faults is not None else (),
            same_batch=self.same_batch,
            renames=self.renames,
            take_over=self.take_over,
            buy_again=self.buy_again,
            flags=self.flags,
        )


_OUTPUT = click.option(
    "-o", "--output", type=click.Path(path_type=Path, file_okay=False), help="[default: outputs/NAME]"
)
_SANDBOX = click.option(
    "--sandbox", is_flag=True, help="On the embedded sandbox: no key, no cost, real clips of slates."
)
_IDENTITY = (
    click.option(
        "--same-batch", is_flag=True, help="This manifest continues the batch in the folder that another one made."
    ),
    click.option(
        "--take-over",
        is_flag=True,
        help="For new shots use the takes with the same recipe that are in the folder under other ids; buy nothing.",
    ),
    click.option(
        "--rename",
        "renames",
        multiple=True,
        metavar="OLD=NEW",
        type=RENAME,
        help="Shot OLD of the folder is shot NEW of the manifest: its takes go with it; repeatable.",
    ),
    click.option(
        "--buy-again",
        is_flag=True,
        help="Buy takes although their recipes are there: under other ids, or in a folder beside.",
    ),
)
_MANIFEST = click.argument("manifest", type=click.Path(path_type=Path))


@click.command(
    "plan",
    cls=FlaggedCommand,
    epilog="\b\nExamples:\n  wanbatch plan shots.yaml\n  wanbatch plan shots.yaml --sandbox --only 'sc010_*'",
)
@_MANIFEST
@_OUTPUT
@_SANDBOX
@click.option("--only", multiple=True, metavar="GLOB", help="Only shots whose id matches; repeatable.")
@click.option("--limit", type=_AT_LEAST_ONE, help="Send at most this many takes.")
@click.option("--max-attempts", type=_AT_LEAST_ONE, help="Paid tries a take, at most: the worst case.  [default: 2]")
@click.option("--max-credits", type=click.IntRange(min=0), help="The cap to plan with.")
@click.option("--max-usd", type=USD, help="The same in USD.")
@_identity
@click.option("--offline", is_flag=True, help="Ask the provider nothing, not even for prices.")
@STRICT
@click.pass_obj
def plan_command(options: Global, /, manifest: Path, offline: bool, strict: bool, **flags: Any) -> int:  # noqa: FBT001
    """Show what a run of MANIFEST would do and cost. Sends nothing and writes nothing.

    Where the run would first ask which batch this is, or what becomes of takes that are there under other ids, the plan
    says what, and ends with 2, as the run does where nobody can answer.
    """
    asked = _Asked.of(flags)
    source = read_manifest(options, manifest, strict=strict)
    with Follower(options) as follower:
        session = session_of(asked.options(), follower.watch(lambda _: False), options.env_file)
        preview = asyncio.run(session.preview(source.batch(), offline=offline))
    if options.is_json:
        print_json({**preview_json(preview), "takes": takes_json(preview), **warnings_json(*source.warnings())})
    else:
        print_preview(console_of(options), preview, is_each_shown=options.verbosity > 0)
    if preview.refusal is not None:
        return int(preview.refusal[0])
    return int(ExitCode.USAGE if any(each.is_blocking for each in preview.questions) else ExitCode.OK)


@click.command(
    "run",
    cls=FlaggedCommand,
    epilog="\b\nExamples:\n  wanbatch run shots.yaml --max-usd 40\n  wanbatch run shots.yaml --pilot 5 --max-usd 40"
    "\n  wanbatch run shots.yaml --sandbox --speed 60"
    "\n  wanbatch run shots.csv --yes --only 'sc020_*'     (from cron: add -q)",
)
@_MANIFEST
@_OUTPUT
@_SANDBOX
@_run_options
@_identity
@click.option(
    "--fresh",
    is_flag=True,
    help="Begin anew where the state file of an earlier run is lost; what it bought is bought again.",
)
@click.option(
    "--offline", is_flag=True, help="Ask the provider nothing: of a finished batch, not even its log is read."
)
@click.option("--faults", metavar="NAME|FILE", help="A fault plan for the embedded sandbox.")
@STRICT
@click.pass_obj
def run_command(options: Global, /, manifest: Path, strict: bool, **flags: Any) -> int:  # noqa: FBT001
    """Plan, confirm, run and report MANIFEST. The same command resumes.

    Of a finished batch nothing is sent; the provider's log is read once, and a clip that was made twice is named.
    """
    return _run(options, read_manifest(options, manifest, strict=strict), _Asked.of(flags))


@click.command("demo", epilog="\b\nExample:\n  wanbatch demo")
@_OUTPUT
@click.option("--speed", type=click.FloatRange(min=0, min_open=True), help="Times faster than real.  [default: 60]")
@click.pass_obj
def demo_command(options: Global, /, output: Path | None, speed: float | None) -> int:
    """Make the six clips of the quick-start manifest on the embedded sandbox: no key, no network, no cost."""
    from wanbatch.manifest.schemas import example_path

    source = read_manifest(options, example_path("quickstart.yaml"), strict=False)
    return _run(options, source, _Asked(sandbox=True, yes=True, output=output, speed=speed))


def _run(options: Global, source: Manifest, asked: _Asked) -> int:
    warnings = warnings_json(*source.warnings())
    if asked.only and not any(is_selected(shot.id, asked.only) for shot in source.batch().shots):
        raise UsageInvalid(f"no shot of the manifest matches --only {' '.join(asked.only)}. Nothing was sent")
    with Follower(options) as follower:
        watch = follower.watch(
            lambda preview: _confirm(options, preview, is_agreed=asked.yes, more=warnings),
            _move,
            lambda question: _ask(options, question),
        )
        result = asyncio.run(session_of(asked.options(), watch, options.env_file).run(source))
    return _tell(options, result, source)


@click.command(
    "retry", epilog="\b\nExamples:\n  wanbatch retry\n  wanbatch retry outputs/dragon-pass --reason moderation --yes"
)
@click.argument("run", required=False, type=click.Path(path_type=Path, file_okay=False))
@click.option("--reason", metavar="TEXT", help="Only takes whose error holds this text.")
@_run_options
@click.pass_obj
def retry_command(options: Global, /, run: Path | None, reason: str | None, **flags: Any) -> int:
    """Run the failed takes of RUN again (the newest under outputs/ without one), then go on with the rest."""
    output = run if run is not None else newest_output(Path(OUTPUTS))
    asked = _Asked.of(flags)
    with Follower(options) as follower:
        watch = follower.watch(lambda preview: _confirm(options, preview, is_agreed=asked.yes), _move)
        result = asyncio.run(session_of(asked.options(), watch, options.env_file).retry(output, reason))
    return _tell(options, result)


@click.command(
    "retake",
    epilog="\b\nExamples:\n  wanbatch retake sc010_sh020\n  wanbatch retake outputs/dragon-pass sc010_sh020 sc020_sh010"
    " --takes 2 --note 'slower camera'\n  wanbatch retake sc010_sh020 --seed 4711 --later",
)
@click.argument("names", nargs=-1, required=True, metavar="[RUN] SHOT...")
@click.option("--takes", type=_AT_LEAST_ONE, default=1, show_default=True, help="New takes of each shot.")
@click.option("--seed", type=click.IntRange(0, SEED_MAX), help="Of the first new take; each further one adds 1.")
@click.option("--note", metavar="TEXT", default="", help="Why; it stands in the reports and the export.")
@click.option("--later", is_flag=True, help="Only plan them: the next `run` of the manifest buys them.")
@_run_options
@click.pass_obj
def retake_command(options: Global, /, names: tuple[str, ...], later: bool, **flags: Any) -> int:  # noqa: FBT001
    """Make new takes of each SHOT from its newest recipe with a new seed. The takes there are keep number and clip.

    To change the words of a shot, edit the manifest and `run` it instead.
    """
    output, shot_ids = split_run(names)
    if not shot_ids:
        raise UsageInvalid("name at least one shot")
    asked = _Asked.of(flags)
    if asked.only:
        raise UsageInvalid("--only is for other commands: name the shots themselves")
    retake = Retake(shot_ids, flags["takes"], flags["seed"], flags["note"].strip())
    if later:
        labels = plan_for_later(output, retake)
        if options.is_json:
            print_json({"output": str(output), "planned": labels})
        elif options.verbosity >= 0:
            what = "it" if len(labels) == 1 else "them"
            echo(f"planned {', '.join(labels)}: the next `wanbatch run` of the manifest buys {what}")
        return 0
    with Follower(options) as follower:
        watch = follower.watch(lambda preview: _confirm(options, preview, is_agreed=asked.yes), _move)
        result = asyncio.run(session_of(asked.options(), watch, options.env_file).retake(output, retake))
    return _tell(options, result)


def _ask(options: Global, question: Question) -> Answer:
    """Put a question to the person at the terminal; without one the run stops. `--yes` is no answer to it."""
    if not is_interactive():
        return Answer.STOP
    print_question(console_of(options, stderr=True), question)
    if question.take_over and click.confirm(visible(question.take_over), default=False, err=True):
        return Answer.TAKE_OVER
    if click.confirm(visible(question.asked), default=False, err=True):
        return Answer.GO_ON
    raise UsageInvalid("stopped before anything was written or sent; the commands above say how to go on")


def _confirm(
    options: Global, preview: Preview, *, is_agreed: bool, more: Mapping[str, Any] = MappingProxyType({})
) -> bool:
    """Show the plan; ask before money is spent, unless told not to.

    `more` goes into the JSON of the plan. `--yes` is the user's word for what was planned and for what follows a pilot.
    It is none for a price that turned out to be another: the rest then goes out only where it is known to stay within a
    cap.
    """
    console = console_of(options, stderr=True)
    if options.is_json:
        print_json({"event": "plan", **preview_json(preview), **more})
    elif options.verbosity >= 0:
        print_preview(console, preview, is_each_shown=options.verbosity > 0)
    if preview.is_sandbox or not preview.estimate.takes:
        return True
    if is_agreed:
        return preview.why is not Why.PRICE or preview.is_known_within_cap
    if not is_interactive():
        if preview.why is not Why.START:
            return False
        raise UsageInvalid("this run would be paid: confirm it with --yes (wanbatch cannot ask without a terminal)")
    balance = preview.balance_credits
    if balance is not None and balance < preview.estimate.credits:
        console.print("  The balance does not cover the estimate: the run will stop when it is spent.", style="yellow")
    takes = (
        f"{preview.estimate.takes} takes" if preview.why is Why.START else f"the other {preview.estimate.takes} takes"
    )
    return click.confirm(visible(f"Send {takes} to {preview.host}?"), default=False, err=True)


def _move(text: str) -> bool:
    """Ask whether a folder was moved here for good."""
    if not is_interactive():
        raise UsageInvalid(f"{text} If this machine alone runs it now, add --moved. Nothing was sent")
    return click.confirm(visible(f"{text} Does this machine alone run it now?"), default=False, err=True)


def _tell(options: Global, result: RunResult, manifest: Manifest | None = None) -> int:
    if options.is_json:
        print_json({"event": "end", **result_json(result)})
    elif options.verbosity >= 0 or result.exit_code:
        told = [*problems_of(result.output, limit=10, place_of=_places_in(manifest)), *_warnings_of(result.output)]
        print_result(console_of(options), result, told)
    return int(result.exit_code)


def _places_in(manifest: Manifest | None) -> Callable[[str], str]:
    """Return a function that tells where a manifest names a shot; it reads the manifest when it is first asked."""
    lines: dict[str, str] = {}

    def place_of(shot_id: str) -> str:
        if manifest is not None and not lines:
            with suppress(ManifestInvalid):  # changed meanwhile
                batch = manifest.batch()
                lines.update({shot.id: f"{batch.source} line {shot.line}" for shot in batch.shots if shot.line})
        return lines.get(shot_id, "")

    return place_of


def _warnings_of(output: Path) -> list[str]:
    """Return lines on the clips that somebody should look at, at most so many."""
    with StateReader.open(output) as reader:
        warned = reader.warned()
    lines = [f"look at {label}: {in_folder(warning, str(output))}" for label, warning in warned[:WARNINGS_TOLD]]
    if len(warned) > WARNINGS_TOLD:
        lines.append(
            f"... and at {len(warned) - WARNINGS_TOLD} more: the warnings in {output / 'reports' / 'takes.csv'}"
        )
    return lines
