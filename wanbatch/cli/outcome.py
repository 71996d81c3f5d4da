"""The outcome of a run as a command reports it: what needs the user, and the clips that a person should look at."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from wanbatch.batch.advice import in_folder
from wanbatch.cli import Global
from wanbatch.cli.screen import console_of, print_json, print_result, result_json
from wanbatch.cli.spending import spending_json, spending_lines
from wanbatch.errors import ManifestInvalid
from wanbatch.manifest.cache import Manifest
from wanbatch.money.remaining import remaining_json
from wanbatch.session.options import RunResult
from wanbatch.state.progress_reader import is_play_money, problems_of, read_remaining
from wanbatch.state.reader import StateReader
from wanbatch.state.spending import read_spending

WARNINGS_TOLD = 5


def tell(options: Global, result: RunResult, manifest: Manifest | None = None) -> int:
    """Tell how a run ended; returns its exit code."""
    with StateReader.open(result.output) as reader:
        spending, remaining = read_spending(reader), read_remaining(reader)
    if options.is_json:
        left = remaining_json(remaining)
        more = {"spending": spending_json(spending), "remaining": left, "sandbox": is_play_money(result.output)}
        print_json({"event": "end", **result_json(result), **more})
    elif options.verbosity >= 0 or result.exit_code:
        reported = [*problems_of(result.output, limit=10, place_of=_places_in(manifest)), *_warnings_of(result.output)]
        where = spending_lines(spending)
        if remaining.takes:
            where.append(f"still to be sent: {remaining.words}")
        print_result(console_of(options), result, reported, where, is_play=is_play_money(result.output))
    return int(result.exit_code)


def _places_in(manifest: Manifest | None) -> Callable[[str], str]:
    """Return a function that says where a manifest names a shot; it reads the manifest when it is first asked."""
    lines: dict[str, str] = {}

    def place_of(shot_id: str) -> str:
        if manifest is not None and not lines:
            with suppress(ManifestInvalid):  # changed meanwhile
                batch = manifest.batch()
                lines.update({shot.id: f"{batch.source} line {shot.line}" for shot in batch.shots if shot.line})
        return lines.get(shot_id, "")

    return place_of


def _warnings_of(output: Path) -> list[str]:
    """Return lines on the clips that a person should look at, up to a limit."""
    with StateReader.open(output) as reader:
        warned = reader.warned()
    lines = [f"look at {label}: {in_folder(warning, str(output))}" for label, warning in warned[:WARNINGS_TOLD]]
    if len(warned) > WARNINGS_TOLD:
        lines.append(
            f"... and at {len(warned) - WARNINGS_TOLD} more: see the warnings in {output / 'reports' / 'takes.csv'}"
        )
    return lines
