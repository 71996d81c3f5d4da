"""The models of a shot where a manifest names more than one: those that make it side by side."""

from __future__ import annotations

from dataclasses import replace

from wanbatch.manifest.tree import Listing, Node, Problems, Scalar, Table
from wanbatch.manifest.values import head_value, is_null
from wanbatch.manifest.words import shown

LISTED = "models"
MODELS_CAP = 20


def models_of(shot: Table, defaults: Table | None, problems: Problems) -> tuple[Node | None, ...]:
    """Return the node of each model's name, in order; None for a shot that leaves the model to its default.

    What a shot says comes before `defaults`, under either name.
    """
    for table in (shot, defaults):
        if table is None:
            continue
        one, several = (_given(table, name) for name in ("model", LISTED))
        if one is not None and several is not None and table is shot:
            problems.add(several.at, "this shot has both model and models; keep one of them")
        if several is not None:
            return _named(several, problems)
        if one is not None:
            return (one,)
    return (None,)


def as_of(shot: Table, model: Node | None) -> Table:
    """Return a shot as it is with one of its models: problems then name the place of that model."""
    return shot if model is None or LISTED not in shot.keys else with_model(shot, model)


def with_model(shot: Table, model: Node) -> Table:
    """Return a shot as it is where it names this model alone."""
    items = {name: node for name, node in shot.items.items() if name != LISTED}
    keys = {name: at for name, at in shot.keys.items() if name != LISTED}
    return replace(shot, items={**items, "model": model}, keys={**keys, "model": model.at})


def check_defaults(defaults: Table, problems: Problems) -> None:
    """Refuse defaults that name one model and a list of models."""
    several = _given(defaults, LISTED)
    if several is not None and _given(defaults, "model") is not None:
        problems.add(several.at, "defaults has both model and models; keep one of them")


def _given(table: Table, name: str) -> Node | None:
    node = table.items.get(name)
    return None if node is None or is_null(node) else node


def _named(several: Node, problems: Problems) -> tuple[Node | None, ...]:
    if not isinstance(several, Listing) or not several.items:
        found = "an empty list" if isinstance(several, Listing) else shown(head_value(several, LISTED))
        problems.add(several.at, f"models is {found}; expected a list of names, such as [{_EXAMPLE}]")
        return (None,)
    if len(several.items) > MODELS_CAP:
        problems.add(several.at, f"models names {len(several.items)} models; a shot can have at most {MODELS_CAP}")
    taken: set[str] = set()
    for node in several.items:
        name = node.text if isinstance(node, Scalar) else ""
        if name in taken:
            problems.add(node.at, f"models names {shown(name)} twice; each take of it would be bought twice")
        taken.add(name)
    return tuple(several.items)


_EXAMPLE = "alibaba/wan-2-6-t2v, alibaba/wan-3-0-video"
