"""Tables as manifests: 100,000 rows of CSV and 10,000 of Excel, loaded and validated.

Beside it what a user would do instead: `csv.DictReader` with jsonschema and the published schema of the model, which
checks the request of each row and nothing else; and readers that check nothing.
Usage: python benchmarks/tables.py    (Linux; a minute)
"""

from __future__ import annotations

import csv
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from benchmarks.scale import timed  # noqa: E402

CSV_ROWS, BOOK_ROWS = 100_000, 10_000
CSV_LIMIT_S, BOOK_LIMIT_S, LIMIT_MB = 6.0, 6.0, 300.0  # of CPU
LOAD = "import sys; from wanbatch.manifest import load_manifest; "
LOAD += "assert len(load_manifest(sys.argv[1]).shots) == int(sys.argv[2])"
DICTS = "import sys, csv; assert len(list(csv.DictReader(open(sys.argv[1])))) == int(sys.argv[2])"
CHECKED = """
import csv, json, sys
from jsonschema import Draft202012Validator
validator = Draft202012Validator(json.load(open(sys.argv[2])))
for row in csv.DictReader(open(sys.argv[1])):
    validator.validate({"model": "alibaba/wan-2-6-t2v", "prompt": row["prompt"], "duration": int(row["duration"])})
"""
SCHEMA = ROOT / "schemas" / "models" / "alibaba__wan-2-6-t2v.schema.json"
FRAME = "import sys, pandas; assert len(pandas.read_excel(sys.argv[1])) == int(sys.argv[2])"
NAMES = ("id", "scene", "prompt", "duration", "takes", "tags", "x_camera")


def rows(count: int) -> list[list[object]]:
    """Return rows of a shot list: 20 shots a scene."""
    words = "a lighthouse in a storm, waves over the rocks, the keeper climbs the stairs with a lantern"
    return [
        [
            f"sc{n // 20:05}_sh{n % 20:03}",
            f"sc{n // 20:05}",
            f"Shot {n}: {words}",
            (5, 10, 15)[n % 3],
            1,
            "hero;night",
            "drone",
        ]
        for n in range(count)
    ]


def main() -> int:
    import openpyxl

    with tempfile.TemporaryDirectory() as folder:
        table, book = Path(folder) / "shots.csv", Path(folder) / "shots.xlsx"
        with table.open("w", newline="", encoding="utf-8") as file:
            csv.writer(file).writerows([NAMES, *rows(CSV_ROWS)])
        made = openpyxl.Workbook(write_only=True)
        sheet = made.create_sheet("Shots")
        for row in [NAMES, *rows(BOOK_ROWS)]:
            sheet.append(row)
        made.save(book)
        figures = {
            f"{CSV_ROWS:,} rows of CSV, loaded and validated": timed(
                sys.executable, "-c", LOAD, str(table), str(CSV_ROWS)
            ),
            "   csv.DictReader and jsonschema": timed(sys.executable, "-c", CHECKED, str(table), str(SCHEMA)),
            "   csv.DictReader, nothing checked": timed(sys.executable, "-c", DICTS, str(table), str(CSV_ROWS)),
            f"{BOOK_ROWS:,} rows of Excel, loaded and validated": timed(
                sys.executable, "-c", LOAD, str(book), str(BOOK_ROWS)
            ),
            "   pandas.read_excel, nothing checked": timed(sys.executable, "-c", FRAME, str(book), str(BOOK_ROWS)),
        }
    for name, (wall_s, cpu_s, peak_mb) in figures.items():
        print(f"{name:50}  {wall_s:6.2f} s  {cpu_s:6.2f} s CPU  {peak_mb:6.0f} MB")
    (_, csv_s, csv_mb), _, _, (_, book_s, _), _ = figures.values()
    return int(csv_s > CSV_LIMIT_S or csv_mb > LIMIT_MB or book_s > BOOK_LIMIT_S)


if __name__ == "__main__":
    raise SystemExit(main())
