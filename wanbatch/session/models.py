"""The provider's models: which it serves now, and taking their published schemas into a project."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from difflib import get_close_matches
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from wanbatch.batch.registry import Model, learn
from wanbatch.clock import system_now
from wanbatch.disk import replace_text
from wanbatch.errors import LocalFault, ProviderUnreachable, UsageInvalid, fault_text
from wanbatch.manifest.added import MODELS_FOLDER, files_beside, models_beside, name_of_file
from wanbatch.manifest.roles import field_of
from wanbatch.manifest.words import one_of
from wanbatch.provider.listed import ListedModel, PublishedSchema, price_text
from wanbatch.provider.protocol import NoAnswer, Provider
from wanbatch.resources import MODEL_ENDING
from wanbatch.session.access import Access

_WITHOUT_NETWORK = (
    "`wanbatch doctor` shows what this machine can reach. You can also copy a schema from the folder `models` of"
    " another project into the one beside this manifest: that needs no network"
)


@dataclass(frozen=True)
class ServedModel:
    """A model as `wanbatch models` shows it: `kinds` are read from its schema, else from the provider's list."""

    name: str
    aliases: tuple[str, ...]
    kinds: tuple[str, ...]
    price: str
    end: str
    has_schema: bool


@dataclass(frozen=True)
class AddedModel:
    """A schema that was written beside a manifest; `changes` says how it differs from the one before, if it does."""

    name: str
    path: str
    sha256: str
    is_new: bool
    changes: tuple[str, ...]


def kinds_of(model: Model) -> tuple[str, ...]:
    """Say what a model makes video from."""
    needed = set(model.schema.get("required", ()))
    images = {field for role in ("first_frame", "last_frame", "references") if (field := field_of(model, role))}
    found = [] if needed & (images | {"image_url", "video_url", "video_urls", "audio_url"}) else ["text"]
    words = {"first_frame": "first frame", "last_frame": "last frame", "references": "references"}
    found += [word for role, word in words.items() if field_of(model, role) is not None]
    found += ["video"] if {"video_url", "video_urls"} & set(model.parameters) else []
    return tuple(found)


@asynccontextmanager
async def _line(access: Access) -> AsyncIterator[Provider]:
    with ExitStack() as stack:
        folder = Path(stack.enter_context(TemporaryDirectory(prefix="wanbatch-")))
        async with access.provider(folder, system_now()) as (provider, _):
            yield provider


async def served_models(access: Access, folder: Path) -> list[ServedModel]:
    """Ask which video models are served now; `folder` is that of a project. Raises ProviderUnreachable."""
    models, _ = models_beside(folder)
    if access.is_embedded:
        learn(models)  # the sandbox of a run serves them, too
    async with _line(access) as provider:
        listed = await _listed(provider)
        endings = await provider.endings()
    ends = {} if isinstance(endings, NoAnswer) else {each.model: each for each in endings}
    now = system_now()
    return [
        ServedModel(
            name=each.name,
            aliases=each.aliases,
            kinds=kinds_of(known) if (known := models.get(each.name)) is not None else each.inputs,
            price=price_text(each.pricing),
            end=ends[each.name].text(each.name, now) if each.name in ends else "",
            has_schema=known is not None,
        )
        for each in listed
    ]


async def add_models(access: Access, folder: Path, names: Sequence[str]) -> list[AddedModel]:
    """Write the published schemas of these models into the folder `models` of a project.

    Raises UsageInvalid for a name that is not served, ProviderUnreachable for a file that cannot be read.
    """
    async with _line(access) as provider:
        listed = await _listed(provider)
        found = [_named(name, listed, is_sandbox=access.is_embedded) for name in names]
        published = [await provider.published_schema(each, name) for each, name in zip(found, names, strict=True)]
    read: list[PublishedSchema] = []
    for name, each in zip(names, published, strict=True):
        if isinstance(each, NoAnswer):
            raise ProviderUnreachable(f"the schema of {name} was not added: {each.message}. {_WITHOUT_NETWORK}")
        read.append(each)
    return [_write(folder, name, each, system_now()) for name, each in zip(names, read, strict=True)]


def added_names(folder: Path) -> list[str]:
    """Return the models that a project added."""
    return [name_of_file(path) for path in files_beside(folder)]


async def _listed(provider: Provider) -> Sequence[ListedModel]:
    listed = await provider.listed_models()
    if isinstance(listed, NoAnswer):
        raise ProviderUnreachable(f"cannot read the provider's list of models: {listed.message}. {_WITHOUT_NETWORK}")
    return listed


def _named(name: str, listed: Sequence[ListedModel], *, is_sandbox: bool) -> ListedModel:
    exact = [each for each in listed if each.name == name] or [each for each in listed if each.is_named(name)]
    if exact:
        return exact[0]
    known = [told for each in listed for told in (each.name, *each.aliases)]
    close = get_close_matches(name, known, n=3, cutoff=0.5)
    cure = "; without --sandbox the provider is asked" if is_sandbox else "; `wanbatch models` lists what it serves"
    hint = f"; did you mean {one_of(close)}?" if close else cure
    who = "the embedded sandbox" if is_sandbox else "the provider"
    raise UsageInvalid(f"{who} does not serve {name!r} as a video model{hint}")


def _write(folder: Path, name: str, published: PublishedSchema, now: datetime) -> AddedModel:
    path = folder / MODELS_FOLDER / f"{name.replace('/', '__')}{MODEL_ENDING}"
    before = _kept(path)
    changes = differences(before, published.schema) if before is not None else ()
    if before is None or changes or before.get("x-sha256") != published.sha256:
        kept = {
            "x-fetched-at": now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"),
            "x-source": published.source,
            "x-sha256": published.sha256,
        }
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            replace_text(path, json.dumps({**published.schema, **kept}, ensure_ascii=False, indent=2) + "\n")
        except OSError as error:
            raise LocalFault(fault_text(error)) from error
    return AddedModel(name, str(path), published.sha256, before is None, changes)


def _kept(path: Path) -> Mapping[str, Any] | None:
    models, _ = models_beside(path.parent.parent)
    model = models.get(name_of_file(path)) if path.is_file() else None
    return None if model is None else model.schema


def differences(before: Mapping[str, Any], after: Mapping[str, Any]) -> tuple[str, ...]:
    """Say how the requests of a model changed, one line per field."""
    old, new = before["properties"], after["properties"]
    lines = [f"{name} is new" for name in new if name not in old]
    lines += [f"{name} is gone" for name in old if name not in new]
    for name in (name for name in new if name in old):
        keys = [key for key in {**old[name], **new[name]} if key not in ("title", "description")]
        changed = [key for key in keys if old[name].get(key) != new[name].get(key)]
        lines += [f"{name}: {key} was {_short(old[name].get(key))}, is {_short(new[name].get(key))}" for key in changed]
    if set(before.get("required", ())) != set(after.get("required", ())):
        lines.append(f"needed now: {', '.join(after.get('required', ()))}")
    return tuple(lines)


def _short(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 80 else text[:79] + "…"
