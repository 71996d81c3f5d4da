"""Fault plans: what the sandbox does wrong, and when. A plan is an ordered list of rules; the first match is used.

A fault is only declared here: `state.py` carries out what can befall any request, `app.py` what concerns submits and
polls, `clips.py` what concerns clips.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from random import Random
from typing import Any

from wanbatch.errors import UsageInvalid

ROUTES = ("submit", "poll", "logs", "ledger", "balance", "detail", "key", "models", "endings", "clip")
_JSON_ROUTES = tuple(route for route in ROUTES if route != "clip")
DEEDS: Mapping[str, tuple[str, ...]] = {
    "status": ROUTES,  # answer `code`, in the error envelope or as HTML, before anything is done
    "status_after": ("submit",),  # do the work, then answer `code`
    "drop_before": ROUTES,  # close the connection, nothing done
    "drop_after": ROUTES,  # do the work, then close the connection
    "delay": ROUTES,  # wait `delay_s`, then answer as usual
    "html": _JSON_ROUTES,  # 200 and a web page
    "bad_json": _JSON_ROUTES,
    "empty": _JSON_ROUTES,
    "truncate": ROUTES,  # announce the whole body, send half of it
    "no_body_id": ("submit",),
    "no_header_id": ("submit",),
    "wrong_id": ("submit", "poll"),
    "no_echo": ("submit",),
    "no_credits": ("submit",),
    "dearer": ("submit",),  # report twice the price
    "free": ("submit",),  # report a price of 0
    "fail": ("submit",),  # the generation will end in an error with `message`
    "fail_charged": ("submit",),  # the same, but it is charged, against the provider's promise
    "stall": ("submit",),  # the generation never ends
    "no_link": ("poll",),
    "listed": ("poll",),  # the video as a list of one
    "two_clips": ("poll",),  # a list of two
    "dead_link": ("poll",),  # a link that has expired
    "garbage": ("clip",),
    "zero": ("clip",),
    "short": ("clip",),  # half a clip, announced as whole
    "slow": ("clip",),  # the whole clip, slowly over `delay_s`
    "expired": ("clip",),  # the answer to an expired link
    "black": ("clip",),  # a whole clip with a black picture
    "frozen": ("clip",),  # one whose picture is frozen
    "silent": ("clip",),  # one whose sound track is silent
    "drift": ("clip",),  # one that begins with a picture and shows it to its end, softer, flatter, in other colours
}


@dataclass(frozen=True)
class Rule:
    """When to do what. All conditions given must hold; `nth` counts the requests of that route from 1."""

    on: str
    do: str
    nth: tuple[int, ...] = ()
    every: int | None = None
    prompt_contains: str | None = None
    probability: float | None = None
    code: int = 500
    has_envelope: bool = True
    retry_after: str | None = None
    message: str = "the generation failed"
    delay_s: float = 5.0


@dataclass(frozen=True)
class Fault:
    """What is done to one request."""

    do: str
    rule: Rule


class FaultPlan:
    """Rules with their counters. The same seed and the same requests give the same faults."""

    def __init__(self, rules: tuple[Rule, ...], seed: int) -> None:
        self._rules = rules
        self._rng = Random(f"faults {seed}")  # noqa: S311  repeatable on purpose
        self._seen: Counter[str] = Counter()

    def resume(self, on: str, count: int) -> None:
        """Continue counting a route's requests where an earlier sandbox stopped."""
        self._seen[on] = count

    def pick(self, on: str, prompt: str = "") -> Fault | None:
        """Count a request of a route and return its fault."""
        self._seen[on] += 1
        number = self._seen[on]
        for rule in self._rules:
            if rule.on == on and self._fits(rule, number, prompt):
                return Fault(rule.do, rule)
        return None

    def _fits(self, rule: Rule, number: int, prompt: str) -> bool:
        if rule.nth and number not in rule.nth:
            return False
        if rule.every is not None and number % rule.every:
            return False
        if rule.prompt_contains is not None and rule.prompt_contains not in prompt:
            return False
        return rule.probability is None or self._rng.random() < rule.probability


PLANS: Mapping[str, tuple[Rule, ...]] = {
    "none": (),
    # Nothing here can lose money: this is a bad night on the network.
    "flaky": (
        Rule("submit", "status", nth=(3, 4), code=429, message="Too many requests"),
        Rule("submit", "status", nth=(9,), code=429, retry_after="7", message="Too many requests"),
        Rule("poll", "status", every=9, code=502, has_envelope=False),
        Rule("poll", "drop_before", every=13),
        Rule("poll", "dead_link", nth=(20, 31)),
        Rule("clip", "truncate", nth=(2,)),
        Rule("clip", "short", nth=(5,)),
        Rule("ledger", "status", nth=(1,), code=503),
    ),
    # Submits that were accepted and charged without an answer.
    "lost-answers": (
        Rule("submit", "drop_after", nth=(3,)),
        Rule("submit", "status_after", nth=(6,), code=504, has_envelope=False),
        Rule("submit", "status_after", nth=(9,), code=500),
        Rule("submit", "truncate", nth=(11,)),
    ),
    "failures": (
        Rule("submit", "fail", nth=(2, 5), message="Internal model error"),
        Rule("submit", "fail", nth=(4,), message="Content policy violation: the prompt was moderated"),
        Rule("submit", "status", nth=(6,), code=400, message="Body validation error"),
    ),
    "hostile": (
        Rule("submit", "drop_after", nth=(4,)),
        Rule("submit", "html", nth=(6,)),
        Rule("submit", "fail", nth=(7,), message="Internal model error"),
        Rule("submit", "no_header_id", nth=(8,)),
        Rule("submit", "no_body_id", nth=(9,)),
        Rule("submit", "no_credits", nth=(10,)),
        Rule("submit", "wrong_id", nth=(12,)),
        Rule("submit", "status", every=11, code=429, message="Too many requests"),
        Rule("poll", "wrong_id", nth=(40,)),
        Rule("poll", "bad_json", every=17),
        Rule("poll", "empty", every=19),
        Rule("poll", "no_link", nth=(33, 55)),
        Rule("clip", "zero", nth=(1,)),
        Rule("clip", "garbage", nth=(3,)),
        Rule("clip", "expired", nth=(5,)),
        Rule("clip", "truncate", every=6),
    ),
    # Whole clips with something other than what was ordered.
    "bad-media": (
        Rule("clip", "black", nth=(2,)),
        Rule("clip", "frozen", nth=(3,)),
        Rule("clip", "silent", nth=(5,)),
    ),
    # What models do to a picture that is handed on from clip to clip.
    "drift": (Rule("clip", "drift"),),
}


def read_faults(text: str | None, seed: int) -> FaultPlan:
    """Make the plan with this name, or from a JSON file with a list of rules. Raises UsageInvalid, which lists the
    names.
    """
    if text is None:
        return FaultPlan((), seed)
    if text in PLANS:
        return FaultPlan(PLANS[text], seed)
    path = Path(text)
    if not path.is_file():
        raise UsageInvalid(f"there is no fault plan '{text}': give a JSON file, or one of: {', '.join(PLANS)}")
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageInvalid(f"{path} is not a JSON file of fault rules: {error}") from error
    if not isinstance(rows, list):
        raise UsageInvalid(f"{path} must hold a list of rules such as {{'on': 'poll', 'do': 'status', 'code': 502}}")
    return FaultPlan(tuple(_rule(row, f"{path}, rule {number}") for number, row in enumerate(rows, 1)), seed)


def _rule(row: Any, where: str) -> Rule:
    names = {each.name for each in fields(Rule)}
    if not isinstance(row, dict) or not set(row) <= names:
        raise UsageInvalid(f"{where}: a rule is an object with some of {', '.join(sorted(names))}")
    if row.get("on") not in ROUTES or row.get("do") not in DEEDS or row["on"] not in DEEDS[row["do"]]:
        raise UsageInvalid(
            f"{where}: 'on' is one of {', '.join(ROUTES)}, and 'do' one of {', '.join(DEEDS)} that fits it"
        )
    for name, (fits, should_be) in _VALUES.items():
        if name in row and not fits(row[name]):
            raise UsageInvalid(f"{where}: '{name}' is {should_be}")
    return Rule(**{**row, "nth": tuple(row.get("nth", ()))})


def _is_whole(value: Any, least: int) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= least


def _is_number(value: Any, most: float) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value <= most


_VALUES: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "nth": (lambda value: isinstance(value, list) and all(_is_whole(each, 1) for each in value), "a list of numbers"),
    "every": (lambda value: _is_whole(value, 1), "a number from 1"),
    "prompt_contains": (lambda value: isinstance(value, str), "a text"),
    "probability": (lambda value: _is_number(value, 1), "a number from 0 to 1"),
    "code": (lambda value: _is_whole(value, 200) and value <= 599, "an HTTP status from 200 to 599"),
    "has_envelope": (lambda value: isinstance(value, bool), "true or false"),
    "retry_after": (lambda value: isinstance(value, str) and value.isascii() and value.isprintable(), "a text"),
    "message": (lambda value: isinstance(value, str) and value != "", "a text"),
    "delay_s": (lambda value: _is_number(value, 1e6), "a number of seconds"),
}
