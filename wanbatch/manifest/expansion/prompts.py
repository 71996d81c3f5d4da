"""The prompts of shots: their templates filled in, with the texts that a shot names, its cast and its location."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace

from wanbatch.manifest.expansion.drafts import Draft
from wanbatch.manifest.expansion.named_texts import (
    CAST,
    LOCATIONS,
    STYLE,
    UNKNOWN,
    Key,
    NamedTexts,
    Parts,
    bounded,
    joined,
)
from wanbatch.manifest.expansion.templates import Fault, Literal, Reference, pieces_of
from wanbatch.manifest.lint import CAST_NAME
from wanbatch.manifest.names import close_name
from wanbatch.manifest.schemas import fields_of_shots
from wanbatch.manifest.synonyms import is_own
from wanbatch.manifest.tree import Filled, Listing, Member, Node, Place, Problems, Scalar, Table
from wanbatch.manifest.values import head_value, is_null
from wanbatch.manifest.words import meant, shown

TEMPLATE, LOCATION, PROMPT, NEGATIVE = "template", "location", "prompt", "negative_prompt"
TEXT_FIELDS = (CAST, LOCATION, TEMPLATE)  # of a shot: they are used up here
_CAST_CAP = 50


@dataclass
class _Shot:
    """One shot while its texts are filled in: what it names, and which texts its prompt names already."""

    draft: Draft
    values: dict[str, Node]
    cast: list[tuple[Key, Place]] = field(default_factory=list)
    location: tuple[Key, Place] | None = None
    named: dict[Key, None] = field(default_factory=dict)
    variables: set[str] = field(default_factory=set)


@dataclass
class Prompts:
    """Fills the prompts of one manifest; `defaults` are those of the whole."""

    texts: NamedTexts
    defaults: Table
    problems: Problems
    _columns: set[str] = field(default_factory=set)
    _wanted: dict[str, Place] = field(default_factory=dict)
    _listed: dict[Place, str] = field(default_factory=dict)
    _heard: set[Place] = field(default_factory=set)
    _variables: dict[tuple[str, Place], Place] = field(default_factory=dict)
    _used_variables: set[tuple[str, Place]] = field(default_factory=set)

    def fill(self, draft: Draft) -> None:
        """Fill in the prompt and the negative prompt of a shot, in place."""
        shot = _Shot(draft, {**self.defaults.items, **draft.items})
        self._columns |= {name for name in shot.values if is_own(name)}
        self._read_cast(shot)
        self._read_location(shot)
        prompt = shot.values.get(PROMPT)
        if isinstance(prompt, Scalar) and prompt.value is not None:
            parts = self._composed(shot, tuple(self._own_text(shot, prompt, "shot")))
            self._tell_plain_names(shot, prompt, {owner for _, _, owner in parts})
            self._set(draft, PROMPT, _filled(bounded(parts, prompt.at, self.problems), prompt.at))
        self._fill_negative(shot)
        draft.members = tuple(self._members(shot))
        self._note_variables(shot)
        for name in TEXT_FIELDS:
            draft.drop(name)

    def tell_unheard(self) -> None:
        """Report what had no effect on any prompt, and columns that no shot has."""
        for name, at in self._wanted.items():
            if name not in self._columns:
                self.problems.add(
                    at, f"{{{name}}} is not defined: no shot has a column {name}{meant(name, self._columns)}"
                )
        for at, words in self._listed.items():
            if at not in self._heard:
                self.problems.warn(at, words)
        for key, at in self._variables.items():
            if key not in self._used_variables:
                name = key[0]
                hint = close_name(name, sorted(fields_of_shots()))
                words = (
                    f"the axis {name} does not change the prompt of its variants: write {{{name}}} in the prompt{hint}"
                )
                self.problems.warn(at, words)

    # --- what a shot names

    def _read_cast(self, shot: _Shot) -> None:
        node = shot.values.get(CAST)
        if node is None or is_null(node):
            return
        items = node.items if isinstance(node, Listing) else [node]
        if isinstance(node, Table) or len(items) > _CAST_CAP:
            self.problems.add(
                node.at, f"cast of a shot is {shown(head_value(node, CAST))}; expected a list such as [mara, ilo]"
            )
            return
        for each in items:
            name = each.text.strip() if isinstance(each, Scalar) and each.value is not None else ""
            if self.texts.is_broken((CAST, name)):
                continue
            if (CAST, name) in self.texts.found:
                shot.cast.append(((CAST, name), each.at))
                words = f"cast lists {shown(name)}, but no part of the prompt comes from it"
                words += f"; write {{cast.{name}}} in the prompt, or a template with {{cast}}"
                self._listed.setdefault(each.at, words)
                continue
            self.problems.add(each.at, f"cast names {shown(name)}, which is not defined{self._cure(CAST, name)}")

    def _read_location(self, shot: _Shot) -> None:
        node = shot.values.get(LOCATION)
        if node is None or is_null(node):
            return
        if not isinstance(node, Scalar):
            found = shown(head_value(node, LOCATION))
            self.problems.add(node.at, f"location is {found}; expected the name of one of the locations")
            return
        name = node.text.strip()
        if (LOCATIONS, name) in self.texts.found:
            shot.location = ((LOCATIONS, name), node.at)
            words = f"location is {shown(name)}, but no part of the prompt comes from it"
            words += "; write {location} in the prompt or in a template"
            self._listed.setdefault(node.at, words)
            return
        self.problems.add(node.at, f"location is {shown(name)}, which is not defined{self._cure(LOCATIONS, name)}")

    def _cure(self, group: str, name: str) -> str:
        known = self.texts.names(group)
        field_name = CAST if group == CAST else LOCATION
        own = "" if known else f"; to keep it as a column of your own, call it x_{field_name}"
        return meant(name, known) or f"; define it under {group}:{own}"

    # --- the texts

    def _own_text(self, shot: _Shot, node: Scalar, owner: str) -> Iterator[tuple[str, Place, str]]:
        """Yield the parts of a prompt or a negative prompt."""
        for piece in pieces_of(node.text):
            if isinstance(piece, Literal):
                yield piece.text, node.at, owner
            elif isinstance(piece, Fault):
                self.problems.add(self.texts.place(node, piece), piece.words)
                yield UNKNOWN, node.at, owner
            else:
                yield from self._named(shot, node, piece)

    def _named(self, shot: _Shot, node: Scalar, piece: Reference) -> Parts:
        """Return what a name in the prompt of a shot stands for."""
        path, name = piece.path, piece.path[0]
        if len(path) == 1 and name in shot.draft.variables:
            shot.variables.add(name)
            value = shot.draft.variables[name]
            assert isinstance(value, Scalar)
            return ((value.text, value.at, f"variant {name}"),)
        if path == (LOCATION,) and shot.location is not None:
            return self._use(shot, *shot.location)
        if len(path) == 1 and is_own(name):
            cell = shot.values.get(name)
            if isinstance(cell, Scalar) and not _is_empty(cell):
                return ((cell.text.strip(), cell.at, name),)
        found = self.texts.key_of(path)
        if found is not None:
            key, side = found
            shot.named[key] = None
            self._heard |= {at for each, at in self._listed_by(shot) if each == key}
            return self.texts.side_of(key, side)
        if not self.texts.is_broken(path):
            self.problems.add(self.texts.place(node, piece), self._undefined(shot, path))
        return ((UNKNOWN, node.at, "shot"),)

    def _tell_plain_names(self, shot: _Shot, prompt: Scalar, owners: set[str]) -> None:
        """Warn of cast members that a prompt names in plain words: their texts are not sent with it."""
        allow = shot.values.get("allow")
        is_allowed = isinstance(allow, Listing) and CAST_NAME in map(_text_of, allow.items)
        plain = " ".join(piece.text if isinstance(piece, Literal) else "{}" for piece in pieces_of(prompt.text))
        for name, key in self.texts.cast_names.items():
            is_there = ".".join(key) in owners or any(key == each for each, _ in shot.cast)
            if name in plain and not is_there and re.search(rf"(?<!\w){re.escape(name)}(?!\w)", plain):
                owners.add(".".join(key))
                self.texts.used.add(key)
                words = f"prompt names {name} in plain words, so the description of {'.'.join(key)} is not sent with it"
                is_bare = plain.startswith(name) and not prompt.is_quoted  # {...} begins a mapping in YAML
                quotes = " (in YAML, put a prompt that begins with it in quotes)" if is_bare else ""
                words += f": write {{{'.'.join(key)}}} instead{quotes}, or list {key[1]} in the cast of the shot"
                if not is_allowed:
                    self.problems.warn(prompt.at, words, CAST_NAME)

    def _undefined(self, shot: _Shot, path: tuple[str, ...]) -> str:
        if path == (LOCATION,):
            return "{location} stands for the location of the shot, but this shot has none; give it a location"
        if path == (CAST,):
            return "{cast} works only in a template; in a prompt, name a cast member, such as {cast.mara}"
        if path == (PROMPT,):
            return "{prompt} works only in a template"
        if len(path) == 1 and path[0] in self._columns:
            name = path[0]
            return f"{{{name}}} has no value here: fill in {name} for this shot, or put {{{name}}} into a template"
        return self.texts.undefined(path, is_of_shot=True, more=dict.fromkeys([*shot.draft.variables, *self._columns]))

    def _members(self, shot: _Shot) -> Iterator[Member]:
        """Yield the cast members that a shot lists or names, and of whom there are pictures or a voice."""
        for key in dict.fromkeys([*(key for key, _ in shot.cast), *(key for key in shot.named if key[0] == CAST)]):
            text = self.texts.found[key]
            if text.images or text.voice is not None:
                words = "" if key in shot.named else joined(self.texts.look_of(key))[0].strip()
                self._heard |= {at for each, at in shot.cast if each == key}
                yield Member(key[1], text.images, text.voice, words)

    def _use(self, shot: _Shot, key: Key, at: Place) -> Parts:
        shot.named[key] = None
        self._heard.add(at)
        return self.texts.look_of(key)

    def _listed_by(self, shot: _Shot) -> Sequence[tuple[Key, Place]]:
        return [*shot.cast, *([shot.location] if shot.location is not None else [])]

    def _composed(self, shot: _Shot, prompt: Parts) -> Parts:
        """Put a prompt into the template of its shot, if it has one."""
        node = shot.values.get(TEMPLATE)
        if node is None or is_null(node):
            return prompt
        lines = node.items if isinstance(node, Listing) else [node]
        texts = [each for each in lines if isinstance(each, Scalar) and each.value is not None]
        if len(texts) != len(lines) or not texts:
            found = shown(head_value(node, TEMPLATE))
            self.problems.add(
                node.at, f"template is {found}; expected text, or a list of lines, one of them with {{prompt}}"
            )
            return prompt
        if not any("{prompt}" in each.text for each in texts):
            self.problems.add(node.at, "the template has no {prompt}: what the shots show would not be sent")
            return prompt
        is_named = dict(shot.named)
        made = [self._line(shot, each, prompt, is_named) for each in texts]
        kept = [line for line in made if line]
        blank = ((" ", node.at, TEMPLATE),)
        return tuple(part for number, line in enumerate(kept) for part in ((*blank, *line) if number else line))

    def _line(self, shot: _Shot, node: Scalar, prompt: Parts, is_named: dict[Key, None]) -> Parts:
        """Return one line of a template; nothing if all that it names is empty."""
        made: list[tuple[str, Place, str]] = []
        has_names, has_text = False, False
        for piece in pieces_of(node.text):
            if isinstance(piece, Literal):
                made.append((piece.text, node.at, TEMPLATE))
                continue
            if isinstance(piece, Fault):
                self.problems.add(self.texts.place(node, piece), piece.words)
                continue
            inner = prompt if piece.path == (PROMPT,) else self._in_template(shot, node, piece, is_named)
            has_names, has_text = True, has_text or bool(inner)
            if not inner and made and made[-1][0].endswith(" "):
                made[-1] = (made[-1][0][:-1], *made[-1][1:])  # the space before what is left out
            made += inner
        return tuple(made) if has_text or not has_names else ()

    def _in_template(self, shot: _Shot, node: Scalar, piece: Reference, is_named: dict[Key, None]) -> Parts:
        """Return what a name in a template stands for; nothing for what the prompt names itself."""
        path = piece.path
        if path == (CAST,):
            looks = [self._use(shot, key, at) for key, at in shot.cast if key not in is_named]
            comma = ((", ", node.at, TEMPLATE),)
            return tuple(part for number, look in enumerate(looks) for part in ((*comma, *look) if number else look))
        if path == (LOCATION,):
            return () if shot.location is None or shot.location[0] in is_named else self._use(shot, *shot.location)
        if len(path) == 1 and is_own(path[0]) and _is_empty(shot.values.get(path[0])):
            self._wanted.setdefault(path[0], self.texts.place(node, piece))
            return ()
        found = self.texts.key_of(path)
        return () if found is not None and found[0] in is_named else self._named(shot, node, piece)

    def _fill_negative(self, shot: _Shot) -> None:
        """Put what must not be seen with the texts of a shot behind its own negative prompt; null keeps all away."""
        node = shot.values.get(NEGATIVE)
        if node is not None and (is_null(node) or not isinstance(node, Scalar)):
            return
        order = {STYLE: 0, LOCATIONS: 1, CAST: 2}
        wanted: list[Parts] = [tuple(self._own_text(shot, node, "shot"))] if isinstance(node, Scalar) else []
        for key in sorted(shot.named, key=lambda key: order[key[0]]):
            parts = self.texts.negative_of(key)
            if parts and parts not in wanted:
                wanted.append(parts)
        if not wanted:
            return
        at = node.at if isinstance(node, Scalar) else wanted[0][0][1]
        comma = ((", ", at, "negatives"),)
        made = tuple(part for number, each in enumerate(wanted) for part in ((*comma, *each) if number else each))
        self._set(shot.draft, NEGATIVE, _filled(bounded(made, at, self.problems), at))

    def _set(self, draft: Draft, name: str, node: Filled) -> None:
        owner = draft.owners.get(name, "defaults" if name in self.defaults.items else "texts")
        draft.put(name, node, draft.keys.get(name, node.at), owner)

    def _note_variables(self, shot: _Shot) -> None:
        for name, value in shot.draft.variables.items():
            self._variables.setdefault((name, shot.draft.at), value.at)
            if name in shot.variables:
                self._used_variables.add((name, shot.draft.at))


def _text_of(node: Node) -> str:
    return node.text.strip() if isinstance(node, Scalar) else ""


def _is_empty(node: Node | None) -> bool:
    """Say whether a column of one's own is not given: absent, null, or an empty cell."""
    return node is None or (isinstance(node, Scalar) and (node.value is None or not node.text.strip()))


def _filled(parts: Parts, at: Place) -> Filled:
    """Make a text of its parts, without spaces at its ends."""
    text, told = joined(parts)
    cut, stripped = len(text) - len(text.lstrip()), text.strip()
    return Filled(stripped, stripped, at, True, tuple(replace(part, offset=max(0, part.offset - cut)) for part in told))
