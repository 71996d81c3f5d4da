"""Fault plans: every deed does what it says, named plans exist, files are checked."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.pictures import I2V, bytes_of, rocks
from tests.sandbox.local import BODY, GENERATIONS, LocalSandbox
from wanbatch.cli.parameters import FAULT_PLANS
from wanbatch.clip.check import check_clip
from wanbatch.clip.defects import shortfalls
from wanbatch.clip.ends import measure_ends
from wanbatch.clip.measuring import look_at
from wanbatch.errors import UsageInvalid
from wanbatch.sandbox import ConnectionDropped, SandboxOptions
from wanbatch.sandbox.account import Generation
from wanbatch.sandbox.drift import render_drifting
from wanbatch.sandbox.faults import DEEDS, PLANS, ROUTES, FaultPlan, Rule, read_faults
from wanbatch.sandbox.models import Made

CLIP = b"a clip of some bytes"


def fixed(_: Generation) -> bytes:
    return CLIP


def one(sandbox_of: Callable[..., LocalSandbox], rule: Rule) -> LocalSandbox:
    return sandbox_of(rules=(rule,), render=fixed)


@pytest.mark.parametrize("do", ["drop_before", "drop_after"])
def test_a_dropped_submit_is_billed_only_when_it_was_worked_on(
    sandbox_of: Callable[..., LocalSandbox], do: str
) -> None:
    context = one(sandbox_of, Rule("submit", do))
    with pytest.raises(ConnectionDropped):
        context.submit(request_id="r-1")
    context.wait(1000)
    rows = context.get("/v2/logs", period="1h").json()["data"]
    made = [row["client_request_id"] for row in rows]
    assert (made, len(context.account.everything(1e12))) == (([], 0) if do == "drop_before" else (["r-1"], 1))


@pytest.mark.parametrize(("do", "billed"), [("status", 0), ("status_after", 1)])
@pytest.mark.parametrize("has_envelope", [True, False])
def test_a_status_comes_before_or_after_the_work(
    sandbox_of: Callable[..., LocalSandbox], do: str, billed: int, has_envelope: bool
) -> None:
    context = one(sandbox_of, Rule("submit", do, code=502, has_envelope=has_envelope))
    answer = context.submit()
    context.wait(1000)
    charges = context.get("/v2/billing/transactions", direction="CHARGE").json()["data"]
    assert (answer.status_code, answer.text.startswith("{"), len(charges)) == (502, has_envelope, billed)


def test_a_retry_after_is_sent_as_given(sandbox_of: Callable[..., LocalSandbox]) -> None:
    context = one(sandbox_of, Rule("poll", "status", code=429, retry_after="7"))
    answer = context.poll("x")
    assert (answer.status_code, answer.headers["retry-after"]) == (429, "7")


@pytest.mark.parametrize(
    ("do", "expected"),
    [
        ("no_body_id", {"body_id": False, "header_id": True, "credits": True, "echo": True}),
        ("no_header_id", {"body_id": True, "header_id": False, "credits": True, "echo": True}),
        ("no_credits", {"body_id": True, "header_id": True, "credits": False, "echo": True}),
        ("no_echo", {"body_id": True, "header_id": True, "credits": True, "echo": False}),
        ("delay", {"body_id": True, "header_id": True, "credits": True, "echo": True}),
    ],
)
def test_parts_of_a_submits_answer_go_missing(
    sandbox_of: Callable[..., LocalSandbox], do: str, expected: dict[str, bool]
) -> None:
    answer = one(sandbox_of, Rule("submit", do)).submit(request_id="r-1")
    told = {
        "body_id": "id" in answer.json(),
        "header_id": "x-inference-id" in answer.headers,
        "credits": "meta" in answer.json() or "x-aimlapi-credits-used" in answer.headers,
        "echo": "x-client-request-id" in answer.headers,
    }
    assert told == expected


@pytest.mark.parametrize("route", ["submit", "poll"])
def test_a_wrong_id_is_told(sandbox_of: Callable[..., LocalSandbox], route: str) -> None:
    context = one(sandbox_of, Rule(route, "wrong_id"))
    answer = context.submit()
    if route == "poll":
        answer = context.poll(answer.json()["id"])
    assert answer.json()["id"] == answer.headers["x-inference-id"][::-1]


def test_twice_the_price_is_told_and_the_price_is_held(sandbox_of: Callable[..., LocalSandbox]) -> None:
    context = one(sandbox_of, Rule("submit", "dearer"))
    told = context.submit().json()["meta"]["usage"]["credits_used"]
    assert (told, context.account.everything(0)[0]["credits"]) == (2_100_000, 1_050_000)


def test_a_price_of_0_is_told_and_the_price_is_held(sandbox_of: Callable[..., LocalSandbox]) -> None:
    context = one(sandbox_of, Rule("submit", "free"))
    told = context.submit().json()["meta"]["usage"]["credits_used"]
    assert (told, context.account.everything(0)[0]["credits"]) == (0, 1_050_000)


@pytest.mark.parametrize(("do", "charged"), [("fail", 0), ("fail_charged", 1_050_000)])
def test_a_failure_is_charged_only_where_the_plan_says_so(
    sandbox_of: Callable[..., LocalSandbox], do: str, charged: int
) -> None:
    context = one(sandbox_of, Rule("submit", do))
    generation_id = context.made()
    context.wait(1e5)
    rows = context.get("/v2/billing/transactions", type="MODEL_USAGE").json()["data"]
    spent = sum(row["amount"]["credits"] for row in rows if row["reference_id"] == generation_id)
    told = context.account.everything(context.clock.now().timestamp())[0]["charged"]
    assert (context.poll(generation_id).json()["status"], spent, told) == ("error", charged, charged)


PATHS = {
    "poll": (GENERATIONS, {"generation_id": "x"}),
    "logs": ("/v2/logs", {"period": "1h"}),
    "ledger": ("/v2/billing/transactions", {}),
    "balance": ("/v2/billing", {}),
}


def read(context: LocalSandbox, route: str) -> Any:
    path, params = PATHS[route]
    if route == "poll":
        params = {"generation_id": context.made()}
    return context.get(path, **params)


@pytest.mark.parametrize("route", PATHS)
@pytest.mark.parametrize(
    ("do", "is_spoilt"),
    [
        ("html", lambda answer: answer.text.startswith("<html>")),
        ("bad_json", lambda answer: not _is_json(answer.text)),
        ("empty", lambda answer: answer.content == b""),
        ("truncate", lambda answer: int(answer.headers["content-length"]) > len(answer.content) > 0),
    ],
)
def test_a_read_is_spoilt_with_status_200(
    sandbox_of: Callable[..., LocalSandbox], route: str, do: str, is_spoilt: Callable[[Any], bool]
) -> None:
    answer = read(one(sandbox_of, Rule(route, do)), route)
    assert (answer.status_code, is_spoilt(answer)) == (200, True)


def _is_json(text: str) -> bool:
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def test_a_generation_can_stall(sandbox_of: Callable[..., LocalSandbox]) -> None:
    context = one(sandbox_of, Rule("submit", "stall"))
    generation_id = context.made()
    context.wait(1e7)
    assert context.poll(generation_id).json()["status"] == "generating"


@pytest.mark.parametrize(("do", "told"), [("no_link", None), ("dead_link", 403)])
def test_a_completed_poll_lies_about_the_link(
    sandbox_of: Callable[..., LocalSandbox], do: str, told: int | None
) -> None:
    context = one(sandbox_of, Rule("poll", do))
    generation_id = context.made()
    context.wait(1000)
    answer = context.poll(generation_id).json()
    url = answer.get("video", {}).get("url")
    assert (answer["status"], url and context.request("GET", url).status_code) == ("completed", told)


@pytest.mark.parametrize(("do", "count"), [("listed", 1), ("two_clips", 2)])
def test_a_video_may_be_a_list_of_clips_each_with_a_link_of_its_own(
    sandbox_of: Callable[..., LocalSandbox], do: str, count: int
) -> None:
    context = one(sandbox_of, Rule("poll", do))
    generation_id = context.made()
    context.wait(1000)
    links = [each["url"] for each in context.poll(generation_id).json()["video"]]
    found = [context.request("GET", link) for link in links]
    assert ([each.status_code for each in found], len({each.content for each in found})) == ([200] * count, count)
    assert context.request("GET", links[-1].replace("&nth=2", "&nth=3")).status_code == (200 if count == 1 else 403)


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/deprecations", "/v1/key", "/v2/billing/detail"])
def test_faults_befall_what_is_asked_before_a_run(sandbox_of: Callable[..., LocalSandbox], path: str) -> None:
    names = {"/v1/models": "models", "/v1/models/deprecations": "endings", "/v1/key": "key"}
    context = one(sandbox_of, Rule(names.get(path, "detail"), "status", nth=(1,), code=503))
    assert [context.get(path).status_code for _ in range(2)] == [503, 200]


@pytest.mark.parametrize(
    ("do", "status", "content"),
    [
        ("garbage", 200, None),
        ("zero", 200, b""),
        ("short", 200, CLIP[: len(CLIP) // 2]),
        ("truncate", 200, CLIP[: len(CLIP) // 2]),
        ("slow", 200, CLIP),
        ("delay", 200, CLIP),
        ("expired", 403, None),
        ("status", 500, None),
    ],
)
def test_a_clip_is_spoilt(sandbox_of: Callable[..., LocalSandbox], do: str, status: int, content: bytes | None) -> None:
    context = one(sandbox_of, Rule("clip", do, delay_s=60))
    generation_id = context.made()
    context.wait(1000)
    link, began_s = context.link(generation_id), context.clock.passed_s
    answer = context.request("GET", link)
    took_s = context.clock.passed_s - began_s
    assert (answer.status_code, answer.content == content if content is not None else True, round(took_s)) == (
        status,
        True,
        60 if do in ("slow", "delay") else 0,
    )


@pytest.mark.long
@pytest.mark.sampled(3)
@pytest.mark.parametrize(
    ("do", "told"),
    [
        ("black", "the picture is black"),
        ("frozen", "the picture is frozen"),
        ("silent", "not as ordered: the sound is silent (peak -inf dBFS)"),
    ],
)
def test_a_whole_clip_is_not_what_anybody_orders(
    tmp_path: Path, sandbox_of: Callable[..., LocalSandbox], do: str, told: str
) -> None:
    context = sandbox_of(rules=(Rule("clip", do, prompt_contains="dragon"),))
    path, warnings = tmp_path / "clip.mp4", []
    for prompt in ("a dragon", "a valley"):
        generation_id = context.made({**BODY, "prompt": prompt})
        context.wait(1000)
        path.write_bytes(context.request("GET", context.link(generation_id)).content)
        assert (check_clip(path).width, check_clip(path).has_audio) == (1280, True)
        warnings.append(shortfalls(look_at(path), sound=True))
    assert warnings == [[told], []]


def test_a_clip_drifts_from_the_picture_that_it_was_given_and_never_without_one(
    tmp_path: Path, sandbox_of: Callable[..., LocalSandbox]
) -> None:
    picture = bytes_of(rocks(), "PNG")
    url = f"data:image/png;base64,{base64.b64encode(picture).decode()}"
    bodies = [BODY, {**BODY, "model": I2V, "image_url": url}]
    clips = {}
    for name, rules, ordered in (("clean", (), bodies[:1]), ("drifting", (Rule("clip", "drift"),), bodies)):
        context = sandbox_of(rules=rules)
        made = [context.made(body) for body in ordered]
        context.wait(1000)
        clips[name] = [context.request("GET", context.link(each)).content for each in made]
    given, path = tmp_path / "given.png", tmp_path / "clip.mp4"
    given.write_bytes(picture)
    path.write_bytes(clips["drifting"][1])
    ends = measure_ends(path, given)
    assert ends.given is not None
    assert shortfalls(look_at(path), sound=True) == []
    assert ends.given.sharpness > ends.first.sharpness > ends.last.sharpness
    assert ends.given.contrast > ends.first.contrast > ends.last.contrast
    assert ends.given.cr < ends.first.cr < ends.last.cr
    path.write_bytes(clips["drifting"][0])
    drifting = measure_ends(path)
    path.write_bytes(clips["clean"][0])
    assert abs(measure_ends(path).last.sharpness / drifting.last.sharpness - 1) < 0.05


@pytest.mark.parametrize("do", ["drift", "black", "frozen"])
def test_two_generations_of_one_request_are_two_clips(do: str, sandbox_of: Callable[..., LocalSandbox]) -> None:
    url = f"data:image/png;base64,{base64.b64encode(bytes_of(rocks(), 'PNG')).decode()}"
    context = sandbox_of(rules=(Rule("clip", do),))
    made = [context.made({**BODY, "model": I2V, "image_url": url, "seed": 7}) for _ in range(2)]
    context.wait(1000)
    one, other = (context.request("GET", context.link(each)).content for each in made)
    assert (len(one) > 10_000, one != other) == (True, True)


def test_silent_clips_that_drift_differ_too(tmp_path: Path) -> None:
    made = Made("480p", "16:9", 832, 480, 1, has_audio=False, credits=1)
    for name in ("one", "other"):
        render_drifting(name, rocks(), made, tmp_path / name)
    assert (tmp_path / "one").read_bytes() != (tmp_path / "other").read_bytes()


def test_every_deed_is_tried_by_some_test() -> None:
    here = Path(__file__)
    files = (here, here.parents[1] / "runner" / "test_drift.py")
    text = "".join(each.read_text(encoding="utf-8") for each in files)
    assert [do for do in [*DEEDS, "fail"] if f'"{do}"' not in text] == []


def test_rules_fit_by_number_turn_prompt_and_chance() -> None:
    plan = FaultPlan(
        (
            Rule("submit", "fail", prompt_contains="storm"),
            Rule("submit", "html", nth=(2,)),
            Rule("submit", "empty", every=5),
            Rule("poll", "html", probability=0.5),
        ),
        seed=1,
    )
    picked = [plan.pick("submit", "a storm" if number == 4 else "calm") for number in range(1, 11)]
    polls = [plan.pick("poll") is not None for _ in range(200)]
    again = FaultPlan((Rule("poll", "html", probability=0.5),), seed=1)
    assert (
        [fault.do if fault is not None else "" for fault in picked],
        60 < sum(polls) < 140,
        [again.pick("poll") is not None for _ in range(200)] == polls,
    ) == (["", "html", "", "fail", "empty", "", "", "", "", "empty"], True, True)


def test_a_new_sandbox_counts_submits_on_from_its_account(
    tmp_path: Path, sandbox_of: Callable[..., LocalSandbox]
) -> None:
    options = SandboxOptions(data=tmp_path, faults="lost-answers")
    first = sandbox_of(options)
    statuses = [first.submit().status_code for _ in range(2)]
    first.account.close()
    with pytest.raises(ConnectionDropped):
        sandbox_of(options).submit()
    assert statuses == [200, 200]


@pytest.mark.parametrize("name", PLANS)
def test_named_plans_are_read(name: str) -> None:
    assert (isinstance(read_faults(name, 1), FaultPlan), {rule.on for rule in PLANS[name]} <= set(ROUTES)) == (
        True,
        True,
    )


def test_the_help_names_every_built_in_plan() -> None:
    assert FAULT_PLANS.partition("built-in plan: ")[2].split(", ") == list(PLANS)


def test_an_unknown_plan_lists_those_there_are() -> None:
    with pytest.raises(UsageInvalid, match="none, flaky, lost-answers, failures, hostile"):
        read_faults("flakey", 1)


def test_a_plan_is_read_from_a_file(tmp_path: Path, sandbox_of: Callable[..., LocalSandbox]) -> None:
    path = tmp_path / "plan.json"
    path.write_text(json.dumps([{"on": "submit", "do": "status", "nth": [2], "code": 503, "retry_after": "9"}]))
    context = sandbox_of(SandboxOptions(faults=str(path)))
    assert [context.submit().status_code for _ in range(3)] == [200, 503, 200]


@pytest.mark.parametrize(
    "text",
    [
        "{",
        "{}",
        "[1]",
        '[{"on": "submit"}]',
        '[{"on": "nowhere", "do": "status"}]',
        '[{"on": "submit", "do": "garbage"}]',
        '[{"on": "poll", "do": "status", "when": 3}]',
        '[{"on": "poll", "do": "status", "nth": 3}]',
        '[{"on": "poll", "do": "status", "nth": [0]}]',
        '[{"on": "poll", "do": "status", "every": 0}]',
        '[{"on": "poll", "do": "status", "code": 99}]',
        '[{"on": "poll", "do": "status", "code": "500"}]',
        '[{"on": "poll", "do": "status", "probability": 2}]',
        '[{"on": "poll", "do": "delay", "delay_s": -1}]',
        '[{"on": "poll", "do": "status", "retry_after": 7}]',
        '[{"on": "submit", "do": "fail", "message": ""}]',
        '[{"on": "submit", "do": "fail", "prompt_contains": 1}]',
        '[{"on": "poll", "do": "status", "has_envelope": "yes"}]',
    ],
)
def test_a_file_of_other_things_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "plan.json").write_text(text)
    with pytest.raises(UsageInvalid):
        read_faults(str(tmp_path / "plan.json"), 1)


def test_flaky_loses_no_money(sandbox_of: Callable[..., LocalSandbox]) -> None:
    context = sandbox_of(SandboxOptions(faults="flaky"))
    answers = [context.submit({**BODY, "prompt": str(number)}) for number in range(30)]
    taken = sum(answer.status_code == 200 and "id" in answer.json() for answer in answers)
    assert taken == len(context.account.everything(0))
