"""What may still be charged, said with who settles it and how. Pure."""

from __future__ import annotations

from wanbatch.batch.advice import in_folder
from wanbatch.money.credits import usd_text


def at_risk_words(known: int, unknown: int, folder: str) -> str:
    """Say who settles what may still be charged: `known` credits, and `unknown` takes more. Empty if nothing may be."""
    amounts = [usd_text(known)] if known else []
    amounts += [f"{unknown} of unknown cost"] if unknown else []
    if not amounts:
        return ""
    way = in_folder("`wanbatch reconcile` looks in the provider's ledger and log, and costs nothing", folder)
    rest = "contact the provider's support about what leaves no trace there"
    return f"at risk, since it was sent and may still be charged: {' and '.join(amounts)}. {way}; {rest}"
