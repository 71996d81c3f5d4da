"""The tariff: which price rows give a certain price, and which reason is told where they do not."""

from __future__ import annotations

import math
from typing import Any

import pytest

from wanbatch.batch.models import PriceClass, order_of
from wanbatch.batch.registry import model_from, reading, shipped
from wanbatch.batch.shots import Recipe
from wanbatch.money.prices import UNKNOWN_QUOTE, best_quote, unknown_quote
from wanbatch.provider.tariff import listed_quote

CLASS = PriceClass("alibaba/wan-2-6-t2v", "1080p", 10)
NO_LENGTH = PriceClass("alibaba/wan2.1-t2v-plus", "720P", None)
BARE = PriceClass("m", None, None)


def rate(price: object = 0.1575, unit: object = "second", per: object = 1, **when: object) -> dict[str, Any]:
    return {"when": when or {"resolution": "1080p"}, "price": price, "unit": unit, "per": per}


def variants(*rows: object, dimensions: object = ("resolution",)) -> dict[str, Any]:
    names = list(dimensions) if isinstance(dimensions, tuple) else dimensions
    return {"kind": "variants", "dimensions": names, "variants": list(rows)}


def fixed(*rows: object, currency: object = "USD") -> dict[str, Any]:
    return {"kind": "fixed", "currency": currency, "units": list(rows)}


def unit(name: object, price: object = 1.5, per: object = 1, measure: object = "output") -> dict[str, Any]:
    return {"name": name, "measure": measure, "price": price, "per": per}


BY_SIZE = variants(rate(0.39, resolution="720p"), rate(0.65, resolution="1080p"))
BY_SOUND = ("resolution", "generate_audio")


@pytest.mark.parametrize(
    ("pricing", "price_class", "credit_count"),
    [
        (BY_SIZE, CLASS, 13_000_000),
        (BY_SIZE, PriceClass("m", "720P", 5), 3_900_000),
        (variants(rate(resolution="1080P")), CLASS, 3_150_000),
        (variants(rate(resolution=1080)), CLASS, 3_150_000),
        (variants(rate(resolution="FHD")), PriceClass("m", "fhd", 10), 3_150_000),
        (variants(rate(157.5, per=1000)), CLASS, 3_150_000),
        (variants(rate(1_575_000, "Video", 1_000_000)), CLASS, 3_150_000),
        (variants(rate(1.575, "generation", duration=10), dimensions=("duration",)), CLASS, 3_150_000),
        (variants(rate(1.575, "clip", duration="10"), dimensions=("duration",)), CLASS, 3_150_000),
        (variants(rate(1.575, "request", duration="10 s"), dimensions=("duration",)), CLASS, 3_150_000),
        (variants(rate(1.575, "request", duration=10.0), dimensions=("duration",)), CLASS, 3_150_000),
        (variants(rate(1.575, "video", 1.0)), CLASS, 3_150_000),
        (variants({**rate(1.575, "video"), "when": {}}, dimensions=()), BARE, 3_150_000),
        # A credit is half a millionth of a USD: prices need not be round, and a fraction is rounded up.
        (fixed(unit("video", 3.1449605)), NO_LENGTH, 6_289_921),
        (fixed(unit("second", 0.1, 3)), CLASS, 666_667),
        (fixed(unit("generation", 0.1 + 0.2)), BARE, 600_001),  # as it was written: 0.30000000000000004
        (fixed(unit("seconds", 0.1575)), CLASS, 3_150_000),
        (fixed(unit("video", measure=None)), NO_LENGTH, 3_000_000),
        (fixed({"measure": "video", "price": 1.5, "per": 1}), NO_LENGTH, 3_000_000),
        # What nobody knows of the request decides nothing where it changes nothing.
        (variants(*(rate(resolution="1080p", generate_audio=on) for on in (True, False)), dimensions=BY_SOUND), CLASS, 3_150_000),
        (variants(rate(0.1, resolution="720p"), rate(0.1, resolution="1080p")), PriceClass("m", None, 10), 2_000_000),
        # A row for something else may be as broken as it likes.
        (variants(rate(), rate("free", resolution="720p")), CLASS, 3_150_000),
        (variants(rate(), rate()), CLASS, 3_150_000),
    ],
    ids=repr,
)  # fmt: skip
def test_a_row_that_clearly_fits_is_the_price(pricing: object, price_class: PriceClass, credit_count: int) -> None:
    quote = listed_quote(pricing, price_class)
    assert (quote.credits, quote.source, quote.is_live, quote.why) == (credit_count, "price list", True, "")


LIST = "the provider's list"


@pytest.mark.parametrize(
    ("pricing", "price_class", "why"),
    [
        (None, CLASS, f"{LIST} names no price for this model"),
        ("free", CLASS, f"{LIST} has 'free' in place of this model's prices"),
        ([BY_SIZE], CLASS, f"{LIST} has a list in place of this model's prices"),
        ({}, CLASS, f"{LIST} has a kind of price that wanbatch does not know: nothing"),
        ({"kind": ["fixed"]}, CLASS, f"{LIST} has a kind of price that wanbatch does not know: a list"),
        ({"kind": "tiers\x1b[2J"}, CLASS, f"{LIST} has a kind of price that wanbatch does not know: 'tiers[2J'"),
        ({"kind": "variable"}, CLASS, "the provider sets the price of this model only after the request (its list says 'variable')"),
        (fixed(unit("video"), currency="EUR"), CLASS, f"{LIST} is in 'EUR' and not in USD"),
        (fixed(unit("video"), currency=None), CLASS, f"{LIST} is in nothing and not in USD"),
        (fixed({**unit("video"), "currency": "CNY"}), CLASS, f"row 1 of {LIST} is in 'CNY' and not in USD"),
        (fixed(), CLASS, f"{LIST} has no rates ('units') for this model"),
        ({"kind": "fixed", "units": {"video": 1.5}}, CLASS, f"{LIST} has no rates ('units') for this model"),
        ({"kind": "variants", "dimensions": []}, CLASS, f"{LIST} has no rates ('variants') for this model"),
        (fixed(1.5), CLASS, f"row 1 of {LIST} is 1.5, not a rate"),
        (fixed(unit("token"), unit("token", measure="input")), CLASS, f"{LIST} adds up 2 rates, whose amounts are known only after the request"),
        (fixed(unit("token", 3.25, 1_000_000)), CLASS, "the provider charges by 'token', which does not give the price of a clip"),
        (fixed(unit("second", measure="input")), CLASS, "the provider charges by 'second (input)', which does not give the price of a clip"),
        (fixed(unit(["second"])), CLASS, "the provider charges by '[list]', which does not give the price of a clip"),
        (fixed(unit("second", 0.1)), NO_LENGTH, "the provider charges by the second, and the length of these clips is not known"),
        (variants(rate(unit="frame")), CLASS, "the provider charges by 'frame', which does not give the price of a clip"),
        (variants(rate(unit=None)), CLASS, "the provider charges by '', which does not give the price of a clip"),
        (variants(rate(), dimensions=None), CLASS, f"{LIST} does not say what its rates depend on"),
        (variants(rate(), dimensions=({"name": "resolution"},)), CLASS, f"{LIST} does not say what its rates depend on"),
        (variants([rate()]), CLASS, f"row 1 of {LIST} does not say when it applies"),
        (variants(rate(), {"resolution": "1080p", "price": 1.5, "per": "video"}), CLASS, f"row 2 of {LIST} does not say when it applies"),
        (BY_SIZE, PriceClass("m", "480p", 5), f"{LIST} has no rate for resolution 480p, duration 5"),
        (variants(rate(resolution="fhd")), CLASS, "the price also depends on 'resolution' (1.575 USD a clip)"),
        (variants(rate(resolution=["1080p"])), CLASS, "the price also depends on 'resolution' (1.575 USD a clip)"),
        (variants(rate(duration="short"), dimensions=("duration",)), CLASS, "the price also depends on 'duration' (1.575 USD a clip)"),
        (variants(rate(), dimensions=("resolution", "style")), CLASS, "the price also depends on 'style' (1.575 USD a clip)"),
        (variants(rate(1, "video", provider="auto")), CLASS, "the price also depends on 'provider', 'resolution' (1 USD a clip)"),
        (
            variants(*(rate(price, "video", resolution="1080p", generate_audio=on) for price, on in ((2, True), (1, False))), dimensions=BY_SOUND),
            PriceClass("m", "1080p", 10),
            "the price also depends on 'generate_audio' (1 to 2 USD a clip)",
        ),
        (BY_SIZE, PriceClass("m", None, 10), "the price also depends on 'resolution' (3.9 to 6.5 USD a clip)"),
        (variants(rate(), rate(0.2)), CLASS, f"{LIST} has several prices for this request (1.575, 2 USD)"),
        (variants(rate(), rate(None)), CLASS, f"row 2 of {LIST} has no price that can be read: nothing"),
    ],
    ids=lambda each: repr(each)[:50],
)  # fmt: skip
def test_what_does_not_clearly_fit_is_unknown_with_its_reason(
    pricing: object, price_class: PriceClass, why: str
) -> None:
    assert listed_quote(pricing, price_class) == unknown_quote(why)


LENS = model_from(
    {
        "properties": {
            "model": {"const": "studio/lens-1"},
            "resolution": {"type": "string", "enum": ["1080p", "4k", "any"], "default": "1080p"},
            "duration": {"type": "integer", "default": 10},
            "generate_audio": {"type": "boolean", "default": True},
            "mode": {"type": "string", "enum": ["std", "pro"], "default": "std"},
            "max_resolution": {"type": "integer", "enum": [720, 1080], "default": 1080},
            "frame_rate": {"type": "integer"},
            "provider": {"type": "string"},
        }
    }
)


def by(name: str, *prices: tuple[object, float], unit: str = "video") -> dict[str, Any]:
    return variants(*(rate(price, unit, **{name: value}) for value, price in prices), dimensions=(name,))


SOUND = by("generate_audio", (True, 2), (False, 1))
MODE = by("mode", ("std", 1), ("Pro", 2))
MACHINE = by("provider", ("auto", 1), ("kling", 1), ("fal", 1.25))
MACHINES_ONLY = by("provider", ("kling", 1), ("fal", 1.25))
OPEN = "the provider chooses the machine (provider: auto), and each has a price (1 to 1.25 USD a clip)"


@pytest.mark.parametrize(
    ("pricing", "body", "told"),
    [
        (SOUND, {}, ([4_000_000], "")),
        (SOUND, {"generate_audio": False}, ([2_000_000], "")),
        (by("generate_audio", ("true", 2), ("false", 1)), {"generate_audio": False}, ([2_000_000], "")),
        (by("generate_audio", ("on", 2), ("off", 1)), {}, ([], "the price also depends on 'generate_audio' (1 to 2 USD a clip)")),
        (MODE, {}, ([2_000_000], "")),
        (MODE, {"mode": "pro"}, ([4_000_000], "")),
        (by("mode", ("std", 1)), {"mode": "pro"}, ([], f"{LIST} has no rate for resolution 1080p, duration 10, mode pro")),
        (SOUND | {"variants": [SOUND["variants"][0]]}, {"generate_audio": False}, ([], f"{LIST} has no rate for resolution 1080p, duration 10, generate_audio false")),
        (by("max_resolution", (720, 1), (1080, 2)), {}, ([4_000_000], "")),
        (by("max_resolution", ("720p", 1), ("1080p", 2)), {"max_resolution": 720}, ([2_000_000], "")),
        (by("max_resolution", (720.0, 1), (1080.0, 2)), {"max_resolution": 720}, ([2_000_000], "")),
        (by("frame_rate", (24, 1), (60, 2)), {}, ([], "the price also depends on 'frame_rate' (1 to 2 USD a clip)")),
        (by("frame_rate", (24, 1), (60, 2)), {"frame_rate": 60}, ([4_000_000], "")),
        # Two choices of one parameter are two, however they are spelled; a word that is none of them may mean one.
        (by("resolution", ("1080p", 1), ("4k", 2), ("any", 3)), {}, ([2_000_000], "")),
        (by("resolution", ("fhd", 1), ("4k", 2)), {}, ([], "the price also depends on 'resolution' (1 USD a clip)")),
        # The provider may fall back from one machine to another where no machine is named.
        (MACHINE, {}, ([2_000_000, 2_500_000], "")),
        (MACHINE, {"provider": "AUTO "}, ([2_000_000, 2_500_000], "")),
        (MACHINE, {"provider": "Fal"}, ([2_500_000], "")),
        (MACHINE, {"provider": "klingai"}, ([2_000_000], "")),
        (MACHINES_ONLY, {}, ([], OPEN)),
        (by("provider", ("kling", 1), ("fal", 1)), {}, ([2_000_000], "")),
        (MACHINES_ONLY, {"provider": "google"}, ([], f"{LIST} has no rate for resolution 1080p, duration 10, provider google")),
        # Two rows that fit at different prices.
        (by("mode", ("std", 1), ("STD", 2)), {}, ([], f"{LIST} has several prices for this request (1, 2 USD)")),
    ],
)  # fmt: skip
def test_a_price_is_that_of_the_dimensions_of_the_list(
    pricing: object, body: dict[str, Any], told: tuple[list[int], str]
) -> None:
    with reading(shipped().with_added([LENS])):
        quote = listed_quote(pricing, order_of(Recipe.of({**body, "model": "studio/lens-1"})).price_class)
    known = [] if quote.credits is None else [quote.credits, *quote.others]
    assert (known, quote.why) == told


def test_a_fallback_widens_the_range_and_not_the_expectation() -> None:
    with reading(shipped().with_added([LENS])):
        price_class = order_of(Recipe.of({"model": "studio/lens-1"})).price_class
        quote = best_quote(price_class, {}, listed_quote(MACHINE, price_class))
    assert (quote.credits, quote.low, quote.high) == (2_000_000, 2_000_000, 2_500_000)


BAD_NUMBERS: list[object] = [
    None, 0, -0.0, -1.5, "1.5", "", math.nan, math.inf, -math.inf, True, False, [], [1.5], {}, {"usd": 1.5}, b"1",
]  # fmt: skip


@pytest.mark.parametrize("value", BAD_NUMBERS, ids=repr)
@pytest.mark.parametrize("name", ["price", "per"])
def test_a_number_that_is_none_makes_no_price(name: str, value: object) -> None:
    for pricing in (variants({**rate(), name: value}), fixed({**unit("video"), name: value})):
        quote = listed_quote(pricing, CLASS)
        assert (quote.credits, quote.why != "") == (None, True)


@pytest.mark.parametrize("price", [1e-9, 10**10, 1e308, 10**5000], ids=["tiny", "huge", "float", "digits"])
def test_a_price_that_cannot_be_true_is_unknown(price: object) -> None:
    assert listed_quote(fixed(unit("video", price)), CLASS).credits is None


def test_the_reason_stays_beside_a_price_that_only_the_documentation_names() -> None:
    quote = best_quote(CLASS, {}, unknown_quote("nobody answered"))
    assert (quote.credits, quote.source, quote.why) == (3_150_000, "documentation", "nobody answered")
    assert best_quote(BARE, {}, unknown_quote("nobody answered")) == unknown_quote("nobody answered")
    assert best_quote(CLASS, {CLASS: 5}, unknown_quote("nobody answered")).why == ""
    assert best_quote(BARE, {}, None) == UNKNOWN_QUOTE
