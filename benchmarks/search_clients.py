"""Searches over HTTP by 1, 8 and 32 clients, against an older checkout of Rushes if one is named.

    python -m benchmarks.search_clients [CHECKOUT [SECONDS]]

100 h of random vectors of 384 dimensions, previews of about 26 KB, 50 matches, 200 queries whose
vectors are remembered; real processes. Both servers answer in turns, a few seconds each. Prints
searches a second, p50, p95 and CPU of the API for each, and ours as a ratio to the other's.
"""

from __future__ import annotations

import http.client
import json
import multiprocessing
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import simplejpeg

from benchmarks import cpu_s, describe
from benchmarks.search import HOUR, seconds_of_coding, units
from shared.cache.cache_dir import CacheDir
from shared.cache.frame_packs import PackWriter
from shared.domain import Scene, Stage
from tests.support.private_redis import PrivateRedis
from tests.support.stack import KEY, Stack, free_port, running_stack
from tests.support.waiting import wait_for

MODEL, DIM, HOURS, QUERIES, ROUNDS = "conse-lite0", 384, 100, 200, 3
CLIENTS = (1, 8, 32)
LONGEST_ANSWER_S = 120


@dataclass
class Server:
    """An API process, and what its clients saw: by their number."""

    name: str
    port: int
    pid: int
    latencies: dict[int, list[float]] = field(default_factory=dict)
    seconds: dict[int, float] = field(default_factory=dict)
    cpu: dict[int, float] = field(default_factory=dict)


def fill(cache: CacheDir, hours: int = HOURS) -> None:
    """Files of an hour, whose frames share one pack of real JPEGs."""
    noise = np.random.default_rng(0).integers(0, 256, (45, 80, 3), np.uint8)
    jpeg = simplejpeg.encode_jpeg(np.kron(noise, np.ones((4, 4, 1), np.uint8)), quality=50)
    print(f"previews of {len(jpeg) / 1000:.0f} KB")
    whole = units(hours * HOUR, DIM, 1)
    scenes = tuple(Scene(at, at + 12) for at in range(0, HOUR, 12))
    first: Path | None = None
    for number in range(hours):
        hash_str = f"{number:016x}"
        with cache.draft(hash_str, Stage.FRAMES, "", "pack", "bench") as draft:
            pack = PackWriter(draft.file)
            for second in range(HOUR):
                pack.add(second, jpeg if first is None else b"")
            draft.publish(rows=pack.finish(), scenes=scenes)
        manifest = cache.manifest(hash_str, Stage.FRAMES)
        assert manifest is not None
        path = cache.data_path(hash_str, manifest).path
        if first is None:
            first = path
        else:
            path.unlink()
            os.link(first, path)
        with cache.draft(hash_str, Stage.VISUAL, MODEL, "npy", "bench") as draft:
            np.save(draft.file, whole[number * HOUR : (number + 1) * HOUR].astype(np.float16))
            draft.publish(rows=HOUR, dim=DIM)


def start_other(stack: Stack, checkout: Path) -> Server:
    """The API of another checkout, beside the same Redis and query worker."""
    port, log = free_port(), stack.folder / "other.log"
    state = str(stack.folder / "state of the other")
    environment = stack.environment(RUSHES_PORT=str(port), RUSHES_STATE_DIR=state)
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "api"],
            cwd=checkout,
            env=environment | {"PYTHONPATH": str(checkout)},
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    stack.processes["other"] = stack.processes["api-0"].__class__("other", process, log)
    wait_for(lambda: answers(port), 30, "the other API")
    return Server(str(checkout), port, process.pid)


def answers(port: int) -> bool:
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        connection.request("GET", "/api/v1/health")
        return connection.getresponse().status == 200
    except OSError:
        return False


def words(number: int) -> str:
    return f"a picture of {number} things"


def ask(connection: http.client.HTTPConnection, cache: str, number: int) -> bytes:
    body = {"query": words(number), "cache_dir": cache}
    headers = {"Content-Type": "application/json", "X-License-Key": KEY}
    connection.request("POST", "/api/v1/search/text", json.dumps(body), headers)
    answer = connection.getresponse()
    content = answer.read()
    assert answer.status == 200, content
    return content


def clients(
    port: int, cache: str, count: int, seconds: float, new: int | None = None
) -> list[float]:
    """Milliseconds of each search of so many clients, who all ask again at once.

    They ask for what is remembered, or, from the number `new` on, what nobody has asked for.
    """
    taken: list[float] = []
    end = time.perf_counter() + seconds

    def client(number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=LONGEST_ANSWER_S)
        while time.perf_counter() < end:
            began = time.perf_counter()
            ask(connection, cache, number if new else number % QUERIES)
            taken.append((time.perf_counter() - began) * 1000)
            number += 1

    starts = [new + 100_000 * n if new else 7 * n for n in range(count)]
    threads = [threading.Thread(target=client, args=(start,), daemon=True) for start in starts]
    for thread in threads:
        thread.start()
    deadline = end + LONGEST_ANSWER_S
    for number, thread in enumerate(threads):
        thread.join(max(0.0, deadline - time.perf_counter()))
        assert not thread.is_alive(), f"client {number} has had no answer for {LONGEST_ANSWER_S} s"
    return taken


def measure(servers: list[Server], cache: str, seconds: float) -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:  # not in the way of ours
        for _ in range(ROUNDS):
            for count in CLIENTS:
                for server in servers:
                    before, began = cpu_s(server.pid), time.perf_counter()
                    taken = pool.apply(clients, (server.port, cache, count, seconds))
                    spent = time.perf_counter() - began
                    server.latencies.setdefault(count, []).extend(taken)
                    server.seconds[count] = server.seconds.get(count, 0) + spent
                    used = cpu_s(server.pid) - before
                    server.cpu[count] = server.cpu.get(count, 0) + used


def report(servers: list[Server]) -> None:
    for count in CLIENTS:
        for server in servers:
            taken = sorted(server.latencies[count])
            rate, p50 = len(taken) / server.seconds[count], statistics.median(taken)
            ours = servers[0]
            more = len(ours.latencies[count]) / ours.seconds[count] / rate
            less = statistics.median(ours.latencies[count]) / p50
            print(
                f"  {count:2} clients, {server.name:20} {rate:6.1f} searches a second, "
                f"p50 {p50:7.1f}, p95 {taken[int(0.95 * len(taken))]:7.1f} ms, "
                f"CPU {1000 * server.cpu[count] / len(taken):5.1f} ms a search; "
                f"ours: {more:.2f} x the searches, {less:.2f} x p50"
            )


def prepare(stack: Stack, servers: list[Server], cache: CacheDir) -> None:
    """Everything loaded, coded and remembered; both give the same answers."""
    for server in servers:
        connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=LONGEST_ANSWER_S)
        found = [ask(connection, str(cache.root), number) for number in range(QUERIES)]
        if server is servers[0]:
            first = found
            seconds_of_coding(stack.folder / "state", HOURS * HOUR)
        assert found == first, "another answer"


def main() -> None:
    checkout = Path(sys.argv[1]).resolve() if len(sys.argv) > 1 else None
    seconds = float(sys.argv[2]) if len(sys.argv) > 2 else 4.0
    print(describe())
    with tempfile.TemporaryDirectory(prefix="rb-") as name:
        folder = Path(name)
        redis = PrivateRedis(folder)
        redis.start()
        try:
            cache = CacheDir.open(folder / "cache", create=True)
            fill(cache)
            with running_stack(folder / "stack", redis.url, analysis=0) as stack:
                api = stack.processes["api-0"].popen
                servers = [Server("ours", stack.ports[0], api.pid)]
                if checkout is not None:
                    servers.append(start_other(stack, checkout))
                prepare(stack, servers, cache)
                measure(servers, str(cache.root), seconds)
        finally:
            redis.stop()
    report(servers)


if __name__ == "__main__":
    main()
