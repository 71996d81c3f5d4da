"""Credits and US dollars: exact integers and decimals, and how a sum is written. Pure."""

from __future__ import annotations

from decimal import ROUND_FLOOR, ROUND_HALF_UP, Decimal, localcontext

from wanbatch.units import CREDITS_MAX, count_text

CREDITS_PER_USD = 2_000_000  # exact, stated by the provider


def usd(credit_count: int) -> Decimal:
    """Return the USD of a number of credits, exact."""
    return Decimal(credit_count) / CREDITS_PER_USD


def usd_text(credit_count: int | None) -> str:
    """Return `1.575 USD`, or `unknown`."""
    return "unknown" if credit_count is None else f"{amount_text(usd(credit_count))} USD"


def partly_known(known: int, takes: int, submits: int = 0) -> str:
    """Return `3.15 USD + unknown (2 takes)`: what is known of a sum, and what is not in it. Unknown is never 0.

    `takes` and `submits` of no take are those of which nothing is known.
    """
    counts = [count_text(takes, "take")] if takes else []
    counts += [f"{count_text(submits, 'submit')} without a take"] if submits else []
    if not counts:
        return usd_text(known)
    rest = f"unknown ({', '.join(counts)})"
    return f"{usd_text(known)} + {rest}" if known else rest


def sum_text(known: int, unseen: int) -> str:
    """Return `1.575 USD (3,150,000 credits)`, or `unknown` while nothing is known but what is `unseen`: never 0."""
    return money_text(known) if known or not unseen else "unknown"


def charged_text(known: int, unseen: int) -> str:
    """Return `1.05 USD + unknown (2 possible charges not in the provider's ledger yet)`."""
    if not unseen:
        return usd_text(known)
    rest = f"unknown ({count_text(unseen, 'possible charge')} not in the provider's ledger yet)"
    return f"{usd_text(known)} + {rest}" if known else rest


def amount_text(amount: Decimal) -> str:
    """Return an amount of USD as people read it, `1,001.575`: to the credit, with two decimals at least.

    Nothing is rounded: the same credits are the same text wherever they stand, and parts add up to their sum. Only what
    is finer than a credit, as a balance may be, is rounded to seven decimals, half away from 0.
    """
    with localcontext(rounding=ROUND_HALF_UP):  # formatting alone would round half to even
        text = f"{amount:z,.7f}".rstrip("0")
    whole, _, fraction = text.partition(".")
    return f"{whole}.{fraction.ljust(2, '0')}"


def difference_text(credit_count: int) -> str:
    """Return a difference in USD with its sign, `+0.525`; 0.00 has none."""
    return f"{'+' if credit_count > 0 else ''}{amount_text(usd(credit_count))}"


def exact_usd(credit_count: int) -> str:
    """Write credits as USD for a file, as `amount_text` does, without commas: 3150000 is 1.575."""
    return amount_text(usd(credit_count)).replace(",", "")


def money_text(credit_count: int) -> str:
    """Return `1.575 USD (3,150,000 credits)`."""
    return f"{usd_text(credit_count)} ({credit_count:,} credits)"


def credits_of_usd(amount: Decimal) -> int:
    """Return the whole credits in an amount of USD, rounded down: a cap must not be exceeded."""
    return int((amount * CREDITS_PER_USD).to_integral_value(rounding=ROUND_FLOOR))


def read_credits(value: object) -> int | None:
    """Read a credits field of an answer: a whole number from 0, else None (unknown, never 0).

    3150000 and 3150000.0 are whole; text, booleans, negatives, NaN and absurd sizes do not count as money.
    """
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    if value != value or value < 0 or value > CREDITS_MAX or value != int(value):  # noqa: PLR0124  NaN is not itself
        return None
    return int(value)
