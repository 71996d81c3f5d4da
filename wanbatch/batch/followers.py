"""Followers: shots that a manifest wants made again whenever the frame that they continue from is another one. Pure.

A follower gets one new take for a new frame. What fails, and what the user circled, is left to the user: no run buys
another try of it on its own.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from wanbatch.batch.chained_takes import ChainedTakes
from wanbatch.batch.changes import Create, Past, Reinstate, Replan, Supersede
from wanbatch.batch.chosen_frames import ChosenFrame
from wanbatch.batch.names import twin_key
from wanbatch.batch.plan import Plan
from wanbatch.batch.shot_plan import Wanted
from wanbatch.batch.shots import Recipe, Shot, retake_seed
from wanbatch.batch.take import Take


def with_followers(plan: Plan, shots: Sequence[Shot], frames: Mapping[int, Sequence[ChosenFrame]], past: Past) -> Plan:
    """Return a plan that also makes a take of each follower whose frame is another one once the plan is carried out.

    `frames` are those that were sent with takes, by take id.
    """
    chained = ChainedTakes(_takes_after(plan), frames)
    changed = {change.shot_id for change in plan.changes if isinstance(change, Create)}
    replanned = {change.take_id for change in plan.changes if isinstance(change, Replan)}
    changed |= {take.shot_id for take in plan.takes if take.take_id in replanned}
    highest = past.highest(plan.takes)
    created: list[Create] = []
    wanted: list[Wanted] = []
    for shot in shots:
        label = "" if shot.omit or shot.id in changed else _new_source(shot, chained)
        if label:
            number = highest.get(twin_key(shot.id), 0) + 1
            recipe = _recipe_of(shot, number)
            created.append(Create(shot.id, number, recipe, f"follows {label}"))
            wanted.append(Wanted(shot, recipe, None))
    return replace(
        plan,
        changes=(*plan.changes, *created),
        wanted=(*plan.wanted, *wanted),
        is_following=any(shot.following for shot in shots),
    )


def _takes_after(plan: Plan) -> dict[str, list[Take]]:
    """Return the takes by shot as they are asked for once the plan is carried out."""
    told = {
        each.take_id: isinstance(each, Supersede) for each in plan.changes if isinstance(each, Supersede | Reinstate)
    }
    by_shot: dict[str, list[Take]] = {}
    for take in plan.takes:
        after = replace(take, superseded=told.get(take.take_id, take.superseded))
        by_shot.setdefault(take.shot_id, []).append(after)
    return by_shot


def _new_source(shot: Shot, chained: ChainedTakes) -> str:
    """Return the label of the take that gives a follower a frame that its newest take does not have; empty for none."""
    take = chained.made(shot.id) if shot.following else None
    if take is None or any(each.number > take.number for each in chained.takes[shot.id] if not each.superseded):
        return ""
    stale = (join for join in chained.joins(take) if join.is_stale and join.frame.text in shot.following)
    return next((join.source.take.label for join in stale if join.source.take is not None), "")


def _recipe_of(shot: Shot, number: int) -> Recipe:
    seed = {"seed": retake_seed(shot.id, number)} if shot.has_seed else {}
    return Recipe.of({**shot.request, **seed})
