"""Tasks in the folder by a whole server: an API process, an analysis worker and a Redis.

New clips are really decoded, embedded and published. Then one request names all files of the
folder, of which everything is there: it shows what a file costs beside decoding, and what a Task
of so many files takes in Redis.
"""

from __future__ import annotations

import tempfile
import time
from pathlib import Path

import redis

from benchmarks import cpu_s, memory_mb
from benchmarks.scale.footage import GrowingFolder
from shared.redis.clients import connect
from tests.support.private_redis import PrivateRedis
from tests.support.socketio_client import FINAL
from tests.support.stack import Client, Stack, running_stack
from tests.support.waiting import wait_for

_NEW = 20
_LOOK_EVERY_S = 0.5
_LONGEST_S = 3600


def analyze(folder: Path, growing: GrowingFolder) -> dict[str, float]:
    """Costs of a file and memory, with as many files there as have grown."""
    with tempfile.TemporaryDirectory(prefix="rr-") as short:
        server = PrivateRedis(Path(short))
        server.start()
        try:
            state = str(folder / "state")
            with (
                running_stack(
                    folder / "stack", server.url, query=0, RUSHES_STATE_DIR=state
                ) as stack,
                connect(server.url) as client,
            ):
                return _measure(stack, client, growing)
        finally:
            server.stop()


def _measure(stack: Stack, client: redis.Redis, growing: GrowingFolder) -> dict[str, float]:
    api, cache = stack.client(), growing.cache.root.path
    worker, process = (stack.processes[name].popen.pid for name in ("analysis-0", "api-0"))
    api.analyzed(cache, *growing.new_clips(1))  # the model's first picture
    before = cpu_s(worker)
    api.analyzed(cache, *growing.new_clips(_NEW))
    found = {"new file": 1000 * (cpu_s(worker) - before) / _NEW}

    files = len(growing.paths)
    empty, cpu, began = _used(client), (cpu_s(worker), cpu_s(process)), time.perf_counter()
    task = api.analyze(cache, *growing.paths)
    found["submit"] = 1000 * (time.perf_counter() - began)
    found["waiting"] = (_used(client) - empty) / files
    calls = _round_trips(client)
    seconds = _until_over(api, task)
    calls = _round_trips(client) - calls
    found["calls"] = max(0.0, calls - seconds * _idle(client)) / files
    found["done file"] = 1000 * (cpu_s(worker) - cpu[0]) / files
    found["API"] = 1000 * (cpu_s(process) - cpu[1]) / files
    found["ended"] = (_used(client) - empty) / files
    found["worker memory"] = memory_mb(worker, "RssAnon")
    found["API memory"] = memory_mb(process, "RssAnon")
    return found


def _until_over(api: Client, task: str) -> float:
    """Seconds until a Task has ended, each file well."""
    began = time.monotonic()
    wait_for(
        lambda: api.task(task)["status"] in FINAL, _LONGEST_S, "its end", every_s=_LOOK_EVERY_S
    )
    record = api.task(task)
    assert (record["status"], record["failed_files"]) == ("completed", []), record
    return time.monotonic() - began


def _used(client: redis.Redis) -> int:
    """Bytes of all keys and their values, whatever buffers and allocator take beside them."""
    keys = list(client.scan_iter(count=1000))
    with client.pipeline(transaction=False) as asking:
        for key in keys:
            asking.memory_usage(key, samples=0)
        return sum(size or 0 for size in asking.execute())


def _round_trips(client: redis.Redis) -> int:
    """Requests that Redis has read so far; what a script calls is none of them."""
    return int(client.info("stats")["total_reads_processed"])


def _idle(client: redis.Redis) -> float:
    """Round trips a second of processes that have nothing to do."""
    before, began = _round_trips(client), time.monotonic()
    time.sleep(3)
    return (_round_trips(client) - before) / (time.monotonic() - began)
