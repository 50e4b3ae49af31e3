"""Builds the ONNX graphs of MTCNN's three networks from their weights.

Runs in the conversion process only. Pictures go in as bytes [n, 3, height, width]: the scaling
that the networks expect is folded into their first convolutions.
"""

from __future__ import annotations

import numpy as np
import onnx
from onnx import TensorProto, helper

from workers.models.weights.onnx_graphs import OnnxGraph
from workers.models.weights.weight_files import Tensors

_MIDDLE, _RANGE = 127.5, 128.0  # a byte becomes (byte - middle) / range


class _Net:
    """One network in the making; layers are called by their names in the weight file."""

    def __init__(self, weights: Tensors, height: int | str, width: int | str) -> None:
        self._graph, self._weights = OnnxGraph(), weights
        self._pixels = helper.make_tensor_value_info(
            "pixels", TensorProto.UINT8, ["n", 3, height, width]
        )
        self._is_first = True

    def start(self) -> str:
        return self._graph.add("Cast", "pixels", to=TensorProto.FLOAT)

    def conv(self, x: str, name: str, output: str = "") -> str:
        kernel, bias = (self._weights[f"{name}.{part}"] for part in ("weight", "bias"))
        if self._is_first:  # no padding, so folding is exact
            self._is_first = False
            kernel = kernel / np.float32(_RANGE)
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
        kernel, bias = (self._weights[f"{name}.{part}"] for part in ("weight", "bias"))
        return self._graph.add(
            "Gemm", x, self._graph.constant(kernel), self._graph.constant(bias),
            transB=1, output=output,
        )  # fmt: skip

    def scores(self, x: str) -> None:
        self._graph.add("Softmax", x, axis=1, output="scores")

    def model(self, name: str, outputs: dict[str, list[int | str]]) -> onnx.ModelProto:
        infos = [
            helper.make_tensor_value_info(output, TensorProto.FLOAT, shape)
            for output, shape in outputs.items()
        ]
        return self._graph.model(name, [self._pixels], infos)


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
