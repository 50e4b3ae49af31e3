"""1,000 files described by /media/metadata over HTTP, against a pool of ffprobe processes.

    python -m benchmarks.probe [ROUNDS]

One request with all files: a real API process and one query worker with its two children. The
peer is ffprobe, two processes at a time, for streams and format as JSON; it makes no hash, counts
no pictures and decodes none. Every round sets new modification times: files are hashed anew.
"""

from __future__ import annotations

import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

from benchmarks import describe
from tests.support.media.media import H264, HEVC, MPEG2, PRORES, make_clip, make_still, write_sound
from tests.support.private_redis import PrivateRedis
from tests.support.stack import Client, running_stack

FILES = 1000
AT_ONCE = 2
_SOUND = replace(H264, tone_hz=440, channels=2)
_MADE: tuple[Callable[[Path], Path], ...] = (
    lambda folder: make_clip(folder / "a.mp4", 4, encoding=_SOUND),
    lambda folder: make_clip(folder / "b.mp4", 4, encoding=replace(_SOUND, rotation=90)),
    lambda folder: make_clip(
        folder / "c.mov",
        4,
        encoding=replace(_SOUND, fps=Fraction(30000, 1001), timecode="00:59:58;00"),
    ),
    lambda folder: make_clip(folder / "d.mov", 2, encoding=replace(PRORES, timecode="10:00:00:00")),
    lambda folder: make_clip(folder / "e.mxf", 4, encoding=replace(MPEG2, timecode="10:00:00:00")),
    lambda folder: make_clip(folder / "f.ts", 4, encoding=_SOUND),
    lambda folder: make_clip(folder / "g.mkv", 4, encoding=replace(HEVC, tone_hz=440)),
    lambda folder: write_sound(folder / "h.wav", 4, channels=2),
    lambda folder: make_still(folder / "i.jpg", size=(1920, 1080)),
)


def make_media(folder: Path) -> list[Path]:
    """As many of each kind."""
    kinds = folder / "kinds"
    kinds.mkdir(parents=True)
    made = [make(kinds) for make in _MADE]
    paths = []
    for number in range(FILES):
        source = made[number % len(made)]
        paths.append(Path(shutil.copy(source, folder / f"{number:04}{source.suffix}")))
    return paths


def ours(client: Client, paths: list[Path]) -> float:
    began = time.perf_counter()
    items = client.ok("/media/metadata", media_paths=[str(path) for path in paths])["media"]
    took = time.perf_counter() - began
    wrong = [item["error"] for item in items if item["error"]]
    assert not wrong, wrong[0]
    return took


def peers(paths: list[Path]) -> float:
    command = ["ffprobe", "-v", "error", "-of", "json", "-show_format", "-show_streams"]

    def one(path: Path) -> None:
        subprocess.run([*command, str(path)], check=True, capture_output=True)

    began = time.perf_counter()
    with ThreadPoolExecutor(AT_ONCE) as pool:
        list(pool.map(one, paths))
    return time.perf_counter() - began


def by_kind(client: Client, paths: list[Path]) -> None:
    for number, path in enumerate(paths[: len(_MADE)]):
        same = paths[number :: len(_MADE)][:50]
        print(f"  {path.suffix}: {1000 * ours(client, same) / len(same):.1f} ms a file")


def touch(paths: list[Path]) -> None:
    for path in paths:
        os.utime(path)


def main(rounds: int) -> None:
    if shutil.which("ffprobe") is None:
        sys.exit("ffprobe is not installed (Debian's package ffmpeg has it)")
    print(describe())
    with tempfile.TemporaryDirectory(prefix="rb-") as name:
        folder = Path(name)
        redis = PrivateRedis(folder)
        redis.start()
        try:
            paths = make_media(folder / "media")
            with running_stack(folder / "stack", redis.url, analysis=0) as stack:
                client = stack.client()
                client.http.timeout = 300
                ours(client, paths[:20])
                mine, theirs = [], []
                for number in range(rounds):
                    touch(paths)
                    mine.append(FILES / ours(client, paths))
                    theirs.append(FILES / peers(paths))
                    print(f"round {number + 1}: {mine[-1]:.0f} and {theirs[-1]:.0f} files/s")
                by_kind(client, paths)
        finally:
            redis.stop()
    mean, peer = statistics.median(mine), statistics.median(theirs)
    print(f"{FILES} files, medians of {rounds}: Rushes {mean:.0f} files/s,")
    print(f"ffprobe, {AT_ONCE} at a time, {peer:.0f} files/s, ratio {mean / peer:.2f}")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 3)
