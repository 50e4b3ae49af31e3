"""Turns the published weights into what tells voices apart. A process of its own, run once.

`python -m workers.models.weights.convert_voices SOURCES TARGET`:
onnx is imported in such processes only.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import TensorProto, helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from workers.models.weights.onnx_graphs import OnnxGraph
from workers.models.weights.weight_files import Tensors, read_torch_state_dict

WEIGHTS = "pretrained.pt"
_LAYERS = 3
# torch keeps an LSTM's gates as input, forget, cell, output; ONNX wants them in this order.
_GATES = (0, 3, 1, 2)


def convert(sources: Path, target: Path) -> None:
    """Write voices.onnx into `target`."""
    weights = read_torch_state_dict(sources / WEIGHTS, "model_state")
    # With whole numbers for weights it takes two thirds of the time, and rows move by a cosine of
    # 0.998. The first layer hears power, for which they are too coarse. Of 7 bits, for sums of 8
    # overflow on processors without the instructions made for them.
    quantize_dynamic(
        voice_network(weights),
        target / "voices.onnx",
        op_types_to_quantize=["LSTM"],
        nodes_to_exclude=[_name(0)],
        per_channel=True,
        weight_type=QuantType.QInt8,
        reduce_range=True,
    )


def voice_network(weights: Tensors) -> onnx.ModelProto:
    """mels [n, t, channels] -> unit rows [n, dim]: three LSTMs, a layer on the last one's end."""
    graph = OnnxGraph()
    x, last = graph.add("Transpose", "mels", perm=[1, 0, 2]), ""
    for layer in range(_LAYERS):
        x, last = _lstm(graph, weights, layer, x)
    rows = graph.add(
        "Gemm",
        graph.add("Squeeze", last, graph.constant(np.array([0]))),
        graph.constant(weights["linear.weight"]),
        graph.constant(weights["linear.bias"]),
        transB=1,
    )
    rows = graph.add("Relu", rows)
    # Where nothing is heard all values may be 0.
    graph.unit_rows(graph.add("Add", rows, graph.constant(np.array(1e-9, np.float32))), "rows")
    channels = weights["lstm.weight_ih_l0"].shape[1]
    dim = len(weights["linear.bias"])
    return graph.model(
        "voices",
        [helper.make_tensor_value_info("mels", TensorProto.FLOAT, ["n", "t", channels])],
        [helper.make_tensor_value_info("rows", TensorProto.FLOAT, ["n", dim])],
    )


def _lstm(graph: OnnxGraph, weights: Tensors, layer: int, x: str) -> tuple[str, str]:
    """All outputs [t, n, hidden] of an LSTM, and the last [1, n, hidden]."""

    def constant(*names: str) -> str:
        parts = [_by_gate(weights[f"lstm.{name}_l{layer}"]) for name in names]
        return graph.constant(np.concatenate(parts)[None])

    every, last = f"every{layer}", f"last{layer}"
    inputs = [constant("weight_ih"), constant("weight_hh"), constant("bias_ih", "bias_hh")]
    hidden = weights[f"lstm.weight_hh_l{layer}"].shape[1]
    node = helper.make_node("LSTM", [x, *inputs], [every, last], _name(layer), hidden_size=hidden)
    graph.nodes.append(node)
    return graph.add("Squeeze", every, graph.constant(np.array([1]))), last


def _name(layer: int) -> str:
    return f"lstm{layer}"


def _by_gate(values: NDArray[np.float32]) -> NDArray[np.float32]:
    gates = values.reshape(4, -1, *values.shape[1:])
    return gates[list(_GATES)].reshape(values.shape)


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
