"""Clips by copy against LosslessCut's way, and by encoding against the ffmpeg program.

    python -m benchmarks.clips [ROUNDS]        default: 3 rounds

LosslessCut cuts by running ffmpeg once a clip: `ffmpeg -ss IN -i FILE -t LENGTH -c copy`, here
also with the option `-avoid_negative_ts make_zero`, which it offers. All
export the same 30 random ranges of a 720p clip (H.264 with B pictures, GOP of 2 s, AAC) to MP4 and
MKV; the pictures carry their numbers, so what each clip shows first and last is known. Encoding is
libx264 veryfast, crf 18, AAC, one thread of the encoder and one of the decoder, on both sides.
Rounds are interleaved; times are medians, wall and CPU (with children).
"""

from __future__ import annotations

import os
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import av

from benchmarks import describe
from shared.exports.clips import ClipSpec
from tests.support.media.by_path import cut, plan
from tests.support.media.media import Encoding, make_clip, read_bar_code

RATE = Fraction(25)
SECONDS, COPIES, ENCODES = 60, 30, 3
SOURCE = Encoding(
    gop=50, tone_hz=440, channels=2, sound_codec="aac", options={"b": "4M", "preset": "veryfast"}
)
Cutter = Callable[[Path, float, float, Path], object]


class Part:
    def __init__(self, path: Path) -> None:
        path.touch()
        self.path = str(path)


def ours(mode: str) -> Cutter:
    def run(source: Path, start: float, end: float, target: Path) -> object:
        spec = ClipSpec(
            index=0,
            media_path=str(source),
            client_path=str(source),
            start=start,
            end=end,
            output_dir=str(target.parent),
            client_output_dir=str(target.parent),
            mode=mode,  # type: ignore[arg-type]
        )
        planned = plan(spec)
        return cut(spec, Part(target), lambda: None, lambda share: None, planned)

    return run


def ffmpeg(*how: str) -> Cutter:
    def run(source: Path, start: float, end: float, target: Path) -> object:
        place = ["-ss", f"{start:.6f}", "-i", str(source), "-t", f"{end - start:.6f}"]
        command = ["ffmpeg", "-v", "error", "-y", *place, "-map", "0:v", "-map", "0:a", *how]
        return subprocess.run([*command, str(target)], check=True)

    return run


def cpu() -> float:
    used = os.times()
    return used.user + used.system + used.children_user + used.children_system


def measure(
    cutter: Cutter, source: Path, ranges: list[tuple[int, int]], folder: Path
) -> tuple[float, float]:
    """Wall and CPU seconds for all ranges."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    began, used = time.perf_counter(), cpu()
    for number, (first, past) in enumerate(ranges):
        target = folder / f"{number}{source.suffix}"
        cutter(source, float(first / RATE), float(past / RATE), target)
    return time.perf_counter() - began, cpu() - used


def exactness(folder: Path, suffix: str, ranges: list[tuple[int, int]]) -> str:
    first_exact = last_exact = whole = 0
    for number, (first, past) in enumerate(ranges):
        with av.open(str(folder / f"{number}{suffix}")) as clip:
            seen = [
                read_bar_code(f.to_ndarray(format="rgb24"))
                for f in clip.decode(video=0)
                if f.pts is not None and f.pts >= 0
            ]
        first_exact += seen[0] == first
        last_exact += seen[-1] == past - 1
        whole += seen == list(range(first, past))
    return f"first exact {first_exact}, last exact {last_exact}, all exact {whole} of {len(ranges)}"


def compare(title: str, source: Path, ways: dict[str, Cutter], count: int, rounds: int) -> None:
    chance = random.Random(3)
    ranges = []
    for _ in range(count):
        first = chance.randrange(int(SECONDS * RATE) - 300)
        ranges.append((first, first + chance.randint(50, 250)))
    frames = sum(past - first for first, past in ranges)
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    judged: dict[str, str] = {}
    for _ in range(rounds):
        for name, cutter in ways.items():
            folder = source.parent / "clips"
            times[name].append(measure(cutter, source, ranges, folder))
            judged[name] = exactness(folder, source.suffix, ranges)
    for name, taken in times.items():
        wall = statistics.median(seconds for seconds, _ in taken)
        used = statistics.median(seconds for _, seconds in taken)
        print(
            f"{title}, {name}: {count / wall:.1f} files/s, {count / used:.1f} files a CPU second, "
            f"{frames / used:.0f} pictures a CPU second; {judged[name]}"
        )


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    print(describe())
    if shutil.which("ffmpeg") is None:
        sys.exit("ffmpeg is not installed (Debian: apt install ffmpeg)")
    with tempfile.TemporaryDirectory() as folder:
        for suffix in ("mp4", "mkv"):
            source = make_clip(
                Path(folder) / f"a.{suffix}", SECONDS, size=(1280, 720), encoding=SOURCE
            )
            zero = ffmpeg("-c", "copy", "-avoid_negative_ts", "make_zero")
            plain = ffmpeg("-c", "copy")
            copies = {"Rushes": ours("copy"), "ffmpeg": plain, "ffmpeg make_zero": zero}
            compare(f"copy {suffix}", source, copies, COPIES, rounds)
            encoder = "-c:v libx264 -preset veryfast -crf 18 -threads 1 -c:a aac -b:a 256k"
            encodes = {"Rushes": ours("encode"), "ffmpeg": ffmpeg(*encoder.split())}
            compare(f"encode {suffix}", source, encodes, ENCODES, rounds)


if __name__ == "__main__":
    main()
