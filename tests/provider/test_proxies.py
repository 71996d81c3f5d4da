"""Proxies: variables as companies and desktops set them are understood, or named in one line."""

from __future__ import annotations

import asyncio
import socket
import ssl
import sys
import threading
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest

from wanbatch.cli import call
from wanbatch.errors import UsageInvalid
from wanbatch.provider.endpoint import load_settings
from wanbatch.provider.proxies import PROXY_NAMES, route_of
from wanbatch.provider.wire import make_client, route_here

PROXY = {"https_proxy": "http://proxy.example.com:3128"}
HERE = ("AIMLAPI_API_KEY", "AIML_API_KEY", "AIMLAPI_KEY", "AIMLAPI_BASE_URL", "NO_PROXY", "no_proxy", *PROXY_NAMES)


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in HERE:
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)


def is_direct(no_proxy: str, host: str, port: int | None = None) -> bool:
    route = route_of({**PROXY, "NO_PROXY": no_proxy}, has_socks=False)
    assert route is not None
    return route.is_direct(host, port)


@pytest.mark.parametrize(
    ("no_proxy", "host", "port", "wanted"),
    [
        ("example.com", "example.com", None, True),
        ("example.com", "api.example.com", None, True),
        ("example.com", "notexample.com", None, False),
        (".example.com", "example.com", None, True),
        (".example.com", "api.example.com", None, True),
        ("*.example.com", "api.example.com", None, True),
        ("EXAMPLE.com.", "api.example.com", None, True),
        ("example.com", "API.EXAMPLE.COM.", None, True),
        ("*", "anything.org", None, True),
        ("a.org, b.org c.org", "c.org", None, True),
        ("a.org,,", "b.org", None, False),
        ("https://api.example.com/", "api.example.com", None, True),
        ("example.com:443", "example.com", None, True),
        ("example.com:8443", "example.com", None, False),
        ("example.com:8443", "example.com", 8443, True),
        ("::1", "::1", None, True),
        ("[::1]", "::1", None, True),
        ("[::1]", "[::1]", None, True),
        ("[::1]:8443", "::1", 8443, True),
        ("[::1]:8443", "::1", None, False),
        ("0:0::1", "::1", None, True),
        ("[fd00::]/8", "fd12::7", None, True),
        ("fd00::/8", "fe80::7", None, False),
        ("10.0.0.0/8", "10.20.30.40", None, True),
        ("10.0.0.7/8", "10.20.30.40", None, True),
        ("10.0.0.0/8", "11.20.30.40", None, False),
        ("10.0.0.0/8", "host.org", None, False),
        ("192.168.*", "192.168.7.9", None, True),
        ("192.168.1.1", "1192.168.1.1", None, False),
        ("10.0.0.0/8", "::ffff:10.1.1.1", None, True),
        ("bücher.example", "xn--bcher-kva.example", None, True),
        ("some_host", "some_host", None, True),
    ],
)  # fmt: skip
def test_no_proxy_is_read_as_other_programs_read_it(no_proxy: str, host: str, port: int | None, wanted: bool) -> None:
    assert is_direct(no_proxy, host, port) is wanted


@pytest.mark.parametrize(
    "entry", ["[::1", "10.0.0.0/99", "a b/c?", "host:port", "ex ample!.com", "-", "[host]", "::1]"]
)
def test_an_entry_of_no_proxy_that_cannot_be_read_is_named(entry: str) -> None:
    with pytest.raises(UsageInvalid, match=r"no_proxy holds '.*', not a host"):
        route_of({**PROXY, "no_proxy": f"localhost,{entry.rsplit(maxsplit=1)[-1]}"}, has_socks=False)


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, None),
        ({"https_proxy": "  "}, None),
        ({"HTTP_PROXY": "garbage://"}, None),  # plain http is never asked for
        ({"NO_PROXY": "[::1"}, None),  # without a proxy nothing is excepted from it
        ({"https_proxy": "proxy.example.com:3128"}, "http://proxy.example.com:3128"),
        ({"HTTPS_PROXY": "http://up.example:1", "ALL_PROXY": "socks://127.0.0.1:1080"}, "http://up.example:1"),
        ({"https_proxy": "http://low.example:1", "HTTPS_PROXY": "http://up.example:1"}, "http://low.example:1"),
        ({"all_proxy": "https://p.example"}, "https://p.example"),
    ],
)
def test_the_proxy_is_found(environment: dict[str, str], wanted: str | None) -> None:
    route = route_of(environment, has_socks=False)
    assert (None if route is None else route.url) == wanted


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("socks://127.0.0.1:1080", "write socks5://"),
        ("socks4://127.0.0.1:1080", "write socks5://"),
        ("socks5://127.0.0.1:1080", "library for it is not installed"),
        ("socks5h://127.0.0.1:1080", "library for it is not installed"),
        ("ftp://proxy.example", "neither an http:// nor a socks5://"),
        ("http://", "is not a proxy address"),
        ("http://proxy:notaport", "is not a proxy address"),
        ("http://proxy:99999", "is not a proxy address"),
        ("http://[::1", "is not a proxy address"),
        ("http://me:secret#word@proxy:3128", "is not a proxy address"),
        ("http://pro xy:3128", "is not a proxy address"),
        ("://", "neither an http:// nor"),
    ],
)
def test_a_proxy_that_cannot_be_used_is_named_without_its_value(value: str, told: str) -> None:
    with pytest.raises(UsageInvalid) as caught:
        route_of({"ALL_PROXY": value}, has_socks=False)
    text = str(caught.value)
    assert (text.startswith("ALL_PROXY "), told in text, "secret" in text, "\n" in text) == (True, True, False, False)


def test_with_its_library_a_socks_proxy_is_used() -> None:
    route = route_of({"ALL_PROXY": "socks5h://me:secret@127.0.0.1:1080"}, has_socks=True)
    assert route is not None
    assert (route.url, route.address) == ("socks5h://me:secret@127.0.0.1:1080", "127.0.0.1:1080")


def test_a_provider_that_is_excepted_is_not_said_to_be_behind_a_proxy(tmp_path: Path) -> None:
    around = {**PROXY, "NO_PROXY": ".aimlapi.com"}
    assert load_settings(around, None, tmp_path).detours == ()
    assert load_settings(PROXY, None, tmp_path).detours == ("requests go through the proxy proxy.example.com:3128",)


@contextmanager
def listening() -> Iterator[tuple[int, list[bytes]]]:
    """A port of this machine that keeps the first line of each connection and answers 503."""
    heard: list[bytes] = []
    with closing(socket.create_server(("127.0.0.1", 0))) as server:

        def serve() -> None:
            while True:
                try:
                    line, _ = server.accept()
                except OSError:
                    return
                with line:
                    heard.append(line.recv(4096).split(b"\r\n")[0])
                    line.sendall(b"HTTP/1.1 503 no\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1], heard
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join(5)


@pytest.mark.parametrize(
    ("no_proxy", "wanted"),
    [
        ("localhost,127.0.0.1,::1,[::1]", [b"CONNECT provider.invalid:443 HTTP/1.1"]),
        ("provider.invalid", []),
        ("*.invalid", []),
    ],
)
def test_a_request_goes_through_the_proxy_or_past_it(
    no_proxy: str, wanted: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def ask() -> None:
        client = make_client({}, ssl.create_default_context(), route=route_here(), transport=None)
        with pytest.raises(httpx.TransportError):  # the proxy refuses; past it the name leads nowhere
            await client.get("https://provider.invalid/x")
        await client.aclose()

    with listening() as (port, heard):
        monkeypatch.setenv("https_proxy", f"127.0.0.1:{port}")
        monkeypatch.setenv("no_proxy", no_proxy)
        asyncio.run(ask())
    assert heard == wanted


COMMANDS = [
    ["plan", "small.csv"],
    ["run", "small.csv", "--yes"],
    ["balance"],
]


@pytest.mark.parametrize("command", COMMANDS, ids=lambda words: words[0])
@pytest.mark.parametrize(
    ("name", "around"),
    [("HTTPS_PROXY", {"HTTPS_PROXY": "socks5://127.0.0.1:1"}), ("NO_PROXY", {**PROXY, "NO_PROXY": "[::1"})],
    ids=["socks", "exception"],
)
def test_every_command_that_asks_the_provider_names_the_variable(
    command: list[str],
    name: str,
    around: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setitem(sys.modules, "socksio", None)  # as where the SOCKS library is not installed
    Path("small.csv").write_text("id,prompt\na,first\n")
    for variable, value in {"AIMLAPI_API_KEY": "made-up", **around}.items():
        monkeypatch.setenv(variable, value)
    code = call(command)
    told = capsys.readouterr().err.splitlines()
    assert (code, told[-1].startswith(f"wanbatch: {name} "), Path("outputs").exists()) == (2, True, False)
