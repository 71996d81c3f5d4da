"""Generated ids for shots without one: made from the prompt, so that adding or moving a line changes no other shot."""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter

from wanbatch.batch.names import composed

SLUG_CAP = 40
SCENE_SLUG = 20  # of a shot in a scene, whose id begins with that of the scene


class MadeIds:
    """Generates the ids of one file. The second shot with the same prompt gets -2, the third -3."""

    def __init__(self, slug_cap: int = SLUG_CAP) -> None:
        self._seen: Counter[str] = Counter()
        self._slug_cap = slug_cap

    def next_of(self, prompt: str) -> str:
        """Return the id of the next shot with this prompt, the same in whichever Unicode form it was saved."""
        prompt = composed(prompt)
        self._seen[prompt] += 1
        again = self._seen[prompt]
        return _id_of(prompt, self._slug_cap) + (f"-{again}" if again > 1 else "")


def _id_of(prompt: str, slug_cap: int) -> str:
    plain = unicodedata.normalize("NFKD", prompt).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:slug_cap].rstrip("-") or "prompt"
    return f"{slug}_{hashlib.sha256(prompt.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
