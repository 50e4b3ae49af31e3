"""How well decode threads feed a model: the clock against what cores and model need at the least.

    python -m benchmarks.analysis.feeding [ROUNDS [SECONDS]]     default: 3 rounds of 600 s of film

Films of 1080p H.264 with GOPs of 12, 50 and 250 pictures, made of the clips of benchmarks.decode.
Each case is a process of its own, in which a whole Item is analyzed for its pictures, with a decode
thread a core; cases run in turns, printed are medians. `stand-in` is a model that takes so many ms
for a batch of 32 without the CPU; at saturation that is as long as decoding takes on all cores.
`floor` is the larger of both: CPU seconds of one thread that decodes and prepares the same pictures
/ cores, and the model's time. `lite` is the default model, whose floor is its own CPU seconds
/ cores. `16 cores` has the threads that a machine with 16 cores and a GPU has by default, with
a decoder that waits 117 ms a picture (GOP 50) and uses no CPU; its floor is 14 threads' worth.
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
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any
from unittest.mock import patch

import av
import numpy as np
from numpy.typing import NDArray

from benchmarks import describe, memory_mb
from benchmarks.decode import FOLDER, make_clips
from shared.domain import ModelKind, ProgressType
from shared.media import MediaType
from shared.models.specs import ModelSpec
from shared.process.machine import Machine
from shared.settings import Settings
from tests.support.analysis.in_process import InProcess
from tests.support.media.by_path import open_media
from tests.support.media.media import Encoding, make_clip
from tests.support.private_redis import private_redis
from workers.analysis.stages.scenes import SceneCutter
from workers.decode_pool import DecodePool
from workers.media.media_reader import MediaReader
from workers.media.pictures import GridFrame, Picture
from workers.media.ranges import GridRange
from workers.models.load import load_visual
from workers.models.visual.conse import ConseEmbedder

GOPS = (12, 50, 250)
BATCH, SIDE = 32, 224
WAITED_FILM_S = 1800
WAITS_S = 0.117  # CPU time of a grid picture at GOP 50 on the machine of docs/operate/sizing.md
BIG = Machine(cores=16, memory_bytes=64_000_000_000, has_gpu=True)


class StandInEmbedder(ConseEmbedder):
    """Prepares pictures as the default model does; its network is a pause."""

    batch_size = BATCH

    def __init__(self, spec: ModelSpec, batch_s: float) -> None:
        self._spec = spec
        self._batch_s = batch_s

    def warmup(self) -> None:
        return

    def embed_images(self, prepared: NDArray[np.float32]) -> NDArray[np.float32]:
        time.sleep(self._batch_s)
        return np.full((len(prepared), 4), 0.5, np.float32)


class WaitingRanges:
    """Decodes nothing and waits instead, as long as another machine's core would work."""

    last_seen = float("inf")

    def __init__(self, picture: Picture) -> None:
        self._picture = picture

    def read(self, part: GridRange, checkpoint: Callable[[], None]) -> Iterator[GridFrame]:
        for second in range(part.first, part.last or WAITED_FILM_S):
            time.sleep(WAITS_S)
            checkpoint()
            yield GridFrame(second, float(second), self._picture)

    def close(self) -> None:
        return


class KeptPicture:
    """A picture whose thumbnail and sizes were made before."""

    width, height = 1920, 1080

    def __init__(self) -> None:
        noise = np.random.default_rng(1).integers(0, 255, (90, 160, 3), np.uint8)
        self._small, self._square = noise, np.zeros((SIDE, SIDE, 3), np.uint8)
        self._jpeg = bytes(15_000)

    def rgb(self, width: int, height: int) -> NDArray[np.uint8]:
        return self._small if width == SceneCutter.side else self._square

    def thumbnail_jpeg(self, long_side: int = 0) -> bytes:
        return self._jpeg


def film(gop: int, seconds: int) -> Path:
    """A clip of benchmarks.decode, over and over."""
    target = FOLDER / f"film {seconds} s gop {gop}.mp4"
    if target.exists():
        return target
    source = next(path for path in make_clips() if path.name == f"h264 8M gop {gop}.mp4")
    part = target.with_name(f"making {target.name}")
    with av.open(str(part), "w") as out, av.open(str(source)) as first:
        copy = out.add_stream_from_template(first.streams.video[0])
        length = Fraction(first.streams.video[0].duration) * first.streams.video[0].time_base
        for turn in range(round(seconds / length)):
            with av.open(str(source)) as again:
                stream = again.streams.video[0]
                shift = round(turn * length / stream.time_base)
                for packet in again.demux(stream):
                    if packet.size:
                        packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                        packet.stream = copy
                        out.mux(packet)
    return part.rename(target)


def decoding_alone(path: Path) -> None:
    """What one thread does for the same pictures, without a model."""
    cutter, model = SceneCutter(), StandInEmbedder.__new__(StandInEmbedder)
    with open_media(path, MediaType.VIDEO) as reader:
        for frame in reader.grid():
            frame.picture.thumbnail_jpeg()
            cutter.add(frame.second, frame.picture.rgb(cutter.side, 90))
            model.prepare(frame.picture.rgb(round(SIDE * 16 / 9), SIDE))


@contextmanager
def waiting_decoder() -> Iterator[None]:
    picture = KeptPicture()
    with patch.object(MediaReader, "range_reader", lambda self: WaitingRanges(picture)):
        yield


def analyze(path: Path, threads: int, load: Callable[[Settings, ModelSpec], Any]) -> dict[str, Any]:
    """One Item, in this process; from its claim until it is published."""
    loaders = {ModelKind.VISUAL: load}
    with tempfile.TemporaryDirectory(prefix="feed-") as folder, private_redis() as redis:
        here = InProcess(Path(folder), redis.url, loaders)
        decoders = DecodePool(threads)
        with here.pool.lend(ModelKind.VISUAL, "conse-lite0"):
            used = measured(lambda: here.analyze([path], decoders, (ProgressType.VIDEO,)))
        here.close()
    return used


def measured(work: Callable[[], None]) -> dict[str, Any]:
    began, before = time.perf_counter(), os.times()
    work()
    after = os.times()
    cpu = after.user + after.system - before.user - before.system
    peak = memory_mb(os.getpid(), "VmHWM")
    return {"wall": time.perf_counter() - began, "cpu": cpu, "peak": peak}


def case(told: dict[str, Any]) -> dict[str, Any]:
    """One case, in a process of its own."""
    path = Path(told["film"])
    if told["what"] == "alone":
        return measured(lambda: decoding_alone(path))
    if told["what"] == "lite":
        return analyze(path, told["threads"], load_visual)
    batch_s = told["batch_s"]
    stand_in = lambda _settings, spec: StandInEmbedder(spec, batch_s)  # noqa: E731
    if told["what"] == "16 cores":
        with waiting_decoder():
            return analyze(path, told["threads"], stand_in)
    return analyze(path, told["threads"], stand_in)


def run(**told: Any) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.analysis.feeding", "--case", json.dumps(told)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return dict(json.loads(done.stdout.splitlines()[-1]))


def median(runs: list[dict[str, Any]], what: str) -> float:
    return statistics.median(each[what] for each in runs)


def compare(gop: int, seconds: int, rounds: int, cores: int) -> None:
    path = str(film(gop, seconds))
    batches = -(-seconds // BATCH)
    alone, at_0, saturated, lite, one = [], [], [], [], []
    batch_s = 0.0
    for _ in range(rounds):
        alone.append(run(what="alone", film=path))
        batch_s = median(alone, "cpu") / cores / batches
        at_0.append(run(what="stand-in", film=path, threads=cores, batch_s=0))
        saturated.append(run(what="stand-in", film=path, threads=cores, batch_s=batch_s))
        lite.append(run(what="lite", film=path, threads=cores))
        one.append(run(what="lite", film=path, threads=1))
    floor = median(alone, "cpu") / cores
    print(f"\nGOP {gop}, {seconds} s of film: one thread takes {floor * cores:.1f} CPU s")
    for name, runs, least in (
        ("stand-in, 0 ms", at_0, floor),
        (f"stand-in, {1000 * batch_s:.0f} ms", saturated, max(floor, batches * batch_s)),
        ("lite", lite, median(lite, "cpu") / cores),
        ("lite, one thread", one, median(one, "cpu")),
    ):
        wall = median(runs, "wall")
        print(
            f"  {name:18} {wall:7.1f} s  CPU {median(runs, 'cpu'):6.1f} s  floor {least:6.1f} s"
            f"  wall/floor {wall / least:5.2f}  peak {median(runs, 'peak'):5.0f} MB"
        )


def big_machine(rounds: int) -> None:
    threads = BIG.decode_threads(BIG.workers())
    seconds = WAITED_FILM_S
    with tempfile.TemporaryDirectory(prefix="feed-") as folder:
        target, encoding = Path(folder) / "a.mp4", Encoding(fps=Fraction(1), gop=10)
        path = make_clip(target, seconds, size=(64, 48), encoding=encoding)
        told = {"what": "16 cores", "film": str(path), "threads": threads, "batch_s": 0.03}
        runs = [run(**told) for _ in range(rounds)]
    floor, wall = seconds * WAITS_S / 14, median(runs, "wall")
    print(
        f"\n16 cores and a GPU, simulated: {threads} threads, {wall:.1f} s for {seconds} s of film;"
        f" 14 threads' worth is {floor:.1f} s: {floor / wall:.2f}"
    )


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("rounds", nargs="?", type=int, default=3)
    parser.add_argument("seconds", nargs="?", type=int, default=600)
    parser.add_argument("--case", type=json.loads)
    told = parser.parse_args()
    if told.case:
        print(json.dumps(case(told.case)))
        return 0
    cores = len(os.sched_getaffinity(0))
    print(describe())
    for gop in GOPS:
        compare(gop, told.seconds, told.rounds, cores)
    big_machine(told.rounds)
    return 0


if __name__ == "__main__":
    sys.exit(main())
