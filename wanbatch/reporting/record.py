"""The record of a batch: all that its reports are made of, read once and of one moment.

Takes, attempts and shots are tables with a column for each field of the dataclass of that name: texts, Int64, Float64,
boolean, times in UTC. A hundred thousand takes are a few dozen columns here and no takes; `values_of` makes the few
that a page shows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import pandas as pd

from wanbatch.batch.attempts import Attempt, Outcome
from wanbatch.batch.lifecycle import Fact, State
from wanbatch.batch.plan import ShotRow
from wanbatch.batch.remedies import in_folder
from wanbatch.batch.shots import OWN
from wanbatch.batch.take import Take, charged_by
from wanbatch.errors import StateInvalid
from wanbatch.folders import CLIPS, only_in
from wanbatch.money.baseline import Baseline
from wanbatch.money.credits import CREDITS_PER_USD, usd
from wanbatch.money.prices import QuotedPrice
from wanbatch.money.remaining import Remaining
from wanbatch.reporting.given import Given
from wanbatch.state.kept_command import read_command
from wanbatch.state.lock import is_held_by_another
from wanbatch.state.needs import AttemptFindings
from wanbatch.state.progress_reader import (
    read_baseline,
    read_early_end,
    read_why_no_baseline,
)
from wanbatch.state.reader import StateReader
from wanbatch.state.remaining import read_findings_with_caps, read_remaining
from wanbatch.state.shown import homes_of, shown_beside, shown_folder, shown_text
from wanbatch.state.tables import Identity, Run, Stray, columns_of

T = TypeVar("T")
DTYPES = {
    "int": "Int64",
    "float": "Float64",
    "bool": "boolean",
    "datetime": "datetime64[ms, UTC]",
    "tuple[str, ...]": "object",
}
CHARGE_COLUMNS = {"take_id": "Int64", "at": "time", "credits": "Int64", "generation_id": "string"}
_ENUMS: Mapping[str, Callable[[str], Any]] = {"State": State, "Outcome": Outcome}


@dataclass(frozen=True)
class Record:
    """What a state file says of a batch, as reports may show it: no secret, no path of this machine.

    `takes` are in the order they were planned, `attempts` by take and number, `shots` in story order: one also for each
    take whose own is missing. `charges` has one row per charge, in the order the ledger showed them, by CHARGE_COLUMNS.
    `earlier_recipes` are those that takes had before another, by short hash. `own` are the cells of the user's own
    columns, a row per shot. `told` is what is known of takes in trouble beside their rows. `baseline` is the first
    confirmed plan, None if it was not kept, for the reason `no_baseline`; `baseline_lines` are its rows by shot:
    `earlier_shot_id` is the id of then where it was another. `origins` says, of shots that a manifest put together,
    where their values come from: texts by field. `clip_names` is the pattern of the clips' further names, or empty.
    `remaining` is what is still to be sent, `early_end` the run that tells why it waits, `command` the command line
    that goes on, empty if it is not known, and `is_elsewhere` if another folder is its own; `is_finished` if no take is
    left that it would send or fetch. `given` is what takes were given beside their texts.
    """

    output: Path
    identity: Identity
    batch: str
    takes: pd.DataFrame
    attempts: pd.DataFrame
    shots: pd.DataFrame
    own: pd.DataFrame
    charges: pd.DataFrame
    earlier_recipes: Mapping[str, str]
    runs: Sequence[Run]
    quotes: Sequence[QuotedPrice]
    strays: Sequence[Stray]
    findings: AttemptFindings
    baseline: Baseline | None
    no_baseline: str
    baseline_lines: pd.DataFrame
    origins: Mapping[str, Mapping[str, Sequence[str]]]
    clip_names: str
    remaining: Remaining
    early_end: Run | None
    command: str
    is_elsewhere: bool
    is_running: bool
    is_finished: bool
    given: Given


def read_record(reader: StateReader) -> Record:
    """Read all that reports are made of. Raises StateInvalid for a damaged file."""
    output = reader.output
    with reader.snapshot():
        runs, remaining = reader.runs(), read_remaining(reader)
        is_running = bool(runs) and runs[-1].exit_code is None and is_held_by_another(output)
        takes = _shown_takes(frame_of(Take, reader.columns(Take, "ORDER BY take_id")), output)
        attempts = frame_of(Attempt, reader.columns(Attempt, "ORDER BY take_id, number"))
        attempts["error"] = _translated(attempts["error"], _shown_in(output))
        shots = frame_of(ShotRow, reader.columns(ShotRow, "ORDER BY removed, ordinal, shot_id"))
        shots = _with_missing(shots, takes)
        record = Record(
            output=output,
            identity=reader.identity(),
            batch=reader.batch(),
            takes=takes,
            attempts=attempts,
            shots=shots,
            own=_own_columns(reader, shots),
            charges=_charges(reader),
            earlier_recipes=reader.earlier_recipes(),
            runs=runs,
            quotes=reader.quotes(),
            strays=reader.strays(),
            findings=read_findings_with_caps(reader, remaining),
            baseline=read_baseline(reader, reader.kinds()),
            no_baseline=read_why_no_baseline(reader, reader.kinds()),
            baseline_lines=_baseline_lines(reader),
            origins=reader.origins(),
            clip_names=reader.clip_names(),
            remaining=remaining,
            early_end=None if is_running else read_early_end(reader, runs),
            command=_command(reader),
            is_elsewhere=bool(read_command(reader).place),
            is_running=is_running,
            is_finished=not remaining.takes and reader.inventory().is_finished(lambda _: True),
            given=Given.of(reader),
        )
    known = set(takes["take_id"].tolist())
    for name, table in (("an attempt", record.attempts), ("a charge", record.charges)):
        if not known.issuperset(table["take_id"].tolist()):
            raise StateInvalid(f"{reader.path} is damaged: {name} in it belongs to no take. Restore it from a backup")
    return record


# --- tables and values


def typed_frame(rows: Sequence[Mapping[str, Any]], columns: Mapping[str, str]) -> pd.DataFrame:
    """Make a table of these columns and nullable types; what a row does not have is missing."""
    cells = {name: [row.get(name) for row in rows] for name in columns}
    return pd.DataFrame({name: pd.array(cells[name], dtype=_dtype_of(kind)) for name, kind in columns.items()})


def series(values: Iterable[Any], kind: str) -> pd.Series[Any]:
    """Make a column of a nullable type; `time` is a time in UTC, to the millisecond."""
    made: pd.Series[Any] = pd.Series(values if isinstance(values, list) else list(values), dtype=_dtype_of(kind))
    return made


def _dtype_of(kind: str) -> Any:
    return DTYPES["datetime"] if kind == "time" else kind


def usd_of(credit_counts: pd.Series[Any]) -> pd.Series[Any]:
    """Return a column of credits in USD: numbers that are exact to the credit, missing where the credits are."""
    return credit_counts.astype("Float64") / CREDITS_PER_USD


def with_usd(cells: Mapping[str, Any]) -> dict[str, Any]:
    """Add to each cell of credits the same in USD: `credits_held` gets `usd_held`, `final_credits` gets `final_usd`."""
    return dict(cells) | {
        name.replace("credits", "usd"): None if value is None else float(usd(int(value)))
        for name, value in cells.items()
        if name.startswith("credits_") or name.endswith("_credits")
    }


def frame_of(record: type[Any], parts: Iterable[Mapping[str, Sequence[Any]]]) -> pd.DataFrame:
    """Make a table of the fields of a record; each part has them with their values in some rows."""
    kinds = [(name, DTYPES.get(kind, "string")) for name, kind in columns_of(record)]
    frames = [
        pd.DataFrame({name: pd.Series(part[name], dtype=kind) for name, kind in kinds}, copy=False) for part in parts
    ]
    return frames[0] if len(frames) == 1 else pd.concat(frames, ignore_index=True)


def rows_of(record: type[T], values: Sequence[T]) -> pd.DataFrame:
    """Make a table of records: one row each."""
    return frame_of(record, [{name: [getattr(each, name) for each in values] for name, _ in columns_of(record)}])


def values_of(record: type[T], frame: pd.DataFrame) -> list[T]:
    """Make the records that the rows of a table stand for."""
    if not len(frame):
        return []
    columns = [_plain(frame[name], kind) for name, kind in columns_of(record)]
    return [record(*row) for row in zip(*columns, strict=True)]


def plain_values(column: pd.Series[Any]) -> list[Any]:
    """Return the values of a column as Python has them, times among them; None if one is missing."""
    if isinstance(column.dtype, pd.DatetimeTZDtype):
        return [None if at is pd.NaT else at.to_pydatetime() for at in column]
    if isinstance(column.dtype, pd.api.extensions.ExtensionDtype):
        # Thirty times faster than the rest.
        made: list[Any] = column.array.to_numpy(dtype=object, na_value=None).tolist()
        return made
    return column.astype(object).where(column.notna(), None).tolist()


def _plain(column: pd.Series[Any], kind: str) -> list[Any]:
    made = _ENUMS.get(kind)
    return plain_values(column) if made is None else [made(value) for value in column]


# --- as reports may show it


def _shown_takes(takes: pd.DataFrame, output: Path) -> pd.DataFrame:
    folder, shown = shown_folder(output), _shown_in(output)
    for name in ("error", "warning"):
        takes[name] = _translated(takes[name], lambda text: in_folder(shown(text), folder))
    takes["note"] = _translated(takes["note"], shown)
    takes["file"] = series(only_in(output, CLIPS, plain_values(takes["file"])), "string")
    return takes


def _shown_in(output: Path) -> Callable[[str], str]:
    homes = homes_of(output)
    return lambda text: shown_beside(text, homes)


def _translated(column: pd.Series[Any], words_of: Callable[[str], str]) -> pd.Series[Any]:
    """Return a column of texts with each in other words; an empty one stays so."""
    words = {text: words_of(text) for text in column.unique() if text}
    return column if not words else series([words.get(text, text) for text in column], "string")


def _command(reader: StateReader) -> str:
    """Return the command that goes on, unless it names a folder of this machine: shortened, it would mean another."""
    command = read_command(reader).text
    return command if shown_text(command, reader.output) == command else ""


def _with_missing(shots: pd.DataFrame, takes: pd.DataFrame) -> pd.DataFrame:
    """Add a shot for each take whose own is missing: no take is left out of a sum."""
    missing = takes.loc[~takes["shot_id"].isin(shots["shot_id"]), "shot_id"].unique()
    if not len(missing):
        return shots
    bare = [ShotRow(each, len(shots), "", "", (), "", "", "", 1, omit=False, removed=True) for each in missing]
    return pd.concat([shots, rows_of(ShotRow, bare)], ignore_index=True)


def _own_columns(reader: StateReader, shots: pd.DataFrame) -> pd.DataFrame:
    """One row per shot: the user's own columns as the manifest orders them; an empty cell is missing."""
    cells = reader.own_cells()
    mine = [cells.get(shot_id, {}) for shot_id in shots["shot_id"]] if cells else []
    names = dict.fromkeys(name for each in mine for name in each if name.startswith(OWN))
    columns = {name: series([each.get(name) or None for each in mine], "string") for name in names}
    return pd.DataFrame(columns, index=shots.index)


def _baseline_lines(reader: StateReader) -> pd.DataFrame:
    """One row per shot of the first confirmed plan, under the id that it has now."""
    lines, renamed = reader.baseline_lines(), reader.renamed_since_baseline()
    kinds = {"shot_id": "string", "takes": "Int64", "known": "Int64", "unpriced": "Int64"}
    told = pd.DataFrame({name: series([getattr(each, name) for each in lines], kind) for name, kind in kinds.items()})
    told["earlier_shot_id"] = told["shot_id"].where(told["shot_id"].isin(list(renamed)))
    told["shot_id"] = told["shot_id"].replace(renamed)
    return told


def _charges(reader: StateReader) -> pd.DataFrame:
    rows = [
        (take_id, charge.at, charged_by(charge), charge.data.get("generation_id"))
        for take_id, charge in reader.entries(Fact.CHARGED)
    ]
    columns = zip(*rows, strict=True) if rows else [()] * len(CHARGE_COLUMNS)
    return pd.DataFrame(
        {name: series(values, kind) for (name, kind), values in zip(CHARGE_COLUMNS.items(), columns, strict=True)}
    )
