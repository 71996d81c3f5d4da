"""Files that are written part by part: whole, or as they were; and not at all where nothing changed."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from wanbatch.disk import replace_parts


@pytest.mark.parametrize(
    ("before", "is_written"),
    [("one\ntwo\n", False), ("one\n", True), ("one\ntwo\nthree\n", True), ("one\nTWO\n", True), (None, True)],
)
def test_a_file_is_written_where_its_text_changed(tmp_path: Path, before: str | None, is_written: bool) -> None:
    path = tmp_path / "new" / "table.csv"
    if before is not None:
        path.parent.mkdir()
        path.write_text(before)
    old = path.stat().st_ino if before is not None else None
    told = replace_parts(path, ["one\n", "two\n"])
    assert (told, path.read_text(), [each.name for each in path.parent.iterdir()]) == (
        is_written,
        "one\ntwo\n",
        ["table.csv"],
    )
    assert (path.stat().st_ino == old) is not is_written


def test_a_part_that_cannot_be_made_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    def parts() -> Iterator[str]:
        yield "half"
        raise ValueError("the rest cannot be made")

    path = tmp_path / "table.csv"
    path.write_text("old")
    with pytest.raises(ValueError, match="the rest"):
        replace_parts(path, parts())
    assert (path.read_text(), [each.name for each in tmp_path.iterdir()]) == ("old", ["table.csv"])


def test_a_link_is_replaced_and_never_written_through(tmp_path: Path) -> None:
    mine = tmp_path / "mine"
    mine.write_text("text")
    path = tmp_path / "table.csv"
    path.symlink_to(mine)
    assert (replace_parts(path, ["text"]), path.is_symlink(), mine.read_text()) == (True, False, "text")
