"""Members of the cast in a shot: their pictures go to models that take references, their words to the others. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wanbatch.batch.given_files import Files, hashes_in
from wanbatch.batch.input_fields import input_fields
from wanbatch.batch.registry import Model, registry
from wanbatch.batch.shots import Fallback, Version
from wanbatch.manifest.addresses import is_path
from wanbatch.manifest.roles import as_listed, field_of
from wanbatch.manifest.tree import Listing, Member, Node, Place, Scalar

PICTURES, VOICES = "references", "voices"


@dataclass(frozen=True)
class CastShot:
    """A request with what its model takes of the cast, its nodes, and what was sent of each member, in words."""

    request: dict[str, Any]
    nodes: dict[str, Node]
    told: tuple[str, ...]


def with_cast(request: Mapping[str, Any], nodes: Mapping[str, Node], members: Sequence[Member], at: Place) -> CastShot:
    """Give a request the pictures and voices of its cast as far as its model takes them, else their words.

    `at` is the place of the shot.
    """
    made = CastShot(dict(request), dict(nodes), ())
    name = request.get("model")
    model = registry().get(name) if isinstance(name, str) else None
    if model is None or not members:
        return made
    told, words = [], []
    for member in members:
        said = []
        if member.images:
            why = _why_not(model, made.request, member.images, PICTURES)
            if why:
                said.append(f"words alone, because {why}")
                words += [member.words] if member.words else []
            else:
                _add(made, model, PICTURES, member.images, at)
                said.append("pictures as references")
        elif member.words:
            words.append(member.words)
        if member.voice is not None:
            why = _why_not(model, made.request, (member.voice,), VOICES)
            if not why:
                _add(made, model, VOICES, (member.voice,), at)
            said.append(f"no voice, because {why}" if why else "voice")
        told.append(f"{member.name} to {model.name}: {', '.join(said)}")
    if words and isinstance(made.request.get("prompt"), str):
        made.request["prompt"] = " ".join([made.request["prompt"], *words])
    return CastShot(made.request, made.nodes, tuple(told))


def _field(model: Model, part: str) -> str | None:
    return part if part in model.parameters else field_of(model, part)


def _why_not(model: Model, request: Mapping[str, Any], given: Sequence[Scalar], part: str) -> str:
    """Say why a model is not sent what a member has, as the end of a sentence; nothing if it is."""
    name, what = _field(model, part), "references" if part == PICTURES else "reference audio"
    if name is None:
        return f"{model.name} takes no {what}"
    if any(is_path(each.text) for each in given) and not input_fields(model)[name].takes_files:
        return f"{model.name} takes {what} as addresses only"
    for rule in model.schema.get("allOf", ()):
        both = rule.get("not", {}).get("required", ())
        other = next((each for each in both if each != name and each in request), None)
        if name in both and other is not None:
            return f"{model.name} takes no {what} together with {other}"
    return ""


def _add(made: CastShot, model: Model, part: str, given: Sequence[Scalar], at: Place) -> None:
    """Put more behind what a request lists in a field."""
    name = _field(model, part)
    assert name is not None
    before, node = made.request.get(name, []), made.nodes.get(name)
    if not isinstance(before, list):
        return  # which is a problem of its own
    added = as_listed([each.text for each in given], model.parameters[name])
    made.request[name] = [*before, *added]
    own: list[Node] = [] if node is None else node.items if isinstance(node, Listing) else [node] * len(before)
    made.nodes[name] = made.nodes[part] = Listing(at if node is None else node.at, [*own, *given])


def given_of(versions: Sequence[Version], fallback: Fallback | None, files: Files) -> dict[str, tuple[str, ...]]:
    """Return what the models of a shot are given, for `origins`: of each member of the cast, and each file by name."""
    every = [*versions, *([] if fallback is None else [fallback.version])]
    cast = dict.fromkeys(told for each in every for told in each.cast)
    hashes = dict.fromkeys(found for each in every for found in hashes_in(each.request)) if files else {}
    told = {"cast": tuple(cast), "files": tuple(str(files[each]) for each in hashes if each in files)}
    return {name: texts for name, texts in told.items() if texts}
