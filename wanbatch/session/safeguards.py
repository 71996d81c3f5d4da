"""Safeguards: what must hold before a run sends anything, and what the user sees or is asked if it does not."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path

from wanbatch.clip.worker_pool import WorkerPool
from wanbatch.errors import AccountStopped, ExitCode, LocalFault, ProviderUnreachable, UsageInvalid, WanbatchError
from wanbatch.folders import room_bytes
from wanbatch.machine import read_machine, this_machine
from wanbatch.provider.clocks import REFUSED
from wanbatch.provider.endpoint import fingerprint
from wanbatch.provider.protocol import NoAnswer, Provider
from wanbatch.runner.batch_clock import BatchClock
from wanbatch.runner.log import LOG_NAME
from wanbatch.runner.resubmission import LAG_UNTIL_KNOWN
from wanbatch.runner.submits import ROOM_BYTES
from wanbatch.session.invocation import Invocation
from wanbatch.session.known_folders import KnownFolders
from wanbatch.session.preview import Preview
from wanbatch.session.recovery import LOG_NOTE, log_awaited_until
from wanbatch.state.file import StateFile
from wanbatch.state.notes import read_names
from wanbatch.units import count_text, duration_text, size_text

MACHINE_NOTE = "machine"  # the name under which the state file keeps where it was last run
KEYS_NOTE = "keys"  # the name under which the state file keeps which keys it was run with, by fingerprint
NEW_KEY = "If the key was only renewed, add --new-key"
CLOCK_LIMIT_S = 10.0


def is_at_home(invocation: Invocation, state: StateFile) -> bool:
    """Say whether the batch may be run on this machine, and remember it. Raises UsageInvalid without anybody to ask.

    On the sandbox it is only told: what is bought twice there costs nothing.
    """
    here, last = this_machine(), read_machine(state.noted(MACHINE_NOTE))
    if here is None or (last is not None and last.mark == here.mark):
        return True
    if last is not None:
        text = (
            f"The batch in {state.output} was last run on another machine ({last.host or 'name unknown'}). If two"
            " machines run copies of one folder, each may buy clips that the other has bought, and the provider's log"
            " shows that too late."
        )
        if invocation.access.is_sandbox:
            invocation.watch.notice(text)
        elif not invocation.options.is_moved:
            if invocation.watch.confirm_move is None:
                raise UsageInvalid(f"{text} If only this machine runs it from now on, add --moved (is_moved)")
            if not invocation.watch.confirm_move(text):
                return False
    state.note(MACHINE_NOTE, here.text())
    return True


def is_key_agreed(invocation: Invocation, state: StateFile) -> bool:
    """Say whether the batch may be run with the present key. Raises UsageInvalid without anybody to ask.

    A key that sent nothing here is asked about each time until a run was begun with it: a copy that was restored looks
    the same as a key that was renewed. The embedded sandbox has one key for ever; an address on this machine may lead
    to a provider that is paid.
    """
    access = invocation.access
    key, known = fingerprint(access.key()), _known_keys(state)
    if access.is_embedded or key in known or not known or invocation.options.is_new_key:
        return True
    before = " or ".join(sorted(known - {""})) or "one that is not known"
    text = (
        f"The batch in {state.output} was never run with this key (fingerprint {key}), only with another ({before})."
        " The provider shows a key's requests only to that same key. If this folder is an older copy that was restored,"
        " wanbatch cannot see what the other key has sent since, and would buy it again. In that case, or if you are"
        " not sure, run `wanbatch reconcile` with the other key first"
    )
    if invocation.watch.confirm_key is None:
        raise UsageInvalid(f"{text}. {NEW_KEY} (is_new_key). Nothing was sent")
    return invocation.watch.confirm_key(text)


def note_key(invocation: Invocation, state: StateFile) -> None:
    """Remember that a run was begun with the present key."""
    key, noted = fingerprint(invocation.access.key()), read_names(state.noted(KEYS_NOTE))
    if key not in noted:
        state.note(KEYS_NOTE, json.dumps([*noted, key]))


def _known_keys(state: StateFile) -> set[str]:
    """Return the keys that this batch was run with, by fingerprint: by what was sent, and by what was agreed."""
    return {*state.keys_used(), *read_names(state.noted(KEYS_NOTE))}


async def try_out(
    invocation: Invocation, preview: Preview, batch_clock: BatchClock, provider: Provider, workers: WorkerPool
) -> None:
    """Try what a run needs before anything is sent: a provider, the media library, and the clocks.

    Raises LocalFault, and ProviderUnreachable if something is to be sent to an address of this machine at which nothing
    answers: what begins to answer there later may be a paid provider, or another account.
    """
    if preview.to_submit and invocation.access.is_unanswered:
        raise ProviderUnreachable(
            f"nothing answers at {invocation.access.host}. Nothing was sent: start the server there"
        )
    if preview.refusal is None and preview.to_submit:
        await asyncio.to_thread(workers.assert_works)
    await compare_clocks(invocation, batch_clock, provider)


async def compare_clocks(invocation: Invocation, batch_clock: BatchClock, provider: Provider) -> None:
    """Report a wrong clock, and keep by how much. Raises LocalFault for one that is days off."""
    access = invocation.access
    ahead: timedelta | NoAnswer | None = None
    with suppress(TimeoutError):  # what cannot be told now is asked again before the log is read
        async with asyncio.timeout(CLOCK_LIMIT_S):
            ahead = await provider.ahead()
    if isinstance(ahead, NoAnswer):
        return
    # The embedded sandbox has our clock; where it ran faster before, its time is ahead, and no clock is wrong.
    is_ours = access.is_embedded or access.speed != 1
    text = None if is_ours else batch_clock.wrong_text(ahead)
    if text is not None and ahead is not None and abs(ahead) > REFUSED and not access.is_sandbox:
        raise LocalFault(
            f"{text}. Nothing was sent, because wanbatch would later search the provider's log at wrong dates. Set the"
            " clock (`wanbatch doctor` checks it), then run the same command again"
        )
    if text is not None:
        invocation.watch.notice(
            f"{text}. No clip is bought twice because of it, but a lost answer may take longer to find: set the clock"
        )
    batch_clock.measured(ahead)


def note_missing_log(invocation: Invocation, state: StateFile, now: datetime) -> None:
    """Remember that run.log is gone beside a state file that has submits: it may be older than it looks.

    Whoever lost run.log may have lost the newest part of the state file, too; the provider's log tells a day later.
    """
    is_gone = state.first_attempt_at() is not None and not (state.output / LOG_NAME).exists()
    if is_gone and not invocation.access.is_embedded and log_awaited_until(state) is None:
        state.note(LOG_NOTE, (now + LAG_UNTIL_KNOWN).isoformat(timespec="seconds"))


def held_back(invocation: Invocation, state: StateFile, now: datetime) -> tuple[ExitCode, str] | None:
    """Return why nothing may be sent yet where run.log was lost, or was not whole; None if something may.

    `now` is the time that ages are counted by: a clock that is set ends no wait.
    """
    until = log_awaited_until(state)
    if until is None or now >= until or invocation.options.trust_state:
        return None
    return ExitCode.DECISION_NEEDED, (
        f"{LOG_NAME} was missing or incomplete, so this state file may lack submits, and the provider's log may not"
        f" show the last day's yet: wanbatch sends nothing for another {duration_text((until - now).total_seconds())}."
        " If you are sure that nothing else was sent, with this key or another, add --trust-state"
    )


def assert_room(output: Path, preview: Preview) -> None:
    """Raise LocalFault if the disk has no room for the clips that are to be bought."""
    needed = ROOM_BYTES * preview.estimate.takes
    free = room_bytes(output)
    if free < needed:
        raise LocalFault(
            f"{output} has {size_text(free)} free; {count_text(preview.estimate.takes, 'clip')} may need"
            f" {size_text(needed)}. Nothing was sent: free some space, or send fewer takes with --limit"
        )


def refused(code: ExitCode, text: str) -> WanbatchError:
    """Return the error of a run that may send nothing, and has nothing else to do."""
    kind = AccountStopped if code is ExitCode.ACCOUNT_STOPPED else UsageInvalid
    return kind(f"{text}. Nothing was sent")


def tell_list_fault(invocation: Invocation, source: str) -> None:
    """Say before a paid run of a manifest that its output folder cannot be listed; `source` is empty without one."""
    fault = KnownFolders().fault() if source and not invocation.access.is_embedded else ""
    if fault:
        invocation.watch.notice(
            f"wanbatch cannot keep its list of output folders ({fault}): a later run of this manifest with another"
            " --output will not notice takes that were bought here"
        )
