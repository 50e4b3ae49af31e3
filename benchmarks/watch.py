"""Watching a folder of many small files: first scan, idling, restart, arrivals, memory.

    python -m benchmarks.watch [--files 100000] [--below FOLDER] [--idle SECONDS] [--only PART ...]

A real watcher process on a Redis of its own; no analysis worker runs. CPU is that of the watcher,
by /proc. Whether media were read is told by their access times. Peers: os.walk with os.stat on the
same tree, and watchdog's PollingObserver on one of 10,000 files.
"""

from __future__ import annotations

import argparse
import functools
import os
import random
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks import cpu_s, describe, idle_share, memory_mb
from shared.cache.cache_dir import CacheDir
from shared.domain import TaskKind
from shared.media import MediaType
from shared.models.model_catalogue import active_keys
from shared.paths import Roots
from shared.settings import Settings
from shared.watch.files import FolderFacts, WatchedFile
from shared.watch.folders import WatchFolder
from shared.watch.options import FileGroup
from tests.support.media.many_files import (
    A_FOLDER,
    check_access_times,
    count_read,
    forget_reading,
    make_tree,
    publish,
    write_small,
)
from tests.support.private_redis import PrivateRedis
from tests.support.stack import Process, models_dir
from tests.support.waiting import wait_for
from tests.support.watch.ingest_stack import IngestStack
from workers.watcher.folder.state import AnalysisProfile
from workers.watcher.scan.listing import NameRules
from workers.watcher.scan.scanner import Scanner

SETTLE_S = 5.0
_PEER = """
import sys, time
from watchdog.events import FileSystemEventHandler
from watchdog.observers.polling import PollingObserver
observer = PollingObserver(timeout=float(sys.argv[2]))
observer.schedule(FileSystemEventHandler(), sys.argv[1], recursive=True)
observer.start()
print("ready", flush=True)
time.sleep(100000)
"""


@dataclass
class Bench:
    """One tree, one Redis; watchers come and go."""

    ingest: IngestStack
    redis: PrivateRedis
    idle_s: float
    paths: list[str] = field(default_factory=list)
    started: int = 0

    def watcher(self) -> Process:
        """With the settings that everybody has."""
        self.started += 1
        return self.ingest.stack.start_worker("watcher", self.started)

    def scanned(self, folder: WatchFolder, after: float = 0.0) -> float:
        """Wait for a walk that ended after this Unix time; when it did."""

        def told() -> float | None:
            live = self.ingest.live()
            mine = live.folders.get(folder.id) if live else None
            at = mine.last_scan_at if mine else None
            return at if at and at > after and mine and not mine.is_scanning else None

        return wait_for(told, 300, "a walk", every_s=0.02) or 0.0

    def count(self, folder: WatchFolder, group: FileGroup) -> int:
        return self.ingest.files.counts([folder.id])[folder.id][group]

    def redis_mb(self) -> float:
        return float(self.ingest.client.info("memory")["used_memory"]) / 1e6

    def redis_pid(self) -> int:
        assert self.redis.process
        return self.redis.process.pid

    def clear(self) -> None:
        """No folder, no Task, nothing known."""
        (self.ingest.state_dir / "watch-folders.json").unlink(missing_ok=True)
        self.redis.flush()

    def signature(self, folder: WatchFolder) -> str:
        settings = Settings.from_env(self.ingest.stack.environment())
        keys = active_keys(self.ingest.client, settings)
        profile = AnalysisProfile.of(folder, keys, settings.audio_streams)
        return profile.signature(MediaType.VIDEO)

    def know(self, folder: WatchFolder, paths: list[str]) -> None:
        """Enter files as processed, as if they had been analysed."""
        made = self.signature(folder)
        known = {}
        for number, path in enumerate(paths):
            found = os.stat(path)
            known[path] = WatchedFile(
                *(FileGroup.PROCESSED, found.st_size, found.st_mtime_ns),
                hash_str=f"{number:016x}",
                task_id="0" * 32,
                made=made,
                changed_at=time.time(),
            )
        assert self.ingest.watcher_lease.acquire("bench")
        assert self.ingest.files.write("bench", folder.id, known)
        cache = CacheDir.open(folder.cache_dir, create=True)
        facts = FolderFacts(cache_id=cache.id, last_scan_at=time.time())
        assert self.ingest.files.note("bench", folder.id, facts)
        self.ingest.watcher_lease.release("bench")


def first_scan(bench: Bench, rounds: int) -> None:
    walls, cpus, shares = [], [], []
    for _ in range(rounds):
        bench.clear()
        empty = bench.redis_mb()
        folder = bench.ingest.watch(settle_seconds=SETTLE_S)
        watcher = bench.watcher()
        pid, total = watcher.popen.pid, len(bench.paths)
        wait_for(bench.ingest.watcher_lease.is_held, 30, "the watcher")
        before, of_redis = cpu_s(pid), cpu_s(bench.redis_pid())
        began = time.perf_counter()
        bench.ingest.start_watching()
        bench.scanned(folder)
        while bench.count(folder, FileGroup.PENDING) < total:
            time.sleep(0.02)
        walls.append(time.perf_counter() - began)
        cpus.append(cpu_s(pid) - before)
        shares.append(cpu_s(bench.redis_pid()) - of_redis)
        rss, used = memory_mb(pid), bench.redis_mb() - empty
        watcher.end()
    print(
        f"first scan: {statistics.median(walls):.1f} s ({min(walls):.1f} to {max(walls):.1f}), "
        f"CPU {statistics.median(cpus):.1f} s, Redis {statistics.median(shares):.1f} s; "
        f"watcher {rss:.0f} MB, in Redis {used:.0f} MB"
    )


def pending(bench: Bench) -> None:
    """All files wait for a worker that is not there, then for a foreground analysis, too."""
    bench.clear()
    folder = bench.ingest.watch(settle_seconds=SETTLE_S)
    watcher = bench.watcher()
    pid = watcher.popen.pid
    bench.ingest.start_watching()
    bench.scanned(folder)
    before, began = cpu_s(pid), time.monotonic()
    time.sleep(SETTLE_S)
    while idle_share(pid, 5) > 5:  # they are looked at once more, all of them
        pass
    print(f"settling of all: {time.monotonic() - began:.0f} s, CPU {cpu_s(pid) - before:.1f} s")
    share = idle_share(pid, bench.idle_s)
    print(f"idle, {len(bench.paths)} pending, no worker: {share:.2f} %")
    foreground = bench.ingest.submit([Path(bench.paths[0])], kind=TaskKind.ANALYZE)
    bench.ingest.wait_state("paused")
    share = idle_share(pid, bench.idle_s)
    print(f"idle, {len(bench.paths)} pending, paused: {share:.2f} %; {memory_mb(pid):.0f} MB")
    bench.ingest.ledger.stop(foreground)
    watcher.end()


def restart(bench: Bench, folder: WatchFolder) -> Process:
    """A watcher for files that are known: nothing is read."""
    forget_reading(bench.paths)
    began, at = time.perf_counter(), time.time()
    watcher = bench.watcher()
    bench.scanned(folder, at)
    wall = time.perf_counter() - began
    cpu = cpu_s(watcher.popen.pid)
    time.sleep(2 * SETTLE_S)
    print(
        f"restart, {len(bench.paths)} known: walked {wall:.1f} s after the process began, CPU "
        f"{cpu:.1f} s; read {count_read(bench.paths)} files; {memory_mb(watcher.popen.pid):.0f} MB"
    )
    assert bench.count(folder, FileGroup.PENDING) == 0
    return watcher


def walk_cpu(bench: Bench, folder: WatchFolder, pid: int, base: float) -> float:
    """CPU seconds of one periodic walk, beyond what idling costs (% of a core)."""
    costs = []
    for _ in range(3):
        before, began, at = cpu_s(pid), time.monotonic(), time.time()
        bench.ingest.ask_retry(folder)
        bench.scanned(folder, at)
        time.sleep(1)
        costs.append(cpu_s(pid) - before - base / 100 * (time.monotonic() - began))
    return statistics.median(costs)


def native(bench: Bench) -> None:
    bench.clear()
    folder = bench.ingest.watch(settle_seconds=SETTLE_S, polling="never")
    bench.know(folder, bench.paths)
    bench.ingest.start_watching()
    watcher = restart(bench, folder)
    pid = watcher.popen.pid
    base = idle_share(pid, bench.idle_s)
    walk = walk_cpu(bench, folder, pid, base)
    share = base + 100 * walk / 900
    print(
        f"idle, native: {base:.2f} % and a walk of {walk:.2f} CPU s every 900 s: {share:.2f} %; "
        f"{memory_mb(pid):.0f} MB, at most {memory_mb(pid, 'VmHWM'):.0f}"
    )
    arrivals(bench, folder, "native", 12)
    watcher.end()


def polled(bench: Bench) -> None:
    bench.clear()
    folder = bench.ingest.watch(settle_seconds=SETTLE_S, polling="always")
    bench.know(folder, bench.paths)
    bench.ingest.start_watching()
    watcher = restart(bench, folder)
    share, walks, seconds = whole_periods(bench, folder, watcher)
    print(
        f"idle, polled: {share:.2f} % over {seconds:.0f} s with {walks} walks; "
        f"{memory_mb(watcher.popen.pid):.0f} MB"
    )
    arrivals(bench, folder, "polled", 8)
    watcher.end()


def whole_periods(bench: Bench, folder: WatchFolder, watcher: Process) -> tuple[float, int, float]:
    """Share of a core from the end of one walk to that of another, walks, seconds."""
    pid, walks, last = watcher.popen.pid, 0, bench.scanned(folder, time.time())
    time.sleep(1)
    before, began = cpu_s(pid), time.monotonic()
    while walks < 2 or time.monotonic() - began < bench.idle_s:
        last = bench.scanned(folder, last)
        time.sleep(1)
        walks += 1
    seconds = time.monotonic() - began
    return 100 * (cpu_s(pid) - before) / seconds, walks, seconds


def arrivals(bench: Bench, folder: WatchFolder, name: str, count: int) -> None:
    """From the end of writing to being queued, beyond the time that a file has to settle."""
    picks = random.Random(1)
    delays = []
    for number in range(count):
        time.sleep(picks.uniform(0.5, 3))
        path = Path(picks.choice(bench.paths)).parent / f"new_{name}_{number}.mp4"
        write_small(path, time.time_ns())
        at = time.perf_counter()

        def queued(path: Path = path) -> WatchedFile | None:
            (file,) = bench.ingest.files.find(folder.id, [str(path)])
            return file if file and file.is_queued else None

        file = wait_for(queued, 120, "it to be queued", every_s=0.002)
        delays.append(time.perf_counter() - at - SETTLE_S)
        assert file
        submitted = functools.partial(bench.ingest.ledger.record, file.task_id)
        wait_for(submitted, 10, "its Task")
        bench.ingest.ledger.stop(file.task_id)
        path.unlink()
    print(
        f"arrival, {name}: queued {statistics.median(delays):.2f} s after it has settled "
        f"({min(delays):.2f} to {max(delays):.2f}, {count} files)"
    )


def rebuild(bench: Bench, files: int) -> None:
    """Redis is empty; the CacheDir knows all that lies in the folder."""
    bench.clear()
    top = bench.ingest.folder / "published"
    paths = make_tree(top, files)
    folder = bench.ingest.watch(top, settle_seconds=SETTLE_S)
    settings = Settings.from_env(bench.ingest.stack.environment())
    publish(CacheDir.open(folder.cache_dir, create=True), paths, settings.visual_model)
    forget_reading(paths)
    bench.ingest.start_watching()
    began = time.perf_counter()
    watcher = bench.watcher()
    done = lambda: bench.count(folder, FileGroup.PROCESSED) == files  # noqa: E731
    wait_for(done, 300, f"all of them: {bench.ingest.live()}", every_s=0.1)
    wall, cpu = time.perf_counter() - began, cpu_s(watcher.popen.pid)
    print(
        f"rebuild, {files} published files, Redis empty: {wall:.1f} s ({SETTLE_S:.0f} s of it to "
        f"settle), CPU {cpu:.1f} s; read {count_read(paths)} files, "
        f"{bench.ingest.ingested()} analysed"
    )
    watcher.end()


def timed(case: Callable[[], object], rounds: int = 5) -> tuple[float, float]:
    """Wall and CPU seconds, medians."""
    walls, cpus = [], []
    for _ in range(rounds):
        wall, cpu = time.perf_counter(), time.process_time()
        case()
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return statistics.median(walls), statistics.median(cpus)


def bare_walk(top: str) -> None:
    for folder, _, names in os.walk(top):
        for name in names:
            os.stat(f"{folder}/{name}")


def walk_peer(bench: Bench) -> None:
    bench.clear()
    folder = bench.ingest.watch()
    settings = Settings.from_env(bench.ingest.stack.environment())
    rules = NameRules.of(folder, settings)
    scanner = Scanner(folder, rules, Roots.media(settings))
    ours = timed(lambda: scanner.scan(lambda: None))
    bare = timed(lambda: bare_walk(folder.path))
    print(
        f"walk: {ours[0]:.2f} s, CPU {ours[1]:.2f} s; os.walk and os.stat {bare[0]:.2f} s, "
        f"CPU {bare[1]:.2f} s; ratio of CPU {ours[1] / bare[1]:.2f}"
    )


def polling_peer(bench: Bench, files: int) -> None:
    bench.clear()
    top = bench.ingest.folder / "polled"
    paths = make_tree(top, files)
    folder = bench.ingest.watch(top, settle_seconds=SETTLE_S, polling="always")
    bench.know(folder, paths)
    bench.ingest.start_watching()
    watcher = bench.watcher()
    ours, _, seconds = whole_periods(bench, folder, watcher)
    watcher.end()
    interval = Settings.from_env(bench.ingest.stack.environment()).watch_poll_seconds
    command = [sys.executable, "-c", _PEER, str(top), str(interval)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as peer:
        assert peer.stdout
        peer.stdout.readline()
        theirs = idle_share(peer.pid, seconds)
        peer.kill()
    print(
        f"polling {files} files every {interval} s: {ours:.2f} %, watchdog's PollingObserver "
        f"{theirs:.2f} %, ratio {ours / theirs:.2f}"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--files", type=int, default=100_000)
    parser.add_argument("--below", help="where the trees are made; by default a temporary folder")
    parser.add_argument("--idle", type=float, default=180, help="seconds")
    parser.add_argument("--rounds", type=int, default=3, help="of the first scan")
    parts: dict[str, Callable[[Bench], None]] = {
        "walk": walk_peer,
        "first": lambda bench: first_scan(bench, args.rounds),
        "native": native,
        "polled": polled,
        "pending": pending,
        "rebuild": lambda bench: rebuild(bench, max(1, args.files // 20)),
        "peer": lambda bench: polling_peer(bench, max(1, args.files // 10)),
    }
    parser.add_argument("--only", nargs="+", choices=parts, default=list(parts))
    args = parser.parse_args()
    print(describe())
    os.environ.setdefault("RUSHES_MODELS_DIR", str(models_dir()))
    with tempfile.TemporaryDirectory(prefix="rb-", dir=args.below) as name:
        folder = Path(name)
        check_access_times(folder)
        redis = PrivateRedis(folder)
        redis.start()
        ingest = IngestStack(folder, redis.url)
        try:
            bench = Bench(ingest, redis, args.idle)
            bench.paths = make_tree(ingest.media, args.files)
            print(f"{args.files} files in {args.files // A_FOLDER} folders below {folder.parent}")
            for part in args.only:
                parts[part](bench)
        finally:
            ingest.close()
            redis.stop()


if __name__ == "__main__":
    main()
