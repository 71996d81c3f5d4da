"""The blocks of the README and the pages: which are run, in which order, and what each should say.

A block of kind `sh` is run line by line, in the folder that the blocks before it left; `# exit code N` at the end of a line
names another code than 0. The comment NOT_RUN on the line above a block says that it is not run. A block with
`title="FILE"` is written to that file. A block of kind `text` shows lines that the block before it, under the same heading,
prints; `...` stands for lines left out. A block of kind `python` is run in the same folder.
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
NOT_RUN = "<!-- not run by the tests -->"
_FENCE = re.compile(
    rf"(?P<not_run>^ *{NOT_RUN}\n)?^(?P<indent> *)```(?P<kind>[a-z]*)(?: title=\"(?P<title>[^\"]+)\")?[^\n]*\n"
    r"(?P<text>.*?)^(?P=indent)```$",
    re.MULTILINE | re.DOTALL,
)
_EXIT = re.compile(r"# exit code (\d+)$")
_HEADING = re.compile(r"^#", re.MULTILINE)


@dataclass(frozen=True)
class Block:
    """One block: its kind, the file it is written to, its text and its line. `follows` where no heading is between it and the block before.

    `is_run` if it can be run here: without a key, a browser or a scheduler.
    """

    page: str
    line: int
    kind: str
    title: str
    text: str
    follows: bool
    is_run: bool = True

    @property
    def place(self) -> str:
        """Where it stands."""
        return f"{self.page}:{self.line}"

    @property
    def commands(self) -> list[tuple[str, int]]:
        """Its command lines with the exit code of each; a line that ends with a backslash goes on."""
        joined = self.text.replace("\\\n", " ")
        lines = [line.strip() for line in joined.splitlines() if line.strip() and not line.lstrip().startswith("#")]
        return [(line, int(found[1]) if (found := _EXIT.search(line)) else 0) for line in lines]

    @property
    def calls(self) -> list[list[str]]:
        """The words of each call of wanbatch in it, those behind a pipe or an `&&` as well."""
        return [call for line, _ in self.commands for call in calls_of(line)]


def calls_of(line: str) -> Iterator[list[str]]:
    """Yield the words of each call of wanbatch in a command line."""
    lexer = shlex.shlex(line, posix=True, punctuation_chars="|&;<>()")
    lexer.whitespace_split = True
    lexer.commenters = "#"
    call: list[str] | None = None
    for word in [*lexer, ";"]:
        if call is not None and set(word) <= set("|&;<>()"):
            yield call
            call = None
        elif word.rpartition("/")[2] == "wanbatch":
            call = []
        elif call is not None:
            call.append(word)


def pages() -> list[Path]:
    """Return the README and every page, the tutorial first: the others begin where it ends."""
    found = sorted((ROOT / "docs").rglob("*.md"))
    tutorial = ROOT / "docs" / "tutorial.md"
    return [tutorial, ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(page for page in found if page != tutorial)]


def blocks_of(page: Path) -> list[Block]:
    """Return the blocks of a page in their order."""
    text = page.read_text(encoding="utf-8")
    name = page.relative_to(ROOT).as_posix()
    found: list[Block] = []
    end = 0
    for match in _FENCE.finditer(text):
        indent = len(match["indent"])
        body = "".join(
            line[indent:] if line[:indent].isspace() else line for line in match["text"].splitlines(keepends=True)
        )
        line = text.count("\n", 0, match.start("indent")) + 1
        follows = bool(found) and _HEADING.search(text, end, match.start()) is None
        found.append(Block(name, line, match["kind"], match["title"] or "", body, follows, match["not_run"] is None))
        end = match.end()
    return found


def all_blocks() -> list[Block]:
    """Return the blocks of all pages."""
    return [block for page in pages() for block in blocks_of(page)]
