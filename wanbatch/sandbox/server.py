"""Serving the sandbox on loopback: the API on one port, the clip host on another."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import signal
import socket
import sys
from asyncio import Transport
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from typing import Any

import uvicorn
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

from wanbatch.clock import LoopClock, system_now
from wanbatch.errors import LocalFault
from wanbatch.sandbox.account import open_account
from wanbatch.sandbox.app import Sandbox
from wanbatch.sandbox.options import SandboxOptions, is_loopback

RENDERERS = 2  # threads: encoding releases the interpreter
_ENDING = [signal.SIGINT, signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]
CUT_LIMIT_S = 5.0  # for a client that does not read what was sent before the cut
_CONNECTIONS: dict[tuple[str, int], _Droppable] = {}


class _Droppable(H11Protocol):
    """An HTTP connection that can be found by its peer, so that a fault can cut it."""

    def connection_made(self, transport: Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self.closed = asyncio.Event()
        if self.client is not None:
            _CONNECTIONS[self.client] = self

    def connection_lost(self, exc: Exception | None) -> None:
        self.closed.set()
        if self.client is not None:
            _CONNECTIONS.pop(self.client, None)
        super().connection_lost(exc)


async def _cut(request: Request) -> None:
    """Close the connection of a request, after what was sent so far; waits until it is closed."""
    assert request.client is not None
    connection = _CONNECTIONS.get((request.client.host, request.client.port))
    if connection is not None:
        connection.transport.close()
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(connection.closed.wait(), CUT_LIMIT_S)
        connection.transport.abort()


class _Server(uvicorn.Server):
    """A server that leaves signals to us."""

    @contextlib.contextmanager
    def capture_signals(self) -> Any:
        yield


def serve(options: SandboxOptions, *, on_ready: Callable[[str], None], stop_on_stdin_eof: bool = False) -> None:
    """Serve until interrupted. `on_ready` gets the base URL once both ports answer.

    Raises LocalFault if the port is taken or the account cannot be kept.
    """
    with contextlib.suppress(KeyboardInterrupt):
        asyncio.run(serving(options, on_ready, stop_on_stdin_eof=stop_on_stdin_eof))


async def serving(options: SandboxOptions, on_ready: Callable[[str], None], *, stop_on_stdin_eof: bool) -> None:
    """Serve as `serve` does, in the running loop, until one of the ending signals arrives."""
    account, now = open_account(options, system_now().timestamp())
    clock = LoopClock(datetime.fromtimestamp(now, UTC), options.speed)
    with (
        contextlib.closing(account),
        _listener(options.host, options.port) as api_socket,
        _listener(options.host, 0) as clip_socket,
    ):
        sandbox = Sandbox(options, account, clock, _origin(clip_socket))
        sandbox.drop, sandbox.executor = _cut, ThreadPoolExecutor(RENDERERS, "slate")
        logging.getLogger("uvicorn.error").setLevel(logging.CRITICAL)
        servers = [_server(sandbox.api), _server(sandbox.clips)]
        stopping = asyncio.Event()
        loop = asyncio.get_running_loop()
        for number in _ENDING:
            if signal.getsignal(number) is not signal.SIG_IGN:  # what the parent process ignores stays ignored
                with contextlib.suppress(NotImplementedError):
                    loop.add_signal_handler(number, stopping.set)
        if stop_on_stdin_eof:
            loop.add_reader(sys.stdin.fileno(), lambda: _at_eof(stopping, loop))
        async with asyncio.TaskGroup() as group:
            for server, listener in zip(servers, (api_socket, clip_socket), strict=True):
                group.create_task(server.serve(sockets=[listener]))
            while not all(server.started for server in servers):  # noqa: ASYNC110  uvicorn has no event for it
                await asyncio.sleep(0.005)
            on_ready(_origin(api_socket))
            await stopping.wait()
            for server in servers:
                server.should_exit = True
                server.force_exit = True
        sandbox.close()


def _at_eof(stopping: asyncio.Event, loop: asyncio.AbstractEventLoop) -> None:
    if not os.read(sys.stdin.fileno(), 4096):
        loop.remove_reader(sys.stdin.fileno())
        stopping.set()


class OwnHost:
    """An application that only answers requests to this machine's own names and addresses.

    A web page elsewhere can point its own name to this machine and then talk to what listens here.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, or refuse it with 421."""
        named = [value.decode("latin-1") for name, value in scope.get("headers", ()) if name == b"host"]
        if len(named) == 1 and is_loopback(_without_port(named[0])):
            await self._app(scope, receive, send)
        else:
            refusal = PlainTextResponse("The sandbox answers only to the names of this machine.\n", 421)
            await refusal(scope, receive, send)


def _without_port(host: str) -> str:
    name, _, port = host.rpartition(":")
    bare = name if name and port.isdigit() else host
    return bare.lower().removeprefix("[").removesuffix("]")


def _server(app: Any) -> uvicorn.Server:
    config = uvicorn.Config(
        OwnHost(app),
        http=_Droppable,
        ws="none",
        lifespan="off",
        log_level="critical",
        access_log=False,
        server_header=False,
        date_header=False,
        timeout_keep_alive=60,
    )
    return _Server(config)


def _listener(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named, else asyncio leaves Nagle on and each answer needs 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(256)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise LocalFault(f"the sandbox cannot listen on {host}:{port}: {error.strerror}") from error
    return listener


def _origin(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
