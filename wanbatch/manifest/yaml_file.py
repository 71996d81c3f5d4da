"""YAML manifests, read as events: only values that JSON has, no aliases, no tags, no repeated keys."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterator
from typing import Any

import yaml

from wanbatch.manifest.tree import DEPTH_CAP, Listing, Node, Place, Problems, Scalar, Table, plain_value, start_of_file
from wanbatch.manifest.words import shown
from wanbatch.manifest.yaml_faults import NEEDS_QUOTES, fault_words

LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
# YAML 1.1, c-printable; PyYAML refuses the others without naming a place
_UNPRINTABLE = re.compile("[^\t\n\r\x20-\x7e\x85\xa0-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_STANDARD_TAG = "tag:yaml.org,2002:"
_SENT = ("prompt", "negative_prompt")  # texts whose loss costs a clip; a comment after another field needs no warning
_COMMENT = re.compile(r"[ \t]*(#[^\n]*)")


def read_yaml(text: str, problems: Problems, loader: Any = LOADER) -> Node | None:
    """Read the one document of a YAML text; None if there is none. Raises ReadingStopped.

    `loader` is a loader class of PyYAML: its C parser, if there is one.
    """
    odd = _UNPRINTABLE.search(text)
    if odd is not None:
        place = Place(text.count("\n", 0, odd.start()) + 1, odd.start() - text.rfind("\n", 0, odd.start()))
        raise problems.stop(place, "a character that YAML does not allow in text; remove it")
    reader = _Reader(problems, text)
    try:
        return reader.document(yaml.parse(text, Loader=loader))
    except yaml.MarkedYAMLError as error:
        raise problems.stop(*_reported(error, text, reader.quote)) from error
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        raise problems.stop(start_of_file(), "this is not valid YAML") from error


def yaml_text(value: Any) -> str:
    """Return a value as YAML: names in their order, texts of any script as they are."""
    dumper = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    text: str = yaml.dump(value, Dumper=dumper, sort_keys=False, allow_unicode=True, width=110)
    if "\\U000" in text:  # the C library writes emoji as their numbers
        text = yaml.dump(value, Dumper=yaml.SafeDumper, sort_keys=False, allow_unicode=True, width=110)
    return text


def has_comments(text: str) -> bool:
    """Say whether a YAML text that can be read has comments."""
    if "#" not in text:
        return False
    begins = [0]
    for line in text.split("\n"):
        begins.append(begins[-1] + len(line) + 1)
    spans = [
        (begins[token.start_mark.line] + token.start_mark.column, begins[token.end_mark.line] + token.end_mark.column)
        for token in yaml.scan(text, Loader=LOADER)
        if isinstance(token, yaml.ScalarToken)
    ]
    signs = [match.start(1) for match in re.finditer(r"(?:^|[ \t])(#)", text, re.MULTILINE)]
    ends = [end for _, end in spans]
    return any(not _is_within(sign, spans, ends) for sign in signs)


def _is_within(at: int, spans: list[tuple[int, int]], ends: list[int]) -> bool:
    number = bisect_right(ends, at)
    return number < len(spans) and spans[number][0] <= at


def _reported(error: yaml.MarkedYAMLError, text: str, quote: Place | None) -> tuple[Place, str]:
    said = str(error.problem or error.context or "this is not valid YAML")
    mark, opened = error.problem_mark or error.context_mark, error.context_mark
    if "end of stream" in said and opened is not None:
        mark = opened  # the fix belongs where it begins
    at = start_of_file() if mark is None else Place(mark.line + 1, mark.column + 1)
    return fault_words(said, at, text, quote, None if opened is None else Place(opened.line + 1, opened.column + 1))


class _Reader:
    """Builds nodes from events, with a stack of its own: no depth can exhaust the interpreter's."""

    def __init__(self, problems: Problems, text: str) -> None:
        self._problems = problems
        self._lines = text.split("\n") if "#" in text else []
        self.quote: Place | None = None  # where the last quoted text began

    def document(self, events: Iterator[Any]) -> Node | None:
        """Return the nodes of the only document; None if there is none. Raises ReadingStopped for a second one."""
        root: Node | None = None
        documents = 0
        stack: list[Listing | Table] = []
        names: list[tuple[str, Place] | None] = []
        for event in events:
            at = Place(event.start_mark.line + 1, event.start_mark.column + 1)
            if isinstance(event, yaml.DocumentStartEvent):
                documents += 1
                if documents > 1:
                    raise self._problems.stop(at, "a second document; a manifest is one document: remove it")
                continue
            node = self._node(event, at, names[-1:])
            if node is None:
                if isinstance(event, yaml.SequenceEndEvent | yaml.MappingEndEvent):
                    stack.pop()
                    names.pop()
                continue
            if not stack:
                root = node
            elif not self._place(stack[-1], names, node):
                continue
            if not isinstance(node, Scalar):
                if len(stack) >= DEPTH_CAP:
                    raise self._problems.stop(at, f"nested more than {DEPTH_CAP} deep")
                stack.append(node)
                names.append(None)
        return root

    def _node(self, event: Any, at: Place, named: list[tuple[str, Place] | None]) -> Node | None:
        """Make a node of an event; `named` holds the name before it, if there is one."""
        if isinstance(event, yaml.AliasEvent):
            cure = f"write the value out, or use defaults; {NEEDS_QUOTES.format('*')}"
            raise self._problems.stop(at, f"an alias (*{event.anchor}): {cure}")
        if isinstance(event, yaml.NodeEvent) and event.anchor is not None:
            cure = f"write the value out, or use defaults; {NEEDS_QUOTES.format('&')}"
            raise self._problems.stop(at, f"an anchor (&{event.anchor}): {cure}")
        tag = getattr(event, "tag", None)
        if tag is not None:
            name = shown(tag.replace(_STANDARD_TAG, "!!"))[1:-1]
            cure = f"only plain values are read; {NEEDS_QUOTES.format('!')}"
            raise self._problems.stop(at, f"a tag ({name}): {cure}")
        if isinstance(event, yaml.ScalarEvent):
            is_plain = event.style is None or event.style == ""
            value = plain_value(event.value) if is_plain else event.value
            if not is_plain:
                self.quote = at
            elif self._lines and named and named[0] is not None and named[0][0] in _SENT:
                self._tell_cut_off(event, named[0][0])
            return Scalar(event.value, value, at, is_quoted=not is_plain)
        if isinstance(event, yaml.SequenceStartEvent):
            return Listing(at)
        return Table(at) if isinstance(event, yaml.MappingStartEvent) else None

    def _tell_cut_off(self, event: Any, name: str) -> None:
        """Warn if a # after a plain text ends it: `A gull # 3 lands` is read as `A gull`.

        A # after a text in quotes or in a block, or on a line of its own, cuts nothing off.
        """
        end = event.end_mark
        if event.value and not isinstance(plain_value(event.value), str):
            return
        comment = _COMMENT.match(self._lines[end.line], end.column) if end.line < len(self._lines) else None
        if comment is None:
            return
        at = Place(end.line + 1, comment.start(1) + 1)
        rest = shown(comment[1].rstrip())
        if event.value:
            words = f"{rest} is a comment and is not sent with the {name} before it"
            self._problems.warn(at, f"{words}; put the whole text in quotes if it belongs to it")
        elif name == "prompt":
            self._problems.warn(at, f"{rest} is a comment, so the {name} is empty; put the text in quotes")

    def _place(self, parent: Listing | Table, names: list[tuple[str, Place] | None], node: Node) -> bool:
        """Put a node into its parent; False if the node was a name."""
        if isinstance(parent, Listing):
            parent.items.append(node)
            return True
        name = names[-1]
        if name is None:
            if not isinstance(node, Scalar):
                raise self._problems.stop(
                    node.at, f"a list or a group of fields as a name; {NEEDS_QUOTES.format('{ or [')}"
                )
            if node.text == "<<" and not node.is_quoted:
                raise self._problems.stop(node.at, "a merge key (<<): use defaults")
            if not node.is_quoted and node.text != node.text.strip():
                words = "this name is indented with no-break spaces or the like: indent with plain spaces"
                raise self._problems.stop(Place(node.at.line, 1), words)
            names[-1] = (node.text, node.at)
            return False
        names[-1] = None
        put(parent, name[0], name[1], node, self._problems)
        return True


def put(table: Table, name: str, at: Place, node: Node, problems: Problems) -> None:
    """Put a named node into a table; a repeated name is a problem, and the first one stays."""
    if name in table.keys:
        problems.add(at, f"{shown(name)[1:-1]} occurs here a second time; the first is on line {table.keys[name].line}")
        return
    table.keys[name] = at
    table.items[name] = node
