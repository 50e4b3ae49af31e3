"""A CacheDir of each test's own."""

from __future__ import annotations

from pathlib import Path

import pytest

from shared.cache.cache_dir import CacheDir


@pytest.fixture
def cache(tmp_path: Path) -> CacheDir:
    return CacheDir.open(tmp_path / "cache", create=True)
