"""Whose balance is shown: the account of the key, of an output folder, of a sandbox."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest

from wanbatch.cli import call

TURBO = "alibaba/wan2.1-t2v-turbo,480P"  # the smallest clips
TWO = f"id,prompt,model,resolution\na,A goat climbs the ridge,{TURBO}\nb,Snow begins to fall,{TURBO}\n"
SANDBOX = ("--sandbox", "--yes", "--speed", "600")


@pytest.fixture(autouse=True)
def folder_with_a_sandbox_s_batch(near: None, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("AIMLAPI_API_KEY", "AIML_API_KEY", "AIMLAPI_KEY", "AIMLAPI_BASE_URL", "FORCE_COLOR", "NO_COLOR"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("COLUMNS", "200")
    monkeypatch.chdir(tmp_path)
    Path("two.csv").write_text(TWO, encoding="utf-8")


def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str]:
    code = call(list(arguments))
    told = capsys.readouterr()
    return code, " ".join((told.out + told.err).split())


@pytest.mark.long
def test_an_account_that_is_not_asked_about_is_named_and_a_plan_tells_what_the_folder_s_own_holds(
    capsys: pytest.CaptureFixture[str],
) -> None:
    assert said(capsys, "run", "two.csv", *SANDBOX)[0] == 0
    advice = "The newest output folder, outputs/two, uses an account at the embedded sandbox:"
    advice += " `wanbatch balance outputs/two` shows it"
    code, told = said(capsys, "balance")
    assert (code, "no key" in told, advice in told) == (2, True, True)
    code, told = said(capsys, "balance", "--sandbox")
    assert (code, "1,000.00 USD" in told, advice in told) == (0, True, True)
    own = said(capsys, "balance", "outputs/two")[1].partition(" USD")[0]
    assert own != "1,000.00"
    account = Path("outputs/two/.sandbox/account.sqlite")
    before = hashlib.sha256(account.read_bytes()).hexdigest()
    Path("two.csv").write_text(TWO + f"c,The hut has a light,{TURBO}\n", encoding="utf-8")
    assert f"balance {own} USD" in said(capsys, "plan", "two.csv", "--sandbox")[1]
    assert hashlib.sha256(account.read_bytes()).hexdigest() == before


def test_without_an_output_folder_no_other_account_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    code, told = said(capsys, "balance")
    assert (code, "newest" in told) == (2, False)
