"""A run of a finished batch: nothing is sent, and what the provider's log shows by now is named."""

from __future__ import annotations

import csv
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from wanbatch.cli import call
from wanbatch.session import embedded
from wanbatch.state.reader import StateReader

SPEED = 600.0
OUTPUT = Path("outputs/two")
RUN = ("run", "two.csv", "--yes", "--speed", f"{SPEED:g}", "--no-report")
SEEN_LIMIT_S = 60.0
NOTHING_TO_DO = "nothing to do: every take is done"


@pytest.fixture(autouse=True)
def folder_with_a_manifest(near: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AIMLAPI_API_KEY", "AIML_API_KEY", "AIMLAPI_KEY"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "300")
    monkeypatch.chdir(tmp_path)
    Path("two.csv").write_text("id,prompt\na,A heron waits in the reeds\nb,Rain on a tin roof\n", encoding="utf-8")


@contextmanager
def provider(*flags: str) -> Iterator[httpx.Client]:
    """Serve a provider on this machine, and run the batch on it."""
    with (
        embedded.embedded_sandbox(Path.cwd(), SPEED, ("--log-lag", "1s", *flags)) as url,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("AIMLAPI_BASE_URL", url)
        patch.setenv("AIMLAPI_API_KEY", "made-up")
        call(list(RUN))
        with httpx.Client(base_url=url, headers={"Authorization": "Bearer made-up"}) as client:
            yield client


def said(capsys: pytest.CaptureFixture[str], *more: str) -> tuple[int, str]:
    capsys.readouterr()
    code = call([*RUN, *more])
    told = capsys.readouterr()
    return code, " ".join((told.out + told.err).split())


def logged(client: httpx.Client) -> list[str]:
    """The generations that the log shows by now."""
    return [row["inference_id"] for row in client.get("/v2/logs", params={"period": "1d"}).json()["data"]]


def wait_for_log(client: httpx.Client, rows: int) -> None:
    until = time.monotonic() + SEEN_LIMIT_S
    while len(logged(client)) < rows:
        assert time.monotonic() < until, "the log does not show what was made"


def buy_again(client: httpx.Client) -> str:
    """Send the submit of the first take once more, as a copy of the folder would; returns the generation."""
    with StateReader.open(OUTPUT) as reader:
        take, sent = reader.takes()[0], reader.attempts_of(1)[0]
    body = take.recipe.canonical.encode()
    headers = {"Content-Type": "application/json", "X-Client-Request-Id": sent.request_id}
    made = str(client.post("/v2/video/generations", content=body, headers=headers).json()["id"])
    wait_for_log(client, 3)
    return made


def warnings() -> dict[str, str]:
    with StateReader.open(OUTPUT) as reader:
        return {take.label: take.warning for take in reader.takes()}


@pytest.mark.long
def test_a_second_generation_that_shows_later_is_named_once(capsys: pytest.CaptureFixture[str]) -> None:
    with provider() as client:
        made = buy_again(client)
        code, told = said(capsys)
        assert (code, "DOUBLE" in told, made in told, "a_t1" in told) == (3, True, True, True)
        assert (made in warnings()["a_t1"], warnings()["b_t1"]) == (True, "")
        code, told = said(capsys)
        assert (code, f"{NOTHING_TO_DO}, and the provider's log shows nothing new" in told) == (0, True)


@pytest.mark.long
def test_a_clip_that_was_refused_and_made_all_the_same_is_fetched(capsys: pytest.CaptureFixture[str]) -> None:
    Path("faults.json").write_text('[{"on": "submit", "do": "status_after", "nth": [2], "code": 400}]')
    with provider("--faults", "faults.json") as client:
        with StateReader.open(OUTPUT) as reader:
            assert [take.state.value for take in reader.takes()] == ["verified", "failed"]
        wait_for_log(client, 2)
        code, told = said(capsys)
        assert (code, "2 verified" in told, NOTHING_TO_DO in told) == (0, True, False)
        assert "made its clip after all" in warnings()["b_t1"]
        assert len(logged(client)) == 2


def test_a_log_that_cannot_be_read_changes_nothing_but_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    with provider(), pytest.MonkeyPatch.context() as patch:
        patch.setenv("AIMLAPI_BASE_URL", "http://127.0.0.1:9")
        code, told = said(capsys)
    assert (code, told.count("could not read the provider's request log"), "`wanbatch reconcile" in told) == (
        0,
        1,
        True,
    )
    assert "keeps trying" not in told


@pytest.mark.long
def test_the_provider_is_not_asked_offline_or_without_a_key(capsys: pytest.CaptureFixture[str]) -> None:
    with provider() as client, pytest.MonkeyPatch.context() as patch:
        buy_again(client)
        offline = said(capsys, "--offline")
        patch.setattr("wanbatch.session.access.Access.has_key", False)
        keyless = said(capsys)
        line = f"{NOTHING_TO_DO}; wanbatch sent no request"
        assert [(code, line in told) for code, told in (offline, keyless)] == [(0, True)] * 2
        assert warnings()["a_t1"] == ""


def test_offline_is_refused_where_something_is_to_be_sent(capsys: pytest.CaptureFixture[str]) -> None:
    assert call(["run", "two.csv", "--sandbox", "--offline", "--yes"]) == 2
    assert "run it without --offline. Nothing was sent" in capsys.readouterr().err


@pytest.mark.long
@pytest.mark.parametrize(
    "rows", ["id,prompt,omit\na,A heron waits,yes\nb,Rain,\n", "id,prompt\nb,Rain\n"], ids=["omitted", "removed"]
)
def test_a_shot_that_failed_and_is_asked_for_no_more_is_no_failure(
    capsys: pytest.CaptureFixture[str], rows: str
) -> None:
    rule = [{"on": "submit", "do": "fail", "prompt_contains": "heron", "message": "Content policy violation"}]
    Path("rules.json").write_text(json.dumps(rule), encoding="utf-8")
    Path("two.csv").write_text("id,prompt\na,A heron waits\nb,Rain\n", encoding="utf-8")
    run = ["run", "two.csv", "--sandbox", "--speed", f"{SPEED:g}", "--faults", "rules.json"]
    assert call(run) == 1
    capsys.readouterr()
    assert call(run) == 1
    nothing = " ".join(capsys.readouterr().err.split())
    assert f"1 failed (`wanbatch status {OUTPUT}` says what to do, such as `wanbatch retry {OUTPUT}`)" in nothing
    page = (OUTPUT / "reports/report.html").read_text(encoding="utf-8")
    call(["status", str(OUTPUT)])
    assert [text.count("change it (two.csv line 2)") for text in (page, capsys.readouterr().out)] == [1, 1]
    Path("two.csv").write_text(rows, encoding="utf-8")
    assert call(run) == 0
    capsys.readouterr()
    call(["--json", "status", str(OUTPUT)])
    found = json.loads(capsys.readouterr().out)
    with (OUTPUT / "reports/summary.csv").open(encoding="utf-8-sig", newline="") as file:
        batch = next(csv.DictReader(file))
    page = (OUTPUT / "reports/report.html").read_text(encoding="utf-8")
    assert (found["problems"], found["next"], found["remaining"]["failed_takes"]) == ([], None, 0)
    assert (batch["failed"], batch["superseded"], batch["omitted"]) == ("0", "1", str(int("omit" in rows)))
    assert "<b>1 of 1</b>" in page


def needs_in_reports() -> list[str]:
    facts = json.loads((OUTPUT / "reports/summary.json").read_text(encoding="utf-8"))
    return [each["state"] for each in facts["problems"]]


@pytest.mark.long
def test_the_reports_show_what_was_looked_up_and_decided_between_runs(tmp_path: Path) -> None:
    rule = [{"on": "submit", "do": "drop_before", "nth": [1]}, {"on": "submit", "do": "drop_after", "nth": [2]}]
    Path("rules.json").write_text(json.dumps(rule), encoding="utf-8")
    run = ["run", "two.csv", "--sandbox", "--speed", f"{SPEED:g}", "--faults", "rules.json", "--on-unknown", "hold"]
    assert (call(run), needs_in_reports()) == (3, ["held", "held"])
    time.sleep(0.5)  # by then its row is in the sandbox's log
    assert (call(["reconcile", str(OUTPUT)]), needs_in_reports()) == (3, ["held"])
    held = json.loads((OUTPUT / "reports/summary.json").read_text(encoding="utf-8"))["problems"][0]["take"]
    assert call(["resolve", str(OUTPUT), held, "--abandon", "--yes"]) == 0
    assert needs_in_reports() == ["failed"]
