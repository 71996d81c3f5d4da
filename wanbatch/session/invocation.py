"""An invocation: what one command was asked for, which provider it leads to, and who watches it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from types import MappingProxyType

from wanbatch.batch.selection import Place
from wanbatch.batch.shots import Head
from wanbatch.clock import system_now
from wanbatch.errors import ProviderUnreachable
from wanbatch.money.credits import usd_text
from wanbatch.runner.events import Event
from wanbatch.runner.log import RunLog
from wanbatch.runner.settings import RunSettings
from wanbatch.session.access import Access
from wanbatch.session.options import RunOptions, Watch, is_cap_kept, settings_of
from wanbatch.state.reader import STATE_NAME, StateReader
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

    def identity(self, name: str, output: Path, key_fingerprint: str = "") -> Identity:
        """Return the identity that a state file gets which this invocation begins in `output`.

        If nothing answers on this machine, a folder that exists is what it was begun as. Raises ProviderUnreachable
        for a new one: whether its money is play money is recorded once, and is still unknown.
        """
        access = self.access
        address, is_sandbox = access.address, access.is_sandbox
        if access.is_unanswered:
            if not (output / STATE_NAME).is_file():
                raise ProviderUnreachable(
                    f"nothing answers at {access.host}: start the server there, then run the same command again."
                    " Nothing was sent"
                )
            with StateReader.open(output) as reader:
                known = reader.identity()
            address, is_sandbox = known.base_url if access.leads_to(known.base_url) else address, known.sandbox
        return new_identity(name, address, key_fingerprint, system_now(), sandbox=is_sandbox)

    def settings(
        self, head: Head | None, runs: Sequence[Run], places: Mapping[str, Place] = MappingProxyType({})
    ) -> RunSettings:
        """Decide what a run is held to, and say where the cap of an earlier run holds."""
        last = runs[-1] if runs else None
        settings = settings_of(self.options, head, last, places)
        if is_cap_kept(self.options, last):
            cap = usd_text(settings.cap_credits)
            own = None if head is None else head.max_credits
            more = "" if own is None else f", in place of the manifest's budget of {usd_text(own)}"
            self.watch.notice(
                f"the cap of an earlier run, {cap}, still applies{more}; --max-usd or --max-credits changes it"
            )
        if settings.unknown_grace is None and self.access.is_embedded:
            settings = replace(settings, unknown_grace=SANDBOX_GRACE)
        return settings

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
                text = f"the progress display failed ({type(error).__name__}): the run goes on without it"
                log.write(Event(event.at, "note", "", text))

        return observe
