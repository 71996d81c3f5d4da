"""Prices that were seen: what takes of each class were charged, held or quoted. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from wanbatch.batch.models import PriceClass
from wanbatch.batch.spend import Kind
from wanbatch.batch.take import Take
from wanbatch.money.prices import QuotedPrice


def seen_prices(takes: Iterable[Take | Kind]) -> dict[PriceClass, int]:
    """Return what the newest answer or charge of each class said; a hold never counts as less than was expected."""
    seen: dict[PriceClass, int] = {}
    for take in sorted(takes, key=sent_at):
        price = _price_seen(take)
        if price is not None:
            seen[take.price_class] = price
    return seen


def held_prices(takes: Iterable[Take | Kind]) -> dict[PriceClass, int]:
    """Return what the newest answer of each class held, whatever was expected."""
    return {take.price_class: take.credits_held for take in sorted(takes, key=sent_at) if take.credits_held}


def prices_now(takes: Iterable[Take | Kind], quotes: Iterable[QuotedPrice]) -> dict[PriceClass, int]:
    """Return what a take of each class costs now: as this batch saw, else as quoted to its newest run."""
    every = list(takes)
    named = {each.price_class: each.credits for each in quotes if each.credits is not None}
    classes = {take.price_class for take in every}
    quoted = {each: named[str(each)] for each in classes if str(each) in named}
    return {**quoted, **seen_prices(every)}


def charged_price(take: Take | Kind) -> int | None:
    """Return what was charged for the one generation of a take; None if it did not show exactly one.

    A charge of 0 names no price: no generation is free.
    """
    return (take.credits_charged or None) if take.is_charge_seen and take.attempts == 1 else None


def _price_seen(take: Take | Kind) -> int | None:
    if take.is_charge_seen and take.attempts == 1:
        return charged_price(take)
    if take.attempts == 1 and take.credits_charged:
        return take.credits_charged  # of the one submit, which its take went on without
    if take.credits_held is None:
        return None
    return max(take.credits_held, take.credits_estimated or 0)


def sent_at(take: Take | Kind) -> float:
    """Return when a take was first sent, in seconds since 1970; 0 if it was not, which sorts before all others."""
    return take.submitted_at.timestamp() if take.submitted_at is not None else 0.0
