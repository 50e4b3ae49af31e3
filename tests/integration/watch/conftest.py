from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.watch.farm import Farm


@pytest.fixture
def farm(tmp_path: Path, redis_url: str) -> Iterator[Farm]:
    farm = Farm(tmp_path, redis_url)
    yield farm
    farm.close()
