"""What is made of scores that nobody has measured yet: by prompts, and by labels."""

from __future__ import annotations

import numpy as np
import pytest

from shared.errors import BadInput
from shared.models.calibration import PROMPTS, Judged, by_labels, by_prompts
from shared.models.scores import Judge, Logit, ScoreScale

KNOWN = ScoreScale(
    words=Logit(-7.8, 11.6), picture=Logit(-8.7, 9.6), familiar=0.65, least=(0.2, 0.4, 0.6)
)


def judge(scale: ScoreScale, *, is_familiar: bool = True) -> Judge:
    found = Judge.of(scale, text_weight=1.0, has_picture=False, is_familiar=is_familiar)
    assert found is not None
    return found


def test_one_nonsense_prompt_in_five_would_have_a_match() -> None:
    best = np.linspace(0.10, 0.29, len(PROMPTS)).tolist()
    by = judge(by_prompts(best))
    assert [by.strength(cosine) is None for cosine in best] == [True] * 16 + [False] * 4
    assert by.strength(0.29) == "weak"
    likely = [by.probability(cosine) for cosine in (0.25, 0.7, 0.9, 1.5)]
    assert likely == sorted(likely)
    assert by.strength(1.5) == "strong"


def test_a_folder_in_which_all_prompts_find_the_same_has_a_cut_too() -> None:
    by = judge(by_prompts([0.2] * len(PROMPTS)))
    assert by.strength(0.19) is None
    assert by.strength(0.21) is not None


def test_prompts_say_nothing_of_pictures() -> None:
    scale = by_prompts([0.1, 0.2])
    for weight in (None, 0.0, 1.0):
        assert Judge.of(scale, text_weight=weight, has_picture=True, is_familiar=True) is None


def labelled(slope: float, offset: float, queries: int = 400) -> list[Judged]:
    """Matches that are right with a known probability."""
    random = np.random.default_rng(7)
    found = []
    for _ in range(queries):
        cosines = -np.sort(-random.uniform(0, 1, 5))
        right = random.uniform(size=5) < 1 / (1 + np.exp(-(offset + slope * cosines)))
        found.append(Judged(tuple(cosines.tolist()), tuple(right.tolist())))
    return found


def test_labels_give_back_the_probability_with_which_matches_are_right() -> None:
    by = judge(by_labels(labelled(8, -5), None))
    for cosine in (0.2, 0.5, 0.625, 0.8):
        assert by.probability(cosine) == pytest.approx(
            1 / (1 + np.exp(-(8 * cosine - 5))), abs=0.04
        )


def test_one_right_answer_in_twenty_is_left_out() -> None:
    judged = labelled(8, -5)
    scale = by_labels(judged, KNOWN)
    best = [one.best_right for one in judged if one.best_right is not None]
    lost = [cosine for cosine in best if judge(scale).strength(cosine) is None]
    assert len(lost) / len(best) == pytest.approx(0.05, abs=0.01)
    assert (scale.picture, scale.familiar, scale.least[2]) == (KNOWN.picture, 0.65, 0.6)
    assert scale.least[1] >= KNOWN.least[1], "words that the model hardly knows"


def test_labels_by_which_higher_scores_are_worse_are_refused() -> None:
    with pytest.raises(BadInput, match="not right more often"):
        by_labels([Judged((0.9, 0.2), (False, True))] * 40, None)


def test_labels_that_tell_right_from_wrong_wholly_end_too() -> None:
    judged = [Judged((0.9, 0.1), (True, False))] * 20
    by = judge(by_labels(judged, None))
    assert by.strength(0.9) == "strong"
    assert by.strength(0.1) is None
