"""The money of a batch in lines: in the cut and outside it, by scene, against the baseline, and what is left."""

from __future__ import annotations

from typing import Any

from wanbatch.batch.remedies import in_folder
from wanbatch.money.at_risk import AtRisk, at_risk_words
from wanbatch.money.baseline import variance_text
from wanbatch.money.credits import amount_text, usd, usd_text
from wanbatch.money.spending import Spending
from wanbatch.state.next_step import end_text
from wanbatch.state.progress_reader import BatchOverview

SCENES_SHOWN = 6


def spending_lines(spending: Spending) -> list[str]:
    """Say what was charged for the cut and outside it, and what is committed by scene, if there are several."""
    lines = [each for each in (spending.replaced_words, spending.left_out_words) if each]
    if spending.outside_cut:
        inside, outside = usd_text(spending.in_cut), usd_text(spending.outside_cut)
        parts = ", ".join(f"{words} {_amount(sum_)}" for words, sum_ in spending.parts_outside if sum_)
        lines.append(f"charged for the cut {inside}, outside it {outside}{f' ({parts})' if parts else ''}")
    scenes = list(spending.scenes)
    if len(scenes) > 1:
        told = [f"{each.name or '(none)'} {_amount(each.known)}{'+?' if each.unknown else ''}" for each in scenes]
        more = scenes[SCENES_SHOWN:]
        if more:
            rest = sum(each.known for each in more)
            mark = "+?" if any(each.unknown for each in more) else ""
            told = [*told[:SCENES_SHOWN], f"{len(more)} more {_amount(rest)}{mark}"]
        lines.append(f"committed by scene, in USD: {', '.join(told)}")
    return lines


def spending_json(spending: Spending, charges_not_seen: int) -> dict[str, Any]:
    """Return the same as JSON values: whole credits, null where a part is unknown, its known part beside it.

    What was charged for the cut and outside it is null while the ledger shows no charge of what may be charged.
    """
    is_seen = spending.charged > 0 or not charges_not_seen
    return {
        "charged_in_cut": spending.in_cut if is_seen else None,
        "charged_outside_cut": spending.outside_cut if is_seen else None,
        "left_out_takes": spending.left_out_takes,
        "superseded_failed_takes": spending.replaced,
        "scenes": [
            {
                "scene": each.name,
                "committed": None if each.unknown else each.known,
                "committed_known": each.known,
                "unknown_takes": each.unknown,
            }
            for each in spending.scenes
        ],
    }


def _amount(credit_count: int) -> str:
    return amount_text(usd(credit_count))


def baseline_lines(found: BatchOverview) -> list[str]:
    """Say what the first confirmed plan was to cost, what the batch will have cost, and why that is another sum."""
    baseline = found.baseline
    if baseline is None:
        return []
    why = variance_text(baseline) or "no difference"
    return [f"baseline {baseline.words}, final cost {baseline.final_words}: {why}"]


def remaining_lines(found: BatchOverview) -> list[str]:
    """Say who settles what is at risk, which command fetches what is ordered, what failed, what is still to be sent and
    what it costs, and why it waits if the last run does not tell.
    """
    remaining, early, last = found.remaining, found.early_end, found.last_run
    lines = [
        *_at_risk_lines(found),
        *([found.next_step.fetch_line] if found.next_step.fetch_line else []),
        *([remaining.failed_words] if remaining.failed_words else []),
    ]
    if not remaining.takes:
        return lines
    lines.append(f"still to be sent: {remaining.words}")
    if early is not None and last is not None and early.run_id != last.run_id:
        ended = in_folder(end_text(early, "an earlier run"), str(found.output))
        lines.append(f"  waiting since {ended}")
    return lines


def _at_risk_lines(found: BatchOverview) -> list[str]:
    """Say who settles what may still be charged once no run goes on, and how."""
    progress, left = found.progress, found.remaining
    at_risk = AtRisk(progress.credits_committed - progress.credits_charged, progress.uncosted)
    words = at_risk_words(at_risk, left.later, left.clips_listed_later, str(found.output))
    return [words] if words and not found.holder else []
