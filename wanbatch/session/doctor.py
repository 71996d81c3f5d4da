"""The doctor: whether this machine and these settings can carry a run."""

from __future__ import annotations

import os
import platform
import sqlite3
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

from wanbatch.clip.trial import assert_media_works
from wanbatch.clip.worker_pool import WorkerPool
from wanbatch.clock import LoopClock, system_now
from wanbatch.disk import free_bytes
from wanbatch.errors import LocalFault, UsageInvalid, WanbatchError
from wanbatch.money.credits import amount_text
from wanbatch.provider.account import KeyFacts, TopUp
from wanbatch.provider.clocks import REFUSED, wrong_clock_text
from wanbatch.provider.endings import Ending, ending_of
from wanbatch.provider.endpoint import Settings, fingerprint, load_settings
from wanbatch.provider.inquiry import inquire
from wanbatch.provider.protocol import NoAnswer
from wanbatch.provider.remarks import DISABLED, forbidden_text, limit_text, top_up_text
from wanbatch.resources import model_names
from wanbatch.runner.submits import ROOM_BYTES
from wanbatch.state.file import StateFile
from wanbatch.state.tables import new_identity
from wanbatch.units import size_text
from wanbatch.version import __version__

DISK_BYTES_MIN = 2**30  # 32 clips
STRICT_SQLITE = (3, 37, 0)  # STRICT tables
LOOK_BACK = timedelta(hours=1)


@dataclass(frozen=True)
class Finding:
    """One thing looked at: `verdict` is ok, note or bad."""

    verdict: str
    text: str


async def examine(env_file: Path | None, *, is_offline: bool, speed: float = 1.0) -> list[Finding]:
    """Look at everything that a run needs. Asks the provider for the balance where there is a key.

    `speed` is how much faster than real the provider's time runs.
    """
    findings = [
        Finding("ok", f"wanbatch {__version__}, Python {platform.python_version()}, {platform.platform(terse=True)}"),
        _sqlite(),
        _codecs(),
        _disk(),
        _state(),
        _terminal(),
    ]
    try:
        settings = load_settings(os.environ, env_file, Path.cwd())
    except UsageInvalid as error:
        return [*findings, Finding("bad", str(error))]
    findings.append(_key(settings))
    if settings.key is not None and not is_offline:
        findings += await _account(settings, speed)
    return findings


def _sqlite() -> Finding:
    good = sqlite3.sqlite_version_info >= STRICT_SQLITE
    return Finding("ok" if good else "bad", f"SQLite {sqlite3.sqlite_version}" + ("" if good else "; 3.37 is needed"))


def _codecs() -> Finding:
    """Try what every bought clip goes through."""
    try:
        assert_media_works()
        with closing(WorkerPool()) as workers:
            trial = workers.assert_works()
    except LocalFault as error:
        return Finding("bad", str(error))
    return Finding("ok", f"{trial.library}: {trial.tried} in a process of its own ({trial.took_s * 1000:.0f} ms)")


def _disk() -> Finding:
    free = free_bytes(Path.cwd())
    needed = size_text(200 * ROOM_BYTES)
    return Finding(
        "ok" if free >= DISK_BYTES_MIN else "bad", f"{size_text(free)} free here; 200 clips may need {needed}"
    )


def _state() -> Finding:
    """Begin a state file here, and time a durable write."""
    try:
        with tempfile.TemporaryDirectory(prefix=".wanbatch-doctor-", dir=Path.cwd()) as folder:
            identity = new_identity("doctor", "nowhere", "", system_now(), sandbox=True)
            began = time.perf_counter()
            StateFile.create_or_open(Path(folder), identity).close()
            took_ms = (time.perf_counter() - began) * 1000
    except (LocalFault, OSError) as error:
        return Finding("bad", f"wanbatch cannot keep a state file in this folder: {error}")
    return Finding("ok", f"wanbatch can lock and keep a state file in this folder ({took_ms:.0f} ms to create one)")


def _terminal() -> Finding:
    encoding = (sys.stdout.encoding or "").lower().replace("-", "")
    verdict = "ok" if encoding == "utf8" else "note"
    return Finding(verdict, f"the terminal accepts {sys.stdout.encoding}")


def _key(settings: Settings) -> Finding:
    if settings.key is None:
        return Finding("note", "no key: AIMLAPI_API_KEY is not set. The sandbox needs none (--sandbox)")
    return Finding("ok", f"a key from {settings.key_source} (fingerprint {fingerprint(settings.key)})")


RATES_UNKNOWN = (
    "the provider does not publish how many submits it allows per minute, or takes at one time:"
    " a run learns it from the HTTP 429 answers that it gets"
)
KEY_UNKNOWN = (
    "a key may have a spending limit of its own and be limited to certain calls; the Keys page of your"
    " account shows both."
    " If the provider answers 403 although the balance is not used up, such a limit is the cause"
)


async def _account(settings: Settings, speed: float) -> list[Finding]:
    """Look at the account: the balance, and whether the key may read what a run accounts with. Sends nothing paid."""
    from wanbatch.provider.aimlapi import AimlApi

    provider = AimlApi(settings.endpoint, settings.key, LoopClock(system_now(), speed), Random())  # noqa: S311  jitter
    try:
        told = await inquire(provider, (), has_key=True)
        balance = told.balance_usd
        if balance is None or isinstance(balance, NoAnswer):
            why = "" if balance is None else f": {balance.message}"
            return [Finding("bad", f"{settings.endpoint.base_url} does not answer for this key{why}")]
        found = [Finding("ok", f"{settings.endpoint.base_url} accepts the key; balance {amount_text(balance)} USD")]
        ahead = await provider.ahead()
        found.append(_clock(ahead))
        since = system_now() + (ahead if isinstance(ahead, timedelta) else timedelta(0)) - LOOK_BACK
        found.append(_readable("the ledger", await provider.charges(since), "charges stay unknown"))
        found.append(_readable("the request log", await provider.scan_log(since), "lost answers stay held"))
    except WanbatchError as error:
        return [Finding("bad", str(error))]
    finally:
        await provider.aclose()
    found += [*_on_key(told.key), _on_top_up(told.top_up), *_on_endings(told.endings, system_now())]
    return [*found, Finding("note", RATES_UNKNOWN)]


def _on_key(key: KeyFacts | NoAnswer | None) -> list[Finding]:
    """Say what the provider reports about the key's own limits."""
    if key is None or isinstance(key, NoAnswer):
        why = "" if key is None else f" ({key.message})"
        return [Finding("note", f"the provider does not report what this key may do{why}: {KEY_UNKNOWN}")]
    if not key.is_ours:
        return [Finding("note", f"the provider's answer is about another key, the one used last: {KEY_UNKNOWN}")]
    found = [Finding("bad", DISABLED)] if key.is_disabled else []
    if key.forbids_video:
        found.append(Finding("bad", forbidden_text(key)))
    if key.limit_usd is not None:
        counts = "whether amounts set aside count, or only charges, is not documented"
        found.append(Finding("note", f"{limit_text(key)}; beyond it a submit gets a 403; {counts}"))
    return found or [Finding("ok", "the key is allowed to make videos and has no limit of its own")]


def _on_top_up(top_up: TopUp | NoAnswer | None) -> Finding:
    if top_up is None or isinstance(top_up, NoAnswer):
        why = "" if top_up is None else f" ({top_up.message})"
        return Finding("note", f"the provider does not report whether the account is topped up automatically{why}")
    if top_up.is_on:
        return Finding("note", f"{top_up_text(top_up)}. Only a cap (--max-usd) stops a run")
    return Finding("ok", "the account is not topped up automatically: a run stops when its credits are spent")


def _on_endings(endings: Sequence[Ending] | NoAnswer | None, now: datetime) -> list[Finding]:
    """Say which of the models that manifests may name will be retired, or have been."""
    if endings is None or isinstance(endings, NoAnswer):
        why = "" if endings is None else f" ({endings.message})"
        return [Finding("note", f"the provider does not report which models are retired{why}")]
    known = [(name, ending_of(endings, name, now)) for name in model_names()]
    found = [Finding("note", each.text(name, now)) for name, each in known if each is not None]
    return found or [Finding("ok", "the provider has not announced the retirement of any model that wanbatch knows")]


def _clock(ahead: timedelta | NoAnswer | None) -> Finding:
    if isinstance(ahead, NoAnswer):
        why = f"the provider's time is unknown ({ahead.message})"
        return Finding("bad", f"{why}: until it is known, wanbatch does not read the provider's log")
    if ahead is None:
        return Finding(
            "note", "the provider's answers have no dates: wanbatch cannot compare this machine's clock with them"
        )
    wrong = wrong_clock_text(ahead)
    if wrong is None:
        return Finding("ok", "this machine's clock agrees with the provider's")
    if abs(ahead) > REFUSED:
        return Finding("bad", f"{wrong}: set it; wanbatch refuses to run until then")
    return Finding(
        "note", f"{wrong}: set it. No clip is bought twice because of it; a lost answer may take longer to find"
    )


def _readable(what: str, answer: object, otherwise: str) -> Finding:
    if isinstance(answer, NoAnswer):
        return Finding("bad", f"the key cannot read {what} ({answer.message}): {otherwise}")
    return Finding("ok", f"the key can read {what}")
