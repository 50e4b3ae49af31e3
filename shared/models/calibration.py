"""Finding out what the scores of a visual model mean: by prompts that mean nothing, or by labels.

The constants of the first were fitted on the lite model, as if it were unknown: over its two pools
of labelled pictures (149 and 306, 98 queries) the cut leaves out 2 of 87 right answers that were
among the first three, and 78 of 100 other nonsense queries find nothing (tests/quality/search).
"""

from __future__ import annotations

from collections.abc import Sequence

import msgspec
import numpy as np
from numpy.typing import NDArray

from shared.errors import BadInput
from shared.models.scores import Logit, ScoreScale

PROMPTS = (
    "qwz blorft", "the square root of minus seven", "asdf jkl", "an ablative absolute in Latin",
    "invoice number 4711", "gerund of a forgotten verb", "monetary policy of a central bank",
    "xxyzzy plugh", "lorem ipsum dolor sit amet", "a proof by induction", "half past never",
    "the smell of Tuesday", "unsigned integer overflow", "tax deductible expenses",
    "the opposite of a comma", "fnord vlim krenk", "compound interest", "an unspoken thought",
    "terms and conditions", "a rumour about tomorrow",
)  # fmt: skip
_LEFT_OUT = 0.8  # of the prompts
# A match's odds at the cut, and what each standard deviation of the prompts' best adds.
_AT_THE_CUT, _BY_DEVIATION = -3.36, 0.277
_LEAST_DEVIATION = 1e-4  # cosines of a folder with one picture in it
LEAST_QUERIES = 20  # whose right answer is found: fewer say little
_MOST_LOST = 0.05  # of the right answers that are among the first three
_FIRST = 3
_STEPS, _RIDGE = 50, 1e-3


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """What scores mean, how that was found out, and when."""

    scale: ScoreScale
    made_at: float  # Unix seconds
    rows: int = 0  # frames that there were; by prompts only
    queries: int = 0  # that were labelled; 0: by prompts, provisional


class Judged(msgspec.Struct, frozen=True):
    """The best matches of a labelled query: cosines, best first, and whether each is right."""

    cosines: tuple[float, ...]
    right: tuple[bool, ...]

    @property
    def best_right(self) -> float | None:
        """The cosine of the best right match among the first three; None: there is none."""
        pairs = zip(self.cosines[:_FIRST], self.right[:_FIRST], strict=True)
        return max((cosine for cosine, is_right in pairs if is_right), default=None)


def by_prompts(best: Sequence[float]) -> ScoreScale:
    """From the best cosine of each of PROMPTS in a folder, of which none is a match."""
    cut = float(np.quantile(best, _LEFT_OUT))
    slope = _BY_DEVIATION / max(float(np.std(best)), _LEAST_DEVIATION)
    words = Logit(_AT_THE_CUT - slope * cut, slope)
    return ScoreScale(words=words, picture=None, familiar=0.0, least=(cut, cut, 0.0))


def by_labels(judged: Sequence[Judged], known: ScoreScale | None) -> ScoreScale:
    """From matches that somebody has judged; `known`: the scale of before, for what they leave.

    A match is right as the logistic regression says. The cut leaves out one in twenty of the right
    answers that are among the first three. Raises BadInput where higher scores are not righter.
    """
    cosines = np.concatenate([one.cosines for one in judged])
    right = np.concatenate([one.right for one in judged]).astype(float)
    found = [one.best_right for one in judged]
    cut = float(np.quantile([cosine for cosine in found if cosine is not None], _MOST_LOST))
    words = _regression(cosines, right)
    if words.slope <= 0:
        raise BadInput(
            "labels: matches with higher scores are not right more often, so that scores would say "
            "nothing. Are all right answers to each query labelled?"
        )
    if known is None:
        return ScoreScale(words=words, picture=None, familiar=0.0, least=(cut, cut, 0.0))
    unknown = max(cut, known.least[1])
    return ScoreScale(
        words=words,
        picture=known.picture,
        familiar=known.familiar,
        least=(cut, unknown, known.least[2]),
    )


def _regression(cosines: NDArray[np.float64], right: NDArray[np.float64]) -> Logit:
    """Logistic regression by Newton's method; the ridge bounds what can be told apart wholly."""
    given = np.stack([np.ones_like(cosines), cosines], axis=1)
    weights = np.zeros(2)
    for _ in range(_STEPS):
        likely = 1 / (1 + np.exp(-np.clip(given @ weights, -30, 30)))
        slope = given.T @ (right - likely) - _RIDGE * weights
        curve = (given.T * (likely * (1 - likely))) @ given + _RIDGE * np.eye(2)
        weights += np.linalg.solve(curve, slope)
    return Logit(float(weights[0]), float(weights[1]))
