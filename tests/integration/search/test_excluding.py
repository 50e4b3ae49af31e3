"""Searches with excluded concepts that leave weak matches out."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from itsdangerous import URLSafeSerializer

from api.search.answers import Matches
from api.search.bodies import SearchImageBody
from api.search.calibration.prompting import Meaning
from api.search.frames.index import SearchIndex
from api.search.matches import Standing, Wanted, find_matches
from api.search.paging.asked import AskedPage
from api.search.paging.pages import TheBest
from api.search.services import SearchScope, SearchServices
from api.search.types import FrameSearch, QueryVectors
from shared.cache.cache_dir import CacheDir
from shared.domain import ModelKind, Scene
from shared.models.model_catalogue import resolve
from shared.settings import Settings
from tests.support.search.search_data import (
    DIM,
    media_hash,
    publish,
    random_units,
    search_index,
    unit,
    view_of,
)

MODEL = "conse-lite0"
QUERY, NEAR, FAR = np.linalg.qr(random_units(3, DIM, 1).T)[0].T.astype(np.float32)
QUERY_WITHOUT = QueryVectors(
    picture=QUERY, exclude=unit((0.8 * QUERY + 0.1 * NEAR - 0.59 * FAR)[None])
)


@pytest.fixture
def index(tmp_path: Path) -> Iterator[SearchIndex]:
    with search_index(Settings(state_dir=tmp_path / "state")) as index:
        yield index


@pytest.fixture
def cache(tmp_path: Path) -> CacheDir:
    """Five matches are like the query and what is excluded, and rank behind 30 like neither."""
    cache = CacheDir.open(tmp_path / "cache", create=True)
    for number in range(5):
        strong = unit(np.stack([0.98 * QUERY + 0.2 * NEAR]))
        weak = unit(np.stack([0.7 * QUERY + 0.71 * FAR] * 6))
        rows = np.concatenate([weak, strong])
        scenes = tuple(Scene(at, at + 1) for at in range(len(rows)))
        publish(cache, media_hash(number), rows, scenes=scenes, model=MODEL)
    return cache


def ask(index: SearchIndex, cache: CacheDir, size: int, **fields: Any) -> Matches:
    addresses = SimpleNamespace(signer=lambda: URLSafeSerializer("secret"))
    services = cast(
        SearchServices,
        SimpleNamespace(
            index=index,
            caches=index.caches,
            addresses=addresses,
            paths=SimpleNamespace(back=lambda path, like: path, key_roots=None),
        ),
    )
    body = SearchImageBody(cache_dir=str(cache.root), **fields)
    meaning = Meaning(resolve(Settings(), ModelKind.VISUAL, MODEL).scores)
    wanted = Wanted(
        search=FrameSearch(MODEL, QUERY_WITHOUT),
        familiarity=None,
        max_results=size,
        page=AskedPage.of(services, body, size, "score"),
        images=False,
        key_id="",
        standing=Standing.of(MODEL, meaning, body, QUERY_WITHOUT, None),
        details=False,
    )
    return find_matches(SearchScope(services, str(cache.root), None, "/"), wanted)


@pytest.mark.parametrize("least", [{"min_strength": "strong"}, {"min_score": 0.6}])
def test_strong_matches_are_found_behind_weak_ones(index, cache, least: dict[str, Any]) -> None:
    assert all(match.original_index < 6 for match in ask(index, cache, 3).matches)
    found = ask(index, cache, 3, **least).matches
    assert [match.original_index for match in found] == [6] * 3
    found = ask(index, cache, 20, **least).matches
    assert len(found) == 5
    for how in ({"cursor": ""}, {"sort": "time"}):
        same = ask(index, cache, 20, **least, **how).matches
        assert [match.hash_str for match in same] == [match.hash_str for match in found]


@pytest.mark.parametrize("hashes", [None, [media_hash(number) for number in range(0, 20, 2)]])
def test_they_are_those_of_all_matches_that_are_strong_enough(
    index, tmp_path: Path, hashes: list[str] | None
) -> None:
    cache = CacheDir.open(tmp_path / "random", create=True)
    for number in range(20):
        scenes = tuple(Scene(at, at + 25) for at in range(0, 100, 25))
        publish(cache, media_hash(number), random_units(100, DIM, number), scenes=scenes)
    view, query = view_of(index, cache), QUERY_WITHOUT
    everything = index.search(view, "test-model", query, hashes, 10_000)
    strong = [hit for hit in everything if hit.base >= 0.25]
    assert 0 < len(strong) < len(everything)
    for count in (1, 20, 1000):
        picker = TheBest(count, lambda hit: hit.base >= 0.25, falls=False)
        page = index.page(
            view,
            FrameSearch("test-model", query, None if hashes is None else set(hashes), least=0.25),
            picker,
        )
        assert page.hits == strong[:count]
        assert page.best is not None
