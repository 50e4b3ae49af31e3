"""Turns the published networks into what faceplugin-fr runs on. A process of its own, run once.

`python -m workers.models.weights.convert_faceplugin SOURCES TARGET`:
onnx is imported in such processes
only. The published ones take one picture at a time, and the detector of one size; ours take any
number, and the detector any size. Each is proved to compute the same before it is kept.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime as ort
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper

from workers.models.onnx_sessions import session_options

_OFFSETS = "462"  # what the detector's last steps turn into boxes for its one size
_CLOSE = 1e-4


def convert(sources: Path, target: Path) -> None:
    """Write detect.onnx, landmark.onnx and feature.onnx into `target`."""
    detector = _any_size(onnx.load(sources / "fr_detect.onnx"))
    for name, model in (
        ("detect", detector),
        ("landmark", _any_number(onnx.load(sources / "fr_landmark.onnx"))),
        ("feature", _any_number(onnx.load(sources / "fr_feature.onnx"))),
    ):
        onnx.checker.check_model(model)
        onnx.save(model, target / f"{name}.onnx")
        _require_equal(sources / f"fr_{name}.onnx", target / f"{name}.onnx")


def _any_size(model: ModelProto) -> ModelProto:
    """The detector for pictures [n, 3, height, width] of any size: scores, offsets per anchor."""
    graph, wanted, kept = model.graph, {"scores", _OFFSETS}, []
    for node in reversed(graph.node):
        if wanted & set(node.output):
            kept.append(node)
            wanted |= set(node.input)
    outputs = [("scores", ["n", "anchors", 2]), (_OFFSETS, ["n", "anchors", 4])]
    cut = helper.make_graph(
        kept[::-1],
        "detect",
        [helper.make_tensor_value_info("input", TensorProto.FLOAT, ["n", 3, "height", "width"])],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in outputs],
        [tensor for tensor in graph.initializer if tensor.name in wanted],
    )
    return helper.make_model(cut, opset_imports=model.opset_import, ir_version=model.ir_version)


def _any_number(model: ModelProto) -> ModelProto:
    """The network with a batch of any size."""
    width = model.graph.output[0].type.tensor_type.shape.dim[1].dim_value
    for value in (*model.graph.input, *model.graph.output):
        value.type.tensor_type.shape.dim[0].dim_param = "n"
    del model.graph.value_info[:]
    constants = {tensor.name: tensor for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Reshape":
            shape = constants[node.input[1]]
            rows = onnx.numpy_helper.from_array(np.array([-1, width], np.int64), shape.name)
            shape.CopyFrom(rows)
    return model


def _require_equal(published: Path, ours: Path) -> None:
    """Raise ValueError when a batch does not give what the published network gives one by one."""
    old, new = (
        ort.InferenceSession(str(path), session_options(), providers=["CPUExecutionProvider"])
        for path in (published, ours)
    )
    name, shape = old.get_inputs()[0].name, old.get_inputs()[0].shape
    noise = np.random.default_rng(0).uniform(-1, 1, (3, *shape[1:])).astype(np.float32)
    right = np.concatenate([_first(old, name, noise[at : at + 1]) for at in range(3)])
    off = float(np.abs(_first(new, name, noise) - right).max())
    if off > _CLOSE * max(1.0, float(np.abs(right).max())):
        raise ValueError(f"{ours.name} differs from {published.name} by {off:g}")


def _first(session: ort.InferenceSession, name: str, pixels: NDArray[np.float32]) -> NDArray[Any]:
    return np.asarray(session.run(None, {name: pixels})[0])


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
