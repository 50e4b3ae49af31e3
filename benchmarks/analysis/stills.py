"""What a still costs an analysis worker, by part, and whether many cost as much each as few.

    python -m benchmarks.analysis.stills [ROUNDS]           default: 3; parts of 640x480 and 12 MP
    python -m benchmarks.analysis.stills linear [COUNT ...] default: 1000 10000; 64x48, whole stack

By part: Items are done in this process, on real Redis, of 512 JPEGs for their pictures, each
round into a new CacheDir; a part is timed without those inside it, medians of the rounds; what
threads beside the worker's do counts for its part, too. Linear: API, worker and Redis as
processes; a request a count.
"""

from __future__ import annotations

import os
import statistics
import struct
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import cv2
import numpy as np
import redis

from benchmarks import cpu_s, describe
from shared.domain import AnalyzeSpec, ModelKind, TaskKind
from shared.ledger.records import Asked, analyze_items, works
from shared.msgspec_decoding import learn_types
from shared.process.machine import decode_threads
from tests.support.analysis.desk import MODEL
from tests.support.analysis.in_process import InProcess
from tests.support.private_redis import PrivateRedis, private_redis
from tests.support.stack import Stack, running_stack
from tests.support.waiting import wait_for
from workers.analysis import picture_pass
from workers.analysis.analyzed_file import AnalyzedFile
from workers.analysis.stages import thumbnails, visual
from workers.decode_pool import DecodePool
from workers.media.media_reader import MediaReader
from workers.media.stills import StillPicture
from workers.models.load import load_visual
from workers.models.visual.conse import ConseEmbedder
from workers.start import allow_open_files

SIZES = {"640x480": (640, 480, 512), "4000x3000": (4000, 3000, 128)}  # with how many of them
TINY = (64, 48)
_BASES = 8  # pictures that differ; the others differ from them in a comment

# What is timed, by the name of its part.
_PARTS: list[tuple[str, Any, str]] = [
    ("find, hash", AnalyzedFile, "find"),
    ("is it there", AnalyzedFile, "published"),
    ("open", MediaReader, "__init__"),
    ("decode", StillPicture, "_load"),
    ("thumbnail", thumbnails._ThumbnailRun, "prepare"),
    ("prepare", visual._VisualRun, "prepare"),
    ("model", ConseEmbedder, "embed_images"),
    ("publish", picture_pass, "publish_together"),
    ("fsync", os, "fsync"),
    ("Redis", redis.Redis, "execute_command"),
    ("Redis", redis.client.Pipeline, "execute"),
]


class Stopwatch:
    """Seconds by part, those of parts within a part left out; of all threads."""

    def __init__(self) -> None:
        self.wall: Counter[str] = Counter()
        self.cpu: Counter[str] = Counter()
        self.calls: Counter[str] = Counter()
        self._of_thread = threading.local()  # its parts that have begun, and since when

    @contextmanager
    def measuring(self) -> Iterator[None]:
        """Time what this thread does in the block, and the parts whoever does them."""
        with ExitStack() as patches:
            for part, owner, name in _PARTS:
                timed = self._timed(part, getattr(owner, name))
                patches.enter_context(patch.object(owner, name, timed))
            self._enter("the rest")
            yield
            self._leave()

    def _timed(self, part: str, function: Callable[..., Any]) -> Callable[..., Any]:
        def call(*given: Any, **named: Any) -> Any:
            self.calls[part] += 1
            self._enter(part)
            try:
                return function(*given, **named)
            finally:
                self._leave()

        return call

    def _enter(self, part: str) -> None:
        mine = self._of_thread
        if not hasattr(mine, "parts"):
            mine.parts = []
        self._charge()
        mine.parts.append(part)

    def _leave(self) -> None:
        self._charge()
        self._of_thread.parts.pop()

    def _charge(self) -> None:
        mine, now = self._of_thread, (time.perf_counter(), time.thread_time())
        if mine.parts:
            self.wall[mine.parts[-1]] += now[0] - mine.since[0]
            self.cpu[mine.parts[-1]] += now[1] - mine.since[1]
        mine.since = now


def jpegs(folder: Path, count: int, size: tuple[int, int]) -> list[Path]:
    """JPEGs of one size with shapes and grain, no two of the same content, names in no row."""
    folder.mkdir()
    rng = np.random.default_rng(0)
    bases = []
    for _ in range(_BASES):
        shapes = rng.integers(0, 256, (12, 16, 3), np.uint8)
        smooth = cv2.resize(shapes, size, interpolation=cv2.INTER_CUBIC).astype(np.int16)
        grainy = np.clip(smooth + rng.integers(-9, 10, smooth.shape), 0, 255).astype(np.uint8)
        bases.append(cv2.imencode(".jpg", grainy, [cv2.IMWRITE_JPEG_QUALITY, 85])[1].tobytes())
    paths = []
    for number in range(count):
        base, comment = bases[number % _BASES], f"{number:08}".encode()
        segment = b"\xff\xfe" + struct.pack(">H", 2 + len(comment)) + comment
        paths.append(folder / f"{number * 7919 % 999_983}.jpg")
        paths[-1].write_bytes(base[:2] + segment + base[2:])
    return paths


class OneByOne:
    """Items in this process, one after the other, with as many decode threads as by default."""

    def __init__(self, folder: Path, redis_url: str) -> None:
        self.folder = folder
        self.here = InProcess(folder, redis_url, {ModelKind.VISUAL: load_visual})
        self.decoders = DecodePool(decode_threads(self.here.settings))

    def analyze(self, stills: list[Path], cache: str, stopwatch: Stopwatch) -> tuple[float, float]:
        """Wall and CPU seconds of one analysis from nothing."""
        files = works([Asked(str(path), str(path)) for path in stills], [])
        spec = AnalyzeSpec(files=(), cache_dir=str(self.folder / cache), visual_model=MODEL)
        items = analyze_items(files, spec)
        task_id = self.here.desk.submit_items(items, TaskKind.ANALYZE)
        began = time.perf_counter(), time.process_time()
        with stopwatch.measuring():
            for number in range(len(items)):
                self.here.do(task_id, self.decoders, number)
        seconds = time.perf_counter() - began[0], time.process_time() - began[1]
        record = self.here.desk.record(task_id)
        assert record.status == "completed", record
        return seconds


def by_part(rounds: int) -> None:
    with tempfile.TemporaryDirectory(prefix="rb-") as name, private_redis() as server:
        bench = OneByOne(Path(name), server.url)
        for size, (width, height, count) in SIZES.items():
            stills = jpegs(Path(name) / size, count, (width, height))
            bench.analyze(stills[:16], f"{size} warm", Stopwatch())
            print(f"\n{describe()}\n{count} JPEGs of {size}, {stills[0].stat().st_size // 1000} kB")
            watches = [Stopwatch() for _ in range(rounds)]
            totals = [
                bench.analyze(stills, f"{size} {number}", watch)
                for number, watch in enumerate(watches)
            ]
            _print(watches, totals, count)
        bench.here.close()


def _print(watches: list[Stopwatch], totals: list[tuple[float, float]], count: int) -> None:
    def median(values: Iterable[float]) -> float:
        return statistics.median(values) * 1000 / count

    print("\nms a still        wall     CPU    calls a still")
    for part in dict.fromkeys([*(part for part, _, _ in _PARTS), "the rest"]):
        wall = median(watch.wall[part] for watch in watches)
        cpu = median(watch.cpu[part] for watch in watches)
        calls = median(watch.calls[part] for watch in watches) / 1000
        print(f"{part:12} {wall:9.2f} {cpu:7.2f} {calls:10.2f}")
    wall, cpu = (median(total[n] for total in totals) for n in (0, 1))
    print(f"{'all':12} {wall:9.2f} {cpu:7.2f}")


def linear(counts: list[int]) -> None:
    """Seconds of a request with so many stills, and the CPU time of each process."""
    print(describe())
    print("\n  stills   accepted s   done s   ms a still   CPU ms a still: worker  API  Redis")
    for count in counts:
        with tempfile.TemporaryDirectory(prefix="rb-") as name:
            folder = Path(name)
            server = PrivateRedis(folder)
            server.start()
            try:
                stills = jpegs(folder / "stills", count, TINY)
                with running_stack(folder / "stack", server.url, query=0) as stack:
                    _print_linear(stack, server, folder / "cache", stills)
            finally:
                server.stop()


def _print_linear(stack: Stack, server: PrivateRedis, cache: Path, stills: list[Path]) -> None:
    assert server.process
    pids = [stack.processes[name].popen.pid for name in ("analysis-0", "api-0")]
    pids.append(server.process.pid)
    before, began = [cpu_s(pid) for pid in pids], time.perf_counter()
    task_id = stack.client().ok(
        "/analyze",
        cache_dir=str(cache),
        visual_media_paths=list(map(str, stills)),
        image_sequences="stills",
    )["task_id"]
    accepted = time.perf_counter() - began

    def ended() -> bool:
        task = stack.client().get(f"/tasks/{task_id}").json()
        assert not task["failed_files"], task
        return bool(task["status"] == "completed")

    wait_for(ended, 60 + len(stills) / 5, "the end of it", every_s=1.0)
    done, count = time.perf_counter() - began, len(stills)
    used = [(cpu_s(pid) - old) * 1000 / count for pid, old in zip(pids, before, strict=True)]
    print(
        f"{count:8} {accepted:11.2f} {done:9.1f} {done * 1000 / count:11.2f}"
        f" {used[0]:24.2f} {used[1]:5.2f} {used[2]:5.2f}"
    )


def main(arguments: list[str]) -> None:
    allow_open_files()
    learn_types()
    if arguments[:1] == ["linear"]:
        linear([int(count) for count in arguments[1:]] or [1000, 10_000])
    else:
        by_part(int(arguments[0]) if arguments else 3)


if __name__ == "__main__":
    main(sys.argv[1:])
