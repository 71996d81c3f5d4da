"""The sign of a sandbox: what listens on this machine says whether it is one, or it counts as a paid provider."""

from __future__ import annotations

from enum import StrEnum

from wanbatch.provider.bodies import AnswerInvalid, read_object
from wanbatch.provider.endpoint import Endpoint

PATH = "/sandbox"
SERVICE = "wanbatch sandbox"
LIMIT_S = 10.0  # a busy sandbox may take long, and one that says nothing counts as a paid provider
LIMIT_BYTES = 4_096


class Sign(StrEnum):
    """What an address says of itself."""

    SANDBOX = "sandbox"
    PROVIDER = "provider"  # something answers, and does not say that it is a sandbox
    NONE = "none"  # nothing listens there, or the address is on another machine


def sign_at(endpoint: Endpoint) -> Sign:
    """Ask an address of this machine, once and without the key, what it is. An address elsewhere is never asked."""
    if not endpoint.is_loopback:
        return Sign.NONE
    import httpx  # most commands never ask

    url = endpoint.base_url + PATH
    try:
        with httpx.Client(trust_env=False, timeout=LIMIT_S) as client, client.stream("GET", url) as answer:
            if answer.status_code != httpx.codes.OK or int(answer.headers.get("content-length", "-1")) > LIMIT_BYTES:
                return Sign.PROVIDER
            told = next(answer.iter_bytes(LIMIT_BYTES), b"")
    except httpx.ConnectError:
        return Sign.NONE
    except (httpx.HTTPError, httpx.InvalidURL, ValueError):  # late, cut off, or with a length that is not a number
        return Sign.PROVIDER
    try:
        service = read_object(told).get("service")
    except AnswerInvalid:
        service = None
    return Sign.SANDBOX if service == SERVICE else Sign.PROVIDER
