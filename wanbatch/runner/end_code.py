"""The end code of a run: the exit code that its troubles and its takes give, most urgent first. Pure.

What comes later may change it: `session/alarms.py` makes it 3 for what no earlier command reported about money.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

from wanbatch.batch.lifecycle import State
from wanbatch.batch.run_details import Stop
from wanbatch.batch.take import Take
from wanbatch.errors import ExitCode, WanbatchError, fault_text


@dataclass(frozen=True)
class RunEnd:
    """How a run ended: the exit code, and what the user should read.

    `codes` are those of all that went wrong, of which `exit_code` is the most urgent;
    `was_stopped` where something kept it from sending more, `stops` what of the money did. `left_out` are the shots
    that it was not asked to send, though others wait for their takes.
    """

    exit_code: ExitCode
    messages: tuple[str, ...]
    was_stopped: bool = False
    codes: frozenset[ExitCode] = frozenset()
    stops: frozenset[Stop] = frozenset()
    left_out: tuple[str, ...] = ()

    @property
    def has_new_price(self) -> bool:
        """Say whether only a price kept it from sending more that turned out to be another."""
        return Stop.NEW_PRICE in self.stops and self.codes == {ExitCode.BUDGET_REACHED}


TROUBLED_STATES = frozenset({State.SUBMITTING, State.UNKNOWN, State.HELD, State.FAILED})
"""States that decide how a run ended."""


def end_code(takes: Iterable[Take], offered: Collection[int] = (), given_up: Collection[int] = ()) -> ExitCode:
    """Return what these takes say of how a run ended.

    Those that the manifest no longer asks for say nothing, unless they may have been charged and are held, or a
    generation of theirs waits for the user: `offered` are the ids of such takes. `given_up` are the ids of those that
    the user gave up with all their charges known: nothing is left to decide about them.
    """
    shown = [take for take in takes if not take.superseded or take.take_id in offered or take.state is State.HELD]
    if any(_needs_decision(take) and take.take_id not in given_up for take in shown):
        return ExitCode.DECISION_NEEDED
    return ExitCode.TAKES_FAILED if any(take.state is State.FAILED for take in shown) else ExitCode.OK


def codes_of_takes(
    codes: Collection[ExitCode], takes: Sequence[Take], offered: Collection[int], given_up: Collection[int] = ()
) -> list[ExitCode]:
    """Return what these takes add to the codes of a run that was stopped, or was not.

    A lost answer that the next run looks up anyway does not hide the cap, the key or the line that stopped this one.
    """
    is_stopped = bool(_STOPS & set(codes))
    settled = [take for take in takes if take.state not in (State.UNKNOWN, State.SUBMITTING)]
    return [end_code(settled if is_stopped else takes, offered, given_up)]


_STOPS = frozenset({ExitCode.ACCOUNT_STOPPED, ExitCode.BUDGET_REACHED, ExitCode.PROVIDER_UNREACHABLE})


def _needs_decision(take: Take) -> bool:
    is_charged_for_nothing = take.state is State.FAILED and take.credits_charged is not None
    return is_charged_for_nothing or take.state in (State.HELD, State.UNKNOWN, State.SUBMITTING)


def without_reports(end: RunEnd, error: Exception) -> RunEnd:
    """Add to how a run ended that its reports failed. A code about takes or money stays."""
    match error:
        case OSError():
            told = fault_text(error)
        case WanbatchError():
            told = str(error)
        case _:
            told = f"{type(error).__name__}: {' '.join(str(error).split())[:300]}"
    text = f"wanbatch could not write the reports: {told}. `wanbatch report` writes them later from the state file"
    code = ExitCode.LOCAL_FAULT if end.exit_code is ExitCode.OK else end.exit_code
    return replace(end, exit_code=code, messages=(*end.messages, text))
