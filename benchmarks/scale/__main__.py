"""Analysis, load, search, memory and Redis over a folder that grows; a table and a plot.

    scripts/bench scale [--hours 1 10 100 1000] [--dimensions 384] [--short]

Ten files an hour: small real clips with stand-in artefacts of six minutes (footage.py). Measured
at each size: publishing a file and asking whether all of it is there; a whole server that analyzes
new clips, then takes a request that names every file; load and search by processes that have just
begun. Times of analysis are of the CPU, of load and search by the clock, too. Takes 7 MB of disk an
hour and 20 minutes for all sizes; writes benchmarks/scale/scale.svg. --short: 1 hour, no plot.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

from benchmarks import describe
from benchmarks.scale.analyzing import analyze
from benchmarks.scale.drawing import Row, draw, table
from benchmarks.scale.footage import FILES_AN_HOUR, GrowingFolder
from benchmarks.scale.searching import in_new_process

_PLOT = Path(__file__).with_name("scale.svg")


def measure(sizes: list[int], dim: int, folder: Path) -> list[Row]:
    """The figures of each size, by the names of drawing.COLUMNS."""
    growing, rows, known = GrowingFolder(folder, dim), [], 0
    for hours in sizes:
        row: Row = {"hours": hours, "files": hours * FILES_AN_HOUR, **growing.grow(hours)}
        row |= in_new_process("load", folder, dim, hours)
        for name in ("load", "load CPU"):
            row[name] *= 1000 / (hours - known)
        row |= in_new_process("search", folder, dim, hours)
        row |= analyze(folder, growing)
        print({name: round(value, 2) for name, value in row.items()}, flush=True)
        rows.append(row)
        known = hours
    return rows


def main() -> None:
    asked = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    asked.add_argument("--hours", type=int, nargs="+", default=[1, 10, 100, 1000])
    asked.add_argument("--dimensions", type=int, default=384, help="384: those of the lite model")
    asked.add_argument("--short", action="store_true", help="1 hour, no plot")
    given = asked.parse_args()
    machine = describe()
    print(machine)
    sizes = [1] if given.short else sorted(set(given.hours))
    with tempfile.TemporaryDirectory(prefix="scale-") as folder:
        rows = measure(sizes, given.dimensions, Path(folder))
    print(table(rows))
    if not given.short:
        draw(rows, f"{given.dimensions} dimensions. {machine}", _PLOT)


if __name__ == "__main__":
    main()
