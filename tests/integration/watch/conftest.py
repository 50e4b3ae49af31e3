"""Watch folders with everything real (`ingest`, `served`), or step by step (`steps`)."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.analysis.desk import Desk, shared_desk
from tests.support.watch.ingest_stack import IngestStack
from tests.support.watch.stepping import Steps


@pytest.fixture
def ingest(tmp_path: Path, redis_url: str) -> Iterator[IngestStack]:
    ingest = IngestStack(tmp_path, redis_url)
    yield ingest
    ingest.close()


@pytest.fixture(scope="module")
def workplace(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    with shared_desk(tmp_path_factory.mktemp("workplace")) as desk:
        desk.worker_with_fake_embedder()
        yield desk


@pytest.fixture
def served(workplace: Desk, tmp_path: Path) -> Iterator[IngestStack]:
    """With a worker that is there already, and knows nothing of the tests before."""
    workplace.client.flushall()
    ingest = IngestStack(tmp_path, workplace.redis_url)
    yield ingest
    ingest.close()


@pytest.fixture
def steps(tmp_path: Path, redis_url: str) -> Iterator[Steps]:
    steps = Steps(tmp_path, redis_url)
    yield steps
    steps.close()
