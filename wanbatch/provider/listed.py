"""The models that the provider serves now, as its public list names them. Pure; trusts no field.

Source: the provider's OpenAPI `models`: `GET /v1/models?output_modalities=video&include=all`, no key needed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from wanbatch.batch.request_schemas import is_model_name
from wanbatch.provider.bodies import AnswerInvalid
from wanbatch.text import shown

INPUTS_CAP = 8  # what a model may take: there are four kinds today
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class ListedModel:
    """One model of the list; `docs` is the address of its own OpenAPI file, empty if it has none.

    `inputs` are what it takes, as the provider names it (text, image, video); empty if the list does not say.
    """

    name: str
    aliases: tuple[str, ...]
    docs: str
    pricing: object = field(compare=False)
    inputs: tuple[str, ...] = ()

    def is_named(self, name: str) -> bool:
        """Say whether this is its name or an alias."""
        return name == self.name or name in self.aliases


@dataclass(frozen=True)
class PublishedSchema:
    """The request schema of a model, turned into ours; `sha256` is that of the provider's file."""

    schema: Mapping[str, Any]
    source: str
    sha256: str


def read_listed(fields: Mapping[str, Any]) -> tuple[ListedModel, ...]:
    """Read the list, in the order of names. Raises AnswerInvalid for anything but a list of models."""
    rows = fields.get("data")
    if not isinstance(rows, list):
        raise AnswerInvalid("a list of models without rows")
    models = (_model_in(row) for row in rows if isinstance(row, Mapping) and is_model_name(row.get("id")))
    return tuple(sorted(models, key=lambda model: model.name))


def _model_in(row: Mapping[str, Any]) -> ListedModel:
    aliases, info = row.get("aliases"), row.get("info")
    named = aliases if isinstance(aliases, list) else []
    docs = info.get("docsJson") if isinstance(info, Mapping) else None
    return ListedModel(
        name=row["id"],
        aliases=tuple(name for name in named if is_model_name(name)),
        docs=docs if isinstance(docs, str) and len(docs) <= 2000 else "",
        pricing=row.get("pricing"),
        inputs=_inputs_in(row.get("modalities")),
    )


def _inputs_in(told: object) -> tuple[str, ...]:
    found = told.get("input") if isinstance(told, Mapping) else None
    words = [each for each in found if isinstance(each, str) and each] if isinstance(found, list) else []
    return tuple(dict.fromkeys(shown(each) for each in words[:INPUTS_CAP]))


def price_text(pricing: object) -> str:
    """Say what a model costs by its rows, in few words; `unknown` for what is not clear."""
    rows: Any = None
    if isinstance(pricing, Mapping):
        rows = {"fixed": pricing.get("units"), "variants": pricing.get("variants")}.get(str(pricing.get("kind")))
    if not isinstance(rows, list) or not rows or not all(isinstance(row, Mapping) for row in rows):
        return "unknown"
    units = {str(row.get("unit", row.get("name"))) for row in rows}
    prices = [row.get("price") for row in rows if row.get("per") == 1 and row.get("currency", "USD") == "USD"]
    known = [each for each in prices if isinstance(each, int | float) and not isinstance(each, bool) and each > 0]
    if len(units) != 1 or len(known) != len(rows) or pricing_currency(pricing) != "USD":
        return "unknown"
    low, high = min(known), max(known)
    span = f"{low:g}" if low == high else f"{low:g} to {high:g}"
    return f"{span} USD a {shown(units.pop())}"


def pricing_currency(pricing: object) -> str:
    """Return the currency of a price list; USD if it names none."""
    return str(pricing.get("currency", "USD")) if isinstance(pricing, Mapping) else ""


def path_of(address: str, base_url: str) -> tuple[str, dict[str, str]]:
    """Return path and parameters of a file on the provider's own host.

    Raises AnswerInvalid for any other host, and for anything but https (but for a sandbox on this machine).
    """
    try:
        told, base = urlsplit(address), urlsplit(base_url)
        is_same = (told.scheme, told.hostname, told.port) == (base.scheme, base.hostname, base.port)
    except ValueError as error:
        raise AnswerInvalid("the address of its file cannot be read") from error
    is_safe = told.scheme == "https" or (told.scheme == "http" and told.hostname in _LOOPBACK)
    if not is_same or not is_safe or told.username is not None or not told.path.startswith("/"):
        raise AnswerInvalid(f"its file is not on the provider's own host, but at {shown(address)}")
    return told.path, dict(parse_qsl(told.query))
