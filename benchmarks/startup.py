"""Start-up and validation in CPU seconds over a bare interpreter, beside what a user might do instead.

The alternative for a manifest is `yaml.safe_load` and one jsonschema validation of it, which gives no lines.
"""

from __future__ import annotations

import resource
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
RUNS = 7
PLAIN = """
import json, sys, yaml, jsonschema
document = yaml.safe_load(open(sys.argv[1]))
jsonschema.Draft202012Validator(json.load(open(sys.argv[2]))).validate(document)
"""


def cpu_s(*command: str, runs: int = RUNS) -> float:
    spent = []
    for _ in range(runs):
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        spent.append(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime)
    return statistics.median(spent)


def main() -> None:
    python = sys.executable
    bare = cpu_s(python, "-c", "pass")
    with tempfile.TemporaryDirectory() as folder:
        large = Path(folder) / "large.yaml"
        rows = [
            f'  - {{id: sh{n:05d}, scene: sc{n // 100:03d}, duration: {(5, 10, 15)[n % 3]}, prompt: "dragon {n}"}}'
            for n in range(10_000)
        ]
        large.write_text("\n".join(["version: 1", "shots:", *rows, ""]))
        storyboard = str(ROOT / "manifests" / "storyboard.yaml")
        schema = str(ROOT / "schemas" / "manifest.schema.json")
        figures = {
            "--help": cpu_s(python, "-m", "wanbatch", "--help") - bare,
            "validate, 24 shots": cpu_s(python, "-m", "wanbatch", "validate", storyboard) - bare,
            "validate, 10,000 shots": cpu_s(python, "-m", "wanbatch", "validate", str(large), runs=3) - bare,
            "safe_load and one validation, 10,000 shots": cpu_s(python, "-c", PLAIN, str(large), schema, runs=1) - bare,
        }
    print(f"bare interpreter {bare:.3f} s of CPU; over it:")
    for name, seconds in figures.items():
        print(f"  {name:45} {seconds:6.3f} s")


if __name__ == "__main__":
    main()
