"""Turns published weights into what models run on. A process of its own, run once.

`python -m workers.models.weights.convert MODEL_KEY SOURCES TARGET`:
onnx is imported in such processes only.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import helper
from onnxruntime.quantization import QuantType, quantize_dynamic

from shared.models import voice_model
from shared.models.speech_and_faces import DLIB
from workers.models.visual.conse import SentenceEncoder, unit
from workers.models.visual.imagenet_kinds import KINDS, kinds_of
from workers.models.weights import face_graphs, onnx_graphs
from workers.models.weights.onnx_graphs import OnnxGraph
from workers.models.weights.weight_files import (
    Tensors,
    read_python_constant,
    read_safetensors,
    read_torch_state_dict,
)

# MiniLM-L6: what its config.json says.
_HEADS = 12
_EPSILON = 1e-12
# Of a class's kinds beside its name. Retrieval is the same from 0.3 to 0.8.
_KINDS_WEIGHT = 0.5
# Of the probabilities: below 1 the many faint guesses count beside the first. Retrieval is best,
# and the same, from 0.35 to 0.4 (tests/quality).
_POWER = 0.4

_FACE_GRAPHS = {
    "pnet": face_graphs.proposal_net,
    "rnet": face_graphs.refinement_net,
    "onet": face_graphs.output_net,
}

_LAYERS = 3
# torch keeps an LSTM's gates as input, forget, cell, output; ONNX wants them in this order.
_GATES = (0, 3, 1, 2)


def convert_conse(sources: Path, target: Path) -> None:
    """Write text.onnx, tokenizer.json, classes.npy and image.onnx into `target`."""
    tensors = read_safetensors(sources / "model.safetensors")
    text = onnx_graphs.sentence_encoder(tensors, _HEADS, _EPSILON)
    (target / "text.onnx").write_bytes(text.SerializeToString())
    (target / "tokenizer.json").write_bytes((sources / "tokenizer.json").read_bytes())
    names = read_python_constant(sources / "zero_shot_metadata.py", "IMAGENET_CLASSNAMES")
    rows = class_rows(list(names), SentenceEncoder(target, "cpu"))
    np.save(target / "classes.npy", rows)
    weights = read_torch_state_dict(sources / "efficientnet-lite0-57934424.pth")
    image = onnx_graphs.efficientnet_lite0(weights, rows - rows.mean(axis=0), _POWER)
    (target / "image.onnx").write_bytes(image.SerializeToString())


def class_rows(names: list[str], encoder: SentenceEncoder) -> NDArray[np.float32]:
    """A unit row for each class: its name, drawn towards the kinds of thing that it is."""
    rows = encoder.embed(names)
    kind_rows = dict(zip(KINDS, encoder.embed(list(KINDS)), strict=True))
    for row, kinds in zip(rows, kinds_of(len(names)), strict=True):
        if kinds:
            row += _KINDS_WEIGHT * np.mean([kind_rows[kind] for kind in kinds], axis=0)
    return unit(rows)


def convert_faces(sources: Path, target: Path) -> None:
    """Write pnet.onnx, rnet.onnx and onet.onnx (MTCNN) and faces.onnx (dlib) into `target`."""
    for name, graph in _FACE_GRAPHS.items():
        model = graph(read_torch_state_dict(sources / f"{name}.pt"))
        (target / f"{name}.onnx").write_bytes(model.SerializeToString())
    faces = face_graphs.face_network(sources / "dlib_face_recognition_resnet_model_v1.dat")
    (target / "faces.onnx").write_bytes(faces.SerializeToString())


def convert_voices(sources: Path, target: Path) -> None:
    """Write voices.onnx into `target`."""
    weights = read_torch_state_dict(sources / "pretrained.pt", "model_state")
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
    end = graph.add("Squeeze", last, graph.constant(np.array([0])))
    rows = graph.add("Relu", graph.dense(end, weights, "linear"))
    # Where nothing is heard all values may be 0.
    graph.unit_rows(graph.add("Add", rows, graph.number(1e-9)), "rows")
    mels = {"mels": ["n", "t", weights["lstm.weight_ih_l0"].shape[1]]}
    return graph.model("voices", mels, {"rows": ["n", len(weights["linear.bias"])]})


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


_CONVERSIONS = {
    "conse-lite0": convert_conse,
    DLIB: convert_faces,
    voice_model.KEY: convert_voices,
}

if __name__ == "__main__":
    _CONVERSIONS[sys.argv[1]](Path(sys.argv[2]), Path(sys.argv[3]))
