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
SCENES = """\
# yaml-language-server: $schema=./manifest.schema.json
version: 1
cast: {mara: a cartographer}
defaults: {template: {a: b}}
scenes:
  - {id: sc1, loction: pass}
  - id: sc2
    shots:
      - id: a
        \n"""
MAP = "# yaml-language-server: $schema=./map.schema.json\ncolums: {Shot: id}\nsheet: Act 1\n\n"
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

    def diagnostics(self, uri: str, text: str) -> list[tuple[int, str]]:
        """Open a document, and return the line and the message of each finding, once there is any."""
        document = {"uri": uri, "languageId": "yaml", "version": 1, "text": text}
        self.tell("textDocument/didOpen", {"textDocument": document})
        told = (each["params"] for each in self.messages() if each.get("method") == "textDocument/publishDiagnostics")
        found = next(each["diagnostics"] for each in told if each["uri"] == uri and each["diagnostics"])
        return [(each["range"]["start"]["line"], each["message"]) for each in found]

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
    found = server.diagnostics(uri, TEXT)
    assert found == [(5, 'Incorrect type. Expected "integer".')]
    of = {"textDocument": {"uri": uri}}
    items = server.ask("textDocument/completion", {**of, "position": {"line": 6, "character": 4}})["items"]
    assert {"duration", "resolution", "seed", "notes"} <= {each["label"] for each in items}
    told = server.ask("textDocument/hover", {**of, "position": {"line": 5, "character": 6}})
    assert "How many clips to make of this shot" in json.dumps(told)


@needs_server
def test_scenes_templates_and_maps_are_checked_and_completed(server: Server, tmp_path: Path) -> None:
    film, told = (tmp_path / "scenes.yaml").as_uri(), (tmp_path / "shots.map.yaml").as_uri()
    assert server.diagnostics(film, SCENES) == [
        (3, 'Incorrect type. Expected "string | array".'),
        (5, "Property loction is not allowed."),
    ]
    items = server.ask(
        "textDocument/completion", {"textDocument": {"uri": film}, "position": {"line": 9, "character": 8}}
    )
    assert {"prompt", "cast", "location", "matrix", "takes"} <= {each["label"] for each in items["items"]}
    assert server.diagnostics(told, MAP) == [(1, "Property colums is not allowed.")]
    items = server.ask(
        "textDocument/completion", {"textDocument": {"uri": told}, "position": {"line": 3, "character": 0}}
    )
    assert {"columns", "defaults", "limits", "budget"} <= {each["label"] for each in items["items"]}


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
        "yaml.schemas": {"a.json": "*.yml", "./manifest.schema.json": files, "./map.schema.json": ["*.map.yaml"]},
    }
    titles = [json.loads((tmp_path / f"{name}.schema.json").read_text())["title"] for name in ("manifest", "map")]
    assert titles == ["wanbatch manifest", "wanbatch map"]
    settings.write_text("{ // mine\n}")
    assert call(["schema", "--install", "--folder", str(tmp_path)]) == 2
    assert "is not plain JSON (it may have comments), so it was left as it is" in capsys.readouterr().err
    assert settings.read_text() == "{ // mine\n}"
