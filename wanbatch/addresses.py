"""Network addresses: which of them are on the public internet, in any spelling. Pure.

A link to a clip comes from outside. It must not lead into the user's own network, whether by a private address, by an
odd spelling of one, or by a name that is registered for one.
"""

from __future__ import annotations

import ipaddress
from ipaddress import IPv4Address, IPv6Address

NAT64 = ipaddress.ip_network("64:ff9b::/96")  # RFC 6052: the last 32 bits are an IPv4 address
COMPATIBLE = ipaddress.ip_network("::/96")  # RFC 4291, deprecated, and still routed by some systems
_BASES = {"0x": 16, "0X": 16}


def is_public(address: str) -> bool:
    """Say whether an address in numbers is one of the public internet. False for what is not an address."""
    parsed = address_in(address)
    return parsed is not None and all(map(_is_public, _meant(parsed)))


def address_in(host: str) -> IPv4Address | IPv6Address | None:
    """Read a host that is an address in numbers, in any spelling that a resolver takes; None for a name.

    `127.1`, `2130706433`, `0x7f.1` and `0177.0.0.1` are all 127.0.0.1 (inet_aton of POSIX).
    """
    bare = host.removeprefix("[").removesuffix("]").rstrip(".")
    try:
        return ipaddress.ip_address(bare.partition("%")[0])
    except ValueError:
        return _old_spelling(bare)


def _old_spelling(text: str) -> IPv4Address | None:
    """Read one to four numbers, decimal, octal or hexadecimal, the last of which fills the rest of the 32 bits."""
    parts = text.split(".")
    numbers = [_number(part) for part in parts]
    if len(parts) > 4 or any(number is None for number in numbers):
        return None
    value = 0
    *leading, last = [number for number in numbers if number is not None]
    for number in leading:
        if number > 255:
            return None
        value = value << 8 | number
    rest_bits = 8 * (4 - len(leading))
    return IPv4Address(value << rest_bits | last) if last < 1 << rest_bits else None


def _number(text: str) -> int | None:
    if not text.isascii() or not text:
        return None
    base = _BASES.get(text[:2], 8 if text[0] == "0" and len(text) > 1 else 10)
    digits = text[2:] if base == 16 else text
    try:
        return int(digits, base) if digits.isalnum() else None
    except ValueError:
        return None


def _meant(address: IPv4Address | IPv6Address) -> list[IPv4Address | IPv6Address]:
    """Return an address and those that it carries inside, for gateways that unwrap it."""
    if isinstance(address, IPv4Address):
        return [address]
    inner = [address.ipv4_mapped, address.sixtofour, *(address.teredo or ())]
    if address in NAT64 or (address in COMPATIBLE and int(address) > 1):
        inner.append(IPv4Address(int(address) & 0xFFFF_FFFF))
    found: list[IPv4Address | IPv6Address] = [each for each in inner if each is not None]
    return found if address.ipv4_mapped is not None else [address, *found]


def _is_public(address: IPv4Address | IPv6Address) -> bool:
    return address.is_global and not address.is_multicast
