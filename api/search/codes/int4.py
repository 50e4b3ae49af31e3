"""Four bits for each value, two to a byte: half of what bytes take, for the largest folders.

c = u - 7.5 with u = 0 to 15, in steps of 0.335 of the row's root mean square: the best even steps
for a normal distribution (Max, 1960), which the rotation makes of any row. The factor
f = |y|**2 / c·y (Gao and Long, RaBitQ, 2024) makes r = f·c - y orthogonal to y.

The bound of r·p, for a query that is no worse than any other. The rotation was drawn at random,
unknown to whoever chose x and q, and of all rotations that take z to y each is as likely. So what
of p is orthogonal to y points anywhere in d - 1 dimensions, whatever y, and with it r, may be:
r·p = |r| |p orthogonal to y| v, where v is a coordinate of a random point on the sphere. A cap of
height h of the sphere in n dimensions is at most exp(-n h**2 / 2) of it (Ball, An Elementary
Introduction to Modern Convex Geometry, 1997, lemma 2.2). With h = sqrt(2 ln(2**64) / (d - 1)) the
bound fails for a row and a vector with a probability of 2**-64 each way: among 36 million rows and
nine vectors, once in 30 thousand million searches. Of rows that are looked at it is checked anyway.
In few dimensions h is 1 and the bound that of Cauchy and Schwarz. f is computed in float64; what
float32 adds to it, to r and y is rounding, and in the bound as such.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numkong
import numpy as np
from numpy.typing import NDArray

from api.search.codes.basis import Basis
from api.search.codes.codes import Codes, Columns, Kernel
from api.search.frames.estimates import Rows
from api.search.frames.scan import RowRange, Scores

_STEP = np.float32(0.335)
_ZERO = np.float32(7.5)  # what u stands for nought


class FourBitCodes(Codes):
    """Codes of rows that would take too much memory as bytes. Dimensions are even."""

    __slots__ = ()
    bits, dtype = 4, np.uint8

    @staticmethod
    def encode(basis: Basis, vectors: NDArray[np.float16]) -> Columns:
        rotated = basis.rotated(vectors)
        squares = np.einsum("ij,ij->i", rotated, rotated, dtype=np.float64)
        steps = _STEP * np.sqrt(squares / basis.dim).astype(np.float32)
        steps[steps == 0] = 1
        codes = np.clip(np.floor(rotated / steps[:, None]), -8, 7) + np.float32(0.5)
        along = np.einsum("ij,ij->i", codes, rotated, dtype=np.float64)
        # A row that is the mean: as good as nought.
        factors = np.divide(squares, along, out=np.full_like(along, 1e-35), where=along > 0).astype(
            np.float32
        )
        error = np.linalg.norm(codes * factors[:, None] - rotated, axis=1)
        norm = np.linalg.norm(codes, axis=1) * factors
        return Columns.of(_packed((codes + _ZERO).astype(np.uint8)), factors, error, norm)

    def decoded(self, rows: Rows) -> NDArray[np.float64]:
        pairs = self.columns.codes[rows]
        codes = np.stack([pairs & 15, pairs >> 4], axis=2).reshape(len(rows), -1) - float(_ZERO)
        return codes * self.columns.factors[rows, None]

    @property
    def spread(self) -> float:
        return min(1.0, math.sqrt(2 * 64 * math.log(2) / (self.basis.dim - 1)))

    def kernel(self, vectors: NDArray[np.int8], chunk: int) -> Kernel:
        """u·r out of products of unsigned halves: r + 128 is 16 high + low, and u·128 a sum."""
        bytes_ = (vectors.astype(np.int16) + 128).astype(np.uint8)
        ones = np.ones((1, vectors.shape[1]), np.uint8)
        columns = _packed(np.concatenate([bytes_ >> 4, bytes_ & 15, ones]))
        packed = numkong.dots_pack(columns, dtype="uint4")
        each = np.eye(len(vectors), dtype=np.float32)
        weights = np.concatenate([16 * each, each, np.full_like(each[:1], -128)])
        zeros = _ZERO * vectors.sum(axis=1, dtype=np.float32)[:, None]
        raw: Any = numkong.empty((chunk, len(columns)), dtype="uint32")
        sums: NDArray[np.uint32] = np.asarray(raw)

        def fill(ranges: Sequence[RowRange], products: Scores) -> None:
            filled = 0
            for start, stop in ranges:
                end = filled + stop - start
                numkong.dots_packed(self.columns.codes[start:stop], packed, out=raw[filled:end])
                filled = end
            # Sums of whole numbers below 2**24 (up to 2,900 dimensions): exact in float32.
            np.matmul(sums[:filled].astype(np.float32), weights, out=products.T)
            products -= zeros

        return fill


def _packed(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Two values of four bits to a byte."""
    return np.asarray(values[:, ::2] | values[:, 1::2] << 4, np.uint8)
