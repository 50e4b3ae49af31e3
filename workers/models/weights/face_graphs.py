"""Builds the ONNX graphs of the default face model: MTCNN's three networks, dlib's network.

Of MTCNN pictures go in as bytes [n, 3, height, width]: the scaling that the networks expect is
folded into their first convolutions. dlib's network is the one of its example
dnn_face_recognition_ex: 29 convolutions, each followed by a scale and a shift, read out of dlib's
own file. ONNX Runtime computes the same rows as dlib itself (3e-7 apart) in a tenth of the time on
a CPU. Runs in the conversion process only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto

from shared.errors import ModelError
from workers.models.weights.onnx_graphs import OnnxGraph, Shapes
from workers.models.weights.weight_files import Tensors

_MIDDLE, _SPREAD = 127.5, 128.0  # a byte becomes (byte - middle) / spread


class _Net:
    """One network in the making; layers are called by their names in the weight file."""

    def __init__(self, weights: Tensors, height: int | str, width: int | str) -> None:
        self._graph, self._weights = OnnxGraph(), weights
        self._pixels = {"pixels": ["n", 3, height, width]}
        self._is_first = True

    def start(self) -> str:
        return self._graph.add("Cast", "pixels", to=TensorProto.FLOAT)

    def conv(self, x: str, name: str, output: str = "") -> str:
        kernel, bias = (self._weights[f"{name}.{part}"] for part in ("weight", "bias"))
        if self._is_first:  # no padding, so folding is exact
            self._is_first = False
            kernel = kernel / np.float32(_SPREAD)
            bias = bias - kernel.sum(axis=(1, 2, 3)) * np.float32(_MIDDLE)
        return self._graph.add(
            "Conv", x, self._graph.constant(kernel), self._graph.constant(bias), output=output
        )

    def prelu(self, x: str, name: str, *, flat: bool = False) -> str:
        slope = self._weights[name + ".weight"]
        return self._graph.add(
            "PRelu", x, self._graph.constant(slope if flat else slope[:, None, None])
        )

    def pool(self, x: str, side: int) -> str:
        return self._graph.add("MaxPool", x, kernel_shape=[side, side], strides=[2, 2], ceil_mode=1)

    def flat(self, x: str) -> str:
        """Features flattened in the order of the weight file: by x, then y, then channel."""
        turned = self._graph.add("Transpose", x, perm=[0, 3, 2, 1])
        return self._graph.add("Flatten", turned, axis=1)

    def dense(self, x: str, name: str, output: str = "") -> str:
        return self._graph.dense(x, self._weights, name, output)

    def scores(self, x: str) -> None:
        self._graph.add("Softmax", x, axis=1, output="scores")

    def model(self, name: str, outputs: Shapes) -> onnx.ModelProto:
        return self._graph.model(name, self._pixels, outputs, TensorProto.UINT8)


def proposal_net(weights: Tensors) -> onnx.ModelProto:
    """A picture of any size -> scores [n, 2, h, w] and box corrections [n, 4, h, w] per place."""
    net = _Net(weights, "height", "width")
    x = net.prelu(net.conv(net.start(), "conv1"), "prelu1")
    x = net.prelu(net.conv(net.pool(x, 2), "conv2"), "prelu2")
    x = net.prelu(net.conv(x, "conv3"), "prelu3")
    net.scores(net.conv(x, "conv4_1"))
    net.conv(x, "conv4_2", output="boxes")
    return net.model("pnet", {"scores": ["n", 2, "h", "w"], "boxes": ["n", 4, "h", "w"]})


def refinement_net(weights: Tensors) -> onnx.ModelProto:
    """Crops of 24 pixels -> scores [n, 2] and box corrections [n, 4]."""
    net = _Net(weights, 24, 24)
    x = net.pool(net.prelu(net.conv(net.start(), "conv1"), "prelu1"), 3)
    x = net.pool(net.prelu(net.conv(x, "conv2"), "prelu2"), 3)
    x = net.prelu(net.conv(x, "conv3"), "prelu3")
    x = net.prelu(net.dense(net.flat(x), "dense4"), "prelu4", flat=True)
    net.scores(net.dense(x, "dense5_1"))
    net.dense(x, "dense5_2", output="boxes")
    return net.model("rnet", {"scores": ["n", 2], "boxes": ["n", 4]})


def output_net(weights: Tensors) -> onnx.ModelProto:
    """Crops of 48 pixels -> scores [n, 2], box corrections [n, 4], landmarks [n, 10]."""
    net = _Net(weights, 48, 48)
    x = net.pool(net.prelu(net.conv(net.start(), "conv1"), "prelu1"), 3)
    x = net.pool(net.prelu(net.conv(x, "conv2"), "prelu2"), 3)
    x = net.pool(net.prelu(net.conv(x, "conv3"), "prelu3"), 2)
    x = net.prelu(net.conv(x, "conv4"), "prelu4")
    x = net.prelu(net.dense(net.flat(x), "dense5"), "prelu5", flat=True)
    net.scores(net.dense(x, "dense6_1"))
    net.dense(x, "dense6_2", output="boxes")
    net.dense(x, "dense6_3", output="landmarks")
    return net.model("onet", {"scores": ["n", 2], "boxes": ["n", 4], "landmarks": ["n", 10]})


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
    x = graph.add("Div", middle, graph.number(_RANGE))
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
    faces = {"faces": ["n", SIDE, SIDE, 3]}
    return graph.model("dlib_face_network", faces, {"rows": ["n", DIM]}, TensorProto.UINT8)


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
