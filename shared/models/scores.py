"""What the scores of a visual model mean: probabilities and words for people."""

from __future__ import annotations

import math
from typing import Literal

import msgspec

Strength = Literal["strong", "fair", "weak"]
STRENGTHS: tuple[Strength, ...] = ("strong", "fair", "weak")
_LEAST_WEIGHT = 1e-6  # of words: below it rounding is all that there is
_MOST_ODDS = 700.0  # whose exponential a float holds
_STRONG, _FAIR = 0.60, 0.45  # probabilities


class Logit(msgspec.Struct, frozen=True):
    """How likely a match is right, by its cosine: 1 / (1 + exp(-(offset + slope · cosine)))."""

    offset: float
    slope: float


class ScoreScale(msgspec.Struct, frozen=True, kw_only=True):
    """Meaning of cosines between a visual model's rows.

    `familiar` is the familiarity from which on the model knows words; see VisualEmbedder. What is
    below `least` (for familiar words, for others, and for a picture) is no match at all.
    """

    words: Logit
    picture: Logit | None  # None: nobody knows what those with a picture mean
    familiar: float
    least: tuple[float, float, float]


class Judge(msgspec.Struct, frozen=True, kw_only=True):
    """Judges scores of one query, as they are without the excluded concepts."""

    logit: Logit
    least: float

    @classmethod
    def of(
        cls, scale: ScoreScale, *, text_weight: float | None, has_picture: bool, is_familiar: bool
    ) -> Judge | None:
        """`text_weight`: None without words. None where scores say nothing of likeness."""
        least = scale.least[0 if is_familiar else 1]
        picture = scale.picture if has_picture else None
        if has_picture and picture is None:
            return None
        if picture is not None and not text_weight:
            return cls(logit=picture, least=scale.least[2])
        if text_weight is None or text_weight < _LEAST_WEIGHT:
            return None
        if picture is None:
            words = Logit(scale.words.offset, scale.words.slope / text_weight)
            return cls(logit=words, least=least * text_weight)
        total = 1 + text_weight
        both = Logit(
            (picture.offset + text_weight * scale.words.offset) / total,
            (picture.slope + text_weight * scale.words.slope) / total**2,
        )
        return cls(logit=both, least=scale.least[2] + text_weight * least)

    def probability(self, score: float) -> float:
        """0 to 1, to four digits."""
        odds = self.logit.offset + self.logit.slope * score
        return round(1 / (1 + math.exp(-max(-_MOST_ODDS, odds))), 4)

    def strength(self, score: float) -> Strength | None:
        """None: too little to be a match."""
        if score < self.least:
            return None
        likely = self.probability(score)
        return "strong" if likely >= _STRONG else "fair" if likely >= _FAIR else "weak"
