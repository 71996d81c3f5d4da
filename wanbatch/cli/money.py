"""Money as people read it: what a run would cost, what a pilot showed, on any screen."""

from __future__ import annotations

from typing import Any

from rich.console import Console
from rich.markup import escape

from wanbatch.batch.given_files import Files
from wanbatch.batch.plan import Cause
from wanbatch.cli.account import usd_or_unknown
from wanbatch.cli.chains import chains_json, print_chains
from wanbatch.cli.given_files import file_lines, files_json
from wanbatch.cli.grid import PLAY_MARK, Grid, say
from wanbatch.cli.payment_question import cap_lines, default_lines
from wanbatch.cli.shots import print_takes
from wanbatch.money.credits import (
    amount_text,
    money_text,
    partly_known,
    usd,
    usd_text,
)
from wanbatch.money.defaulted import Defaulted
from wanbatch.money.prices import UNKNOWN_QUOTE, Estimate
from wanbatch.provider.remarks import Weight
from wanbatch.runner.settings import OnUnknown
from wanbatch.session.folder_questions import Question
from wanbatch.session.pilot import Findings, pilot_of
from wanbatch.session.preview import Preview, Why
from wanbatch.units import count_text, duration_text

SCENES_SHOWN = 30
_REMARK_STYLES = {Weight.REFUSAL: "red", Weight.WARNING: "yellow", Weight.NOTE: "dim"}
_GROUP_WORDS = {"stale": "superseded", "again": "to be sent again"}  # the name in JSON is older than the word
_FIGURES = ("USD\nlow", "USD\nexpected", "USD\nworst", "credits\nexpected")


def preview_json(preview: Preview) -> dict[str, Any]:
    """Return a plan as JSON values. Credits are whole numbers, null where unknown; USD are exact, as text."""
    return {
        "batch": preview.batch,
        "output": str(preview.output),
        "provider": preview.host,
        "sandbox": preview.is_play_money,
        "why": preview.why.value,
        "counts": dict(preview.counts),
        **files_json(_files_of(preview)),
        "to_submit": [
            {
                "model": each.model,
                "resolution": each.resolution,
                "duration_s": each.duration_s,
                "takes": takes,
                "credits_each": preview.quotes[each].credits,
                "credits_each_low": preview.quotes[each].low,
                "credits_each_high": preview.quotes[each].high,
                "price_from": preview.quotes[each].source,
                "price_not_listed_because": preview.quotes[each].why or None,
            }
            for each, takes in preview.to_submit.items()
        ],
        "estimate": _estimate_json(preview.estimate),
        "scenes": [{"scene": scene, **_estimate_json(each)} for scene, each in preview.scenes.items()],
        "tries": preview.tries,
        "credits_before": preview.before,
        "cap_credits": preview.cap_credits,
        "scene_caps": dict(preview.scene_caps),
        "within_caps": _reach_json(preview),
        "defaults": [_default_json(each) for each in preview.defaulted],
        "balance_usd": None if preview.balance_usd is None else str(preview.balance_usd),
        "fallbacks": [
            {
                "model": each.price_class.model,
                "takes": each.takes,
                "takes_at_once": each.left,
                "credits_worst": each.worst,
                "defaults": each.defaults or None,
            }
            for each in preview.fallbacks
        ],
        **chains_json(preview),
        "remarks": [{"weight": each.weight.value, "text": each.text} for each in preview.remarks],
        "lost_answers": preview.lost,
        "on_unknown": preview.on_unknown.value,
        "questions": [_question_json(each) for each in preview.questions],
        "findings": None if preview.findings is None else _findings_json(preview.findings),
    }


def _reach_json(preview: Preview) -> dict[str, Any]:
    """How many takes fit under the caps, for what; null while nothing says how much of a cap is left."""
    reach = preview.reach
    known = {"takes": reach.takes, "credits": reach.credits, "worst": reach.worst}
    return {
        **(known if reach.is_known else dict.fromkeys(known)),
        "scenes": [{name: getattr(each, name) for name in _SCENE_CAP} for each in reach.scenes],
    }


_SCENE_CAP = ("scene", "cap", "takes", "of", "needed")


def _default_json(each: Defaulted) -> dict[str, Any]:
    return {
        "model": each.price_class.model,
        "parameters": list(each.names),
        "values": each.values,
        "takes": each.takes,
        "credits_each": each.credits,
        "smaller": each.smaller_values or None,
        "smaller_credits_each": each.smaller_credits,
    }


def _question_json(question: Question) -> dict[str, Any]:
    return {
        "kind": question.kind.value,
        "blocking": question.is_blocking,
        "flag": question.flag,
        "lines": [*question.lines, *question.remedies],
        "takes": [{"take": take, "there": there} for take, there in question.pairs],
    }


def _estimate_json(estimate: Estimate) -> dict[str, Any]:
    """A figure is null while a part of it has no price; `known` holds the sum of the rest."""

    def is_whole(name: str) -> bool:
        return not estimate.unpriced and (name != "worst" or estimate.is_worst_known)

    known = {"low": estimate.low, "credits": estimate.credits, "worst": estimate.worst}
    return {
        **{name: value if is_whole(name) else None for name, value in known.items()},
        "usd": {name: str(usd(value)) if is_whole(name) else None for name, value in known.items()},
        "known": known,
        "takes": estimate.takes,
        "unpriced_takes": estimate.unpriced,
    }


def _unmet(preview: Preview) -> str:
    """Say how many models a pilot is too small for; empty if it has a take of each."""
    models = len({each.model for each in preview.to_submit})
    if preview.pilot is None or preview.pilot >= models:
        return ""
    return f", too few for {models} models: --pilot {models} sends a take of each"


def _findings_json(findings: Findings) -> dict[str, Any]:
    rows = [
        {**vars(each), "price_class": str(each.price_class), "mean_s": each.mean_s and round(each.mean_s, 1)}
        for each in findings.classes
    ]
    return {"classes": rows, "charges_not_seen": findings.charges_not_seen, "rest_s": findings.rest_s}


def print_preview(console: Console, preview: Preview, *, is_each_shown: bool = False) -> None:
    """Print a plan: what would be sent, what it costs (also by scene), and what exists already."""
    if preview.findings is not None:
        _print_findings(console, preview)
    mark = PLAY_MARK if preview.is_play_money else ""
    say(
        console,
        f"[bold]{escape(preview.batch)}[/bold] → {escape(str(preview.output))}   ({escape(preview.host)}){mark}",
    )
    for question in preview.questions:
        print_question(console, question)
        if question.is_blocking:
            say(
                console,
                "  The run will ask about this first; without a terminal it stops with exit code 2.",
                style="yellow",
            )
    counts = ", ".join(_count_text(name, number) for name, number in preview.counts.items())
    say(console, f"  {counts or 'no takes'}")
    print_takes(console, preview, is_each=is_each_shown)
    print_chains(console, preview)
    for line in file_lines(_files_of(preview)):
        say(console, f"    {escape(line)}", style="dim")
    if preview.to_submit:
        _classes_grid(preview).show(console)
        _print_reasons(console, preview)
        _scenes_grid(preview).show(console)
        if preview.estimate.unpriced:
            expected = partly_known(preview.estimate.credits, preview.estimate.unpriced)
            say(console, f"  [yellow]+? leaves out an unknown price; expected: {expected}[/]")
    for line in _estimate_lines(preview):
        say(console, f"  {line}")
    for remark in preview.remarks:
        say(console, f"  {escape(remark.text)}", style=_REMARK_STYLES[remark.weight])
    if preview.speed != 1 and preview.to_submit:
        say(console, f"  the sandbox runs {preview.speed:g} times faster than real time", style="dim")


def _files_of(preview: Preview) -> Files:
    """Return the files that a manifest gives to shots."""
    return {} if preview.plan is None else preview.plan.files or {}


def _count_text(group: str, number: int) -> str:
    """Say how many takes of a group there are: `2 new`, `1 retake`, `3 superseded`."""
    return count_text(number, group) if group == Cause.RETAKE.value else f"{number} {_GROUP_WORDS.get(group, group)}"


def _classes_grid(preview: Preview) -> Grid:
    """Lay out what is to be sent by what its price depends on."""
    grid = Grid(("to send", "takes", "USD each", "USD", "credits", "price from"), left=(0, 5))
    for each, takes in preview.to_submit.items():
        price = preview.quotes[each].credits
        money = ("-", "-") if price is None else (usd_or_unknown(price * takes), f"{price * takes:,}")
        grid.add(escape(str(each)), str(takes), usd_or_unknown(price), *money, escape(preview.quotes[each].source))
    return grid


def _print_reasons(console: Console, preview: Preview) -> None:
    """Say why the provider's list gives no price; classes with the same reason share a line."""
    reasons: dict[tuple[str, str], list[str]] = {}
    for each in preview.to_submit:
        quote = preview.quotes[each]
        if quote.credits is None or quote.why:
            reasons.setdefault((quote.source, quote.why or "no source gives one"), []).append(str(each))
    for (source, why), names in reasons.items():
        reported = "price unknown" if source == UNKNOWN_QUOTE.source else f"price from {source}"
        say(console, escape(f"  {', '.join(names)}: {reported}; {why}"), style="yellow")
    if any(preview.quotes[each].credits is None for each in preview.to_submit):
        say(console, "  with a cap (--max-usd) wanbatch sends the first take alone and learns", style="yellow")
        say(console, "  the price from its answer; --pilot N shows it before the rest is sent", style="yellow")


def print_question(console: Console, question: Question) -> None:
    """Print the question that a run asks before it writes or buys anything."""
    for line in (*question.lines, *question.remedies):
        say(console, escape(f"  {line}"), style="yellow" if question.is_blocking else "dim")


def _scenes_grid(preview: Preview) -> Grid:
    """Lay out the range of the costs, by scene if there are several."""
    shown = list(preview.scenes.items()) if len(preview.scenes) > 1 else []
    rows = [(escape(scene) or "(none)", each) for scene, each in shown[:SCENES_SHOWN]]
    if len(shown) > SCENES_SHOWN:
        rest = sum((each for _, each in shown[SCENES_SHOWN:]), Estimate(0, 0, 0))
        rows.append((f"{len(shown) - SCENES_SHOWN} more", rest))
    grid = Grid(("scene" if shown else "", "takes", *_FIGURES))
    for name, each in rows:
        grid.add(name, *_figures(each))
    grid.add("total", *_figures(preview.estimate), style="bold" if shown else None)
    return grid


def _figures(each: Estimate) -> list[str]:
    """Write the takes and each of the figures."""
    if each.unpriced == each.takes and each.takes:
        return [str(each.takes), "unknown", *("-" for _ in _FIGURES[1:])]
    more = "+?" if each.unpriced else ""
    low, expected, worst = (f"{usd_or_unknown(amount)}{more}" for amount in (each.low, each.credits, each.worst))
    worst += "" if each.is_worst_known or more else "+?"
    return [str(each.takes), low, expected, worst, f"{each.credits:,}{more}"]


def _estimate_lines(preview: Preview) -> list[str]:
    estimate = preview.estimate
    lines = [*_fallback_lines(preview), *_lost_lines(preview)]
    if not estimate.takes:
        return ["nothing to send", *lines]
    if preview.tries > 1:
        more = f", and {preview.tries} more times with its fallback" if preview.fallbacks else ""
        used = sum(each.tries > 0 for each in preview.takes)
        more += f"; minus the tries that {count_text(used, 'take')} used before" if used else ""
        lines.append(
            f"worst: each take bought {preview.tries} times (--max-attempts), at the highest known price{more}"
        )
    if preview.before:
        lines.append(f"committed so far: {money_text(preview.before)}")
    elif preview.before is None:
        lines.append("[yellow]some takes that were sent before have an unknown cost[/yellow]")
    lines += cap_lines(preview)
    if preview.balance_usd is not None:
        lines.append(f"balance {amount_text(preview.balance_usd)} USD{_balance_text(preview)}")
    if preview.pilot is not None and preview.why is Why.START:
        takes = len(pilot_of(preview.takes, preview.pilot))
        whole = ", because chains are not split" if takes > preview.pilot else ""
        lines.append(f"a pilot of {count_text(takes, 'take')} is sent first{whole}{_unmet(preview)}")
    return [*lines, *default_lines(preview)]


def _fallback_lines(preview: Preview) -> list[str]:
    """Say which takes may go on with another model, and what that may cost beside the estimate."""
    lines = []
    for each in preview.fallbacks:
        worst = "at a price that is unknown" if each.worst is None else f"up to {money_text(each.worst)} more"
        left = f", {each.left} of them immediately" if each.left else ""
        takes = f"{count_text(each.takes, 'take')} may go on with {each.price_class.model}{left}"
        lines.append(escape(f"fallback: {takes}, {worst}, if the first model makes nothing and costs nothing"))
        if each.defaults:
            verb, them = ("is the default", "it") if len(each.unwritten) == 1 else ("are defaults", "them")
            why = f"neither the shot nor the fallback sets {them}"
            lines.append(escape(f"{each.defaults} {verb} of {each.price_class.model}: {why}"))
    return lines


def _lost_lines(preview: Preview) -> list[str]:
    """Say what is done about lost answers, if there are any or the user decided about them in advance."""
    is_decided = preview.on_unknown is OnUnknown.RESUBMIT
    if not preview.lost:
        return ["takes with lost answers and no trace are sent again (--on-unknown resubmit)"] if is_decided else []
    after = {
        OnUnknown.RECONCILE: "looked up; those without a trace are held for your decision",
        OnUnknown.RESUBMIT: f"looked up; up to {preview.lost} without a trace are sent again, on top of the above",
        OnUnknown.HOLD: "held for your decision",
    }
    return [f"[yellow]{count_text(preview.lost, 'take')} with a lost answer: {after[preview.on_unknown]}[/yellow]"]


def _balance_text(preview: Preview) -> str:
    balance = preview.balance_credits
    if balance is None or balance >= preview.estimate.worst:
        return ""
    if balance < preview.estimate.credits:
        missing = usd_text(preview.estimate.credits - balance)
        return f"; [red]the balance is below the expected cost by {missing}[/red]"
    return "; it covers the expected cost, not the worst case"


def _print_findings(console: Console, preview: Preview) -> None:
    findings = preview.findings
    assert findings is not None
    say(console, "[bold]result of the pilot[/bold]" if preview.why is Why.PILOT else "[bold]so far[/bold]")
    grid = Grid(("per take", "verified", "USD\nexpected", "USD\nset aside", "USD\ncharged", "time"))
    for each in findings.classes:
        money = (usd_or_unknown(each.expected), usd_or_unknown(each.held), usd_or_unknown(each.charged))
        verified = f"{each.verified} of {each.takes}"
        grid.add(escape(str(each.price_class)), verified, *money, duration_text(each.mean_s))
    grid.show(console)
    if findings.charges_not_seen:
        say(console, f"  {count_text(findings.charges_not_seen, 'possible charge')} not in the ledger yet")
    if findings.rest_s is not None:
        say(console, f"  the rest will need about {duration_text(findings.rest_s / preview.speed)}")
