"""The sandbox's price lists: each documented kind, and the prices that are held."""

from __future__ import annotations

from typing import Any

from tests.sandbox.desk import Desk

NEEDED: dict[str, Any] = {"image_url": "https://example.com/a.png", "video_urls": ["https://example.com/a.mp4"]}


def test_each_documented_kind_of_price_is_listed(context: Desk) -> None:
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


def test_listed_prices_are_the_prices_held(context: Desk) -> None:
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
            listed[case] = round(row["price"] * length_s * 2_000_000)
            told[case] = context.submit(body).json()["meta"]["usage"]["credits_used"]
    published = (told["alibaba/wan-2-6-t2v", "1080p"], told["alibaba/wan-2-7-t2v", "1080p"])
    assert (told, len(told) > 20, published) == (listed, True, (3_150_000, 3_900_000))
