"""What a fault of YAML's syntax comes from, in plain words, and where it can be mended.

The parser tells where it could not go on. The cause is often elsewhere: a quote inside quotes, a text that begins with
a sign of YAML, a bracket that was left open lines before.
"""

from __future__ import annotations

import re

from wanbatch.manifest.tree import Place

_NAME = r"[\w.\"'-]+"
_KEY = re.compile(rf"\s*(?:-\s+)*{_NAME}\s*")
_VALUE = re.compile(rf"\s*(?:-\s+)*(?:{_NAME}\s*:\s+)?(.*)")
_UNFIT = re.compile(
    r"did not find expected key|expected <block end>|did not find expected ',' or|did not find expected '-'"
)
_TYPOGRAPHIC = "“”„‟«»\u2018\u2019\u201a"
_IN_QUOTES = {
    '"': 'inside double quotes a quote is written \\", or put single quotes round the whole text',
    "'": "inside single quotes a quote or apostrophe is written twice (''), or put double quotes round the whole text",
}
_WORDS = (
    (
        re.compile(r"found character .*'\\t'.*|found a tab character"),
        "a tab where YAML takes only spaces: indent with spaces",
    ),
    (re.compile(r"mapping values are not allowed"), "a ': ' inside an unquoted text: put the whole text in quotes"),
    (re.compile(r"could not find expected ':'"), "a line without ': ' after its name, or indented too little"),
    (
        re.compile(r"did not find expected key|expected <block end>"),
        "this line does not fit the indentation above it: names that belong together begin in the same column",
    ),
    (
        re.compile(r"did not find expected '-'"),
        "this line does not fit the list above it: the names of one shot begin in the same column",
    ),
    (re.compile(r"unexpected end of stream|end of the stream"), "a quote or bracket is not closed"),
    (re.compile(r"did not find expected ',' or"), "a bracket is not closed, or a comma is missing"),
    (re.compile(r"cannot start any token"), "a character that cannot begin a value: put the value in quotes"),
    (
        re.compile(r"unknown escape|expected escape"),
        "a backslash in double quotes that escapes nothing: use single quotes",
    ),
    (re.compile(r"expected alphabetic or numeric"), "a text that begins with * or & is written in quotes"),
    (
        re.compile(r"(?:sequence|mapping) (?:entries|keys) are not allowed"),
        "a text that begins with - or ? is written in quotes",
    ),
    (
        re.compile(r"expected comment or line break|expected chomping or indentation|indentation indicator"),
        "a text behind | or > begins on the next line, indented; or put it in quotes",
    ),
    (
        re.compile(r"expected a single document|document start|document indicator"),
        "a --- inside the manifest: take it out",
    ),
)
NEEDS_QUOTES = "a text that begins with {} is written in quotes"


def fault_words(said: str, at: Place, text: str, quote: Place | None, opened: Place | None) -> tuple[Place, str]:
    """Say what a fault comes from, and where.

    `said` is the parser's word, `at` where it could not go on, `quote` where the quoted text before it began, `opened`
    where the list or table round it began.
    """
    lines = text.split("\n")
    line = lines[at.line - 1] if at.line <= len(lines) else ""
    before, after = line[: at.column - 1], line[at.column - 1 :]
    indent = line[: len(line) - len(line.lstrip())]
    if "\t" in indent:
        return at, _WORDS[0][1]
    if any(char != " " for char in indent):
        return at, "this line is indented with something else than plain spaces: indent with spaces"
    if "could not find expected ':'" in said:
        return _unnamed(lines, at)
    if "mapping values" in said:
        return at, _colon(lines, at, before)
    if _UNFIT.search(said):
        if before.rstrip()[-1:] in _IN_QUOTES and before.rstrip():
            if "',' or" in said and re.match(rf"{_NAME}\s*:", after):
                return at, "no comma before this name: write one"
            return _quoted(before.rstrip()[-1], at, after, quote)
        if before.rstrip()[-1:] in ("]", "}") and after.strip() and _value_of(before)[:1] in ("[", "{"):
            return at, f"text after a closing bracket: {NEEDS_QUOTES.format('[ or {')}"
        if "',' or" in said:
            return _in_brackets(at, after, opened)
    words = next((plain for pattern, plain in _WORDS if pattern.search(said)), said)
    return at, words


def _quoted(sign: str, at: Place, after: str, quote: Place | None) -> tuple[Place, str]:
    if after.startswith(","):
        return at, "a comma after a value: outside of [ ] and { } YAML has none; take it out"
    if quote is not None and quote.line < at.line:
        return quote, f"a quote that begins here ends on line {at.line}: close it where its text ends"
    return at, f"text after a closing quote: {_IN_QUOTES[sign]}"


def _in_brackets(at: Place, after: str, opened: Place | None) -> tuple[Place, str]:
    if opened is not None and opened.line < at.line:
        return opened, "a bracket that begins here is not closed, or a comma is missing in it"
    if after.startswith(":"):
        return (
            at,
            "a ': ' inside an unquoted text, or no comma before a name: put the text in quotes, or write the comma",
        )
    return at, "a bracket is not closed, or a comma is missing"


def _colon(lines: list[str], at: Place, before: str) -> str:
    above = next((each for each in reversed(lines[: at.line - 1]) if each.strip()), "")
    if re.match(r"\s*-\w", above) and _KEY.fullmatch(before):
        return "the dash in the line above has no blank behind it: write - id: instead of -id:"
    if _KEY.fullmatch(before) and before.startswith(" ") and _indent(before) > _indent(above.replace("- ", "  ")):
        return "this line is indented deeper than the one above, which has its value already"
    if _value_of(before)[:1] in tuple(_TYPOGRAPHIC):
        return "a ': ' inside an unquoted text: YAML knows only straight quotes, so put \" or ' round the whole text"
    return "a ': ' inside an unquoted text: put the whole text in quotes"


def _unnamed(lines: list[str], at: Place) -> tuple[Place, str]:
    """Find the line that has no name: it stands above the place where the parser noticed."""
    for number in range(min(at.line, len(lines)), 0, -1):
        line = lines[number - 1]
        bare = line.strip()
        if not bare or bare.startswith("#"):
            continue
        here = Place(number, _indent(line) + 1)
        if re.search(rf"(?:^|\s){_NAME}\s*:\s*[|>][+-]?\d?\s*$", line):
            return Place(number + 1, 1), "the text below | or > is indented deeper than the name before it"
        if re.match(r"(?:-\s+)?[A-Za-z_]+\uff1a", bare):
            return here, "a wide colon: write a plain : and a blank behind it"
        if re.match(r"(?:-\s+)?[A-Za-z_]+:[^\s/]", bare):
            return here, "no blank behind the colon: write one between the name and its value"
        if re.match(r"(?:-\s+)?[A-Za-z_]+\s*=", bare):
            return here, "an = where YAML has a colon: write name: value"
        if not re.match(rf"(?:-\s+)*{_NAME}\s*:(?:\s|$)", bare) and number < at.line:
            if _is_in_block(lines, number):
                return here, "the text below | or > is indented deeper than the name before it"
            return here, "a line without ': ' after its name, or indented too little"
        if number < at.line:
            break
    return at, "a line without ': ' after its name, or indented too little"


def _is_in_block(lines: list[str], number: int) -> bool:
    above = (each for each in reversed(lines[: number - 1]) if each.strip())
    return re.search(r":\s*[|>][+-]?\d?\s*$", next(above, "")) is not None


def _value_of(before: str) -> str:
    match = _VALUE.match(before)
    return match[1] if match is not None else ""


def _indent(line: str) -> int:
    return len(line) - len(line.lstrip())
