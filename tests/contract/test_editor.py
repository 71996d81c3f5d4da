"""The schema in an editor: the real yaml-language-server, driven over its standard streams, completes and checks.

WANBATCH_YAML_SERVER names its program (from npm: yaml-language-server); without it these tests are left out, since the
suite fetches nothing.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from wanbatch.cli import call

SERVER = os.environ.get("WANBATCH_YAML_SERVER", "")
LIMIT_S = 60.0
TEXT = "# yaml-language-server: $schema=./manifest.schema.json\nversion: 1\nshots:\n  - id: a\n    prompt: Snow\n    takes: many\n    \n"
needs_server = pytest.mark.skipif(not SERVER, reason="WANBATCH_YAML_SERVER names no yaml-language-server")


class Server:
    """A language server and the messages that it has sent."""

    def __init__(self, folder: Path) -> None:
        pipe = subprocess.PIPE
        self._process = subprocess.Popen(
            [SERVER, "--stdio"], stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL, bufsize=0
        )
        self._number = 0
        self._held = b""
        capabilities = {"textDocument": {"completion": {"completionItem": {}}, "hover": {}, "publishDiagnostics": {}}}
        self.ask("initialize", {"processId": None, "rootUri": folder.as_uri(), "capabilities": capabilities})
        self.tell("initialized", {})

    def tell(self, method: str, values: dict[str, Any], **more: Any) -> None:
        body = json.dumps({"jsonrpc": "2.0", "method": method, "params": values, **more}).encode()
        self._send(body)

    def ask(self, method: str, values: dict[str, Any]) -> Any:
        self._number += 1
        self.tell(method, values, id=self._number)
        return next(
            each["result"] for each in self.messages() if each.get("id") == self._number and "method" not in each
        )

    def messages(self) -> Iterator[dict[str, Any]]:
        while True:
            head, sign, rest = self._held.partition(b"\r\n\r\n")
            length = int(head.split(b":")[1].split()[0]) if sign else 0
            if not sign or len(rest) < length:
                assert self._process.stdout is not None
                assert select.select([self._process.stdout], [], [], LIMIT_S)[0], "the server says nothing"
                self._held += os.read(self._process.stdout.fileno(), 65536)
                continue
            self._held = rest[length:]
            message = json.loads(rest[:length])
            if "method" in message and "id" in message:  # it asks for settings: there are none
                result = [None for _ in message.get("params", {}).get("items", [])]
                self._send(json.dumps({"jsonrpc": "2.0", "id": message["id"], "result": result}).encode())
            yield message

    def _send(self, body: bytes) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)

    def end(self) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    assert call(["-q", "schema", "--install", "--folder", str(tmp_path)]) == 0
    made = Server(tmp_path)
    yield made
    made.end()


@needs_server
def test_the_schema_comment_gives_diagnostics_completion_and_hover(server: Server, tmp_path: Path) -> None:
    uri = (tmp_path / "film.yaml").as_uri()
    server.tell(
        "textDocument/didOpen", {"textDocument": {"uri": uri, "languageId": "yaml", "version": 1, "text": TEXT}}
    )
    found = next(
        each["params"]
        for each in server.messages()
        if each.get("method") == "textDocument/publishDiagnostics" and each["params"]["diagnostics"]
    )
    assert [(each["range"]["start"]["line"], each["message"]) for each in found["diagnostics"]] == [
        (5, 'Incorrect type. Expected "integer".')
    ]
    of = {"textDocument": {"uri": uri}}
    items = server.ask("textDocument/completion", {**of, "position": {"line": 6, "character": 4}})["items"]
    assert {"duration", "resolution", "seed", "notes"} <= {each["label"] for each in items}
    told = server.ask("textDocument/hover", {**of, "position": {"line": 5, "character": 6}})
    assert "How many tries at this shot" in json.dumps(told)


def test_the_setting_of_vs_code_is_added_to_those_that_are_there(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = tmp_path / ".vscode" / "settings.json"
    settings.parent.mkdir()
    settings.write_text('{"editor.tabSize": 2, "yaml.schemas": {"a.json": "*.yml"}}')
    assert call(["--json", "schema", "--install", "--folder", str(tmp_path)]) == 0
    files = ["/*.yaml", "/*.yml", "!*.map.yaml"]
    assert json.loads(settings.read_text()) == {
        "editor.tabSize": 2,
        "yaml.schemas": {"a.json": "*.yml", "./manifest.schema.json": files},
    }
    assert json.loads((tmp_path / "manifest.schema.json").read_text())["title"] == "wanbatch manifest"
    settings.write_text("{ // mine\n}")
    assert call(["schema", "--install", "--folder", str(tmp_path)]) == 2
    assert "is not plain JSON (it may have comments), so it was left as it is" in capsys.readouterr().err
    assert settings.read_text() == "{ // mine\n}"
