"""The texts of shots in a manifest: what cannot be sent as it is, and what is probably a mistake."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from wanbatch.manifest.doubts import doubts_of, places_in, tell_nothing
from wanbatch.manifest.tree import Listing, Node, Place, Problems

_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]")


class TextChecker:
    """Checks the texts of one manifest. `is_text` says that every character of a prompt has its own column."""

    def __init__(self, problems: Problems, *, is_text: bool) -> None:
        self._problems = problems
        self._is_text = is_text

    def check_words(self, given: Mapping[str, Any], nodes: Mapping[str, Node], allowed: frozenset[str]) -> None:
        """Check the texts of a shot."""
        plain = {name: value for name, value in given.items() if name != "id"}
        for name, value in plain.items():
            self.check_text(name, value, nodes[name])
        tell_nothing(plain, nodes, self._problems)
        for doubt in doubts_of(plain):
            if doubt.rule in allowed:
                continue
            node = nodes[doubt.field]
            for at in places_in(doubt, node):
                place = Place(at.line, at.column + doubt.at) if self._is_text else at
                self._problems.warn(place, doubt.words, doubt.rule)

    def check_text(self, name: str, value: Any, node: Node) -> None:
        """Refuse text that cannot be sent, stored or shown unchanged."""
        if isinstance(value, list) and isinstance(node, Listing):
            for each, inner in zip(value, node.items, strict=True):
                self.check_text(name, each, inner)
        match = _CONTROL.search(value) if isinstance(value, str) else None
        if match is not None:
            code = f"U+{ord(match[0]):04X}"
            what = f"the control character {code}; write it as plain text"
            if "\ud800" <= match[0] <= "\udfff":
                what = f"half of a character ({code}); write the whole character"
            self._problems.add(node.at, f"{name} contains {what}")
