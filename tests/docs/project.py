"""A folder in which a reader tries the pages: commands, programs and files, offline and six hundred times faster."""

from __future__ import annotations

import contextlib
import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from tests.docs.pages import ROOT, Block
from wanbatch.cli import call

PROGRAM = f"""\
#!/bin/sh
exec {sys.executable} -m wanbatch "$@"
"""
_SHELL = set("|&;<>()$`\\*?[{~")  # with one of these outside of quotes, a line needs a shell
_COMPOUND = re.compile(r"^(case|for|if|while) ", re.MULTILINE)
_SPED = {"run", "retry", "retake", "demo"}
_KEYS = ("AIMLAPI_API_KEY", "AIML_API_KEY", "AIMLAPI_KEY", "AIMLAPI_BASE_URL", "FORCE_COLOR", "NO_COLOR")


@dataclass
class Project:
    """A home with a `wanbatch` program, and the folder that the blocks before left."""

    home: Path
    where: Path
    kept: Path
    names: dict[str, object] = field(default_factory=dict)

    @classmethod
    def of(cls, home: Path, kept: Path) -> Project:
        """Begin in an empty home, or in the copy of another one. `kept` holds the clips that sandboxes have drawn."""
        programs = home / "bin"
        programs.mkdir(parents=True, exist_ok=True)
        for name, text in (("wanbatch", PROGRAM), ("python", f'#!/bin/sh\nexec {sys.executable} "$@"\n')):
            (programs / name).write_text(text, encoding="utf-8")
            (programs / name).chmod(0o755)
        return cls(home, home, kept)

    @property
    def surroundings(self) -> dict[str, str]:
        """What a program of the reader sees: no key, no proxy, a browser that does nothing."""
        path = os.pathsep.join([str(self.home / "bin"), os.environ["PATH"]])
        own = {"HOME": str(self.home), "XDG_CACHE_HOME": str(self.home / "cache"), "PATH": path, "BROWSER": "true"}
        modules = os.pathsep.join([str(ROOT / "tests" / "docs" / "startup"), str(ROOT)])
        quick = {"KEPT_CLIPS": str(self.kept), "PYTHONPATH": modules}
        return own | quick | {"LANG": "C.UTF-8", "COLUMNS": "110"}

    def run(self, block: Block) -> str:
        """Run a block; return what it says. Fails with all of it where a line ends with another code than it should.

        A line that is one call of wanbatch is run in this process; all else is for a shell.
        """
        if _COMPOUND.search(block.text):
            return self._run_in_shell(block.text, 0, block.place)
        said = ""
        for line, code in block.commands:
            words = _words_of(line)
            said += (
                self._run_in_shell(line, code, block.place) if words is None else self._call(words, code, block.place)
            )
        return said

    def _call(self, words: list[str], code: int, place: str) -> str:
        if _SPED & set(words) and "--speed" not in words:
            words = [*words, "--speed", "600"]  # what a reader types, but for the time that it takes
        said = io.StringIO()
        with self._inside(), contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
            found = call(words)
        assert found == code, (
            f"{place}: exit code {found} instead of {code}: wanbatch {' '.join(words)}\n{said.getvalue()}"
        )
        return said.getvalue()

    @contextlib.contextmanager
    def _inside(self) -> Iterator[None]:
        before = dict(os.environ)
        for name in _KEYS:
            os.environ.pop(name, None)
        os.environ |= self.surroundings
        try:
            with contextlib.chdir(self.where):
                yield
        finally:
            os.environ.clear()
            os.environ |= before

    def _run_in_shell(self, text: str, code: int, place: str) -> str:
        script = f"set -e -o pipefail\ntrap 'pwd >\"$HOME/where\"' EXIT\n{text}\n"
        done = self._start(["bash", "-c", script])
        assert done.returncode == code, (
            f"{place}: exit code {done.returncode} instead of {code}:\n{text}\n{done.stdout}"
        )
        self.where = Path((self.home / "where").read_text(encoding="utf-8").strip())
        return done.stdout

    def run_python(self, block: Block) -> str:
        """Run a program with the names of those before it on the page; return what it says."""
        said = io.StringIO()
        program = compile("\n" * block.line + block.text, block.page, "exec")
        with self._inside(), contextlib.redirect_stdout(said):
            exec(program, self.names)
        return said.getvalue()

    def _start(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.where,
            env=self.surroundings,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
            timeout=100,
        )


def _words_of(line: str) -> list[str] | None:
    """Return the words of a line that is one call of wanbatch; None for a line that a shell has to read.

    `open` leaves a browser behind, which is not a child for the process of the tests.
    """
    bare = shlex.shlex(line, punctuation_chars=True)
    bare.whitespace_split = True
    words = list(bare)  # quotes are still there
    if (
        words[:1] != ["wanbatch"]
        or "open" in words
        or any(_SHELL & set(word) for word in words if word[0] not in "'\"")
    ):
        return None
    return shlex.split(line, comments=True)[1:]
