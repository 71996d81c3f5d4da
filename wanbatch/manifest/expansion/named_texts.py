"""The texts that a manifest says once: its style, its cast and its locations, each with a look and what it is not."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from difflib import get_close_matches
from functools import cached_property

from wanbatch.manifest.expansion.sources import Sources
from wanbatch.manifest.expansion.templates import Fault, Literal, Reference, pieces_of, written
from wanbatch.manifest.names import close_name
from wanbatch.manifest.tree import Listing, Node, Part, Place, Problems, Scalar, Table
from wanbatch.manifest.values import head_value, is_null
from wanbatch.manifest.words import meant, shown

STYLE, CAST, LOCATIONS = "style", "cast", "locations"
GROUPS = (STYLE, CAST, LOCATIONS)
LOOK, NEGATIVE, IMAGES, VOICE = "look", "negative", "images", "voice"
DEPTH_CAP = 8
_NAME_WORDS = 3
LENGTH_CAP = 20_000  # characters; every model takes far less
UNKNOWN = "…"  # in place of a name that is a problem, so that no second one is found in the text around it
OF_SHOTS = ("prompt", "location")  # names that differ from shot to shot
_ID = re.compile(r"[^\W\d][\w-]{0,63}")

Key = tuple[str, ...]
Parts = tuple[tuple[str, Place, str], ...]  # texts in order, the place of each and whose it is


@dataclass(frozen=True, slots=True)
class NamedText:
    """A text under a name: how it looks, and what must not be seen; of a member of the cast, pictures and a voice."""

    key: Key
    at: Place
    look: Scalar
    negative: Scalar | None = None
    images: tuple[Scalar, ...] = ()
    voice: Scalar | None = None


@dataclass
class NamedTexts:
    """The named texts of one manifest; `used` are those that any shot uses."""

    problems: Problems
    sources: Sources
    found: dict[Key, NamedText] = field(default_factory=dict)
    used: set[Key] = field(default_factory=set)
    _broken: set[Key] = field(default_factory=set)
    _filled: dict[tuple[Key, str], Parts] = field(default_factory=dict)

    def read(self, root: Table) -> None:
        """Read style, cast and locations of a manifest; what cannot be read is a problem."""
        for group in GROUPS:
            node = root.items.get(group)
            if node is None or is_null(node):
                continue
            if group == STYLE:
                self._keep((STYLE,), node, root.keys.get(STYLE, node.at))
            elif isinstance(node, Table):
                for name, each in node.items.items():
                    self._read_one(group, name, each, node.keys[name])
            else:
                found = shown(head_value(node, group))
                self.problems.add(node.at, f"{group} is {found}; expected a name and its description in each line")

    def names(self, group: str) -> list[str]:
        """Return the names of a group, in the order of the manifest."""
        return [key[1] for key in self.found if key[0] == group and len(key) > 1]

    @cached_property
    def cast_names(self) -> Mapping[str, Key]:
        """How cast members may be called in plain words, once all are read: `Mara` for mara, `Mara Voss` for a
        text that begins so before a comma.
        """
        names: dict[str, Key] = {}
        for key, text in self.found.items():
            if key[0] != CAST:
                continue
            begin = text.look.text.partition(",")
            is_name = bool(begin[1]) and all(word[:1].isupper() for word in begin[0].split()[:_NAME_WORDS])
            named = [begin[0].strip()] if is_name and len(begin[0].split()) <= _NAME_WORDS else []
            for name in (*named, " ".join(word[:1].upper() + word[1:] for word in key[1].split("_"))):
                names.setdefault(name, key)
        return names

    def _read_one(self, group: str, name: str, node: Node, at: Place) -> None:
        if not _ID.fullmatch(name):
            rule = "begin with a letter, then letters, digits, dashes and underscores, 64 at most"
            self.problems.add(at, f"{shown(name)} cannot be a name under {group}: {rule}")
        elif name in (LOOK, NEGATIVE):
            self.problems.add(at, f"{shown(name)} cannot be a name under {group}; write it below a name of your own")
        else:
            self._keep((group, name), node, at)

    def _keep(self, key: Key, node: Node, at: Place) -> None:
        name = ".".join(key)
        self._broken.add(key)
        other = self.found.get(key)
        if other is not None:
            where = f"{other.at.file or self.problems.file}, line {other.at.line}"
            self.problems.add(at, f"{name} is already defined in {where}; keep one of them")
            return
        look, negative, images, voice = node, None, list[Scalar](), None
        if isinstance(node, Table):
            fields = [LOOK, NEGATIVE, *([IMAGES, VOICE] if key[0] == CAST else [])]
            for inner, place in node.keys.items():
                if inner not in fields:
                    hint = close_name(inner, fields) or meant(inner, fields)
                    self.problems.add(
                        place, f"{shown(inner)} is not a field of {name}{hint or '; expected ' + ', '.join(fields)}"
                    )
            images, voice = (self._paths(node.items.get(each), f"{name}.{each}") for each in (IMAGES, VOICE))
            if LOOK not in node.items or is_null(node.items[LOOK]):
                self.problems.add(at, f"{name} has no look; describe what it looks like")
                return
            look, negative = node.items[LOOK], node.items.get(NEGATIVE)
        texts = [self._text(look, name), self._text(negative, f"{name}.{NEGATIVE}")]
        if texts[0] is not None:
            self.found[key] = NamedText(key, at, texts[0], texts[1], tuple(images), voice[0] if voice else None)

    def _paths(self, node: Node | None, name: str) -> list[Scalar]:
        """Return the addresses, paths and patterns that a node lists; a single one stands for a list of it."""
        listed = [] if node is None or is_null(node) else node.items if isinstance(node, Listing) else [node]
        found = [each for each in listed if isinstance(each, Scalar) and each.value is not None and each.text.strip()]
        if node is not None and (len(found) != len(listed) or (name.endswith(VOICE) and len(found) > 1)):
            expected = "one address or file" if name.endswith(VOICE) else "addresses and files"
            self.problems.add(node.at, f"{name} is {shown(head_value(node, name))}; expected {expected}")
            return []
        return found

    def _text(self, node: Node | None, name: str) -> Scalar | None:
        if node is None or (is_null(node) and name.endswith(NEGATIVE)):
            return None
        if isinstance(node, Scalar) and node.value is not None and node.text.strip():
            return node
        self.problems.add(node.at, f"{name} is {shown(head_value(node, name))}; expected text")
        return None

    # --- their use

    def look_of(self, key: Key) -> Parts:
        """Return a text with the texts that it names filled in; empty if that is a problem."""
        self.used.add(key)
        return self._filled_text(key, LOOK, ())

    def negative_of(self, key: Key) -> Parts:
        """Return what must not be seen with a text; empty if it says nothing of that."""
        return () if self.found[key].negative is None else self._filled_text(key, NEGATIVE, ())

    def key_of(self, path: tuple[str, ...]) -> tuple[Key, str] | None:
        """Return the text that a name in braces means, and which side of it; None for no text of this manifest."""
        side = LOOK
        if path[-1] in (LOOK, NEGATIVE) and len(path) > 1:
            path, side = path[:-1], path[-1]
        known = self.found.get(path)
        if known is None or (side == NEGATIVE and known.negative is None):
            return None
        return path, side

    def is_broken(self, path: tuple[str, ...]) -> bool:
        """Say whether a name means a text that is defined, but could not be read: that is reported already."""
        return path[:2] in self._broken and path[:2] not in self.found

    def side_of(self, key: Key, side: str) -> Parts:
        """Return one side of a text, filled in, and note that it is used."""
        return self.look_of(key) if side == LOOK else self.negative_of(key)

    def _filled_text(self, key: Key, side: str, within: tuple[Key, ...]) -> Parts:
        if (key, side) not in self._filled:
            text = self.found[key]
            node = text.look if side == LOOK else text.negative
            assert node is not None
            owner = ".".join(key if side == LOOK else (*key, side))
            self._filled[key, side] = self._fill(node, owner, (*within, key))
        return self._filled[key, side]

    def _fill(self, node: Scalar, owner: str, within: tuple[Key, ...]) -> Parts:
        parts: list[tuple[str, Place, str]] = []
        for piece in pieces_of(node.text):
            if isinstance(piece, Literal):
                parts.append((piece.text, node.at, owner))
                continue
            at = self.place(node, piece)
            count = len(parts)
            found = None if isinstance(piece, Fault) else self.key_of(piece.path)
            if isinstance(piece, Fault):
                self.problems.add(at, piece.words)
            elif found is None:
                if not self.is_broken(piece.path):
                    self.problems.add(at, self.undefined(piece.path, is_of_shot=False))
            elif found[0] in within:
                self.problems.add(at, f"{piece.text} refers back to itself; write the text out here")
            elif len(within) >= DEPTH_CAP:
                self.problems.add(
                    at, f"{piece.text}: descriptions are nested more than {DEPTH_CAP} levels deep; write it out"
                )
            else:
                self.used.add(found[0])
                parts += self._filled_text(*found, within)
            if len(parts) == count:  # a problem
                parts.append((UNKNOWN, node.at, owner))
        return bounded(tuple(parts), node.at, self.problems)

    def place(self, node: Scalar, piece: Reference | Fault) -> Place:
        """Return the place of a piece of a text."""
        return self.sources.place_in(node, piece.offset, piece.text)

    def undefined(self, path: tuple[str, ...], *, is_of_shot: bool, more: Mapping[str, object] | None = None) -> str:
        """Say that a name in braces means nothing, and which was probably meant."""
        text = written(path)
        if not is_of_shot and len(path) == 1 and (path[0] in (*OF_SHOTS, CAST) or path[0].startswith("x_")):
            return f"{text} differs from shot to shot; it can be used only in a prompt or a template"
        if len(path) > 1 and (*path[:-1],) in self.found and path[-1] == NEGATIVE:
            return f"{text} is not defined: {'.'.join(path[:-1])} has no negative"
        hint = self._meant(path, more or {})
        if hint:
            return f"{text} is not defined; did you mean {hint}?"
        if path[0].startswith("x_"):
            return f"{text} is not defined: the shot has no column {path[0]}"
        if path[0] in GROUPS:
            return f"{text} is not defined; define it under {path[0]}:"
        return f"{text} is not defined; define it under cast, locations or style, or write {{{{ and }}}} for braces"

    def _meant(self, path: tuple[str, ...], more: Mapping[str, object]) -> str:
        """Return the name that was probably meant, in braces; or nothing."""
        names = {".".join(key) for key in self.found} | {*more}
        if path[0].startswith("x_"):
            names = {name for name in names if name.startswith("x_")}
        by_last: dict[str, str] = {}
        for name in sorted(names, key=lambda name: (name.split(".")[0] != path[0], name)):
            by_last.setdefault(name.split(".")[-1], name)
        last = path[1] if len(path) == 3 else path[-1]
        close = last if last in by_last else next(iter(get_close_matches(last, by_last, n=1, cutoff=0.6)), "")
        if not close:
            return ""
        self.used.add(tuple(by_last[close].split(".")))  # the shot means it, so that it is not unused as well
        return f"{{{by_last[close]}}}"

    def tell_unused(self) -> None:
        """Warn of texts that no shot uses."""
        for key, text in self.found.items():
            if key not in self.used:
                self.problems.warn(text.at, f"{'.'.join(key)} is defined, but no shot uses it")


def bounded(parts: Parts, at: Place, problems: Problems) -> Parts:
    """Return the parts of a text; of a text that grew beyond every limit, which is a problem, only the beginning."""
    length = sum(len(text) for text, _, _ in parts)
    if length > LENGTH_CAP:
        words = f"this text has {length:,} characters, with the descriptions that it names;"
        words = f"{words} at most {LENGTH_CAP:,} are allowed"
        problems.add(at, words)
        return parts[:1]
    return parts


def joined(parts: Parts) -> tuple[str, tuple[Part, ...]]:
    """Return a text, and its parts with the place of each."""
    return "".join(text for text, _, _ in parts), tuple(_placed(parts))


def _placed(parts: Parts) -> Iterator[Part]:
    offset = 0
    for text, at, owner in parts:
        if text:
            yield Part(offset, at, owner)
        offset += len(text)
