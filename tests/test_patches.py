"""Patches: what tests may replace in the program. A limit is a parameter or a field, never a name that is overwritten."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

TESTS = Path(__file__).parent
CONSTANT = re.compile(r"_?[A-Z][A-Z0-9_]+|__version__")
# Functions and methods of the program or of its libraries that tests still replace. They may only become fewer.
REPLACED = 91
REPLACING = ("setattr", "patch")  # a file that replaces anything has one of these words
# Constants that are still overwritten, by file.
KNOWN_CONSTANTS = {("simulation/seams.py", "GENERATION_LIMIT_S")}


@cache
def patched(path: Path) -> list[tuple[int, str]]:
    """Return each replacement, by pytest's monkeypatch or unittest's mock: its line, and the name that is replaced."""
    return list(_patched(path))


def _patched(path: Path) -> Iterator[tuple[int, str]]:
    text = path.read_text(encoding="utf-8")
    if not any(each in text for each in REPLACING):
        return  # to read a file as a tree takes long
    for node in ast.walk(ast.parse(text)):
        if not isinstance(node, ast.Call):
            continue
        called = ast.unparse(node.func)
        if (called.endswith(".setattr") and called != "object.setattr") or called.endswith(
            ("mock.patch", "patch.object")
        ):
            target, *more = node.args
        else:
            continue
        name = more[0] if called.endswith("patch.object") or len(node.args) > 2 else target
        yield node.lineno, name.value if isinstance(name, ast.Constant) else ast.unparse(name)
        if isinstance(name, ast.Name):
            yield from named_in_tables(path)


def named_in_tables(path: Path) -> Iterator[tuple[int, str]]:
    """Find what a file that replaces by a variable lists: (module, "NAME", value)."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Tuple) and len(node.elts) == 3 and isinstance(node.elts[1], ast.Constant):
            name = str(node.elts[1].value)
            if CONSTANT.fullmatch(name):
                yield node.lineno, name


def files() -> list[Path]:
    return sorted(path for path in TESTS.rglob("*.py") if path.parent.name != "mutants")


def replaced(path: Path) -> list[str]:
    return [name for _, name in patched(path) if not CONSTANT.fullmatch(name.rsplit(".", maxsplit=1)[-1])]


def test_no_test_overwrites_a_constant() -> None:
    found = {
        (str(path.relative_to(TESTS)), name)
        for path in files()
        for _, name in patched(path)
        if CONSTANT.fullmatch(name.rsplit(".", maxsplit=1)[-1])
    }
    assert found == KNOWN_CONSTANTS


def test_replaced_functions_become_fewer() -> None:
    counts = {str(path.relative_to(TESTS)): len(replaced(path)) for path in files() if path != Path(__file__)}
    assert 0 < sum(counts.values()) <= REPLACED, counts


def test_patches_are_found_in_each_of_their_forms(tmp_path: Path) -> None:
    path = tmp_path / "x.py"
    path.write_text(
        'patch.setattr(module, "LIMIT", 1)\npatch.setattr("package.module.LIMIT", 1)\npatch.setattr(module, name, 1)\n'
        'mock.patch("package.LIMIT", 1)\nmock.patch.object(module, "LIMIT", 1)\nTABLE = ((module, "LISTED", 1),)\n'
    )
    names = [name for _, name in patched(path)]
    assert names == ["LIMIT", "package.module.LIMIT", "name", "LISTED", "package.LIMIT", "LIMIT"]
