"""The neighbours: output folders beside one's own, or of the same manifest, and which takes to be bought are there."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from wanbatch.batch.orders import Order
from wanbatch.batch.shots import likeness
from wanbatch.batch.takeover import Settled
from wanbatch.errors import WanbatchError
from wanbatch.folders import OUTPUTS
from wanbatch.session.known_folders import KnownFolders
from wanbatch.state.history import newest_beside
from wanbatch.state.lock import is_held
from wanbatch.state.reader import StateReader

TAKES_READ = 20_000  # of each neighbour, the newest: a quarter of a second
READ_LIMIT_S = 2.0  # of all together: a plan must not wait for the whole disk


@dataclass(frozen=True)
class Places:
    """Where to look: beside an output folder, in `homes` that may hold output folders, and in the `known` ones."""

    output: Path
    homes: tuple[Path, ...] = ()
    known: tuple[Path, ...] = ()

    @classmethod
    def of(cls, output: Path, source: str, base_url: str) -> Places:
        """Return the places for a manifest: beside its file, too, and where it was run before, whatever the place.

        `source` is its path, empty for a batch of a program.
        """
        homes = (Path(source).parent / OUTPUTS,) if source else ()
        return cls(output, homes, tuple(KnownFolders().of(source, base_url)))


@dataclass(frozen=True)
class Neighbour:
    """A folder in which recipes are there: each of the takes to be bought, with the label of the take there.

    `nonce` is that of its batch.
    """

    output: Path
    found: tuple[tuple[Order, str], ...]
    nonce: str = ""

    @property
    def settled(self) -> Settled:
        """What is settled once these takes are to be bought all the same."""
        return frozenset((order.label, _ref(self.nonce, label), order.digest) for order, label in self.found)

    @property
    def has_other_ids(self) -> bool:
        """Say whether a take is called otherwise there."""
        return any(label.rpartition("_t")[0] != order.shot_id for order, label in self.found)


def find_beside(
    places: Places,
    base_url: str,
    orders: Sequence[Order],
    settled: Settled = frozenset(),
    now: Callable[[], float] = time.monotonic,
) -> tuple[list[Neighbour], int]:
    """Find takes in the folders beside an output folder, of the same provider, that are what would be bought here.

    Returns them, and how many folders could not be read, or not in time.

    `places` are more than those beside: a run that is started in another working folder must not buy again what an
    earlier one bought elsewhere. What is `settled` is not found again.

    The newest folders are read first, each in part if it is large, and all together no longer than a moment. Each take
    to be bought is named once, in the folder that has most of them; of two alike, the newer.
    """
    paths = _paths(places) if orders else []
    return _search(paths, places, base_url, (orders, settled), now)


def _paths(places: Places) -> list[Path]:
    return newest_beside(places.output, places.homes, places.known, at_most=None)


def find_running(
    places: Places, base_url: str, orders: Sequence[Order], settled: Settled = frozenset()
) -> list[Neighbour]:
    """Find what would be bought here in folders beside in which another run is at work now, which may buy it, too."""
    paths = _paths(places) if orders else []
    running = [path for path in paths if is_held(path.parent)]
    return _search(running, places, base_url, (orders, settled), time.monotonic)[0]


def _search(
    paths: Sequence[Path],
    places: Places,
    base_url: str,
    asked: tuple[Sequence[Order], Settled],
    now: Callable[[], float],
) -> tuple[list[Neighbour], int]:
    """Look for orders in these state files. Returns what is found, and how many could not be read, or not in time."""
    orders, settled = asked
    own = _Own(places.output)
    story = {order: place for place, order in enumerate(orders)}
    found: dict[Path, list[tuple[Order, str]]] = {}
    nonces: dict[Path, str] = {}
    deadline = now() + READ_LIMIT_S
    unread = 0
    for path in paths:
        if now() > deadline:
            unread += 1
            continue
        try:
            with StateReader.open(path.parent) as reader:
                if reader.identity().base_url == base_url:
                    nonces[path.parent] = reader.identity().nonce
                    waiting = _Waiting(orders, settled, own.labels_in(reader))
                    found[path.parent] = waiting.found_in(reader, with_planned=is_held(path.parent))
        except (WanbatchError, OSError):
            unread += 1
    neighbours: list[Neighbour] = []
    named: set[Order] = set()
    for folder, pairs in sorted(found.items(), key=lambda each: -len(each[1])):
        news = sorted((pair for pair in pairs if pair[0] not in named), key=lambda pair: story[pair[0]])
        if news:
            neighbours.append(Neighbour(_as_named(folder, places.output.parent), tuple(news), nonces[folder]))
            named |= {order for order, _ in news}
    return neighbours, unread


def _as_named(folder: Path, home: Path) -> Path:
    """Write a folder in the way in which the user names the output folder, if it is beside that.

    Else by its path from the working folder or from the root, whichever is shorter.
    """
    shown = home / folder.name
    with suppress(OSError):
        if shown.resolve() == folder.resolve():
            return shown
        seen = os.path.relpath(folder.resolve(), os.path.realpath("."))
        return Path(min(seen, str(folder), key=len))
    return folder


def _ref(nonce: str, label: str) -> str:
    """Return what a take of another batch is called in what is settled."""
    return f"{nonce}/{label}"


class _Own:
    """What an output folder holds itself: a copy of it beside it has the same takes."""

    def __init__(self, output: Path) -> None:
        self._output = output

    @cached_property
    def _generations(self) -> tuple[str, frozenset[str]]:
        with suppress(WanbatchError, OSError), StateReader.open(self._output) as reader:
            return reader.identity().nonce, reader.submits_known()
        return "", frozenset()

    def labels_in(self, reader: StateReader) -> frozenset[str]:
        """Return the labels that takes of this folder have in a copy of it; none in another folder."""
        nonce, ours = self._generations
        if reader.identity().nonce != nonce:
            return frozenset()
        return frozenset(label for label, names in reader.names_of_submits() if not ours.isdisjoint(names))


class _Waiting:
    """The orders that were not found in a folder yet, by what they ask for and then by shot.

    `ours` are the takes there, by label, that are those of this folder itself.
    """

    def __init__(self, orders: Sequence[Order], settled: Settled, ours: Collection[str]) -> None:
        self._settled, self._ours = settled, ours
        self._by_recipe: dict[tuple[str, int | None], dict[str, list[Order]]] = {}
        for order in orders:
            self._by_recipe.setdefault((order.text, order.seed), {}).setdefault(order.shot_id, []).append(order)

    def found_in(self, reader: StateReader, *, with_planned: bool = False) -> list[tuple[Order, str]]:
        """Find orders in a folder: under their own names, then their own ids, then any other; they wait no longer.

        Takes that are still to be sent there count `with_planned`.
        """
        nonce = reader.identity().nonce
        rows = reader.recipes_there(TAKES_READ, with_planned=with_planned)
        there = [(label, likeness(text)) for label, text in rows if label not in self._ours]
        texts = {text for _, (text, _) in there}
        self._drop_other_frames(texts)
        found, used = [], set[str]()
        for is_own, is_same_number in ((True, True), (True, False), (False, True), (False, False)):
            for label, asked in there:
                own, _, number = label.rpartition("_t")
                known = (own if is_own else None, number if is_same_number else None)
                order = None if label in used else self._pop(asked, known, _ref(nonce, label))
                if order is not None:
                    used.add(label)
                    found.append((order, label))
        return found

    def _drop_other_frames(self, texts: set[str]) -> None:
        """Leave out orders that continue from a shot whose own request this folder does not have: the frame differs."""
        for key, by_shot in self._by_recipe.items():
            self._by_recipe[key] = {
                shot_id: fit
                for shot_id, every in by_shot.items()
                if (fit := [order for order in every if texts.issuperset(order.grounds)])
            }

    def _pop(self, asked: tuple[str, int | None], known: tuple[str | None, str | None], ref: str) -> Order | None:
        """Return an order that a take answers; None without one that is not settled.

        `asked` is what the take is a clip of, with its seed; `known` are the shot and the number that the order must
        have, None for any.
        """
        shot_id, number = known
        for key in (asked, (asked[0], None)):  # a derived seed depends on the id: any is as good
            by_shot = self._by_recipe.get(key, {})
            for name in [shot_id] if shot_id is not None else list(by_shot):
                for order in by_shot.get(name, ()):
                    is_settled = (order.label, ref, order.digest) in self._settled
                    if not is_settled and (number is None or str(order.number) == number):
                        by_shot[name].remove(order)
                        return order
        return None
