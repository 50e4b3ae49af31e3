"""Turns the published weights into what conse-lite0 runs on. A process of its own, run once.

`python -m workers.models.convert_conse SOURCES TARGET`: onnx is imported here and nowhere else.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from workers.models import onnx_graphs
from workers.models.sentences import SentenceEncoder
from workers.models.weight_files import (
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


def convert(sources: Path, target: Path) -> None:
    """Write image.onnx, text.onnx, tokenizer.json and classes.npy into `target`."""
    image = onnx_graphs.efficientnet_lite0(read_torch_state_dict(sources / IMAGE_WEIGHTS))
    (target / "image.onnx").write_bytes(image.SerializeToString())
    text = onnx_graphs.sentence_encoder(read_safetensors(sources / TEXT_WEIGHTS), _HEADS, _EPSILON)
    (target / "text.onnx").write_bytes(text.SerializeToString())
    (target / "tokenizer.json").write_bytes((sources / TOKENIZER).read_bytes())
    names = read_python_constant(sources / CLASS_NAMES, "IMAGENET_CLASSNAMES")
    encoder = SentenceEncoder(target, "cpu")
    np.save(target / "classes.npy", encoder.embed(list(names)))


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
