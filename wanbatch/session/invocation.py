"""An invocation: what one command was asked for, which provider it leads to, and who watches it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

from wanbatch.batch.plan import Due, is_selected
from wanbatch.batch.shots import Head
from wanbatch.batch.take import Take
from wanbatch.clock import system_now
from wanbatch.money.credits import usd_text
from wanbatch.runner.events import Event
from wanbatch.runner.log import RunLog
from wanbatch.session.access import Access
from wanbatch.session.options import Caps, RunOptions, Watch, caps_of
from wanbatch.state.tables import Identity, Run, new_identity

SANDBOX_GRACE = timedelta(hours=2)  # its log is late by minutes at most


@dataclass(frozen=True)
class Invocation:
    """The options, the access to the provider, and the watch of one command."""

    options: RunOptions
    access: Access
    watch: Watch

    def at(self, identity: Identity) -> Invocation:
        """Return the invocation with access to the provider on which a folder was begun. Raises UsageInvalid."""
        return replace(self, access=self.access.at(identity))

    def identity(self, name: str, key_fingerprint: str = "") -> Identity:
        """Return the identity that a state file begun by this invocation gets."""
        access = self.access
        return new_identity(name, access.address, key_fingerprint, system_now(), sandbox=access.is_local)

    def is_selected(self, shot_id: str) -> bool:
        """Say whether a shot is meant."""
        return is_selected(shot_id, self.options.only)

    def is_wanted(self, take: Due | Take) -> bool:
        """Say whether the shot of a take is meant."""
        return self.is_selected(take.shot_id)

    @property
    def grace(self) -> timedelta | None:
        """How long after a submit its log row would have to show; None for the default."""
        if self.options.unknown_grace_s is not None:
            return timedelta(seconds=self.options.unknown_grace_s)
        return SANDBOX_GRACE if self.access.is_embedded else None

    def caps(self, head: Head | None, runs: Sequence[Run]) -> Caps:
        """Choose the caps, and say where that of an earlier run holds."""
        caps = caps_of(self.options.max_credits, head, runs[-1] if runs else None)
        if caps.is_kept:
            self.watch.notice(
                f"the cap of an earlier run holds, {usd_text(caps.credits)}; --max-usd or --max-credits changes it"
            )
        return caps

    def observer(self, log: RunLog) -> Callable[[Event], None]:
        """Log every event and show it. Who looks on must not end a paid run: one that raises is shown no more."""
        failed: list[Exception] = []

        def observe(event: Event) -> None:
            log.write(event)
            if failed:
                return
            try:
                self.watch.on_event(event)
            except Exception as error:  # noqa: BLE001  a closed pipe, or a caller's mistake
                failed.append(error)
                text = f"what watched this run failed ({type(error).__name__}); the run goes on unwatched"
                log.write(Event(event.at, "note", "", text))

        return observe
