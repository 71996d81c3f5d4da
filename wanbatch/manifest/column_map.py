"""The column map of a table: which field each of its columns is read as, under whatever name people gave it."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from difflib import get_close_matches

from wanbatch.batch.shots import OWN
from wanbatch.manifest.fields import OF_TEXTS, columns_of_shots
from wanbatch.manifest.schemas import fields_of_shots
from wanbatch.manifest.synonyms import folded, is_own, own_name, unknown_field
from wanbatch.manifest.tree import Listing, Node, Place, Problems, Scalar, Table
from wanbatch.manifest.words import one_of, shown

IGNORE, KEEP, WITHIN_SCENE, FILL_DOWN = "ignore", "keep", "id within scene", "fill down"
_FILLED = re.compile(rf"(.+?)\s*,\s*{FILL_DOWN}", re.IGNORECASE)
_APPENDED = re.compile(r"append to (\w+)")
APPENDABLE = ("prompt", "negative_prompt", "notes")
_ENDS = ".!?…,;:\u3002\uff01\uff1f"
_COLUMNS_SHOWN = 8


@dataclass(frozen=True)
class Use:
    """What a column is read as: a field, a part `appended` to the text of one, or nothing if it is ignored.

    `is_within_scene` says that it numbers the shots of a scene, so that the id is made of both; `is_filled`, that an
    empty cell means what the one above it means.
    """

    field: str = ""
    is_appended: bool = False
    is_within_scene: bool = False
    is_filled: bool = False


@dataclass(frozen=True)
class ColumnMap:
    """The uses of columns by their folded names, each name as it was written, and its place in the map."""

    uses: Mapping[str, Use] = field(default_factory=dict)
    names: Mapping[str, str] = field(default_factory=dict)
    places: Mapping[str, Place] = field(default_factory=dict)

    def use_of(self, column: str) -> Use | None:
        """Return what a column is read as; None if the map does not name it."""
        return self.uses.get(folded(column)) if self.uses else None

    def tell_missing(self, columns: Iterable[str], file: str, problems: Problems) -> None:
        """Report each column of the map that the table does not have."""
        there = {folded(column): column for column in columns if column}
        for key in [key for key in self.uses if key not in there]:
            close = get_close_matches(key, list(there), n=1, cutoff=0.6)
            has = [shown(column) for column in there.values()][:_COLUMNS_SHOWN]
            hint = (
                f"did you mean {shown(there[close[0]])}?" if close else f"it has {one_of(has)}".replace(" or ", " and ")
            )
            problems.add(self.places[key], f"{file} has no column {shown(self.names[key])}; {hint}")

    def tell_texts(self, file: str, problems: Problems) -> None:
        """Report columns that name the texts of a film, in the map of a table that is read on its own."""
        for key, use in self.uses.items():
            if use.field in OF_TEXTS:
                group = {"cast": "cast:", "location": "locations:"}.get(use.field, "style: or cast:")
                words = (
                    f"{shown(self.names[key])} is read as {use.field}, which a table alone cannot define: write a film"
                )
                words += f" in YAML with {group} and table: {file}, and run that"
                more = "; a cell names several with ; or , between them" if use.field == "cast" else ""
                problems.add(self.places[key], words + more)


NO_MAP = ColumnMap()


def column_map_of(node: Node, problems: Problems) -> ColumnMap:
    """Read a column map: a table of the names of columns and what each is read as. What is wrong is a problem."""
    if not isinstance(node, Table):
        problems.add(
            node.at, "columns must be fields: write in each line the name of a column, a colon, and the field it holds"
        )
        return NO_MAP
    uses: dict[str, Use] = {}
    names: dict[str, str] = {}
    places: dict[str, Place] = {}
    by_field: dict[str, str] = {}
    for name, item in node.items.items():
        key, at = folded(name), node.keys[name]
        if key in uses:
            problems.add(at, f"{shown(name)} and {shown(names[key])} are the same column; keep one of them")
            continue
        use = _use_of(name, item, problems)
        if use is None:
            continue
        if use.field in by_field and not use.is_appended:
            both = f"{shown(by_field[use.field])} and {shown(name)} are both read as {use.field}"
            cure = f"; for one of them write append to {use.field}" if use.field in APPENDABLE else ""
            problems.add(item.at, f"{both}; a shot has only one{cure or '; keep one of them'}")
        if use.field and not use.is_appended:
            by_field[use.field] = name
        uses[key], names[key], places[key] = use, name, at
    return ColumnMap(uses, names, places)


def _use_of(column: str, node: Node, problems: Problems) -> Use | None:
    """Return the use that a map gives a column; None after a problem."""
    text = " ".join(node.text.split()) if isinstance(node, Scalar) else ""
    if not text:
        words = "say what it is read as: a field such as prompt, or keep, or ignore"
        problems.add(node.at, f"{shown(column)} has no field; {words}")
        return None
    filled = _FILLED.fullmatch(text)
    use = _plain_use(column, text if filled is None else filled[1], node.at, problems)
    if filled is None or use is None:
        return use
    if use.is_appended or not use.field or use.field in ("id", "prompt"):
        problems.add(node.at, f"{shown(text)}: {filled[1]} cannot be filled down; a scene, a place or a lens can")
    return replace(use, is_filled=True)


def _plain_use(column: str, text: str, at: Place, problems: Problems) -> Use | None:
    plain = text.casefold()
    if plain == IGNORE:
        return Use()
    if plain == KEEP:
        return Use(own_name(column))
    if plain == WITHIN_SCENE:
        return Use("id", is_within_scene=True)
    appended = _APPENDED.fullmatch(plain)
    if appended is not None and appended[1] in APPENDABLE:
        return Use(appended[1], is_appended=True)
    if appended is not None:
        problems.add(at, f"{shown(text)}: only {one_of(APPENDABLE)} can be appended to")
        return None
    name = folded(text)
    if is_own(name):
        return Use(OWN + text[len(OWN) :])
    if name in columns_of_shots(is_part=True):
        return Use(name)
    words = unknown_field(text, shown(text), fields_of_shots())
    problems.add(at, f"{words}; or write {KEEP}, {IGNORE} or append to prompt")
    return None


def joined(text: str, more: str) -> str:
    """Return a text with another behind it: after the sign that ends it, else after a full stop if the other one begins
    a sentence with a capital letter, else after a comma.
    """
    if not text or not more:
        return text or more
    sign = "" if text[-1] in _ENDS else "." if more[0].isupper() else ","
    return f"{text}{sign} {more}"


def with_map(shots: Listing, columns: ColumnMap, file: str, problems: Problems) -> None:
    """Read the fields of each shot of a list, such as one in JSON, under the names that a column map gives them."""
    if not columns.uses:
        return
    tables = [each for each in shots.items if isinstance(each, Table)]
    columns.tell_missing({name: None for table in tables for name in table.keys}, file, problems)
    above: dict[str, Node] = {}
    for table in tables:
        _fill_down(table, columns, above)
        _rename(table, columns, problems)


def _fill_down(shot: Table, columns: ColumnMap, above: dict[str, Node]) -> None:
    """Give a shot what the one before it has in the columns that are filled down."""
    for key, use in columns.uses.items():
        if not use.is_filled:
            continue
        name = next((each for each in shot.items if folded(each) == key), columns.names[key])
        node = shot.items.get(name)
        if node is not None and not (isinstance(node, Scalar) and not node.text.strip()):
            above[key] = node
        elif key in above:
            shot.items[name] = above[key]
            shot.keys.setdefault(name, shot.at)


def _rename(shot: Table, columns: ColumnMap, problems: Problems) -> None:
    items, keys = dict(shot.items), dict(shot.keys)
    shot.items.clear()
    shot.keys.clear()
    appended: list[tuple[str, Node]] = []
    is_within_scene = False
    for name, node in items.items():
        use = columns.use_of(name)
        if use is not None and use.is_appended:
            appended.append((use.field, node))
        elif use is None or use.field:
            own, at = name if use is None else use.field, keys.get(name, node.at)
            is_within_scene |= use is not None and use.is_within_scene
            table, inner = home_of(shot, own, at) if use is not None and not is_own(own) else (shot, own)
            if inner in table.keys:
                problems.add(at, f"{shown(name)} is read as {own}, which this shot already has; keep one of them")
            table.items[inner], table.keys[inner] = node, at
    for own, node in appended:
        append(shot, own, node.text if isinstance(node, Scalar) and node.value is not None else "")
    if is_within_scene and not put_scene_before_id(shot):
        name = next((columns.names[key] for key, use in columns.uses.items() if use.field == "scene"), "")
        problems.add(shot.at, f"this shot is numbered within its scene, but has no scene: {scene_cure(name)}")


def append(shot: Table, name: str, text: str) -> None:
    """Append a text to that of a field which the shot has."""
    held = shot.items.get(name)
    if isinstance(held, Scalar) and held.text.strip() and text.strip():
        whole = joined(held.text.strip(), text.strip())
        shot.items[name] = Scalar(whole, whole, held.at, is_quoted=True)


def put_scene_before_id(shot: Table) -> bool:
    """Make the id of a shot that is numbered within its scene: shot 3 of scene 12 is 12_3.

    False if it has a number, but no scene.
    """
    scene, number = shot.items.get("scene"), shot.items.get("id")
    if isinstance(scene, Scalar) and isinstance(number, Scalar) and scene.text.strip() and number.text.strip():
        made = f"{scene.text.strip()}_{number.text.strip()}"
        shot.items["id"] = Scalar(made, made, number.at)
        return True
    return not (isinstance(number, Scalar) and number.text.strip())


def scene_cure(column: str) -> str:
    """Return what to do about shots that are numbered within a scene, but have none; `column` is the one of scenes."""
    if not column:
        return "read one column as scene, or the numbers as id"
    return f"write the scene into each row, or map the column as `{column}: scene, {FILL_DOWN}`"


def home_of(shot: Table, name: str, at: Place) -> tuple[Table, str]:
    """Return the table that a column belongs to, and its name there: `camera.pan` is pan in the table camera."""
    *outer, last = name.split(".")
    table = shot
    for part in outer:
        inner = table.items.get(part)
        if not isinstance(inner, Table):
            inner = Table(at)
            table.items[part], table.keys[part] = inner, at
        table = inner
    return table, last
