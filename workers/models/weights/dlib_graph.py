"""Reads the weights of dlib's face network out of dlib's own file and builds its ONNX graph.

The network is the one of dlib's example dnn_face_recognition_ex: 29 convolutions, each followed by
a scale and a shift. Runs in the conversion process only. ONNX Runtime computes the same rows as
dlib itself (3e-7 apart) in a tenth of the time on a CPU.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper

from shared.errors import ModelError
from workers.models.weights.onnx_graphs import OnnxGraph

Floats = NDArray[np.float32]

SIDE, DIM = 150, 128
_MEAN_RGB = (122.782, 117.001, 104.298)
_RANGE = 256.0
_FIRST = (32, 3, 7)  # filters, channels, kernel side of the first convolution
# (filters, whether the block halves the picture) of each residual block of two convolutions.
_BLOCKS = (
    *((32, False), (32, False), (32, False)),
    *((64, True), (64, False), (64, False), (64, False)),
    *((128, True), (128, False), (128, False)),
    *((256, True), (256, False), (256, False)),
    (256, True),
)


@dataclass(frozen=True, slots=True)
class _Conv:
    kernel: Floats  # [filters, channels, side, side], scale and shift folded in
    bias: Floats


def face_network(path: Path) -> onnx.ModelProto:
    """Faces as bytes [n, 150, 150, 3] -> rows [n, 128]: means of a face and its mirror image.

    The mirror image doubles the cost and pays: at one mistaken pair in 10,000, 88 % of the pairs
    of one person are found instead of 82 % (tests/quality).
    """
    convs, last = _read(path)
    graph = OnnxGraph()
    floats = graph.add("Cast", "faces", to=TensorProto.FLOAT)
    middle = graph.add("Sub", floats, graph.constant(np.array(_MEAN_RGB, np.float32)))
    x = graph.add("Div", middle, graph.constant(np.array(_RANGE, np.float32)))
    x = graph.add("Transpose", x, perm=[0, 3, 1, 2])
    x = graph.add("Concat", x, _mirrored(graph, x), axis=0)
    x = _conv(graph, x, next(convs), stride=2)
    x = graph.add("MaxPool", x, kernel_shape=[3, 3], strides=[2, 2])
    side = ((SIDE - 7) // 2 + 1 - 3) // 2 + 1
    channels = _FIRST[0]
    for filters, halves in _BLOCKS:
        before = x
        x = _conv(graph, x, next(convs), stride=2 if halves else 1)
        x = _conv(graph, x, next(convs), active=False)
        if halves:
            pooled = graph.add("AveragePool", before, kernel_shape=[2, 2], strides=[2, 2])
            inner, outer = (side - 3) // 2 + 1, side // 2
            x = _padded(graph, x, 0, outer - inner)
            before = _padded(graph, pooled, filters - channels, 0)
            side, channels = outer, filters
        x = graph.add("Relu", graph.add("Add", x, before))
    x = graph.add("Flatten", graph.add("GlobalAveragePool", x), axis=1)
    x = graph.add("MatMul", x, graph.constant(last))
    both = graph.add("Reshape", x, graph.constant(np.array([2, -1, DIM])))
    graph.add("ReduceMean", both, axes=[0], keepdims=0, output="rows")
    faces = helper.make_tensor_value_info("faces", TensorProto.UINT8, ["n", SIDE, SIDE, 3])
    rows = helper.make_tensor_value_info("rows", TensorProto.FLOAT, ["n", DIM])
    return graph.model("dlib_face_network", [faces], [rows])


def _conv(graph: OnnxGraph, x: str, conv: _Conv, *, stride: int = 1, active: bool = True) -> str:
    edge = conv.kernel.shape[2] // 2 if stride == 1 else 0  # as dlib pads
    x = graph.add(
        "Conv", x, graph.constant(conv.kernel), graph.constant(conv.bias),
        strides=[stride, stride], pads=[edge] * 4,
    )  # fmt: skip
    return graph.add("Relu", x) if active else x


def _mirrored(graph: OnnxGraph, x: str) -> str:
    bounds = ([-1], [np.iinfo(np.int64).min], [3], [-1])  # from the last pixel to the first
    return graph.add("Slice", x, *(graph.constant(np.array(bound)) for bound in bounds))


def _padded(graph: OnnxGraph, x: str, channels: int, pixels: int) -> str:
    """Zeros behind, for an addition: dlib adds what there is of each."""
    if not channels and not pixels:
        return x
    pads = np.array([0, 0, 0, 0, 0, channels, pixels, pixels])
    return graph.add("Pad", x, graph.constant(pads))


def _read(path: Path) -> tuple[Iterator[_Conv], Floats]:
    """The convolutions from the picture upwards, and the last layer's matrix."""
    file = _DlibNumbers(path)
    convs = []
    channels = _FIRST[1]
    for filters, kernel in ((_FIRST[0], _FIRST[2]), *((n, 3) for n, _ in _BLOCKS for _ in "12")):
        weights = filters * channels * kernel * kernel
        values = file.tensor(weights + filters, 1)
        scale, shift = file.tensor(2 * filters, 1).reshape(2, filters)
        bias = values[weights:] * scale + shift
        folded = values[:weights].reshape(filters, channels, kernel, kernel)
        convs.append(_Conv(folded * scale[:, None, None, None], bias))
        channels = filters
    return iter(convs), file.tensor(channels, DIM).reshape(channels, DIM)


class _DlibNumbers:
    """dlib's format is a stream of numbers without names; tensors stand in the order of layers."""

    def __init__(self, path: Path) -> None:
        self._raw, self._at = path.read_bytes(), 0

    def tensor(self, first: int, second: int) -> NDArray[Any]:
        """The next tensor of this shape."""
        header = b"".join(_packed(number) for number in (2, first, second, 1, 1))  # 2: version
        found = self._raw.find(header, self._at)
        start, size = found + len(header), 4 * first * second
        if found < 0 or start + size > len(self._raw):
            raise ModelError("The file of dlib's face network holds another network.")
        self._at = start + size
        return np.frombuffer(self._raw[start : self._at], "<f4")


def _packed(number: int) -> bytes:
    """A whole number as dlib writes it: how many bytes, then the bytes, the lowest first."""
    size = max(1, (number.bit_length() + 7) // 8)
    return bytes([size]) + number.to_bytes(size, "little")
