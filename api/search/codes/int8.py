"""A byte for each value: c = rint(y / f) with f = max|y| / 127. The bound holds for certain."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numkong
import numpy as np
from numpy.typing import NDArray

from api.search.codes.basis import Basis
from api.search.codes.codes import Codes, Columns, Kernel
from api.search.frames.estimates import Rows
from api.search.frames.scan import RowRange, Scores


class EightBitCodes(Codes):
    """Codes that stand beside rows that fit into memory with ease."""

    __slots__ = ()
    bits, dtype = 8, np.int8

    @staticmethod
    def encode(basis: Basis, vectors: NDArray[np.float16]) -> Columns:
        rotated = basis.rotated(vectors)
        factors = np.abs(rotated).max(axis=1) / np.float32(127)
        factors[factors == 0] = 1
        codes = np.rint(rotated / factors[:, None])
        rotated -= codes * factors[:, None]
        norm = np.linalg.norm(codes, axis=1) * factors
        return Columns.of(codes.astype(np.int8), factors, np.linalg.norm(rotated, axis=1), norm)

    def decoded(self, rows: Rows) -> NDArray[np.float64]:
        codes, factors, _ = self.columns
        return codes[rows].astype(np.float64) * factors[rows, None]

    def kernel(self, vectors: NDArray[np.int8], chunk: int) -> Kernel:
        return self._of_one(vectors) if len(vectors) == 1 else self._of_many(vectors, chunk)

    def _of_one(self, vectors: NDArray[np.int8]) -> Kernel:
        def fill(ranges: Sequence[RowRange], products: Scores) -> None:
            filled = 0
            for start, stop in ranges:
                end = filled + stop - start
                # Into any other type it is many times slower.
                numkong.cdist(
                    vectors, self.columns.codes[start:stop], "dot", out=products[:, filled:end]
                )
                filled = end

        return fill

    def _of_many(self, vectors: NDArray[np.int8], chunk: int) -> Kernel:
        packed = numkong.dots_pack(vectors)
        raw: Any = numkong.empty((chunk, len(vectors)), dtype="int32")
        sums: NDArray[np.int32] = np.asarray(raw)

        def fill(ranges: Sequence[RowRange], products: Scores) -> None:
            filled = 0
            for start, stop in ranges:
                end = filled + stop - start
                numkong.dots_packed(self.columns.codes[start:stop], packed, out=raw[filled:end])
                filled = end
            products[:] = sums[:filled].T

        return fill
