"""Scores say what the lite model does not know: what is left at the cut `weak`; how right it is.

Over both pools of pictures: 98 labelled queries, of which the method was fitted on 38, and queries
that no picture answers, every second of which was looked at when the cut was chosen.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from shared.models.calibration import PROMPTS, by_prompts
from shared.models.scores import Judge
from tests.quality.search.pictures import embedded, held_out_pool, picture_pool
from tests.quality.search.retrieval import Query, read_queries
from tests.support.lite_models import lite_model
from tests.support.skip_or_fail import fetched_or_skipped

# The first run downloads 270 MB.
pytestmark = [pytest.mark.quality, pytest.mark.timeout(600)]

FITTED, HELD_OUT = "conse_queries.json", "conse_holdout.json"
Rows = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Pool:
    names: list[str]
    rows: Rows
    queries: list[Query]


@pytest.fixture(scope="module")
def pools() -> dict[str, Pool]:
    lite = lite_model()
    with fetched_or_skipped():
        of_files = {FITTED: picture_pool(), HELD_OUT: held_out_pool()}
    return {
        file: Pool(list(pool), embedded(lite, pool), read_queries(file))
        for file, pool in of_files.items()
    }


def ranked(pool: Pool, text: str) -> tuple[Judge, list[tuple[str, float]]]:
    """The judge of a query by words, and the five best pictures with their cosines."""
    lite = lite_model()
    scale = lite.spec.scores
    assert scale is not None
    row = lite.embed_texts([text])
    familiarity = lite.familiarity(row)
    assert familiarity is not None
    is_familiar = bool(familiarity[0] >= scale.familiar)
    judge = Judge.of(scale, text_weight=1.0, has_picture=False, is_familiar=is_familiar)
    assert judge is not None
    cosines = pool.rows @ row[0]
    best = np.argsort(-cosines)[:5]
    return judge, [(pool.names[n], float(cosines[n])) for n in best]


def lost(pool: Pool) -> list[str]:
    """Labelled queries whose right answer is among the first three, and not shown."""
    found = []
    for query in pool.queries:
        judge, best = ranked(pool, query.text)
        right = [cosine for name, cosine in best[:3] if name in query.right]
        if right and judge.strength(max(right)) is None:
            found.append(query.text)
    return found


def share_of_empty(pool: Pool, texts: list[str]) -> float:
    shown = [judge.strength(best[0][1]) for judge, best in (ranked(pool, text) for text in texts)]
    return shown.count(None) / len(shown)


def test_few_right_answers_are_left_out(
    pools: dict[str, Pool], capsys: pytest.CaptureFixture[str]
) -> None:
    of_files = {file: lost(pool) for file, pool in pools.items()}
    with capsys.disabled():
        print(f"\nleft out although right and among the first three: {of_files}")
    assert sum(map(len, of_files.values())) <= 5
    assert len(of_files[HELD_OUT]) <= 1


@pytest.mark.parametrize(
    ("kind", "wanted"), [("nonsense", 0.95), ("people, actions and scenes", 0.75)]
)
def test_what_no_picture_answers_has_no_match(
    pools: dict[str, Pool], kind: str, wanted: float, capsys: pytest.CaptureFixture[str]
) -> None:
    queries = json.loads(Path(__file__).with_name("unanswerable.json").read_text("utf-8"))[kind]
    for file, pool in pools.items():
        share, unseen = (share_of_empty(pool, some) for some in (queries, queries[1::2]))
        with capsys.disabled():
            print(f"\n{kind}, {file}: {share:.2f} empty, {unseen:.2f} of those not looked at")
        assert min(share, unseen) >= wanted


def test_a_model_that_nobody_measured_is_calibrated_by_prompts(
    pools: dict[str, Pool], capsys: pytest.CaptureFixture[str]
) -> None:
    lite = lite_model()
    texts = json.loads(Path(__file__).with_name("unanswerable.json").read_text("utf-8"))
    prompts, nonsense = lite.embed_texts(PROMPTS), lite.embed_texts(texts["nonsense"])
    lost, found = 0, 0
    for file, pool in pools.items():
        scale = by_prompts((pool.rows @ prompts.T).max(axis=0).tolist())
        empty = float(np.mean((pool.rows @ nonsense.T).max(axis=0) < scale.least[0]))
        for query in pool.queries:
            _, best = ranked(pool, query.text)
            right = [cosine for name, cosine in best[:3] if name in query.right]
            found += bool(right)
            lost += bool(right) and max(right) < scale.least[0]
        with capsys.disabled():
            print(
                f"\nby prompts, {file}: nonsense {empty:.2f} empty, {lost} of {found} lost so far"
            )
        assert empty >= 0.7
    assert lost <= 5


def test_the_higher_the_strength_the_more_often_a_match_is_right(
    pools: dict[str, Pool], capsys: pytest.CaptureFixture[str]
) -> None:
    right: dict[str, list[bool]] = {"strong": [], "fair": [], "weak": []}
    for pool in pools.values():
        for query in pool.queries:
            judge, best = ranked(pool, query.text)
            for name, cosine in best:
                if strength := judge.strength(cosine):
                    right[strength].append(name in query.right)
    shares = {strength: float(np.mean(of_it)) for strength, of_it in right.items()}
    with capsys.disabled():
        print("\nright:", ", ".join(f"{s} {shares[s]:.2f} of {len(right[s])}" for s in right))
    assert shares["strong"] >= 0.7
    assert shares["strong"] > shares["fair"] > shares["weak"]
