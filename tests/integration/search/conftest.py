"""A CacheDir and two SearchIndexes over one STATE_DIR, as two API replicas have them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from api.search import index_log
from api.search.frames.index import SearchIndex
from shared.cache.cache_dir import CacheDir
from shared.settings import Settings
from tests.support.search.search_data import search_index


@pytest.fixture
def cache(tmp_path: Path) -> CacheDir:
    return CacheDir.open(tmp_path / "cache", create=True)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(state_dir=tmp_path / "state")


@pytest.fixture(autouse=True)
def _short_patience(monkeypatch: pytest.MonkeyPatch) -> None:
    """A share may deny a published file for 5 s; here the disk is local and tells the truth."""
    monkeypatch.setattr(index_log, "LISTING_WAIT_S", 0.2)


@pytest.fixture
def index(settings: Settings) -> Iterator[SearchIndex]:
    with search_index(settings) as index:
        yield index


@pytest.fixture
def replica(settings: Settings) -> Iterator[SearchIndex]:
    """Another SearchIndex over the same STATE_DIR, as after a restart or in another process."""
    with search_index(settings) as index:
        yield index
