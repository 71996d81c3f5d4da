"""The texts of the files that a manifest consists of, to name the exact place of something inside a value."""

from __future__ import annotations

from dataclasses import dataclass, field

from wanbatch.manifest.tree import Place, Scalar

_SEARCHED_CAP = 200_000  # characters; a longer value is named by its beginning


@dataclass
class Sources:
    """Text of each file, by the name that its places have; the manifest itself is "" ."""

    texts: dict[str, str] = field(default_factory=dict)
    _begins: dict[str, list[int]] = field(default_factory=dict)

    def place_in(self, node: Scalar, offset: int, token: str) -> Place:
        """Return the place of a token at an offset of a value.

        It is searched in the file, as a value may be folded, quoted or indented there; the place of the value where it
        cannot be found.
        """
        text = self.texts.get(node.at.file)
        begin = None if text is None else self._position(node.at)
        if text is None or begin is None or not token:
            return node.at
        nth = _count(node.text, token, offset)
        at, cap = begin - 1, begin + _SEARCHED_CAP
        for _ in range(nth + 1):
            at = text.find(token, at + 1, cap)
            if at < 0:
                return node.at
        line = text.count("\n", begin, at) + node.at.line
        return node.at._replace(line=line, column=at - text.rfind("\n", 0, at))

    def _position(self, at: Place) -> int | None:
        if at.file not in self._begins:
            text, begins = self.texts[at.file], [0]
            while (end := text.find("\n", begins[-1])) >= 0:
                begins.append(end + 1)
            self._begins[at.file] = begins
        begins = self._begins[at.file]
        return begins[at.line - 1] + at.column - 1 if 0 < at.line <= len(begins) else None


def _count(text: str, token: str, offset: int) -> int:
    """Count how often a token begins before an offset."""
    count, at = 0, text.find(token)
    while 0 <= at < offset:
        count, at = count + 1, text.find(token, at + 1)
    return count
