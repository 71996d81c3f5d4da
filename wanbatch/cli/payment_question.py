"""The question before paying, and what is said with it: how far the caps reach, which defaults set the price."""

from __future__ import annotations

from rich.markup import escape

from wanbatch.money.credits import amount_text, partly_known, usd, usd_text
from wanbatch.money.currency import Currency
from wanbatch.money.defaulted import Defaulted
from wanbatch.money.reach import CapReach
from wanbatch.session.preview import Preview, Why
from wanbatch.units import agreeing, count_text

ROWS_SHOWN = 4


def question_text(preview: Preview) -> str:
    """Return the question before paying: takes, expected and worst cost, cap and balance."""
    reach, of = preview.reach, preview.reach.of
    is_cut = reach.takes < of and reach.is_known
    takes = f"{reach.takes} of {count_text(of, 'take')}" if is_cut else count_text(of, "take")
    if of and not reach.takes and reach.is_known:
        bounds = "; ".join(_bounds(preview, is_all_named=True))
        only = f"Continue, and only fetch what is under way at {preview.host}?"
        return f"Nothing can be sent under the caps ({bounds}). {only}"
    if preview.why is not Why.START:
        takes = f"{reach.takes} of the other {of} takes" if is_cut else f"the other {count_text(of, 'take')}"
    if preview.pilot is not None and preview.why is Why.START:
        takes = f"a pilot of {count_text(min(preview.pilot, reach.takes), 'take')} from {preview.host}"
        return f"Buy {takes}, then ask about the rest ({'; '.join(_bounds(preview, is_all_named=True))})?"
    cost = f"for {_about(reach.credits, preview)}{' of play money' if preview.is_play_money else ''}"
    unknown = "" if preview.estimate.is_worst_known else "+?"
    worst = f", at worst {usd_text(reach.worst)}{unknown}" if reach.worst > reach.credits or unknown else ""
    return f"Buy {takes} from {preview.host} {cost}{worst} ({'; '.join(_bounds(preview, is_all_named=is_cut))})?"


def _about(credit_count: int, preview: Preview) -> str:
    unpriced = preview.estimate.unpriced
    return f"{'' if unpriced else 'about '}{partly_known(credit_count, unpriced)}"


def _bounds(preview: Preview, *, is_all_named: bool) -> list[str]:
    """Name the cap, the scenes whose caps are too low, what all takes need, the balance and the defaults."""
    short = preview.reach.short_scenes
    parts = [_cap_text(preview), *map(_scene_cap_text, short[:ROWS_SHOWN])]
    if len(short) > ROWS_SHOWN:
        parts.append(f"the caps of {count_text(len(short) - ROWS_SHOWN, 'more scene')} are too low, too")
    if is_all_named:
        estimate = preview.estimate
        more = "+?" if estimate.unpriced else ""
        parts.append(f"all {estimate.takes:,} need {amount_text(usd(estimate.credits))}{more}")
    known = preview.balance_usd
    parts.append("balance unknown" if known is None else f"balance {amount_text(known)}")
    for each in preview.defaulted[:1]:
        count = sum(row.takes for row in preview.defaulted)
        what = f"defaults: {each.values}" if len(preview.defaulted) == 1 else "defaults"
        parts.append(f"{count_text(count, 'take')} {agreeing(count, 'use|uses')} the model's {what}")
    return parts


def _cap_text(preview: Preview) -> str:
    if preview.cap_credits is None:
        return "no cap"
    cap = f"cap {amount_text(usd(preview.cap_credits))}"
    if preview.before is None:
        return f"{cap}, of which an unknown part is committed"
    return f"{cap}, {amount_text(usd(preview.before))} of it committed" if preview.before else cap


def _scene_cap_text(each: CapReach) -> str:
    """Say that the cap of a scene is too low, and how high it would have to be."""
    cap = f"cap of scene {each.scene} {amount_text(usd(each.cap))}"
    if each.left is None:
        return f"{cap}, of which an unknown part is committed"
    return f"{cap}, it needs {amount_text(usd(each.needed))}{'+?' if each.unpriced else ''}"


def converted_estimate(preview: Preview, currency: Currency) -> str:
    """Say what a plan costs in another currency, marked as converted."""
    estimate, more = preview.estimate, "+?" if preview.estimate.unpriced else ""
    told = [
        f"{name} {currency.text(value)}{more if is_known else '+?'}"
        for name, value, is_known in (
            ("expected", estimate.credits, True),
            ("worst", estimate.worst, estimate.is_worst_known),
        )
    ]
    told += [] if preview.cap_credits is None else [f"cap {currency.text(preview.cap_credits)}"]
    return f"{currency.note}: {'; '.join(told)}"


def cap_lines(preview: Preview) -> list[str]:
    """Say of each cap what it covers on its own, and how far the run comes under all of them, as lines with markup."""
    reach, lines = preview.reach, []
    if reach.whole is not None:
        lines.append(f"cap {usd_text(reach.whole.cap)} for the whole batch{_shortfall(reach.whole)}")
    by_scene = {each.scene: each for each in reach.scenes}
    for scene, cap in preview.scene_caps.items():
        each = by_scene.get(scene)
        lines.append(f"cap of scene {escape(scene)}: {usd_text(cap)}{'' if each is None else _shortfall(each)}")
    if reach.short_scenes and reach.is_known:
        sent = f"{reach.takes} of {count_text(reach.of, 'take')}" if reach.takes else "nothing"
        lines.append(f"[yellow]under these caps {sent} will be sent[/yellow]")
    return lines


def _shortfall(each: CapReach) -> str:
    """Say which takes a cap leaves out, and how high it has to be for all of them; empty if it holds all."""
    if each.left is None:
        return "; [yellow]an unknown part of it is committed[/yellow]"
    if not each.is_short:
        return ""
    return f"; [yellow]{escape(_holds(each, each.left))}[/yellow]"


def _holds(each: CapReach, left: int) -> str:
    need = partly_known(each.needed, each.unpriced)
    every = "it" if each.of == 1 else "all"
    enough = f"{every} would need {need}" if each.unpriced else f"{need} would cover {every}"
    if each.takes:
        rest = _names_of(each.waiting) if each.scene else "the rest"
        return f"it covers {each.takes} of {count_text(each.of, 'take')}, and {rest} will wait; {enough}"
    under = "nothing of this scene will be sent" if each.scene else "nothing will be sent under it"
    if not left:
        return f"all of it is committed, so {under}; {enough}"
    what = f"{usd_text(left)} of it is left, and the next take ({each.waiting[0]}) costs {usd_text(each.price)}"
    return f"{what}, so {under}; {enough}"


def _names_of(takes: tuple[str, ...]) -> str:
    """Name some takes, a few of them if there are many."""
    more = len(takes) - ROWS_SHOWN
    named = takes if more <= 1 else (*takes[:ROWS_SHOWN], f"{more} more")
    return named[0] if len(named) == 1 else f"{', '.join(named[:-1])} and {named[-1]}"


def default_lines(preview: Preview) -> list[str]:
    """Name the defaults that set the price, and what 720p and 5 s would cost in their place."""
    lines = [_default_line(each) for each in preview.defaulted[:ROWS_SHOWN]]
    left = sum(each.takes for each in preview.defaulted[ROWS_SHOWN:])
    return [*lines, f"... and {count_text(left, 'take')} with other defaults"] if left else lines


def _default_line(each: Defaulted) -> str:
    model = escape(each.price_class.model.split("/")[-1])
    verb, them = ("is the default", "it") if len(each.names) == 1 else ("are defaults", "them")
    takes = f"{count_text(each.takes, 'take')} for {_in_all(each.credits, each.takes)}"
    line = f"{each.values} {verb} of {model}: the manifest does not set {them} ({takes})"
    if each.smaller is None:
        return line
    return f"{line}; {each.smaller_values} would cost {_in_all(each.smaller_credits, each.takes)}"


def _in_all(credits_each: int | None, takes: int) -> str:
    return "an unknown amount" if credits_each is None else usd_text(credits_each * takes)
