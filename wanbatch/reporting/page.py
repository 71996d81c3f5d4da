"""The pages: how they are rendered, and the report. Offline, everything from outside escaped."""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from wanbatch.batch.lifecycle import State, state_words
from wanbatch.batch.progress import NO_PLAN, NO_PLAN_WHY
from wanbatch.batch.take import Take
from wanbatch.money.credits import charged_text, difference_text, partly_known, usd_text
from wanbatch.money.spending import OUTSIDE_WORDS, left_out_words, replaced_words
from wanbatch.reporting.amounts import (
    UNSEEN,
    amount_of,
    charged_so_far,
    figure_of,
    levels_of,
    paid_amounts,
    price_of,
    variance_amounts,
)
from wanbatch.reporting.meanings import COST_WORDS, meanings
from wanbatch.reporting.run_ends import end_lines
from wanbatch.text import visible
from wanbatch.units import count_text, duration_text, local_text

if TYPE_CHECKING:  # a preview has no book, and need not load pandas
    from wanbatch.reporting.book import Book

ROWS_SHOWN = 500
ALIGNED = 4  # decimals: a price of a clip has no more as a rule
PLOT_SOURCES = "'self' file:"  # `file:` is a page opened by double click, 'self' one that is served


def _credits(value: float | None) -> str:
    return "unknown" if value is None else f"{int(value):,}"


def _usd(value: float | None) -> str:
    return "unknown" if value is None else usd_text(int(value))


def _percent(share: float | None) -> str:
    return UNSEEN if share is None else f"{share * 100:.0f}%"


def _counted(number: int, state: str) -> str:
    """Write takes by state: `5 verified`; what is omitted are shots, not takes."""
    return f"{count_text(number, 'shot')} {state}" if state == "omitted" else f"{number} {state_words(state)}"


def _rate(value: float | None) -> str:
    return UNSEEN if value is None else f"{value:.4f}"


def _number(value: float | None) -> str:
    return "unknown" if value is None else f"{value:,.1f}".removesuffix(".0")


def _coded(text: str) -> Markup:
    """Escape a text and set its options and what is between backticks as code.

    A word with a hyphen is an element of its own: no line ends within a flag while there is room for it.
    """
    escaped = str(escape(visible(text)))
    return Markup(re.sub(r"`([^`]*)`|(?<!\S)(--[a-z-]+)", _code, escaped))  # noqa: S704  escaped


def _code(found: re.Match[str]) -> str:
    words = re.sub(r"[^ ]*-[^ ]*", r"<span>\g<0></span>", found[1] or found[2] or "")
    return f"<code>{words}</code>"


def _named(text: str) -> Markup:
    """Escape an id and let it break where its parts end, and nowhere else while there is room for a part."""
    return Markup(re.sub(r"([_/-]+)(?=.)", r"\1<wbr>", str(escape(visible(text)))))  # noqa: S704  escaped


def _aligned(amount: str) -> Markup:
    """Give an amount of few decimals the width of the others: in a column, the points are below each other."""
    found = re.match(r"-?[\d,]+\.(\d+)$", amount)
    text = escape(amount)
    if amount == UNSEEN:
        return Markup(f'<span class="d2">{text}</span>')  # noqa: S704  escaped
    return Markup(f'<span class="d{len(found[1])}">{text}</span>') if found and len(found[1]) < ALIGNED else text  # noqa: S704


def _headline(amount: str) -> Markup:
    """Set what is unknown of an amount below it and smaller: a card has room for the amount alone."""
    known, mark, unknown = amount.partition(" + unknown")
    return Markup("{}<small>{}{}</small>").format(known, mark, unknown) if mark else escape(amount)


def _minute(at: str) -> str:
    """Write `2026-03-02T07:30:00.000Z` by this machine's clock, such as `2026-03-02 08:30 CET`."""
    return local_text(datetime.fromisoformat(at))


def _json(value: object) -> Markup:
    """Write JSON for a script element: no character of it can end the element or begin a comment."""
    text = json.dumps(value, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return Markup(text)  # noqa: S704  escaped


def _in_order(rows: Sequence[Mapping[str, Any]]) -> list[tuple[str, list[Mapping[str, Any]]]]:
    """Group rows by their level, as they come."""
    return [(level, list(mine)) for level, mine in groupby(rows, lambda row: str(row["level"]))]


def _by_need(needs: Sequence[Mapping[str, Any]]) -> list[tuple[str, int, list[tuple[str, list[Mapping[str, Any]]]]]]:
    """Group what needs the user by state, with the number of takes, and what is in each state by cure, as it comes."""
    found = []
    for state, group in groupby(needs, lambda each: str(each["state"])):
        mine = list(group)
        cures = [(todo, list(same)) for todo, same in groupby(mine, lambda each: str(each["todo"]))]
        found.append((state, sum(each["count"] for each in mine), cures))
    return found


def _sentence(text: str) -> str:
    """Begin with a capital letter, unless an id comes first."""
    return text[:1].upper() + text[1:] if text.partition(" ")[0].isalpha() else text


def _link(path: str) -> str:
    return quote(path)


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("wanbatch.reporting"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals |= {"cost_words": COST_WORDS, "no_plan": NO_PLAN, "no_plan_why": NO_PLAN_WHY}
    environment.filters |= {
        "visible": visible,
        "named": _named,
        "credits": _credits,
        "state_words": state_words,
        "usd": _usd,
        "partly_known": partly_known,
        "charged": charged_text,
        "paid_amounts": paid_amounts,
        "number": _number,
        "amount": amount_of,
        "aligned": _aligned,
        "headline": _headline,
        "price": price_of,
        "counted": _counted,
        "sentence": _sentence,
        "by_need": _by_need,
        "end_lines": end_lines,
        "difference": difference_text,
        "in_order": _in_order,
        "variance_amounts": variance_amounts,
        "figure_amount": figure_of,
        "charged_so_far": charged_so_far,
        "percent": _percent,
        "rate": _rate,
        "plural": count_text,
        "coded": _coded,
        "minute": _minute,
        "duration": duration_text,
        "link": _link,
        "json": _json,
    }
    return environment


def page(
    template: str, *, sheet: str = "style.css.j2", script: str = "", has_plots: bool = False, **values: Any
) -> str:
    """Render a page whose policy lets nothing run or show but its own style, its own script and files beside it.

    Plots need more: plotly's file beside the page, for which no hash is accepted where a page is opened from a disk;
    and styles, which plotly sets on what it draws. Nothing of either can send anything anywhere.
    """
    environment = _environment()
    style = environment.get_template(sheet).render()
    code = environment.get_template(script).render() if script else ""
    styles = "'unsafe-inline'" if has_plots else f"'sha256-{_digest(style)}'"
    codes = f"script-src 'sha256-{_digest(code)}'{' ' + PLOT_SOURCES if has_plots else ''}; " if code else ""
    policy = (
        f"default-src 'none'; style-src {styles}; {codes}"
        "img-src 'self' file: data:; media-src 'self' file:; base-uri 'none'; form-action 'none'"
    )
    own = {"style": Markup(style), "script": Markup(code)}  # noqa: S704  files of ours, without any text from outside
    return environment.get_template(template).render(policy=policy, **own, **values) + "\n"


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()


def render_report(book: Book, facts: Mapping[str, Any], costs: Mapping[str, Any], workbook: str = "") -> str:
    """Render `reports/report.html`; `facts` is what `summary.json` holds, `costs` what `costs.json` does.

    `workbook` is the name of the file beside it, if there is one.
    """
    from wanbatch.reporting.charts import figures_of, headlines
    from wanbatch.reporting.record import values_of

    summary, takes = list(facts["summary"]), book.record.takes
    rows, states = summary[1:], takes.loc[book.is_asked_for, "state"].tolist()
    figures = figures_of(book, facts)
    return page(
        "report.html.j2",
        script="report.js",
        has_plots=bool(figures),
        facts=facts,
        costs=costs,
        workbook=workbook,
        levels=levels_of(costs["levels"]),
        batch=summary[0],
        whole=costs["levels"][0],
        outside=OUTSIDE_WORDS,
        remaining=costs["progress"][0]["remaining"],
        groups=[
            (level, [row for row in rows if row["level"] == level]) for level in dict.fromkeys(r["level"] for r in rows)
        ],
        takes=values_of(Take, takes.assign(credits_held=book.held_by_take).head(ROWS_SHOWN)),
        in_cut=frozenset(takes.loc[book.is_chosen, "take_id"].tolist()),
        of_left_out=frozenset(takes.loc[book.is_of_shot_left_out & ~takes["superseded"], "take_id"].tolist()),
        notes=[
            each
            for each in (replaced_words(int(book.is_replaced.sum())), left_out_words(int(book.is_left_out.sum())))
            if each
        ],
        hidden=max(0, len(takes) - ROWS_SHOWN),
        speeds=speeds_of(facts),
        figures=figures,
        headlines=headlines(takes, book.record.attempts),
        timings=("queued", "generating", "download", "total"),
        meanings=meanings(facts["counts"]),
        done=_done_words(states, facts["counts"]),
    )


def _done_words(asked: Sequence[str], counts: Mapping[str, int]) -> str:
    """Say how many of the takes that are asked for are verified, by their states; without a plan there are none."""
    if not asked:
        return "none asked for" if counts else NO_PLAN
    return f"{asked.count(State.VERIFIED.value):,} of {len(asked):,}"


def render_combined(costs: Mapping[str, Any], workbook: str = "") -> str:
    """Render the cost report of several batches; `workbook` is the name of the file beside it, if there is one."""
    return page(
        "combined.html.j2", costs=costs, workbook=workbook, levels=levels_of(costs["levels"]), meanings=meanings(())
    )


def speeds_of(facts: Mapping[str, Any]) -> str:
    """Say how many times faster than real time these runs were; empty for real time."""
    return " and ".join(f"{speed:g}" for speed in sorted({run["speed"] for run in facts["runs"]} - {1}))
