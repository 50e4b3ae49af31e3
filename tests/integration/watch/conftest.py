"""Watch folders with everything real (`farm`), or step by step (`steps`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.watch.ingest_stack import Farm
from tests.support.watch.stepping import Steps


@pytest.fixture
def farm(tmp_path: Path, redis_url: str) -> Iterator[Farm]:
    farm = Farm(tmp_path, redis_url)
    yield farm
    farm.close()


@pytest.fixture
def steps(tmp_path: Path, redis_url: str) -> Iterator[Steps]:
    steps = Steps(tmp_path, redis_url)
    yield steps
    steps.close()
