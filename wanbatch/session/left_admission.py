"""The admission of what is left to be sent where no manifest is planned: by retry, retake and a run that resumes.

What an earlier plan left is compared again with the clips that there are: one may have come to light since, or been
bought in another folder.
"""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from wanbatch.batch.frames import shots_of_frames
from wanbatch.batch.lifecycle import State
from wanbatch.batch.orders import Order, OrderKind, grounded, orders_left, orders_of
from wanbatch.batch.plan import Plan
from wanbatch.batch.shots import likeness
from wanbatch.batch.take import Take
from wanbatch.batch.takeover import Settled, find_twins, match_orders, settled_by, settled_in
from wanbatch.errors import UsageInvalid
from wanbatch.session.access import Access
from wanbatch.session.folder_questions import Question, left_question
from wanbatch.session.neighbours import Places, find_beside, find_running
from wanbatch.state.kept_command import read_command
from wanbatch.state.reader import SETTLED_NOTE, StateReader
from wanbatch.units import count_text


def is_there_meanwhile(source: str, state: StateReader, address: str) -> bool:
    """Say whether what an earlier plan left to be sent may be there by now, so that the manifest is compared."""
    orders = _grounded(orders_left(state.takes_in([State.PLANNED, State.FAILED]), state.fallbacks()), state)
    if not orders:
        return False
    settled = settled_in(state.noted(SETTLED_NOTE))
    kept = state.takes_unasked()
    first = state.first_recipes()
    if match_orders(_slots(orders), kept, {}, first, settled) or find_twins(orders, kept, kept, settled):
        return True
    found, unread = find_beside(Places.of(state.output, source, address), address, orders, settled)
    return bool(found or unread)


def _grounded(orders: Iterable[Order], state: StateReader) -> list[Order]:
    """Return orders with what the shots that they continue from ask for, also through others."""
    every, texts = list(orders), dict[str, str]()
    left = {shot_id for each in every for shot_id in shots_of_frames(each.text)}
    while left:
        for take in state.takes_of_shots(left):
            if not take.superseded:
                texts.setdefault(take.shot_id, likeness(take.recipe_json)[0])
        found = {each for shot_id in left for each in shots_of_frames(texts.get(shot_id, ""))}
        left = found - texts.keys()
    return grounded(every, texts)


def assert_not_bought_elsewhere(state: StateReader, access: Access, planned: Iterable[Take], source: str) -> None:
    """Raise UsageInvalid if another run is at work in a folder beside that may buy what is planned here, too.

    Asked once the plan is written: of two runs that begin at one moment, at least one sees the other.
    """
    orders = _grounded(orders_left(planned, state.fallbacks()), state)
    settled = settled_in(state.noted(SETTLED_NOTE))
    places = Places.of(state.output, source, access.address)
    running = next(iter(find_running(places, access.address, orders, settled)), None)
    if running is not None:
        order, label = running.found[0]
        raise UsageInvalid(
            f"another run in {running.output} is already handling {count_text(len(running.found), 'take')} of this run"
            f" ({order.label} is {label} there): wanbatch stopped before it sent anything. Wait until that run ends,"
            " then run the same command again; --buy-again buys them here, too"
        )


def orders_again(again: Iterable[Take], planned: Iterable[Take], state: StateReader) -> list[Order]:
    """Return what is bought when failed takes are tried again, and what is planned is sent."""
    takes = [*planned, *(replace(take, state=State.PLANNED) for take in again)]
    return _grounded(orders_left(takes, state.fallbacks()), state)


def orders_of_retakes(plan: Plan, state: StateReader) -> list[Order]:
    """Return what is bought by a plan of retakes."""
    created = [order for order in orders_of(plan, state.fallbacks()) if order.is_new]
    planned = [each.take for each in plan.wanted if each.take is not None]
    return _grounded([*created, *orders_left(planned, state.fallbacks())], state)


def admit_left(
    command: Sequence[str], orders: Sequence[Order], state: StateReader, access: Access
) -> tuple[list[Question], Settled]:
    """Find what must be asked before these orders are sent, and what is settled once it is answered. Writes nothing.

    `command` are the words of the command that is to send them.
    """
    settled, first = settled_in(state.noted(SETTLED_NOTE)), state.first_recipes()
    every, kept = state.takes(), state.takes_unasked()
    matches = match_orders(_slots(orders), kept, {}, first, settled)
    found = {match.order for match in matches}
    twins = find_twins([each for each in orders if each not in found], every, kept, settled)
    found |= {twin.order for twin in twins}
    run = read_command(state)
    there = f"cd {shlex.quote(run.place)} && " if run.place and run.text else ""
    words = (f"{there}{run.text}", shlex.join((*command, "--buy-again")))
    questions = []
    if found:
        pairs = [(match.order.title, match.candidates[0].label) for match in matches]
        pairs += [(twin.order.title, twin.label) for twin in twins]
        questions.append(left_question(words, str(state.output), pairs, is_blocking=True))
    rest = [each for each in orders if each not in found]
    source = "".join(str(Path(run.place, each)) for each in shlex.split(run.text)[2:3])
    places = Places.of(state.output, source, access.address)
    neighbours, _ = find_beside(places, access.address, rest, settled)
    for each in neighbours:
        pairs = [(order.title, label) for order, label in each.found]
        questions.append(left_question(words, str(each.output), pairs, is_blocking=not access.is_embedded))
    settled |= settled_by(matches) | {twin.settled for twin in twins}
    return questions, settled.union(*(each.settled for each in neighbours))


def _slots(orders: Sequence[Order]) -> list[Order]:
    return [each for each in orders if each.kind is OrderKind.SLOT]
