"""The sign of a sandbox: what does not say that it is one counts as a paid provider."""

from __future__ import annotations

import http.server
import json
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from wanbatch.provider.endpoint import read_endpoint
from wanbatch.provider.sandbox_sign import LIMIT_BYTES, Sign, sign_at


@contextmanager
def serving(status: int, body: bytes, headers: dict[str, str] | None = None) -> Iterator[tuple[str, list[str]]]:
    """Serve one answer to every request on this machine; yields the address and the requests that came."""
    asked: list[str] = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(f"{self.path} {self.headers.get('authorization', 'without a key')}")
            self.send_response(status)
            for name, value in ({"content-length": str(len(body))} if headers is None else headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}", asked
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


OURS = json.dumps({"service": "wanbatch sandbox"}).encode()


@pytest.mark.parametrize(
    ("status", "body", "headers", "sign"),
    [
        (200, OURS, None, Sign.SANDBOX),
        (200, OURS, {}, Sign.SANDBOX),
        (404, OURS, None, Sign.PROVIDER),
        (301, b"", {"location": "/elsewhere", "content-length": "0"}, Sign.PROVIDER),
        (200, b'{"service": "a gateway"}', None, Sign.PROVIDER),
        (200, b'{"service": ["wanbatch sandbox"]}', None, Sign.PROVIDER),
        (200, b'["wanbatch sandbox"]', None, Sign.PROVIDER),
        (200, b"wanbatch sandbox", None, Sign.PROVIDER),
        (200, b"", None, Sign.PROVIDER),
        (200, b"[" * 4_000, None, Sign.PROVIDER),
        (200, OURS + b" " * LIMIT_BYTES, None, Sign.PROVIDER),
        (200, OURS + b" " * LIMIT_BYTES + b"x", {}, Sign.SANDBOX),
    ],
)
def test_only_what_says_so_is_a_sandbox(status: int, body: bytes, headers: dict[str, str] | None, sign: Sign) -> None:
    with serving(status, body, headers) as (address, asked):
        assert (sign_at(read_endpoint(address)), asked) == (sign, ["/sandbox without a key"])


def test_where_nothing_answers_nothing_is_said() -> None:
    assert sign_at(read_endpoint("http://127.0.0.1:9")) is Sign.NONE


def test_an_address_elsewhere_is_never_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "httpx", None)  # there is nothing to ask with
    assert sign_at(read_endpoint("https://api.provider.test")) is Sign.NONE
