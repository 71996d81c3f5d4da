"""The explanation of one shot: what is sent for it, and where in the manifest each value comes from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wanbatch.batch.given_files import Files, with_names
from wanbatch.batch.input_fields import input_fields
from wanbatch.batch.registry import Model, registry
from wanbatch.batch.shots import Batch, Recipe, Shot, Version
from wanbatch.errors import UsageInvalid
from wanbatch.manifest import load_manifest
from wanbatch.manifest.roles import role_of
from wanbatch.manifest.words import meant, shown

OF_WANBATCH = "wanbatch's default"
OF_MODEL = "not sent: the model's own default"
OF_PICTURES = "cast of the manifest"
OF_CAST = "pictures if the model takes references, else words"
OF_SEED = "made from the id and the number of the take"


@dataclass(frozen=True)
class Value:
    """One value of a request, or of the plan: the texts of `origins` say whose it is, of a prompt for each part."""

    name: str
    value: Any
    origins: tuple[str, ...]


@dataclass(frozen=True)
class Request:
    """What is sent to one model, without its seed. `limit` is the most characters that it takes of a prompt."""

    model: str
    values: tuple[Value, ...]
    characters: int
    limit: int | None


@dataclass(frozen=True)
class Explanation:
    """One shot: what is planned with it, and what each of its models is asked for."""

    shot_id: str
    planning: tuple[Value, ...]
    requests: tuple[Request, ...]
    recipes: tuple[Recipe, ...]


def explained(path: Path, shot_id: str) -> Explanation:
    """Explain a shot of a manifest. Raises ManifestInvalid; UsageInvalid if no shot has this id."""
    batch = load_manifest(path, keeps_origins=True)
    shot = next((each for each in batch.shots if each.id == shot_id), None)
    if shot is None:
        raise UsageInvalid(f"no shot of {path} has the id {shown(shot_id)}{_near(batch, shot_id)}")
    requests = tuple(_request(shot, each, batch.files) for each in shot.versions)
    return Explanation(shot.id, tuple(_planning(shot)), requests, shot.recipes)


def _near(batch: Batch, shot_id: str) -> str:
    return meant(shot_id, [shot.id for shot in batch.shots])


def _planning(shot: Shot) -> Iterator[Value]:
    """Yield what is planned with a shot and not sent."""
    told = {"scene": shot.scene, "sequence": shot.sequence, "takes": shot.takes, "tags": ", ".join(shot.tags)}
    told |= {"cost_code": shot.cost_code, "notes": shot.notes, **({"omit": True} if shot.omit else {})}
    for name, value in told.items():
        if value:
            yield Value(name, value, shot.origins.get(name, (OF_WANBATCH,)))
    for sent in shot.origins.get("cast", ()):
        yield Value("cast", sent, (OF_CAST,))
    if any(each.has_seed for each in shot.versions):
        origins = shot.origins.get("seed", (OF_SEED,))
        seeds = dict.fromkeys(recipe.body["seed"] for recipe in shot.recipes if "seed" in recipe.body)
        yield Value("seed", ", ".join(map(str, seeds)), origins)


def _request(shot: Shot, version: Version, files: Files) -> Request:
    model = registry().get(version.model)
    shown_ones = {name: with_names(each, files) for name, each in version.request.items()}
    values = [Value(name, each, _origins(shot, model, name)) for name, each in shown_ones.items()]
    for name in () if model is None else model.parameters:
        default = None if model is None else model.default_of(name)
        if name not in version.request and default is not None and name != "seed":
            values.append(Value(name, default, (OF_MODEL,)))
    shape = {} if model is None else model.parameters.get("prompt", {})
    return Request(version.model, tuple(values), len(str(version.request.get("prompt", ""))), shape.get("maxLength"))


def _origins(shot: Shot, model: Model | None, name: str) -> tuple[str, ...]:
    role = None if model is None else role_of(model, name)
    for each in (name, role, "models" if name == "model" else None):
        if each is not None and each in shot.origins:
            return shot.origins[each]
    return (OF_PICTURES if model is not None and name in input_fields(model) else OF_WANBATCH,)
