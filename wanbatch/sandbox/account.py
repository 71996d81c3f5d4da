"""The sandbox's account: every request that arrived, what it made, and the money that follows from the time.

A generation is one row with the times at which it leaves the queue and ends; status, hold, charge, log and balance
are read off the clock, so that a sandbox that was killed goes on as though it had never stopped.
"""

from __future__ import annotations

import base64
import hashlib
import json
import math
import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any

from wanbatch.errors import LocalFault
from wanbatch.sandbox.models import MODELS, Made
from wanbatch.sandbox.options import SandboxOptions

CREDITS_PER_USD = 2_000_000
QUEUE_S = (1.0, 8.0)
_ID_ALPHABET = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-"

_TABLES = """
CREATE TABLE IF NOT EXISTS requests (
    seq INTEGER PRIMARY KEY, at REAL NOT NULL, key TEXT NOT NULL, client_request_id TEXT, body TEXT NOT NULL,
    body_sha256 TEXT NOT NULL, http_status INTEGER NOT NULL, inference_id TEXT NOT NULL UNIQUE, model TEXT NOT NULL,
    credits INTEGER NOT NULL, starts_at REAL, ends_at REAL, failure TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS requests_by_end ON requests (ends_at);
CREATE TABLE IF NOT EXISTS clock (wall REAL NOT NULL, sandbox REAL NOT NULL, speed REAL NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS purse (topup INTEGER NOT NULL, at REAL NOT NULL) STRICT;
CREATE TABLE IF NOT EXISTS secrets (signing TEXT NOT NULL) STRICT;
"""


@dataclass(frozen=True)
class Generation:
    """One accepted request. Times are Unix seconds of the sandbox; `failure` is empty where it will succeed."""

    seq: int
    generation_id: str
    key: str
    client_request_id: str | None
    body: Mapping[str, Any]
    at: float
    credits: int
    starts_at: float
    ends_at: float
    failure: str

    @property
    def made(self) -> Made:
        """What was ordered."""
        return MODELS[str(self.body["model"])].made_of(self.body)

    def status(self, now: float) -> str:
        """The provider's word for how it stands."""
        if now < self.starts_at:
            return "queued"
        if now < self.ends_at:
            return "generating"
        return "error" if self.failure else "completed"


class Account:
    """The books. `open_account` makes one; `now` arguments are Unix seconds of the sandbox."""

    def __init__(self, db: sqlite3.Connection, options: SandboxOptions) -> None:
        self._db = db
        self._options = options
        self.signing_key: str = db.execute("SELECT signing FROM secrets").fetchone()[0]

    # --- requests

    def accept(self, key: str, client_request_id: str | None, body: Mapping[str, Any], now: float) -> Generation:
        """Book a generation and hold its credits, on disk before the answer."""
        text = json.dumps(body, sort_keys=True, ensure_ascii=False)
        model = MODELS[str(body["model"])]
        made = model.made_of(body)
        nth = self._db.execute("SELECT count(*) FROM requests WHERE body = ?", (text,)).fetchone()[0]
        rng = Random(f"{self._options.seed}:{nth}:{text}")  # noqa: S311  the same seed gives the same night
        starts_at = now + rng.uniform(*QUEUE_S)
        weight = {"480p": 0.4, "720p": 0.7}.get(made.resolution.lower(), 1.0) * (0.4 + 0.6 * made.duration_s / 10)
        ends_at = starts_at + _lognormal_s(self._options.mean_s * model.pace * weight, self._options.cv, rng)
        generation_id = self._new_id(rng)
        self._insert(
            (now, key, client_request_id, text, 200, generation_id, model.name, made.credits, starts_at, ends_at)
        )
        return self.generation(generation_id, key) or _missing(generation_id)

    def refuse(self, key: str, client_request_id: str | None, body: str, http_status: int, now: float) -> str:
        """Book a request that was turned down; returns its inference id."""
        inference_id = self._new_id(Random(f"{self._options.seed}:refused:{now}:{self.arrived()}"))  # noqa: S311
        self._insert((now, key, client_request_id, body, http_status, inference_id, _model_in(body), 0, None, now))
        return inference_id

    def fail(self, generation_id: str, failure: str) -> None:
        """Decide that a generation will end in an error."""
        self._db.execute("UPDATE requests SET failure = ? WHERE inference_id = ?", (failure, generation_id))

    def stall(self, generation_id: str) -> None:
        """Decide that a generation will never end."""
        self._db.execute("UPDATE requests SET ends_at = 1e15 WHERE inference_id = ?", (generation_id,))

    def _insert(self, row: tuple[Any, ...]) -> None:
        digest = hashlib.sha256(row[3].encode()).hexdigest()
        at, key, client_request_id, body, *rest = row
        self._db.execute(
            "INSERT INTO requests (at, key, client_request_id, body, body_sha256, http_status, inference_id, model,"
            " credits, starts_at, ends_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (at, key, client_request_id, body, digest, *rest),
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
        taken = self._db.execute("SELECT 1 FROM requests WHERE inference_id = ?", (made,)).fetchone()
        return self._new_id(rng) if taken else made

    def arrived(self) -> int:
        """How many submits arrived."""
        return int(self._db.execute("SELECT count(*) FROM requests").fetchone()[0])

    def generation(self, generation_id: str, key: str | None) -> Generation | None:
        """Find a generation of this key (of any, where it is None)."""
        row = self._db.execute(
            "SELECT seq, inference_id, key, client_request_id, body, at, credits, starts_at, ends_at, failure"
            " FROM requests WHERE inference_id = ? AND http_status = 200",
            (generation_id,),
        ).fetchone()
        if row is None or (key is not None and row[2] != key):
            return None
        seq, found_id, owner, client_id, body, at, credit_count, starts_at, ends_at, failure = row
        told = (float(at), int(credit_count), float(starts_at), float(ends_at))
        return Generation(seq, found_id, owner, client_id, json.loads(body), *told, failure or "")

    def running(self, now: float) -> int:
        """How many generations have not ended."""
        sql = "SELECT count(*) FROM requests WHERE http_status = 200 AND ends_at > ?"
        return int(self._db.execute(sql, (now,)).fetchone()[0])

    def submits_since(self, since: float) -> int:
        """How many submits were accepted since a time."""
        sql = "SELECT count(*) FROM requests WHERE http_status = 200 AND at > ?"
        return int(self._db.execute(sql, (since,)).fetchone()[0])

    # --- money

    def available_credits(self, now: float) -> int:
        """What is left: the top-up less charges and holds; a failed generation's hold is rolled back when it ends."""
        spent = self._db.execute(
            "SELECT coalesce(sum(credits), 0) FROM requests"
            " WHERE http_status = 200 AND (failure IS NULL OR ends_at > ?)",
            (now,),
        ).fetchone()[0]
        return int(self._topup()[0]) - int(spent)

    def _topup(self) -> tuple[int, float]:
        row: tuple[int, float] = self._db.execute("SELECT topup, at FROM purse").fetchone()
        return row

    def ledger(self, now: float) -> list[dict[str, Any]]:
        """All entries by now, newest first: charges land the log lag after the end."""
        rows = self._db.execute(
            "SELECT ends_at + ?, credits, model, inference_id FROM requests WHERE http_status = 200"
            " AND failure IS NULL AND ends_at + ? <= ? ORDER BY ends_at DESC, seq DESC",
            (self._options.log_lag_s, self._options.log_lag_s, now),
        ).fetchall()
        entries = [
            _entry(at, "CHARGE", "MODEL_USAGE", credit_count, (model, ref)) for at, credit_count, model, ref in rows
        ]
        topup, topped_at = self._topup()
        return [*entries, _entry(topped_at, "TOPUP", "PAYMENT", topup, (None, "sandbox-top-up"))]

    def log(self, key: str, window: tuple[float, float], now: float) -> list[dict[str, Any]]:
        """The request log of a key, newest first: a row appears the log lag after its request ended."""
        rows = self._db.execute(
            "SELECT at, http_status, failure, model, credits, seq, inference_id, client_request_id FROM requests"
            " WHERE key = ? AND at >= ? AND at <= ? AND ends_at + ? <= ? ORDER BY at DESC, seq DESC",
            (key, *window, self._options.log_lag_s, now),
        ).fetchall()
        return [_log_row(*row) for row in rows]

    def everything(self, now: float) -> list[dict[str, Any]]:
        """All that arrived, for those who check: the truth that no client sees."""
        rows = self._db.execute(
            "SELECT seq, at, client_request_id, body, body_sha256, http_status, inference_id, credits, ends_at, failure"
            " FROM requests ORDER BY seq"
        ).fetchall()
        names = ("seq", "at", "client_request_id", "body", "body_sha256", "http_status", "inference_id", "credits")
        found = []
        for row in rows:
            ends_at, failure, accepted = row[8], row[9], row[5] == 200
            status = "refused" if not accepted else "running" if now < ends_at else "error" if failure else "completed"
            charged = row[7] if status == "completed" else 0
            found.append(
                {**dict(zip(names, row, strict=False)), "status": status, "charged": charged, "failure": failure}
            )
        return found


def open_account(options: SandboxOptions, wall: float) -> tuple[Account, float]:
    """Open the books, in memory or in the options' folder; returns them and the sandbox's time now, Unix seconds."""
    try:
        if options.data is not None:
            options.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        db = sqlite3.connect(
            Path(options.data) / "account.sqlite" if options.data else ":memory:", isolation_level=None
        )
        db.execute("PRAGMA journal_mode = WAL")
        db.execute("PRAGMA synchronous = NORMAL")  # a killed process loses nothing; the answer comes after the commit
        db.executescript(_TABLES)
    except (OSError, sqlite3.Error) as error:
        raise LocalFault(f"the sandbox cannot keep its account in {options.data}: {error}") from error
    anchor = db.execute("SELECT wall, sandbox, speed FROM clock").fetchone()
    now = wall if anchor is None else max(anchor[1], anchor[1] + (wall - anchor[0]) * anchor[2])
    db.execute("DELETE FROM clock")
    db.execute("INSERT INTO clock VALUES (?, ?, ?)", (wall, now, options.speed))
    if db.execute("SELECT count(*) FROM purse").fetchone()[0] == 0:
        db.execute("INSERT INTO purse VALUES (?, ?)", (int(options.balance_usd * CREDITS_PER_USD), now))
        signing = hashlib.sha256(f"sandbox link {options.seed}".encode()).hexdigest()
        db.execute("INSERT INTO secrets VALUES (?)", (signing,))
    return Account(db, options), now


def key_name(bearer: str) -> str:
    """Tell keys apart without keeping them."""
    return hashlib.sha256(bearer.encode()).hexdigest()[:16]


def iso(at: float) -> str:
    """Write Unix seconds as the provider does: ISO 8601, UTC, milliseconds, Z."""
    moment = datetime(1970, 1, 1, tzinfo=UTC) + timedelta(seconds=at)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def usd(credit_count: int) -> float:
    """USD as the provider's JSON has it: a number."""
    return float(Decimal(credit_count) / CREDITS_PER_USD)


def cursor_at(offset: int) -> str:
    """Make an opaque cursor."""
    return base64.urlsafe_b64encode(f"v1:{offset}".encode()).decode()


def read_cursor(text: str) -> int | None:
    """Read a cursor of ours; None for anything else."""
    try:
        version, offset = base64.urlsafe_b64decode(text.encode()).decode().split(":")
        return int(offset) if version == "v1" and int(offset) >= 0 else None
    except ValueError:
        return None


def _lognormal_s(mean_s: float, cv: float, rng: Random) -> float:
    sigma = math.sqrt(math.log(1 + cv * cv))
    return rng.lognormvariate(math.log(mean_s) - sigma * sigma / 2, sigma)


def _entry(at: float, direction: str, kind: str, credit_count: int, what: tuple[str | None, str]) -> dict[str, Any]:
    return {
        "created_at": iso(at),
        "direction": direction,
        "type": kind,
        "amount": {"usd": usd(credit_count), "credits": credit_count},
        "model": what[0],
        "reference_id": what[1],
    }


def _log_row(*row: Any) -> dict[str, Any]:
    at, http_status, failure, model, credit_count, seq, inference_id, client_request_id = row
    is_good = http_status == 200 and not failure
    cost = credit_count if is_good else 0
    return {
        "created": iso(at),
        "status": "succeeded" if is_good else "failed",
        "origin": "api",
        "model": model,
        "cost": {"usd": usd(cost), "credits": cost},
        "tokens": {"input": 0, "output": 0, "total": 0},
        "request_id": f"req-{seq}",
        "inference_id": inference_id,
        "client_request_id": client_request_id,
    }


def _model_in(body: str) -> str:
    try:
        return str(json.loads(body).get("model"))
    except (ValueError, AttributeError):
        return "unknown"


def _missing(generation_id: str) -> Generation:
    raise LocalFault(f"the sandbox lost generation {generation_id}")
