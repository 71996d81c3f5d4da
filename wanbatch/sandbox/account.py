"""The sandbox's account: every submit that arrived, what it made, and the money that follows from the time.

A generation is one row with the times at which it leaves the queue and ends; status, hold, charge, log and balance
are computed from the clock, so that a killed sandbox continues as if it had never stopped.
"""

from __future__ import annotations

import hashlib
import json
import math
import re
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any

from wanbatch.errors import LocalFault
from wanbatch.sandbox.books import CREDITS_PER_USD, LedgerPage, LogPage, charge_entry, log_row, topup_entry
from wanbatch.sandbox.models import Made, models_served
from wanbatch.sandbox.options import SandboxOptions

QUEUE_S = (1.0, 8.0)
NEVER_S = 1e15  # a time that no clock reaches
METRICS_WINDOW_S = 300
_ID_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

_TABLES = """
CREATE TABLE IF NOT EXISTS requests (
    seq INTEGER PRIMARY KEY, at REAL NOT NULL, key TEXT NOT NULL, client_request_id TEXT, body TEXT NOT NULL,
    body_sha256 TEXT NOT NULL, fault TEXT NOT NULL, http_status INTEGER NOT NULL, inference_id TEXT NOT NULL UNIQUE,
    model TEXT NOT NULL, credits INTEGER NOT NULL, starts_at REAL, ends_at REAL NOT NULL, failure TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS requests_by_end ON requests (ends_at);
CREATE INDEX IF NOT EXISTS requests_by_time ON requests (at);
CREATE INDEX IF NOT EXISTS requests_by_body ON requests (body_sha256);
CREATE TABLE IF NOT EXISTS clock (wall REAL NOT NULL, sandbox REAL NOT NULL, speed REAL NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS budget (topup INTEGER NOT NULL, at REAL NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS pictures (name TEXT PRIMARY KEY, jpeg BLOB NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS secrets (signing TEXT NOT NULL) STRICT;
"""
ACCOUNT_NAME = "account.sqlite"
INTERCEPTS = ("status", "drop_before")  # faults that leave the work undone
_IS_PAID = "http_status = 200 AND (failure IS NULL OR fault = 'fail_charged')"
_TRUTH = (
    "seq, at, client_request_id, body, body_sha256, fault, http_status, inference_id, model, credits, ends_at, failure"
)


@dataclass(frozen=True)
class Arrival:
    """A submit as it arrived: when (Unix seconds of the sandbox), with which key, and the fault that it meets."""

    at: float
    key: str
    client_request_id: str | None
    fault: str = ""


@dataclass(frozen=True)
class Generation:
    """One submit that was accepted, and what was ordered. Times are Unix seconds of the sandbox; `failure` is empty if
    it will succeed.
    """

    generation_id: str
    key: str
    client_request_id: str | None
    body: Mapping[str, Any]
    made: Made
    credits: int
    starts_at: float
    ends_at: float
    failure: str
    pictures: Mapping[str, bytes] = field(default_factory=dict)

    def status(self, now: float) -> str:
        """The provider's word for its status."""
        if now < self.starts_at:
            return "queued"
        if now < self.ends_at:
            return "generating"
        return "error" if self.failure else "completed"


class Account:
    """The account. `open_account` makes one; `now` arguments are Unix seconds of the sandbox."""

    def __init__(self, db: sqlite3.Connection, options: SandboxOptions) -> None:
        self._db = db
        self._options = options
        self.models = models_served(options.models)
        self.signing_key: str = db.execute("SELECT signing FROM secrets").fetchone()[0]

    def close(self) -> None:
        """Close the file."""
        self._db.close()

    # --- submits

    def accept(
        self, arrival: Arrival, body: Mapping[str, Any], *, failure: str | None = None, never_ends: bool = False
    ) -> Generation:
        """Record a generation and hold its credits, in one commit before the answer. `failure` is how it will end."""
        text = json.dumps(body, sort_keys=True, ensure_ascii=False)
        model = self.models[str(body["model"])]
        made = model.made_of(body)
        nth = self._count("http_status = 200 AND body_sha256 = ?", hashlib.sha256(text.encode()).hexdigest())
        rng = Random(f"{self._options.seed}:{nth}:{text}")  # noqa: S311  the same seed gives the same run
        starts_at = arrival.at + rng.uniform(*QUEUE_S)
        mean_s = self._options.mean_s * model.pace * made.weight
        ends_at = NEVER_S if never_ends else starts_at + _lognormal_s(mean_s, self._options.cv, rng)
        generation_id = self._new_id(rng)
        self._insert(arrival, text, (200, generation_id, model.name, made.credits, starts_at, ends_at, failure))
        asked = (generation_id, arrival.key, arrival.client_request_id, body)
        return Generation(*asked, made, made.credits, starts_at, ends_at, failure or "")

    def turn_away(self, arrival: Arrival, body: str, http_status: int) -> str:
        """Record a submit that made nothing; `http_status` is 0 if there was no answer. Returns its inference id."""
        rng = Random(f"{self._options.seed}:turned away:{arrival.at}:{self.arrived()}")  # noqa: S311  repeatable
        inference_id = self._new_id(rng)
        self._insert(arrival, body, (http_status, inference_id, _model_in(body), 0, None, arrival.at, None))
        return inference_id

    def _insert(self, arrival: Arrival, body: str, fate: tuple[Any, ...]) -> None:
        digest = hashlib.sha256(body.encode()).hexdigest()
        self._db.execute(
            "INSERT INTO requests (at, key, client_request_id, fault, body, body_sha256, http_status, inference_id,"
            " model, credits, starts_at, ends_at, failure) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (arrival.at, arrival.key, arrival.client_request_id, arrival.fault, body, digest, *fate),
        )

    def _new_id(self, rng: Random) -> str:
        """Make an id like the provider's: 21 characters, some of them awkward in a URL or a file name."""
        letters = [rng.choice(_ID_ALPHABET) for _ in range(21)]
        odd = rng.random()
        if odd < 0.05:
            letters[0] = "-"
        elif odd < 0.1:
            letters[9] = rng.choice(":/")
        made = "".join(letters)
        return self._new_id(rng) if self._count("inference_id = ?", made) else made

    def _count(self, condition: str, *values: float | str) -> int:
        sql = f"SELECT count(*) FROM requests WHERE {condition}"  # noqa: S608  conditions stand in this module
        return int(self._db.execute(sql, values).fetchone()[0])

    def arrived(self) -> int:
        """How many submits arrived with a key."""
        return self._count("http_status <> 401")

    def running(self, now: float) -> int:
        """How many generations have not ended."""
        return self._count("http_status = 200 AND ends_at > ?", now)

    def accepted_since(self, since: float) -> int:
        """How many submits were accepted after a time."""
        return self._count("at > ? AND http_status = 200", since)

    def generation(self, generation_id: str, key: str | None) -> Generation | None:
        """Find a generation of this key (of any key, if it is None)."""
        row = self._db.execute(
            "SELECT inference_id, key, client_request_id, body, credits, starts_at, ends_at, failure"
            " FROM requests WHERE inference_id = ? AND http_status = 200",
            (generation_id,),
        ).fetchone()
        if row is None or (key is not None and row[1] != key):
            return None
        found_id, owner, client_id, text, credit_count, starts_at, ends_at, failure = row
        body = json.loads(text)
        made = self.models[str(body["model"])].made_of(body)
        reported = (int(credit_count), float(starts_at), float(ends_at))
        return Generation(found_id, owner, client_id, body, made, *reported, failure or "", self._pictures_in(text))

    def keep_pictures(self, pictures: Mapping[str, bytes]) -> None:
        """Keep small copies of the pictures of a request, by the names that stand in its body for them."""
        self._db.executemany("INSERT OR IGNORE INTO pictures VALUES (?, ?)", pictures.items())

    def _pictures_in(self, text: str) -> dict[str, bytes]:
        names = dict.fromkeys(re.findall(r"data:[a-z/]+;sha256,[0-9a-f]{64}", text))
        rows = (
            self._db.execute("SELECT name, jpeg FROM pictures WHERE name = ?", (name,)).fetchone() for name in names
        )
        return dict(row for row in rows if row is not None)

    # --- money

    def available_credits(self, now: float) -> int:
        """What is left: the top-up less charges and holds; a failed generation's hold is rolled back when it ends."""
        held = f"http_status = 200 AND ({_IS_PAID} OR ends_at > ?)"
        sql = f"SELECT coalesce(sum(credits), 0) FROM requests WHERE {held}"  # noqa: S608  a constant
        return self._topup()[0] - int(self._db.execute(sql, (now,)).fetchone()[0])

    @property
    def opened_at(self) -> float:
        """When the account was opened, Unix seconds of the sandbox."""
        return self._topup()[1]

    def spent_credits(self, key: str, now: float) -> int:
        """What the generations of a key cost that have ended by now."""
        sql = f"SELECT coalesce(sum(credits), 0) FROM requests WHERE {_IS_PAID} AND key = ? AND ends_at <= ?"  # noqa: S608  a constant
        return int(self._db.execute(sql, (key, now)).fetchone()[0])

    def _topup(self) -> tuple[int, float]:
        row: tuple[int, float] = self._db.execute("SELECT topup, at FROM budget").fetchone()
        return row

    def ledger(self, page: LedgerPage, now: float) -> tuple[list[dict[str, Any]], tuple[float, int] | None]:
        """A page of the ledger, newest first, and the place where the next begins (None if there is none).

        Charges land the log lag after the end of their generation.
        """
        lag_s = self._options.log_lag_s
        end, seq = page.after or (NEVER_S, 0)
        rows = self._db.execute(
            f"SELECT ends_at, seq, credits, model, inference_id FROM requests WHERE {_IS_PAID}"  # noqa: S608  a constant
            " AND ends_at + ? <= ? AND ends_at + ? >= ? AND ends_at + ? < ? AND (ends_at, seq) < (?, ?)"
            " ORDER BY ends_at DESC, seq DESC LIMIT ?",
            (lag_s, now, lag_s, page.begin, lag_s, page.end, end, seq, page.limit + 1 if page.has_charges else 0),
        ).fetchall()
        found = [((at, seq), charge_entry(at + lag_s, *what)) for at, seq, *what in rows]
        credit_count, topped_at = self._topup()
        if page.has_topups and page.begin <= topped_at < page.end:
            found.append(((topped_at, 0), topup_entry(topped_at, credit_count)))
        shown = found[: page.limit]
        return [entry for _, entry in shown], shown[-1][0] if len(found) > len(shown) else None

    def log(self, page: LogPage, now: float) -> tuple[list[dict[str, Any]], int]:
        """A page of a key's request log, newest first, and how many rows there are in all.

        A row appears the log lag after its request ended; a submit that a fault intercepted leaves none.
        """
        lag_s = self._options.log_lag_s
        where = f"key = ? AND at >= ? AND at <= ? AND ends_at + ? <= ? AND fault NOT IN {INTERCEPTS}"
        values: list[Any] = [page.key, page.begin, page.end, lag_s, now]
        if page.models:
            names = {each.name for each in self.models.values() if {each.name, *each.aliases} & set(page.models)}
            where += f" AND model IN ({', '.join('?' * len(names))})"
            values += sorted(names)
        good = "(http_status = 200 AND failure IS NULL)"
        if len(page.statuses) == 1:
            where += f" AND {good}" if page.statuses == {"succeeded"} else f" AND NOT {good}"
        sql = (
            f"SELECT at, {good}, model, credits, seq, inference_id, client_request_id FROM requests WHERE {where}"  # noqa: S608  values are bound
            " ORDER BY at DESC, seq DESC LIMIT ? OFFSET ?"
        )
        rows = self._db.execute(sql, (*values, page.limit, page.offset)).fetchall()
        return [log_row(*row) for row in rows], self._count(where, *values)

    # --- for tests and checks

    def durations_s(self, now: float) -> dict[str, list[float]]:
        """How long the generations took that completed in the metrics window, by model, sorted."""
        rows = self._db.execute(
            "SELECT model, ends_at - at FROM requests WHERE http_status = 200 AND failure IS NULL AND ends_at > ?"
            " AND ends_at <= ? ORDER BY 1, 2",
            (now - METRICS_WINDOW_S, now),
        ).fetchall()
        found: dict[str, list[float]] = {}
        for model, duration_s in rows:
            found.setdefault(model, []).append(duration_s)
        return found

    def everything(self, now: float, *, with_intercepted: bool = False) -> list[dict[str, Any]]:
        """All submits that were worked on, for tests and checks: the truth that no client sees.

        `credits` is the hold; `charged` is what was or will be charged for it by now; `fault` is what was done to it.
        `with_intercepted` adds those that a fault answered or dropped before any work.
        """
        found = []
        for row in self._db.execute(f"SELECT {_TRUTH} FROM requests ORDER BY seq"):  # noqa: S608  a constant
            each = dict(zip(_TRUTH.split(", "), row, strict=True))
            if each["fault"] in INTERCEPTS and not with_intercepted:
                continue
            ended = "error" if each["failure"] else "completed"
            running = "running" if now < each["ends_at"] else ended
            each["status"] = running if each["http_status"] == 200 and each["credits"] else "refused"
            is_paid = each["status"] == "completed" or (ended == running and each["fault"] == "fail_charged")
            each["charged"] = each["credits"] if is_paid else 0
            found.append(each)
        return found


def open_account(options: SandboxOptions, wall: float) -> tuple[Account, float]:
    """Open the account, in memory or in the options' folder; returns it and the sandbox's time now, Unix seconds.

    `wall` is the machine's time. Raises LocalFault if the folder cannot hold it or another sandbox has it open.
    """
    try:
        if options.data is not None:
            options.data.mkdir(parents=True, exist_ok=True, mode=0o700)
            for name in (ACCOUNT_NAME, f"{ACCOUNT_NAME}-wal", f"{ACCOUNT_NAME}-shm", f"{ACCOUNT_NAME}-journal"):
                if (options.data / name).is_symlink():
                    raise LocalFault(
                        f"{options.data / name} is a link, and the sandbox does not write through links: remove it"
                    )
        path = options.data / ACCOUNT_NAME if options.data is not None else ":memory:"
        db = sqlite3.connect(path, isolation_level=None, timeout=0.2, check_same_thread=False)
        try:
            db.execute("PRAGMA locking_mode = EXCLUSIVE")  # one sandbox an account
            db.execute("PRAGMA journal_mode = WAL")
            db.execute("PRAGMA synchronous = NORMAL")  # a killed process loses nothing; answers come after the commit
            now = _opened(db, options, wall)
        except sqlite3.Error:
            db.close()
            raise
    except (OSError, sqlite3.Error) as error:
        raise LocalFault(f"the sandbox cannot keep its account in {options.data}: {error}") from error
    return Account(db, options), now


def _opened(db: sqlite3.Connection, options: SandboxOptions, wall: float) -> float:
    """Make missing tables, and continue the sandbox's time from where it would be by now."""
    db.executescript(_TABLES)
    db.execute("BEGIN IMMEDIATE")
    anchor = db.execute("SELECT wall, sandbox, speed FROM clock").fetchone()
    now = wall if anchor is None else anchor[1] + max(0.0, wall - anchor[0]) * anchor[2]
    db.execute("DELETE FROM clock")
    db.execute("INSERT INTO clock VALUES (?, ?, ?)", (wall, now, options.speed))
    if anchor is None:
        db.execute("INSERT INTO budget VALUES (?, ?)", (int(options.balance_usd * CREDITS_PER_USD), now))
        signing = hashlib.sha256(f"sandbox link {options.seed}".encode()).hexdigest()
        db.execute("INSERT INTO secrets VALUES (?)", (signing,))
    db.execute("COMMIT")
    return float(now)


def key_name(bearer: str) -> str:
    """Return a name that distinguishes keys without keeping them."""
    return hashlib.sha256(bearer.encode("utf-8", "surrogateescape")).hexdigest()[:16]


def _lognormal_s(mean_s: float, cv: float, rng: Random) -> float:
    sigma = math.sqrt(math.log(1 + cv * cv))
    return rng.lognormvariate(math.log(mean_s) - sigma * sigma / 2, sigma)


def _model_in(body: str) -> str:
    try:
        return str(json.loads(body)["model"])[:200].encode("utf-8", "replace").decode()
    except (ValueError, LookupError, TypeError, RecursionError):
        return "unknown"
