"""Builds the ONNX graphs of EfficientNet-Lite0 and of a BERT sentence encoder from their weights.

Runs in the conversion process only: nothing else imports `onnx`, and torch is needed nowhere.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper, numpy_helper

from workers.models.weights.weight_files import Tensors

OPSET = 17
_BN_EPSILON = 1e-3
# (repeats, kernel, stride) of EfficientNet-Lite0's seven stages.
_STAGES = ((1, 3, 1), (2, 3, 2), (2, 5, 2), (3, 3, 2), (3, 5, 1), (4, 5, 2), (1, 3, 1))

Shapes = dict[str, list[Any]]  # of tensors by name; a string stands for any number


@dataclass
class OnnxGraph:
    """Nodes and constants in the order in which they are added."""

    nodes: list[onnx.NodeProto] = field(default_factory=list)
    constants: list[onnx.TensorProto] = field(default_factory=list)

    def constant(self, value: NDArray[Any]) -> str:
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def number(self, value: float) -> str:
        return self.constant(np.array(value, np.float32))

    def add(self, op: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        output = output or f"n{len(self.nodes)}"
        self.nodes.append(helper.make_node(op, list(inputs), [output], **attributes))
        return output

    def dense(self, x: str, weights: Tensors, name: str, output: str = "") -> str:
        kernel, bias = (self.constant(weights[f"{name}.{part}"]) for part in ("weight", "bias"))
        return self.add("Gemm", x, kernel, bias, transB=1, output=output)

    def unit_rows(self, x: str, output: str) -> None:
        norm = self.add("ReduceL2", x, axes=[1], keepdims=1)
        self.add("Div", x, norm, output=output)

    def model(
        self, name: str, inputs: Shapes, outputs: Shapes, kind: int = TensorProto.FLOAT
    ) -> onnx.ModelProto:
        """The graph with these tensors. `kind`: of the inputs; outputs are floats."""
        given, made = (
            [helper.make_tensor_value_info(tensor, of, shape) for tensor, shape in shapes.items()]
            for shapes, of in ((inputs, kind), (outputs, TensorProto.FLOAT))
        )
        graph = helper.make_graph(self.nodes, name, given, made, self.constants)
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", OPSET)], producer_name="rushes"
        )
        model.ir_version = 8
        onnx.checker.check_model(model)
        return model


def efficientnet_lite0(
    weights: Tensors, class_rows: NDArray[np.float32], power: float
) -> onnx.ModelProto:
    """pixels [n, 3, 224, 224] -> unit rows: class rows weighted by probability ** power.

    The weighting is in the graph because numpy's BLAS would start threads of its own for it,
    whose spinning costs as much CPU as the network.
    """
    graph = OnnxGraph()
    x = _efficientnet_features(graph, weights)
    features = graph.add("Flatten", graph.add("GlobalAveragePool", x), axis=1)
    likely = graph.add("Softmax", graph.dense(features, weights, "_fc"), axis=1)
    weighted = graph.add("Pow", likely, graph.number(power))
    graph.unit_rows(graph.add("MatMul", weighted, graph.constant(class_rows)), "embeddings")
    rows = {"embeddings": ["n", class_rows.shape[1]]}
    return graph.model("efficientnet_lite0", {"pixels": ["n", 3, 224, 224]}, rows)


def _efficientnet_features(graph: OnnxGraph, weights: Tensors) -> str:
    """pixels -> the last feature maps [n, channels, 7, 7]."""
    low, high = graph.number(0.0), graph.number(6.0)

    def conv(x: str, name: str, norm: str, stride: int, groups: int, active: bool) -> str:
        kernel, bias = _fold_norm(weights, name, norm)
        size = kernel.shape[2]
        before = (size - stride) // 2  # "same" as TensorFlow pads it, on even sides
        after = size - stride - before
        x = graph.add(
            "Conv", x, graph.constant(kernel), graph.constant(bias),
            strides=[stride, stride], group=groups, pads=[before, before, after, after],
        )  # fmt: skip
        return graph.add("Clip", x, low, high) if active else x

    x = conv("pixels", "_conv_stem", "_bn0", 2, 1, True)
    index = 0
    for repeats, _kernel, stage_stride in _STAGES:
        for repeat in range(repeats):
            block = f"_blocks.{index}."
            before = x
            stride = stage_stride if repeat == 0 else 1
            if block + "_expand_conv.weight" in weights:
                x = conv(x, block + "_expand_conv", block + "_bn0", 1, 1, True)
            width = len(weights[block + "_depthwise_conv.weight"])
            x = conv(x, block + "_depthwise_conv", block + "_bn1", stride, width, True)
            x = conv(x, block + "_project_conv", block + "_bn2", 1, 1, False)
            if repeat:
                x = graph.add("Add", x, before)
            index += 1
    return conv(x, "_conv_head", "_bn1", 1, 1, True)


def _fold_norm(
    weights: Tensors, conv: str, norm: str
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """A convolution and the batch norm after it as one kernel and bias."""
    variance = weights[norm + ".running_var"].astype(np.float64)
    scale = weights[norm + ".weight"] / np.sqrt(variance + _BN_EPSILON)
    kernel = weights[conv + ".weight"] * scale[:, None, None, None]
    bias = weights[norm + ".bias"] - weights[norm + ".running_mean"] * scale
    return kernel.astype(np.float32), bias.astype(np.float32)


def sentence_encoder(weights: Tensors, heads: int, epsilon: float) -> onnx.ModelProto:
    """input_ids and attention_mask [n, t] -> mean-pooled unit rows [n, dim] of a BERT encoder."""
    graph = OnnxGraph()
    bert = _Bert(graph, weights, heads, epsilon)
    mask = graph.add("Cast", "attention_mask", to=TensorProto.FLOAT)
    x = bert.embed()
    hidden = graph.add("Sub", graph.number(1), mask)
    hidden = graph.add("Mul", hidden, graph.number(-1e9))
    hidden = graph.add("Unsqueeze", hidden, graph.constant(np.array([1, 2])))
    layers = 1 + max(int(name.split(".")[2]) for name in weights if ".layer." in name)
    for layer in range(layers):
        x = bert.layer(f"encoder.layer.{layer}.", x, hidden)
    column = graph.add("Unsqueeze", mask, graph.constant(np.array([2])))
    spoken = graph.add("Mul", x, column)
    total = graph.add("ReduceSum", spoken, graph.constant(np.array([1])), keepdims=0)
    count = graph.add("ReduceSum", mask, graph.constant(np.array([1])), keepdims=1)
    graph.unit_rows(graph.add("Div", total, count), "embeddings")
    rows = {"embeddings": ["n", weights["embeddings.word_embeddings.weight"].shape[1]]}
    tokens = {"input_ids": ["n", "t"], "attention_mask": ["n", "t"]}
    return graph.model("sentence_encoder", tokens, rows, TensorProto.INT64)


class _Bert:
    def __init__(self, graph: OnnxGraph, weights: Tensors, heads: int, epsilon: float) -> None:
        self._graph, self._weights = graph, weights
        self._heads, self._epsilon = heads, epsilon

    def embed(self) -> str:
        """Embeddings of tokens: word + position + segment 0, normalised: [n, t, dim]."""
        graph = self._graph
        words, places, segments = (
            self._weights[f"embeddings.{name}_embeddings.weight"]
            for name in ("word", "position", "token_type")
        )
        length = graph.add("Shape", "input_ids", start=1, end=2)
        row = graph.add(
            "Slice", graph.constant(places + segments[0]), graph.constant(np.array([0])), length
        )
        x = graph.add("Gather", graph.constant(words), "input_ids")
        return self._norm("embeddings.LayerNorm", graph.add("Add", x, row))

    def layer(self, name: str, x: str, hidden: str) -> str:
        graph = self._graph
        attended = self._attention(name + "attention.self.", x, hidden)
        attended = self._dense(name + "attention.output.dense", attended)
        x = self._norm(name + "attention.output.LayerNorm", graph.add("Add", attended, x))
        wide = self._gelu(self._dense(name + "intermediate.dense", x))
        narrow = self._dense(name + "output.dense", wide)
        return self._norm(name + "output.LayerNorm", graph.add("Add", narrow, x))

    def _attention(self, name: str, x: str, hidden: str) -> str:
        graph = self._graph
        dim = len(self._weights[name + "query.bias"])
        split = graph.constant(np.array([0, 0, self._heads, dim // self._heads]))

        def by_head(part: str, order: list[int]) -> str:
            rows = graph.add("Reshape", self._dense(name + part, x), split)
            return graph.add("Transpose", rows, perm=order)

        scores = graph.add("MatMul", by_head("query", [0, 2, 1, 3]), by_head("key", [0, 2, 3, 1]))
        root = graph.number(np.sqrt(dim / self._heads))
        scores = graph.add("Add", graph.add("Div", scores, root), hidden)
        mixed = graph.add(
            "MatMul", graph.add("Softmax", scores, axis=-1), by_head("value", [0, 2, 1, 3])
        )
        rows = graph.add("Transpose", mixed, perm=[0, 2, 1, 3])
        return graph.add("Reshape", rows, graph.constant(np.array([0, 0, dim])))

    def _dense(self, name: str, x: str) -> str:
        graph, weights = self._graph, self._weights
        product = graph.add("MatMul", x, graph.constant(weights[name + ".weight"].T))
        return graph.add("Add", product, graph.constant(weights[name + ".bias"]))

    def _norm(self, name: str, x: str) -> str:
        scale, bias = (
            self._graph.constant(self._weights[f"{name}.{part}"]) for part in ("weight", "bias")
        )
        return self._graph.add("LayerNormalization", x, scale, bias, axis=-1, epsilon=self._epsilon)

    def _gelu(self, x: str) -> str:
        graph = self._graph
        half, one, root = (graph.number(value) for value in (0.5, 1.0, np.sqrt(2.0)))
        error = graph.add("Add", graph.add("Erf", graph.add("Div", x, root)), one)
        return graph.add("Mul", graph.add("Mul", x, error), half)
