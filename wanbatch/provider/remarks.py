"""Remarks: what a user should know before paying, from the provider's answers. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from enum import StrEnum

from wanbatch.batch.models import PriceClass
from wanbatch.batch.registry import ANY_MACHINE, MACHINE
from wanbatch.errors import ExitCode
from wanbatch.money.credits import amount_text, usd, usd_text
from wanbatch.money.prices import Estimate, Quote
from wanbatch.provider.account import KeyFacts, TopUp
from wanbatch.provider.endings import Ending, Stage, ending_of
from wanbatch.provider.inquiry import Inquiry
from wanbatch.provider.protocol import NoAnswer


class Weight(StrEnum):
    """How serious a remark is."""

    REFUSAL = "refusal"  # nothing is sent
    WARNING = "warning"
    NOTE = "note"


@dataclass(frozen=True)
class Remark:
    """One sentence for the user. `exit_code` is the exit code of a run if the remark is a refusal."""

    weight: Weight
    text: str
    exit_code: ExitCode = ExitCode.OK


@dataclass(frozen=True)
class Intent:
    """What is about to be sent: with which models, at which cost, and whether the whole batch has a cap.

    `quotes` are the prices of what is about to be sent.
    """

    models: Sequence[str]
    estimate: Estimate
    is_capped: bool
    quotes: Mapping[PriceClass, Quote] = field(default_factory=dict)


def remarks_of(inquiry: Inquiry, intent: Intent, now: datetime) -> tuple[Remark, ...]:
    """List the reasons against sending, refusals first."""
    found = [*_on_models(inquiry.endings, intent.models, now), *_on_key(inquiry.key, intent.estimate)]
    found += [*_on_top_up(inquiry.top_up, is_capped=intent.is_capped), *_on_silence(inquiry)]
    found += _on_machines(intent.quotes)
    return tuple(sorted(found, key=lambda each: list(Weight).index(each.weight)))


def _on_models(endings: Sequence[Ending] | NoAnswer | None, models: Iterable[str], now: datetime) -> Iterable[Remark]:
    if endings is None or isinstance(endings, NoAnswer):
        return
    for model in models:
        ending = ending_of(endings, model, now)
        if ending is None:
            continue
        text = ending.text(model, now)
        if ending.stage(now) is Stage.GONE:
            yield Remark(Weight.REFUSAL, f"{text}. Use another model in the manifest", ExitCode.USAGE)
        elif ending.stage(now) is Stage.FOLDED:
            yield Remark(Weight.NOTE, text)
        else:
            yield Remark(Weight.WARNING, text)


def _on_key(key: KeyFacts | NoAnswer | None, estimate: Estimate) -> Iterable[Remark]:
    if key is None or isinstance(key, NoAnswer) or not key.is_ours:
        return
    if key.is_disabled:
        yield Remark(Weight.REFUSAL, DISABLED, ExitCode.ACCOUNT_STOPPED)
    if key.forbids_video:
        yield Remark(Weight.REFUSAL, forbidden_text(key), ExitCode.ACCOUNT_STOPPED)
    if key.limit_usd is not None and key.limit_usd < usd(estimate.credits):
        limit, cost = limit_text(key), usd_text(estimate.credits)
        yield Remark(Weight.WARNING, f"{limit}, less than the {cost} expected here: the provider may refuse the rest")


DISABLED = "the provider says that this key is disabled: enable it on the Keys page of your account, or use another"


def forbidden_text(key: KeyFacts) -> str:
    """Say that a key is not allowed to make videos."""
    scopes = ", ".join(key.scopes or ())
    return (
        f"this key is not allowed to make videos: its scopes are {scopes}. Add model:video on the Keys page, or use"
        " another key"
    )


def limit_text(key: KeyFacts) -> str:
    """Say how much a key may spend by the provider's own limit."""
    assert key.limit_usd is not None
    return f"the key has a limit of its own: {amount_text(key.limit_usd)} USD {key.period}"


def top_up_text(top_up: TopUp) -> str:
    """Say that the account is topped up automatically, and how."""
    threshold, amount = _usd_text(top_up.threshold_usd), _usd_text(top_up.amount_usd)
    how = f" (by {amount} whenever the balance falls below {threshold})"
    return f"the account is topped up automatically{how}: running out of credits will not stop a run"


def _usd_text(amount: Decimal | None) -> str:
    return "an unknown amount" if amount is None else f"{amount_text(amount)} USD"


def _on_top_up(top_up: TopUp | NoAnswer | None, *, is_capped: bool) -> Iterable[Remark]:
    if isinstance(top_up, TopUp) and top_up.is_on and not is_capped:
        yield Remark(Weight.WARNING, f"{top_up_text(top_up)}, and this run has no cap. Set one with --max-usd")


def _on_silence(inquiry: Inquiry) -> Iterable[Remark]:
    """Say which parts had no answer; those with the same reason share a sentence."""
    parts = {
        "the balance": inquiry.balance_usd,
        "the key's limits": inquiry.key,
        "automatic top-ups": inquiry.top_up,
        "models that are retired": inquiry.endings,
    }
    reasons: dict[str, list[str]] = {}
    for name, part in parts.items():
        if isinstance(part, NoAnswer):
            reasons.setdefault(part.message, []).append(name)
    for reason, names in reasons.items():
        listed = " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)
        yield Remark(Weight.NOTE, f"the provider gave no answer about {listed}: {reason}")


def _on_machines(quotes: Mapping[PriceClass, Quote]) -> Iterable[Remark]:
    """Say of which models the provider chooses the machine that makes a clip, and what that may cost."""
    left_open = [each for each in quotes if each.asked.get(MACHINE) == ANY_MACHINE]
    for model in sorted({each.model for each in left_open}):
        others = [price for each in left_open if each.model == model for price in quotes[each].others]
        dearest = f", up to {usd_text(max(others))} a clip" if others else ""
        text = f"{model} lets the provider choose the machine (provider: auto): the provider may use another machine at"
        text = f"{text} another price"
        yield Remark(Weight.NOTE, f"{text}{dearest}. Name a `provider` in the manifest to prevent that")
