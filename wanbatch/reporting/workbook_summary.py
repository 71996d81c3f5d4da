"""The first sheet of the workbook: what a batch was to cost and will cost, by scene, and how to go on with it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wanbatch.money.credits import usd
from wanbatch.money.spending import OUTSIDE_WORDS
from wanbatch.reporting.meanings import COST_WORDS
from wanbatch.reporting.run_ends import end_lines
from wanbatch.units import count_text

SUMMARY = "summary"
TAKES_NAMED = 10
_SCENE_SUMS = (
    "charged",
    "at_risk",
    "committed",
    "to_complete",
    "final",
    "in_cut",
    "outside_cut",
    "baseline",
    "variance",
)


@dataclass(frozen=True)
class Row:
    """One line of the summary: a label and an amount in credits, or a text. `unknown` says what is not in the amount.

    A `sum_of` rows above it is a total. A heading has neither amount nor text; `has_amounts` if lines below it do.
    """

    label: str
    credits: int | None = None
    unknown: str = ""
    text: str = ""
    sum_of: int = 0
    is_heading: bool = False
    has_amounts: bool = True


def summary_rows(facts: Mapping[str, Any], batch: str) -> Iterator[Row]:
    """Yield the lines of one batch; `facts` is what `costs.json` holds."""
    whole = _level(facts, "batch", batch)[0]
    progress = next(each for each in facts["progress"] if each["batch"] == batch)
    yield Row(batch, is_heading=True)
    yield from _baseline_rows(facts, batch)
    yield from _committed_rows(whole, progress)
    yield Row("What the charges paid for", is_heading=True)
    outside = [(words, whole[f"{name}_credits"]) for name, words in OUTSIDE_WORDS.items() if whole[f"{name}_credits"]]
    yield _paid("in the cut", whole["in_cut_credits"])
    for words, amount in outside:
        yield Row(f"outside the cut: {words}", amount)
    yield _charged(whole, sum_of=1 + len(outside))
    yield Row("What needs your attention, why takes wait, and what to do next", is_heading=True, has_amounts=False)
    for text in how_to_go_on(progress):
        yield Row("", text=text)


def _rows_of_all(facts: Mapping[str, Any]) -> Iterator[Row]:
    """Yield the lines of all batches together. Caps do not add up."""
    whole = facts["levels"][0]
    yield Row("all batches", is_heading=True)
    if not facts["without_baseline"]:
        unpriced = sum(each["unpriced_takes"] for each in facts["baselines"])
        yield Row(
            "baseline: all first confirmed plans",
            sum(each["known_credits"] for each in facts["baselines"]),
            _takes(unpriced),
        )
    unknown = whole["takes_of_unknown_cost"] + whole["takes_of_unknown_price"]
    yield Row("final cost", whole["final_known_credits"], _takes(unknown))
    yield _charged(whole)
    yield _at_risk(whole)
    yield Row("committed", whole["committed_known_credits"], _takes(whole["takes_of_unknown_cost"]), sum_of=2)
    waiting = sum(each["remaining"]["takes"] for each in facts["progress"])
    label = f"still to be sent: {count_text(waiting, 'take')}"
    yield Row(label, whole["to_complete_known_credits"], _takes(whole["takes_of_unknown_price"]))
    yield _paid("in the cut", whole["in_cut_credits"])
    yield _paid("outside the cut", whole["outside_cut_credits"])


def _baseline_rows(facts: Mapping[str, Any], batch: str) -> Iterator[Row]:
    baseline = next((each for each in facts["baselines"] if each["batch"] == batch), None)
    if baseline is None:
        why = next(each["why"] for each in facts["without_baseline"] if each["batch"] == batch)
        yield Row("baseline", text=f"none: {why}")
        return
    label = f"baseline: the first confirmed plan, {count_text(baseline['takes'], 'take')}"
    yield Row(label, baseline["known_credits"], _takes(baseline["unpriced_takes"]))
    for part in baseline["variance"]:
        yield Row(part["words"], part["credits"], _takes(part["unknown_takes"]))
    unknown, parts = _takes(baseline["unknown_takes"]), len(baseline["variance"])
    yield Row("final cost", baseline["final_known_credits"], unknown, sum_of=1 + parts)


def _committed_rows(whole: Mapping[str, Any], progress: Mapping[str, Any]) -> Iterator[Row]:
    remaining = progress["remaining"]
    yield Row("Committed so far", is_heading=True)
    yield _charged(whole)
    yield _at_risk(whole)
    yield Row("committed", whole["committed_known_credits"], _takes(whole["takes_of_unknown_cost"]), sum_of=2)
    label = f"still to be sent: {count_text(remaining['takes'], 'take')}"
    yield Row(label, remaining["known_credits"], _takes(remaining["unpriced_takes"]))
    if remaining["failed_takes"]:
        label = "not in the final cost: another try of what failed"
        yield Row(label, remaining["failed_known_credits"], _takes(remaining["failed_unpriced_takes"]))
        label = "to finish all shots: the final cost plus the row above"
        yield Row(label, remaining["finish_known_credits"], _takes(remaining["finish_unknown_takes"]))
    if remaining["cap"] is not None:
        yield Row("cap", remaining["cap"])
        yield Row("cap less committed", remaining["cap_left"], "" if remaining["cap_left"] is not None else "unknown")


def _charged(whole: Mapping[str, Any], sum_of: int = 0) -> Row:
    """Return the line of what was charged, with the charges that were not seen yet beside it."""
    unseen = whole["charges_not_seen"]
    words = f"and {count_text(unseen, 'possible charge')} not in the provider's ledger yet" if unseen else ""
    known = whole["charged_known_credits"]
    return Row("charged", known if known or not unseen else None, words, sum_of=sum_of)


def _at_risk(whole: Mapping[str, Any]) -> Row:
    return Row(
        "at risk: it may still be charged", whole["at_risk_known_credits"], _takes(whole["takes_of_unknown_cost"])
    )


def _paid(label: str, amount: int | None) -> Row:
    return Row(label, amount, "" if amount is not None else "unknown: its charge is not in the provider's ledger yet")


def how_to_go_on(progress: Mapping[str, Any]) -> list[str]:
    """Say what needs the user, what is at risk, how the last run ended, why takes wait, and which command goes on."""
    remaining = progress["remaining"]
    texts = [
        *(_need(each) for each in progress["needs"]),
        progress["at_risk_words"],
        progress["unfetched_words"],
        f"still to be sent: {remaining['words']}" if remaining["takes"] else "",
        *end_lines(progress),
        remaining["failed_words"],
        *progress["next"],
        "" if _is_anything_left(progress) else "nothing is left to do",
    ]
    return [each.replace("`", "") for each in texts if each]


def _is_anything_left(progress: Mapping[str, Any]) -> bool:
    """Say whether a run goes on, something needs the user, or a run has something to do."""
    is_told = progress["needs"] or progress["next"] or progress["at_risk_words"] or progress["unfetched_words"]
    remaining, last = progress["remaining"], progress["last_run"]
    is_well = last is None or last["exit_code"] == 0
    return bool(is_told or remaining["takes"] or remaining["failed_words"]) or not is_well


def _need(need: Mapping[str, Any]) -> str:
    """Say what is wrong with some takes, and what can be done."""
    takes, count = need["takes"], need["count"]
    names = ", ".join(takes[:TAKES_NAMED]) + (f" and {count - TAKES_NAMED} more" if count > TAKES_NAMED else "")
    cause = need["cause"].removesuffix(".")
    todo = f". {need['todo']}" if need["todo"] else ""
    return f"{count} {need['state']} ({names}): {cause}{todo}".replace("`", "")


def scene_rows(facts: Mapping[str, Any], batch: str) -> list[tuple[str, list[int | None]]]:
    """Return each scene of a batch with its amounts in credits, by SCENE_HEADINGS; none if it has no scenes."""
    return [
        (row["key"] or "(none)", [row[f"{name}_credits"] for name in _SCENE_SUMS])
        for row in _level(facts, "scene", batch)
    ]


SCENE_HEADINGS = tuple(COST_WORDS[name] for name in _SCENE_SUMS)


def _level(facts: Mapping[str, Any], level: str, batch: str) -> list[Mapping[str, Any]]:
    return [row for row in facts["levels"] if row["level"] == level and row["batch"] == batch]


def _takes(count: int) -> str:
    return f"and {count} of unknown cost" if count else ""


def write_summary(sheet: Any, facts: Mapping[str, Any], formats: Any) -> None:
    """Write the sheet: the lines of each batch, then its scenes, in USD with credits beside."""
    sheet.set_column(0, 0, 52)
    sheet.set_column(1, 2 + len(SCENE_HEADINGS), 16)
    if facts["sandbox"]:
        sheet.set_header("&CSANDBOX: play money")
    mark = "SANDBOX: play money. " if facts["sandbox"] else ""
    sheet.write_string(0, 0, f"{mark}Made at {facts['made_at']}; wanbatch report --xlsx makes a new one")
    at = 1
    if len(facts["batches"]) > 1:
        at = _write_lines(sheet, at, list(_rows_of_all(facts)), formats) + 1
    for batch in facts["batches"]:
        at = _write_lines(sheet, at, list(summary_rows(facts, batch)), formats)
        scenes = scene_rows(facts, batch)
        if scenes:
            at = _write_scenes(sheet, at, scenes, formats)
        at += 1


def _write_lines(sheet: Any, at: int, rows: Sequence[Row], formats: Any) -> int:
    for row in rows:
        if row.is_heading:
            at += 1 if at else 0
            heads = ("USD", "credits", "not in the sum" if any(each.unknown for each in rows) else "")
            for place, word in enumerate((row.label, *(heads if row.has_amounts else ()))):
                sheet.write_string(at, place, word, formats.head)
        elif row.text:
            sheet.write_string(at, 0, row.label or row.text)
            if row.label:
                sheet.write_string(at, 1, row.text)
        else:
            _write_amount(sheet, at, row, formats)
        at += 1
    return at


def _write_amount(sheet: Any, at: int, row: Row, formats: Any) -> None:
    """Write an amount in both units; a total by a formula over the lines above it."""
    sheet.write_string(at, 0, row.label, formats.head if row.sum_of else None)
    if row.credits is not None:
        for place, kind, value in ((1, "usd", float(usd(row.credits))), (2, "credits", row.credits)):
            if row.sum_of:
                letter = "ABC"[place]
                formula = f"=SUM({letter}{at - row.sum_of + 1}:{letter}{at})"
                sheet.write_formula(at, place, formula, formats.totals[kind], value)
            else:
                sheet.write_number(at, place, value, formats.cells[kind])
    if row.unknown:
        sheet.write_string(at, 3, row.unknown)


def _write_scenes(sheet: Any, at: int, scenes: Sequence[tuple[str, list[int | None]]], formats: Any) -> int:
    """Write a table of the scenes in USD, with totals where all is known."""
    at += 1
    for place, word in enumerate(("scene", *(f"{word} USD" for word in SCENE_HEADINGS))):
        sheet.write_string(at, place, word, formats.head)
    first = at + 1
    for name, amounts in scenes:
        at += 1
        sheet.write_string(at, 0, name)
        for place, amount in enumerate(amounts, start=1):
            if amount is None:
                sheet.write_string(at, place, "unknown")
            else:
                sheet.write_number(at, place, float(usd(amount)), formats.cells["usd"])
    at += 1
    sheet.write_string(at, 0, "total", formats.head)
    for place in range(1, 1 + len(SCENE_HEADINGS)):
        known = [amounts[place - 1] for _, amounts in scenes]
        letter = chr(ord("A") + place)
        cells = f"{letter}{first + 1}:{letter}{at}"
        value = "unknown" if None in known else float(usd(sum(each or 0 for each in known)))
        formula = f'=IF(COUNT({cells})<ROWS({cells}),"unknown",SUM({cells}))'
        sheet.write_formula(at, place, formula, formats.totals["usd"], value)
    return at + 1
