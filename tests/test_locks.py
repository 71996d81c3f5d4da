"""The lock files: they match the bounds in pyproject.toml, and name no index, host or path."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
EXTRAS = PROJECT["optional-dependencies"]
LOCKS = {
    "requirements.lock": [],
    "requirements-dev.lock": [*EXTRAS["edit"], *EXTRAS["dev"]],
    "requirements-lowest.lock": EXTRAS["edit"],
}


def environment(python: str) -> dict[str, str]:
    return {"python_version": python, "python_full_version": f"{python}.1", "sys_platform": "linux"}


def pins(lock: str, python: str) -> dict[str, str]:
    lines = (ROOT / lock).read_text(encoding="utf-8").splitlines()
    read = [Requirement(line.rstrip(" \\")) for line in lines if line and line[0].isalnum()]
    found = [each for each in read if each.marker is None or each.marker.evaluate(environment(python))]
    return {each.name.lower(): str(each.specifier).removeprefix("==") for each in found}


def wanted(lock: str, python: str) -> list[Requirement]:
    read = map(Requirement, [*PROJECT["dependencies"], *LOCKS[lock]])
    here = [each for each in read if each.marker is None or each.marker.evaluate(environment(python))]
    is_without = {"opentimelineio", "otio-cmx3600-adapter"} if python == "3.14" else set()
    return [each for each in here if each.name.lower() not in {"wanbatch", *is_without}]


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13", "3.14"])
@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_what_the_bounds_ask_for(lock: str, python: str) -> None:
    locked = pins(lock, python)
    stale = [
        str(each) for each in wanted(lock, python) if not each.specifier.contains(locked.get(each.name.lower(), ""))
    ]
    assert stale == [], "run `make lock`"


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13"])
def test_the_lowest_lock_holds_the_lower_bounds(python: str) -> None:
    locked = pins("requirements-lowest.lock", python)
    floors = {
        each.name.lower(): next(s.version for s in each.specifier if s.operator == ">=")
        for each in wanted("requirements-lowest.lock", python)
    }
    padded = {name: re.sub(r"(\.0)+$", "", locked[name]) for name in floors}
    assert padded == {name: re.sub(r"(\.0)+$", "", floor) for name, floor in floors.items()}


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_index_and_no_place(lock: str) -> None:
    lines = (ROOT / lock).read_text(encoding="utf-8").splitlines()[1:]
    assert [line for line in lines if "://" in line or "/" in line or line.startswith("-")] == []
