"""The files that a manifest gives to shots: found below its folder, opened, distinguished from addresses and frames.

The value of a field that takes an address is an address if it begins with a scheme (`https://`, `data:`), else the
path of a file. In the request the hash of its bytes takes its place.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any

from wanbatch.batch.given_files import FileKind, GivenFile, reference_to
from wanbatch.batch.input_fields import InputField, input_fields
from wanbatch.batch.picture_bounds import doubts_about
from wanbatch.batch.registry import Model, registry
from wanbatch.clip.given import OpenedFile
from wanbatch.errors import MediaInvalid
from wanbatch.manifest.addresses import is_path
from wanbatch.manifest.frames import Link, is_meant_as_frame, link_in
from wanbatch.manifest.roles import file_takers_text, written_name
from wanbatch.manifest.tree import Listing, Node, Place, Problems
from wanbatch.manifest.words import shown

PATTERN_CAP = 200  # files of one pattern: no model takes a tenth of them
_WILD = re.compile(r"[*?\[]")
_STAND_IN = "https://a.file/"  # for the check of a request: whatever else is wrong with it is found

Opener = Callable[[Path, FileKind], OpenedFile]


@dataclass
class GivenFiles:
    """Finds and opens the files of one manifest, each once; `found` has them by hash.

    `links` are the frames of other shots that requests are given, since they were taken away last. `folder` is that
    of the manifest. `opener` reads a file: MediaInvalid and OSError of it are problems of the file.
    """

    folder: Path
    opener: Opener
    problems: Problems
    found: dict[str, GivenFile] = field(default_factory=dict)
    links: list[Link] = field(default_factory=list)
    _opened: dict[tuple[str, FileKind], GivenFile | str] = field(default_factory=dict)
    _alpha: set[str] = field(default_factory=set)

    def given(self, request: Mapping[str, Any], nodes: Mapping[str, Node]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return a request with hashes in place of files, and one with stand-ins, whose rest can be checked."""
        sent, checked = dict(request), dict(request)
        name = request.get("model")
        model = registry().get(name) if isinstance(name, str) else None
        for each in () if model is None else input_fields(model).values():
            if model is not None and each.kind is not None and each.name in request and each.name in nodes:
                place = _Place(model, each, nodes[each.name], written_name(each.name, nodes))
                told = request[each.name]
                is_frame = place.takes_only_pictures and _is_flat_object(told)
                value = self._frame(place, place.node) if is_frame else self._value(told, place, place.node)
                sent[each.name] = _with(value, lambda ref: ref.text)
                checked[each.name] = _with(value, lambda _: _STAND_IN)
        return sent, checked

    def _value(self, value: Any, place: _Place, node: Node) -> Any:
        """Return a value with a `_Reference` in place of each path."""
        if isinstance(value, list):
            nodes = node.items if isinstance(node, Listing) and len(node.items) == len(value) else [node] * len(value)
            return [made for each, inner in zip(value, nodes, strict=True) for made in self._listed(each, place, inner)]
        if is_meant_as_frame(value):
            return self._frame(place, node)
        if isinstance(value, Mapping):
            inside = {name: each for name, each in value.items() if place.is_inside(name, each)}
            return {**value, **{name: self._value(each, place, node) for name, each in inside.items()}}
        if not is_path(value):
            return value
        references = self._references(str(value), place, node.at)
        if len(references) > 1:
            words = f"{place.written} is {shown(value)}, which names {len(references)} files; it takes one"
            self.problems.add(node.at, words)
        return references[0]

    def _listed(self, value: Any, place: _Place, node: Node) -> Iterator[Any]:
        """Yield what one entry of a list stands for: a pattern for each of its files, also inside an object."""
        if is_meant_as_frame(value):
            yield self._frame(place, node)
        elif isinstance(value, Mapping):
            wild = [name for name, each in value.items() if is_path(each) and place.is_inside(name, each)]
            if len(wild) == 1:
                for each in self._references(str(value[wild[0]]), place, node.at):
                    yield self._value({**value, wild[0]: each}, place, node)
                return
            yield self._value(value, place, node)
        elif is_path(value):
            yield from self._references(str(value), place, node.at)
        else:
            yield value

    def _frame(self, place: _Place, node: Node) -> _Reference:
        """Return what stands for a frame of another shot, and note the link; also where that is a problem."""
        link = link_in(node, place.written, self.problems)
        if link is None:
            return _NOTHING
        if place.field.kind is not FileKind.PICTURE:
            self.problems.add(
                link.place_of("from"), f"{place.written} takes no picture, so it cannot take a frame of a shot"
            )
        elif not place.field.takes_files:
            takers = file_takers_text(place.model, place.field.name)
            goes_on = f"{place.written} continues from {link.frame.shot_id}"
            words = f"{goes_on}, but {place.model.name} takes only an https:// address"
            self.problems.add(link.place_of("from"), f"{words} there{takers}")
        self.links.append(link)
        return _Reference(link.frame.text)

    def links_taken(self) -> list[Link]:
        """Return the links that were noted since the last call."""
        taken, self.links = self.links, []
        return taken

    def _references(self, text: str, place: _Place, at: Place) -> list[_Reference]:
        """Return what stands for the files of a path or a pattern: at least one, also where that is a problem."""
        kind = place.field.kind
        assert kind is not None
        if not place.field.takes_files:
            takers = file_takers_text(place.model, place.field.name)
            words = f"{place.written} is the file {shown(text)}, but {place.model.name} takes only an https:// address"
            self.problems.add(at, f"{words} there{takers}")
            return [_NOTHING]
        made = []
        for name in self._names(text, place.written, at):
            opened = self._open(name, kind)
            if isinstance(opened, str):
                self.problems.add(at, f"{place.written}: {shown(name)} {opened}")
                continue
            for doubt in doubts_about(opened, place.field.bounds, has_alpha=opened.sha256 in self._alpha):
                self.problems.warn(at, f"{place.written}: {shown(name)} {doubt}; {place.model.name} may refuse it")
            self.found.setdefault(opened.sha256, opened)
            made.append(_Reference(reference_to(opened.sha256)))
        return made or [_NOTHING]

    def _names(self, text: str, written: str, at: Place) -> list[str]:
        """Return the names of the files that a path or a pattern means, sorted; what it may not mean is a problem."""
        path = PurePosixPath(text.strip())
        if path.is_absolute() or ".." in path.parts or "\\" in text or re.match("[A-Za-z]:", text):
            words = "is not a path below the manifest's folder; put the file there and write its path with /"
            self.problems.add(at, f"{written} is {shown(text)}, which {words}")
            return []
        try:
            names = self._names_of(path)
        except (OSError, ValueError, RuntimeError):
            names = []
        home = self.folder.resolve()
        if len(names) > PATTERN_CAP:
            words = f"matches {len(names)} files; at most {PATTERN_CAP} are allowed"
            self.problems.add(at, f"{written} is {shown(text)}, which {words}")
            return []
        out = [name for name in names if not (self.folder / name).resolve().is_relative_to(home)]
        for name in out:
            words = f"{shown(name)} is a link that leads out of the manifest's folder; copy the file into it"
            self.problems.add(at, f"{written}: {words}")
        if not names:
            what = "no file matches" if _WILD.search(text) else "there is no file"
            words = f"{what} {shown(text)} in the manifest's folder; an address begins with https://"
            self.problems.add(at, f"{written}: {words}")
        return [name for name in names if name not in out]

    def _names_of(self, path: PurePosixPath) -> list[str]:
        if (self.folder / path).is_file():
            return [str(path)]
        if not _WILD.search(str(path)):
            return []
        return sorted(
            each.relative_to(self.folder).as_posix() for each in self.folder.glob(str(path)) if each.is_file()
        )

    def _open(self, name: str, kind: FileKind) -> GivenFile | str:
        """Return what a file is, or what is wrong with it, worded to follow its name."""
        if (name, kind) not in self._opened:
            self._opened[name, kind] = self._read(name, kind)
        return self._opened[name, kind]

    def _read(self, name: str, kind: FileKind) -> GivenFile | str:
        try:
            opened = self.opener(self.folder / name, kind)
        except MediaInvalid as error:
            return str(error)
        except OSError as error:
            return f"cannot be read ({error.strerror or error})"
        if opened.has_alpha:
            self._alpha.add(opened.sha256)
        return GivenFile(
            sha256=opened.sha256,
            name=name,
            kind=kind,
            form=opened.form,
            size_bytes=opened.size_bytes,
            width=opened.width,
            height=opened.height,
            duration_s=opened.duration_s,
        )


@dataclass(frozen=True)
class _Reference:
    """A file in a request; `text` is what stands for it in the recipe."""

    text: str


_NOTHING = _Reference("")  # in place of a file that is a problem


@dataclass(frozen=True)
class _Place:
    """Where a file is given: the model and its field, the node, and the name that the manifest has for the field."""

    model: Model
    field: InputField
    node: Node
    written: str

    @property
    def takes_only_pictures(self) -> bool:
        """Say whether it holds pictures, and no objects with pictures in them: an object there means a frame."""
        return self.field.kind is FileKind.PICTURE and not self.field.inside

    def is_inside(self, name: str, value: Any) -> bool:
        """Say whether a value of an object may hold an address: others of its values are texts of another kind."""
        held = value if isinstance(value, list) and value else [value]
        return name in self.field.inside or all(isinstance(each, Mapping) for each in held)


def _is_flat_object(value: Any) -> bool:
    """Say whether a value is an object of single values: what a vendor names in one holds objects or lists."""
    return isinstance(value, Mapping) and not any(isinstance(each, Mapping | list) for each in value.values())


def _with(value: Any, told: Callable[[_Reference], str]) -> Any:
    """Return a value with a text in place of each reference."""
    if isinstance(value, _Reference):
        return told(value)
    if isinstance(value, list):
        return [_with(each, told) for each in value]
    if isinstance(value, Mapping):
        return {name: _with(each, told) for name, each in value.items()}
    return value
