"""Where a link may lead: public addresses alone, however they are spelled and whatever a name is registered for."""

from __future__ import annotations

import asyncio
import socket
from ipaddress import ip_address

import httpx
import pytest

from wanbatch.addresses import address_in, is_public
from wanbatch.provider.cliphost import PRIVATE, ClipHost, refuse_link
from wanbatch.provider.protocol import FetchAnswer, Fetched, LinkDead, NoAnswer, Trouble
from wanbatch.provider.proxies import Route, route_of


@pytest.mark.parametrize(
    ("spelling", "address"),
    [
        ("127.0.0.1", "127.0.0.1"),
        ("127.1", "127.0.0.1"),
        ("127.0.1", "127.0.0.1"),
        ("2130706433", "127.0.0.1"),
        ("0x7f000001", "127.0.0.1"),
        ("0x7f.1", "127.0.0.1"),
        ("0X7F.0.0.0x1", "127.0.0.1"),
        ("0177.0.0.1", "127.0.0.1"),
        ("017700000001", "127.0.0.1"),
        ("10.1", "10.0.0.1"),
        ("169.254.43518", "169.254.169.254"),
        ("127.0.0.1.", "127.0.0.1"),
        ("[::1]", "::1"),
        ("fe80::1%eth0", "fe80::1"),
        ("0", "0.0.0.0"),
    ],
)
def test_an_address_is_read_in_any_spelling_that_a_resolver_takes(spelling: str, address: str) -> None:
    assert address_in(spelling) == ip_address(address)
    if ":" not in spelling and "%" not in spelling and not spelling.endswith("."):
        assert socket.inet_ntoa(socket.inet_aton(spelling)) == address


@pytest.mark.parametrize(
    "name",
    ["cdn.aimlapi.com", "1.2.3.4.5", "256.1.1.1", "4294967296", "0x", "08.1.1.1", "1..2", "", "x", "1.2.3.-4", "１.1"],
)
def test_what_is_a_name_is_no_address(name: str) -> None:
    assert address_in(name) is None


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0", "224.0.0.1", "240.0.0.1",
        "255.255.255.255", "192.0.2.1", "198.18.0.1", "::", "::1", "fe80::1", "fc00::1", "ff02::1", "::ffff:10.0.0.1", "::10.0.0.1",
        "64:ff9b::10.0.0.1", "2002:0a00:0001::", "2001:db8::1", "cdn.example.org", "",
    ],
)  # fmt: skip
def test_an_address_inside_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["1.1.1.1", "8.8.8.8", "2606:4700:4700::1111", "::ffff:1.1.1.1", "64:ff9b::1.1.1.1"]
)
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "host", ["127.1", "2130706433", "0x7f000001", "0177.0.0.1", "10.1", "[::ffff:10.0.0.1]", "[64:ff9b::a00:1]"]
)
def test_a_link_with_an_odd_spelling_of_a_private_address_is_refused(host: str) -> None:
    assert refuse_link(f"https://{host}/clip.mp4", is_loopback=False) == PRIVATE


class Lookup:
    """A resolver that answers the same each time, and tells what it was asked."""

    def __init__(self, *addresses: str) -> None:
        self.addresses = list(addresses)
        self.asked: list[tuple[str, int]] = []

    async def __call__(self, host: str, port: int) -> list[str]:
        self.asked.append((host, port))
        if not self.addresses:
            raise socket.gaierror(-2, "Name or service not known")
        return self.addresses


def fetched(
    lookup: Lookup, url: str = "https://cdn.example.org/clip.mp4", dead: str = "", route: Route | None = None
) -> tuple[FetchAnswer, list[tuple[str, str, str]]]:
    """Fetch over a line that refuses to connect to one address; return the answer, and each address, host and TLS name asked."""
    asked: list[tuple[str, str, str]] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append((request.url.host, request.headers["host"], request.extensions.get("sni_hostname", "")))
        if request.url.host == dead:
            raise httpx.ConnectError("refused")
        if request.url.path == "/away":
            return httpx.Response(302, headers={"location": "https://inside.example.org/clip.mp4"})
        return httpx.Response(200, stream=httpx.ByteStream(b"clip"))

    async def work() -> FetchAnswer:
        async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
            return await ClipHost(client, is_loopback=False, resolve=lookup, route=route).fetch(url, lambda _: None)

    return asyncio.run(work()), asked


def test_the_address_that_was_checked_is_the_one_that_is_asked_under_the_name_of_the_host() -> None:
    lookup = Lookup("1.1.1.1")
    assert fetched(lookup) == (Fetched(4), [("1.1.1.1", "cdn.example.org", "cdn.example.org")])
    assert lookup.asked == [("cdn.example.org", 443)]


@pytest.mark.parametrize("inside", ["10.0.0.1", "127.0.0.1", "169.254.169.254", "::1", "fd00::1", "::ffff:192.168.0.1"])
def test_a_name_that_is_registered_for_a_private_address_is_refused_unasked(inside: str) -> None:
    assert fetched(Lookup(inside)) == (LinkDead(PRIVATE), [])


def test_of_several_addresses_only_public_ones_are_asked_the_next_where_one_does_not_answer() -> None:
    answer, asked = fetched(Lookup("10.0.0.1", "1.1.1.1", "1.0.0.1"), dead="1.1.1.1")
    assert (answer, [address for address, *_ in asked]) == (Fetched(4), ["1.1.1.1", "1.0.0.1"])


def test_a_host_none_of_whose_addresses_answers_is_tried_again_later() -> None:
    answer, _ = fetched(Lookup("1.1.1.1"), dead="1.1.1.1")
    assert isinstance(answer, NoAnswer)
    assert answer.trouble is Trouble.TRANSIENT


def test_a_name_that_cannot_be_looked_up_is_tried_again_later() -> None:
    answer, asked = fetched(Lookup())
    assert isinstance(answer, NoAnswer)
    assert (answer.trouble, asked) == (Trouble.TRANSIENT, [])


def test_each_redirect_is_looked_up_again() -> None:
    class Two(Lookup):
        async def __call__(self, host: str, port: int) -> list[str]:
            await super().__call__(host, port)
            return ["1.1.1.1"] if host == "cdn.example.org" else ["10.0.0.1"]

    lookup = Two("1.1.1.1")
    answer, asked = fetched(lookup, "https://cdn.example.org/away")
    assert (answer, len(asked), [host for host, _ in lookup.asked]) == (
        LinkDead(PRIVATE),
        1,
        ["cdn.example.org", "inside.example.org"],
    )


def test_behind_a_proxy_the_proxy_looks_names_up() -> None:
    around = {"https_proxy": "http://127.0.0.1:3128", "no_proxy": "direct.example.org"}
    route = route_of(around, has_socks=False)
    lookup = Lookup("1.1.1.1")
    _, through = fetched(lookup, route=route)
    _, direct = fetched(lookup, "https://direct.example.org/clip.mp4", route=route)
    assert ([through[0][0], direct[0][0]], len(lookup.asked)) == (["cdn.example.org", "1.1.1.1"], 1)
