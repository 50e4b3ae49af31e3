"""Fixtures for tests of workers: a Desk of each test, or one worker for all tests of a file.

A file that shares a worker says how it is started: `first = worker_of_file(Desk.worker)`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.analysis.desk import Desk, shared_desk


@pytest.fixture
def desk(tmp_path: Path, redis_url: str) -> Iterator[Desk]:
    """A Desk without workers yet."""
    desk = Desk(tmp_path, redis_url)
    yield desk
    desk.close()


def worker_of_file(start: Callable[[Desk], object]) -> Any:
    """Return the fixture `first` of a file: a Desk with its own Redis, and what `start` starts."""

    @pytest.fixture(scope="module")
    def first(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
        with shared_desk(tmp_path_factory.mktemp("shared")) as desk:
            start(desk)
            yield desk

    return first


@pytest.fixture
def shared(first: Desk, tmp_path: Path) -> Desk:
    """The Desk of the file, whose worker is already there, with folders of this test."""
    return first.with_folder(tmp_path)
