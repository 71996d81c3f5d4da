"""What is still to be sent, read from a state file: its cost, and what the caps of batch and scenes have left."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from wanbatch.batch.lifecycle import State
from wanbatch.batch.models import PriceClass
from wanbatch.batch.plan import Due
from wanbatch.batch.remedies import Again
from wanbatch.batch.selection import EVERYTHING, places_of
from wanbatch.money.purchase import Purchase
from wanbatch.money.remaining import Failed, Remaining, most_of, remaining_of
from wanbatch.money.scene_caps import SceneCaps, by_scene
from wanbatch.money.seen_prices import prices_now
from wanbatch.state.findings import read_findings
from wanbatch.state.kept_command import read_command
from wanbatch.state.needs import AttemptFindings, RetryCaps, problems_in
from wanbatch.state.next_step import choice_in, going_on
from wanbatch.state.reader import StateReader
from wanbatch.state.tables import Run


def read_remaining(reader: StateReader) -> Remaining:
    """Read what is still to be sent, at the prices of now and under the caps of the newest run."""
    kinds, runs = reader.kinds(), reader.runs()
    prices = prices_now([kind for kind, _ in kinds], reader.quotes())
    strays = [each.credits_held for each in reader.strays()]
    last, failed = runs[-1] if runs else None, _tried_again(reader)
    remaining = remaining_of(kinds, failed, prices, strays, None if last is None else last.cap_credits)
    chosen, limit = _chosen(reader, last) if last is not None and remaining.takes else (None, None)
    if chosen is not None:
        classes = [due.price_class for due in chosen]
        remaining = replace(remaining, chosen=most_of(classes, limit, kinds, prices))
    if last is None or not last.caps_by_scene:
        return remaining

    def price_of(classes: Sequence[PriceClass]) -> Purchase:
        return most_of(classes, None, kinds, prices)

    scenes = SceneCaps(
        caps=last.caps_by_scene,
        committed=reader.committed_by_scene(),
        left=by_scene(((due.scene, due.price_class) for due in reader.inventory().due), price_of),
        chosen=None if chosen is None else by_scene(((due.scene, due.price_class) for due in chosen), price_of),
        again=by_scene(failed.again, price_of),
        changed=by_scene(failed.changed, price_of),
    )
    return replace(remaining, scenes=scenes)


def _chosen(reader: StateReader, last: Run) -> tuple[list[Due] | None, int | None]:
    """Return what the command that goes on sends of what is left, None for all, and how many of these at most."""
    choice = choice_in(going_on(read_command(reader).text, last))
    if choice == EVERYTHING:
        return None, None
    shots = choice.shots
    if shots.needs_places:
        shots = replace(shots, places=places_of(reader.shots()))
    return [due for due in reader.inventory().due if shots.has(due.shot_id)], choice.limit


def read_findings_with_caps(reader: StateReader, remaining: Remaining) -> AttemptFindings:
    """Read what is known of takes in trouble, with the caps that tries of those that failed need."""
    findings, scenes = read_findings(reader), reader.scene_by_shot()
    short = {each.scene: each.once_words for each in remaining.short_for_retry}
    failed = [take for take in reader.takes_in([State.FAILED]) if not take.superseded]
    by_shot: dict[str, list[PriceClass]] = {}
    for shot_id, price_class in [(take.shot_id, take.price_class) for take in failed]:
        by_shot.setdefault(shot_id, []).append(price_class)
    for due in reader.inventory().due if by_shot else ():
        by_shot.get(due.shot_id, []).append(due.price_class)
    kinds = reader.kinds()
    prices = prices_now([kind for kind, _ in kinds], reader.quotes())
    alone = {shot: remaining.cap_for_alone(most_of(each, None, kinds, prices)) for shot, each in by_shot.items()}
    caps = RetryCaps(
        whole=remaining.cap_for_retry,
        by_shot={shot: cap for shot, cap in alone.items() if cap is not None},
        scenes={shot: short[scene] for shot in by_shot if (scene := scenes.get(shot, "")) in short},
    )
    return replace(findings, caps=caps)


def _tried_again(reader: StateReader) -> Failed:
    """Count the failed takes that are asked for, and return what is bought to make them after all.

    What the provider refused is made by changing its shot, and then all takes of that shot are bought; those that are
    still to be sent anyway count there. Those of which a clip may be there do not count: the user decides about them
    first. Nor do those that the user gave up.
    """
    made = reader.made_for_failed()
    failed = [
        take for take in reader.takes_in([State.FAILED]) if take.take_id not in made and reader.is_asked_for(take)
    ]
    problems = problems_in(failed, findings=read_findings(reader), folder=str(reader.output)) if failed else ()
    given_up = {each.take for each in problems if each.again is Again.GIVEN_UP}
    failed = [take for take in failed if take.label not in given_up]
    refused = {each.take for each in problems if each.again is Again.CHANGED}
    shots = {take.shot_id for take in failed if take.label in refused}
    changed = [take for take in reader.takes_of_shots(shots) if not take.superseded and not take.is_retake]
    changed = [take for take in changed if take.state is not State.PLANNED]
    scenes = reader.scene_by_shot()
    return Failed(
        takes=len(failed),
        again=[(scenes.get(take.shot_id, ""), take.price_class) for take in failed if take.shot_id not in shots],
        changed=[(scenes.get(take.shot_id, ""), take.price_class) for take in changed],
    )
