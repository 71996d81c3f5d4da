"""The check of a state file before it is written: all takes of a small file; of a large one, each that is touched."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor, wait
from contextlib import closing
from pathlib import Path

from wanbatch.batch.take import Take
from wanbatch.state.connection import connect
from wanbatch.state.reader import StateReader

CHECKED_AT_ONCE = 20_000  # facts that are refolded in a quarter of a second; of more, each take when it is touched


class Checks:
    """What of a state file was compared with its facts since it was opened."""

    def __init__(self, reader: StateReader) -> None:
        self._reader = reader
        self._checked: set[int] | None = None  # takes by id; None if all are
        self._pages: Future[None] | None = None

    def begin(self) -> None:
        """Refold all takes; of very many only those that something is open about, the others once they are touched."""
        reader = self._reader
        if reader.facts_recorded() <= CHECKED_AT_ONCE:
            reader.check()
            return
        beside = ThreadPoolExecutor(1, "pages")
        self._pages = beside.submit(_check_pages, reader.path)
        beside.shutdown(wait=False)
        self._checked = set()
        for take in reader.open_takes():
            self.touched(take)

    def await_pages(self) -> None:
        """Wait for the check of the pages, which goes on while the first things are read. Raises StateInvalid."""
        if self._pages is not None:
            self._pages.result()
            self._pages = None

    def finish(self) -> None:
        """Refold what was not refolded at the start. Raises StateInvalid."""
        if self._checked is not None:
            self.await_pages()
            self._reader.check()
            self._checked = None

    def touched(self, take: Take) -> Take:
        """Return a take that a fact is about to follow: its row is believed only where its facts say the same."""
        if self._checked is not None and take.take_id not in self._checked:
            self._reader.check_take(take)
            self._checked.add(take.take_id)
        return take

    def close(self) -> None:
        """Wait until nothing reads the file any more: a lock is given back by whoever closes the file first."""
        if self._pages is not None:
            wait([self._pages])


def _check_pages(path: Path) -> None:
    with closing(StateReader(connect(path, readonly=True), path)) as reader:
        reader.check_pages()
