"""How the tests are shared out: what is made once for a file is made on one worker."""

from __future__ import annotations

import pytest

from tests.conftest import worker_unit

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
