"""Turns the published weights into what conse-lite0 runs on. A process of its own, run once.

`python -m workers.models.weights.convert_conse SOURCES TARGET`:
onnx is imported here and nowhere else.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from workers.models.visual.conse import SentenceEncoder, unit
from workers.models.visual.imagenet_kinds import KINDS, kinds_of
from workers.models.weights import onnx_graphs
from workers.models.weights.weight_files import (
    read_python_constant,
    read_safetensors,
    read_torch_state_dict,
)

IMAGE_WEIGHTS = "efficientnet-lite0-57934424.pth"
TEXT_WEIGHTS = "model.safetensors"
TOKENIZER = "tokenizer.json"
CLASS_NAMES = "zero_shot_metadata.py"

# MiniLM-L6: what its config.json says.
_HEADS = 12
_EPSILON = 1e-12
# Of a class's kinds beside its name. Retrieval is the same from 0.3 to 0.8.
_KINDS_WEIGHT = 0.5
# Of the probabilities: below 1 the many faint guesses count beside the first. Retrieval is best,
# and the same, from 0.35 to 0.4 (tests/quality).
_POWER = 0.4


def convert(sources: Path, target: Path) -> None:
    """Write text.onnx, tokenizer.json, classes.npy and image.onnx into `target`."""
    text = onnx_graphs.sentence_encoder(read_safetensors(sources / TEXT_WEIGHTS), _HEADS, _EPSILON)
    (target / "text.onnx").write_bytes(text.SerializeToString())
    (target / "tokenizer.json").write_bytes((sources / TOKENIZER).read_bytes())
    names = read_python_constant(sources / CLASS_NAMES, "IMAGENET_CLASSNAMES")
    rows = class_rows(list(names), SentenceEncoder(target, "cpu"))
    np.save(target / "classes.npy", rows)
    weights = read_torch_state_dict(sources / IMAGE_WEIGHTS)
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


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
