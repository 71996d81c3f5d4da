"""What the provider answers and what it means: every row of the tables."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wanbatch.provider.answers import (
    Head,
    read_generation_id,
    read_progress,
    read_retry_after,
    read_submit,
    read_trouble,
)
from wanbatch.provider.bodies import read_object
from wanbatch.provider.ledger_page import CHARGES, REFUNDS, LedgerKind, read_charges
from wanbatch.provider.protocol import (
    Accepted,
    NoAnswer,
    Progress,
    RefusalKind,
    Refused,
    Secret,
    Status,
    Trouble,
    TurnedAway,
    Unknown,
)
from wanbatch.text import shown

ID = "wb1:nonce:recipe:1.1"
ENVELOPE = {"message": "no", "path": "/v2", "requestId": "r", "statusCode": 0, "timestamp": "t"}


def submit(status: int, body: object, **headers: str) -> object:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_submit(Head(status, {name.replace("_", "-"): value for name, value in headers.items()}), raw, ID)


# --- submit


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (400, RefusalKind.REQUEST), (401, RefusalKind.KEY), (403, RefusalKind.CREDITS), (404, RefusalKind.ROUTE),
        (405, RefusalKind.ROUTE), (413, RefusalKind.REQUEST), (415, RefusalKind.REQUEST), (422, RefusalKind.REQUEST),
    ],
)  # fmt: skip
def test_a_listed_4xx_in_the_providers_envelope_proves_that_nothing_was_made(status: int, kind: RefusalKind) -> None:
    assert submit(status, {**ENVELOPE, "statusCode": str(status)}) == Refused(kind, status, "no")


@pytest.mark.parametrize("status", [425, 429])
def test_a_turn_away_is_no_refusal(status: int) -> None:
    assert submit(status, ENVELOPE, retry_after="7") == TurnedAway(status, 7.0, "no")


@pytest.mark.parametrize("status", [400, 401, 403, 404, 422, 425, 429])
@pytest.mark.parametrize("body", [b"", b"<html>no</html>", {"error": "no"}, {"message": "no"}, ["no"], b"\xff"])
def test_without_the_envelope_a_4xx_proves_nothing(status: int, body: object) -> None:
    assert isinstance(submit(status, body), Unknown)


@pytest.mark.parametrize(
    "status", [100, 301, 302, 303, 307, 308, 402, 406, 408, 409, 410, 418, 451, 500, 501, 502, 503, 504, 520, 524, 599]
)
@pytest.mark.parametrize("body", [ENVELOPE, b"", b"<html></html>"], ids=["envelope", "empty", "html"])
def test_every_other_answer_is_unknown(status: int, body: object) -> None:
    assert isinstance(submit(status, body), Unknown)


@pytest.mark.parametrize("status", [400, 403, 422, 429])
def test_a_refusal_that_names_another_request_proves_nothing(status: int) -> None:
    answer = submit(status, ENVELOPE, x_client_request_id="other-program-77")
    assert isinstance(answer, Unknown)
    assert "names another request (other-program-77)" in answer.message
    assert not isinstance(submit(status, ENVELOPE, x_client_request_id=ID), Unknown)


def test_an_acceptance_of_another_submit_of_ours_is_unknown() -> None:
    answer = submit(200, {"id": "g", "status": "queued"}, x_client_request_id="wb1:nonce:recipe:2.1")
    assert isinstance(answer, Unknown)


@pytest.mark.parametrize(("echo", "other"), [(ID, None), ("", None), ("other-program-77", "other-program-77")])
def test_an_acceptance_tells_which_other_request_it_names(echo: str, other: str | None) -> None:
    answer = submit(200, {"id": "g", "status": "queued"}, x_client_request_id=echo)
    assert isinstance(answer, Accepted)
    assert (answer.is_echoed, answer.other_request) == (echo == ID, other)


@pytest.mark.parametrize("status", [200, 201, 202])
def test_an_id_in_the_body_is_an_acceptance(status: int) -> None:
    body = {"id": "g", "status": "queued", "meta": {"usage": {"credits_used": 3150000}}}
    assert submit(status, body, x_client_request_id=ID) == Accepted("g", 3150000, is_echoed=True)


@pytest.mark.parametrize(
    "body", [b"", b"{", b"null", b"[]", b'"g"', b"<html></html>", b"[" * 20000, b'{"a": NaN}', b'{"id":1,"id":2}', {}]
)
def test_an_unreadable_2xx_is_unknown_unless_its_header_names_the_generation(body: object) -> None:
    assert isinstance(submit(200, body), Unknown)
    assert submit(200, body, x_inference_id="g", x_aimlapi_credits_used="5") == Accepted("g", 5, is_echoed=False)


@pytest.mark.parametrize("value", ["", " ", 7, None, "a" * 513, "a\nb", "a\x00", "a\u202eb", ["g"], True, "\u00a0"])
def test_an_odd_id_is_no_id(value: object) -> None:
    assert (read_generation_id(value), isinstance(submit(200, {"id": value, "status": "queued"}), Unknown)) == (
        None,
        True,
    )


@pytest.mark.parametrize("value", ["-a", "a:b/c", "ü", "a" * 512])
def test_an_awkward_id_is_taken_as_it_is(value: str) -> None:
    assert read_generation_id(value) == value


def test_an_acceptance_that_says_error_and_gives_a_link_has_not_failed() -> None:
    body = {"id": "g", "status": "error", "error": {"message": "m"}, "video": {"url": "https://clips.example/g"}}
    answer = submit(200, body)
    assert isinstance(answer, Accepted)
    assert answer.failed_message is None


def test_two_ids_and_two_prices_are_both_told() -> None:
    body = {"id": "other", "status": "queued", "meta": {"usage": {"credits_used": 5}}}
    answer = submit(200, body, x_inference_id="g", x_aimlapi_credits_used="6")
    assert isinstance(answer, Accepted)
    assert (answer.generation_id, answer.conflict, answer.credits_held) == ("g", "other", 6)
    assert "5" in (answer.credits_note or "")


@pytest.mark.parametrize("credit_count", ["3150000", -1, 0, 0.0, 1e30, True, None, 1.5, {}, []])
def test_odd_credits_are_unknown_and_never_0(credit_count: object) -> None:
    answer = submit(200, {"id": "g", "status": "queued", "meta": {"usage": {"credits_used": credit_count}}})
    assert answer == Accepted("g", None, is_echoed=False)


def test_a_submit_that_answers_error_is_accepted_and_failed() -> None:
    answer = submit(200, {"id": "g", "status": "error", "error": {"name": "E", "message": "m"}})
    assert answer == Accepted("g", None, is_echoed=False, failed_message="E: m")


# --- poll


@pytest.mark.parametrize(
    ("word", "status"),
    [
        ("queued", Status.QUEUED), ("generating", Status.GENERATING), ("in_progress", Status.GENERATING),
        ("processing", Status.GENERATING), ("completed", Status.COMPLETED), ("complete", Status.COMPLETED),
        ("succeeded", Status.COMPLETED), ("error", Status.FAILED), ("failed", Status.FAILED),
        ("cancelled", Status.EXPIRED), ("canceled", Status.EXPIRED), ("expired", Status.EXPIRED),
        (" Completed ", Status.COMPLETED), ("In Progress", Status.GENERATING),
    ],
)  # fmt: skip
def test_every_word_of_the_provider_has_one_meaning(word: str, status: Status) -> None:
    answer = read_progress(json.dumps({"id": "g", "status": word}).encode())
    assert isinstance(answer, Progress)
    assert (answer.status, answer.unknown_word) == (status, None)


def test_an_unknown_word_is_taken_for_running_and_told() -> None:
    assert read_progress(b'{"id": "g", "status": "dreaming"}') == Progress(
        "g", Status.GENERATING, None, None, "dreaming"
    )


def test_a_completed_answer_with_an_error_object_is_completed() -> None:
    body = {"id": "g", "status": "completed", "video": {"url": "https://x/y"}, "error": {"name": "", "message": ""}}
    assert read_progress(json.dumps(body).encode()) == Progress("g", Status.COMPLETED, Secret("https://x/y"), None)


@pytest.mark.parametrize("video", [None, {}, {"url": None}, {"url": ""}, {"url": 7}, "https://x/y", []])
def test_a_link_that_is_none_is_none(video: object) -> None:
    answer = read_progress(json.dumps({"id": "g", "status": "completed", "video": video}).encode())
    assert isinstance(answer, Progress)
    assert answer.link is None


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"id": "g"}', b'{"status": "queued"}', b'{"id": "g", "status": 7}', b"[]"]
)
def test_a_poll_without_id_or_status_is_asked_again(body: bytes) -> None:
    answer = read_progress(body)
    assert isinstance(answer, NoAnswer)
    assert answer.trouble is Trouble.TRANSIENT


@pytest.mark.parametrize(
    ("status", "trouble"),
    [
        (400, Trouble.INVALID), (401, Trouble.KEY), (403, Trouble.KEY), (404, Trouble.NOT_FOUND), (405, Trouble.INVALID),
        (408, Trouble.TRANSIENT), (409, Trouble.TRANSIENT), (422, Trouble.INVALID), (425, Trouble.TRANSIENT),
        (429, Trouble.TRANSIENT), (500, Trouble.TRANSIENT), (503, Trouble.TRANSIENT), (524, Trouble.TRANSIENT),
        (302, Trouble.TRANSIENT),
    ],
)  # fmt: skip
def test_a_read_that_fails_has_one_meaning(status: int, trouble: Trouble) -> None:
    assert read_trouble(Head(status, {}), b"").trouble is trouble


# --- headers and text


@pytest.mark.parametrize(
    ("raw", "date", "seconds"),
    [
        ("7", "", 7.0), ("0.5", "", 0.5), ("1000000000", "", 900.0), ("-3", "", None), ("NaN", "", None), ("", "", None),
        ("soon", "", None), ("1e9", "", None), ("Mon, 23 Nov 2026 20:00:30 GMT", "Mon, 23 Nov 2026 20:00:00 GMT", 30.0),
        ("Mon, 23 Nov 2026 19:00:30 GMT", "Mon, 23 Nov 2026 20:00:00 GMT", 0.0),
        ("Mon, 23 Nov 2037 19:00:30 GMT", "Mon, 23 Nov 2026 20:00:00 GMT", 900.0),
        ("Mon, 23 Nov 2026 20:00:30 GMT", "", None), ("Mon, 99 Nov", "Mon, 23 Nov 2026 20:00:00 GMT", None),
    ],
)  # fmt: skip
def test_retry_after_is_read_with_distrust(raw: str, date: str, seconds: float | None) -> None:
    assert read_retry_after(Head(429, {"retry-after": raw, "date": date})) == seconds


@pytest.mark.long
@given(st.text(max_size=2000))
@settings(max_examples=80)
def test_a_servers_text_is_one_printable_line(text: str) -> None:
    line = shown(text)
    assert len(line) <= 300
    assert not any(char in line for char in "\n\r\x1b\x00\x9b\u202e")


@given(st.binary(max_size=200))
@settings(max_examples=200)
def test_whatever_the_body_it_is_read_as_a_verdict(body: bytes) -> None:
    submits = [read_submit(Head(status, {}), body, ID) for status in (200, 400, 500)]
    reads = [read_trouble(Head(status, {}), body) for status in (400, 500)]
    assert all(isinstance(each, Accepted | Refused | TurnedAway | Unknown) for each in submits)
    assert (submits[2].__class__, [each.status for each in reads]) == (Unknown, [400, 500])
    assert isinstance(read_progress(body), Progress | NoAnswer)


def test_a_ledger_page_is_read_entry_by_entry() -> None:
    good = {
        "created_at": "2026-08-17T10:00:00.000Z", "direction": "CHARGE", "type": "MODEL_USAGE",
        "amount": {"usd": 1.5, "credits": 3000000}, "model": "m", "reference_id": "g",
    }  # fmt: skip
    odd = [{**good, "amount": {"credits": "3"}}, {**good, "reference_id": None}, {**good, "direction": "TOPUP"}, 7,
           {**good, "created_at": "yesterday"}, {**good, "type": "INIT", "reference_id": None}]  # fmt: skip
    charges, cursor = read_charges({"data": [good, *odd], "pagination": {"next_cursor": "c", "has_more": True}})
    legible = [(each.generation_id, each.credits) for each in charges if each.is_legible]
    assert (legible, len(charges), cursor) == ([("g", 3000000)], 4, "c")
    assert read_charges({"data": [], "pagination": {"next_cursor": "c", "has_more": False}}) == ([], None)
    for broken in ({}, {"data": {}, "pagination": {}}, {"data": [], "pagination": None}):
        with pytest.raises(ValueError):
            read_charges(broken)


@pytest.mark.parametrize(
    ("changed", "kind", "is_read"),
    [
        ({}, CHARGES, True),
        ({"type": "ADJUSTMENT"}, CHARGES, True),  # a second charge, or a refund that is taken back
        ({"type": "ADJUSTMENT", "reference_id": None}, CHARGES, False),  # of the account
        ({"type": "CREDITS_EXPIRED", "reference_id": None}, CHARGES, False),
        ({"type": "model_usage", "direction": "charge"}, CHARGES, True),
        ({"type": "VIDEO_USAGE"}, CHARGES, True),  # a word that is not documented
        ({"type": ["MODEL_USAGE"]}, CHARGES, True),
        ({"type": "INIT", "reference_id": None}, CHARGES, False),
        ({"type": "REFUND"}, CHARGES, True),  # a refund that is taken back
        ({"direction": "DEBIT"}, CHARGES, True),
        ({"direction": None}, CHARGES, True),
        ({"direction": "TOPUP", "type": "REFUND"}, REFUNDS, True),
        ({"direction": "TOPUP", "type": "ADJUSTMENT"}, REFUNDS, True),
        ({"direction": "TOPUP", "type": "BONUS"}, REFUNDS, True),  # for a generation
        ({"direction": "TOPUP", "type": "BONUS", "reference_id": None}, REFUNDS, False),
        ({"type": "ADJUSTMENT"}, REFUNDS, False),
    ],
)
def test_an_entry_counts_by_its_direction_and_type(
    changed: dict[str, object], kind: LedgerKind, *, is_read: bool
) -> None:
    amount = {"usd": 1.5, "credits": 3000000}
    row = {"created_at": "2026-11-01T00:00:00Z", "direction": "CHARGE", "type": "MODEL_USAGE", "amount": amount}
    found, _ = read_charges({"data": [{**row, "reference_id": "g", **changed}], "pagination": {}}, kind)
    assert [each.generation_id for each in found] == ["g"] * is_read


@pytest.mark.parametrize(
    ("amount", "spent"),
    [
        ({"credits": 0, "usd": 0}, 0),
        ({"credits": 0, "usd": 0.0}, 0),
        ({"credits": 0}, 0),
        ({"credits": 0, "usd": None}, 0),
        ({"credits": 0, "usd": 1.575}, None),
        ({"credits": 0, "usd": -1}, None),
        ({"credits": 3_150_000, "usd": 1.575}, 3_150_000),
        ({"credits": 3_150_000, "usd": 0}, 3_150_000),
        ({"usd": 1.575}, None),
    ],
)
def test_no_credits_beside_a_sum_in_usd_are_an_unknown_amount(amount: dict[str, object], spent: int | None) -> None:
    row = {"created_at": "2026-11-01T00:00:00Z", "direction": "CHARGE", "type": "MODEL_USAGE", "amount": amount}
    (charge,), _ = read_charges({"data": [{**row, "reference_id": "g"}], "pagination": {}})
    assert (charge.credits if charge.is_amount_known else None) == spent


def test_a_poll_that_says_error_and_gives_a_link_has_made_its_clip() -> None:
    body = {"id": "g", "status": "error", "error": {"message": "slow"}, "video": {"url": "https://clips.example/g"}}
    answer = read_progress(json.dumps(body).encode())
    assert isinstance(answer, Progress)
    assert (answer.status, answer.error, answer.remark) == (Status.COMPLETED, None, "slow")


def test_objects_are_strict() -> None:
    for body in (b"\xef\xbb\xbf{}", b"{} {}", b"[]", b'{"a": Infinity}', b"\xff"):
        with pytest.raises(ValueError):
            read_object(body)


def test_a_secret_never_shows() -> None:
    key = Secret("topsecret")
    assert (repr(key), str(key), f"{key}", key.reveal(), key == Secret("topsecret")) == (
        "***",
        "***",
        "***",
        "topsecret",
        True,
    )
    assert hash(key) == hash(Secret("topsecret"))


def test_an_error_without_words_is_told_as_such() -> None:
    answer = submit(200, {"id": "g", "status": "error", "error": {"name": "", "code": 7}})
    assert isinstance(answer, Accepted)
    assert "code" in (answer.failed_message or "")


def test_a_date_without_a_zone_is_no_retry_after() -> None:
    headers = {"retry-after": "Sun, 01 Nov 2026 23:00:00 -0000", "date": "Sun, 01 Nov 2026 23:00:00 GMT"}
    assert read_retry_after(Head(429, headers)) is None
