"""The schemas of a folder that the sandbox serves."""

from __future__ import annotations

import json
from pathlib import Path

from wanbatch.sandbox.models import models_served


def test_a_schema_that_was_added_to_the_folder_since_is_served(tmp_path: Path) -> None:
    before = set(models_served(tmp_path))
    schema = {"properties": {"model": {"const": "maker/lens"}}}
    (tmp_path / "lens.schema.json").write_text(json.dumps(schema))
    assert set(models_served(tmp_path)) - before == {"maker/lens"}
