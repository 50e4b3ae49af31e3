"""What matches of one query are worth: their scores, what is left out, and what there is to say."""

from __future__ import annotations

from dataclasses import dataclass

from api.search.bodies import SearchFields
from api.search.calibration.prompting import Meaning
from api.search.types import QueryVectors
from shared.models.scores import STRENGTHS, Judge

_BEYOND = 1e7  # what any score is, whatever the text_weight


@dataclass(frozen=True, slots=True)
class Standing:
    """Of one query; `judge` is None where nobody knows what scores of the model mean."""

    model: str
    judge: Judge | None
    is_familiar: bool
    min_strength: str | None
    min_score: float | None
    provisional: str = ""  # what there is to say of how the scores were found out

    @classmethod
    def of(
        cls,
        model: str,
        meaning: Meaning,
        body: SearchFields,
        query: QueryVectors,
        familiarity: float | None,
    ) -> Standing:
        """`familiarity`: of the words, see VisualEmbedder."""
        scale, judge, is_familiar = meaning.scale, None, True
        if scale is not None:
            is_familiar = familiarity is None or familiarity >= scale.familiar
            judge = Judge.of(
                scale,
                text_weight=None if query.query is None else query.text_weight,
                has_picture=query.picture is not None,
                is_familiar=is_familiar,
            )
        least = body.min_strength
        if body.sort not in (None, "score") and body.min_score is None:
            least = least or "weak"  # what is no match would be all over what is sorted
        said = meaning.note if judge else ""
        return cls(model, judge, is_familiar, least, body.min_score, said)

    def keeps(self, score: float) -> bool:
        """Whether a match with this score, without the excluded concepts, is strong enough."""
        if self.judge is None:
            return True
        if self.min_score is not None and self.judge.probability(score) < self.min_score:
            return False
        if self.min_strength is None:
            return True
        strength = self.judge.strength(score)
        return strength is not None and (
            STRENGTHS.index(strength) <= STRENGTHS.index(self.min_strength)
        )

    @property
    def least(self) -> float:
        """No score below it is kept, which rise with what they mean."""
        low, high = -_BEYOND, _BEYOND
        while low < (middle := (low + high) / 2) < high:
            low, high = (low, middle) if self.keeps(middle) else (middle, high)
        return low

    def warnings(self) -> list[str]:
        """What of the request had no effect. That nothing is no match is nothing to warn of."""
        asked = {
            "min_strength": self.min_strength not in (None, "weak"),
            "min_score": self.min_score is not None,
        }
        given = [name for name, is_given in asked.items() if is_given]
        if self.judge is not None or not given:
            return []
        return [
            f"{' and '.join(given)} had no effect: what the scores of {self.model} mean for this "
            "query was never measured."
        ]

    def notes(self, best: float | None, left: int) -> list[str]:
        """What a reader of the answer should know: `best` score before some were left out."""
        notes = [self.provisional] if self.provisional else []
        if not self.is_familiar:
            notes.append(f"{self.model} hardly knows these words: what it finds may be anything.")
        if self.judge is not None and best is not None and not left:
            likely = self.judge.probability(best)
            notes.append(f"Nothing is strong enough; the nearest has a score of {likely:.2f}.")
        return notes
