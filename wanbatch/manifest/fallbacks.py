"""The fallback of a shot in a manifest: what it says, and each mistake in it in a sentence of its own. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from wanbatch.batch.shots import FAILED, REFUSED
from wanbatch.manifest.tree import Listing, Node, Problems, Scalar, Table
from wanbatch.manifest.values import head_value
from wanbatch.manifest.words import meant, shown

_EXAMPLE = "alibaba/wan-3-0-video"
_FIELDS = ("model", "on")
_CAUSES = (FAILED, REFUSED)


@dataclass(frozen=True)
class WrittenFallback:
    """What a manifest says of a fallback: the model's name, the causes that it is for, and the node of the name."""

    model: str
    on: tuple[str, ...]
    node: Scalar


def fallback_in(node: Node, problems: Problems) -> WrittenFallback | None:
    """Read a fallback; None, and the problems with their places, if it cannot be one."""
    if isinstance(node, Table):
        return _in_table(node, problems)
    name = _name_in(node)
    if name is None:
        words = f"write the name of a model, such as {_EXAMPLE}, or both: {{model: {_EXAMPLE}, on: [{FAILED}]}}"
        problems.add(node.at, f"fallback is {_found(node)}; {words}")
        return None
    return WrittenFallback(name.text, (FAILED,), name)


def _in_table(table: Table, problems: Problems) -> WrittenFallback | None:
    before = len(problems.found)
    for key, at in table.keys.items():
        if key not in _FIELDS:
            hint = meant(key, _FIELDS) or "; its fields are model and on"
            problems.add(at, f"{shown(key)} is not a field of a fallback{hint}")
    model = table.items.get("model")
    if model is None and len(problems.found) > before:
        return None
    if model is None:
        problems.add(table.at, f"fallback has no model; add model: {_EXAMPLE}")
        return None
    name, on = _name_in(model), _causes_in(table.items.get("on"), problems)
    if name is None:
        problems.add(model.at, f"fallback.model is {_found(model)}; write a name, such as {_EXAMPLE}")
    return None if name is None or len(problems.found) > before else WrittenFallback(name.text, on, name)


def _causes_in(node: Node | None, problems: Problems) -> tuple[str, ...]:
    """Return the causes that a fallback is for."""
    if node is None:
        return (FAILED,)
    if not isinstance(node, Listing):
        named = node.text if isinstance(node, Scalar) and node.text in _CAUSES else f"{FAILED}, {REFUSED}"
        problems.add(node.at, f"fallback.on is {_found(node)}; write a list: on: [{named}]")
        return ()
    if not node.items:
        cure = "write failed, refused (the prompt) or both, or remove on"
        problems.add(node.at, f"fallback.on is empty; {cure}")
    told: list[str] = []
    for each in node.items:
        text = each.text if isinstance(each, Scalar) else ""
        if text not in _CAUSES:
            hint = meant(text, _CAUSES) or "; expected failed or refused (the prompt)"
            problems.add(each.at, f"fallback.on has {_found(each)}{hint}")
        elif text in told:
            problems.add(each.at, f"fallback.on has {text} twice; keep one of them")
        told.append(text)
    return tuple(sorted(told))


def _name_in(node: Node) -> Scalar | None:
    """Return the text that can be the name of a model; None for numbers, true, false, and nothing."""
    return node if isinstance(node, Scalar) and isinstance(node.value, str) and node.text.strip() else None


def _found(node: Node) -> str:
    if isinstance(node, Scalar) and not node.text.strip():
        return "empty"
    return shown(node.value if isinstance(node, Scalar) else head_value(node, ""))
