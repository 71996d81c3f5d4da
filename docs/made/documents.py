"""What each command prints with `--json`: real answers about the sample batch, lists cut to their first element."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from docs.made.sample import Sample, shortened
from docs.made.table import PartIncomplete, block
from wanbatch.cli import cli

# Commands, in the order of the page: what is asked of the sample, and what to know of the answer.
ASKED: dict[str, tuple[tuple[str, ...], str]] = {
    "init": (("my-film",), "The folder and the files that were written."),
    "convert": (("shots.yaml", "shots.csv"), "The files that were written, and whether comments were kept."),
    "validate": (
        ("shots.yaml",),
        "A list with one object per manifest; `problems` and `warnings` have file, line, column, message, sheet.",
    ),
    "preview": (("shots.yaml", "-o", "preview.html"), "The page; `shots` is null if the manifest has problems."),
    "diff": (
        ("shots.yaml", "shots.yaml"),
        "`shots` lists those that differ, each with its `fields` and its new takes; `credits` is null without a price.",
    ),
    "plan": (
        ("shots.yaml", "--sandbox"),
        "A total is null while a part of it is unknown; `known` has the known part. `takes` lists what would be sent.",
    ),
    "status": ((), "`problems` lists what needs your attention, with the command that fixes it."),
    "report": ((), "Where the pages are. Several RUNs give a list."),
    "open": (("--report",), "The page that was opened."),
    "verify": ((), "One object per clip; `verdict` is `ok`, or says what is wrong."),
    "reconcile": ((), "What the log and the ledger showed; `ledger` has the columns of `ledger.csv`."),
    "balance": (("outputs/dragon-pass",), "What the account holds."),
    "circle": (("sc010_sh010", "1"), "The takes whose circle changed."),
    "cut": (("--no-slates",), "The film, piece by piece; `begin` and `frames` count frames."),
    "export": (("--format", "mp4"), "As `cut`; `file` is the folder of the copies."),
    "extract": (
        ("sc010_sh010", "-o", "still.png"),
        "The still that was written; `frame` is `first`, `last` or a time.",
    ),
    "retake": (
        ("sc010_sh020", "--later"),
        "With `--later`, the takes that were planned; without it, the lines of a run.",
    ),
    "why": (("sc010_sh020",), "The state of a shot, and the reasons; `depth` counts how far a cause is from the shot."),
    "completion": (("bash",), "The script, and the shell that it is for."),
    "doctor": (("--offline",), "A list with one object per finding; `verdict` is `ok`, `note` or `bad`."),
    "models": (("--sandbox",), "A list with one object per model; `kinds` is empty if wanbatch has no schema for it."),
    "schema": (("--list",), "With `--list` the names; without it, the schema itself."),
}
# Those that print the lines of a run, that serve, or that need a held take or a lost file first.
LINES = ("run", "demo", "retry")
SPECIAL = {
    "resolve": "`take` and the `state` that it has now.",
    "recover": "What was found: the takes, attempts and facts put together, and what is missing.",
    "sandbox": "It prints its address, then serves until it is stopped.",
}


def documents(sample: Sample) -> str:
    """Return a section for each command with an answer of it."""
    known = {*ASKED, *LINES, *SPECIAL}
    missing = set(cli.list_commands(click.Context(cli))) - known
    if missing:
        raise PartIncomplete(f"--json: no words for {sorted(missing)}")
    parts = [
        "## run, demo, retry",
        "One JSON object per line: the plan, each fact as it happens, the end.",
        _lines(sample),
    ]
    for name, (words, meaning) in ASKED.items():
        parts += [f"## {name}", meaning, block("json", _shown(sample.ask(name, *words)[0], sample))]
    for name, meaning in SPECIAL.items():
        parts += [f"## {name}", meaning]
    return "\n\n".join(parts)


def _lines(sample: Sample) -> str:
    plan, end = sample.ran[0], sample.ran[-1]
    fact = next((each for each in sample.ran if each["event"] == "accepted"), None)
    if fact is None:  # the error says what the run said instead
        raise PartIncomplete(f"the run of the sample had no take accepted: {json.dumps(end)[:500]}")
    return "\n\n".join(block("json", _shown(each, sample)) for each in (plan, fact, end))


def _shown(document: Any, sample: Sample) -> str:
    text = json.dumps(shortened(document), ensure_ascii=False, indent=2)
    return text.replace(str(sample.folder.resolve()), "/home/you/films")


def _read(path: Path, sample: Sample) -> str:
    return _shown(json.loads(path.read_text(encoding="utf-8")), sample)


def error_document(sample: Sample) -> str:
    """Return what a command prints for a manifest with a problem."""
    return block("json", _shown(sample.ask("plan", "missing.yaml")[0], sample))


def summary_file(sample: Sample) -> str:
    """Return `summary.json` of the sample."""
    return block("json", _read((sample.output / "reports" / "summary.json"), sample))


def costs_file(sample: Sample) -> str:
    """Return `costs.json` of the sample."""
    return block("json", _read((sample.output / "reports" / "costs.json"), sample))


def sidecar_file(sample: Sample) -> str:
    """Return the sidecar of a clip of the sample."""
    first = min((sample.output / "clips").glob("*.json"))
    return block("json", _read(first, sample))
