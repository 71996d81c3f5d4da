"""The settings of a run: limits, patience, and what to do about lost answers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum

from wanbatch.batch.given_files import GivenFile
from wanbatch.batch.models import PriceClass
from wanbatch.batch.plan import Due, First
from wanbatch.batch.take import Take
from wanbatch.clip.given import OpenedFile
from wanbatch.clip.inspection import Here, Inspection
from wanbatch.errors import ExitCode
from wanbatch.money.prices import Quote
from wanbatch.pace.polling import Seen
from wanbatch.pace.schedule import Rates
from wanbatch.provider.protocol import LogRow


class OnUnknown(StrEnum):
    """What to do with a submit whose answer was lost.

    `reconcile` looks it up and holds what cannot be known; `resubmit` is a decision set in advance to send again
    what left no trace; `hold` asks the user at once.
    """

    RECONCILE = "reconcile"
    RESUBMIT = "resubmit"
    HOLD = "hold"


@dataclass(frozen=True)
class RunSettings:
    """What a run is held to: decided once, from the flags, the manifest and the last run, and then completed.

    Rates are per minute, caps are in credits, those of scenes by their names; `is_cap_given` where a flag gave the cap,
    now or in an earlier run. `is_agreed` is a decision set in advance: a new price is accepted where a cap still holds,
    and no question is asked. It `buys_again` if the user said to buy what exists already.
    `on_unknown` says what to do with lost answers, `unknown_grace` how long after a submit it would have to show (None:
    the default); `logged` are submits in run.log; `is_begun_anew` where an earlier state file was lost;
    `trust_state` is the user's assurance that this state file is the newest, where the provider's log cannot tell;
    `is_account_shared` that others use the account, so that charges without a submit are theirs.
    `refusal` is the exit code and the reason where nothing may be sent, and what runs is only finished.
    `free_bytes` tells the room left on the output's disk (None: not checked).
    `times_before` is what earlier batches saw of how long generations take.
    `before_submit` is called before each POST is recorded; a ProgramFault of it means that nothing may be sent.
    `inspection` opens the clips that come; `open_given` reads a file that shots are given, and makes it ready.
    `wide_at_once` is how many submits a look through the provider's log may reach back over each time.
    `after_verified` is called in a worker thread with each verified take (poster, sidecar); its errors are only noted.
    """

    rates: Rates = field(default_factory=Rates)
    cap_credits: int | None = None
    scene_caps: Mapping[str, int] = field(default_factory=dict)
    is_cap_given: bool = False
    is_agreed: bool = False
    buys_again: bool = False
    quotes: Mapping[PriceClass, Quote] = field(default_factory=dict)
    key_fingerprint: str = ""
    on_unknown: OnUnknown = OnUnknown.RECONCILE
    unknown_grace: timedelta | None = None
    logged: Sequence[LogRow] = ()
    is_begun_anew: bool = False
    trust_state: bool = False
    is_account_shared: bool = False
    limit: int | None = None
    first: First = First.LONGEST
    times_before: Mapping[PriceClass, Seen] = field(default_factory=dict)
    is_selected: Callable[[Due | Take], bool] = lambda _: True
    refusal: tuple[ExitCode, str] | None = None
    free_bytes: Callable[[], int] | None = None
    before_submit: Callable[[], object] = lambda: None
    inspection: Inspection = field(default_factory=Here)
    open_given: Callable[[GivenFile], OpenedFile] | None = None
    wide_at_once: int = 2_000  # twenty pages of the log
    after_verified: Callable[[Take], None] = lambda _: None
