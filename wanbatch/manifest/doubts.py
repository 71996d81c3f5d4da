"""Doubts about a batch that can be run: probable mistakes in the texts of a shot, and shots that occur twice."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from wanbatch.batch.shots import Shot
from wanbatch.manifest.characters import character_name, misread, unseen
from wanbatch.manifest.leftovers import leftovers, says_nothing
from wanbatch.manifest.lint import DUPLICATE, Listed
from wanbatch.manifest.prompt_markers import NUMBERED, counted_up, marks
from wanbatch.manifest.tree import Filled, Node, Place, Problems
from wanbatch.manifest.words import shown

_SENT_TEXTS = ("prompt", "negative_prompt")
_READ_TEXTS = (*_SENT_TEXTS, "scene", "sequence", "cost_code", "tags")
_NAMED_TEXTS = (*_SENT_TEXTS, "scene", "sequence", "cost_code")
_ROUND = 12  # characters shown before an invisible one


class Doubt(NamedTuple):
    """One doubt about a field of a shot: `at` is its position in the text, `more` are those of others like it, and
    `rule` is what allows it, if anything does.
    """

    field: str
    words: str
    at: int
    rule: str = ""
    more: tuple[int, ...] = ()


def doubts_of(given: Mapping[str, Any]) -> Iterator[Doubt]:
    """Find doubts about the texts of a shot, by field."""
    for field in _SENT_TEXTS:
        text = given.get(field)
        if isinstance(text, str):
            for each in leftovers(text):
                yield Doubt(field, f"{field} contains {each.words}", each.at, each.rule, each.more)
    prompt = given.get("prompt")
    if isinstance(prompt, str):
        for mark in marks(prompt):
            yield Doubt("prompt", f"prompt contains {mark.words}", mark.at)
    for field in _READ_TEXTS:
        value = given.get(field)
        if value is None:
            continue
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and not text.isascii():
                yield from _unseen(field, text)
                yield from _misread(field, text)


def places_in(doubt: Doubt, node: Node) -> list[Place]:
    """Return the places of a doubt: in a text that was put together, that of each part that gives rise to it."""
    if not isinstance(node, Filled):
        return [node.at]
    return list(dict.fromkeys(node.place_of(at) for at in (doubt.at, *doubt.more)))


def _unseen(field: str, text: str) -> Iterator[Doubt]:
    """Report invisible characters: each kind once, at its first place."""
    reported: dict[str, list[int]] = {}
    for at in unseen(text):
        reported.setdefault(text[at], []).append(at)
    for char, places in reported.items():
        at = places[0]
        where = f"after {shown(text[max(0, at - _ROUND) : at])}" if at else "at its beginning"
        more = f" and in {len(places) - 1} more places" if len(places) > 1 else ""
        yield Doubt(field, f"{field} contains {character_name(char)} {where}{more}; remove it", at)


def _misread(field: str, text: str) -> Iterator[Doubt]:
    """Report letters that were read in the wrong encoding: once for each text, at the first place."""
    wrong = misread(text)
    if wrong:
        at, (found, meant) = wrong[0].at, (wrong[0].found, wrong[0].meant)
        more = f" and {len(wrong) - 1} more" if len(wrong) > 1 else ""
        words = f"{field} contains {shown(found)}{more} where {_name_or_sign(meant)} was probably meant"
        yield Doubt(
            field,
            f"{words}: a program read UTF-8 as another encoding; open the original as UTF-8 and save it again",
            at,
        )


def _name_or_sign(char: str) -> str:
    return shown(char) if char.isprintable() else character_name(char)


def tell_nothing(given: Mapping[str, Any], nodes: Mapping[str, Node], problems: Problems) -> None:
    """Report texts that people and programs write instead of an empty cell: a clip would be bought for a `nan`.

    `nodes` has the node of each field of the shot.
    """
    for name in () if given.get("omit") is True else _NAMED_TEXTS:
        text = given.get(name)
        if not isinstance(text, str) or not says_nothing(text):
            continue
        words = f"{name} is {shown(text)}, which people and programs write when there is no text"
        if name == "prompt":
            problems.settle(nodes[name].at, f"{words}; write the prompt, or remove the shot")
        elif name == "negative_prompt":
            problems.add(nodes[name].at, f"{words}, and it would be sent; leave it empty")
        else:
            problems.warn(nodes[name].at, f"{words}; leave it empty")


def tell_numbers(shots: Sequence[Shot], places: Mapping[str, Place], problems: Problems) -> None:
    """Warn of prompts that begin with the numbers of a list: 1., 2. or 1, 2, 3, shot by shot."""
    prompts = [str(shot.prompt) for shot in shots]
    numbered = [at for at, prompt in enumerate(prompts) if not prompt[:1].isalpha() and NUMBERED.match(prompt)]
    found = sorted({*(numbered if len(numbered) > 1 else []), *counted_up(prompts)})
    if found:
        first, more = shots[found[0]], len(found) - 1
        words = f"this prompt and {more} more begin with list numbers, which would be sent; remove them"
        problems.warn(places[first.id], words)


def tell_twins(listed: Iterable[Listed], problems: Problems) -> None:
    """Warn of two shots with the same recipe and seed: the same clip would be bought twice."""
    by_take: dict[tuple[str, int], list[Shot]] = {}
    for each in listed:
        shot = each.shot
        if shot.seed is None or shot.omit:
            continue
        seeds = shot.seeds or range(shot.seed, shot.seed + shot.takes)
        twins = ((other, seed) for seed in seeds for other in by_take.get((shot.prompt, seed), ()))
        same = next(((other, seed) for other, seed in twins if _have_one_request(other, shot)), None)
        if same is not None and DUPLICATE not in each.allowed:
            other, seed = same
            words = f"shots {shown(shot.id)} and {shown(other.id)} (line {other.line}) have the same recipe"
            words = f"{words} and the same seed, {seed}: the same clip would be bought twice"
            problems.warn(each.at, words, DUPLICATE)
        for seed in seeds:
            by_take.setdefault((shot.prompt, seed), []).append(shot)


def _have_one_request(one: Shot, other: Shot) -> bool:
    return any(each.request == its.request for each in one.versions for its in other.versions)
