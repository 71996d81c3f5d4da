"""The newest kinds of odd phrases, for `test_sentences.py`: each as a pattern, what is written instead, and a case."""

from __future__ import annotations

NEWEST = ((r"\bend(?:s|ed)?(?: \w+)? with \d", "exits with code 2"),)
NEWEST_ON_PAGES: tuple[tuple[str, str], ...] = ()
NEWEST_CASES = ("`validate` ends with 2 if there is a problem.",)
