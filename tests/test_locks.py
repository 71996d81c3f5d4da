"""The lock files: they match the bounds in pyproject.toml, and name no index, host or path."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

ROOT = Path(__file__).parent.parent
SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PROJECT, BUILD = SETTINGS["project"], SETTINGS["dependency-groups"]["build"]
EXTRAS = PROJECT["optional-dependencies"]
LOCKS = {
    "requirements.lock": BUILD,
    "requirements-dev.lock": [*EXTRAS["edit"], *EXTRAS["dev"], *BUILD],
    "requirements-docs.lock": [*EXTRAS["edit"], *EXTRAS["dev"], *EXTRAS["docs"], *BUILD],
    "requirements-lowest.lock": EXTRAS["edit"],
}

WITHOUT_WHEELS = {"3.14": {"opentimelineio", "otio-cmx3600-adapter"}}


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
    return [each for each in here if each.name.lower() not in {"wanbatch", *WITHOUT_WHEELS.get(python, ())}]


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13", "3.14"])
@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_holds_what_the_bounds_ask_for(lock: str, python: str) -> None:
    locked = pins(lock, python)
    stale = [
        str(each) for each in wanted(lock, python) if not each.specifier.contains(locked.get(each.name.lower(), ""))
    ]
    assert stale == [], "run `make lock`"


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13", "3.14"])
def test_the_lowest_lock_holds_the_lower_bounds(python: str) -> None:
    locked = pins("requirements-lowest.lock", python)
    floors = {
        each.name.lower(): next(s.version for s in each.specifier if s.operator == ">=")
        for each in wanted("requirements-lowest.lock", python)
    }
    padded = {name: re.sub(r"(\.0)+$", "", locked[name]) for name in floors}
    assert padded == {name: re.sub(r"(\.0)+$", "", floor) for name, floor in floors.items()}


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_nothing_that_has_no_wheels_for_a_python(lock: str) -> None:
    assert WITHOUT_WHEELS["3.14"] & pins(lock, "3.14").keys() == set()


def test_what_builds_the_wheel_is_locked_by_the_bounds_of_the_build() -> None:
    assert set(SETTINGS["build-system"]["requires"]) <= set(BUILD)


@pytest.mark.parametrize("python", ["3.11", "3.12", "3.13", "3.14"])
def test_the_lock_of_the_pages_changes_no_version_of_the_tests(python: str) -> None:
    tests, pages = pins("requirements-dev.lock", python), pins("requirements-docs.lock", python)
    assert {name: pages.get(name) for name in tests} == tests, (
        "both are installed into one environment: run `make lock`"
    )


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_names_no_index_and_no_place(lock: str) -> None:
    lines = (ROOT / lock).read_text(encoding="utf-8").splitlines()[1:]
    assert [line for line in lines if "://" in line or "/" in line or line.startswith("-")] == []
