"""The sandbox's price lists: each documented kind, and the prices that are held."""

from __future__ import annotations

from typing import Any

import pytest

from tests.sandbox.local import LocalSandbox
from wanbatch.sandbox.models import Model
from wanbatch.sandbox.prices import pricing_of

NEEDED: dict[str, Any] = {"image_url": "https://example.com/a.png", "video_urls": ["https://example.com/a.mp4"]}


def test_each_documented_kind_of_price_is_listed(context: LocalSandbox) -> None:
    pricing = {row["id"]: row["pricing"] for row in context.get("/v1/models", include="pricing").json()["data"]}
    kinds = {name.removeprefix("alibaba/"): each["kind"] for name, each in pricing.items()}
    fixed = {
        "kind": "fixed",
        "currency": "USD",
        "units": [{"name": "video", "measure": "output", "price": 0.189, "per": 1}],
    }
    assert (kinds, pricing["alibaba/wan2.1-t2v-turbo"]) == (
        {
            **dict.fromkeys(kinds, "variants"),
            "wan2.1-t2v-plus": "variable",
            "wan2.1-t2v-turbo": "fixed",
        },
        fixed,
    )


def test_listed_prices_are_the_prices_held(context: LocalSandbox) -> None:
    told, listed = {}, {}
    for model in context.get("/v1/models", include="pricing").json()["data"]:
        pricing = model["pricing"]
        for row in pricing.get("variants", []) + pricing.get("units", []):
            served = context.account.models[model["id"]]
            needed = {name: NEEDED[name] for name in served.schema["required"] if name in NEEDED}
            body = {"prompt": "x", **needed, **row.get("when", {}), "model": model["id"]}
            length_s = 10 if row.get("unit") == "second" else 1
            if length_s == 10 and "duration" in served.parameters:
                body["duration"] = 10
            case = (model["id"], *row.get("when", {}).values())
            listed[case] = round(row["price"] / row["per"] * length_s * 2_000_000)
            told[case] = context.submit(body).json()["meta"]["usage"]["credits_used"]
    published = (told["alibaba/wan-2-6-t2v", "1080p"], told["alibaba/wan-2-7-t2v", "1080p"])
    assert (told, len(told) > 20, published) == (listed, True, (3_150_000, 3_900_000))


PARAMETERS = {
    "resolution": {"type": "string", "enum": ["720p", "1080p"], "default": "720p"},
    "duration": {"type": "integer", "enum": [5, 10], "default": 5},
    "provider": {"type": "string", "description": "`studio` runs its own machines; `fal` runs a mirror."},
}
MACHINES = [("auto", 216_000), ("studio", 216_000), ("fal", 270_000)]


def listed(kind: str, *names: str) -> dict[str, Any]:
    schema = {"properties": {name: PARAMETERS[name] for name in names}}
    return pricing_of(Model("studio/lens-1", schema, own={"kind": kind}))


@pytest.mark.parametrize(
    ("pricing", "rows"),
    [
        (listed("variable", "resolution"), []),
        (listed("tokens", "resolution"), [("token", 5.4, 1_000_000)]),
        (listed("rates"), [("video", 0.54, 1)]),
        (listed("rates", "duration"), [("second", 0.108, 1)]),
        (listed("thousands", "duration"), [("second", 108, 1000)]),
        (listed("thousands", "resolution", "duration"), [("second", 108, 1000), ("second", 162, 1000)]),
        (listed("clips", "duration"), [("video", 0.54, 1), ("video", 1.08, 1)]),
        (listed("rates", "provider", "duration"), [("second", cost / 2_000_000, 1) for _, cost in MACHINES]),
    ],
)
def test_a_list_has_the_documented_units(pricing: dict[str, Any], rows: list[tuple[str, float, int]]) -> None:
    told = pricing.get("variants", pricing.get("units", []))
    assert [(row.get("unit", row.get("name")), row["price"], row["per"]) for row in told] == rows


def test_a_list_says_what_its_rates_depend_on() -> None:
    rows = listed("clips", "resolution", "provider", "duration")
    assert (rows["dimensions"], [tuple(row["when"].values()) for row in rows["variants"]][:3]) == (
        ["resolution", "provider", "duration"],
        [("720p", "auto", 5), ("720p", "auto", 10), ("720p", "studio", 5)],
    )
