"""Weight files are read without the library that wrote them, and can only hold numbers."""

from __future__ import annotations

import json
import os
import pickle
import struct
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from shared.errors import ModelError
from workers.models.weights.weight_files import (
    read_python_constant,
    read_safetensors,
    read_torch_state_dict,
)


class Name:
    """Pickles as the global `module.name`, called with `arguments` when there are any."""

    def __init__(self, module: str, name: str, *arguments: Any) -> None:
        self.global_ = f"c{module}\n{name}\n".encode()
        self.arguments = arguments


class TorchPickler(pickle._Pickler):  # type: ignore[name-defined, misc]
    """Writes what torch < 1.6 wrote, without torch."""

    def save(self, obj: Any, save_persistent_id: bool = True) -> None:
        if isinstance(obj, Name):
            self.write(obj.global_)
            if obj.arguments:
                self.save(obj.arguments)
                self.write(pickle.REDUCE)
        else:
            super().save(obj, save_persistent_id)

    def persistent_id(self, obj: Any) -> Any:
        return obj[1] if isinstance(obj, tuple) and obj[:1] == ("pid",) else None


def write_state_dict(path: Path, state: Any, values: np.ndarray[Any, Any]) -> Path:
    with path.open("wb") as file:
        for part in (0x1950A86A20F9469CFC6C, 1001, {}, state, ["k"]):
            TorchPickler(file, 2).dump(part)
        file.write(struct.pack("<q", len(values)) + values.tobytes())
    return path


def tensor(offset: int, shape: tuple[int, ...], stride: tuple[int, ...]) -> Name:
    storage = ("pid", ("storage", Name("torch", "FloatStorage"), "k", "cpu", 12, None))
    arguments = (storage, offset, shape, stride, False, OrderedDict())
    return Name("torch._utils", "_rebuild_tensor_v2", *arguments)


def test_tensors_of_one_storage_are_read_with_their_offsets_and_strides(tmp_path: Path) -> None:
    values = np.arange(12, dtype=np.float32)
    state = {"a": tensor(0, (2, 3), (3, 1)), "b": tensor(6, (3, 2), (1, 3)), "c": tensor(5, (), ())}
    read = read_torch_state_dict(write_state_dict(tmp_path / "w.pth", state, values))
    np.testing.assert_array_equal(read["a"], values[:6].reshape(2, 3))
    np.testing.assert_array_equal(read["b"], values[6:].reshape(2, 3).T)
    assert read["c"] == 5


@pytest.mark.parametrize(
    ("offset", "shape", "stride"),
    [(8, (2, 3), (3, 1)), (0, (2,), (100,)), (3, (2,), (-1,)), (-4, (2,), (1,))],
)
def test_a_tensor_outside_its_storage_is_refused(
    tmp_path: Path, offset: int, shape: tuple[int, ...], stride: tuple[int, ...]
) -> None:
    path = write_state_dict(
        tmp_path / "w.pth", {"a": tensor(offset, shape, stride)}, np.zeros(12, np.float32)
    )
    with pytest.raises(ModelError, match="outside its storage"):
        read_torch_state_dict(path)


def test_a_weight_file_cannot_run_anything(tmp_path: Path) -> None:
    mark = tmp_path / "was-run"
    evil = {"a": Name(os.system.__module__, "system", f"touch {mark}")}
    path = write_state_dict(tmp_path / "w.pth", evil, np.zeros(12, np.float32))
    with pytest.raises(ModelError, match=r"posix\.system, which no weights need"):
        read_torch_state_dict(path)
    assert not mark.exists()


def test_safetensors_are_a_header_and_bytes(tmp_path: Path) -> None:
    rows, ids = np.arange(6, dtype=np.float32).reshape(2, 3), np.arange(2, dtype=np.int64)
    header = {
        "__metadata__": {"format": "pt"},
        "rows": {"dtype": "F32", "shape": [2, 3], "data_offsets": [0, 24]},
        "ids": {"dtype": "I64", "shape": [2], "data_offsets": [24, 40]},
    }
    text = json.dumps(header).encode()
    path = tmp_path / "w.safetensors"
    path.write_bytes(struct.pack("<Q", len(text)) + text + rows.tobytes() + ids.tobytes())
    read = read_safetensors(path)
    np.testing.assert_array_equal(read["rows"], rows)
    np.testing.assert_array_equal(read["ids"], ids)


def test_a_constant_is_read_without_running_its_module(tmp_path: Path) -> None:
    source = tmp_path / "names.py"
    source.write_text('import no_such_module\nNAMES = ("tench", "kite (bird of prey)")\n')
    assert read_python_constant(source, "NAMES") == ("tench", "kite (bird of prey)")
    with pytest.raises(ModelError, match=r"names\.py defines no OTHER"):
        read_python_constant(source, "OTHER")


def test_a_state_dict_is_read_beside_other_things(tmp_path: Path) -> None:
    values = np.arange(12, dtype=np.float32)
    state = {"step": 7, "model_state": {"a": tensor(0, (2, 3), (3, 1))}, "more": {"b": [None]}}
    path = write_state_dict(tmp_path / "w.pt", state, values)
    assert read_torch_state_dict(path, "model_state").keys() == {"a"}
