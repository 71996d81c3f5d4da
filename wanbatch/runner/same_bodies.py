"""Takes whose request is that of another one to the byte: none is sent unless the user said to buy it anyway.

What is planned is compared by its recipe before a run. Two recipes may still come to one body: a frame may be named in
two ways, and a picture may differ in its metadata alone, which is not sent.
"""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import replace
from functools import cached_property

from wanbatch.batch.attempts import NO_POST
from wanbatch.batch.chains import with_new_ids
from wanbatch.batch.lifecycle import IN_FLIGHT_STATES, State
from wanbatch.batch.orders import digest_of, is_same_order
from wanbatch.batch.shots import likeness
from wanbatch.batch.take import Take
from wanbatch.batch.takeover import settled_in, settled_text
from wanbatch.errors import ExitCode
from wanbatch.runner.context import RunContext
from wanbatch.state.reader import SETTLED_NOTE

_UNDECIDED = (State.UNKNOWN, State.HELD)
_FREE = (State.PLANNED, State.FAILED)
NAMED_NOTE = "named by body"  # takes that were kept back, each with the one that has its body: what --buy-again answers


class SameBodies:
    """Which bodies were sent, and the takes that this run keeps back because of one."""

    def __init__(self, context: RunContext) -> None:
        self._context = context
        self._kept: dict[int, str] = {}  # take id: what keeps it back

    @cached_property
    def _sent(self) -> dict[str, set[int]]:
        """The takes of which each body was ever sent."""
        sent: dict[str, set[int]] = {}
        for take_id, sha256 in self._context.state.bodies_sent():
            sent.setdefault(sha256, set()).add(take_id)
        return sent

    def keep_back(self, take: Take, sha256: str) -> bool:
        """Say whether a take must not be sent, as its body made another's clip, or may have; else note that it is sent.

        A model that takes no seed makes another clip of the same body each time.
        """
        takers = self._sent.setdefault(sha256, set())
        others = takers - {take.take_id}
        is_another = self._came_to_light(take) or self._goes_on(take) or self._made_by_another(take, sha256, others)
        if is_another or self._is_unclear(take):
            return True
        takers.add(take.take_id)
        return False

    def _came_to_light(self, take: Take) -> bool:
        """Keep a take back if this run found a submit of the same request that the state file did not know."""
        context = self._context
        found = (context.takes[each] for each in sorted(context.came_to_light - {take.take_id}))
        other = next((each for each in found if each.state in _UNDECIDED and is_same_order(take, each)), None)
        if other is None:
            return False
        why = f"a submit of {other.label} with the same request was found"
        todo = f"{why}. Decide on {other.label} first, then run the same command again"
        return self._keep(take, why, ExitCode.DECISION_NEEDED, todo)

    def _goes_on(self, take: Take) -> bool:
        """Keep a take back if this run found that a failed generation of the same request goes on after all."""
        other = self._stood_in_for(take, self._context.revived, lambda each: each.state not in _FREE)
        return other is not None and self._keep(
            take,
            f"the generation of {other.label} goes on after all",
            ExitCode.DECISION_NEEDED,
            f"{other.label} asks for the same clip, and its generation, which the provider had called failed, goes on"
            f" after all. wanbatch fetches that clip; then {_choice(take)}",
        )

    def _is_unclear(self, take: Take) -> bool:
        """Keep a take back if the provider did not say whether a failed generation of its request goes on after all."""
        other = self._stood_in_for(take, self._context.unanswered)
        return other is not None and self._keep(
            take,
            f"the provider did not answer about {other.label}",
            ExitCode.PROVIDER_UNREACHABLE,
            f"{other.label} asked for the same clip, and the provider did not say whether its failed generation goes on"
            " after all. Run the same command again later",
        )

    def _stood_in_for(
        self, take: Take, take_ids: Collection[int], fits: Callable[[Take], bool] = lambda _: True
    ) -> Take | None:
        """Return which of these takes asked for the clip that a take asks for; None if none did."""
        context, mine = self._context, called_now(self._context, take)
        others = (context.takes[each] for each in sorted(take_ids) if each != take.take_id)
        return next((each for each in others if fits(each) and is_in_place_of(mine, called_now(context, each))), None)

    def _keep(self, take: Take, why: str, code: ExitCode, text: str) -> bool:
        """Keep a take back: `why` follows its label, `text` is what the user reads. Always True."""
        self._kept[take.take_id] = f"which was not sent, because {why}"
        self._context.trouble(code, f"{take.label} was not sent: {text}")
        return True

    def _made_by_another(self, take: Take, sha256: str, others: set[int]) -> bool:
        context = self._context
        if not others or "seed" not in take.recipe.body:
            return False
        settled, digest = settled_in(context.state.noted(SETTLED_NOTE)), digest_of(take.recipe_json)
        named = settled_in(context.state.noted(NAMED_NOTE))
        settled |= named if context.settings.buys_again else frozenset()  # only what the user knows
        for other in (context.takes[each] for each in sorted(others)):
            refs = (other.take_id, other.label)
            if any((take.label, ref, digest) in settled for ref in refs) or not may_have_made(context, other, sha256):
                continue
            if other.state in IN_FLIGHT_STATES and context.schedule.awaits_ends:
                context.schedule.park(take.take_id)  # it may fail, and then this one is to be made
                return True
            context.state.note(NAMED_NOTE, settled_text(named | {(take.label, other.take_id, digest)}))
            return self._keep(
                take,
                f"{other.label} has the same request",
                ExitCode.DECISION_NEEDED,
                f"its request is, byte for byte, that of {other.label}, so its clip would be the same. {_todo(take)};"
                " to buy it anyway, run the manifest with --buy-again",
            )
        return False

    def why_kept(self, take: Take) -> str:
        """Return what keeps a take back, in words; empty if nothing does."""
        return self._kept.get(take.take_id, "")


def called_now(context: RunContext, take: Take) -> Take:
    """Return a take whose recipe names the shots that it continues from by the ids that they have now."""
    return replace(take, recipe_json=with_new_ids(take.recipe_json, context.names_now)) if context.names_now else take


def is_in_place_of(take: Take, other: Take) -> bool:
    """Say whether a take asks for the clip that another was sent for, or stands in for it as it had failed."""
    is_alike = take.shot_id == other.shot_id and likeness(take.recipe_json)[0] == likeness(other.recipe_json)[0]
    return is_same_order(take, other) or (take.is_retake and other.superseded and is_alike)


def _choice(take: Take) -> str:
    if take.is_retake:
        return f"`wanbatch resolve {take.label} --withdraw` takes the retake back; running the manifest sends it"
    return f"run the same command again to choose whether it is the one of {take.shot_id}"


def _todo(take: Take) -> str:
    if take.is_retake:
        return f"`wanbatch resolve {take.label} --withdraw` takes it back"
    return "Give it another seed or prompt in the manifest"


def may_have_made(context: RunContext, take: Take, sha256: str) -> bool:
    """Say whether a take's submit of a body made a clip, or may have."""
    attempts = context.state.attempts_of(take.take_id)
    return any(each.body_sha256 == sha256 and not (each.outcome in NO_POST or each.has_failed) for each in attempts)
