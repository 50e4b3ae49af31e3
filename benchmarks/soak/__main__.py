"""`scripts/soak`: kills a server's processes for minutes, under load; exit status 1 if it minds."""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from benchmarks.soak.soak import soak


def main() -> int:
    """Print a table, and what does not hold."""
    parser = argparse.ArgumentParser(description=__doc__, prog="scripts/soak")
    parser.add_argument("--seconds", type=float, default=480.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="a new folder to work in, which stays")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="rushes-soak-") as temporary:
        folder = asked.keep or Path(temporary)
        folder.mkdir(exist_ok=True)
        result = soak(folder, asked.seconds, asked.seed)
    print(*result.lines, sep="\n")
    print(f"load of the machine: {os.getloadavg()[1]:.1f} on {os.cpu_count()} cores")
    for sentence in result.broken:
        print(f"does not hold: {sentence}")
    return 1 if result.broken else 0


if __name__ == "__main__":
    sys.exit(main())
