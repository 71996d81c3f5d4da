"""Another currency, at a rate that the user states: USD stay the truth, and what is converted says so. Pure."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal, InvalidOperation, localcontext

from wanbatch.money.credits import usd

_CODE = re.compile(r"[A-Z]{3}")
RATE_MAX = Decimal(10) ** 6


@dataclass(frozen=True)
class Currency:
    """A currency by its code, and how much of it is one USD."""

    code: str
    rate: Decimal

    @property
    def note(self) -> str:
        """What marks amounts as converted, such as `converted at 1 USD = 0.92 EUR`."""
        return f"converted at 1 USD = {self.rate:f} {self.code}"

    def amount(self, credit_count: int | None) -> str:
        """Return credits in this currency, `1.45`: each rounded to cents on its own, half a cent away from 0; a dash if
        there are none.
        """
        if credit_count is None:
            return "\u2013"
        with localcontext(rounding=ROUND_HALF_UP):  # formatting alone would round half to even: 0.125 to 0.12
            return f"{usd(credit_count) * self.rate:z,.2f}"

    def text(self, credit_count: int) -> str:
        """Return credits as `1.45 EUR`."""
        return f"{self.amount(credit_count)} {self.code}"


def read_currency(text: str) -> Currency:
    """Read `EUR=0.92`. Raises ValueError."""
    code, _, rate_text = text.strip().partition("=")
    code = code.strip().upper()
    try:
        rate = Decimal(rate_text.strip())
    except InvalidOperation:
        rate = Decimal(0)
    if not _CODE.fullmatch(code) or not rate.is_finite() or not 0 < rate < RATE_MAX:
        raise ValueError(f"'{text}' is not a currency with its rate: write EUR=0.92 if one USD is 0.92 EUR")
    if code == "USD":
        raise ValueError("amounts are in USD already: name another currency, such as EUR=0.92")
    return Currency(code, rate)
