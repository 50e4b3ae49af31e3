"""What scores of a query mean, by what it is made of and by how well the model knows its words."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import msgspec
import numpy as np
import pytest

from api.search.bodies import SearchTextBody
from api.search.calibration.prompting import Meaning
from api.search.matches import Standing
from api.search.types import QueryVectors
from shared.domain import ModelKind
from shared.models.calibration import by_prompts
from shared.models.model_catalogue import resolve
from shared.settings import Settings

LITE = Meaning(resolve(Settings(), ModelKind.VISUAL, "conse-lite0").scores)
UNKNOWN = Meaning(None)
BY_PROMPTS = Meaning(by_prompts([0.1, 0.2]), "Scores are provisional.")
SOME = np.zeros(4, np.float32)
WORDS, PICTURE = QueryVectors(query=SOME), QueryVectors(picture=SOME)
BOTH = QueryVectors(query=SOME, picture=SOME)
BODY = SearchTextBody(query="x", cache_dir="/c", details=True)


def standing(query: QueryVectors, familiarity: float | None = 0.9, **asked: object) -> Standing:
    return of(LITE, query, familiarity, **asked)


def of(
    meaning: Meaning, query: QueryVectors, familiarity: float | None = None, **asked: object
) -> Standing:
    return Standing.of("m", meaning, msgspec.structs.replace(BODY, **asked), query, familiarity)


@pytest.mark.parametrize("weight", [0.5, 1.0, 3.0])
def test_the_weight_of_words_alone_changes_no_score(weight: float) -> None:
    one, other = standing(WORDS).judge, standing(replace(WORDS, text_weight=weight)).judge
    assert one is not None
    assert other is not None
    for cosine in (-0.2, 0.3, 0.7):
        assert other.probability(weight * cosine) == pytest.approx(one.probability(cosine))
        assert other.strength(weight * cosine) == one.strength(cosine)


@pytest.mark.parametrize("query", [WORDS, PICTURE, BOTH])
def test_the_higher_score_is_the_likelier_match(query: QueryVectors) -> None:
    judge = standing(query).judge
    assert judge is not None
    likely = [judge.probability(score) for score in np.linspace(-1, 2, 50)]
    assert likely == sorted(likely)
    assert min(likely) < 0.01
    assert max(likely) > 0.9


def test_a_picture_and_words_that_both_fit_are_likelier_than_one_that_does_not() -> None:
    words, picture, both = (standing(query).judge for query in (WORDS, PICTURE, BOTH))
    assert words is not None
    assert picture is not None
    assert both is not None
    alone = words.probability(0.8), picture.probability(0.95)
    assert min(alone) - 0.05 < both.probability(0.8 + 0.95) < max(alone) + 0.05
    assert both.probability(0.2 + 0.95) < picture.probability(0.95)


def test_of_words_that_the_model_hardly_knows_more_is_asked_and_it_is_said() -> None:
    known, unknown = (standing(WORDS, f, min_strength="weak") for f in (0.9, 0.5))
    assert known.keeps(0.3)
    assert not unknown.keeps(0.3)
    assert unknown.keeps(0.5)
    assert known.notes(0.5, 1) == []
    (note,) = unknown.notes(0.5, 1)
    assert "hardly knows these words" in note


@pytest.mark.parametrize(
    "one",
    [
        of(UNKNOWN, WORDS, min_score=0.9),
        of(BY_PROMPTS, PICTURE, min_score=0.9),
        standing(replace(WORDS, text_weight=-1.0), min_score=0.9),
        standing(replace(WORDS, text_weight=0.0), min_score=0.9),
    ],
    ids=[
        "a model never measured",
        "a picture, after prompts",
        "less like the words",
        "words without weight",
    ],
)
def test_where_nobody_knows_what_scores_mean_all_are_kept_and_it_is_said(one: Standing) -> None:
    assert one.judge is None
    assert one.keeps(-1.0)
    (warning,) = one.warnings()
    assert warning.startswith("min_score had no effect: ")
    assert one.notes(0.1, 1) == []


@pytest.mark.parametrize("query", [WORDS, BOTH])
@pytest.mark.parametrize("weight", [1e-320, 1e-9, 1e-6, 0.002, 1e6])
def test_no_weight_makes_a_score_that_is_no_probability(query: QueryVectors, weight: float) -> None:
    judge = standing(replace(query, text_weight=weight)).judge
    if judge is not None:
        for score in (-1e6, -0.7, -0.2, 0.0, 0.5, 1e6):
            assert 0 <= judge.probability(score) <= 1


def test_words_without_weight_beside_a_picture_change_nothing() -> None:
    assert standing(replace(BOTH, text_weight=0.0)).judge == standing(PICTURE).judge


def test_that_all_are_kept_is_no_warning_where_only_what_is_no_match_was_to_go() -> None:
    assert of(UNKNOWN, WORDS, min_strength="weak").warnings() == []


def test_scores_that_were_found_out_by_prompts_are_said_to_be_provisional() -> None:
    assert of(BY_PROMPTS, WORDS).notes(0.9, 1) == ["Scores are provisional."]
    assert of(BY_PROMPTS, PICTURE).notes(0.9, 1) == []


@pytest.mark.parametrize("query", [WORDS, PICTURE, BOTH, replace(WORDS, text_weight=1e6)])
@pytest.mark.parametrize("asked", [{"min_strength": "weak"}, {"min_score": 0.5}])
def test_the_least_score_that_is_kept_is_known(query: QueryVectors, asked: dict[str, Any]) -> None:
    found = standing(query, **asked)
    assert found.keeps(np.nextafter(found.least, np.inf))
    assert not found.keeps(np.nextafter(found.least, -np.inf))
