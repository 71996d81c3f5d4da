"""Which provider an invocation leads to: the sandbox is the sandbox, whatever the settings say."""

from __future__ import annotations

from pathlib import Path

import pytest

from wanbatch.cli import call
from wanbatch.clock import system_now
from wanbatch.errors import UsageInvalid
from wanbatch.provider.endpoint import load_settings
from wanbatch.session.access import SANDBOX_SPEED, Access
from wanbatch.state.tables import new_identity


@pytest.mark.parametrize("address", ["", "https://api.example.org", "http://127.0.0.1:8000", "http://localhost:8000"])
def test_the_flag_for_the_sandbox_wins_over_any_address(address: str, tmp_path: Path) -> None:
    settings = load_settings({"AIMLAPI_BASE_URL": address, "AIMLAPI_API_KEY": "k"}, None, tmp_path)
    access = Access(settings, is_embedded=True)
    assert (access.is_embedded, access.address, access.key().reveal() == "k") == (True, "sandbox", False)


def test_an_address_on_this_machine_is_no_sandbox_without_the_flag(tmp_path: Path) -> None:
    settings = load_settings({"AIMLAPI_BASE_URL": "http://127.0.0.1:8000"}, None, tmp_path)
    access = Access(settings)
    assert (access.is_embedded, access.is_local, access.address) == (False, True, "this machine")


def test_a_folder_begun_on_the_sandbox_needs_no_flag_and_leaves_the_access_as_it_was(tmp_path: Path) -> None:
    access = Access(load_settings({"AIMLAPI_API_KEY": "k"}, None, tmp_path))
    there = access.at(new_identity("film", "sandbox", "", system_now(), sandbox=True))
    assert (there.is_embedded, there.speed, access.is_embedded, access.speed) == (True, SANDBOX_SPEED, False, 1.0)
    with pytest.raises(UsageInvalid, match=r"was begun on https://elsewhere\.test, but the settings now say"):
        access.at(new_identity("film", "https://elsewhere.test", "", system_now(), sandbox=False))


def test_a_pattern_that_no_shot_matches_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    Path("shots.csv").write_text("id,prompt\na,Waves climb the steps\n")
    code = call(["run", "shots.csv", "--sandbox", "--yes", "--only", "zz*"])
    assert (code, "no shot of the manifest matches --only zz*" in capsys.readouterr().err) == (2, True)
    assert not Path("outputs").exists()
