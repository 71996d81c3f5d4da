"""Submits: the paid POST of a take, recorded before it leaves and after it is answered.

Whatever is not proof that nothing was made leaves the take held: a clip is never bought twice on a guess.
"""

from __future__ import annotations

from collections.abc import Callable

from wanbatch.batch.given_files import Body
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.run_details import Stop
from wanbatch.batch.shots import Recipe
from wanbatch.batch.take import Take
from wanbatch.errors import ExitCode, LocalFault, ProgramFault, StateInvalid
from wanbatch.money.budget import Fit, Surprise
from wanbatch.money.credits import usd_text
from wanbatch.pace.backoff import backoff_s
from wanbatch.provider.answers import REQUEST_ID
from wanbatch.provider.protocol import Accepted, NotSent, RefusalKind, Refused, SubmitAnswer, TurnedAway, Unknown
from wanbatch.runner.context import RunContext
from wanbatch.runner.fallbacks import fall_back
from wanbatch.runner.predecessors import assert_recorded
from wanbatch.runner.same_bodies import SameBodies
from wanbatch.runner.uncertain_submits import note_misnamed
from wanbatch.units import count_text, size_text

ROOM_BYTES = 32 * 1024 * 1024  # a clip and what comes with it, generously
UNKNOWN_ROW_LIMIT = 3  # so many lost answers in a row, and no more money goes after them


def request_id_of(nonce: str, recipe: Recipe, take_id: int, attempt: int) -> str:
    """Make the id that names one paid POST for ever: no user text, at most 128 characters."""
    request_id = f"wb1:{nonce}:{recipe.short_hash}:{take_id}.{attempt}"
    assert REQUEST_ID.fullmatch(request_id)
    return request_id


class Submits:
    """Sends what the schedule says, and reads the answers."""

    def __init__(self, context: RunContext, on_lost: Callable[[], None]) -> None:
        self._context = context
        self._on_lost = on_lost
        self._lost_in_a_row = 0
        self._not_sent_in_a_row = 0
        self._was_echo_missed = False
        self._paused_scenes: set[str] = set()  # which have reached their own caps
        self._same_bodies = SameBodies(context)
        self._waiting: set[str] = set()  # scenes, or "" for all, whose takes wait for money to come back
        self._has_said_wait = False

    def begin(self, take_id: int, body: Body | None = None) -> bool:
        """Record the intent of a POST, durably, before any byte of it leaves; False if it must not be sent.

        `body` is what is sent, where that is more than the recipe: with the files that it names.
        """
        context, take = self._context, self._context.takes[take_id]
        schedule, fit = context.schedule, context.budget.fit(self._context.takes[take_id])
        if schedule.posts and (
            fit in (Fit.ALONE, Fit.UNTOLD) or (fit is not Fit.YES and context.budget.may_learn(take))
        ):
            schedule.add_planned(take_id, first=True)
            schedule.hold_submits_for_answer()  # what is out may tell its price
            return False
        if fit is Fit.UNTOLD:
            self._wait_for_price(take)
            return False
        if fit in (Fit.NO, Fit.SCENE) and schedule.awaits_ends and context.budget.may_fit_later(take):
            self._wait_for_money(take, fit)
            return False
        if fit is Fit.NO:
            schedule.add_planned(take_id, first=True)
            context.stop_submitting(ExitCode.BUDGET_REACHED, self._budget_text(take), Stop.CAP)
            return False
        if fit is Fit.SCENE:
            self._pause_scene(take)
            context.leave_out(take)
            return False
        if not self._has_room() or not self._can_read_clips():
            schedule.add_planned(take_id, first=True)
            return False
        if take.state is not State.PLANNED:  # one open attempt a take, at most
            raise LocalFault(
                f"another process changed {take.label} in {context.state.output} during this run: wanbatch"
                " stopped before it paid for more. Let one command at a time work on this folder, then run it again"
            )
        assert_recorded(context, take, body)
        sha256 = take.recipe.sha256 if body is None else body.sha256
        if self._same_bodies.keep_back(take, sha256):
            return False
        self._record_intent(take, sha256)
        schedule.submit_began(context.clock.monotonic(), has_token=body is not None)
        return True

    def _record_intent(self, take: Take, sha256: str) -> None:
        context, recipe = self._context, take.recipe
        attempt = take.attempts + 1  # a new id for every POST: one that ever left this process is never used again
        context.record(
            take.take_id,
            Fact.SUBMIT_STARTED,
            {
                "attempt": attempt,
                "request_id": request_id_of(context.nonce, recipe, take.take_id, attempt),
                "body_sha256": sha256,
                "key_fingerprint": context.settings.key_fingerprint,
                "credits_estimated": context.budget.price_of(take),
            },
        )

    def _wait_for_money(self, take: Take, fit: Fit) -> None:
        """Keep a take back that a cap forbids, until what is being made has ended: what fails gives its money back."""
        context, name = self._context, "" if fit is Fit.NO else self._context.budget.scene_of(take)
        if fit is Fit.NO:
            context.schedule.add_planned(take.take_id, first=True)
            context.schedule.hold_submits_for_end()
        else:
            context.schedule.park(take.take_id)
        if name not in self._waiting:
            self._waiting.add(name)
            which = "the cap" if fit is Fit.NO else f"the cap of scene {name}"
            context.note(
                f"what is left under {which} is too little for {take.label}: wanbatch sends it and the takes after it"
                " only if one that is being made fails and costs nothing"
            )

    def _wait_for_price(self, take: Take) -> None:
        """Keep a take back until a search tells what those cost whose answers were lost; without one, stop."""
        context = self._context
        context.schedule.add_planned(take.take_id, first=True)
        lost, cap = context.budget.lost, usd_text(context.budget.cap_credits)
        why = (
            f"the answers to {count_text(lost, 'submit')} were lost before any answer showed the price, and the cap"
            f" of {cap} does not cover ten times the expected price"
        )
        if not context.schedule.hold_submits_for_search():
            advice = "Resolve the held takes (`wanbatch status` lists them) or raise the cap, then run the same command"
            context.stop_submitting(ExitCode.BUDGET_REACHED, f"{why}: wanbatch sends nothing more. {advice}")
        elif not self._has_said_wait:
            self._has_said_wait = True
            context.note(
                f"{why}: {take.label} waits until the provider's log shows what they cost. To continue at once, stop"
                " here, raise the cap and run the same command again"
            )

    def _has_room(self) -> bool:
        """Say whether the disk has room for this clip and all that are under way; if it has not, stop submitting."""
        context = self._context
        if context.settings.free_bytes is None:
            return True
        free, needed = context.settings.free_bytes(), ROOM_BYTES * (context.schedule.running + 1)
        if free < needed:
            context.stop_submitting(
                ExitCode.LOCAL_FAULT,
                f"{context.state.output} has {size_text(free)} free, and the clips under way may need"
                f" {size_text(needed)}: wanbatch sends nothing more, and finishes and fetches what is still running."
                " Free some space and run the same command again",
            )
        return free >= needed

    def _can_read_clips(self) -> bool:
        """Say whether what is bought could be checked; if it could not, stop submitting."""
        try:
            self._context.settings.before_submit()
        except ProgramFault as error:
            self._context.stop_submitting(error.exit_code, str(error))
            return False
        return True

    def _budget_text(self, take: Take) -> str:
        budget = self._context.budget
        left = "some takes had an unknown cost" if budget.uncosted else f"{usd_text(budget.committed)} was committed"
        more = f", and {usd_text(budget.reserve)} more at the worst price seen" if budget.reserve else ""
        is_dearer = budget.worst_of(take) != budget.price_of(take)
        worst = f", or {usd_text(budget.worst_of(take))} at the worst price seen" if is_dearer else ""
        return (
            f"the cap of {usd_text(budget.cap_credits)} stopped the run: {left}{more}, and the next take ({take.label})"
            f" would cost {usd_text(budget.price_of(take))}{worst}. Raise the cap to send more"
        )

    def _pause_scene(self, take: Take) -> None:
        """Leave a take of a scene whose own cap is reached to a later run; the others go on."""
        context, budget = self._context, self._context.budget
        allowance, scene = budget.scene_allowance(take), budget.scene_of(take)
        if allowance is None or scene in self._paused_scenes:
            return
        self._paused_scenes.add(scene)
        context.stops.add(Stop.SCENE_CAP)
        spent = f"{usd_text(allowance.committed)} is committed"
        if context.budget.lost:
            spent += ", which may be more, because answers were lost before any answer showed the price"
        left = "some of its takes have an unknown cost" if allowance.uncosted else spent
        context.trouble(
            ExitCode.BUDGET_REACHED,
            f"scene {scene} has reached its cap of {usd_text(allowance.cap_credits)}: {left}, and the next take"
            f" ({take.label}) costs {usd_text(context.budget.price_of(take))}. The other scenes go on; raise this cap"
            " and run the same command again",
        )

    def why_kept(self, take: Take) -> tuple[str, ExitCode] | None:
        """Return why this run does not send a take that is planned, in words, and the exit code of that."""
        scene, same = self._context.budget.scene_of(take), self._same_bodies.why_kept(take)
        if scene in self._paused_scenes:
            return f"which was not sent, because its scene ({scene}) has reached its cap", ExitCode.BUDGET_REACHED
        return (same, ExitCode.DECISION_NEEDED) if same else None

    async def send(self, take_id: int, body: Body | None = None) -> None:
        """Send the POST that `begin` recorded, and record what its answer means."""
        context, take = self._context, self._context.takes[take_id]
        assert take.request_id is not None

        def on_accepted(generation_id: str) -> None:
            # The headers are in: the id is saved before the body, which may never come.
            self._record_accepted(take_id, generation_id)

        answer: SubmitAnswer | None = None
        try:
            answer = await context.provider.submit(take.recipe, take.request_id, on_accepted, body)
        finally:
            is_running = isinstance(answer, Accepted) or context.takes[take_id].state is State.QUEUED
            context.schedule.submit_ended(is_running=is_running)
        if not isinstance(answer, NotSent):
            context.reached()
            self._not_sent_in_a_row = 0
        if not isinstance(answer, Unknown):
            self._lost_in_a_row = 0
        match answer:
            case Accepted():
                self._accepted(take_id, answer)
            case Refused():
                self._refused(take_id, answer)
            case TurnedAway():
                self._turned_away(take_id, answer)
            case NotSent():
                self._not_sent(take_id, answer)
            case _:
                assert isinstance(answer, Unknown)
                self._lost(take_id, answer)

    # --- the five answers

    def _accepted(self, take_id: int, answer: Accepted) -> None:
        context, schedule = self._context, self._context.schedule
        is_first = not schedule.has_canary_answer
        owner = context.owner_of(answer.generation_id)
        if owner is not None and owner != take_id:
            schedule.generation_disowned()  # whatever runs under that id is counted for its owner
            other = context.takes[owner].label
            context.hold(take_id, f"the provider's answer names {answer.generation_id}, the generation of {other}")
            context.stop_submitting(ExitCode.DECISION_NEEDED, "the provider gave one generation id to two submits")
            return
        if owner is not None and context.takes[take_id].state is State.SUBMITTING:
            schedule.generation_disowned()  # an earlier attempt has it: what this one made is unknown
            self._lost(take_id, Unknown(f"it named {answer.generation_id}, which an earlier attempt of the take made"))
            return
        if context.takes[take_id].state is State.SUBMITTING:
            self._record_accepted(take_id, answer.generation_id)
        schedule.accepted(context.clock.monotonic())
        if not answer.is_echoed and not self._was_echo_missed:
            self._was_echo_missed = True
            schedule.posts_at_once = 1
            context.note(
                "the provider does not return wanbatch's request ids: wanbatch submits one take at a time, and holds"
                " those whose answers are lost"
            )
        self._note_price(take_id, answer, is_first=is_first)
        if answer.other_request is not None:
            note_misnamed(context, take_id, answer.other_request)
        if answer.conflict is not None:
            text = f"the provider's answer names two generations, {answer.generation_id} and {answer.conflict}"
            context.hold(take_id, text, needs_user=True)
        elif answer.failed_message is not None:
            context.note_failure(take_id, answer.failed_message)
        else:
            context.plan_first_poll(context.takes[take_id])

    def _record_accepted(self, take_id: int, generation_id: str) -> None:
        """Record whose a generation is, unless another take has it."""
        context = self._context
        try:
            if context.owner_of(generation_id) is None:
                context.record(take_id, Fact.ACCEPTED, {"generation_id": generation_id})
        except (LocalFault, StateInvalid):
            # The disk no longer keeps what was just paid for: the user is the last place it can be saved.
            context.trouble(
                ExitCode.LOCAL_FAULT,
                f"{context.takes[take_id].label} is paid for as generation {generation_id}, but wanbatch could not"
                " record it: write this id down",
            )
            raise

    def _note_price(self, take_id: int, answer: Accepted, *, is_first: bool) -> None:
        context, take = self._context, self._context.takes[take_id]
        if answer.credits_note is not None:
            context.record(take_id, Fact.WARNED, {"warning": answer.credits_note})
        if answer.credits_held is None:
            context.record(take_id, Fact.PRICED, {"is_echoed": answer.is_echoed})
            if is_first:
                context.note("the provider does not say what a submit costs; the ledger will")
            return
        context.record(take_id, Fact.PRICED, {"is_echoed": answer.is_echoed, "credits_held": answer.credits_held})
        expected = context.budget.price_of(take)
        surprise = context.budget.learn(take, answer.credits_held)
        if surprise is None:
            return
        held = f"the provider set aside {usd_text(answer.credits_held)} for {take.label}"
        text = f"{held}, but {usd_text(expected)} was expected"
        is_capped = context.budget.cap_credits is not None
        if context.settings.is_agreed and (surprise is Surprise.CHEAPER or is_capped):
            context.note(f"{text}; the run goes on{' within the cap' if is_capped else ''}")
            return
        todo = "run the same command again to accept the new price"
        if context.settings.is_agreed:
            todo = "give a cap that covers it (--max-usd), or " + todo
        told = f"{text}. wanbatch sends nothing more: {todo}"
        context.stop_submitting(ExitCode.BUDGET_REACHED, told, Stop.NEW_PRICE)

    def _refused(self, take_id: int, answer: Refused) -> None:
        context, label = self._context, self._context.takes[take_id].label
        error = f"HTTP {answer.http_status}, server said: {answer.message}"
        data = {"http_status": answer.http_status, "error": error}
        if answer.kind in (RefusalKind.KEY, RefusalKind.CREDITS):
            context.record(take_id, Fact.TURNED_AWAY, data)
            context.schedule.add_planned(take_id, first=True)
            is_key = answer.kind is RefusalKind.KEY
            todo = "check the key" if is_key else "top up, or raise the key's own limit (`wanbatch doctor` explains it)"
            context.stop_submitting(
                ExitCode.ACCOUNT_STOPPED,
                f"the provider refuses new work from this account ({error}): {todo}, then run the same command again",
            )
            return
        context.record(take_id, Fact.REFUSED, data)
        if fall_back(context, take_id):
            return
        context.failed(take_id, error)
        if answer.kind is RefusalKind.ROUTE:
            text = f"the provider does not know model {context.takes[take_id].recipe.model} or this address ({error})"
            context.stop_submitting(ExitCode.TAKES_FAILED, f"{text}: check `wanbatch models` and AIMLAPI_BASE_URL")
        elif not context.schedule.has_canary_answer:
            context.stop_submitting(
                ExitCode.TAKES_FAILED,
                f"the first submit, {label}, was refused, so wanbatch sends nothing more ({error})",
            )

    def _turned_away(self, take_id: int, answer: TurnedAway) -> None:
        context = self._context
        context.record(take_id, Fact.TURNED_AWAY, {"http_status": answer.http_status, "error": answer.message})
        context.schedule.add_planned(take_id, first=True)
        wait_s = context.schedule.turned_away(context.clock.monotonic(), answer.retry_after_s, context.rng)
        allowed = context.schedule.in_flight.allowed
        if context.schedule.is_shut_out:
            context.stop_submitting(
                ExitCode.PROVIDER_UNREACHABLE,
                f"the provider refuses every submit (HTTP {answer.http_status}) although nothing of this batch is"
                " running. Nothing is lost: run the same command again later",
            )
            return
        context.note(
            f"the provider is busy (HTTP {answer.http_status}): next submit in {wait_s:.0f} s, at most"
            f" {count_text(allowed, 'take')} in flight"
        )

    def _not_sent(self, take_id: int, answer: NotSent) -> None:
        context = self._context
        context.record(take_id, Fact.NOT_SENT, {"error": answer.message})
        context.schedule.add_planned(take_id, first=True)
        if answer.is_final:
            context.halt(
                ExitCode.PROVIDER_UNREACHABLE, f"wanbatch has no secure connection to the provider: {answer.message}"
            )
            return
        self._not_sent_in_a_row += 1
        context.unreachable(answer.message)
        context.schedule.pause_submits(context.clock.monotonic() + backoff_s(self._not_sent_in_a_row, context.rng))

    def _lost(self, take_id: int, answer: Unknown) -> None:
        context, take = self._context, self._context.takes[take_id]
        if take.state is State.QUEUED:  # the headers had told the id; only the rest was lost
            context.plan_first_poll(context.takes[take_id])
            return
        context.lose(take_id, lost_text(take, answer.message))
        self._on_lost()
        if answer.retry_after_s is not None:
            context.schedule.pause_submits(context.clock.monotonic() + answer.retry_after_s)
        self._lost_in_a_row += 1
        if self._lost_in_a_row >= UNKNOWN_ROW_LIMIT:
            context.stop_submitting(
                ExitCode.DECISION_NEEDED,
                f"{self._lost_in_a_row} submits in a row got no reliable answer ({answer.message});"
                " wanbatch sends nothing more, since the provider may have charged for each",
            )


def lost_text(take: Take, reason: str) -> str:
    """Say what is known of a take whose answer was lost, and where to look."""
    return (
        f"sent, but the answer was lost ({reason}): the provider may have charged for it. Its client request id in"
        " the provider's"
        f" request log is {take.request_id}"
    )
