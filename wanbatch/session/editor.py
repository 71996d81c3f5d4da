"""The setting of an editor: VS Code checks and completes the manifests of a folder by the schema beside them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from wanbatch.disk import make_folder, replace_text
from wanbatch.errors import UsageInvalid
from wanbatch.manifest.file_text import MAP_ENDING
from wanbatch.manifest.schemas import MANIFEST, MAP, schema_text

_NAME = "{}.schema.json"
SETTINGS = Path(".vscode/settings.json")
_FILES = {MANIFEST: ["/*.yaml", "/*.yml", f"!*{MAP_ENDING}"], MAP: [f"*{MAP_ENDING}"]}


def install_schema(folder: Path) -> list[Path]:
    """Write the schemas of manifests and maps into a folder, and name them in the settings of VS Code there; return the
    files.

    Other settings stay. Raises UsageInvalid for settings that are not plain JSON.
    """
    settings = folder / SETTINGS
    held = _held(settings)
    schemas: Any = held.setdefault("yaml.schemas", {})
    if not isinstance(schemas, dict):
        raise UsageInvalid(f"{settings}: yaml.schemas is not a table, so nothing was added to it. Nothing was written")
    schemas |= _wanted()
    make_folder(settings.parent)
    for name in _FILES:
        replace_text(folder / _NAME.format(name), schema_text(name))
    replace_text(settings, json.dumps(held, ensure_ascii=False, indent=2) + "\n")
    return [*(folder / _NAME.format(name) for name in _FILES), settings]


def _wanted() -> dict[str, list[str]]:
    return {f"./{_NAME.format(name)}": files for name, files in _FILES.items()}


def _held(settings: Path) -> dict[str, Any]:
    """Return the settings that are there already; empty without any."""
    if not settings.is_file():
        return {}
    try:
        held = json.loads(settings.read_text(encoding="utf-8") or "{}")
    except ValueError as error:
        held = error
    if not isinstance(held, dict):
        words = f'add this to it yourself: "yaml.schemas": {json.dumps(_wanted())}'
        raise UsageInvalid(f"{settings} is not plain JSON (it may have comments), so it was left as it is; {words}")
    return held
