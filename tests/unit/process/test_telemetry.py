"""No library leaves an identifier behind, which it would send with what it tells its makers."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.stack import PROJECT

OPENS_A_SESSION = """
import sys
from pathlib import Path
from onnx import TensorProto, helper
from workers.models.onnx_sessions import open_session
value = lambda name: helper.make_tensor_value_info(name, TensorProto.FLOAT, [1])
graph = helper.make_graph([helper.make_node("Abs", ["x"], ["y"])], "g", [value("x")], [value("y")])
model = helper.make_model(graph, ir_version=8, opset_imports=[helper.make_opsetid("", 13)])
path = Path(sys.argv[1])
path.write_bytes(model.SerializeToString())
open_session(path, "cpu")
"""


@pytest.mark.parametrize(
    "program",
    [
        ("-c", OPENS_A_SESSION, "abs.onnx"),
        ("-m", "cli.checks.libraries", "onnxruntime", "faster_whisper", "insightface"),
    ],
    ids=["a model is opened", "the doctor looks at libraries"],
)
def test_nothing_is_written_to_the_home(program: tuple[str, ...], tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    # Libraries that are silent in CI anyway must not see that they are.
    ours = ("CI", "ORT_", "HF_", "XDG_", "NO_ALBUMENTATIONS")
    environment = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    environment |= {"HOME": str(home), "PYTHONPATH": str(PROJECT)}
    subprocess.run(
        [sys.executable, *program],
        cwd=tmp_path,
        env=environment,
        stdout=subprocess.DEVNULL,
        timeout=60,
        check=True,
    )
    written = [str(path.relative_to(home)) for path in home.rglob("*") if path.is_file()]
    assert written == []
