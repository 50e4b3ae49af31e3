"""Load and search of the folder, each in a process that has just begun, by the API's own code."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from api.cache.caches import Caches
from api.search.codes.store import WORTH_CODING
from api.search.frames.index import SearchIndex
from api.search.types import QueryVectors
from benchmarks import memory_mb
from benchmarks.fast_search import Footage
from benchmarks.scale.footage import MODEL, cpu_ms
from benchmarks.search import HOUR, MATCHES, seconds_of_coding
from shared.cache.cache_dir import CacheDir
from shared.settings import Settings

_QUERIES = 20


class _Process:
    """The index of one API process."""

    def __init__(self, folder: Path) -> None:
        self.cache = CacheDir.open(folder / "cache", create=False)
        self.state = folder / "state"
        self.caches = Caches(Settings(state_dir=self.state))
        self.index = SearchIndex(self.state, self.caches)

    def search(self, query: QueryVectors) -> None:
        view = self.caches.open(str(self.cache.root))
        assert self.index.search(view, MODEL, query, None, MATCHES)


def load(folder: Path, dim: int, hours: int) -> dict[str, float]:
    """Seconds until what is new can be searched, and until all of it has codes."""
    one = _Process(folder)
    began, before = time.perf_counter(), time.process_time()
    one.index.load(one.caches.open(str(one.cache.root), thorough=True))
    found = {"load": time.perf_counter() - began, "load CPU": time.process_time() - before}
    if hours * HOUR >= WORTH_CODING:
        seconds_of_coding(one.state, hours * HOUR)
    one.index.close()
    one.caches.close()
    return found


def search(folder: Path, dim: int, hours: int) -> dict[str, float]:
    """Seconds to the first answer, milliseconds of the next ones, and the process's memory."""
    words = [QueryVectors(query=row) for row in Footage(dim).words(_QUERIES)]
    began = time.perf_counter()
    one = _Process(folder)
    one.search(words[0])
    found = {"restart": time.perf_counter() - began}
    times, cpu = [], []
    for query in words:
        began = time.perf_counter()
        cpu.append(cpu_ms(lambda q=query: one.search(q)))
        times.append(1000 * (time.perf_counter() - began))
    found |= {"search": statistics.median(times), "search CPU": statistics.median(cpu)}
    found["search memory"] = memory_mb(os.getpid(), "RssAnon")
    one.index.close()
    one.caches.close()
    return found


PARTS: dict[str, Callable[[Path, int, int], dict[str, float]]] = {"load": load, "search": search}


def in_new_process(part: str, folder: Path, dim: int, hours: int) -> dict[str, float]:
    """What a part has measured."""
    words = [part, str(folder), str(dim), str(hours)]
    command = [sys.executable, "-m", "benchmarks.scale.searching", *words]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    answer: dict[str, float] = json.loads(done.stdout)
    return answer


def main() -> None:
    part, folder, dim, hours = sys.argv[1:]
    print(json.dumps(PARTS[part](Path(folder), int(dim), int(hours))))


if __name__ == "__main__":
    main()
