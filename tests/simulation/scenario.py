"""A scenario: what is ordered, what the provider is like, what goes wrong, and what the user does."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from tests.simulation.disk import Crash, Fault
from tests.simulation.line import Cut
from tests.simulation.wrongness import KEPT, RIGHT_CLOCKS, TIDY, Clocks, Jump, Lies, Mess
from wanbatch.batch.models import PriceClass
from wanbatch.batch.shots import Shot
from wanbatch.pace.schedule import Rates
from wanbatch.runner.settings import OnUnknown
from wanbatch.sandbox.faults import Rule
from wanbatch.sandbox.options import SandboxOptions

KEY = "canary-key-5d41402abc4b2a76"
OTHER_KEY = "canary-key-7d793037a0760186"
SMALL, LARGE = "alibaba/wan2.1-t2v-turbo", "alibaba/wan-2-6-t2v"
PICTURE, PICTURES = "alibaba/wan-2-6-i2v", "alibaba/wan-3-0-video"  # these take a picture, or the first and the last
PRICES: Mapping[str, int] = {SMALL: 378_000, LARGE: 1_050_000}
CHAIN_PRICES: Mapping[str, int] = {PICTURE: 1_620_000, PICTURES: 1_620_000}
CLASSES: Mapping[str, PriceClass] = {
    SMALL: PriceClass(SMALL, "480P", None),
    **{model: PriceClass(model, "720p", 5) for model in (LARGE, PICTURE, PICTURES)},
}


@dataclass(frozen=True)
class Act:
    """What the user does: in invocation `run`, at its n-th event (0: before it starts)."""

    run: int
    do: str
    at: int = 0


@dataclass(frozen=True)
class Scenario:
    """Everything that a seed decides. `quotes` are credits by model; `strangers` are (seconds, shot number, same key).

    `late_s` is by how much the generation of a submit whose answer was lost takes longer than anyone may assume;
    `twins` are the submits, counted over all runs, that the provider makes two generations for. `is_agreed` if the user
    agreed to new prices in advance; `measures` if clips of chains can be measured; what is done in a thread takes up to
    `threads_s`, in which other work goes on; `compares_clocks` if each run compares the clocks before it begins, as the command
    does where it can. With `leans_on_mark` nothing but its mark tells a run from when on to read the log first: others use
    the account, and the log is long. `plot` names the story that the seed tells, where it tells one.
    """

    seed: int
    shots: tuple[Shot, ...]
    rates: Rates = field(default_factory=Rates)
    cap_credits: int | None = None
    quotes: Mapping[str, int] = field(default_factory=lambda: dict(PRICES))
    on_unknown: OnUnknown = OnUnknown.RECONCILE
    grace: timedelta | None = timedelta(hours=2)
    options: SandboxOptions = field(default_factory=SandboxOptions)
    rules: tuple[Rule, ...] = ()
    cuts: tuple[Cut, ...] = ()
    is_slow: bool = False
    strangers: tuple[tuple[float, int, bool], ...] = ()
    crashes: tuple[Crash | None, ...] = ()
    acts: tuple[Act, ...] = ()
    limit: int | None = None
    disk_faults: tuple[Fault | None, ...] = ()
    late_s: float = 0.0
    twins: tuple[int, ...] = ()
    is_agreed: bool = False
    clocks: Clocks = RIGHT_CLOCKS
    lies: Lies = KEPT
    mess: Mess = TIDY
    jump: Jump | None = None
    compares_clocks: bool = False
    plot: str = ""
    leans_on_mark: bool = False
    measures: bool = False
    threads_s: float = 0.0

    @property
    def is_account_shared(self) -> bool:
        """Say whether the user says that others use the account, so that the log alone can tell what was bought."""
        return self.seed % 3 == 0 or self.leans_on_mark

    @property
    def reads_widely(self) -> bool:
        """Say whether each look reads the whole log, as in a small batch; one of thousands reads from its mark on first."""
        return self.seed % 2 == 1 and not self.leans_on_mark
