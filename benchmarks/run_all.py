"""Run all measurements and print their figures.  python benchmarks/run_all.py"""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).parent


def main() -> int:
    codes = []
    for path in sorted(HERE.glob("*.py")):
        if path.name not in (Path(__file__).name, "__init__.py"):
            print(f"== {path.name}", flush=True)
            codes.append(subprocess.run([sys.executable, str(path)], check=False).returncode)
    return max(codes, default=0)


if __name__ == "__main__":
    sys.exit(main())
