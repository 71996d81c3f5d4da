"""The book: what follows for each take is what the rules say of it, however many takes are alike."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from tests.reporting.states import BEGIN, CREDITS, begin, every_state, place_clips, shot
from wanbatch.batch.attempts import Attempt, Outcome
from wanbatch.batch.choice import choices
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.plan import ShotRow
from wanbatch.batch.shots import Batch
from wanbatch.batch.take import Take
from wanbatch.errors import StateInvalid
from wanbatch.money.baseline import BaselineLine
from wanbatch.money.costs import attempts_by_take, figures_of
from wanbatch.money.prices import QuotedPrice
from wanbatch.money.seen_prices import prices_now
from wanbatch.reporting.book import Book, book_of
from wanbatch.reporting.kinds import money_of
from wanbatch.reporting.record import frame_of, plain_values, read_record, rows_of, values_of
from wanbatch.state.reader import StateReader
from wanbatch.state.shown import shown_take

SUMS = (None, 0, CREDITS, 2 * CREDITS)


def book(output: Path) -> Book:
    with StateReader.open(output) as reader:
        return book_of(read_record(reader))


QUOTES = [
    QuotedPrice(1, "any", "alibaba/wan-2-6-t2v", resolution, seconds, CREDITS + place, None, None, "list", BEGIN)
    for place, (resolution, seconds) in enumerate([("1080p", 5), ("1080p", 10), ("720p", 10)])
]
TAKE_MARKS: dict[str, Sequence[Any]] = {
    "state": list(State),
    "superseded": (False, True),
    "attempts": (0, 1, 2),
    "generation_id": (None, "own"),
    "credits_estimated": SUMS,
    "credits_held": SUMS,
    "credits_charged": SUMS,
    "is_charge_seen": (False, True),
    "credits_at_risk": (0, None, CREDITS),
    "submitted_at": (None, BEGIN, BEGIN + timedelta(hours=1)),
    "recipe_json": (
        '{"duration":5,"prompt":"p"}',
        '{"duration":10,"prompt":"p"}',
        '{"prompt":"p","resolution":"720p"}',
    ),
    "circled": (False, False, True),
}
ATTEMPT_MARKS: dict[str, Sequence[Any]] = {
    "number": (-1, 1, 2),
    "outcome": [*Outcome, *[Outcome.FAILED] * 4],
    "generation_id": (None, "own", "other"),
    "credits_estimated": SUMS,
    "credits_held": SUMS,
    "credits_charged": SUMS,
    "error": ("", "it failed"),
}


def crowd_of(dice: Random) -> tuple[list[Take], list[Attempt]]:
    """Make takes, some without an attempt, some with several, and beside each those that differ from it in one mark."""
    takes: list[Take] = []
    attempts: list[Attempt] = []
    for _ in range(150):
        marks = {name: dice.choice(values) for name, values in TAKE_MARKS.items()}
        theirs = [
            {name: dice.choice(values) for name, values in ATTEMPT_MARKS.items()}
            for _ in range(dice.choice((0, 1, 1, 1, 2)))
        ]
        twins = [(marks, theirs)] * 2
        twins += [({**marks, name: value}, theirs) for name, values in TAKE_MARKS.items() for value in values]
        twins += [
            (marks, [{**theirs[0], name: value}, *theirs[1:]])
            for name, values in ATTEMPT_MARKS.items()
            for value in values
            if theirs
        ]
        for own, sent in twins:
            take_id = len(takes) + 1
            ids = {None: None, "own": f"g{take_id}", "other": f"g{take_id}.other"}
            takes.append(
                Take(take_id, f"s{take_id // 3}", take_id % 3, **{**own, "generation_id": ids[own["generation_id"]]})
            )
            attempts += [
                Attempt(
                    take_id=take_id, request_id=f"r{take_id}.{place}", body_sha256="b", key_fingerprint="k",
                    started_at=BEGIN, **{**each, "generation_id": ids[each["generation_id"]]},
                )
                for place, each in enumerate(sent)
            ]  # fmt: skip
    return takes, attempts


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> tuple[list[Take], list[Attempt], Book]:
    """Some thousands of takes, with all that may stand in their rows, some of it together by chance alone."""
    dice = Random(14)
    takes, attempts = crowd_of(dice)
    output = tmp_path_factory.mktemp("crowd")
    begin(output, Batch("crowd", ())).state.close()
    with StateReader.open(output) as reader:
        empty = read_record(reader)
    shots = [
        ShotRow(name, place, "", "", (), "", "", "", 1, omit=dice.random() < 0.1, removed=dice.random() < 0.1)
        for place, name in enumerate(dict.fromkeys(take.shot_id for take in takes))
    ]
    tables = {
        "quotes": QUOTES,
        "takes": rows_of(Take, takes),
        "attempts": rows_of(Attempt, attempts),
        "shots": rows_of(ShotRow, shots),
    }
    return takes, attempts, book_of(type(empty)(**(vars(empty) | tables)))


@pytest.mark.long
def test_a_take_costs_what_the_rules_say_of_it_alone(crowd: tuple[list[Take], list[Attempt], Book]) -> None:
    takes, attempts, made = crowd
    by_take, prices = attempts_by_take(attempts), prices_now(takes, QUOTES)
    expected = [money_of(take, by_take.get(take.take_id, []), prices) for take in takes]
    columns_told = {name: plain_values(made.money[name]) for name in expected[0]}
    assert [{name: values[row] for name, values in columns_told.items()} for row in range(len(takes))] == expected
    assert made.figures == figures_of(takes, attempts, prices)


@pytest.mark.long
def test_the_takes_in_the_cut_are_those_that_are_chosen(crowd: tuple[list[Take], list[Attempt], Book]) -> None:
    takes, _, made = crowd
    shots = values_of(ShotRow, made.record.shots)
    expected = {each.take.take_id for each in choices(shots, takes) if each.take is not None}
    assert expected
    assert set(made.record.takes.loc[made.is_chosen, "take_id"]) == expected


def test_a_record_holds_what_the_state_file_does(tmp_path: Path) -> None:
    every_state(tmp_path)
    with StateReader.open(tmp_path) as reader:
        record = read_record(reader)
        assert values_of(Take, record.takes) == [shown_take(take, tmp_path) for take in reader.takes()]
        assert values_of(Attempt, record.attempts) == reader.attempts()
        assert values_of(ShotRow, record.shots) == reader.shots()


def test_a_table_that_is_read_in_parts_is_the_same(tmp_path: Path) -> None:
    every_state(tmp_path)
    with StateReader.open(tmp_path) as reader:
        parts = list(reader.columns(Attempt, "ORDER BY take_id, number", rows_at_once=3))
        assert values_of(Attempt, frame_of(Attempt, parts)) == reader.attempts()
    assert len(parts) > 1


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("UPDATE takes SET submitted_at = 'yesterday' WHERE take_id = 9", "cannot be read"),
        ("UPDATE takes SET size_bytes = 9007199254740993 WHERE take_id = 9", "too large"),
        ("UPDATE takes SET note = NULL WHERE take_id = 9", "a row without note"),
        ("UPDATE attempts SET take_id = 99 WHERE take_id = 9", "an attempt in it belongs to no take"),
        ("UPDATE takes SET recipe_json = '[]' WHERE take_id = 9", "not a request"),
    ],
)
def test_a_damaged_row_is_no_report(tmp_path: Path, change: str, words: str) -> None:
    every_state(tmp_path)
    with StateReader.open(tmp_path) as reader:
        path: Any = reader.path
    import sqlite3

    with sqlite3.connect(path) as connection:
        connection.execute(change)
    connection.close()
    with pytest.raises(StateInvalid, match=words):
        book(tmp_path)


def test_every_table_is_what_it_was(tmp_path: Path) -> None:
    """The tables of a batch with a bit of everything, byte for byte.

    Where a change of them is meant, write the new ones over those in `golden`, and look at the difference.
    """
    from tests.reporting.states import MADE_AT
    from wanbatch.reporting.files import write_reports

    a_bit_of_everything(tmp_path)
    with StateReader.open(tmp_path) as reader:
        folder = write_reports(reader, made_at=MADE_AT).takes.parent
    golden = Path(__file__).parent / "golden"
    assert {each.name: each.read_bytes() for each in folder.glob("*.csv")} == {
        each.name: each.read_bytes() for each in golden.glob("*.csv")
    }


def a_bit_of_everything(output: Path) -> None:
    """Takes in every state, some failed and sent again, a superseded one, a double, an omitted shot, own columns."""
    shots = [
        shot(
            f"sc{number // 4}_sh{number:02}", number, scene=f"sc{number // 4}", sequence=("sq1", "", "=sq")[number % 3],
            tags=((), ("hero",), ("hero", "night"))[number % 3], cost_code=("A-1", "")[number % 2],
            notes=('say "hi",\nthere', "")[number % 2], takes=1 + (number == 5), omit=number == 7,
            own={"x_mood": "-dark, ü"} if number % 4 == 1 else {}, request={"duration": (5, 10)[number % 2]},
        )
        for number in range(24)
    ]  # fmt: skip
    pen = begin(output, Batch("everything", tuple(shots)))
    states = [*State, State.VERIFIED, State.VERIFIED]
    for place, take in enumerate(pen.state.takes()):
        state = states[place % len(states)]
        charged = CREDITS + place if state is State.VERIFIED and place % 5 else None
        warning = "the clip is black: =look" if place % 6 == 0 and state is State.VERIFIED else ""
        words = {"estimated": CREDITS, "charged": charged, "label": take.label, "warning": warning}
        pen.lead(take.take_id, state, **words, clip_s=5.0 + place / 8)
    failed = next(take for take in pen.state.takes() if take.state is State.FAILED)
    pen.tell(failed.take_id, Fact.RETRY_PLANNED, by="user")
    again = {"attempt": 2, "request_id": "wb1:nonce:again", "body_sha256": "d" * 64, "key_fingerprint": "f00dfeed"}
    pen.tell(failed.take_id, Fact.SUBMIT_STARTED, **again, credits_estimated=CREDITS)
    pen.tell(failed.take_id, Fact.ACCEPTED, generation_id="gen-again", credits_held=CREDITS)
    verified = [take for take in pen.state.takes() if take.state is State.VERIFIED]
    pen.tell(verified[0].take_id, Fact.SUPERSEDED)
    pen.tell(verified[1].take_id, Fact.CIRCLED)
    pen.tell(
        verified[2].take_id, Fact.FOUND_DOUBLE, attempt=-1, request_id="wb1:nonce:double", key_fingerprint="f00dfeed",
        at=BEGIN.isoformat(), generation_id="gen-double", credits_held=CREDITS, credits_at_risk=CREDITS,
        error="a second generation",
    )  # fmt: skip
    lines = [
        BaselineLine(row.shot_id, row.wanted, CREDITS * row.wanted)
        if row.ordinal
        else BaselineLine(row.shot_id, row.wanted, 0, row.wanted)
        for row in pen.state.shots()
    ]
    pen.state.keep_baseline([*lines[:16], BaselineLine("gone", 1, CREDITS)], BEGIN)
    place_clips(output, pen.state)
    pen.state.close()
