"""JSON that is a list of texts or shots without a manifest around it, and other things that people save as JSON."""

from __future__ import annotations

from wanbatch.manifest.made_id import MadeIds
from wanbatch.manifest.schemas import MANIFEST, fields_of_shots, schema
from wanbatch.manifest.synonyms import field_told
from wanbatch.manifest.text_file import manifest_of, shot_of_text
from wanbatch.manifest.tree import Listing, Node, Problems, Scalar, Table
from wanbatch.manifest.words import shown

_WANTED = 'write {"version": 1, "shots": [{"id": "sh010", "prompt": "..."}]}, or only a list of prompts: ["...", "..."]'


def manifest_in(root: Node | None, problems: Problems) -> Node | None:
    """Return a manifest around a bare list of prompts or shots. Anything else is returned unchanged.

    If no shot of the list has an id, ids are made from the prompts, as for text files. Raises ReadingStopped for a
    table that is not a manifest, if one sentence says how to fix it.
    """
    if isinstance(root, Listing) and root.items:
        return manifest_of(_shots_in(root, problems))
    if isinstance(root, Listing):
        raise problems.stop(root.at, f"this list is empty; {_WANTED}")
    if isinstance(root, Table) and not set(root.keys) & {"shots", "version"}:
        words = _other_table(root)
        if words:
            raise problems.stop(root.at, words)
    return root


def _shots_in(root: Listing, problems: Problems) -> Listing:
    ids, shots = MadeIds(), Listing(root.at)
    tables = [each for each in root.items if isinstance(each, Table)]
    has_ids = any("id" in each.keys for each in tables) or any(_foreign_ids(tables))
    for item in root.items:
        if isinstance(item, Scalar) and isinstance(item.value, str):
            if item.text.strip():
                shots.items.append(shot_of_text(item.text.strip(), item.at, ids))
            else:
                problems.add(item.at, "an empty string; write a prompt, or remove it from the list")
        elif isinstance(item, Table):
            shots.items.append(item if has_ids else _with_id(item, ids))
        else:
            what = "a list" if isinstance(item, Listing) else shown(item.value)
            what = "an empty value" if what == "empty" else what
            problems.add(
                item.at, f'{what} in the list; expected a prompt, or a shot: {{"id": "sh010", "prompt": "..."}}'
            )
    return shots


def _foreign_ids(tables: list[Table]) -> list[str]:
    """Return names that were meant as `id`: generated ids would hide them."""
    return [name for each in tables for name in each.keys if name not in fields_of_shots() and field_told(name) == "id"]


def _with_id(shot: Table, ids: MadeIds) -> Table:
    """Give a shot an id, unless it has no prompt: then only that problem is reported."""
    prompt = shot.items.get("prompt")
    made = ids.next_of(prompt.text.strip() if isinstance(prompt, Scalar) else "")
    shot.items["id"], shot.keys["id"] = Scalar(made, made, shot.at), shot.at
    return shot


def _other_table(root: Table) -> str:
    """Say what a table is if it is not a manifest; nothing if the problems of its fields say it better."""
    if (
        any(isinstance(each, Table) and "class_type" in each.keys for each in root.items.values())
        or "nodes" in root.keys
    ):
        return f"this looks like a ComfyUI workflow, not a manifest; {_WANTED}"
    lists = [name for name, each in root.items.items() if isinstance(each, Listing)]
    if len(lists) == 1 and not set(root.keys) & (set(schema(MANIFEST)["properties"]) - {"name"}):
        return f"{shown(lists[0])} is not a field of a manifest; {_WANTED}"
    if "prompt" in root.keys and set(root.keys) <= fields_of_shots():
        return f"this is one shot, not a manifest; put it in a list: [{{...}}], or {_WANTED}"
    if _is_keyed(root):
        first = next(iter(root.keys))
        words = f"shots under names such as {shown(first)}: wanbatch reads a list of shots, each with its id"
        return f'{words}; write [{{"id": {_quoted(first)}, "prompt": "..."}}, ...]'
    return ""


def _is_keyed(root: Table) -> bool:
    """Say whether a table maps ids to shots or prompts."""
    if not root.items or set(root.keys) & set(schema(MANIFEST)["properties"]):
        return False
    nodes = list(root.items.values())
    if all(isinstance(each, Table) for each in nodes):
        names = [name for each in nodes if isinstance(each, Table) for name in each.keys]
        return any(name == "prompt" or field_told(name) == "prompt" for name in names)
    texts = [each.text.strip() for each in nodes if isinstance(each, Scalar) and isinstance(each.value, str)]
    return len(texts) == len(nodes) and any(" " in text for text in texts)


def _quoted(name: str) -> str:
    return f'"{shown(name)[1:-1]}"'
