"""CSV and plain text manifests, as the same nodes that YAML gives."""

from __future__ import annotations

import csv
import hashlib
import re
import unicodedata
from collections import Counter

from wanbatch.manifest.fields import BOOLEAN_FIELDS, INTEGER_FIELDS, LIST_FIELDS
from wanbatch.manifest.tree import Listing, Node, Place, Problems, ReadingStopped, Scalar, Table, start_of_file
from wanbatch.manifest.words import meant
from wanbatch.names import composed

_TRUE, _FALSE = frozenset({"true", "yes", "1"}), frozenset({"false", "no", "0"})
_CELL_CAP = 1024 * 1024
_SLUG_CAP = 40


def read_csv(text: str, problems: Problems) -> Node:
    """Read a CSV text: a header row with the words of the manifest, then one shot a row; an empty cell is not given.

    The delimiter is a comma, or a semicolon where the header has no comma. Raises ReadingStopped.
    """
    header_line = text.split("\n", 1)[0]
    if "\t" in header_line and "," not in header_line and ";" not in header_line:
        raise problems.stop(start_of_file(), "the columns are separated by tabs; separate them with commas")
    delimiter = ";" if ";" in header_line and "," not in header_line else ","
    csv.field_size_limit(_CELL_CAP)
    rows: list[tuple[list[str], list[Place]]] = []
    lines = re.findall(r"[^\n]*\n|[^\n]+", text)  # not splitlines: a cell may hold U+2028
    reader = csv.reader(iter(lines), delimiter=delimiter, strict=True)
    begun = 0
    while True:
        begun = reader.line_num
        try:
            cells = next(reader)
        except StopIteration:
            break
        except csv.Error as error:
            at = Place(begun + 1, 1)
            if "unexpected end" in str(error):
                at = _places("".join(lines[begun:]), begun + 1, delimiter)[-1]  # the cell that swallowed the rest
            raise problems.stop(at, _csv_words(error)) from error
        rows.append((cells, _places("".join(lines[begun : reader.line_num]), begun + 1, delimiter)))
    return _document(rows, problems)


def _csv_words(error: csv.Error) -> str:
    said = str(error)
    if "unexpected end of data" in said:
        return "a quote that begins here is never closed"
    if "expected after" in said:
        return 'text after a closing quote; a quote inside a quoted cell is written twice ("")'
    if "field limit" in said:
        return f"a cell of more than {_CELL_CAP // 2**20} MiB; is a quote in this row not closed?"
    if "new-line character" in said:
        return "a carriage return in a cell; put the cell in quotes"
    return f"this is no CSV: {said}"


def _places(row: str, line: int, delimiter: str) -> list[Place]:
    """Return where each cell of a row begins."""
    places, column, is_quoted, is_first, has_quotes = [Place(line, 1)], 1, False, True, False
    for char in row:
        column += 1
        if is_first:
            has_quotes = char == '"'  # elsewhere in a cell that does not begin with one, a quote is a plain character
        is_first = False
        if char == '"' and has_quotes:
            is_quoted = not is_quoted
        elif char == "\n":
            line, column = line + 1, 1
        elif char == delimiter and not is_quoted:
            places.append(Place(line, column))
            is_first = True
    return places


def _document(rows: list[tuple[list[str], list[Place]]], problems: Problems) -> Node:
    if not rows or not any(cell.strip() for cell in rows[0][0]):
        raise problems.stop(
            start_of_file(), "no header row: the first line names the columns, such as id,prompt,duration"
        )
    header, header_places = rows[0]
    names = [name.strip() for name in header]
    shots = Listing(rows[0][1][0])
    document = Table(start_of_file(), {"shots": shots}, {"shots": start_of_file()})
    _check_header(names, header_places, problems)
    for cells, places in rows[1:]:
        if not any(cell.strip() for cell in cells):
            continue
        if len(cells) != len(names):
            problems.add(places[0], f"{len(cells)} cells where the header names {len(names)} columns")
            continue
        shots.items.append(_row(cells, places, names, header_places))
    return document


def _check_header(names: list[str], places: list[Place], problems: Problems) -> None:
    columns: dict[str, Place] = {}
    for name, at in zip(names, places, strict=True):
        if not name:
            problems.add(at, "a column without a name")
        elif name in columns:
            problems.add(at, f"{name} heads a second column; the first begins at column {columns[name].column}")
        columns.setdefault(name, at)
    for name in ("id", "prompt"):
        if name not in columns:
            close = meant(name, [each for each in names if each not in ("id", "prompt")])
            problems.add(start_of_file(), f"no {name} column; every shot needs one{close}")
    if problems.found:
        raise ReadingStopped


def _row(cells: list[str], places: list[Place], names: list[str], header_places: list[Place]) -> Table:
    row = Table(places[0])
    for number, (name, text) in enumerate(zip(names, cells, strict=True)):
        if name and text != "" and name not in row.items:
            row.items[name] = _cell(name, text, places[number])
            # An unknown column is one problem of the header, not one of every row.
            row.keys[name] = header_places[number]
    return row


def _cell(name: str, text: str, at: Place) -> Node:
    bare = text.strip()
    if name in LIST_FIELDS:
        parts = [part.strip() for part in re.split(r"[;,]" if name == "tags" else r"[;\s]", bare)]
        return Listing(at, [Scalar(part, part, at, is_quoted=True) for part in parts if part])
    if name in INTEGER_FIELDS and re.fullmatch(r"-?[0-9]{1,18}", bare):
        return Scalar(text, int(bare), at)
    if name in BOOLEAN_FIELDS and bare.casefold() in _TRUE | _FALSE:
        return Scalar(text, bare.casefold() in _TRUE, at)
    return Scalar(text, text, at)


def read_txt(text: str, problems: Problems) -> Node:
    """Read one prompt a line; blank lines and lines that begin with # are passed over.

    Ids come from the prompts themselves, so that a line added or moved changes no other shot.
    """
    shots = Listing(start_of_file())
    seen: Counter[str] = Counter()
    for number, line in enumerate(text.split("\n"), 1):
        prompt = composed(line.strip())
        if not prompt or prompt.startswith("#"):
            continue
        seen[prompt] += 1
        made_id = _id_of(prompt) + (f"-{seen[prompt]}" if seen[prompt] > 1 else "")
        at = Place(number, len(line) - len(line.lstrip()) + 1)
        items: dict[str, Node] = {
            "id": Scalar(made_id, made_id, at),
            "prompt": Scalar(prompt, prompt, at, is_quoted=True),
        }
        shots.items.append(Table(at, items, {"id": at, "prompt": at}))
    if not shots.items:
        raise problems.stop(start_of_file(), "no prompt in this file: write one a line")
    return Table(start_of_file(), {"shots": shots}, {"shots": start_of_file()})


def _id_of(prompt: str) -> str:
    folded = unicodedata.normalize("NFKD", prompt).encode("ascii", "ignore").decode().lower()
    slug = re.sub(r"[^a-z0-9]+", "-", folded).strip("-")[:_SLUG_CAP].rstrip("-") or "prompt"
    return f"{slug}_{hashlib.sha256(prompt.encode('utf-8', 'surrogatepass')).hexdigest()[:8]}"
