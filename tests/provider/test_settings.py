"""Settings of the environment and of a file: the key, the address, and which of them wins."""

from __future__ import annotations

from pathlib import Path

import pytest

from wanbatch.errors import UsageInvalid
from wanbatch.provider.endpoint import fingerprint, load_settings, read_endpoint


def test_the_environment_wins_over_the_file_and_the_file_is_told(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("AIMLAPI_KEY=from-file\nAIMLAPI_BASE_URL=https://api.example.org\n")
    from_file = load_settings({}, None, tmp_path)
    around = {"AIML_API_KEY": "from-environment", "AIMLAPI_BASE_URL": "https://other.example.org"}
    both = load_settings(around, None, tmp_path)
    assert from_file.key is not None
    assert both.key is not None
    assert (from_file.key.reveal(), both.key.reveal()) == ("from-file", "from-environment")
    assert any(".env" in notice for notice in from_file.notices)
    assert from_file.endpoint.base_url == "https://api.example.org"


@pytest.mark.parametrize(
    ("address", "is_refused"),
    [
        ("https://api.example.org", True),
        ("https://api.aimlapi.com.example.org", True),
        ("https://api.aimlapi.com:8443", True),
        ("https://api.aimlapi.com", False),
        ("HTTPS://API.aimlapi.com/", False),
        ("http://127.0.0.1:8000", False),
    ],
)
@pytest.mark.parametrize("is_named", [True, False])
def test_a_key_of_the_environment_does_not_go_where_a_file_says(
    tmp_path: Path, address: str, is_refused: bool, is_named: bool
) -> None:
    path = tmp_path / ".env"
    path.write_text(f"AIMLAPI_BASE_URL={address}\n")
    around = {"AIMLAPI_API_KEY": "from-environment"}
    named = path if is_named else None
    if is_refused:
        with pytest.raises(UsageInvalid, match="does not send it there") as caught:
            load_settings(around, named, tmp_path)
        assert "from-environment" not in str(caught.value)
    else:
        assert load_settings(around, named, tmp_path).key is not None
    agreed = load_settings({**around, "AIMLAPI_BASE_URL": address}, named, tmp_path)
    assert agreed.endpoint == read_endpoint(address)


def test_a_file_that_names_key_and_address_is_taken_whole_unless_the_environment_has_a_key(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("AIMLAPI_KEY=from-file\nAIMLAPI_BASE_URL=https://api.example.org\n")
    assert load_settings({}, None, tmp_path).endpoint.base_url == "https://api.example.org"
    with pytest.raises(UsageInvalid, match="does not send it there"):
        load_settings({"AIML_API_KEY": "from-environment"}, None, tmp_path)


def test_what_lies_between_here_and_the_provider_is_told_without_credentials(tmp_path: Path) -> None:
    around = {"https_proxy": "http://me:secret@proxy.example.org:3128", "SSL_CERT_FILE": "ca.pem"}
    assert load_settings(around, None, tmp_path).detours == (
        "requests go through the proxy proxy.example.org:3128",
        "certificates are checked against SSL_CERT_FILE",
    )
    assert load_settings({}, None, tmp_path).detours == ()
    here = {**around, "AIMLAPI_BASE_URL": "http://127.0.0.1:8000"}
    assert load_settings(here, None, tmp_path).detours == ()


def test_an_env_file_is_not_expanded(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("A=secret\nAIMLAPI_API_KEY=${A}x\n")
    settings = load_settings({}, None, tmp_path)
    assert settings.key is not None
    assert settings.key.reveal() == "${A}x"


@pytest.mark.parametrize("key", ["has space", "tail\r\nX-Evil: 1", "ünicode", "x" * 513, "tab\there"])
def test_a_key_that_is_no_header_value_is_refused_without_showing_it(tmp_path: Path, key: str) -> None:
    with pytest.raises(UsageInvalid) as caught:
        load_settings({"AIMLAPI_API_KEY": key}, None, tmp_path)
    assert key not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    ["http://api.example.org", "ftp://api.example.org", "api.example.org", "https://u:p@example.org", "https://", "https://[x",
     "https://example.org/?key=1", "http://10.0.0.1", "https://@example.org", "https://api.aimlapi.com@example.org",
     "https://example.org\\.aimlapi.com", "https://example.org\\@api.aimlapi.com", "https://exa\tmple.org", "https://exa\nmple.org",
     "https://example.org\x00", "https://example.org/a b", "https://ex%61mple.org", "https://ex\u0430mple.org", "\u200bhttps://example.org"],
)  # fmt: skip
def test_an_unsafe_address_is_refused(url: str) -> None:
    with pytest.raises(UsageInvalid):
        read_endpoint(url)


@pytest.mark.parametrize(
    ("url", "is_loopback"),
    [
        ("https://api.aimlapi.com/", False),
        ("http://127.0.0.1:8765", True),
        ("http://localhost:1", True),
        ("http://[::1]:1", True),
        ("HTTPS://API.aimlapi.com", False),
    ],
)
def test_good_addresses_are_taken(url: str, is_loopback: bool) -> None:
    endpoint = read_endpoint(url)
    assert (endpoint.is_loopback, endpoint.base_url.endswith("/")) == (is_loopback, False)
    assert endpoint.base_url == endpoint.base_url.lower()


@pytest.mark.parametrize(
    ("url", "same"),
    [
        ("https://api.aimlapi.com:443", "https://api.aimlapi.com"),
        ("https://api.aimlapi.com:443/v1", "https://api.aimlapi.com/v1"),
        ("http://127.0.0.1:80", "http://127.0.0.1"),
        ("https://[::1]:443", "https://[::1]"),
        ("http://127.0.0.1:443", "http://127.0.0.1:443"),
    ],
)
def test_an_address_has_one_spelling(url: str, same: str) -> None:
    assert read_endpoint(url).base_url == same


def test_a_fingerprint_tells_keys_apart_and_nothing_else() -> None:
    from wanbatch.provider.protocol import Secret

    first, second = fingerprint(Secret("a")), fingerprint(Secret("b"))
    assert (first != second, len(first), fingerprint(None)) == (True, 16, "")
