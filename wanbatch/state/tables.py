"""The tables of the state file: their rows, columns and checksums. One table per frozen dataclass."""

from __future__ import annotations

import json
import secrets
import zlib
from base64 import b32encode
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import Field, dataclass, field, fields
from datetime import UTC, datetime
from functools import cache, lru_cache
from typing import Any, TypeVar

from wanbatch.batch.attempts import Attempt, Outcome
from wanbatch.batch.lifecycle import State
from wanbatch.batch.models import PriceClass
from wanbatch.batch.plan import ShotRow
from wanbatch.batch.run_details import NO_DETAILS, RunDetails
from wanbatch.batch.take import Take
from wanbatch.errors import StateInvalid
from wanbatch.money.prices import Quote, QuotedPrice

SCHEMA_VERSION = 1
WHOLE_MAX = 2**53  # what a JSON reader and a table of numbers keep exactly; 4.5 billion USD in credits
REAL_MAX = 1e12  # 30,000 years in seconds
T = TypeVar("T")

_SQL_TYPES = {"int": "INTEGER", "bool": "INTEGER", "float": "REAL"}


_COLUMNS: dict[type[Any], tuple[tuple[str, str], ...]] = {}


def columns_of(record: type[Any]) -> tuple[tuple[str, str], ...]:
    """Name and bare annotation of each field of a dataclass that is a column of its table, in order."""
    if record not in _COLUMNS:
        kept = _kept(record)
        _COLUMNS[record] = tuple((each.name, str(each.type).removesuffix(" | None")) for each in kept)
    return _COLUMNS[record]


def _kept(record: type[Any]) -> list[Field[Any]]:
    return [each for each in fields(record) if each.metadata.get("table") is None]


def _ddl(table: str, record: type[Any], *constraints: str) -> str:
    rows = [f"{name} {_SQL_TYPES.get(kind, 'TEXT')}" for name, kind in columns_of(record)]
    return f"CREATE TABLE {table} ({', '.join([*rows, *constraints])}) STRICT"


@dataclass(frozen=True)
class Run:
    """One invocation that could write: when, how fast the provider's time ran, and how it ended.

    The estimate is of what it was about to send; `scene_caps` is JSON, credits by scene; `is_cap_given` if a flag
    gave the cap, which then holds until another does. `details` have a table of their own.
    """

    run_id: int
    started_at: datetime
    ended_at: datetime | None
    exit_code: int | None
    speed: float
    version: str
    estimate_credits: int | None
    unpriced: int
    cap_credits: int | None
    message: str
    is_cap_given: bool = False
    scene_caps: str = "{}"
    details: RunDetails = field(default=NO_DETAILS, metadata={"table": "run_details"})

    @property
    def caps_by_scene(self) -> dict[str, int]:
        """The caps of single scenes, in credits."""
        try:
            caps = json.loads(self.scene_caps)
            return {str(scene): _whole(cap) for scene, cap in caps.items()}
        except (ValueError, TypeError, AttributeError, RecursionError) as error:
            raise StateInvalid(f"the caps of a run cannot be read: {type(error).__name__}") from error


def scene_caps_text(caps: Mapping[str, int]) -> str:
    """Write the caps of single scenes as a run keeps them."""
    return json.dumps(dict(caps), ensure_ascii=False)


@dataclass(frozen=True)
class Stray:
    """A submit under our nonce that belongs to no take of this state file. Credits are whole or unknown."""

    request_id: str
    generation_id: str | None
    credits_held: int | None
    at: datetime
    source: str


@dataclass(frozen=True)
class Identity:
    """Which batch, provider and key a state file belongs to. It never changes; `batch` is the name at its beginning."""

    batch: str
    provider: str
    base_url: str
    sandbox: bool
    key_fingerprint: str
    nonce: str
    created_at: str
    schema_version: int = SCHEMA_VERSION


def quoted(run: Run, price_class: PriceClass, quote: Quote) -> QuotedPrice:
    """Make the row of a price that a run goes by."""
    return QuotedPrice(
        run_id=run.run_id,
        price_class=str(price_class),
        model=price_class.model,
        resolution=price_class.resolution,
        duration_s=price_class.duration_s,
        credits=quote.credits,
        low=quote.low,
        high=quote.high,
        source=quote.source,
        at=run.started_at,
    )


# Names and texts that may change, unlike the identity: where the batch was last run from, on which machine.
NOTES_DDL = "CREATE TABLE IF NOT EXISTS notes (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT"
# The cells of the user's own columns, by shot: a JSON object of texts in the order of the manifest.
OWN_CELLS_DDL = "CREATE TABLE IF NOT EXISTS own_cells (shot_id TEXT PRIMARY KEY, cells TEXT NOT NULL) STRICT"
# What the first confirmed plan holds for each shot, in credits; NULL where a price was unknown.
BASELINE_DDL = (
    "CREATE TABLE IF NOT EXISTS baseline (shot_id TEXT PRIMARY KEY, takes INTEGER NOT NULL, credits INTEGER) STRICT"
)
# What is known of a shot of the baseline of which some takes had no price.
BASELINE_PARTS_DDL = (
    "CREATE TABLE IF NOT EXISTS baseline_parts (shot_id TEXT PRIMARY KEY, known INTEGER NOT NULL,"
    " unpriced INTEGER NOT NULL) STRICT"
)
# What each shot of the baseline asked for, as a hash: by it a shot is known that has another id since.
BASELINE_RECIPES_DDL = (
    "CREATE TABLE IF NOT EXISTS baseline_recipes (shot_id TEXT PRIMARY KEY, recipe TEXT NOT NULL) STRICT"
)
# The fallback of each shot that has one: model, request, and after what it may be taken, as a JSON object.
FALLBACKS_DDL = "CREATE TABLE IF NOT EXISTS fallbacks (shot_id TEXT PRIMARY KEY, told TEXT NOT NULL) STRICT"
# Where the values of each shot come from that its manifest put together: a JSON object of lists of texts, by field.
ORIGINS_DDL = "CREATE TABLE IF NOT EXISTS origins (shot_id TEXT PRIMARY KEY, told TEXT NOT NULL) STRICT"
# Pictures and sounds that shots were given: a JSON object of what each is, by the hash of its bytes.
FILES_DDL = "CREATE TABLE IF NOT EXISTS files (sha256 TEXT PRIMARY KEY, told TEXT NOT NULL) STRICT"
# What a run was asked to send, and what kept it from sending more; a run that has no row was asked for everything.
RUN_DETAILS_DDL = (
    "CREATE TABLE IF NOT EXISTS run_details (run_id INTEGER PRIMARY KEY, stops TEXT NOT NULL, left_out TEXT NOT NULL,"
    " only TEXT NOT NULL, excepted TEXT NOT NULL, takes_limit INTEGER) STRICT"
)
# Columns that nothing reads or writes: tables stay as earlier versions began them, or their files would be refused.
_WITHOUT_USE = ("estimate_low INTEGER", "estimate_worst INTEGER")
DDL = (
    "CREATE TABLE identity (name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT",
    _ddl("shots", ShotRow, "PRIMARY KEY (shot_id)"),
    _ddl("takes", Take, "PRIMARY KEY (take_id)", "UNIQUE (shot_id, number)", "UNIQUE (generation_id)"),
    _ddl("attempts", Attempt, "PRIMARY KEY (take_id, number)", "UNIQUE (request_id)"),
    _ddl("runs", Run, *_WITHOUT_USE, "PRIMARY KEY (run_id)"),
    _ddl("quotes", QuotedPrice, "PRIMARY KEY (run_id, price_class)"),
    _ddl("strays", Stray, "PRIMARY KEY (request_id)"),
    "CREATE TABLE marks (name TEXT PRIMARY KEY, at TEXT NOT NULL) STRICT",
    NOTES_DDL,
    OWN_CELLS_DDL,
    BASELINE_DDL,
    BASELINE_PARTS_DDL,
    BASELINE_RECIPES_DDL,
    FALLBACKS_DDL,
    ORIGINS_DDL,
    FILES_DDL,
    RUN_DETAILS_DDL,
    """CREATE TABLE facts (seq INTEGER PRIMARY KEY, take_id INTEGER NOT NULL, fact TEXT NOT NULL, at TEXT NOT NULL,
    data TEXT NOT NULL, crc INTEGER NOT NULL) STRICT""",
)
INDEXES = (
    "CREATE INDEX IF NOT EXISTS takes_by_state ON takes (state)",
    "CREATE INDEX IF NOT EXISTS facts_by_take ON facts (take_id, seq)",
    "CREATE INDEX IF NOT EXISTS takes_at_risk ON takes (take_id) WHERE credits_at_risk IS NOT 0",
    "CREATE INDEX IF NOT EXISTS attempts_by_generation ON attempts (generation_id) WHERE generation_id IS NOT NULL",
    "CREATE INDEX IF NOT EXISTS renames ON facts (seq) WHERE fact = 'renamed'",
    "CREATE INDEX IF NOT EXISTS frames_chosen ON facts (take_id, seq) WHERE fact = 'frames_chosen'",
    "CREATE INDEX IF NOT EXISTS measured ON facts (take_id, seq) WHERE fact = 'measured'",
    "CREATE INDEX IF NOT EXISTS attempts_nameless ON attempts (started_at, take_id) WHERE generation_id IS NULL",
    "CREATE UNIQUE INDEX IF NOT EXISTS one_open_attempt ON attempts (take_id) WHERE outcome = 'open'",
)


def foreign_objects(found: Iterable[tuple[str, str, str | None]]) -> list[str]:
    """Name what the schema of a state file holds and must not: its rows as (type, name, sql).

    A file from somebody else may bring a view or a trigger under a name of ours, whose query never ends, or a table
    with other rules. An ordinary table of another name is of a newer version, and never read.
    """
    ours = _our_objects()
    wrong = []
    for kind, name, sql in found:
        if sql is None or name.startswith("sqlite_"):
            continue  # SQLite's own: an index of a primary key
        is_ours = ours.get(name) == _squeezed(sql)
        is_of_newer = kind == "table" and name not in ours and "VIRTUAL" not in sql.upper().split()
        if not is_ours and not is_of_newer:
            wrong.append(f"{kind} {name}")
    return wrong


@cache
def _our_objects() -> dict[str, str]:
    return {_name_in(sql): _squeezed(sql) for sql in (*DDL, *INDEXES)}


@lru_cache(256)  # a state file is looked at before each of its openings, and its schema is the same
def _squeezed(sql: str) -> str:
    return " ".join(sql.replace("IF NOT EXISTS ", "").split())


def _name_in(sql: str) -> str:
    words = _squeezed(sql).split()
    return next(word for word in words if word not in ("CREATE", "TABLE", "UNIQUE", "INDEX")).partition("(")[0]


def to_sql(value: object) -> Any:
    """Return a value as a column holds it: times in UTC with milliseconds, booleans as 0 or 1, tuples as JSON."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat(timespec="milliseconds")
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, tuple):
        return json.dumps(value, ensure_ascii=False)
    return value


def _whole(value: Any) -> int:
    if not isinstance(value, int) or abs(value) > WHOLE_MAX:
        raise ValueError("a whole number that is too large")
    return value


def _real(value: Any) -> float:
    if not isinstance(value, float | int) or not abs(value) < REAL_MAX:
        raise ValueError("a number that is not finite")
    return value


def _moment(text: Any) -> datetime:
    at = datetime.fromisoformat(text)
    if at.tzinfo is None:
        raise ValueError("a time without a zone")
    return at


_READERS: Mapping[str, Callable[[Any], Any]] = {
    "int": _whole,
    "float": _real,
    "datetime": _moment,
    "bool": bool,
    "State": State,
    "Outcome": Outcome,
    "tuple[str, ...]": lambda text: tuple(json.loads(text)),
}


ReadingPlan = tuple[tuple[str, Callable[[Any], Any] | None, bool], ...]
_PLANS: dict[type[Any], ReadingPlan] = {}


def plan_of(record: type[Any]) -> ReadingPlan:
    """Return how a row becomes a record: for each field its name, what reads its value, and whether it may be NULL."""
    plan = _PLANS.get(record)
    if plan is None:
        kinds = zip(_kept(record), columns_of(record), strict=True)
        plan = tuple((name, _READERS.get(kind), str(each.type).endswith("| None")) for each, (name, kind) in kinds)
        _PLANS[record] = plan
    return plan


def from_row(record: type[T], row: Sequence[Any]) -> T:
    """Make a record of a row. Raises ValueError if a required value is missing, or has another kind."""
    values = {}
    for (name, reader, is_optional), value in zip(plan_of(record), row, strict=True):
        if value is None and not is_optional:
            raise ValueError(f"a row without {name}")
        values[name] = value if value is None or reader is None else reader(value)
    made = object.__new__(record)  # what a frozen dataclass's own __init__ does, field by field and ten times slower
    made.__dict__.update(values)
    return made


def row_crc(take_id: int, fact: str, at: str, data: str) -> int:
    """Return the CRC-32 that a row of `facts` carries: a row that the disk damaged no longer matches it."""
    return zlib.crc32(f"{take_id}\n{fact}\n{at}\n{data}".encode())


def new_identity(batch: str, base_url: str, key_fingerprint: str, at: datetime, *, sandbox: bool) -> Identity:
    """Make the identity of a batch begun now, with a nonce of 64 random bits for its request ids."""
    nonce = b32encode(secrets.token_bytes(8)).decode().rstrip("=").lower()
    return Identity(batch, "aimlapi", base_url, sandbox, key_fingerprint, nonce, at.isoformat(timespec="seconds"))
