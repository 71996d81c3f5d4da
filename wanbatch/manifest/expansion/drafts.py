"""Drafts of shots: the values of a shot from the levels above it, each with whose it is. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from wanbatch.manifest.tree import Member, Node, Place, Table
from wanbatch.manifest.values import is_null

# What a nearer level says under one of these names takes the others away, which a level above it may have said.
_RIVALS = {
    "model": ("models",),
    "models": ("model",),
    "seed": ("seeds",),
    "takes": ("seeds",),
    "seeds": ("seed", "takes"),
}


@dataclass(frozen=True, slots=True)
class Level:
    """Values for the shots below a place of the manifest, and its name in words: `scene sc010`."""

    values: Table
    owner: str


@dataclass(slots=True)
class Draft:
    """A shot on its way to the flat form. `variables` are the names of its variant, which its texts may use."""

    at: Place
    items: dict[str, Node] = field(default_factory=dict)
    keys: dict[str, Place] = field(default_factory=dict)
    owners: dict[str, str] = field(default_factory=dict)
    variables: dict[str, Node] = field(default_factory=dict)
    is_in_scene: bool = False
    members: tuple[Member, ...] = ()

    def take(self, level: Level, without: Sequence[str] = ()) -> None:
        """Take the values of a nearer level over what is there."""
        for name, node in level.values.items.items():
            if name in without:
                continue
            for rival in () if is_null(node) else _RIVALS.get(name, ()):
                if rival not in level.values.items:
                    self.drop(rival)
            self.put(name, node, level.values.keys.get(name, node.at), level.owner)

    def put(self, name: str, node: Node, at: Place, owner: str) -> None:
        """Set one value."""
        self.items[name], self.keys[name], self.owners[name] = node, at, owner

    def drop(self, name: str) -> None:
        """Take one value away."""
        for named in (self.items, self.keys, self.owners):
            named.pop(name, None)

    def copy(self) -> Draft:
        """Return another draft with the same values."""
        return Draft(
            self.at, dict(self.items), dict(self.keys), dict(self.owners), dict(self.variables), self.is_in_scene
        )

    def table(self) -> Table:
        """Return the shot in the flat form."""
        return Table(self.at, self.items, self.keys, owners=self.owners, members=self.members)
