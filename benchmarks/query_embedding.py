"""New queries by 1, 8 and 32 clients: embedded in batches, and one at a time.

    python -m benchmarks.query_embedding [SECONDS]        default: 3 for each line and round

Two servers on one Redis, each an API and a query worker with the lite model; the worker of one
takes a query at a time. 10 h of random vectors. Both answer in turns: new queries over HTTP;
queries whose vectors are remembered, which is the search alone; and new queries put to the worker
itself, which is the embedding alone. Prints queries a second and p50 in ms of each, and ratios to
one at a time.
"""

from __future__ import annotations

import asyncio
import itertools
import multiprocessing
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass, field
from multiprocessing.pool import Pool
from pathlib import Path

from api.query_client import QueryClient
from benchmarks import describe
from benchmarks.search_clients import CLIENTS, MODEL, QUERIES, ROUNDS, clients, fill, words
from shared.cache.cache_dir import CacheDir
from shared.query.messages import EmbedTexts, Lane
from tests.support.private_redis import PrivateRedis
from tests.support.stack import Stack, running_stack

HOURS = 10
ONE_AT_A_TIME = """
from workers.query import embed
embed.MAX_BATCH = 1
from workers.__main__ import main
main(["query"])
"""
_news = itertools.count(10**7, 10**7)  # from which number on queries are new


@dataclass
class Server:
    """An API with its worker, and what its clients saw, by what they did and their number."""

    name: str
    stack: Stack
    latencies: dict[tuple[str, int], list[float]] = field(default_factory=dict)
    seconds: dict[tuple[str, int], float] = field(default_factory=dict)


def embeddings(redis_url: str, instance: str, count: int, seconds: float, new: int) -> list[float]:
    """Milliseconds of each new query that so many clients have embedded, who ask again at once."""
    taken: list[float] = []

    async def client(queries: QueryClient, number: int, end: float) -> None:
        while (began := time.perf_counter()) < end:
            await queries.ask(Lane.EMBED, EmbedTexts(model=MODEL, texts=(words(number),)))
            taken.append((time.perf_counter() - began) * 1000)
            number += 1

    async def run() -> None:
        async with QueryClient(redis_url, instance) as queries:
            end = time.perf_counter() + seconds
            starts = (new + 100_000 * n for n in range(count))
            await asyncio.gather(*(client(queries, start, end) for start in starts))

    asyncio.run(run())
    return taken


def cases(server: Server, cache: str) -> dict[str, Callable[[Pool, int, float], list[float]]]:
    port, stack = server.stack.ports[0], server.stack
    instance = stack.settings["RUSHES_INSTANCE"]
    return {
        "new queries": lambda pool, count, seconds: pool.apply(
            clients, (port, cache, count, seconds, next(_news))
        ),
        "search alone": lambda pool, count, seconds: pool.apply(
            clients, (port, cache, count, seconds)
        ),
        "embedding alone": lambda pool, count, seconds: pool.apply(
            embeddings, (stack.redis_url, instance, count, seconds, next(_news))
        ),
    }


def measure(servers: list[Server], cache: str, seconds: float) -> None:
    with multiprocessing.get_context("spawn").Pool(1) as pool:  # not in the way of ours
        for server in servers:  # loads, and remembers
            for number in range(QUERIES):
                server.stack.client().ok("/search/text", cache_dir=cache, query=words(number))
        for _ in range(ROUNDS):
            for count, name in itertools.product(CLIENTS, cases(servers[0], cache)):
                for server in servers:
                    began = time.perf_counter()
                    taken = cases(server, cache)[name](pool, count, seconds)
                    spent = time.perf_counter() - began
                    server.latencies.setdefault((name, count), []).extend(taken)
                    server.seconds[name, count] = server.seconds.get((name, count), 0) + spent


def report(servers: list[Server]) -> None:
    batched, one_at_a_time = servers
    for name, count in batched.latencies:
        found = []
        for server in servers:
            taken = server.latencies[name, count]
            found.append((len(taken) / server.seconds[name, count], statistics.median(taken)))
        (rate, p50), (other_rate, other_p50) = found
        print(
            f"  {count:2} clients, {name:15}  {batched.name} {rate:6.1f} a second, p50 {p50:6.1f};"
            f"  {one_at_a_time.name} {other_rate:6.1f}, {other_p50:6.1f};"
            f"  ratios {rate / other_rate:.2f} and {p50 / other_p50:.2f}"
        )


def main() -> None:
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 3.0
    print(describe())
    with ExitStack() as ending:
        folder = Path(ending.enter_context(tempfile.TemporaryDirectory(prefix="rb-")))
        redis = PrivateRedis(folder)
        redis.start()
        ending.callback(redis.stop)
        cache = CacheDir.open(folder / "cache", create=True)
        fill(cache, HOURS)
        servers = []
        for name, worker in (
            ("batched", ("-m", "workers", "query")),
            ("one at a time", ("-c", ONE_AT_A_TIME)),
        ):
            settings = {"RUSHES_INSTANCE": name.replace(" ", "-"), "OMP_NUM_THREADS": "1"}
            stack = ending.enter_context(
                running_stack(folder / name, redis.url, query=0, analysis=0, **settings)
            )
            stack.start("query-0", *worker)
            stack.wait_ready(analysis=0, query=1)
            servers.append(Server(name, stack))
        measure(servers, str(cache.root), seconds)
    report(servers)
    print(describe())


if __name__ == "__main__":
    main()
