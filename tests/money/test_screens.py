"""Money on the screen and in JSON: what fits 80 columns, what is unknown, and what a script may rely on."""

from __future__ import annotations

import asyncio
import io
import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from tests.money.test_costs import story
from tests.money.test_ledger import PRICE, attempt, charge, take
from tests.reporting.states import every_state
from wanbatch.batch.attempts import Outcome
from wanbatch.batch.lifecycle import State
from wanbatch.batch.models import PriceClass
from wanbatch.batch.progress import BatchProgress
from wanbatch.cli import call
from wanbatch.cli.account import figures_grid, ledger_grid, print_balance
from wanbatch.cli.money import preview_json, print_preview
from wanbatch.cli.screen import print_result, progress_text
from wanbatch.errors import ExitCode, ProviderUnreachable
from wanbatch.money.costs import Figure, Figures
from wanbatch.money.ledger import LedgerReading, LoggedSubmit, Verdict, match_ledger
from wanbatch.money.prices import UNKNOWN_QUOTE, Estimate, Quote, unknown_quote
from wanbatch.provider.remarks import Remark, Weight
from wanbatch.runner.settings import OnUnknown
from wanbatch.session.doctor import examine
from wanbatch.session.options import RunOptions, RunResult, Watch
from wanbatch.session.pilot import Findings, Measured
from wanbatch.session.preview import Preview, Why
from wanbatch.session.session import session_of
from wanbatch.state.progress_reader import read_overview

LARGE = PriceClass("alibaba/wan-2-6-t2v", "1080p", 10)
OTHER = PriceClass("alibaba/wan-2-6-image-to-video-flash", "1080p", 15)
NIGHT = 200 * 3_150_000
NOW = datetime(2026, 8, 21, 9, 0, tzinfo=UTC)


@pytest.fixture(autouse=True)
def no_settings_from_outside(near: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AIMLAPI_API_KEY", "AIML_API_KEY", "AIMLAPI_KEY", "AIMLAPI_BASE_URL", "FORCE_COLOR", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def preview(**facts: Any) -> Preview:
    scenes = {f"sc{n:03d}": Estimate(NIGHT // 10, 20, 0, NIGHT // 12, NIGHT // 5) for n in range(1, 4)}
    told: dict[str, Any] = {
        "batch": "a-night",
        "output": Path("outputs/a-night"),
        "plan": None,
        "counts": {"new": 200},
        "to_submit": {LARGE: 180, OTHER: 20},
        "quotes": {LARGE: Quote(3_150_000, "price list"), OTHER: Quote(12_345_678, "list from 30 d ago", (9_999_999,))},
        "estimate": Estimate(NIGHT, 200, 0, NIGHT - 9, 2 * NIGHT),
        "cap_credits": 10**9,
        "balance_usd": Decimal(900),
        "host": "https://api.aimlapi.com",
        "is_sandbox": False,
        "speed": 1.0,
        "scenes": scenes,
        "tries": 2,
    }
    return Preview(**{**told, **facts})


def screen(made: Preview) -> list[str]:
    stream = io.StringIO()
    print_preview(Console(file=stream, width=80, no_color=True, highlight=False, soft_wrap=True), made)
    return stream.getvalue().splitlines()


def unpriced() -> Preview:
    quotes = {LARGE: Quote(3_150_000, "documentation"), OTHER: UNKNOWN_QUOTE}
    scenes = {"sc001": Estimate(NIGHT, 180, 0, NIGHT, 2 * NIGHT), "sc002": Estimate(0, 20, 20)}
    return preview(quotes=quotes, scenes=scenes, estimate=Estimate(NIGHT, 200, 20, NIGHT, 2 * NIGHT), cap_credits=None)


def piloted() -> Preview:
    rows = (
        Measured(LARGE, 3, 2, 1, 3_150_000, 3_150_000, None, 231.0),
        Measured(OTHER, 1, 0, 0, None, None, None, None),
    )
    return preview(why=Why.PILOT, findings=Findings(rows, 2, 12_000.0), before=12_600_000)


@pytest.mark.parametrize(
    "made",
    [preview(), unpriced(), piloted(), preview(before=None, pilot=5)],
    ids=["priced", "unpriced", "pilot", "unknown"],
)
def test_a_plan_fits_80_columns_and_cuts_no_number(made: Preview) -> None:
    lines = screen(made)
    assert max(len(line.rstrip()) for line in lines) <= 80
    assert not any("…" in line for line in lines)
    assert any("630,000,000" in line for line in lines)


def test_a_plan_gives_a_range_by_scene_and_in_all() -> None:
    text = "\n".join(" ".join(line.split()) for line in screen(preview()))
    assert "sc001 20 26.25 31.50 63.00 63,000,000" in text
    assert "total 200 314.9999955 315.00 630.00 630,000,000" in text
    assert "list from 30" in text
    assert "worst: each take bought 2 times" in text


def test_what_has_no_price_is_unknown_once_and_its_sum_says_so() -> None:
    text = "\n".join(" ".join(line.split()) for line in screen(unpriced()))
    assert "sc002 20 unknown - - -" in text
    assert "total 200 315.00+? 315.00+? 630.00+? 630,000,000+?" in text
    assert "unknown unknown" not in text
    assert "with a cap (--max-usd) wanbatch sends the first take alone and learns" in text
    assert "+? leaves out an unknown price; expected: 315.00 USD + unknown (20 takes)" in text
    told = preview_json(unpriced())["estimate"]
    assert (told["credits"], told["usd"]["worst"], told["known"]["credits"], told["unpriced_takes"]) == (
        None,
        None,
        NIGHT,
        20,
    )


@pytest.mark.parametrize(
    ("balance", "words"),
    [
        (Decimal(900), ""),
        (Decimal(400), "it covers the expected cost, not the worst case"),
        (Decimal("314.99"), "the balance is below the expected cost by 0.01 USD"),
    ],
)
def test_the_balance_is_held_against_the_estimate(balance: Decimal, words: str) -> None:
    line = next(line for line in screen(preview(balance_usd=balance)) if "balance" in line)
    assert line.strip() == f"balance {balance:,.2f} USD" + (f"; {words}" if words else "")


def test_a_story_of_many_scenes_is_shown_in_part_and_summed_whole() -> None:
    scenes = {f"sc{n:03d}": Estimate(10, 1, 0, 10, 20) for n in range(50)}
    text = [" ".join(line.split()) for line in screen(preview(scenes=scenes))]
    assert "20 more 20 0.0001 0.0001 0.0002 200" in text


def test_a_pilot_tells_what_it_measured() -> None:
    text = "\n".join(" ".join(line.split()) for line in screen(piloted()))
    assert "result of the pilot" in text
    assert "wan-2-6-t2v 1080p 10 s 2 of 3 1.575 1.575 unknown 3 min 51 s" in text
    assert "2 possible charges not in the ledger yet" in text
    assert "the rest will need about 3 h 20 min" in text
    assert preview_json(piloted())["findings"]["classes"][0]["mean_s"] == 231.0


def test_the_ledger_and_the_figures_fit_80_columns() -> None:
    sent = [attempt(Outcome.COMPLETED), attempt(Outcome.COMPLETED, number=2, generation_id="h", credits_held=None)]
    lines = match_ledger(
        sent, {1: take(State.VERIFIED)}, LedgerReading([charge(), charge("h")]), [LoggedSubmit("r", "s", None)]
    )
    figures = Figures(Figure(2 * PRICE, 1), Figure(PRICE, 1), Figure(2 * PRICE, 3))
    stream = io.StringIO()
    console = Console(file=stream, width=80, no_color=True, highlight=False)
    for table in (ledger_grid(lines), figures_grid(figures)):
        table.show(console)
    text = "\n".join(" ".join(line.split()) for line in stream.getvalue().splitlines())
    assert max(len(line.rstrip()) for line in stream.getvalue().splitlines()) <= 80
    assert "confirmed 1 0.525 0.525 1,050,000 charged what was set aside" in text
    assert "unknown 1 sent, but no generation is known" in text
    assert "charged 1.05 2,100,000 3 possible charges not in the ledger yet" in text


def test_a_figure_of_which_nothing_is_known_is_unknown_on_the_screen() -> None:
    stream = io.StringIO()
    console = Console(file=stream, width=80, no_color=True, highlight=False)
    figures_grid(Figures(Figure(0, 2), Figure(0, 0), Figure(0, 3))).show(console)
    text = [" ".join(line.split()) for line in stream.getvalue().splitlines()]
    assert "estimated unknown 2 takes without a price" in text
    assert "set aside 0.00 0" in text
    assert "charged unknown 3 possible charges not in the ledger yet" in text


def test_the_progress_line_says_that_an_amount_is_unknown() -> None:
    line = progress_text(BatchProgress(counts={}, credits_committed=0, credits_charged=0, uncosted=2), NOW)
    assert line == "; an unknown amount of money committed (2 takes)"


def test_what_was_released_counts_in_no_sum_of_what_is_held() -> None:
    sent = [
        attempt(Outcome.COMPLETED),
        attempt(Outcome.FAILED, number=2, generation_id="h", error="GenerationError: no"),
    ]
    lines = match_ledger(sent, {1: take(State.VERIFIED)}, LedgerReading([charge()]), [])
    assert {line.verdict: line.held for line in lines} == {Verdict.CONFIRMED: PRICE, Verdict.RELEASED: PRICE}
    stream = io.StringIO()
    ledger_grid(lines).show(Console(file=stream, width=100, no_color=True, highlight=False))
    text = [" ".join(line.split()) for line in stream.getvalue().splitlines()]
    assert "confirmed 1 0.525 0.525 1,050,000 charged what was set aside" in text
    assert "released 1 failed; the ledger shows no charge" in text


def test_status_shows_a_take_of_every_state(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    every_state(tmp_path)
    assert call(["status", str(tmp_path)]) == 0
    assert "made (not fetched yet) 1" in capsys.readouterr().out


def test_a_balance_is_told_in_usd_and_credits() -> None:
    stream = io.StringIO()
    print_balance(Console(file=stream, width=80, no_color=True), Decimal("12.34"), "here")
    assert stream.getvalue() == "12.34 USD (24,680,000 credits) at here\n"


def test_a_total_in_json_is_null_while_a_part_of_it_is_unknown(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    story(tmp_path / "out")
    assert call(["--json", "status", str(tmp_path / "out")]) == 0
    told = json.loads(capsys.readouterr().out)
    known = read_overview(tmp_path / "out").progress
    assert told["credits"] == {
        "last_run_estimated": 9,
        "committed": None,
        "committed_known": known.credits_committed,
        "charged": None,
        "charged_known": known.credits_charged,
        "cap": 10 * PRICE,
    }
    assert (told["uncosted_takes"], told["charges_not_seen"]) == (1, 1)


@pytest.mark.parametrize(
    ("charged", "held", "more"), [(300_000, None, ""), (300_000, 5, "; 0.0000025 USD (5 credits) more at risk")]
)
def test_the_end_of_a_run_expects_no_less_than_nothing(charged: int, held: int | None, more: str) -> None:
    each = replace(take(State.HELD), credits_charged=charged, credits_held=held, credits_at_risk=None)
    progress = BatchProgress.of([(each, 1)])
    stream = io.StringIO()
    console = Console(file=stream, width=80, no_color=True, soft_wrap=True)
    print_result(console, RunResult(ExitCode.DECISION_NEEDED, (), Path("out"), progress, None))
    told = stream.getvalue().splitlines()[1]
    assert (
        told
        == f"  charged 0.15 USD (300,000 credits){more}; and 1 with an unknown cost; 1 possible charge not in the provider's ledger yet"
    )


@pytest.mark.long
def test_several_batches_are_reported_together(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    folders = [str(story(tmp_path / name, name)) for name in ("one", "two")]
    assert call(["report", *folders, "-o", "x"]) == 2
    assert call(["report", *folders]) == 0
    assert call(["report", *folders, "--combined"]) == 0
    assert Path("outputs/combined/costs.html").is_file()
    capsys.readouterr()
    assert call(["--json", "report", *folders, "--combined", "-o", "together"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert (told["page"], told["all"]["charged_known_credits"]) == ("together/costs.html", 2 * (3 * PRICE + 5))


@pytest.mark.parametrize(
    ("arguments", "code"), [(["balance"], 2), (["balance", "nowhere"], 2), (["balance", "--sandbox"], 0)]
)
def test_a_balance_needs_a_key_or_a_sandbox(
    arguments: list[str], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    assert call(arguments) == code
    assert "Traceback" not in capsys.readouterr().err


def test_a_dead_provider_has_its_code(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIMLAPI_BASE_URL", "http://127.0.0.1:9")  # nothing listens on the discard port
    monkeypatch.setenv("AIMLAPI_API_KEY", "made-up-key")
    quick = 10_000.0  # it is asked again at once
    with pytest.raises(ProviderUnreachable, match="cannot read the balance") as raised:
        asyncio.run(session_of(RunOptions(speed=quick), Watch()).balance(None))
    assert raised.value.exit_code == 8
    (last,) = asyncio.run(examine(None, is_offline=False, speed=quick))[-1:]
    assert (last.verdict, "does not answer for this key" in last.text) == ("bad", True)


def test_doctor_reads_what_a_run_accounts_with_and_explains_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    from wanbatch.session.embedded import embedded_sandbox

    with embedded_sandbox(Path.cwd(), 60.0, ()) as url:
        monkeypatch.setenv("AIMLAPI_BASE_URL", url)
        monkeypatch.setenv("AIMLAPI_API_KEY", "made-up")
        found = asyncio.run(examine(None, is_offline=False))
    told = [(finding.verdict, finding.text.split(";")[0]) for finding in found[7:]]
    assert told == [
        ("ok", f"{url} accepts the key"),
        ("ok", "this machine's clock agrees with the provider's"),
        ("ok", "the key can read the ledger"),
        ("ok", "the key can read the request log"),
        ("ok", "the key is allowed to make videos and has no limit of its own"),
        ("ok", "the account is not topped up automatically: a run stops when its credits are spent"),
        *(("note", text) for text in ENDINGS),
        ("note", "the provider does not publish how many submits it allows per minute, or takes at one time: a run learns it from the HTTP 429 answers that it gets"),
    ]  # fmt: skip


ENDINGS = (
    "the provider now serves another model under the name alibaba/wan2.1-t2v-plus",
    f"alibaba/wan2.1-t2v-turbo will be retired on {datetime.now(UTC) + timedelta(days=60):%Y-%m-%d}",
    f"alibaba/wan2.2-i2v-plus is gone: the provider withdrew it on {datetime.now(UTC) - timedelta(days=30):%Y-%m-%d}",
)


@pytest.mark.parametrize(
    ("lost", "policy", "told"),
    [
        (0, OnUnknown.RECONCILE, ""),
        (0, OnUnknown.RESUBMIT, "takes with lost answers and no trace are sent again (--on-unknown resubmit)"),
        (
            2,
            OnUnknown.RECONCILE,
            "2 takes with a lost answer: looked up; those without a trace are held for your decision",
        ),
        (2, OnUnknown.HOLD, "2 takes with a lost answer: held for your decision"),
        (
            2,
            OnUnknown.RESUBMIT,
            "2 takes with a lost answer: looked up; up to 2 without a trace are sent again, on top of the above",
        ),
    ],
)
def test_a_plan_says_what_becomes_of_lost_answers(lost: int, policy: OnUnknown, told: str) -> None:
    found = [line.strip() for line in screen(preview(lost=lost, on_unknown=policy)) if "lost answer" in line]
    assert found == ([told] if told else [])


def test_each_price_that_the_list_does_not_tell_has_its_reason_on_the_screen() -> None:
    quotes = {
        LARGE: replace(Quote(3_150_000, "documentation"), why="wanbatch could not ask the provider: HTTP 503"),
        OTHER: unknown_quote("wanbatch could not ask the provider: [red]HTTP 503[/red]"),
    }
    remarks = (Remark(Weight.WARNING, "m will be retired on 2026-10-01"),)
    lines = [line.strip() for line in screen(preview(quotes=quotes, remarks=remarks))]
    assert [line for line in lines if "could not ask" in line or "retired on" in line] == [
        "wan-2-6-t2v 1080p 10 s: price from documentation; wanbatch could not ask the provider: HTTP 503",
        "wan-2-6-image-to-video-flash 1080p 15 s: price unknown; wanbatch could not ask the provider: [red]HTTP 503[/red]",
        "m will be retired on 2026-10-01",
    ]
    told = preview_json(preview(quotes=quotes))["to_submit"]
    assert [each["price_not_listed_because"] for each in told] == [quotes[LARGE].why, quotes[OTHER].why]
