"""Access to the provider: which one a session talks to, with which key, and how fast its time runs."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from functools import cached_property
from pathlib import Path
from random import Random

from wanbatch.clock import Clock, LoopClock, system_now
from wanbatch.errors import ProviderUnreachable, UsageInvalid
from wanbatch.provider.endpoint import SANDBOX_KEY, Endpoint, Settings, read_endpoint
from wanbatch.provider.pricecache import PriceCache
from wanbatch.provider.protocol import Provider, Secret
from wanbatch.provider.sandbox_sign import Sign, sign_at
from wanbatch.state.reader import StateReader
from wanbatch.state.tables import Identity

SANDBOX_SPEED = 60.0  # a clip in 3.5 s


@dataclass(frozen=True)
class Access:
    """The provider that the settings and the flags of one invocation lead to.

    It `is_embedded` where the sandbox is asked for, whatever the settings say. `asked_speed` is how many times faster
    than real time its clock is to run, None for the default.
    """

    settings: Settings
    is_embedded: bool = False
    asked_speed: float | None = None
    sandbox_flags: tuple[str, ...] = ()

    @property
    def is_sandbox(self) -> bool:
        """Whether the provider is a sandbox, so that its money is play money.

        An address on this machine may lead to a paid provider: what listens there has to say itself that it is one.
        """
        return self.is_embedded or self._sign is Sign.SANDBOX

    @cached_property
    def _sign(self) -> Sign:
        """What the address of this machine says of itself: asked once, and not before it matters."""
        return sign_at(self.settings.endpoint)

    @property
    def speed(self) -> float:
        """How many times faster than real time the provider's clock runs."""
        if self.asked_speed is not None:
            return self.asked_speed
        return SANDBOX_SPEED if self.is_embedded else 1.0

    def assert_speed(self) -> None:
        """Raise UsageInvalid for a speed that the provider would not know of."""
        if self.asked_speed is None or self.may_be_sandbox:
            return
        if self.settings.endpoint.is_loopback:
            raise UsageInvalid(
                f"--speed is only for a sandbox, and what answers at {self.host} does not say that it is one: leave"
                " --speed out"
            )
        raise UsageInvalid("--speed is only for a sandbox: add --sandbox")

    def at(self, identity: Identity) -> Access:
        """Return the access to the provider on which a folder was begun.

        One that was begun on the embedded sandbox needs no flag to go on there. Raises UsageInvalid if the settings
        lead to another provider, or the speed is none for it.
        """
        access = self
        if identity.sandbox and identity.base_url == "sandbox":
            access = replace(self, is_embedded=True)
        elif self._is_of_another_kind(identity):
            begun, answers = ("a sandbox", "is not one") if identity.sandbox else ("a paid provider", "is a sandbox")
            raise UsageInvalid(
                f"this folder was begun on {begun}, but what answers at {self.settings.endpoint.base_url} {answers}:"
                " change AIMLAPI_BASE_URL, or name another folder"
            )
        elif not self.leads_to(identity.base_url):
            raise UsageInvalid(
                f"this folder was begun on {identity.base_url}, but the settings now say {self.address}:"
                " change AIMLAPI_BASE_URL, or name another folder"
            )
        access.assert_speed()
        return access

    @property
    def address(self) -> str:
        """The name of the provider as the state file keeps it.

        A sandbox on this machine may come back on another port; at another port of a gateway may be another account.
        """
        if self.is_embedded:
            return "sandbox"
        endpoint = self.settings.endpoint
        return endpoint.name if self.may_be_sandbox or not endpoint.is_loopback else endpoint.base_url

    def _is_of_another_kind(self, identity: Identity) -> bool:
        """Say whether what answers on this machine is a sandbox, and was none when the folder was begun, or was one."""
        endpoint = self.settings.endpoint
        if self.is_embedded or self.is_unanswered or not endpoint.is_loopback:
            return False
        return identity.base_url in (endpoint.name, endpoint.base_url) and identity.sandbox != self.is_sandbox

    def leads_to(self, name: str) -> bool:
        """Say whether a provider that a state file names is the one at this address, as far as can be known now."""
        return name == self.address or (self.is_unanswered and name == self.settings.endpoint.base_url)

    @property
    def host(self) -> str:
        """The provider as a person reads it."""
        return "the embedded sandbox" if self.is_embedded else self.settings.endpoint.base_url

    def key(self) -> Secret:
        """Return the key to use. Raises UsageInvalid if there is none, or a proxy that cannot be used is set."""
        if self.is_embedded:
            return Secret(SANDBOX_KEY)  # the real key has no business there
        if not self.settings.endpoint.is_loopback:
            from wanbatch.provider.wire import route_here

            route_here()  # before a folder is made or anything is planned
        if self.settings.key is not None:
            return self.settings.key
        if self.may_be_sandbox:
            return Secret(SANDBOX_KEY)
        raise UsageInvalid(
            "no key: set AIMLAPI_API_KEY in the environment or in .env, or add --sandbox to try it without one"
        )

    @property
    def is_unanswered(self) -> bool:
        """Whether nothing answers at the address on this machine, so that what it leads to is unknown."""
        return not self.is_embedded and self.settings.endpoint.is_loopback and self._sign is Sign.NONE

    @property
    def may_be_sandbox(self) -> bool:
        """Whether the provider is a sandbox, or an address on this machine where nothing answers now: there a made-up
        key will do.
        """
        return self.is_sandbox or self.is_unanswered

    @property
    def has_key(self) -> bool:
        """Whether the provider can be asked for what only a key may know."""
        return self.may_be_sandbox or self.settings.key is not None

    @asynccontextmanager
    async def provider(self, folder: Path, start: datetime) -> AsyncIterator[tuple[Provider, Clock]]:
        """Open the line; an embedded sandbox keeps its state under `folder`, and its time begins at `start`."""
        from wanbatch.provider.aimlapi import AimlApi
        from wanbatch.session.embedded import embedded_sandbox

        endpoint: Endpoint = self.settings.endpoint
        if self.is_unanswered and sign_at(endpoint) is not Sign.NONE:
            raise ProviderUnreachable(f"{self.host} has only just started to answer: run the same command again")
        with ExitStack() as stack:
            if self.is_embedded:
                url = stack.enter_context(embedded_sandbox(folder, self.speed, self.sandbox_flags))
                endpoint = read_endpoint(url)
            clock = LoopClock(start, self.speed, time.time)
            provider = AimlApi(endpoint, self.key() if self.has_key else None, clock, Random())  # noqa: S311  jitter
            if not self.is_sandbox:  # a sandbox's list is as old as the sandbox
                provider.price_cache = PriceCache(endpoint.base_url)
            try:
                yield provider, clock
            finally:
                await provider.aclose()


def start_of_time(state: StateReader) -> datetime:
    """Return now, or the last recorded time where a sped-up sandbox has run ahead of us."""
    last = state.last_fact_at()
    now = system_now()
    return now if last is None else max(now, last)
