"""Reads published weight files into numpy arrays without the library that wrote them."""

from __future__ import annotations

import ast
import json
import pickle
import struct
from collections import OrderedDict
from pathlib import Path
from typing import Any, BinaryIO, cast

import numpy as np
from numpy.typing import NDArray

from shared.errors import ModelError

Tensors = dict[str, NDArray[Any]]

_STORAGES: dict[str, np.dtype[Any]] = {
    "FloatStorage": np.dtype("<f4"),
    "LongStorage": np.dtype("<i8"),
}
_SAFE_DTYPES: dict[str, np.dtype[Any]] = {"F32": np.dtype("<f4"), "I64": np.dtype("<i8")}


class _Storage:
    """The flat array behind one or more tensors; its bytes follow the pickles."""

    def __init__(self, dtype: np.dtype[Any]) -> None:
        self.dtype = dtype
        self.values: NDArray[Any] = np.empty(0, dtype)


class _Tensor:
    def __init__(
        self, storage: _Storage, offset: int, shape: tuple[int, ...], stride: tuple[int, ...]
    ) -> None:
        self.storage, self.offset, self.shape, self.stride = storage, offset, shape, stride

    def array(self) -> NDArray[Any]:
        values = self.storage.values[self.offset :]
        last = sum((size - 1) * step for size, step in zip(self.shape, self.stride, strict=True))
        if min((self.offset, *self.stride)) < 0 or last >= len(values):
            raise ModelError("The weight file holds a tensor that lies outside its storage.")
        steps = tuple(step * values.itemsize for step in self.stride)
        return np.lib.stride_tricks.as_strided(values, self.shape, steps, writeable=False)


def _rebuild_tensor(
    storage: _Storage, offset: int, shape: tuple[int, ...], stride: tuple[int, ...], *_: object
) -> _Tensor:
    return _Tensor(storage, offset, shape, stride)


class _StateDictUnpickler(pickle.Unpickler):
    """Unpickles nothing but dictionaries of tensors, whatever the file asks for."""

    def __init__(self, file: BinaryIO) -> None:
        super().__init__(file)
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _rebuild_tensor
        if module == "torch" and name in _STORAGES:
            return _STORAGES[name]
        raise ModelError(f"The weight file asks for {module}.{name}, which no weights need.")

    def persistent_load(self, pid: Any) -> _Storage:
        _, dtype, key, _location, _count, _view = pid
        return self.storages.setdefault(key, _Storage(dtype))


def read_torch_state_dict(path: Path, part: str = "") -> Tensors:
    """Read a state dict that torch < 1.6 saved: five pickles, then the storages' bytes.

    `part`: its name where the file holds it beside other things, which are not read.
    """
    with path.open("rb") as file:
        for _ in range(3):  # magic number, protocol version, facts about the machine
            _StateDictUnpickler(file).load()
        unpickler = _StateDictUnpickler(file)
        state = unpickler.load()
        keys = _StateDictUnpickler(file).load()
        for key in keys:
            storage = unpickler.storages[key]
            (count,) = struct.unpack("<q", file.read(8))
            raw = file.read(count * storage.dtype.itemsize)
            storage.values = np.frombuffer(raw, dtype=storage.dtype)
    tensors = state[part] if part else state
    return {name: tensor.array() for name, tensor in tensors.items()}


def read_safetensors(path: Path) -> Tensors:
    """All tensors of a .safetensors file: a JSON header, then one block of bytes."""
    raw = path.read_bytes()
    (length,) = struct.unpack("<Q", raw[:8])
    header = cast("dict[str, Any]", json.loads(raw[8 : 8 + length]))
    start = 8 + length
    tensors: Tensors = {}
    for name, entry in header.items():
        if name == "__metadata__":
            continue
        first, last = entry["data_offsets"]
        flat = np.frombuffer(raw[start + first : start + last], _SAFE_DTYPES[entry["dtype"]])
        tensors[name] = flat.reshape(entry["shape"])
    return tensors


def read_python_constant(source: Path, name: str) -> Any:
    """The value of a literal assigned at module level, read without running the module."""
    for node in ast.parse(source.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and any(
            isinstance(target, ast.Name) and target.id == name for target in node.targets
        ):
            return ast.literal_eval(node.value)
    raise ModelError(f"{source.name} defines no {name}.")
