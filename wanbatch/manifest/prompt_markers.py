"""Marks around a prompt that a list or a shot list left behind: numbers, boxes, times, shot headings, settings.

A multi-shot prompt has times and numbered shots of its own (`Shot 1 [0-4s]: ... Shot 2 [4-9s]: ...`): if a text has
several of them, they are meant.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from wanbatch.manifest.words import shown

_TAIL = 40  # characters at the end of a text that may hold a time or a size

_CLOCK = r"\d{1,2}:[0-5]\d(?::[0-5]\d)?(?:[.,]\d{1,3})?"
_SECONDS = r"\d{1,3}(?:[.,]\d)?\s?(?:s|secs?|seconds?|sek|sekunden|seg|segundos|secondes?|秒)"
_TO = r"\s*(?:-|\u2013|—|→|to|bis)\s*"
_RANGE = rf"(?:{_CLOCK}{_TO}{_CLOCK}|\d{{1,3}}(?:[.,]\d)?\s?s?{_TO}{_SECONDS})"
_SHOT = (
    r"scene|shot|clip|prompt|frame|panel|sequence|part|chapter|cut|beat|szene|einstellung|bild|scène|plan|escena|plano|"
    r"toma|scena|inquadratura|cena|step|slide|page|act|image|video|сцена|кадр"
)
_SHOT_WITH_NUMBER = (
    rf"(?:{_SHOT})\s*[#№]?\s*(?:\d{{1,4}}[a-z]?|one|two|three|four|five|six|seven|eight|nine|ten|eins|zwei|drei)(?!\w)"
)
_NUMBER_OF_CHINA = "[\\d一二三四五六七八九十百]+"

# What begins a line of a list but not a prompt: a bullet, an arrow, a box to tick, a number in a circle or on a key.
BULLET = re.compile(
    "[-*•·‣◦▪▫■□◻◼◽◾●○◆◇❖➤➔➜→⇒⟶►▶▸☐☑☒✓✔✅✗✘❌⬜🔲☞👉>][\ufe0e\ufe0f]?(?:>)*\\s+\\S.*"
    "|\\[[ xX✓✔]?\\]\\s*\\S.*|[☐☑☒✓✔✅][\ufe0e\ufe0f]?\\S.*"
    "|[\u2460-\u24ff\u2776-\u2793\u3220-\u3229]\\s*\\S.*|\\d{1,2}\ufe0f?\u20e3\\s*\\S.*"
)
# A number or letter of a list. Alone it may be meant: `2. Weltkrieg, ein Schiff`.
NUMBERED = re.compile(
    r"[(\[]?(?:\d{1,4}|[a-z]|[ivx]{2,5}|[IVX]{2,5})[.):\]][.:]?\s+\S.*|[(\[]?[A-Z][)\]]\s+\S.*|\d{1,3}_[^\W\d].*"
    r"|\d{1,2}\.\d{1,2}\.?\s+[^\W\d].*"
    r"|(?:\d{1,3}|[a-h])[.)](?=[^\W\d])\S.*"
    r"|\d{1,3}\s*[/\u2013—-]\s+[^\W\d].*"
    r"|(?:#|№|[Nn][or]\.|[Nn]°|[Nn]º)\s*\d{1,4}[.:)]?\s+\S.*"
)
_IN_BRACKETS = re.compile(
    r"[(\[](?:\d{1,4}|[a-hA-H]|[ivxIVX]{2,5})[)\]][.:]?\s+(?=\S)|(?:1|[a-h])\)\s*(?=\S)|1(?:[.:]|\s*[/\u2013—-])\s+(?=[^\W\d])"
    r"|(?:#|№|[Nn][or]\.|[Nn]°|[Nn]º)\s*\d{1,4}[.:)]?\s+(?=\S)"
)
_HEADED = re.compile(
    rf"[(\[<【]\s*{_SHOT_WITH_NUMBER}[^()\[\]<>【】\n]{{0,40}}[)\]>】]\s*[:.|\u2013—-]?\s*(?=\S)|"
    rf"[【\[]\s*(?:镜头|鏡頭|场景|場景|シーン|カット)\s*{_NUMBER_OF_CHINA}\s*[】\]]\s*(?=\S)|"
    rf"{_SHOT_WITH_NUMBER}\s*(?:\([^()\n]{{0,40}}\)|\[[^\[\]\n]{{0,40}}\])?\s*[:.|\u2013—-]\s*(?=\S)"
    rf"|第\s*{_NUMBER_OF_CHINA}\s*(?:[场場幕镜鏡集个個]|镜头|鏡頭)+\s*[\uff1a:]\s*(?=\S)"
    rf"|(?:镜头|鏡頭|场景|場景|シーン|カット)\s*{_NUMBER_OF_CHINA}\s*[\uff1a:.、]\s*(?=\S)"
    r"|(?:sc|sh|sq|seq|ep)[_-]?\d{1,4}(?:[_-]?[a-z]{0,3}\d{1,4})?(?:\s*[:.|\u2013—-])?\s+(?=\S)"
    r"|[sc]\d{1,3}(?:[es]\d{1,3})?\s*:\s+(?=\S)",
    re.IGNORECASE,
)
_SIGNS = re.compile(r"[^\w\s\[\](){}<>【】\"'#]+\s+")
_MORE_SHOTS = re.compile(
    rf"(?:{_SHOT_WITH_NUMBER}|第\s*{_NUMBER_OF_CHINA}|(?:镜头|鏡頭|シーン|カット)\s*\d)", re.IGNORECASE
)
_TIMED = re.compile(
    rf"[(\[]\s*(?:{_RANGE}|{_CLOCK}|{_SECONDS})\s*[)\]]\s*[:.|\u2013—-]?\s*(?=\S)"
    rf"|[(\[]?\d{{1,4}}[./-]\d{{1,2}}[./-]\d{{1,4}},?\s+{_CLOCK}[^()\[\]\n:]{{0,6}}[)\]:]\s*(?=\S)"
    rf"|{_RANGE}\s*[:.|\u2013—-]?\s*(?=\S)"
    rf"|{_CLOCK}(?!\s*(?:am|pm|[ap]\.m|uhr|at|in|on|o.clock|hrs?|h|,)(?!\w))\s*[:|\u2013—-]?\s+(?=\S)"
    rf"|{_SECONDS}\s*[:|\u2013—-]\s+(?=\S)",
    re.IGNORECASE,
)
_TIME = re.compile(rf"{_RANGE}|[(\[]\s*(?:{_CLOCK}|{_SECONDS})\s*[)\]]", re.IGNORECASE)
_ENDS_IN_TIME = re.compile(
    rf"\s(?:[(\[{{<]\s*(?:duration:?\s*|length:?\s*|~)?(?:{_SECONDS}|{_RANGE}|0?0:[0-5]\d)\s*[)\]}}>]|[@|/\u2013—-]\s*~?(?:{_SECONDS}|{_CLOCK}))\.?$"
    rf"|[,;:]\s*(?:(?:duration|length)\s*[:=]?\s*)?{_SECONDS}\.?$|\s\d{{1,3}}\s?(?:s|secs?)\.?$",
    re.IGNORECASE,
)
_SIZE = r"(?:16:9|9:16|4:3|3:4|1:1|21:9|(?:480|720|1080)p|(?:24|25|30|60) ?fps)"
_MORE = rf"(?:\s*[,;/|]?\s*(?:{_SIZE}|{_SECONDS}))*"
_ENDS_IN_SIZE = re.compile(
    rf"(?:\s|[,|])(?:{_SIZE}{_MORE}|[(\[]{_SIZE}{_MORE}[)\]]|[(\[]{_SECONDS}{_MORE}[)\]])$", re.IGNORECASE
)
_NAMES_A_SETTING = re.compile(r"(?:[-\u2013\u2014]\w+|[\w ][:=])[ (]?$")
_SETTING = re.compile(
    r"(?<!\w)(?:duration|fps|frame[ _]?rate|aspect[ _]ratio|ratio|resolution|size)\s*[:=]\s*\d(?:[\w:.\xd7]*\w)?"
    r"|(?<!\S)[—\u2013]no\s\w+(?=\s*(?:,|$))"
    r"|(?<!\w)neg(?:ative)?(?:[ _]prompt)?\s*[:=]\s*(?=\S)",
    re.IGNORECASE,
)
_MAY_SET = re.compile("[:=—\u2013]\\s*(?:\\d|no\\s)")
_DIGIT = re.compile("\\d")  # in each time and each size
_ADDRESS = re.compile(r"https?://\S+\s+(?=\S)")
_ROW_NUMBER = re.compile(r"(\d{1,4})(?![\w:.,])\s+\S|(\d{1,4})[,;]\s*\S")
_FROM_ROWS = 3  # numbered lines in a row: two may be a coincidence
_LENGTH = "set the length with duration (a field in .csv, .json and .yaml files)"
_PICTURE = "set the size with aspect_ratio or resolution (fields in .csv, .json and .yaml files)"


@dataclass(frozen=True)
class Mark:
    """Something around a prompt that should probably not be sent: where it begins in the text, and what to do."""

    at: int
    words: str


def marks(text: str) -> list[Mark]:
    """Find marks at the beginning and end of a prompt, and settings inside it: at most one of each kind."""
    found = [mark for mark in (_at_beginning(text), _at_end(text)) if mark is not None]
    setting = _SETTING.search(text) if _MAY_SET.search(text) or "neg" in text.casefold() else None
    if setting is not None and 0 < setting.start() < min((mark.at for mark in found if mark.at), default=len(text)):
        words = (
            f"what looks like a setting, {_reported(setting[0])}: it would be sent as text; put it in a field of its"
        )
        found.append(Mark(setting.start(), f"{words} own (in a .csv, .json or .yaml file)"))
    return found


def _at_beginning(text: str) -> Mark | None:
    bullet = "a list marker at its beginning, {}: it would be sent; remove it"
    first = text[:1]
    if not first.isalnum() and BULLET.fullmatch(text.split("\n", 1)[0]):
        return Mark(0, bullet.format(shown(text.split(maxsplit=1)[0])))
    if "\u20e3" in text[:4]:
        return Mark(0, bullet.format(_reported(text[: text.index("\u20e3") + 1])))
    match = _TIMED.match(text) if first in "([" or first.isdigit() else None
    if match is not None:
        if len(_TIME.findall(text)) > 1:
            return None
        return Mark(0, f"a time at its beginning, {_reported(match[0])}: it would be sent; remove it; {_LENGTH}")
    match = _IN_BRACKETS.match(text)
    if match is not None:
        return Mark(0, bullet.format(_reported(match[0])))
    signs = _SIGNS.match(text)  # an emoji before a heading, as chat programs write it
    match = _HEADED.match(text, signs.end() if signs is not None else 0)
    if match is not None and _MORE_SHOTS.search(text, match.end()) is None:
        words = f"a shot heading at its beginning, {_reported(match[0])}: it would be sent; remove it"
        return Mark(0, f"{words} (several shots of one clip belong in one prompt)")
    if _ADDRESS.match(text):
        return Mark(0, "an address at its beginning: it would be sent as text; give a picture as image_url")
    return None


def _at_end(text: str) -> Mark | None:
    begin = max(0, len(text) - _TAIL)
    if _DIGIT.search(text, begin) is None:
        return None
    for pattern, what, cure in (
        (_ENDS_IN_TIME, "a time", _LENGTH),
        (_ENDS_IN_SIZE, "a picture size", _PICTURE),
    ):
        match = pattern.search(text, begin)
        is_alone = match is not None and not _NAMES_A_SETTING.search(text[: match.start() + 1])
        if match is not None and is_alone and match.start() > 0 and len(_TIME.findall(text)) < 2:
            at = match.start() + len(match[0]) - len(match[0].lstrip(" ,;"))
            return Mark(at, f"{what} at its end, {shown(match[0].strip(' ,;'))}: it would be sent; remove it; {cure}")
    return None


def counted_up(texts: list[str]) -> list[int]:
    """Return the indexes of texts that begin with numbers counting up line by line: 1, 2, 3; empty for fewer."""
    numbers = [_row_number(text) for text in texts]
    found: list[int] = []
    run: list[int] = []
    for index, number in enumerate(numbers):
        before = numbers[run[-1]] if run else None
        if number is not None and before is not None and number == before + 1:
            run.append(index)
            continue
        found += run if len(run) >= _FROM_ROWS else []
        run = [index] if number is not None else []
    return found + (run if len(run) >= _FROM_ROWS else [])


def _row_number(text: str) -> int | None:
    match = _ROW_NUMBER.match(text)
    return None if match is None else int(match[1] or match[2])


def _reported(text: str) -> str:
    """Return what was found, without the separator after it."""
    return shown(text.strip().rstrip(":\uff1a|\u2013—-").rstrip())
