"""Rows of a transcript's segments, by what they mean: the pack beside its data, an npy file."""

from __future__ import annotations

import io
from typing import BinaryIO

import numpy as np
from numpy.lib import format as npy
from numpy.typing import NDArray

from shared.cache import cache_files, limits
from shared.cache.arrays import read_header
from shared.cache.cache_dir import CacheDir
from shared.domain import Manifest
from shared.errors import CacheError
from shared.models.sentence_model import DIM, ROWS, is_understood
from shared.unusable_files import UnusableFile

Rows = NDArray[np.float16]  # [segments, DIM], none longer than 1


def are_missing(manifest: Manifest) -> bool:
    """Whether a transcript could have rows, and has none of today's."""
    could_have = is_understood(manifest.language) and manifest.rows > 0
    return could_have and manifest.sentence_model != ROWS


def write(file: BinaryIO, rows: Rows) -> None:
    """Write the pack. Not by numpy, which would write to the file behind its back."""
    npy.write_array_header_1_0(file, npy.header_data_from_array_1_0(rows))
    file.write(rows.data)


def read(cache: CacheDir, hash_str: str, manifest: Manifest, wait_s: float = 0.0) -> Rows | None:
    """A row for each segment of a transcript; None where it has none of today's.

    `wait_s`: as in `cache_files.opened`. Raises CacheError for what is damaged.
    """
    if manifest.sentence_model != ROWS or manifest.pack is None:
        return None
    path = cache_files.data_path(cache.root, hash_str, manifest.pack)
    try:
        with cache_files.opened(path, wait_s) as opened:
            file = io.BytesIO(opened.read(limits.SENTENCE_ROWS))
        shape, dtype = read_header(file)
    except FileNotFoundError as error:
        raise CacheError(f"The file {path.name} is missing.") from error
    except UnusableFile as error:
        raise CacheError(f"{path.name} cannot be read: {error.strerror}.") from error
    except (OSError, ValueError) as error:
        raise CacheError(f"{path.name} is damaged: {error}.") from error
    raw = file.read()
    if dtype != np.dtype("<f2") or shape != (manifest.rows, DIM) or len(raw) != 2 * DIM * shape[0]:
        raise CacheError(f"{path.name} is damaged: it holds {len(raw)} bytes of {dtype} {shape}.")
    rows = np.frombuffer(raw, np.dtype("<f2")).reshape(shape)
    if not np.isfinite(rows).all():
        raise CacheError(f"{path.name} is damaged: it holds values that are no numbers.")
    return rows
