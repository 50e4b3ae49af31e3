"""Watch folders with everything real (`ingest`), or step by step (`steps`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.watch.ingest_stack import IngestStack
from tests.support.watch.stepping import Steps


@pytest.fixture
def ingest(tmp_path: Path, redis_url: str) -> Iterator[IngestStack]:
    ingest = IngestStack(tmp_path, redis_url)
    yield ingest
    ingest.close()


@pytest.fixture
def steps(tmp_path: Path, redis_url: str) -> Iterator[Steps]:
    steps = Steps(tmp_path, redis_url)
    yield steps
    steps.close()
