"""Search over a folder that grows: load, restart, search, what is new, memory; a table and a plot.

    scripts/bench growth [--hours 1 10 100 1000 2778] [--dimensions 512]

2,778 hours are 10 million frames. At each size codes of eight bits and of four are made, each is
taken up by a new process, and that is asked; usearch's exact search of the same float16 rows runs
in turns with it up to 1,000 hours. What 36 million frames would take is printed as arithmetic from
the two largest sizes. Takes twice 3.7 MB of disk an hour (512 dimensions) and half an hour for all
sizes; writes benchmarks/growth.svg. The index of the mode "fast" is not made meanwhile.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from usearch.index import MetricKind
from usearch.index import search as usearch_exact

from api.cache.caches import Caches
from api.search.codes import store as code_store
from api.search.codes.store import bytes_of
from api.search.frames.index import SearchIndex
from api.search.scenes.scene_store import SceneStore
from api.search.types import QueryVectors
from benchmarks import describe, memory_mb
from benchmarks.fast_search import Footage, publish
from benchmarks.search import HOUR, MATCHES, MODEL, interleaved, seconds_of_coding
from shared.cache.cache_dir import CacheDir
from shared.settings import Settings

_LONGEST_S = 3600
_ROUNDS, _QUERIES = 15, 10
_USEARCH_UP_TO = 1000  # hours
_WIDTHS = (8, 4)
_AIM = 10_000  # hours


class Folder:
    """The folder under measurement, in a process that has just begun."""

    def __init__(self, folder: Path, bits: int) -> None:
        code_store._bits_for = lambda rows, dim: bits  # whatever memory has room for
        SceneStore.begin = lambda *_: False  # type: ignore[method-assign]
        self.cache = CacheDir.open(folder / "cache", create=True)
        self.state = folder / "state"
        self.caches = Caches(Settings(state_dir=self.state))
        self.index = SearchIndex(self.state, self.caches)

    def search(self, query: QueryVectors, hashes: list[str] | None = None) -> list[Any]:
        view = self.caches.open(str(self.cache.root))
        return self.index.search(view, MODEL, query, hashes, MATCHES)

    def load(self) -> float:
        began = time.perf_counter()
        self.index.load(self.caches.open(str(self.cache.root), thorough=True))
        return time.perf_counter() - began

    def close(self) -> None:
        self.index.close()
        self.caches.close()


def queries(dim: int) -> list[QueryVectors]:
    footage = Footage(dim)
    words = [QueryVectors(query=word) for word in footage.words(_QUERIES)]
    return words + [QueryVectors(picture=row) for row in footage.hour()[0][:: HOUR // _QUERIES]]


def grow(folder: Path, dim: int, hours: int, bits: int) -> dict[str, float]:
    """Take up what is new, and make codes of that width anew."""
    state, rows = folder / "state", hours * HOUR
    for path in state.glob("search/*/*/generation-*/codes.json"):
        path.unlink()
    one = Folder(folder, bits)
    took = {"load": one.load()}
    if rows >= code_store.WORTH_CODING:
        took["coding"] = seconds_of_coding(state, rows)
    one.close()
    return took


def ask(folder: Path, dim: int, hours: int, bits: int) -> dict[str, float]:
    """What a process that has just begun finds, and how soon."""
    asked = queries(dim)
    began = time.perf_counter()
    one = Folder(folder, bits)
    one.search(asked[0])
    found = {"restart": time.perf_counter() - began}
    found["private"] = memory_mb(os.getpid(), "RssAnon")
    turn = iter(range(10**9))
    cases: dict[str, Callable[[], object]] = {
        "search": lambda: one.search(asked[next(turn) % len(asked)])
    }
    snapshot = one.index._embeddings(one.caches.open(str(one.cache.root)), MODEL).loader.snapshot()
    if hours <= _USEARCH_UP_TO:
        column = asked[0].query.astype(np.float16)
        cases["usearch"] = lambda: usearch_exact(
            snapshot.vectors, column, MATCHES, MetricKind.IP, exact=True, threads=2
        )
    for name, times in interleaved(cases, _ROUNDS).items():
        found[name] = statistics.median(times) / 1000
    found["private"] = max(found["private"], memory_mb(os.getpid(), "RssAnon"))
    found["visible"] = visible(one, dim)
    found["recall"] = recall(one, asked)
    one.close()
    return found


def visible(one: Folder, dim: int) -> float:
    """Seconds from the publication of a minute to the first answer that has it."""
    vectors, _ = Footage(dim).hour()
    took = []
    for _ in range(5):
        name = time.time_ns()
        publish(one.cache, name, vectors[:60], [0])
        began = time.perf_counter()
        while not one.search(QueryVectors(picture=vectors[30]), [f"{name:016x}"]):
            if time.perf_counter() - began > _LONGEST_S:
                raise TimeoutError("a published file is not found")
        took.append(time.perf_counter() - began)
    return statistics.median(took)


def recall(one: Folder, asked: list[QueryVectors]) -> float:
    """The share of the answers of a pass over all stored rows that are in ours."""
    found = [one.search(query) for query in asked]
    code_store.CodeStore.current = lambda *_: None  # type: ignore[method-assign]
    exact = [one.search(query) for query in asked]
    shares = [len([h for h in a if h in b]) / len(b) for a, b in zip(found, exact, strict=True)]
    return statistics.mean(shares)


def in_new_process(what: str, folder: Path, dim: int, hours: int, bits: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.growth", "--part", what, "--folder", str(folder)]
    sizes = ["--dimensions", str(dim), "--hours", str(hours), "--bits", str(bits)]
    done = subprocess.run([*command, *sizes], check=True, stdout=subprocess.PIPE, text=True)
    answer: dict[str, float] = json.loads(done.stdout)
    return answer


def measure(sizes: list[int], dim: int, folder: Path) -> list[dict[str, float]]:
    rows, footage = [], Footage(dim)
    cache = CacheDir.open(folder / "cache", create=True)
    published = 0
    for hours in sizes:
        for number in range(published, hours):
            publish(cache, number, *footage.hour())
        new, published = hours - published, hours
        for bits in _WIDTHS:
            grown = in_new_process("grow", folder, dim, hours, bits)
            asked = in_new_process("ask", folder, dim, hours, bits)
            rows.append({"hours": hours, "bits": bits, "new": new, **grown, **asked})
            new = 0
            print(line(rows[-1]), flush=True)
    return rows


def line(row: dict[str, float]) -> str:
    """A row of the table."""
    parts = [f"{row['hours']:>6,.0f} h", f"{row['bits']:.0f} bits"]
    if row["new"]:
        parts.append(f"load {1000 * row['load'] / row['new']:.0f} ms a new hour")
    if "coding" in row:
        parts.append(f"codes {1000 * row['coding'] / row['hours']:.0f} ms an hour")
    parts += [f"restart {row['restart']:.2f} s", f"search {1000 * row['search']:.1f} ms"]
    if "usearch" in row:
        parts.append(f"usearch {1000 * row['usearch']:.1f} ms")
        parts.append(f"ratio {row['search'] / row['usearch']:.2f}")
    parts += [f"visible {1000 * row['visible']:.0f} ms", f"private {row['private']:.0f} MB"]
    return "  ".join([*parts, f"recall@{MATCHES} {row['recall']:.4f}"])


def arithmetic(rows: list[dict[str, float]], dim: int) -> list[str]:
    """What 10,000 hours would take, in proportion from the largest size."""
    lines = [f"{_AIM:,} h = {_AIM * HOUR:,} frames, in proportion from the largest size:"]
    for bits in _WIDTHS:
        last = [row for row in rows if row["bits"] == bits][-1]
        times = _AIM / last["hours"]
        lines.append(
            f"  {bits} bits: {bytes_of(bits, dim)} bytes a frame x {_AIM * HOUR:,} = "
            f"{bytes_of(bits, dim) * _AIM * HOUR / 1e9:.2f} GB; search "
            f"{1000 * last['search']:.0f} ms x {times:.2f} = {last['search'] * times:.2f} s"
        )
    return lines


def draw(rows: list[dict[str, float]], dim: int) -> None:
    """Four panels over the hours; dashed in proportion up to 10,000."""
    import matplotlib

    matplotlib.use("svg")
    from matplotlib import pyplot

    # The same file for the same figures, its words as words.
    matplotlib.rcParams |= {"svg.hashsalt": "rushes", "svg.fonttype": "none"}
    figure, panels = pyplot.subplots(2, 2, figsize=(10, 7), layout="constrained")
    titles = {
        "search": "one search, s",
        "restart": "restart to the first answer, s",
        "visible": "a new file visible, s",
        "private": "private memory, MB",
    }
    for panel, (name, title) in zip(panels.flat, titles.items(), strict=True):
        series = {f"{bits} bits": [r for r in rows if r["bits"] == bits] for bits in _WIDTHS}
        lines = {label: [(r["hours"], r[name]) for r in of] for label, of in series.items()}
        if name == "search":
            lines["usearch, exact float16"] = [
                (r["hours"], r["usearch"]) for r in rows if "usearch" in r and r["bits"] == 8
            ]
        for label, points in lines.items():
            (drawn,) = panel.plot(*zip(*points, strict=True), "o-", label=label)
            hours, value = points[-1]
            if hours < _AIM and name == "search":
                panel.plot([hours, _AIM], [value, value * _AIM / hours], "--", c=drawn.get_color())
        panel.set(title=title, xlabel="hours of footage", xscale="log", yscale="log")
        panel.grid(alpha=0.3)
        panel.legend()
    figure.suptitle(f"A folder that grows, {dim} dimensions. {describe()}", fontsize=9)
    figure.savefig(Path(__file__).with_suffix(".svg"), metadata={"Date": None})


def main() -> None:
    asked = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    asked.add_argument("--hours", type=int, nargs="+", default=[1, 10, 100, 1000, 2778])
    asked.add_argument("--dimensions", type=int, default=512)
    for hidden in ("--part", "--folder"):
        asked.add_argument(hidden, help=argparse.SUPPRESS)
    asked.add_argument("--bits", type=int, default=8, help=argparse.SUPPRESS)
    given = asked.parse_args()
    dim = given.dimensions
    if given.part:
        part = {"grow": grow, "ask": ask}[given.part]
        print(json.dumps(part(Path(given.folder), dim, given.hours[0], given.bits)))
        return
    print(describe())
    with tempfile.TemporaryDirectory() as folder:
        rows = measure(sorted(given.hours), dim, Path(folder))
    print("\n".join(arithmetic(rows, dim)))
    draw(rows, dim)


if __name__ == "__main__":
    main()
