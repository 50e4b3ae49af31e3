"""Pictures a second of the lite visual model, by threads and batch, against torch where it is.

    python -m benchmarks.embed [SECONDS]        default: 3 for each line

The worker runs one thread and the batch that the model offers (8); the other lines say what it
gives up. "prepare" is the scaling of a 640x360 picture before it; scene cuts are
sought in pictures that have nothing in common, the dearest case (2 to 3 ms of CPU in real films).
Where torch and timm are installed, the same network in torch on one thread is the peer, and its
ratio is printed.
"""

from __future__ import annotations

import importlib.util
import itertools
import sys
import time
from collections.abc import Callable

import cv2
import numpy as np
import onnxruntime as ort

from benchmarks import describe
from shared.domain import ModelKind
from shared.models.model_catalogue import resolve
from shared.settings import Settings
from workers.analysis.stages.scenes import SceneCutter
from workers.models.load import load_visual
from workers.models.weights.pull import pull

THREADS = (1, 2)
BATCHES = (1, 4, 8, 16, 32)


def rate(call: Callable[[], object], per_call: int, seconds: float) -> tuple[float, float]:
    """Pictures a second by the wall and by CPU time, after one call to warm up."""
    call()
    wall, cpu, done = time.perf_counter(), time.process_time(), 0
    while time.perf_counter() - wall < seconds:
        call()
        done += per_call
    return done / (time.perf_counter() - wall), done / (time.process_time() - cpu)


def in_onnx(path: str, threads: int, batch: int, seconds: float) -> tuple[float, float]:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    session = ort.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    pixels = np.zeros((batch, 3, 224, 224), np.float32)
    return rate(lambda: session.run(["embeddings"], {"pixels": pixels}), batch, seconds)


def in_torch(batch: int, seconds: float) -> float | None:
    """The same architecture in torch, one thread; None where torch or timm is not installed."""
    if importlib.util.find_spec("torch") is None or importlib.util.find_spec("timm") is None:
        return None
    import timm  # optional, heavy
    import torch

    torch.set_num_threads(1)
    model = timm.create_model("tf_efficientnet_lite0").eval()
    pixels = torch.zeros(batch, 3, 224, 224)
    with torch.inference_mode():
        return rate(lambda: model(pixels), batch, seconds)[1]


def main(seconds: float) -> None:
    settings = Settings.from_env()
    spec = resolve(settings, ModelKind.VISUAL, "conse-lite0")
    pull(settings, spec)
    print(describe())
    print(f"onnxruntime {ort.__version__}\n\nthreads batch   pictures/s   per CPU second")
    graph = str(settings.weights_dir / spec.key / "image.onnx")
    for threads in THREADS:
        for batch in BATCHES:
            wall, cpu = in_onnx(graph, threads, batch, seconds)
            print(f"{threads:7} {batch:5} {wall:12.1f} {cpu:16.1f}")
    model = load_visual(settings, spec)
    coarse = np.random.default_rng(0).integers(0, 256, (2, 9, 16, 3), np.uint8)
    shapes = [cv2.resize(each, (640, 360), interpolation=cv2.INTER_CUBIC) for each in coarse]
    picture = np.asarray(shapes[0], np.uint8)
    batch = np.stack([model.prepare(picture)] * model.batch_size)
    _, prepared = rate(lambda: model.prepare(picture), 1, seconds)
    _, embedded = rate(lambda: model.embed_images(batch), len(batch), seconds)
    _, asked = rate(lambda: model.embed_texts(["two dogs on a beach"]), 1, seconds)
    print(f"\nas the worker uses it, per CPU second: prepare {prepared:.0f}, embed {embedded:.1f}")
    cutter, film = SceneCutter(), enumerate(itertools.cycle(shapes))
    _, cut = rate(lambda: cutter.add(*next(film)), 1, seconds)
    print(f"scene cuts: {cut:.0f} pictures, {embedded / cut:.2f} of the time of embedding them")
    print(f"one query: {1000 / asked:.1f} ms of CPU")
    peer = in_torch(model.batch_size, seconds)
    if peer is not None:
        print(f"torch, one thread, batch {model.batch_size}: {peer:.1f}; ours / torch: "
              f"{embedded / peer:.2f}")  # fmt: skip


if __name__ == "__main__":
    main(float(sys.argv[1]) if len(sys.argv) > 1 else 3.0)
