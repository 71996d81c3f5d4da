"""How the tests are shared out: what is made once for a file is made on one worker; of many cases a sample is played."""

from __future__ import annotations

import pytest

from tests.conftest import worker_unit
from tests.sampling import left_out

BROWSER = "_browser.py"


@pytest.mark.parametrize(
    ("nodeid", "unit"),
    [
        ("tests/money/test_costs.py::test_a", "tests/money/test_costs.py"),
        ("tests/money/test_costs.py::test_a[x::y]", "tests/money/test_costs.py"),
        ("tests/test_locks.py::test_a[3.11]", "tests/test_locks.py"),
        ("tests/reporting/test_report_browser.py::test_a", BROWSER),
        ("tests/reporting/test_sheet_browser.py::test_a[400]", BROWSER),
        ("tests/cli/test_commands.py::test_a[1]", "tests/cli/test_commands.py::test_a[1]"),
        ("tests/docs/test_blocks.py::test_a", "tests/docs/test_blocks.py::test_a"),
        ("tests/simulation/test_simulation.py::test_a[7]", "tests/simulation/test_simulation.py::test_a[7]"),
    ],
)
def test_a_file_is_a_unit_but_browsers_share_one_and_slow_tests_go_one_by_one(nodeid: str, unit: str) -> None:
    assert worker_unit(nodeid) == unit


class Case:
    """A collected test with a mark, as far as a sample asks for it."""

    def __init__(self, nodeid: str, mark: pytest.MarkDecorator | None = None) -> None:
        self.nodeid = nodeid
        self._mark = None if mark is None else mark.mark

    def get_closest_marker(self, name: str) -> pytest.Mark | None:
        return self._mark if self._mark is not None and self._mark.name == name else None


def test_one_in_so_many_of_a_marked_test_is_played_and_every_other_test() -> None:
    third = pytest.mark.sampled(3)
    cases = [*(Case(f"t.py::a[{number}]", third) for number in range(5)), Case("t.py::b"), Case("t.py::c[x]", third)]
    assert [each.nodeid for each in left_out(cases)] == ["t.py::a[1]", "t.py::a[2]", "t.py::a[4]"]  # type: ignore[arg-type]


def test_what_is_marked_long_is_left_out() -> None:
    cases = [Case("t.py::a"), Case("t.py::b", pytest.mark.long)]
    assert [each.nodeid for each in left_out(cases)] == ["t.py::b"]  # type: ignore[arg-type]
