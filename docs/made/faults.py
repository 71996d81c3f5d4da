"""The fault plans of the sandbox: those with a name, and what a rule of your own may say."""

from __future__ import annotations

import dataclasses

from docs.made.table import code, described, table
from wanbatch.sandbox.faults import DEEDS, PLANS, Rule

PLAN_WORDS = {
    "none": "Nothing goes wrong.",
    "flaky": "A bad night: submits refused because they come too fast, 502s, broken connections, dead links,"
    " truncated clips.",
    "lost-answers": "Submits are accepted and charged, but their answers are lost.",
    "failures": "Generations fail, one is refused by content moderation, one submit is refused.",
    "hostile": "Lost answers, web pages, wrong ids, missing prices and broken clips at once.",
    "bad-media": "Intact clips that are not as ordered: a black one, a frozen one, a silent one.",
    "drift": "Clips that begin with a picture show it to the end, but softer, flatter and with shifted colours: along a"
    " chain of shots this adds up, and wanbatch warns about it.",
}
DEED_WORDS = {
    "status": "answer with `code` before anything is done",
    "status_after": "do the work, then answer with `code`",
    "drop_before": "close the connection before anything is done",
    "drop_after": "do the work, then close the connection",
    "delay": "wait `delay_s`, then answer as usual",
    "html": "answer 200 with a web page",
    "bad_json": "answer with broken JSON",
    "empty": "answer 200 with nothing",
    "truncate": "announce the whole body and send half of it",
    "no_body_id": "leave the generation id out of the body",
    "no_header_id": "leave the generation id out of the headers",
    "wrong_id": "name another generation",
    "no_echo": "do not return the request id",
    "no_credits": "name no price",
    "dearer": "name twice the price",
    "free": "name a price of 0",
    "fail": "let the generation end in an error with `message`",
    "fail_charged": "the same, and charge for it",
    "stall": "let the generation never end",
    "no_link": "say that it completed, without a link",
    "listed": "give the video as a list of one",
    "two_clips": "give two clips",
    "dead_link": "give a link that has expired",
    "garbage": "send bytes that are not a clip",
    "zero": "send an empty file",
    "short": "send half of a clip but announce its full length",
    "slow": "send the whole clip slowly, over `delay_s`",
    "expired": "answer as for an expired link",
    "black": "send an intact clip with a black picture",
    "frozen": "send an intact clip whose picture does not move",
    "silent": "send an intact clip whose sound track is silent",
    "drift": "send an intact clip that shows its first picture to the end, softer, flatter and with shifted colours",
}
FIELD_WORDS = {
    "on": "the route, as in the table above",
    "do": "what is done",
    "nth": "a list of numbers: the first request of the route is 1",
    "every": "every Nth request of the route, for a number N",
    "prompt_contains": "only submits whose prompt contains this text",
    "probability": "from 0 to 1; the same seed gives the same choice",
    "code": "the HTTP status",
    "has_envelope": "whether an error comes in the provider's JSON, or as a web page",
    "retry_after": "the `Retry-After` header",
    "message": "the words of an error",
    "delay_s": "seconds, in the sandbox's time",
}


def fault_plans() -> str:
    """Return the plans that have a name."""
    return table(
        ("plan", "what happens"), [(code(name), words) for name, words in described("plans", PLANS, PLAN_WORDS)]
    )


def fault_rules() -> str:
    """Return what a rule may do and on which routes, then the fields of a rule."""
    deeds = described("deeds", DEEDS, DEED_WORDS)
    done = table(("do", "on", "meaning"), [(code(name), ", ".join(DEEDS[name]), words) for name, words in deeds])
    fields = described("rule", [each.name for each in dataclasses.fields(Rule)], FIELD_WORDS)
    return f"{done}\n\n{table(('field', 'meaning'), [(code(name), words) for name, words in fields])}"
