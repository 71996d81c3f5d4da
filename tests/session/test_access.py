"""Which provider an invocation leads to: the sandbox is the sandbox, whatever the settings say."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import nullcontext
from pathlib import Path

import pytest

from tests.provider.test_sandbox_sign import serving
from wanbatch.cli import call
from wanbatch.clock import system_now
from wanbatch.errors import UsageInvalid
from wanbatch.provider.endpoint import load_settings
from wanbatch.provider.sandbox_sign import Sign
from wanbatch.session.access import SANDBOX_SPEED, Access
from wanbatch.state.tables import new_identity


@pytest.mark.parametrize("address", ["", "https://api.example.org", "http://127.0.0.1:8000", "http://localhost:8000"])
def test_the_flag_for_the_sandbox_wins_over_any_address(address: str, tmp_path: Path) -> None:
    settings = load_settings({"AIMLAPI_BASE_URL": address, "AIMLAPI_API_KEY": "k"}, None, tmp_path)
    access = Access(settings, is_embedded=True)
    assert (access.is_embedded, access.address, access.key().reveal() == "k") == (True, "sandbox", False)


@pytest.fixture
def access_with(tmp_path: Path) -> Callable[..., Access]:
    """Return what makes an access to an address of this machine that gives the sign, with or without a key."""

    def make(sign: Sign, *, key: str = "", speed: float | None = None) -> Access:
        environment = {"AIMLAPI_BASE_URL": "http://127.0.0.1:8000", "AIMLAPI_API_KEY": key}
        access = Access(load_settings(environment, None, tmp_path), asked_speed=speed)
        access.__dict__["_sign"] = sign  # as if it had been asked
        return access

    return make


@pytest.mark.parametrize(
    ("sign", "is_sandbox", "has_key", "address"),
    [
        (Sign.SANDBOX, True, True, "this machine"),
        (Sign.PROVIDER, False, False, "http://127.0.0.1:8000"),
        (Sign.NONE, False, True, "this machine"),
    ],
)
def test_an_address_on_this_machine_is_what_it_says_that_it_is(
    sign: Sign, is_sandbox: bool, has_key: bool, address: str, access_with: Callable[..., Access]
) -> None:
    access = access_with(sign)
    assert (access.is_embedded, access.is_sandbox, access.has_key) == (False, is_sandbox, has_key)
    assert access.address == address


def test_a_gateway_on_this_machine_gets_the_users_key_or_none(access_with: Callable[..., Access]) -> None:
    assert access_with(Sign.PROVIDER, key="k").key().reveal() == "k"
    with pytest.raises(UsageInvalid, match="no key: set AIMLAPI_API_KEY"):
        access_with(Sign.PROVIDER).key()


def test_time_runs_faster_on_a_sandbox_only(access_with: Callable[..., Access]) -> None:
    access_with(Sign.SANDBOX, speed=60).assert_speed()
    with pytest.raises(UsageInvalid, match=r"127\.0\.0\.1:8000 does not say that it is one: leave --speed out"):
        access_with(Sign.PROVIDER, speed=60).assert_speed()


@pytest.mark.parametrize(
    ("begun_at", "sign", "words"),
    [
        ("http://127.0.0.1:7000", Sign.PROVIDER, "was begun on http://127.0.0.1:7000, but the settings now say"),
        ("http://127.0.0.1:7000", Sign.NONE, "was begun on http://127.0.0.1:7000, but the settings now say"),
        (True, Sign.PROVIDER, "was begun on a sandbox, but what answers at http://127.0.0.1:8000 is not one"),
        (False, Sign.SANDBOX, "was begun on a paid provider, but what answers at http://127.0.0.1:8000 is a sandbox"),
        (True, Sign.SANDBOX, ""),
        (False, Sign.PROVIDER, ""),
        (True, Sign.NONE, ""),
        (False, Sign.NONE, ""),
    ],
)
def test_a_folder_goes_on_with_what_it_was_begun_on(
    begun_at: str | bool, sign: Sign, words: str, access_with: Callable[..., Access]
) -> None:
    address = begun_at if isinstance(begun_at, str) else "this machine" if begun_at else "http://127.0.0.1:8000"
    begun = new_identity("film", address, "", system_now(), sandbox=begun_at is True)
    with pytest.raises(UsageInvalid, match=words) if words else nullcontext():
        access_with(sign).at(begun)


def test_a_gateway_on_this_machine_is_asked_about_like_any_provider(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AIMLAPI_API_KEY", "k")
    Path("shots.csv").write_text("id,prompt\na,Waves climb the steps\n")
    with serving(404, b"") as (address, _):
        monkeypatch.setenv("AIMLAPI_BASE_URL", address)
        assert call(["run", "shots.csv"]) == 2
    assert "no terminal to ask on" in capsys.readouterr().err


def test_a_new_folder_waits_until_something_answers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("AIMLAPI_BASE_URL", "http://127.0.0.1:9")
    Path("shots.csv").write_text("id,prompt\na,Waves climb the steps\n")
    code = call(["run", "shots.csv", "--yes"])
    assert (code, "nothing answers at http://127.0.0.1:9: start the server there" in capsys.readouterr().err) == (
        8,
        True,
    )
    assert not Path("outputs").exists()


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
