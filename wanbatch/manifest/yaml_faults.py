"""Faults of YAML's syntax: the cause in plain words, and where to fix it.

The parser reports where it stopped. The cause is often elsewhere: a quote inside quotes, a text that begins with
a sign of YAML, a bracket left open some lines before.
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
    '"': 'inside double quotes write a quote as \\", or put single quotes around the whole text',
    "'": "inside single quotes write a quote or apostrophe twice (''), or put double quotes around the whole text",
}
_WORDS = (
    (
        re.compile(r"found character .*'\\t'.*|found a tab character"),
        "a tab, but YAML allows only spaces here: indent with spaces",
    ),
    (re.compile(r"mapping values are not allowed"), "a ': ' inside unquoted text: put the whole text in quotes"),
    (re.compile(r"could not find expected ':'"), "a line without ': ' after its name, or indented too little"),
    (
        re.compile(r"did not find expected key|expected <block end>"),
        "this line does not fit the indentation above it: names that belong together must begin in the same column",
    ),
    (
        re.compile(r"did not find expected '-'"),
        "this line does not fit the list above it: the names of one shot must begin in the same column",
    ),
    (re.compile(r"unexpected end of stream|end of the stream"), "a quote or bracket is not closed"),
    (re.compile(r"did not find expected ',' or"), "a bracket is not closed, or a comma is missing"),
    (re.compile(r"cannot start any token"), "a value cannot begin with this character: put the value in quotes"),
    (
        re.compile(r"unknown escape|expected escape"),
        "a backslash in double quotes that escapes nothing: use single quotes",
    ),
    (re.compile(r"expected alphabetic or numeric"), "put text that begins with * or & in quotes"),
    (
        re.compile(r"(?:sequence|mapping) (?:entries|keys) are not allowed"),
        "put text that begins with - or ? in quotes",
    ),
    (
        re.compile(r"expected comment or line break|expected chomping or indentation|indentation indicator"),
        "begin text after | or > on the next line, indented; or put it in quotes",
    ),
    (
        re.compile(r"expected a single document|document start|document indicator"),
        "a --- inside the manifest: remove it",
    ),
)
NEEDS_QUOTES = "put text that begins with {} in quotes"


def fault_words(said: str, at: Place, text: str, quote: Place | None, opened: Place | None) -> tuple[Place, str]:
    """Say what caused a fault, and where.

    `said` is the parser's message, `at` where it stopped, `quote` where the quoted text before it began, `opened`
    where the list or table around it began.
    """
    lines = text.split("\n")
    line = lines[at.line - 1] if at.line <= len(lines) else ""
    before, after = line[: at.column - 1], line[at.column - 1 :]
    indent = line[: len(line) - len(line.lstrip())]
    if "\t" in indent:
        return at, _WORDS[0][1]
    if any(char != " " for char in indent):
        return at, "this line is not indented with plain spaces: indent with spaces"
    if "could not find expected ':'" in said:
        return _unnamed(lines, at)
    if "mapping values" in said:
        return at, _colon(lines, at, before)
    if _UNFIT.search(said):
        if before.rstrip()[-1:] in _IN_QUOTES and before.rstrip():
            if "',' or" in said and re.match(rf"{_NAME}\s*:", after):
                return at, "a comma is missing before this name: write one"
            return _quoted(before.rstrip()[-1], at, after, quote)
        if before.rstrip()[-1:] in ("]", "}") and after.strip() and _value_of(before)[:1] in ("[", "{"):
            return at, f"text after a closing bracket: {NEEDS_QUOTES.format('[ or {')}"
        if "',' or" in said:
            return _in_brackets(at, after, opened)
    words = next((plain for pattern, plain in _WORDS if pattern.search(said)), said)
    return at, words


def _quoted(sign: str, at: Place, after: str, quote: Place | None) -> tuple[Place, str]:
    if after.startswith(","):
        return at, "a comma after a value: outside of [ ] and { } YAML has no commas; remove it"
    if quote is not None and quote.line < at.line:
        return quote, f"a quote that begins here ends on line {at.line}: close it where its text ends"
    return at, f"text after a closing quote: {_IN_QUOTES[sign]}"


def _in_brackets(at: Place, after: str, opened: Place | None) -> tuple[Place, str]:
    if opened is not None and opened.line < at.line:
        return opened, "a bracket that begins here is not closed, or a comma is missing in it"
    if after.startswith(":"):
        return (
            at,
            "a ': ' inside unquoted text, or no comma before a name: put the text in quotes, or write the comma",
        )
    return at, "a bracket is not closed, or a comma is missing"


def _colon(lines: list[str], at: Place, before: str) -> str:
    above = next((each for each in reversed(lines[: at.line - 1]) if each.strip()), "")
    if re.match(r"\s*-\w", above) and _KEY.fullmatch(before):
        return "the dash in the line above has no space after it: write - id: instead of -id:"
    if _KEY.fullmatch(before) and before.startswith(" ") and _indent(before) > _indent(above.replace("- ", "  ")):
        return "this line is indented deeper than the one above, which already has a value"
    if _value_of(before)[:1] in tuple(_TYPOGRAPHIC):
        return "a ': ' inside unquoted text: YAML knows only straight quotes, so put \" or ' around the whole text"
    return "a ': ' inside unquoted text: put the whole text in quotes"


def _unnamed(lines: list[str], at: Place) -> tuple[Place, str]:
    """Find the line that has no name: it is above the place where the parser noticed."""
    for number in range(min(at.line, len(lines)), 0, -1):
        line = lines[number - 1]
        bare = line.strip()
        if not bare or bare.startswith("#"):
            continue
        here = Place(number, _indent(line) + 1)
        if re.search(rf"(?:^|\s){_NAME}\s*:\s*[|>][+-]?\d?\s*$", line):
            return Place(number + 1, 1), "indent the text below | or > deeper than the name before it"
        if re.match(r"(?:-\s+)?[A-Za-z_]+\uff1a", bare):
            return here, "a wide colon: write a plain : and a space after it"
        if re.match(r"(?:-\s+)?[A-Za-z_]+:[^\s/]", bare):
            return here, "no space after the colon: write one between the name and its value"
        if re.match(r"(?:-\s+)?[A-Za-z_]+\s*=", bare):
            return here, "an = instead of a colon: write name: value"
        if not re.match(rf"(?:-\s+)*{_NAME}\s*:(?:\s|$)", bare) and number < at.line:
            if _is_in_block(lines, number):
                return here, "indent the text below | or > deeper than the name before it"
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
