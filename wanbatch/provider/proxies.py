"""Proxies: which one a request goes through, by the environment variables. Pure.

NO_PROXY is read as curl reads it (names and their subdomains, addresses, networks such as 10.0.0.0/8, `*`), and what
other programs write as well: brackets around an IPv6 address, a port, a scheme, `*.` in front. An unreadable variable
is reported, never ignored: a request must not go a way that was meant to be closed.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from urllib.parse import SplitResult, urlsplit

from wanbatch.errors import UsageInvalid

PROXY_NAMES = ("https_proxy", "HTTPS_PROXY", "all_proxy", "ALL_PROXY")
NO_PROXY_NAMES = ("no_proxy", "NO_PROXY")
_HTTPS_PORT = 443
_SCHEMES = frozenset({"http", "https"})
_SOCKS = frozenset({"socks5", "socks5h"})
_HOST = re.compile(r"[a-z0-9*_](?:[a-z0-9*_.-]*[a-z0-9*_])?\.?")
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


@dataclass(frozen=True)
class Direct:
    """One entry of NO_PROXY: a network or a host pattern, at one port or (None) at all."""

    network: _Network | None
    pattern: str
    port: int | None

    def holds(self, host: str, port: int) -> bool:
        """Say whether it covers a host, which is in lower case and without brackets."""
        if self.port not in (None, port):
            return False
        if self.network is not None:
            address = _address(host)
            return address is not None and address in self.network
        if "*" in self.pattern:
            return fnmatchcase(host, self.pattern)
        return host == self.pattern or host.endswith(f".{self.pattern}")


@dataclass(frozen=True)
class Route:
    """A proxy for https requests, and the hosts reached without it. `url` may hold a password: never show it.

    `name` is the variable that sets it.
    """

    name: str
    url: str
    address: str
    exceptions: tuple[Direct, ...]

    def is_direct(self, host: str, port: int | None) -> bool:
        """Say whether a host is reached without the proxy."""
        bare = host.strip("[]").rstrip(".").lower()
        return any(each.holds(bare, port if port is not None else _HTTPS_PORT) for each in self.exceptions)


def route_of(environment: Mapping[str, str], *, has_socks: bool) -> Route | None:
    """Read the proxy of https requests; None if there is none. `has_socks`: the library for SOCKS is installed.

    Raises UsageInvalid, naming the variable and never its value, which may hold a password.
    """
    name = next((each for each in PROXY_NAMES if environment.get(each, "").strip()), None)
    if name is None:
        return None
    url, parts = _proxy_url(name, environment[name].strip(), has_socks=has_socks)
    excepted = next((each for each in NO_PROXY_NAMES if environment.get(each, "").strip()), None)
    entries = [] if excepted is None else re.split(r"[,\s]+", environment[excepted].strip())
    return Route(
        name, url, parts.netloc.rpartition("@")[2], tuple(_exception(excepted or "", each) for each in entries if each)
    )


def _proxy_url(name: str, text: str, *, has_socks: bool) -> tuple[str, SplitResult]:
    url = text if "://" in text else f"http://{text}"
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise _refused(name, "is not a proxy address") from error
    scheme = parts.scheme.lower()
    if scheme.startswith("socks") and scheme not in _SOCKS:
        raise _refused(
            name, f"begins with {scheme}://, which does not name the SOCKS version: write socks5:// for version 5"
        )
    if scheme in _SOCKS and not has_socks:
        raise _refused(name, "names a SOCKS proxy, but the library for it is not installed: pip install 'httpx[socks]'")
    if scheme not in _SCHEMES | _SOCKS:
        raise _refused(name, "is neither an http:// nor a socks5:// proxy")
    if not host or not text.isascii() or not text.isprintable() or " " in text:
        raise _refused(name, "is not a proxy address")
    return url, parts


def _refused(name: str, why: str) -> UsageInvalid:
    return UsageInvalid(f"{name} {why}. Write it like http://proxy.example.com:3128, or unset it; nothing was sent")


def unusable(route: Route) -> UsageInvalid:
    """Return the error for an address that the HTTP library refuses."""
    return _refused(route.name, "is not a proxy address")


def _exception(name: str, entry: str) -> Direct:
    text = entry.lower().rpartition("://")[2].rstrip("/") if "://" in entry else entry.lower()
    network = _network(text)
    if network is not None:
        return Direct(network, "", None)
    host, colon, port = text.rpartition(":")
    if colon and port.isdigit() and int(port) < 2**16:
        network = _network(host)
        if network is not None:
            return Direct(network, "", int(port))
    else:
        host, port = text, ""
    pattern = host.removeprefix("*.").lstrip(".") or host
    try:
        pattern = pattern if pattern.isascii() else pattern.encode("idna").decode("ascii")
    except UnicodeError:
        pattern = ""
    if not _HOST.fullmatch(pattern):
        raise UsageInvalid(
            f"{name} holds '{_shown(entry)}', not a host, address or network: fix or remove it; nothing was sent"
        )
    return Direct(None, pattern.rstrip("."), int(port) if port else None)


def _shown(entry: str) -> str:
    return "".join(char if char.isprintable() else "?" for char in entry.rpartition("@")[2])[:80]


def _network(text: str) -> _Network | None:
    """Read an address or a network, in brackets or not; None if it is something else."""
    bare, slash, length = text.partition("/")
    if bare.startswith("[") and bare.endswith("]"):
        bare = bare[1:-1]
    try:
        return ipaddress.ip_network(f"{bare}{slash}{length}", strict=False)
    except ValueError:
        return None


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
