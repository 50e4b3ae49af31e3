"""What scores mean in a folder, found out once and kept; labels come before all else."""

from __future__ import annotations

import asyncio
import zlib
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import msgspec
import numpy as np
import pytest

from api.app import provide
from api.search.calibration.prompting import Meaning, meaning_of
from api.search.services import SearchScope, SearchServices
from api.search.vectors import TextVector
from shared.cache.cache_dir import CacheDir
from shared.domain import ModelKind
from shared.errors import NoWorker
from shared.models import model_catalogue
from shared.models.calibration import PROMPTS, Calibration, by_prompts
from shared.settings import Settings
from tests.support.search.search_data import DIM, MODEL, media_hash, publish, random_units

LITE = model_catalogue.resolve(Settings(), ModelKind.VISUAL, "conse-lite0")
UNKNOWN = msgspec.structs.replace(LITE, key=MODEL, scores=None)


class QueryVectors:
    """Gives each text a vector, and counts how often it is asked."""

    def __init__(self, error: Exception | None = None) -> None:
        self.asked, self.error = 0, error

    async def of_texts(self, model: str, texts: Sequence[str]) -> list[TextVector]:
        self.asked += 1
        if self.error:
            raise self.error
        seeds = [zlib.crc32(text.encode()) for text in texts]
        return [
            TextVector(random_units(1, DIM, seed)[0].astype(np.float32), None) for seed in seeds
        ]


@pytest.fixture
def vectors() -> QueryVectors:
    return QueryVectors()


@pytest.fixture
def services(tmp_path: Path, vectors: QueryVectors) -> Iterator[SearchServices]:
    settings = Settings(redis_url="unix:///nowhere", state_dir=tmp_path / "state")
    services = replace(provide(settings).get(SearchServices), vectors=cast(Any, vectors))
    yield services
    services.index.close()
    services.caches.close()
    services.redis.close()


def meaning(services: SearchServices, cache: CacheDir) -> Meaning:
    return asyncio.run(meaning_of(SearchScope.of(services, str(cache.root), None), UNKNOWN))


def test_it_is_found_out_once_for_a_folder_and_again_when_that_has_doubled(
    services: SearchServices, cache: CacheDir, vectors: QueryVectors
) -> None:
    publish(cache, media_hash(1), random_units(300, DIM, 1))
    first = meaning(services, cache)
    assert first.scale is not None
    assert "provisional" in first.note
    assert meaning(services, cache) == first
    assert vectors.asked == 1
    publish(cache, media_hash(2), random_units(400, DIM, 2))
    later = meaning(services, cache)
    assert vectors.asked == 2
    assert later.scale is not None
    assert later.scale.least[0] >= first.scale.least[0], "more frames, better nonsense"


def test_an_empty_folder_and_one_without_a_worker_have_none(
    services: SearchServices, cache: CacheDir, vectors: QueryVectors
) -> None:
    publish(cache, media_hash(1), random_units(5, DIM, 1), model="another")
    assert meaning(services, cache) == Meaning(None)
    publish(cache, media_hash(1), random_units(5, DIM, 1))
    vectors.error = NoWorker()
    assert meaning(services, cache) == Meaning(None)
    vectors.error = None
    assert meaning(services, cache).scale is not None, "it is tried again"


def test_labels_come_first_and_a_damaged_file_is_none(
    services: SearchServices, cache: CacheDir, tmp_path: Path
) -> None:
    publish(cache, media_hash(1), random_units(50, DIM, 1))
    labelled = by_prompts([0.5] * len(PROMPTS))
    services.calibrations.note(MODEL, Calibration(scale=labelled, made_at=1.0, queries=30))
    assert meaning(services, cache) == Meaning(labelled)
    assert services.calibrations.forget(MODEL)
    assert not services.calibrations.forget(MODEL)
    found = meaning(services, cache)
    for path in (tmp_path / "state" / "calibrations").rglob("*.json"):
        path.write_bytes(path.read_bytes()[:20])
    again = meaning(services, cache)
    assert again.scale == found.scale


def test_what_is_known_of_a_model_needs_no_prompts(
    services: SearchServices, cache: CacheDir, vectors: QueryVectors
) -> None:
    scope = SearchScope.of(services, str(cache.root), None)
    assert asyncio.run(meaning_of(scope, LITE)) == Meaning(LITE.scores)
    assert vectors.asked == 0
