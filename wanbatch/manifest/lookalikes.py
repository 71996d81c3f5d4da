"""Lines of a text file that are not prompts: rows of a table, JSON, YAML, code, subtitles, macros of other tools.

A clip of its own would be bought for each of them.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from wanbatch.manifest.leftovers import NOTHING, leftovers
from wanbatch.manifest.prompt_markers import BULLET, NUMBERED
from wanbatch.manifest.schemas import fields_of_shots
from wanbatch.manifest.synonyms import field_told, folded, is_own, own_name

NumberedLine = tuple[int, int, str]  # its number, the column of its text, the text without spaces at both ends

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
# Speech is written with a space behind the comma: He says, "Stop". A row has none, or another quote or number there.
_QUOTED_ROW = re.compile(r'"(?:[^"]|"")*"\s*[,;](?:\S.*|\s*["\d].*)|.*[,;]"(?:[^"]|"")*"')
_JSON = re.compile(
    r"""[\[{\]}()]+[,;]?|[\[{]\s*["'].*|\[\s*(?:\[\s*["'\[{\d]|\{).*|["'][^"']*["']\s*:.*|(?:"[^"]*"|'[^']*')\s*,|[\]}]\s*,.*"""
)
_JSON_LINE = re.compile(r"""(?!.*"shots"\s*:)\{\s*"[^"]+"\s*:.*\},?""")
_YAML = re.compile(rf"---|%YAML.*|\.\.\.|(?:-\s+)?\{{?\s*{_NAMED}\s*:(?:\s.*)?|-\s+[\w-]+:(?:\s.*)?")
_CODE = re.compile(
    rf"""```.*|~~~.*|{_NAMED}\s*=.*|[A-Za-z_]\w*\s*=\s*[\[{{("'].*|\[[A-Za-z_][\w.-]*\]|from\s+\w+\s+import\s.*
    |<(?:\?xml|!DOCTYPE|!--|/?[a-z][\w-]*(?:\s[^<>]*)?/?>).*|\{{\\rtf.*""",
    re.VERBOSE,
)
_SUBTITLE = re.compile(r".*\d\s*-->\s*\d.*|WEBVTT.*")
_RENDER_LOG = re.compile(r"neg(?:ative)?(?:[ _]prompt)?\s*[:\uff1a].*|steps:\s*\d+.*", re.IGNORECASE)
_MACRO = re.compile(r"!.*")
_COMMAND = re.compile(r"/[a-z][a-z_-]*(?:\s.*)?|@[a-z][\w-]*\s.*")
_LABEL = re.compile(
    r"(?:prompt|positive(?:[ _]prompt)?|negative[ _]prompt|duration"
    r"|length|resolution|aspect[ _]ratio|seed|takes?)\s*\d*\s*[:=].*",
    re.IGNORECASE,
)
_HEADING = re.compile(
    r"(?i:scene|shot|act|sequence|episode|part|chapter|szene|scène|escena|plan|prompt|clip|frame|panel|video|image)"
    r"\s*[#№]?\s*(?:\d[\w.-]*|(?i:[ivx]{1,5}|one|two|three|four|five))\s*[:.]?|(?i:shot ?list|storyboard|prompts)"
    r"|(?:INT|EXT|INT\.?/EXT|I/E)[. ][^a-z]*|(?:FADE|CUT|DISSOLVE|SMASH CUT|FADE OUT|FADE IN)(?: TO| IN| OUT)?[:.]"
    r"|第\s*[\d一二三四五六七八九十百]+\s*[场幕镜集]"
    r"|(?:INT|EXT|Int|Ext|I/E)\b[^\n]{1,60}\s[-\u2013—]\s"
    r"(?i:day|night|morning|evening|dusk|dawn|later|continuous|tag|nacht|abend)"
    r"|(?i:the end|fin|ende|fade (?:in|out)|continued|"
    r"\(?(?:more|continued|cont['\u2019]?d)\)?|(?:page|seite|p\.) ?\d{1,4})[.:]?"
    r"|(?i:total|sum|summe|gesamt|runtime)\s*[:=]?\s*\d[\w.: ]{0,20}"
)
_SLUG = re.compile(r"(?:INT|EXT|INT\.?/EXT|I/E)[. ].*")
_CUE = re.compile(
    r"[A-ZÀ-Þ][A-ZÀ-Þ .'\u2019-]{1,30}(?:\s*\((?:V\.?O|O\.?S|O\.?C|CONT['\u2019]?D)[^()]*\))?"
    r"|\([^()]{1,60}\)|[A-Z ]{4,30} TO:"
)
_CHAT = re.compile(
    r"(?:sure|certainly|of course|absolutely|great|gerne|claro|bien sûr)\b[,!.].*"
    r"\b(?:here (?:are|is)|here['\u2019]s|prompts?|hier (?:sind|ist)|voici|aquí)\b.*"
    r"|(?:here(?:['\u2019]s| is| are)|below (?:is|are)|these are|hier (?:sind|ist)|voici|"
    r"aquí (?:tienes|están)|以下是)\b.*[:\uff1a]"
    r"|(?:let me know|feel free to|would you like me|do you want me|want me to|i can also|i hope (?:this|these)"
    r"|soll ich|möchtest du|lass mich wissen)\b.*",
    re.IGNORECASE,
)
_VALUE = r"(?:\d{1,2}(?:[.,]\d+)? ?(?:s|sec)?|\d{3,4}p|\d{1,2}:\d{1,2}|true|false)"
_VALUES = re.compile(rf".*([,;])\s*{_VALUE}\s*\1\s*{_VALUE}\s*", re.IGNORECASE)
_ONE_VALUE = re.compile(rf".*[,;]\s*{_VALUE}\s*", re.IGNORECASE)
_CSV = "save the file as .csv, with a first line that names the columns, such as id,prompt,duration"


@dataclass(frozen=True)
class Lookalike:
    """Something in a text file that is not a prompt: its first place, what to do, and all lines like it."""

    line: int
    column: int
    words: str
    lines: frozenset[int]


def lookalikes(lines: Sequence[NumberedLine]) -> list[Lookalike]:
    """Find lines that are not prompts. What the whole file is (a table, JSON) is reported once; each macro is
    reported.
    """
    if not lines:
        return []
    number, column, first = lines[0]
    heads = header_cells(first)
    if heads:
        words = (
            f"this line is the header of a table ({', '.join(heads)}): save the file as .csv{_changes(first, heads)}"
        )
        return [Lookalike(number, column, words, frozenset(each[0] for each in lines))]
    found: list[Lookalike] = []
    rest = list(lines)
    for pattern, words in _KINDS:
        if pattern is _CUE and not any(_SLUG.fullmatch(each[2]) for each in lines):
            continue
        alike = [each for each in rest if pattern.fullmatch(each[2])]
        if pattern is _YAML and all(text in ("---", "...") for _, _, text in alike):
            continue  # a rule between the parts of a text
        if len(alike) >= _AT_LEAST.get(pattern, 1) and (pattern is not _ONE_VALUE or len(alike) == len(lines)):
            found.append(_reported(alike, words))
            rest = [each for each in rest if each[0] not in found[-1].lines]
    if any(each.words.startswith(_CODE_WORDS) for each in found):  # the brackets of a list in code are not JSON
        found = [each for each in found if not each.words.startswith(_JSON_WORDS)]
    if any(each.words.startswith((_YAML_WORDS, _SUBTITLE_WORDS)) for each in found):  # their lines without words too
        found = [each for each in found if not each.words.startswith(_NO_WORDS)]
    for number, column, text in rest:
        of_others = [each for each in leftovers(text) if each.is_of_another_tool]
        found += [Lookalike(number, column + each.at, each.words, frozenset({number})) for each in of_others]
    return found


_JSON_WORDS = "this looks like JSON, not a prompt"
_YAML_WORDS = "this looks like YAML, not a prompt"
_SUBTITLE_WORDS = "this looks like a subtitle time line"
_NO_WORDS = "there are no words in this line"
_CODE_WORDS = "this looks like code or markup, not a prompt"
_TABBED = re.compile(r"[^\t]*\t.*")
_BOLD = re.compile(r"\*\*[^*\n]+(?::\*\*|\*\*\s*:).*|(?:\*\*|__)[^*_\n]+(?:\*\*|__)")
_EDIT_LIST = re.compile(
    r"\d{3,6}\s+\S+\s+\S+\s+[CDKW]\S*\s.*\d\d:\d\d:\d\d[:;]\d\d.*"
    r"|FCM:.*|\* FROM CLIP NAME:.*"
)
_TABBED_LIST = re.compile(r"(?:[-*•·‣◦▪o\u2013—\uf0b7]|\d{1,3}[.)]|[a-z]\))\t[^\t]+")
_ENDS_IN_COLON = re.compile(r"[^:.!?\n]{1,40}[:\uff1a]")
_DASHED = re.compile(r"[\u2013—]\s+\S.*")
_WORDLESS = re.compile(r"[\W\d_]+")
_ADDRESS = re.compile(r"\w+://\S+|\S+\.(?:mp4|mov|webm|png|jpe?g|webp|gif|wav|mp3)", re.IGNORECASE)
_REMARK = re.compile(r"//.*|/\*.*|;.*|<!--.*")
_KINDS = (
    (_REMARK, "this looks like a comment, but a clip would be bought for it; begin it with # to skip it"),
    (
        NOTHING,
        "this says that there is no prompt, but a clip would be bought for it; write the prompt, or remove the line",
    ),
    (
        _CHAT,
        "this is a sentence from a chat assistant, not a prompt, but a clip would be bought for it; remove the line",
    ),
    (_ADDRESS, "this is an address or a file name, not a prompt; describe the picture in words"),
    (_HEADING, "this looks like a heading, but a clip would be bought for it; begin it with # to skip it"),
    (_CUE, "this looks like a line of a screenplay; describe each shot in one line, without names and directions"),
    (_EDIT_LIST, "this looks like a line of an edit decision list; describe each shot in words, one per line"),
    (_BOLD, "this looks like a heading or label in Markdown; write only the prompts, one per line"),
    (_MACRO, "a line that begins with ! is a macro from another tool; write out the prompts it stands for"),
    (_COMMAND, "this looks like a command for another tool; write only the prompt"),
    (_TABBED_LIST, "this line begins with a list marker (a bullet or number), which would be sent; remove it"),
    (_TABBED, f"cells separated by a tab: this looks like a row of a table; {_CSV}"),
    (_MARKDOWN, f"this looks like a row of a Markdown table; {_CSV}, and commas instead of the | characters"),
    (_SUBTITLE, f"{_SUBTITLE_WORDS}; write one prompt per line and nothing else"),
    (_JSON_LINE, f"{_JSON_WORDS}; one value per line is JSON Lines: save the file as .jsonl"),
    (_JSON, f"{_JSON_WORDS}; save the file as .json"),
    (_YAML, f"{_YAML_WORDS}; save the file as .yaml"),
    (_CODE, f"{_CODE_WORDS}; remove it"),
    (_QUOTED_ROW, f"quoted cells between commas: this looks like a row of a table; {_CSV}"),
    (_ROW, f"this looks like a row of a table; {_CSV}"),
    (_PIPES, f"cells separated by | characters: this looks like a row of a table; {_CSV}"),
    (_VALUES, f"this looks like a row of a table; {_CSV}"),
    (_ONE_VALUE, f"this looks like a row of a table; {_CSV}"),
    (_RENDER_LOG, "this looks like settings from another tool; a negative_prompt needs a .csv, .json or .yaml file"),
    (_LABEL, "this label would be sent; write only the prompt, and put its duration or size into a .csv or .yaml file"),
    (_ENDS_IN_COLON, "this looks like a heading, but a clip would be bought for it; begin it with # to skip it"),
    (BULLET, "this line begins with a list marker, which would be sent; remove it"),
    (_DASHED, "this line begins with a list marker, which would be sent; remove it"),
    (NUMBERED, "this line begins with a list number or letter, which would be sent; remove it"),
    (_WORDLESS, f"{_NO_WORDS}, but a clip would be bought for it; remove it"),
)


# Each of these alone may be a prompt: `2. Weltkrieg, ein Schiff`, `The clock shows 10, not 5`.
_AT_LEAST = {NUMBERED: 2, _DASHED: 2, _ONE_VALUE: 2}


def doubtful_lines(lines: Sequence[NumberedLine]) -> list[Lookalike]:
    """Find what could be right in a single line but is probably a mistake in this file as a whole: warnings."""
    found = []
    parts = [each for each in lines if _PART.match(each[2])]
    if len(parts) > 1:
        found.append(_reported(parts, "each line becomes a clip: put the whole text of a shot on one line"))
    listed = [each for each in lines if each[2].endswith((",", ";"))]
    if len(listed) > 1:
        found.append(
            _reported(listed, "this line ends with a comma or semicolon, as in a list, which would be sent; remove it")
        )
    for number, column, text in lines:
        match = _REMARK_BEHIND.search(text)
        if match is not None:
            words = f"{match[0].strip()} would be sent with the prompt: wanbatch skips only lines that begin with #"
            found.append(Lookalike(number, column + match.start(), words, frozenset({number})))
    return found


_PART = re.compile(
    r"(?:camera|style|lighting|light|subject|action|setting|mood|audio|sound|music|sfx|vo|voice ?over"
    r"|dialog(?:ue)?|title|scene|negative|location|character|environment|movement|overall scene"
    r"|(?:scene|shot) \d+ ?\[[^\]]*\])\s*[:\uff1a]\s*\S",
    re.IGNORECASE,
)
_REMARK_BEHIND = re.compile(r"(?<=\S\s)(?:#|//)\s+\S[^\n]{0,20}")


def _changes(line: str, heads: Sequence[str]) -> str:
    """Say what else to change in the table with this header before it can be read as CSV; empty if nothing."""
    ours = [_column_for(cell) for cell in heads if cell]
    by_pipes = " with commas instead of the | characters and without a line of dashes" if "|" in line else ""
    if ours == [folded(cell) for cell in heads]:
        return by_pipes
    return f"{by_pipes}, and call its columns {', '.join(ours)}"


def _column_for(cell: str) -> str:
    name = folded(cell)
    return name if name in fields_of_shots() else field_told(cell) or own_name(cell)


def header_cells(line: str) -> list[str]:
    """Return the names in a line that is a table's header, or nothing. At least two, most of them names of fields."""
    for delimiter in ("\t", ";", ",", "|"):
        cells = [cell.strip().strip('"').strip() for cell in line.strip("| ").split(delimiter)]
        named = [cell for cell in cells if is_column(cell)]
        if len(cells) > 1 and len(named) > 1 and len(named) * 2 > len(cells) and max(map(len, cells)) <= 40:
            return cells
    return []


def is_column(cell: str) -> bool:
    """Say whether a cell names a column: a field, a synonym of one, or a column of the user's own."""
    name = folded(cell)
    return name in fields_of_shots() or is_own(name) or bool(field_told(cell))


def _reported(alike: Sequence[NumberedLine], words: str) -> Lookalike:
    number, column, _ = alike[0]
    more = len(alike) - 1
    if more:
        words += (
            f" (line {alike[1][0]}, too)" if more == 1 else f" ({more} more lines, too; the next is line {alike[1][0]})"
        )
    return Lookalike(number, column, words, frozenset(each[0] for each in alike))
