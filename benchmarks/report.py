"""The reports of 100,000 takes, half of them done: how long they take by part, and how much memory.

Beside them, what a user would write instead: `pandas.read_sql` of the same state file, a groupby and `to_csv`. That
makes the takes, the attempts, the charges and the sums by scene; no pages, no money still to come, no prices, no
checksums of facts, nothing against formulas in cells. CPU seconds say more than wall seconds on a machine that others
use. Usage: python benchmarks/report.py [--takes N] [--done SHARE] [--runs N]    (Linux; a minute or two)
"""

from __future__ import annotations

import argparse
import os
import resource
import subprocess
import sys
import tempfile
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.scale import play, timed  # noqa: E402
from wanbatch.batch.plan import make_plan  # noqa: E402
from wanbatch.batch.shots import DEFAULT_MODEL, Batch, Shot  # noqa: E402
from wanbatch.state.file import StateFile  # noqa: E402
from wanbatch.state.reader import StateReader  # noqa: E402
from wanbatch.state.tables import new_identity  # noqa: E402

BEGIN = datetime(2026, 3, 1, 20, tzinfo=UTC)
PLAIN = """
import json, sqlite3, sys
from contextlib import closing
import pandas as pd
source, target = sys.argv[1:]
with closing(sqlite3.connect(source)) as state:
    takes = pd.read_sql("SELECT * FROM takes JOIN shots USING (shot_id) ORDER BY ordinal, number", state)
    attempts = pd.read_sql("SELECT * FROM attempts ORDER BY take_id, number", state)
    charges = pd.read_sql("SELECT take_id, at, data FROM facts WHERE fact = 'charged' ORDER BY seq", state)
takes = takes.join(pd.DataFrame(takes.pop("recipe_json").map(json.loads).tolist()).drop(columns="prompt"))
for name in ("submitted_at", "started_at", "completed_at", "verified_at"):
    takes[name] = pd.to_datetime(takes[name], format="ISO8601")
takes["queued_s"] = (takes["started_at"] - takes["submitted_at"]).dt.total_seconds()
takes["generating_s"] = (takes["completed_at"] - takes["started_at"]).dt.total_seconds()
takes["total_s"] = (takes["verified_at"] - takes["submitted_at"]).dt.total_seconds()
charges = charges.join(pd.DataFrame(charges.pop("data").map(json.loads).tolist()))
charges["so_far"] = charges["credits_charged"].cumsum()
scenes = takes.groupby("scene").agg({"shot_id": "size", "credits_held": "sum", "credits_charged": "sum"})
scenes = scenes.join(takes.groupby("scene")[["queued_s", "generating_s", "total_s"]].quantile(0.95))
for name, table in (("takes", takes), ("attempts", attempts), ("spend", charges), ("summary", scenes)):
    table.to_csv(f"{target}/{name}.csv")
"""


def made(output: Path, takes: int, share: float) -> None:
    """Write a batch of so many takes through the project's own writer."""
    shots = [
        Shot(
            f"sh{n:06d}",
            n,
            {"model": DEFAULT_MODEL, "prompt": f"A dragon, number {n}, lands", "duration": (5, 10, 15)[n % 3]},
            scene=f"sc{n // 1000:03d}",
        )
        for n in range(takes)
    ]
    identity = new_identity("scale", "https://api.example.com/v2", "f00dfeed", BEGIN, sandbox=False)
    with closing(StateFile.create_or_open(output, identity, fresh=True)) as state:
        state.adopt(make_plan(Batch("scale", tuple(shots)), []), BEGIN)
    play(output, share)


def parts(output: Path) -> None:
    """Make the reports in this process, and print what each part costs."""
    last = time.process_time()

    def lap(what: str) -> None:
        nonlocal last
        now, peak = time.process_time(), resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(f"  {what:46} {'':10} {now - last:8.2f} s of CPU {peak:8.0f} MB so far")
        last = now

    from wanbatch.reporting import cost_files, costs, csv_tables, page, sheet, summary
    from wanbatch.reporting.book import book_of
    from wanbatch.reporting.csv_text import csv_parts
    from wanbatch.reporting.record import read_record

    lap("imports")
    with StateReader.open(output) as reader:
        record = read_record(reader)
    lap("reading the state file into a record")
    book = book_of(record)
    lap("orders and money of each take")
    tables = csv_tables.make_frames(book)
    lap("takes, attempts, summary")
    costed = costs.make_costs([book])
    cost_facts = cost_files.cost_facts([book], costed)
    lap("costs, spend, prices")
    facts = summary.summary_facts(book, tables.summary, BEGIN)
    page.render_report(book, facts, cost_facts)
    lap("report.html")
    sheet.render_sheet(book, facts)
    lap("storyboard.html, 2,000 shots of it")
    for table in (tables.takes, tables.attempts, costed.spend):
        for _ in csv_parts(table):
            pass
    lap("CSV text")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--takes", type=int, default=100_000)
    parser.add_argument("--done", type=float, default=0.5, metavar="SHARE")
    parser.add_argument("--runs", type=int, default=3, help="the best of so many is told")
    parser.add_argument("--make", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--parts", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.make is not None:
        made(asked.make, asked.takes, asked.done)
        return 0
    if asked.parts is not None:
        parts(asked.parts)
        return 0
    # In processes of their own: the peak of a child is told as no less than what its parent held.
    own = (sys.executable, __file__, "--takes", str(asked.takes), "--done", str(asked.done))
    with tempfile.TemporaryDirectory() as name:
        output, plain = Path(name) / "out", Path(name) / "plain"
        plain.mkdir()
        subprocess.run([*own, "--make", str(output)], check=True)
        print(f"{asked.takes:,} takes, {asked.done:.0%} of them done; load {os.getloadavg()[0]:.1f}", flush=True)
        commands = {
            "wanbatch report": (sys.executable, "-m", "wanbatch", "report", str(output)),
            "pandas.read_sql, groupby, to_csv": (
                sys.executable, "-c", PLAIN, str(output / "state.sqlite"), str(plain),
            ),
        }  # fmt: skip
        for label, command in commands.items():
            seconds, cpu_s, peak = min(timed(*command) for _ in range(asked.runs))
            size = sum(each.stat().st_size for each in (plain if command[1] == "-c" else output).rglob("*.csv")) / 1e6
            print(
                f"  {label:46} {seconds:8.2f} s {cpu_s:8.2f} s of CPU {peak:8.0f} MB, {size:.0f} MB of CSV", flush=True
            )
        print("by part", flush=True)
        subprocess.run([*own, "--parts", str(output)], check=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
