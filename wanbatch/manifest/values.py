"""The values of nodes: what a node says where a schema wants this or that. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from wanbatch.manifest.fields import BARE, kinds_in
from wanbatch.manifest.tree import Listing, Node, Scalar, Table

_NUMERIC_HEAD = frozenset(
    ("version", "in_flight", "downloads", "max_attempts", "max_credits", "max_usd", "submit_rate", "poll_rate")
)


class Shape:
    """The shape that a schema gives a field: the values of single nodes are read by it without looking at it again."""

    __slots__ = ("_is_bare", "_items", "_shape")

    def __init__(self, shape: Mapping[str, Any]) -> None:
        self._shape = shape
        self._is_bare = bool(kinds_in(shape) & BARE)
        self._items: Shape | None = None

    def value(self, node: Node) -> Any:
        """Return a node's value for this shape."""
        if isinstance(node, Scalar):
            return _scalar(node, is_bare=self._is_bare)
        if isinstance(node, Listing):
            if self._items is None:
                self._items = Shape(_branch(self._shape, "array").get("items", {}))
            return [self._items.value(item) for item in node.items]
        return value_of(node, self._shape)


def value_of(node: Node, shape: Mapping[str, Any]) -> Any:
    """Return a node's value for a schema: text as it is written, so that `scene: 007` stays 007, where text is
    wanted.
    """
    if isinstance(node, Listing):
        inner = _branch(shape, "array").get("items", {})
        return [value_of(item, inner) for item in node.items]
    if isinstance(node, Table):
        named = _branch(shape, "object").get("properties", {})
        return {key: value_of(item, named.get(key, {})) for key, item in node.items.items()}
    return _scalar(node, is_bare=bool(kinds_in(shape) & BARE))


def head_value(node: Node, name: str) -> Any:
    """Return the value of a node in the head of a manifest."""
    if isinstance(node, Listing):
        return [head_value(item, name) for item in node.items]
    if isinstance(node, Table):
        return {key: head_value(item, key) for key, item in node.items.items()}
    return _scalar(node, is_bare=name in _NUMERIC_HEAD)


def is_null(node: Node) -> bool:
    """Say whether a node holds nothing."""
    return isinstance(node, Scalar) and node.value is None


def _scalar(node: Scalar, *, is_bare: bool) -> Any:
    if isinstance(node.value, float) and node.value.is_integer() and is_bare:
        return int(node.value)  # for a schema, 5.0 is a whole number
    return node.value if node.value is None or is_bare or node.is_quoted else node.text


def _branch(shape: Mapping[str, Any], kind: str) -> Mapping[str, Any]:
    """Return the part of a schema that takes lists or tables."""
    branches = [shape, *shape.get("anyOf", ()), *shape.get("oneOf", ())]
    return next((each for each in branches if kind in kinds_in({"type": each.get("type", ())})), {})
