"""Lines of a text file that are no prompts: rows of a table, JSON, YAML, code, subtitles, macros of other tools.

Each of them would be bought as a clip of its own.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from wanbatch.manifest.leftovers import leftovers
from wanbatch.manifest.schemas import fields_of_shots
from wanbatch.manifest.synonyms import field_told, folded, is_own

Line = tuple[int, int, str]  # its number, the column where its text begins, the text without blanks at both ends

_HEAD = r"(?:version|shots|defaults|limits|budget|name)"
_SURE = r"(?:id|prompt|negative_prompt|duration|resolution|aspect_ratio|seed|takes|model|cost_code|shot_type)"
_NAMED = rf"[\"']?(?:{_HEAD}|{_SURE})[\"']?"
_MARKDOWN = re.compile(r"\|.*\||\|?[ :]*-{3,}[ :|-]*\|[ :|-]*")
_PIPES = re.compile(r"[^{}]*\|[^{}]*\|[^{}]*|[^{}]*\S\s+\|\s+\S[^{}]*")
_ROW = re.compile(
    r"(?=[^\s,;]*\d)[\w.-]+\s*([,;]).*\1\s*(?:\d+(?:[.,]\d+)?|\d+:\d+|\d+p|true|false)\s*"
    r"|(?:sh|sc|sq|ep|seq|shot|scene)[_-]?\d+[\w.-]*\s*[,;].*",
    re.IGNORECASE,
)
_QUOTED_ROW = re.compile(r'"(?:[^"]|"")*"\s*[,;].*\S.*|.*[,;]\s*"(?:[^"]|"")*"')
_JSON = re.compile(
    r"""[\[{\]}()]+[,;]?|[\[{]\s*["'].*|\[\s*(?:\[\s*["'\[{\d]|\{).*|["'][^"']*["']\s*:.*|(?:"[^"]*"|'[^']*')\s*,|[\]}]\s*,.*"""
)
_YAML = re.compile(rf"---|%YAML.*|\.\.\.|(?:-\s+)?\{{?\s*{_NAMED}\s*:(?:\s.*)?|-\s+[\w-]+:(?:\s.*)?")
_CODE = re.compile(
    rf"""```.*|~~~.*|{_NAMED}\s*=.*|[A-Za-z_]\w*\s*=\s*[\[{{("'].*|\[[A-Za-z_][\w.-]*\]|from\s+\w+\s+import\s.*
    |<(?:\?xml|!DOCTYPE|!--|/?[a-z][\w-]*(?:\s[^<>]*)?/?>).*|\{{\\rtf.*""",
    re.VERBOSE,
)
_SUBTITLE = re.compile(r".*\d\s*-->\s*\d.*|WEBVTT.*")
_RENDER_LOG = re.compile(r"negative prompt:.*|steps:\s*\d+.*", re.IGNORECASE)
_BULLET = re.compile(r"[-*•·‣◦]\s+\S.*")
_NUMBERED = re.compile(r"[(\[]?\d{1,4}[.):\]]\s+\S.*")
_MACRO = re.compile(r"!.*")
_COMMAND = re.compile(r"/[a-z][a-z_-]*(?:\s.*)?|@[a-z][\w-]*\s.*")
_LABEL = re.compile(
    r"(?:prompt|negative[ _]prompt|duration|length|resolution|aspect[ _]ratio|seed|takes?)\s*\d*\s*[:=].*",
    re.IGNORECASE,
)
_HEADING = re.compile(
    r"(?i:scene|shot|act|sequence|episode|part|chapter|szene|scène|escena|plan)\s*[#№]?\s*\d[\w.-]*\s*[:.]?"
    r"|(?:INT|EXT|INT\.?/EXT|I/E)[. ][^a-z]*|(?:FADE|CUT|DISSOLVE|SMASH CUT|FADE OUT|FADE IN)(?: TO| IN| OUT)?[:.]"
    r"|第\s*[\d一二三四五六七八九十百]+\s*[场幕镜集]"
)
_VALUE = r"(?:\d{1,2}(?:[.,]\d+)? ?(?:s|sec)?|\d{3,4}p|\d{1,2}:\d{1,2}|true|false)"
_VALUES = re.compile(rf".*([,;])\s*{_VALUE}\s*\1\s*{_VALUE}\s*", re.IGNORECASE)
_ONE_VALUE = re.compile(rf".*[,;]\s*{_VALUE}\s*", re.IGNORECASE)
_CSV = "save the file as .csv, with a first line that names the columns, such as id,prompt,duration"


@dataclass(frozen=True)
class Lookalike:
    """Something in a text file that is no prompt: where it stands first, what to do, and all lines that are so."""

    line: int
    column: int
    words: str
    lines: frozenset[int]


def lookalikes(lines: Sequence[Line]) -> list[Lookalike]:
    """Find what is no prompt. What a whole file is (a table, JSON) is told once; each macro is told."""
    if not lines:
        return []
    number, column, first = lines[0]
    heads = header_cells(first)
    if heads:
        words = f"this line heads a table ({', '.join(heads)}): save the file as .csv"
        return [Lookalike(number, column, words, frozenset(each[0] for each in lines))]
    found: list[Lookalike] = []
    rest = list(lines)
    for pattern, words in _KINDS:
        alike = [each for each in rest if pattern.fullmatch(each[2])]
        if len(alike) >= _AT_LEAST.get(pattern, 1) and (pattern is not _ONE_VALUE or len(alike) == len(lines)):
            found.append(_told(alike, words))
            rest = [each for each in rest if each[0] not in found[-1].lines]
    if any(each.words.startswith(_CODE_WORDS) for each in found):  # the brackets of a list in code are no JSON
        found = [each for each in found if not each.words.startswith(_JSON_WORDS)]
    for number, column, text in rest:
        of_others = [each for each in leftovers(text) if each.is_of_another_tool]
        found += [Lookalike(number, column + each.at, each.words, frozenset({number})) for each in of_others]
    return found


_JSON_WORDS = "this looks like JSON, not like a prompt"
_CODE_WORDS = "this looks like code or markup, not like a prompt"
_TABBED = re.compile(r"[^\t]*\t.*")
_WORDLESS = re.compile(r"[\W\d_]+")
_NOTHING = re.compile(
    r"(?:n/a|null|none|nan|nil|undefined|true|false|tb[ad]|todo|ditto|omit|prompt"
    r"|same as (?:above|before)|see (?:notes?|above)"
    r"|\W*your[ _]prompt[ _]here\W*|\W*insert[ _]prompt(?:[ _]here)?\W*|prompt_here|\[object object\])\.?",
    re.IGNORECASE,
)
_ADDRESS = re.compile(r"\w+://\S+|\S+\.(?:mp4|mov|webm|png|jpe?g|webp|gif|wav|mp3)", re.IGNORECASE)
_REMARK = re.compile(r"//.*|/\*.*|;.*|<!--.*")
_KINDS = (
    (_REMARK, "this looks like a remark, and would be bought as a prompt; begin it with # to pass it over"),
    (_NOTHING, "this says that there is no prompt, and would be bought as one; write the prompt, or take the line out"),
    (_ADDRESS, "this is an address or the name of a file, not a prompt; describe the picture in words"),
    (_HEADING, "this looks like a heading, and would be bought as a prompt; begin it with # to pass it over"),
    (_MACRO, "a line that begins with ! is a macro of another tool; write out the prompts that it stands for"),
    (_COMMAND, "this looks like a command of another tool; write the prompt alone"),
    (_TABBED, f"a tab between texts: this looks like a row of a table; {_CSV}"),
    (_MARKDOWN, f"this looks like a row of a Markdown table; {_CSV}"),
    (_SUBTITLE, "this looks like a time line of subtitles; write one prompt a line, nothing else"),
    (_JSON, f"{_JSON_WORDS}; save the file as .json"),
    (_YAML, "this looks like YAML, not like a prompt; save the file as .yaml"),
    (_CODE, f"{_CODE_WORDS}; take it out"),
    (_QUOTED_ROW, f"texts in quotes between commas: this looks like a row of a table; {_CSV}"),
    (_ROW, f"this looks like a row of a table; {_CSV}"),
    (_PIPES, f"texts between | signs: this looks like a row of a table; {_CSV}"),
    (_VALUES, f"this looks like a row of a table; {_CSV}"),
    (_ONE_VALUE, f"this looks like a row of a table; {_CSV}"),
    (_RENDER_LOG, "this looks like the settings of another tool; a negative_prompt needs a .csv, .json or .yaml file"),
    (_LABEL, "this label would be sent; write the prompt alone, and its duration or size into a .csv or .yaml file"),
    (_BULLET, "the mark of a list begins this line and would be sent; take it away"),
    (_NUMBERED, "a number begins this line, as in a list, and would be sent; take it away"),
    (_WORDLESS, "there are no words in this line, and it would be bought as a prompt; take it out"),
)


# Each of these alone may be a prompt: `2. Weltkrieg, ein Schiff`, `The clock shows 10, not 5`.
_AT_LEAST = {_NUMBERED: 2, _ONE_VALUE: 2}


def header_cells(line: str) -> list[str]:
    """Return the names in a line that heads a table, or nothing. At least two, most of them those of fields."""
    for delimiter in ("\t", ";", ",", "|"):
        cells = [cell.strip().strip('"').strip() for cell in line.strip("| ").split(delimiter)]
        named = [cell for cell in cells if is_column(cell)]
        if len(cells) > 1 and len(named) > 1 and len(named) * 2 > len(cells) and max(map(len, cells)) <= 40:
            return cells
    return []


def is_column(cell: str) -> bool:
    """Say whether a cell names a column: a field of ours, a name that leads to one, or a column of the user's own."""
    name = folded(cell)
    return name in fields_of_shots() or is_own(name) or bool(field_told(cell))


def _told(alike: Sequence[Line], words: str) -> Lookalike:
    number, column, _ = alike[0]
    more = len(alike) - 1
    if more:
        words += (
            f" (line {alike[1][0]} too)" if more == 1 else f" ({more} more lines too, the next is line {alike[1][0]})"
        )
    return Lookalike(number, column, words, frozenset(each[0] for each in alike))
