"""Turns the published weights into what dlib-resnet runs on. A process of its own, run once.

`python -m workers.models.weights.convert_faces SOURCES TARGET`:
onnx is imported in such processes only.
"""

from __future__ import annotations

import sys
from pathlib import Path

from workers.models.weights import mtcnn_graphs
from workers.models.weights.dlib_graph import face_network
from workers.models.weights.weight_files import read_torch_state_dict

FACE_NET = "dlib_face_recognition_resnet_model_v1.dat"
_GRAPHS = {
    "pnet": mtcnn_graphs.proposal_net,
    "rnet": mtcnn_graphs.refinement_net,
    "onet": mtcnn_graphs.output_net,
}


def convert(sources: Path, target: Path) -> None:
    """Write pnet.onnx, rnet.onnx and onet.onnx (MTCNN) and faces.onnx (dlib) into `target`."""
    for name, graph in _GRAPHS.items():
        model = graph(read_torch_state_dict(sources / f"{name}.pt"))
        (target / f"{name}.onnx").write_bytes(model.SerializeToString())
    (target / "faces.onnx").write_bytes(face_network(sources / FACE_NET).SerializeToString())


if __name__ == "__main__":
    convert(Path(sys.argv[1]), Path(sys.argv[2]))
