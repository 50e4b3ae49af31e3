"""Rows centred and rotated, queries rotated and as bytes: what codes of any width have in common.

A row x of d values has z = x - mean and y = z @ rotation; its codes c with a factor f stand for
f·c, near y. The rotation spreads what some dimensions hold over all of them, so that codes are
fine. It is drawn anew for each set of codes and kept with them, private.

The bound. For a query q let p = q @ rotation (in float64) and p = t·r + e with bytes r. Then

    x·q = mean·q  +  (f·c)·(t·r)  +  (f·c)·e  +  (y - f·c)·p  +  what rotation and rounding add

The first two terms are the estimate. By Cauchy and Schwarz the third is at most |f·c| |e|. What the
fourth is at most, codes say: `spread` |y - f·c| |p|, where `spread` is 1 by Cauchy and Schwarz.
The lengths are kept of each row (`norm`, `error`) and known of e. The rest, with u = 2**-24 for a
rounding to float32 and any order of summation:
- the rotation is not quite orthogonal: (z - y @ rotation.T)·q is at most |I - R R'| |z| |q|, and
  |p| <= (1 + |I - R R'|) |q|. The Frobenius norm of I - R R' is measured with each rotation;
- y is computed in float32: each of its d values is off by at most (d + 2) u |z| |column of R|,
  so y by at most sqrt(d) (d + 2) u (1 + |I - R R'|) |z|. With the former this is `lost` |z| |q|,
  and |z| is at most 1.01 (norm + error). `error` and `norm` are stored times 1.001 for their own
  rounding;
- the estimate is computed in float32 from a sum of integers: at most (d + 8) u |f·c| |t·r| and 8 u
  of |mean| |q|; the score of the stored row is, too, from two halves of the query that miss it by
  2**-22 |q| + sqrt(d) 2**-25: at most (d + 8) u |x| |q| and that. As |x| <= |mean| + norm + error,
  |t·r| <= 2 |q| and 8 sqrt(d) <= d + 32, all of this is below
  4 (d + 32) u (|q| + 1/64) (|mean| + norm + error). Of a query that is a sum, these are the sums
  for its parts, as often as their weights say.
score = base - 0.5 max(0, max of the excluded) moves by at most the bound of base and half the
greatest of the others.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from api.search.frames.scan import EXCLUDE_WEIGHT, Scores
from api.search.types import QueryVectors

_U = 2.0**-24


class Basis:
    """The mean that rows are centred by and the rotation: [d] and [d, d], float32."""

    def __init__(self, mean: NDArray[np.float32], rotation: NDArray[np.float32]) -> None:
        self.mean, self.rotation = mean, rotation
        self.dim = d = len(mean)
        self._rotation = rotation.astype(np.float64)  # a query at a time: quick enough
        self._mean = mean.astype(np.float64)
        self.mean_norm = float(np.linalg.norm(self._mean))
        self.skew = float(np.linalg.norm(np.eye(d) - self._rotation @ self._rotation.T))
        self.lost = self.skew + np.sqrt(d) * (d + 2) * _U * (1 + self.skew)

    @classmethod
    def of(cls, vectors: NDArray[np.float16]) -> Basis:
        """The mean of some of these rows, and a rotation of which nobody could know before."""
        some = vectors[:: max(1, len(vectors) // 20_000)].astype(np.float32)
        random = np.random.default_rng().standard_normal((vectors.shape[1],) * 2)
        rotation, upper = np.linalg.qr(random)
        # Without these signs not every rotation is as likely (Mezzadri, 2007, section 5).
        rotation = rotation * np.sign(np.diagonal(upper))
        return cls(some.mean(axis=0), rotation.astype(np.float32))

    def rotated(self, vectors: NDArray[np.float16]) -> NDArray[np.float32]:
        """Rows, centred and rotated."""
        centred = vectors.astype(np.float32) - self.mean
        return np.asarray(centred @ self.rotation, np.float32)

    def distances(
        self, vectors: NDArray[np.float16], rotated: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """How far vectors are from those that rows, centred and rotated, stand for."""
        far: NDArray[np.float64] = np.linalg.norm(
            vectors - self._mean - rotated @ self._rotation.T, axis=1
        )
        return far

    def question(self, query: QueryVectors) -> Question:
        """A query as bytes, with what bounds need to know of it."""
        weighted = [(query.picture, 1.0), (query.query, query.text_weight)]
        parts = [w * v.astype(np.float64) for v, w in weighted if v is not None]
        excluded = [] if query.exclude is None else list(query.exclude.astype(np.float64))
        vectors = np.array([sum(parts, np.zeros(self.dim)), *excluded])
        rotated = vectors @ self._rotation
        scales = np.abs(rotated).max(axis=1) / 127
        scales[scales == 0] = 1
        codes = np.rint(rotated / scales[:, None])
        missed = np.linalg.norm(rotated - codes * scales[:, None], axis=1)
        lengths = np.linalg.norm(vectors, axis=1)
        half = float(EXCLUDE_WEIGHT)
        subtracted = half * float(lengths[1:].max(initial=0))
        sizes = sum(float(np.linalg.norm(part)) for part in parts) + subtracted
        weights = 1 + abs(query.text_weight) + half
        by_error = (float(lengths[0]) + subtracted) * (1 + self.skew)
        rounding = 4 * (self.dim + 32) * _U * (sizes + weights / 64)
        return Question(
            codes.astype(np.int8),
            scales.astype(np.float32),
            (vectors @ self._mean).astype(np.float32),
            by_error=by_error,
            by_norm=float(missed[0] + half * missed[1:].max(initial=0)),
            by_size=rounding + 1.01 * self.lost * by_error,
        )


@dataclass(frozen=True, slots=True)
class Question:
    """Vectors of one query as bytes: what is looked for, then the excluded concepts."""

    codes: NDArray[np.int8]  # [1 + excluded, d]
    scales: Scores
    shifts: Scores  # mean·q
    by_error: float  # by what a row's `spread * error` and `norm` count in its score's bound,
    by_norm: float
    by_size: float  # and |mean| + norm + error

    def combine(self, products: Scores, out: Scores) -> None:
        """Estimates of final scores out of products with `codes`, [1 + excluded, rows]."""
        np.multiply(products[0], self.scales[0], out=out)
        out += self.shifts[0]
        if len(products) > 1:
            worst = np.zeros_like(out)
            for product, scale, shift in zip(
                products[1:], self.scales[1:], self.shifts[1:], strict=True
            ):
                np.maximum(worst, product * scale + shift, out=worst)
            worst *= EXCLUDE_WEIGHT
            out -= worst
