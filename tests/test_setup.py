"""The set-up of `make demo` and `make test`: which Python it takes, and what it says where there is none that will do."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).parent.parent
SCRIPT = CHECKOUT / ".ci" / "venv"
RANGE = ">=3.11,<3.14"
OLD = '#!/bin/sh\n[ "$1" = -V ] && echo Python 3.10.13 && exit\nexit 1\n'
NEW = f'#!/bin/sh\nexec {sys.executable} "$@"\n'
UV = f"""#!/bin/sh
echo "$@" >>asked
[ "$1" = venv ] || exit 0
mkdir -p .venv/bin
printf '#!/bin/sh\\nexec {sys.executable} "$@"\\n' >.venv/bin/python
chmod +x .venv/bin/python
"""


@dataclass(frozen=True)
class Room:
    """A folder to set up in, and the only programs that can be seen from there."""

    folder: Path
    programs: Path

    def add(self, name: str, text: str) -> Path:
        program = self.programs / name
        program.write_text(text, encoding="utf-8")
        program.chmod(0o755)
        return program

    def set_up(self, python: str = "") -> tuple[int, str, list[str]]:
        """Return the exit code, what was said, and which Pythons uv was asked for."""
        done = subprocess.run(
            ["/bin/sh", str(SCRIPT), "a.lock"],
            cwd=self.folder,
            env={"PATH": str(self.programs), "PYTHON": python},
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )
        asked = self.folder / "asked"
        calls = asked.read_text(encoding="utf-8").splitlines() if asked.exists() else []
        wanted = [call.split()[3] for call in calls if call.startswith("venv")]
        return done.returncode, done.stderr, wanted


@pytest.fixture
def room(tmp_path: Path) -> Room:
    made = Room(tmp_path / "p", tmp_path / "bin")
    made.folder.mkdir()
    made.programs.mkdir()
    for tool in ("rm", "mkdir", "chmod"):
        found = shutil.which(tool)
        assert found is not None
        (made.programs / tool).symlink_to(found)
    return made


@pytest.mark.parametrize(
    ("python3", "named", "wanted"),
    [(NEW, "", "python3"), (OLD, "", RANGE), (None, "", RANGE), (OLD, "python3", RANGE), (OLD, "3.13", "3.13")],
    ids=["python3 will do", "python3 is old", "no python3", "an old one is named", "a version is named"],
)
def test_uv_is_asked_for_a_python_that_is_new_enough(room: Room, python3: str | None, named: str, wanted: str) -> None:
    room.add("uv", UV)
    if python3 is not None:
        room.add("python3", python3)
    code, said, asked = room.set_up(named)
    assert (code, asked, "uv picks another one" in said) == (0, [wanted], named == "python3")


@pytest.mark.parametrize("left", ["old", "broken"])
def test_an_environment_whose_python_will_not_do_is_made_anew(room: Room, left: str) -> None:
    room.add("uv", UV)
    room.add("python3", NEW)
    (room.folder / ".venv" / "bin").mkdir(parents=True)
    python = room.folder / ".venv" / "bin" / "python"
    if left == "old":
        python.write_text(OLD, encoding="utf-8")
        python.chmod(0o755)
    else:
        python.symlink_to("/nowhere/python3.11")
    code, said, asked = room.set_up()
    assert (code, asked, said.count("it is made anew")) == (0, ["python3"], 1)


def test_an_environment_that_will_do_is_kept(room: Room) -> None:
    room.add("uv", UV)
    room.add("python3", NEW)
    first, second = room.set_up(), room.set_up()
    assert (first[0], second[0], second[2]) == (0, 0, ["python3"])


@pytest.mark.parametrize(
    ("named", "told"),
    [
        ("", "wanbatch needs Python 3.11 or newer; python3 is Python 3.10.13."),
        ("python3.19", "wanbatch needs Python 3.11 or newer, and there is no python3.19."),
    ],
)
def test_without_uv_a_python_that_will_not_do_is_named(room: Room, named: str, told: str) -> None:
    room.add("python3", OLD)
    code, said, _ = room.set_up(named)
    assert (code, said.startswith(told), (room.folder / ".venv").exists()) == (1, True, False)


def test_pages_and_scripts_name_the_pythons_of_the_classifiers() -> None:
    supported = re.findall(r"Python :: (3\.\d+)\"", (CHECKOUT / "pyproject.toml").read_text(encoding="utf-8"))
    oldest, newest = supported[0], supported[-1]
    after = f"3.{int(newest.partition('.')[2]) + 1}"
    told = {
        "README.md": f"Python {oldest} to {newest}",
        "CONTRIBUTING.md": f"Python {oldest} to {newest}",
        "docs/reference/settings.md": f"Python {', '.join(supported[:-1])} and {newest} are supported",
        ".ci/venv": f"'>={oldest},<{after}'",
    }
    assert [name for name, words in told.items() if words not in (CHECKOUT / name).read_text(encoding="utf-8")] == []
