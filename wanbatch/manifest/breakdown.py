"""The breakdown of a screenplay: its scenes, locations and cast as a manifest, with shots to fill in. Pure.

What the script does not say is marked TODO, and a manifest with such a mark is warned of until it is filled in.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from string import ascii_uppercase, capwords
from typing import Any

from wanbatch.batch.names import name_of_stem, twin_key
from wanbatch.manifest.expansion.named_texts import LOOK, NEGATIVE
from wanbatch.manifest.fountain import Act, Screenplay, ScreenScene

STEP = 10  # between two ids, so that a shot can be put between them
WIDTH = 3  # digits of a scene's number, at least
SHOT_CAP = 600  # characters of action in one shot; a longer paragraph becomes several
NAME_CAP = 60
TODO = "TODO"
TEMPLATE = ("{prompt}", "Place: {location}.", "With {cast}.", "{style}")


@dataclass(frozen=True)
class Breakdown:
    """What a screenplay gives: the parts of a manifest, each in plain values.

    `scenes` are those before the first act, `sequences` the acts with theirs; `heard` are those who are never seen.
    """

    cast: Mapping[str, str]
    locations: Mapping[str, str]
    scenes: tuple[Mapping[str, Any], ...]
    sequences: tuple[Mapping[str, Any], ...] = ()
    heard: tuple[str, ...] = ()

    @property
    def all_scenes(self) -> list[Mapping[str, Any]]:
        """All scenes, in the order of the script."""
        return [*self.scenes, *(scene for each in self.sequences for scene in each["scenes"])]

    @property
    def shots(self) -> int:
        """How many shots there are to fill in."""
        return sum(len(scene["shots"]) for scene in self.all_scenes)


def breakdown_of(play: Screenplay) -> Breakdown:
    """Break a screenplay down: a scene for each heading, a shot for each paragraph of action."""
    ids = scene_ids([scene.number for scene in play.scenes])
    names = _keys(name for scene in play.scenes for name in scene.cast)
    both = _seen_from_both_sides(play.scenes)
    places = {_place_of(scene, both): scene for scene in reversed(play.scenes)}
    cast = {key: f"{_cased(name)}, {TODO}: age, hair, clothes" for name, key in reversed(names.items())}
    scenes = [
        _scene(scene_id, _place_of(scene, both), [names[name] for name in scene.cast], scene)
        for scene_id, scene in zip(ids, play.scenes, strict=True)
    ]
    by_act: dict[int | None, list[dict[str, Any]]] = {}
    for each, made in zip(play.scenes, scenes, strict=True):
        by_act.setdefault(each.act, []).append(made)
    heard = _keys(name for scene in play.scenes for name in scene.heard)
    return Breakdown(
        cast=dict(reversed(cast.items())),
        locations={key: _look_of(scene) for key, scene in reversed(places.items())},
        scenes=tuple(by_act.pop(None, [])),
        sequences=tuple(_sequences(play.acts, by_act)),
        heard=tuple(_cased(name) for name, key in heard.items() if key not in cast),
    )


def _sequences(acts: Sequence[Act], by_act: Mapping[int | None, list[dict[str, Any]]]) -> Iterator[dict[str, Any]]:
    """Yield a sequence for each act that has scenes, named for its title."""
    taken: set[str] = set()
    for number, scenes in by_act.items():
        assert number is not None
        act = acts[number]
        begin = name_of_stem("-".join(re.findall(r"\w+", act.title))[:NAME_CAP]) if act.title else f"sq{number + 1:02}"
        names = (begin if count == 1 else f"{begin}-{count}" for count in range(1, len(acts) + 2))
        name = next(each for each in names if twin_key(each) not in taken)
        taken.add(twin_key(name))
        yield {"id": name, **({"notes": "; ".join(act.notes)} if act.notes else {}), "scenes": scenes}


def scene_ids(numbers: Iterable[str]) -> list[str]:
    """Return an id for each scene, all with numbers of one width: those of the script, where it has any.

    A scene without a number, between others that have one, gets the number before it and a letter, as an added scene
    does on the set. In a script without numbers the ids go up in tens.
    """
    given = list(numbers)
    if not any(given):
        given = [str(STEP * count) for count, _ in enumerate(given, 1)]
    found = [re.search(r"[0-9]+", number) for number in given]
    width = max([WIDTH, *(len(match[0]) for match in found if match is not None)])
    padded = [
        number if match is None else f"{number[: match.start()]}{match[0].zfill(width)}{number[match.end() :]}"
        for number, match in zip(given, found, strict=True)
    ]
    taken = {twin_key(name_of_stem(f"sc{number}")) for number in padded if number}
    made: dict[str, str] = {}
    before = "0" * width
    for number in padded:
        name = name_of_stem(f"sc{number}") if number else ""
        if not name or twin_key(name) in made:
            name = next(each for each in _added(before) if twin_key(each) not in {*taken, *made})
        else:
            before = number
        made[twin_key(name)] = name
    return list(made.values())


def _added(number: str) -> Iterable[str]:
    """Yield the ids of scenes that were added behind a scene: 12A, 12B, and so on."""
    letters = list(ascii_uppercase)
    while True:
        yield from (name_of_stem(f"sc{number}{each}") for each in letters)
        letters = [first + second for first in letters for second in ascii_uppercase]


def _scene(scene_id: str, location: str, cast: list[str], scene: ScreenScene) -> dict[str, Any]:
    time = scene.place[2].strip()
    begin = f"{TODO}: {time.capitalize()}. " if time else f"{TODO}: "
    told = [(line, part) for line, action in scene.actions for part in textwrap.wrap(action, SHOT_CAP)]
    shots = [
        {
            "id": f"{scene_id}_sh{STEP * count:03}",
            "prompt": _literal(begin + text),
            "x_line": str(line),
            **({"allow": ["syntax"]} if "{" in text else {}),  # the braces of the script are meant
        }
        for count, (line, text) in enumerate(told or [(scene.line, "what this scene shows")], 1)
    ]
    return {
        "id": scene_id,
        "location": location,
        **({"cast": list(dict.fromkeys(cast))} if cast else {}),
        **({"notes": "; ".join(scene.notes)} if scene.notes else {}),
        "shots": shots,
    }


def _seen_from_both_sides(scenes: Iterable[ScreenScene]) -> frozenset[str]:
    """Return the locations that are seen from inside and from outside: they do not look the same."""
    sides: dict[str, set[str]] = {}
    for scene in scenes:
        side, location, _ = scene.place
        sides.setdefault(_key(location), set()).add(side)
    return frozenset(key for key, seen in sides.items() if len(seen) > 1)


def _place_of(scene: ScreenScene, both: frozenset[str]) -> str:
    side, location, _ = scene.place
    key = _key(location)
    return f"{key}_{side}" if key in both and side else key


def _look_of(scene: ScreenScene) -> str:
    side, location, _ = scene.place
    return ", ".join(part for part in (_cased(location), side, f"{TODO}: what it looks like") if part)


def _keys(names: Iterable[str]) -> dict[str, str]:
    """Return the key of each name; names that differ only in signs have one."""
    return {name: _key(name) for name in names}


def _key(name: str) -> str:
    """Return a name as a text of a manifest may be called: `KEEPER'S HOUSE` becomes `keepers_house`."""
    key = re.sub(r"\W+", "_", re.sub(r"['\u2019.]", "", name.lower())).strip("_")[:NAME_CAP]
    return f"n_{key}" if not key[:1].isalpha() or key in (LOOK, NEGATIVE) else key


def _cased(name: str) -> str:
    """Return a name in capitals as it is written in a sentence; any other as it is."""
    return _literal(capwords(name) if name == name.upper() else name)


def _literal(text: str) -> str:
    """Return a text whose braces name nothing."""
    return text.replace("{", "{{").replace("}", "}}")
