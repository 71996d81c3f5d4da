"""The contact sheet: every shot in story order with its takes, to view, choose from and pass on."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from wanbatch.batch.given_files import with_names
from wanbatch.batch.lifecycle import State
from wanbatch.batch.plan import ShotRow
from wanbatch.batch.registry import registry
from wanbatch.batch.remedies import Again
from wanbatch.batch.shots import OWN
from wanbatch.batch.take import Take
from wanbatch.folders import POSTERS, is_in
from wanbatch.money.credits import partly_known, usd_text
from wanbatch.reporting.book import Book
from wanbatch.reporting.given import Given
from wanbatch.reporting.meanings import meanings
from wanbatch.reporting.own_words import own_words
from wanbatch.reporting.page import page, speeds_of
from wanbatch.reporting.record import Record, values_of
from wanbatch.reporting.strips import strips_of
from wanbatch.state.needs import AttemptFindings, ways_of
from wanbatch.state.shown import shown_folder
from wanbatch.units import duration_text

SHOTS_SHOWN = 2_000  # 2 MB and half a second in a browser; more would be no page to look at
TAKES_ABREAST = 4
FRAME = (480, 270)  # what a poster measures at most, where the clip's own size is not known
FILM = "cut.mp4"
CHIPS = (  # name, word, what it leaves on the page
    ("all", "All", ""),
    ("trouble", "Failed or held", "shots with a take that failed, or may have been charged and waits for you"),
    ("unchosen", "Nothing circled", "shots with clips but no circled take: the cut uses the newest verified take"),
    ("chosen", "Circled", "shots with a circled take: the cut uses that one"),
    (
        "warned",
        "Warned",
        "shots with a take whose clip is not as ordered, or that may have been paid for more than once",
    ),
)
KEYS = (
    ("\u2190 \u2192 \u2191 \u2193", "the next take in that direction"),
    ("j  k", "the next shot, the previous one"),
    ("space", "play, stop"),
    ("enter, o", "enlarge this take; the arrow keys move to the next, esc closes"),
    ("p", "play through: the take of each shot that the cut uses, in the order of the page"),
    ("m", "sound"),
    ("c, 1\u20269", "circle this take, or the take with that number"),
    ("r", "mark this shot for a retake (adds a command below; buys nothing)"),
    ("f", "find"),
    ("esc", "stop; clear the search"),
)
_RANKS = {State.HELD: 0, State.UNKNOWN: 1, State.FAILED: 2, State.VERIFIED: 9}
_TROUBLE = frozenset({State.HELD, State.UNKNOWN, State.FAILED})


def render_sheet(book: Book, facts: Mapping[str, Any]) -> str:
    """Render `storyboard.html`: a card per shot, its takes side by side, old ones folded away.

    The page needs nothing but the files beside it, and shows all of them without its script, too.
    """
    record, takes, shots, output = book.record, book.record.takes, book.record.shots, book.record.output
    is_shown = ~takes["superseded"] | (takes["state"] != State.PLANNED.value)
    listed = shots[shots["omit"] | shots["shot_id"].isin(takes.loc[is_shown, "shot_id"])]
    total, listed = len(listed), listed.head(SHOTS_SHOWN)
    shown = takes[is_shown & takes["shot_id"].isin(listed["shot_id"])].sort_values("number", kind="stable")
    by_shot = _by_shot(values_of(Take, shown))
    is_compared = len({take.recipe.model for mine in by_shot.values() for take in mine}) > 1
    in_cut = frozenset(takes.loc[book.is_chosen & is_shown, "take_id"].tolist())
    problems = {each["take"]: each for each in facts["problems"]}
    spent = _spent_by_shot(book)
    scenes: list[dict[str, Any]] = []
    for order, shot in enumerate(values_of(ShotRow, listed)):
        name = " / ".join(part for part in (shot.sequence, shot.scene) if part)
        if not scenes or scenes[-1]["name"] != name:
            scenes.append({"number": len(scenes), "name": name, "cards": [], "length_s": 0.0, "spent": []})
        mine = by_shot.get(shot.shot_id, [])
        frames = {
            take.take_id: _frame_of(take, record, in_cut, problems.get(take.label), is_compared=is_compared)
            for take in mine
        }
        scenes[-1]["spent"].append(spent.get(shot.shot_id, (0, 0)))
        scenes[-1]["cards"].append({"order": order, **_card_of(shot, mine, frames, book.record.given)})
        scenes[-1]["length_s"] += sum(take.clip_duration_s or 0 for take in mine if take.take_id in in_cut)
    for scene in scenes:
        told = scene.pop("spent")
        scene["cost"] = _cost_of_scene(told) if total == len(listed) else ""  # else some of its shots are left out
    _add_texts([card for scene in scenes for card in scene["cards"]], book, listed.index)
    return page(
        "sheet.html.j2",
        sheet="sheet.css.j2",
        script="sheet.js",
        facts=facts,
        meanings=meanings(facts["counts"], has_money=False),
        speeds=speeds_of(facts),
        scenes=scenes,
        strips=strips_of(_in_cut(scenes), record.given, output),
        run=shown_folder(output),
        film=FILM if (output / FILM).is_file() else "",
        total=total,
        shown=len(listed),
        hidden=total - len(listed),
        chips=CHIPS,
        keys=KEYS,
    )


def _by_shot(takes: Iterable[Take]) -> dict[str, list[Take]]:
    found: dict[str, list[Take]] = {}
    for take in takes:
        found.setdefault(take.shot_id, []).append(take)
    return found


def _in_cut(scenes: Iterable[Mapping[str, Any]]) -> dict[int, tuple[Take, Mapping[str, Any]]]:
    """Return the takes that the cut uses, with how each is shown, by id."""
    cards = [card for scene in scenes for card in scene["cards"]]
    every = [frame for card in cards for frame in (*card["current"], *card["old"])]
    return {frame["take"].take_id: (frame["take"], frame) for frame in every if frame["is_in_cut"]}


def _spent_by_shot(book: Book) -> dict[str, tuple[int, int]]:
    """Return what all takes of each shot have committed: known credits, and of how many takes a part is unknown."""
    columns = (book.record.takes["shot_id"], book.money["credits_committed_known"], book.money["is_uncosted"])
    spent: dict[str, tuple[int, int]] = {}
    for shot_id, known, is_unknown in zip(*(each.tolist() for each in columns), strict=True):
        before = spent.get(shot_id, (0, 0))
        spent[shot_id] = before[0] + known, before[1] + bool(is_unknown)
    return spent


def _cost_of_scene(spent: Sequence[tuple[int, int]]) -> str:
    """Say what the shots of a scene have committed: by shot the known credits, and the takes of which a part is not."""
    known, unknown = sum(known for known, _ in spent), sum(count for _, count in spent)
    return partly_known(known, unknown) if known or unknown else ""


def _add_texts(cards: Sequence[dict[str, Any]], book: Book, rows: Iterable[int]) -> None:
    """Put onto each card what its prompt says and no other does, where its values come from, and its own columns."""
    told = zip(own_words([card["prompt"] for card in cards]), _own_cells(book, rows), strict=True)
    for card, (words, own) in zip(cards, told, strict=True):
        origins = _origins(card, book.record.origins)
        news = book.record.given.news_of(card["shot"].shot_id, shown_folder(book.record.output))
        card.update(prompt=words.own, shared=words.shared, origins=origins, own=own, news=news)


def _own_cells(book: Book, rows: Iterable[int]) -> list[list[tuple[str, str]]]:
    """Return, for each of these shots, its filled cells in columns of the user's own, by the names without `x_`."""
    columns = book.record.own.loc[list(rows)]
    names = [str(name).removeprefix(OWN) for name in columns.columns]
    of_shots = (zip(names, cells, strict=True) for cells in columns.to_numpy())
    return [[(name, cell) for name, cell in mine if isinstance(cell, str)] for mine in of_shots]


def _card_of(
    shot: ShotRow, shown: Sequence[Take], frames: Mapping[int, Mapping[str, Any]], given: Given
) -> dict[str, Any]:
    current = [take for take in shown if not take.superseded]
    times_s = [seconds for take in shown if (seconds := _took_s(take)) is not None]
    newest = (current or shown)[-1] if shown else None
    body = newest.recipe.body if newest is not None else {}
    by_model = {take.recipe.model: take.recipe.body for take in current or shown}
    return {
        "shot": shot,
        "current": [frames[take.take_id] for take in current],
        "old": [frames[take.take_id] for take in shown if take.superseded],
        "width": min(max(1, len(current)), TAKES_ABREAST),
        "rank": min((_RANKS.get(take.state, 5) for take in current), default=10),
        "cost": sum(take.credits_committed_known for take in shown),
        "time_s": f"{max(times_s):.1f}" if times_s else "",
        "is_trouble": any(take.state in _TROUBLE for take in current),
        "is_warned": any(take.warning for take in current),
        "prompt": str(body.get("prompt", shot.prompt)),
        "length": _length_of(body),
        "parameters": [_parameters(model, with_names(each, given.files)) for model, each in by_model.items()],
        "can_be_retaken": bool(current) and not shot.omit and not shot.removed,
    }


def _origins(card: Mapping[str, Any], known: Mapping[str, Mapping[str, Sequence[str]]]) -> list[tuple[str, str]]:
    """Return where each value of a shot comes from, and how long its prompt is; nothing for a plain manifest."""
    told = known.get(card["shot"].shot_id, {})
    return [
        (name, "; ".join([*([card["length"]] if name == "prompt" else []), *texts])) for name, texts in told.items()
    ]


def _length_of(body: Mapping[str, Any]) -> str:
    """Say how long a prompt is, and how long a prompt its model accepts."""
    model, length = registry().get(str(body.get("model", ""))), len(str(body.get("prompt", "")))
    limit = None if model is None else model.parameters.get("prompt", {}).get("maxLength")
    return f"{length:,} characters" if limit is None else f"{length:,} of {limit:,} characters"


def _parameters(model: str, body: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return what the newest take of a shot by one model asks for beside prompt and seed, its model first."""
    told = {"model": model, **body}
    return [(name, str(value)) for name, value in told.items() if name not in ("prompt", "seed")]


def _frame_of(
    take: Take, record: Record, in_cut: Container[int], problem: Mapping[str, Any] | None, *, is_compared: bool
) -> dict[str, Any]:
    """Return what is shown of a take; `problem` is what the report says of it, None if nothing is to be done."""
    commands, output = [] if problem is None else _commands(take, record.findings, problem), record.output
    poster = f"{POSTERS}/{take.stem}.jpg"
    has_poster = take.file is not None and is_in(output, POSTERS, poster) and (output / poster).is_file()
    width, height = (take.width, take.height) if take.width and take.height else FRAME
    return {
        "take": take,
        "clip": take.file,
        "poster": poster if has_poster else None,
        "width": width,
        "height": height,
        "shape": "tall" if height > width else "",
        "is_in_cut": take.take_id in in_cut,
        "slate": _slate(take, is_compared=is_compared),
        "facts": [part for part in (_cost(take), _time(take)) if part],
        "commands": commands,
        "advice": "" if commands or problem is None else problem["todo"],
    }


def _slate(take: Take, *, is_compared: bool) -> list[str]:
    order, body = take.order, take.recipe.body
    length_s = take.clip_duration_s if take.clip_duration_s is not None else order.duration_s
    parts = [
        order.model if is_compared else "",
        order.resolution or "",
        order.aspect_ratio or "",
        f"{length_s:g} s" if length_s is not None else "",
        f"seed {body['seed']}" if "seed" in body else "",
        f"provider {order.machine}" if order.machine else "",
    ]
    return [part for part in parts if part]


def _cost(take: Take) -> str:
    if take.credits_charged is not None:
        return usd_text(take.credits_charged)
    if take.state in (State.PLANNED, State.FAILED) and take.credits_committed == 0:
        return ""
    spent = take.credits_committed
    return "cost unknown" if spent is None else f"{usd_text(spent)} at risk"


def _took_s(take: Take) -> float | None:
    begin, end = take.submitted_at, take.completed_at
    return (end - begin).total_seconds() if isinstance(begin, datetime) and isinstance(end, datetime) else None


def _time(take: Take) -> str:
    took_s = _took_s(take)
    return "" if took_s is None else f"in {duration_text(took_s)}"


def _commands(take: Take, findings: AttemptFindings, problem: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return what to do about a take without a clip: command and arguments, without the output folder."""
    if take.superseded:
        return []
    is_free = take.credits_charged is None and take.credits_at_risk == 0 and not problem["needs_user"]
    if problem["again"] is Again.AS_IT_IS and is_free:
        cap = findings.caps.of_shot(take.shot_id)
        return [("retry", "--only", take.shot_id, *(("--max-usd", cap) if cap else ()))]
    return ways_of(take, findings) if take.state is State.HELD and problem["needs_user"] else []
