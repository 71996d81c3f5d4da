"""The sandbox's money and records: holds, charges, the ledger, the request log."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.sandbox import shapes
from tests.sandbox.local import BODY, EPOCH, SMALL, LocalSandbox
from wanbatch.sandbox import SandboxOptions
from wanbatch.sandbox.faults import Rule

HOLD = 1_050_000  # of BODY: 720p, 5 s
FAILS = (Rule("submit", "fail", nth=(1,), message="no"),)


def balance(context: LocalSandbox) -> Decimal:
    return Decimal(str(context.get("/v2/billing").json()["current_balance"]))


def ledger(context: LocalSandbox, **params: Any) -> list[dict[str, Any]]:
    return list(context.get("/v2/billing/transactions", **params).json()["data"])


def log(context: LocalSandbox, **params: Any) -> list[dict[str, Any]]:
    return list(context.get("/v2/logs", **{"period": "7d", **params}).json()["data"])


def test_a_hold_becomes_a_charge_and_the_balance_stays(context: LocalSandbox) -> None:
    before = balance(context)
    generation_id = context.made()
    held = balance(context)
    context.wait(1000)
    (charge, topup) = ledger(context)
    assert (before, held, balance(context), charge["amount"], charge["reference_id"], topup["direction"]) == (
        Decimal(1000),
        Decimal("999.475"),
        Decimal("999.475"),
        {"usd": 0.525, "credits": HOLD},
        generation_id,
        "TOPUP",
    )


def test_a_failed_generation_is_rolled_back_when_it_ends(sandbox_of: Callable[..., LocalSandbox]) -> None:
    context = sandbox_of(rules=FAILS)
    generation_id = context.made(request_id="r-1")
    held = balance(context)
    context.wait(1000)
    (row,) = log(context)
    told = context.poll(generation_id).json()
    assert (
        held,
        balance(context),
        told["status"],
        told["error"]["message"],
        row["status"],
        row["cost"]["credits"],
    ) == (
        Decimal("999.475"),
        Decimal(1000),
        "error",
        "no",
        "failed",
        0,
    )


def test_log_and_ledger_come_the_lag_after_the_end_of_a_generation(sandbox_of: Callable[..., LocalSandbox]) -> None:
    context = sandbox_of(SandboxOptions(log_lag_s=60))
    generation_id = context.made(request_id="r-1")
    ended = context.account.generation(generation_id, None).ends_at - EPOCH.timestamp()
    seen = []
    for at in (ended - 1, ended + 1, ended + 59, ended + 61):
        context.clock.passed_s = at
        seen.append(
            (context.poll(generation_id).json()["status"], len(log(context)), len(ledger(context, type="MODEL_USAGE")))
        )
    assert seen == [("generating", 0, 0), ("completed", 0, 0), ("completed", 0, 0), ("completed", 1, 1)]


def test_a_log_row_ties_request_and_generation(context: LocalSandbox) -> None:
    answer = context.submit(request_id="wb.1:2_3-4")
    context.wait(1000)
    (row,) = log(context)
    assert row == {
        "created": "2026-11-01T20:00:00.000Z",
        "status": "succeeded",
        "origin": "api",
        "model": "alibaba/wan-2-6-t2v",
        "cost": {"usd": 0.525, "credits": HOLD},
        "tokens": {"input": 0, "output": 0, "total": 0},
        "request_id": "req-1",
        "inference_id": answer.headers["x-inference-id"],
        "client_request_id": "wb.1:2_3-4",
    }


def filled(context: LocalSandbox, count: int) -> list[str]:
    """Make so many generations a second apart, and let them all end; returns the ids, newest first."""
    made = []
    for number in range(count):
        made.append(context.made({**SMALL, "prompt": str(number)}, request_id=f"r-{number}"))
        context.wait(1)
    context.wait(1000)
    return made[::-1]


def test_the_log_is_paged_newest_first(context: LocalSandbox) -> None:
    made = filled(context, 5)
    pages = [context.get("/v2/logs", period="1h", limit=2, offset=offset).json() for offset in (0, 2, 4, 6)]
    found = [[row["inference_id"] for row in page["data"]] for page in pages]
    assert (found, [page["pagination"] for page in pages]) == (
        [made[:2], made[2:4], made[4:], []],
        [
            {"limit": 2, "offset": 0, "total": 5, "has_more": True},
            {"limit": 2, "offset": 2, "total": 5, "has_more": True},
            {"limit": 2, "offset": 4, "total": 5, "has_more": False},
            {"limit": 2, "offset": 6, "total": 5, "has_more": False},
        ],
    )


def test_the_log_is_filtered_and_belongs_to_a_key(sandbox_of: Callable[..., LocalSandbox]) -> None:
    context = sandbox_of(rules=FAILS)
    context.submit(request_id="failed")
    context.submit(SMALL, request_id="small")
    context.key = "another"
    context.submit(request_id="strange")
    context.key = "made-up"
    context.wait(1000)

    def ids(**params: Any) -> set[str]:
        return {row["client_request_id"] for row in log(context, **params)}

    assert [
        ids(),
        ids(status="failed"),
        ids(status=["failed", "succeeded"]),
        ids(model="alibaba/wan-2-6-t2v"),
        ids(model=["wan-2-6-t2v", "wan2.1-t2v-turbo"]),
        ids(model="wan-2-6-t2v,wan2.1-t2v-turbo"),
        ids(key_prefix="made"),
    ] == [
        {"failed", "small"},
        {"failed"},
        {"failed", "small"},
        {"failed"},
        {"failed", "small"},
        set(),
        {"failed", "small"},
    ]


def test_the_logs_window_bounds_when_requests_were_made(context: LocalSandbox) -> None:
    filled(context, 3)

    def ids(start: float, end: float) -> list[str]:
        window = {"start": (EPOCH + timedelta(seconds=start)), "end": EPOCH + timedelta(seconds=end)}
        params = {name: at.isoformat() for name, at in window.items()}
        return [row["client_request_id"] for row in context.get("/v2/logs", **params).json()["data"]]

    assert (ids(-10, 0.5), ids(0.5, 1.5), ids(3, 10)) == (["r-0"], ["r-1"], [])


@pytest.mark.parametrize(
    ("params", "status"),
    [
        ({"period": "24h"}, 200),
        ({"period": "92d"}, 200),
        ({"start": "2026-10-01T00:00:00", "end": "2026-10-02T00:00:00+02:00"}, 200),
        ({}, 400),
        ({"period": "93d"}, 400),
        ({"period": "0h"}, 400),
        ({"period": "24"}, 400),
        ({"period": "1w"}, 400),
        ({"period": "24h", "start": "2026-10-01T00:00:00Z", "end": "2026-10-02T00:00:00Z"}, 400),
        ({"start": "2026-10-01T00:00:00Z"}, 400),
        ({"start": "2026-10-02T00:00:00Z", "end": "2026-10-01T00:00:00Z"}, 400),
        ({"start": "2026-01-01T00:00:00Z", "end": "2026-10-01T00:00:00Z"}, 400),
        ({"start": "yesterday", "end": "2026-10-01T00:00:00Z"}, 400),
        ({"period": "24h", "limit": 0}, 400),
        ({"period": "24h", "limit": 101}, 400),
        ({"period": "24h", "limit": 100}, 200),
        ({"period": "24h", "offset": -1}, 400),
        ({"period": "24h", "status": "succeeded,failed"}, 400),
        ({"period": "24h", "model": [str(number) for number in range(51)]}, 400),
        ({"period": "24h", "key_prefix": "abcd1234"}, 403),
    ],
)
def test_the_logs_parameters_are_held_to_their_rules(
    context: LocalSandbox, params: dict[str, Any], status: int
) -> None:
    answer = context.get("/v2/logs", **params)
    shape = shapes.LOGS if status == 200 else shapes.ENVELOPE
    assert (answer.status_code, shapes.problems(shape, answer.json())) == (status, [])


def test_the_log_is_read_200_times_a_minute_and_no_more(context: LocalSandbox) -> None:
    statuses = [context.get("/v2/logs", period="1h").status_code for _ in range(201)]
    context.wait(61)
    assert (statuses, context.get("/v2/logs", period="1h").status_code) == ([200] * 200 + [429], 200)


def test_the_ledger_is_paged_by_cursor_while_it_grows(context: LocalSandbox) -> None:
    made = filled(context, 5)
    by_end = sorted(made, key=lambda each: context.account.generation(each, None).ends_at, reverse=True)
    first = context.get("/v2/billing/transactions", limit=2).json()
    context.made()
    context.wait(1000)  # a newer entry must not shift the pages
    found, page = [entry["reference_id"] for entry in first["data"]], first["pagination"]
    while page["has_more"]:
        answer = context.get("/v2/billing/transactions", limit=2, cursor=page["next_cursor"]).json()
        found += [entry["reference_id"] for entry in answer["data"]]
        page = answer["pagination"]
    assert (found, page) == ([*by_end, "sandbox-top-up"], {"next_cursor": None, "has_more": False})


@pytest.mark.parametrize(
    ("params", "kinds"),
    [
        ({}, ["MODEL_USAGE", "PAYMENT"]),
        ({"direction": "CHARGE"}, ["MODEL_USAGE"]),
        ({"direction": "TOPUP"}, ["PAYMENT"]),
        ({"type": "MODEL_USAGE"}, ["MODEL_USAGE"]),
        ({"type": "BONUS"}, []),
        ({"direction": "TOPUP", "type": "MODEL_USAGE"}, []),
        ({"from": "2026-11-01T20:00:01Z"}, ["MODEL_USAGE"]),
        ({"to": "2026-11-01T20:00:01Z"}, ["PAYMENT"]),
        ({"to": "2026-11-01T20:00:00Z"}, []),
        ({"from": "2027-01-01T00:00:00Z"}, []),
    ],
)
def test_the_ledger_is_filtered(context: LocalSandbox, params: dict[str, Any], kinds: list[str]) -> None:
    context.made()
    context.wait(1000)
    assert [entry["type"] for entry in ledger(context, **params)] == kinds


@pytest.mark.parametrize(
    "params",
    [
        {"limit": 0},
        {"limit": 101},
        {"limit": "x"},
        {"direction": "charge"},
        {"type": "USAGE"},
        {"from": "soon"},
        {"from": "2026-11-02T00:00:00Z", "to": "2026-11-01T00:00:00Z"},
        {"cursor": ""},
        {"cursor": "!"},
        {"cursor": "eyJ2IjoxLCJjIjoiMjAyNi0wOC0xN1QxMDowMDowMC4wMDBaIn0"},
        {"cursor": "eyJ2IjogMSwgInQiOiAxLjAsICJzIjogMX0"},
        {"cursor": "eyJ2IjoxLCJ0IjoxLjAsInMiOjF9="},
    ],
)
def test_the_ledgers_parameters_are_held_to_their_rules(context: LocalSandbox, params: dict[str, Any]) -> None:
    answer = context.get("/v2/billing/transactions", **params)
    assert (answer.status_code, shapes.problems(shapes.ENVELOPE, answer.json())) == (400, [])


def test_the_truth_tells_every_submit_that_arrived(sandbox_of: Callable[..., LocalSandbox]) -> None:
    rules = (Rule("submit", "status", nth=(2,), code=502), Rule("submit", "drop_after", nth=(4,)))
    context = sandbox_of(rules=rules)
    context.submit(request_id="taken")
    context.submit(request_id="intercepted")
    context.submit({**BODY, "duration": 7}, request_id="refused")
    context.key = ""
    context.submit(request_id="keyless")
    context.wait(1000)
    rows = context.request("GET", "/sandbox/ledger").json()["requests"]
    names = ("client_request_id", "fault", "http_status", "status", "credits", "charged")
    assert [tuple(row[name] for name in names) for row in rows] == [
        ("taken", "", 200, "completed", HOLD, HOLD),
        ("intercepted", "status", 502, "refused", 0, 0),
        ("refused", "", 400, "refused", 0, 0),
        ("keyless", "", 401, "refused", 0, 0),
    ]


def test_stats_count_requests_and_running_generations(context: LocalSandbox) -> None:
    context.submit()
    context.poll("nobody")
    told = context.request("GET", "/sandbox/stats").json()
    assert (told["counts"], told["running"]) == ({"submit": 1, "poll": 1, "errors": 1, "leaks": 0}, 1)


def test_an_account_on_disk_goes_on_after_its_sandbox_is_gone(
    tmp_path: Any, sandbox_of: Callable[..., LocalSandbox]
) -> None:
    options = SandboxOptions(data=tmp_path / "account")
    first = sandbox_of(options)
    generation_id = first.made(request_id="r-1")
    link_key = first.account.signing_key
    first.account.close()
    second = sandbox_of(SandboxOptions(data=tmp_path / "account", seed=9, balance_usd=Decimal(5)), clock=first.clock)
    second.wait(1000)
    told = second.poll(generation_id).json()["status"], balance(second), len(ledger(second)), len(log(second))
    assert (told, second.account.signing_key == link_key) == (("completed", Decimal("999.475"), 2, 1), True)
