"""Unknown names in a manifest, and what to do about each."""

from __future__ import annotations

from wanbatch.batch.registry import registry
from wanbatch.manifest.schemas import fields_of_shots
from wanbatch.manifest.synonyms import field_meant, field_told, is_own, unknown_field
from wanbatch.manifest.tree import Scalar, Table
from wanbatch.manifest.words import shown


def unknown_name(name: str, table: Table) -> str:
    """Say what to do about a name that is not a field of a shot."""
    node = table.items[name]
    if isinstance(node, Scalar) and node.value is None and not node.text:
        known = fields_of_shots() - set(table.keys)  # `camera:`, or the rest of a text inside { }
        return f"{unknown_field(name, shown(name), known)} (inside {{ }}, put text with a comma in quotes)"
    if name.count(" ") > 1 and not field_told(name):
        return (
            f"{shown(name)} is not a field of a shot; if it is part of a text with ': ', put the whole text in quotes"
        )
    return unknown_field(name, shown(name), fields_of_shots() - set(table.keys))


def close_name(name: str, known: list[str]) -> str:
    """Return which name was probably meant, as the end of a sentence; or nothing."""
    close = field_meant(name, known)
    return f"; did you mean {close}?" if close else ""


def is_sentence(shot: Table) -> bool:
    """Say whether a shot is only a text with a colon in it: `- Wide: a gull lands`."""
    name = next(iter(shot.keys))
    return not (name in fields_of_shots() or is_own(name) or field_told(name) == "prompt")


def foreign_parameter(name: str, model: str) -> str:
    """Say that a model does not have a parameter, and which model has it."""
    owners = [each.name for each in registry() if name in each.parameters]
    owners.sort(key=lambda owner: "t2v" not in owner)  # the more likely models first
    more = f"; {owners[0]} has it" if owners else ""
    return f"{name} is not a parameter of {model}{more}"


def meant_shots(root: Table) -> str:
    """Name a field that was probably meant to be `shots`."""
    return next((f" (did you mean {key}?)" for key in root.keys if key in ("shot", "scenes", "prompts", "clips")), "")
