"""Plain text manifests, one prompt per line, read into the same nodes as YAML."""

from __future__ import annotations

from wanbatch.manifest.lookalikes import doubtful_lines, lookalikes
from wanbatch.manifest.made_id import MadeIds
from wanbatch.manifest.tree import Listing, Node, Place, Problems, Scalar, Table, start_of_file


def read_txt(text: str, problems: Problems) -> Node:
    """Read one prompt per line; blank lines and lines that begin with # are skipped.

    A line that is a row of a table, JSON, YAML or a macro of another tool is a problem: it would be
    bought. Raises ReadingStopped if there is no prompt at all.
    """
    lines = []
    for number, line in enumerate(text.split("\n"), 1):
        prompt = line.strip()
        if prompt and not prompt.startswith("#"):
            lines.append((number, len(line) - len(line.lstrip()) + 1, prompt))
    if not lines:
        raise problems.stop(start_of_file(), "this file has no prompt: write one per line")
    refused: set[int] = set()
    for each in lookalikes(lines):
        problems.add(Place(each.line, each.column), each.words)
        refused |= each.lines
    for each in doubtful_lines([line for line in lines if line[0] not in refused]):
        problems.warn(Place(each.line, each.column), each.words)
    ids, shots = MadeIds(), Listing(start_of_file())
    for number, column, prompt in lines:
        if number not in refused:
            shots.items.append(shot_of_text(prompt, Place(number, column), ids))
    return manifest_of(shots)


def shot_of_text(prompt: str, at: Place, ids: MadeIds) -> Table:
    """Make a shot from a prompt only."""
    made_id = ids.next_of(prompt)
    items: dict[str, Node] = {
        "id": Scalar(made_id, made_id, at),
        "prompt": Scalar(prompt, prompt, at, is_quoted=True),
    }
    return Table(at, items, {"id": at, "prompt": at})


def manifest_of(shots: Listing) -> Table:
    """Make a manifest from a list of shots only."""
    return Table(start_of_file(), {"shots": shots}, {"shots": start_of_file()}, is_made=True)
