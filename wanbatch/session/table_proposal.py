"""What `init --from` proposes for a table: the text of its map, and the table read by it."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from wanbatch.batch.shots import Batch
from wanbatch.disk import replacing
from wanbatch.errors import ManifestInvalid, Problem, UsageInvalid
from wanbatch.manifest import first_ones, load_manifest
from wanbatch.manifest.file_text import Located, map_path
from wanbatch.manifest.formats import located
from wanbatch.manifest.proposal import Proposed, columns_of, map_text, propose
from wanbatch.manifest.tree import Problems, ReadingStopped


@dataclass(frozen=True)
class TableProposal:
    """A proposed map: where it goes, its text and columns; the batch that it gives, or the problems that are left."""

    table: Located
    path: Path
    text: str
    columns: Sequence[Proposed]
    batch: Batch | None
    problems: Sequence[Problem] = ()

    def write(self) -> None:
        """Write the map. Raises UsageInvalid if there is one: it may hold what people decided."""
        if self.path.exists():
            raise UsageInvalid(f"{self.path} already exists: change it, or move it away. Nothing was written")
        with replacing(self.path) as part:
            part.write_text(self.text, encoding="utf-8")


def propose_map(source: Path) -> TableProposal:
    """Propose the map of a table, and read the table by it. Raises ManifestInvalid for what cannot be read at all."""
    table = located(source)
    problems = Problems(str(table.file))
    try:
        columns = columns_of(table, problems)
    except ReadingStopped as stopped:
        raise ManifestInvalid(first_ones(problems.found, "problems")) from stopped
    proposed = propose(columns)
    text = map_text(table.file.name, problems.sheet, proposed)
    batch, left = _tried(table, text)
    return TableProposal(table, map_path(table.file), text, proposed, batch, left)


def _tried(table: Located, text: str) -> tuple[Batch | None, Sequence[Problem]]:
    """Read a copy of the table with a map of this text beside it; its problems are those of the table."""
    with tempfile.TemporaryDirectory(prefix="wanbatch-") as folder:
        copy = Path(folder) / table.file.name
        copy.write_bytes(table.file.read_bytes())
        map_path(copy).write_text(text, encoding="utf-8")
        try:
            return load_manifest(copy, models_in=table.file.parent), ()
        except ManifestInvalid as error:
            files = {str(copy): str(table.file), str(map_path(copy)): str(map_path(table.file))}
            return None, [replace(each, file=files.get(each.file, each.file)) for each in error.problems]
