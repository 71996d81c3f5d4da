"""Leftovers in a prompt that should probably not be sent: unfilled placeholders, and syntax of other tools."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

PLACEHOLDER, SYNTAX, MARKUP = "placeholder", "syntax", "markup"  # the rules that allow each
PLACEHOLDER_WORDS = "what looks like a placeholder, "
_TODO = re.compile(rf"{PLACEHOLDER_WORDS}[^:]*\b(?:TODO|TBD|FIXME)\b")
_SHOWN = 3
_SHOWN_CAP = 40
# None of the below can match without one of these: of a hundred thousand prompts nearly all are done here. Each of the
# patterns begins with one character or set, so that a search is quick.
_SIGNS = (
    re.compile(r"[{<\[$%~&\\/=—\u2010-\u2015\u2212]"),
    re.compile(r":[0-9.]"),
    re.compile(r"#[A-Z]"),
)
_FLAG = re.compile(r"\s-[acns]")
_PAIRS = ("**", "((", "```", "__", "::", "--", "???", "TODO", "TBD", "FIXME", "XXX", "BREAK", "orem ipsum")
_SETTINGS = ("seed", "cfg", "steps", "sampler", "guidance")
_OPENING = frozenset("=\"“”„«'\u2018")
_PLACEHOLDERS = re.compile(
    r"""
    \{\{.{0,80}?\}\}                                 # {{bird}}: Jinja, Mustache, Handlebars
    | [$\#]\{[^{}\n]{0,80}\}                         # ${ARTIST}: shells, JavaScript
    | \{%.{0,80}?%\}
    | <%.{0,80}?%>
    | \[\[[^\[\]\n]{1,80}\]\]                        # [[x]]
    | (?<![\w])__[A-Za-z][\w*/-]{0,60}?__(?!\w)      # __bird__, also a list of another tool
    | %\([A-Za-z_]\w{0,40}\)[sdif]                   # %(bird)s
    | (?<![\w%])%[sd](?!\w)                          # %s
    | %[A-Z][A-Z0-9_]{1,40}%                         # %BIRD%
    | (?<![\w$])\$[A-Z][A-Z0-9_]{2,40}\b             # $BIRD
    | <[A-Z][A-Z0-9 _-]{1,40}>                       # <PLACEHOLDER>
    | <(?:insert|your|enter|name\ of)\b[^<>\n]{0,60}>
    | \[[A-Z][A-Z0-9]*_[A-Z0-9_]{1,60}\]             # [BIRD_NAME]
    | \[(?:[Ii]nsert|INSERT|[Yy]our|YOUR|[Ee]nter|ENTER|[Ff]ill|FILL|[Pp]laceholder)\b[^\[\]\n]{0,60}\]
    | \[(?:NAME|CHARACTER|PERSON|ANIMAL|OBJECT|SUBJECT|PLACE|LOCATION|CITY|STYLE|COLOU?R|ARTIST|TITLE)\]
    | (?<!\w)(?:TODO|TBD|FIXME|XXX+)(?!\w)
    | \?\?\?+
    | [Ll]orem\ ipsum
    """,
    re.VERBOSE,
)
_WORDS_OF_OTHERS = re.compile(
    r"""
    (?<!\S)--[A-Za-z][\w-]*(?:[ =][\w:.*-]+)?         # --ar 16:9
    | (?<!\S)-(?:ar|neg|seed|cfg|steps)\s+[\w:.]+
    # a program that writes typographic dashes made one dash of two: —ar 16:9
    | (?<!\S)[—\u2010-\u2015\u2212]{1,2}-?(?:ar|aspect|seed|cfg|steps|stylize|chaos|weird|quality|style|sref|cref
        |iw|niji|fps|dur|duration|motion|stop|[vscqw])(?:\s+|[=:]\s*)(?:\d[\w:.]*|raw\b|none\b)
    | (?<![\w-])(?i:seed|cfg(?:[ _]?scale)?|steps|guidance(?:[ _]scale)?|num_frames|ar)\s*=\s*\d[\w:.]*
    | (?<![\w-])(?i:seed|cfg(?:[ _]?scale)?|steps|guidance[ _]scale|num_frames|sampler)\s*:\s*(?:\d[\w.]*
        |(?i:Euler|DPM)\S*)
    | (?<![\w-])(?i:seed|cfg)\s\d[\d.]*(?=\s*(?:,|$))
    | <(?:lora|lyco|hypernet|embedding|segment)\b[^<>\n]{0,80}>
    | \([^()\n]{1,120}(?::[0-9]?\.[0-9]+|(?<=[^\W\d]):[0-9](?:\.[0-9]+)?)\)  # (word:1.3); not (10:30)
    | (?<!:)::-?[0-9]*\.?[0-9]+                      # word::2
    | \(\([^()\n]{1,120}\)\)                          # ((word))
    | ^\s*/(?:imagine|video|generate|prompt|create)\b
    | (?<![{$\#])\{[^{}\n]{0,120}\}(?!\})            # {bird}, {a|b}
    | (?<!\w)BREAK(?!\w)
    | \[(?!\s*\d{1,2}:\d\d)[^\[\]\n|:]{1,60}:[^\[\]\n|:]{0,60}:[0-9.]+\]  # [from:to:0.5]
    """,
    re.VERBOSE,
)
_MARKUP = re.compile(
    r"&(?:amp|nbsp|lt|gt|quot|apos|#[0-9]{1,7}|#x[0-9a-fA-F]{1,6});|</?[a-z][a-z0-9]{0,10}\s*/?>|\*\*[^*\n]{1,120}\*\*"
    r"|\\[ntr]|\\u[0-9a-fA-F]{4}|```"
)
_CELL_ERROR = re.compile(
    r"\s*#(?:REF!|N/A|VALUE!|NAME\?|DIV/0!|NULL!|NUM!|SPILL!|CALC!|FIELD!|BEZUG!|NV|WERT!|ERROR!)\s*"
)
_NOTHING_CAP = 40
NOTHING = re.compile(
    r"(?:<?(?:n\.?/?a|nat|nan|null|none|nil|undefined)>?|#n/?a|true|false|tb[ad]|todo|ditto|omit|prompt|\(blank\)"
    r"|same as (?:above|before)|see (?:notes?|above)|k\.? ?a\.?|entfällt|untitled"
    r"|\W*your[ _]prompt[ _]here\W*|\W*insert[ _]prompt(?:[ _]here)?\W*|prompt_here|loading\.*|\\n|"
    r"\(null\)|\[object object\])\.?",
    re.IGNORECASE,
)
_UNFILLED = re.compile(r"todo\.?|tb[ad]\.?|\?{3,}", re.IGNORECASE)  # placeholders, for which there is a warning
_FORMULA = re.compile(r"""\s*=(?:[A-Z][A-Z0-9.]*\(|\$?[A-Z]{1,3}\$?[0-9]+\b|["(])""")
_QUOTED = re.compile(r"""\s*(?:"[^"]+"|“[^“”]+”|„[^„“”]+[“”]|«[^«»]+»|'[^']{4,}'|\u2018[^\u2018\u2019]{4,}\u2019)\s*""")


@dataclass(frozen=True)
class Leftover:
    """A piece of a text that should probably not be sent, and what it is; `more` are the positions of its like."""

    at: int
    words: str
    rule: str = ""
    is_of_another_tool: bool = False
    more: tuple[int, ...] = ()


def leftovers(text: str) -> list[Leftover]:
    """Find what should probably not be sent in a prompt: at most one of each kind, at its first place."""
    if not _may_hold_any(text):
        return []
    found = []
    unfilled = list(_PLACEHOLDERS.finditer(text))
    taken = [match.span() for match in unfilled]
    of_others = [
        match
        for match in _WORDS_OF_OTHERS.finditer(text)
        if not any(begin < match.end() and match.start() < end for begin, end in taken)
    ]
    if unfilled:
        words = f"{PLACEHOLDER_WORDS}{_named(unfilled)}: fill it in, or remove it; it would be sent unchanged"
        more = tuple(match.start() for match in unfilled[1:])
        found.append(Leftover(unfilled[0].start(), words, PLACEHOLDER, more=more))
    if of_others:
        words = f"{_named(of_others)}: the model reads plain text, so write it out or remove it"
        found.append(
            Leftover(
                of_others[0].start(),
                f"what looks like syntax from another tool, {words}",
                SYNTAX,
                is_of_another_tool=True,
            )
        )
    markup = list(_MARKUP.finditer(text))
    if markup:
        words = f"{_named(markup)}: it would be sent unchanged; write plain text"
        found.append(Leftover(markup[0].start(), f"what looks like markup, {words}", MARKUP))
    if _FORMULA.match(text):
        found.append(Leftover(0, "what looks like a spreadsheet formula: save the table with its values"))
    if _QUOTED.fullmatch(text):
        found.append(Leftover(0, "quotation marks around the whole text: they would be sent; remove them"))
    return found


def _may_hold_any(text: str) -> bool:
    for sign in _SIGNS:
        if sign.search(text) is not None:
            return True
    for pair in _PAIRS:
        if pair in text:
            return True
    if "-" in text and _FLAG.search(text) is not None:
        return True
    folded = text.casefold()
    return text.lstrip()[:1] in _OPENING or any(word in folded for word in _SETTINGS)


def is_to_do(warning: str) -> bool:
    """Say whether a warning is about a text that its author has still to write: it says TODO, TBD or FIXME."""
    return _TODO.search(warning) is not None


@lru_cache(maxsize=256)  # the scenes of a table come again and again
def says_nothing(text: str) -> bool:
    """Say whether a text is what people and programs write for an empty value: `nan`, `NULL`, `N/A`, a dash."""
    if len(text) > _NOTHING_CAP or _UNFILLED.fullmatch(text.strip()) is not None:
        return False
    return NOTHING.fullmatch(text.strip()) is not None or _is_dash(text.strip())


def _is_dash(text: str) -> bool:
    return bool(text) and not text.strip("-\u2013—\u2212_.?*/ ")


def cell_error(text: str) -> str:
    """Return the cell if it is a spreadsheet's sign for a failed formula; else nothing."""
    return text.strip() if _CELL_ERROR.fullmatch(text) else ""


def _named(matches: list[re.Match[str]]) -> str:
    """Return `{{bird}} and ${ARTIST}`."""
    texts = list(dict.fromkeys(_short(match[0]) for match in matches))
    shown, rest = texts[:_SHOWN], len(texts) - _SHOWN
    if rest > 0:
        return f"{', '.join(shown)} and {rest} more"
    return shown[0] if len(shown) == 1 else f"{', '.join(shown[:-1])} and {shown[-1]}"


def _short(text: str) -> str:
    text = "".join(char if char.isprintable() else "\ufffd" for char in text.strip())
    return text if len(text) <= _SHOWN_CAP else text[:_SHOWN_CAP] + "…"
