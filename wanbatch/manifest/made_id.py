"""Generated ids for shots without one: made from the prompt, so that adding or moving a line changes no other shot."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter

from wanbatch.batch.names import composed

_SLUG_CAP = 40


class MadeIds:
    """Generates the ids of one file. The second shot with the same prompt gets -2, the third -3."""

    def __init__(self) -> None:
        self._seen: Counter[str] = Counter()

    def next_of(self, prompt: str) -> str:
        """Return the id of the next shot with this prompt, the same in whichever Unicode form it was saved."""
        prompt = composed(prompt)
        self._seen[prompt] += 1
        again = self._seen[prompt]
        return _id_of(prompt) + (f"-{again}" if again > 1 else "")


def _id_of(prompt: str) -> str:
    plain = unicodedata.normalize("NFKD", prompt).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:_SLUG_CAP].rstrip("-") or "prompt"
    return f"{slug}_{hashlib.sha256(prompt.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
