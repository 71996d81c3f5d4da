"""Exit codes: which of several a command ends with."""

from __future__ import annotations

from wanbatch.errors import ExitCode, most_urgent


def test_the_most_urgent_code_wins() -> None:
    order = [7, 6, 4, 5, 8, 3, 1, 0]
    assert [most_urgent([ExitCode(each), ExitCode.OK]) for each in order] == order
    assert most_urgent([ExitCode(code) for code in order]) == 7
    assert most_urgent([]) is ExitCode.OK
