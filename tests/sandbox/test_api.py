"""The sandbox's API: shapes of answers, refusals, statuses over time."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from email.utils import parsedate_to_datetime

import pytest

from tests.sandbox import shapes
from tests.sandbox.local import BODY, EPOCH, GENERATIONS, LEGACY, SMALL, LocalSandbox
from wanbatch.sandbox import SandboxOptions

AUTH = {"Authorization": "Bearer made-up"}


def test_every_answer_has_the_published_shape(context: LocalSandbox) -> None:
    submitted = context.submit(request_id="r-1")
    generation_id = submitted.json()["id"]
    queued = context.poll(generation_id)
    context.wait(30)
    generating = context.poll(generation_id)
    context.wait(1000)
    answers = [
        (shapes.GENERATION, submitted),
        (shapes.GENERATION, queued),
        (shapes.GENERATION, generating),
        (shapes.GENERATION, context.poll(generation_id)),
        (shapes.LOGS, context.get("/v2/logs", period="24h")),
        (shapes.LEDGER, context.get("/v2/billing/transactions")),
        (shapes.BALANCE, context.get("/v2/billing")),
        (shapes.DETAIL, context.get("/v2/billing/detail")),
        (shapes.KEY, context.get("/v1/key")),
        (shapes.ENDINGS, context.get("/v1/models/deprecations")),
        (shapes.MODELS, context.get("/v1/models")),
        (shapes.MODELS, context.get("/v1/models", include="pricing")),
        (shapes.METRICS, context.get("/models/metrics")),
        (shapes.ENVELOPE, context.poll("nobody")),
        (shapes.ENVELOPE, context.get("/v2/nothing")),
    ]
    assert [shapes.problems(shape, answer.json()) for shape, answer in answers] == [[]] * len(answers)


def test_a_submit_tells_its_id_and_its_hold(context: LocalSandbox) -> None:
    answer = context.submit({**BODY, "resolution": "1080p", "duration": 10}, request_id="r-1")
    shown = {
        name: answer.headers.get(name)
        for name in ("x-client-request-id", "x-aimlapi-credits-used", "x-aimlapi-usd-spent", "content-type")
    }
    assert (answer.json(), answer.headers["x-inference-id"], shown) == (
        {"id": answer.json()["id"], "status": "queued", "meta": {"usage": {"credits_used": 3_150_000}}},
        answer.json()["id"],
        {
            "x-client-request-id": "r-1",
            "x-aimlapi-credits-used": "3150000",
            "x-aimlapi-usd-spent": "1.575",
            "content-type": "application/json",
        },
    )


@pytest.mark.long
def test_a_generation_is_queued_then_generating_then_completed_without_meta(context: LocalSandbox) -> None:
    generation_id = context.made()
    told = []
    for _ in range(400):
        told.append(context.poll(generation_id).json())
        context.wait(1)
    statuses = list(dict.fromkeys(each["status"] for each in told))
    assert (statuses, sorted(told[-1])) == (["queued", "generating", "completed"], ["id", "status", "video"])


def test_the_legacy_paths_serve_the_same_generations(context: LocalSandbox) -> None:
    generation_id = context.submit(url=LEGACY).json()["id"]
    assert context.get(LEGACY, generation_id=generation_id).json() == context.poll(generation_id).json()


def test_answers_are_dated_by_the_sandboxs_clock(context: LocalSandbox) -> None:
    context.wait(3600)
    assert parsedate_to_datetime(context.get("/v2/billing").headers["date"]) == EPOCH + timedelta(hours=1)


@pytest.mark.parametrize("request_id", ["", "a b", "x" * 129, "r\u00e9sum\u00e9", "a/b"])
def test_a_request_id_outside_the_alphabet_is_dropped_silently(context: LocalSandbox, request_id: str) -> None:
    headers = {**AUTH, "X-Client-Request-Id": request_id.encode("latin-1")}
    answer = context.request("POST", GENERATIONS, json=BODY, headers=headers)  # type: ignore[dict-item]
    assert (answer.status_code, "x-client-request-id" in answer.headers) == (200, False)


@pytest.mark.parametrize("headers", [{}, {"Authorization": "Bearer "}, {"Authorization": "Basic abc"}])
@pytest.mark.parametrize(
    "path",
    [GENERATIONS, LEGACY, "/v2/logs", "/v2/billing", "/v2/billing/transactions", "/v2/billing/detail", "/v1/key"],
)
def test_without_a_key_there_is_nothing(context: LocalSandbox, path: str, headers: dict[str, str]) -> None:
    assert context.request("GET", path, headers=headers).status_code == 401


def test_a_key_that_looks_real_is_refused(context: LocalSandbox) -> None:
    context.key = "0123456789abcdef" * 2
    answer = context.submit()
    assert (answer.status_code, "made-up" in answer.json()["message"]) == (401, True)


def test_another_keys_generation_is_not_found_and_no_key_is_stored(context: LocalSandbox) -> None:
    generation_id = context.made()
    context.key = "another"
    answer = context.poll(generation_id)
    (row,) = context.account._db.execute("SELECT key FROM requests").fetchone()
    assert (answer.status_code, row) == (404, hashlib.sha256(b"made-up").hexdigest()[:16])


@pytest.mark.parametrize(
    ("method", "path", "content", "kind", "status"),
    [
        ("GET", "/v2/nothing", None, None, 404),
        ("GET", "/v2/logs/", None, None, 404),
        ("DELETE", GENERATIONS, None, None, 405),
        ("POST", "/v2/billing", b"{}", "application/json", 405),
        ("POST", GENERATIONS, b"{", "application/json", 400),
        ("POST", GENERATIONS, b"\xff\xfe", "application/json", 400),
        ("POST", GENERATIONS, b"[" * 100_000, "application/json", 400),
        ("POST", GENERATIONS, b"[]", "application/json", 400),
        ("POST", GENERATIONS, b'{"model": 1}', "application/json", 400),
        ("POST", GENERATIONS, b'{"prompt": "x"}', "application/json", 400),
        ("POST", GENERATIONS, json.dumps(BODY).encode(), "text/plain", 415),
        ("POST", GENERATIONS, json.dumps(BODY).encode(), None, 415),
        ("POST", GENERATIONS, b" " * (1024 * 1024 + 1), "application/json", 413),
        ("POST", GENERATIONS, b'{"model": "alibaba/wan-9"}', "application/json", 404),
        ("POST", GENERATIONS, b'{"model": "alibaba/wan2.2-i2v-plus"}', "application/json", 404),
        ("GET", GENERATIONS, None, None, 400),
    ],
)
def test_refusals_come_in_the_providers_envelope(
    context: LocalSandbox, method: str, path: str, content: bytes | None, kind: str | None, status: int
) -> None:
    headers = {**AUTH, **({"Content-Type": kind} if kind is not None else {})}
    answer = context.request(method, path, content=content, headers=headers)
    said = answer.json()
    assert (answer.status_code, shapes.problems(shapes.ENVELOPE, said), said["statusCode"], said["path"]) == (
        status,
        [],
        status,
        path,
    )


MODERN = ("alibaba/wan-2-6-t2v", "alibaba/wan-2-7-t2v")
SERVED = (
    *MODERN,
    "alibaba/wan2.5-t2v-preview",
    "alibaba/wan2.2-t2v-plus",
    "alibaba/wan2.1-t2v-plus",
    "alibaba/wan2.1-t2v-turbo",
)
# One row per model, field, value and whether the published parameters allow it.
CASES = [
    *((model, "prompt", value, fits) for model in SERVED for value, fits in (("", 0), ("  ", 0), (7, 0), (None, 0))),
    *((model, "aspect_ratio", "9:16", 1) for model in SERVED),
    *((model, "aspect_ratio", "16:10", 0) for model in SERVED),
    *((model, "aspect_ratio", "4:3", 1) for model in SERVED if "2.5" not in model),
    ("alibaba/wan2.5-t2v-preview", "aspect_ratio", "4:3", 0),
    *((model, "seed", value, fits) for model in SERVED for value, fits in ((0, 1), (2**31 - 1, 1), (2**31, 0))),
    *((model, "seed", value, 0) for model in SERVED for value in (-1, True, "7", 7.5, None)),
    *((model, "enhance_prompt", value, fits) for model in SERVED for value, fits in ((False, 1), (1, 0), ("yes", 0))),
    *((model, "negative_prompt", value, fits) for model in SERVED for value, fits in (("", 1), ("blur", 1), ([], 0))),
    *((model, "n", 1, 0) for model in SERVED),
    *((model, "image_url", "https://example.com/a.png", 0) for model in SERVED),
    *((model, "duration", value, 1) for model in MODERN for value in (5, 10, 15)),
    *((model, "duration", value, 0) for model in MODERN for value in (7, "10", 5.0, True)),
    ("alibaba/wan2.5-t2v-preview", "duration", 10, 1),
    ("alibaba/wan2.5-t2v-preview", "duration", 15, 0),
    *((model, "duration", 5, 0) for model in SERVED[3:]),
    *((model, "watermark", False, 1) for model in SERVED[3:]),
    *((model, "watermark", False, 0) for model in SERVED[:3]),
    *((model, name, value, 1) for model in MODERN for name, value in (("shot_type", "multi"), ("generate_audio", False))),
    *((model, name, value, 0) for model in SERVED[2:] for name, value in (("shot_type", "multi"), ("generate_audio", True))),
    *((model, "shot_type", "double", 0) for model in MODERN),
    *((model, "audio_url", value, fits) for model in MODERN for value, fits in (("https://a.test/b.mp3", 1), ("b.mp3", 0))),
    *(("alibaba/wan-2-6-t2v", "prompt", "x" * length, fits) for length, fits in ((1500, 1), (1501, 0))),
    ("alibaba/wan-2-7-t2v", "prompt", "x" * 1501, 1),  # no cap is published
    *((model, "resolution", value, fits) for model in MODERN for value, fits in (("720p", 1), ("720P", 0), ("480p", 0))),
    *(("alibaba/wan2.5-t2v-preview", "resolution", value, fits) for value, fits in (("480p", 1), ("480P", 0))),
    *(("alibaba/wan2.2-t2v-plus", "resolution", value, fits) for value, fits in (("480P", 1), ("1080P", 1), ("720P", 0))),
    *(("alibaba/wan2.1-t2v-plus", "resolution", value, fits) for value, fits in (("720P", 1), ("480P", 0))),
    *(("alibaba/wan2.1-t2v-turbo", "resolution", value, fits) for value, fits in (("480P", 1), ("1080P", 0))),
    ("alibaba/wan-2-6-t2v", "prompt", "half a character: \ud83d", 0),
]  # fmt: skip


@pytest.mark.sampled(4)
@pytest.mark.parametrize(("model", "name", "value", "fits"), CASES)
def test_a_body_is_held_to_the_models_published_parameters(
    context: LocalSandbox, model: str, name: str, value: object, fits: int
) -> None:
    content = json.dumps({"model": model, "prompt": "a lighthouse", name: value})
    answer = context.request("POST", GENERATIONS, content=content, headers={**AUTH, "Content-Type": "application/json"})
    said = answer.json().get("message", "Body validation error: " + name)
    assert (answer.status_code, said.startswith("Body validation error"), name in said) == (
        200 if fits else 400,
        True,
        True,
    )


def test_a_prompt_is_required_and_all_problems_are_told(context: LocalSandbox) -> None:
    answer = context.submit({"model": "alibaba/wan-2-6-t2v", "duration": "5", "extra": 1})
    assert answer.json()["message"] == (
        "Body validation error: prompt: Required; duration: Expected integer, received string;"
        " Unrecognized key in object: 'extra'"
    )


def test_the_submit_rate_is_held_over_a_minute(sandbox_of: Callable[..., LocalSandbox]) -> None:
    context = sandbox_of(SandboxOptions(rate_per_min=2))
    first = [context.submit().status_code for _ in range(3)]
    turned_away = context.submit()
    context.wait(61)
    assert (first, turned_away.status_code, "retry-after" in turned_away.headers, context.submit().status_code) == (
        [200, 200, 429],
        429,
        False,
        200,
    )


def test_the_number_at_once_is_held(sandbox_of: Callable[..., LocalSandbox]) -> None:
    context = sandbox_of(SandboxOptions(concurrency=2))
    before = [context.submit().status_code for _ in range(3)]
    context.wait(3600)
    assert (before, context.submit().status_code) == ([200, 200, 429], 200)


def test_credits_run_out_at_the_submit_that_cannot_be_held(sandbox_of: Callable[..., LocalSandbox]) -> None:
    context = sandbox_of(SandboxOptions(balance_usd=Decimal("1.05")))  # two clips of 1,050,000 credits
    answers = [context.submit() for _ in range(3)]
    said = answers[-1].json()["message"]
    assert ([answer.status_code for answer in answers], said.startswith("You've run out of credits.")) == (
        [200, 200, 403],
        True,
    )


def times(context: LocalSandbox) -> list[tuple[str, float, float]]:
    for prompt in ("one", "two", "one"):
        context.submit({**BODY, "prompt": prompt})
    rows = context.account._db.execute("SELECT inference_id, starts_at, ends_at FROM requests ORDER BY seq")
    return list(rows.fetchall())


def test_the_same_seed_gives_the_same_ids_and_times(sandbox_of: Callable[..., LocalSandbox]) -> None:
    first, again, other = (times(sandbox_of(SandboxOptions(seed=seed))) for seed in (1, 1, 2))
    assert (first == again, first == other, len({row[0] for row in first + other})) == (True, False, 6)


def test_ids_look_like_the_providers_odd_ones_too(context: LocalSandbox) -> None:
    found = [
        context.account.accept(_arrival(), {**SMALL, "prompt": str(number)}).generation_id for number in range(300)
    ]
    assert (
        {len(each) for each in found},
        any(each.startswith("-") for each in found),
        any(":" in each for each in found),
        any("/" in each for each in found),
    ) == ({21}, True, True, True)


def _arrival() -> object:
    from wanbatch.sandbox.account import Arrival

    return Arrival(EPOCH.timestamp(), "k", None)


def test_durations_scatter_around_the_mean_that_was_asked_for(context: LocalSandbox) -> None:
    body = {**BODY, "resolution": "1080p", "duration": 10}
    made = [context.account.accept(_arrival(), {**body, "prompt": str(number)}) for number in range(400)]
    lengths_s = [each.ends_at - each.starts_at for each in made]
    queues_s = [each.starts_at - EPOCH.timestamp() for each in made]
    assert (195 < sum(lengths_s) / 400 < 215, min(lengths_s) > 60, max(queues_s) <= 8) == (True, True, True)


def test_prices_are_listed_without_a_key_and_by_id_or_alias(context: LocalSandbox) -> None:
    listed = [
        context.request("GET", f"/v1/models?id={name}&include=pricing").json()["data"]
        for name in ("alibaba/wan-2-6-t2v", "wan-2-6-t2v")
    ]
    row = {"when": {"resolution": "1080p"}, "price": 0.1575, "unit": "second", "per": 1}
    assert ([each["id"] for each in listed[0]], listed[0] == listed[1], listed[0][0]["pricing"]["variants"][1]) == (
        ["alibaba/wan-2-6-t2v"],
        True,
        row,
    )


def test_an_unchanged_model_list_is_not_sent_again(context: LocalSandbox) -> None:
    etag = context.get("/v1/models").headers["etag"]
    again = context.request("GET", "/v1/models", headers={"If-None-Match": etag})
    other = context.request("GET", "/v1/models?include=pricing", headers={"If-None-Match": etag})
    assert (again.status_code, again.content, other.status_code) == (304, b"", 200)


def test_models_that_end_are_listed_without_a_key_by_status_and_day(context: LocalSandbox) -> None:
    def listed(query: str) -> list[str]:
        rows = context.request("GET", f"/v1/models/deprecations{query}").json()["data"]
        return [f"{row['id']} {row['status']}" for row in rows]

    every = listed("")
    assert every == [
        "alibaba/wan2.1-t2v-turbo deprecated",
        "alibaba/wan2.1-t2v-plus superseded",
        "alibaba/wan2.2-i2v-plus withdrawn",
    ]
    assert [listed(f"?{each}") for each in ("status=withdrawn", "status=a,deprecated", "status=a", "since=2026-10-01", "since=x")] == [
        every[2:], every[:1], every, every[:2], every,
    ]  # fmt: skip


def test_an_unchanged_list_of_endings_is_not_sent_again_although_time_passes(context: LocalSandbox) -> None:
    first = context.get("/v1/models/deprecations")
    context.wait(3600)
    headers = {"If-None-Match": first.headers["etag"]}
    again = context.request("GET", "/v1/models/deprecations", headers=headers)
    assert (again.status_code, again.content) == (304, b"")


def test_a_key_is_told_of_by_its_first_letters_with_what_it_spent(sandbox_of: Callable[..., LocalSandbox]) -> None:
    options = SandboxOptions(key_scopes=("model:chat",), key_limit_usd=Decimal(25), key_disabled=True)
    context = sandbox_of(options)
    context.key = "made-up-key"
    before = context.get("/v1/key").json()["data"]
    context.made()
    context.wait(1000)
    told = context.get("/v1/key").json()["data"]
    assert (told["prefix"], told["scopes"], told["limit"], told["disabled"], before["monthly_usage"], told["monthly_usage"]) == (
        "made-up-", ["model:chat"], {"retention": "month", "threshold": 25.0}, True, 0, 0.525,
    )  # fmt: skip
    assert shapes.problems(shapes.KEY, {"data": told}) == []


def test_the_account_says_whether_it_is_topped_up_on_its_own(sandbox_of: Callable[..., LocalSandbox]) -> None:
    told = [
        sandbox_of(SandboxOptions(auto_top_up=on)).get("/v2/billing/detail").json()["autotopup_settings"]["is_enabled"]
        for on in (True, False)
    ]
    assert told == [True, False]


def test_metrics_tell_of_models_that_completed_just_now_only(context: LocalSandbox) -> None:
    context.submit()
    before = context.get("/models/metrics").json()["models"]
    context.wait(300)
    asked = [
        context.get("/models/metrics", aliases=[BODY["model"], "x"]).json()["models"],
        context.get("/models/metrics", aliases=f"{BODY['model']},x").json()["models"],
    ]
    wrong = context.get("/models/metrics", alias=BODY["model"]).status_code
    context.wait(600)
    assert (before, [len(rows) for rows in asked], wrong, context.get("/models/metrics").json()["models"]) == (
        [],
        [1, 0],
        400,
        [],
    )
