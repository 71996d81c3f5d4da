"""The standard streams: text reaches whoever still reads it, in their encoding, and no failed write ends a run."""

from __future__ import annotations

import errno
import io
import json
import os
import sys
import unicodedata
from contextlib import suppress
from typing import Any, TextIO

import click

from wanbatch.text import visible, visible_json

_DESCRIPTORS = 3  # standard input, output and error
_GONE = frozenset({errno.EPIPE, errno.EIO, errno.EBADF, errno.ENXIO, errno.ECONNRESET, errno.ESHUTDOWN})
# Signs that wanbatch itself prints, in characters that every encoding has.
_PLAIN = str.maketrans(
    {0x2192: "->", 0x2026: "...", 0x2013: "-", 0x2014: "-", 0x2018: "'", 0x2019: "'", 0x201C: '"', 0x201D: '"'}
)
_BLOCKS = range(0x2500, 0x2580)  # the lines of a progress bar


class Stream(io.TextIOBase):
    """A text stream over another that never raises: what cannot be written is dropped, and `trouble` says why.

    Characters that the encoding lacks are replaced. It has no `buffer`, so nothing can write bytes around it.
    """

    def __init__(self, below: TextIO) -> None:
        self._below = below
        self.trouble: OSError | None = None

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The encoding that readers of the stream expect."""
        return self._below.encoding or "utf-8"

    @property
    def errors(self) -> str:  # type: ignore[override]
        """How characters that the encoding lacks are treated."""
        return "replace"

    @property
    def is_gone(self) -> bool:
        """Say whether the reader is gone: a pager ended, a terminal or the stream was closed."""
        return self.trouble is not None and self.trouble.errno in _GONE

    def write(self, text: str) -> int:
        """Write a text, as far as possible."""
        if self.trouble is None:
            self._try(lambda: self._below.write(encodable(text, self.encoding)))
        return len(text)

    def flush(self) -> None:
        """Flush the stream below."""
        if self.trouble is None:
            self._try(self._below.flush)

    def _try(self, write: Any) -> None:
        try:
            write()
        except OSError as error:
            self._give_up(error)
        except ValueError:  # closed below us
            self._give_up(OSError(errno.EBADF, os.strerror(errno.EBADF)))

    def _give_up(self, error: OSError) -> None:
        self.trouble = error
        # The interpreter would try to write what is still buffered at its end, and complain again.
        with suppress(OSError, ValueError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self._below.fileno())
            os.close(null)

    def isatty(self) -> bool:
        """Say whether a person reads at a terminal."""
        try:
            return self._below.isatty()
        except ValueError:
            return False

    def fileno(self) -> int:
        """Return the descriptor below."""
        return self._below.fileno()

    def writable(self) -> bool:
        """Say that text may be written."""
        return True


def encodable(text: str, encoding: str) -> str:
    """Return a text that this encoding can hold: plain signs, letters without accents, `?` for the rest."""
    try:
        text.encode(encoding)
    except UnicodeEncodeError:
        return "".join(_stand_in(char, encoding) for char in text)
    except LookupError:
        return text.encode("ascii", "replace").decode("ascii")
    return text


def _stand_in(char: str, encoding: str) -> str:
    bare = "".join(each for each in unicodedata.normalize("NFKD", char) if not unicodedata.combining(each))
    for candidate in (char, char.translate(_PLAIN), bare, "-" if ord(char) in _BLOCKS else "?"):
        try:
            candidate.encode(encoding)
        except UnicodeEncodeError:
            continue
        if candidate:
            return candidate
    return "?"


def open_streams() -> tuple[Stream, Stream]:
    """Replace standard output and error with such streams, even if they were closed at the start.

    A closed descriptor is given to the null device: otherwise the next file or connection would get its number,
    and libraries that print would write into it.
    """
    for number in range(_DESCRIPTORS):
        try:
            os.fstat(number)
        except OSError:
            os.open(os.devnull, os.O_RDWR)  # the lowest number that is free: this one
    if sys.stdin is None:
        sys.stdin = open(os.devnull, encoding="utf-8")  # noqa: SIM115, PTH123  for as long as the process lives
    out, err = Stream(_or_null(sys.stdout)), Stream(_or_null(sys.stderr))
    sys.stdout, sys.stderr = out, err
    return out, err


def _or_null(stream: TextIO | None) -> TextIO:
    return stream if stream is not None else open(os.devnull, "w", encoding="utf-8")  # noqa: PTH123


def is_abandoned(stream: Any) -> bool:
    """Say whether the reader of this stream is gone."""
    return isinstance(stream, Stream) and stream.is_gone


def json_text(document: Any) -> str:
    """Return JSON values as text for standard output: plain ASCII if its encoding cannot hold them."""
    return ascii_json(visible_json(json.dumps(document, ensure_ascii=False, default=str)))


def echo(text: object, *, err: bool = False, nl: bool = True) -> None:
    """Print text that may come from outside: none of its characters can control the terminal."""
    click.echo(visible(text), err=err, nl=nl)


def ascii_json(text: str) -> str:
    """Return a JSON text as it is if standard output can hold it, else the same document in plain ASCII."""
    try:
        text.encode(getattr(sys.stdout, "encoding", None) or "utf-8")
    except (UnicodeEncodeError, LookupError):
        return "".join(char if char.isascii() else json.dumps(char)[1:-1] for char in text)
    return text
