"""One analyze request with 220 files against 220 requests with one file each, same stack.

    python -m benchmarks.analysis.requests [ROUNDS]

Prints wall seconds of each and their ratio, medians over the rounds, and the machine.
"""

from __future__ import annotations

import statistics
import sys
import tempfile
import time
from pathlib import Path

from benchmarks import describe
from tests.support.media.media import make_clip, make_still
from tests.support.private_redis import PrivateRedis
from tests.support.stack import Client, running_stack

STILLS, CLIPS = 200, 20


def make_media(folder: Path) -> list[Path]:
    folder.mkdir()
    stills = [
        make_still(folder / f"{n:03}.jpg", colour=(n, (n * 7) % 256, (n * 31) % 256))
        for n in range(STILLS)
    ]
    return stills + [make_clip(folder / f"{n:02}.mp4", seconds=2 + n % 3) for n in range(CLIPS)]


def one_request(client: Client, cache_dir: Path, media: list[Path]) -> float:
    began = time.perf_counter()
    client.analyzed(cache_dir, *media)
    return time.perf_counter() - began


def many_requests(client: Client, cache_dir: Path, media: list[Path]) -> float:
    began = time.perf_counter()
    for path in media:
        client.analyzed(cache_dir, path)
    return time.perf_counter() - began


def main(rounds: int) -> None:
    print(describe())
    with tempfile.TemporaryDirectory(prefix="rb-") as name:
        folder = Path(name)
        redis = PrivateRedis(folder)
        redis.start()
        try:
            media = make_media(folder / "media")
            with running_stack(folder / "stack", redis.url, analysis=2) as stack:
                client = stack.client()
                ones, manies = [], []
                for number in range(rounds):
                    ones.append(one_request(client, folder / f"one {number}", media))
                    manies.append(many_requests(client, folder / f"many {number}", media))
                    print(f"round {number + 1}: one {ones[-1]:.1f} s, many {manies[-1]:.1f} s")
        finally:
            redis.stop()
    one, many = statistics.median(ones), statistics.median(manies)
    print(f"{len(media)} files, two workers, medians of {rounds}: one request {one:.1f} s,")
    print(f"{len(media)} requests {many:.1f} s, ratio {one / many:.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
