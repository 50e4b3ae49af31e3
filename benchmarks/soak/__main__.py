"""`scripts/soak [kills | clients]`: a server for minutes under load; exit status 1 if it minds.

kills: its processes are killed all the time. clients: twelve keys want it at once.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from benchmarks.soak.clients import soak_clients
from benchmarks.soak.soak import soak

RUNS = {"kills": (soak, 480.0), "clients": (soak_clients, 300.0)}


def main() -> int:
    """Print a table, and what does not hold."""
    parser = argparse.ArgumentParser(description=__doc__, prog="scripts/soak")
    parser.add_argument("what", nargs="?", choices=RUNS, default="kills")
    parser.add_argument("--seconds", type=float, help="480 of kills, 300 of clients")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--keep", type=Path, help="a new folder to work in, which stays")
    asked = parser.parse_args()
    run, seconds = RUNS[asked.what]
    with tempfile.TemporaryDirectory(prefix="rushes-soak-") as temporary:
        folder = asked.keep or Path(temporary)
        folder.mkdir(exist_ok=True)
        result = run(folder, asked.seconds or seconds, asked.seed)
    print(*result.lines, sep="\n")
    print(f"load of the machine: {os.getloadavg()[1]:.1f} on {os.cpu_count()} cores")
    for sentence in result.broken:
        print(f"does not hold: {sentence}")
    return 1 if result.broken else 0


if __name__ == "__main__":
    sys.exit(main())
