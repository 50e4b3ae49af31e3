"""Arrays in npy and npz files, looked at before they are read: nobody trusts what a share holds.

Only what Rushes writes is read: npy of version 1.0, npz that is not compressed. So an array is
never larger than the file it lies in.
"""

from __future__ import annotations

import errno
import io
import math
import zipfile
from collections.abc import Iterable
from typing import IO, Any

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from shared.cache import limits
from shared.opening import OpenedFile
from shared.unusable_files import OversizedFile


def read_header(file: IO[bytes]) -> tuple[tuple[int, ...], np.dtype[Any]]:
    """Shape and type of the rows that follow. Raises ValueError for anything strange."""
    if npy.read_magic(file) != (1, 0):  # later ones have headers of up to 4 GB
        raise ValueError("it has another version of npy")
    shape, by_column, dtype = npy.read_array_header_1_0(file)
    if by_column and len(shape) > 1:
        raise ValueError("it is stored by columns")
    if dtype.hasobject or any(length < 0 for length in shape):
        raise ValueError(f"it holds {dtype} of shape {shape}")
    return shape, dtype


def read_npz(opened: OpenedFile, limit: int, names: Iterable[str]) -> dict[str, NDArray[Any]]:
    """The named arrays of an npz file. Raises OversizedFile, OSError, and what damage looks like.

    Each is read whole, and so checked against its CRC, before anything in it is believed.
    """
    if opened.status.st_size > limit:
        raise OversizedFile(opened.path, limit)
    with _ZipReader(io.FileIO(opened.fd, closefd=False)) as file, zipfile.ZipFile(file) as archive:
        file.most = limit  # the directory is read
        return {name: _array(archive, name, limit) for name in names}


class _ZipReader(io.BufferedReader):
    """A file of which little is read at once: the directory's length is any number in the file."""

    most = limits.ZIP_DIRECTORY

    def read(self, size: int | None = -1, /) -> bytes:
        asked = self.most + 1 if size is None or size < 0 else size
        if asked > self.most + 1 or len(data := super().read(asked)) > self.most:
            raise ValueError("its directory is too large")
        return data

    def seek(self, target: int, whence: int = 0, /) -> int:
        try:
            return super().seek(target, whence)
        except OSError as error:  # no place that a file can have
            if error.errno != errno.EINVAL:
                raise
            raise ValueError("its directory leads nowhere") from error


def _array(archive: zipfile.ZipFile, name: str, limit: int) -> NDArray[Any]:
    info = archive.getinfo(f"{name}.npy")
    if info.compress_type != zipfile.ZIP_STORED or info.file_size != info.compress_size:
        raise ValueError(f"{name} is compressed")
    if info.file_size > limit:
        raise ValueError(f"{name} is too large")
    raw = archive.read(info)
    head = io.BytesIO(raw)
    shape, dtype = read_header(head)
    count = math.prod(shape)
    if count * dtype.itemsize != len(raw) - head.tell():
        raise ValueError(f"{name} is cut off or too long")
    if count == 0:
        return np.zeros(shape, dtype)
    return np.frombuffer(raw, dtype, count, head.tell()).reshape(shape)
